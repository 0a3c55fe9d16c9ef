//! What may leave the disk, and how it leaves: only what an archive has itself confirmed, in whole studies.
//!
//! Invariants: a deletion is audited and journalled before the first file goes, a start finishes one that was cut
//! off, and only the very bytes that were confirmed go (names carry the hash). Nothing is deleted of a study that is
//! under legal hold, held for its identity, still being sent, not yet analysed, or owed to any destination.
//! A result of the box itself that no archive is to get goes with its study, for it can be made of its finding again.
//! Findings stay: they are small, and no archive has confirmed them. It does not decide when: see [`Store::free`].

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::forwarding::{Mark, OBJECTS_PER_ENTRY};
use super::index::{Tree, prefix};
use super::journal::Entry;
use super::object::ObjectName;
use super::records::{InstanceRecord, StudyRecord};
use super::{Sending, Store, durable};
use crate::audit::{Event, Kind, Outcome, Who};
use crate::clock::Timestamp;
use crate::store::finding::FindingState;
use crate::uid::StudyUid;

/// Why a study stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stays {
    #[error("an archive has not confirmed all of its objects")]
    Unconfirmed,
    #[error("a legal hold stands")]
    LegalHold,
    #[error("its identity waits for an admin")]
    HeldIdentity,
    #[error("it is still being received or analysed")]
    InWork,
    #[error("a destination still waits for some of it")]
    Owed,
}

/// A study that must not be deleted, whoever asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegalHold {
    pub reason: String,
    pub by: String,
    pub at: Timestamp,
}

/// What one look at the quota did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    pub studies: u64,
    pub objects: u64,
    pub bytes: u64,
    /// Still above the quota: nothing more may go.
    pub over_bytes: u64,
}

/// A study as the order of deletion sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub study: StudyUid,
    pub was_read: bool,
    pub last_arrival: Timestamp,
    pub bytes: u64,
}

