//! What is brain and what is CSF, from the picture before the bolus.
//!
//! Slice by slice, on blocks of about 2 mm: bone is thickened until its gaps close, what the border of the picture
//! reaches is outside, the rest inside. Where the skull is open (base, vertex, a craniectomy) and nothing is left
//! inside, the head without its outermost centimetre is taken instead. Voxels inside are then brain or CSF by the mean
//! of their neighbours.

use rayon::prelude::*;

use super::{Choice, Dynamic, Parameters, PerfusionError};
use crate::{Dimensions, Region};

const BLOCK_MM: f64 = 2.0;
const BONE_HU: f32 = 150.0;
const AIR_HU: f32 = -200.0;

/// Blocks that bone grows by, so that foramina and sutures close: 4 mm.
const CLOSING: usize = 2;

/// Blocks of scalp and skull where no skull is seen: 10 mm.
const RIND: usize = 5;

/// Part of the head that must be inside for the skull to be believed closed.
const CLOSED_SHARE: f64 = 0.15;

/// What brain, blood and CSF are within before the bolus, noise allowed for.
const SOFT_HU: std::ops::RangeInclusive<f32> = -60.0..=140.0;

/// Denser than brain, once averaged: bone at the edge of a voxel, bleeding, calcium.
const DENSE_HU: f32 = 90.0;

/// Radius over which voxels are averaged before they are told apart.
const AVERAGE_MM: f64 = 1.2;

/// Where things are before the bolus.
#[derive(Clone, Debug)]
pub(crate) struct Segments {
    pub(crate) brain: Region,
    pub(crate) csf: Region,
    /// Where vessels are looked for: not beside bone, which motion turns into enhancement.
    pub(crate) inside: Region,
}

/// A drawn brain is taken as it is: nothing is then called CSF, and vessels may be anywhere.
pub(crate) fn segment(
    dynamic: &Dynamic,
    baseline_hu: &[f32],
    parameters: &Parameters,
) -> Result<Segments, PerfusionError> {
    let dimensions = dynamic.dimensions();
    if let Choice::Drawn(brain) = &parameters.brain {
        let inside = Region::from_fn(dimensions, |column, row, slice| {
            let in_slice = row as usize * dimensions.columns as usize + column as usize;
            SOFT_HU.contains(&baseline_hu[slice as usize * dimensions.slice_len() + in_slice])
        });
        return Ok(Segments { brain: brain.clone(), csf: Region::nothing(dimensions), inside });
    }
    let kinds: Vec<Vec<(Kind, bool)>> = baseline_hu
        .par_chunks_exact(dimensions.slice_len())
        .map(|slice| kinds(dynamic, slice, parameters.csf_below_hu))
        .collect();
    let of = |wanted: &dyn Fn(Kind, bool) -> bool| {
        Region::from_fn(dimensions, |column, row, slice| {
            let (kind, by_bone) = kinds[slice as usize][(row * dimensions.columns + column) as usize];
            wanted(kind, by_bone)
        })
    };
    let (brain, csf) = (of(&|kind, _| kind == Kind::Brain), of(&|kind, _| kind == Kind::Csf));
    if brain.count() == 0 {
        return Err(PerfusionError::NoBrain);
    }
    Ok(Segments { brain, csf, inside: of(&|kind, by_bone| kind != Kind::Other && !by_bone) })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Other,
    Brain,
    Csf,
}

