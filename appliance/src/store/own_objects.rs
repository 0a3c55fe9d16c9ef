//! Result objects of the box itself, filed among the study's instances without ever counting as an arrival.
//!
//! ```text
//! data/studies/<study>/<own series>/<sop>-<hash>.own.dcm
//! ```
//!
//! An own object is an ordinary instance of its study for whoever asks for instances (DICOMweb, forwarding). It does
//! not reopen the study, does not change what a finding was computed from, and supersedes nothing. A rebuilt index
//! knows it by its name. Its UIDs follow from the finding alone, so a step repeated after a crash makes the same
//! object, and the first one filed stays.

use std::fs::File;
use std::io::Write as _;

use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::finding::FindingState;
use super::index::{Tree, key, prefix};
use super::records::{FindingCard, InstanceRecord, SeriesRecord};
use super::{Admission, Arrived, Store, durable, hex, instance_key};
use crate::clock::Timestamp;
use crate::part10::{Header, InstanceFacts, read_facts};
use crate::uid::{SeriesUid, SopInstanceUid, StudyUid};

/// Ends the name of every own object's file.
pub(super) const SUFFIX: &str = ".own";

/// The kinds of objects a finding becomes, each in a series of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultKind {
    StructuredReport,
    Segmentation,
    ParametricMap,
    SecondaryCapture,
    EncapsulatedPdf,
}

impl ResultKind {
    pub const ALL: [Self; 5] = [
        Self::StructuredReport,
        Self::Segmentation,
        Self::ParametricMap,
        Self::SecondaryCapture,
        Self::EncapsulatedPdf,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::StructuredReport => "sr",
            Self::Segmentation => "seg",
            Self::ParametricMap => "pm",
            Self::SecondaryCapture => "sc",
            Self::EncapsulatedPdf => "pdf",
        }
    }

    /// The series that holds a finding's objects of this kind.
    pub fn series(self, finding_id: &str) -> SeriesUid {
        SeriesUid::parse(&derived_uid(&["series", finding_id, self.name()])).expect("derived UIDs are legal")
    }

    /// One object: `part` tells several of a kind apart, such as states of a report or slices of a picture.
    pub fn instance(self, finding_id: &str, part: &str) -> SopInstanceUid {
        let uid = derived_uid(&["instance", finding_id, self.name(), part]);
        SopInstanceUid::parse(&uid).expect("derived UIDs are legal")
    }

    /// The object that states a finding in this state and revision.
    pub fn stating(self, finding_id: &str, state: FindingState, revision: u32) -> SopInstanceUid {
        self.instance(finding_id, &stating(state, revision))
    }
}

/// Tells apart what states a finding's states and revisions.
pub fn stating(state: FindingState, revision: u32) -> String {
    let state = format!("{state:?}").to_lowercase();
    if revision == 0 { state } else { format!("{state} {revision}") }
}

/// A UID under 2.25 (PS3.5 B.2) from a hash: a version 8 UUID (RFC 9562) of SHA-256 over the parts.
pub fn derived_uid(parts: &[&str]) -> String {
    let digest = Sha256::digest(parts.join("\0").as_bytes());
    let mut bytes: [u8; 16] = digest[..16].try_into().expect("SHA-256 has 32 bytes");
    bytes[6] = bytes[6] & 0x0F | 0x80;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    format!("2.25.{}", u128::from_be_bytes(bytes))
}

impl Store {
    /// Files an object the box made. Durable when it returns; a second object of the same UID is dropped.
    pub fn admit_own(
        &self,
        header: &Header,
        data_set: &[u8],
        at: Timestamp,
    ) -> Result<Admission, StoreError> {
        let (arrived, file) = self.write_incoming(header, data_set)?;
        let path = &arrived.path;
        file.sync_all().map_err(StoreError::file("sync", path))?;
        let facts = read_facts(path)?;
        if self.holds(&facts.study, &facts.series, &facts.sop_instance)? {
            std::fs::remove_file(path).map_err(StoreError::file("remove", path))?;
            return Ok(Admission::Duplicate);
        }
        let folder = self.series_folder(&facts.study, &facts.series);
        durable::create_folder(&folder)?;
        let study = facts.study.clone();
        let record = record(facts, &arrived, at);
        durable::place(&arrived.path, &folder.join(record.file_name()))?;
        self.index_own(&record)?;
        self.inner.index.commit()?;
        self.inner.live.changed(&study);
        Ok(Admission::Stored)
    }

