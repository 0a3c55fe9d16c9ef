//! What makes the numbers doubtful. A guard that fails withholds core and mismatch.

use std::fmt;

use super::axis::TimeAxis;
use super::bolus::Bolus;
use super::curve::{Curve, peak};
use super::motion::Motion;

/// The vein must have come down to this share of its peak when the scan ends.
const DOWNSLOPE: f64 = 0.8;

/// An artery must enhance by this much for its shape to be known.
const ARTERY_HU: f64 = 80.0;

/// Seconds at half height that no bolus takes in an artery.
const ARTERY_WIDTH_S: f64 = 20.0;

/// Sum of second differences over peak that no smooth bolus has; pure noise has over ten.
const ARTERY_ROUGHNESS: f32 = 4.0;

/// Share of passes that may be left out.
const REJECTED_SHARE: f64 = 0.2;

/// Seconds without a frame in which a peak could hide.
const GAP_S: f64 = 5.0;

/// Why core and mismatch are withheld.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Guard {
    /// The scan began after the bolus, or so shortly before it that there is no baseline.
    NoBaseline,
    /// The scan ended before the blood had left: the vein (or, without one, the artery) still stands at this share of
    /// its peak.
    TruncatedBolus { remaining: f64 },
    /// The arterial input is too low to trust.
    WeakArtery { peak_hu: f64 },
    /// The arterial input is no bolus: too wide, or too noisy.
    BadArtery { width_s: f64 },
    /// No vein was found, so nobody knows whether the scan was long enough.
    NoVein,
    /// Too many passes were left out.
    Motion { rejected: usize, passes: usize },
    /// So long without a frame that a peak could hide.
    Gap { seconds: f64 },
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBaseline => write!(f, "the scan has no frames before the bolus"),
            Self::TruncatedBolus { remaining } => {
                write!(f, "the scan ended early: {:.0} % of the peak enhancement was left", 100.0 * remaining)
            }
            Self::WeakArtery { peak_hu } => write!(f, "the arterial input enhances by {peak_hu:.0} HU only"),
            Self::BadArtery { width_s } => {
                write!(f, "the arterial input is no clean bolus ({width_s:.0} s wide at half height)")
            }
            Self::NoVein => write!(f, "no venous output was found"),
            Self::Motion { rejected, passes } => {
                write!(f, "motion: {rejected} of {passes} time points were left out")
            }
            Self::Gap { seconds } => write!(f, "{seconds:.1} s are without a usable frame"),
        }
    }
}

pub(super) fn check(
    axis: &TimeAxis,
    motion: &Motion,
    bolus: &Bolus,
    artery: &Curve,
    vein: Option<&Curve>,
) -> Vec<Guard> {
    let mut guards = Vec::new();
    if !bolus.has_baseline {
        guards.push(Guard::NoBaseline);
    }
    let peak_hu = f64::from(artery.peak().1);
    if peak_hu < ARTERY_HU {
        guards.push(Guard::WeakArtery { peak_hu });
    }
    let width_s = f64::from(width(&artery.enhancement_hu)) * axis.step_s();
    if width_s > ARTERY_WIDTH_S || roughness(&artery.enhancement_hu) > ARTERY_ROUGHNESS {
        guards.push(Guard::BadArtery { width_s });
    }
    if vein.is_none() {
        guards.push(Guard::NoVein);
    }
    let remaining = remaining(vein.unwrap_or(artery));
    if remaining > DOWNSLOPE {
        guards.push(Guard::TruncatedBolus { remaining });
    }
    let (rejected, passes) = (motion.rejected().count(), motion.passes.len());
    if rejected as f64 > REJECTED_SHARE * passes as f64 {
        guards.push(Guard::Motion { rejected, passes });
    }
    if axis.gap_s > GAP_S {
        guards.push(Guard::Gap { seconds: axis.gap_s });
    }
    guards
}

/// Mean of the last three samples over the peak.
fn remaining(curve: &Curve) -> f64 {
    let last = &curve.enhancement_hu[curve.enhancement_hu.len().saturating_sub(3)..];
    f64::from(last.iter().sum::<f32>()) / last.len() as f64 / f64::from(curve.peak().1)
}

/// Samples between the half heights on both sides of the peak; a side that never falls ends with the curve.
pub(super) fn width(curve: &[f32]) -> f32 {
    let (at, height) = peak(curve);
    let half = height / 2.0;
    let left = (0..at).rev().find(|&sample| curve[sample] < half);
    let left = left.map_or(0.0, |low| low as f32 + (half - curve[low]) / (curve[low + 1] - curve[low]));
    let right = (at + 1..curve.len()).find(|&sample| curve[sample] < half);
    let right = right.map_or((curve.len() - 1) as f32, |low| {
        low as f32 - (half - curve[low]) / (curve[low - 1] - curve[low])
    });
    right - left
}

/// Sum of the second differences over the peak.
pub(super) fn roughness(curve: &[f32]) -> f32 {
    let bends: f32 = curve.windows(3).map(|three| (three[0] - 2.0 * three[1] + three[2]).abs()).sum();
    bends / peak(curve).1
}
