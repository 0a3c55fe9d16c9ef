//! One time axis for slices that were scanned at times of their own.
//!
//! Each sample of the axis is a sum of up to four frames of a slice: a cubic through the two frames beside it whose
//! slopes come from the parabola through three neighbours (Catmull-Rom for uneven times). It passes through every
//! frame, so a series that is on the axis already is left alone. Frames that were rejected are no knots. The step is
//! a whole part of the usual interval between frames, so that a steady scan keeps every frame as it is.

use super::{Dynamic, MIN_TIME_POINTS, PerfusionError};

/// Most samples of the axis. Bounds every curve on the host and on the device.
pub(crate) const MAX_SAMPLES: usize = 512;

/// Knots of one sample.
pub(crate) const TAPS: usize = 4;

/// So much of one pass goes into a sample.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::NoUninit)]
pub(crate) struct Tap {
    pub(crate) pass_number: u32,
    pub(crate) weight: f32,
}

/// The axis, and of what frames each slice makes its samples.
#[derive(Clone, Debug)]
pub(crate) struct TimeAxis {
    start_s: f64,
    step_s: f64,
    /// Steps from one frame to the next, usually.
    steps_per_frame: usize,
    samples: usize,
    /// Slice by slice, [`TAPS`] for each sample.
    taps: Vec<[Tap; TAPS]>,
    /// Longest time without a frame in any slice.
    pub(crate) gap_s: f64,
}

impl TimeAxis {
    /// Samples every `most_step_s` or sooner over the time that all slices share; `kept` says which passes are knots.
    pub(crate) fn new(dynamic: &Dynamic, kept: &[bool], most_step_s: f64) -> Result<Self, PerfusionError> {
        let knots: Vec<Vec<(u32, f64)>> = dynamic
            .slices()
            .iter()
            .map(|series| {
                (0..).zip(series.times_s.iter().copied()).filter(|&(pass, _)| kept[pass as usize]).collect()
            })
            .collect();
        let left = knots.iter().map(Vec::len).min().unwrap_or(0);
        if left < MIN_TIME_POINTS {
            return Err(PerfusionError::TooMuchMotion { left, all: dynamic.passes() });
        }
        let mut gaps: Vec<f64> =
            knots.iter().flat_map(|slice| slice.windows(2).map(|pair| pair[1].1 - pair[0].1)).collect();
        gaps.sort_unstable_by(f64::total_cmp);
        let usual_s = gaps[gaps.len() / 2];
        let steps_per_frame = (usual_s / most_step_s - 1e-6).ceil().max(1.0);
        let step_s = usual_s / steps_per_frame;
        let start_s = knots.iter().map(|slice| slice[0].1).fold(f64::NEG_INFINITY, f64::max);
        let end_s = knots.iter().map(|slice| slice[slice.len() - 1].1).fold(f64::INFINITY, f64::min);
        let steps = (end_s - start_s) / step_s + 1e-6;
        if steps < 0.0 || steps >= MAX_SAMPLES as f64 {
            return Err(PerfusionError::TooLong { seconds: end_s - start_s, step_s, most: MAX_SAMPLES });
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
        let (samples, steps_per_frame) = (steps as usize + 1, steps_per_frame as usize);
        let sample_s = |sample: usize| start_s + step_s * sample as f64;
        let taps = knots
            .iter()
            .flat_map(|slice| (0..samples).map(|sample| cubic(slice, sample_s(sample))))
            .collect();
        Ok(Self { start_s, step_s, steps_per_frame, samples, taps, gap_s: gaps[gaps.len() - 1] })
    }

    pub(crate) fn samples(&self) -> usize {
        self.samples
    }

    pub(crate) fn step_s(&self) -> f64 {
        self.step_s
    }

    pub(crate) fn steps_per_frame(&self) -> usize {
        self.steps_per_frame
    }

    pub(crate) fn times_s(&self) -> Vec<f64> {
        (0..self.samples).map(|sample| self.seconds(sample as f64)).collect()
    }

    /// Seconds of the series at a sample; fractions are allowed.
    pub(crate) fn seconds(&self, sample: f64) -> f64 {
        self.start_s + self.step_s * sample
    }

    /// What makes each sample of a slice.
    pub(crate) fn taps(&self, slice: u32) -> &[[Tap; TAPS]] {
        &self.taps[slice as usize * self.samples..][..self.samples]
    }

    /// Those of some slices, one after the other.
    pub(crate) fn taps_of(&self, slices: &std::ops::Range<u32>) -> &[[Tap; TAPS]] {
        &self.taps[slices.start as usize * self.samples..slices.end as usize * self.samples]
    }

    /// The curve on the axis of what a slice showed in its frames.
    pub(crate) fn resample(&self, slice: u32, frames: &[f32], curve: &mut [f32]) {
        for (value, taps) in curve.iter_mut().zip(self.taps(slice)) {
            *value = taps.iter().map(|tap| tap.weight * frames[tap.pass_number as usize]).sum();
        }
    }
}

/// The weights of the knots around `t`; before the first and behind the last the curve stays as it is there.
fn cubic(knots: &[(u32, f64)], t: f64) -> [Tap; TAPS] {
    let last = knots.len() - 1;
    let at = knots.partition_point(|&(_, time)| time <= t).clamp(1, last) - 1;
    let (t1, t2) = (knots[at].1, knots[at + 1].1);
    let h = t2 - t1;
    let u = ((t - t1) / h).clamp(0.0, 1.0);
    // Hermite's four polynomials: values at both ends, slopes at both ends.
    let (value_1, value_2) = ((1.0 + 2.0 * u) * (1.0 - u).powi(2), u * u * (3.0 - 2.0 * u));
    let (slope_1, slope_2) = (h * u * (1.0 - u).powi(2), h * u * u * (u - 1.0));
    let mut weights = [0.0, value_1, value_2, 0.0];
    for (slope, end) in [(slope_1, at), (slope_2, at + 1)] {
        for (knot, weight) in slope_weights(knots, end) {
            weights[knot + 1 - at] += slope * weight;
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "a weight around 1")]
    std::array::from_fn(|tap| Tap {
        pass_number: knots[(at + tap).saturating_sub(1).min(last)].0,
        weight: weights[tap] as f32,
    })
}

/// The slope at a knot as a sum over knots: the parabola through it and its neighbours, or at the ends the chord.
fn slope_weights(knots: &[(u32, f64)], at: usize) -> [(usize, f64); 3] {
    let last = knots.len() - 1;
    if at == 0 || at == last {
        let (from, to) = if at == 0 { (0, 1) } else { (last - 1, last) };
        let chord = 1.0 / (knots[to].1 - knots[from].1);
        return [(from, -chord), (to, chord), (at, 0.0)];
    }
    let (before, after) = (knots[at].1 - knots[at - 1].1, knots[at + 1].1 - knots[at].1);
    let both = before + after;
    [
        (at - 1, -after / (before * both)),
        (at, (after - before) / (before * after)),
        (at + 1, before / (after * both)),
    ]
}
