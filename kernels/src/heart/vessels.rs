//! Which vessel a lesion probably belongs to, by where it lies in the automatic region. A proposal for a person to
//! accept or change, never an assignment.
//!
//! Schematic courses of the vessels, relative to the middle of the region, in millimetres; the nearest one is proposed.
//! It sees no vessel: hearts differ in size, rotation and supply by more than the distance between neighbouring
//! courses, so beside every proposal stands what else it may be. On the synthetic chests of the tests nine of ten are
//! right; how it does on patients nobody has measured.

use crate::region::Region;
use crate::volume::Geometry;

/// Where calcium of the heart's surroundings can sit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vessel {
    LeftMain,
    LeftAnteriorDescending,
    LeftCircumflex,
    RightCoronary,
    Aorta,
    Valve,
    Other,
}

/// What to say beside every proposal.
pub const NOTE: &str = "Proposed from the position alone, by the nearest of schematic courses around the middle of the \
automatic region; no vessel was seen. Not validated on patients. Neighbouring territories (left main and its branches, aortic \
root and valve, circumflex artery and mitral ring) cannot be told apart by it.";

/// One lesion's proposal.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    pub vessel: Vessel,
    /// Others that pass less than [`UNSURE_MM`] farther away, nearest first.
    pub or: Vec<Vessel>,
}

/// Positions are not trusted to better than this.
pub const UNSURE_MM: f64 = 12.0;
/// Farther from every course it is none of them.
const FAR_MM: f64 = 35.0;

/// (left, front, up) of the middle of the region.
type Place = [f64; 3];

/// A vessel, half its width, and points on its course.
const COURSES: &[(Vessel, f64, &[Place])] = &[
    (Vessel::LeftMain, 2.0, &[[8.0, 2.0, 34.0], [20.0, 2.0, 33.0]]),
    (
        Vessel::LeftAnteriorDescending,
        2.0,
        &[[18.0, 10.0, 26.0], [24.0, 26.0, 16.0], [36.0, 36.0, 0.0], [48.0, 40.0, -24.0]],
    ),
    (
        Vessel::LeftCircumflex,
        2.0,
        &[[20.0, 0.0, 26.0], [32.0, -14.0, 18.0], [32.0, -26.0, 6.0], [16.0, -34.0, -12.0]],
    ),
    (
        Vessel::RightCoronary,
        2.0,
        &[
            [-14.0, 14.0, 28.0],
            [-32.0, 26.0, 16.0],
            [-40.0, 26.0, -4.0],
            [-38.0, 12.0, -26.0],
            [-16.0, -6.0, -36.0],
        ],
    ),
    (Vessel::Aorta, 15.0, &[[-8.0, 4.0, 44.0], [-14.0, 10.0, 80.0]]),
    (Vessel::Valve, 9.0, &[[-4.0, 2.0, 20.0]]),
    (Vessel::Valve, 7.0, &[[18.0, -10.0, 6.0], [10.0, -18.0, -6.0]]),
];

/// The courses, laid around one region.
#[derive(Clone, Debug)]
pub struct Atlas {
    geometry: Geometry,
    middle_mm: [f64; 3],
}

impl Atlas {
    /// `None` when the region is empty.
    pub fn new(region: &Region, geometry: &Geometry) -> Option<Self> {
        let middle = region.middle_voxel()?;
        Some(Self { geometry: *geometry, middle_mm: geometry.patient_mm(middle) })
    }

    /// For the centre (column, row, slice) of a lesion.
    pub fn propose(&self, center_voxel: [f64; 3]) -> Proposal {
        let at = self.geometry.patient_mm(center_voxel);
        let [left, back, up] = [0, 1, 2].map(|axis| at[axis] - self.middle_mm[axis]);
        let place = [left, -back, up];
        let mut near: Vec<(Vessel, f64)> = COURSES
            .iter()
            .map(|(vessel, radius, course)| (*vessel, distance(place, course) - radius))
            .collect();
        near.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (vessel, nearest_mm) = near[0];
        if nearest_mm > FAR_MM {
            return Proposal { vessel: Vessel::Other, or: Vec::new() };
        }
        let unsure = near.iter().filter(|(other, mm)| *other != vessel && *mm < nearest_mm + UNSURE_MM);
        let mut or: Vec<Vessel> = unsure.map(|(other, _)| *other).collect();
        or.dedup();
        Proposal { vessel, or }
    }
}

