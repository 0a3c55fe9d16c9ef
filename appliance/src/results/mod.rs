//! Results turns findings into what leaves the box: one JSON message for the fleet, and DICOM objects in their study.
//!
//! Findings come from the store, promises to send go back to it; a restart looks at every finding again and promises
//! what it had not yet. A provisional finding never leaves, a finding that left and was superseded is followed by
//! a message that says so, and so is one whose lesions a reader has assigned, once all of them are. No patient identity, UID, accession number or date is in a message: studies and series go
//! by keyed pseudonyms. DICOM objects carry the identity of their study and are filed in the store; forwarding decides
//! where they go.

mod message;
mod objects;

use std::time::Duration;

pub use objects::Maker;
use sidelight_provisioning::Identity;
use tokio::sync::broadcast::error::RecvError;

use crate::clock::Clock;
use crate::stop::Stop;
use crate::store::finding::FindingState;
use crate::store::own_objects::stating;
use crate::store::records::FindingCard;
use crate::store::{Store, StoreError};
use crate::uid::StudyUid;

const LANE: &str = "result";
/// Looks at everything again this often, woken or not.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Why the room stopped.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the box's blocking threads are gone")]
    Threads,
}

/// An object that could not be made this often is given up: a person must look.
const ATTEMPTS_MAX: u32 = 5;

/// What the room works with.
#[derive(Clone, Debug)]
pub struct Results {
    pub store: Store,
    pub identity: Identity,
    pub maker: Maker,
    pub clock: Clock,
}

/// Promises messages and files objects until told to stop.
pub async fn run(results: Results, mut stop: Stop) -> Result<(), ResultsError> {
    let store = results.store.clone();
    let mut changes = store.live().subscribe();
    let mut everything = true;
    let mut changed: Vec<StudyUid> = Vec::new();
    while !stop.is_stopped() {
        let (room, told) = (results.clone(), stop.clone());
        let studies = std::mem::take(&mut changed);
        let all = std::mem::take(&mut everything);
        tokio::task::spawn_blocking(move || room.look(all, studies, &told))
            .await
            .map_err(|_| ResultsError::Threads)??;
        tokio::select! {
            () = stop.stopped() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => everything = true,
            change = changes.recv() => match change {
                Ok(study) => changed.push(study),
                Err(RecvError::Lagged(_)) => everything = true,
                Err(RecvError::Closed) => return Ok(()),
            },
        }
    }
    Ok(())
}

impl Results {
    /// Messages first: they are small, and the fleet may wait for them. Of a study that is held nothing leaves.
    fn look(&self, all: bool, changed: Vec<StudyUid>, stop: &Stop) -> Result<(), StoreError> {
        let store = &self.store;
        let candidates =
            if all { store.studies()?.into_iter().map(|(uid, _)| uid).collect() } else { changed };
        let mut studies = Vec::new();
        for study in candidates {
            if !store.is_held(&study)? {
                studies.push(study);
            }
        }
        for study in &studies {
            self.promise(study)?;
        }
        for study in &studies {
            for card in store.finding_cards(study)? {
                if stop.is_stopped() {
                    return Ok(());
                }
                if objects::owed(store, study, &card)? {
                    self.make_objects(study, &card)?;
                }
            }
        }
        Ok(())
    }

    fn promise(&self, study: &StudyUid) -> Result<(), StoreError> {
        let store = &self.store;
        for card in store.finding_cards(study)? {
            let key = key(&card.id, card.state, card.revision);
            if leaves(store, &card)? && !store.was_promised(&key)? {
                let finding = store.finding(study, &card.id)?;
                // It may have changed since its card was read; then the next wake-up brings it here again.
                if (finding.state, finding.revision) == (card.state, card.revision) {
                    store.promise(&key, LANE, message::compose(&finding, &self.identity))?;
                }
            }
        }
        Ok(())
    }

    /// An object that cannot be made holds up nothing else. The count is durable before work starts, so one that takes
    /// the box down with it is not tried for ever.
    fn make_objects(&self, study: &StudyUid, card: &FindingCard) -> Result<(), StoreError> {
        let job = format!("objects/{}/{}", card.id, stating(card.state, card.revision));
        if self.store.attempts(&job)? >= ATTEMPTS_MAX {
            return Ok(());
        }
        let finding = self.store.finding(study, &card.id)?;
        if (finding.state, finding.revision) != (card.state, card.revision) {
            return Ok(());
        }
        self.store.attempt(&job)?;
        match objects::make(&self.store, &finding, &self.maker, self.clock.wall()) {
            Ok(filed) => tracing::info!(state = ?card.state, filed, "result objects filed"),
            Err(objects::ObjectError::Store(error)) => return Err(error),
            Err(error) => tracing::error!(%error, "a result object was not made"),
        }
        Ok(())
    }
}

fn leaves(store: &Store, card: &FindingCard) -> Result<bool, StoreError> {
    if card.drawn {
        return Ok(false);
    }
    match card.state {
        FindingState::Preliminary if card.revision > 0 && !card.assigned => left(store, card, 1),
        FindingState::Preliminary | FindingState::Confirmed | FindingState::Failed => Ok(true),
        FindingState::Provisional | FindingState::NotApplicable => Ok(false),
        FindingState::Superseded | FindingState::Rejected => left(store, card, 0),
    }
}

/// Whether the fleet was told of a finding, in this revision or a later one.
fn left(store: &Store, card: &FindingCard, since: u32) -> Result<bool, StoreError> {
    for revision in since..=card.revision {
        for state in [FindingState::Preliminary, FindingState::Confirmed] {
            if store.was_promised(&key(&card.id, state, revision))? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn key(id: &str, state: FindingState, revision: u32) -> String {
    let key = format!("{LANE}/{id}/{state:?}");
    if revision == 0 { key } else { format!("{key}/{revision}") }
}