/// What each voxel of a slice is, and whether bone is near.
fn kinds(dynamic: &Dynamic, slice: &[f32], csf_below_hu: f64) -> Vec<(Kind, bool)> {
    let Dimensions { columns, rows, .. } = dynamic.dimensions();
    let geometry = dynamic.geometry();
    let blocks = Blocks::new(
        slice,
        [columns as usize, rows as usize],
        [geometry.column_spacing_mm, geometry.row_spacing_mm],
    );
    let inside = blocks.intracranial();
    let by_bone = blocks.grown(&blocks.bone(), 1);
    let soft = |column: usize, row: usize| {
        let hu = slice[row * columns as usize + column];
        (blocks.contains(&inside, column, row) && SOFT_HU.contains(&hu)).then_some(hu)
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few voxels")]
    let radius = [geometry.column_spacing_mm, geometry.row_spacing_mm]
        .map(|mm| (AVERAGE_MM / mm).round().min(8.0) as usize);
    let mut kinds = vec![(Kind::Other, false); slice.len()];
    for row in 0..rows as usize {
        for column in 0..columns as usize {
            if soft(column, row).is_none() {
                continue;
            }
            let near_rows = row.saturating_sub(radius[1])..(row + radius[1] + 1).min(rows as usize);
            let near_columns =
                column.saturating_sub(radius[0])..(column + radius[0] + 1).min(columns as usize);
            let near =
                near_rows.flat_map(|row| near_columns.clone().filter_map(move |column| soft(column, row)));
            let (sum, count) = near.fold((0.0, 0.0), |(sum, count), hu| (sum + hu, count + 1.0));
            let mean: f32 = sum / count;
            let kind = match mean {
                mean if f64::from(mean) < csf_below_hu => Kind::Csf,
                mean if mean > DENSE_HU => Kind::Other,
                _ => Kind::Brain,
            };
            kinds[row * columns as usize + column] = (kind, blocks.contains(&by_bone, column, row));
        }
    }
    kinds
}

/// Means of a slice's blocks.
struct Blocks {
    size: [usize; 2],
    block: [usize; 2],
    mean_hu: Vec<f32>,
}

impl Blocks {
    fn new(slice: &[f32], fine: [usize; 2], spacing_mm: [f64; 2]) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the matrix")]
        let block: [usize; 2] = std::array::from_fn(|axis| {
            (BLOCK_MM / spacing_mm[axis]).round().clamp(1.0, fine[axis] as f64) as usize
        });
        let size: [usize; 2] = std::array::from_fn(|axis| fine[axis].div_ceil(block[axis]));
        let mut mean_hu = Vec::with_capacity(size[0] * size[1]);
        for row in 0..size[1] {
            for column in 0..size[0] {
                let lines = row * block[1]..((row + 1) * block[1]).min(fine[1]);
                let (from, to) = (column * block[0], ((column + 1) * block[0]).min(fine[0]));
                let count = lines.len() * (to - from);
                let sum: f32 = lines
                    .map(|line| slice[line * fine[0] + from..line * fine[0] + to].iter().sum::<f32>())
                    .sum();
                mean_hu.push(sum / count as f32);
            }
        }
        Self { size, block, mean_hu }
    }

    fn contains(&self, blocks: &[bool], column: usize, row: usize) -> bool {
        blocks[row / self.block[1] * self.size[0] + column / self.block[0]]
    }

    fn bone(&self) -> Vec<bool> {
        self.mean_hu.iter().map(|&hu| hu >= BONE_HU).collect()
    }

    fn intracranial(&self) -> Vec<bool> {
        let bone = self.bone();
        let closed = self.grown(&bone, CLOSING);
        let outside = self.reached_from_border(&closed);
        let hollow: Vec<bool> =
            outside.iter().zip(&closed).map(|(&outside, &bone)| !outside && !bone).collect();
        let head: Vec<bool> = self.mean_hu.iter().map(|&hu| hu > AIR_HU).collect();
        let count = |blocks: &[bool]| blocks.iter().filter(|&&inside| inside).count() as f64;
        let inside = if count(&hollow) >= CLOSED_SHARE * count(&head) {
            self.grown(&hollow, CLOSING)
        } else {
            let air: Vec<bool> = head.iter().map(|&head| !head).collect();
            self.grown(&air, RIND).iter().map(|&rind| !rind).collect()
        };
        inside.iter().zip(&bone).zip(&head).map(|((&inside, &bone), &head)| inside && !bone && head).collect()
    }

    /// The blocks within so many steps, diagonals included, of those that are set.
    fn grown(&self, blocks: &[bool], steps: usize) -> Vec<bool> {
        let [columns, rows] = self.size;
        let near = |at: usize, size: usize| at.saturating_sub(steps)..(at + steps + 1).min(size);
        let across: Vec<bool> = (0..blocks.len())
            .map(|at| near(at % columns, columns).any(|column| blocks[at / columns * columns + column]))
            .collect();
        (0..blocks.len())
            .map(|at| near(at / columns, rows).any(|row| across[row * columns + at % columns]))
            .collect()
    }

    /// What can be reached from the border without entering a wall.
    fn reached_from_border(&self, walls: &[bool]) -> Vec<bool> {
        let [columns, rows] = self.size;
        let border = |at: &usize| {
            let (column, row) = (at % columns, at / columns);
            column == 0 || row == 0 || column + 1 == columns || row + 1 == rows
        };
        let mut reached = vec![false; walls.len()];
        let mut next: Vec<usize> = (0..walls.len()).filter(border).collect();
        while let Some(at) = next.pop() {
            if walls[at] || std::mem::replace(&mut reached[at], true) {
                continue;
            }
            let (column, row) = (at % columns, at / columns);
            let left = (column > 0).then(|| at - 1);
            let right = (column + 1 < columns).then(|| at + 1);
            let up = (row > 0).then(|| at - columns);
            let down = (row + 1 < rows).then(|| at + columns);
            next.extend([left, right, up, down].into_iter().flatten());
        }
        reached
    }
}
