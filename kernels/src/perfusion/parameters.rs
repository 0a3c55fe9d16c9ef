//! What a person may choose about an analysis, with the values that are chosen when nobody does.

use super::PerfusionError;
use crate::Region;

/// How the residue function is found from the tissue curve and the arterial input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Block-circulant truncation whose cut follows the voxel: components are added by falling weight of the arterial
    /// input's spectrum for as long as the oscillation index stays within the limit (Wu 2003, MRM 50:164).
    Osvd { oscillation_max: f64 },
    /// Block-circulant truncation: components under this fraction of the largest are left out.
    Csvd { cut: f64 },
    /// Each component `s` is weighted by `s^2 / (s^2 + (lambda * s_1)^2)`, `s_1` the largest.
    Tikhonov { lambda: f64 },
    /// Multiplicative updates that keep the residue positive; takes many times the work of the others.
    RichardsonLucy { iterations: u32 },
}

impl Method {
    /// Toolboxes use 0.035. On the digital reference object of OSIPI, with the artery smoothed, this is nearer to the
    /// truth: mean absolute error of CBF 2.5 instead of 4 mL/100 g/min.
    pub const OSVD: Self = Self::Osvd { oscillation_max: 0.065 };
    pub const CSVD: Self = Self::Csvd { cut: 0.1 };
    pub const TIKHONOV: Self = Self::Tikhonov { lambda: 0.1 };
    pub const RICHARDSON_LUCY: Self = Self::RichardsonLucy { iterations: 20 };
}

/// Where something is: found by the analysis, or drawn by a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    Automatic,
    Drawn(Region),
}

/// What "relative" flow is relative to. Centres differ; the choice is printed beside every number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reference {
    /// The median of tissue whose Tmax is below this many seconds.
    NormalTissue { tmax_below_s: f64 },
    /// The median of the other hemisphere, the halves parted at the middle of the intracranial space.
    Contralateral,
}

/// What an analysis is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    pub method: Method,
    pub artery: Choice,
    pub vein: Choice,
    /// Where maps are made. Drawn, it replaces the automatic brain (and the search for skull and CSF).
    pub brain: Choice,
    /// Scales the arterial input by `integral of vein / integral of artery`, for partial volume in a small artery.
    /// Contested, so off until somebody asks; the factor that was used is in [`Perfusion`](super::Perfusion).
    pub scale_by_vein: bool,
    /// The factor of [`scale_by_vein`](Self::scale_by_vein) is kept within `1..=` this.
    pub vein_scale_max: f64,
    /// `(1 - Hct_large) / (1 - Hct_small)`.
    pub k_h: f64,
    /// Density of brain tissue, g/mL.
    pub rho_g_per_ml: f64,
    /// Smooths the arterial input by (1, 4, 1) / 6 from frame to frame.
    pub smooth_artery: bool,
    /// Standard deviation of the Gaussian that smooths tissue within the brain of a slice before it is
    /// deconvolved. 0 is off.
    pub smoothing_mm: f64,
    /// Aligns the passes with one another.
    pub correct_motion: bool,
    /// Step of the common time axis, at most 1 s.
    pub step_s: f64,
    /// Core is tissue with less than this fraction of the reference's flow.
    pub core_below: f64,
    /// Hypoperfused is tissue with a longer Tmax than this.
    pub hypoperfused_over_s: f64,
    pub reference: Reference,
    /// Tissue with more blood than this, mL/100 g, is counted as vessel, not as tissue.
    pub vessel_over_cbv: f64,
    /// Intracranial voxels below this many HU before the bolus are CSF.
    pub csf_below_hu: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            method: Method::OSVD,
            artery: Choice::Automatic,
            vein: Choice::Automatic,
            brain: Choice::Automatic,
            scale_by_vein: false,
            vein_scale_max: 2.5,
            k_h: (1.0 - 0.45) / (1.0 - 0.25),
            rho_g_per_ml: 1.04,
            smooth_artery: true,
            smoothing_mm: 1.5,
            correct_motion: true,
            step_s: 1.0,
            core_below: 0.30,
            hypoperfused_over_s: 6.0,
            reference: Reference::NormalTissue { tmax_below_s: 4.0 },
            vessel_over_cbv: 9.0,
            csf_below_hu: 14.0,
        }
    }
}

impl Parameters {
    /// Refuses what is not a number or is out of its range, by name.
    pub(crate) fn check(&self) -> Result<(), PerfusionError> {
        let (what, value, low, high) = match self.method {
            Method::Osvd { oscillation_max } => ("the oscillation index", oscillation_max, 1e-3, 1.0),
            Method::Csvd { cut } => ("the cut", cut, 1e-4, 0.99),
            Method::Tikhonov { lambda } => ("lambda", lambda, 1e-4, 10.0),
            Method::RichardsonLucy { iterations } => ("iterations", f64::from(iterations), 1.0, 200.0),
        };
        let reference = match self.reference {
            Reference::NormalTissue { tmax_below_s } => tmax_below_s,
            Reference::Contralateral => 1.0,
        };
        let ranges = [
            (what, value, low, high),
            ("the largest vein scale", self.vein_scale_max, 1.0, 10.0),
            ("k_H", self.k_h, 0.1, 2.0),
            ("the density of tissue", self.rho_g_per_ml, 0.5, 2.0),
            ("the smoothing", self.smoothing_mm, 0.0, 10.0),
            ("the time step", self.step_s, 0.25, 1.0),
            ("the bound of the core", self.core_below, 0.0, 1.0),
            ("the bound of hypoperfusion", self.hypoperfused_over_s, 0.0, 60.0),
            ("the Tmax of normal tissue", reference, 0.1, 60.0),
            ("the blood volume of a vessel", self.vessel_over_cbv, 1.0, 1000.0),
            ("the bound of CSF", self.csf_below_hu, -100.0, 40.0),
        ];
        for (parameter, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(PerfusionError::Parameter { parameter, value, low, high });
            }
        }
        Ok(())
    }
}