    /// Files an image that the box derived because a reader asked. It counts as an arrival, as if a workstation had sent it.
    pub fn admit_made(
        &self,
        header: &Header,
        data_set: &[u8],
        at: Timestamp,
    ) -> Result<Admission, StoreError> {
        let (arrived, file) = self.write_incoming(header, data_set)?;
        let facts = read_facts(&arrived.path)?;
        self.admit(&arrived, &file, facts, at)
    }

    fn write_incoming(&self, header: &Header, data_set: &[u8]) -> Result<(Arrived, File), StoreError> {
        let path = self.incoming_path();
        let head = header.to_bytes();
        let mut file = File::create(&path).map_err(StoreError::file("create", &path))?;
        file.write_all(&head)
            .and_then(|()| file.write_all(data_set))
            .map_err(StoreError::file("write", &path))?;
        let bytes = (head.len() + data_set.len()) as u64;
        Ok((Arrived { path, sha256: hex(&Sha256::digest(data_set)), bytes }, file))
    }

    /// Whether the store has an instance by this name in use.
    pub fn holds(
        &self,
        study: &StudyUid,
        series: &SeriesUid,
        sop_instance: &SopInstanceUid,
    ) -> Result<bool, StoreError> {
        let prefix = prefix(&[study.as_str(), series.as_str(), sop_instance.as_str()]);
        Ok(!self.inner.index.list::<InstanceRecord>(Tree::Instance, &prefix)?.is_empty())
    }

    /// Everything the box made of a finding.
    pub fn own_objects(
        &self,
        study: &StudyUid,
        finding_id: &str,
    ) -> Result<Vec<(ResultKind, InstanceRecord)>, StoreError> {
        let mut found = Vec::new();
        for kind in ResultKind::ALL {
            let records = self.instances(study, &kind.series(finding_id))?;
            found.extend(records.into_iter().map(|record| (kind, record)));
        }
        Ok(found)
    }

    /// The finding an own object was made of; `None` for an object from elsewhere.
    pub fn finding_behind(&self, record: &InstanceRecord) -> Result<Option<FindingCard>, StoreError> {
        if !record.own {
            return Ok(None);
        }
        let made = |card: &FindingCard| {
            ResultKind::ALL.iter().any(|kind| kind.series(&card.id) == record.facts.series)
        };
        Ok(self.finding_cards(&record.facts.study)?.into_iter().find(made))
    }

    /// Indexes an own object found on disk.
    pub(super) fn reindex_own(
        &self,
        facts: InstanceFacts,
        arrived: &Arrived,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.index_own(&record(facts, arrived, at))
    }

    fn index_own(&self, record: &InstanceRecord) -> Result<(), StoreError> {
        let _writing = self.inner.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (index, facts) = (&self.inner.index, &record.facts);
        let instance = instance_key(facts, &record.sha256);
        if index.contains(Tree::Instance, &instance)? {
            return Ok(());
        }
        let series = key(&[facts.study.as_str(), facts.series.as_str()]);
        let mut counted =
            index.get(Tree::Series, &series)?.unwrap_or_else(|| SeriesRecord::begun(facts, true));
        counted.instances += 1;
        counted.frames += facts.picture.as_ref().map_or(0, |picture| u64::from(picture.frames));
        index.put(Tree::Series, &series, &counted)?;
        index.put(Tree::Instance, &instance, record)
    }
}

