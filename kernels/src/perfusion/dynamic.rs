//! The four-dimensional series that an analysis starts from, checked once.

use super::MIN_TIME_POINTS;
use crate::identity::Identity;
use crate::{Dimensions, Geometry};

/// Most frames of one slice. Four minutes at one frame a second; what is longer is no first-pass perfusion.
pub const MAX_FRAMES: usize = 256;

/// What one slice showed over time.
#[derive(Clone, Debug)]
pub struct SliceSeries {
    /// When each frame was acquired, seconds from any common zero, ascending. Slices may differ: the two table
    /// positions of a shuttle, interleaved slices.
    pub times_s: Vec<f64>,
    /// Hounsfield units, floored as in a [`Volume`](crate::Volume): frame by frame, row by row, column fastest.
    pub hounsfield: Vec<i16>,
}

/// Hounsfield units over time: one series of frames for each slice, all on one matrix.
#[derive(Clone, Debug)]
pub struct Dynamic {
    dimensions: Dimensions,
    geometry: Geometry,
    slices: Vec<SliceSeries>,
    passes: usize,
    identity: Identity,
}

/// Why numbers do not make a dynamic series.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DynamicError {
    #[error("a dynamic series needs at least one voxel in every direction")]
    Empty,
    #[error("spacings must be finite and larger than zero")]
    Spacing,
    #[error("{found} slices were given where the dimensions ask for {expected}")]
    Slices { expected: u32, found: usize },
    #[error("slice {slice} has {found} time points; perfusion needs at least {MIN_TIME_POINTS}")]
    TooFewTimePoints { slice: u32, found: usize },
    #[error("slice {slice} has {found} time points; at most {MAX_FRAMES} are taken")]
    TooManyTimePoints { slice: u32, found: usize },
    #[error(
        "slice {slice} has {found} voxels where its {times} time points of {slice_len} voxels ask for {expected}"
    )]
    Length { slice: u32, times: usize, slice_len: usize, expected: usize, found: usize },
    #[error("the times of slice {slice} do not ascend at time point {time_point}")]
    TimesNotAscending { slice: u32, time_point: usize },
    #[error("slices {first} and {second} were not scanned over the same time")]
    NoTimeInCommon { first: u32, second: u32 },
}

impl Dynamic {
    /// Checks lengths, spacings and times once, so that nothing later has to.
    pub fn new(
        dimensions: Dimensions,
        geometry: Geometry,
        slices: Vec<SliceSeries>,
    ) -> Result<Self, DynamicError> {
        if dimensions.is_empty() {
            return Err(DynamicError::Empty);
        }
        let spacings = [geometry.column_spacing_mm, geometry.row_spacing_mm, geometry.slice_increment_mm];
        if !spacings.iter().all(|mm| mm.is_finite() && *mm > 0.0) {
            return Err(DynamicError::Spacing);
        }
        if slices.len() != dimensions.slices as usize {
            return Err(DynamicError::Slices { expected: dimensions.slices, found: slices.len() });
        }
        for (slice, series) in (0..).zip(&slices) {
            check(slice, series, dimensions.slice_len())?;
        }
        overlap(&slices)?;
        let passes = slices.iter().map(|series| series.times_s.len()).max().unwrap_or(0);
        Ok(Self { dimensions, geometry, slices, passes, identity: Identity::fresh() })
    }

    pub fn dimensions(&self) -> Dimensions {
        self.dimensions
    }

    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    pub fn slices(&self) -> &[SliceSeries] {
        &self.slices
    }

    /// Times that the scanner went over the head: pass `n` is the `n`-th frame of every slice that has one.
    pub fn passes(&self) -> usize {
        self.passes
    }

    /// Names the contents, so that what lies on a device already is not sent there again.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// One frame of one slice; `None` where the slice has fewer.
    pub(crate) fn frame(&self, slice: u32, pass: usize) -> Option<&[i16]> {
        let slice_len = self.dimensions.slice_len();
        self.slices[slice as usize].hounsfield.get(pass * slice_len..(pass + 1) * slice_len)
    }
}

fn check(slice: u32, series: &SliceSeries, slice_len: usize) -> Result<(), DynamicError> {
    let times = series.times_s.len();
    if times < MIN_TIME_POINTS {
        return Err(DynamicError::TooFewTimePoints { slice, found: times });
    }
    if times > MAX_FRAMES {
        return Err(DynamicError::TooManyTimePoints { slice, found: times });
    }
    let (expected, found) = (times * slice_len, series.hounsfield.len());
    if expected != found {
        return Err(DynamicError::Length { slice, times, slice_len, expected, found });
    }
    let ascends = |pair: &[f64]| pair[0].is_finite() && pair[1].is_finite() && pair[0] < pair[1];
    match series.times_s.windows(2).position(|pair| !ascends(pair)) {
        Some(before) => Err(DynamicError::TimesNotAscending { slice, time_point: before + 1 }),
        None => Ok(()),
    }
}

/// Every slice shares more than half of its time with every other, or a common axis would be invented.
fn overlap(slices: &[SliceSeries]) -> Result<(), DynamicError> {
    let ends = |series: &SliceSeries| (series.times_s[0], series.times_s[series.times_s.len() - 1]);
    let spans = || (0_u32..).zip(slices.iter().map(ends));
    let latest = spans().max_by(|a, b| a.1.0.total_cmp(&b.1.0)).expect("there is a slice");
    let earliest = spans().min_by(|a, b| a.1.1.total_cmp(&b.1.1)).expect("there is a slice");
    let shared = earliest.1.1 - latest.1.0;
    if spans().any(|(_, (first, last))| shared < 0.5 * (last - first)) {
        return Err(DynamicError::NoTimeInCommon { first: latest.0, second: earliest.0 });
    }
    Ok(())
}
