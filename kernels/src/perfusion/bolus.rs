//! When the bolus comes, so that the frames before it can serve as the baseline.

use super::coarse::Coarse;
use super::{PerfusionError, axis::TimeAxis};

/// Rise of the strongest coarse voxels below which nobody was injected.
const BOLUS_HU: f32 = 15.0;

/// Share of its peak at which the bolus is in a voxel, clear of the noise.
const ARRIVED: f32 = 0.2;

/// Seconds from the foot of the bolus to that share, and what the earliest voxel may be ahead of those looked at.
const MARGIN_S: f64 = 4.0;

/// Voxels of soft tissue lie between these before the bolus.
const SOFT_HU: std::ops::RangeInclusive<f32> = -10.0..=100.0;

/// Voxels that are looked at: a fiftieth of the tissue, and at least so many.
const STRONGEST_MIN: usize = 32;

/// A voxel with less of the strongest rise holds no vessel.
const VESSEL: f32 = 0.3;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bolus {
    /// Samples from the start that are before the bolus; at least 1.
    pub(crate) baseline_samples: usize,
    /// Whether there was time enough before the bolus for a baseline.
    pub(crate) has_baseline: bool,
}

/// The first tenth of the strongest voxels says when: arteries, however many veins there are.
pub(crate) fn find(coarse: &Coarse, axis: &TimeAxis) -> Result<Bolus, PerfusionError> {
    let slice_len = coarse.grid.size[0] * coarse.grid.size[1];
    let mut frames = vec![0.0; coarse.passes.len()];
    let mut curve = vec![0.0; axis.samples()];
    let mut shapes: Vec<(f32, usize)> = Vec::new();
    for voxel in strongest(coarse) {
        frames.iter_mut().zip(&coarse.passes).for_each(|(frame, pass)| *frame = pass[voxel]);
        axis.resample(coarse.grid.fine_slice(voxel / slice_len), &frames, &mut curve);
        shapes.push(rise_and_arrival(&curve));
    }
    let highest = shapes.iter().map(|shape| shape.0).fold(0.0, f32::max);
    if highest < BOLUS_HU {
        return Err(PerfusionError::NoBolus { peak_hu: f64::from(highest) });
    }
    let mut arrivals: Vec<usize> =
        shapes.iter().filter(|shape| shape.0 >= VESSEL * highest).map(|shape| shape.1).collect();
    let early = arrivals.len() / 10;
    let arrival = *arrivals.select_nth_unstable(early).1;
    let baseline_s = arrival as f64 * axis.step_s() - MARGIN_S;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the axis")]
    let baseline_samples = (baseline_s / axis.step_s()).floor().max(0.0) as usize + 1;
    Ok(Bolus { baseline_samples, has_baseline: baseline_s > 0.0 })
}

/// Coarse voxels of soft tissue that rise the most.
fn strongest(coarse: &Coarse) -> Vec<usize> {
    let mut rises: Vec<(f32, usize)> = (0..coarse.grid.len())
        .filter(|&voxel| SOFT_HU.contains(&coarse.passes[0][voxel]))
        .map(|voxel| {
            let highest = coarse.passes.iter().map(|pass| pass[voxel]).fold(f32::NEG_INFINITY, f32::max);
            (highest - (coarse.passes[0][voxel] + coarse.passes[1][voxel]) / 2.0, voxel)
        })
        .collect();
    let wanted = (rises.len() / 50).max(STRONGEST_MIN);
    if wanted < rises.len() {
        rises.select_nth_unstable_by(wanted, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        rises.truncate(wanted);
    }
    rises.into_iter().map(|(_, voxel)| voxel).collect()
}

/// How far a curve, smoothed by (1, 2, 1) / 4, rises over its first samples, and the sample after which it stays over
/// a part of that until its peak.
fn rise_and_arrival(curve: &[f32]) -> (f32, usize) {
    let last = curve.len() - 1;
    let smooth =
        |at: usize| 0.25 * (curve[at.saturating_sub(1)] + 2.0 * curve[at] + curve[(at + 1).min(last)]);
    let early = (smooth(0) + smooth(1)) / 2.0;
    let peak = (0..=last).max_by(|&a, &b| smooth(a).total_cmp(&smooth(b))).expect("an axis has samples");
    let rise = smooth(peak) - early;
    let below = (0..peak).rev().find(|&at| smooth(at) - early < ARRIVED * rise);
    (rise, below.map_or(0, |below| below + 1))
}
