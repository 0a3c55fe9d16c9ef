//! Makes metadata documents while nobody waits: as soon as a study's sender has stopped, so that the first viewer that
//! opens it finds them. It only ever does early what a request would do; what it misses, a request makes.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;

use super::metadata::documents;
use crate::stop::Stop;
use crate::store::{Sending, Store, StoreError};
use crate::uid::StudyUid;

/// Changes of a study come in bursts; pixels have the disk first.
const GATHER: Duration = Duration::from_secs(2);
/// Studies remembered as prepared; the oldest UIDs are forgotten and at worst looked at again.
const REMEMBERED_MAX: usize = 1_000;

/// Prepares until told to stop.
pub(in crate::viewer) async fn run(store: Store, mut stop: Stop) {
    let mut changes = store.live().subscribe();
    let mut prepared: BTreeMap<StudyUid, u64> = BTreeMap::new();
    loop {
        let mut changed = tokio::select! {
            () = stop.stopped() => return,
            change = changes.recv() => match change {
                Ok(study) => vec![study],
                // Requests make what was missed.
                Err(RecvError::Lagged(_)) => Vec::new(),
                Err(RecvError::Closed) => return,
            },
        };
        tokio::select! {
            () = stop.stopped() => return,
            () = tokio::time::sleep(GATHER) => {}
        }
        while let Ok(study) = changes.try_recv() {
            changed.push(study);
        }
        changed.sort();
        changed.dedup();
        for study in changed {
            let (store, known) = (store.clone(), prepared.get(&study).copied());
            let uid = study.clone();
            match tokio::task::spawn_blocking(move || prepare(&store, &uid, known)).await {
                Ok(Ok(Some(instances))) => drop(prepared.insert(study, instances)),
                Ok(Ok(None)) => {}
                // A request makes it then, and says what is wrong.
                Ok(Err(error)) => tracing::debug!(%error, "metadata was not prepared"),
                Err(error) => tracing::error!(%error, "preparing metadata ended badly"),
            }
            if prepared.len() > REMEMBERED_MAX {
                prepared.pop_first();
            }
        }
    }
}

/// Makes what is missing of a study that is here whole for now. Returns how many instances it had then.
fn prepare(store: &Store, study: &StudyUid, known: Option<u64>) -> Result<Option<u64>, StoreError> {
    let instances = match store.study(study) {
        Ok(record) => record.instances,
        Err(StoreError::Unknown(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    if known == Some(instances) || store.live().sending(study) == Sending::Now {
        return Ok(None);
    }
    for (series, record) in store.series(study)? {
        if !record.own && record.instances > 0 {
            drop(documents(store, &store.instances_in_order(study, &series)?)?);
        }
    }
    Ok(Some(instances))
}
