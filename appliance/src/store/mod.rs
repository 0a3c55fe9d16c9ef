//! The store remembers studies, findings and promises to send; rooms meet here and nowhere else.
//!
//! Files are the truth, sled is the index and can be made again from them:
//!
//! ```text
//! data/lock                                   one box at a time
//! data/incoming/<n>.part                      bytes still arriving; emptied at every start
//! data/studies/<study>/<series>/<sop>-<hash>.dcm      .own.dcm: made by this box
//! data/studies/<study>/findings/<id>.json    <id>/<part>-<hash>.bin: maps, see parts.rs
//! data/studies/<study>/runs.jsonl             what was computed and corrected, see runs.rs
//! data/answers/<key>                          what networks said, made again when missing
//! data/quarantine/<hash>.dcm, .json           arrived whole, does not parse
//! data/commitments/, confirmations/, procedures/      see commitment.rs, confirmation.rs and procedure.rs
//! data/journal/journal.jsonl                  promises, deliveries, questions, assignments, replacements, attempts, queues, decisions, deletions
//! data/audit/                                 who did what (`crate::audit`)
//! data/graphs/                                optimised networks, made again when missing (`crate::inference`)
//! data/index/                                 sled
//! data/metadata/                              documents for DICOMweb, made again when missing
//! ```
//!
//! Invariants: an object is acknowledged only after its bytes, its name and its index entry are durable.
//! Losing the index loses nothing. A file name carries the hash of the data set, so two objects that claim one UID
//! never overwrite each other. Channels carry wake-ups only.
//!
//! All methods block on the disk: rooms call them from blocking threads. It does not decide what is complete, what
//! is measured or what is sent; it never parses pixels.

mod admission;
mod answers;
mod arrival;
pub mod assignments;
pub mod box_ledger;
pub mod calcium;
pub mod cardiac;
mod catalogue;
pub mod commitment;
pub mod confirmation;
pub mod contours;
#[cfg(test)]
mod contours_tests;
mod durable;
mod error;
pub mod finding;
mod findings;
pub mod forwarding;
mod forwarding_results;
pub mod identity;
mod index;
mod journal;
pub mod keeping;
pub mod ledger;
pub mod lesions;
pub mod levels;
mod live;
pub mod marks;
mod matching;
mod metadata;
mod object;
mod outbox;
pub mod own_objects;
mod parts;
pub mod perfusion;
pub mod procedure;
mod quarantine;
mod query;
#[cfg(test)]
mod query_tests;
mod reconcile;
pub mod records;
pub mod resident;
pub mod retention;
pub mod reviews;
pub mod runs;
pub mod structures;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

pub use admission::{Admission, Arrived};
pub use arrival::{Arrival, Filed};
pub use catalogue::StudyEntry;
pub use durable::side_by_side;
pub use error::StoreError;
pub use forwarding_results::ResultsWanted;
pub use live::{AssociationId, Live, Progress, ProgressState, Reached, Sending};
pub use matching::Matcher;
pub use metadata::{Maker, MetadataFile};
pub use object::ObjectName;
pub use quarantine::Quarantined;
pub use query::{Key, Page, Query, RESULTS_MAX, SeriesHit};
pub use reconcile::hex;

use crate::audit::Audit;
use crate::clock::Clock;
use crate::part10::InstanceFacts;
use crate::uid::{SeriesUid, StudyUid};
use index::{Index, Opened, Tree, key, prefix};
use journal::Journal;
use records::{InstanceRecord, SeriesRecord, StudyRecord, file_name};

/// How the store came up, for the log and `doctor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    pub rebuilt: bool,
    pub instances_indexed: u64,
    pub incoming_discarded: u64,
}

#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    index: Index,
    journal: Mutex<Journal>,
    /// Guards read-modify-write of study and series records.
    writing: Mutex<()>,
    /// Guards marks and queues: held while the journal is synced, which no receiver waits for.
    queueing: Mutex<()>,
    /// Guards read-modify-write of a finding by readers.
    reviewing: Mutex<()>,
    /// Guards the files about runs.
    recording: Mutex<()>,
    /// Held for reading while an object is filed or queued, for writing while one is deleted.
    filing: RwLock<()>,
    audit: Audit,
    live: Live,
    catalogue: Mutex<catalogue::Catalogue>,
    /// Held while metadata documents are made.
    metadata: Mutex<()>,
    next_incoming: AtomicU64,
    next_promise: AtomicU64,
    commitments: commitment::Commitments,
    procedures: procedure::Procedures,
    /// Held for as long as the box lives.
    _lock: File,
}

