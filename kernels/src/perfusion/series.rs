//! The series as an analysis sees it: passes where they belong in space, samples where they belong in time.

use super::axis::TimeAxis;
use super::{Dynamic, Motion};
use crate::Dimensions;

/// Where a voxel of the reference lies in a pass: three rows of a 3x4 matrix over (column, row, slice, 1).
pub(crate) type Warp = [[f32; 4]; 3];

/// A dynamic series with what was found out about it.
#[derive(Clone, Debug)]
pub(crate) struct Series<'a> {
    pub(crate) dynamic: &'a Dynamic,
    pub(crate) axis: &'a TimeAxis,
    /// One for each pass; `None` where the head lay still.
    pub(crate) warps: Vec<Option<Warp>>,
    pub(crate) baseline_samples: usize,
}

impl<'a> Series<'a> {
    pub(crate) fn new(
        dynamic: &'a Dynamic,
        motion: &Motion,
        axis: &'a TimeAxis,
        baseline_samples: usize,
    ) -> Self {
        Self { dynamic, axis, warps: motion.warps(dynamic), baseline_samples }
    }

    pub(crate) fn dimensions(&self) -> Dimensions {
        self.dynamic.dimensions()
    }

    /// Voxels `first_column..first_column + out.len()` of a row as they are in `pass`. What the pass did not see
    /// is taken from the nearest that it did.
    pub(crate) fn row(&self, pass: usize, slice: u32, row: u32, first_column: usize, out: &mut [f32]) {
        match &self.warps[pass] {
            None => {
                let from = row as usize * self.dimensions().columns as usize + first_column;
                let frame = &self.frame(slice, pass)[from..][..out.len()];
                for (value, &hu) in out.iter_mut().zip(frame) {
                    *value = f32::from(hu);
                }
            }
            Some(warp) => self.warped_row(warp, pass, slice, row, first_column, out),
        }
    }

    /// Trilinear along a straight line through the pass.
    fn warped_row(
        &self,
        warp: &Warp,
        pass: usize,
        slice: u32,
        row: u32,
        first_column: usize,
        out: &mut [f32],
    ) {
        let Dimensions { columns, rows, slices } = self.dimensions();
        let last = [(columns - 1) as f32, (rows - 1) as f32, (slices - 1) as f32];
        let (row, slice) = (row as f32, slice as f32);
        let start: [f32; 3] =
            std::array::from_fn(|axis| warp[axis][1] * row + warp[axis][2] * slice + warp[axis][3]);
        for (column, value) in (first_column..).zip(out) {
            let at: [f32; 3] = std::array::from_fn(|axis| {
                (start[axis] + warp[axis][0] * column as f32).clamp(0.0, last[axis])
            });
            *value = self.trilinear(pass, at);
        }
    }

    /// `at` is within the matrix.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the matrix")]
    fn trilinear(&self, pass: usize, at: [f32; 3]) -> f32 {
        let Dimensions { columns, rows, slices } = self.dimensions();
        let low = at.map(|position| position as usize);
        let [fx, fy, fz] = std::array::from_fn(|axis| at[axis] - low[axis] as f32);
        let columns = columns as usize;
        let right = usize::from(low[0] + 1 < columns);
        let down = if low[1] + 1 < rows as usize { columns } else { 0 };
        let corner = low[1] * columns + low[0];
        let plane = |slice: usize| {
            let frame = self.frame(slice as u32, pass);
            let hu = |offset: usize| f32::from(frame[corner + offset]);
            let top = hu(0) + fx * (hu(right) - hu(0));
            let bottom = hu(down) + fx * (hu(down + right) - hu(down));
            top + fy * (bottom - top)
        };
        let near = plane(low[2]);
        if fz == 0.0 || low[2] + 1 == slices as usize {
            return near;
        }
        near + fz * (plane(low[2] + 1) - near)
    }

    /// A slice that lacks a pass shows its last frame: only its neighbours ask for it.
    fn frame(&self, slice: u32, pass: usize) -> &[i16] {
        let last = self.dynamic.slices()[slice as usize].times_s.len() - 1;
        self.dynamic.frame(slice, pass.min(last)).expect("not behind the last")
    }

    /// Enhancement of one voxel over time; `frames` is room for a value of each pass.
    pub(crate) fn voxel(&self, [column, row, slice]: [u32; 3], frames: &mut [f32], curve: &mut [f32]) {
        for (pass, value) in frames.iter_mut().enumerate() {
            self.row(pass, slice, row, column as usize, std::slice::from_mut(value));
        }
        self.axis.resample(slice, frames, curve);
        self.subtract_baseline(curve);
    }

    /// Turns Hounsfield units into enhancement; the baseline is handed back.
    pub(crate) fn subtract_baseline(&self, curve: &mut [f32]) -> f32 {
        let baseline = curve[..self.baseline_samples].iter().sum::<f32>() / self.baseline_samples as f32;
        curve.iter_mut().for_each(|value| *value -= baseline);
        baseline
    }
}
