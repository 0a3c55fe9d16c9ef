//! Sixteen voxels deconvolved together in Fourier space.

use super::{LANES, Lanes, positive};
use crate::perfusion::{Component, MINIMUM_COMPONENTS, Plan, vertex};

/// Room for what is worked out on the way.
#[derive(Debug)]
pub(super) struct Bench {
    /// The residue, around the circle.
    residue: Vec<Lanes>,
    /// Its second differences.
    bends: Vec<Lanes>,
    model: Vec<Lanes>,
}

/// Values of the five maps.
#[derive(Debug)]
pub(super) struct Measures {
    pub(super) cbf: Lanes,
    pub(super) cbv: Lanes,
    pub(super) mtt: Lanes,
    pub(super) ttp: Lanes,
    pub(super) tmax: Lanes,
}

impl Bench {
    pub(super) fn new(plan: &Plan) -> Self {
        let circle = vec![[0.0; LANES]; 2 * plan.samples];
        Self { residue: circle.clone(), bends: circle, model: vec![[0.0; LANES]; plan.samples] }
    }

    pub(super) fn measure(&mut self, plan: &Plan, curve: &[Lanes]) -> Measures {
        match &plan.richardson_lucy {
            Some(method) => positive::deconvolve(method, curve, &mut self.residue, &mut self.model),
            None => self.deconvolve(plan, curve),
        }
        self.read(plan, curve)
    }

    /// Adds components for as long as the residue stays calm.
    fn deconvolve(&mut self, plan: &Plan, curve: &[Lanes]) {
        self.residue.fill([0.0; LANES]);
        self.bends.fill([0.0; LANES]);
        let mut adding = [1.0_f32; LANES];
        for (index, component) in plan.components.iter().enumerate() {
            let [mut cosine, mut sine] = amplitude(plan, component, curve);
            if let Some(most) = plan.oscillation_max.filter(|_| index >= MINIMUM_COMPONENTS) {
                let (oscillation, peak) = self.trial(plan, component, &cosine, &sine);
                let bound = most * self.residue.len() as f32;
                for lane in 0..LANES {
                    let calm = oscillation[lane] <= bound * peak[lane];
                    adding[lane] = if calm { adding[lane] } else { 0.0 };
                }
                if adding == [0.0; LANES] {
                    break;
                }
            }
            for lane in 0..LANES {
                cosine[lane] *= adding[lane];
                sine[lane] *= adding[lane];
            }
            self.add(plan, component, &cosine, &sine);
        }
    }

    /// Sum of the absolute second differences, and the peak, that the residue would have with the component.
    fn trial(&self, plan: &Plan, component: &Component, cosine: &Lanes, sine: &Lanes) -> (Lanes, Lanes) {
        let (mut oscillation, mut peak) = ([0.0; LANES], [f32::NEG_INFINITY; LANES]);
        let length = self.residue.len();
        let mut look = |at: usize, value: &Lanes| {
            let (residue, bends) = (&self.residue[at], &self.bends[at]);
            for lane in 0..LANES {
                oscillation[lane] += (bends[lane] + component.bend * value[lane]).abs();
                peak[lane] = peak[lane].max(residue[lane] + value[lane]);
            }
        };
        for at in 0..=length / 2 {
            let (plus, minus) = waves(plan, component, at, cosine, sine);
            look(at, &plus);
            if at != 0 && at != length / 2 {
                look(length - at, &minus);
            }
        }
        (oscillation, peak)
    }

    fn add(&mut self, plan: &Plan, component: &Component, cosine: &Lanes, sine: &Lanes) {
        let length = self.residue.len();
        let mut put = |at: usize, value: &Lanes| {
            let (residue, bends) = (&mut self.residue[at], &mut self.bends[at]);
            for lane in 0..LANES {
                residue[lane] += value[lane];
                bends[lane] += component.bend * value[lane];
            }
        };
        for at in 0..=length / 2 {
            let (plus, minus) = waves(plan, component, at, cosine, sine);
            put(at, &plus);
            if at != 0 && at != length / 2 {
                put(length - at, &minus);
            }
        }
    }

