//! One study moved on by one step: stale findings superseded, series computed, results made final.

use std::ops::ControlFlow;
use std::sync::Arc;

use sidelight_kernels::{Region, Volume, calcium as kernel, heart};

use super::applicability::{Applicability, CalciumPlan, calcium as judge};
use super::completeness::{Procedure, Signals, Verdict, decide};
use super::{Analysis, AnalysisError, blocking, calcium};
use crate::clock::Timestamp;
use crate::imaging::{Stack, stack, volume};
use crate::part10::InstanceFacts;
use crate::store::finding::{Algorithm, Finding, FindingState, Scope};
use crate::store::records::{FindingCard, StudyRecord};
use crate::store::{Progress, ProgressState, Store, StoreError};
use crate::uid::{SeriesUid, StudyUid};

/// A job that was started this often and never finished took the box down with it: a person must look.
const ATTEMPTS_MAX: u32 = 2;

/// What a series has to say before anything is computed.
struct Look {
    facts: Option<InstanceFacts>,
    instances: u64,
    procedure: Option<Procedure>,
    stack: Result<Stack, String>,
}

impl Analysis {
    /// Moves a study on as far as it goes. Returns when to look at it again.
    pub(super) async fn step(&mut self, study: &StudyUid) -> Result<Option<Timestamp>, AnalysisError> {
        if self.hold(study).await? {
            return Ok(None);
        }
        let (store, uid) = (self.store.clone(), study.clone());
        let (record, cards, series) = blocking(move || {
            Ok::<_, StoreError>((store.study(&uid)?, store.finding_cards(&uid)?, store.series(&uid)?))
        })
        .await??;
        self.supersede_stale(study, &record, &cards).await?;
        let mut next = None;
        for (uid, _) in series.iter().filter(|(_, series)| !series.own) {
            let done = cards.iter().find(|card| {
                card.series == *uid
                    && !card.drawn
                    // A rejected finding answers its study, too: the same images would only give it again.
                    && card.state != FindingState::Superseded
                    && card.study_instances == record.instances
            });
            let until = match done {
                Some(card) => self.promote(study, &record, card).await?,
                None => self.compute_series(study, uid, &record).await?,
            };
            next = [next, until].into_iter().flatten().min();
        }
        if next.is_none() {
            let (store, uid) = (self.store.clone(), study.clone());
            blocking(move || store.settle(&uid, record.instances)).await??;
            self.store.live().changed(study);
        }
        Ok(next)
    }

    /// A study under two patients waits for an admin and says so. It stays open: the decision wakes it.
    async fn hold(&self, study: &StudyUid) -> Result<bool, AnalysisError> {
        let (store, uid) = (self.store.clone(), study.clone());
        let held = blocking(move || store.is_held(&uid)).await??;
        if held {
            self.progress(
                study,
                ProgressState::Waiting,
                "held: two patients in one study; an admin decides",
                None,
            );
        }
        Ok(held)
    }

    /// A finding made of fewer instances than the study now has is no longer what the box says.
    async fn supersede_stale(
        &self,
        study: &StudyUid,
        record: &StudyRecord,
        cards: &[FindingCard],
    ) -> Result<(), AnalysisError> {
        for card in
            cards.iter().filter(|card| card.state.is_current() && card.study_instances < record.instances)
        {
            let reason = match record.instances - card.study_instances {
                1 => "one more image arrived after it was computed".to_owned(),
                more => format!("{more} more images arrived after it was computed"),
            };
            self.change(study, &card.id, move |finding| {
                finding.state = FindingState::Superseded;
                finding.superseded_reason = Some(reason);
            })
            .await?;
        }
        Ok(())
    }

    /// A provisional finding of a study that has been quiet is preliminary.
    async fn promote(
        &self,
        study: &StudyUid,
        record: &StudyRecord,
        card: &FindingCard,
    ) -> Result<Option<Timestamp>, AnalysisError> {
        if card.state != FindingState::Provisional {
            return Ok(None);
        }
        let look = self.look_at(study, &card.series).await?;
        match self.verdict(study, record, &look) {
            Verdict::Complete { because } => {
                self.change(study, &card.id, |finding| {
                    finding.state = FindingState::Preliminary;
                    finding.ready_because = because;
                })
                .await?;
                Ok(None)
            }
            Verdict::Wait { until } => Ok(Some(until)),
            Verdict::Start { .. } => Ok(Some(self.quiet_at(record))),
        }
    }

