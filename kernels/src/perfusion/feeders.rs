//! The arterial input and the venous output: drawn by a person, or found.
//!
//! The strongest voxels of the survey are looked at one by one. An artery is early, high, narrow and smooth; the vein
//! is later and holds the most blood. Either is the mean of the best few voxels within a centimetre of the best.

use rayon::prelude::*;

use super::curve::{self, Curve, vertex};
use super::guards::{roughness, width};
use super::series::Series;
use super::{Choice, PerfusionError};
use crate::Region;

/// What the survey of a series says about each voxel, in the order of the maps.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    /// Mean before the bolus.
    pub(crate) baseline_hu: Vec<f32>,
    /// Highest enhancement of the curve of medians over three frames: what is seen in one frame only is no bolus.
    pub(crate) peak_hu: Vec<f32>,
    /// The sample of that peak.
    pub(crate) peak_sample: Vec<f32>,
}

/// Voxels that are looked at one by one, each for the artery and the vein.
const CANDIDATES: usize = 2048;

/// Voxels that make a curve.
const VOXELS: usize = 12;

/// They lie this close to the best.
const REACH_MM: f64 = 10.0;

/// A vessel's voxel enhances by this share of what the strongest do.
const STRONG: f32 = 0.4;

/// Seconds behind the first that an artery may peak, and that a vein must.
const EARLY_S: f64 = 2.5;
const LATE_S: f64 = 1.5;

/// A bolus is at least this wide at half height; what is narrower came with motion.
const WIDTH_MIN_S: f64 = 3.0;

/// Roughness that any bolus may have, and that none may.
const ROUGH: (f32, f32) = (1.5, 3.0);

/// A voxel and its index in the maps.
type Indexed = (usize, [u32; 3]);

/// One voxel with the shape of its curve.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    voxel: [u32; 3],
    peak_hu: f32,
    peak_at: f32,
    width: f32,
    roughness: f32,
    area: f32,
}

pub(crate) fn artery(
    series: &Series<'_>,
    survey: &Survey,
    inside: &Region,
    choice: &Choice,
) -> Result<Curve, PerfusionError> {
    if let Choice::Drawn(region) = choice {
        return drawn(series, region, "artery");
    }
    let (strong, first) = strong(survey, inside).ok_or(PerfusionError::NoArtery)?;
    let bound = first + samples(series, EARLY_S);
    let mut candidates = candidates(series, survey, strong, |sample| sample <= bound);
    candidates.retain(|candidate| candidate.width >= samples(series, WIDTH_MIN_S));
    let smooth = quantile(&candidates, 0.5, |candidate| candidate.roughness);
    let narrow = quantile(&candidates, 0.5, |candidate| candidate.width);
    let high = quantile(&candidates, 0.9, |candidate| candidate.peak_hu) * 0.5;
    candidates.retain(|c| {
        c.roughness <= smooth.clamp(ROUGH.0, ROUGH.1) && c.width <= narrow * 1.2 && c.peak_hu >= high
    });
    let score = |candidate: &Candidate| candidate.peak_hu / candidate.width.max(1.0);
    best(series, candidates, score).ok_or(PerfusionError::NoArtery)
}

/// `None` where nothing strong comes later than the artery.
pub(crate) fn vein(
    series: &Series<'_>,
    survey: &Survey,
    inside: &Region,
    choice: &Choice,
    artery: &Curve,
) -> Result<Option<Curve>, PerfusionError> {
    if let Choice::Drawn(region) = choice {
        return drawn(series, region, "vein").map(Some);
    }
    let Some((strong, _)) = strong(survey, inside) else { return Ok(None) };
    let bound = artery.peak().0 as f32 + samples(series, LATE_S);
    let mut candidates = candidates(series, survey, strong, |sample| sample >= bound);
    candidates.retain(|candidate| candidate.width >= samples(series, WIDTH_MIN_S));
    let smooth = quantile(&candidates, 0.7, |candidate| candidate.roughness);
    candidates.retain(|candidate| {
        candidate.roughness <= smooth.clamp(ROUGH.0, ROUGH.1) && candidate.peak_at >= bound
    });
    Ok(best(series, candidates, |candidate| candidate.area))
}

#[expect(clippy::cast_possible_truncation, reason = "a few samples")]
fn samples(series: &Series<'_>, seconds: f64) -> f32 {
    (seconds / series.axis.step_s()) as f32
}

