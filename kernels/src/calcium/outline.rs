//! The pixels of scored components, found again on the host from their first pixel.

use rayon::prelude::*;

use super::lesions::Units;
use super::rows::Rows;
use super::{Bounds, CalciumError, Component, Protocol, Run, SliceLesion};
use crate::cpu::calcium::foreground;
use crate::{Region, Volume};

/// Slices of a task at least: fewer are done before another core has woken up.
const SLICES_OF_TASK: usize = 4;

/// The scored components of one slice.
#[derive(Debug)]
pub(super) struct SliceOutlines {
    pub(super) slice: u32,
    /// In the order of their first pixel.
    pub(super) lesions: Vec<Outlined>,
    pub(super) rows: Rows,
}

#[derive(Debug)]
pub(super) struct Outlined {
    pub(super) lesion: SliceLesion,
    /// Twice the sums of column and row numbers: the middle of a run may lie between two columns.
    pub(super) doubled: [u64; 2],
    pub(super) bounds: Bounds,
}

/// Outlines of each slice that has `components` (ordered by slice), after a check of what the device counted.
pub(super) fn outline(
    volume: &Volume,
    region: &Region,
    protocol: &Protocol,
    units: Units,
    components: &[Component],
) -> Result<Vec<SliceOutlines>, CalciumError> {
    let of_slices: Vec<&[Component]> = components.chunk_by(|a, b| a.slice == b.slice).collect();
    let outlined = of_slices.into_par_iter().with_min_len(SLICES_OF_TASK).map_init(
        Scratch::default,
        |scratch, of_slice| {
            let number = of_slice[0].slice;
            let mut slice = Slice::new(volume, region, protocol.threshold_hu, number, scratch);
            of_slice.iter().for_each(|component| slice.look_ahead(component));
            let lesions = of_slice.iter().map(|component| {
                let runs = slice.flood(component);
                if slice.measure(component, &runs) != *component {
                    let Component { slice, row, column, .. } = *component;
                    return Err(CalciumError::Miscounted { slice, row, column });
                }
                Ok(outlined(component, protocol, units, runs))
            });
            let lesions = lesions.collect::<Result<Vec<_>, _>>()?;
            let rows = Rows::new(lesions.iter().map(|outlined| outlined.lesion.runs.as_slice()));
            Ok(SliceOutlines { slice: number, lesions, rows })
        },
    );
    outlined.collect()
}

fn outlined(component: &Component, protocol: &Protocol, units: Units, runs: Vec<Run>) -> Outlined {
    let Component { slice, pixels, peak_hu, hounsfield_sum, .. } = *component;
    let weight = protocol.weight(peak_hu);
    let mut doubled = [0; 2];
    let mut bounds = Bounds::EMPTY;
    for run in &runs {
        let length = u64::from(run.length);
        doubled[0] += length * (2 * u64::from(run.first_column) + length - 1);
        doubled[1] += length * 2 * u64::from(run.row);
        bounds.add([run.first_column, run.row, slice]);
        bounds.add([run.first_column + run.length - 1, run.row, slice]);
    }
    let lesion = SliceLesion {
        slice,
        pixels,
        area_mm2: f64::from(pixels) * units.pixel_area_mm2,
        peak_hu,
        hounsfield_sum,
        weight,
        agatston: units.agatston(u64::from(weight) * u64::from(pixels)),
        runs,
    };
    Outlined { lesion, doubled, bounds }
}

/// What one slice after the other is worked on with.
#[derive(Default)]
struct Scratch {
    free: Vec<u32>,
    known: Vec<u64>,
    seeds: Vec<(u32, u32)>,
}

/// One slice with the pixels that no lesion has taken yet.
struct Slice<'a> {
    columns: u32,
    rows: u32,
    threshold_hu: i16,
    hounsfield: &'a [i16],
    words_per_row: usize,
    region_words: &'a [u32],
    /// `free`: a bit for each pixel that may still be taken, in words like the region's. `known`: a bit for each of these
    /// words that has been worked out, which happens when it is first looked at, because lesions are few and small.
    scratch: &'a mut Scratch,
}

impl<'a> Slice<'a> {
    fn new(
        volume: &'a Volume,
        region: &'a Region,
        threshold_hu: i16,
        slice: u32,
        scratch: &'a mut Scratch,
    ) -> Self {
        let dimensions = volume.dimensions();
        let region_words = region.slice(slice);
        scratch.free.resize(region_words.len(), 0);
        scratch.known.clear();
        scratch.known.resize(region_words.len().div_ceil(64), 0);
        Self {
            columns: dimensions.columns,
            rows: dimensions.rows,
            threshold_hu,
            hounsfield: volume.slice(slice),
            words_per_row: region.words_per_row() as usize,
            region_words,
            scratch,
        }
    }

