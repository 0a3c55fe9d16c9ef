//! The one perfusion series in memory: analysis puts it there, the viewer asks it for curves.
//!
//! It holds the series that was analysed last (up to 4 GiB, so never two) and forgets it when the next
//! one begins. Asking for another one leaves a wish; analysis reads it again and whoever asked asks again.

use std::sync::{Arc, Mutex, PoisonError};

use sidelight_kernels::perfusion::{Dynamic, Perfusion};

use crate::uid::StudyUid;

/// A series with what was found out about it, its maps left out: they are files.
#[derive(Debug)]
pub struct Kept {
    finding_id: String,
    pub dynamic: Arc<Dynamic>,
    pub perfusion: Perfusion,
}

impl Kept {
    pub fn new(finding_id: &str, dynamic: Arc<Dynamic>, mut perfusion: Perfusion) -> Self {
        let maps = &mut perfusion.maps;
        for map in [&mut maps.cbf, &mut maps.cbv, &mut maps.mtt, &mut maps.ttp, &mut maps.tmax] {
            *map = Vec::new();
        }
        Self { finding_id: finding_id.to_owned(), dynamic, perfusion }
    }
}

/// A finding whose series somebody wants in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub study: StudyUid,
    pub finding_id: String,
}

#[derive(Clone, Debug, Default)]
pub struct Resident(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    kept: Option<Arc<Kept>>,
    wanted: Option<Wanted>,
}

impl Resident {
    pub fn put(&self, kept: Kept) {
        self.lock().kept = Some(Arc::new(kept));
    }

    pub fn clear(&self) {
        self.lock().kept = None;
    }

    /// The series of a finding, or a wish for it: only the last one counts.
    pub fn get_or_want(&self, wanted: &Wanted) -> Option<Arc<Kept>> {
        let mut inner = self.lock();
        let kept = inner.kept.as_ref().filter(|kept| kept.finding_id == wanted.finding_id).cloned();
        if kept.is_none() {
            inner.wanted = Some(wanted.clone());
        }
        kept
    }

    /// The last wish, once.
    pub fn take_wanted(&self) -> Option<Wanted> {
        self.lock().wanted.take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
