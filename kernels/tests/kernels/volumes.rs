//! Volumes for tests: noise, and shapes that are hard to label.

use sidelight_kernels::{Dimensions, Geometry, Region, Volume};

pub(crate) fn dimensions(columns: u32, rows: u32, slices: u32) -> Dimensions {
    Dimensions { columns, rows, slices }
}

/// 0.5 x 0.4 mm pixels (five of them are exactly 1 mm2) and slices 3 mm apart.
pub(crate) fn geometry() -> Geometry {
    Geometry {
        column_spacing_mm: 0.5,
        row_spacing_mm: 0.4,
        slice_increment_mm: 3.0,
        patient_mm_from_voxel: [[0.5, 0.0, 0.0, 0.0], [0.0, 0.4, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]],
    }
}

pub(crate) fn everywhere(dimensions: Dimensions) -> Region {
    Region::from_fn(dimensions, |_, _, _| true)
}

pub(crate) fn volume(dimensions: Dimensions, mut hounsfield: impl FnMut(u32, u32, u32) -> i16) -> Volume {
    let mut voxels = Vec::with_capacity(dimensions.len());
    for slice in 0..dimensions.slices {
        for row in 0..dimensions.rows {
            voxels.extend((0..dimensions.columns).map(|column| hounsfield(column, row, slice)));
        }
    }
    Volume::new(dimensions, geometry(), voxels).unwrap()
}

/// So many percent of the voxels at or over 130 HU.
pub(crate) fn noisy(dimensions: Dimensions, percent: u32, noise: &mut Noise) -> Volume {
    volume(dimensions, |_, _, _| {
        let range = if noise.below(100) < percent { 130..1500 } else { -1024..130 };
        i16::try_from(range.start + noise.below(range.len() as u32) as i32).unwrap()
    })
}

/// SplitMix64: the same noise on every machine.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(bound)) as u32
    }
}

/// Whether (column, row) of a slice of so many columns and rows is foreground.
type Shape = fn(u32, u32, u32, u32) -> bool;

pub(crate) const SHAPES: [(&str, Shape); 7] = [
    ("checkerboard", |column, row, _, _| (column + row) % 2 == 0),
    ("comb", |column, row, _, rows| column % 2 == 0 || row + 1 == rows),
    ("serpentine", |column, row, columns, _| {
        row % 2 == 0 || column == if row % 4 == 1 { columns - 1 } else { 0 }
    }),
    ("spiral", |column, row, columns, rows| {
        // Rings, each cut open on the left and led into the next one by a step.
        let ring = column.min(row).min(columns - 1 - column).min(rows - 1 - row);
        let cut = column == ring && row == ring + 1 && ring % 2 == 0;
        let step = column == ring && row == ring + 1 && ring % 2 == 1;
        (ring % 2 == 0 && !cut) || step
    }),
    ("diagonals", |column, row, _, _| (column + 2 * row) % 5 == 0),
    ("wedges", |column, row, _, _| column % 16 >= row % 16),
    ("nested cups", |column, row, columns, _| {
        let from_side = column.min(columns - 1 - column);
        from_side % 2 == 0 && row % 40 <= 38 - (from_side % 38) || row % 40 == 39 - from_side % 38
    }),
];
