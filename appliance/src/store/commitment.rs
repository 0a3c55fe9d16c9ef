//! Storage commitments that callers asked for: kept until the report has been taken, judged when it is made.
//!
//! ```text
//! data/commitments/<sequence>.json            asked, not reported
//! data/commitments/<sequence>.reported.json   the caller has taken the report; kept for a month
//! data/commitments/<sequence>.unheard.json    nobody took it in time
//! ```
//!
//! One document a transaction, durable before N-ACTION is answered: this folder is the journal of commitments, because
//! a transaction may name more instances than a journal line holds. Invariant: an instance is committed to only when
//! its index entry and its file, whole, are on the disk at the time of judging. It sends nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::forwarding::OBJECTS_PER_ENTRY;
use super::index::{Tree, prefix};
use super::journal::Entry;
use super::object::ObjectName;
use super::{Store, durable};
use crate::clock::Timestamp;
use crate::part10::commitment::Reference;
use crate::part10::{InstanceFacts, read_header};

/// One transaction may name this many: the largest studies have some 10,000 instances.
pub const INSTANCES_MAX: usize = 20_000;
/// Unreported transactions kept at once. A caller that asks for more without listening is not sane.
const WAITING_MAX: usize = 1_000;
/// How long a finished transaction stays, for people who ask what was promised.
const FINISHED_KEPT: Duration = Duration::from_secs(31 * 24 * 3600);

/// PS3.3 C.14.1.1: why an instance is not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCommitted {
    /// This box is no archive and has none behind it.
    ProcessingFailure,
    NoSuchInstance,
    ClassInstanceConflict,
}

impl NotCommitted {
    pub fn code(self) -> u16 {
        match self {
            Self::ProcessingFailure => 0x0110,
            Self::NoSuchInstance => 0x0112,
            Self::ClassInstanceConflict => 0x0119,
        }
    }
}

/// What a caller asked to be committed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    /// Grows by one with each transaction.
    pub sequence: u64,
    pub transaction: String,
    pub calling_ae_title: String,
    pub asked_at: Timestamp,
    pub instances: Vec<Reference>,
    /// Attempts to report on an association of our own.
    pub attempts: u32,
}

impl std::fmt::Debug for Commitment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commitment").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

/// Where an object lies, found by its SOP Instance UID alone; quarantined ones too.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Holding {
    sop_class: String,
    /// Below the data folder.
    file: PathBuf,
    bytes: u64,
}

/// One writer at a time: sequences grow by one.
#[derive(Debug, Default)]
pub(super) struct Commitments {
    next: Mutex<Option<u64>>,
}

impl Store {
    /// Keeps what a caller asked, durable when it returns. `None`: too many transactions wait already.
    pub fn ask_commitment(
        &self,
        transaction: &str,
        calling_ae_title: &str,
        instances: Vec<Reference>,
        at: Timestamp,
    ) -> Result<Option<Commitment>, StoreError> {
        let mut next = self.inner.commitments.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let waiting = self.commitments_waiting()?;
        if waiting.len() >= WAITING_MAX {
            return Ok(None);
        }
        let known = waiting
            .iter()
            .find(|known| known.transaction == transaction && known.calling_ae_title == calling_ae_title);
        // The same request again, its answer lost on the way.
        if let Some(known) = known.filter(|known| known.instances == instances) {
            return Ok(Some(known.clone()));
        }
        let sequence = match *next {
            Some(sequence) => sequence,
            None => last_sequence(&self.commitments_folder())?.map_or(0, |last| last + 1),
        };
        let commitment = Commitment {
            sequence,
            transaction: transaction.to_owned(),
            calling_ae_title: calling_ae_title.to_owned(),
            asked_at: at,
            instances,
            attempts: 0,
        };
        self.write_commitment(&commitment)?;
        *next = Some(sequence + 1);
        Ok(Some(commitment))
    }

