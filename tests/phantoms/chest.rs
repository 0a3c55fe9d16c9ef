//! The phantom's chest: what fills each point of an adult lying on the back, arms up, breath held.
//!
//! Local millimetres around the middle of the chest: x to the left, y to the back, z to the head. Nothing soft
//! reaches 130 HU, so calcium exists only where bone is drawn here or a lesion is written later.

#![expect(clippy::cast_possible_truncation, reason = "millimetres of a chest fit f32")]

use super::heart::Heart;
use super::random::Random;
use super::shape::{Ellipsoid, Point, capsule, oval, smooth_union};
use super::skeleton::Skeleton;

pub(super) const BODY_HALF_WIDTH_MM: f32 = 162.0;
pub(super) const BODY_HALF_DEPTH_MM: f32 = 108.0;
pub(super) const AIR_HU: f32 = -1000.0;
const FAT_HU: f32 = -104.0;
const MUSCLE_HU: f32 = 56.0;

/// One point of the picture before blur and noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) hounsfield: f32,
    pub(super) bone: bool,
    /// Lung parenchyma: the only place where lung vessels are drawn.
    pub(super) lung: bool,
}

impl Sample {
    fn soft(hounsfield: f32) -> Self {
        Self { hounsfield, bone: false, lung: false }
    }

    pub(super) fn bone(hounsfield: f32) -> Self {
        Self { hounsfield, bone: true, lung: false }
    }

    fn lung(hounsfield: f32) -> Self {
        Self { hounsfield, bone: false, lung: true }
    }
}

/// A vessel of the lung: a tube with round ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Twig {
    pub(super) from: Point,
    pub(super) to: Point,
    pub(super) radius_mm: f32,
}

#[derive(Debug)]
pub(super) struct Chest {
    pub(super) heart: Heart,
    skeleton: Skeleton,
    /// Centre (x, y) of the descending aorta, and its radius.
    pub(super) aorta: [f32; 2],
    pub(super) aorta_radius_mm: f32,
    pub(super) twigs: Vec<Twig>,
    liver: Ellipsoid,
    spleen: Ellipsoid,
}

impl Chest {
    pub(super) fn new(random: &mut Random) -> Self {
        let mut between = |low: f64, high: f64| random.between(low, high) as f32;
        let aorta = [between(20.0, 26.0), between(43.0, 49.0)];
        let aorta_radius_mm = between(10.5, 13.0);
        let skeleton = Skeleton::new(between(0.0, 25.0), between(0.0, 27.0));
        let dome = between(-6.0, 4.0);
        Self {
            heart: Heart::new(),
            skeleton,
            aorta,
            aorta_radius_mm,
            liver: Ellipsoid::upright([-52.0, -6.0, -108.0 + dome], [86.0, 84.0, 72.0]),
            spleen: Ellipsoid::upright([66.0, 8.0, -122.0 + dome], [72.0, 80.0, 66.0]),
            twigs: twigs(random),
        }
    }

    pub(super) fn sample(&self, point: Point) -> Sample {
        let [x, y, _] = point;
        let skin = body(x, y);
        if skin > 0.0 {
            return Sample::soft(AIR_HU);
        }
        if skin > -2.0 {
            return Sample::soft(15.0);
        }
        let cavity = oval(x, y - 0.5, 121.0, 80.0, 2.3);
        if let Some(bone) = self.skeleton.sample(point, cavity) {
            return bone;
        }
        if cavity > 0.0 { wall(point, skin, cavity) } else { self.inside(point, cavity) }
    }

    /// Inside the rib cage: heart and vessels, then belly, then mediastinum, and lung where nothing else is.
    fn inside(&self, point: Point, cavity: f32) -> Sample {
        let [x, y, _] = point;
        if let Some(vessel) = self.vessel(point) {
            return Sample::soft(vessel);
        }
        if let Some(heart) = self.heart.hounsfield(point) {
            return Sample::soft(heart);
        }
        let belly = self.liver.distance(point).min(self.spleen.distance(point));
        if belly < 0.0 {
            let organ = if self.liver.distance(point) < 0.0 { 60.0 } else { 50.0 };
            return Sample::soft(if belly > -1.5 { 30.0 } else { organ });
        }
        if self.mediastinum(point) < 0.0 || cavity > -1.5 {
            return Sample::soft(if self.skeleton.beside_spine(point) { 45.0 } else { FAT_HU + 6.0 });
        }
        // Gravity: the back of the lung is denser.
        Sample::lung(-868.0 + 0.35 * y - 0.05 * x.abs())
    }

