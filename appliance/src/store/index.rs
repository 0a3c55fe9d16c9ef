//! The one door to sled: keys and small envelopes that can all be made again from files and journal.
//!
//! A commit is `flush` (sled writes its log with `sync_file_range`, which survives a kill but not a power cut)
//! followed by `fdatasync` on our own handle of the same file. Concurrent commits share one.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;

/// Changes when a record changes its shape: an index of another format is set aside and rebuilt.
const FORMAT: u32 = 6;
/// sled's own default is 1 GiB; the index of 100,000 instances takes about 100 MB on disk, its hot part far less.
const CACHE_BYTES: u64 = 64 << 20;
/// Two seconds in all: sled's threads end within milliseconds.
const LOCK_ATTEMPTS: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// Above this sled moves a value to a file of its own and never gives the space back (research/fleet.md 4.2).
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Objects whose index entries may wait for a commit: a start reads and hashes this many again in about a second.
const UNCOMMITTED_MAX: u64 = 256;

/// The fixed set of trees; never one per study.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tree {
    Study,
    Series,
    Instance,
    /// Studies that analysis has not settled.
    Open,
    Finding,
    Question,
    Outbox,
    /// Keys of promises ever made.
    Promised,
    Attempt,
    Meta,
    /// Where an object lies, by its SOP Instance UID alone.
    Holding,
    /// Whose study it is, as its instances say.
    Identity,
    /// Objects on their way to a destination, by destination and number.
    Forward,
    /// How far an object is on its way, by destination and object.
    Mark,
    /// Objects a destination has and has not confirmed.
    Unconfirmed,
    LegalHold,
    /// Objects that are being made durable: no more than arrive at once, and a few that were.
    Settling,
    /// When a caller took our word that an object is kept, by object.
    Committed,
}

const TREES: [(Tree, &str); 18] = [
    (Tree::Study, "study"),
    (Tree::Series, "series"),
    (Tree::Instance, "instance"),
    (Tree::Open, "open"),
    (Tree::Finding, "finding"),
    (Tree::Question, "question"),
    (Tree::Outbox, "outbox"),
    (Tree::Promised, "promised"),
    (Tree::Attempt, "attempt"),
    (Tree::Meta, "meta"),
    (Tree::Holding, "holding"),
    (Tree::Identity, "identity"),
    (Tree::Forward, "forward"),
    (Tree::Mark, "mark"),
    (Tree::Unconfirmed, "unconfirmed"),
    (Tree::LegalHold, "legal_hold"),
    (Tree::Settling, "settling"),
    (Tree::Committed, "committed"),
];

pub(super) struct Index {
    db: sled::Db,
    trees: Vec<sled::Tree>,
    /// Our own handle of sled's log, to fsync it.
    log: File,
    commits_asked: AtomicU64,
    commits_done: Mutex<u64>,
    /// Objects filed since the last commit.
    uncommitted: AtomicU64,
    /// Records of the trees that are counted often: sled counts by walking.
    studies: AtomicUsize,
    instances: AtomicUsize,
    /// Studies whose study or series records were written since somebody last asked; at most all of them.
    touched: Mutex<BTreeSet<String>>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Index")
    }
}

/// How the index came up.
#[derive(Debug)]
pub(super) enum Opened {
    Sound(Index),
    /// It was missing, unreadable or of another format: this one is empty, the old one set aside.
    Fresh(Index),
}

impl Index {
    /// Opens the index; one that does not open is moved aside, never deleted, and an empty one takes its place.
    pub(super) fn open(path: &Path) -> Result<Opened, StoreError> {
        if !path.exists() {
            return Self::create(path).map(Opened::Fresh);
        }
        match Self::open_when_free(path) {
            Ok(index) if index.format() == Some(FORMAT) => return Ok(Opened::Sound(index)),
            Ok(_) => tracing::warn!("the index has another format; rebuilding it"),
            Err(error) => {
                tracing::error!(%error, "the index does not open; setting it aside and rebuilding it");
            }
        }
        Self::set_aside(path)?;
        Self::create(path).map(Opened::Fresh)
    }

