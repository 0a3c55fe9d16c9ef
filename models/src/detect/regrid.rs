//! A volume placed on the network's grid: its own pixel and slice distance, a window of Hounsfield units as 0 to 1.

use rayon::prelude::*;

use crate::manifest::Volumes;
use crate::plane::{Between, between, positions, sample};

#[derive(Clone, Debug, PartialEq)]
pub struct Regridded {
    /// Columns, rows, slices.
    pub size: [usize; 3],
    pub values: Vec<f32>,
}

/// Linear in all three directions; both grids share their centre. Sizes and distances are of columns, rows, slices.
pub fn regrid(hounsfield: &[i16], size: [usize; 3], step_mm: [f64; 3], volumes: &Volumes) -> Regridded {
    let target_mm = [volumes.pixel_mm, volumes.pixel_mm, volumes.slice_mm];
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "sides of a volume"
    )]
    let target =
        [0, 1, 2].map(|axis| (size[axis] as f64 * step_mm[axis] / target_mm[axis]).round().max(1.0) as usize);
    let axis = |axis: usize| -> Vec<Between> {
        let places = positions(target[axis], target_mm[axis], size[axis], step_mm[axis]);
        // Half a voxel beyond the last centre there is still the last voxel.
        #[expect(clippy::cast_precision_loss, reason = "sides of a volume")]
        let last = size[axis] as f64 - 1.0;
        places.into_iter().map(|place| between(place.clamp(0.0, last))).collect()
    };
    let (columns, rows, slices) = (axis(0), axis(1), axis(2));
    let pixels = size[0] * size[1];
    let [low, high] = volumes.window;
    let mut values = vec![0.0; target[0] * target[1] * target[2]];
    values.par_chunks_mut(target[0] * target[1]).zip(&slices).for_each(|(out, slice)| {
        let first = usize::try_from(slice.first).unwrap_or(0);
        let second = (first + 1).min(size[2] - 1);
        let [upper, lower] = [first, second].map(|slice| &hounsfield[slice * pixels..(slice + 1) * pixels]);
        #[expect(clippy::cast_possible_truncation, reason = "Hounsfield units")]
        let (low, range) = (low as f32, (high - low) as f32);
        let plane: Vec<f32> = upper
            .iter()
            .zip(lower)
            .map(|(a, b)| {
                let (a, b) = (f32::from(*a), f32::from(*b));
                ((a + (b - a) * slice.share - low) / range).clamp(0.0, 1.0)
            })
            .collect();
        sample(&plane, [size[1], size[0]], &rows, &columns, out);
    });
    Regridded { size: target, values }
}
