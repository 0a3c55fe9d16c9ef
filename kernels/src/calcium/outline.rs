//! The pixels of scored components, found again on the host from their first pixel.

use rayon::prelude::*;

use super::lesions::Units;
use super::{CalciumError, Component, Protocol, Run, SliceLesion};
use crate::cpu::calcium::foreground;
use crate::{Region, Volume};

/// A slice lesion for each of `components` (ordered by slice), after a check of what the device counted.
pub(super) fn outline(
    volume: &Volume,
    region: &Region,
    protocol: &Protocol,
    units: Units,
    components: &[Component],
) -> Result<Vec<SliceLesion>, CalciumError> {
    let of_slices: Vec<&[Component]> = components.chunk_by(|a, b| a.slice == b.slice).collect();
    let outlined = of_slices.into_par_iter().map(|of_slice| {
        let mut slice = Slice::new(volume, region, protocol.threshold_hu, of_slice[0].slice);
        let lesions = of_slice.iter().map(|component| {
            let runs = slice.flood(component.row, component.column);
            if slice.measure(component, &runs) != *component {
                let Component { slice, row, column, .. } = *component;
                return Err(CalciumError::Miscounted { slice, row, column });
            }
            Ok(slice_lesion(component, protocol, units, runs))
        });
        lesions.collect::<Result<Vec<_>, _>>()
    });
    Ok(outlined.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn slice_lesion(component: &Component, protocol: &Protocol, units: Units, runs: Vec<Run>) -> SliceLesion {
    let Component { slice, pixels, peak_hu, hounsfield_sum, .. } = *component;
    let weight = protocol.weight(peak_hu);
    SliceLesion {
        slice,
        pixels,
        area_mm2: f64::from(pixels) * units.pixel_area_mm2,
        peak_hu,
        hounsfield_sum,
        weight,
        agatston: units.agatston(u64::from(weight) * u64::from(pixels)),
        runs,
    }
}

/// One slice with the pixels that no lesion has taken yet.
struct Slice<'a> {
    columns: u32,
    rows: u32,
    threshold_hu: i16,
    hounsfield: &'a [i16],
    words_per_row: usize,
    region_words: &'a [u32],
    /// A bit for each pixel that may still be taken, in words like the region's; worked out when it is first looked at,
    /// because lesions are few and small.
    free: Vec<Option<u32>>,
    seeds: Vec<(u32, u32)>,
}

impl<'a> Slice<'a> {
    fn new(volume: &'a Volume, region: &'a Region, threshold_hu: i16, slice: u32) -> Self {
        let dimensions = volume.dimensions();
        let region_words = region.slice(slice);
        Self {
            columns: dimensions.columns,
            rows: dimensions.rows,
            threshold_hu,
            hounsfield: volume.slice(slice),
            words_per_row: region.words_per_row() as usize,
            region_words,
            free: vec![None; region_words.len()],
            seeds: Vec::new(),
        }
    }

    /// Runs of the component that holds the pixel, row by row. Pixels once flooded are not found again.
    fn flood(&mut self, row: u32, column: u32) -> Vec<Run> {
        let mut runs = Vec::new();
        self.seeds.push((row, column));
        while let Some((row, column)) = self.seeds.pop() {
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
                self.seeds.push((row, word * 32 + starts.trailing_zeros()));
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
            self.free[index] = Some(left);
        }
        Run { row, first_column, length: end - first_column }
    }

    /// The free pixels of a word of a row.
    fn free(&mut self, row: u32, word: u32) -> u32 {
        let index = self.index(row, word);
        if let Some(bits) = self.free[index] {
            return bits;
        }
        let (start, first) = (row as usize * self.columns as usize, word as usize * 32);
        let pixels = &self.hounsfield[start + first..start + (first + 32).min(self.columns as usize)];
        let bits = self.region_words[index] & foreground(pixels, self.threshold_hu);
        self.free[index] = Some(bits);
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
