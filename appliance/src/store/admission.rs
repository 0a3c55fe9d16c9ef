//! Objects become part of the store: named, indexed and durable.

use std::collections::HashSet;
use std::fs::File;
use std::path::PathBuf;

use super::error::StoreError;
use super::identity::InstanceArrival;
use super::index::{Tree, key, prefix};
use super::records::{InstanceRecord, SeriesRecord, StudyRecord, file_name};
use super::{Store, durable, instance_key, side_by_side};
use crate::clock::Timestamp;
use crate::part10::InstanceFacts;
use crate::uid::StudyUid;

/// An object whose bytes lie in `incoming/`, hashed, under a name of ours.
#[derive(Debug)]
pub struct Arrived {
    pub path: PathBuf,
    /// SHA-256 of the data set without our header, hexadecimal.
    pub sha256: String,
    /// Length of the file, header included.
    pub bytes: u64,
}

/// What became of an object that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Stored,
    /// The very same bytes were here already.
    Duplicate,
    /// The UID was here already with other bytes: both are kept.
    Conflict,
}

impl Store {
    /// Files an object whose bytes are written to `file`. When this returns, the object survives a power cut and may
    /// be acknowledged.
    pub fn admit(
        &self,
        arrived: &Arrived,
        file: &File,
        facts: InstanceFacts,
        at: Timestamp,
    ) -> Result<Admission, StoreError> {
        let arrival = InstanceArrival::from(&facts);
        let study = arrival.study.clone();
        let _filing = self.inner.filing.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let was_known = self.inner.index.contains(Tree::Study, study.as_str().as_bytes())?;
        let was_held = was_known && self.is_held(&study)?;
        let admission = self.name_and_index(arrived, file, facts, at)?;
        if admission != Admission::Duplicate {
            self.tell_arrival(&arrival, was_known, was_held, at)?;
        }
        self.inner.live.changed(&study);
        Ok(admission)
    }

    /// Bytes and name become durable side by side: two waits for the disk are one, and the index is written meanwhile.
    /// The index itself is committed later: what a power cut takes of it the next start reads again from this folder,
    /// whose own time is durable. Until the object is, the index says that it is settling: after a power cut the next
    /// start looks at its bytes, and at nothing else's, before it counts.
    fn name_and_index(
        &self,
        arrived: &Arrived,
        file: &File,
        facts: InstanceFacts,
        at: Timestamp,
    ) -> Result<Admission, StoreError> {
        let (folder, key) =
            (self.series_folder(&facts.study, &facts.series), instance_key(&facts, &arrived.sha256));
        durable::create_folder(&folder)?;
        let target = folder.join(file_name(facts.sop_instance.as_str(), &arrived.sha256));
        let sync = || file.sync_all().map_err(StoreError::file("sync", &arrived.path));
        let was_there = target.exists();
        if was_there {
            // It may have been acknowledged: only what is durable takes its place.
            sync()?;
        }
        durable::rename(&arrived.path, &target)?;
        let index = || {
            self.inner.index.put(Tree::Settling, &key, &())?;
            match was_there {
                true => self.index_known(facts, arrived, at),
                false => self.index_instance(facts, arrived, at),
            }
        };
        let (synced, (named, indexed)) =
            side_by_side(sync, || side_by_side(|| durable::sync_folder(&folder), index));
        synced?;
        named?;
        let admission = indexed?;
        self.inner.index.remove(Tree::Settling, &key)?;
        self.inner.index.commit_soon()?;
        Ok(admission)
    }

    /// A file of that name was there: a duplicate, unless a power cut came before it was indexed.
    fn index_known(
        &self,
        facts: InstanceFacts,
        arrived: &Arrived,
        at: Timestamp,
    ) -> Result<Admission, StoreError> {
        let known = self.inner.index.contains(Tree::Instance, &instance_key(&facts, &arrived.sha256))?;
        if known { Ok(Admission::Duplicate) } else { self.index_instance(facts, arrived, at) }
    }

