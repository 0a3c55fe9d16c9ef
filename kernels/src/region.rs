//! Which voxels count: one bit a voxel, the same words on the GPU and on the twin.

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
        let row_index = slice as usize * self.dimensions.rows as usize + row as usize;
        row_index * self.words_per_row as usize + (column / 32) as usize
    }
}
