//! Colour and opacity from front to back.

use wide::{CmpGe, CmpGt, CmpLt, f32x4, i32x4};

use super::{Marcher, Rays};
use crate::cpu::four::{Spots, whole};

/// A ray ends when what is behind could change no 8-bit level.
const OPAQUE: f32 = 0.996;
/// A step that adds less than this is not lit: nobody could see it.
const FAINT: f32 = 0.002;
const AMBIENT: f32 = 0.25;
const DIFFUSE: f32 = 0.75;
const SPECULAR: f32 = 0.25;

/// What was gathered so far, a ray a lane: red, green and blue, and the part of the light that still comes through.
struct Gathered {
    colour: [f32x4; 3],
    through: f32x4,
}

/// What a sample of each ray shows: entries of the table, and the opacities of tissue and label together.
struct Seen {
    entries: [i32; 4],
    labels: Option<[[f32; 4]; 4]>,
    opacities: f32x4,
}

impl Marcher<'_> {
    pub(super) fn gather(&self, rays: &Rays) -> [[f32; 4]; 4] {
        let mut gathered = Gathered { colour: [f32x4::ZERO; 3], through: f32x4::ONE };
        let mut step = f32x4::ZERO;
        loop {
            let going = step.cmp_lt(rays.steps) & gathered.through.cmp_gt(f32x4::splat(1.0 - OPAQUE));
            if going.none() {
                break;
            }
            let spots = self.spots(rays, step);
            let distance = |lane: usize| i32::from(self.distances[self.cell(&spots, lane)]);
            let distances = [distance(0), distance(1), distance(2), distance(3)];
            let mut next = step + f32x4::ONE;
            if distances[0] + distances[1] + distances[2] + distances[3] > 0 {
                let distances = i32x4::from(distances).round_float();
                let empty = distances.cmp_gt(f32x4::ZERO);
                next = empty.blend(self.leap(rays, step, &spots, distances), next);
                if (going & !empty).none() {
                    step = next;
                    continue;
                }
            }
            let mut seen = self.seen(&spots);
            // What may be leapt over shows nothing, so the lanes that leap need not be told apart.
            seen.opacities &= going;
            if seen.opacities.cmp_gt(f32x4::ZERO).any() {
                self.add(rays, step, &spots, &seen, &mut gathered);
            }
            step = next;
        }
        let [red, green, blue] = gathered.colour;
        f32x4::transpose([red, green, blue, f32x4::ONE - gathered.through]).map(f32x4::to_array)
    }

    #[inline(always)]
    fn seen(&self, spots: &Spots) -> Seen {
        let frame = self.frame;
        let entry =
            (self.values.values(spots) - f32x4::splat(frame.table_low)) * f32x4::splat(frame.table_per_value);
        let entry = entry.fast_max(f32x4::ZERO).fast_min(f32x4::splat(frame.table_last));
        let [a, b, c, d] = whole(entry).to_array();
        let opacity = |entry: i32| self.opacities[entry.cast_unsigned() as usize];
        let opacities = f32x4::from([opacity(a), opacity(b), opacity(c), opacity(d)]);
        let mut seen = Seen { entries: [a, b, c, d], labels: None, opacities };
        if self.labels.is_some() {
            let labels = [0, 1, 2, 3].map(|lane| self.label(spots, lane));
            let clear = f32x4::ONE - f32x4::from(labels.map(|label| label[3]));
            seen.opacities = f32x4::ONE - (f32x4::ONE - opacities) * clear;
            seen.labels = Some(labels);
        }
        seen
    }

    /// Red, green and blue of what is seen. Tissue and label each swallow their own part of the light.
    #[inline(always)]
    fn colours(&self, seen: &Seen) -> [f32x4; 3] {
        let entry = |lane: usize| self.table[seen.entries[lane].cast_unsigned() as usize];
        let [red, green, blue, own] = f32x4::transpose([entry(0), entry(1), entry(2), entry(3)]);
        let Some(labels) = seen.labels else { return [red, green, blue] };
        let labels = f32x4::transpose(labels.map(f32x4::from));
        let clear = f32x4::ONE - labels[3];
        let both = (f32x4::ONE - (f32x4::ONE - own) * clear).fast_max(f32x4::splat(1e-9));
        let (tissue, label) = (own * clear / both, labels[3] / both);
        [
            red * tissue + labels[0] * label,
            green * tissue + labels[1] * label,
            blue * tissue + labels[2] * label,
        ]
    }

    #[inline(always)]
    fn add(&self, rays: &Rays, step: f32x4, spots: &Spots, seen: &Seen, gathered: &mut Gathered) {
        let mut opacities = seen.opacities;
        let last = (step + f32x4::ONE).cmp_ge(rays.steps);
        if last.any() {
            let parts = self.part_of_step(rays, step).to_array();
            let whole = opacities.to_array();
            let cut = |lane: usize| 1.0 - (1.0 - whole[lane]).powf(parts[lane]);
            opacities = last.blend(f32x4::from([cut(0), cut(1), cut(2), cut(3)]), opacities);
        }
        let weights = gathered.through * opacities;
        let [mut red, mut green, mut blue] = self.colours(seen);
        let lit = weights.cmp_gt(f32x4::splat(FAINT));
        if self.frame.shaded != 0 && lit.any() {
            let (diffuse, specular) = self.light(spots);
            let (diffuse, specular) = (lit.blend(diffuse, f32x4::ONE), lit & specular);
            red = (red * diffuse + specular).fast_min(f32x4::ONE);
            green = (green * diffuse + specular).fast_min(f32x4::ONE);
            blue = (blue * diffuse + specular).fast_min(f32x4::ONE);
        }
        gathered.colour[0] += red * weights;
        gathered.colour[1] += green * weights;
        gathered.colour[2] += blue * weights;
        gathered.through -= weights;
    }

    /// Blinn-Phong with a lamp beside the eye, both faces of a surface lit; where there is no surface, no light. A factor
    /// and a summand of every colour.
    #[inline(always)]
    fn light(&self, spots: &Spots) -> (f32x4, f32x4) {
        let frame = self.frame;
        let along = self.values.gradients(spots);
        let gradient = |axis: usize| {
            let part = |row: usize| along[row] * f32x4::splat(frame.voxel_from_mm[row][axis]);
            part(0) + part(1) + part(2)
        };
        let (x, y, z) = (gradient(0), gradient(1), gradient(2));
        let size = (x * x + y * y + z * z).sqrt();
        let surface = (size * f32x4::splat(1.0 / frame.surface_per_mm)).fast_min(f32x4::ONE);
        let over_size = f32x4::ONE / size.fast_max(f32x4::splat(1e-6));
        let facing = |light: &[f32; 4]| {
            let part = |axis: usize| f32x4::splat(light[axis]);
            ((x * part(0) + y * part(1) + z * part(2)) * over_size).abs()
        };
        let shine = facing(&frame.halfway);
        let shine = shine * shine;
        let shine = shine * shine;
        let shine = shine * shine;
        let shine = shine * shine;
        let bright = f32x4::splat(DIFFUSE) * facing(&frame.light) + f32x4::splat(AMBIENT - 1.0);
        let diffuse = f32x4::ONE + surface * bright;
        let specular = surface * shine * f32x4::splat(SPECULAR);
        (diffuse, specular)
    }
}
