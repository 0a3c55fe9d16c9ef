//! The pixels of scored components, found again on the host from their first pixel.

use rayon::prelude::*;

use super::lesions::Units;
use super::{CalciumError, Component, Protocol, Run, SliceLesion};
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
    taken: Vec<u32>,
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
            taken: vec![0; region_words.len()],
        }
    }

    /// Runs of the component that holds the pixel, row by row. Pixels once flooded are not found again.
    fn flood(&mut self, row: u32, column: u32) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut seeds = vec![(row, column)];
        while let Some((row, column)) = seeds.pop() {
            if !self.is_free(row, column) {
                continue;
            }
            let run = self.take_run(row, column);
            let left = run.first_column.saturating_sub(1);
            let right = (run.first_column + run.length).min(self.columns - 1);
            for near in [row.wrapping_sub(1), row + 1] {
                if near < self.rows {
                    self.seed(near, left, right, &mut seeds);
                }
            }
            runs.push(run);
        }
        runs.sort_unstable();
        runs
    }

    /// One seed for each run of free pixels that begins or lies in `left..=right`.
    fn seed(&self, row: u32, left: u32, right: u32, seeds: &mut Vec<(u32, u32)>) {
        let mut in_run = false;
        for column in left..=right {
            let free = self.is_free(row, column);
            if free && !in_run {
                seeds.push((row, column));
            }
            in_run = free;
        }
    }

    /// The whole run around a free pixel, taken.
    fn take_run(&mut self, row: u32, column: u32) -> Run {
        let mut first_column = column;
        while first_column > 0 && self.is_free(row, first_column - 1) {
            first_column -= 1;
        }
        let mut end = column + 1;
        while end < self.columns && self.is_free(row, end) {
            end += 1;
        }
        for column in first_column..end {
            let word = self.word(row, column);
            self.taken[word] |= 1 << (column % 32);
        }
        Run { row, first_column, length: end - first_column }
    }

    fn is_free(&self, row: u32, column: u32) -> bool {
        let word = self.word(row, column);
        (self.region_words[word] & !self.taken[word]) >> (column % 32) & 1 == 1
            && self.hounsfield[row as usize * self.columns as usize + column as usize] >= self.threshold_hu
    }

    fn word(&self, row: u32, column: u32) -> usize {
        row as usize * self.words_per_row + (column / 32) as usize
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
