//! What cells of 8 x 8 x 8 voxels hold at most and at least, so that rays leap over what shows nothing.
//!
//! A cell covers the sample positions from its first voxel centre to the next cell's first, and a sample reads the
//! eight voxels around it; so a cell's extremes are over 9 x 9 x 9 voxels, the next cells' first ones included.
//! The extremes depend on the volume alone; which cells show something is worked out anew for each transfer function.

use std::ops::RangeInclusive;

use rayon::prelude::*;

use super::transfer::Table;
use super::view::Labels;
use crate::volume::{Dimensions, Volume};

/// Voxels along a cell's edge.
pub(crate) const CELL: u32 = 8;

/// Distances end here: leaps longer than this many cells gain nothing.
const FAR: u8 = 63;

#[derive(Clone, Debug)]
pub(crate) struct Macrocells {
    /// Cells along columns, rows and slices.
    pub(crate) counts: [u32; 3],
    /// Least and largest value, column fastest.
    pub(crate) extremes: Vec<[i16; 2]>,
    /// Whether a voxel of the cell carries a label. Empty where there are no labels.
    labelled: Vec<bool>,
}

impl Macrocells {
    pub(crate) fn new(volume: &Volume, labels: Option<&Labels>) -> Self {
        let dimensions = volume.dimensions();
        let counts = [dimensions.columns, dimensions.rows, dimensions.slices].map(|n| n.div_ceil(CELL));
        let layers: Vec<Vec<[i16; 2]>> =
            (0..counts[2]).into_par_iter().map(|layer| extremes_of_layer(volume, counts, layer)).collect();
        let labelled = labels.map(|labels| labelled_cells(labels, dimensions, counts)).unwrap_or_default();
        Self { counts, extremes: layers.concat(), labelled }
    }

    /// The same values with other labels.
    pub(crate) fn labelled(&self, labels: &Labels, dimensions: Dimensions) -> Self {
        Self { labelled: labelled_cells(labels, dimensions, self.counts), ..self.clone() }
    }

    /// The volume's least and largest value.
    pub(crate) fn extent(&self) -> RangeInclusive<i16> {
        let least = self.extremes.iter().map(|[least, _]| *least).min().unwrap_or(0);
        let largest = self.extremes.iter().map(|[_, largest]| *largest).max().unwrap_or(0);
        least..=largest
    }

    /// Values that are neither air nor outliers: from the median cell's least to what one cell in a hundred exceeds.
    pub(crate) fn tissue(&self) -> RangeInclusive<i16> {
        let mut least: Vec<i16> = self.extremes.iter().map(|[least, _]| *least).collect();
        let mut largest: Vec<i16> = self.extremes.iter().map(|[_, largest]| *largest).collect();
        let (low, high) = (least.len() / 4, largest.len() * 99 / 100);
        let low = *least.select_nth_unstable(low).1;
        let high = *largest.select_nth_unstable(high).1;
        low..=high.max(low)
    }

    /// For each cell, how many cells away (along any axis, diagonals count one) the nearest one is that shows
    /// something: 0 for such a cell itself. All within less than that distance may be leapt over.
    pub(crate) fn distances(&self, table: &Table) -> Vec<u8> {
        let opaque_before = table.opaque_before();
        let shows = |(cell, [least, largest]): (usize, &[i16; 2])| {
            let entries = table.entries_of(*least..=*largest);
            opaque_before[entries.end() + 1] > opaque_before[*entries.start()] || self.is_labelled(cell)
        };
        let mut distances: Vec<u8> =
            self.extremes.iter().enumerate().map(|cell| if shows(cell) { 0 } else { FAR }).collect();
        spread(&mut distances, self.counts);
        distances
    }

    /// The same for a projection: shows something what may differ from the window's end that `shows` is told about. A cell
    /// that shows something may be leapt over by itself where the ray has met more, so it has 1; none has 0 but those
    /// with labels.
    pub(crate) fn distances_of_projection(&self, shows: impl Fn([i16; 2]) -> bool) -> Vec<u8> {
        let mut distances: Vec<u8> = (0..)
            .zip(&self.extremes)
            .map(|(cell, extremes)| if shows(*extremes) || self.is_labelled(cell) { 0 } else { FAR })
            .collect();
        spread(&mut distances, self.counts);
        for (cell, distance) in distances.iter_mut().enumerate() {
            *distance = (*distance).max(u8::from(!self.is_labelled(cell)));
        }
        distances
    }

    fn is_labelled(&self, cell: usize) -> bool {
        self.labelled.get(cell).copied().unwrap_or(false)
    }
}

fn extremes_of_layer(volume: &Volume, counts: [u32; 3], layer: u32) -> Vec<[i16; 2]> {
    let Dimensions { columns, slices, .. } = volume.dimensions();
    let mut extremes = vec![[i16::MAX, i16::MIN]; (counts[0] * counts[1]) as usize];
    for slice in layer * CELL..=(layer * CELL + CELL).min(slices - 1) {
        for (row, values) in volume.slice(slice).chunks_exact(columns as usize).enumerate() {
            let last = row / CELL as usize;
            // The first row of a cell also is the border of the cell before it.
            let first = if row % CELL as usize == 0 { last.saturating_sub(1) } else { last };
            let of_row = extremes_of_row(values, counts[0]);
            for cell_row in first..=last {
                let cells = &mut extremes[cell_row * counts[0] as usize..][..counts[0] as usize];
                for (cell, [least, largest]) in cells.iter_mut().zip(&of_row) {
                    *cell = [cell[0].min(*least), cell[1].max(*largest)];
                }
            }
        }
    }
    extremes
}