/// From a point to the nearest of a course's pieces.
fn distance(place: Place, course: &[Place]) -> f64 {
    let last = course[course.len() - 1];
    let pieces = course.windows(2).map(|ends| to_piece(place, ends[0], ends[1]));
    pieces.fold(to_piece(place, last, last), f64::min)
}

fn to_piece(place: Place, from: Place, to: Place) -> f64 {
    let minus = |a: Place, b: Place| [0, 1, 2].map(|axis| a[axis] - b[axis]);
    let dot = |a: Place, b: Place| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let along = minus(to, from);
    let fraction = (dot(minus(place, from), along) / dot(along, along).max(1e-9)).clamp(0.0, 1.0);
    let off = minus(place, [0, 1, 2].map(|axis| from[axis] + along[axis] * fraction));
    dot(off, off).sqrt()
}

#[cfg(test)]
mod tests {
    use super::{Atlas, Vessel};
    use crate::region::Region;
    use crate::volume::{Dimensions, Geometry};

    /// A region whose middle is the voxel (50, 50, 50) of millimetres; columns run to the left, or rows to the front.
    fn atlas(turned: bool) -> Atlas {
        let dimensions = Dimensions { columns: 101, rows: 101, slices: 101 };
        let down = if turned { -1.0 } else { 1.0 };
        let geometry = Geometry {
            column_spacing_mm: 1.0,
            row_spacing_mm: 1.0,
            slice_increment_mm: 1.0,
            patient_mm_from_voxel: [[1.0, 0.0, 0.0, 7.0], [0.0, down, 0.0, -3.0], [0.0, 0.0, 1.0, 11.0]],
        };
        Atlas::new(&Region::circle(dimensions, [50.0, 50.0], 40.0, 0..=100), &geometry).unwrap()
    }

    #[test]
    fn the_patients_directions_count_and_not_the_pictures() {
        // Left, front and up of the middle.
        let places = [
            ([36.0, 36.0, 0.0], Vessel::LeftAnteriorDescending),
            ([30.0, -27.0, 6.0], Vessel::LeftCircumflex),
            ([-40.0, 26.0, 0.0], Vessel::RightCoronary),
            ([14.0, 2.0, 34.0], Vessel::LeftMain),
            ([-11.0, 7.0, 49.0], Vessel::Aorta),
            ([-4.0, 2.0, 18.0], Vessel::Valve),
            ([-50.0, -50.0, -50.0], Vessel::Other),
        ];
        for turned in [false, true] {
            for ([left, front, up], vessel) in places {
                let row = if turned { 50.0 + front } else { 50.0 - front };
                let proposal = atlas(turned).propose([50.0 + left, row, 50.0 + up]);
                assert_eq!(proposal.vessel, vessel, "{left} {front} {up}: {proposal:?}");
                assert!(!proposal.or.contains(&vessel), "{proposal:?}");
            }
        }
    }

    #[test]
    fn what_lies_between_two_courses_names_both() {
        let proposal = atlas(false).propose([67.0, 44.0, 77.0]);
        assert!(
            proposal.or.contains(&Vessel::LeftAnteriorDescending) || proposal.or.contains(&Vessel::LeftMain)
        );
        assert!(
            atlas(false).propose([10.0, 24.0, 46.0]).or.is_empty(),
            "the right side is far from the rest"
        );
    }

    #[test]
    fn an_empty_region_has_no_middle() {
        let dimensions = Dimensions { columns: 4, rows: 4, slices: 4 };
        let atlas = atlas(false);
        assert!(Atlas::new(&Region::nothing(dimensions), &atlas.geometry).is_none());
    }
}
