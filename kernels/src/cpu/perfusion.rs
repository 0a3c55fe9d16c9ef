//! Twin of the `perfusion_*` kernels. Rows are the unit of work; sixteen voxels of a row are worked on at once, each
//! step a loop over them, which compilers turn into vector instructions.

mod band;
mod deconvolve;
mod positive;

use rayon::prelude::*;

use crate::perfusion::{Maps, Series, Stripe, Survey, Work};
pub(crate) use band::gaussian;
use band::{Band, Smoothing};
use deconvolve::{Bench, Measures};

/// Voxels worked on at once.
const LANES: usize = 16;

/// One value of each.
type Lanes = [f32; LANES];

/// Rows that are smoothed together: few enough to stay in the cache, many enough that their margins cost little.
pub(crate) const BAND_ROWS: u32 = 32;

/// Baseline, peak and time of the peak of every voxel of a stripe.
pub(crate) fn survey(series: &Series<'_>, stripe: &Stripe, survey: &mut Survey) {
    let columns = series.dimensions().columns as usize;
    let voxels = stripe.voxels(series.dimensions());
    let baselines = survey.baseline_hu[voxels.clone()].par_chunks_exact_mut(columns);
    let peaks = survey.peak_hu[voxels.clone()].par_chunks_exact_mut(columns);
    let samples = survey.peak_sample[voxels].par_chunks_exact_mut(columns);
    let passes = series.dynamic.passes();
    let room = || (vec![0.0; passes * columns], Curves::new(series));
    baselines.zip(peaks).zip(samples).enumerate().for_each_init(room, |(frames, curves), (line, out)| {
        let row = stripe.rows.start + u32::try_from(line).expect("fewer rows than the slice has");
        let slice = stripe.slice;
        for (pass, frame) in frames.chunks_exact_mut(columns).enumerate() {
            series.row(pass, slice, row, 0, frame);
        }
        let ((baseline, peak), sample) = out;
        for first in (0..columns).step_by(LANES) {
            let width = LANES.min(columns - first);
            for (pass, lanes) in curves.frames.iter_mut().enumerate() {
                lanes[..width].copy_from_slice(&frames[pass * columns + first..][..width]);
            }
            let baseline_hu = curves.resample(series, slice);
            let (peak_hu, peak_sample) = median_peak(&curves.curve, series.axis.steps_per_frame());
            baseline[first..first + width].copy_from_slice(&baseline_hu[..width]);
            peak[first..first + width].copy_from_slice(&peak_hu[..width]);
            sample[first..first + width].copy_from_slice(&peak_sample[..width]);
        }
    });
}

/// Curves of sixteen voxels of one slice.
struct Curves {
    frames: Vec<Lanes>,
    curve: Vec<Lanes>,
}

impl Curves {
    fn new(series: &Series<'_>) -> Self {
        Self {
            frames: vec![[0.0; LANES]; series.dynamic.passes()],
            curve: vec![[0.0; LANES]; series.axis.samples()],
        }
    }

    /// Frames become enhancement on the axis; the baseline is handed back.
    fn resample(&mut self, series: &Series<'_>, slice: u32) -> Lanes {
        for (sample, taps) in self.curve.iter_mut().zip(series.axis.taps(slice)) {
            *sample = [0.0; LANES];
            for tap in taps.iter().filter(|tap| tap.weight != 0.0) {
                let frame = &self.frames[tap.pass_number as usize];
                for lane in 0..LANES {
                    sample[lane] += tap.weight * frame[lane];
                }
            }
        }
        let mut baseline = [0.0; LANES];
        let share = 1.0 / series.baseline_samples as f32;
        for sample in &self.curve[..series.baseline_samples] {
            (0..LANES).for_each(|lane| baseline[lane] += sample[lane] * share);
        }
        for sample in &mut self.curve {
            (0..LANES).for_each(|lane| sample[lane] -= baseline[lane]);
        }
        baseline
    }
}

/// The first highest median of samples that are a frame apart, and its sample.
fn median_peak(curve: &[Lanes], frame: usize) -> (Lanes, Lanes) {
    let (mut peak, mut at) = ([f32::NEG_INFINITY; LANES], [0.0; LANES]);
    for middle in frame..curve.len() - frame {
        let [before, here, after] = [middle - frame, middle, middle + frame].map(|sample| &curve[sample]);
        for lane in 0..LANES {
            let (low, high) = (before[lane].min(here[lane]), before[lane].max(here[lane]));
            let value = low.max(high.min(after[lane]));
            let higher = value > peak[lane];
            peak[lane] = if higher { value } else { peak[lane] };
            at[lane] = if higher { middle as f32 } else { at[lane] };
        }
    }
    (peak, at)
}

/// The five maps of a stripe, which begins with a band.
pub(crate) fn maps(work: &Work<'_>, stripe: &Stripe, maps: &mut Maps) {
    let &Work { series, plan, brain, smoothing_mm } = work;
    let dimensions = series.dimensions();
    let smoothing = Smoothing::new(series.dynamic.geometry(), smoothing_mm);
    let slice = stripe.slice;
    let voxels = stripe.voxels(dimensions);
    let band_len = BAND_ROWS as usize * dimensions.columns as usize;
    let bands = [&mut maps.cbf, &mut maps.cbv, &mut maps.mtt, &mut maps.ttp, &mut maps.tmax]
        .map(|map| map[voxels.clone()].chunks_mut(band_len));
    let [cbf, cbv, mtt, ttp, tmax] = bands;
    let bands: Vec<_> = cbf.zip(cbv).zip(mtt).zip(ttp).zip(tmax).collect();
    let room = || (Band::default(), Curves::new(series), Bench::new(plan));
    bands.into_par_iter().enumerate().for_each_init(room, |(band, curves, bench), (index, out)| {
        let ((((cbf, cbv), mtt), ttp), tmax) = out;
        let first = stripe.rows.start + u32::try_from(index).expect("fewer than the rows") * BAND_ROWS;
        let rows = first..(first + BAND_ROWS).min(stripe.rows.end);
        if !band.fill(series, brain, &smoothing, slice, rows.clone()) {
            return;
        }
        for row in rows {
            let columns: Vec<u32> = brain.columns(row, slice).collect();
            for voxels in columns.chunks(LANES) {
                band.gather(row, voxels, &mut curves.frames);
                curves.resample(series, slice);
                let measures: Measures = bench.measure(plan, &curves.curve);
                for (lane, &column) in voxels.iter().enumerate() {
                    let at = (row - first) as usize * dimensions.columns as usize + column as usize;
                    cbf[at] = measures.cbf[lane];
                    cbv[at] = measures.cbv[lane];
                    mtt[at] = measures.mtt[lane];
                    ttp[at] = measures.ttp[lane];
                    tmax[at] = measures.tmax[lane];
                }
            }
        }
    });
}
