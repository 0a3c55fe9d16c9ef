//! Brings the index in line with files and journal: everything after a rebuild, the recent folders at every start.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::index::{Tree, prefix};
use super::journal::Entry;
use super::records::InstanceRecord;
use super::{Arrived, ObjectName, OpenReport, Store, durable};
use crate::clock::Timestamp;
use crate::part10::{read_facts, read_header};
use crate::uid::StudyUid;

/// Folders are looked at again when they changed this long before the mark: file systems round their times.
const MARK_SLACK_MS: u64 = 5_000;

impl Store {
    pub(super) fn reconcile(&self, rebuilt: bool, entries: Vec<Entry>) -> Result<OpenReport, StoreError> {
        let mut report =
            OpenReport { rebuilt, incoming_discarded: self.empty_incoming()?, instances_indexed: 0 };
        let since = if rebuilt { None } else { self.inner.index.get::<Timestamp>(Tree::Meta, b"mark")? };
        let since = since.map_or(0, |mark| mark.0.saturating_sub(MARK_SLACK_MS));
        let mut newest = since;
        if !rebuilt {
            self.check_settling()?;
        }
        for study in folders(&self.inner.folder.join("studies"))? {
            let before = report.instances_indexed;
            for series in folders(&study)? {
                let changed = modified(&series)?;
                newest = newest.max(changed.0);
                if changed.0 < since {
                    continue;
                }
                report.instances_indexed += self.reconcile_folder(&series)?;
            }
            if !rebuilt && report.instances_indexed > before {
                self.recount_folder(&study)?;
            }
        }
        self.reconcile_quarantine(since)?;
        self.replay(entries)?;
        self.inner.index.put(Tree::Meta, b"mark", &Timestamp(newest))?;
        self.inner.index.commit()?;
        Ok(report)
    }

