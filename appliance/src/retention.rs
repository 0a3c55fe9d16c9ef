//! Looks at the quota now and then and lets the store free what an archive has confirmed.
//!
//! Not a room: it decides nothing but when to look. What may go is `store::retention`'s to say.

use std::time::Duration;

use crate::clock::Clock;
use crate::stop::Stop;
use crate::store::{Store, StoreError};

/// A perfusion study of some GB takes longer to arrive than this.
const LOOK_EVERY: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct Config {
    /// Deletion begins above this.
    pub quota_bytes: u64,
    /// Destinations whose confirmation allows deletion.
    pub archives: Vec<String>,
    /// All destinations: what one of them still waits for stays.
    pub destinations: Vec<String>,
}

/// Keeps the quota until told to stop. Only the store can make it fail.
pub async fn run(config: Config, store: Store, clock: Clock, mut stop: Stop) -> Result<(), StoreError> {
    let mut was_over = false;
    while !stop.is_stopped() {
        let (desk, config, at) = (store.clone(), config.clone(), clock.wall());
        let look = move || desk.free(config.quota_bytes, &config.archives, &config.destinations, at);
        let freed = tokio::task::spawn_blocking(look).await.expect("a look at the quota does not panic")?;
        if freed.studies > 0 {
            tracing::info!(
                studies = freed.studies,
                objects = freed.objects,
                bytes = freed.bytes,
                "made room"
            );
        }
        if (freed.over_bytes > 0) != was_over {
            was_over = freed.over_bytes > 0;
            if was_over {
                tracing::warn!(
                    over_bytes = freed.over_bytes,
                    "above the quota, and nothing more may be deleted"
                );
            }
        }
        tokio::select! {
            () = stop.stopped() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    Ok(())
}
