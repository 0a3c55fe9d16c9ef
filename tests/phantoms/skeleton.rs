//! The phantom's bones: thoracic vertebrae with discs and processes, ribs arched all the way round, sternum.
//!
//! Cartilage of the ribs is drawn too, as soft tissue below every threshold.

use super::chest::Sample;
use super::shape::{Point, capsule, oval};

const CORTEX_HU: f32 = 560.0;
const MARROW_HU: f32 = 185.0;
const CARTILAGE_HU: f32 = 84.0;
const CORD_HU: f32 = 28.0;
/// Distance from one vertebra, and so one rib, to the next.
const LEVEL_MM: f32 = 25.0;
const SPINE_Y: f32 = 66.0;
/// Where the bony rib ends and its cartilage begins, as an angle from the back.
const RIB_END: f32 = 2.42;

/// Where along z the repeating levels start; everything else is fixed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Skeleton {
    disc_phase_mm: f32,
    rib_phase_mm: f32,
}

impl Skeleton {
    pub(super) fn new(disc_phase_mm: f32, rib_phase_mm: f32) -> Self {
        Self { disc_phase_mm, rib_phase_mm }
    }

    /// Bone, cartilage, disc or cord at a point; `cavity` is the distance to the inside of the rib cage.
    pub(super) fn sample(&self, point: Point, cavity: f32) -> Option<Sample> {
        self.spine(point).or_else(|| sternum(point)).or_else(|| self.rib(point, cavity))
    }

    /// Distance to the soft bed of the vertebrae, which pushes the lungs apart.
    pub(super) fn bed(&self, point: Point) -> f32 {
        vertebral_body(point) - 5.0
    }

    pub(super) fn beside_spine(&self, point: Point) -> bool {
        vertebral_body(point) < 3.5
    }

    /// Position within one level: 0 in the middle of the disc, then up through the vertebra above it.
    fn level(&self, z: f32) -> f32 {
        (z - self.disc_phase_mm).rem_euclid(LEVEL_MM)
    }

    fn spine(&self, point: Point) -> Option<Sample> {
        let [x, y, z] = point;
        if x.abs() > 46.0 || y < SPINE_Y - 24.0 {
            return None;
        }
        let level = self.level(z);
        let body = vertebral_body(point);
        if oval(x, y - SPINE_Y - 21.0, 10.0, 8.0, 2.0) < 0.0 {
            return Some(canal(x, y));
        }
        if body < 0.0 {
            let end = level.min(LEVEL_MM - level);
            return Some(match () {
                () if end < 2.0 => Sample { hounsfield: 82.0, bone: false, lung: false },
                () if end < 3.6 || body > -1.7 => Sample::bone(CORTEX_HU - 120.0),
                () => Sample::bone(MARROW_HU + 22.0 * (x * 1.3).sin() * (y * 1.1 + z).sin()),
            });
        }
        let arch = self.arch(point, level);
        (arch < 0.0).then(|| Sample::bone(if arch > -1.6 { CORTEX_HU } else { MARROW_HU + 60.0 }))
    }

    /// Pedicles, laminae, transverse and spinous processes; they come and go along a level as they do in life.
    fn arch(&self, point: Point, level: f32) -> f32 {
        let [x, y, _] = point;
        let flat = [x.abs(), y - SPINE_Y, 0.0];
        let from_middle = (level - 15.0).abs();
        let ring = oval(x, flat[1] - 21.0, 15.0, 12.5, 2.0);
        // At the height of the disc the nerve leaves: the ring opens at the sides, in front of the facets.
        let open = from_middle > 7.5 && flat[1] < 22.0;
        let ring = if open { f32::INFINITY } else { ring };
        let process = capsule(flat, [13.0, 27.0, 0.0], [36.0, 33.0, 0.0], 5.0) + (from_middle - 6.0).max(0.0);
        let facet = capsule(flat, [12.0, 26.0, 0.0], [15.0, 25.0, 0.0], 5.5);
        let spinous = capsule(flat, [0.0, 33.0, 0.0], [0.0, 44.0, 0.0], 3.4) + 0.12 * from_middle;
        ring.min(process).min(facet).min(spinous)
    }

    fn rib(&self, point: Point, cavity: f32) -> Option<Sample> {
        let [x, y, z] = point;
        if !(2.0..14.5).contains(&cavity) {
            return None;
        }
        let angle = x.abs().atan2(y + 3.0);
        let drop = if angle < RIB_END { 40.0 * angle } else { 40.0 * RIB_END - 44.0 * (angle - RIB_END) };
        let along = (z + drop - self.rib_phase_mm).rem_euclid(LEVEL_MM) - LEVEL_MM / 2.0;
        let cartilage = angle > RIB_END;
        if angle < 0.34 || (cartilage && x.abs() < 17.0) {
            return None;
        }
        let (half_height, half_width) = if cartilage { (5.6, 4.6) } else { (6.2, 3.9) };
        let rim = oval(along, cavity - 7.8, half_height, half_width, 2.2);
        if rim > 0.0 {
            return None;
        }
        Some(match () {
            () if cartilage => Sample { hounsfield: CARTILAGE_HU + 3.0 * rim, bone: false, lung: false },
            () if rim > -1.5 => Sample::bone(CORTEX_HU + 40.0),
            () => Sample::bone(MARROW_HU),
        })
    }
}

/// Distance to the body of a vertebra: an oval, hollow towards the canal, waisted between its end plates.
fn vertebral_body([x, y, _]: Point) -> f32 {
    let oval_body = oval(x, y - SPINE_Y, 18.5, 14.5, 2.3);
    oval_body.max(-oval(x, y - SPINE_Y - 21.0, 11.5, 9.5, 2.0))
}

/// The spinal canal: the cord in its sac, fat behind it.
fn canal(x: f32, y: f32) -> Sample {
    let cord = oval(x, y - SPINE_Y - 20.0, 6.0, 4.6, 2.0) < 0.0;
    let sac = oval(x, y - SPINE_Y - 20.5, 8.6, 6.6, 2.0) < 0.0;
    let hounsfield = if cord {
        CORD_HU + 12.0
    } else if sac {
        12.0
    } else {
        -70.0
    };
    Sample { hounsfield, bone: false, lung: false }
}

fn sternum([x, y, z]: Point) -> Option<Sample> {
    // Below the body of the sternum the xiphoid is narrow and thin.
    let (half_width, half_depth) = if z > -48.0 { (17.0, 5.8) } else { (9.0, 4.2) };
    let rim = oval(x, y + 88.0, half_width, half_depth, 2.6);
    (rim < 0.0).then(|| Sample::bone(if rim > -1.4 { CORTEX_HU - 160.0 } else { MARROW_HU - 15.0 }))
}
