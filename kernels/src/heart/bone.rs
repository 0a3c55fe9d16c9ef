//! What is bone, and what only shines like it.
//!
//! Coronary calcium is small and lies between the lungs. Bone is large, or reaches out of that space.

use super::grid::Grid;
use crate::mask::{Component, Mask, Neighbours};

/// A cell this dense on average is bone or calcium.
const DENSE_MEAN_HU: i16 = 130;
/// Thin cortex: a bright voxel in a cell that is denser than soft tissue on average.
const CORTEX_PEAK_HU: i16 = 260;
const CORTEX_MEAN_HU: i16 = 75;
/// No coronary lesion is larger; the smallest whole vertebra is five times larger.
const BONE_AT_LEAST_MM3: i64 = 4000;
/// Around bone: the rim of its blur, its marrow near the surface, the edge of a cell.
const MARGIN_UM: i64 = 5000;

/// A hole in a slice of bone up to this size is marrow or the spinal canal, not a view into the chest.
const MARROW_AT_MOST_MM2: i64 = 1500;

/// Everything dense, as connected sets.
pub(super) fn dense(grid: &Grid) -> Vec<Component> {
    let cells = grid.mean.iter().zip(&grid.peak);
    let dense =
        |mean: i16, peak: i16| mean >= DENSE_MEAN_HU || (peak >= CORTEX_PEAK_HU && mean >= CORTEX_MEAN_HU);
    let mask = Mask::from_cells(grid.size, cells.map(|(mean, peak)| dense(*mean, *peak)).collect());
    mask.components(Neighbours::Corners)
}

/// Bone by size alone: vertebrae, ribs, sternum, whatever the lungs look like.
pub(super) fn large(grid: &Grid, dense: &[Component]) -> Mask {
    let cell_mm3 = grid.cell_um.iter().product::<i64>() / 1_000_000_000;
    let mut bone = Mask::new(grid.size);
    for component in
        dense.iter().filter(|component| component.len() as i64 * cell_mm3.max(1) >= BONE_AT_LEAST_MM3)
    {
        bone.insert_all(component);
    }
    bone
}

/// Bone by size or because it reaches out of the hull around the lungs.
pub(super) fn reaching_out(grid: &Grid, dense: &[Component], hull: &Mask) -> Mask {
    let mut bone = large(grid, dense);
    for component in dense.iter().filter(|component| component.iter().any(|cell| !hull.cells()[*cell])) {
        bone.insert_all(component);
    }
    bone
}

/// Bone, its margin and its marrow.
pub(super) fn with_margin(grid: &Grid, bone: &Mask) -> Mask {
    // Half a cell more in the plane: a cell is coarse against the margin.
    let reach = [0, 1].map(|axis| grid.cells(axis, MARGIN_UM + grid.cell_um[axis] / 2));
    let mut bone = bone.dilated([reach[0], reach[1], grid.cells(2, MARGIN_UM)]);
    for z in 0..grid.size[2] {
        for hole in bone.holes(z) {
            if hole.len() as i64 * grid.cell_area_mm2_x100() <= MARROW_AT_MOST_MM2 * 100 {
                bone.insert_all(&hole);
            }
        }
    }
    bone
}