    /// Transactions whose report nobody has taken, oldest first.
    pub fn commitments_waiting(&self) -> Result<Vec<Commitment>, StoreError> {
        let mut waiting = Vec::new();
        for (path, state) in documents(&self.commitments_folder())? {
            if state.is_some() {
                continue;
            }
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                // Settled since the folder was listed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(StoreError::file("read", &path)(error)),
            };
            match serde_json::from_slice::<Commitment>(&bytes) {
                Ok(commitment) => waiting.push(commitment),
                Err(error) => tracing::error!(%error, "a commitment does not read back; it stays on disk"),
            }
        }
        waiting.sort_by_key(|commitment| commitment.sequence);
        Ok(waiting)
    }

    /// Notes an attempt to report before it is made.
    pub fn commitment_attempted(&self, commitment: &mut Commitment) -> Result<(), StoreError> {
        commitment.attempts += 1;
        self.write_commitment(commitment)
    }

    /// The caller has taken the report; `objects` are those it was told are kept.
    pub fn commitment_heard(
        &self,
        sequence: u64,
        objects: &[ObjectName],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        for objects in objects.chunks(OBJECTS_PER_ENTRY) {
            self.append(&Entry::Committed { objects: objects.to_vec(), at })?;
            for object in objects {
                self.index_committed(object, at)?;
            }
        }
        self.inner.index.commit()?;
        self.settle_commitment(sequence, "reported.json")
    }

    /// Nobody will ever take the report.
    pub fn commitment_unheard(&self, sequence: u64) -> Result<(), StoreError> {
        self.settle_commitment(sequence, "unheard.json")
    }

    /// Whether a caller took our word that the object is kept.
    pub fn is_committed(&self, object: &ObjectName) -> Result<bool, StoreError> {
        self.inner.index.contains(Tree::Committed, object.as_str().as_bytes())
    }

    pub(super) fn index_committed(&self, object: &ObjectName, at: Timestamp) -> Result<(), StoreError> {
        self.inner.index.put(Tree::Committed, object.as_str().as_bytes(), &at)
    }

    fn settle_commitment(&self, sequence: u64, state: &str) -> Result<(), StoreError> {
        let from = self.commitment_path(sequence);
        durable::place(&from, &from.with_extension(state))
    }

    /// Removes transactions that were finished long ago.
    pub fn forget_old_commitments(&self, now: Timestamp) -> Result<(), StoreError> {
        for (path, state) in documents(&self.commitments_folder())? {
            let modified = fs::metadata(&path).and_then(|meta| meta.modified());
            let old = modified.is_ok_and(|time| now.since(Timestamp::from(time)) > FINISHED_KEPT);
            if state.is_some() && old {
                fs::remove_file(&path).map_err(StoreError::file("remove", &path))?;
            }
        }
        Ok(())
    }

    /// The object that an instance may be committed to by, from what is on the disk now.
    pub fn judge_commitment(
        &self,
        reference: &Reference,
    ) -> Result<Result<ObjectName, NotCommitted>, StoreError> {
        let holdings =
            self.inner.index.list::<Holding>(Tree::Holding, &prefix(&[&reference.sop_instance]))?;
        if holdings.is_empty() {
            return Ok(Err(NotCommitted::NoSuchInstance));
        }
        let of_class: Vec<_> =
            holdings.iter().filter(|(_, holding)| holding.sop_class == reference.sop_class).collect();
        if of_class.is_empty() {
            return Ok(Err(NotCommitted::ClassInstanceConflict));
        }
        for (_, holding) in &of_class {
            if self.is_whole_and_durable(holding)? {
                return Ok(Ok(ObjectName::at(&holding.file)));
            }
        }
        Ok(Err(NotCommitted::NoSuchInstance))
    }

    /// The file is there with all its bytes, and both they and its name survive a power cut: an index entry may be
    /// durable a moment before they are, and nothing is committed to in that moment. Syncing what did not change is free.
    fn is_whole_and_durable(&self, holding: &Holding) -> Result<bool, StoreError> {
        let path = self.inner.folder.join(&holding.file);
        if !fs::metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() == holding.bytes) {
            return Ok(false);
        }
        fs::File::open(&path).and_then(|file| file.sync_all()).map_err(StoreError::file("sync", &path))?;
        path.parent().map_or(Ok(()), durable::sync_folder)?;
        Ok(true)
    }

    /// Notes where a filed object lies.
    pub(super) fn hold(&self, facts: &InstanceFacts, sha256: &str, bytes: u64) -> Result<(), StoreError> {
        let name = super::file_name(facts.sop_instance.as_str(), sha256);
        let file: PathBuf = ["studies", facts.study.as_str(), facts.series.as_str(), &name].iter().collect();
        let holding = Holding { sop_class: facts.sop_class.clone(), file, bytes };
        let key = super::key(&[facts.sop_instance.as_str(), &sha256[..16]]);
        self.inner.index.put(Tree::Holding, &key, &holding)
    }

    /// Notes where a quarantined object lies, by what its sender said it is.
    pub(super) fn hold_quarantined(&self, path: &Path) -> Result<(), StoreError> {
        let read = StoreError::file("read", path);
        let mut file = fs::File::open(path).map_err(StoreError::file("open", path))?;
        let Some(header) = read_header(&mut file).map_err(read)? else { return Ok(()) };
        let bytes = file.metadata().map_err(StoreError::file("inspect", path))?.len();
        let name = path.file_name().unwrap_or_default();
        let hash: String = name.to_string_lossy().chars().take(16).collect();
        let holding =
            Holding { sop_class: header.sop_class, file: Path::new("quarantine").join(name), bytes };
        self.inner.index.put(Tree::Holding, &super::key(&[&header.sop_instance, &hash]), &holding)
    }

    fn write_commitment(&self, commitment: &Commitment) -> Result<(), StoreError> {
        let folder = self.commitments_folder();
        durable::create_folder(&folder)?;
        let bytes = serde_json::to_vec(commitment)
            .map_err(|source| StoreError::Record { tree: "commitments", source })?;
        durable::replace(&self.commitment_path(commitment.sequence), &bytes)
    }

    fn commitments_folder(&self) -> PathBuf {
        self.inner.folder.join("commitments")
    }

    fn commitment_path(&self, sequence: u64) -> PathBuf {
        self.commitments_folder().join(format!("{sequence:016}.json"))
    }
}

/// The documents of a folder with what follows the sequence in their names, if anything does.
fn documents(folder: &Path) -> Result<Vec<(PathBuf, Option<String>)>, StoreError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(StoreError::file("list", folder))?;
    let document = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned();
        Some((path, name.split_once('.').map(|(_, state)| state.to_owned())))
    };
    Ok(entries.flatten().filter_map(|entry| document(entry.path())).collect())
}

fn last_sequence(folder: &Path) -> Result<Option<u64>, StoreError> {
    let sequence = |path: &PathBuf| path.file_name()?.to_str()?.split('.').next()?.parse::<u64>().ok();
    Ok(documents(folder)?.iter().filter_map(|(path, _)| sequence(path)).max())
}
