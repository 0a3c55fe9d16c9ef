//! Distances to simple bodies, in millimetres: below zero inside, above zero outside.
//!
//! Distances to ellipsoids are first-order estimates, exact on the surface: enough to draw with.

pub(super) type Point = [f32; 3];

pub(super) fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn dot(a: Point, b: Point) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn length(a: Point) -> f32 {
    dot(a, a).sqrt()
}

/// The point a fraction of the way from `a` to `b`.
pub(super) fn between(a: Point, b: Point, fraction: f32) -> Point {
    [0, 1, 2].map(|axis| a[axis] + (b[axis] - a[axis]) * fraction)
}

/// An ellipsoid whose first axis may point anywhere; the other two stay as level as they can.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ellipsoid {
    center: Point,
    axes: [Point; 3],
    radii_mm: Point,
}

impl Ellipsoid {
    pub(super) fn upright(center: Point, radii_mm: Point) -> Self {
        Self { center, axes: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], radii_mm }
    }

    /// First radius along `direction`, second in the axial plane, third roughly along z.
    pub(super) fn along(center: Point, direction: Point, radii_mm: Point) -> Self {
        let norm = length(direction);
        let first = direction.map(|value| value / norm);
        let level = (first[0] * first[0] + first[1] * first[1]).sqrt();
        let second = [-first[1] / level, first[0] / level, 0.0];
        let third = [
            first[1] * second[2] - first[2] * second[1],
            first[2] * second[0] - first[0] * second[2],
            first[0] * second[1] - first[1] * second[0],
        ];
        Self { center, axes: [first, second, third], radii_mm }
    }

    /// The same body with every radius multiplied.
    pub(super) fn scaled(mut self, factor: f32) -> Self {
        self.radii_mm = self.radii_mm.map(|radius| radius * factor);
        self
    }

    pub(super) fn distance(&self, point: Point) -> f32 {
        let offset = minus(point, self.center);
        let local = self.axes.map(|axis| dot(offset, axis));
        let unit = [0, 1, 2].map(|axis| local[axis] / self.radii_mm[axis]);
        let steep = [0, 1, 2].map(|axis| unit[axis] / self.radii_mm[axis]);
        let depth = length(unit);
        // At the very centre the estimate is 0/0; any negative number serves there.
        if depth < 1e-3 { -self.radii_mm[0] } else { depth * (depth - 1.0) / length(steep) }
    }
}

/// Distance to a straight tube with round ends.
pub(super) fn capsule(point: Point, from: Point, to: Point, radius_mm: f32) -> f32 {
    let axis = minus(to, from);
    let along = (dot(minus(point, from), axis) / dot(axis, axis)).clamp(0.0, 1.0);
    length(minus(point, between(from, to, along))) - radius_mm
}

/// Distance to an ellipse in the axial plane, estimated along the ray from its centre. `power` 2 is an ellipse,
/// more is squarer.
pub(super) fn oval(x: f32, y: f32, half_width: f32, half_depth: f32, power: f32) -> f32 {
    let (across, down) = ((x / half_width).abs(), (y / half_depth).abs());
    let reach = if power == 2.0 {
        (across * across + down * down).sqrt()
    } else {
        (across.powf(power) + down.powf(power)).powf(1.0 / power)
    };
    if reach < 1e-3 { -half_width.min(half_depth) } else { (reach - 1.0) / reach * (x * x + y * y).sqrt() }
}

/// The smaller distance, with the crease filled over about `width_mm`.
pub(super) fn smooth_union(a: f32, b: f32, width_mm: f32) -> f32 {
    let blend = (0.5 + 0.5 * (b - a) / width_mm).clamp(0.0, 1.0);
    b + (a - b) * blend - width_mm * blend * (1.0 - blend)
}

#[cfg(test)]
mod tests {
    use super::{Ellipsoid, capsule, oval};

    #[test]
    fn distances_vanish_on_the_surface_and_change_sign_there() {
        let body = Ellipsoid::along([1.0, 2.0, 3.0], [0.0, 2.0, 0.0], [10.0, 5.0, 4.0]);
        assert!(body.distance([1.0, 12.0, 3.0]).abs() < 1e-3, "end of the first axis");
        assert!(body.distance([6.0, 2.0, 3.0]).abs() < 1e-3, "end of the second axis");
        assert!(body.distance([1.0, 2.0, 6.0]) < 0.0 && body.distance([1.0, 2.0, 8.0]) > 0.0, "third axis");
        assert!((capsule([0.0, 3.0, 5.0], [0.0; 3], [0.0, 0.0, 10.0], 1.0) - 2.0).abs() < 1e-4, "tube");
        assert!(oval(30.0, 0.0, 30.0, 10.0, 2.4).abs() < 1e-3, "oval");
    }
}
