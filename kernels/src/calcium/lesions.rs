//! From slice lesions to the score and the list of 3-D lesions.

use rayon::prelude::*;

use super::{Bounds, Lesion, Run, Score, SliceLesion};
use crate::Geometry;

/// Thickness of the original protocol's slices, which the Agatston sum is scaled to.
const AGATSTON_SLICE_MM: f64 = 3.0;

/// What one pixel of a slice is worth.
#[derive(Clone, Copy)]
pub(super) struct Units {
    pub(super) pixel_area_mm2: f64,
    voxel_mm3: f64,
    slice_scale: f64,
}

impl Units {
    pub(super) fn new(geometry: &Geometry) -> Self {
        let pixel_area_mm2 = geometry.pixel_area_mm2();
        Self {
            pixel_area_mm2,
            voxel_mm3: pixel_area_mm2 * geometry.slice_increment_mm,
            slice_scale: geometry.slice_increment_mm / AGATSTON_SLICE_MM,
        }
    }

    /// Of pixels that are each counted as often as they weigh.
    pub(super) fn agatston(self, weighted_pixels: u64) -> f64 {
        exact(weighted_pixels) * self.pixel_area_mm2 * self.slice_scale
    }

    fn volume_mm3(self, pixels: u64) -> f64 {
        exact(pixels) * self.voxel_mm3
    }

    #[expect(clippy::cast_precision_loss, reason = "2^53 would be 2^38 voxels of the highest value")]
    fn hounsfield_mm3(self, hounsfield_sum: i64) -> f64 {
        hounsfield_sum as f64 * self.voxel_mm3
    }
}

/// Counts of voxels stay far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "no volume has 2^53 voxels")]
fn exact(count: u64) -> f64 {
    count as f64
}

/// Adds up slice lesions (ordered by slice, then first pixel) and groups those that touch.
pub(super) fn group(scored: Vec<SliceLesion>, units: Units, fragments: u32) -> Score {
    // The sums are integers and become a number once, so their order cannot change it.
    let agatston = units.agatston(scored.iter().map(weighted_pixels).sum());
    let volume_mm3 = units.volume_mm3(scored.iter().map(|lesion| u64::from(lesion.pixels)).sum());

    let groups = touching(&scored);
    let mut slices: Vec<Vec<SliceLesion>> = vec![Vec::new(); scored.len()];
    for (lesion, group) in scored.into_iter().zip(groups) {
        slices[group].push(lesion);
    }
    slices.retain(|slices| !slices.is_empty());
    let mut lesions: Vec<Lesion> = slices.into_par_iter().map(|slices| lesion(slices, units)).collect();
    // Stable: equals stay in the order of their first pixel.
    lesions.sort_by(|a, b| b.agatston.total_cmp(&a.agatston));
    Score { agatston, volume_mm3, lesions, fragments }
}

fn weighted_pixels(lesion: &SliceLesion) -> u64 {
    u64::from(lesion.weight) * u64::from(lesion.pixels)
}

fn lesion(slices: Vec<SliceLesion>, units: Units) -> Lesion {
    let pixels: u64 = slices.iter().map(|slice| u64::from(slice.pixels)).sum();
    let hounsfield_sum: i64 = slices.iter().map(|slice| slice.hounsfield_sum).sum();
    // Twice the sums of column, row and slice numbers: the middle of a run may lie between two columns.
    let mut doubled = [0_u64; 3];
    let mut bounds = Bounds { first: [u32::MAX; 3], last: [0; 3] };
    for slice in &slices {
        for run in &slice.runs {
            let length = u64::from(run.length);
            doubled[0] += length * (2 * u64::from(run.first_column) + length - 1);
            doubled[1] += length * 2 * u64::from(run.row);
            doubled[2] += length * 2 * u64::from(slice.slice);
            bounds.add([run.first_column, run.row, slice.slice]);
            bounds.add([run.first_column + run.length - 1, run.row, slice.slice]);
        }
    }
    Lesion {
        agatston: units.agatston(slices.iter().map(weighted_pixels).sum()),
        volume_mm3: units.volume_mm3(pixels),
        hounsfield_mm3: units.hounsfield_mm3(hounsfield_sum),
        peak_hu: slices.iter().map(|slice| slice.peak_hu).max().expect("a lesion has at least one slice"),
        center_voxel: doubled.map(|sum| exact(sum) / 2.0 / exact(pixels)),
        bounds,
        slices,
    }
}

