//! Outlines of regions of one image: traced around a set of pixels, filled, measured.
//!
//! Coordinates are column and row with pixel centres at whole numbers. An outline that was traced is smooth and of a few
//! dozen points, so that a hand can move them, and encloses the very area it was traced around.

use std::collections::VecDeque;

/// An outline has a point every so many pixels of its length ...
const STEP_PX: f64 = 4.0;
/// ... but never so few that a circle has corners, nor so many that nobody can move them.
const POINTS: (usize, usize) = (12, 40);
/// A traced outline is scaled to the area it stands for unless that is another one: two pieces, a large hole.
const RATIO: std::ops::Range<f64> = 0.8..1.25;

/// Area inside (shoelace), pixels.
pub fn area_px(points: &[[f64; 2]]) -> f64 {
    let next = points.iter().cycle().skip(1);
    points.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>().abs() / 2.0
}

/// The border of the largest piece of a mask, holes ignored; empty where there is none. `area` is what it stands for.
pub(super) fn traced(mask: &[bool], columns: usize, area_px: f64) -> Vec<[f64; 2]> {
    let piece = largest_piece(mask, columns);
    let Some(first) = piece.iter().position(|inside| *inside) else { return Vec::new() };
    let path = walked(&piece, columns, first);
    scaled(resampled(&path), area_px)
}

/// The largest set of pixels that touch by their sides.
fn largest_piece(mask: &[bool], columns: usize) -> Vec<bool> {
    let mut best: Vec<usize> = Vec::new();
    let mut seen = vec![false; mask.len()];
    for start in 0..mask.len() {
        if !mask[start] || seen[start] {
            continue;
        }
        let (mut piece, mut queue) = (Vec::new(), VecDeque::from([start]));
        seen[start] = true;
        while let Some(at) = queue.pop_front() {
            piece.push(at);
            let column = at % columns;
            let beside = [
                (column > 0).then(|| at - 1),
                (column + 1 < columns).then_some(at + 1),
                at.checked_sub(columns),
                Some(at + columns),
            ];
            for next in beside.into_iter().flatten() {
                if next < mask.len() && mask[next] && !seen[next] {
                    seen[next] = true;
                    queue.push_back(next);
                }
            }
        }
        if piece.len() > best.len() {
            best = piece;
        }
    }
    let mut largest = vec![false; mask.len()];
    best.into_iter().for_each(|at| largest[at] = true);
    largest
}

/// Middles of the pixel sides around a piece, in order: walks with the inside on the right, from the upper side of its
/// first pixel.
fn walked(piece: &[bool], columns: usize, first: usize) -> Vec<[f64; 2]> {
    let holds = |x: i64, y: i64| {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return false };
        x < columns && piece.get(y * columns + x).copied().unwrap_or(false)
    };
    let place = |index: usize| i64::try_from(index).unwrap_or(i64::MAX);
    // Corners of pixels: (x, y) is the upper left one of pixel (x, y).
    let start = (place(first % columns), place(first / columns));
    let (mut at, mut heading) = (start, (1, 0));
    let mut path = Vec::new();
    loop {
        let next = (at.0 + heading.0, at.1 + heading.1);
        #[expect(clippy::cast_precision_loss, reason = "coordinates of an image")]
        let middle = |a: i64, b: i64| (a + b) as f64 / 2.0 - 0.5;
        path.push([middle(at.0, next.0), middle(at.1, next.1)]);
        at = next;
        // The pixels ahead, to the right and to the left of the corner.
        let ahead = |side: (i64, i64)| {
            let low = |along: i64, across: i64| i64::from(along + across > 0) - 1;
            holds(at.0 + low(heading.0, side.0), at.1 + low(heading.1, side.1))
        };
        let right = (-heading.1, heading.0);
        let left = (heading.1, -heading.0);
        heading = match (ahead(right), ahead(left)) {
            (false, _) => right,
            (true, false) => heading,
            (true, true) => left,
        };
        if at == start && heading == (1, 0) {
            return path;
        }
    }
}

/// A few points at even distances along a closed path, each the mean of its surroundings.
fn resampled(path: &[[f64; 2]]) -> Vec<[f64; 2]> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a path around pixels of one image"
    )]
    let wanted = (path.len() as f64 / STEP_PX) as usize;
    let count = wanted.clamp(POINTS.0, POINTS.1).min(path.len());
    let around = path.len() / count / 2 + 1;
    let point = |index: usize| {
        let middle = index * path.len() / count;
        let near = (0..=2 * around).map(|step| path[(middle + path.len() * 2 + step - around) % path.len()]);
        #[expect(clippy::cast_precision_loss, reason = "a few neighbours")]
        let share = 1.0 / (2 * around + 1) as f64;
        near.fold([0.0, 0.0], |sum, [x, y]| [sum[0] + x * share, sum[1] + y * share])
    };
    (0..count).map(point).collect()
}

/// Scaled about its middle to an area: smoothing rounds corners off.
fn scaled(points: Vec<[f64; 2]>, wanted_px: f64) -> Vec<[f64; 2]> {
    let ratio = wanted_px / area_px(&points);
    let by = if RATIO.contains(&ratio) { ratio.sqrt() } else { 1.0 };
    #[expect(clippy::cast_precision_loss, reason = "a few dozen points")]
    let share = 1.0 / points.len().max(1) as f64;
    let middle = points.iter().fold([0.0, 0.0], |sum, [x, y]| [sum[0] + x * share, sum[1] + y * share]);
    let scale = |point: [f64; 2]| [0, 1].map(|axis| middle[axis] + (point[axis] - middle[axis]) * by);
    points.into_iter().map(scale).collect()
}

/// Pixels whose centre lies inside (even-odd rule).
pub(super) fn filled(points: &[[f64; 2]], columns: usize, rows: usize) -> Vec<bool> {
    let mut mask = vec![false; columns * rows];
    for (row, line) in mask.chunks_mut(columns).enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "rows of an image")]
        let y = row as f64;
        let mut crossings: Vec<f64> = points
            .iter()
            .zip(points.iter().cycle().skip(1))
            .filter(|(a, b)| (a[1] <= y) != (b[1] <= y))
            .map(|(a, b)| a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]))
            .collect();
        crossings.sort_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to the image"
            )]
            let column = |x: f64| x.ceil().max(0.0) as usize;
            let end = column(pair[1]).min(columns);
            line[column(pair[0]).min(end)..end].fill(true);
        }
    }
    mask
}

/// Whether two sides of an outline cross.
pub(super) fn crosses_itself(points: &[[f64; 2]]) -> bool {
    let side =
        |a: [f64; 2], b: [f64; 2], p: [f64; 2]| (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
    let count = points.len();
    let ends = |index: usize| (points[index], points[(index + 1) % count]);
    (0..count).any(|one| {
        let (a, b) = ends(one);
        // Neighbours share a point and cross nowhere.
        (one + 2..count).filter(|other| !(one == 0 && *other == count - 1)).any(|other| {
            let (c, d) = ends(other);
            side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
        })
    })
}

/// Row, first column, length of every run of a mask.
pub(super) fn runs(mask: &[bool], columns: usize) -> Vec<[u32; 3]> {
    let mut found: Vec<[u32; 3]> = Vec::new();
    for (row, line) in (0_u32..).zip(mask.chunks(columns)) {
        let mut before = false;
        for (column, here) in (0_u32..).zip(line) {
            match (*here, before, found.last_mut()) {
                (true, true, Some(run)) => run[2] += 1,
                (true, ..) => found.push([row, column, 1]),
                _ => {}
            }
            before = *here;
        }
    }
    found
}
