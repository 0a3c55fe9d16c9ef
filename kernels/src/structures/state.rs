//! What the rules say about each cell: what it is for certain, and what its voxels may be by their own density.

use rayon::prelude::*;

use super::cells::Cells;
use super::pieces::Pieces;
use super::{Conditions, Structure, StructuresError, airway, bone, lungs};
use crate::mask::{Mask, Neighbours};

/// Denser than this is body.
pub(crate) const BODY_FROM_HU: i16 = -300;
/// Between lung and tissue.
pub(crate) const AIR_BELOW_HU: i16 = -400;
/// Gas without tissue in it.
pub(crate) const GAS_BELOW_HU: i16 = -900;
pub(crate) const BONE_FROM_HU: i16 = 110;
pub(crate) const FAT_HU: [i16; 2] = [-190, -30];
pub(crate) const LEAN_HU: [i16; 2] = [-29, 150];

/// Thinner sheets (the couch, blankets) are not body.
const SHEET_UM: i64 = 6000;
const BODY_AT_LEAST_MM3: i64 = 500_000;
/// Arms beside the body count, what is smaller than this share of it does not.
const PIECE_PERCENT: usize = 5;

/// A cell's state: in the low byte the [`Structure`] that it is for certain, above it a bit for each that its voxels may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State(pub(crate) u16);

impl State {
    fn certain(&mut self, structure: Structure) {
        self.0 = self.0 & 0xFF00 | structure as u16;
    }

    fn possible(&mut self, structure: Structure) {
        self.0 |= 0x100 << (structure as u16);
    }

    fn may_be(self, structure: Structure) -> bool {
        self.0 & 0x100 << (structure as u16) != 0
    }

    /// The label of a voxel in this cell (`structures_classify.wgsl` does the same).
    pub(crate) fn label(self, hounsfield: i16) -> u8 {
        let certain = (self.0 & 0xFF) as u8;
        let between = |[low, high]: [i16; 2]| (low..=high).contains(&hounsfield);
        match () {
            () if certain > Structure::Body as u8 => certain,
            () if self.may_be(Structure::Airway) && hounsfield < GAS_BELOW_HU => Structure::Airway as u8,
            () if self.may_be(Structure::Bone) && hounsfield >= BONE_FROM_HU => Structure::Bone as u8,
            () if self.may_be(Structure::RightLung) && hounsfield < AIR_BELOW_HU => {
                Structure::RightLung as u8
            }
            () if self.may_be(Structure::LeftLung) && hounsfield < AIR_BELOW_HU => Structure::LeftLung as u8,
            () if certain == 0 && !(self.may_be(Structure::Body) && hounsfield >= BODY_FROM_HU) => 0,
            () if between(FAT_HU) => Structure::Fat as u8,
            () if between(LEAN_HU) => Structure::Lean as u8,
            () => Structure::Body as u8,
        }
    }
}

/// One state a cell.
pub(crate) fn states(cells: &Cells, conditions: Conditions) -> Result<Vec<State>, StructuresError> {
    let body = body(cells)?;
    let air = || {
        let airway = airway::airway(cells, &body);
        let lungs = lungs::lungs(cells, &body, &airway);
        (airway, lungs)
    };
    let hard = || if conditions.contrast { Mask::new(cells.layout.size) } else { bone::bone(cells, &body) };
    let ((airway, [right, left]), bone) = rayon::join(air, hard);
    let mut states = vec![State(0); cells.mean.len()];
    // What comes later wins: bone lies in the body, the airway in neither lung.
    let found = [
        (Structure::Body, &body),
        (Structure::RightLung, &right),
        (Structure::LeftLung, &left),
        (Structure::Airway, &airway),
        (Structure::Bone, &bone),
    ];
    let marked: Vec<_> =
        found.into_par_iter().map(|(structure, mask)| (structure, marks(cells, mask))).collect();
    for (structure, [certain, possible]) in &marked {
        let masks = certain.cells().par_iter().zip(possible.cells());
        states.par_iter_mut().zip(masks).for_each(|(state, (certain, possible))| {
            if *certain {
                state.certain(*structure);
            } else if *possible {
                state.possible(*structure);
            }
        });
    }
    Ok(states)
}

/// What is certain and what is possible: a cell of several voxels on the border is left to its voxels; one that is a voxel
/// is certain.
fn marks(cells: &Cells, mask: &Mask) -> [Mask; 2] {
    let reach = cells.layout.factor.map(|voxels| usize::from(voxels > 1));
    match cells.are_coarse() {
        true => [mask.eroded(reach), mask.dilated(reach)],
        false => [mask.clone(), Mask::new(cells.layout.size)],
    }
}

/// The patient without the couch, with everything inside.
fn body(cells: &Cells) -> Result<Mask, StructuresError> {
    let dense = cells.mask(|cell| cells.mean[cell] >= BODY_FROM_HU);
    let reach = cells.reach_in_plane(SHEET_UM);
    let pieces = Pieces::of(&dense.eroded(reach), Neighbours::Faces);
    let largest = pieces.largest().map_or(0, |piece| pieces.cells[piece]);
    let core = pieces.mask(|piece| pieces.cells[piece] * 100 >= largest * PIECE_PERCENT);
    let opened = core.dilated(reach);
    let body = filled(cells, &opened.filter(|cell| dense.cells()[cell]));
    if cells.cubic_mm(body.count()) < BODY_AT_LEAST_MM3 { Err(StructuresError::NoBody) } else { Ok(body) }
}

/// In every slice, what does not hang together with the picture's front or back border lies inside. Its sides do not
/// count: a narrow field of view cuts the lungs there.
fn filled(cells: &Cells, body: &Mask) -> Mask {
    let [columns, rows, slices] = cells.layout.size;
    let deep = cells.deep();
    let ends = [0, cells.layout.size[deep] - 1];
    let planes = (0..slices).into_par_iter().map(|z| {
        let mut plane = body.plane(z).to_vec();
        let outside = plane.iter().map(|inside| !inside).collect();
        let around = Pieces::of(&Mask::from_cells([columns, rows, 1], outside), Neighbours::Faces);
        let mut open = vec![false; around.cells.len()];
        for (cell, piece) in around.each() {
            open[piece] |= ends.contains(&[cell % columns, cell / columns][deep]);
        }
        let holes = around.each().filter(|(_, piece)| !open[*piece]);
        holes.for_each(|(cell, _)| plane[cell] = true);
        plane
    });
    Mask::from_cells(cells.layout.size, planes.collect::<Vec<_>>().concat())
}