impl Bounds {
    fn add(&mut self, voxel: [u32; 3]) {
        for (axis, at) in voxel.into_iter().enumerate() {
            self.first[axis] = self.first[axis].min(at);
            self.last[axis] = self.last[axis].max(at);
        }
    }
}

/// For each slice lesion the index of the first one of its group.
fn touching(scored: &[SliceLesion]) -> Vec<usize> {
    let of_slices = runs_by_slice(scored);
    let pairs: Vec<Vec<(usize, usize)>> = of_slices.par_windows(2).map(touching_pairs).collect();
    let mut parents: Vec<usize> = (0..scored.len()).collect();
    for (lower, upper) in pairs.into_iter().flatten() {
        union(&mut parents, lower, upper);
    }
    (0..scored.len()).map(|lesion| find(&mut parents, lesion)).collect()
}

/// All runs of a slice, each with its lesion, row by row.
struct SliceRuns {
    slice: u32,
    runs: Vec<(Run, usize)>,
}

fn runs_by_slice(scored: &[SliceLesion]) -> Vec<SliceRuns> {
    let mut first = 0;
    let mut chunks = Vec::new();
    for of_slice in scored.chunk_by(|a, b| a.slice == b.slice) {
        chunks.push((first, of_slice));
        first += of_slice.len();
    }
    let sorted = |(first, of_slice): (usize, &[SliceLesion])| {
        let numbered = (first..).zip(of_slice);
        let mut runs: Vec<(Run, usize)> =
            numbered.flat_map(|(lesion, scored)| scored.runs.iter().map(move |&run| (run, lesion))).collect();
        runs.sort_unstable();
        SliceRuns { slice: of_slice[0].slice, runs }
    };
    chunks.into_par_iter().map(sorted).collect()
}

/// Lesions of two neighbouring slices whose runs overlap or touch by a corner.
fn touching_pairs(slices: &[SliceRuns]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let [lower, upper] = slices else { return pairs };
    if lower.slice + 1 != upper.slice {
        return pairs;
    }
    // For the row before, the same and the row after: the first run above that is not wholly to the left. Runs come in
    // order, so it only ever moves on.
    let mut nearest = [0; 3];
    for (run, lesion) in &lower.runs {
        for (offset, from) in (0..).zip(&mut nearest) {
            // One more than the row, so that the row before the first is 0.
            let row_and_one = run.row + offset;
            let before = |other: &Run| {
                (other.row + 1, other.first_column + other.length) < (row_and_one, run.first_column)
            };
            while upper.runs.get(*from).is_some_and(|(other, _)| before(other)) {
                *from += 1;
            }
            let end = run.first_column + run.length;
            let near = |other: &Run| other.row + 1 == row_and_one && other.first_column <= end;
            let touched = upper.runs[*from..].iter().take_while(|(other, _)| near(other));
            pairs.extend(touched.map(|(_, other)| (*lesion, *other)));
        }
    }
    pairs.dedup();
    pairs
}

fn find(parents: &mut [usize], mut lesion: usize) -> usize {
    while parents[lesion] != lesion {
        parents[lesion] = parents[parents[lesion]];
        lesion = parents[lesion];
    }
    lesion
}

/// The lower index becomes the root, so a group is named by its first slice lesion.
fn union(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(parents, a), find(parents, b));
    parents[a.max(b)] = a.min(b);
}
