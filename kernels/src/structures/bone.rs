//! Bone: dense pieces, what is nearly as dense beside them, and their marrow.

use super::cells::Cells;
use super::pieces::Pieces;
use super::state::BONE_FROM_HU;
use crate::mask::{Mask, Neighbours};

/// Denser cells begin a piece of bone.
const CORE_FROM_HU: i16 = 160;
/// Thin cortex: a bright voxel in a cell of several that is denser than soft tissue on average.
const CORTEX_PEAK_HU: i16 = 300;
const CORTEX_MEAN_HU: i16 = 75;
/// Smaller pieces are calcified vessels, mostly.
const PIECE_AT_LEAST_MM3: i64 = 500;
/// How far bone goes on around its dense pieces, and the gaps in its cortex that are closed.
const REACH_UM: i64 = 6000;
/// A hole in a slice of bone up to this size is marrow. The spinal canal, where bone closes around it, is as small.
const MARROW_AT_MOST_MM2: i64 = 550;

pub(super) fn bone(cells: &Cells, body: &Mask) -> Mask {
    let cortex = |cell: usize| {
        cells.are_coarse() && cells.peak[cell] >= CORTEX_PEAK_HU && cells.mean[cell] >= CORTEX_MEAN_HU
    };
    let inside = |cell: usize| body.cells()[cell];
    let core = cells.mask(|cell| inside(cell) && (cells.mean[cell] >= CORE_FROM_HU || cortex(cell)));
    let pieces = Pieces::of(&core, Neighbours::Corners);
    let core = pieces.mask(|piece| cells.cubic_mm(pieces.cells[piece]) >= PIECE_AT_LEAST_MM3);
    let weak = |cell: usize| cells.mean[cell] >= BONE_FROM_HU || cortex(cell);
    let grown = core.dilated(cells.reach(REACH_UM)).filter(|cell| inside(cell) && weak(cell));
    let reach = cells.reach_in_plane(REACH_UM);
    let closed = grown.dilated(reach).eroded(reach);
    let mut bone = grown;
    bone.insert_all_of(&closed);
    with_marrow(cells, bone).filter(inside)
}

fn with_marrow(cells: &Cells, mut bone: Mask) -> Mask {
    let [columns, rows, slices] = cells.layout.size;
    for z in 0..slices {
        let plane = bone.plane(z).iter().map(|inside| !inside).collect();
        let around = Pieces::of(&Mask::from_cells([columns, rows, 1], plane), Neighbours::Faces);
        let mut open = vec![false; around.cells.len()];
        for (cell, piece) in around.each() {
            let (x, y) = (cell % columns, cell / columns);
            open[piece] |= x == 0 || y == 0 || x + 1 == columns || y + 1 == rows;
        }
        let small = |piece: usize| cells.square_mm(around.cells[piece]) <= MARROW_AT_MOST_MM2;
        let holes: Vec<usize> =
            around.each().filter(|(_, piece)| !open[*piece] && small(*piece)).map(|(cell, _)| cell).collect();
        holes.into_iter().for_each(|cell| bone.insert(z * columns * rows + cell));
    }
    bone
}
