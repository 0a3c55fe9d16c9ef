//! Richardson and Lucy's deconvolution: multiplicative updates that keep the residue positive.

use super::{LANES, Lanes};
use crate::perfusion::RichardsonLucy;

/// What a model is at least, against division by nothing.
const LEAST: f32 = 1e-6;

/// Fills `residue`, around the circle, from curves of which only what is positive is explained.
pub(super) fn deconvolve(
    method: &RichardsonLucy,
    curve: &[Lanes],
    residue: &mut [Lanes],
    model: &mut [Lanes],
) {
    let (artery, length) = (&method.artery, residue.len());
    residue.fill([1.0 / length as f32; LANES]);
    for (entry, &seen) in residue.iter_mut().zip(&method.seen) {
        if seen <= 0.0 {
            *entry = [0.0; LANES];
        }
    }
    for _ in 0..method.iterations {
        for (sample, value) in model.iter_mut().enumerate() {
            let mut sum = [0.0; LANES];
            for (delay, &weight) in artery.iter().enumerate() {
                let entry = &residue[(sample + length - delay) % length];
                (0..LANES).for_each(|lane| sum[lane] += weight * entry[lane]);
            }
            for lane in 0..LANES {
                value[lane] = curve[sample][lane].max(0.0) / sum[lane].max(LEAST);
            }
        }
        for (at, (entry, &seen)) in
            residue.iter_mut().zip(&method.seen).enumerate().filter(|(_, (_, seen))| **seen > 0.0)
        {
            let mut sum = [0.0; LANES];
            for (sample, ratio) in model.iter().enumerate() {
                let Some(weight) = back(artery, sample, at, length) else { continue };
                (0..LANES).for_each(|lane| sum[lane] += weight * ratio[lane]);
            }
            (0..LANES).for_each(|lane| entry[lane] *= sum[lane] / seen);
        }
    }
}

/// What entry `at` of the residue adds to `sample`.
fn back(artery: &[f32], sample: usize, at: usize, length: usize) -> Option<f32> {
    artery.get((sample + length - at) % length).copied()
}