impl Store {
    /// Opens the store, rebuilds the index where it does not open, and files whatever a power cut left unindexed.
    pub fn open(folder: &Path) -> Result<(Self, OpenReport), StoreError> {
        let lock = durable::lock(folder)?;
        for name in ["incoming", "studies", "quarantine"] {
            durable::create_folder(&folder.join(name))?;
        }
        let (index, rebuilt) = match Index::open(&folder.join("index"))? {
            Opened::Sound(index) => (index, false),
            Opened::Fresh(index) => (index, true),
        };
        let (journal, entries) = Journal::open(&folder.join("journal"))?;
        let audit = Audit::open(&folder.join("audit"), Clock.wall())?;
        let store = Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                index,
                journal: Mutex::new(journal),
                writing: Mutex::new(()),
                queueing: Mutex::new(()),
                reviewing: Mutex::new(()),
                recording: Mutex::new(()),
                filing: RwLock::new(()),
                audit,
                live: Live::default(),
                catalogue: Mutex::default(),
                metadata: Mutex::new(()),
                next_incoming: AtomicU64::new(0),
                next_promise: AtomicU64::new(0),
                commitments: commitment::Commitments::default(),
                procedures: procedure::Procedures::default(),
                _lock: lock,
            }),
        };
        let report = store.reconcile(rebuilt, entries)?;
        Ok((store, report))
    }

    /// Sets the index aside and opens the store anew, which makes a fresh one from files and journal.
    pub fn rebuild_index(folder: &Path) -> Result<OpenReport, StoreError> {
        let path = folder.join("index");
        {
            let _lock = durable::lock(folder)?;
            if path.exists() {
                Index::set_aside(&path)?;
            }
        }
        Self::open(folder).map(|(_, report)| report)
    }

    pub fn live(&self) -> &Live {
        &self.inner.live
    }

    /// Every room writes to the same audit journal.
    pub fn audit(&self) -> &Audit {
        &self.inner.audit
    }

    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// A name in `incoming/` nobody else uses.
    pub fn incoming_path(&self) -> PathBuf {
        let number = self.inner.next_incoming.fetch_add(1, Ordering::Relaxed);
        self.inner.folder.join("incoming").join(format!("{number}.part"))
    }

    pub fn studies(&self) -> Result<Vec<(StudyUid, StudyRecord)>, StoreError> {
        let rows = self.inner.index.list::<StudyRecord>(Tree::Study, b"")?;
        Ok(rows.into_iter().filter_map(|(key, record)| Some((uid_of(&key)?, record))).collect())
    }

    pub fn study(&self, study: &StudyUid) -> Result<StudyRecord, StoreError> {
        let found = self.inner.index.get(Tree::Study, study.as_str().as_bytes())?;
        found.ok_or(StoreError::Unknown("study"))
    }

    pub fn series(&self, study: &StudyUid) -> Result<Vec<(SeriesUid, SeriesRecord)>, StoreError> {
        let rows = self.inner.index.list::<SeriesRecord>(Tree::Series, &prefix(&[study.as_str()]))?;
        let uid = |key: &[u8]| SeriesUid::parse(std::str::from_utf8(key).ok()?.rsplit('\0').next()?).ok();
        Ok(rows.into_iter().filter_map(|(key, record)| Some((uid(&key)?, record))).collect())
    }

    /// The instances of a series in use: an object that came second with other bytes is kept, not used.
    pub fn instances(&self, study: &StudyUid, series: &SeriesUid) -> Result<Vec<InstanceRecord>, StoreError> {
        let prefix = prefix(&[study.as_str(), series.as_str()]);
        let rows = self.inner.index.list::<InstanceRecord>(Tree::Instance, &prefix)?;
        Ok(rows.into_iter().map(|(_, record)| record).filter(|record| !record.conflict).collect())
    }

    pub fn instance_path(&self, record: &InstanceRecord) -> PathBuf {
        self.series_folder(&record.facts.study, &record.facts.series).join(record.file_name())
    }

    /// Studies, instances and quarantined objects on this box.
    pub fn counts(&self) -> Result<(usize, usize, usize), StoreError> {
        let (studies, instances) =
            (self.inner.index.count(Tree::Study), self.inner.index.count(Tree::Instance));
        Ok((studies, instances, self.quarantined_count()?))
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.inner.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn queueing(&self) -> MutexGuard<'_, ()> {
        self.inner.queueing.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn study_folder(&self, study: &StudyUid) -> PathBuf {
        self.inner.folder.join("studies").join(study.as_str())
    }

    fn series_folder(&self, study: &StudyUid, series: &SeriesUid) -> PathBuf {
        self.study_folder(study).join(series.as_str())
    }
}

fn instance_key(facts: &InstanceFacts, sha256: &str) -> Vec<u8> {
    key(&[facts.study.as_str(), facts.series.as_str(), facts.sop_instance.as_str(), &sha256[..16]])
}

fn uid_of(key: &[u8]) -> Option<StudyUid> {
    StudyUid::parse(std::str::from_utf8(key).ok()?).ok()
}
