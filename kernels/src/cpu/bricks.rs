//! A volume laid out so that what is near in space is near in memory, whichever way a ray runs: bricks of 12 x 8 x 8
//! voxels, two kilobytes each, a row of one with two voxels of its neighbours at both ends.
//!
//! A ray across rows meets a new cache line at every second voxel and a new page at every thirtieth; in the volume itself it
//! would be at every voxel and at every fourth. It costs a third more memory than the volume beside the volume.
//!
//! Beyond the outermost voxels the outermost values go on, as a texture clamped to its edge has it.

use bytemuck::cast_slice;
use rayon::prelude::*;

use crate::volume::Volume;

/// Own voxels of a brick's row, and all that lie in it.
const OWN: usize = 12;
const WIDTH: usize = 16;
/// Voxels of the neighbours before the own.
const BEFORE: usize = 2;
/// Rows of a brick, and layers of rows.
const ROWS: usize = 8;
const BRICK: usize = WIDTH * ROWS * ROWS;

/// The voxel that a table begins with: a sample asks for what is two voxels outside.
const FIRST: i32 = -2;
const MARGIN: usize = FIRST.unsigned_abs() as usize;

#[derive(Debug)]
pub(crate) struct Bricks {
    values: Vec<i16>,
    /// The place of a voxel is the sum of three numbers, one for each axis. Tables begin with voxel `FIRST`.
    places: [Vec<u32>; 3],
    counts: [u32; 3],
}

impl Bricks {
    /// Costs one reading and one writing of the volume.
    pub(crate) fn new(volume: &Volume) -> Self {
        let dimensions = volume.dimensions();
        let counts = [dimensions.columns, dimensions.rows, dimensions.slices];
        let [columns, rows, slices] = counts.map(|count| count as usize);
        let (across, down) = (columns.div_ceil(OWN), rows.div_ceil(ROWS));
        let layer = BRICK * across * down;
        let mut values = vec![0; layer * slices.div_ceil(ROWS)];
        assert!(u32::try_from(values.len()).is_ok(), "2^32 voxels do not fit into memory");
        values.par_chunks_mut(layer).enumerate().for_each(|(index, layer)| {
            for slice in index * ROWS..(index * ROWS + ROWS).min(slices) {
                let voxels = &volume.hounsfield()[slice * dimensions.slice_len()..][..dimensions.slice_len()];
                for (row, voxels) in voxels.chunks_exact(columns).enumerate() {
                    let first = row / ROWS * across * BRICK + (slice % ROWS * ROWS + row % ROWS) * WIDTH;
                    fill_row(layer, first, voxels);
                }
            }
        });
        let place =
            |voxel: usize, own: usize, brick: usize, one: usize| voxel / own * brick + voxel % own * one;
        let table = |count: usize, of: &dyn Fn(usize) -> usize| {
            let clamped = (0..count + 2 * MARGIN).map(|entry| entry.saturating_sub(MARGIN).min(count - 1));
            clamped.map(|voxel| u32::try_from(of(voxel)).expect("it lies within the values")).collect()
        };
        // Along a row the voxels beside lie beside, those outside too, so its table goes on as if there were more.
        let along_row: Vec<u32> = (0..columns + MARGIN)
            .map(|entry| {
                let voxel = entry.saturating_sub(MARGIN);
                let at = place(voxel, OWN, BRICK, 1) + BEFORE - MARGIN.saturating_sub(entry);
                u32::try_from(at).expect("it lies within the values")
            })
            .collect();
        let places = [
            along_row,
            table(rows, &|voxel| place(voxel, ROWS, BRICK * across, WIDTH)),
            table(slices, &|voxel| place(voxel, ROWS, layer, WIDTH * ROWS)),
        ];
        Self { values, places, counts }
    }

    pub(super) fn counts(&self) -> [u32; 3] {
        self.counts
    }

    /// All of it, two bytes a voxel.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> &[u8] {
        cast_slice(&self.values)
    }

    /// What a voxel's column adds to its place, from -1 on. Voxels from one before it to two behind it lie beside it.
    #[inline(always)]
    pub(super) fn column(&self, voxel: i32) -> u32 {
        self.places[0][(voxel - FIRST) as usize]
    }

    /// What the rows or slices from one before a voxel, itself from -1 on, to two behind it add to their places.
    #[inline(always)]
    pub(super) fn four(&self, axis: usize, voxel: i32) -> &[u32; 4] {
        let first = (voxel - FIRST - 1) as usize;
        self.places[axis][first..first + 4].first_chunk().expect("four entries")
    }
}

/// One row of voxels, cut into the rows of bricks that begin `first` values into theirs.
fn fill_row(layer: &mut [i16], first: usize, voxels: &[i16]) {
    for (brick, own) in (0..).step_by(BRICK).zip((0..voxels.len()).step_by(OWN)) {
        let row = &mut layer[brick + first..][..WIDTH];
        if own >= BEFORE && own - BEFORE + WIDTH <= voxels.len() {
            row.copy_from_slice(&voxels[own - BEFORE..][..WIDTH]);
        } else {
            for (place, value) in row.iter_mut().enumerate() {
                *value = voxels[(own + place).saturating_sub(BEFORE).min(voxels.len() - 1)];
            }
        }
    }
}
