//! A reader asked: calcium inside a drawn region, perfusion with other inlets, a curve of a series not in memory.

use std::sync::Arc;

use sidelight_kernels::Volume;
use sidelight_provisioning::calcium::Calcium as CalciumSite;

use super::applicability::{Applicability, CalciumPlan, calcium as judge};
use super::draft::does_not_apply;
use super::{Analysis, AnalysisError, blocking};
use crate::imaging::{stack, volume};
use crate::store::finding::{Finding, FindingState, Shape};
use crate::store::perfusion::PerfusionChoice;
use crate::store::records::{Asked, Question};
use crate::store::resident::Wanted;
use crate::store::{Store, StoreError};

impl Analysis {
    /// Answers one question with a finding, whatever the answer is.
    pub(super) async fn answer(&mut self, question: &Question) -> Result<(), AnalysisError> {
        let instances = match self.instances_now(&question.study).await {
            Ok(instances) => instances,
            Err(AnalysisError::Store(StoreError::Unknown(_))) => 0,
            Err(error) => return Err(error),
        };
        self.begin_notes();
        let mut finding = self.blank_for(question, instances);
        match &question.about {
            Asked::Region { shape } => self.score_drawn(&mut finding, question, shape).await?,
            Asked::Perfusion { choice } => self.perfuse(&mut finding, question, *choice).await?,
        }
        if self.stop.is_stopped() && finding.state == FindingState::Failed {
            // The question is still there after the next start.
            return Ok(());
        }
        self.record_answer(finding).await?;
        self.store.live().clear_progress(&question.study);
        Ok(())
    }

    async fn score_drawn(
        &mut self,
        finding: &mut Finding,
        question: &Question,
        shape: &Shape,
    ) -> Result<(), AnalysisError> {
        match self.question_volume(question, finding.study_instances).await? {
            Ok((volume, plan)) => {
                let region = shape.region(volume.dimensions());
                self.score(finding, volume, region, &plan, false).await?;
            }
            Err(reason) => does_not_apply(finding, reason),
        }
        Ok(())
    }

    async fn perfuse(
        &mut self,
        finding: &mut Finding,
        question: &Question,
        choice: PerfusionChoice,
    ) -> Result<(), AnalysisError> {
        match self.look_at(&question.study, &question.series).await?.images {
            Ok(images) => self.perfusion(finding, &images, choice).await,
            Err(reason) => {
                does_not_apply(finding, reason);
                Ok(())
            }
        }
    }

    /// Reads a finding's series into memory again, where the finding still is what it was.
    pub(super) async fn revive_wanted(&mut self, wanted: &Wanted) -> Result<(), AnalysisError> {
        let (store, asked) = (self.store.clone(), wanted.clone());
        let found = blocking(move || store.finding(&asked.study, &asked.finding_id)).await?;
        if let Ok(finding) = found
            && let Ok(images) = self.look_at(&finding.study_uid, &finding.series_uid).await?.images
        {
            self.revive(&finding, &images).await?;
            self.store.live().clear_progress(&wanted.study);
        }
        Ok(())
    }

    async fn record_answer(&self, finding: Finding) -> Result<(), AnalysisError> {
        let (store, run) = (self.store.clone(), self.end_notes(&finding));
        let record = move || {
            run.iter().try_for_each(|run| store.record_run(&finding.study_uid, run))?;
            store.record_finding(&finding)
        };
        Ok(blocking(record).await??)
    }

    async fn question_volume(
        &mut self,
        question: &Question,
        instances: u64,
    ) -> Result<Result<(Arc<Volume>, CalciumPlan), String>, AnalysisError> {
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
    store: &Store,
    question: &Question,
    kept: Option<Arc<Volume>>,
    site: &CalciumSite,
) -> Result<(Arc<Volume>, CalciumPlan), String> {
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
