//! Core, hypoperfused tissue and the mismatch between them.

use super::{Dynamic, Maps, Parameters, Reference, Tissue};
use crate::Region;

/// Tissue that a stroke team asks about. Never made where a guard failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// CBF below [`Parameters::core_below`] of the reference.
    pub core: Region,
    /// Tmax above [`Parameters::hypoperfused_over_s`].
    pub hypoperfused: Region,
    pub core_ml: f64,
    pub hypoperfused_ml: f64,
    /// `hypoperfused_ml - core_ml`.
    pub mismatch_ml: f64,
    /// `hypoperfused_ml / core_ml`; `None` where there is no core.
    pub ratio: Option<f64>,
    pub reference: Reference,
    /// Flow that the core is relative to, mL/100 g/min: of normal tissue once, or what the left and the right
    /// hemisphere (by the patient's left and right) are each compared with.
    pub reference_cbf: [f64; 2],
}

/// The part of the brain that holds more blood than tissue does.
pub(crate) fn vessels(maps: &Maps, brain: &Region, over_cbv: f64) -> Region {
    let dimensions = brain.dimensions();
    let mut vessels = Region::nothing(dimensions);
    for (voxel, [column, row, slice]) in brain.voxels() {
        if f64::from(maps.cbv[voxel]) > over_cbv {
            vessels.insert(column, row, slice);
        }
    }
    vessels
}

/// `None` where no tissue is left that could be the reference.
pub(crate) fn measure(
    dynamic: &Dynamic,
    maps: &Maps,
    tissue: &Tissue,
    parameters: &Parameters,
) -> Option<Mismatch> {
    let is_tissue =
        |&(_, [column, row, slice]): &(usize, [u32; 3])| !tissue.vessels.contains(column, row, slice);
    let voxels: Vec<(usize, [u32; 3])> = tissue.brain.voxels().filter(is_tissue).collect();
    let left = left_side(dynamic, &voxels);
    let reference_cbf = match parameters.reference {
        Reference::NormalTissue { tmax_below_s } => {
            let normal = |&(voxel, _): &(usize, [u32; 3])| f64::from(maps.tmax[voxel]) < tmax_below_s;
            [median(voxels.iter().filter(|voxel| normal(voxel)).map(|&(voxel, _)| maps.cbf[voxel]))?; 2]
        }
        Reference::Contralateral => {
            let of_half =
                |wanted| median(voxels.iter().filter(|v| left(v.1) == wanted).map(|v| maps.cbf[v.0]));
            [of_half(false)?, of_half(true)?]
        }
    };
    let (mut core, mut hypoperfused) =
        (Region::nothing(dynamic.dimensions()), Region::nothing(dynamic.dimensions()));
    for &(voxel, at @ [column, row, slice]) in &voxels {
        let reference = reference_cbf[usize::from(!left(at))];
        if f64::from(maps.cbf[voxel]) < parameters.core_below * reference {
            core.insert(column, row, slice);
        }
        if f64::from(maps.tmax[voxel]) > parameters.hypoperfused_over_s {
            hypoperfused.insert(column, row, slice);
        }
    }
    let geometry = dynamic.geometry();
    let ml = |region: &Region| {
        region.count() as f64 * geometry.pixel_area_mm2() * geometry.slice_increment_mm / 1000.0
    };
    let (core_ml, hypoperfused_ml) = (ml(&core), ml(&hypoperfused));
    Some(Mismatch {
        core,
        hypoperfused,
        core_ml,
        hypoperfused_ml,
        mismatch_ml: hypoperfused_ml - core_ml,
        ratio: (core_ml > 0.0).then(|| hypoperfused_ml / core_ml),
        reference: parameters.reference,
        reference_cbf,
    })
}

/// Whether a voxel is on the patient's left of the middle of the tissue.
fn left_side(dynamic: &Dynamic, voxels: &[(usize, [u32; 3])]) -> impl Fn([u32; 3]) -> bool {
    let geometry = *dynamic.geometry();
    let x_mm = move |voxel: [u32; 3]| geometry.patient_mm(voxel.map(f64::from))[0];
    let middle_mm = voxels.iter().map(|voxel| x_mm(voxel.1)).sum::<f64>() / voxels.len() as f64;
    move |voxel| x_mm(voxel) > middle_mm
}

fn median(values: impl Iterator<Item = f32>) -> Option<f64> {
    let mut values: Vec<f32> = values.filter(|value| value.is_finite()).collect();
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| f64::from(*values.select_nth_unstable_by(middle, f32::total_cmp).1))
}