    /// Reads a pixel of about each word that the component will want. The walk along a component waits for memory at
    /// every row; these reads wait for nothing, so the processor has many of them on their way at once.
    fn look_ahead(&self, component: &Component) {
        let columns = self.columns as usize;
        let first = component.column as usize & !31;
        let last = (first + 31).min(columns - 1);
        let end = (component.row + component.pixels.isqrt() + 2).min(self.rows);
        let mut seen = 0_i16;
        for row in component.row.saturating_sub(1) as usize..end as usize {
            let pixels = &self.hounsfield[row * columns..][..columns];
            seen ^= pixels[first] ^ pixels[last];
        }
        std::hint::black_box(seen);
    }

    /// Runs of the component that holds the pixel, row by row. Pixels once flooded are not found again.
    fn flood(&mut self, from: &Component) -> Vec<Run> {
        // As many rows as a square would have, and a half more: few have to grow.
        let rows = from.pixels.isqrt() as usize;
        let mut runs = Vec::with_capacity(rows + rows / 2 + 2);
        self.scratch.seeds.push((from.row, from.column));
        while let Some((row, column)) = self.scratch.seeds.pop() {
            if self.free(row, column / 32) >> (column % 32) & 1 == 0 {
                continue;
            }
            let run = self.take_run(row, column);
            let left = run.first_column.saturating_sub(1);
            let right = (run.first_column + run.length).min(self.columns - 1);
            for near in [row.wrapping_sub(1), row + 1] {
                if near < self.rows {
                    self.seed(near, left, right);
                }
            }
            runs.push(run);
        }
        runs.sort_unstable();
        runs
    }

    /// A seed for each run of free pixels that begins or lies in `left..=right`; two where it goes on in the next word.
    fn seed(&mut self, row: u32, left: u32, right: u32) {
        for word in left / 32..=right / 32 {
            let bits = self.free(row, word) & bits_of(word, left, right + 1);
            let mut starts = bits & !(bits << 1);
            while starts != 0 {
                self.scratch.seeds.push((row, word * 32 + starts.trailing_zeros()));
                starts &= starts - 1;
            }
        }
    }

    /// The whole run around a free pixel, taken.
    fn take_run(&mut self, row: u32, column: u32) -> Run {
        let (mut word, bit) = (column / 32, column % 32);
        let mut first_column = column + 1 - (self.free(row, word) << (31 - bit)).leading_ones();
        while first_column == word * 32 && word > 0 {
            word -= 1;
            first_column -= self.free(row, word).leading_ones();
        }
        word = column / 32;
        let mut end = column + (self.free(row, word) >> bit).trailing_ones();
        while end == (word + 1) * 32 && end < self.columns {
            word += 1;
            end += self.free(row, word).trailing_ones();
        }
        for word in first_column / 32..=(end - 1) / 32 {
            let left = self.free(row, word) & !bits_of(word, first_column, end);
            let index = self.index(row, word);
            self.scratch.free[index] = left;
        }
        Run { row, first_column, length: end - first_column }
    }

    /// The free pixels of a word of a row.
    fn free(&mut self, row: u32, word: u32) -> u32 {
        let index = self.index(row, word);
        if self.scratch.known[index / 64] >> (index % 64) & 1 == 1 {
            return self.scratch.free[index];
        }
        let (start, first) = (row as usize * self.columns as usize, word as usize * 32);
        let pixels = &self.hounsfield[start + first..start + (first + 32).min(self.columns as usize)];
        let bits = self.region_words[index] & foreground(pixels, self.threshold_hu);
        self.scratch.free[index] = bits;
        self.scratch.known[index / 64] |= 1 << (index % 64);
        bits
    }

    fn index(&self, row: u32, word: u32) -> usize {
        row as usize * self.words_per_row + word as usize
    }

    /// What the device should have counted.
    fn measure(&self, found: &Component, runs: &[Run]) -> Component {
        let mut counted = Component { pixels: 0, peak_hu: i16::MIN, hounsfield_sum: 0, ..*found };
        for run in runs {
            let first = run.row as usize * self.columns as usize + run.first_column as usize;
            for &hounsfield in &self.hounsfield[first..][..run.length as usize] {
                counted.peak_hu = counted.peak_hu.max(hounsfield);
                counted.hounsfield_sum += i64::from(hounsfield);
            }
            counted.pixels += run.length;
        }
        if let Some(first) = runs.first() {
            (counted.row, counted.column) = (first.row, first.first_column);
        }
        counted
    }
}

/// Bits of a word that stand for columns of `first..end`, some of which it holds.
fn bits_of(word: u32, first: u32, end: u32) -> u32 {
    let (low, high) = (first.saturating_sub(word * 32), (end - word * 32).min(32));
    (u32::MAX << low) & (u32::MAX >> (32 - high))
}
