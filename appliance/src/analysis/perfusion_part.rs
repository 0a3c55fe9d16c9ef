//! What the kernels answered, as the typed part of a finding: maps as files, curves, volumes, guards, parameters.

use sidelight_kernels::perfusion::{
    Choice, Curve, Dynamic, Guard, Maps, Method, Mismatch, Motion, Parameters, Perfusion, Reference,
};
use sidelight_kernels::{Dimensions, Region};

use crate::imaging::{ScanMode, TimeSource, TimedStack};
use crate::store::finding::{Finding, Warning};
use crate::store::perfusion::{
    AcquisitionSummary, FilePart, FlowReference, Grid, InletCurve, MapKind, MotionSummary, PerfusionChoice,
    PerfusionMap, PerfusionMethod, PerfusionPart, PerfusionVolumes, STATEMENT, Spot, TissueBit, VeinScale,
};
use crate::store::{Store, StoreError};

/// An inlet has a few dozen voxels; more are not listed.
const INLET_VOXELS_MAX: usize = 200;

/// What a reader's choice, or none, means to the kernels.
pub(super) fn parameters(choice: &PerfusionChoice, dimensions: Dimensions) -> Parameters {
    let spot = |spot: Option<Spot>| match spot {
        None => Choice::Automatic,
        Some(Spot { center_px, slice, radius_px }) => {
            Choice::Drawn(Region::circle(dimensions, center_px, radius_px, slice..=slice))
        }
    };
    Parameters {
        artery: spot(choice.artery),
        vein: spot(choice.vein),
        method: match choice.method {
            PerfusionMethod::Osvd => Method::OSVD,
            PerfusionMethod::Csvd => Method::CSVD,
            PerfusionMethod::Tikhonov => Method::TIKHONOV,
            PerfusionMethod::RichardsonLucy => Method::RICHARDSON_LUCY,
        },
        reference: match choice.reference {
            FlowReference::NormalTissue => Parameters::default().reference,
            FlowReference::Contralateral => Reference::Contralateral,
        },
        scale_by_vein: choice.scale_by_vein,
        ..Parameters::default()
    }
}

/// Files the maps and gathers everything else.
pub(super) fn part(
    store: &Store,
    finding: &Finding,
    dynamic: &Dynamic,
    perfusion: &Perfusion,
    acquisition: AcquisitionSummary,
    choice: PerfusionChoice,
) -> Result<PerfusionPart, StoreError> {
    let (dimensions, geometry) = (dynamic.dimensions(), dynamic.geometry());
    let parameters = parameters(&choice, dimensions);
    let scale = perfusion.vein_scale;
    Ok(PerfusionPart {
        statement: STATEMENT.into(),
        grid: Grid {
            columns: dimensions.columns,
            rows: dimensions.rows,
            slices: dimensions.slices,
            column_spacing_mm: geometry.column_spacing_mm,
            row_spacing_mm: geometry.row_spacing_mm,
            slice_increment_mm: geometry.slice_increment_mm,
        },
        maps: MapKind::ALL
            .into_iter()
            .map(|kind| map(store, finding, &perfusion.maps, kind))
            .collect::<Result<_, _>>()?,
        tissue: store.file_part(&finding.study_uid, &finding.id, "tissue", &tissue(perfusion, dimensions))?,
        times_s: perfusion.times_s.clone(),
        arrival_s: perfusion.arrival_s,
        artery: inlet(&perfusion.artery),
        vein: perfusion.vein.as_ref().map(inlet),
        vein_scale: scale.map(|scale| VeinScale { factor: scale.factor, measured: scale.measured }),
        volumes: perfusion.mismatch.as_ref().map(|mismatch| volumes(mismatch, &parameters)),
        guards: guards(perfusion),
        choice,
        parameters: sentences(&parameters, perfusion),
        motion: motion(&perfusion.motion),
        acquisition,
    })
}

fn map(store: &Store, finding: &Finding, maps: &Maps, kind: MapKind) -> Result<PerfusionMap, StoreError> {
    let values = match kind {
        MapKind::Cbf => &maps.cbf,
        MapKind::Cbv => &maps.cbv,
        MapKind::Mtt => &maps.mtt,
        MapKind::Ttp => &maps.ttp,
        MapKind::Tmax => &maps.tmax,
    };
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let file: FilePart = store.file_part(&finding.study_uid, &finding.id, kind.name(), &bytes)?;
    Ok(PerfusionMap {
        kind,
        title: kind.title().into(),
        unit: kind.unit().into(),
        unit_text: kind.unit_text().into(),
        display_range: kind.display_range(),
        file,
    })
}

/// One byte a voxel.
fn tissue(perfusion: &Perfusion, dimensions: Dimensions) -> Vec<u8> {
    let mut bytes = vec![0u8; dimensions.len()];
    let tissue = &perfusion.tissue;
    let found = [
        (TissueBit::Brain, Some(&tissue.brain)),
        (TissueBit::Vessel, Some(&tissue.vessels)),
        (TissueBit::Csf, Some(&tissue.csf)),
        (TissueBit::Core, perfusion.mismatch.as_ref().map(|mismatch| &mismatch.core)),
        (TissueBit::Hypoperfused, perfusion.mismatch.as_ref().map(|mismatch| &mismatch.hypoperfused)),
    ];
    for (bit, region) in found {
        for (voxel, _) in region.into_iter().flat_map(Region::voxels) {
            bytes[voxel] |= bit as u8;
        }
    }
    bytes
}

