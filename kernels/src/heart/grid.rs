//! The volume made small and turned upright: cells of 2 to 4 mm in the plane, x to the left, y to the back,
//! z to the head, whatever way the patient lay and the pictures were stacked.
//!
//! Anatomy of this size needs no finer grid, and every later step costs a sixteenth.

#![expect(clippy::cast_possible_truncation, reason = "sizes of pictures fit every integer used here")]

use rayon::prelude::*;

use super::NoHeart;
use crate::mask::Mask;
use crate::region::Region;
use crate::volume::{Dimensions, Volume};

/// A cell in the plane is the largest power of two of voxels that is no longer than this: 2 to 4 mm. Powers of
/// two, so that usual matrices divide evenly and a picture turned over gives the same cells turned over.
const CELL_AT_MOST_UM: i64 = 4000;
/// No tissue and no air is darker: such values are padding outside the reconstruction circle.
const PADDING_BELOW_HU: i16 = -1500;

/// Which way one axis of the volume runs in the upright grid.
#[derive(Clone, Copy, Debug)]
struct Axis {
    /// Voxels a cell.
    factor: usize,
    cells: usize,
    backwards: bool,
}

impl Axis {
    fn new(voxels: u32, factor: usize, towards: f64) -> Self {
        Self { factor, cells: (voxels as usize).div_ceil(factor), backwards: towards < 0.0 }
    }

