//! What archives say about the objects they took: asked for by storage commitment or looked up by QIDO-RS.
//!
//! ```text
//! data/confirmations/<destination>/<transaction>.json         asked of an archive, not reported on
//! data/confirmations/<destination>/<transaction>.heard.json   reported on; kept for an archive that repeats itself
//! ```
//!
//! ```text
//!   forwarded --> due --ask_confirmation--> asked --hear_confirmation--> confirmed
//!                  ^                          |  `--- denied, taken long ago --> set apart for a person
//!                  +-- denied, silent, refused, withdrawn: due again later
//! ```
//!
//! Invariants: a transaction is durable before the archive is asked, so its report is understood on whichever
//! association it comes and however often the box restarted meanwhile. A report is durable before it is answered. It
//! says something about the objects of its own transaction only.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::forwarding::{Mark, OBJECTS_PER_ENTRY};
use super::index::{Tree, key, prefix};
use super::journal::Entry;
use super::object::ObjectName;
use super::{Store, durable};
use crate::clock::Timestamp;
use crate::part10::commitment::{CommitmentReport, CommitmentRequest, Reference};

/// An archive may index what it took a little later: only what it still lacks after this is lost.
const INDEXED_WITHIN: Duration = Duration::from_secs(600);
/// An archive that denies something is asked about it again this much later.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// An archive that has not reported by then is asked again: some write to tape first.
const REPORTED_WITHIN: Duration = Duration::from_secs(3600);
/// Transactions of one archive that wait for their report. One that never reports is not asked for ever.
const ASKED_MAX: usize = 64;
/// How long a transaction stays on disk: by then its report has come or never will.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// An object that an archive took and has not confirmed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Unconfirmed {
    pub object: ObjectName,
    /// When to ask about it; 0 for at once.
    pub ask_at: Timestamp,
}

/// One transaction: what was asked of which archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Transaction {
    asked_at: Timestamp,
    objects: Vec<(ObjectName, Reference)>,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Noted,
    /// The archive repeats itself.
    Before,
    /// No transaction of this box.
    Unknown,
}

