//! The door for every object from outside, by association or by STOW-RS.
//!
//! ```text
//!   begin --append*--> incoming/<n>.part --finish--> read to its end --> filed, or quarantined, or dropped
//! ```
//!
//! Bytes go to `incoming/` behind our own header, hashed while they are written; of a large object the disk has most
//! before its last byte comes. Nothing is acknowledged before `finish` has made bytes, name and index entry durable. Memory stays
//! at the caller's buffer. What would take the disk's reserve is refused with `StorageFull`.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::reconcile::hex;
use super::{Admission, Arrived, AssociationId, Store};
use crate::clock::Timestamp;
use crate::disk::Claim;
use crate::part10::{FactsError, Header, read_facts};
use crate::uid::StudyUid;

/// A large object is synced every so often: what is left for the end does not keep its sender waiting, and unwritten
/// pages do not pile up. For a slice it is of no use (measured): its sync is one wait for the disk either way.
const SYNC_EVERY_BYTES: u64 = 32 << 20;

/// What became of an object.
#[derive(Debug)]
pub enum Filed {
    Kept {
        study: StudyUid,
        series: String,
        admission: Admission,
    },
    /// Whole, but it does not parse: kept in quarantine.
    Quarantined(FactsError),
    /// It belongs to another study than the sender said; nothing was kept.
    OtherStudy,
}

/// An object on its way to disk. Dropped unfinished, it leaves nothing behind.
#[derive(Debug)]
pub struct Arrival {
    path: PathBuf,
    file: File,
    hash: Sha256,
    bytes: u64,
    /// Everything before this is on the disk.
    synced: u64,
    claim: Claim,
}

impl Arrival {
    /// Begins a file with our header for it. `claim`: its share of the disk, where there is one.
    pub fn begin(store: &Store, header: &Header, claim: Option<Claim>) -> io::Result<Self> {
        let claim = claim.ok_or(io::ErrorKind::StorageFull)?;
        let path = store.incoming_path();
        let file = File::create_new(&path)?;
        let mut arrival = Self { path, file, hash: Sha256::new(), bytes: 0, synced: 0, claim };
        arrival.write(&header.to_bytes())?;
        Ok(arrival)
    }

    /// Length of the file so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of the data set.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes)?;
        self.hash.update(bytes);
        if self.bytes - self.synced >= SYNC_EVERY_BYTES {
            self.file.sync_data()?;
            self.synced = self.bytes;
        }
        if self.claim.wrote(bytes.len() as u64) { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    /// Makes the object durable and files it.
    pub fn finish(
        self,
        store: &Store,
        only: Option<&StudyUid>,
        association: AssociationId,
        at: Timestamp,
    ) -> Result<Filed, StoreError> {
        let sha256 = hex(&self.hash.clone().finalize());
        let arrived = Arrived { path: self.path.clone(), sha256, bytes: self.bytes };
        let facts = match read_facts(&arrived.path) {
            Ok(facts) => facts,
            Err(reason) => {
                self.file.sync_all().map_err(StoreError::file("sync", &self.path))?;
                store.quarantine(&arrived, &reason, at)?;
                return Ok(Filed::Quarantined(reason));
            }
        };
        if only.is_some_and(|only| *only != facts.study) {
            return Ok(Filed::OtherStudy);
        }
        store.live().receiving(association, &facts.study);
        let (study, series) = (facts.study.clone(), facts.series.as_str().to_owned());
        let admission = store.admit(&arrived, &self.file, facts, at)?;
        Ok(Filed::Kept { study, series, admission })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        // Once filed it has another name, and there is nothing here to remove.
        let _ = std::fs::remove_file(&self.path);
    }
}
