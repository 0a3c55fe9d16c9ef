//! Intake accepts associations, decides by policy, and turns bytes into durable instances, bit-exact, while they
//! arrive.
//!
//! Bytes come from the DICOM door, go to `data/incoming/`, and from there to the store. An object is answered with
//! success only after the store has made it durable. It never decodes pixels, never changes a byte of a data set,
//! never keeps an object in memory.

mod association;
mod door;
mod receive;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::dimse::Policy;
use crate::stop::Stop;
use crate::store::{AssociationId, Store, StoreError};

/// What intake may do. Made from the site file.
#[derive(Clone, Debug)]
pub struct Config {
    pub policy: Policy,
    pub associations_max: usize,
    pub idle_timeout: Duration,
}

/// Why the door closed. Either way the box must stop: it may not acknowledge what it cannot keep.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error("the DICOM port cannot accept: {0}")]
    Accept(std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Everything an association needs.
#[derive(Clone, Debug)]
struct Desk {
    config: Config,
    store: Store,
    clock: Clock,
    stop: Stop,
    open: Arc<AtomicUsize>,
    next_association: Arc<AtomicU64>,
    /// Carries the error that must stop the box.
    broken: tokio::sync::mpsc::Sender<StoreError>,
}

impl Desk {
    fn next_association(&self) -> AssociationId {
        AssociationId(self.next_association.fetch_add(1, Ordering::Relaxed))
    }
}

/// Accepts associations until told to stop.
pub async fn run(
    listener: TcpListener,
    config: Config,
    store: Store,
    clock: Clock,
    stop: Stop,
) -> Result<(), IntakeError> {
    let (broken, mut breaks) = tokio::sync::mpsc::channel(1);
    let open = Arc::new(AtomicUsize::new(0));
    let desk =
        Desk { config, store, clock, stop: stop.clone(), open, next_association: Arc::default(), broken };
    door::serve(listener, desk, stop, &mut breaks).await
}