impl Store {
    /// Objects that the destination took and may be asked about now, at most `count`.
    pub fn unconfirmed(
        &self,
        destination: &str,
        now: Timestamp,
        count: usize,
    ) -> Result<Vec<ObjectName>, StoreError> {
        let mut found = Vec::new();
        self.inner.index.scan(Tree::Unconfirmed, &prefix(&[destination]), |_, waiting: Unconfirmed| {
            if waiting.ask_at <= now {
                found.push(waiting.object);
            }
            Ok(if found.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    /// Begins a transaction about these objects, durable when it returns. `None`: too many of this archive wait for
    /// their report.
    pub fn ask_confirmation(
        &self,
        destination: &str,
        objects: Vec<(ObjectName, Reference)>,
        at: Timestamp,
    ) -> Result<Option<CommitmentRequest>, StoreError> {
        self.forget_old_confirmations(destination, at)?;
        let folder = self.confirmations_folder().join(destination);
        let waiting = self.confirmations(destination)?.into_iter();
        if waiting.filter(|(path, age)| !is_heard(path) && at.since(*age) < REPORTED_WITHIN).count()
            >= ASKED_MAX
        {
            let asked = objects.iter().map(|(object, _)| object);
            self.ask_later(destination, asked, at, INDEXED_WITHIN)?;
            return Ok(None);
        }
        let transaction = transaction_uid();
        let instances = objects.iter().map(|(_, reference)| reference.clone()).collect();
        self.ask_later(destination, objects.iter().map(|(object, _)| object), at, REPORTED_WITHIN)?;
        let bytes = serde_json::to_vec(&Transaction { asked_at: at, objects })
            .map_err(|source| StoreError::Record { tree: "confirmations", source })?;
        durable::create_folder(&folder)?;
        durable::replace(&folder.join(format!("{transaction}.json")), &bytes)?;
        Ok(Some(CommitmentRequest { transaction, instances }))
    }

    /// The archive was not asked after all, or refused: its objects are due again `later`.
    pub fn withdraw_confirmation(
        &self,
        destination: &str,
        transaction: &str,
        now: Timestamp,
        later: Duration,
    ) -> Result<(), StoreError> {
        let path = self.confirmations_folder().join(destination).join(format!("{transaction}.json"));
        let Some(asked) = read(&path)? else { return Ok(()) };
        self.ask_later(destination, asked.objects.iter().map(|(object, _)| object), now, later)?;
        fs::remove_file(&path).map_err(StoreError::file("remove", &path))
    }

    /// Takes a report on one of our transactions. Durable when it returns.
    pub fn hear_confirmation(&self, report: &CommitmentReport, at: Timestamp) -> Result<Heard, StoreError> {
        for destination in self.confirmation_destinations()? {
            let folder = self.confirmations_folder().join(&destination);
            let path = folder.join(format!("{}.json", report.transaction));
            let heard = path.with_extension("heard.json");
            if heard.exists() {
                return Ok(Heard::Before);
            }
            let Some(asked) = read(&path)? else { continue };
            self.note_report(&destination, &asked, report, at)?;
            // Two reports on one transaction at once: the second finds the name taken, which is as good.
            if path.exists() {
                durable::place(&path, &heard)?;
            }
            self.live().report_came();
            return Ok(Heard::Noted);
        }
        Ok(Heard::Unknown)
    }

    /// Whether a transaction still waits for its report.
    pub fn confirmation_awaited(&self, destination: &str, transaction: &str) -> bool {
        self.confirmations_folder().join(destination).join(format!("{transaction}.json")).exists()
    }

    fn note_report(
        &self,
        destination: &str,
        asked: &Transaction,
        report: &CommitmentReport,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let kept: std::collections::HashSet<&str> =
            report.kept.iter().map(|reference| reference.sop_instance.as_str()).collect();
        let about = |wanted: bool| {
            let chosen = asked.objects.iter();
            let chosen = chosen.filter(|(_, named)| kept.contains(named.sop_instance.as_str()) == wanted);
            chosen.map(|(object, _)| object.clone()).collect::<Vec<_>>()
        };
        self.confirmed(destination, &about(true), at)?;
        if let Some((_, reason)) = report.failed.first() {
            let reason = format!("{reason:#06x}");
            tracing::warn!(
                destination,
                failed = report.failed.len(),
                reason,
                "an archive does not keep all it took"
            );
        }
        self.denied(destination, &about(false), at)
    }

    /// The destination says that it keeps these.
    pub fn confirmed(
        &self,
        destination: &str,
        objects: &[ObjectName],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        for objects in objects.chunks(OBJECTS_PER_ENTRY) {
            let entry =
                Entry::Confirmed { destination: destination.to_owned(), objects: objects.to_vec(), at };
            self.append(&entry)?;
            for object in objects {
                self.index_confirmed(destination, object, at)?;
            }
        }
        self.inner.index.commit()?;
        self.live().box_changed();
        Ok(())
    }

    /// The destination says that it does not have these. What it took long ago is set apart for a person, who may have
    /// it sent again; about the rest it is asked again.
    pub fn denied(
        &self,
        destination: &str,
        objects: &[ObjectName],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (mut lost, mut late) = (Vec::new(), Vec::new());
        for object in objects {
            match self.mark(destination, object)? {
                Some(Mark::Forwarded { at }) if now.since(at) >= INDEXED_WITHIN => lost.push(object.clone()),
                Some(Mark::Forwarded { .. }) => late.push(object),
                _ => {}
            }
        }
        self.ask_later(destination, late.into_iter(), now, ASK_AGAIN)?;
        if lost.is_empty() {
            return Ok(());
        }
        tracing::error!(destination, missing = lost.len(), "the archive lacks what it took");
        self.lost(destination, &lost, now)
    }

    /// Nobody can be asked about these now.
    pub fn postpone(
        &self,
        destination: &str,
        objects: &[ObjectName],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.ask_later(destination, objects.iter(), now, REPORTED_WITHIN)
    }

    pub(super) fn index_unconfirmed(&self, destination: &str, object: &ObjectName) -> Result<(), StoreError> {
        let name = key(&[destination, object.as_str()]);
        if self.inner.index.contains(Tree::Unconfirmed, &name)? {
            return Ok(());
        }
        let waiting = Unconfirmed { object: object.clone(), ask_at: Timestamp(0) };
        self.inner.index.put(Tree::Unconfirmed, &name, &waiting)
    }

    pub(super) fn index_confirmed(
        &self,
        destination: &str,
        object: &ObjectName,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let name = key(&[destination, object.as_str()]);
        self.inner.index.remove(Tree::Unconfirmed, &name)?;
        self.inner.index.put(Tree::Mark, &name, &Mark::Confirmed { at })
    }

    /// All that is not confirmed is due.
    pub(super) fn ask_now(&self, destination: &str) -> Result<(), StoreError> {
        for (key, waiting) in
            self.inner.index.list::<Unconfirmed>(Tree::Unconfirmed, &prefix(&[destination]))?
        {
            let due = Unconfirmed { ask_at: Timestamp(0), ..waiting };
            self.inner.index.put(Tree::Unconfirmed, &key, &due)?;
        }
        Ok(())
    }

    /// Nobody asks about these before a while has passed. Forgotten with the index, which only asks earlier.
    fn ask_later<'a>(
        &self,
        destination: &str,
        objects: impl Iterator<Item = &'a ObjectName>,
        now: Timestamp,
        later: Duration,
    ) -> Result<(), StoreError> {
        let ask_at = now.after(later);
        for object in objects {
            let name = key(&[destination, object.as_str()]);
            if self.inner.index.contains(Tree::Unconfirmed, &name)? {
                let waiting = Unconfirmed { object: object.clone(), ask_at };
                self.inner.index.put(Tree::Unconfirmed, &name, &waiting)?;
            }
        }
        self.inner.index.commit()
    }

    fn forget_old_confirmations(&self, destination: &str, now: Timestamp) -> Result<(), StoreError> {
        for (path, age) in self.confirmations(destination)? {
            if now.since(age) > KEPT {
                fs::remove_file(&path).map_err(StoreError::file("remove", &path))?;
            }
        }
        Ok(())
    }

    /// The documents of one destination and when they were last touched.
    fn confirmations(&self, destination: &str) -> Result<Vec<(PathBuf, Timestamp)>, StoreError> {
        let folder = self.confirmations_folder().join(destination);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&folder).map_err(StoreError::file("list", &folder))?;
        let document =
            |entry: fs::DirEntry| Some((entry.path(), entry.metadata().ok()?.modified().ok()?.into()));
        Ok(entries.flatten().filter_map(document).collect())
    }

    fn confirmation_destinations(&self) -> Result<Vec<String>, StoreError> {
        let folder = self.confirmations_folder();
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&folder).map_err(StoreError::file("list", &folder))?;
        Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn confirmations_folder(&self) -> PathBuf {
        self.inner.folder.join("confirmations")
    }
}

fn is_heard(path: &std::path::Path) -> bool {
    path.to_string_lossy().ends_with(".heard.json")
}

/// `None` where there is no such transaction. One that does not read back is as good as none: its objects are asked
/// about again.
fn read(path: &std::path::Path) -> Result<Option<Transaction>, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::file("read", path)(error)),
    };
    Ok(serde_json::from_slice(&bytes)
        .inspect_err(|error| tracing::error!(%error, "a transaction does not read back; it stays on disk"))
        .ok())
}

/// A UID nobody can guess (PS3.5 B.2): who reports on it was asked.
fn transaction_uid() -> String {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).expect("the kernel has random numbers");
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    format!("2.25.{}", u128::from_be_bytes(bytes))
}