fn drawn(series: &Series<'_>, region: &Region, name: &'static str) -> Result<Curve, PerfusionError> {
    let curve = curve::mean(series, region);
    if curve.peak().1 > 0.0 && curve.integral() > 0.0 {
        Ok(curve)
    } else {
        Err(PerfusionError::NoEnhancement(name))
    }
}

/// Voxels that enhance as vessels do, and the sample at which the first twentieth of them has peaked.
fn strong(survey: &Survey, inside: &Region) -> Option<(Vec<Indexed>, f32)> {
    // Gone through twice instead of kept: millions of places are slower to write down than to find again.
    let mut peaks: Vec<f32> = inside.voxels().map(|(voxel, _)| survey.peak_hu[voxel]).collect();
    if peaks.is_empty() {
        return None;
    }
    // The strongest but for a thousandth, so that a few voxels of metal or motion do not decide.
    let nearly_all = peaks.len() - 1 - peaks.len() / 1000;
    let strongest = *peaks.select_nth_unstable_by(nearly_all, f32::total_cmp).1;
    let strong: Vec<Indexed> =
        inside.voxels().filter(|&(voxel, _)| survey.peak_hu[voxel] >= STRONG * strongest).collect();
    let mut samples: Vec<f32> = strong.iter().map(|&(voxel, _)| survey.peak_sample[voxel]).collect();
    let early = samples.len() / 20;
    let first = *samples.select_nth_unstable_by(early, f32::total_cmp).1;
    Some((strong, first))
}

/// The strongest of those whose peak comes when it should.
fn candidates(
    series: &Series<'_>,
    survey: &Survey,
    mut voxels: Vec<Indexed>,
    when: impl Fn(f32) -> bool,
) -> Vec<Candidate> {
    voxels.retain(|&(voxel, _)| when(survey.peak_sample[voxel]));
    // Equals in the order of the maps, so that the choice does not depend on the sorting.
    voxels.sort_unstable_by(|a, b| survey.peak_hu[b.0].total_cmp(&survey.peak_hu[a.0]).then(a.0.cmp(&b.0)));
    voxels.truncate(CANDIDATES);
    let room = || (vec![0.0; series.dynamic.passes()], vec![0.0; series.axis.samples()]);
    voxels
        .into_par_iter()
        .map_init(room, |(frames, curve), (_, voxel)| {
            series.voxel(voxel, frames, curve);
            candidate(voxel, curve)
        })
        .collect()
}

fn candidate(voxel: [u32; 3], curve: &[f32]) -> Candidate {
    let (at, peak_hu) = curve::peak(curve);
    let between = at > 0 && at + 1 < curve.len();
    let offset = if between { vertex(curve[at - 1], peak_hu, curve[at + 1]).0 } else { 0.0 };
    Candidate {
        voxel,
        peak_hu,
        peak_at: at as f32 + offset,
        width: width(curve),
        roughness: roughness(curve),
        area: curve.iter().sum(),
    }
}

fn quantile(candidates: &[Candidate], share: f64, of: impl Fn(&Candidate) -> f32) -> f32 {
    let mut values: Vec<f32> = candidates.iter().map(of).collect();
    if values.is_empty() {
        return 0.0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let at = ((values.len() - 1) as f64 * share) as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

/// The mean of the best voxel and the best of those near it.
fn best(
    series: &Series<'_>,
    mut candidates: Vec<Candidate>,
    score: impl Fn(&Candidate) -> f32,
) -> Option<Curve> {
    candidates.sort_by(|a, b| score(b).total_cmp(&score(a)));
    let seed = candidates.first()?.voxel;
    let geometry = series.dynamic.geometry();
    let place_mm = |voxel: [u32; 3]| geometry.patient_mm(voxel.map(f64::from));
    let seed_mm = place_mm(seed);
    let near = |voxel: [u32; 3]| {
        let squares = place_mm(voxel).iter().zip(seed_mm).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        squares <= REACH_MM * REACH_MM
    };
    let mut region = Region::nothing(series.dimensions());
    for candidate in candidates.iter().filter(|candidate| near(candidate.voxel)).take(VOXELS) {
        let [column, row, slice] = candidate.voxel;
        region.insert(column, row, slice);
    }
    Some(curve::mean(series, &region))
}
