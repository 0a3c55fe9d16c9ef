//! Studies moved on by one step: stale findings superseded, series computed, results made final.

use sidelight_kernels::perfusion::MIN_TIME_POINTS;

use super::completeness::{Procedure, Signals, Verdict, decide};
use super::draft::does_not_apply;
use super::task::{Task, alike};
use super::{Analysis, AnalysisError, blocking};
use crate::clock::Timestamp;
use crate::imaging::{NoTimePoints, Stack, TimedStack, join, repeats, same_places, stack, time_points};
use crate::part10::InstanceFacts;
use crate::store::finding::{Finding, FindingKind, FindingState};
use crate::store::perfusion::PerfusionChoice;
use crate::store::records::{FindingCard, StudyRecord};
use crate::store::{Progress, ProgressState, Sending, Store, StoreError};
use crate::uid::{SeriesUid, StudyUid};

/// What a series has to say before anything is computed.
pub(super) struct Look {
    instances: u64,
    procedure: Option<Procedure>,
    pub images: Result<Images, String>,
}

/// A series' images in order, and what the first of them says.
#[derive(Clone)]
pub(super) struct Images {
    pub facts: InstanceFacts,
    pub stack: Stack,
    pub timed: Result<TimedStack, NoTimePoints>,
}

impl Analysis {
    /// Moves one kind of findings of a study on as far as it goes. Returns when to look at it again.
    pub(super) async fn step(
        &mut self,
        study: &StudyUid,
        task: &Task,
    ) -> Result<Option<Timestamp>, AnalysisError> {
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
            let until = match answer(&cards, uid, task, record.instances) {
                Some(card) => self.promote(study, &record, card).await?,
                None => self.compute(study, uid, task, &record).await?,
            };
            next = [next, until].into_iter().flatten().min();
        }
        Ok(next)
    }

    /// A study is settled when every analysis has an answer for every series that will not change by itself.
    pub(super) async fn settle(&self, study: &StudyUid, tasks: &[Task]) -> Result<(), AnalysisError> {
        let (store, uid, tasks) = (self.store.clone(), study.clone(), tasks.to_vec());
        let settle = move || {
            let (record, cards) = (store.study(&uid)?, store.finding_cards(&uid)?);
            let answered = |series, task| {
                answer(&cards, series, task, record.instances)
                    .is_some_and(|card| card.state != FindingState::Provisional)
            };
            let series = store.series(&uid)?;
            let mut arrived = series.iter().filter(|(_, series)| !series.own);
            let all = arrived.all(|(uid, _)| tasks.iter().all(|task| answered(uid, task)));
            if all && !store.is_held(&uid)? {
                store.settle(&uid, record.instances)?;
                store.live().changed(&uid);
            }
            Ok::<_, StoreError>(())
        };
        Ok(blocking(settle).await??)
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
        if let Some(quiet_at) = self.still_arriving(study, record) {
            return Ok(Some(quiet_at));
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

    async fn compute(
        &mut self,
        study: &StudyUid,
        series: &SeriesUid,
        task: &Task,
        record: &StudyRecord,
    ) -> Result<Option<Timestamp>, AnalysisError> {
        if let Some(quiet_at) = self.still_arriving(study, record) {
            self.progress(study, ProgressState::Waiting, "waiting for more images", None);
            return Ok(Some(quiet_at));
        }
        let look = self.look_at(study, series).await?;
        let (complete, because) = match self.verdict(study, record, &look) {
            Verdict::Wait { until } => {
                self.progress(study, ProgressState::Waiting, "waiting for more images", None);
                return Ok(Some(until));
            }
            Verdict::Start { because } => (false, because),
            Verdict::Complete { because } => (true, because),
        };
        self.begin_notes();
        let mut finding = self.blank_of(study, series, task, record.instances);
        finding.state = if complete { FindingState::Preliminary } else { FindingState::Provisional };
        finding.ready_because = because;
        match (task.kind, &look.images) {
            // Views differ in size: they are no stack, and need none.
            (FindingKind::Mammography, _) => self.mammography(&mut finding).await?,
            (_, Err(reason)) => does_not_apply(&mut finding, reason),
            (FindingKind::Perfusion, Ok(images)) => {
                self.perfusion(&mut finding, images, PerfusionChoice::default()).await?;
            }
            (FindingKind::Calcium, Ok(images)) => self.calcium(&mut finding, images).await?,
            (FindingKind::Structures, Ok(images)) => self.structures(&mut finding, images).await?,
            (FindingKind::Cardiac, Ok(images)) => self.cardiac(&mut finding, images).await?,
            (FindingKind::Nodules, Ok(images)) => self.nodules(&mut finding, images).await?,
            (FindingKind::Segmentation, Ok(images)) => {
                let manifest = task.network.as_ref().expect("a segmentation is a network's");
                self.segmentation(&mut finding, images, manifest).await?;
            }
        }
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
        let (store, run) = (self.store.clone(), self.end_notes(&finding));
        let record = move || {
            run.iter().try_for_each(|run| store.record_run(&finding.study_uid, run))?;
            store.record_finding(&finding)?;
            for card in store.finding_cards(&finding.study_uid)? {
                if alike(&finding, &card) && !card.drawn && card.state == FindingState::Superseded {
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

    pub(super) async fn look_at(&self, study: &StudyUid, series: &SeriesUid) -> Result<Look, AnalysisError> {
        let (store, study, series) = (self.store.clone(), study.clone(), series.clone());
        let look = move || {
            let instances = store.instances(&study, &series)?;
            let images = match (stack(&store, &study, &series), instances.first()) {
                (Ok(stack), Some(first)) => {
                    let timed = match time_points(&stack) {
                        Err(NoTimePoints::Single) => joined(&store, &study, &series, &stack)?,
                        timed => timed,
                    };
                    Ok(Images { facts: first.facts.clone(), stack, timed })
                }
                (Err(error), _) => Err(error.to_string()),
                (_, None) => Err("the series has no images".into()),
            };
            let (instances, procedure) = (instances.len() as u64, procedure(&store, &study)?);
            Ok::<_, StoreError>(Look { instances, procedure, images })
        };
        Ok(blocking(look).await??)
    }

    fn verdict(&self, study: &StudyUid, record: &StudyRecord, look: &Look) -> Verdict {
        let images = look.images.as_ref().ok();
        let repeats = images.and_then(|images| repeats(&images.stack));
        let signals = Signals {
            sending: self.store.live().sending(study),
            geometry_whole: images.is_some_and(|images| images.stack.geometry.is_ok())
                || repeats.is_some_and(|repeats| repeats.even),
            repeats,
            expected: images.and_then(|images| images.facts.series_instances),
            here: look.instances,
            procedure: look.procedure,
            last_arrival: record.last_arrival,
        };
        decide(&signals, self.clock.wall(), self.config.study_quiet)
    }

    /// While a study is being sent and is not quiet, the verdict is to wait, whatever its images say: they are not read
    /// again for each one that comes, which would cost a receiver of a thousand slices half a million looks.
    fn still_arriving(&self, study: &StudyUid, record: &StudyRecord) -> Option<Timestamp> {
        let quiet_at = self.quiet_at(record);
        let arriving = self.store.live().sending(study) == Sending::Now && self.clock.wall() < quiet_at;
        arriving.then_some(quiet_at)
    }

    fn quiet_at(&self, record: &StudyRecord) -> Timestamp {
        let quiet_ms = u64::try_from(self.config.study_quiet.as_millis()).unwrap_or(u64::MAX);
        Timestamp(record.last_arrival.0.saturating_add(quiet_ms))
    }

    fn progress(&self, study: &StudyUid, state: ProgressState, stage: &str, percent: Option<u8>) {
        self.store.live().set_progress(study, &Progress { state, stage: stage.into(), percent });
    }

    pub(super) fn running(&self, study: &StudyUid, stage: &str, percent: u8) {
        self.stage(stage);
        self.progress(study, ProgressState::Running, stage, Some(percent));
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
}

/// The finding that says what an analysis has to say about a series as the study is now.
fn answer<'a>(
    cards: &'a [FindingCard],
    series: &SeriesUid,
    task: &Task,
    instances: u64,
) -> Option<&'a FindingCard> {
    cards.iter().find(|card| {
        card.series == *series
            && task.gave(card)
            && !card.drawn
            // A rejected finding answers its study, too: the same images would only give it again.
            && card.state != FindingState::Superseded
            && card.study_instances == instances
    })
}

/// A scanner may file each time point of a scan as a series of its own. Then the first of them answers for all.
fn joined(
    store: &Store,
    study: &StudyUid,
    series: &SeriesUid,
    stack_of_series: &Stack,
) -> Result<Result<TimedStack, NoTimePoints>, StoreError> {
    let mut alike = store.series(study)?;
    let here = stack_of_series.frames.len() as u64;
    alike.retain(|(_, record)| !record.own && record.modality == "CT" && record.frames == here);
    if alike.len() < MIN_TIME_POINTS {
        return Ok(Err(NoTimePoints::Single));
    }
    alike.sort_by(|a, b| (a.1.number, &a.0).cmp(&(b.1.number, &b.0)));
    let (mut uids, mut stacks) = (Vec::new(), Vec::new());
    for (uid, _) in &alike {
        if let Ok(one) = stack(store, study, uid)
            && same_places(stack_of_series, &one)
        {
            uids.push(uid);
            stacks.push(one);
        }
    }
    if stacks.len() < MIN_TIME_POINTS {
        return Ok(Err(NoTimePoints::Single));
    }
    let timed = join(&stacks);
    let leads = uids.first().is_some_and(|uid| *uid == series);
    Ok(if timed.is_ok() && !leads { Err(NoTimePoints::PartOfAnother) } else { timed })
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
