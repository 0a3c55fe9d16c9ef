//! The airway: a small round piece of gas near the middle that goes on from slice to slice, and the gas that hangs together
//! with it. Where that would be a lung, only darker gas counts.

use super::cells::Cells;
use super::pieces::Pieces;
use crate::mask::{Mask, Neighbours};

/// A windpipe in a slice.
const AREA_MM2: std::ops::RangeInclusive<i64> = 50..=700;
const FROM_THE_MIDDLE_UM: i64 = 40_000;
/// It fills at least so much of the rectangle around it, which is at most twice as long as wide.
const FULL_PERCENT: usize = 50;
const GAS_BELOW_HU: i16 = -850;
/// A windpipe is seen over at least this height.
const HEIGHT_UM: i64 = 15_000;
/// Windpipe and bronchi hold less; more has leaked into a lung.
const AIRWAY_AT_MOST_MM3: i64 = 110_000;
/// Darker gas is tried in these steps down to the last.
const STEP_HU: i16 = 10;
const DARKEST_HU: i16 = -970;

pub(super) fn airway(cells: &Cells, body: &Mask) -> Mask {
    let windpipe = windpipe(cells, body);
    if windpipe.is_empty() {
        return Mask::new(cells.layout.size);
    }
    let mut limit = GAS_BELOW_HU;
    while limit >= DARKEST_HU {
        let gas = cells.mask(|cell| body.cells()[cell] && cells.mean[cell] < limit);
        let pieces = Pieces::of(&gas, Neighbours::Faces);
        let with_seed = windpipe.iter().find_map(|cell| pieces.piece_at(*cell));
        if let Some(piece) = with_seed
            && cells.cubic_mm(pieces.cells[piece]) <= AIRWAY_AT_MOST_MM3
        {
            return pieces.mask(|one| one == piece);
        }
        limit -= STEP_HU;
    }
    Mask::of(cells.layout.size, &windpipe)
}

/// Cells of the longest chain of windpipe-like pieces from slice to slice, the head first.
fn windpipe(cells: &Cells, body: &Mask) -> Vec<usize> {
    let middle = middle_um(cells, body);
    let (mut best, mut chain): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    let (mut height, mut tallest) = (0, 0);
    let mut before: Vec<usize> = Vec::new();
    for z in cells.slices_head_first() {
        let here = candidates(cells, body, z, middle);
        let plane = cells.layout.size[0] * cells.layout.size[1];
        let goes_on = |piece: &&Vec<usize>| {
            before.is_empty() || piece.iter().any(|cell| before.contains(&(cell % plane)))
        };
        match here.iter().find(goes_on) {
            Some(piece) => {
                height += cells.layout.um[2];
                before = piece.iter().map(|cell| cell % plane).collect();
                chain.extend(piece);
            }
            None => {
                (height, chain) = (0, Vec::new());
                before.clear();
            }
        }
        if height > tallest {
            (tallest, best) = (height, chain.clone());
        }
    }
    if tallest >= HEIGHT_UM { best } else { Vec::new() }
}

/// Pieces of gas in a slice that look like a windpipe.
fn candidates(cells: &Cells, body: &Mask, z: usize, middle_um: i64) -> Vec<Vec<usize>> {
    let [columns, rows, _] = cells.layout.size;
    let first = z * columns * rows;
    let gas = (first..first + columns * rows)
        .map(|cell| body.cells()[cell] && cells.mean[cell] < GAS_BELOW_HU)
        .collect();
    let pieces = Pieces::of(&Mask::from_cells([columns, rows, 1], gas), Neighbours::Faces);
    let mut found = vec![Vec::new(); pieces.cells.len()];
    for (cell, piece) in pieces.each() {
        found[piece].push(first + cell);
    }
    found.retain(|piece| is_round(cells, piece) && is_near(cells, piece, middle_um));
    found
}

fn is_round(cells: &Cells, piece: &[usize]) -> bool {
    let places = || piece.iter().map(|cell| cells.place(*cell));
    let span = |axis: usize| {
        let values = || places().map(move |place| place[axis]);
        values().max().unwrap_or(0) - values().min().unwrap_or(0) + 1
    };
    let (wide, deep) = (span(0), span(1));
    AREA_MM2.contains(&cells.square_mm(piece.len()))
        && piece.len() * 100 >= wide * deep * FULL_PERCENT
        && wide.max(deep) <= 2 * wide.min(deep)
}

fn is_near(cells: &Cells, piece: &[usize], middle_um: i64) -> bool {
    #[expect(clippy::cast_possible_wrap, reason = "cells of one slice")]
    let mean = piece.iter().map(|cell| cells.left_um(*cell)).sum::<i64>() / (piece.len() as i64).max(1);
    (mean - middle_um).abs() <= FROM_THE_MIDDLE_UM
}

/// The middle of the body from side to side.
pub(super) fn middle_um(cells: &Cells, body: &Mask) -> i64 {
    let inside = || (0..cells.mean.len()).filter(|cell| body.cells()[*cell]);
    #[expect(clippy::cast_possible_wrap, reason = "cells of a volume")]
    let count = (inside().count() as i64).max(1);
    inside().map(|cell| cells.left_um(cell)).sum::<i64>() / count
}
