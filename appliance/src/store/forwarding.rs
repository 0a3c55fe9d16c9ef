//! Who still has to get which object: one durable queue per destination, and a mark for all that arrived there.
//!
//! ```text
//!            queue_study        attempts fail ATTEMPTS_MAX times
//!   object ------------> waiting ------------------> isolated
//!                          ^  |  forwarded               |
//!                          |  +-----------> forwarded ---|--> confirmed (by an archive)
//!                          +------ retry, commitment failed <-+
//! ```
//!
//! Invariants: an entry is journalled before it counts and struck only by a journalled mark, so a kill repeats a
//! transfer of the same bytes under the same UID at worst, and loses none. A destination gets what arrived since it
//! was first named in the site file, never the years before. Order is kept per destination, but for objects that
//! failed: they wait their own pause and hold up nobody. Objects of a held study wait in the queue.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::forwarding_results::ResultsWanted;
use super::index::{Tree, key, prefix};
use super::journal::Entry;
use super::object::ObjectName;
use super::records::InstanceRecord;
use super::{Sending, Store};
use crate::clock::Timestamp;
use crate::uid::StudyUid;

/// Attempts after which an object waits for a person: by then the pauses add up to a quarter of an hour.
pub const ATTEMPTS_MAX: u32 = 5;
/// Pause of an object after its first failure; doubled with each further one.
const OBJECT_PAUSE_MS: u64 = 30_000;
/// Objects in one journal line: 500 names of at most 240 bytes stay below half of the journal's line limit.
pub(super) const OBJECTS_PER_ENTRY: usize = 500;
/// Longest reason kept with an object.
const REASON_CHARS_MAX: usize = 200;

/// An object on its way to one destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub sequence: u64,
    pub object: ObjectName,
    pub attempts: u32,
    pub not_before: Option<Timestamp>,
    /// Why the last attempt failed.
    pub reason: Option<String>,
}

impl Waiting {
    pub fn is_isolated(&self) -> bool {
        self.attempts >= ATTEMPTS_MAX
    }
}

/// How far an object is on its way to one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    Queued {
        sequence: u64,
    },
    Forwarded {
        at: Timestamp,
    },
    /// The destination has itself confirmed that it keeps it.
    Confirmed {
        at: Timestamp,
    },
}

/// A destination's queue in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueState {
    pub waiting: usize,
    pub isolated: usize,
    pub unconfirmed: usize,
}

impl Store {
    /// Notes a destination of the site file; it gets what arrives from `at` on. Later calls change nothing.
    pub fn know_destination(&self, name: &str, at: Timestamp) -> Result<(), StoreError> {
        if self.destination_since(name)?.is_none() {
            self.append(&Entry::Destination { name: name.to_owned(), since: at })?;
            self.index_destination(name, at)?;
            self.inner.index.commit()?;
        }
        Ok(())
    }

    /// Queues what this study has and the destination has not been promised yet. A study that is still being sent,
    /// or is held, queues nothing: its next change brings it here again.
    pub fn queue_study(
        &self,
        destination: &str,
        study: &StudyUid,
        results: ResultsWanted,
    ) -> Result<usize, StoreError> {
        if self.live().sending(study) == Sending::Now || self.is_held(study)? {
            return Ok(0);
        }
        let Some(since) = self.destination_since(destination)? else { return Ok(0) };
        let _filing = self.inner.filing.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let records = self.inner.index.list::<InstanceRecord>(Tree::Instance, &prefix(&[study.as_str()]))?;
        let mut wanted = Vec::new();
        for (_, record) in records.iter().filter(|(_, record)| record.admitted_at >= since) {
            if self.is_wanted(destination, record, results)? {
                wanted.push(ObjectName::from(record));
            }
        }
        self.queue(destination, wanted.into_iter())
    }

