//! Values between voxels: the twin of what a texture unit does, to the same 1/256 of a voxel.
//!
//! Beyond the outermost voxel centres the outermost values go on, as a texture clamped to its edge has it.

use crate::volume::Volume;

/// A position, rounded to 1/256 of a voxel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// The voxel below, which may lie outside by one.
    pub(super) base: [i32; 3],
    part: [f32; 3],
}

/// Larger than any negative position; keeps what is truncated positive, so that truncating is rounding down.
const LIFT: i32 = 16;

impl Spot {
    pub(super) fn at(position: [f32; 3]) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "rounding down is the purpose; `as` saturates")]
        let fixed = position.map(|voxel| ((voxel + LIFT as f32) * 256.0 + 0.5) as i32);
        Self {
            base: fixed.map(|fixed| (fixed >> 8) - LIFT),
            part: fixed.map(|fixed| (fixed & 255) as f32 * (1.0 / 256.0)),
        }
    }

    /// The voxel below and 1/256 parts of the way to the next.
    pub(super) fn of(base: [i32; 3], parts: [i32; 3]) -> Self {
        Self { base, part: parts.map(|part| part as f32 * (1.0 / 256.0)) }
    }

    /// The voxel whose centre is nearest.
    pub(super) fn nearest(&self) -> [i32; 3] {
        [0, 1, 2].map(|axis| self.base[axis] + i32::from(self.part[axis] >= 0.5))
    }
}

/// A volume to read between the voxels of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampler<'a> {
    values: &'a [i16],
    /// Voxels along each axis, and from one to the next along it.
    counts: [i32; 3],
    strides: [usize; 3],
}

impl<'a> Sampler<'a> {
    pub(super) fn new(volume: &'a Volume) -> Self {
        let dimensions = volume.dimensions();
        let counts = [dimensions.columns, dimensions.rows, dimensions.slices].map(u32::cast_signed);
        let strides = [1, dimensions.columns as usize, dimensions.slice_len()];
        Self { values: volume.hounsfield(), counts, strides }
    }

    /// Index of the voxel, or of the nearest one there is.
    pub(super) fn index(&self, voxel: [i32; 3]) -> usize {
        let clamped =
            [0, 1, 2].map(|axis| voxel[axis].clamp(0, self.counts[axis] - 1).cast_unsigned() as usize);
        clamped[0] + clamped[1] * self.strides[1] + clamped[2] * self.strides[2]
    }

    /// The trilinear value.
    #[inline]
    pub(super) fn value(&self, spot: &Spot) -> f32 {
        let [x, y, z] = spot.part;
        let [near, far] = if self.inside(spot) {
            let start = self.index_inside(spot.base);
            let pair = |offset: usize| {
                let pair = &self.values[start + offset..][..2];
                mix(pair[0].into(), pair[1].into(), x)
            };
            let [_, row, slice] = self.strides;
            [mix(pair(0), pair(row), y), mix(pair(slice), pair(slice + row), y)]
        } else {
            let pair =
                |dy: i32, dz: i32| mix(self.clamped(spot, [0, dy, dz]), self.clamped(spot, [1, dy, dz]), x);
            [mix(pair(0, 0), pair(1, 0), y), mix(pair(0, 1), pair(1, 1), y)]
        };
        mix(near, far, z)
    }

    /// Whether all eight voxels exist.
    fn inside(&self, spot: &Spot) -> bool {
        let fits = |axis: usize| spot.base[axis] >= 0 && spot.base[axis] + 2 <= self.counts[axis];
        fits(0) && fits(1) && fits(2)
    }

    fn index_inside(&self, base: [i32; 3]) -> usize {
        let [x, y, z] = base.map(|voxel| voxel.cast_unsigned() as usize);
        x + y * self.strides[1] + z * self.strides[2]
    }

    fn clamped(&self, spot: &Spot, offset: [i32; 3]) -> f32 {
        self.values[self.index([0, 1, 2].map(|axis| spot.base[axis] + offset[axis]))].into()
    }
}

fn mix(a: f32, b: f32, part: f32) -> f32 {
    a + (b - a) * part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::{Dimensions, Geometry};

    fn volume() -> Volume {
        let dimensions = Dimensions { columns: 7, rows: 6, slices: 5 };
        let geometry = Geometry {
            column_spacing_mm: 1.0,
            row_spacing_mm: 1.0,
            slice_increment_mm: 1.0,
            patient_mm_from_voxel: [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]],
        };
        let noise = |index: usize| i16::try_from(index * 7919 % 2003).expect("below 2003") - 1000;
        Volume::new(dimensions, geometry, (0..dimensions.len()).map(noise).collect()).expect("whole")
    }

    #[test]
    fn voxel_centres_give_their_voxels_back() {
        let volume = volume();
        let sampler = Sampler::new(&volume);
        for (index, value) in volume.hounsfield().iter().enumerate() {
            let position = [index % 7, index / 7 % 6, index / 42].map(|voxel| voxel as f32);
            assert_eq!(sampler.value(&Spot::at(position)), f32::from(*value), "{position:?}");
        }
    }
}
