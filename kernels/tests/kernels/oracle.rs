//! Agatston by the book, in the plainest way: a flood fill per slice, everything in f64. Shares no code with the crate.

use std::collections::BTreeSet;

use sidelight_kernels::calcium::{Lesion, Protocol, Score};
use sidelight_kernels::{Region, Volume};

#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) agatston: f64,
    pub(crate) volume_mm3: f64,
    pub(crate) scored: usize,
    pub(crate) fragments: u32,
    pub(crate) hounsfield_sum: f64,
}

/// Weights as Agatston 1990 prints them, where the protocol is his.
fn weight(peak: f64, starts: [i16; 4]) -> f64 {
    let [one, two, three, four] = starts.map(f64::from);
    if peak >= four {
        4.0
    } else if peak >= three {
        3.0
    } else if peak >= two {
        2.0
    } else if peak >= one {
        1.0
    } else {
        0.0
    }
}

pub(crate) fn truth(volume: &Volume, region: &Region, protocol: &Protocol) -> Truth {
    let dimensions = volume.dimensions();
    let (columns, rows) = (dimensions.columns as usize, dimensions.rows as usize);
    let geometry = volume.geometry();
    let mut truth = Truth::default();
    for slice in 0..dimensions.slices {
        let pixels = volume.slice(slice);
        let mut open: Vec<bool> = (0..columns * rows)
            .map(|at| {
                f64::from(pixels[at]) >= f64::from(protocol.threshold_hu)
                    && region.contains((at % columns) as u32, (at / columns) as u32, slice)
            })
            .collect();
        for start in 0..columns * rows {
            let mut stack = vec![start];
            let (mut count, mut peak, mut sum) = (0.0_f64, f64::NEG_INFINITY, 0.0_f64);
            while let Some(at) = stack.pop() {
                if !std::mem::replace(&mut open[at], false) {
                    continue;
                }
                count += 1.0;
                peak = peak.max(f64::from(pixels[at]));
                sum += f64::from(pixels[at]);
                let (column, row) = (at % columns, at / columns);
                for row in row.saturating_sub(1)..=(row + 1).min(rows - 1) {
                    for column in column.saturating_sub(1)..=(column + 1).min(columns - 1) {
                        stack.push(row * columns + column);
                    }
                }
            }
            let area_mm2 = count * geometry.column_spacing_mm * geometry.row_spacing_mm;
            if count > 0.0 && area_mm2 >= protocol.minimum_area_mm2 - 1e-9 {
                let increment_mm = geometry.slice_increment_mm;
                truth.agatston += weight(peak, protocol.weight_starts_hu) * area_mm2 * increment_mm / 3.0;
                truth.volume_mm3 += area_mm2 * increment_mm;
                truth.scored += 1;
                truth.hounsfield_sum += sum;
            } else if count > 0.0 {
                truth.fragments += 1;
            }
        }
    }
    truth
}

type Voxel = [i64; 3];

/// The voxels of each lesion as listed, ordered.
fn grouped(score: &Score) -> BTreeSet<Vec<Voxel>> {
    let voxels_of = |lesion: &Lesion| {
        let mut voxels = Vec::new();
        for slice in &lesion.slices {
            for run in &slice.runs {
                let columns = run.first_column..run.first_column + run.length;
                voxels.extend(columns.map(|column| [slice.slice, run.row, column].map(i64::from)));
            }
        }
        assert_eq!(voxels.len(), lesion.slices.iter().map(|slice| slice.pixels as usize).sum::<usize>());
        voxels.sort_unstable();
        voxels
    };
    score.lesions.iter().map(voxels_of).collect()
}

/// The same voxels flooded in three dimensions with all 26 neighbours.
fn groups(score: &Score) -> BTreeSet<Vec<Voxel>> {
    let mut open: BTreeSet<Voxel> = grouped(score).into_iter().flatten().collect();
    let mut groups = BTreeSet::new();
    while let Some(first) = open.pop_first() {
        let (mut group, mut stack) = (vec![first], vec![first]);
        while let Some([z, y, x]) = stack.pop() {
            for (dz, dy, dx) in (0..27).map(|near| (near / 9 - 1, near / 3 % 3 - 1, near % 3 - 1)) {
                let near = [z + dz, y + dy, x + dx];
                if open.remove(&near) {
                    group.push(near);
                    stack.push(near);
                }
            }
        }
        group.sort_unstable();
        groups.insert(group);
    }
    groups
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

/// The score says what the oracle finds, and its parts add up to it.
pub(crate) fn assert_score(what: &str, score: &Score, volume: &Volume, region: &Region, protocol: &Protocol) {
    let truth = truth(volume, region, protocol);
    assert!(close(score.agatston, truth.agatston), "{what}: {} is not {truth:?}", score.agatston);
    assert!(close(score.volume_mm3, truth.volume_mm3), "{what}: {} is not {truth:?}", score.volume_mm3);
    assert_eq!(score.fragments, truth.fragments, "{what}: fragments");
    let slices: Vec<_> = score.lesions.iter().flat_map(|lesion| &lesion.slices).collect();
    assert_eq!(slices.len(), truth.scored, "{what}: slice lesions");
    let sum: i64 = slices.iter().map(|slice| slice.hounsfield_sum).sum();
    assert!(close(sum as f64, truth.hounsfield_sum), "{what}: {sum} HU is not {truth:?}");
    let of_parts: f64 = slices.iter().map(|slice| slice.agatston).sum();
    assert!(close(of_parts, score.agatston), "{what}: slice lesions add up to {of_parts}");
    assert_eq!(grouped(score), groups(score), "{what}: slice lesions are grouped wrongly");
    let of_lesions: f64 = score.lesions.iter().map(|lesion| lesion.agatston).sum();
    assert!(close(of_lesions, score.agatston), "{what}: lesions add up to {of_lesions}");
}
