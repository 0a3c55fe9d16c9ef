//! What is bright and is no calcium of a vessel, so that a region drawn by a person can leave it out, too: bone, and the
//! rods of a calibration phantom that lies under the patient while he is scanned.
//!
//! A rod is straight and even from the first slice to the last, and behind it comes no more than a pad and the couch.
//! That tells it from everything in the body: vertebrae change from slice to slice, a contrast-filled aorta has a back
//! behind it. A phantom before the patient, or one that is tilted by more than a few degrees, is not found.

use super::grid::Grid;
use super::{NoHeart, bone_cells};
use crate::mask::{Mask, Neighbours};
use crate::region::Region;
use crate::volume::Volume;

/// A cell of a rod that can be taken for calcium.
const ROD_HU: i16 = 120;
/// In so many of a hundred slices: the first and last may show half a slice of it.
const SLICES_PERCENT: usize = 90;
const AREA_MM2: std::ops::RangeInclusive<i64> = 20..=1500;
/// Between the darkest and the brightest slices of a rod, a tenth of them left out at either end.
const EVEN_TO_HU: i64 = 60;
/// Pad and couch behind a rod. A back is thicker.
const BEHIND_AT_MOST_UM: i64 = 35_000;
/// Cells with less in them are air or foam.
const SOLID_HU: i16 = -400;
/// The blur around a rod.
const MARGIN_UM: i64 = 4_000;

/// What was excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excluded {
    Bone,
    CalibrationRod,
}

/// One kind of what is no calcium of a vessel, with a margin for its blur.
#[derive(Clone, Debug, PartialEq)]
pub struct Exclusion {
    pub what: Excluded,
    /// Connected pieces; for rods, how many there are.
    pub pieces: usize,
    pub region: Region,
}

/// All there is in the volume; kinds that are not found are not listed.
pub fn exclusions(volume: &Volume) -> Result<Vec<Exclusion>, NoHeart> {
    let grid = Grid::new(volume)?;
    let rods = rods(&grid);
    let reach = [grid.cells(0, MARGIN_UM), grid.cells(1, MARGIN_UM), 0];
    let around_rods = rods.dilated(reach);
    let bone = bone_cells(&grid).filter(|cell| !around_rods.cells()[cell]);
    let kinds = [
        (Excluded::Bone, bone.components(Neighbours::Corners).len(), bone),
        (Excluded::CalibrationRod, rods.components(Neighbours::Corners).len(), around_rods),
    ];
    let found = kinds.into_iter().filter(|(_, pieces, _)| *pieces > 0);
    Ok(found.map(|(what, pieces, cells)| Exclusion { what, pieces, region: grid.region(&cells) }).collect())
}

/// The cells of every rod, through all slices.
fn rods(grid: &Grid) -> Mask {
    let [columns, rows, slices] = grid.size;
    let plane = columns * rows;
    let bright = |at: usize| (0..slices).filter(|z| grid.mean[z * plane + at] >= ROD_HU).count();
    let lasting: Vec<bool> = (0..plane).map(|at| bright(at) * 100 >= slices * SLICES_PERCENT).collect();
    let lasting = Mask::from_cells([columns, rows, 1], lasting);
    let mut rods = Mask::new(grid.size);
    for rod in lasting.components(Neighbours::Corners) {
        let area_mm2 = rod.len() as i64 * grid.cell_area_mm2_x100() / 100;
        if AREA_MM2.contains(&area_mm2) && is_even(grid, &rod) && lies_behind(grid, &rod) {
            let through: Vec<usize> =
                (0..slices).flat_map(|z| rod.iter().map(move |at| z * plane + at)).collect();
            rods.insert_all(&through);
        }
    }
    rods
}

/// The same from slice to slice.
fn is_even(grid: &Grid, rod: &[usize]) -> bool {
    let plane = grid.size[0] * grid.size[1];
    let mean =
        |z: usize| rod.iter().map(|at| i64::from(grid.mean[z * plane + at])).sum::<i64>() / rod.len() as i64;
    let mut means: Vec<i64> = (0..grid.size[2]).map(mean).collect();
    means.sort_unstable();
    let tenth = means.len() / 10;
    means[means.len() - 1 - tenth] - means[tenth] <= EVEN_TO_HU
}

/// Behind every part of it, in most slices, comes little that is solid.
fn lies_behind(grid: &Grid, rod: &[usize]) -> bool {
    let [columns, rows, slices] = grid.size;
    let behind = |z: usize| {
        let below = |at: &usize| {
            let (x, y) = (at % columns, at / columns);
            let solid = |y: &usize| grid.mean[(z * rows + y) * columns + x] >= SOLID_HU;
            // From its own lower edge on: the rod itself does not count.
            let rest = (y + 1..rows).filter(|y| !rod.contains(&(y * columns + x)));
            rest.filter(solid).count() as i64 * grid.cell_um[1]
        };
        rod.iter().all(|at| below(at) <= BEHIND_AT_MOST_UM)
    };
    (0..slices).filter(|z| behind(*z)).count() * 2 > slices
}
