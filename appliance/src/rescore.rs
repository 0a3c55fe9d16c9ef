//! The volume on a reader's screen, scored again at another threshold: what the slider asks for.
//!
//! Not a room: the viewer asks, the kernels compute, nothing is kept. One volume stays in memory, the last one asked
//! about, so a step of the slider is one pass of the kernels.
//!
//! ```text
//! ask --ticket--> wait for the one before --newest?--> score --newest?--> answer
//!                        |                    | no                | no
//!                  more than WAITING_MAX      +--- overtaken -----+
//! ```
//! Invariants: weights stay where the finding's scoring has them, so a lesion that peaks below the first of them adds
//! to volume and never to a score. Another threshold than the finding's own is named non-standard, has no category,
//! and never becomes a finding, a message or an object.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use sidelight_kernels::calcium::{self, CalciumError, Protocol, Score};
use sidelight_kernels::{Region, Volume, heart};
use tokio::sync::{Mutex, Semaphore};
use utoipa::ToSchema;

use crate::compute::{Compute, NoProcessor, Rank};
use crate::imaging::{StackError, stack, volume};
use crate::store::Store;
use crate::store::calcium::{Calcium, Count};
use crate::store::finding::{Finding, Lesion, Scope};
use crate::store::lesions::listed;

/// Thresholds the slider may ask for (research notes, analyses.md 0).
pub const THRESHOLDS_HU: std::ops::RangeInclusive<i16> = 50..=300;
/// Requests that wait behind the one being computed: a few stations, each with one in flight.
const WAITING_MAX: usize = 8;
/// Runs of outlines in an answer, some 2 MB of JSON: at 50 HU half of the heart is one lesion.
const RUNS_MAX: usize = 100_000;

/// A score that is shown and not kept.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Rescored {
    pub threshold_hu: i16,
    /// Whether this is the threshold of the finding itself.
    pub standard: bool,
    /// How the numbers must be introduced.
    pub label: String,
    pub agatston: f64,
    pub volume_mm3: f64,
    /// Absent without a calibration.
    pub mass_mg: Option<f64>,
    pub lesion_count: u32,
    /// Largest first.
    pub lesions: Vec<Lesion>,
    /// The list was cut; the sums count everything.
    pub lesions_truncated: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RescoreError {
    #[error("a newer threshold was asked for")]
    Overtaken,
    #[error("too many thresholds wait already; ask again")]
    Busy,
    #[error("only a finding with a calcium score can be scored again")]
    NotScored,
    #[error("the images changed since the finding was made; read the study again")]
    Changed,
    #[error("the region cannot be found again: {0}")]
    Region(String),
    #[error(transparent)]
    Images(#[from] StackError),
    #[error(transparent)]
    Kernel(#[from] CalciumError),
    #[error(transparent)]
    Processor(#[from] NoProcessor),
    #[error("the box's blocking threads are gone")]
    Threads,
}

/// What was built for a finding.
#[derive(Clone, Debug)]
struct Resident {
    finding_id: String,
    volume: Arc<Volume>,
    region: Arc<Region>,
}

#[derive(Debug)]
pub struct Rescorer {
    store: Store,
    compute: Compute,
    resident: Mutex<Option<Resident>>,
    newest: Arc<AtomicU64>,
    waiting: Semaphore,
}

impl Rescorer {
    pub fn new(store: Store, compute: Compute) -> Self {
        let (resident, waiting) = (Mutex::new(None), Semaphore::new(WAITING_MAX));
        Self { store, compute, resident, newest: Arc::default(), waiting }
    }

    /// Scores the finding's region at `threshold_hu`, unless somebody asks for another threshold meanwhile.
    pub async fn score(&self, finding: &Finding, threshold_hu: i16) -> Result<Rescored, RescoreError> {
        let calcium = finding.calcium.as_ref().ok_or(RescoreError::NotScored)?;
        let ticket = self.newest.fetch_add(1, Ordering::SeqCst) + 1;
        let _waiting = self.waiting.try_acquire().map_err(|_| RescoreError::Busy)?;
        let mut resident = self.resident.lock().await;
        if self.newest.load(Ordering::SeqCst) != ticket {
            return Err(RescoreError::Overtaken);
        }
        let known = resident.take_if(|known| known.finding_id != finding.id);
        drop(known);
        let Resident { volume, region, .. } = match &*resident {
            Some(known) => known.clone(),
            None => resident.insert(self.build(finding).await?).clone(),
        };
        let protocol =
            Protocol { threshold_hu, weight_starts_hu: calcium.scoring.starts_hu, ..Protocol::AGATSTON };
        let newest = self.newest.clone();
        let scored = self.compute.run(Rank::Ordinary, move |processor, turns| {
            let is_newest = |_| match newest.load(Ordering::SeqCst) == ticket {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            };
            calcium::score(processor, &volume, &region, &protocol, &mut turns.shared(is_newest))
        });
        match scored.await?.answer {
            Ok(score) => Ok(rescored(finding, calcium, threshold_hu, &score)),
            Err(CalciumError::Cancelled) => Err(RescoreError::Overtaken),
            Err(error) => Err(error.into()),
        }
    }

    async fn build(&self, finding: &Finding) -> Result<Resident, RescoreError> {
        let (store, finding) = (self.store.clone(), finding.clone());
        let build = move || {
            if store.study(&finding.study_uid).map_err(StackError::from)?.instances != finding.study_instances
            {
                return Err(RescoreError::Changed);
            }
            let volume = volume(&stack(&store, &finding.study_uid, &finding.series_uid)?)?;
            let region = match &finding.scope {
                Scope::Automatic { .. } => {
                    heart::surroundings(&volume).map_err(|error| RescoreError::Region(error.to_string()))?
                }
                Scope::Region { shape, .. } => shape.region(volume.dimensions()),
                Scope::Chosen { .. } | Scope::Edited { .. } => {
                    return Err(RescoreError::Region("only calcium is scored again".into()));
                }
            };
            Ok(Resident { finding_id: finding.id, volume: Arc::new(volume), region: Arc::new(region) })
        };
        tokio::task::spawn_blocking(build).await.map_err(|_| RescoreError::Threads)?
    }
}

fn rescored(finding: &Finding, calcium: &Calcium, threshold_hu: i16, score: &Score) -> Rescored {
    let mut listed = listed(score, RUNS_MAX);
    let mut count = listed.unlisted;
    for lesion in &mut listed.lesions {
        let own = Count::of(lesion);
        lesion.mass_mg = calcium.worth(own).mass_mg;
        count = count.and(own);
    }
    let sum = calcium.worth(count);
    let standard = threshold_hu == calcium.scoring.starts_hu[0];
    Rescored {
        threshold_hu,
        standard,
        label: if standard { finding.label.clone() } else { format!("non-standard, T = {threshold_hu} HU") },
        agatston: sum.agatston,
        volume_mm3: sum.volume_mm3,
        mass_mg: sum.mass_mg,
        lesion_count: sum.lesions,
        lesions_truncated: listed.unlisted.lesions > 0,
        lesions: listed.lesions,
    }
}
