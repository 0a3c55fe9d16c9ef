//! From slice lesions to the score and the list of 3-D lesions.

use rayon::prelude::*;

use super::outline::{Outlined, SliceOutlines};
use super::{Bounds, Lesion, Score, SliceLesion};
use crate::Geometry;

/// Neighbouring slices of a task at least: fewer are done before another core has woken up.
const SLICES_OF_TASK: usize = 8;

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
pub(super) fn group(scored: Vec<SliceOutlines>, units: Units, fragments: u32) -> Score {
    let Touching { numbers, sizes } = touching(&scored);
    let mut groups: Vec<Group> = sizes.into_iter().map(Group::new).collect();
    let outlines = scored.into_iter().flat_map(|slice| slice.lesions);
    for (outlined, number) in outlines.zip(numbers) {
        groups[number].add(outlined);
    }
    // The sums are integers and become a number once, so their order cannot change it.
    let agatston = units.agatston(groups.iter().map(|group| group.weighted_pixels).sum());
    let volume_mm3 = units.volume_mm3(groups.iter().map(|group| group.pixels).sum());
    let mut lesions: Vec<Lesion> = groups.into_iter().map(|group| group.lesion(units)).collect();
    // Stable: equals stay in the order of their first pixel.
    lesions.sort_by(|a, b| b.agatston.total_cmp(&a.agatston));
    Score { agatston, volume_mm3, lesions, fragments }
}

/// Slice lesions that touch, added up.
struct Group {
    weighted_pixels: u64,
    pixels: u64,
    hounsfield_sum: i64,
    peak_hu: i16,
    /// Twice the sums of column, row and slice numbers.
    doubled: [u64; 3],
    bounds: Bounds,
    slices: Vec<SliceLesion>,
}

impl Group {
    fn new(slice_lesions: usize) -> Self {
        Self {
            weighted_pixels: 0,
            pixels: 0,
            hounsfield_sum: 0,
            peak_hu: i16::MIN,
            doubled: [0; 3],
            bounds: Bounds::EMPTY,
            slices: Vec::with_capacity(slice_lesions),
        }
    }

    fn add(&mut self, outlined: Outlined) {
        let Outlined { lesion, doubled: [columns, rows], bounds } = outlined;
        let pixels = u64::from(lesion.pixels);
        self.weighted_pixels += u64::from(lesion.weight) * pixels;
        self.pixels += pixels;
        self.hounsfield_sum += lesion.hounsfield_sum;
        self.peak_hu = self.peak_hu.max(lesion.peak_hu);
        self.doubled[0] += columns;
        self.doubled[1] += rows;
        self.doubled[2] += pixels * 2 * u64::from(lesion.slice);
        self.bounds.add(bounds.first);
        self.bounds.add(bounds.last);
        self.slices.push(lesion);
    }

    fn lesion(self, units: Units) -> Lesion {
        Lesion {
            agatston: units.agatston(self.weighted_pixels),
            volume_mm3: units.volume_mm3(self.pixels),
            hounsfield_mm3: units.hounsfield_mm3(self.hounsfield_sum),
            peak_hu: self.peak_hu,
            center_voxel: self.doubled.map(|sum| exact(sum) / 2.0 / exact(self.pixels)),
            bounds: self.bounds,
            slices: self.slices,
        }
    }
}

impl Bounds {
    pub(super) const EMPTY: Self = Self { first: [u32::MAX; 3], last: [0; 3] };

    pub(super) fn add(&mut self, voxel: [u32; 3]) {
        for (axis, at) in voxel.into_iter().enumerate() {
            self.first[axis] = self.first[axis].min(at);
            self.last[axis] = self.last[axis].max(at);
        }
    }
}

/// Which slice lesions touch.
struct Touching {
    /// For each slice lesion the number of its group; groups are numbered as their first slice lesions come.
    numbers: Vec<usize>,
    /// Slice lesions of each group.
    sizes: Vec<usize>,
}

fn touching(scored: &[SliceOutlines]) -> Touching {
    let mut firsts = Vec::with_capacity(scored.len());
    let mut all = 0;
    for slice in scored {
        firsts.push(all);
        all += slice.lesions.len();
    }
    let pairs: Vec<Vec<(u32, u32)>> =
        scored.par_windows(2).with_min_len(SLICES_OF_TASK).map(touching_pairs).collect();
    let mut parents: Vec<usize> = (0..all).collect();
    for (pairs, firsts) in pairs.into_iter().zip(firsts.windows(2)) {
        for (lower, upper) in pairs {
            union(&mut parents, firsts[0] + lower as usize, firsts[1] + upper as usize);
        }
    }
    let mut touching = Touching { numbers: Vec::with_capacity(all), sizes: Vec::new() };
    for lesion in 0..all {
        let root = find(&mut parents, lesion);
        if root == lesion {
            touching.sizes.push(0);
        }
        let number = if root == lesion { touching.sizes.len() - 1 } else { touching.numbers[root] };
        touching.sizes[number] += 1;
        touching.numbers.push(number);
    }
    touching
}

/// Lesions of two neighbouring slices whose runs overlap or touch by a corner, by their places in their slices.
fn touching_pairs(slices: &[SliceOutlines]) -> Vec<(u32, u32)> {
    let mut pairs = Vec::new();
    let [lower, upper] = slices else { return pairs };
    if lower.slice + 1 != upper.slice {
        return pairs;
    }
    for (place, outlined) in (0..).zip(&lower.lesions) {
        let first = pairs.len();
        for &run in &outlined.lesion.runs {
            for other in upper.rows.touching(run) {
                // Lesions touch in many runs, but few touch one.
                if !pairs[first..].contains(&(place, other)) {
                    pairs.push((place, other));
                }
            }
        }
    }
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
