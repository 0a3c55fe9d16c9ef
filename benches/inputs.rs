//! What kernels are measured on.

use sidelight_kernels::{Dimensions, Geometry, Volume};

/// Soft tissue with noise specks over the threshold (0.5 %), and dense blocks (0.7 %).
pub(crate) fn chest(dimensions: Dimensions) -> Volume {
    let mut hounsfield = Vec::with_capacity(dimensions.len());
    let mut noise = 1_u32;
    for slice in 0..dimensions.slices {
        for row in 0..dimensions.rows {
            for column in 0..dimensions.columns {
                // Numerical Recipes' linear congruence; its upper bits are random enough.
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let dense = (column / 12 + slice / 3).is_multiple_of(13) && (row / 10).is_multiple_of(11);
                let speck = (noise >> 20).is_multiple_of(200);
                let grain = i16::try_from(noise >> 26).expect("six bits");
                hounsfield.push(if dense {
                    250 + grain
                } else if speck {
                    140
                } else {
                    grain
                });
            }
        }
    }
    let geometry = Geometry {
        column_spacing_mm: 0.5,
        row_spacing_mm: 0.5,
        slice_increment_mm: 3.0,
        patient_mm_from_voxel: [[0.5, 0.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]],
    };
    Volume::new(dimensions, geometry, hounsfield).expect("the numbers make a volume")
}
