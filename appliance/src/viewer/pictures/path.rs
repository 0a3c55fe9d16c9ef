//! A centreline from the few points that a reader sets along a vessel.

use crate::imaging::dot;

/// Points that a reader sets by hand.
const POINTS_MAX: usize = 64;
/// Straight pieces of the smooth line between two of them: bends of a vessel are coarser than a thirtieth of that.
const PIECES: usize = 32;

type Point = [f64; 3];

/// A smooth line through the points: centripetal Catmull-Rom (Yuksel 2011), which neither loops nor overshoots where
/// points lie unevenly. Patient mm in and out.
pub(super) fn smooth(points: &[Point]) -> Result<Vec<Point>, &'static str> {
    if !points.iter().flatten().all(|part| part.is_finite() && part.abs() < 1e6) {
        return Err("path: points must be of finite numbers");
    }
    let mut set: Vec<Point> = points.to_vec();
    set.dedup_by(|a, b| distance(*a, *b) < 0.1);
    if !(2..=POINTS_MAX).contains(&set.len()) {
        return Err("path: set 2 to 64 points along the vessel, each in a place of its own");
    }
    // Mirrored beyond both ends, so that the line leaves its first point towards the second.
    let before = mix(set[0], set[1], -1.0);
    let after = mix(set[set.len() - 1], set[set.len() - 2], -1.0);
    let around: Vec<Point> = std::iter::once(before).chain(set.iter().copied()).chain([after]).collect();
    let mut line = Vec::with_capacity((set.len() - 1) * PIECES + 1);
    for four in around.windows(4) {
        let [a, b, c, d] = [four[0], four[1], four[2], four[3]];
        #[expect(clippy::cast_precision_loss, reason = "below a hundred")]
        line.extend((0..PIECES).map(|piece| between(a, b, c, d, piece as f64 / PIECES as f64)));
    }
    line.push(set[set.len() - 1]);
    Ok(line)
}

/// A point between `b` and `c`, by the pyramid of Barry and Goldman 1988.
fn between(a: Point, b: Point, c: Point, d: Point, part: f64) -> Point {
    let knot = |from: f64, p: Point, q: Point| from + distance(p, q).sqrt();
    let t0 = 0.0;
    let t1 = knot(t0, a, b);
    let t2 = knot(t1, b, c);
    let t3 = knot(t2, c, d);
    let t = t1 + (t2 - t1) * part;
    let blend = |p: Point, q: Point, from: f64, to: f64| mix(p, q, (t - from) / (to - from));
    let (ab, bc, cd) = (blend(a, b, t0, t1), blend(b, c, t1, t2), blend(c, d, t2, t3));
    blend(blend(ab, bc, t0, t2), blend(bc, cd, t1, t3), t1, t2)
}

pub(super) fn length_mm(line: &[Point]) -> f64 {
    line.windows(2).map(|pair| distance(pair[0], pair[1])).sum()
}

/// The direction of the picture's first row: of the eye's own directions the one that crosses the line's beginning best,
/// made square to it and turned about it.
pub(super) fn across(line: &[Point], axes: [Point; 3], around_rad: f64) -> Point {
    let step = distance(line[0], line[1]);
    let along = [0, 1, 2].map(|axis| (line[1][axis] - line[0][axis]) / step);
    let part = |axis: &Point| dot(*axis, along);
    let best =
        axes.into_iter().min_by(|a, b| part(a).abs().total_cmp(&part(b).abs())).expect("there are three");
    let square = [0, 1, 2].map(|axis| best[axis] - part(&best) * along[axis]);
    let beside = [
        along[1] * square[2] - along[2] * square[1],
        along[2] * square[0] - along[0] * square[2],
        along[0] * square[1] - along[1] * square[0],
    ];
    let (sine, cosine) = around_rad.sin_cos();
    [0, 1, 2].map(|axis| square[axis] * cosine + beside[axis] * sine)
}

fn mix(from: Point, to: Point, part: f64) -> Point {
    [0, 1, 2].map(|axis| from[axis] + (to[axis] - from[axis]) * part)
}

fn distance(a: Point, b: Point) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_goes_through_every_point_and_bends_like_the_vessel() {
        // A quarter of a circle of 40 mm, seven points.
        let at = |degrees: f64| [40.0 * degrees.to_radians().cos(), 40.0 * degrees.to_radians().sin(), 5.0];
        let points: Vec<Point> = (0..7).map(|step| at(f64::from(step) * 15.0)).collect();
        let line = smooth(&points).unwrap();
        for point in &points {
            let nearest = line.iter().map(|other| distance(*point, *other)).fold(f64::INFINITY, f64::min);
            assert!(nearest < 1e-9, "{point:?}");
        }
        let off = line.iter().map(|[x, y, _]| (x.hypot(*y) - 40.0).abs()).fold(0.0, f64::max);
        assert!(off < 0.35, "{off} mm off the circle, a piece alone would be 0.34");
        let arc = 40.0 * std::f64::consts::FRAC_PI_2;
        assert!((length_mm(&line) / arc - 1.0).abs() < 0.005);
    }

    #[test]
    fn two_points_are_a_straight_line_and_one_is_none() {
        let line = smooth(&[[0.0; 3], [0.0, 0.0, 30.0]]).unwrap();
        assert!(
            line.iter().all(|[x, y, _]| x.abs() + y.abs() < 1e-9) && (length_mm(&line) - 30.0).abs() < 1e-9
        );
        let axes = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.6, 0.8]];
        assert_eq!(across(&line, axes, 0.0), [1.0, 0.0, 0.0]);
        let turned = across(&line, axes, std::f64::consts::FRAC_PI_2);
        assert!(distance(turned, [0.0, 1.0, 0.0]) < 1e-12, "{turned:?}");
        for points in [vec![[1.0; 3]], vec![[1.0; 3]; 5], vec![[f64::NAN; 3], [0.0; 3]]] {
            assert!(smooth(&points).is_err());
        }
    }
}
