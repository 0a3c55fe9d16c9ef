//! One object on its way from an association to the store: gathered into pieces, each written while the next one comes.

use tokio::task::JoinHandle;

use super::blocking;
use crate::clock::Timestamp;
use crate::dimse::{ObjectHead, Status};
use crate::disk::Claim;
use crate::part10::Header;
use crate::store::{Admission, Arrival, AssociationId, Filed, Store, StoreError};

/// Bytes gathered before they go to the disk: fewer, larger writes, and at most twice this much memory per
/// association, because one piece is written while the next is gathered.
const PIECE_BYTES: usize = 128 << 10;

/// What became of an object.
#[derive(Debug)]
pub(super) enum Outcome {
    Kept,
    /// Whole, but it does not parse: kept in quarantine.
    KeptWithWarning {
        reason: String,
    },
    /// Nothing was kept; the sender may try again.
    Refused {
        reason: String,
    },
    /// The store is broken: nothing was kept and the box must stop.
    Broken(StoreError),
}

impl Outcome {
    /// The answer, and the error that must stop the box.
    pub(super) fn into_status(self) -> (Status, Option<StoreError>) {
        match self {
            Self::Kept => (Status::success(), None),
            Self::KeptWithWarning { reason } => (Status::with(Status::STORED_AS_IS, reason), None),
            Self::Refused { reason } => (Status::with(Status::OUT_OF_RESOURCES, reason), None),
            Self::Broken(error) => (
                Status::with(Status::PROCESSING_FAILURE, "the box cannot store; it is stopping"),
                Some(error),
            ),
        }
    }
}

/// An object that is arriving.
#[derive(Debug)]
pub(super) struct Receiving {
    store: Store,
    piece: Vec<u8>,
    /// Bytes that came so far.
    bytes: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing is on the disk: a small object is written once.
    Begun(Header, Option<Claim>),
    /// A piece is on its way to the disk; its buffer comes back.
    Writing(JoinHandle<std::io::Result<(Arrival, Vec<u8>)>>),
    /// A write failed: later bytes are dropped, the answer will say so. What was written is gone.
    Failed(std::io::Error),
}

impl Receiving {
    pub(super) fn begin(store: &Store, head: &ObjectHead, claim: Option<Claim>) -> Self {
        let state = State::Begun(head.header.clone(), claim);
        Self { store: store.clone(), piece: Vec::new(), bytes: 0, state }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) async fn append(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if matches!(self.state, State::Failed(_)) {
            return;
        }
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            let piece = std::mem::take(&mut self.piece);
            self.write(piece).await;
        }
    }

    /// Gives a piece to the disk once it has taken the one before.
    async fn write(&mut self, piece: Vec<u8>) {
        let taken = std::mem::replace(&mut self.state, State::Failed(std::io::ErrorKind::Interrupted.into()));
        let (begun, arrival) = match taken {
            State::Begun(header, claim) => (Some((self.store.clone(), header, claim)), None),
            State::Writing(before) => match written(before).await {
                Ok((arrival, buffer)) => {
                    self.piece = buffer;
                    (None, Some(arrival))
                }
                Err(error) => return self.state = State::Failed(error),
            },
            failed @ State::Failed(_) => return self.state = failed,
        };
        self.state = State::Writing(tokio::task::spawn_blocking(move || {
            let mut arrival = match (begun, arrival) {
                (Some((store, header, claim)), _) => Arrival::begin(&store, &header, claim)?,
                (None, arrival) => arrival.expect("what was not begun is arriving"),
            };
            arrival.append(&piece)?;
            let mut buffer = piece;
            buffer.clear();
            Ok((arrival, buffer))
        }));
    }

    /// Makes the object durable and files it. Everything slow happens on a blocking thread.
    pub(super) async fn finish(mut self, at: Timestamp, association: AssociationId) -> Outcome {
        let rest = std::mem::take(&mut self.piece);
        let arrival = match self.state {
            State::Begun(header, claim) => {
                let store = self.store.clone();
                blocking(move || Arrival::begin(&store, &header, claim)).await
            }
            State::Writing(before) => written(before).await.map(|(arrival, _)| arrival),
            State::Failed(error) => Err(error),
        };
        let store = self.store;
        let file = move || {
            let mut arrival = arrival.map_err(write_failed)?;
            arrival.append(&rest).map_err(write_failed)?;
            arrival.finish(&store, None, association, at)
        };
        blocking(move || file().map_or_else(refuse, judge)).await
    }

    /// Nothing of it is kept.
    pub(super) async fn discard(self) {
        if let State::Writing(before) = self.state {
            // Dropping what was written removes it.
            blocking({
                let written = written(before).await;
                move || drop(written)
            })
            .await;
        }
    }
}

async fn written(
    piece: JoinHandle<std::io::Result<(Arrival, Vec<u8>)>>,
) -> std::io::Result<(Arrival, Vec<u8>)> {
    piece.await.expect("writing a piece does not panic and is never aborted")
}

fn write_failed(source: std::io::Error) -> StoreError {
    StoreError::File { doing: "write to", path: "incoming".into(), source }
}

fn judge(filed: Filed) -> Outcome {
    match filed {
        Filed::Kept { admission, .. } => {
            match admission {
                Admission::Stored => {}
                Admission::Duplicate => tracing::debug!("an object arrived again with the same bytes"),
                Admission::Conflict => tracing::error!(
                    "an object arrived again with other bytes under the same UID: both are kept, the first one is in \
                     use; ask the sender which one is right"
                ),
            }
            Outcome::Kept
        }
        Filed::Quarantined(reason) => {
            tracing::warn!(%reason, "an object arrived whole but does not parse: kept in quarantine, never analysed");
            Outcome::KeptWithWarning { reason: reason.to_string() }
        }
        Filed::OtherStudy => unreachable!("an association names no study beforehand"),
    }
}

fn refuse(error: StoreError) -> Outcome {
    if let StoreError::File { source, .. } = &error
        && matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
    {
        // Said once in the log, by the forecast (disk.rs).
        tracing::debug!("refused: no room on the disk");
        return Outcome::Refused { reason: "the box's disk is nearly full; try again later".into() };
    }
    tracing::error!(%error, "an object could not be stored");
    Outcome::Broken(error)
}
