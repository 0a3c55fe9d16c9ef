//! The breast without anything to find: outline, skin, fat and parenchyma, pectoral muscle, nipple, vessels.
//!
//! Plane millimetres: x away from the chest wall, y downwards from the top of the picture. Values are how much each
//! point weakens the beam: fat about 0.3, dense tissue about 0.75.

#![expect(clippy::cast_possible_truncation, reason = "millimetres of a breast fit f32")]

use super::field::{Field, Noise, smooth};
use super::style::Style;
use super::{PICTURE_MM, Projection};
use crate::phantoms::random::Random;
use crate::phantoms::shape::oval;

const FAT: f32 = 0.30;
const DENSE: f32 = 0.40;
/// Where compression ends and the rim rounds off.
const RIM_MM: f32 = 14.0;

/// Size and fullness; the same in all views of one breast but for the compression.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anatomy {
    pub(super) depth_mm: f32,
    pub(super) half_mm: f32,
    pub(super) middle_mm: f32,
    power: f32,
    /// Share of dense tissue, 0 to 1.
    density: f32,
    /// How far the pectoral muscle reaches along the top and down the chest wall; nothing on CC views.
    pectoral_mm: Option<[f32; 2]>,
}

impl Anatomy {
    pub(super) fn new(projection: Projection, density: f32, size: f32, random: &mut Random) -> Self {
        let mut between = |low: f64, high: f64| random.between(low, high) as f32;
        let depth_mm = size * between(0.95, 1.05);
        let oblique = projection == Projection::Mlo;
        let half_mm = size * if oblique { between(1.05, 1.2) } else { between(0.95, 1.1) };
        let half_mm = half_mm.min(PICTURE_MM[1] / 2.0 - 8.0);
        let middle_mm = PICTURE_MM[1] / 2.0 + if oblique { between(0.0, 8.0) } else { between(-6.0, 6.0) };
        let pectoral_mm = oblique.then(|| [depth_mm * between(0.35, 0.6), half_mm * between(0.8, 1.3)]);
        Self { depth_mm, half_mm, middle_mm, power: between(1.9, 2.4), density, pectoral_mm }
    }

    /// Distance to the skin: below zero inside.
    pub(super) fn skin(&self, x: f32, y: f32) -> f32 {
        oval(x, y - self.middle_mm, self.depth_mm, self.half_mm, self.power)
    }

    /// Distance to the edge of the pectoral muscle: below zero inside.
    pub(super) fn pectoral(&self, x: f32, y: f32) -> f32 {
        let Some([across, down]) = self.pectoral_mm else { return f32::INFINITY };
        let y = y - (self.middle_mm - self.half_mm);
        let slope = (across * across + down * down).sqrt();
        (x * down + y * across - across * down) / slope
    }

    /// The tissue on a coarse grid.
    pub(super) fn tissue(&self, style: &Style, random: &mut Random) -> Field {
        let (dense, fine, wobble) = (Noise::new(random), Noise::new(random), Noise::new(random));
        let mut field = Field::new(PICTURE_MM, 0.25);
        let threshold = 0.80 - 0.62 * self.density;
        for row in 0..field.rows {
            let y = row as f32 * field.pitch_mm;
            for column in 0..field.columns {
                let x = column as f32 * field.pitch_mm;
                let skin = self.skin(x, y) + 3.0 * (wobble.at(x / 30.0, y / 30.0) - 0.5);
                if skin > 0.0 {
                    continue;
                }
                let thick = rounded(skin);
                let gland = self.gland([x, y], &dense, style, threshold) * smooth(2.0, 9.0, -skin);
                // Strands run where the noise crosses one half: thin, curved, of no particular direction.
                let ridge = 1.0 - smooth(0.0, 0.07, (fine.octaves([x, y], 9.0, 3, 0.5) - 0.5).abs());
                let grain = fine.octaves([y, x], 3.0, 3, style.gain) - 0.5;
                let tissue = FAT + DENSE * gland + style.strand * (ridge * (0.5 + gland) + grain);
                let muscle = smooth(1.5, -1.5, self.pectoral(x, y) + 4.0 * (wobble.at(y / 20.0, 9.0) - 0.5));
                let muscle_value =
                    0.74 + 0.10 * (dense.at(x / 14.0, y / 6.0) - 0.5) + 0.4 * style.strand * grain;
                let skin_line = 0.10 * smooth(-1.9, -1.2, skin) * smooth(0.0, -0.3, skin);
                let value = thick * (tissue + (muscle_value - tissue).max(0.0) * muscle) + skin_line;
                field.values[row * field.columns + column] = value;
            }
        }
        field
    }