fn inlet(curve: &Curve) -> InletCurve {
    let voxels: Vec<[u32; 3]> = curve.region.voxels().map(|(_, at)| at).take(INLET_VOXELS_MAX).collect();
    InletCurve {
        voxels_truncated: curve.region.count() > voxels.len(),
        voxels,
        enhancement_hu: curve.enhancement_hu.clone(),
    }
}

fn volumes(mismatch: &Mismatch, parameters: &Parameters) -> PerfusionVolumes {
    let [first, second] = mismatch.reference_cbf;
    let reference = match mismatch.reference {
        Reference::NormalTissue { tmax_below_s } => {
            format!("median CBF of tissue with Tmax below {tmax_below_s} s: {first:.1} mL/100 g/min")
        }
        Reference::Contralateral => format!(
            "median CBF of the other hemisphere: {first:.1} and {second:.1} mL/100 g/min for the left and the right"
        ),
    };
    PerfusionVolumes {
        core_rule: format!("CBF below {:.0} % of the reference", 100.0 * parameters.core_below),
        core_ml: mismatch.core_ml,
        hypoperfused_rule: format!("Tmax above {} s", parameters.hypoperfused_over_s),
        hypoperfused_ml: mismatch.hypoperfused_ml,
        mismatch_ml: mismatch.mismatch_ml,
        ratio: mismatch.ratio,
        reference,
    }
}

fn guards(perfusion: &Perfusion) -> Vec<Warning> {
    let code = |guard: &Guard| match guard {
        Guard::NoBaseline => "no_baseline",
        Guard::TruncatedBolus { .. } => "truncated_bolus",
        Guard::WeakArtery { .. } => "weak_artery",
        Guard::BadArtery { .. } => "bad_artery",
        Guard::NoVein => "no_vein",
        Guard::Motion { .. } => "motion",
        Guard::Gap { .. } => "time_gap",
        _ => "guard",
    };
    let mut failed: Vec<Warning> =
        perfusion.guards.iter().map(|guard| warning(code(guard), guard.to_string())).collect();
    if failed.is_empty() && perfusion.mismatch.is_none() {
        failed.push(warning("no_reference", "no tissue is left that flow could be compared with"));
    }
    failed
}

fn sentences(parameters: &Parameters, perfusion: &Perfusion) -> Vec<String> {
    let method = match parameters.method {
        Method::Osvd { oscillation_max } => {
            format!("block-circulant SVD, oscillation index at most {oscillation_max}")
        }
        Method::Csvd { cut } => format!("block-circulant SVD, cut at {:.0} % of the largest", 100.0 * cut),
        Method::Tikhonov { lambda } => format!("Tikhonov, lambda {lambda} of the largest"),
        Method::RichardsonLucy { iterations } => format!("Richardson-Lucy, {iterations} iterations"),
    };
    let scale = match perfusion.vein_scale {
        Some(scale) => format!(
            "Arterial input multiplied by {:.2} (vein over artery {:.2}, kept within 1 to {})",
            scale.factor, scale.measured, parameters.vein_scale_max
        ),
        None => "Arterial input not scaled by the vein".into(),
    };
    vec![
        format!("Deconvolution: {method}"),
        scale,
        format!("k_H / rho = {:.3} mL/g", parameters.k_h / parameters.rho_g_per_ml),
        format!(
            "Curves at steps of {} s; tissue smoothed in its slice by a Gaussian of {} mm",
            parameters.step_s, parameters.smoothing_mm
        ),
        format!(
            "Left out of the tissue: vessels with CBV above {} mL/100 g, CSF below {} HU",
            parameters.vessel_over_cbv, parameters.csf_below_hu
        ),
    ]
}

fn motion(motion: &Motion) -> MotionSummary {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let kept = motion.passes.iter().filter(|pass| !pass.rejected);
    MotionSummary {
        passes: count(motion.passes.len()),
        rejected: motion.rejected().map(|pass| count(pass + 1)).collect(),
        largest_mm: kept.map(|pass| pass.pose.displacement_mm()).fold(0.0, f64::max),
    }
}

pub(super) fn acquisition(timed: &TimedStack) -> AcquisitionSummary {
    let fewest = timed.positions.iter().map(|position| position.times_s.len()).min().unwrap_or(0);
    let ends = timed.positions.iter().filter_map(|position| position.times_s.last().copied());
    AcquisitionSummary {
        mode: match timed.mode {
            ScanMode::Continuous => "continuous",
            ScanMode::Shuttle => "shuttle",
            ScanMode::Interleaved => "interleaved",
        }
        .into(),
        clock: match timed.clock {
            TimeSource::Acquired => "acquisition times",
            TimeSource::Made => "content times",
            TimeSource::Numbered => "temporal positions and their resolution",
        }
        .into(),
        time_points: u32::try_from(fewest).unwrap_or(u32::MAX),
        duration_s: ends.fold(0.0, f64::max),
    }
}

pub(super) fn warning(code: &str, text: impl Into<String>) -> Warning {
    Warning { code: code.into(), text: text.into() }
}
