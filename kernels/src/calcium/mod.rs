//! Coronary calcium: the Agatston score of a volume inside a region.
//!
//! ```text
//! volume, region --slab by slab--> components (GPU or twin) --area rule--> slice lesions
//!     --outline on the host--> runs --26-neighbours--> 3-D lesions --> score
//! ```
//!
//! Definitions, all after Agatston 1990 (JACC 15:827) as scanners apply it today:
//! - **slice lesion**: 8-connected pixels of one slice inside the region, each `>= threshold_hu`, together at
//!   least `minimum_area_mm2`. The operator is `>=` as in syngo and BRAINSia (orCaScore uses `>`).
//!   8-connectivity is our choice: the standard does not say.
//! - **weight**: 1 to 4 from the peak of *that slice's* lesion, bounds half-open: `[130, 200)` is 1, `[400, ..)` is 4.
//! - **Agatston**: `sum of weight * area_mm2 * slice_increment_mm / 3`. The 3 is the 3 mm of the original protocol;
//!   the increment is the distance of slice centres, never Slice Thickness, so overlap is not counted twice.
//! - **volume**: voxels of the scored slice lesions times the voxel volume; not interpolated.
//! - **lesion**: slice lesions of neighbouring slices that touch (26-connectivity). For listing only: it changes
//!   neither score nor volume.
//!
//! Invariants: everything up to the last multiplication is integer, so the same input gives the same bits on every
//! device, in every slab size and on the twin. Every scored lesion is read again on the host while it is outlined; a
//! device that disagrees is an error, never a number.
//!
//! - **mass**: a calibration times `sum of HU * voxel volume`; without a calibration there is no mass.
//!
//! At another threshold than 130 HU the weights stay where they are: a slice lesion that peaks below 130 HU adds to the
//! volume and never to the score. Such a score is not Agatston's and its callers say so.
//!
//! Not here: which calibration applies, vessels (`heart::vessels`), other tube voltages' tables, percentiles.

mod components;
pub(crate) mod gpu;
mod lesions;
mod outline;
mod rows;

use std::ops::ControlFlow;

pub(crate) use components::{Component, Criteria, Found, MAX_SLICE_VOXELS, Turn};
use lesions::Units;

use crate::processor::Place;
use crate::{Checkpoint, Dimensions, Processor, ProcessorError, Region, Volume, cpu};

/// Which pixels count and how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Protocol {
    /// A pixel counts from this value on.
    pub threshold_hu: i16,
    /// A slice lesion counts from this area on. An area, not a number of pixels: at 0.488 mm spacing 4 pixels
    /// (0.95 mm2) are too few and 5 are enough.
    pub minimum_area_mm2: f64,
    /// Where the weights 1, 2, 3 and 4 begin, ascending. A peak below the first weighs 0.
    pub weight_starts_hu: [i16; 4],
}

impl Protocol {
    /// Agatston 1990, 120 kVp.
    pub const AGATSTON: Self =
        Self { threshold_hu: 130, minimum_area_mm2: 1.0, weight_starts_hu: [130, 200, 300, 400] };

    /// Agatston's density weight, 0 to 4, of a slice lesion with this peak.
    pub fn weight(&self, peak_hu: i16) -> u32 {
        self.weight_starts_hu.iter().map(|&start| u32::from(peak_hu >= start)).sum()
    }

    /// The area rule as a number of pixels, so that it is decided once. The slack of a billionth keeps the rounding
    /// of a decimal spacing (0.1 * 0.1 is not 0.01 in binary) from losing a lesion of exactly the bound.
    fn minimum_pixels(&self, pixel_area_mm2: f64) -> u32 {
        let pixels = (self.minimum_area_mm2 / pixel_area_mm2 * (1.0 - 1e-9)).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "float to integer casts saturate"
        )]
        let pixels = pixels as u32;
        pixels.max(1)
    }

    fn criteria(&self, pixel_area_mm2: f64) -> Criteria {
        Criteria { threshold_hu: self.threshold_hu, minimum_pixels: self.minimum_pixels(pixel_area_mm2) }
    }
}

/// What a volume scores inside a region.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    pub agatston: f64,
    pub volume_mm3: f64,
    /// Groups of touching slice lesions, largest Agatston first, then in the order of their first pixel.
    pub lesions: Vec<Lesion>,
    /// Components under the area bound, which count for nothing.
    pub fragments: u32,
}

/// Slice lesions of neighbouring slices that touch one another.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesion {
    pub agatston: f64,
    pub volume_mm3: f64,
    pub peak_hu: i16,
    /// Sum of Hounsfield units times the volume of a voxel, what the mass is calibrated from.
    pub hounsfield_mm3: f64,
    /// Mean (column, row, slice) of the voxels, each counted once.
    pub center_voxel: [f64; 3],
    pub bounds: Bounds,
    /// Ascending by slice, then by first pixel.
    pub slices: Vec<SliceLesion>,
}

impl Lesion {
    /// Mass of calcium hydroxyapatite for a calibration in mg per mm3 and Hounsfield unit, which a phantom insert of known
    /// density gives: `density / (HU of the insert - HU of water)` (McCollough 2007, Radiology 243:527). Linear, no
    /// background subtracted, so the mass of a score is the sum of its lesions'.
    pub fn mass_mg(&self, mg_per_mm3_hu: f64) -> f64 {
        mg_per_mm3_hu * self.hounsfield_mm3
    }
}

/// The smallest box of voxels that holds a lesion: (column, row, slice), both ends inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub first: [u32; 3],
    pub last: [u32; 3],
}

