//! Relays performed procedure steps to the RIS: unchanged, in the order they came, each until the RIS has answered.

use std::time::Duration;

use super::Desk;
use crate::dimse::Status;
use crate::dimse::dial::{self, DialError, Peer};
use crate::dimse::services::PROCEDURE_STEP;
use crate::store::StoreError;
use crate::store::procedure::{Relay, Step};

/// First pause after a failure; doubled up to `PAUSE_MAX`.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// A RIS that refuses a message this often with a failure will not take it: the next ones must not wait for ever.
const REFUSALS_MAX: u32 = 5;
/// Looks at the store this often even when nothing woke it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Relays until told to stop. Only the store can make it fail.
pub(super) async fn run(desk: Desk) -> Result<(), StoreError> {
    let mut stop = desk.stop.clone();
    let Some(ris) = desk.config.ris.clone() else {
        stop.stopped().await;
        return Ok(());
    };
    let (mut pause, mut refusals) = (PAUSE_MIN, 0);
    while !stop.is_stopped() {
        let (store, now) = (desk.store.clone(), desk.clock.wall());
        let next = super::blocking(move || {
            store.forget_old_procedures(now, true)?;
            store.next_relay()
        });
        let Some(relay) = next.await? else {
            tokio::select! {
                () = stop.stopped() => break,
                () = desk.procedure_came.notified() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            continue;
        };
        let outcome = tokio::select! {
            () = stop.stopped() => break,
            outcome = deliver(&ris, &relay) => outcome,
        };
        refusals = if matches!(outcome, Err(DialError::Status(_))) { refusals + 1 } else { 0 };
        match outcome {
            Ok(()) => settle(&desk, relay, true).await?,
            Err(error) if refusals >= REFUSALS_MAX => {
                tracing::error!(%error, "the RIS does not take a procedure step; it is set aside for a person");
                settle(&desk, relay, false).await?;
                refusals = 0;
            }
            Err(error) => {
                tracing::warn!(%error, "a procedure step did not reach the RIS; it is kept and tried again");
                tokio::select! {
                    () = stop.stopped() => break,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(PAUSE_MAX);
                continue;
            }
        }
        pause = PAUSE_MIN;
    }
    Ok(())
}

async fn settle(desk: &Desk, relay: Relay, taken: bool) -> Result<(), StoreError> {
    let store = desk.store.clone();
    super::blocking(move || store.relay_settled(&relay, taken)).await
}

async fn deliver(ris: &Peer, relay: &Relay) -> Result<(), DialError> {
    let syntax = [relay.header.transfer_syntax.as_str()];
    let proposals: [(&str, &[&str]); 1] = [(PROCEDURE_STEP, &syntax)];
    let mut association = dial::associate(ris, &proposals).await?;
    let instance = &relay.header.sop_instance;
    let status = match relay.step {
        Step::Create => association.n_create(PROCEDURE_STEP, instance, &relay.data_set).await?,
        Step::Set => association.n_set(PROCEDURE_STEP, instance, &relay.data_set).await?,
    };
    // The answer is what counts; how the peer says goodbye is not.
    let _ = association.release().await;
    // An N-CREATE that is there already was ours: its answer was lost on the way.
    let was_ours = relay.step == Step::Create && status.code == Status::DUPLICATE_SOP_INSTANCE;
    if status.is_failure() && !was_ours { Err(DialError::Status(status.code)) } else { Ok(()) }
}
