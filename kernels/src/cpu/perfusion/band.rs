//! Some rows of a slice over all passes, smoothed within the brain.

use std::ops::Range;

use super::{LANES, Lanes};
use crate::perfusion::Series;
use crate::{Geometry, Region};

/// A Gaussian, one side of it, each way: rows and columns need not be as far apart.
#[derive(Debug)]
pub(super) struct Smoothing {
    across: Vec<f32>,
    down: Vec<f32>,
}

/// Standard deviations after which a Gaussian is cut off.
const REACH: f64 = 2.5;

impl Smoothing {
    pub(super) fn new(geometry: &Geometry, smoothing_mm: f64) -> Self {
        Self {
            across: gaussian(smoothing_mm / geometry.column_spacing_mm),
            down: gaussian(smoothing_mm / geometry.row_spacing_mm),
        }
    }
}

/// Weights from the middle outwards; not normalised, since the mask is smoothed with the same.
pub(crate) fn gaussian(sigma: f64) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few voxels")]
    let radius = (REACH * sigma).floor() as usize;
    #[expect(clippy::cast_possible_truncation, reason = "a weight")]
    let weight = |distance: usize| (-0.5 * (distance as f64 / sigma).powi(2)).exp() as f32;
    (0..=radius).map(|distance| if distance == 0 { 1.0 } else { weight(distance) }).collect()
}

/// Smoothed frames of some rows, `[row][pass][column]`, over the columns that hold brain.
#[derive(Debug, Default)]
pub(super) struct Band {
    first_row: u32,
    first_column: usize,
    width: usize,
    passes: usize,
    values: Vec<f32>,
    /// What the mask is after the same smoothing: `[row][column]`.
    shares: Vec<f32>,
    source: Vec<f32>,
    mask: Vec<f32>,
}

impl Band {
    /// Whether the rows hold any brain.
    pub(super) fn fill(
        &mut self,
        series: &Series<'_>,
        brain: &Region,
        smoothing: &Smoothing,
        slice: u32,
        rows: Range<u32>,
    ) -> bool {
        let Some(columns) = extent(brain, slice, rows.clone()) else { return false };
        let margin = smoothing.across.len() - 1;
        self.first_row = rows.start;
        self.first_column = columns.start;
        self.width = columns.len();
        self.passes = series.dynamic.passes();
        let from = columns.start.saturating_sub(margin);
        let to = (columns.end + margin).min(series.dimensions().columns as usize);
        let reach = u32::try_from(smoothing.down.len() - 1).expect("a few rows");
        let source_rows = rows.start.saturating_sub(reach)..(rows.end + reach).min(series.dimensions().rows);
        self.mask.clear();
        for row in source_rows.clone() {
            let start = self.mask.len();
            self.mask.resize(start + (to - from), 0.0);
            for column in brain.columns(row, slice).map(|column| column as usize) {
                if (from..to).contains(&column) {
                    self.mask[start + column - from] = 1.0;
                }
            }
        }
        let area = Area { rows, source_rows, from, to, columns };
        let (mask, mut shares) = (std::mem::take(&mut self.mask), std::mem::take(&mut self.shares));
        shares.resize(area.rows.len() * self.width, 0.0);
        area.smooth(&mask, smoothing, &mut shares, self.width);
        self.values.resize(area.rows.len() * self.passes * self.width, 0.0);
        for pass in 0..self.passes {
            self.source.resize(mask.len(), 0.0);
            for (row, (line, inside)) in area
                .source_rows
                .clone()
                .zip(self.source.chunks_exact_mut(to - from).zip(mask.chunks_exact(to - from)))
            {
                series.row(pass, slice, row, from, line);
                line.iter_mut().zip(inside).for_each(|(value, inside)| *value *= inside);
            }
            area.smooth(
                &self.source,
                smoothing,
                &mut self.values[pass * self.width..],
                self.passes * self.width,
            );
        }
        (self.mask, self.shares) = (mask, shares);
        true
    }

    /// Frames of up to sixteen voxels of a row; lanes without one show zero.
    pub(super) fn gather(&self, row: u32, columns: &[u32], frames: &mut [Lanes]) {
        let row = (row - self.first_row) as usize;
        let shares = &self.shares[row * self.width..][..self.width];
        let values = &self.values[row * self.passes * self.width..][..self.passes * self.width];
        let mut places = [0; LANES];
        let mut scale = [0.0; LANES];
        for (lane, &column) in columns.iter().enumerate() {
            places[lane] = column as usize - self.first_column;
            scale[lane] = 1.0 / shares[places[lane]];
        }
        for (frame, line) in frames.iter_mut().zip(values.chunks_exact(self.width)) {
            for lane in 0..LANES {
                frame[lane] = line[places[lane]] * scale[lane];
            }
        }
    }
}

/// Rows and columns that are smoothed, and those that are read for it.
struct Area {
    rows: Range<u32>,
    source_rows: Range<u32>,
    from: usize,
    to: usize,
    columns: Range<usize>,
}

impl Area {
    /// `out` has a line every `stride` values.
    fn smooth(&self, source: &[f32], smoothing: &Smoothing, out: &mut [f32], stride: usize) {
        let width = self.to - self.from;
        let line = |row: u32| &source[(row - self.source_rows.start) as usize * width..][..width];
        let mut down = vec![0.0; width];
        for (row, out) in self.rows.clone().zip(out.chunks_mut(stride)) {
            down.copy_from_slice(line(row));
            for (distance, &weight) in (1..).zip(&smoothing.down[1..]) {
                for near in [row.checked_sub(distance), row.checked_add(distance)].into_iter().flatten() {
                    if self.source_rows.contains(&near) {
                        down.iter_mut().zip(line(near)).for_each(|(sum, value)| *sum += weight * value);
                    }
                }
            }
            let first = self.columns.start - self.from;
            let out = &mut out[..self.columns.len()];
            out.copy_from_slice(&down[first..first + out.len()]);
            for (distance, &weight) in (1..).zip(&smoothing.across[1..]) {
                let left = first.saturating_sub(distance);
                let skipped = distance.saturating_sub(first).min(out.len());
                out[skipped..].iter_mut().zip(&down[left..]).for_each(|(sum, value)| *sum += weight * value);
                let right = down.get(first + distance..).unwrap_or_default();
                out.iter_mut().zip(right).for_each(|(sum, value)| *sum += weight * value);
            }
        }
    }
}

/// The columns between the first and the last that hold brain in any of the rows.
fn extent(brain: &Region, slice: u32, rows: Range<u32>) -> Option<Range<usize>> {
    let ends = rows.filter_map(|row| {
        let mut columns = brain.columns(row, slice);
        let first = columns.next()?;
        Some((first as usize, columns.last().unwrap_or(first) as usize + 1))
    });
    ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).map(|(first, end)| first..end)
}