    /// The cell at a place of the upright grid, counted along the volume; and back again.
    fn turn(&self, cell: usize) -> usize {
        if self.backwards { self.cells - 1 - cell } else { cell }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Grid {
    /// Cells along x, y, z.
    pub(super) size: [usize; 3],
    pub(super) cell_um: [i64; 3],
    /// Mean and highest Hounsfield value of each cell, x fastest.
    pub(super) mean: Vec<i16>,
    pub(super) peak: Vec<i16>,
    /// Cells outside the reconstruction circle.
    pub(super) padding: Mask,
    columns: Axis,
    rows: Axis,
    slices: Axis,
    /// Columns run along y: the pictures lie on their side.
    crossed: bool,
    dimensions: Dimensions,
}

impl Grid {
    pub(super) fn new(volume: &Volume) -> Result<Self, NoHeart> {
        let (geometry, dimensions) = (volume.geometry(), volume.dimensions());
        let toward = |axis: usize| geometry.patient_mm_from_voxel.map(|line| line[axis]);
        let (across, down, along) = (toward(0), toward(1), toward(2));
        let steep = along.iter().map(|mm| mm * mm).sum::<f64>().sqrt() * 0.9;
        let crossed = across[1].abs() > across[0].abs();
        let (main, other) = if crossed { (1, 0) } else { (0, 1) };
        if along[2].abs() < steep || down[other].abs() < down[main].abs() {
            return Err(NoHeart::NotAxial);
        }
        let columns = Axis::new(dimensions.columns, factor(geometry.column_spacing_mm), across[main]);
        let rows = Axis::new(dimensions.rows, factor(geometry.row_spacing_mm), down[other]);
        let slices = Axis::new(dimensions.slices, 1, along[2]);
        let column_um = micrometres(geometry.column_spacing_mm) * columns.factor as i64;
        let row_um = micrometres(geometry.row_spacing_mm) * rows.factor as i64;
        let (x, y) = if crossed { (rows, columns) } else { (columns, rows) };
        let (x_um, y_um) = if crossed { (row_um, column_um) } else { (column_um, row_um) };
        let size = [x.cells, y.cells, slices.cells];
        let mut grid = Self {
            size,
            cell_um: [x_um, y_um, micrometres(geometry.slice_increment_mm)],
            mean: Vec::new(),
            peak: Vec::new(),
            padding: Mask::new(size),
            columns,
            rows,
            slices,
            crossed,
            dimensions,
        };
        grid.fill(volume);
        Ok(grid)
    }

    /// How many whole cells fit into a distance; at least one.
    pub(super) fn cells(&self, axis: usize, distance_um: i64) -> usize {
        usize::try_from(distance_um / self.cell_um[axis]).unwrap_or(1).max(1)
    }

    pub(super) fn cell_area_mm2_x100(&self) -> i64 {
        self.cell_um[0] * self.cell_um[1] / 10_000
    }

    /// Volume of so many cells in millilitres.
    pub(super) fn millilitres(&self, cells: usize) -> i64 {
        cells as i64 * (self.cell_um[0] * self.cell_um[1] / 1000) * self.cell_um[2] / 1_000_000_000
    }

    /// The voxels of all cells in a mask.
    pub(super) fn region(&self, cells: &Mask) -> Region {
        let mut region = Region::nothing(self.dimensions);
        for z in 0..self.size[2] {
            let slice = self.slices.turn(z) as u32;
            for y in 0..self.size[1] {
                for x in (0..self.size[0]).filter(|x| cells.get(*x, y, z)) {
                    let (across, down) = if self.crossed { (y, x) } else { (x, y) };
                    for row in span(&self.rows, down, self.dimensions.rows) {
                        for column in span(&self.columns, across, self.dimensions.columns) {
                            region.insert(column, row, slice);
                        }
                    }
                }
            }
        }
        region
    }

    fn fill(&mut self, volume: &Volume) {
        let circle = circle_padding(volume);
        let planes: Vec<Vec<Cell>> = (0..self.size[2])
            .into_par_iter()
            .map(|z| self.plane(volume.slice(self.slices.turn(z) as u32), circle))
            .collect();
        let cells = || planes.iter().flatten();
        self.mean = cells().map(|cell| cell.mean).collect();
        self.peak = cells().map(|cell| cell.peak).collect();
        self.padding = Mask::from_cells(self.size, cells().map(|cell| cell.padding).collect());
    }

    /// One slice, made small and turned upright.
    fn plane(&self, slice: &[i16], circle: Option<i16>) -> Vec<Cell> {
        let columns = self.dimensions.columns as usize;
        let mut sums = vec![Sum::default(); self.columns.cells * self.rows.cells];
        for (row, voxels) in slice.chunks_exact(columns).enumerate() {
            let sums = &mut sums[row / self.rows.factor * self.columns.cells..][..self.columns.cells];
            for (sum, block) in sums.iter_mut().zip(voxels.chunks(self.columns.factor)) {
                for hounsfield in block {
                    sum.total += i32::from(*hounsfield);
                    sum.lowest = sum.lowest.min(*hounsfield);
                    sum.peak = sum.peak.max(*hounsfield);
                }
                sum.voxels += block.len() as i32;
            }
        }
        let mut cells = Vec::with_capacity(sums.len());
        for y in 0..self.size[1] {
            for x in 0..self.size[0] {
                let (across, down) = if self.crossed { (y, x) } else { (x, y) };
                let sum = sums[self.rows.turn(down) * self.columns.cells + self.columns.turn(across)];
                cells.push(sum.cell(circle));
            }
        }
        cells
    }
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    mean: i16,
    peak: i16,
    padding: bool,
}

#[derive(Clone, Copy, Debug)]
struct Sum {
    total: i32,
    voxels: i32,
    lowest: i16,
    peak: i16,
}

impl Default for Sum {
    fn default() -> Self {
        Self { total: 0, voxels: 0, lowest: i16::MAX, peak: i16::MIN }
    }
}

impl Sum {
    fn cell(self, circle: Option<i16>) -> Cell {
        let mean = i16::try_from(self.total / self.voxels.max(1)).expect("a mean lies between its values");
        let outside = circle.is_some_and(|value| self.lowest == value && self.peak == value);
        Cell { mean, peak: self.peak, padding: self.lowest < PADDING_BELOW_HU || outside }
    }
}

/// The one value that fills everything outside the inscribed circle, when one does.
fn circle_padding(volume: &Volume) -> Option<i16> {
    let Dimensions { columns, rows, slices } = volume.dimensions();
    let slice = volume.slice(slices / 2);
    let value = slice[0];
    let diameter = i64::from(columns.min(rows));
    let outside = |at: usize| {
        let x = 2 * (at as i64 % i64::from(columns)) + 1 - i64::from(columns);
        let y = 2 * (at as i64 / i64::from(columns)) + 1 - i64::from(rows);
        x * x + y * y > (diameter + 2) * (diameter + 2)
    };
    let even = slice.iter().enumerate().all(|(at, hounsfield)| *hounsfield == value || !outside(at));
    (even && value <= -1000).then_some(value)
}

fn span(axis: &Axis, cell: usize, voxels: u32) -> std::ops::Range<u32> {
    let first = (axis.turn(cell) * axis.factor) as u32;
    first..(first + axis.factor as u32).min(voxels)
}

fn factor(spacing_mm: f64) -> usize {
    let spacing_um = micrometres(spacing_mm);
    (0..6)
        .map(|power| 1 << power)
        .take_while(|voxels| *voxels as i64 * spacing_um <= CELL_AT_MOST_UM)
        .last()
        .unwrap_or(1)
}

fn micrometres(millimetres: f64) -> i64 {
    ((millimetres * 1000.0).round() as i64).max(1)
}