fn record(facts: InstanceFacts, arrived: &Arrived, at: Timestamp) -> InstanceRecord {
    InstanceRecord {
        facts,
        sha256: arrived.sha256.clone(),
        bytes: arrived.bytes,
        admitted_at: at,
        conflict: false,
        own: true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::retention::Stays;
    use super::super::tests::{AT, data_set, open, send, study};
    use super::super::{ObjectName, ResultsWanted};
    use super::*;

    const OWN_SERIES: &str = "1.2.9";
    const OWN: &str = "1.2.9.1";

    fn make(store: &Store, marker: &str) -> Admission {
        let header = Header {
            sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
            sop_instance: OWN.into(),
            transfer_syntax: "1.2.840.10008.1.2.1".into(),
            source_ae_title: String::new(),
        };
        store.admit_own(&header, &data_set("1.2", OWN_SERIES, OWN, marker), AT).unwrap()
    }

    fn own_series() -> SeriesUid {
        SeriesUid::parse(OWN_SERIES).unwrap()
    }

    #[test]
    fn an_own_object_is_an_instance_but_no_arrival_before_and_after_a_rebuild() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(folder.path());
        send(&store, "1.2", "1.2.3", "1.2.3.1", "a");
        store.settle(&study(), 1).unwrap();
        assert_eq!(make(&store, "x"), Admission::Stored);
        assert_eq!(make(&store, "made again with other words"), Admission::Duplicate);
        assert!(store.open_studies().unwrap().is_empty(), "filing a result reopened the study");
        drop(store);
        Store::rebuild_index(folder.path()).unwrap();
        let (store, _) = open(folder.path());
        assert_eq!(store.study(&study()).unwrap().instances, 1);
        let records = store.instances(&study(), &own_series()).unwrap();
        assert_eq!(records.len(), 1);
        assert!(records[0].own && store.instance_path(&records[0]).exists());
        let series = store.series(&study()).unwrap();
        assert_eq!(series.iter().map(|(_, series)| series.own).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn a_result_that_comes_back_changed_is_kept_and_supersedes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(folder.path());
        send(&store, "1.2", "1.2.3", "1.2.3.1", "a");
        store.settle(&study(), 1).unwrap();
        make(&store, "x");
        assert_eq!(send(&store, "1.2", OWN_SERIES, OWN, "x"), Admission::Duplicate);
        assert_eq!(send(&store, "1.2", OWN_SERIES, OWN, "coerced"), Admission::Conflict);
        assert_eq!(store.study(&study()).unwrap().instances, 1);
        assert!(store.open_studies().unwrap().is_empty());
        assert_eq!(store.instances(&study(), &own_series()).unwrap().len(), 1, "the changed one is in use");
    }

    #[test]
    fn a_result_no_archive_wants_goes_with_its_study_and_one_that_is_owed_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(folder.path());
        let archives = ["archive".to_owned()];
        store.know_destination("archive", Timestamp(0)).unwrap();
        send(&store, "1.2", "1.2.3", "1.2.3.1", "a");
        store.settle(&study(), 1).unwrap();
        store.queue_study("archive", &study(), ResultsWanted::Never).unwrap();
        let confirm = || {
            let sent = store.next_to_forward("archive", AT, 9).unwrap();
            store.forwarded("archive", &sent, true, AT).unwrap();
            store.confirmed("archive", &store.unconfirmed("archive", AT, 9).unwrap(), AT).unwrap();
        };
        confirm();
        make(&store, "x");
        assert_eq!(store.stays(&study(), &archives, &archives).unwrap(), None);
        let own = ObjectName::from(&store.instances(&study(), &own_series()).unwrap()[0]);
        store.index_queued("archive", &own).unwrap();
        assert_eq!(store.stays(&study(), &archives, &archives).unwrap(), Some(Stays::Owed));
        confirm();
        assert_eq!(store.stays(&study(), &archives, &archives).unwrap(), None);
    }

    #[test]
    fn derived_uids_are_legal_and_differ_by_every_part() {
        let one = derived_uid(&["a", "b"]);
        assert!(SopInstanceUid::parse(&one).is_ok() && one.starts_with("2.25."));
        assert_eq!(one, derived_uid(&["a", "b"]));
        assert_ne!(one, derived_uid(&["a", "c"]));
        assert_ne!(one, derived_uid(&["ab", ""]));
    }
}
