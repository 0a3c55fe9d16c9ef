//! Commitment reports on associations of our own, for callers that have left: tried again with pauses, across restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::{Desk, commitment};
use crate::dimse::dial::{self, DialError, Peer};
use crate::dimse::services::{MESSAGE_SYNTAXES, STORAGE_COMMITMENT};
use crate::store::commitment::Commitment;
use crate::store::{ObjectName, StoreError};

/// First pause after a report that nobody took; doubled up to `PAUSE_MAX`.
const PAUSE_MIN: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(900);
/// With these pauses about three days: by then a console has asked again, or a person has to look.
const ATTEMPTS_MAX: u32 = 300;
/// The association that asked goes first.
const GRACE: Duration = Duration::from_secs(1);
/// Looks at the store this often even when nothing woke it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Who reports on what: an association that is open may do it itself.
#[derive(Debug, Default)]
pub(super) struct Claims {
    claimed: Mutex<BTreeSet<u64>>,
    changed: Notify,
}

impl Claims {
    pub(super) fn claim(&self, sequence: u64) {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(sequence);
    }

    pub(super) fn give_up(&self, sequence: u64) {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&sequence);
        self.changed.notify_one();
    }

    fn is_claimed(&self, sequence: u64) -> bool {
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).contains(&sequence)
    }
}

/// Reports until told to stop. Only the store can make it fail.
pub(super) async fn run(desk: Desk) -> Result<(), StoreError> {
    let mut stop = desk.stop.clone();
    let mut due: BTreeMap<u64, Instant> = BTreeMap::new();
    // A console that is switched off costs one wait a pause, however many reports it is owed.
    let mut unreached: BTreeMap<String, Instant> = BTreeMap::new();
    while !stop.is_stopped() {
        let waiting = waiting(&desk).await?;
        due.retain(|sequence, _| waiting.iter().any(|commitment| commitment.sequence == *sequence));
        for commitment in waiting {
            let now = desk.clock.now();
            if desk.claims.is_claimed(commitment.sequence)
                || due.get(&commitment.sequence).is_some_and(|due| *due > now)
            {
                continue;
            }
            let (sequence, caller) = (commitment.sequence, commitment.calling_ae_title.clone());
            if let Some(again) = unreached.get(&caller).filter(|again| **again > now) {
                due.insert(sequence, *again);
                continue;
            }
            let age = desk.clock.wall().since(commitment.asked_at);
            if age < GRACE {
                due.insert(sequence, now + (GRACE - age));
                continue;
            }
            tokio::select! {
                () = stop.stopped() => return Ok(()),
                tried = one(&desk, commitment) => {
                    let (pause, reached) = tried?;
                    let again = desk.clock.now() + pause;
                    due.insert(sequence, again);
                    if !reached {
                        unreached.insert(caller, again);
                    }
                }
            }
        }
        let next = due.values().min().map_or(LOOK_AGAIN, |due| {
            due.saturating_duration_since(desk.clock.now()).clamp(Duration::from_millis(50), LOOK_AGAIN)
        });
        tokio::select! {
            () = stop.stopped() => break,
            () = desk.claims.changed.notified() => {}
            () = tokio::time::sleep(next) => {}
        }
    }
    Ok(())
}

async fn waiting(desk: &Desk) -> Result<Vec<Commitment>, StoreError> {
    let (store, now) = (desk.store.clone(), desk.clock.wall());
    super::blocking(move || {
        store.forget_old_commitments(now)?;
        store.commitments_waiting()
    })
    .await
}

/// One attempt; says how long to wait before the next one, should it be needed, and whether anybody answered.
async fn one(desk: &Desk, mut commitment: Commitment) -> Result<(Duration, bool), StoreError> {
    let peer = desk.config.report_to.iter().find(|peer| peer.called_ae == commitment.calling_ae_title);
    let store = desk.store.clone();
    if peer.is_none() || commitment.attempts >= ATTEMPTS_MAX {
        tracing::error!(
            attempts = commitment.attempts,
            "nobody takes a commitment report; give the caller a `report_to` in [[dicom.peers]], or let it ask again"
        );
        super::blocking(move || store.commitment_unheard(commitment.sequence)).await?;
        return Ok((PAUSE_MAX, true));
    }
    let (commitment, noted) = super::blocking(move || {
        let noted = store.commitment_attempted(&mut commitment);
        (commitment, noted)
    })
    .await;
    noted?;
    let pause =
        (PAUSE_MIN * 2u32.saturating_pow(commitment.attempts.saturating_sub(1).min(16))).min(PAUSE_MAX);
    let peer = peer.expect("looked at above");
    let mut reached = true;
    match deliver(desk, peer, &commitment).await? {
        Ok(kept) => {
            let (store, at) = (desk.store.clone(), desk.clock.wall());
            super::blocking(move || store.commitment_heard(commitment.sequence, &kept, at)).await?;
        }
        Err(error) => {
            reached = !matches!(error, DialError::Connect { .. } | DialError::Unreachable { .. });
            tracing::warn!(
                %error,
                attempts = commitment.attempts,
                "a commitment report was not taken; it is kept and tried again"
            );
        }
    }
    Ok((pause, reached))
}

/// Reports; the objects that the caller was told are kept.
async fn deliver(
    desk: &Desk,
    peer: &Peer,
    commitment: &Commitment,
) -> Result<Result<Vec<ObjectName>, DialError>, StoreError> {
    let proposals: [(&str, &[&str]); 1] = [(STORAGE_COMMITMENT, &MESSAGE_SYNTAXES)];
    let mut association = match dial::associate_as_provider(peer, &proposals).await {
        Ok(association) => association,
        Err(error) => return Ok(Err(error)),
    };
    let syntax = association.transfer_syntax(STORAGE_COMMITMENT).unwrap_or_default().to_owned();
    let (store, asked, may_commit) = (desk.store.clone(), commitment.clone(), desk.config.may_commit);
    // Judged as late as possible: what is true now, not when it was asked.
    let (report, kept) =
        super::blocking(move || commitment::report(&store, &asked, may_commit, &syntax)).await?;
    let taken = association
        .n_event_report(report.sop_class, report.sop_instance, report.event_type, &report.data_set)
        .await;
    let taken = match taken {
        Ok(status) if status.is_failure() => Err(DialError::Status(status.code)),
        Ok(_) => Ok(kept),
        Err(error) => return Ok(Err(error)),
    };
    // The answer is what counts; how the peer says goodbye is not.
    let _ = association.release().await;
    Ok(taken)
}
