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
        let [near, far] = if self.inside(spot, 0, 2) {
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

    /// Change of the value over one voxel along each axis: half the difference of the trilinear values a voxel ahead
    /// and a voxel behind.
    pub(super) fn gradient(&self, spot: &Spot) -> [f32; 3] {
        if !self.inside(spot, 1, 3) {
            return [0, 1, 2].map(|axis| {
                let beside = |step: i32| {
                    let mut beside = *spot;
                    beside.base[axis] += step;
                    self.value(&beside)
                };
                (beside(1) - beside(-1)) * 0.5
            });
        }
        let start = self.index_inside(spot.base);
        let [x, y, z] = spot.part;
        let [_, row, slice] = self.strides;
        // Neighbours a voxel ahead and behind share their weights with the voxels between, so 32 values do for 48.
        let four = |from: usize| {
            let four = &self.values[from..][..4];
            [f32::from(four[0]), f32::from(four[1]), f32::from(four[2]), f32::from(four[3])]
        };
        let two = |from: usize| {
            let two = &self.values[from..][..2];
            mix(two[0].into(), two[1].into(), x)
        };
        // Rows of the four lines along x that pass between the eight voxels, one voxel longer at both ends.
        let lines = [0, row, slice, slice + row].map(|offset| four(start + offset - 1));
        let across = |line: [f32; 4]| mix(line[2] - line[0], line[3] - line[1], x);
        let middle = lines.map(|line| mix(line[1], line[2], x));
        let [a, b, c, d] = lines.map(across);
        let along_x = mix(mix(a, b, y), mix(c, d, y), z);
        let behind_y = mix(two(start - row), two(start + slice - row), z);
        let ahead_y = mix(two(start + 2 * row), two(start + slice + 2 * row), z);
        let along_y = mix(mix(middle[1], middle[3], z) - behind_y, ahead_y - mix(middle[0], middle[2], z), y);
        let behind_z = mix(two(start - slice), two(start - slice + row), y);
        let ahead_z = mix(two(start + 2 * slice), two(start + 2 * slice + row), y);
        let along_z = mix(mix(middle[2], middle[3], y) - behind_z, ahead_z - mix(middle[0], middle[1], y), z);
        [along_x, along_y, along_z].map(|difference| difference * 0.5)
    }

    /// Whether the voxels from `before` below the base to `after` above it (exclusive) all exist.
    fn inside(&self, spot: &Spot, before: i32, after: i32) -> bool {
        let fits = |axis: usize| spot.base[axis] >= before && spot.base[axis] + after <= self.counts[axis];
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

    #[test]
    fn the_quick_gradient_is_that_of_six_values() {
        let volume = volume();
        let sampler = Sampler::new(&volume);
        for step in 0..200 {
            let position = [7, 11, 13].map(|prime| 1.0 + (step * prime % 97) as f32 / 97.0);
            let spot = Spot::at(position);
            let quick = sampler.gradient(&spot);
            for axis in 0..3 {
                let beside = |offset: f32| {
                    let mut beside = position;
                    beside[axis] += offset;
                    sampler.value(&Spot::at(beside))
                };
                let slow = (beside(1.0) - beside(-1.0)) / 2.0;
                assert!((quick[axis] - slow).abs() < 1e-2, "{position:?}: {quick:?}, axis {axis}: {slow}");
            }
        }
    }
}
