//! Facts no object's file can tell: what was promised, what was delivered, what was asked, what was attempted.
//!
//! One JSON document a line, appended and fsynced before the fact is relied on; `rebuild-index` replays it. A torn
//! last line was never relied on and is dropped. At start the journal is rewritten without what is settled once it
//! has grown past `REWRITE_BYTES`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::assignments::Assigned;
use super::contours::Replaced;
use super::durable;
use super::error::StoreError;
use super::identity::IdentityDecision;
use super::levels::Levelled;
use super::object::ObjectName;
use super::records::{Promise, Question};
use super::retention::LegalHold;
use crate::clock::Timestamp;
use crate::uid::StudyUid;

/// Small enough to replay in well under a second, large enough to be rewritten rarely.
const REWRITE_BYTES: u64 = 4 << 20;
/// A line holds one promise; its payload is bounded by `PAYLOAD_BYTES_MAX`, escapes at most double it.
const LINE_BYTES_MAX: usize = 256 * 1024;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Promised(Promise),
    Delivered {
        sequence: u64,
    },
    /// Written before a job starts: a job that takes the box down twice is not tried a third time.
    Attempted {
        job: String,
        attempt: u32,
    },
    Asked(Question),
    Assigned(Assigned),
    Replaced(Replaced),
    Levelled(Levelled),
    IdentityDecided(IdentityDecision),
    LegalHold {
        study: StudyUid,
        hold: Option<LegalHold>,
    },
    /// A destination was first named in the site file.
    Destination {
        name: String,
        since: Timestamp,
    },
    Queued {
        destination: String,
        objects: Vec<ObjectName>,
    },
    Forwarded {
        destination: String,
        objects: Vec<ObjectName>,
        at: Timestamp,
        needs_confirming: bool,
    },
    Confirmed {
        destination: String,
        objects: Vec<ObjectName>,
        at: Timestamp,
    },
    /// A caller took our report that these are kept.
    Committed {
        objects: Vec<ObjectName>,
        at: Timestamp,
    },
    /// The destination said that it does not keep them after all.
    Requeued {
        destination: String,
        objects: Vec<ObjectName>,
    },
    /// Written before the first of these files goes. What follows without `Deleted` was cut off and is finished.
    Deleting {
        objects: Vec<ObjectName>,
    },
    /// The last `Deleting` is done.
    Deleted {
        objects: u64,
    },
}

impl Entry {
    /// The objects whose way to a destination, or back to the caller, this entry is a step of.
    fn way_of(&mut self) -> Option<&mut Vec<ObjectName>> {
        match self {
            Self::Queued { objects, .. }
            | Self::Forwarded { objects, .. }
            | Self::Confirmed { objects, .. }
            | Self::Committed { objects, .. }
            | Self::Requeued { objects, .. } => Some(objects),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Reads every whole entry, drops a torn tail, and leaves the file ready for appending.
    pub(super) fn open(folder: &Path) -> Result<(Self, Vec<Entry>), StoreError> {
        durable::create_folder(folder)?;
        let path = folder.join("journal.jsonl");
        let mut entries = Vec::new();
        let mut sound_bytes = 0;
        if path.exists() {
            (entries, sound_bytes) = read(&path)?;
        }
        let file = OpenOptions::new().create(true).append(true).read(true).open(&path);
        let file = file.map_err(StoreError::file("open", &path))?;
        let length = file.metadata().map_err(StoreError::file("inspect", &path))?.len();
        if length > sound_bytes {
            tracing::warn!(bytes = length - sound_bytes, "journal ends in a torn line; dropping it");
            set_aside(&path)?;
            file.set_len(sound_bytes)
                .and_then(|()| file.sync_all())
                .map_err(StoreError::file("cut", &path))?;
        }
        durable::sync_folder(folder)?;
        let mut journal = Self { path, file };
        if sound_bytes > REWRITE_BYTES {
            entries = unsettled(entries);
            journal.rewrite(&entries)?;
        }
        Ok((journal, entries))
    }

    /// Durable when it returns.
    pub(super) fn append(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let mut line =
            serde_json::to_vec(entry).map_err(|source| StoreError::Record { tree: "journal", source })?;
        if line.len() > LINE_BYTES_MAX {
            return Err(StoreError::TooLarge {
                what: "a journal entry",
                bytes: line.len(),
                limit: LINE_BYTES_MAX,
            });
        }
        line.push(b'\n');
        self.file
            .write_all(&line)
            .and_then(|()| self.file.sync_data())
            .map_err(StoreError::file("append to", &self.path))
    }

    fn rewrite(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut bytes, entry)
                .map_err(|source| StoreError::Record { tree: "journal", source })?;
            bytes.push(b'\n');
        }
        durable::replace(&self.path, &bytes)?;
        let file = OpenOptions::new().append(true).open(&self.path);
        self.file = file.map_err(StoreError::file("open", &self.path))?;
        Ok(())
    }
}

