//! Results turns findings into what leaves the box: today one JSON message for the fleet.
//!
//! Findings come from the store, promises to send go back to it; a restart looks at every finding again and promises
//! what it had not yet. A provisional finding never leaves, a finding that left and was superseded is followed by
//! a message that says so. No patient identity, UID, accession number or date is in a message: studies and series go
//! by keyed pseudonyms.

mod message;

use std::time::Duration;

use sidelight_provisioning::Identity;
use tokio::sync::broadcast::error::RecvError;

use crate::stop::Stop;
use crate::store::finding::FindingState;
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

/// Promises messages until told to stop.
pub async fn run(store: Store, identity: Identity, mut stop: Stop) -> Result<(), ResultsError> {
    let mut changes = store.live().subscribe();
    let mut everything = true;
    let mut changed: Vec<StudyUid> = Vec::new();
    while !stop.is_stopped() {
        let (box_store, keys) = (store.clone(), identity.clone());
        let studies = std::mem::take(&mut changed);
        let all = std::mem::take(&mut everything);
        tokio::task::spawn_blocking(move || promise(&box_store, &keys, all, studies))
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

fn promise(store: &Store, identity: &Identity, all: bool, changed: Vec<StudyUid>) -> Result<(), StoreError> {
    let studies = if all { store.studies()?.into_iter().map(|(uid, _)| uid).collect() } else { changed };
    for study in studies {
        if store.is_held(&study)? {
            continue;
        }
        for card in store.finding_cards(&study)? {
            let key = key(&card.id, card.state);
            if leaves(store, &card)? && !store.was_promised(&key)? {
                let finding = store.finding(&study, &card.id)?;
                // It may have changed since its card was read; then the next wake-up brings it here again.
                if finding.state == card.state {
                    store.promise(&key, LANE, message::compose(&finding, identity))?;
                }
            }
        }
    }
    Ok(())
}

fn leaves(store: &Store, card: &FindingCard) -> Result<bool, StoreError> {
    if card.drawn {
        return Ok(false);
    }
    match card.state {
        FindingState::Preliminary | FindingState::Confirmed | FindingState::Failed => Ok(true),
        FindingState::Provisional | FindingState::NotApplicable => Ok(false),
        FindingState::Superseded | FindingState::Rejected => {
            let left = |state| store.was_promised(&key(&card.id, state));
            Ok(left(FindingState::Preliminary)? || left(FindingState::Confirmed)?)
        }
    }
}

fn key(id: &str, state: FindingState) -> String {
    format!("{LANE}/{id}/{state:?}")
}
