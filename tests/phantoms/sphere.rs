//! A bright ball in air, beside the middle: whatever looks at it sees a disc whose size and place are known.

use sidelight_kernels::{Dimensions, Geometry, Volume};

use super::series::Series;

/// The ball: its centre in patient millimetres, its radius, and its value inside (air outside).
pub const CENTER_MM: [f64; 3] = [22.0, -14.0, 9.0];
pub const RADIUS_MM: f64 = 30.0;
pub const INSIDE_HU: i16 = 800;
const OUTSIDE_HU: i16 = -1000;

/// Sizes of the series: 96 x 96 x 64 of 2 x 2 x 2.5 mm, its middle at the patient's origin.
const DIMENSIONS: Dimensions = Dimensions { columns: 96, rows: 96, slices: 64 };
const SPACING_MM: [f64; 3] = [2.0, 2.0, 2.5];

/// A CT series of the ball, its edge blurred over a voxel as a scanner's would be.
pub fn bright_ball(seed: u64) -> Series {
    let counts = [DIMENSIONS.columns, DIMENSIONS.rows, DIMENSIONS.slices].map(f64::from);
    let first = [0, 1, 2].map(|axis: usize| -(counts[axis] - 1.0) / 2.0 * SPACING_MM[axis]);
    let [x, y, z] = SPACING_MM;
    let geometry = Geometry {
        column_spacing_mm: x,
        row_spacing_mm: y,
        slice_increment_mm: z,
        patient_mm_from_voxel: [[x, 0.0, 0.0, first[0]], [0.0, y, 0.0, first[1]], [0.0, 0.0, z, first[2]]],
    };
    let mut values = Vec::with_capacity(DIMENSIONS.len());
    for slice in 0..DIMENSIONS.slices {
        for row in 0..DIMENSIONS.rows {
            for column in 0..DIMENSIONS.columns {
                values.push(value(geometry.patient_mm([column, row, slice].map(f64::from))));
            }
        }
    }
    Series {
        patient_name: "Phantom^Ball".to_owned(),
        study_description: "Bright ball, synthetic".to_owned(),
        series_description: "Ball of 60 mm, synthetic phantom".to_owned(),
        ..Series::calcium(
            seed,
            Volume::new(DIMENSIONS, geometry, values).expect("the loops fill every voxel"),
        )
    }
}

fn value(mm: [f64; 3]) -> i16 {
    let distance = (0..3).map(|axis: usize| (mm[axis] - CENTER_MM[axis]).powi(2)).sum::<f64>().sqrt();
    let inside = (0.5 - (distance - RADIUS_MM) / 2.0).clamp(0.0, 1.0);
    let (low, high) = (f64::from(OUTSIDE_HU), f64::from(INSIDE_HU));
    #[expect(clippy::cast_possible_truncation, reason = "between two 16-bit values")]
    let value = (low + (high - low) * inside).round() as i16;
    value
}
