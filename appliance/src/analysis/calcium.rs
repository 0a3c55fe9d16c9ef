//! Calcium: whether it applies to a series, and where in the images to look.

use std::sync::Arc;

use sidelight_kernels::{Volume, heart};

use super::applicability::{Applicability, CalciumPlan, calcium as judge};
use super::draft::does_not_apply;
use super::study::Images;
use super::{Analysis, AnalysisError, blocking};
use crate::imaging::volume;
use crate::store::finding::Finding;

pub(super) const TITLE: &str = "Coronary calcium, Agatston score";

impl Analysis {
    /// Scores a series where that applies; every way it ends is written into the finding.
    pub(super) async fn calcium(
        &mut self,
        finding: &mut Finding,
        images: &Images,
    ) -> Result<(), AnalysisError> {
        let plan = match judge(&images.facts, &images.stack, &self.config.calcium) {
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
            Ok(region) => self.score(finding, volume, region, &plan, true).await?,
            Err(reason) => {
                let advice = "draw a region on the images to score inside it";
                does_not_apply(finding, format!("{reason}; {advice}"));
            }
        }
        Ok(())
    }
}