    /// Blood in the great vessels, air in the bronchi, the oesophagus.
    fn vessel(&self, point: Point) -> Option<f32> {
        let [x, y, z] = point;
        let bronchi = bronchi(point);
        if bronchi < 0.0 {
            return Some(-985.0);
        }
        let gullet = oval(x - 4.0, y - 38.0, 9.0, 6.0, 2.0);
        let descending =
            oval(x - self.aorta[0], y - self.aorta[1], self.aorta_radius_mm, self.aorta_radius_mm, 2.0);
        let central = great_vessels(point).min(descending);
        match () {
            () if central < -1.2 => Some(41.0),
            () if central < 0.0 => Some(52.0),
            () if bronchi < 1.5 || gullet < 0.0 => Some(35.0),
            () if oval(x + 12.0, y - 24.0, 6.0, 4.0, 2.0) < 0.0 && (36.0..44.0).contains(&z) => Some(40.0),
            () => None,
        }
    }

    /// The fatty bed between the lungs.
    fn mediastinum(&self, point: Point) -> f32 {
        let [x, y, z] = point;
        let front = oval(x - 4.0, y + 72.0, 13.0 + 0.10 * (60.0 - z).max(0.0), 30.0, 1.4);
        let front = front.min(capsule(point, [4.0, -80.0, z], [5.0, -40.0, z], 6.0));
        let back = capsule(point, [4.0, 14.0, z], [4.0, 60.0, z], 19.0);
        let aorta =
            oval(x - self.aorta[0], y - self.aorta[1], self.aorta_radius_mm, self.aorta_radius_mm, 2.0) - 2.0;
        let around = (great_vessels(point) - 4.0).min(bronchi(point) - 3.0).min(aorta);
        let spine = self.skeleton.bed(point);
        let bed = smooth_union(smooth_union(front, back.min(spine), 8.0), around, 6.0);
        smooth_union(bed, self.heart.sac_distance(point), 10.0)
    }
}

/// Distance to the skin: broad shoulders of fat at the sides, a flatter back, a shallow groove along the spine.
fn body(x: f32, y: f32) -> f32 {
    let half_depth = if y > 0.0 { BODY_HALF_DEPTH_MM - 3.0 } else { BODY_HALF_DEPTH_MM };
    let groove = if y > 0.0 { 4.0 * (1.0 - (x / 26.0).powi(2)).max(0.0) } else { 0.0 };
    oval(x, y, BODY_HALF_WIDTH_MM, half_depth, 2.5) + groove
}

/// Between skin and pleura: fat, muscle in layers, fat planes between them.
fn wall(point: Point, skin: f32, cavity: f32) -> Sample {
    let [x, y, _] = point;
    let side = (x.abs() / BODY_HALF_WIDTH_MM).powi(2);
    let under_skin = 7.0 + 9.0 * side + 1.5 * (x * 0.05 + y * 0.09).sin();
    let fat = Sample::soft(FAT_HU);
    if -skin < 2.0 + under_skin || cavity < 1.6 {
        return fat;
    }
    let between_ribs = cavity < 14.0;
    let erector = y > 60.0 && x.abs() < 62.0;
    let midline = x.abs() < 1.6 && y > 80.0;
    let front_gap = y < -60.0 && x.abs() < 17.0 && !between_ribs;
    let angle = x.abs().atan2(-y);
    let bump = |middle: f32, width: f32| (1.0 - ((angle - middle) / width).powi(2)).max(0.0);
    // Pectoral in front, serratus beside, broad back muscle behind: each swells and thins along the wall.
    let depth = 17.0 + 9.0 * bump(0.62, 0.5) + 4.0 * bump(1.35, 0.35) + 13.0 * bump(2.05, 0.5);
    let plane =
        (cavity - 15.0 - 1.5 * (angle * 5.0).sin()).abs() < 0.5 + 0.8 * (angle * 3.0).sin().abs() && !erector;
    let armpit = cavity > depth && !erector;
    let septum = erector && ((x.abs() - 31.0 - 0.25 * (y - 90.0)).abs() < 0.9 && y > 78.0);
    if midline || front_gap || plane || armpit || septum {
        return fat;
    }
    let strand = ((x * 0.9 + y * 0.4).sin() * (y * 0.8 - x * 0.3).sin()).max(0.0);
    Sample::soft(MUSCLE_HU - 16.0 * strand * strand)
}