    /// How much of a point is dense, 0 to 1: most behind the nipple, least under skin and towards the chest wall.
    fn gland(&self, [x, y]: [f32; 2], noise: &Noise, style: &Style, threshold: f32) -> f32 {
        let across = (x - 0.52 * self.depth_mm) / (0.52 * self.depth_mm);
        let down = (y - self.middle_mm) / (0.72 * self.half_mm);
        let outside = (across * across + down * down - 0.75).max(-0.25);
        let value = noise.octaves([x, y], style.wave_mm, 5, style.gain) - 0.28 * outside;
        smooth(threshold - 0.16, threshold + 0.20, value)
    }
}

/// Thickness under compression: full inside, round at the rim.
fn rounded(skin: f32) -> f32 {
    let rest = (1.0 + skin / RIM_MM).max(0.0);
    // Pictures are corrected for the rim, so it stays visible.
    0.35 + 0.65 * (1.0 - rest * rest).max(0.0).sqrt()
}

/// The nipple: a knob in profile, or a round density under the skin that looks like a mass.
pub(super) fn nipple(field: &mut Field, anatomy: &Anatomy, random: &mut Random) -> [f32; 2] {
    let mut between = |low: f64, high: f64| random.between(low, high) as f32;
    let radius = between(4.0, 6.5);
    let in_profile = between(0.0, 1.0) < 0.7;
    let inwards = if in_profile { between(-2.0, 1.0) } else { between(5.0, 14.0) };
    let at = [anatomy.depth_mm - inwards, anatomy.middle_mm + between(-8.0, 8.0)];
    let strength = between(0.18, 0.34);
    field.around(at, radius * 1.4, |x, y, value| {
        let cover = 1.0 - smooth(radius * 0.88, radius * 1.05, x.hypot(1.15 * y));
        *value += strength * cover * if *value > 0.0 { 1.0 } else { 1.9 };
    });
    at
}

/// Curved tubes that cross the breast, each from the chest wall towards the nipple; gives points along them.
pub(super) fn vessels(field: &mut Field, anatomy: &Anatomy, random: &mut Random) -> Vec<Vec<[f32; 2]>> {
    let count = 2 + random.below(5);
    (0..count).map(|_| vessel(field, anatomy, random)).collect()
}

fn vessel(field: &mut Field, anatomy: &Anatomy, random: &mut Random) -> Vec<[f32; 2]> {
    let mut between = |low: f64, high: f64| random.between(low, high) as f32;
    let width = between(0.8, 2.2);
    let strength = between(0.05, 0.13);
    let mut at = [0.0, anatomy.middle_mm + anatomy.half_mm * between(-0.8, 0.8)];
    let mut heading = between(-0.6, 0.6);
    let mut bend = between(-0.04, 0.04);
    let mut course = Vec::new();
    let mut drawn = vec![false; field.values.len()];
    let columns = field.columns;
    while anatomy.skin(at[0], at[1]) < -5.0 && course.len() < 400 {
        course.push(at);
        let pitch = field.pitch_mm;
        field.around(at, width, |x, y, value| {
            let point = [at[0] + x, at[1] + y].map(|mm| (mm / pitch).round() as usize);
            let cover = 1.0 - smooth(0.55 * width, width, x.hypot(y));
            let index = point[1] * columns + point[0];
            if cover > 0.3 && !drawn[index] {
                drawn[index] = true;
                *value += strength * cover;
            }
        });
        at = [at[0] + 0.5 * heading.cos(), at[1] + 0.5 * heading.sin()];
        bend = (bend + between(-0.008, 0.008)).clamp(-0.05, 0.05);
        heading = (heading + 0.5 * bend).clamp(-1.3, 1.3);
    }
    course
}
