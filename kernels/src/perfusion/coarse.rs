//! The series on a matrix of about 2 mm: enough to see how the head lies and when the bolus comes.
//!
//! Values are means of blocks whose voxels were first clipped to a window of soft tissue and bone, so that neither
//! metal nor the air around decides what fits.

use std::ops::Range;

use rayon::prelude::*;

use super::Dynamic;
use crate::Dimensions;

/// What voxels are clipped to before they are averaged.
const WINDOW_HU: (i16, i16) = (-150, 250);

/// Spacing that blocks are made for, in every direction.
const SPACING_MM: f64 = 2.0;

/// Every pass on the coarse matrix.
#[derive(Debug)]
pub(crate) struct Coarse {
    pub(crate) grid: CoarseGrid,
    /// Pass by pass; within a pass slice by slice, row by row.
    pub(crate) passes: Vec<Vec<f32>>,
}

/// Size and place of a coarse matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CoarseGrid {
    /// Columns, rows, slices.
    pub(crate) size: [usize; 3],
    /// Voxels of the series in a block, each way.
    pub(crate) block: [u32; 3],
    pub(crate) spacing_mm: [f64; 3],
    /// Centre of the first block, from the centre of the whole series.
    pub(crate) first_mm: [f64; 3],
}

impl CoarseGrid {
    pub(crate) fn new(dynamic: &Dynamic) -> Self {
        let Dimensions { columns, rows, slices } = dynamic.dimensions();
        let geometry = dynamic.geometry();
        let fine = [columns, rows, slices];
        let fine_mm = [geometry.column_spacing_mm, geometry.row_spacing_mm, geometry.slice_increment_mm];
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the matrix")]
        let block: [u32; 3] = std::array::from_fn(|axis| {
            (SPACING_MM / fine_mm[axis]).round().clamp(1.0, f64::from(fine[axis])) as u32
        });
        Self {
            size: std::array::from_fn(|axis| (fine[axis] / block[axis]) as usize),
            block,
            spacing_mm: std::array::from_fn(|axis| fine_mm[axis] * f64::from(block[axis])),
            first_mm: std::array::from_fn(|axis| {
                (f64::from(block[axis]) - f64::from(fine[axis])) / 2.0 * fine_mm[axis]
            }),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.size.iter().product()
    }

    /// The slice of the series whose times those of a coarse slice are.
    pub(crate) fn fine_slice(&self, coarse_slice: usize) -> u32 {
        u32::try_from(coarse_slice).expect("fewer than the series has") * self.block[2] + self.block[2] / 2
    }

    /// The matrix with half as many voxels each way in which there are enough.
    pub(crate) fn halved(&self) -> Self {
        let halve: [bool; 3] = std::array::from_fn(|axis| self.size[axis] >= 16);
        let factor = halve.map(|halve| if halve { 2 } else { 1 });
        Self {
            size: std::array::from_fn(|axis| self.size[axis] / factor[axis]),
            block: std::array::from_fn(|axis| self.block[axis] * if halve[axis] { 2 } else { 1 }),
            spacing_mm: std::array::from_fn(|axis| self.spacing_mm[axis] * factor[axis] as f64),
            first_mm: std::array::from_fn(|axis| {
                self.first_mm[axis] + if halve[axis] { self.spacing_mm[axis] / 2.0 } else { 0.0 }
            }),
        }
    }

    /// Values smoothed by (1, 2, 1) / 4, twice within slices and once across: edges that are steeper than the matrix
    /// can carry make interpolation see motion where there is none.
    pub(crate) fn softened(&self, values: &[f32]) -> Vec<f32> {
        let [columns, rows, slices] = self.size;
        let (mut from, mut to) = (values.to_vec(), vec![0.0; values.len()]);
        let plane = columns * rows;
        for (stride, count) in [(1, columns), (1, columns), (columns, rows), (columns, rows), (plane, slices)]
        {
            for (at, value) in to.iter_mut().enumerate() {
                let place = at / stride % count;
                let before = if place > 0 { from[at - stride] } else { from[at] };
                let after = if place + 1 < count { from[at + stride] } else { from[at] };
                *value = 0.25 * (before + 2.0 * from[at] + after);
            }
            std::mem::swap(&mut from, &mut to);
        }
        from
    }

    /// Values of this matrix, averaged onto `halved`.
    pub(crate) fn halve(&self, values: &[f32], halved: &Self) -> Vec<f32> {
        let factor: [usize; 3] = std::array::from_fn(|axis| self.size[axis] / halved.size[axis].max(1));
        let share = 1.0 / factor.iter().product::<usize>() as f32;
        let mut out = vec![0.0; halved.len()];
        let [columns, rows, slices] = halved.size;
        for slice in 0..slices * factor[2] {
            for row in 0..rows * factor[1] {
                let from = &values[(slice * self.size[1] + row) * self.size[0]..][..columns * factor[0]];
                let to = &mut out[(slice / factor[2] * rows + row / factor[1]) * columns..][..columns];
                for (to, from) in to.iter_mut().zip(from.chunks_exact(factor[0])) {
                    *to += from.iter().sum::<f32>() * share;
                }
            }
        }
        out
    }
}

impl Coarse {
    /// Without a pass yet.
    pub(crate) fn new(dynamic: &Dynamic) -> Self {
        Self { grid: CoarseGrid::new(dynamic), passes: Vec::with_capacity(dynamic.passes()) }
    }

    /// Adds the passes that come next.
    pub(crate) fn add(&mut self, dynamic: &Dynamic, passes: Range<usize>) {
        let grid = &self.grid;
        self.passes.par_extend(passes.into_par_iter().map(|pass| shrink(dynamic, grid, pass)));
    }
}

/// A pass on the coarse matrix. A slice that lacks the pass shows its last frame.
fn shrink(dynamic: &Dynamic, grid: &CoarseGrid, pass: usize) -> Vec<f32> {
    let columns = dynamic.dimensions().columns as usize;
    let [wide, high, deep] = grid.size;
    let [block_columns, block_rows, block_slices] = grid.block.map(|block| block as usize);
    let share = 1.0 / (block_columns * block_rows * block_slices) as f32;
    let mut out = Vec::with_capacity(grid.len());
    let mut sums = vec![0_i32; columns];
    for slice in 0..deep {
        for row in 0..high {
            sums.fill(0);
            for fine_slice in slice * block_slices..(slice + 1) * block_slices {
                let fine_slice = u32::try_from(fine_slice).expect("fewer than the series has");
                let last = dynamic.slices()[fine_slice as usize].times_s.len() - 1;
                let frame = dynamic.frame(fine_slice, pass.min(last)).expect("not behind the last");
                for line in frame[row * block_rows * columns..].chunks_exact(columns).take(block_rows) {
                    for (sum, &hu) in sums.iter_mut().zip(line) {
                        *sum += i32::from(hu.clamp(WINDOW_HU.0, WINDOW_HU.1));
                    }
                }
            }
            let blocks = sums.chunks_exact(block_columns).take(wide);
            out.extend(blocks.map(|block| block.iter().sum::<i32>() as f32 * share));
        }
    }
    out
}
