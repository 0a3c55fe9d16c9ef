//! Intake accepts associations, decides by policy, and turns bytes into durable instances, bit-exact, while they
//! arrive.
//!
//! Bytes come from the DICOM doors (plain and TLS), go to `data/incoming/`, and from there to the store. An object is
//! answered with success only after the store has made it durable; so is a storage commitment request, whose report
//! follows on the same association or on one of our own, and so is a performed procedure step, which is relayed to the
//! RIS. It never decodes pixels, never changes a byte of a data set, never keeps an object in memory.

mod association;
mod commitment;
mod config;
mod door;
mod messages;
mod receive;
mod relay;
mod reports;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::disk::Room;
use crate::stop::Stop;
use crate::store::{AssociationId, Store, StoreError};

pub use config::Config;

/// Where callers come in.
#[derive(Debug)]
pub struct Doors {
    pub plain: TcpListener,
    pub tls: Option<TcpListener>,
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
    config: Arc<Config>,
    store: Store,
    clock: Clock,
    stop: Stop,
    open: Arc<AtomicUsize>,
    next_association: Arc<AtomicU64>,
    room: Room,
    claims: Arc<reports::Claims>,
    /// A message for the RIS is waiting.
    procedure_came: Arc<Notify>,
    /// Carries the error that must stop the box.
    broken: tokio::sync::mpsc::Sender<StoreError>,
}

impl Desk {
    fn next_association(&self) -> AssociationId {
        AssociationId(self.next_association.fetch_add(1, Ordering::Relaxed))
    }
}

/// Accepts associations until told to stop, and reports and relays what they asked for.
pub async fn run(
    doors: Doors,
    config: Config,
    store: Store,
    room: Room,
    clock: Clock,
    stop: Stop,
) -> Result<(), IntakeError> {
    let (broken, mut breaks) = tokio::sync::mpsc::channel(1);
    let desk = Desk {
        config: Arc::new(config),
        store,
        clock,
        stop: stop.clone(),
        open: Arc::default(),
        next_association: Arc::default(),
        room,
        claims: Arc::default(),
        procedure_came: Arc::default(),
        broken,
    };
    let reports = reports::run(desk.clone());
    let relay = relay::run(desk.clone());
    let door = door::serve(doors, desk, stop, &mut breaks);
    let (door, (), ()) = tokio::try_join!(door, async { reports.await.map_err(IntakeError::from) }, async {
        relay.await.map_err(IntakeError::from)
    },)?;
    Ok(door)
}

/// Runs what blocks on the disk where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let span = tracing::Span::current();
    let work = move || span.in_scope(work);
    tokio::task::spawn_blocking(work).await.expect("the work does not panic and is never aborted")
}
