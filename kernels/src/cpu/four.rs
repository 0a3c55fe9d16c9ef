//! Four samples at once, one a lane: what `sampling` does one by one, with the vector units that every processor we run
//! on has.
//!
//! Values are mixed along x in whole numbers, two voxels and their weights in one multiplication. Voxels that do not
//! exist need no branch: [`Bricks`] go on beyond the edges.

use bytemuck::cast;
use wide::{f32x4, i16x8, i32x4};

use super::bricks::Bricks;
use super::sampling::Spot;
use crate::rendering::CELL;

/// Added to a number below 2^22, it leaves the nearest whole number in the lowest bits.
const WHOLE: f32 = 12_582_912.0;

/// What the whole numbers of the mixing along x are times a value.
const PARTS: f32 = 256.0;

/// From 1/256 of a voxel to macrocells.
const CELL_SHIFT: i32 = 8 + CELL.trailing_zeros().cast_signed();

/// Rounds to whole numbers. Far quicker than a cast, which has to look after what does not fit.
#[inline(always)]
pub(super) fn whole(numbers: f32x4) -> i32x4 {
    cast::<f32x4, i32x4>(numbers + f32x4::splat(WHOLE)) - i32x4::splat(WHOLE.to_bits().cast_signed())
}

/// Positions of four samples, rounded to 1/256 of a voxel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spots {
    /// The voxels below, which may lie outside by one; by axis, then by lane.
    base: [[i32; 4]; 3],
    part: [i32x4; 3],
    /// The macrocells that they lie in, by axis.
    pub(super) cells: [f32x4; 3],
}

impl Spots {
    #[inline(always)]
    fn at(position: [f32x4; 3]) -> Self {
        // Written out, here and below: a map over an array is not always unrolled, and then costs as much as the rest.
        let [x, y, z] = position;
        let fixed = |voxel: f32x4| whole(voxel * f32x4::splat(PARTS));
        let (x, y, z) = (fixed(x), fixed(y), fixed(z));
        let base = |fixed: i32x4| (fixed >> 8_i32).to_array();
        let part = |fixed: i32x4| fixed & i32x4::splat(255);
        // Outside counts as inside: what is below zero becomes zero.
        let cell = |fixed: i32x4| ((fixed & !(fixed >> 31_i32)) >> CELL_SHIFT).round_float();
        Self {
            base: [base(x), base(y), base(z)],
            part: [part(x), part(y), part(z)],
            cells: [cell(x), cell(y), cell(z)],
        }
    }

    /// The voxel below one of the samples.
    #[inline(always)]
    pub(super) fn base(&self, lane: usize) -> [i32; 3] {
        [self.base[0][lane], self.base[1][lane], self.base[2][lane]]
    }

    pub(super) fn one(&self, lane: usize) -> Spot {
        Spot::of(self.base(lane), [0, 1, 2].map(|axis| self.part[axis].to_array()[lane]))
    }
}

/// A volume to read between the voxels of, four places at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fours<'a> {
    bricks: &'a Bricks,
    /// The outermost positions there are: half a voxel outside.
    edges: [f32; 3],
}

impl<'a> Fours<'a> {
    pub(super) fn new(bricks: &'a Bricks) -> Self {
        Self { bricks, edges: bricks.counts().map(|count| count as f32 - 0.5) }
    }

    /// The trilinear values.
    #[inline(always)]
    pub(super) fn values(&self, spots: &Spots) -> f32x4 {
        let bytes = self.bricks.bytes();
        let weights = pair_weights(spots.part[0]);
        let places = |lane: usize| {
            let [x, y, z] = spots.base(lane);
            let (x, y, z) = (self.bricks.column(x), self.bricks.four(1, y), self.bricks.four(2, z));
            let (near, far) = (x.wrapping_add(y[1]), x.wrapping_add(y[2]));
            [near.wrapping_add(z[1]), far.wrapping_add(z[1]), near.wrapping_add(z[2]), far.wrapping_add(z[2])]
        };
        let at = [places(0), places(1), places(2), places(3)];
        let line = |beside: usize| {
            pairs(bytes, [at[0][beside], at[1][beside], at[2][beside], at[3][beside]], 0).dot(weights)
        };
        let line = |beside: usize| line(beside).round_float();
        let (y, z) = (as_part(spots.part[1]), as_part(spots.part[2]));
        mix(mix(line(0), line(1), y), mix(line(2), line(3), y), z) * f32x4::splat(1.0 / PARTS)
    }

    /// Change of the values over one voxel along each axis: half the difference of the trilinear values a voxel ahead and a
    /// voxel behind. They share their weights with the voxels between, so 32 voxels do for 48.
    #[inline(always)]
    pub(super) fn gradients(&self, spots: &Spots) -> [f32x4; 3] {
        let bytes = self.bricks.bytes();
        let weights = pair_weights(spots.part[0]);
        let places = |lane: usize| {
            let [x, y, z] = spots.base(lane);
            (self.bricks.column(x).wrapping_sub(1), self.bricks.four(1, y), self.bricks.four(2, z))
        };
        let at = [places(0), places(1), places(2), places(3)];
        let line = |y: usize, z: usize| Around { bytes, at: &at, y, z }.mixed(1, weights);
        let across = |y: usize, z: usize| {
            let around = Around { bytes, at: &at, y, z };
            (around.mixed(2, weights) - around.mixed(0, weights)).round_float()
        };
        let (y, z) = (as_part(spots.part[1]), as_part(spots.part[2]));
        let along_x = mix(mix(across(1, 1), across(2, 1), y), mix(across(1, 2), across(2, 2), y), z);
        let middle = [[line(1, 1), line(2, 1)], [line(1, 2), line(2, 2)]];
        let over_y = |z: usize| {
            let [near, far] = middle[z - 1];
            mix((far - line(0, z)).round_float(), (line(3, z) - near).round_float(), y)
        };
        let over_z = |y: usize| {
            let (near, far) = (middle[0][y - 1], middle[1][y - 1]);
            mix((far - line(y, 0)).round_float(), (line(y, 3) - near).round_float(), z)
        };
        let (along_y, along_z) = (mix(over_y(1), over_y(2), z), mix(over_z(1), over_z(2), y));
        let half = f32x4::splat(0.5 / PARTS);
        [along_x * half, along_y * half, along_z * half]
    }

