//! Which voxels count: one bit a voxel, the same words on the GPU and on the twin.

use std::ops::RangeInclusive;

use crate::volume::Dimensions;

/// A set of voxels. Bit `c % 32` of word `c / 32` of a row says whether column `c` is inside; rows are padded
/// to whole words, so a row never shares a word with the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    dimensions: Dimensions,
    words_per_row: u32,
    words: Vec<u32>,
}

impl Region {
    /// No voxel.
    pub fn nothing(dimensions: Dimensions) -> Self {
        let words_per_row = dimensions.columns.div_ceil(32);
        let words = vec![0; words_per_row as usize * dimensions.rows as usize * dimensions.slices as usize];
        Self { dimensions, words_per_row, words }
    }

    /// Every voxel for which `inside(column, row, slice)` holds.
    pub fn from_fn(dimensions: Dimensions, mut inside: impl FnMut(u32, u32, u32) -> bool) -> Self {
        let mut region = Self::nothing(dimensions);
        for slice in 0..dimensions.slices {
            for row in 0..dimensions.rows {
                for column in 0..dimensions.columns {
                    if inside(column, row, slice) {
                        region.insert(column, row, slice);
                    }
                }
            }
        }
        region
    }

    /// A circle in the slices `first..=last`. A pixel is inside when its centre, at integer coordinates
    /// (column, row), is at most `radius_px` from `center_px`. What lies outside the volume is left out.
    pub fn circle(
        dimensions: Dimensions,
        center_px: [f64; 2],
        radius_px: f64,
        slices: RangeInclusive<u32>,
    ) -> Self {
        let mut region = Self::nothing(dimensions);
        let radius_squared = if radius_px >= 0.0 { radius_px * radius_px } else { f64::NAN };
        region.fill_slices(slices, |row, inside| {
            let dy = f64::from(row) - center_px[1];
            for column in 0..dimensions.columns {
                let dx = f64::from(column) - center_px[0];
                if dx * dx + dy * dy <= radius_squared {
                    inside(column);
                }
            }
        });
        region
    }

    /// A painted outline in the slices `first..=last`, closed from its last point to its first. A pixel is inside
    /// when a ray from its centre crosses the outline an odd number of times (even-odd rule); an edge owns its upper
    /// and left side, so polygons that share an edge share no pixel. Points are (column, row), pixel centres are at
    /// integers.
    pub fn polygon(dimensions: Dimensions, points_px: &[[f64; 2]], slices: RangeInclusive<u32>) -> Self {
        let mut region = Self::nothing(dimensions);
        let mut crossings = Vec::new();
        region.fill_slices(slices, |row, inside| {
            row_crossings(points_px, f64::from(row), &mut crossings);
            for column in 0..dimensions.columns {
                let right_of = crossings.partition_point(|&x| x <= f64::from(column));
                if right_of % 2 == 1 {
                    inside(column);
                }
            }
        });
        region
    }

    /// Asks for the columns of each row once and puts them into every slice of the range that the volume has.
    fn fill_slices(
        &mut self,
        slices: RangeInclusive<u32>,
        mut columns_of: impl FnMut(u32, &mut dyn FnMut(u32)),
    ) {
        let last = (*slices.end()).min(self.dimensions.slices - 1);
        for row in 0..self.dimensions.rows {
            columns_of(row, &mut |column| {
                for slice in *slices.start()..=last {
                    self.insert(column, row, slice);
                }
            });
        }
    }

    pub fn dimensions(&self) -> Dimensions {
        self.dimensions
    }

    pub fn words_per_row(&self) -> u32 {
        self.words_per_row
    }

    /// The packed bits, slice by slice, row by row.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    pub fn insert(&mut self, column: u32, row: u32, slice: u32) {
        let word = self.word(column, row, slice);
        self.words[word] |= 1 << (column % 32);
    }

    pub fn remove(&mut self, column: u32, row: u32, slice: u32) {
        let word = self.word(column, row, slice);
        self.words[word] &= !(1 << (column % 32));
    }

    pub fn contains(&self, column: u32, row: u32, slice: u32) -> bool {
        self.words[self.word(column, row, slice)] & (1 << (column % 32)) != 0
    }

    /// How many voxels are inside.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    fn word(&self, column: u32, row: u32, slice: u32) -> usize {
        debug_assert!(
            column < self.dimensions.columns && row < self.dimensions.rows,
            "a voxel outside the region"
        );
        let row_index = slice as usize * self.dimensions.rows as usize + row as usize;
        row_index * self.words_per_row as usize + (column / 32) as usize
    }
}

/// Where the closed outline crosses the line through the centres of a row, ascending. An edge includes its end with
/// the lower row, so a corner on the line is not counted twice.
fn row_crossings(points_px: &[[f64; 2]], row: f64, crossings: &mut Vec<f64>) {
    crossings.clear();
    for (index, &[x0, y0]) in points_px.iter().enumerate() {
        let [x1, y1] = points_px[(index + 1) % points_px.len()];
        if (y0 <= row) != (y1 <= row) {
            crossings.push(x0 + (row - y0) / (y1 - y0) * (x1 - x0));
        }
    }
    crossings.sort_unstable_by(f64::total_cmp);
}
