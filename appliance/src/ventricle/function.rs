//! Left-ventricular function from areas: disks, end diastole and end systole, what follows from them.
//!
//! `V = sum of areas x distance of slice centres`, whatever the slices' thickness. End diastole and end systole are phases
//! of the whole ventricle, found on the volume curve smoothed over its neighbours: the extreme of a noisy curve is the
//! noise's, and both extremes would err towards a larger ejection fraction. The volumes reported are the curve's own. Of a
//! cycle that a reader drew in parts, the drawn phases are compared as they are.

use super::Unmeasurable;
use crate::store::cardiac::ChosenPhases;

/// Density of heart muscle (analyses.md 2.3).
const MUSCLE_G_PER_ML: f64 = 1.05;

/// Areas in mm2, by phase, then by slice; nothing of a phase that nobody measured.
#[derive(Clone, Debug, Default)]
pub(super) struct Areas {
    pub cavity: Vec<Option<Vec<f64>>>,
    /// Muscle of the ventricle.
    pub muscle: Vec<Option<Vec<f64>>>,
}

/// What the patient's object says about the patient's size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Body {
    height_m: f64,
    weight_kg: f64,
}

/// Left-ventricular function in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Function {
    /// By phase.
    pub cavity_ml: Vec<Option<f64>>,
    pub ed_phase: usize,
    pub es_phase: usize,
    pub edv_ml: f64,
    pub esv_ml: f64,
    pub ef_percent: f64,
    /// At end diastole.
    pub mass_g: Option<f64>,
}

/// Sum of disks, mL.
pub(super) fn volume_ml(areas_mm2: &[f64], distance_mm: f64) -> f64 {
    areas_mm2.iter().sum::<f64>() * distance_mm / 1000.0
}

pub(super) fn function(
    areas: &Areas,
    distance_mm: f64,
    chosen: ChosenPhases,
) -> Result<Function, Unmeasurable> {
    let volume = |slices: &Option<Vec<f64>>| slices.as_ref().map(|slices| volume_ml(slices, distance_mm));
    let cavity_ml: Vec<Option<f64>> = areas.cavity.iter().map(volume).collect();
    let (ed, es) = extremes(&cavity_ml)?;
    let (ed_phase, es_phase) = (chosen.ed.unwrap_or(ed), chosen.es.unwrap_or(es));
    let at = |phase: usize| cavity_ml.get(phase).copied().flatten().ok_or(Unmeasurable::Phases);
    let (edv_ml, esv_ml) = (at(ed_phase)?, at(es_phase)?);
    if ed_phase == es_phase && (chosen.ed.is_some() || chosen.es.is_some()) {
        return Err(Unmeasurable::Phases);
    }
    if edv_ml <= 0.0 {
        return Err(Unmeasurable::NoCavity);
    }
    let muscle = areas.muscle.get(ed_phase).and_then(Option::as_ref);
    let mass_g = muscle.map(|slices| volume_ml(slices, distance_mm) * MUSCLE_G_PER_ML);
    let ef_percent = (edv_ml - esv_ml) / edv_ml * 100.0;
    Ok(Function { cavity_ml, ed_phase, es_phase, edv_ml, esv_ml, ef_percent, mass_g })
}

/// Phases of the largest and the smallest volume: of a whole cycle by the smoothed curve, which closes upon itself; of
/// phases that a reader drew as they are.
fn extremes(curve: &[Option<f64>]) -> Result<(usize, usize), Unmeasurable> {
    let known: Vec<(usize, f64)> =
        curve.iter().enumerate().filter_map(|(phase, volume)| Some((phase, (*volume)?))).collect();
    match known.len() {
        0 => return Err(Unmeasurable::NoCavity),
        1 => return Err(Unmeasurable::OnePhase),
        _ => {}
    }
    let n = known.len();
    // Two phases have no neighbours to be smoothed over, nor have those with others between them.
    let whole = n == curve.len() && n > 2;
    let height = |i: usize| match whole {
        true => (known[(i + n - 1) % n].1 + 2.0 * known[i].1 + known[(i + 1) % n].1) / 4.0,
        false => known[i].1,
    };
    // The first among equals.
    let ed = (0..n).rev().max_by(|a, b| height(*a).total_cmp(&height(*b))).unwrap_or(0);
    let es = (0..n).min_by(|a, b| height(*a).total_cmp(&height(*b))).unwrap_or(0);
    Ok((known[ed].0, known[es].0))
}

impl Function {
    pub(super) fn stroke_ml(&self) -> f64 {
        self.edv_ml - self.esv_ml
    }

    /// L/min.
    pub(super) fn output_l_per_min(&self, heart_rate_per_min: f64) -> f64 {
        self.stroke_ml() * heart_rate_per_min / 1000.0
    }
}

impl Body {
    /// Sizes that nobody has are mistakes: centimetres written as metres, mostly.
    pub fn of(height_m: Option<f64>, weight_kg: Option<f64>) -> Option<Self> {
        let (height_m, weight_kg) = (height_m?, weight_kg?);
        let plausible = (0.3..2.6).contains(&height_m) && (1.0..400.0).contains(&weight_kg);
        plausible.then_some(Self { height_m, weight_kg })
    }

    /// Body surface, m2 (Mosteller 1987).
    pub fn surface_m2(self) -> f64 {
        (self.height_m * 100.0 * self.weight_kg / 3600.0).sqrt()
    }
}
