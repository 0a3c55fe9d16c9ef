//! The two lungs, and the convex hull around them in every slice.
//!
//! Lung is air with body before and behind it. That holds for a field of view that cuts the lungs at its sides,
//! and it tells lung from the air around the patient without asking which air touches the picture's border.

#![expect(
    clippy::cast_possible_truncation,
    reason = "coordinates are clamped to the picture before they become indices"
)]

use super::NoHeart;
use super::grid::Grid;
use crate::mask::{Mask, Neighbours};

/// Between lung and tissue.
const AIR_BELOW_HU: i16 = -400;
/// Gas without tissue in it: outside the patient, or in the gut.
const PURE_GAS_BELOW_HU: i16 = -965;
const GAS_AT_MOST_PERCENT: usize = 60;
const BODY_AT_LEAST_ML: i64 = 1000;
const PIECE_AT_LEAST_ML: i64 = 50;
const LUNG_AT_LEAST_ML: i64 = 40;
const LUNGS_AT_LEAST_ML: i64 = 250;
/// Thinner sheets (the couch, blankets) are not body.
const SHEET_UM: i64 = 6000;

/// Soft tissue and bone of the patient, without the couch.
pub(super) fn body(grid: &Grid) -> Result<Mask, NoHeart> {
    let cells = grid.mean.iter().zip(grid.padding.cells());
    let dense = Mask::from_cells(grid.size, cells.map(|(mean, out)| *mean >= AIR_BELOW_HU && !out).collect());
    let reach = [grid.cells(0, SHEET_UM), grid.cells(1, SHEET_UM), 0];
    let mut core = Mask::new(grid.size);
    // A narrow field of view cuts the body into pieces: the chest wall before the lungs, the back behind them.
    for piece in dense.eroded(reach).components(Neighbours::Faces) {
        if grid.millilitres(piece.len()) >= PIECE_AT_LEAST_ML {
            core.insert_all(&piece);
        }
    }
    let body = core.dilated(reach);
    if grid.millilitres(body.count()) < BODY_AT_LEAST_ML { Err(NoHeart::NoBody) } else { Ok(body) }
}

pub(super) fn lungs(grid: &Grid, body: &Mask) -> Result<Mask, NoHeart> {
    let cells = grid.mean.iter().zip(grid.padding.cells());
    let air = Mask::from_cells(grid.size, cells.map(|(mean, out)| *mean < AIR_BELOW_HU && !out).collect());
    let mut lungs = Mask::new(grid.size);
    let between = enclosed(grid, body);
    for component in air.filter(|cell| between.cells()[cell]).components(Neighbours::Faces) {
        let gas = component.iter().filter(|cell| grid.mean[**cell] < PURE_GAS_BELOW_HU).count();
        let large = grid.millilitres(component.len()) >= LUNG_AT_LEAST_ML;
        if large && gas * 100 <= GAS_AT_MOST_PERCENT * component.len() {
            lungs.insert_all(&component);
        }
    }
    if grid.millilitres(lungs.count()) < LUNGS_AT_LEAST_ML { Err(NoHeart::NoLungs) } else { Ok(lungs) }
}

/// Cells with body somewhere before and somewhere behind them.
fn enclosed(grid: &Grid, body: &Mask) -> Mask {
    let [columns, rows, slices] = grid.size;
    let mut inside = vec![false; columns * rows * slices];
    for z in 0..slices {
        for x in 0..columns {
            let first = (0..rows).find(|y| body.get(x, *y, z));
            let last = (0..rows).rev().find(|y| body.get(x, *y, z));
            for y in first.zip(last).map_or(0..0, |(first, last)| first..last) {
                inside[(z * rows + y) * columns + x] = true;
            }
        }
    }
    Mask::from_cells(grid.size, inside)
}

/// A corner of a hull, in cells.
type Corner = [i64; 2];

/// The convex hull of the lungs in one slice.
#[derive(Clone, Debug, Default)]
pub(super) struct Hull {
    /// Corners in turning order; empty where the slice has no lung.
    corners: Vec<Corner>,
}

impl Hull {
    /// Andrew's monotone chain over the ends of every row.
    pub(super) fn around(plane: &[bool], columns: usize) -> Self {
        let mut points: Vec<Corner> = Vec::new();
        for (y, row) in plane.chunks_exact(columns).enumerate() {
            let ends = [row.iter().position(|inside| *inside), row.iter().rposition(|inside| *inside)];
            points.extend(ends.into_iter().flatten().map(|x| [y as i64, x as i64]));
        }
        points.dedup();
        if points.len() < 3 {
            return Self::default();
        }
        let mut corners = chain(points.iter());
        corners.pop();
        corners.extend(chain(points.iter().rev()));
        corners.pop();
        Self { corners: corners.into_iter().map(|[y, x]| [x, y]).collect() }
    }

    pub(super) fn edges(&self) -> impl Iterator<Item = (Corner, Corner)> + '_ {
        self.corners.iter().copied().zip(self.corners.iter().copied().cycle().skip(1))
    }

    /// Every cell inside or on the hull.
    pub(super) fn fill(&self, columns: usize, rows: usize) -> Vec<bool> {
        let mut plane = vec![false; columns * rows];
        for (y, row) in plane.chunks_exact_mut(columns).enumerate() {
            let (mut low, mut high) = (i64::MAX, i64::MIN);
            for (from, to) in self.edges() {
                let (top, bottom) = if from[1] <= to[1] { (from, to) } else { (to, from) };
                let height = bottom[1] - top[1];
                let down = y as i64 - top[1];
                if (0..=height).contains(&down) {
                    // A level edge counts with both ends through its neighbours.
                    let run = (bottom[0] - top[0]) * down;
                    low = low.min(top[0] + run.div_euclid(height.max(1)));
                    high = high.max(top[0] + (run + height.max(1) - 1).div_euclid(height.max(1)));
                }
            }
            for x in low.max(0)..=high.min(columns as i64 - 1) {
                row[x as usize] = true;
            }
        }
        plane
    }
}

/// One side of the hull.
fn chain<'a>(points: impl Iterator<Item = &'a Corner>) -> Vec<Corner> {
    let mut corners: Vec<Corner> = Vec::new();
    for point in points {
        while let [.., a, b] = corners[..] {
            let turn = (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0]);
            if turn > 0 {
                break;
            }
            corners.pop();
        }
        corners.push(*point);
    }
    corners
}

#[cfg(test)]
mod tests {
    use super::Hull;

    #[test]
    fn a_hull_bridges_the_gap_between_two_lungs() {
        let rows = ["##...##", "##...##", "#.....#", "......."];
        let plane: Vec<bool> = rows.iter().flat_map(|row| row.chars().map(|letter| letter == '#')).collect();
        let filled = Hull::around(&plane, 7).fill(7, 4);
        let expected: Vec<bool> = (0..28).map(|cell| cell < 21).collect();
        assert_eq!(filled, expected, "everything between, nothing below");
    }

    #[test]
    fn a_slice_without_lung_has_no_hull() {
        assert_eq!(Hull::around(&[false; 12], 4).fill(4, 3), vec![false; 12], "nothing");
    }
}