    /// Queues quarantined objects: a PACS may understand what this box does not.
    pub fn queue_quarantine(&self, destination: &str) -> Result<usize, StoreError> {
        let Some(since) = self.destination_since(destination)? else { return Ok(0) };
        let folder = self.folder().join("quarantine");
        let listing = std::fs::read_dir(&folder).map_err(StoreError::file("list", &folder))?;
        let wanted = listing.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let at = Timestamp::from(entry.metadata().ok()?.modified().ok()?);
            (name.ends_with(".dcm") && at >= since).then(|| ObjectName::quarantined(&name))
        });
        self.queue(destination, wanted)
    }

    /// The next objects that may go now, oldest first, at most `count`.
    pub fn next_to_forward(
        &self,
        destination: &str,
        now: Timestamp,
        count: usize,
    ) -> Result<Vec<Waiting>, StoreError> {
        let mut found: Vec<Waiting> = Vec::new();
        let mut held = std::collections::BTreeMap::new();
        self.inner.index.scan(Tree::Forward, &prefix(&[destination]), |_, waiting: Waiting| {
            let due = !waiting.is_isolated() && waiting.not_before.is_none_or(|at| at <= now);
            if due && !self.waits_for_admin(&waiting.object, &mut held)? {
                found.push(waiting);
            }
            Ok(if found.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    /// The destination has these.
    pub fn forwarded(
        &self,
        destination: &str,
        sent: &[Waiting],
        needs_confirming: bool,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        for sent in sent.chunks(OBJECTS_PER_ENTRY) {
            let objects = sent.iter().map(|waiting| waiting.object.clone()).collect();
            self.append(&Entry::Forwarded {
                destination: destination.to_owned(),
                objects,
                at,
                needs_confirming,
            })?;
            for waiting in sent {
                self.inner.index.remove(Tree::Forward, &queue_key(destination, waiting.sequence))?;
                self.index_forwarded(destination, &waiting.object, needs_confirming, at)?;
            }
        }
        self.inner.index.commit()?;
        self.live().box_changed();
        Ok(())
    }

    /// An attempt failed for a reason that lies in the object; after `ATTEMPTS_MAX` it waits for a person. An object
    /// that cannot ever succeed is isolated at once.
    pub fn forward_failed(
        &self,
        destination: &str,
        waiting: &Waiting,
        reason: &str,
        for_good: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let attempts = if for_good { ATTEMPTS_MAX } else { waiting.attempts + 1 };
        let pause = OBJECT_PAUSE_MS << waiting.attempts.min(ATTEMPTS_MAX);
        let changed = Waiting {
            attempts,
            not_before: Some(Timestamp(now.0 + pause)),
            reason: Some(reason.chars().take(REASON_CHARS_MAX).collect()),
            ..waiting.clone()
        };
        if changed.is_isolated() {
            tracing::error!(destination, reason, "an object is set apart; the others go on");
        }
        self.inner.index.put(Tree::Forward, &queue_key(destination, waiting.sequence), &changed)?;
        self.inner.index.commit()?;
        self.live().box_changed();
        Ok(())
    }

    /// Everything that failed gets a new start, and what was not confirmed is asked about now. Returns how many objects
    /// had failed.
    pub fn retry(&self, destination: &str) -> Result<usize, StoreError> {
        let failed: Vec<Waiting> =
            self.waiting(destination)?.into_iter().filter(|waiting| waiting.attempts > 0).collect();
        for waiting in &failed {
            let fresh = Waiting { attempts: 0, not_before: None, ..waiting.clone() };
            self.inner.index.put(Tree::Forward, &queue_key(destination, waiting.sequence), &fresh)?;
        }
        self.ask_now(destination)?;
        self.inner.index.commit()?;
        self.live().try_again();
        Ok(failed.len())
    }

    /// The destination denies what it took: a person looks, and may have it sent again.
    pub(super) fn lost(
        &self,
        destination: &str,
        objects: &[ObjectName],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let _queueing = self.queueing();
        for objects in objects.chunks(OBJECTS_PER_ENTRY) {
            self.append(&Entry::Requeued { destination: destination.to_owned(), objects: objects.to_vec() })?;
            for object in objects {
                self.index_requeued(destination, object)?;
                if let Some(Mark::Queued { sequence }) = self.mark(destination, object)?
                    && let Some(waiting) = self.queue_entry(destination, sequence)?
                {
                    let reason = "the archive says that it does not keep it";
                    self.forward_failed(destination, &waiting, reason, true, now)?;
                }
            }
        }
        self.inner.index.commit()
    }

    pub fn mark(&self, destination: &str, object: &ObjectName) -> Result<Option<Mark>, StoreError> {
        self.inner.index.get(Tree::Mark, &key(&[destination, object.as_str()]))
    }

    /// The whole queue of a destination, in order.
    pub fn waiting(&self, destination: &str) -> Result<Vec<Waiting>, StoreError> {
        let rows = self.inner.index.list::<Waiting>(Tree::Forward, &prefix(&[destination]))?;
        Ok(rows.into_iter().map(|(_, waiting)| waiting).collect())
    }

    pub fn queue_state(&self, destination: &str) -> Result<QueueState, StoreError> {
        let mut state = QueueState::default();
        self.inner.index.scan(Tree::Forward, &prefix(&[destination]), |_, waiting: Waiting| {
            if waiting.is_isolated() {
                state.isolated += 1;
            } else {
                state.waiting += 1;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        state.unconfirmed = self.inner.index.count_below(Tree::Unconfirmed, &prefix(&[destination]));
        Ok(state)
    }

    pub(super) fn queue_entry(
        &self,
        destination: &str,
        sequence: u64,
    ) -> Result<Option<Waiting>, StoreError> {
        self.inner.index.get(Tree::Forward, &queue_key(destination, sequence))
    }

    fn queue(
        &self,
        destination: &str,
        objects: impl Iterator<Item = ObjectName>,
    ) -> Result<usize, StoreError> {
        let _queueing = self.queueing();
        let mut new = Vec::new();
        for object in objects {
            if self.mark(destination, &object)?.is_none() {
                new.push(object);
            }
        }
        for objects in new.chunks(OBJECTS_PER_ENTRY) {
            self.append(&Entry::Queued { destination: destination.to_owned(), objects: objects.to_vec() })?;
            for object in objects {
                self.index_queued(destination, object)?;
            }
        }
        if !new.is_empty() {
            self.inner.index.commit()?;
        }
        Ok(new.len())
    }

    fn waits_for_admin(
        &self,
        object: &ObjectName,
        known: &mut std::collections::BTreeMap<StudyUid, bool>,
    ) -> Result<bool, StoreError> {
        let Some(study) = object.study() else { return Ok(false) };
        if let Some(held) = known.get(&study) {
            return Ok(*held);
        }
        let held = self.is_held(&study)?;
        known.insert(study, held);
        Ok(held)
    }

    fn destination_since(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        self.inner.index.get(Tree::Meta, &key(&["destination", name]))
    }

    pub(super) fn index_destination(&self, name: &str, since: Timestamp) -> Result<(), StoreError> {
        self.inner.index.put(Tree::Meta, &key(&["destination", name]), &since)
    }

    /// Queues unless the object has a mark; so a replay repeats nothing.
    pub(super) fn index_queued(&self, destination: &str, object: &ObjectName) -> Result<(), StoreError> {
        if self.mark(destination, object)?.is_some() {
            return Ok(());
        }
        let last: u64 = self.inner.index.get(Tree::Meta, b"forward")?.unwrap_or(0);
        let sequence = last + 1;
        self.inner.index.put(Tree::Meta, b"forward", &sequence)?;
        let waiting =
            Waiting { sequence, object: object.clone(), attempts: 0, not_before: None, reason: None };
        self.inner.index.put(Tree::Forward, &queue_key(destination, sequence), &waiting)?;
        let mark = key(&[destination, object.as_str()]);
        self.inner.index.put(Tree::Mark, &mark, &Mark::Queued { sequence })
    }

    pub(super) fn index_requeued(&self, destination: &str, object: &ObjectName) -> Result<(), StoreError> {
        self.forget_mark(destination, object)?;
        self.index_queued(destination, object)
    }

    /// As if the destination had never been meant to get it.
    pub(super) fn forget_mark(&self, destination: &str, object: &ObjectName) -> Result<(), StoreError> {
        let name = key(&[destination, object.as_str()]);
        if let Some(Mark::Queued { sequence }) = self.mark(destination, object)? {
            self.inner.index.remove(Tree::Forward, &queue_key(destination, sequence))?;
        }
        self.inner.index.remove(Tree::Unconfirmed, &name)?;
        self.inner.index.remove(Tree::Mark, &name)
    }

    pub(super) fn index_forwarded(
        &self,
        destination: &str,
        object: &ObjectName,
        needs_confirming: bool,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        match self.mark(destination, object)? {
            Some(Mark::Confirmed { .. }) => return Ok(()),
            Some(Mark::Queued { sequence }) => {
                self.inner.index.remove(Tree::Forward, &queue_key(destination, sequence))?;
            }
            _ => {}
        }
        let name = key(&[destination, object.as_str()]);
        if needs_confirming {
            self.index_unconfirmed(destination, object)?;
        }
        self.inner.index.put(Tree::Mark, &name, &Mark::Forwarded { at })
    }
}

/// Big-endian numbers sort as they count.
fn queue_key(destination: &str, sequence: u64) -> Vec<u8> {
    [&prefix(&[destination])[..], &sequence.to_be_bytes()].concat()
}
