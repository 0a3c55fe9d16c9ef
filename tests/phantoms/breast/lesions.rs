//! What a mark should find: masses with varied margins, clusters of fine calcifications.

#![expect(clippy::cast_possible_truncation, reason = "millimetres of a breast fit f32")]

use std::f32::consts::TAU;

use super::field::{Field, smooth};
use super::style::Style;
use crate::phantoms::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LesionKind {
    Mass,
    Cluster,
}

/// How a mass ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Margin {
    Spiculated,
    Lobulated,
    Indistinct,
}

/// A lesion before it is drawn: the same one in every view of a breast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) kind: LesionKind,
    pub(super) margin: Margin,
    pub(super) radius_mm: f32,
    /// Its own numbers, so that both views draw the same shape.
    pub(super) seed: u64,
}

impl Plan {
    pub(super) fn new(random: &mut Random) -> Self {
        let kind = if random.below(100) < 55 { LesionKind::Mass } else { LesionKind::Cluster };
        let margin = [Margin::Spiculated, Margin::Lobulated, Margin::Indistinct][random.below(3)];
        let radius_mm = match kind {
            LesionKind::Mass => random.between(3.5, 11.0),
            LesionKind::Cluster => random.between(2.5, 7.0),
        };
        Self { kind, margin, radius_mm: radius_mm as f32, seed: random.next() }
    }
}

/// A grain drawn at the detector's own pixels: an ellipse of calcium.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speck {
    pub(super) at: [f32; 2],
    pub(super) radii_mm: [f32; 2],
    pub(super) turn: f32,
    pub(super) contrast: f32,
}

impl Speck {
    pub(super) fn fine(random: &mut Random, at: [f32; 2], contrast: f32) -> Self {
        let mut between = |low: f64, high: f64| random.between(low, high) as f32;
        let long = between(0.11, 0.28);
        let share = between(0.5, 1.0);
        let turn = between(0.0, 3.14);
        Self { at, radii_mm: [long, long * share], turn, contrast: contrast * between(0.7, 1.2) }
    }
}

/// Adds a mass to the tissue.
pub(super) fn mass(field: &mut Field, plan: &Plan, at: [f32; 2], style: &Style) {
    let mut random = Random::new(plan.seed);
    let mut between = |low: f64, high: f64| random.between(low, high) as f32;
    let radius = plan.radius_mm;
    let phases: [f32; 3] = [0; 3].map(|_| between(0.0, 6.28));
    let (flat, turn) = (between(0.72, 1.0), between(0.0, 3.14));
    let (lobes, edge) = match plan.margin {
        Margin::Spiculated => (0.10, 0.25),
        Margin::Lobulated => (0.20, 0.12),
        Margin::Indistinct => (0.12, 0.60),
    };
    let contrast = style.mass_contrast * (1.15 - 0.02 * radius);
    let bulges = style.bulges.round();
    let rim = |angle: f32| {
        let wave = (bulges * angle + phases[0]).cos() + 0.6 * ((bulges + 2.0) * angle + phases[1]).cos();
        radius * (1.0 + lobes * wave + 0.06 * (11.0 * angle + phases[2]).cos())
    };
    let (sine, cosine) = turn.sin_cos();
    field.around(at, radius * 1.9, |x, y, value| {
        let [along, across] = [cosine * x + sine * y, (cosine * y - sine * x) / flat];
        let reach = along.hypot(across) / rim(across.atan2(along));
        // Thick in the middle like a ball, and a margin that is sharp or lost in the tissue.
        let dome = 0.55 + 0.45 * (1.0 - reach * reach).max(0.0).sqrt();
        *value += contrast * dome * (1.0 - smooth(1.0 - edge, 1.0 + edge, reach));
    });
    if plan.margin == Margin::Spiculated {
        for ray in 0..style.rays {
            let angle = (ray as f32 + between(-0.35, 0.35)) / style.rays as f32 * TAU;
            let long = radius * between(1.5, 2.5);
            let line = Line { angle, from: radius * 0.6, to: long, width_mm: between(0.45, 0.9) };
            line.draw(field, at, contrast * 0.42);
        }
    }
}

/// A ray that thins out.
struct Line {
    angle: f32,
    from: f32,
    to: f32,
    width_mm: f32,
}

impl Line {
    fn draw(&self, field: &mut Field, at: [f32; 2], contrast: f32) {
        let (sine, cosine) = self.angle.sin_cos();
        let steps = ((self.to - self.from) / field.pitch_mm).ceil().max(1.0) as u32;
        let mut drawn = std::collections::HashSet::new();
        for step in 0..=steps {
            let share = step as f32 / steps as f32;
            let far = self.from + (self.to - self.from) * share;
            let width = self.width_mm * (1.0 - 0.7 * share);
            let centre = [at[0] + cosine * far, at[1] + sine * far];
            let columns = field.columns;
            let pitch = field.pitch_mm;
            field.around(centre, width * 1.6, |x, y, value| {
                let point = [centre[0] + x, centre[1] + y].map(|mm| (mm / pitch).round() as usize);
                let beside = (cosine * y - sine * x).abs();
                let strength = contrast * (1.0 - share) * (1.0 - smooth(0.4 * width, 1.2 * width, beside));
                if strength > 0.0 && drawn.insert(point[1] * columns + point[0]) {
                    *value += strength;
                }
            });
        }
    }
}

/// The grains of a cluster: denser in the middle, of many sizes.
pub(super) fn cluster(plan: &Plan, at: [f32; 2], style: &Style) -> Vec<Speck> {
    let mut random = Random::new(plan.seed);
    let stretch = random.between(0.5, 1.0) as f32;
    let (sine, cosine) = (random.between(0.0, 3.14) as f32).sin_cos();
    let specks = (0..style.specks).map(|_| {
        let angle = random.between(0.0, f64::from(TAU)) as f32;
        let far = plan.radius_mm * random.between(0.0, 1.0).powf(0.6) as f32;
        let [x, y] = [far * angle.cos(), far * angle.sin() * stretch];
        let place = [at[0] + cosine * x - sine * y, at[1] + sine * x + cosine * y];
        Speck::fine(&mut random, place, style.speck_contrast)
    });
    specks.collect()
}
