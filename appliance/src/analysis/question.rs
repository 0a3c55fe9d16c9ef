//! A reader drew a region: score inside it.

use std::sync::Arc;

use sidelight_kernels::Volume;
use sidelight_provisioning::calcium::Calcium as CalciumSite;

use super::applicability::{Applicability, calcium as judge};
use super::draft::does_not_apply;
use super::{Analysis, AnalysisError, blocking};
use crate::imaging::{stack, volume};
use crate::store::StoreError;
use crate::store::finding::Finding;
use crate::store::records::Question;

impl Analysis {
    /// Answers one question with a finding, whatever the answer is.
    pub(super) async fn answer(&mut self, question: &Question) -> Result<(), AnalysisError> {
        let instances = match self.instances_now(&question.study).await {
            Ok(instances) => instances,
            Err(AnalysisError::Store(StoreError::Unknown(_))) => 0,
            Err(error) => return Err(error),
        };
        let mut finding = self.blank_for(question, instances);
        match self.question_volume(question, instances).await? {
            Ok((volume, plan)) => {
                let region = question.shape.region(volume.dimensions());
                self.score(&mut finding, volume, region, &plan, false).await?;
            }
            Err(reason) => does_not_apply(&mut finding, reason),
        }
        self.record_answer(finding).await?;
        self.store.live().clear_progress(&question.study);
        Ok(())
    }

    async fn record_answer(&self, finding: Finding) -> Result<(), AnalysisError> {
        let store = self.store.clone();
        Ok(blocking(move || store.record_finding(&finding)).await??)
    }

    async fn question_volume(
        &mut self,
        question: &Question,
        instances: u64,
    ) -> Result<Result<(Arc<Volume>, super::applicability::CalciumPlan), String>, AnalysisError> {
        let (store, asked, kept) =
            (self.store.clone(), question.clone(), self.kept(&question.series, instances));
        let site = self.config.calcium.clone();
        let built = blocking(move || build(&store, &asked, kept, &site)).await?;
        if let Ok((volume, _)) = &built {
            self.keep(&question.series, instances, volume);
        }
        Ok(built)
    }
}

fn build(
    store: &crate::store::Store,
    question: &Question,
    kept: Option<Arc<Volume>>,
    site: &CalciumSite,
) -> Result<(Arc<Volume>, super::applicability::CalciumPlan), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let stack = stack(store, &question.study, &question.series).map_err(|error| words(&error))?;
    let instances = store.instances(&question.study, &question.series).map_err(|error| words(&error))?;
    let facts = &instances.first().ok_or("the series has no images")?.facts;
    let plan = match judge(facts, &stack, site) {
        Applicability::Yes(plan) => plan,
        Applicability::No(reason) => return Err(reason),
    };
    let volume = match kept {
        Some(volume) => volume,
        None => Arc::new(volume(&stack).map_err(|error| words(&error))?),
    };
    Ok((volume, plan))
}
