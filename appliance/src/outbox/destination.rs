//! One destination and its worker: takes the next objects of its queue, sends them, marks what arrived.
//!
//! ```text
//!            nothing due                 reached
//!   Looking ------------> Waiting   Sending -----> marks ---> confirming (archives only) ---> Looking
//!      ^  <--- wake, time ---+         | not reached
//!      +------- pause, doubled up to PAUSE_MAX, jitter ------+
//! ```
//!
//! Two failures are told apart: the destination cannot be reached (nothing is the object's fault, everything waits a
//! pause), and one object is refused or breaks the connection (it waits by itself and is set apart after
//! `ATTEMPTS_MAX`). A kill between an arrival and its mark sends the same bytes again under the same UID.

use std::collections::BTreeMap;
use std::time::Duration;

use super::dicom::DicomPeer;
use super::jittered;
use super::plan::blocking;
use super::stow::StowService;
use crate::audit::{Event, Kind, Outcome, Who};
use crate::clock::{Clock, Timestamp};
use crate::stop::Stop;
use crate::store::forwarding::Waiting;
use crate::store::{ObjectName, Reached, Store, StoreError};
use crate::uid::StudyUid;

/// Objects taken from the queue at once: a kill repeats at most these, and one association carries them all.
const BATCH: usize = 64;
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// A PACS that comes back is found within about a minute and a half.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Looks at the queue this often even when nothing woke it: objects that failed wait for the clock only.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Objects asked about in one transaction: its request is some 70 KB, its answer is one journal line.
const CONFIRM_BATCH: usize = 256;

/// How to reach it.
#[derive(Clone, Debug)]
pub enum Way {
    Dicom { address: String, called_ae: String, calling_ae: String },
    Stow { url: String },
}

#[derive(Clone, Debug)]
pub struct Config {
    pub name: String,
    pub way: Way,
    /// Whether its confirmation is asked for.
    pub archive: bool,
}

/// What became of one object.
#[derive(Debug)]
pub(super) enum Sent {
    Arrived,
    /// The destination said no to this object.
    Refused {
        reason: String,
        for_good: bool,
    },
}

/// Why a batch ended before its end.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Unreached {
    pub reason: String,
    /// The object that was on its way, where one was.
    pub during: Option<usize>,
}

/// What a batch did: one outcome an object, in order, then perhaps the reason why it ended early.
pub(super) struct Batch {
    pub outcomes: Vec<Sent>,
    pub ended: Option<Unreached>,
}

/// What a service said about objects it was asked about.
#[derive(Debug, Default)]
pub(super) struct Confirmation {
    pub kept: Vec<ObjectName>,
    /// It says that it does not have them.
    pub missing: Vec<ObjectName>,
    /// There is no way to ask about them.
    pub unasked: Vec<ObjectName>,
}

enum Peer {
    Dicom(DicomPeer),
    Stow(StowService),
}

/// The worker of one destination.
struct Worker {
    config: Config,
    peer: Peer,
    store: Store,
    clock: Clock,
}

