//! Calcium: whether it applies, the score of the heart's surroundings or of a drawn region, the finding in words.

use std::ops::ControlFlow;
use std::sync::Arc;

use sidelight_kernels::calcium::{self as kernel, Lesion as ScoredLesion, Score, SliceLesion, category};
use sidelight_kernels::{Region, Volume, heart};

use super::applicability::{Applicability, CalciumPlan, calcium as judge};
use super::draft::{does_not_apply, fail};
use super::study::Images;
use super::{Analysis, AnalysisError, blocking};
use crate::imaging::volume;
use crate::store::finding::{Category, Finding, Lesion, LesionSlice, Measurement};
use crate::store::{Progress, ProgressState};

pub(super) const TITLE: &str = "Coronary calcium, Agatston score";
/// Until a reader has looked at every lesion the sum is called nothing else (research notes, analyses.md 2.1).
pub(super) const AUTOMATIC_LABEL: &str = "candidate calcium, automatic, unreviewed";
pub(super) const DRAWN_LABEL: &str = "calcium in a drawn region, unreviewed";

/// Listing more lesions than this helps nobody; the sums count them all.
const LESIONS_MAX: usize = 400;

impl Analysis {
    /// Scores a series where that applies; every way it ends is written into the finding.
    pub(super) async fn calcium(
        &mut self,
        finding: &mut Finding,
        images: &Images,
    ) -> Result<(), AnalysisError> {
        let plan = match judge(&images.facts, &images.stack) {
            Applicability::Yes(plan) => plan,
            Applicability::No(reason) => {
                does_not_apply(finding, reason);
                return Ok(());
            }
        };
        if !self.may_start(finding).await? {
            return Ok(());
        }
        self.running(&finding.study_uid, "reading images", 0);
        let stack = images.stack.clone();
        let built = blocking(move || volume(&stack).map(Arc::new).map_err(|error| error.to_string())).await?;
        match built {
            Ok(volume) => {
                self.keep(&finding.series_uid, finding.study_instances, &volume);
                self.score_heart(finding, volume, plan).await?;
            }
            Err(reason) => does_not_apply(finding, reason),
        }
        Ok(())
    }

    async fn score_heart(
        &mut self,
        finding: &mut Finding,
        volume: Arc<Volume>,
        plan: CalciumPlan,
    ) -> Result<(), AnalysisError> {
        self.running(&finding.study_uid, "finding the heart", 20);
        let searched = volume.clone();
        match blocking(move || heart::surroundings(&searched)).await? {
            Ok(region) => self.score(finding, volume, region, &plan, true).await,
            Err(reason) => {
                let advice = "draw a region on the images to score inside it";
                does_not_apply(finding, format!("{reason}; {advice}"));
            }
        }
        Ok(())
    }

    /// Scores inside a region and writes the outcome, whatever it is, into the finding.
    pub(super) async fn score(
        &mut self,
        finding: &mut Finding,
        volume: Arc<Volume>,
        region: Region,
        plan: &CalciumPlan,
        categorised: bool,
    ) {
        let (store, study, stop) = (self.store.clone(), finding.study_uid.clone(), self.stop.clone());
        let protocol = plan.protocol;
        let scored = self.compute.run(move |processor| {
            let mut checkpoint = |fraction: f32| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0 to 1 becomes 30 to 100"
                )]
                let percent = 30 + (fraction.clamp(0.0, 1.0) * 70.0) as u8;
                let state = ProgressState::Running;
                let progress = Progress { state, stage: "scoring calcium".into(), percent: Some(percent) };
                store.live().set_progress(&study, &progress);
                if stop.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            kernel::score(processor, &volume, &region, &protocol, &mut checkpoint)
        });
        match scored.await {
            Ok(Ok(score)) => fill(finding, &score, plan, categorised),
            Ok(Err(error)) => fail(finding, error.to_string()),
            Err(error) => fail(finding, error.to_string()),
        }
        self.name_processor(finding).await;
    }
}

/// Writes a score into a finding. `categorised`: the whole heart was looked at, so a category means something.
fn fill(finding: &mut Finding, score: &Score, plan: &CalciumPlan, categorised: bool) {
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
