//! Time-intensity curves of a voxel or a region.

use rayon::prelude::*;

use super::series::Series;
use super::{Dynamic, Perfusion, PerfusionError};
use crate::{Dimensions, Region};

/// Enhancement over time of some voxels.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    pub region: Region,
    /// Mean of the region over its pre-bolus mean, HU, one value for each of [`Perfusion::times_s`].
    pub enhancement_hu: Vec<f32>,
}

impl Curve {
    /// Sum over the samples, as a common step cancels in every ratio of curves.
    pub(crate) fn integral(&self) -> f64 {
        self.enhancement_hu.iter().copied().map(f64::from).sum()
    }

    pub(crate) fn peak(&self) -> (usize, f32) {
        peak(&self.enhancement_hu)
    }
}

impl Perfusion {
    /// The curve of a region of the series that was analysed, aligned and on the axis of [`Self::times_s`], not
    /// smoothed. Reads what lies in the region and nothing else.
    pub fn curve(&self, dynamic: &Dynamic, region: &Region) -> Result<Curve, PerfusionError> {
        check(dynamic.dimensions(), "curve", region)?;
        let series = Series::new(dynamic, &self.motion, &self.axis, self.baseline_samples);
        Ok(mean(&series, region))
    }
}

pub(crate) fn check(series: Dimensions, name: &'static str, region: &Region) -> Result<(), PerfusionError> {
    if region.dimensions() != series {
        return Err(PerfusionError::RegionMismatch { series, region: region.dimensions() });
    }
    if region.count() == 0 {
        return Err(PerfusionError::EmptyRegion(name));
    }
    Ok(())
}

/// Frame by frame, since that is how they lie in memory; slices have axes of their own.
pub(crate) fn mean(series: &Series<'_>, region: &Region) -> Curve {
    let share = 1.0 / region.count() as f32;
    let passes = series.dynamic.passes();
    let mut mean = vec![0.0; series.axis.samples()];
    let mut curve = mean.clone();
    for (slice, rows) in rows_of(region) {
        let sum =
            |pass| rows.iter().map(|&(row, ref columns)| row_sum(series, pass, slice, row, columns)).sum();
        let frames: Vec<f32> = (0..passes).into_par_iter().map(sum).collect();
        series.axis.resample(slice, &frames, &mut curve);
        mean.iter_mut().zip(&curve).for_each(|(mean, value)| *mean += value * share);
    }
    series.subtract_baseline(&mut mean);
    Curve { region: region.clone(), enhancement_hu: mean }
}

/// Columns of one row, and the row.
type Row = (u32, Vec<u32>);

/// Each slice that has a part of the region.
fn rows_of(region: &Region) -> Vec<(u32, Vec<Row>)> {
    let Dimensions { rows, slices, .. } = region.dimensions();
    let row = |slice, row| (row, region.columns(row, slice).collect::<Vec<u32>>());
    (0..slices)
        .map(|slice| {
            (slice, (0..rows).map(|r| row(slice, r)).filter(|(_, columns)| !columns.is_empty()).collect())
        })
        .filter(|(_, rows): &(u32, Vec<Row>)| !rows.is_empty())
        .collect()
}

fn row_sum(series: &Series<'_>, pass: usize, slice: u32, row: u32, columns: &[u32]) -> f32 {
    let (first, last) = (columns[0], columns[columns.len() - 1]);
    let mut values = vec![0.0; (last - first + 1) as usize];
    series.row(pass, slice, row, first as usize, &mut values);
    columns.iter().map(|column| values[(column - first) as usize]).sum()
}

/// The highest sample; the first of equals.
pub(crate) fn peak(curve: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (sample, &value) in curve.iter().enumerate() {
        if value > best.1 {
            best = (sample, value);
        }
    }
    best
}

/// Where a parabola through three neighbouring samples peaks, from the middle one, in samples within -0.5..=0.5, and
/// how high.
pub(crate) fn vertex(before: f32, at: f32, after: f32) -> (f32, f32) {
    let bend = before - 2.0 * at + after;
    let offset = if bend < 0.0 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 };
    (offset, at - 0.25 * (before - after) * offset)
}