    fn read(&self, plan: &Plan, curve: &[Lanes]) -> Measures {
        let (at, peak) = highest(&self.residue);
        let (curve_at, _) = highest(curve);
        let mut sum = [0.0; LANES];
        for sample in curve {
            (0..LANES).for_each(|lane| sum[lane] += sample[lane]);
        }
        let length = self.residue.len();
        let offsets: [(f32, f32); LANES] = std::array::from_fn(|lane| {
            let (before, after) = ((at[lane] + length - 1) % length, (at[lane] + 1) % length);
            vertex(self.residue[before][lane], peak[lane], self.residue[after][lane])
        });
        let cbf = std::array::from_fn(|lane| {
            let (_, height) = offsets[lane];
            (height * plan.cbf_scale).max(0.0)
        });
        let cbv = sum.map(|sum| sum * plan.cbv_scale);
        let mtt =
            std::array::from_fn(|lane| if cbf[lane] > 0.0 { 60.0 * cbv[lane] / cbf[lane] } else { f32::NAN });
        let tmax = std::array::from_fn(|lane| {
            let middle = at[lane];
            // The second half of the circle is what came before the artery.
            let around = if middle >= plan.samples { length as f32 } else { 0.0 };
            (middle as f32 - around + offsets[lane].0) * plan.step_s
        });
        let ttp = std::array::from_fn(|lane| {
            let middle = curve_at[lane];
            let offset = if middle == 0 || middle + 1 == curve.len() {
                0.0
            } else {
                vertex(curve[middle - 1][lane], curve[middle][lane], curve[middle + 1][lane]).0
            };
            (middle as f32 + offset - plan.arrival) * plan.step_s
        });
        Measures { cbf, cbv, mtt, ttp, tmax }
    }
}

/// What the component is made of in each voxel: amplitudes of cosine and sine.
fn amplitude(plan: &Plan, component: &Component, curve: &[Lanes]) -> [Lanes; 2] {
    let (mut re, mut im) = ([0.0; LANES], [0.0; LANES]);
    let length = plan.circle.len();
    let mut turn = 0;
    for sample in curve {
        let [cosine, sine] = plan.circle[turn];
        for lane in 0..LANES {
            re[lane] += cosine * sample[lane];
            im[lane] -= sine * sample[lane];
        }
        turn += component.frequency as usize;
        turn -= if turn >= length { length } else { 0 };
    }
    let cosine = std::array::from_fn(|lane| re[lane] * component.re - im[lane] * component.im);
    let sine = std::array::from_fn(|lane| -(re[lane] * component.im + im[lane] * component.re));
    [cosine, sine]
}

/// The component at `at` and at the same distance on the other side of zero.
#[inline(always)]
fn waves(plan: &Plan, component: &Component, at: usize, cosine: &Lanes, sine: &Lanes) -> (Lanes, Lanes) {
    let [c, s] = plan.circle[component.frequency as usize * at % plan.circle.len()];
    let (mut plus, mut minus) = ([0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        let (even, odd) = (c * cosine[lane], s * sine[lane]);
        plus[lane] = even + odd;
        minus[lane] = even - odd;
    }
    (plus, minus)
}

/// The first highest sample and its value.
fn highest(values: &[Lanes]) -> ([usize; LANES], Lanes) {
    let (mut at, mut peak) = ([0; LANES], [f32::NEG_INFINITY; LANES]);
    for (index, value) in values.iter().enumerate() {
        for lane in 0..LANES {
            let higher = value[lane] > peak[lane];
            peak[lane] = if higher { value[lane] } else { peak[lane] };
            at[lane] = if higher { index } else { at[lane] };
        }
    }
    (at, peak)
}
