//! Decides from the store which objects each destination is owed, and queues them.
//!
//! A study is looked at when it changes, and all of them at every start, so a power cut between filing and queueing
//! loses nothing. What is still being sent, or held for its identity, queues later.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;

use crate::clock::Clock;
use crate::stop::Stop;
use crate::store::{ResultsWanted, Store, StoreError};
use crate::uid::StudyUid;

/// Changes come in bursts, one an image: they are gathered for this long.
const GATHER: Duration = Duration::from_millis(200);
/// Everything is looked at this often even when nothing woke it.
const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// The quarantine has no changes to wake anybody.
const QUARANTINE_EVERY: Duration = Duration::from_secs(15);

/// What one destination is to get besides images.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub destination: String,
    pub results: ResultsWanted,
}

/// Queues until told to stop, for destinations the store knows. Only the store can make it fail.
pub async fn run(
    destinations: Vec<Wanted>,
    store: Store,
    clock: Clock,
    mut stop: Stop,
) -> Result<(), StoreError> {
    let mut changes = store.live().subscribe();
    let mut everything_due = clock.now();
    let mut changed = BTreeSet::new();
    while !stop.is_stopped() {
        let everything = clock.now() >= everything_due;
        if everything {
            everything_due = clock.now() + LOOK_AGAIN;
        }
        let (desk, names, studies) = (store.clone(), destinations.clone(), std::mem::take(&mut changed));
        blocking(move || queue(&desk, &names, everything, studies)).await?;
        tokio::select! {
            () = stop.stopped() => return Ok(()),
            () = tokio::time::sleep(QUARANTINE_EVERY) => {}
            change = changes.recv() => match change {
                Ok(study) => drop(changed.insert(study)),
                Err(RecvError::Lagged(_)) => everything_due = clock.now(),
                Err(RecvError::Closed) => return Ok(()),
            },
        }
        tokio::select! {
            () = stop.stopped() => return Ok(()),
            () = tokio::time::sleep(GATHER) => {}
        }
        loop {
            match changes.try_recv() {
                Ok(study) => drop(changed.insert(study)),
                Err(tokio::sync::broadcast::error::TryRecvError::Lagged(_)) => everything_due = clock.now(),
                Err(_) => break,
            }
        }
    }
    Ok(())
}

fn queue(
    store: &Store,
    destinations: &[Wanted],
    everything: bool,
    changed: BTreeSet<StudyUid>,
) -> Result<(), StoreError> {
    let studies: Vec<StudyUid> = match everything {
        true => store.studies()?.into_iter().map(|(study, _)| study).collect(),
        false => changed.into_iter().collect(),
    };
    let mut queued = 0;
    for Wanted { destination, results } in destinations {
        for study in &studies {
            queued += store.queue_study(destination, study, *results)?;
        }
        queued += store.queue_quarantine(destination)?;
    }
    if queued > 0 {
        store.live().queued();
    }
    Ok(())
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.expect("a look at the store does not panic")
}