    async fn compute_series(
        &mut self,
        study: &StudyUid,
        series: &SeriesUid,
        record: &StudyRecord,
    ) -> Result<Option<Timestamp>, AnalysisError> {
        let look = self.look_at(study, series).await?;
        let (complete, because) = match self.verdict(study, record, &look) {
            Verdict::Wait { until } => {
                self.progress(study, ProgressState::Waiting, "waiting for more images", None);
                return Ok(Some(until));
            }
            Verdict::Start { because } => (false, because),
            Verdict::Complete { because } => (true, because),
        };
        let mut finding = self.blank(study, series, record.instances);
        finding.state = if complete { FindingState::Preliminary } else { FindingState::Provisional };
        finding.ready_because = because;
        self.fill(&mut finding, look).await?;
        if self.stop.is_stopped() && finding.state == FindingState::Failed {
            return Ok(None);
        }
        if self.instances_now(study).await? != record.instances {
            // Something arrived meanwhile: this result was never true of the study. Look again at once.
            return Ok(Some(self.clock.wall()));
        }
        tracing::info!(state = ?finding.state, "finding recorded");
        self.record(finding).await?;
        if complete {
            return Ok(None);
        }
        self.progress(study, ProgressState::Waiting, "waiting for the study to be quiet", None);
        Ok(Some(self.quiet_at(record)))
    }

    /// Records a new finding and points those it takes the place of to it.
    async fn record(&self, finding: Finding) -> Result<(), AnalysisError> {
        let store = self.store.clone();
        let record = move || {
            store.record_finding(&finding)?;
            for card in store.finding_cards(&finding.study_uid)? {
                if card.series == finding.series_uid && !card.drawn && card.state == FindingState::Superseded
                {
                    let mut old = store.finding(&finding.study_uid, &card.id)?;
                    if old.superseded_by.is_none() && old.id != finding.id {
                        old.superseded_by = Some(finding.id.clone());
                        store.record_finding(&old)?;
                    }
                }
            }
            Ok::<_, StoreError>(())
        };
        Ok(blocking(record).await??)
    }

    async fn look_at(&self, study: &StudyUid, series: &SeriesUid) -> Result<Look, AnalysisError> {
        let (store, study, series) = (self.store.clone(), study.clone(), series.clone());
        let look = move || {
            let mut instances = store.instances(&study, &series)?;
            let count = instances.len() as u64;
            let facts = if instances.is_empty() { None } else { Some(instances.swap_remove(0).facts) };
            let stack = stack(&store, &study, &series).map_err(|error| error.to_string());
            let procedure = procedure(&store, &study)?;
            Ok::<_, StoreError>(Look { facts, instances: count, procedure, stack })
        };
        Ok(blocking(look).await??)
    }

    /// Decides whether calcium scoring applies and runs it; every way it ends is written into the finding.
    async fn fill(&mut self, finding: &mut Finding, look: Look) -> Result<(), AnalysisError> {
        let (stack, facts) = match (look.stack, look.facts) {
            (Ok(stack), Some(facts)) => (stack, facts),
            (Err(reason), _) => return does_not_apply(finding, reason),
            (_, None) => return does_not_apply(finding, "the series has no images".into()),
        };
        let plan = match judge(&facts, &stack) {
            Applicability::Yes(plan) => plan,
            Applicability::No(reason) => return does_not_apply(finding, reason),
        };
        let (store, job) = (self.store.clone(), finding.id.clone());
        if blocking(move || store.attempt(&job)).await?? >= ATTEMPTS_MAX {
            fail(
                finding,
                "this series took the box down twice; ask for support before running it again".into(),
            );
            return Ok(());
        }
        self.progress(&finding.study_uid, ProgressState::Running, "reading images", Some(0));
        let built = blocking(move || volume(&stack).map(Arc::new).map_err(|error| error.to_string())).await?;
        let volume = match built {
            Ok(volume) => volume,
            Err(reason) => return does_not_apply(finding, reason),
        };
        self.keep(&finding.series_uid, finding.study_instances, &volume);
        self.score_heart(finding, volume, plan).await
    }