/// Ascending aorta, pulmonary trunk and arteries, both caval veins, pulmonary veins.
fn great_vessels(point: Point) -> f32 {
    const TUBES: [(Point, Point, f32); 10] = [
        ([2.0, -8.0, 12.0], [-16.0, -20.0, 42.0], 14.5),
        ([-16.0, -20.0, 42.0], [-16.0, -18.0, 90.0], 15.0),
        ([14.0, -42.0, 14.0], [22.0, -24.0, 46.0], 13.0),
        ([20.0, -22.0, 46.0], [-50.0, 6.0, 46.0], 9.5),
        ([22.0, -24.0, 48.0], [46.0, 12.0, 54.0], 10.5),
        ([-36.0, -8.0, 20.0], [-36.0, -8.0, 90.0], 9.0),
        ([-28.0, 6.0, -30.0], [-26.0, 10.0, -90.0], 11.5),
        ([-22.0, 20.0, 12.0], [-60.0, 26.0, 4.0], 6.5),
        ([30.0, 22.0, 16.0], [66.0, 30.0, 8.0], 6.0),
        ([-22.0, 18.0, 22.0], [-58.0, 4.0, 30.0], 5.5),
    ];
    let near = TUBES.iter().map(|(from, to, radius)| capsule(point, *from, *to, *radius));
    near.fold(f32::INFINITY, f32::min)
}

/// Windpipe and the main bronchi down to where they enter the lungs.
fn bronchi(point: Point) -> f32 {
    let fork = [0.0, 22.0, 62.0];
    let trachea = capsule(point, fork, [0.0, 18.0, 120.0], 8.0);
    let right = capsule(point, fork, [-50.0, 24.0, 34.0], 6.0).min(capsule(
        point,
        [-50.0, 24.0, 34.0],
        [-62.0, 30.0, 0.0],
        4.0,
    ));
    let left = capsule(point, fork, [48.0, 28.0, 36.0], 5.5).min(capsule(
        point,
        [48.0, 28.0, 36.0],
        [60.0, 36.0, 2.0],
        3.8,
    ));
    trachea.min(right).min(left)
}

/// Arteries and veins of the lungs, branching three times from each hilum.
fn twigs(random: &mut Random) -> Vec<Twig> {
    let mut grown = Vec::new();
    for hilum in [[-46.0_f32, 12.0, 18.0], [50.0, 16.0, 20.0]] {
        for _ in 0..30 {
            let out = hilum[0].signum() * random.between(0.5, 1.0) as f32;
            let heading = [out, random.between(-0.9, 0.8) as f32, random.between(-1.1, 0.7) as f32];
            grow(&mut grown, random, hilum, heading, 3.3, 4);
        }
    }
    grown
}

fn grow(grown: &mut Vec<Twig>, random: &mut Random, from: Point, heading: Point, radius_mm: f32, levels: u8) {
    let reach = random.between(15.0, 33.0) as f32;
    let to = [0, 1, 2].map(|axis| from[axis] + heading[axis] * reach);
    grown.push(Twig { from, to, radius_mm });
    if levels > 0 {
        for _ in 0..2 {
            let turned = heading.map(|value| value * 0.94 + random.between(-0.46, 0.46) as f32);
            grow(grown, random, to, turned, radius_mm * 0.73, levels - 1);
        }
    }
}