fn extremes_of_row(values: &[i16], cells: u32) -> Vec<[i16; 2]> {
    let last = values.len() - 1;
    (0..cells as usize)
        .map(|cell| {
            let first = cell * CELL as usize;
            let reach = &values[first..=(first + CELL as usize).min(last)];
            reach.iter().fold([i16::MAX, i16::MIN], |[least, largest], value| {
                [least.min(*value), largest.max(*value)]
            })
        })
        .collect()
}

/// A label is read from the nearest voxel, which may be the next cell's first.
fn labelled_cells(labels: &Labels, dimensions: Dimensions, counts: [u32; 3]) -> Vec<bool> {
    let mut labelled = vec![false; counts.iter().map(|count| *count as usize).product()];
    let row_len = dimensions.columns as usize;
    for (row, values) in labels.values().chunks_exact(row_len).enumerate() {
        let place = [row as u32 % dimensions.rows, row as u32 / dimensions.rows];
        for (column, _) in values.iter().enumerate().filter(|(_, label)| **label != 0) {
            let touched = [column as u32, place[0], place[1]].map(|voxel| {
                let last = voxel / CELL;
                if voxel % CELL == 0 { last.saturating_sub(1)..=last } else { last..=last }
            });
            for z in touched[2].clone() {
                for y in touched[1].clone() {
                    for x in touched[0].clone() {
                        labelled[((z * counts[1] + y) * counts[0] + x) as usize] = true;
                    }
                }
            }
        }
    }
    labelled
}

/// Chessboard distances from two sweeps (Rosenfeld and Pfaltz 1966): exact, because diagonals count one.
///
/// A cell is one farther than the nearest of the neighbours that the sweep has seen: three rows of the layer before, the
/// row before, and the cell before, which comes last because it has to be finished itself.
fn spread(distances: &mut [u8], counts: [u32; 3]) {
    let [columns, rows, layers] = counts.map(|count| count as usize);
    let mut nearest = vec![FAR; columns];
    let mut sweep = |at: [usize; 2], before: &[Option<[usize; 2]>], backward: bool, distances: &mut [u8]| {
        let place = |[row, layer]: [usize; 2]| (layer * rows + row) * columns;
        nearest.fill(FAR);
        for near in before.iter().flatten() {
            let row = &distances[place(*near)..][..columns];
            for (nearest, near) in nearest.iter_mut().zip(row) {
                *nearest = (*nearest).min(*near);
            }
        }
        let row = &mut distances[place(at)..][..columns];
        let relax = |x: usize, row: &mut [u8]| {
            let mut near =
                nearest[x].min(nearest[x.saturating_sub(1)]).min(nearest[(x + 1).min(columns - 1)]);
            let beside = if backward { row.get(x + 1) } else { x.checked_sub(1).map(|x| &row[x]) };
            near = near.min(beside.copied().unwrap_or(FAR));
            row[x] = row[x].min(near + 1);
        };
        if backward {
            (0..columns).rev().for_each(|x| relax(x, row));
        } else {
            (0..columns).for_each(|x| relax(x, row));
        }
    };
    let beside = |at: Option<usize>, rows: usize| at.filter(|row| *row < rows);
    for layer in 0..layers {
        for row in 0..rows {
            let above = layer.checked_sub(1);
            let near = [row.checked_sub(1), Some(row), beside(Some(row + 1), rows)];
            let [a, b, c] = near.map(|row| row.zip(above).map(<[usize; 2]>::from));
            sweep([row, layer], &[a, b, c, near[0].map(|row| [row, layer])], false, distances);
        }
    }
    for layer in (0..layers).rev() {
        for row in (0..rows).rev() {
            let below = beside(Some(layer + 1), layers);
            let near = [row.checked_sub(1), Some(row), beside(Some(row + 1), rows)];
            let [a, b, c] = near.map(|row| row.zip(below).map(<[usize; 2]>::from));
            sweep([row, layer], &[a, b, c, near[2].map(|row| [row, layer])], true, distances);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_a_chessboard() {
        let counts = [9, 7, 8];
        let lit = [[1_u32, 2, 3], [8, 0, 7]];
        let at = |[x, y, z]: [u32; 3]| ((z * counts[1] + y) * counts[0] + x) as usize;
        let mut distances = vec![FAR; 9 * 7 * 8];
        for cell in lit {
            distances[at(cell)] = 0;
        }
        spread(&mut distances, counts);
        for z in 0..counts[2] {
            for y in 0..counts[1] {
                for x in 0..counts[0] {
                    let far = |[a, b, c]: [u32; 3]| x.abs_diff(a).max(y.abs_diff(b)).max(z.abs_diff(c));
                    let expected = lit.into_iter().map(far).min().unwrap_or_default();
                    assert_eq!(u32::from(distances[at([x, y, z])]), expected, "({x}, {y}, {z})");
                }
            }
        }
    }
}
