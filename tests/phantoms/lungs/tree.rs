//! Vessels and airways of the lungs: tubes that branch from each hilum, thin out and end.

use super::Grid;
use crate::phantoms::chest::Sample;
use crate::phantoms::random::Random;
use crate::phantoms::shape::{Point, capsule};

const BLOOD_HU: f32 = 40.0;
const AIR_HU: f32 = -960.0;

#[derive(Clone, Copy, Debug)]
pub(super) struct Tube {
    pub(super) from: Point,
    pub(super) to: Point,
    pub(super) radius_mm: f32,
    /// An airway: its wall is tissue, its inside air.
    hollow: bool,
}

/// All tubes of both lungs.
pub(super) fn grow(trunks: usize, taper: f32, random: &mut Random) -> Vec<Tube> {
    let mut tubes = Vec::new();
    for hilum in [[-46.0_f32, 12.0, 18.0], [50.0, 16.0, 20.0]] {
        for trunk in 0..trunks {
            let mut between = |low: f64, high: f64| random.between(low, high) as f32;
            let out = hilum[0].signum() * between(0.35, 1.0);
            let heading = [out, between(-0.9, 0.9), between(-1.2, 1.2)];
            let radius = between(2.2, 4.2);
            branch(&mut tubes, random, hilum, heading, radius, (taper, trunk % 5 == 4), 5);
        }
    }
    tubes
}

fn branch(
    tubes: &mut Vec<Tube>,
    random: &mut Random,
    from: Point,
    heading: Point,
    radius_mm: f32,
    (taper, hollow): (f32, bool),
    levels: u8,
) {
    let reach = random.between(9.0, 24.0) as f32;
    let to = [0, 1, 2].map(|axis| from[axis] + heading[axis] * reach);
    tubes.push(Tube { from, to, radius_mm, hollow });
    let levels_left = if hollow { levels.saturating_sub(2) } else { levels };
    if levels_left > 0 && radius_mm > 0.35 {
        for _ in 0..2 {
            let turned = heading.map(|value| value * 0.94 + random.between(-0.5, 0.5) as f32);
            branch(tubes, random, to, turned, radius_mm * taper, (taper, hollow), levels - 1);
        }
    }
}

impl Tube {
    pub(super) fn draw(&self, grid: &Grid, z: f32, thick_mm: f32, samples: &mut [Sample]) {
        let reach = self.radius_mm + 1.5;
        let bound = |axis: usize| {
            let (a, b) = (self.from[axis], self.to[axis]);
            (a.min(b) - reach, a.max(b) + reach)
        };
        let (low, high) = bound(2);
        if z < low - thick_mm || z > high + thick_mm {
            return;
        }
        // Thin tubes that cross the slice steeply fill it in part; two looks into the slice are enough.
        let looks = [z - 0.5 * thick_mm, z + 0.5 * thick_mm];
        super::growths::over(grid, [bound(0), bound(1)], |x, y, at| {
            let sample = &mut samples[at];
            if !sample.lung {
                return;
            }
            let near = looks.map(|z| capsule([x, y, z], self.from, self.to, self.radius_mm));
            let cover = near.map(|distance| (0.5 - distance / 0.9).clamp(0.0, 1.0)).iter().sum::<f32>() / 2.0;
            if cover > 0.0 {
                let inside = near.iter().all(|distance| *distance < -0.45 * self.radius_mm);
                let value = if self.hollow && inside { AIR_HU } else { BLOOD_HU };
                let drawn = sample.hounsfield + (value - sample.hounsfield) * cover;
                sample.hounsfield = if self.hollow { drawn } else { drawn.max(sample.hounsfield) };
            }
        });
    }
}
