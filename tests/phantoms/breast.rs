//! Mammograms of a synthetic breast whose lesions are known: four views, pictures for presentation and for processing.
//!
//! A lesion has one place in the breast and stands in both of its views. Masses differ in size and margin, clusters in
//! number and size of their grains; the tissue hides some of them, and much that is bright or round is no lesion
//! (`distractors`). Settings come from two families that do not touch (`style`).

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "pictures are small; every value was made here"
)]
#![expect(clippy::approx_constant, reason = "directions of things; the networks learnt from exactly these")]

mod anatomy;
mod distractors;
mod field;
mod lesions;
mod picture;
mod style;

pub use lesions::{LesionKind, Margin};
pub use picture::{Intent, Picture};
pub use style::Family;

use anatomy::Anatomy;
use distractors::place;
use lesions::{Plan, Speck};
use style::Style;

use super::random::Random;

/// Width and height of the detector.
const PICTURE_MM: [f32; 2] = [232.0, 286.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    Cc,
    Mlo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// A lesion as it stands in one picture.
#[derive(Clone, Copy, Debug)]
pub struct BreastLesion {
    pub kind: LesionKind,
    pub margin: Margin,
    /// Column and row of its centre, in pixels of the picture.
    pub at_px: [f64; 2],
    pub radius_mm: f64,
}

/// One view and what is true of it.
#[derive(Clone, Debug)]
pub struct Mammogram {
    pub seed: u64,
    pub side: Side,
    pub projection: Projection,
    pub picture: Picture,
    pub lesions: Vec<BreastLesion>,
}

/// A lesion's place in the breast: shares of depth (from the chest wall), of the width in CC and of the height in MLO.
#[derive(Clone, Copy, Debug)]
struct Placed {
    plan: Plan,
    share: [f32; 3],
}

/// A person with none, one or two lesions in one breast.
#[derive(Debug)]
pub struct BreastPatient {
    seed: u64,
    family: Family,
    style: Style,
    /// Density and size (mm) of both breasts.
    build: [f32; 2],
    lesions: [Vec<Placed>; 2],
}

impl BreastPatient {
    /// `lesions` in the left breast.
    pub fn new(seed: u64, family: Family, lesions: usize) -> Self {
        let mut random = Random::new(seed ^ 0x6272_6561_7374_0000);
        let style = Style::new(family, &mut random);
        let build = [random.between(0.05, 0.95), random.between(62.0, 118.0)].map(|value| value as f32);
        let one = |random: &mut Random| Placed {
            plan: Plan::new(random),
            share: [(0.22, 0.72), (-0.55, 0.55), (-0.35, 0.6)]
                .map(|(low, high)| random.between(low, high) as f32),
        };
        let left = (0..lesions).map(|_| one(&mut random)).collect();
        Self { seed, family, style, build, lesions: [left, Vec::new()] }
    }

    pub fn family(&self) -> Family {
        self.family
    }

    /// One view, with a detector of its own pixel size or the setting's.
    pub fn view(
        &self,
        side: Side,
        projection: Projection,
        intent: Intent,
        pixel_mm: Option<f64>,
    ) -> Mammogram {
        let number = 2 * u64::from(side == Side::Right) + u64::from(projection == Projection::Mlo);
        let mut random = Random::new(self.seed.wrapping_mul(4).wrapping_add(number) ^ 0x7669_6577_0000_0000);
        let [density, size] = self.build;
        let anatomy = Anatomy::new(projection, density, size, &mut random);
        let mut tissue = anatomy.tissue(&self.style, &mut random);
        let nipple = anatomy::nipple(&mut tissue, &anatomy, &mut random);
        let mut taken = vec![(nipple, 8.0)];
        let mut drawn = Vec::new();
        for placed in &self.lesions[usize::from(side == Side::Right)] {
            let Some(at) = site(&anatomy, placed, projection, &taken, &mut random) else { continue };
            taken.push((at, placed.plan.radius_mm * 1.5 + 3.0));
            drawn.push((placed.plan, at));
        }
        let courses = anatomy::vessels(&mut tissue, &anatomy, &mut random);
        distractors::round_things(&mut tissue, &anatomy, &mut taken, &mut random);
        distractors::fold(&mut tissue, &anatomy, &mut random);
        let contrast = self.style.speck_contrast;
        let mut specks = distractors::calcium(&anatomy, &courses, &mut taken, contrast, &mut random);
        for (plan, at) in &drawn {
            match plan.kind {
                LesionKind::Mass => lesions::mass(&mut tissue, plan, *at, &self.style),
                LesionKind::Cluster => specks.extend(lesions::cluster(plan, *at, &self.style)),
            }
        }
        self.expose(&tissue, &specks, &drawn, (side, projection, intent), pixel_mm, &mut random)
    }

    fn expose(
        &self,
        tissue: &field::Field,
        specks: &[Speck],
        drawn: &[(Plan, [f32; 2])],
        (side, projection, intent): (Side, Projection, Intent),
        pixel_mm: Option<f64>,
        random: &mut Random,
    ) -> Mammogram {
        let mirrored = side == Side::Right;
        let pixel_mm = pixel_mm.unwrap_or(self.style.pixel_mm);
        let picture = Picture::expose(tissue, specks, &self.style, intent, pixel_mm, mirrored, random);
        let lesions = drawn.iter().map(|(plan, at)| {
            let [x, y] = at.map(|mm| f64::from(mm) / pixel_mm - 0.5);
            let column = if mirrored { picture.columns as f64 - 1.0 - x } else { x };
            let radius_mm = f64::from(plan.radius_mm);
            BreastLesion { kind: plan.kind, margin: plan.margin, at_px: [column, y], radius_mm }
        });
        let lesions = lesions.collect();
        Mammogram { seed: self.seed, side, projection, lesions, picture }
    }
}

/// Where a lesion stands in a view: its own place, or near it where that is muscle, skin or taken.
fn site(
    anatomy: &Anatomy,
    placed: &Placed,
    projection: Projection,
    taken: &[([f32; 2], f32)],
    random: &mut Random,
) -> Option<[f32; 2]> {
    let radius = placed.plan.radius_mm;
    let [depth, width, height] = placed.share;
    let beside = if projection == Projection::Cc { width } else { height };
    let at = [anatomy.depth_mm * depth, anatomy.middle_mm + anatomy.half_mm * 0.8 * beside];
    let free = taken.iter().all(|(other, reach)| (other[0] - at[0]).hypot(other[1] - at[1]) > reach + radius);
    let inside = anatomy.skin(at[0], at[1]) < -radius - 4.0 && anatomy.pectoral(at[0], at[1]) > radius + 2.0;
    if free && inside && at[0] > radius { Some(at) } else { place(anatomy, radius, taken, random) }
}
