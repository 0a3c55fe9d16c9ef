//! Sets of cells, and the few operations on them that the rule needs. All integer, all deterministic.

#![expect(
    clippy::cast_possible_truncation,
    reason = "coordinates are checked against the size before they become indices"
)]

use rayon::prelude::*;

/// A set of cells of a grid; x fastest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mask {
    size: [usize; 3],
    cells: Vec<bool>,
}

/// One connected set of cells, as indices in rising order of discovery.
pub(crate) type Component = Vec<usize>;

/// Which cells count as neighbours in three dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Neighbours {
    Faces,
    Corners,
}

impl Mask {
    pub(crate) fn new(size: [usize; 3]) -> Self {
        Self { size, cells: vec![false; size[0] * size[1] * size[2]] }
    }

    pub(crate) fn from_cells(size: [usize; 3], cells: Vec<bool>) -> Self {
        assert_eq!(cells.len(), size[0] * size[1] * size[2], "one value a cell");
        Self { size, cells }
    }

    pub(crate) fn of(size: [usize; 3], cells: &[usize]) -> Self {
        let mut mask = Self::new(size);
        mask.insert_all(cells);
        mask
    }

    pub(crate) fn cells(&self) -> &[bool] {
        &self.cells
    }

    pub(crate) fn plane(&self, z: usize) -> &[bool] {
        &self.cells[z * self.size[0] * self.size[1]..][..self.size[0] * self.size[1]]
    }

    pub(crate) fn get(&self, x: usize, y: usize, z: usize) -> bool {
        self.cells[(z * self.size[1] + y) * self.size[0] + x]
    }

    pub(crate) fn size(&self) -> [usize; 3] {
        self.size
    }

    pub(crate) fn insert(&mut self, cell: usize) {
        self.cells[cell] = true;
    }

    /// A range of cells.
    pub(crate) fn fill(&mut self, cells: std::ops::Range<usize>) {
        self.cells[cells].fill(true);
    }

    pub(crate) fn insert_all_of(&mut self, other: &Self) {
        self.cells.iter_mut().zip(&other.cells).for_each(|(inside, other)| *inside |= other);
    }

    pub(crate) fn count(&self) -> usize {
        self.cells.iter().filter(|inside| **inside).count()
    }

    pub(crate) fn insert_all(&mut self, cells: &[usize]) {
        for cell in cells {
            self.cells[*cell] = true;
        }
    }

    /// Cells for which `keep(index)` holds.
    pub(crate) fn filter(&self, keep: impl Fn(usize) -> bool) -> Self {
        let cells = self.cells.iter().enumerate().map(|(index, inside)| *inside && keep(index)).collect();
        Self { size: self.size, cells }
    }

    /// Every cell within so many cells of a member: an ellipsoid of the given half-axes.
    pub(crate) fn dilated(&self, reach: [usize; 3]) -> Self {
        let offsets = ball(reach);
        let [columns, rows, slices] = self.size.map(|cells| cells as i64);
        let plane = |z: usize| -> Vec<bool> {
            let mut plane = vec![false; self.size[0] * self.size[1]];
            for [dx, dy, dz] in &offsets {
                let from = z as i64 + dz;
                if !(0..slices).contains(&from) {
                    continue;
                }
                let source = self.plane(from as usize);
                for y in (-dy).max(0)..(rows - dy).min(rows) {
                    let to = &mut plane[(y * columns) as usize..][..columns as usize];
                    let from = &source[((y + dy) * columns) as usize..][..columns as usize];
                    let (low, high) = ((-dx).max(0) as usize, (columns - dx).min(columns).max(0) as usize);
                    if low >= high {
                        continue;
                    }
                    let shifted = &from[(low as i64 + dx) as usize..];
                    for (to, from) in to[low..high].iter_mut().zip(shifted) {
                        *to |= *from;
                    }
                }
            }
            plane
        };
        let planes: Vec<Vec<bool>> = (0..self.size[2]).into_par_iter().map(plane).collect();
        Self { size: self.size, cells: planes.concat() }
    }

    /// Every member farther than so many cells from all others; the border of the grid does not count.
    pub(crate) fn eroded(&self, reach: [usize; 3]) -> Self {
        let outside = Self { size: self.size, cells: self.cells.iter().map(|inside| !inside).collect() };
        let grown = outside.dilated(reach);
        Self { size: self.size, cells: grown.cells.iter().map(|inside| !inside).collect() }
    }

    /// All connected sets, in the order of their first cell.
    pub(crate) fn components(&self, neighbours: Neighbours) -> Vec<Component> {
        let mut left = self.cells.clone();
        let mut found = Vec::new();
        for first in 0..left.len() {
            if left[first] {
                left[first] = false;
                found.push(self.flood(first, &mut left, neighbours));
            }
        }
        found
    }