/// The sound entries and how many bytes they take; everything after the first unsound line is torn.
fn read(path: &Path) -> Result<(Vec<Entry>, u64), StoreError> {
    let file = File::open(path).map_err(StoreError::file("open", path))?;
    let mut reader = BufReader::new(file);
    let (mut entries, mut sound_bytes) = (Vec::new(), 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = reader.read_until(b'\n', &mut line).map_err(StoreError::file("read", path))?;
        if count == 0 || line.last() != Some(&b'\n') {
            return Ok((entries, sound_bytes));
        }
        let Ok(entry) = serde_json::from_slice(&line) else { return Ok((entries, sound_bytes)) };
        entries.push(entry);
        sound_bytes += count as u64;
    }
}

/// A copy for a person to look at: what is cut is never simply lost.
fn set_aside(path: &Path) -> Result<(), StoreError> {
    let copy = path.with_extension("torn");
    std::fs::copy(path, &copy).map(drop).map_err(StoreError::file("copy to", &copy))
}

/// Delivered promises keep their key with an empty payload, so that a repeated step still promises nothing twice.
/// What was deleted needs no marks any more.
fn unsettled(entries: Vec<Entry>) -> Vec<Entry> {
    let entries = without_deleted(entries);
    let delivered: std::collections::BTreeSet<u64> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Delivered { sequence } => Some(*sequence),
            _ => None,
        })
        .collect();
    let strip = |entry| match entry {
        Entry::Promised(promise) if delivered.contains(&promise.sequence) => {
            Entry::Promised(Promise { payload: String::new(), ..promise })
        }
        other => other,
    };
    entries.into_iter().map(strip).collect()
}

/// From the end: a deletion that is done, and everything before it about the objects it took, tells nothing more.
fn without_deleted(entries: Vec<Entry>) -> Vec<Entry> {
    let (mut gone, mut done) = (std::collections::HashSet::new(), false);
    let mut kept = Vec::with_capacity(entries.len());
    for mut entry in entries.into_iter().rev() {
        match &mut entry {
            Entry::Deleted { .. } => {
                done = true;
                continue;
            }
            Entry::Deleting { objects } if done => {
                done = false;
                gone.extend(objects.drain(..));
                continue;
            }
            other => {
                if let Some(objects) = other.way_of() {
                    objects.retain(|object| !gone.contains(object));
                    if objects.is_empty() {
                        continue;
                    }
                }
            }
        }
        kept.push(entry);
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(sequence: u64) -> Entry {
        let payload = "x".repeat(100);
        Entry::Promised(Promise { sequence, key: format!("k{sequence}"), lane: "result".into(), payload })
    }

    #[test]
    fn every_cut_of_the_last_line_leaves_the_earlier_entries() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        let path = folder.path().join("journal.jsonl");
        journal.append(&promise(1)).unwrap();
        let first = std::fs::metadata(&path).unwrap().len();
        journal.append(&promise(2)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in first..whole.len() as u64 {
            std::fs::write(&path, &whole[..usize::try_from(cut).unwrap()]).unwrap();
            let (mut journal, entries) = Journal::open(folder.path()).unwrap();
            assert_eq!(entries, [promise(1)], "cut at byte {cut}");
            journal.append(&promise(3)).unwrap();
            let (_, entries) = Journal::open(folder.path()).unwrap();
            assert_eq!(entries, [promise(1), promise(3)], "appended after a cut at byte {cut}");
        }
    }

    #[test]
    fn a_rewrite_keeps_what_is_owed_and_the_keys_of_what_is_not() {
        let entries = unsettled(vec![promise(1), promise(2), Entry::Delivered { sequence: 1 }]);
        let Entry::Promised(first) = &entries[0] else { panic!("a promise was lost") };
        assert_eq!((first.key.as_str(), first.payload.as_str()), ("k1", ""));
        assert_eq!(entries[1..], [promise(2), Entry::Delivered { sequence: 1 }]);
    }

    #[test]
    fn a_rewrite_forgets_what_was_deleted_and_keeps_a_deletion_that_was_cut_off() {
        let object = |hash: &str| ObjectName::quarantined(hash);
        let queued = |hashes: &[&str]| Entry::Queued {
            destination: "pacs".into(),
            objects: hashes.iter().map(|hash| object(hash)).collect(),
        };
        let deleting = |hash: &str| Entry::Deleting { objects: vec![object(hash)] };
        let entries = without_deleted(vec![
            queued(&["a", "b"]),
            deleting("a"),
            Entry::Deleted { objects: 1 },
            queued(&["a"]),
            deleting("b"),
        ]);
        assert_eq!(entries, [queued(&["b"]), queued(&["a"]), deleting("b")]);
    }
}
