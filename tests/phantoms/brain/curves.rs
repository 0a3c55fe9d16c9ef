//! A bolus of contrast on its way: into the artery, through tissue, into the vein.

use super::Flow;

/// Steps of every integral.
const STEP_S: f64 = 0.05;

/// k_H and rho of the tissue, the usual values.
const K_H: f64 = 0.55 / 0.75;
const RHO: f64 = 1.04;

/// A gamma variate in the artery: `((t - start) / rise)^alpha * exp(alpha * (1 - (t - start) / rise))`.
#[derive(Clone, Debug)]
pub(super) struct Bolus {
    start_s: f64,
    rise_s: f64,
    alpha: f64,
    peak_hu: f64,
    /// Behind the artery, and the mean time on the way.
    vein_delay_s: f64,
    vein_transit_s: f64,
}

impl Default for Bolus {
    fn default() -> Self {
        Self { start_s: 8.0, rise_s: 6.0, alpha: 3.0, peak_hu: 320.0, vein_delay_s: 3.0, vein_transit_s: 3.5 }
    }
}

impl Bolus {
    pub(super) fn artery_hu(&self, time_s: f64) -> f64 {
        let x = (time_s - self.start_s) / self.rise_s;
        if x <= 0.0 { 0.0 } else { self.peak_hu * x.powf(self.alpha) * (self.alpha * (1.0 - x)).exp() }
    }

    pub(super) fn vein_hu(&self, time_s: f64) -> f64 {
        self.through(time_s - self.vein_delay_s, self.vein_transit_s) / self.vein_transit_s
    }

    pub(super) fn tissue_hu(&self, flow: &Flow, time_s: f64) -> f64 {
        RHO / K_H * flow.cbf / 6000.0 * self.through(time_s - flow.delay_s, flow.mtt_s())
    }

    /// The artery convolved with `exp(-t / transit_s)`, by the rule of the middle.
    fn through(&self, time_s: f64, transit_s: f64) -> f64 {
        let mut sum = 0.0;
        let mut past_s = STEP_S / 2.0;
        while past_s < time_s - self.start_s {
            sum += self.artery_hu(time_s - past_s) * (-past_s / transit_s).exp();
            past_s += STEP_S;
        }
        sum * STEP_S
    }
}