/// Delivers until told to stop. Only the store can make it fail.
pub async fn run(config: Config, store: Store, clock: Clock, mut stop: Stop) -> Result<(), StoreError> {
    let peer = match &config.way {
        Way::Dicom { address, called_ae, calling_ae } => {
            Peer::Dicom(DicomPeer::new(address, called_ae, calling_ae))
        }
        Way::Stow { url } => Peer::Stow(StowService::new(url)),
    };
    let mut worker = Worker { config, peer, store, clock };
    let mut pause = PAUSE_MIN;
    while !stop.is_stopped() {
        let done = tokio::select! {
            () = stop.stopped() => break,
            done = worker.turn() => done?,
        };
        let wait = match done {
            Turn::Worked => {
                pause = PAUSE_MIN;
                continue;
            }
            Turn::Idle => LOOK_AGAIN,
            Turn::Unreached => {
                let wait = jittered(pause);
                pause = (pause * 2).min(PAUSE_MAX);
                wait
            }
        };
        let idle = matches!(done, Turn::Idle);
        tokio::select! {
            () = stop.stopped() => break,
            () = tokio::time::sleep(wait) => {}
            () = worker.store.live().retry_wanted() => pause = PAUSE_MIN,
            () = worker.store.live().queue_grew(), if idle => {}
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Turn {
    Worked,
    Idle,
    Unreached,
}

impl Worker {
    /// One batch, or one round of confirming.
    async fn turn(&mut self) -> Result<Turn, StoreError> {
        let (store, name, now) = (self.store.clone(), self.config.name.clone(), self.clock.wall());
        let waiting = blocking(move || store.next_to_forward(&name, now, BATCH)).await?;
        if waiting.is_empty() {
            return self.confirm().await;
        }
        let paths: Vec<_> = waiting.iter().map(|waiting| self.store.object_path(&waiting.object)).collect();
        let batch = match &mut self.peer {
            Peer::Dicom(peer) => peer.send(&paths).await,
            Peer::Stow(service) => service.send(&paths).await,
        };
        let reached = batch.ended.is_none();
        self.note_reached(batch.ended.as_ref());
        self.settle(&waiting, batch).await?;
        Ok(if reached { Turn::Worked } else { Turn::Unreached })
    }

    fn note_reached(&self, ended: Option<&Unreached>) {
        let (name, error) = (&self.config.name, ended.map(|ended| ended.reason.clone()));
        let before = self.store.live().reached(name).map(|reached| reached.error);
        if before.as_ref() != Some(&error) {
            match &error {
                Some(reason) => {
                    tracing::warn!(destination = name, reason, "not reached; its objects are kept");
                }
                None => tracing::info!(destination = name, "reached"),
            }
        }
        self.store.live().set_reached(name, Reached { at: self.clock.wall(), error });
    }

    /// Marks what arrived and what failed, in one step before anything else is sent.
    async fn settle(&self, waiting: &[Waiting], batch: Batch) -> Result<(), StoreError> {
        let (store, config, now) = (self.store.clone(), self.config.clone(), self.clock.wall());
        let waiting = waiting.to_vec();
        blocking(move || {
            let mut arrived = Vec::new();
            for (waiting, sent) in waiting.iter().zip(&batch.outcomes) {
                match sent {
                    Sent::Arrived => arrived.push(waiting.clone()),
                    Sent::Refused { reason, for_good } => {
                        store.forward_failed(&config.name, waiting, reason, *for_good, now)?;
                    }
                }
            }
            if let Some(Unreached { reason, during: Some(position) }) = &batch.ended {
                store.forward_failed(&config.name, &waiting[*position], reason, false, now)?;
            }
            if !arrived.is_empty() {
                store.forwarded(&config.name, &arrived, config.archive, now)?;
                audit(&store, &config.name, &arrived, now)?;
            }
            Ok(())
        })
        .await
    }

    /// Asks an archive about what it took.
    async fn confirm(&mut self) -> Result<Turn, StoreError> {
        if !self.config.archive {
            return Ok(Turn::Idle);
        }
        let (store, name, now) = (self.store.clone(), self.config.name.clone(), self.clock.wall());
        let objects = blocking(move || store.unconfirmed(&name, now, CONFIRM_BATCH)).await?;
        if objects.is_empty() {
            return Ok(Turn::Idle);
        }
        let asked = match &mut self.peer {
            Peer::Dicom(peer) => peer.confirm(&self.store, &self.config.name, objects, self.clock).await?,
            Peer::Stow(service) => {
                let said = service.confirm(&objects).await;
                let (store, name, now) = (self.store.clone(), self.config.name.clone(), self.clock.wall());
                blocking(move || note(&store, &name, said, now)).await?
            }
        };
        Ok(match asked {
            Ok(()) => Turn::Worked,
            Err(ended) => {
                self.note_reached(Some(&ended));
                Turn::Unreached
            }
        })
    }
}

/// Keeps what a service said about the objects it was asked about.
fn note(
    store: &Store,
    destination: &str,
    said: Result<Confirmation, Unreached>,
    now: Timestamp,
) -> Result<Result<(), Unreached>, StoreError> {
    let said = match said {
        Ok(said) => said,
        Err(ended) => return Ok(Err(ended)),
    };
    store.confirmed(destination, &said.kept, now)?;
    store.denied(destination, &said.missing, now)?;
    store.postpone(destination, &said.unasked, now)?;
    Ok(Ok(()))
}

/// One event a study and batch: who got how much of whose examination.
fn audit(store: &Store, destination: &str, arrived: &[Waiting], at: Timestamp) -> Result<(), StoreError> {
    let mut counts: BTreeMap<StudyUid, u64> = BTreeMap::new();
    for study in arrived.iter().filter_map(|waiting| waiting.object.study()) {
        *counts.entry(study).or_default() += 1;
    }
    for (study, count) in counts {
        let Ok(record) = store.study(&study) else { continue };
        let event = Event::new(Kind::StudyForwarded, Outcome::Success, Who::this_box());
        let event = event.on(&study, &record.patient_study).counting(count);
        store.audit().note(&event.because(format!("to {destination}")), at);
        store.live().changed(&study);
    }
    Ok(())
}
