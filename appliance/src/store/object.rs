//! One file of the store by its place: what queues, marks and deletions speak of.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Store;
use super::records::InstanceRecord;
use crate::uid::{SeriesUid, SopInstanceUid, StudyUid};

/// Path of an object below the data folder: `studies/<study>/<series>/<sop>-<hash>.dcm` or `quarantine/<hash>.dcm`.
/// It names one sequence of bytes for ever, because the name carries their hash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName(String);

impl std::fmt::Debug for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ObjectName(hidden)")
    }
}

impl ObjectName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn quarantined(file_name: &str) -> Self {
        Self(format!("quarantine/{file_name}"))
    }

    /// By its path below the data folder.
    pub(super) fn at(path: &Path) -> Self {
        Self(path.to_string_lossy().into_owned())
    }

    pub fn is_quarantined(&self) -> bool {
        self.0.starts_with("quarantine/")
    }

    /// Study, series and instance; nothing for a quarantined object, which has none that can be trusted.
    pub fn uids(&self) -> Option<(StudyUid, SeriesUid, SopInstanceUid)> {
        let mut parts = self.0.strip_prefix("studies/")?.split('/');
        let (study, series, file) = (parts.next()?, parts.next()?, parts.next()?);
        let (sop, _) = file.split_once('-')?;
        Some((StudyUid::parse(study).ok()?, SeriesUid::parse(series).ok()?, SopInstanceUid::parse(sop).ok()?))
    }

    pub fn study(&self) -> Option<StudyUid> {
        self.uids().map(|(study, _, _)| study)
    }

    /// Key by which commitment finds the object.
    pub(super) fn holding_key(&self) -> Option<Vec<u8>> {
        let key = self.instance_key()?;
        let mut parts = key.splitn(3, |byte| *byte == 0);
        parts.nth(2).map(<[u8]>::to_vec)
    }

    /// Key of the object's record in the index.
    pub(super) fn instance_key(&self) -> Option<Vec<u8>> {
        let (study, series, sop) = self.uids()?;
        let (_, rest) = self.0.rsplit('/').next()?.split_once('-')?;
        Some(super::key(&[study.as_str(), series.as_str(), sop.as_str(), rest.get(..16)?]))
    }
}

impl From<&InstanceRecord> for ObjectName {
    fn from(record: &InstanceRecord) -> Self {
        let facts = &record.facts;
        Self(format!("studies/{}/{}/{}", facts.study.as_str(), facts.series.as_str(), record.file_name()))
    }
}

impl Store {
    /// Where an object lies.
    pub fn object_path(&self, object: &ObjectName) -> std::path::PathBuf {
        self.folder().join(Path::new(&object.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_back_its_uids_and_its_key() {
        let name = ObjectName("studies/1.2/1.2.3/1.2.3.4-0123456789abcdef.own.dcm".into());
        let (study, series, sop) = name.uids().unwrap();
        assert_eq!((study.as_str(), series.as_str(), sop.as_str()), ("1.2", "1.2.3", "1.2.3.4"));
        assert_eq!(name.instance_key().unwrap(), b"1.2\x001.2.3\x001.2.3.4\x000123456789abcdef");
        assert_eq!(name.holding_key().unwrap(), b"1.2.3.4\x000123456789abcdef");
        assert!(ObjectName::quarantined("ab.dcm").uids().is_none());
    }
}