    fn recount_folder(&self, folder: &Path) -> Result<(), StoreError> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        // A folder of any other name holds no study of ours.
        StudyUid::parse(&name).map_or(Ok(()), |study| self.recount(&study))
    }

    /// What was still arriving when the box stopped was never acknowledged.
    fn empty_incoming(&self) -> Result<u64, StoreError> {
        let mut discarded = 0;
        for path in files(&self.inner.folder.join("incoming"))? {
            fs::remove_file(&path).map_err(StoreError::file("remove", &path))?;
            discarded += 1;
        }
        Ok(discarded)
    }

    fn reconcile_folder(&self, folder: &Path) -> Result<u64, StoreError> {
        if folder.file_name().is_some_and(|name| name == "findings") {
            return self.reconcile_findings(folder).map(|()| 0);
        }
        let mut indexed = 0;
        for path in self.unknown_objects(folder)? {
            indexed += u64::from(self.reconcile_object(&path)?);
        }
        Ok(indexed)
    }

    /// Indexes an object that the index does not know. A file that does not read back is left where it is and named.
    fn reconcile_object(&self, path: &Path) -> Result<bool, StoreError> {
        let facts = match read_facts(path) {
            Ok(facts) => facts,
            Err(reason) => {
                tracing::error!(%reason, "a stored object does not read back; it stays on disk, not in the index");
                return Ok(false);
            }
        };
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let own = stem.ends_with(super::own_objects::SUFFIX);
        let stem = stem.strip_suffix(super::own_objects::SUFFIX).unwrap_or(stem);
        let named = stem.rsplit('-').next().unwrap_or_default();
        if named.len() == 16
            && self.inner.index.contains(Tree::Instance, &super::instance_key(&facts, named))?
        {
            return Ok(false);
        }
        let (sha256, bytes) = hash_data_set(path)?;
        if !sha256.starts_with(named) {
            tracing::error!(
                "a stored object's bytes differ from the hash in its name; not indexed, left on disk"
            );
            return Ok(false);
        }
        let arrived = Arrived { path: path.to_owned(), sha256, bytes };
        if own {
            self.reindex_own(facts, &arrived, modified(path)?)?;
        } else {
            self.index_instance(facts, &arrived, modified(path)?)?;
        }
        Ok(true)
    }

    /// Quarantined objects are found by what their senders said they are.
    fn reconcile_quarantine(&self, since: u64) -> Result<(), StoreError> {
        for path in files(&self.inner.folder.join("quarantine"))? {
            if path.extension().is_some_and(|extension| extension == "dcm") && modified(&path)?.0 >= since {
                self.hold_quarantined(&path)?;
            }
        }
        Ok(())
    }

    fn reconcile_findings(&self, folder: &Path) -> Result<(), StoreError> {
        for path in files(folder)? {
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let bytes = fs::read(&path).map_err(StoreError::file("read", &path))?;
            match serde_json::from_slice(&bytes) {
                Ok(finding) => self.index_finding(&finding)?,
                Err(error) => tracing::error!(%error, "a finding does not read back; it stays on disk"),
            }
        }
        Ok(())
    }

    /// Objects of a series folder that the index does not know, in the order they came: that order decides which of two
    /// conflicting ones is in use. Looks at names only; an entry of the folder whose file is gone is forgotten.
    fn unknown_objects(&self, folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
        let relative = folder.strip_prefix(self.folder()).unwrap_or(folder);
        let (mut unknown, mut known) = (Vec::new(), HashSet::new());
        for entry in fs::read_dir(folder).map_err(StoreError::file("list", folder))?.flatten() {
            let name = entry.file_name();
            if Path::new(&name).extension().is_none_or(|extension| extension != "dcm") {
                continue;
            }
            match ObjectName::at(&relative.join(&name)).instance_key() {
                Some(key) if self.inner.index.contains(Tree::Instance, &key)? => drop(known.insert(key)),
                _ => unknown.push(entry.path()),
            }
        }
        self.forget_missing(folder, &known)?;
        unknown.sort_by_cached_key(|path| fs::metadata(path).and_then(|meta| meta.modified()).ok());
        Ok(unknown)
    }

    /// An entry whose file is gone: somebody removed the file, or a power cut took its name before it was acknowledged.
    fn forget_missing(&self, folder: &Path, present: &HashSet<Vec<u8>>) -> Result<(), StoreError> {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (study, series) = (folder.parent().map(name).unwrap_or_default(), name(folder));
        let entries = prefix(&[&study, &series]);
        if self.inner.index.count_below(Tree::Instance, &entries) == present.len() {
            return Ok(());
        }
        let Ok(study) = StudyUid::parse(&study) else { return Ok(()) };
        tracing::warn!("indexed objects have no file; their study is indexed again from what is there");
        self.reindex_study(&study)
    }

    /// What was being made durable when the power went was not acknowledged. Its bytes are looked at; where they are
    /// not what they were, the file is set aside, and the study is indexed again from what is left.
    fn check_settling(&self) -> Result<(), StoreError> {
        let mut torn = BTreeSet::new();
        for key in self.inner.index.keys(Tree::Settling, b"")? {
            if let Some(record) = self.inner.index.get::<InstanceRecord>(Tree::Instance, &key)? {
                let path = self.instance_path(&record);
                if !hash_data_set(&path).is_ok_and(|(sha256, _)| sha256 == record.sha256) {
                    tracing::warn!(
                        "an object was torn by a power cut before it was acknowledged; it is set aside"
                    );
                    if path.exists() {
                        durable::place(&path, &path.with_extension("torn"))?;
                    }
                    torn.insert(record.facts.study);
                }
            }
            self.inner.index.remove(Tree::Settling, &key)?;
        }
        torn.iter().try_for_each(|study| self.reindex_study(study))
    }

    /// Forgets what the index says of a study's objects and reads it from their files again.
    fn reindex_study(&self, study: &StudyUid) -> Result<(), StoreError> {
        for (key, record) in self.all_instances(study)? {
            self.inner.index.remove(Tree::Instance, &key)?;
            if let Some(key) = ObjectName::from(&record).holding_key() {
                self.inner.index.remove(Tree::Holding, &key)?;
            }
        }
        // Only the index forgets: what was made of the images stays beside them.
        self.forget_study_records(study)?;
        for series in folders(&self.study_folder(study))? {
            self.reconcile_folder(&series)?;
        }
        Ok(())
    }

    /// Brings the index to where the journal ends. Every step may be repeated: the order of entries decides.
    fn replay(&self, entries: Vec<Entry>) -> Result<(), StoreError> {
        let index = &self.inner.index;
        let (mut next, mut cut_off) = (0, Vec::new());
        for entry in entries {
            match entry {
                Entry::Promised(promise) => {
                    next = next.max(promise.sequence + 1);
                    self.index_promise(&promise)?;
                }
                Entry::Delivered { sequence } => index.remove(Tree::Outbox, &sequence.to_be_bytes())?,
                Entry::Attempted { job, attempt } => index.put(Tree::Attempt, job.as_bytes(), &attempt)?,
                Entry::Asked(question) => {
                    let key = super::key(&[question.study.as_str(), &question.finding_id]);
                    if !index.contains(Tree::Finding, &key)? {
                        index.put(Tree::Question, &key, &question)?;
                    }
                }
                Entry::Assigned(assigned) => self.replay_assignment(&assigned)?,
                Entry::Replaced(replaced) => self.replay_replacement(&replaced)?,
                Entry::Levelled(levelled) => self.replay_levels(&levelled)?,
                Entry::IdentityDecided(decision) => self.index_decision(&decision)?,
                Entry::LegalHold { study, hold } => self.index_legal_hold(&study, hold.as_ref())?,
                Entry::Deleting { objects } => {
                    self.replay_deletion(&objects)?;
                    cut_off = objects;
                }
                Entry::Deleted { .. } => cut_off.clear(),
                way => self.replay_way(way)?,
            }
        }
        if !cut_off.is_empty() {
            self.finish_deletion(&cut_off)?;
        }
        self.inner.next_promise.store(next, Ordering::SeqCst);
        Ok(())
    }

    /// One step of objects on their way to a destination, or of the answer to their sender.
    fn replay_way(&self, entry: Entry) -> Result<(), StoreError> {
        match entry {
            Entry::Destination { name, since } => self.index_destination(&name, since)?,
            Entry::Queued { destination, objects } => {
                for object in &objects {
                    self.index_queued(&destination, object)?;
                }
            }
            Entry::Forwarded { destination, objects, at, needs_confirming } => {
                for object in &objects {
                    self.index_forwarded(&destination, object, needs_confirming, at)?;
                }
            }
            Entry::Confirmed { destination, objects, at } => {
                for object in &objects {
                    self.index_confirmed(&destination, object, at)?;
                }
            }
            Entry::Committed { objects, at } => {
                for object in &objects {
                    self.index_committed(object, at)?;
                }
            }
            Entry::Requeued { destination, objects } => {
                for object in &objects {
                    self.index_requeued(&destination, object)?;
                }
            }
            _ => unreachable!("the other entries are replayed above"),
        }
        Ok(())
    }

    /// What a deletion took must not come back with an older index; what arrived again since stays.
    fn replay_deletion(&self, objects: &[ObjectName]) -> Result<(), StoreError> {
        let mut studies = BTreeSet::new();
        for object in objects {
            studies.extend(object.study());
            if !self.object_path(object).exists() {
                self.forget_object(object)?;
            } else {
                self.forget_marks(object)?;
            }
        }
        for study in &studies {
            self.forget_empty_study(study)?;
        }
        Ok(())
    }

    /// The power went in the middle: the last files go now.
    fn finish_deletion(&self, objects: &[ObjectName]) -> Result<(), StoreError> {
        tracing::warn!(objects = objects.len(), "finishing a deletion that was cut off");
        self.remove_objects(objects)?;
        self.append(&Entry::Deleted { objects: objects.len() as u64 })?;
        for study in objects.iter().filter_map(ObjectName::study).collect::<BTreeSet<_>>() {
            self.forget_empty_study(&study)?;
        }
        Ok(())
    }
}

/// SHA-256 of the data set (the bytes after our header) and the length of the file.
fn hash_data_set(path: &Path) -> Result<(String, u64), StoreError> {
    let mut file = fs::File::open(path).map_err(StoreError::file("open", path))?;
    let bytes = file.metadata().map_err(StoreError::file("inspect", path))?.len();
    read_header(&mut file).map_err(StoreError::file("read", path))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0u8; 256 * 1024]);
    loop {
        match file.read(&mut buffer).map_err(StoreError::file("read", path))? {
            0 => return Ok((hex(&hash.finalize()), bytes)),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn modified(path: &Path) -> Result<Timestamp, StoreError> {
    let time = fs::metadata(path).and_then(|meta| meta.modified());
    time.map(Timestamp::from).map_err(StoreError::file("inspect", path))
}

fn folders(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    durable::create_folder(path)?;
    entries(path, true)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    durable::create_folder(path)?;
    entries(path, false)
}

fn entries(path: &Path, want_folders: bool) -> Result<Vec<PathBuf>, StoreError> {
    let listing = fs::read_dir(path).map_err(StoreError::file("list", path))?;
    let wanted = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir() == want_folders);
    Ok(listing.flatten().filter(wanted).map(|entry| entry.path()).collect())
}
