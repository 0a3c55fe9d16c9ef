//! Where the head lay in each pass: rigid, six numbers a pass.
//!
//! The reference is the pass that is most like all others, so a pass in which the head was elsewhere is never it.
//! The other passes are aligned with it on a pyramid, coarse to fine, by Gauss-Newton on the squared difference at
//! the points of the reference where the picture is steep (mostly skull, which iodine leaves alone); differences that
//! stand out, as vessels do, weigh less. A pass whose picture still does not fit is rejected, not used.
//!
//! The pyramids and the sums of each step are the device's where there is one (`gpu::alignment`), for all passes at
//! once; the six numbers of a step are always the host's. Poses of GPU and twin agree within 0.01 mm and 0.01 degrees.

mod align;
mod search;

use rayon::prelude::*;

use super::coarse::Coarse;
use super::{Dynamic, PerfusionError, Turn, Warp, gpu};
use crate::{Processor, ProcessorKind};
pub(crate) use align::{Level, Levels, Point, STEPS, Sums, voxels_from_mm};
pub(crate) use search::{BINS, Differences, Search};

/// A head that moved less than this at its surface lay still; interpolation would only blur it.
const STILL_MM: f64 = 0.15;

/// Distance of the head's surface from its centre, for what a rotation moves.
const HEAD_RADIUS_MM: f64 = 80.0;

/// A head holder does not let a head go further; the pyramid does not see much further either.
const MOST_MM: f64 = 25.0;

/// A pass is rejected when its median misfit is larger than this many times that of the middle pass ...
const MISFIT_RATIO: f64 = 2.0;

/// ... and than this share of the contrast between the points. What interpolation does to a skull is less.
const MISFIT_CONTRAST: f64 = 0.4;

/// How a point of the head moved: first turned about the centre of the series, then shifted.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Pose {
    /// Axis times angle, radians, about the directions of columns, rows and slices.
    pub rotation_rad: [f64; 3],
    /// Along columns, rows and slices.
    pub translation_mm: [f64; 3],
}

impl Pose {
    /// Farthest that the surface of a head moves.
    pub fn displacement_mm(&self) -> f64 {
        norm(self.rotation_rad) * HEAD_RADIUS_MM + norm(self.translation_mm)
    }
}

/// One pass over the head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pass {
    pub pose: Pose,
    /// Median difference from the reference after alignment, HU of the clipped coarse picture.
    pub misfit_hu: f64,
    /// Left out of every curve: it moved too far, or changed while it was scanned.
    pub rejected: bool,
}

/// Where the head lay.
#[derive(Clone, Debug, PartialEq)]
pub struct Motion {
    /// The pass that the others are aligned with; `None` when none were.
    pub reference: Option<usize>,
    pub passes: Vec<Pass>,
}

impl Motion {
    pub(crate) fn still(passes: usize) -> Self {
        let pass = Pass { pose: Pose::default(), misfit_hu: 0.0, rejected: false };
        Self { reference: None, passes: vec![pass; passes] }
    }

    /// Passes that were left out.
    pub fn rejected(&self) -> impl Iterator<Item = usize> {
        (0..self.passes.len()).filter(|&pass| self.passes[pass].rejected)
    }

    pub(crate) fn kept(&self) -> Vec<bool> {
        self.passes.iter().map(|pass| !pass.rejected).collect()
    }

    /// Voxels of each pass from voxels of the reference.
    pub(crate) fn warps(&self, dynamic: &Dynamic) -> Vec<Option<Warp>> {
        let moved = |pass: &Pass| pass.pose.displacement_mm() >= STILL_MM;
        self.passes.iter().map(|pass| moved(pass).then(|| warp(&pass.pose, dynamic))).collect()
    }
}

fn warp(pose: &Pose, dynamic: &Dynamic) -> Warp {
    let size = dynamic.dimensions();
    let geometry = dynamic.geometry();
    let spacing_mm = [geometry.column_spacing_mm, geometry.row_spacing_mm, geometry.slice_increment_mm];
    let center = [size.columns, size.rows, size.slices].map(|voxels| (f64::from(voxels) - 1.0) / 2.0);
    let rotation = matrix(pose.rotation_rad);
    #[expect(clippy::cast_possible_truncation, reason = "a thousandth of a voxel is enough")]
    std::array::from_fn(|to| {
        let turn: [f64; 3] =
            std::array::from_fn(|from| rotation[to][from] * spacing_mm[from] / spacing_mm[to]);
        let carried: f64 = (0..3).map(|from| turn[from] * center[from]).sum();
        let shift = center[to] + pose.translation_mm[to] / spacing_mm[to] - carried;
        [turn[0] as f32, turn[1] as f32, turn[2] as f32, shift as f32]
    })
}

