//! The two lungs: air inside the body that is not mostly pure gas, told apart by the side it lies on.

use super::airway::middle_um;
use super::cells::Cells;
use super::pieces::Pieces;
use super::state::AIR_BELOW_HU;
use crate::mask::{Mask, Neighbours};

const PIECE_AT_LEAST_MM3: i64 = 20_000;
/// Gas without tissue in it: of lung there is little, of bowel it is most.
const PURE_GAS_BELOW_HU: i16 = -950;
const GAS_AT_MOST_PERCENT: usize = 50;
/// A piece with less than this share on its smaller side lies on one side.
const BOTH_SIDES_PERCENT: usize = 15;
/// Lungs that touch come apart when this much of their border is taken away, or never.
const APART_UM: i64 = 15_000;

/// Right and left.
pub(super) fn lungs(cells: &Cells, body: &Mask, airway: &Mask) -> [Mask; 2] {
    let walls = airway.dilated([1, 1, 1]);
    let air =
        cells.mask(|cell| body.cells()[cell] && !walls.cells()[cell] && cells.mean[cell] < AIR_BELOW_HU);
    let pieces = Pieces::of(&air, Neighbours::Faces);
    let mut gas = vec![0; pieces.cells.len()];
    for (cell, piece) in pieces.each() {
        gas[piece] += usize::from(cells.mean[cell] < PURE_GAS_BELOW_HU);
    }
    let is_lung = |piece: usize| {
        cells.cubic_mm(pieces.cells[piece]) >= PIECE_AT_LEAST_MM3
            && gas[piece] * 100 <= pieces.cells[piece] * GAS_AT_MOST_PERCENT
    };
    let middle = middle_um(cells, body);
    let mut sides = [Mask::new(cells.layout.size), Mask::new(cells.layout.size)];
    for piece in (0..pieces.cells.len()).filter(|piece| is_lung(*piece)) {
        let [right, left] = parted(cells, &pieces.mask(|one| one == piece), middle);
        sides[0].insert_all_of(&right);
        sides[1].insert_all_of(&left);
    }
    sides
}

/// One piece of lung by the side of the body it lies on; both lungs in one piece are parted where they touch.
fn parted(cells: &Cells, piece: &Mask, middle_um: i64) -> [Mask; 2] {
    let side = |cell: usize| cells.left_um(cell) > middle_um;
    let members: Vec<usize> = (0..cells.mean.len()).filter(|cell| piece.cells()[*cell]).collect();
    let left = members.iter().filter(|cell| side(**cell)).count();
    let smaller = left.min(members.len() - left);
    let none = Mask::new(cells.layout.size);
    if smaller * 100 < members.len() * BOTH_SIDES_PERCENT {
        return if left * 2 > members.len() { [none, piece.clone()] } else { [piece.clone(), none] };
    }
    let by_side = || [piece.filter(|cell| !side(cell)), piece.filter(side)];
    seeds(cells, piece, middle_um).map_or_else(by_side, |seeds| grown(cells, piece, &seeds))
}

/// What is left of each lung when enough of the border is taken away for them to come apart.
fn seeds(cells: &Cells, piece: &Mask, middle_um: i64) -> Option<[Mask; 2]> {
    let most = cells.reach(APART_UM)[0];
    let all = piece.count();
    for step in 1..=most {
        let [x, y, z] = cells.reach(cells.layout.um[0] * i64::try_from(step).unwrap_or(1));
        let pieces = Pieces::of(&piece.eroded([x, y, z]), Neighbours::Faces);
        let mut sums = vec![0_i64; pieces.cells.len()];
        for (cell, one) in pieces.each() {
            sums[one] += cells.left_um(cell) - middle_um;
        }
        let large = |one: &usize| pieces.cells[*one] * 100 >= all * BOTH_SIDES_PERCENT / 3;
        let of_side = |left: bool| {
            let mut ones = (0..pieces.cells.len()).filter(large).filter(|one| (sums[*one] > 0) == left);
            ones.by_ref().max_by_key(|one| pieces.cells[*one])
        };
        if let (Some(right), Some(left)) = (of_side(false), of_side(true)) {
            return Some([right, left].map(|side| pieces.mask(|one| one == side)));
        }
    }
    None
}

/// Both grow back into the piece, a cell at a time, and keep what they reach first.
fn grown(cells: &Cells, piece: &Mask, seeds: &[Mask; 2]) -> [Mask; 2] {
    let [columns, rows, slices] = cells.layout.size;
    let mut owner: Vec<u8> = vec![0; cells.mean.len()];
    let mut edge: Vec<usize> = Vec::new();
    for (side, seed) in (1..).zip(seeds) {
        for cell in (0..owner.len()).filter(|cell| seed.cells()[*cell]) {
            owner[cell] = side;
            edge.push(cell);
        }
    }
    let plane = columns * rows;
    while !edge.is_empty() {
        let mut next = Vec::new();
        for cell in edge {
            let [x, y, z] = cells.place(cell);
            let beside = [
                (x > 0).then(|| cell - 1),
                (x + 1 < columns).then_some(cell + 1),
                (y > 0).then(|| cell - columns),
                (y + 1 < rows).then_some(cell + columns),
                (z > 0).then(|| cell - plane),
                (z + 1 < slices).then_some(cell + plane),
            ];
            for to in beside.into_iter().flatten().filter(|to| piece.cells()[*to]) {
                if owner[to] == 0 {
                    owner[to] = owner[cell];
                    next.push(to);
                }
            }
        }
        edge = next;
    }
    [1, 2].map(|side| piece.filter(|cell| owner[cell] == side))
}
