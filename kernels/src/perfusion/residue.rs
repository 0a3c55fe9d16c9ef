//! What deconvolution needs to know about the arterial input, worked out once and shared by GPU and twin.

use std::f64::consts::TAU;

use super::axis::TimeAxis;
use super::curve::Curve;
use super::{Method, Parameters};

/// Components of the arterial input under this fraction of the largest are noise whatever the method says.
const FLOOR: f64 = 0.01;

/// Components that are added without asking: a residue of fewer is no curve.
pub(crate) const MINIMUM_COMPONENTS: usize = 2;

/// Share of the peak at which the bolus has reached the artery.
const ARRIVED: f32 = 0.1;

/// One frequency of the residue, conjugate pair and all: `k[i] += Re(C(f) * (re + i im) * exp(2 pi i f i / L))`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::NoUninit)]
pub(crate) struct Component {
    pub(crate) frequency: u32,
    /// The inverse of `step * A(f)`, filtered, with the share of the pair in the sum over L.
    pub(crate) re: f32,
    pub(crate) im: f32,
    /// What a second difference between frames makes of the component: `-4 sin^2(pi f frame / L)`.
    pub(crate) bend: f32,
}

/// How every voxel of a series is deconvolved.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// N, samples of a curve.
    pub(crate) samples: usize,
    /// `exp(2 pi i n / L)` for `n < L = 2 N`.
    pub(crate) circle: Vec<[f32; 2]>,
    /// In the order in which they are added.
    pub(crate) components: Vec<Component>,
    /// Where adding stops; the first two are always taken.
    pub(crate) oscillation_max: Option<f32>,
    pub(crate) richardson_lucy: Option<RichardsonLucy>,
    pub(crate) step_s: f32,
    /// CBF from the largest `k`.
    pub(crate) cbf_scale: f32,
    /// CBV from the sum of a tissue curve.
    pub(crate) cbv_scale: f32,
    /// When the bolus reached the artery, in samples.
    pub(crate) arrival: f32,
}

/// What the multiplicative method works with instead of components.
#[derive(Clone, Debug)]
pub(crate) struct RichardsonLucy {
    pub(crate) iterations: u32,
    /// `step * c_a`, never negative.
    pub(crate) artery: Vec<f32>,
    /// What the observed samples see of each entry of the residue; entries that none sees stay nothing.
    pub(crate) seen: Vec<f32>,
}

impl RichardsonLucy {
    fn new(iterations: u32, artery: Vec<f32>) -> Self {
        let length = 2 * artery.len();
        let seen = (0..length).map(|at| {
            let delays = (0..artery.len()).map(|sample| (sample + length - at) % length);
            delays.filter_map(|delay| artery.get(delay)).sum()
        });
        Self { iterations, seen: seen.collect(), artery }
    }
}

impl Plan {
    #[expect(clippy::cast_possible_truncation, reason = "curves are f32")]
    pub(crate) fn new(artery: &Curve, axis: &TimeAxis, scale: f64, parameters: &Parameters) -> Self {
        let (samples, step_s) = (axis.samples(), axis.step_s());
        let scaled: Vec<f64> = artery.enhancement_hu.iter().map(|&hu| f64::from(hu) * scale).collect();
        let length = 2 * samples;
        let circle = (0..length).map(|n| {
            let (sine, cosine) = (TAU * n as f64 / length as f64).sin_cos();
            [cosine as f32, sine as f32]
        });
        let tissue = parameters.k_h / parameters.rho_g_per_ml;
        let oscillation_max = match parameters.method {
            Method::Osvd { oscillation_max } => Some(oscillation_max as f32),
            _ => None,
        };
        let richardson_lucy = match parameters.method {
            Method::RichardsonLucy { iterations } => {
                let artery = scaled.iter().map(|hu| (hu * step_s).max(0.0) as f32).collect();
                Some(RichardsonLucy::new(iterations, artery))
            }
            _ => None,
        };
        Self {
            samples,
            circle: circle.collect(),
            components: components(&scaled, axis, parameters),
            oscillation_max,
            richardson_lucy,
            step_s: step_s as f32,
            cbf_scale: (6000.0 * tissue) as f32,
            cbv_scale: (100.0 * tissue / scaled.iter().sum::<f64>()) as f32,
            arrival: arrival(&artery.enhancement_hu),
        }
    }

    pub(crate) fn arrival(&self) -> f64 {
        f64::from(self.arrival)
    }
}

/// Inverse components by falling weight in the spectrum of the arterial input; equals by rising frequency.
fn components(artery: &[f64], axis: &TimeAxis, parameters: &Parameters) -> Vec<Component> {
    let length = 2 * artery.len();
    let mut spectrum: Vec<(usize, [f64; 2], f64)> = (0..=length / 2)
        .map(|frequency| {
            let omega = TAU * frequency as f64 / length as f64;
            // (1, 4, 1) / 6 from frame to frame.
            let frame = omega * axis.steps_per_frame() as f64;
            let smooth = if parameters.smooth_artery { (2.0 + frame.cos()) / 3.0 } else { 1.0 };
            let mut sum = [0.0; 2];
            for (sample, value) in artery.iter().enumerate() {
                let (sine, cosine) = (omega * sample as f64).sin_cos();
                sum = [sum[0] + value * cosine, sum[1] - value * sine];
            }
            let weighed = sum.map(|part| part * smooth * axis.step_s());
            (frequency, weighed, weighed[0].hypot(weighed[1]))
        })
        .collect();
    spectrum.sort_by(|a, b| b.2.total_cmp(&a.2));
    let largest = spectrum[0].2;
    let filter = |weight: f64| match parameters.method {
        Method::Osvd { .. } => f64::from(u8::from(weight >= FLOOR * largest)),
        Method::Csvd { cut } => f64::from(u8::from(weight >= cut * largest)),
        Method::Tikhonov { lambda } => weight * weight / (weight * weight + (lambda * largest).powi(2)),
        Method::RichardsonLucy { .. } => 0.0,
    };
    let kept = spectrum.into_iter().map(|(frequency, [re, im], weight)| {
        let pair = if frequency == 0 || frequency == length / 2 { 1.0 } else { 2.0 };
        let factor = pair * filter(weight) / (length as f64 * weight * weight);
        let half_turn = (TAU * (frequency * axis.steps_per_frame()) as f64 / (2 * length) as f64).sin();
        #[expect(clippy::cast_possible_truncation, reason = "curves are f32")]
        Component {
            frequency: u32::try_from(frequency).expect("at most the samples of a curve"),
            re: (re * factor) as f32,
            im: (-im * factor) as f32,
            bend: (-4.0 * half_turn * half_turn) as f32,
        }
    });
    kept.filter(|component| component.re != 0.0 || component.im != 0.0).collect()
}

/// The sample, with a fraction, at which a curve last rose over a tenth of its peak before it.
pub(crate) fn arrival(curve: &[f32]) -> f32 {
    let (peak, peak_hu) = super::curve::peak(curve);
    let bound = ARRIVED * peak_hu;
    let Some(below) = (0..peak).rev().find(|&sample| curve[sample] < bound) else { return 0.0 };
    below as f32 + (bound - curve[below]) / (curve[below + 1] - curve[below])
}