/// One scored component of one slice.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceLesion {
    pub slice: u32,
    pub pixels: u32,
    pub area_mm2: f64,
    pub peak_hu: i16,
    pub hounsfield_sum: i64,
    pub weight: u32,
    pub agatston: f64,
    /// Row by row, left to right.
    pub runs: Vec<Run>,
}

/// Neighbouring pixels of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    pub row: u32,
    pub first_column: u32,
    pub length: u32,
}

/// Why there is no score.
#[derive(Debug, thiserror::Error)]
pub enum CalciumError {
    #[error("the region is made for {region:?} but the volume has {volume:?}")]
    RegionMismatch { volume: Dimensions, region: Dimensions },
    #[error(
        "a slice of {columns} x {rows} pixels is larger than the {MAX_SLICE_VOXELS} that calcium scoring takes"
    )]
    SliceTooLarge { columns: u32, rows: u32 },
    #[error("the protocol is not usable: {0}")]
    Protocol(&'static str),
    #[error("scoring was cancelled")]
    Cancelled,
    #[error("the device miscounted the lesion at column {column}, row {row} of slice {slice}")]
    Miscounted { slice: u32, row: u32, column: u32 },
    #[error(transparent)]
    Processor(#[from] ProcessorError),
}

/// Scores `volume` inside `region`.
///
/// `checkpoint` is called with the fraction done (0 to 1) before the first turn and after each, and may use the processor
/// there; a turn is bounded work (about 30 ms). `Break` ends with [`CalciumError::Cancelled`]. A GPU keeps the volume and the region, so the next
/// score of the same ones, at whatever threshold, sends nothing. Where a GPU is lost the score begins again, on the same
/// GPU or on the twin ([`Processor::degraded`]).
pub fn score(
    processor: &mut Processor,
    volume: &Volume,
    region: &Region,
    protocol: &Protocol,
    checkpoint: Checkpoint<'_>,
) -> Result<Score, CalciumError> {
    check(volume, region, protocol)?;
    processor.recovering(|processor| attempt(processor, volume, region, protocol, checkpoint))
}

pub(crate) fn attempt(
    processor: &mut Processor,
    volume: &Volume,
    region: &Region,
    protocol: &Protocol,
    checkpoint: Checkpoint<'_>,
) -> Result<Score, CalciumError> {
    let dimensions = volume.dimensions();
    let turns = processor.turns(dimensions).map_err(ProcessorError::from)?;
    if let Place::Gpu(gpu) = processor.place() {
        let longest = turns.iter().map(|slices| slices.end - slices.start).max().unwrap_or(0);
        gpu::reserve(gpu, volume, region, longest).map_err(ProcessorError::from)?;
    }
    let units = Units::new(volume.geometry());
    let criteria = protocol.criteria(units.pixel_area_mm2);
    let outline = |found: &Found| outline::outline(volume, region, protocol, units, &found.components);
    let (mut scored, mut fragments) = (Vec::new(), 0);
    for slices in turns {
        pause(processor, checkpoint, slices.start, dimensions.slices)?;
        let turn = Turn { volume, region, slices };
        let (found, outlined) = match processor.place() {
            Place::Gpu(gpu) => {
                let found = gpu::components(gpu, &turn, criteria).map_err(ProcessorError::from)?;
                let outlined = outline(&found);
                (found, outlined)
            }
            Place::Twin(pool) => pool.install(|| {
                let found = cpu::calcium::components(&turn, criteria);
                let outlined = outline(&found);
                (found, outlined)
            }),
        };
        scored.extend(outlined?);
        fragments += found.fragments;
    }
    pause(processor, checkpoint, dimensions.slices, dimensions.slices)?;
    Ok(lesions::group(scored, units, fragments))
}

/// The printed category of an Agatston score, by the unrounded value: 0, (0, 10], (10, 100], (100, 400], over 400
/// (Rumberger 1999, Mayo Clin Proc 74:243).
pub fn category(agatston: f64) -> &'static str {
    match agatston {
        a if a <= 0.0 => "0",
        a if a <= 10.0 => "1-10",
        a if a <= 100.0 => "11-100",
        a if a <= 400.0 => "101-400",
        _ => ">400",
    }
}

fn pause(
    processor: &mut Processor,
    checkpoint: Checkpoint<'_>,
    done: u32,
    all: u32,
) -> Result<(), CalciumError> {
    #[expect(clippy::cast_possible_truncation, reason = "a fraction for a progress bar")]
    let fraction = (f64::from(done) / f64::from(all)) as f32;
    match processor.lend(|processor| checkpoint(processor, fraction)).map_err(ProcessorError::from)? {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(CalciumError::Cancelled),
    }
}

fn check(volume: &Volume, region: &Region, protocol: &Protocol) -> Result<(), CalciumError> {
    let dimensions = volume.dimensions();
    if region.dimensions() != dimensions {
        return Err(CalciumError::RegionMismatch { volume: dimensions, region: region.dimensions() });
    }
    if dimensions.slice_len() > MAX_SLICE_VOXELS {
        return Err(CalciumError::SliceTooLarge { columns: dimensions.columns, rows: dimensions.rows });
    }
    if !(protocol.minimum_area_mm2.is_finite() && protocol.minimum_area_mm2 >= 0.0) {
        return Err(CalciumError::Protocol("the minimum area must be a number of at least 0"));
    }
    if !protocol.weight_starts_hu.is_sorted() {
        return Err(CalciumError::Protocol("the weights must start at ascending values"));
    }
    Ok(())
}
