//! The door for objects that come as files (STOW-RS): the same steps as for those that come over an association.
//!
//! Bytes go to `incoming/` behind our own header, hashed while they are written; then they are synced, checked to
//! the last byte, and filed or quarantined. Nothing is acknowledged before that. Memory stays at one buffer.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::reconcile::hex;
use super::{Admission, Arrived, AssociationId, Store};
use crate::clock::Timestamp;
use crate::part10::{FactsError, Header, read_facts};
use crate::uid::StudyUid;

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
}

impl Arrival {
    /// Begins a file with our header for it.
    pub fn begin(store: &Store, header: &Header) -> io::Result<Self> {
        let path = store.incoming_path();
        let mut file = File::create_new(&path)?;
        let header = header.to_bytes();
        file.write_all(&header)?;
        Ok(Self { path, file, hash: Sha256::new(), bytes: header.len() as u64 })
    }

    /// Bytes of the data set.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Makes the object durable and files it.
    pub fn finish(
        self,
        store: &Store,
        only: Option<&StudyUid>,
        association: AssociationId,
        at: Timestamp,
    ) -> Result<Filed, StoreError> {
        self.file.sync_all().map_err(StoreError::file("sync", &self.path))?;
        let sha256 = hex(&self.hash.clone().finalize());
        let arrived = Arrived { path: self.path.clone(), sha256, bytes: self.bytes };
        let facts = match read_facts(&arrived.path) {
            Ok(facts) => facts,
            Err(reason) => {
                store.quarantine(&arrived, &reason, at)?;
                return Ok(Filed::Quarantined(reason));
            }
        };
        if only.is_some_and(|only| *only != facts.study) {
            return Ok(Filed::OtherStudy);
        }
        store.live().receiving(association, &facts.study);
        let (study, series) = (facts.study.clone(), facts.series.as_str().to_owned());
        let admission = store.admit(&arrived, facts, at)?;
        Ok(Filed::Kept { study, series, admission })
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        // Once filed it has another name, and there is nothing here to remove.
        let _ = std::fs::remove_file(&self.path);
    }
}
