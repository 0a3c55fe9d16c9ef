//! Left-ventricular function from areas: disks, end diastole and end systole, what follows from them.
//!
//! `V = sum of areas x distance of slice centres`, whatever the slices' thickness. End diastole and end systole are phases
//! of the whole ventricle, found on the volume curve smoothed over its neighbours: the extreme of a noisy curve is the
//! noise's, and both extremes would err towards a larger ejection fraction. The volumes reported are the curve's own.

/// Density of heart muscle (analyses.md 2.3).
const MUSCLE_G_PER_ML: f64 = 1.05;

/// Areas in mm2, by phase, then by slice.
#[derive(Clone, Debug, Default)]
pub(super) struct Areas {
    pub cavity: Vec<Vec<f64>>,
    /// Muscle of the ventricle; empty where nobody measured it.
    pub muscle: Vec<Vec<f64>>,
}

/// What the patient's object says about the patient's size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Body {
    pub height_m: f64,
    pub weight_kg: f64,
}

/// Left-ventricular function in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Function {
    /// By phase.
    pub cavity_ml: Vec<f64>,
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

/// `None` where there is no cavity in any phase.
pub(super) fn function(areas: &Areas, distance_mm: f64) -> Option<Function> {
    let cavity_ml: Vec<f64> = areas.cavity.iter().map(|slices| volume_ml(slices, distance_mm)).collect();
    let (ed_phase, es_phase) = extremes(&cavity_ml)?;
    let (edv_ml, esv_ml) = (cavity_ml[ed_phase], cavity_ml[es_phase]);
    if edv_ml <= 0.0 {
        return None;
    }
    let mass_g = areas.muscle.get(ed_phase).map(|slices| volume_ml(slices, distance_mm) * MUSCLE_G_PER_ML);
    let ef_percent = (edv_ml - esv_ml) / edv_ml * 100.0;
    Some(Function { cavity_ml, ed_phase, es_phase, edv_ml, esv_ml, ef_percent, mass_g })
}

/// Phases of the largest and the smallest volume of the smoothed curve, which closes upon itself.
fn extremes(curve: &[f64]) -> Option<(usize, usize)> {
    let n = curve.len();
    // Two phases have no neighbours to be smoothed over.
    let smooth = |i: usize| match n {
        0..=2 => curve[i],
        _ => (curve[(i + n - 1) % n] + 2.0 * curve[i] + curve[(i + 1) % n]) / 4.0,
    };
    // The first among equals.
    let ed = (0..n).rev().max_by(|a, b| smooth(*a).total_cmp(&smooth(*b)))?;
    let es = (0..n).min_by(|a, b| smooth(*a).total_cmp(&smooth(*b)))?;
    Some((ed, es))
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
    pub(super) fn of(height_m: Option<f64>, weight_kg: Option<f64>) -> Option<Self> {
        let (height_m, weight_kg) = (height_m?, weight_kg?);
        let plausible = (0.3..2.6).contains(&height_m) && (1.0..400.0).contains(&weight_kg);
        plausible.then_some(Self { height_m, weight_kg })
    }

    /// Body surface, m2 (Mosteller 1987).
    pub(super) fn surface_m2(self) -> f64 {
        (self.height_m * 100.0 * self.weight_kg / 3600.0).sqrt()
    }
}