    async fn score_heart(
        &mut self,
        finding: &mut Finding,
        volume: Arc<Volume>,
        plan: CalciumPlan,
    ) -> Result<(), AnalysisError> {
        self.progress(&finding.study_uid, ProgressState::Running, "finding the heart", Some(20));
        let searched = volume.clone();
        let region = match blocking(move || heart::surroundings(&searched)).await? {
            Ok(region) => region,
            Err(reason) => {
                let advice = "draw a region on the images to score inside it";
                return does_not_apply(finding, format!("{reason}; {advice}"));
            }
        };
        self.score(finding, volume, region, &plan, true).await;
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
        let (live, study, stop) = (self.store.clone(), finding.study_uid.clone(), self.stop.clone());
        let protocol = plan.protocol;
        let scored = self.compute.run(move |processor| {
            let mut checkpoint = |fraction: f32| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0 to 1 becomes 30 to 100"
                )]
                let percent = 30 + (fraction.clamp(0.0, 1.0) * 70.0) as u8;
                live.live().set_progress(&study, &running("scoring calcium", percent));
                if stop.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            kernel::score(processor, &volume, &region, &protocol, &mut checkpoint)
        });
        match scored.await {
            Ok(Ok(score)) => calcium::fill(finding, &score, plan, categorised),
            Ok(Err(error)) => fail(finding, error.to_string()),
            Err(error) => fail(finding, error.to_string()),
        }
        if let Ok(info) = self.compute.ready().await {
            let kind = format!("{:?}", info.kind).to_lowercase();
            finding.algorithm.processor = format!("{kind}: {}", info.name);
        }
    }

    fn verdict(&self, study: &StudyUid, record: &StudyRecord, look: &Look) -> Verdict {
        let signals = Signals {
            sending: self.store.live().sending(study),
            geometry_whole: look.stack.as_ref().is_ok_and(|stack| stack.geometry.is_ok()),
            expected: look.facts.as_ref().and_then(|facts| facts.series_instances),
            here: look.instances,
            procedure: look.procedure,
            last_arrival: record.last_arrival,
        };
        decide(&signals, self.clock.wall(), self.config.study_quiet)
    }

    fn quiet_at(&self, record: &StudyRecord) -> Timestamp {
        let quiet_ms = u64::try_from(self.config.study_quiet.as_millis()).unwrap_or(u64::MAX);
        Timestamp(record.last_arrival.0.saturating_add(quiet_ms))
    }

    fn progress(&self, study: &StudyUid, state: ProgressState, stage: &str, percent: Option<u8>) {
        self.store.live().set_progress(study, &Progress { state, stage: stage.into(), percent });
    }

    /// Rewrites a recorded finding.
    async fn change(
        &self,
        study: &StudyUid,
        id: &str,
        change: impl FnOnce(&mut Finding) + Send + 'static,
    ) -> Result<(), AnalysisError> {
        let (store, study, id) = (self.store.clone(), study.clone(), id.to_owned());
        let changed = move || {
            let mut finding = store.finding(&study, &id)?;
            change(&mut finding);
            store.record_finding(&finding)
        };
        Ok(blocking(changed).await??)
    }

    /// A finding with nothing in it yet. Its id depends on what it is about, so a repeated step overwrites itself.
    fn blank(&self, study: &StudyUid, series: &SeriesUid, instances: u64) -> Finding {
        let about = format!("finding {} {} {} {instances}", study.as_str(), series.as_str(), calcium::KIND);
        Finding {
            id: self.identity.pseudonym(&about),
            study_uid: study.clone(),
            series_uid: series.clone(),
            kind: calcium::KIND.into(),
            title: calcium::TITLE.into(),
            state: FindingState::Provisional,
            label: calcium::AUTOMATIC_LABEL.into(),
            created_at: self.clock.wall().rfc3339(),
            algorithm: Algorithm {
                name: "sidelight-calcium".into(),
                version: env!("CARGO_PKG_VERSION").into(),
                processor: "none".into(),
            },
            scope: Scope::Automatic { rule: heart::RULE.into() },
            reason: None,
            measurements: Vec::new(),
            category: None,
            warnings: Vec::new(),
            lesions: Vec::new(),
            lesions_truncated: false,
            reviewer: None,
            reviewed_at: None,
            superseded_by: None,
            superseded_reason: None,
            ready_because: String::new(),
            study_instances: instances,
        }
    }

    /// A blank for a reader's question.
    pub(super) fn blank_for(&self, question: &crate::store::records::Question, instances: u64) -> Finding {
        let mut finding = self.blank(&question.study, &question.series, instances);
        finding.id.clone_from(&question.finding_id);
        finding.label = calcium::DRAWN_LABEL.into();
        finding.state = FindingState::Preliminary;
        finding.scope = Scope::Region { shape: question.shape.clone(), reader: question.reader.clone() };
        finding
    }
}

/// What the scanner's finished procedure steps list for a study, against what is here.
fn procedure(store: &Store, study: &StudyUid) -> Result<Option<Procedure>, StoreError> {
    let Some(listed) = store.procedure_expectation(study) else { return Ok(None) };
    let mut missing = listed.clone();
    for (series, _) in store.series(study)? {
        for record in store.instances(study, &series)? {
            missing.remove(&record.facts.sop_instance);
        }
    }
    Ok(Some(Procedure { ended: true, listed: listed.len() as u64, missing: missing.len() as u64 }))
}

fn running(stage: &str, percent: u8) -> Progress {
    Progress { state: ProgressState::Running, stage: stage.into(), percent: Some(percent) }
}

/// An answer like any other: it ends the work on the series.
pub(super) fn does_not_apply(finding: &mut Finding, reason: String) -> Result<(), AnalysisError> {
    finding.state = FindingState::NotApplicable;
    finding.reason = Some(reason);
    Ok(())
}

fn fail(finding: &mut Finding, reason: String) {
    tracing::error!(reason, "an analysis failed");
    finding.state = FindingState::Failed;
    finding.reason = Some(reason);
}
