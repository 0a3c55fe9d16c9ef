//! Calcium: from a score in numbers to a finding in words.

use sidelight_kernels::calcium::{Lesion as ScoredLesion, Score, SliceLesion, category};

use super::applicability::CalciumPlan;
use crate::store::finding::{Category, Finding, Lesion, LesionSlice, Measurement};

pub(super) const KIND: &str = "calcium";
pub(super) const TITLE: &str = "Coronary calcium, Agatston score";
/// Until a reader has looked at every lesion the sum is called nothing else (research notes, analyses.md 2.1).
pub(super) const AUTOMATIC_LABEL: &str = "candidate calcium, automatic, unreviewed";
pub(super) const DRAWN_LABEL: &str = "calcium in a drawn region, unreviewed";

/// Listing more lesions than this helps nobody; the sums count them all.
const LESIONS_MAX: usize = 400;

/// Writes a score into a finding. `categorised`: the whole heart was looked at, so a category means something.
pub(super) fn fill(finding: &mut Finding, score: &Score, plan: &CalciumPlan, categorised: bool) {
    finding.measurements = vec![
        measurement("Agatston score", score.agatston, "1"),
        measurement("Volume", score.volume_mm3, "mm3"),
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 lesions")]
        measurement("Lesions", score.lesions.len() as f64, "1"),
    ];
    finding.category = (categorised && plan.category).then(|| Category {
        scheme: "Agatston category".into(),
        text: category(score.agatston).into(),
        provisional: true,
    });
    finding.warnings.clone_from(&plan.warnings);
    finding.lesions = score.lesions.iter().take(LESIONS_MAX).zip(1..).map(lesion).collect();
    finding.lesions_truncated = score.lesions.len() > LESIONS_MAX;
}

fn measurement(name: &str, value: f64, unit: &str) -> Measurement {
    Measurement { name: name.into(), value, unit: unit.into() }
}

fn lesion((lesion, number): (&ScoredLesion, u32)) -> Lesion {
    Lesion {
        number,
        peak_hu: lesion.peak_hu.into(),
        volume_mm3: lesion.volume_mm3,
        agatston: lesion.agatston,
        center_px: lesion.center_voxel,
        slices: lesion.slices.iter().map(slice).collect(),
    }
}

fn slice(slice: &SliceLesion) -> LesionSlice {
    LesionSlice {
        slice: slice.slice,
        area_mm2: slice.area_mm2,
        peak_hu: slice.peak_hu.into(),
        weight: slice.weight,
        agatston: slice.agatston,
        runs: slice.runs.iter().map(|run| [run.row, run.first_column, run.length]).collect(),
    }
}
