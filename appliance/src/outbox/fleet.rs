//! The fleet's lane: delivers promised messages over MQTT.
//!
//! One message is in flight at a time and is struck from the store only on its own successful PUBACK: rumqttc keeps
//! its queue in memory and loses it with the session (research/fleet.md 4.1), so it is never given more than it may
//! lose. It decides nothing about what is sent.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;

use super::jittered;
use super::link::{Link, LinkError};
use crate::stop::Stop;
use crate::store::records::Promise;
use crate::store::{Store, StoreError};

/// First pause after a failure; doubled up to `PAUSE_MAX`, each with up to half of itself added at random.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// Looks at the store this often even when nothing woke it.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Config {
    pub host: String,
    pub port: u16,
    /// `sidelight/v1/<site>/<device>`; the promise's lane follows.
    pub topic_prefix: String,
    /// One client id per box, for ever: the broker keeps the session under it.
    pub client_id: String,
}

/// Delivers until told to stop. Only the store can make it fail.
pub async fn run(config: Config, store: Store, mut stop: Stop) -> Result<(), StoreError> {
    let mut changes = store.live().subscribe();
    let mut pause = PAUSE_MIN;
    let mut link = Link::new(&config);
    while !stop.is_stopped() {
        let outcome = match next(&store).await? {
            Some(promise) => {
                let delivered = tokio::select! {
                    () = stop.stopped() => break,
                    delivered = link.deliver(&config, &promise) => delivered,
                };
                if delivered.is_ok() {
                    strike(&store, promise.sequence).await?;
                }
                delivered
            }
            None => tokio::select! {
                () = stop.stopped() => break,
                () = tokio::time::sleep(LOOK_AGAIN) => Ok(()),
                change = changes.recv() => if matches!(change, Err(RecvError::Closed)) { break } else { continue },
                kept = link.idle() => kept,
            },
        };
        match outcome {
            Ok(()) => {
                store.live().set_broker(true);
                pause = PAUSE_MIN;
            }
            Err(error) => {
                store.live().set_broker(matches!(error, LinkError::Refused(_)));
                tracing::warn!(%error, waiting = store.promises_waiting(), "the broker does not take messages; they are kept");
                link = Link::new(&config);
                tokio::select! {
                    () = stop.stopped() => {}
                    () = tokio::time::sleep(jittered(pause)) => {}
                }
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
    link.leave().await;
    Ok(())
}

async fn next(store: &Store) -> Result<Option<Promise>, StoreError> {
    let store = store.clone();
    tokio::task::spawn_blocking(move || store.next_promise()).await.expect("reading a promise does not panic")
}

async fn strike(store: &Store, sequence: u64) -> Result<(), StoreError> {
    let store = store.clone();
    tokio::task::spawn_blocking(move || store.delivered(sequence)).await.expect("striking does not panic")
}