    /// In one slice, the connected sets of cells that are no members and do not reach the picture's border.
    pub(crate) fn holes(&self, z: usize) -> Vec<Component> {
        let [columns, rows, _] = self.size;
        let outside =
            Self { size: [columns, rows, 1], cells: self.plane(z).iter().map(|inside| !inside).collect() };
        let border = |cell: &usize| {
            let (x, y) = (cell % columns, cell / columns);
            x == 0 || y == 0 || x + 1 == columns || y + 1 == rows
        };
        let holes = outside.components(Neighbours::Faces).into_iter().filter(|hole| !hole.iter().any(border));
        holes.map(|hole| hole.into_iter().map(|cell| cell + z * columns * rows).collect()).collect()
    }

    /// The largest connected set; the first of equals.
    pub(crate) fn largest(&self) -> Self {
        let mut best: Component = Vec::new();
        for component in self.components(Neighbours::Faces) {
            if component.len() > best.len() {
                best = component;
            }
        }
        Self::of(self.size, &best)
    }

    fn flood(&self, first: usize, left: &mut [bool], neighbours: Neighbours) -> Component {
        let offsets = neighbours.offsets();
        let [columns, rows, slices] = self.size.map(|cells| cells as i64);
        let mut members = vec![first];
        let mut next = 0;
        while let Some(cell) = members.get(next).map(|cell| *cell as i64) {
            next += 1;
            let (x, y, z) = (cell % columns, cell / columns % rows, cell / columns / rows);
            for [dx, dy, dz] in &offsets {
                let (x, y, z) = (x + dx, y + dy, z + dz);
                if (0..columns).contains(&x) && (0..rows).contains(&y) && (0..slices).contains(&z) {
                    let index = ((z * rows + y) * columns + x) as usize;
                    if left[index] {
                        left[index] = false;
                        members.push(index);
                    }
                }
            }
        }
        members
    }
}

impl Neighbours {
    fn offsets(self) -> Vec<[i64; 3]> {
        let farthest = if self == Self::Faces { 1 } else { 3 };
        ball([1, 1, 1].map(|reach: usize| reach * 2))
            .into_iter()
            .filter(|offset| offset.iter().all(|step| step.abs() <= 1))
            .filter(|offset| (1..=farthest).contains(&offset.iter().map(|step| step.abs()).sum::<i64>()))
            .collect()
    }
}

/// Offsets inside an ellipsoid with these half-axes, in cells.
fn ball(reach: [usize; 3]) -> Vec<[i64; 3]> {
    let [a, b, c] = reach.map(|cells| cells as i64);
    let unit = |step: i64, half: i64| if half == 0 { 0 } else { step * step * 3600 / (half * half) };
    let mut offsets = Vec::new();
    for dz in -c..=c {
        for dy in -b..=b {
            for dx in -a..=a {
                if unit(dx, a) + unit(dy, b) + unit(dz, c) <= 3600 {
                    offsets.push([dx, dy, dz]);
                }
            }
        }
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::{Mask, Neighbours};

    fn mask(rows: &[&str]) -> Mask {
        let cells = rows.iter().flat_map(|row| row.chars().map(|letter| letter == '#')).collect();
        Mask::from_cells([rows[0].len(), rows.len(), 1], cells)
    }

    #[test]
    fn corners_join_only_where_corners_count() {
        let two = mask(&["#..", ".#.", "..#"]);
        assert_eq!(two.components(Neighbours::Faces).len(), 3, "faces");
        assert_eq!(two.components(Neighbours::Corners).len(), 1, "corners");
    }

    #[test]
    fn dilation_reaches_as_far_as_asked_and_erosion_undoes_it() {
        let dot = mask(&[".......", ".......", ".......", "...#...", ".......", ".......", "......."]);
        let disc = dot.dilated([2, 2, 0]);
        assert_eq!(disc.count(), 13, "a disc of radius two");
        assert_eq!(disc.eroded([2, 2, 0]), dot, "back to the dot");
    }

    #[test]
    fn a_hole_is_closed_on_all_sides() {
        let ring = mask(&["####.", "#..#.", "####.", "#....", "#...."]);
        assert_eq!(ring.holes(0), vec![vec![6, 7]], "the ring's inside, not the notch at the border");
    }

    #[test]
    fn the_largest_set_wins() {
        assert_eq!(mask(&["##..#", "#...#"]).largest(), mask(&["##...", "#...."]), "three beat two");
    }
}
