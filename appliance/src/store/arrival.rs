//! The door for every object from outside, by association or by STOW-RS.
//!
//! ```text
//!   begin --append*--> incoming/<n>.part --finish--> read to its end --> filed, or quarantined, or dropped
//! ```
//!
//! Bytes go to `incoming/` behind our own header, hashed while they are written and on their way to the disk from the
//! first ones on. Nothing is acknowledged before `finish` has made bytes, name and index entry durable. Memory stays
//! at the caller's buffer. What would take the disk's reserve is refused with `StorageFull`.

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::PathBuf;

use rustix::fs::{Advice, fadvise};
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::reconcile::hex;
use super::{Admission, Arrived, AssociationId, Store};
use crate::clock::Timestamp;
use crate::disk::Claim;
use crate::part10::{FactsError, Header, read_facts};
use crate::uid::StudyUid;

/// Written before the disk is told to begin with it: half a CT slice.
const WRITE_BACK_BYTES: u64 = 256 << 10;

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
    /// The disk has been told to write everything before this.
    writing_back: u64,
    claim: Claim,
}

impl Arrival {
    /// Begins a file with our header for it. `claim`: its share of the disk, where there is one.
    pub fn begin(store: &Store, header: &Header, claim: Option<Claim>) -> io::Result<Self> {
        let claim = claim.ok_or(io::ErrorKind::StorageFull)?;
        let path = store.incoming_path();
        let file = File::create_new(&path)?;
        let mut arrival = Self { path, file, hash: Sha256::new(), bytes: 0, writing_back: 0, claim };
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
        if self.bytes - self.writing_back >= WRITE_BACK_BYTES {
            self.start_write_back();
        }
        self.hash.update(bytes);
        if self.claim.wrote(bytes.len() as u64) { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    /// Makes the object durable and files it.
    pub fn finish(
        mut self,
        store: &Store,
        only: Option<&StudyUid>,
        association: AssociationId,
        at: Timestamp,
    ) -> Result<Filed, StoreError> {
        self.start_write_back();
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

    /// Lets the disk begin with what was written: when all must be durable, little is left to wait for. The kernel's
    /// way to say so drops clean pages only; these are dirty and stay for the readers to come.
    fn start_write_back(&mut self) {
        let length = NonZeroU64::new(self.bytes - self.writing_back);
        // A file system that knows nothing of it writes later.
        let _advised = fadvise(&self.file, self.writing_back, length, Advice::DontNeed);
        self.writing_back = self.bytes;
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        // Once filed it has another name, and there is nothing here to remove.
        let _ = std::fs::remove_file(&self.path);
    }
}
