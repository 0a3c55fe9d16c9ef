//! One object on its way to disk: our Part-10 header, then the data set as it comes, hashed while it is written.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::blocking;
use super::room::Claim;
use crate::clock::Timestamp;
use crate::dimse::{ObjectHead, Status};
use crate::part10::{FactsError, InstanceFacts, read_facts};
use crate::store::{Admission, Arrived, AssociationId, Store, StoreError, hex, side_by_side};

/// Bytes gathered before they go to the disk: fewer, larger writes, and at most this much memory per association.
const BUFFER_BYTES: usize = 256 << 10;

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
    path: PathBuf,
    header: Vec<u8>,
    buffer: Vec<u8>,
    /// On disk so far. Absent until the first write: a small object is written once.
    file: Option<Written>,
    /// Its share of the disk; `None`: there was none left when it began.
    claim: Option<Claim>,
    /// The first write that failed; later bytes are dropped, the answer will say so.
    failed: Option<std::io::Error>,
}

#[derive(Debug)]
struct Written {
    file: File,
    hash: Sha256,
    bytes: u64,
}

impl Receiving {
    pub(super) fn begin(store: &Store, head: &ObjectHead, claim: Option<Claim>) -> Self {
        let header = head.header.to_bytes();
        let failed = claim.is_none().then(|| std::io::ErrorKind::StorageFull.into());
        Self { path: store.incoming_path(), header, buffer: Vec::new(), file: None, claim, failed }
    }

    /// Bytes of it that are on the disk or on their way there.
    pub(super) fn bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, |written| written.bytes) + self.buffer.len() as u64
    }

    pub(super) async fn append(&mut self, bytes: Vec<u8>) {
        if self.failed.is_some() {
            return;
        }
        self.buffer.extend_from_slice(&bytes);
        if self.buffer.len() < BUFFER_BYTES {
            return;
        }
        let (path, header) = (self.path.clone(), std::mem::take(&mut self.header));
        let (file, buffer) = (self.file.take(), std::mem::take(&mut self.buffer));
        match blocking(move || write(file, &path, &header, buffer)).await {
            Ok((file, buffer)) => (self.file, self.buffer) = (Some(file), buffer),
            Err(error) => return self.fail(error).await,
        }
        if self.claim.as_mut().is_some_and(|claim| !claim.wrote(BUFFER_BYTES as u64)) {
            self.fail(std::io::ErrorKind::StorageFull.into()).await;
        }
    }

    /// No more of it is kept, and what was is given back at once: others may need the room.
    async fn fail(&mut self, error: std::io::Error) {
        self.failed = Some(error);
        self.file = None;
        self.claim = None;
        let path = self.path.clone();
        blocking(move || drop(std::fs::remove_file(path))).await;
    }

    /// Makes the object durable and files it. Everything slow happens on a blocking thread.
    pub(super) async fn finish(self, store: &Store, at: Timestamp, association: AssociationId) -> Outcome {
        let store = store.clone();
        blocking(move || self.finish_blocking(&store, at, association)).await
    }

    pub(super) async fn discard(self) {
        blocking(move || drop(std::fs::remove_file(&self.path))).await;
    }

    fn finish_blocking(self, store: &Store, at: Timestamp, association: AssociationId) -> Outcome {
        let path = self.path.clone();
        let outcome = match self.settle() {
            Ok((arrived, facts)) => file(store, &arrived, facts, at, association),
            Err(error) => Err(StoreError::File { doing: "write", path: path.clone(), source: error }),
        };
        match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                // It may already have its name; then there is nothing left to remove here.
                let _ = std::fs::remove_file(&path);
                refuse(error)
            }
        }
    }

    /// Makes the bytes durable; while the disk is at it, their structure is checked.
    fn settle(self) -> std::io::Result<(Arrived, Result<InstanceFacts, FactsError>)> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let (written, _) = write(self.file, &self.path, &self.header, self.buffer)?;
        let (synced, facts) = side_by_side(|| written.file.sync_all(), || read_facts(&self.path));
        synced?;
        Ok((Arrived { path: self.path, sha256: hex(&written.hash.finalize()), bytes: written.bytes }, facts))
    }
}

/// Files an object that is durable under its temporary name.
fn file(
    store: &Store,
    arrived: &Arrived,
    facts: Result<InstanceFacts, FactsError>,
    at: Timestamp,
    association: AssociationId,
) -> Result<Outcome, StoreError> {
    let facts = match facts {
        Ok(facts) => facts,
        Err(reason) => return quarantine(store, arrived, &reason, at),
    };
    store.live().receiving(association, &facts.study);
    match store.admit(arrived, facts, at)? {
        Admission::Stored => {}
        Admission::Duplicate => tracing::debug!("an object arrived again with the same bytes"),
        Admission::Conflict => tracing::error!(
            "an object arrived again with other bytes under the same UID: both are kept, the first one is in use; \
             ask the sender which one is right"
        ),
    }
    Ok(Outcome::Kept)
}

fn quarantine(
    store: &Store,
    arrived: &Arrived,
    reason: &FactsError,
    at: Timestamp,
) -> Result<Outcome, StoreError> {
    store.quarantine(arrived, reason, at)?;
    tracing::warn!(%reason, "an object arrived whole but does not parse: kept in quarantine, never analysed");
    Ok(Outcome::KeptWithWarning { reason: reason.to_string() })
}

fn refuse(error: StoreError) -> Outcome {
    if let StoreError::File { source, .. } = &error
        && matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
    {
        // Said once in the log, by the room (room.rs) or by the file system's own limit below.
        tracing::debug!("refused: no room on the disk");
        return Outcome::Refused { reason: "the box's disk is nearly full; try again later".into() };
    }
    tracing::error!(%error, "an object could not be stored");
    Outcome::Broken(error)
}

fn write(
    written: Option<Written>,
    path: &std::path::Path,
    header: &[u8],
    mut buffer: Vec<u8>,
) -> std::io::Result<(Written, Vec<u8>)> {
    let mut written = match written {
        Some(written) => written,
        None => {
            let mut file = File::create_new(path)?;
            file.write_all(header)?;
            Written { file, hash: Sha256::new(), bytes: header.len() as u64 }
        }
    };
    written.file.write_all(&buffer)?;
    written.hash.update(&buffer);
    written.bytes += buffer.len() as u64;
    buffer.clear();
    Ok((written, buffer))
}