    /// Four positions, in the volume or half a voxel outside.
    #[inline(always)]
    pub(super) fn spots(&self, position: [f32x4; 3]) -> Spots {
        let [x, y, z] = position;
        let inside = |position: f32x4, axis: usize| {
            position.fast_max(f32x4::splat(-0.5)).fast_min(f32x4::splat(self.edges[axis]))
        };
        Spots::at([inside(x, 0), inside(y, 1), inside(z, 2)])
    }
}

/// A line of voxels along x around each of four samples: from the voxel before its column on, so many rows and slices
/// from the one before its own.
struct Around<'a> {
    bytes: &'a [u8],
    at: &'a [(u32, &'a [u32; 4], &'a [u32; 4]); 4],
    y: usize,
    z: usize,
}

impl Around<'_> {
    /// Mixed between the voxel that is `x` behind its first and the next.
    #[inline(always)]
    fn mixed(&self, x: usize, weights: i16x8) -> i32x4 {
        let [a, b, c, d] = self.at;
        let of = |(column, rows, slices): &(u32, &[u32; 4], &[u32; 4])| {
            column.wrapping_add(rows[self.y]).wrapping_add(slices[self.z])
        };
        pairs(self.bytes, [of(a), of(b), of(c), of(d)], x).dot(weights)
    }
}

/// Weights of the voxel below and the one above, side by side.
#[inline(always)]
fn pair_weights(part: i32x4) -> i16x8 {
    cast(part << 16_i32 | (i32x4::splat(256) - part))
}

/// Voxels `at + x` and the ones behind them.
#[inline(always)]
fn pairs(line: &[u8], at: [u32; 4], x: usize) -> i16x8 {
    let pair = |at: u32| {
        let first = (at as usize + x) * 2;
        // Bytes, so that they are read as one number and not put together from two.
        u32::from_ne_bytes(*line[first..first + 4].first_chunk::<4>().expect("four bytes"))
    };
    cast([pair(at[0]), pair(at[1]), pair(at[2]), pair(at[3])])
}

#[inline(always)]
fn as_part(part: i32x4) -> f32x4 {
    part.round_float() * f32x4::splat(1.0 / PARTS)
}

#[inline(always)]
fn mix(a: f32x4, b: f32x4, part: f32x4) -> f32x4 {
    a + (b - a) * part
}

#[cfg(test)]
mod tests {
    use super::super::sampling::Sampler;
    use super::*;
    use crate::volume::{Dimensions, Geometry, Volume};

    #[test]
    fn four_at_once_are_four_one_by_one() {
        let dimensions = Dimensions { columns: 29, rows: 18, slices: 17 };
        let geometry = Geometry {
            column_spacing_mm: 1.0,
            row_spacing_mm: 1.0,
            slice_increment_mm: 1.0,
            patient_mm_from_voxel: [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]],
        };
        let noise =
            |index: usize| i16::try_from(index * 7919 % 65_521).map_or(i16::MIN, |value| value - 20_000);
        let volume = Volume::new(dimensions, geometry, (0..dimensions.len()).map(noise).collect());
        let volume = volume.expect("whole");
        let bricks = Bricks::new(&volume);
        let (fours, sampler) = (Fours::new(&bricks), Sampler::new(&volume));
        for ray in 0..400_u16 {
            let [start, toward] = [[7, 11, 13], [17, 19, 23]]
                .map(|primes| primes.map(|prime| f32::from(ray * prime % 101) / 101.0));
            let position = [0, 1, 2].map(|axis: usize| {
                let edge = [29.0, 18.0, 17.0][axis];
                let at = |step: f32| start[axis] * edge - 0.5 + step * (toward[axis] - 0.5) * 9.0;
                f32x4::from([0.0, 1.0, 2.0, 3.0].map(|step| at(step).clamp(-0.5, edge - 0.5)))
            });
            let spots = fours.spots(position);
            let (values, gradients) = (fours.values(&spots).to_array(), fours.gradients(&spots));
            for (lane, four) in values.into_iter().enumerate() {
                let spot = spots.one(lane);
                let value = sampler.value(&spot);
                assert!((four - value).abs() < 0.05, "{spot:?}: {four} {value}");
                for axis in 0..3 {
                    let beside = |step: i32| {
                        let mut beside = spot;
                        beside.base[axis] += step;
                        sampler.value(&beside)
                    };
                    let gradient = (beside(1) - beside(-1)) / 2.0;
                    let apart = (gradients[axis].to_array()[lane] - gradient).abs();
                    assert!(apart < 0.05, "{spot:?}: {gradients:?}, along {axis} {gradient}");
                }
            }
        }
    }
}