    /// Moves an index out of the way under the first free name.
    pub(super) fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
        let aside = (1u32..)
            .map(|number| path.with_extension(format!("aside-{number}")))
            .find(|aside| !aside.exists())
            .expect("there is always a next number");
        std::fs::rename(path, &aside).map_err(StoreError::file("set aside", path))?;
        Ok(aside)
    }

    fn create(path: &Path) -> Result<Self, StoreError> {
        let index = Self::open_existing(path)?;
        index.put(Tree::Meta, b"format", &FORMAT)?;
        index.commit()?;
        Ok(index)
    }

    /// A database closed a moment ago in this process may still hold sled's lock while its threads end; that is no
    /// damage. Another process is kept out by the store's own lock.
    fn open_when_free(path: &Path) -> Result<Self, StoreError> {
        for _ in 1..LOCK_ATTEMPTS {
            match Self::open_existing(path) {
                Err(StoreError::Index(sled::Error::Io(error)))
                    if error.to_string().contains("acquire lock") =>
                {
                    std::thread::sleep(LOCK_PAUSE);
                }
                opened => return opened,
            }
        }
        Self::open_existing(path)
    }

    fn open_existing(path: &Path) -> Result<Self, StoreError> {
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            .mode(sled::Mode::HighThroughput)
            .flush_every_ms(None);
        // sled panics on some kinds of damage where it should return an error.
        let db = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open()))
            .unwrap_or_else(|_| Err(sled::Error::ReportableBug("sled panicked while opening".into())))?;
        let trees = TREES.iter().map(|(_, name)| db.open_tree(name)).collect::<Result<_, _>>()?;
        let log_path = path.join("db");
        let log = File::open(&log_path).map_err(StoreError::file("open", &log_path))?;
        let index = Self {
            db,
            trees,
            log,
            commits_asked: AtomicU64::new(0),
            commits_done: Mutex::new(0),
            uncommitted: AtomicU64::new(0),
            studies: AtomicUsize::new(0),
            instances: AtomicUsize::new(0),
            touched: Mutex::default(),
        };
        for key in index.tree(Tree::Study).iter().keys() {
            index.touch(Tree::Study, &key?);
            index.studies.fetch_add(1, Ordering::Relaxed);
        }
        index.instances.store(index.tree(Tree::Instance).len(), Ordering::Relaxed);
        Ok(index)
    }

    fn format(&self) -> Option<u32> {
        self.get(Tree::Meta, b"format").ok().flatten()
    }

    /// Everything written before this call is durable when it returns.
    pub(super) fn commit(&self) -> Result<(), StoreError> {
        let ticket = self.commits_asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut done = self.commits_done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *done >= ticket {
            return Ok(());
        }
        // Every ticket drawn by now belongs to a write that has reached sled, so this flush covers it too.
        let covered = self.commits_asked.load(Ordering::SeqCst);
        self.uncommitted.store(0, Ordering::SeqCst);
        self.db.flush()?;
        self.log.sync_data().map_err(StoreError::file("sync", Path::new("index/db")))?;
        *done = covered;
        Ok(())
    }

    /// For what the next start can read again from durable files: commits now and then.
    pub(super) fn commit_soon(&self) -> Result<(), StoreError> {
        match self.uncommitted.fetch_add(1, Ordering::SeqCst) + 1 {
            UNCOMMITTED_MAX => self.commit(),
            _ => Ok(()),
        }
    }

    pub(super) fn put(&self, tree: Tree, key: &[u8], value: &impl Serialize) -> Result<(), StoreError> {
        let bytes =
            serde_json::to_vec(value).map_err(|source| StoreError::Record { tree: name(tree), source })?;
        if bytes.len() > VALUE_BYTES_MAX {
            return Err(StoreError::TooLarge {
                what: name(tree),
                bytes: bytes.len(),
                limit: VALUE_BYTES_MAX,
            });
        }
        if self.tree(tree).insert(key, bytes)?.is_none()
            && let Some(counter) = self.counter(tree)
        {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.touch(tree, key);
        Ok(())
    }

    pub(super) fn get<T: DeserializeOwned>(&self, tree: Tree, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.tree(tree).get(key)?.map(|bytes| parse(tree, &bytes)).transpose()
    }

    pub(super) fn contains(&self, tree: Tree, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.tree(tree).contains_key(key)?)
    }

    pub(super) fn remove(&self, tree: Tree, key: &[u8]) -> Result<(), StoreError> {
        if self.tree(tree).remove(key)?.is_some()
            && let Some(counter) = self.counter(tree)
        {
            counter.fetch_sub(1, Ordering::Relaxed);
        }
        self.touch(tree, key);
        Ok(())
    }

    /// Studies written since the last call; after opening, all of them.
    pub(super) fn take_touched(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.touched.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Notes the study a written key belongs to; after the write, so that who reads the note reads the record.
    fn touch(&self, tree: Tree, key: &[u8]) {
        if !matches!(tree, Tree::Study | Tree::Series) {
            return;
        }
        let study = key.split(|byte| *byte == 0).next().unwrap_or_default();
        let study = String::from_utf8_lossy(study).into_owned();
        self.touched.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(study);
    }

    /// All records whose key begins with `prefix`, in key order.
    pub(super) fn list<T: DeserializeOwned>(
        &self,
        tree: Tree,
        prefix: &[u8],
    ) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        let each = |entry: sled::Result<(sled::IVec, sled::IVec)>| {
            let (key, value) = entry?;
            Ok((key.to_vec(), parse(tree, &value)?))
        };
        self.tree(tree).scan_prefix(prefix).map(each).collect()
    }

    /// Visits the records whose key begins with `prefix`, in key order, until the visitor breaks off.
    pub(super) fn scan<T: DeserializeOwned>(
        &self,
        tree: Tree,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], T) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        for entry in self.tree(tree).scan_prefix(prefix) {
            let (key, value) = entry?;
            if visit(&key, parse(tree, &value)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The keys that begin with `prefix`, in order.
    pub(super) fn keys(&self, tree: Tree, prefix: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
        self.tree(tree).scan_prefix(prefix).keys().map(|key| Ok(key?.to_vec())).collect()
    }

    pub(super) fn count_below(&self, tree: Tree, prefix: &[u8]) -> usize {
        self.tree(tree).scan_prefix(prefix).count()
    }

    /// The first record in key order.
    pub(super) fn first<T: DeserializeOwned>(&self, tree: Tree) -> Result<Option<(Vec<u8>, T)>, StoreError> {
        let Some((key, value)) = self.tree(tree).first()? else { return Ok(None) };
        Ok(Some((key.to_vec(), parse(tree, &value)?)))
    }

    pub(super) fn count(&self, tree: Tree) -> usize {
        self.counter(tree).map_or_else(|| self.tree(tree).len(), |counter| counter.load(Ordering::Relaxed))
    }

    fn counter(&self, tree: Tree) -> Option<&AtomicUsize> {
        match tree {
            Tree::Study => Some(&self.studies),
            Tree::Instance => Some(&self.instances),
            _ => None,
        }
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        &self.trees[tree as usize]
    }
}

fn name(tree: Tree) -> &'static str {
    TREES[tree as usize].1
}

fn parse<T: DeserializeOwned>(tree: Tree, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|source| StoreError::Record { tree: name(tree), source })
}

/// Parts joined by NUL, which no UID, name or number contains.
pub(super) fn key(parts: &[&str]) -> Vec<u8> {
    parts.join("\0").into_bytes()
}

/// Key prefix of everything below `parts`.
pub(super) fn prefix(parts: &[&str]) -> Vec<u8> {
    let mut bytes = key(parts);
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_stand_at_their_own_number() {
        for (position, (tree, _)) in TREES.iter().enumerate() {
            assert_eq!(*tree as usize, position);
        }
    }

    #[test]
    fn an_index_that_does_not_open_is_set_aside_with_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index");
        drop(Index::open(&path).unwrap());
        std::fs::write(path.join("conf"), b"no configuration of sled's").unwrap();
        assert!(matches!(Index::open(&path).unwrap(), Opened::Fresh(_)));
        let aside = folder.path().join("index.aside-1").join("conf");
        assert_eq!(std::fs::read(aside).unwrap(), b"no configuration of sled's");
    }
}