impl Store {
    /// Bytes of all received objects.
    pub fn used_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.studies()?.iter().map(|(_, record)| record.bytes).sum())
    }

    /// Deletes studies until at most `quota_bytes` are used: read ones first, oldest first, and only those that
    /// may go. `archives` are the destinations whose confirmation counts; `owed_to` all destinations.
    pub fn free(
        &self,
        quota_bytes: u64,
        archives: &[String],
        owed_to: &[String],
        at: Timestamp,
    ) -> Result<Freed, StoreError> {
        let mut freed = Freed::default();
        let mut used = self.used_bytes()?;
        if used <= quota_bytes || archives.is_empty() {
            return Ok(Freed { over_bytes: used.saturating_sub(quota_bytes), ..freed });
        }
        for candidate in in_order(self.candidates()?) {
            if used <= quota_bytes {
                break;
            }
            if self.stays(&candidate.study, archives, owed_to)?.is_some() {
                continue;
            }
            let objects = self.delete(&candidate.study, archives, owed_to, at)?;
            used = used.saturating_sub(candidate.bytes);
            freed.studies += 1;
            freed.objects += objects;
            freed.bytes += candidate.bytes;
        }
        freed.over_bytes = used.saturating_sub(quota_bytes);
        Ok(freed)
    }

    /// Why a study may not be deleted; `None` where it may.
    pub fn stays(
        &self,
        study: &StudyUid,
        archives: &[String],
        owed_to: &[String],
    ) -> Result<Option<Stays>, StoreError> {
        if self.legal_hold(study)?.is_some() {
            return Ok(Some(Stays::LegalHold));
        }
        if self.is_held(study)? {
            return Ok(Some(Stays::HeldIdentity));
        }
        let open = self.inner.index.contains(Tree::Open, study.as_str().as_bytes())?;
        if open || self.live().sending(study) == Sending::Now {
            return Ok(Some(Stays::InWork));
        }
        for (_, record) in self.all_instances(study)? {
            let object = ObjectName::from(&record);
            for destination in owed_to {
                if matches!(self.mark(destination, &object)?, Some(Mark::Queued { .. })) {
                    return Ok(Some(Stays::Owed));
                }
            }
            let unwanted = record.own && self.was_never_owed(&object, archives)?;
            if !unwanted && !self.is_confirmed(&object, archives)? {
                return Ok(Some(Stays::Unconfirmed));
            }
        }
        Ok(None)
    }

    pub fn legal_hold(&self, study: &StudyUid) -> Result<Option<LegalHold>, StoreError> {
        self.inner.index.get(Tree::LegalHold, study.as_str().as_bytes())
    }

    /// Sets or lifts (`None`) a legal hold. Durable and audited when it returns.
    pub fn set_legal_hold(
        &self,
        study: &StudyUid,
        hold: Option<&LegalHold>,
        by: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let record = self.study(study)?;
        let what = hold.map_or("lifted".to_owned(), |hold| format!("set: {}", hold.reason));
        let event = Event::new(Kind::LegalHold, Outcome::Success, Who { user: by.to_owned(), address: None });
        self.audit().record(&event.on(study, &record.patient_study).because(what), at)?;
        let _filing = self.inner.filing.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.append(&Entry::LegalHold { study: study.clone(), hold: hold.cloned() })?;
        self.index_legal_hold(study, hold)?;
        self.inner.index.commit()?;
        self.live().changed(study);
        Ok(())
    }

    pub(super) fn index_legal_hold(
        &self,
        study: &StudyUid,
        hold: Option<&LegalHold>,
    ) -> Result<(), StoreError> {
        let key = study.as_str().as_bytes();
        match hold {
            Some(hold) => self.inner.index.put(Tree::LegalHold, key, hold),
            None => self.inner.index.remove(Tree::LegalHold, key),
        }
    }

    /// Takes the files away and what the index says of them. Called again for what a power cut left undone.
    pub(super) fn remove_objects(&self, objects: &[ObjectName]) -> Result<(), StoreError> {
        for object in objects {
            let path = self.object_path(object);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::file("remove", &path)(error));
                }
                _ => {}
            }
            self.forget_object(object)?;
        }
        for folder in folders_of(self, objects) {
            durable::sync_folder(&folder)?;
            // Only an empty folder goes; findings and late arrivals keep theirs.
            if std::fs::remove_dir(&folder).is_ok()
                && let Some(study) = folder.parent()
            {
                durable::sync_folder(study)?;
            }
        }
        Ok(())
    }

    /// Drops the index entry and all marks of an object that is gone.
    pub(super) fn forget_object(&self, object: &ObjectName) -> Result<(), StoreError> {
        if let Some(key) = object.instance_key() {
            self.inner.index.remove(Tree::Instance, &key)?;
        }
        if let Some(key) = object.holding_key() {
            self.inner.index.remove(Tree::Holding, &key)?;
        }
        self.inner.index.remove(Tree::Committed, object.as_str().as_bytes())?;
        self.forget_marks(object)
    }

    /// A deleted object that arrives again is sent again.
    pub(super) fn forget_marks(&self, object: &ObjectName) -> Result<(), StoreError> {
        for (key, _) in self.inner.index.list::<Timestamp>(Tree::Meta, &prefix(&["destination"]))? {
            let Some(destination) = std::str::from_utf8(&key).ok().and_then(|key| key.split('\0').nth(1))
            else {
                continue;
            };
            self.forget_mark(destination, object)?;
        }
        Ok(())
    }

    /// Drops study and series records of which no instance is left, and what was made of its images.
    pub(super) fn forget_empty_study(&self, study: &StudyUid) -> Result<bool, StoreError> {
        if !self.all_instances(study)?.is_empty() {
            return Ok(false);
        }
        self.forget_study_records(study)?;
        self.drop_parts(study)?;
        self.drop_runs(study)?;
        Ok(true)
    }

    /// Drops what the index says of a study and its series.
    pub(super) fn forget_study_records(&self, study: &StudyUid) -> Result<(), StoreError> {
        for (key, _) in
            self.inner.index.list::<serde_json::Value>(Tree::Series, &prefix(&[study.as_str()]))?
        {
            self.inner.index.remove(Tree::Series, &key)?;
        }
        for tree in [Tree::Study, Tree::Open, Tree::Identity] {
            self.inner.index.remove(tree, study.as_str().as_bytes())?;
        }
        Ok(())
    }

    /// Every instance of a study, those not in use included.
    pub(super) fn all_instances(
        &self,
        study: &StudyUid,
    ) -> Result<Vec<(Vec<u8>, InstanceRecord)>, StoreError> {
        self.inner.index.list(Tree::Instance, &prefix(&[study.as_str()]))
    }

    /// A result that no archive wants: it goes with its study, for the finding it was made of stays.
    fn was_never_owed(&self, object: &ObjectName, archives: &[String]) -> Result<bool, StoreError> {
        for archive in archives {
            if self.mark(archive, object)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_confirmed(&self, object: &ObjectName, archives: &[String]) -> Result<bool, StoreError> {
        for archive in archives {
            if matches!(self.mark(archive, object)?, Some(Mark::Confirmed { .. })) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A study counts as read when a reader has judged a finding in it.
    pub(super) fn candidates(&self) -> Result<Vec<Candidate>, StoreError> {
        let mut found = Vec::new();
        for (study, StudyRecord { last_arrival, bytes, .. }) in self.studies()? {
            let judged = |state| matches!(state, FindingState::Confirmed | FindingState::Rejected);
            let was_read = self.finding_cards(&study)?.iter().any(|card| judged(card.state));
            found.push(Candidate { study, was_read, last_arrival, bytes });
        }
        Ok(found)
    }

    fn delete(
        &self,
        study: &StudyUid,
        archives: &[String],
        owed_to: &[String],
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        // Nothing is filed meanwhile: an object that arrives now is either seen here or filed after this.
        let _filing = self.inner.filing.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.stays(study, archives, owed_to)?.is_some() {
            return Ok(0);
        }
        let record = self.study(study)?;
        let records = self.all_instances(study)?;
        let objects: Vec<ObjectName> = records.iter().map(|(_, record)| record.into()).collect();
        let event = Event::new(Kind::StudyDeleted, Outcome::Success, Who::this_box());
        let event = event.on(study, &record.patient_study).counting(objects.len() as u64);
        self.audit().record(&event.because("quota; an archive has confirmed all of it"), at)?;
        for objects in objects.chunks(OBJECTS_PER_ENTRY) {
            self.append(&Entry::Deleting { objects: objects.to_vec() })?;
            self.remove_objects(objects)?;
            self.append(&Entry::Deleted { objects: objects.len() as u64 })?;
        }
        self.forget_empty_study(study)?;
        self.inner.index.commit()?;
        self.live().changed(study);
        Ok(objects.len() as u64)
    }
}

fn folders_of(store: &Store, objects: &[ObjectName]) -> std::collections::BTreeSet<std::path::PathBuf> {
    objects.iter().filter_map(|object| Some(store.object_path(object).parent()?.to_owned())).collect()
}

/// Read ones first, oldest first.
pub(super) fn in_order(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by_key(|candidate| (!candidate.was_read, candidate.last_arrival));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_ones_go_first_and_the_oldest_of_them() {
        let candidate = |uid: &str, was_read, at| Candidate {
            study: StudyUid::parse(uid).unwrap(),
            was_read,
            last_arrival: Timestamp(at),
            bytes: 1,
        };
        let order = in_order(vec![
            candidate("1.1", false, 1),
            candidate("1.2", true, 9),
            candidate("1.3", true, 5),
            candidate("1.4", false, 3),
        ]);
        let order: Vec<&str> = order.iter().map(|candidate| candidate.study.as_str()).collect();
        assert_eq!(order, ["1.3", "1.2", "1.1", "1.4"]);
    }
}
