//! What a network should not mark: round densities with smooth edges, lymph nodes, oil cysts, coarse and scattered
//! calcifications, calcified vessels, folds, dust and lead letters. Some are brighter than any lesion.

#![expect(clippy::cast_possible_truncation, reason = "millimetres of a breast fit f32")]

use super::anatomy::Anatomy;
use super::field::{Field, smooth};
use super::lesions::Speck;
use crate::phantoms::random::Random;

/// A free place inside the breast, off the muscle; None where forty throws found none.
pub(super) fn place(
    anatomy: &Anatomy,
    margin_mm: f32,
    taken: &[([f32; 2], f32)],
    random: &mut Random,
) -> Option<[f32; 2]> {
    for _ in 0..40 {
        let x = random.between(0.0, f64::from(anatomy.depth_mm)) as f32;
        let y = anatomy.middle_mm + anatomy.half_mm * random.between(-1.0, 1.0) as f32;
        let free = taken.iter().all(|(at, reach)| (at[0] - x).hypot(at[1] - y) > reach + margin_mm + 4.0);
        let inside = x > margin_mm && anatomy.skin(x, y) < -margin_mm - 3.0;
        if free && inside && anatomy.pectoral(x, y) > margin_mm + 2.0 {
            return Some([x, y]);
        }
    }
    None
}

/// Smooth round things: a cyst or fibroadenoma (sharp, oval), a lymph node (with its fatty hilum), an oil cyst (a rim).
pub(super) fn round_things(
    field: &mut Field,
    anatomy: &Anatomy,
    taken: &mut Vec<([f32; 2], f32)>,
    random: &mut Random,
) {
    for _ in 0..[0, 0, 1, 1, 2][random.below(5)] {
        let radius = random.between(2.5, 7.5) as f32;
        let Some(at) = place(anatomy, radius, taken, random) else { continue };
        taken.push((at, radius));
        let kind = random.below(3);
        let mut between = |low: f64, high: f64| random.between(low, high) as f32;
        let (flat, strength) = (between(0.6, 0.95), between(0.10, 0.30));
        let (sine, cosine) = between(0.0, 3.14).sin_cos();
        let hilum = between(0.25, 0.5);
        field.around(at, radius * 1.5, |x, y, value| {
            let [along, across] = [cosine * x + sine * y, (cosine * y - sine * x) / flat];
            let reach = along.hypot(across) / radius;
            let inside = 1.0 - smooth(0.97, 1.03, reach);
            *value += match kind {
                0 => strength * inside - 0.05 * smooth(1.0, 1.04, reach) * (1.0 - smooth(1.04, 1.18, reach)),
                1 => {
                    let hollow =
                        1.0 - smooth(0.8, 1.0, along.hypot(across - hilum * radius) / (0.5 * radius));
                    strength * inside * (1.0 - 1.1 * hollow)
                }
                _ => inside * (strength * smooth(0.80, 0.88, reach) - 0.06),
            };
        });
    }
}

/// A line where the skin folded.
pub(super) fn fold(field: &mut Field, anatomy: &Anatomy, random: &mut Random) {
    if random.below(8) != 0 {
        return;
    }
    let mut between = |low: f64, high: f64| random.between(low, high) as f32;
    let y = anatomy.middle_mm + anatomy.half_mm * between(0.5, 0.9);
    let (slope, strength, width) = (between(-0.3, 0.3), between(0.1, 0.25), between(0.8, 2.5));
    let columns = field.columns;
    for row in 0..field.rows {
        for column in 0..columns {
            let [x, down] = [column, row].map(|index| index as f32 * field.pitch_mm);
            let value = &mut field.values[row * columns + column];
            if *value > 0.0 && x < anatomy.depth_mm * 0.6 {
                *value += strength * (1.0 - smooth(0.3 * width, width, (down - y - slope * x).abs()));
            }
        }
    }
}

/// Calcium that is no cluster: scattered grains, coarse lumps, vessel walls.
pub(super) fn calcium(
    anatomy: &Anatomy,
    courses: &[Vec<[f32; 2]>],
    taken: &mut Vec<([f32; 2], f32)>,
    contrast: f32,
    random: &mut Random,
) -> Vec<Speck> {
    let mut specks = Vec::new();
    for _ in 0..random.below(4) {
        // Single grains stay 12 mm from everything, so that they never make a cluster.
        if let Some(at) = place(anatomy, 8.0, taken, random) {
            taken.push((at, 8.0));
            specks.push(Speck::fine(random, at, contrast));
        }
    }
    for _ in 0..[0, 0, 0, 1, 1, 2][random.below(6)] {
        let Some(at) = place(anatomy, 5.0, taken, random) else { continue };
        taken.push((at, 6.0));
        lump(&mut specks, at, random);
    }
    if random.below(6) == 0 && !courses.is_empty() {
        vessel_walls(&mut specks, &courses[random.below(courses.len())], contrast, random);
    }
    specks
}

/// A coarse benign calcification: a few large grains grown together.
fn lump(specks: &mut Vec<Speck>, at: [f32; 2], random: &mut Random) {
    let size = random.between(0.5, 1.6) as f32;
    for _ in 0..1 + random.below(4) {
        let mut between = |low: f64, high: f64| random.between(low, high) as f32;
        let place = [at[0] + size * between(-0.7, 0.7), at[1] + size * between(-0.7, 0.7)];
        let radii_mm = [size * between(0.7, 1.0), size * between(0.6, 0.9)];
        specks.push(Speck { at: place, radii_mm, turn: between(0.0, 3.14), contrast: between(0.3, 0.8) });
    }
}

/// Two rails of grains along a stretch of a vessel.
fn vessel_walls(specks: &mut Vec<Speck>, course: &[[f32; 2]], contrast: f32, random: &mut Random) {
    let from = random.below(course.len().max(2) / 2);
    let stretch = &course[from..(from + 30 + random.below(60)).min(course.len())];
    let half = random.between(0.5, 1.0) as f32;
    for pair in stretch.windows(2) {
        let [a, b] = [pair[0], pair[1]];
        let long = (b[0] - a[0]).hypot(b[1] - a[1]).max(1e-3);
        let side = [-(b[1] - a[1]) / long, (b[0] - a[0]) / long];
        for sign in [-half, half] {
            if random.below(10) < 7 {
                let at = [a[0] + side[0] * sign, a[1] + side[1] * sign];
                let turn = (b[1] - a[1]).atan2(b[0] - a[0]);
                let contrast = contrast * random.between(0.4, 0.9) as f32;
                specks.push(Speck { at, radii_mm: [0.32, 0.14], turn, contrast });
            }
        }
    }
}
