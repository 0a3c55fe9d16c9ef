//! What is true only while the box runs: who is sending, what is being computed, who wants to know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, broadcast, watch};

use super::resident::Resident;
use crate::clock::Timestamp;
use crate::uid::StudyUid;

/// A listener further behind than this is told to read everything again.
const CHANGES_BEHIND_MAX: usize = 4096;

/// Names one association while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssociationId(pub u64);

/// What a study's last association did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// An association that sent for this study is still open.
    Now,
    /// All of them ended, the last one by A-RELEASE: the sender was done.
    Released,
    /// The last one broke, or the box restarted since: nobody knows.
    Unknown,
}

/// How far the work on a study is. `percent` where it can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub state: ProgressState,
    pub stage: String,
    pub percent: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressState {
    Waiting,
    Queued,
    Running,
}

#[derive(Debug)]
pub struct Live {
    inner: Mutex<Inner>,
    broker_up: AtomicBool,
    changes: broadcast::Sender<StudyUid>,
    /// Grows with each change of the box itself.
    box_changes: watch::Sender<u64>,
    retries: Notify,
    queues: Notify,
    reports: Notify,
    destinations: Mutex<BTreeMap<String, Reached>>,
    resident: Resident,
}

/// How the last attempt to reach a destination ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    pub at: Timestamp,
    /// Why it failed; absent where it went well.
    pub error: Option<String>,
}

#[derive(Debug, Default)]
struct Inner {
    open: BTreeMap<AssociationId, BTreeSet<StudyUid>>,
    released: BTreeMap<StudyUid, bool>,
    progress: BTreeMap<StudyUid, Progress>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            broker_up: AtomicBool::new(false),
            changes: broadcast::Sender::new(CHANGES_BEHIND_MAX),
            box_changes: watch::Sender::new(0),
            retries: Notify::new(),
            queues: Notify::new(),
            reports: Notify::new(),
            destinations: Mutex::default(),
            resident: Resident::default(),
        }
    }
}

impl Live {
    /// An association sent something for a study.
    pub fn receiving(&self, association: AssociationId, study: &StudyUid) {
        self.lock().open.entry(association).or_default().insert(study.clone());
    }

    /// An association ended; its studies are told.
    pub fn ended(&self, association: AssociationId, released: bool) {
        let studies = {
            let mut inner = self.lock();
            let studies = inner.open.remove(&association).unwrap_or_default();
            for study in &studies {
                inner.released.insert(study.clone(), released);
            }
            studies
        };
        for study in &studies {
            self.changed(study);
        }
    }

    pub fn sending(&self, study: &StudyUid) -> Sending {
        let inner = self.lock();
        if inner.open.values().any(|studies| studies.contains(study)) {
            return Sending::Now;
        }
        match inner.released.get(study) {
            Some(true) => Sending::Released,
            _ => Sending::Unknown,
        }
    }

    /// Nothing left to wait for: forgets what was only needed to wait.
    pub fn settled(&self, study: &StudyUid) {
        let mut inner = self.lock();
        inner.released.remove(study);
        inner.progress.remove(study);
    }

    /// Tells listeners only where something changed.
    pub fn set_progress(&self, study: &StudyUid, progress: &Progress) {
        let before = self.lock().progress.insert(study.clone(), progress.clone());
        if before.as_ref() != Some(progress) {
            self.changed(study);
        }
    }

    /// Nothing is being done about the study any more.
    pub fn clear_progress(&self, study: &StudyUid) {
        if self.lock().progress.remove(study).is_some() {
            self.changed(study);
        }
    }

    pub fn progress(&self, study: &StudyUid) -> Option<Progress> {
        self.lock().progress.get(study).cloned()
    }

    /// Whether the broker takes our messages.
    pub fn set_broker(&self, up: bool) {
        if self.broker_up.swap(up, Ordering::Relaxed) != up {
            tracing::info!(up, "broker");
        }
    }

    pub fn broker_is_up(&self) -> bool {
        self.broker_up.load(Ordering::Relaxed)
    }

    /// Notes how an attempt to reach a destination ended.
    pub fn set_reached(&self, destination: &str, reached: Reached) {
        let error = reached.error.clone();
        let before = {
            let mut known = self.destinations.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            known.insert(destination.to_owned(), reached)
        };
        if before.is_none_or(|before| before.error != error) {
            self.box_changed();
        }
    }

    pub fn reached(&self, destination: &str) -> Option<Reached> {
        let known = self.destinations.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.get(destination).cloned()
    }

    /// The perfusion series in memory.
    pub fn resident(&self) -> &Resident {
        &self.resident
    }

    /// A person wants what failed to be tried again, now.
    pub fn try_again(&self) {
        self.retries.notify_waiters();
        self.box_changed();
    }

    /// Something was queued for a destination.
    pub fn queued(&self) {
        self.queues.notify_waiters();
        self.box_changed();
    }

    /// Returns when something was.
    pub async fn queue_grew(&self) {
        self.queues.notified().await;
    }

    /// An archive reported on what it was asked.
    pub(super) fn report_came(&self) {
        self.reports.notify_waiters();
    }

    /// Returns when one did, from this call on.
    pub fn report_heard(&self) -> impl Future<Output = ()> + '_ {
        self.reports.notified()
    }

    /// Returns when a person wants that.
    pub async fn retry_wanted(&self) {
        self.retries.notified().await;
    }

    pub fn changed(&self, study: &StudyUid) {
        // Nobody listening is fine: whoever comes reads the store first.
        let _ = self.changes.send(study.clone());
    }

    /// Something changed that is about no one study: a queue, a destination, the quarantine, what is kept.
    pub fn box_changed(&self) {
        self.box_changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub fn watch_box(&self) -> watch::Receiver<u64> {
        self.box_changes.subscribe()
    }

    pub fn subscribe(&self) -> broadcast::Receiver<StudyUid> {
        self.changes.subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