/// Aligns every pass; `turn` hears of some at a time.
pub(crate) fn align(
    processor: &mut Processor,
    coarse: &Coarse,
    turn: Turn<'_>,
) -> Result<Motion, PerfusionError> {
    turn(processor, 0.0)?;
    let reference = processor.on_cpu(|| medoid(coarse));
    turn(processor, 0.0)?;
    let levels = processor.on_cpu(|| Levels::new(coarse, reference));
    let found = match processor.kind() {
        ProcessorKind::Gpu => gpu::alignment::align(processor, coarse, &levels, turn)?,
        ProcessorKind::Twin => {
            let mut found = Vec::with_capacity(coarse.passes.len());
            for passes in super::passes_of_turns(processor, coarse.passes.len()) {
                let passes = &coarse.passes[passes];
                turn(processor, found.len() as f32 / coarse.passes.len() as f32)?;
                let aligned = || passes.par_iter().map(|pass| align::pass(&levels, pass));
                found.extend(processor.on_cpu(|| aligned().collect::<Vec<Pass>>()));
            }
            found
        }
    };
    let mut misfits: Vec<f64> = found.iter().map(|pass| pass.misfit_hu).collect();
    misfits.sort_unstable_by(f64::total_cmp);
    let usual = misfits[misfits.len() / 2];
    let passes = found.into_iter().map(|pass| {
        let far = pass.pose.displacement_mm() > MOST_MM;
        // A misfit that is no number is rejected too.
        let fits = pass.misfit_hu <= (usual * MISFIT_RATIO).max(levels.contrast_hu() * MISFIT_CONTRAST);
        Pass { rejected: far || !fits, ..pass }
    });
    Ok(Motion { reference: Some(reference), passes: passes.collect() })
}

/// The pass with the smallest median difference from the others.
fn medoid(coarse: &Coarse) -> usize {
    let halved = coarse.grid.halved();
    let small: Vec<Vec<f32>> =
        coarse.passes.par_iter().map(|pass| coarse.grid.halve(pass, &halved)).collect();
    let difference = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>();
    let strangeness = |pass: &Vec<f32>| {
        let mut differences: Vec<f32> = small.iter().map(|other| difference(pass, other)).collect();
        differences.sort_unstable_by(f32::total_cmp);
        differences[differences.len() / 2]
    };
    let strange: Vec<f32> = small.par_iter().map(strangeness).collect();
    (0..strange.len()).min_by(|&a, &b| strange[a].total_cmp(&strange[b])).expect("a series has passes")
}

fn norm(vector: [f64; 3]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Rodrigues' formula.
pub(crate) fn matrix(rotation_rad: [f64; 3]) -> [[f64; 3]; 3] {
    let angle = norm(rotation_rad);
    let [x, y, z] = rotation_rad;
    // sin(a)/a and (1 - cos(a))/a^2, which are 1 and 1/2 at 0.
    let (first, second) =
        if angle < 1e-6 { (1.0, 0.5) } else { (angle.sin() / angle, (1.0 - angle.cos()) / (angle * angle)) };
    let cross = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]];
    std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            let square: f64 = (0..3).map(|inner| cross[row][inner] * cross[inner][column]).sum();
            f64::from(u8::from(row == column)) + first * cross[row][column] + second * square
        })
    })
}

/// The rotation vector of a matrix that turns by less than half a turn.
pub(crate) fn rotation_vector(m: &[[f64; 3]; 3]) -> [f64; 3] {
    let axis = [m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]];
    let sine = norm(axis) / 2.0;
    let angle = sine.atan2((m[0][0] + m[1][1] + m[2][2] - 1.0) / 2.0);
    if sine < 1e-9 { axis.map(|x| x / 2.0) } else { axis.map(|x| x / (2.0 * sine) * angle) }
}
