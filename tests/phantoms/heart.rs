//! The phantom's heart: four chambers, great vessels, epicardial fat inside a sac, and the course of the
//! coronary arteries on the surface. Local millimetres: x to the left, y to the back, z to the head.

use super::shape::{Ellipsoid, Point, between, capsule, length, minus, smooth_union};

/// How far the arteries lie from the muscle, in the fat.
const ARTERY_DEPTH_MM: f32 = 3.0;
const FAT_MM: f32 = 6.5;
const PERICARDIUM_MM: f32 = 1.6;
pub(super) const ARTERY_RADIUS_MM: f32 = 1.8;

/// One coronary artery: its name and points on its course.
#[derive(Clone, Debug)]
pub(super) struct Artery {
    pub(super) name: &'static str,
    pub(super) course: Vec<Point>,
}

impl Artery {
    /// The point a fraction (0..=1) of the way along.
    pub(super) fn at(&self, fraction: f32) -> Point {
        let steps = self.course.windows(2).map(|pair| length(minus(pair[1], pair[0])));
        let mut left = steps.clone().sum::<f32>() * fraction.clamp(0.0, 1.0);
        for (pair, step) in self.course.windows(2).zip(steps) {
            if left <= step {
                return between(pair[0], pair[1], left / step.max(1e-3));
            }
            left -= step;
        }
        self.course[self.course.len() - 1]
    }

    pub(super) fn distance(&self, point: Point) -> f32 {
        let near = self.course.windows(2).map(|pair| capsule(point, pair[0], pair[1], ARTERY_RADIUS_MM));
        near.fold(f32::INFINITY, f32::min)
    }
}

#[derive(Debug)]
pub(super) struct Heart {
    chambers: [Ellipsoid; 4],
    left_ventricle_blood: Ellipsoid,
    pub(super) arteries: Vec<Artery>,
}

impl Heart {
    pub(super) fn new() -> Self {
        let left_ventricle = Ellipsoid::along([42.0, -15.0, -15.0], [0.74, -0.5, -0.46], [44.0, 29.0, 32.0]);
        let right_ventricle = Ellipsoid::along([8.0, -38.0, -16.0], [0.85, -0.24, -0.36], [45.0, 21.0, 35.0]);
        let right_atrium = Ellipsoid::upright([-33.0, -8.0, -6.0], [22.0, 27.0, 32.0]);
        let left_atrium = Ellipsoid::upright([5.0, 16.0, 12.0], [33.0, 18.0, 22.0]);
        let mut heart = Self {
            chambers: [left_ventricle, right_ventricle, right_atrium, left_atrium],
            left_ventricle_blood: left_ventricle.scaled(0.66),
            arteries: Vec::new(),
        };
        heart.arteries = COURSES.iter().map(|(name, points)| heart.artery(name, points)).collect();
        heart
    }

    /// What fills a point: Hounsfield units, or None outside the sac.
    pub(super) fn hounsfield(&self, point: Point) -> Option<f32> {
        if !near(point) {
            return None;
        }
        let muscle = self.chambers.map(|chamber| chamber.distance(point));
        let sac = self.sac(muscle);
        if sac > PERICARDIUM_MM {
            return None;
        }
        let inside = muscle.into_iter().fold(f32::INFINITY, f32::min);
        Some(match () {
            () if inside <= 0.0 && self.left_ventricle_blood.distance(point) < 0.0 => 41.0,
            () if inside <= 0.0 && muscle[0] <= 0.0 => 54.0,
            () if inside <= 0.0 => 44.0,
            () if sac > 0.0 => 20.0,
            () if self.in_artery(point) => 42.0,
            () => -96.0,
        })
    }

    pub(super) fn in_artery(&self, point: Point) -> bool {
        near(point) && self.arteries.iter().any(|artery| artery.distance(point) < 0.0)
    }

    /// Distance to the sac: the chambers, their grooves filled, and fat around them.
    pub(super) fn sac_distance(&self, point: Point) -> f32 {
        self.sac(self.chambers.map(|chamber| chamber.distance(point)))
    }

    fn sac(&self, muscle: [f32; 4]) -> f32 {
        muscle.into_iter().reduce(|a, b| smooth_union(a, b, 22.0)).expect("four chambers") - FAT_MM
    }

    fn muscle(&self, point: Point) -> f32 {
        self.chambers.iter().map(|chamber| chamber.distance(point)).fold(f32::INFINITY, f32::min)
    }

    /// Draws the course through hand-placed points down onto the heart's surface.
    fn artery(&self, name: &'static str, points: &[Point]) -> Artery {
        let mut course = Vec::new();
        for pair in points.windows(2) {
            for step in 0..6_u8 {
                course.push(self.onto_surface(between(pair[0], pair[1], f32::from(step) / 6.0)));
            }
        }
        course.extend(points.last().map(|last| self.onto_surface(*last)));
        Artery { name, course }
    }

    fn onto_surface(&self, mut point: Point) -> Point {
        for _ in 0..12 {
            let here = self.muscle(point);
            let slope: Point = [0, 1, 2].map(|axis| {
                let mut ahead = point;
                ahead[axis] += 0.5;
                (self.muscle(ahead) - here) / 0.5
            });
            let steep = length(slope).max(0.2);
            let step = (here - ARTERY_DEPTH_MM) / (steep * steep) * 0.7;
            point = [0, 1, 2].map(|axis| point[axis] - slope[axis] * step);
        }
        point
    }
}

/// Whether a point can belong to the heart at all; saves the arithmetic for the rest of the chest.
fn near(point: Point) -> bool {
    length(minus(point, [14.0, -12.0, -6.0])) < 95.0
}

/// Where the arteries pass, before they are laid onto the surface.
const COURSES: [(&str, &[Point]); 4] = [
    ("LM", &[[15.0, -10.0, 26.0], [21.0, -13.0, 24.0], [26.0, -15.0, 22.0]]),
    (
        "LAD",
        &[
            [28.0, -18.0, 20.0],
            [32.0, -32.0, 12.0],
            [40.0, -46.0, 0.0],
            [52.0, -52.0, -12.0],
            [64.0, -52.0, -30.0],
        ],
    ),
    (
        "LCX",
        &[[30.0, -10.0, 22.0], [44.0, 4.0, 16.0], [46.0, 14.0, 6.0], [36.0, 22.0, -8.0], [24.0, 22.0, -18.0]],
    ),
    (
        "RCA",
        &[
            [-8.0, -26.0, 24.0],
            [-20.0, -36.0, 14.0],
            [-28.0, -40.0, 0.0],
            [-30.0, -36.0, -16.0],
            [-26.0, -24.0, -32.0],
            [-8.0, -8.0, -42.0],
        ],
    ),
];
