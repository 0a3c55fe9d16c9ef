//! Which voxels count: one bit a voxel, the same words on the GPU and on the twin.

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use crate::identity::Identity;
use crate::volume::Dimensions;

/// A set of voxels. Bit `c % 32` of word `c / 32` of a row says whether column `c` is inside; rows are padded
/// to whole words, so a row never shares a word with the next.
#[derive(Clone, Debug)]
pub struct Region {
    dimensions: Dimensions,
    words_per_row: u32,
    words: Vec<u32>,
    /// Of these words, once somebody asked; another after every change.
    identity: OnceLock<Identity>,
}

/// The same voxels, whatever they are named.
impl PartialEq for Region {
    fn eq(&self, other: &Self) -> bool {
        self.dimensions == other.dimensions && self.words == other.words
    }
}

impl Eq for Region {}

impl Region {
    /// No voxel.
    pub fn nothing(dimensions: Dimensions) -> Self {
        let words_per_row = dimensions.columns.div_ceil(32);
        let words = vec![0; words_per_row as usize * dimensions.rows as usize * dimensions.slices as usize];
        Self { dimensions, words_per_row, words, identity: OnceLock::new() }
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
        let inside = |column: u32, row: u32, _| {
            let (dx, dy) = (f64::from(column) - center_px[0], f64::from(row) - center_px[1]);
            radius_px >= 0.0 && dx * dx + dy * dy <= radius_px * radius_px
        };
        Self::from_fn(Dimensions { slices: 1, ..dimensions }, inside).repeated(dimensions, slices)
    }

    /// A painted outline in the slices `first..=last`, closed from its last point to its first. A pixel is inside
    /// when the outline is crossed an odd number of times on the way to its centre (even-odd rule), so a polygon may
    /// cross itself. Centres exactly on a left or upper edge are inside, on a right or lower edge outside: polygons
    /// that share an edge share no pixel. Points are (column, row), pixel centres are at integers.
    pub fn polygon(dimensions: Dimensions, points_px: &[[f64; 2]], slices: RangeInclusive<u32>) -> Self {
        let mut crossings = Vec::new();
        let mut crossings_row = None;
        let inside = |column: u32, row: u32, _| {
            if crossings_row != Some(row) {
                row_crossings(points_px, f64::from(row), &mut crossings);
                crossings_row = Some(row);
            }
            crossings.partition_point(|&x| x <= f64::from(column)) % 2 == 1
        };
        Self::from_fn(Dimensions { slices: 1, ..dimensions }, inside).repeated(dimensions, slices)
    }

    /// The one slice of `self` in every slice of the range that the volume has.
    fn repeated(&self, dimensions: Dimensions, slices: RangeInclusive<u32>) -> Self {
        let mut region = Self::nothing(dimensions);
        let (first, last) = (*slices.start() as usize, *slices.end() as usize);
        for (slice, words) in region.words.chunks_exact_mut(self.words.len()).enumerate() {
            if (first..=last).contains(&slice) {
                words.copy_from_slice(&self.words);
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

    /// The packed bits of one slice, row by row.
    pub(crate) fn slice(&self, slice: u32) -> &[u32] {
        let len = self.words_per_row as usize * self.dimensions.rows as usize;
        &self.words[slice as usize * len..][..len]
    }

    pub(crate) fn identity(&self) -> Identity {
        *self.identity.get_or_init(Identity::fresh)
    }

    pub fn insert(&mut self, column: u32, row: u32, slice: u32) {
        let word = self.word(column, row, slice);
        self.words[word] |= 1 << (column % 32);
        self.identity.take();
    }

    pub fn remove(&mut self, column: u32, row: u32, slice: u32) {
        let word = self.word(column, row, slice);
        self.words[word] &= !(1 << (column % 32));
        self.identity.take();
    }

    pub fn contains(&self, column: u32, row: u32, slice: u32) -> bool {
        self.words[self.word(column, row, slice)] & (1 << (column % 32)) != 0
    }

    /// The columns of a row that are inside, ascending.
    pub fn columns(&self, row: u32, slice: u32) -> impl Iterator<Item = u32> {
        let first = self.word(0, row, slice);
        let words = (0..).zip(&self.words[first..first + self.words_per_row as usize]);
        words.flat_map(|(index, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                left &= left.wrapping_sub(1);
                (bit < 32).then_some(index * 32 + bit)
            })
        })
    }

    /// Every voxel inside with its index in a volume, in the order of the volume.
    pub fn voxels(&self) -> impl Iterator<Item = (usize, [u32; 3])> {
        let Dimensions { columns, rows, slices } = self.dimensions;
        (0..slices).flat_map(move |slice| {
            (0..rows).flat_map(move |row| {
                let first = (slice as usize * rows as usize + row as usize) * columns as usize;
                self.columns(row, slice).map(move |column| (first + column as usize, [column, row, slice]))
            })
        })
    }

    /// How many voxels are inside.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Mean (column, row, slice) of the voxels; `None` when there is none.
    pub fn middle_voxel(&self) -> Option<[f64; 3]> {
        let mut sums = [0_u64; 3];
        let mut count = 0_u64;
        for slice in 0..self.dimensions.slices {
            for (index, &word) in (0_u32..).zip(self.slice(slice)) {
                let (row, first_column) = (index / self.words_per_row, index % self.words_per_row * 32);
                let mut rest = word;
                while rest != 0 {
                    sums[0] += u64::from(first_column + rest.trailing_zeros());
                    rest &= rest - 1;
                }
                let inside = u64::from(word.count_ones());
                sums[1] += inside * u64::from(row);
                sums[2] += inside * u64::from(slice);
                count += inside;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "no volume has 2^53 voxels in a row")]
        (count > 0).then(|| sums.map(|sum| sum as f64 / count as f64))
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

/// Where the closed outline crosses the line through the centres of a row, ascending. An edge includes its upper end
/// only, so a corner on the line is not counted twice, and is always walked downwards, so two polygons that share it
/// round alike.
fn row_crossings(points_px: &[[f64; 2]], row: f64, crossings: &mut Vec<f64>) {
    crossings.clear();
    for (index, &start) in points_px.iter().enumerate() {
        let end = points_px[(index + 1) % points_px.len()];
        let ([x0, y0], [x1, y1]) = if start[1] <= end[1] { (start, end) } else { (end, start) };
        if y0 <= row && row < y1 {
            crossings.push(x0 + (row - y0) / (y1 - y0) * (x1 - x0));
        }
    }
    crossings.sort_unstable_by(f64::total_cmp);
}
