//! Twin of the `structures_*` kernels: sums of voxels by cell, and one label a voxel.

use std::ops::Range;

use rayon::prelude::*;

use crate::Volume;
use crate::structures::{Cells, LABELS, LOWEST_HU, Reduction, State, Structures};

/// Adds the voxels of a turn to the cells that they lie in.
pub(crate) fn reduce(volume: &Volume, turn: &Range<u32>, reduction: &mut Reduction) {
    let layout = reduction.layout;
    let [columns, rows, _] = layout.size;
    let plane = columns * rows;
    let depth = layout.factor[2];
    let planes = reduction.sums.par_chunks_mut(plane).zip(reduction.peaks.par_chunks_mut(plane));
    planes.enumerate().for_each(|(z, (sums, peaks))| {
        let first = u32::try_from(z).unwrap_or(u32::MAX).saturating_mul(depth);
        for slice in first.max(turn.start)..first.saturating_add(depth).min(turn.end) {
            add_slice(volume, slice, layout.factor, columns, sums, peaks);
        }
    });
}

fn add_slice(
    volume: &Volume,
    slice: u32,
    factor: [u32; 3],
    columns: usize,
    sums: &mut [i32],
    peaks: &mut [i16],
) {
    let [across, down, _] = factor.map(|voxels| voxels as usize);
    let rows = volume.slice(slice).chunks_exact(volume.dimensions().columns as usize);
    for (row, voxels) in rows.enumerate() {
        let first = row / down * columns;
        let cells = sums[first..first + columns].iter_mut().zip(&mut peaks[first..first + columns]);
        for ((sum, peak), block) in cells.zip(voxels.chunks(across)) {
            for hounsfield in block {
                *sum += i32::from(*hounsfield.max(&LOWEST_HU));
                *peak = (*peak).max(*hounsfield);
            }
        }
    }
}

/// Appends the labels of a turn and counts them.
pub(crate) fn classify(
    volume: &Volume,
    turn: &Range<u32>,
    cells: &Cells,
    states: &[State],
    found: &mut Structures,
) {
    let dimensions = volume.dimensions();
    let [columns, rows, _] = cells.layout.size;
    let [across, down, depth] = cells.layout.factor.map(|voxels| voxels as usize);
    let of_slice = |slice: u32| -> (Vec<u8>, [u64; LABELS]) {
        let plane = &states[slice as usize / depth * columns * rows..][..columns * rows];
        let (mut labels, mut counts) = (Vec::with_capacity(dimensions.slice_len()), [0; LABELS]);
        for (row, voxels) in volume.slice(slice).chunks_exact(dimensions.columns as usize).enumerate() {
            let line = &plane[row / down * columns..][..columns];
            for (state, block) in line.iter().zip(voxels.chunks(across)) {
                for hounsfield in block {
                    let label = state.label(*hounsfield);
                    counts[usize::from(label)] += 1;
                    labels.push(label);
                }
            }
        }
        (labels, counts)
    };
    let slices: Vec<_> = turn.clone().into_par_iter().map(of_slice).collect();
    for (labels, counts) in slices {
        found.labels.extend(labels);
        found.voxels.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
}