    pub(super) fn index_instance(
        &self,
        facts: InstanceFacts,
        arrived: &Arrived,
        at: Timestamp,
    ) -> Result<Admission, StoreError> {
        let _writing = self.writing();
        let index = &self.inner.index;
        let key = instance_key(&facts, &arrived.sha256);
        if index.contains(Tree::Instance, &key)? {
            return Ok(Admission::Duplicate);
        }
        let same_uid = prefix(&[facts.study.as_str(), facts.series.as_str(), facts.sop_instance.as_str()]);
        let same_uid = index.list::<InstanceRecord>(Tree::Instance, &same_uid)?;
        let conflict = !same_uid.is_empty();
        // A result of ours that an archive changed and sent back is no news of the patient: counting it would
        // supersede the finding it came from, and that result would come back, too.
        if !same_uid.iter().any(|(_, record)| record.own) {
            self.count_study(&facts, conflict, arrived.bytes, at)?;
            self.note_identity(&facts)?;
            if !conflict {
                self.count_series(&facts)?;
            }
            index.put(Tree::Open, facts.study.as_str().as_bytes(), &())?;
        }
        self.hold(&facts, &arrived.sha256, arrived.bytes)?;
        let record = InstanceRecord {
            facts,
            sha256: arrived.sha256.clone(),
            bytes: arrived.bytes,
            admitted_at: at,
            conflict,
            own: false,
        };
        index.put(Tree::Instance, &key, &record)?;
        Ok(if conflict { Admission::Conflict } else { Admission::Stored })
    }

    fn count_study(
        &self,
        facts: &InstanceFacts,
        conflict: bool,
        bytes: u64,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let key = facts.study.as_str().as_bytes();
        let mut record = self.inner.index.get(Tree::Study, key)?.unwrap_or_else(|| StudyRecord {
            patient_study: facts.patient_study.clone(),
            first_arrival: at,
            last_arrival: at,
            instances: 0,
            conflicts: 0,
            bytes: 0,
        });
        record.bytes += bytes;
        record.instances += 1;
        record.conflicts += u64::from(conflict);
        record.first_arrival = record.first_arrival.min(at);
        record.last_arrival = record.last_arrival.max(at);
        self.inner.index.put(Tree::Study, key, &record)
    }

    /// Counts a study and its series anew from their instances. After a crash the index may have counted an object whose
    /// own entry it lost: such an object was indexed, and counted, again.
    pub(super) fn recount(&self, study: &StudyUid) -> Result<(), StoreError> {
        let _writing = self.writing();
        let index = &self.inner.index;
        let records: Vec<InstanceRecord> =
            self.all_instances(study)?.into_iter().map(|(_, record)| record).collect();
        let own: HashSet<&str> = records
            .iter()
            .filter(|record| record.own)
            .map(|record| record.facts.sop_instance.as_str())
            .collect();
        let arrived = || records.iter().filter(|record| !own.contains(record.facts.sop_instance.as_str()));
        let key_of = study.as_str().as_bytes();
        if let Some(mut counted) = index.get::<StudyRecord>(Tree::Study, key_of)? {
            counted.instances = arrived().count() as u64;
            counted.conflicts = arrived().filter(|record| record.conflict).count() as u64;
            counted.bytes = arrived().map(|record| record.bytes).sum();
            index.put(Tree::Study, key_of, &counted)?;
        }
        for (key, mut counted) in index.list::<SeriesRecord>(Tree::Series, &prefix(&[study.as_str()]))? {
            let of_it =
                || records.iter().filter(|record| !record.conflict && series_key(&record.facts) == key);
            counted.instances = of_it().count() as u64;
            counted.frames = of_it().map(|record| frames(&record.facts)).sum();
            index.put(Tree::Series, &key, &counted)?;
        }
        Ok(())
    }

    fn count_series(&self, facts: &InstanceFacts) -> Result<(), StoreError> {
        let key = series_key(facts);
        let mut record =
            self.inner.index.get(Tree::Series, &key)?.unwrap_or_else(|| SeriesRecord::begun(facts, false));
        record.instances += 1;
        record.frames += frames(facts);
        self.inner.index.put(Tree::Series, &key, &record)
    }
}

fn series_key(facts: &InstanceFacts) -> Vec<u8> {
    key(&[facts.study.as_str(), facts.series.as_str()])
}

fn frames(facts: &InstanceFacts) -> u64 {
    facts.picture.as_ref().map_or(0, |picture| u64::from(picture.frames))
}
