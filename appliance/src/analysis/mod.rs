//! Analysis takes the next complete study, builds a volume in Hounsfield units and millimetres, decides which
//! analyses apply (and records why the others do not), runs them.
//!
//! Work comes from the store: studies it has not settled and questions readers asked. Findings go back to the store;
//! nothing else leaves. A restart looks at the store again. It never guesses a missing unit, never scores what it
//! cannot justify, and never keeps more than one volume.

mod answers;
mod applicability;
mod calcium;
mod cardiac;
mod completeness;
mod draft;
mod fingerprint;
mod guards;
mod mammography;
mod marks;
mod mass;
mod nodules;
mod notes;
mod perfusion;
mod perfusion_part;
mod question;
mod scoring;
mod segmentation;
mod structures;
mod study;
mod tally;
mod task;
mod whole;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use sidelight_kernels::Volume;
use sidelight_provisioning::Identity;
use sidelight_provisioning::calcium::Calcium as CalciumSite;
use tokio::sync::broadcast::error::RecvError;

use crate::clock::{Clock, Timestamp};
use crate::compute::Compute;
use crate::inference::{Inference, Machines};
use crate::pulse::Pulse;
use crate::stop::Stop;
use crate::store::runs::RunInput;
use crate::store::{Progress, ProgressState, Store, StoreError};
use crate::uid::{SeriesUid, StudyUid};

/// Looks at the store this often even when nothing woke it: a lost wake-up costs seconds, not a result.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct Config {
    /// A study without a new instance for this long is complete.
    pub study_quiet: Duration,
    /// Whether structures are told apart on every CT.
    pub structures: bool,
    /// Thresholds and calibration of the site.
    pub calcium: CalciumSite,
}

/// Why the room stopped.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the box's blocking threads are gone")]
    Threads,
}

/// The room and everything it works with.
#[derive(Debug)]
pub struct Analysis {
    config: Config,
    store: Store,
    compute: Compute,
    inference: Inference,
    identity: Identity,
    clock: Clock,
    stop: Stop,
    pulse: Pulse,
    /// The last volume built: questions come in a row about the series on the screen.
    volume: Option<Built>,
    /// What the run in hand goes on record with.
    notes: notes::Notes,
}

/// A volume and what it was built from.
#[derive(Clone, Debug)]
struct Built {
    series: SeriesUid,
    instances: u64,
    volume: Arc<Volume>,
    /// Its hash, once somebody wanted it.
    input: Option<RunInput>,
}

impl Analysis {
    pub fn new(
        config: Config,
        store: Store,
        machines: Machines,
        identity: Identity,
        clock: Clock,
        stop: Stop,
        pulse: Pulse,
    ) -> Self {
        let Machines { compute, inference } = machines;
        let (volume, notes) = (None, notes::Notes::default());
        Self { config, store, compute, inference, identity, clock, stop, pulse, volume, notes }
    }

    /// Works until told to stop.
    pub async fn run(mut self) -> Result<(), AnalysisError> {
        let mut changes = self.store.live().subscribe();
        while !self.stop.is_stopped() {
            self.pulse.beat(self.clock.now());
            // Whatever woke us is in the store by now; the wake-ups themselves carry nothing.
            while changes.try_recv().is_ok() {}
            let next = self.look().await?;
            let pause = next.map_or(LOOK_AGAIN, |at| at.since(self.clock.wall())).min(LOOK_AGAIN);
            tokio::select! {
                () = self.stop.stopped() => {}
                () = tokio::time::sleep(pause.max(Duration::from_millis(1))) => {}
                woken = changes.recv() => if matches!(woken, Err(RecvError::Closed)) { return Ok(()) },
            }
        }
        Ok(())
    }

    /// One look at the store: answers questions, then moves every open study on, the most urgent kind of all studies
    /// first. Returns when to look again.
    async fn look(&mut self) -> Result<Option<Timestamp>, AnalysisError> {
        let store = self.store.clone();
        for question in blocking(move || store.questions()).await?? {
            self.answer(&question).await?;
        }
        if let Some(wanted) = self.store.live().resident().take_wanted() {
            self.revive_wanted(&wanted).await?;
        }
        let store = self.store.clone();
        let open = blocking(move || store.open_studies()).await??;
        let mut next = None;
        // While bundles are verified nobody knows what they will answer: studies stay open and are looked at again.
        let (mut tasks, networks) = (self.own_tasks(), self.network_tasks());
        let all = networks.is_some();
        tasks.extend(networks.unwrap_or_default());
        for task in &tasks {
            for study in &open {
                if self.stop.is_stopped() {
                    return Ok(next);
                }
                self.pulse.beat(self.clock.now());
                let span = tracing::info_span!("study", id = self.identity.pseudonym(study.as_str()));
                let until = tracing::Instrument::instrument(self.step(study, task), span).await?;
                next = [next, until].into_iter().flatten().min();
            }
        }
        for study in open.iter().filter(|_| all) {
            self.settle(study, &tasks).await?;
        }
        Ok(next)
    }

    fn keep(&mut self, series: &SeriesUid, instances: u64, volume: &Arc<Volume>) {
        if self.volume.as_ref().is_some_and(|built| Arc::ptr_eq(&built.volume, volume)) {
            return;
        }
        let (series, volume) = (series.clone(), volume.clone());
        self.volume = Some(Built { series, instances, volume, input: None });
    }

    fn kept(&self, series: &SeriesUid, instances: u64) -> Option<Arc<Volume>> {
        let built = self.volume.as_ref()?;
        (built.series == *series && built.instances == instances).then(|| built.volume.clone())
    }

    /// Instances the study has now; `None` where it is gone.
    async fn instances_now(&self, study: &StudyUid) -> Result<u64, AnalysisError> {
        let (store, study) = (self.store.clone(), study.clone());
        Ok(blocking(move || store.study(&study)).await??.instances)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AnalysisError> {
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work)).await.map_err(|_| AnalysisError::Threads)
}

/// Says how far a kernel is, of a stage that begins at so many percent, and ends it when the box stops.
fn checkpoint<'a>(
    store: &'a Store,
    study: &'a StudyUid,
    stop: &'a Stop,
    (stage, begins_at): (&'static str, u8),
) -> impl FnMut(f32) -> ControlFlow<()> + 'a {
    move |fraction| {
        let share = fraction.clamp(0.0, 1.0) * f32::from(100 - begins_at);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 100")]
        let percent = Some(begins_at + share as u8);
        let progress = Progress { state: ProgressState::Running, stage: stage.into(), percent };
        store.live().set_progress(study, &progress);
        if stop.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
