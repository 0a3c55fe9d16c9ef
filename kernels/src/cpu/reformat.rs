//! Twin of the `reformat` kernel: rows shared among threads.

#![expect(clippy::cast_possible_truncation, reason = "a value between 16-bit values is one")]

use std::ops::ControlFlow;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::sampling::{Sampler, Spot};
use crate::rendering::{Cut, OUTSIDE, Projection, RenderError, VoxelRow};
use crate::volume::Volume;

/// Samples of a turn: about 30 ms on two cores.
const SAMPLES_PER_TURN: usize = 4 << 20;

pub(crate) fn reformat(
    pool: &ThreadPool,
    volume: &Volume,
    cut: &Cut,
    checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Vec<i16>, RenderError> {
    let sampler = Sampler::new(volume);
    let width = cut.columns as usize;
    let mut values = vec![OUTSIDE; width * cut.rows.len()];
    let rows_per_turn = (SAMPLES_PER_TURN / (width * cut.samples as usize)).max(1);
    let turns = values.chunks_mut(width * rows_per_turn).zip(cut.rows.chunks(rows_per_turn));
    let mut done = 0;
    for (values, rows) in turns {
        pool.install(|| {
            values.par_chunks_mut(width).zip(rows).for_each(|(pixels, row)| {
                for (column, pixel) in pixels.iter_mut().enumerate() {
                    *pixel = value(&sampler, volume, cut, row, column as f32);
                }
            });
        });
        done += rows.len();
        if checkpoint(done as f32 / cut.rows.len() as f32).is_break() {
            return Err(RenderError::Cancelled);
        }
    }
    Ok(values)
}

fn value(sampler: &Sampler<'_>, volume: &Volume, cut: &Cut, row: &VoxelRow, column: f32) -> i16 {
    let dimensions = volume.dimensions();
    let edges = [dimensions.columns, dimensions.rows, dimensions.slices].map(|count| count as f32 - 0.5);
    let (mut least, mut largest, mut sum, mut count) = (f32::MAX, f32::MIN, 0.0, 0.0);
    for sample in 0..cut.samples {
        let position = [0, 1, 2]
            .map(|axis| row.start[axis] + column * row.across[axis] + sample as f32 * row.through[axis]);
        if (0..3).any(|axis: usize| position[axis] < -0.5 || position[axis] > edges[axis]) {
            continue;
        }
        let value = sampler.value(&Spot::at(position));
        least = least.min(value);
        largest = largest.max(value);
        sum += value;
        count += 1.0;
    }
    if count == 0.0 {
        return OUTSIDE;
    }
    let value = match cut.projection {
        Projection::Maximum => largest,
        Projection::Minimum => least,
        Projection::Average => sum / count,
    };
    (value + 0.5).floor() as i16
}
