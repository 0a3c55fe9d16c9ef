//! Searches for studies, series and instances, in pages.
//!
//! Studies and series are matched in memory (`catalogue`); instances are read from the index for those series only
//! whose study and series match. A page never has more than [`RESULTS_MAX`] results, and says when there are more.

use std::sync::Arc;

use super::catalogue::StudyEntry;
use super::error::StoreError;
use super::index::{Tree, prefix};
use super::matching::Matcher;
use super::records::{InstanceRecord, SeriesRecord};
use super::{Store, matching};
use crate::uid::{SeriesUid, SopInstanceUid, StudyUid};

/// An answer of 10,000 studies is about 10 MB of JSON; who wants more asks for the next page.
pub const RESULTS_MAX: usize = 10_000;

/// What can be asked for. Keys of a higher level work on every lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    StudyUid,
    StudyDate,
    StudyTime,
    AccessionNumber,
    PatientName,
    PatientId,
    PatientBirthDate,
    PatientSex,
    StudyDescription,
    StudyId,
    ReferringPhysician,
    ModalitiesInStudy,
    SeriesUid,
    Modality,
    SeriesNumber,
    SeriesDescription,
    SeriesDate,
    SeriesTime,
    BodyPart,
    SopClassUid,
    SopInstanceUid,
    InstanceNumber,
}

#[derive(Clone, Debug, Default)]
pub struct Query {
    pub keys: Vec<(Key, Matcher)>,
    pub offset: usize,
    pub limit: Option<usize>,
}

/// One page of results.
#[derive(Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// There were more, beyond what one answer holds.
    pub cut: bool,
}

/// Gathers one page.
struct Gather<T> {
    rows: Vec<T>,
    skip: usize,
    limit: usize,
    cut: bool,
}

impl<T> Gather<T> {
    fn new(query: &Query) -> Self {
        let limit = query.limit.unwrap_or(RESULTS_MAX).min(RESULTS_MAX);
        Self { rows: Vec::new(), skip: query.offset, limit, cut: false }
    }

    fn is_full(&self) -> bool {
        self.cut || self.limit == 0
    }

    fn push(&mut self, row: T) {
        if self.skip > 0 {
            self.skip -= 1;
        } else if self.rows.len() < self.limit {
            self.rows.push(row);
        } else {
            self.cut = true;
        }
    }

    fn page(self, query: &Query) -> Page<T> {
        // Who asked for so many got them: that is no cut.
        let cut = self.cut && query.limit.is_none_or(|limit| limit > RESULTS_MAX);
        Page { rows: self.rows, cut }
    }
}

/// A series with its study.
#[derive(Clone, Debug)]
pub struct SeriesHit {
    pub study: Arc<StudyEntry>,
    /// Place in the study's list.
    pub series: usize,
}

impl SeriesHit {
    pub fn series(&self) -> &(SeriesUid, SeriesRecord) {
        &self.study.series[self.series]
    }
}

impl Query {
    fn study_matches(&self, study: &StudyEntry) -> bool {
        let facts = &study.record.patient_study;
        self.keys.iter().all(|(key, matcher)| match key {
            Key::StudyUid => matcher.matches(study.uid.as_str()),
            Key::StudyDate => matcher.matches(&facts.study_date),
            Key::StudyTime => matcher.matches(&facts.study_time),
            Key::AccessionNumber => matcher.matches(&facts.accession_number),
            Key::PatientName => matcher.matches(&study.name),
            Key::PatientId => matcher.matches(&facts.patient_id),
            Key::PatientBirthDate => matcher.matches(&facts.birth_date),
            Key::PatientSex => matcher.matches(&facts.sex),
            Key::StudyDescription => matcher.matches(&study.description),
            Key::StudyId => matcher.matches(&facts.study_id),
            Key::ReferringPhysician => matcher.matches(&matching::folded(&facts.referring_physician)),
            Key::ModalitiesInStudy => {
                study.series.iter().any(|(_, series)| matcher.matches(&series.modality))
            }
            _ => true,
        })
    }

    fn series_matches(&self, uid: &SeriesUid, series: &SeriesRecord) -> bool {
        let number = || series.number.map_or_else(String::new, |number| number.to_string());
        self.keys.iter().all(|(key, matcher)| match key {
            Key::SeriesUid => matcher.matches(uid.as_str()),
            Key::Modality => matcher.matches(&series.modality),
            Key::SeriesNumber => matcher.matches(&number()),
            Key::SeriesDescription => matcher.matches(&matching::folded(&series.description)),
            Key::SeriesDate => matcher.matches(&series.date),
            Key::SeriesTime => matcher.matches(&series.time),
            Key::BodyPart => matcher.matches(&series.body_part),
            _ => true,
        })
    }

    fn instance_matches(&self, instance: &InstanceRecord) -> bool {
        let facts = &instance.facts;
        let number = || facts.instance_number.map_or_else(String::new, |number| number.to_string());
        self.keys.iter().all(|(key, matcher)| match key {
            Key::SopClassUid => matcher.matches(&facts.sop_class),
            Key::SopInstanceUid => matcher.matches(facts.sop_instance.as_str()),
            Key::InstanceNumber => matcher.matches(&number()),
            _ => true,
        })
    }

    /// The SOP Instance UIDs asked for, where the query names them.
    fn sop_instances(&self) -> Option<&[String]> {
        self.keys.iter().find_map(|(key, matcher)| match (key, matcher) {
            (Key::SopInstanceUid, Matcher::AnyOf(uids)) => Some(uids.as_slice()),
            _ => None,
        })
    }
}

impl Store {
    pub fn search_studies(&self, query: &Query) -> Result<Page<Arc<StudyEntry>>, StoreError> {
        let catalogue = self.catalogue()?;
        let mut gather = Gather::new(query);
        for study in catalogue.studies().filter(|study| query.study_matches(study)) {
            gather.push(study.clone());
            if gather.is_full() {
                break;
            }
        }
        Ok(gather.page(query))
    }

    /// Series of one study, or of all.
    pub fn search_series(
        &self,
        query: &Query,
        study: Option<&StudyUid>,
    ) -> Result<Page<SeriesHit>, StoreError> {
        let mut gather = Gather::new(query);
        for hit in self.series_hits(query, study)? {
            gather.push(hit);
            if gather.is_full() {
                break;
            }
        }
        Ok(gather.page(query))
    }

    /// Instances of one series, of one study, or of all.
    pub fn search_instances(
        &self,
        query: &Query,
        study: Option<&StudyUid>,
        series: Option<&SeriesUid>,
    ) -> Result<Page<(SeriesHit, InstanceRecord)>, StoreError> {
        let mut gather = Gather::new(query);
        for hit in self.series_hits(query, study)? {
            let (uid, _) = hit.series();
            if series.is_some_and(|series| series != uid) {
                continue;
            }
            for record in self.instances_named(&hit.study.uid, uid, query.sop_instances())? {
                if query.instance_matches(&record) {
                    gather.push((hit.clone(), record));
                }
            }
            if gather.is_full() {
                break;
            }
        }
        Ok(gather.page(query))
    }

    /// A study with its series as the catalogue has it.
    pub fn study_entry(&self, study: &StudyUid) -> Result<Arc<StudyEntry>, StoreError> {
        self.catalogue()?.study(study).cloned().ok_or(StoreError::Unknown("study"))
    }

    /// The instance in use under this UID.
    pub fn instance(
        &self,
        study: &StudyUid,
        series: &SeriesUid,
        sop: &SopInstanceUid,
    ) -> Result<InstanceRecord, StoreError> {
        let found = self.instances_of(study, series, Some(sop.as_str()))?;
        found.into_iter().next().ok_or(StoreError::Unknown("instance"))
    }

    /// The instances in use of a series, in the order of their numbers.
    pub fn instances_in_order(
        &self,
        study: &StudyUid,
        series: &SeriesUid,
    ) -> Result<Vec<InstanceRecord>, StoreError> {
        let found = self.instances_of(study, series, None)?;
        if found.is_empty() { Err(StoreError::Unknown("series")) } else { Ok(found) }
    }

    fn series_hits(&self, query: &Query, study: Option<&StudyUid>) -> Result<Vec<SeriesHit>, StoreError> {
        let catalogue = self.catalogue()?;
        let all: Box<dyn Iterator<Item = &Arc<StudyEntry>>> = match study {
            Some(study) => Box::new(catalogue.study(study).into_iter()),
            None => Box::new(catalogue.studies()),
        };
        let hits = all.filter(|study| query.study_matches(study)).flat_map(|study| {
            let series = study.series.iter().enumerate();
            let matching = series.filter(|(_, (uid, record))| query.series_matches(uid, record));
            matching.map(|(series, _)| SeriesHit { study: study.clone(), series })
        });
        Ok(hits.collect())
    }

    fn instances_named(
        &self,
        study: &StudyUid,
        series: &SeriesUid,
        names: Option<&[String]>,
    ) -> Result<Vec<InstanceRecord>, StoreError> {
        let Some(names) = names else { return self.instances_of(study, series, None) };
        let mut found = Vec::new();
        for name in names {
            found.extend(self.instances_of(study, series, Some(name))?);
        }
        Ok(found)
    }

    fn instances_of(
        &self,
        study: &StudyUid,
        series: &SeriesUid,
        sop: Option<&str>,
    ) -> Result<Vec<InstanceRecord>, StoreError> {
        let mut parts = vec![study.as_str(), series.as_str()];
        parts.extend(sop);
        let rows = self.inner.index.list::<InstanceRecord>(Tree::Instance, &prefix(&parts))?;
        let mut records: Vec<InstanceRecord> =
            rows.into_iter().map(|(_, record)| record).filter(|record| !record.conflict).collect();
        records.sort_by(|a, b| {
            (a.facts.instance_number, &a.facts.sop_instance)
                .cmp(&(b.facts.instance_number, &b.facts.sop_instance))
        });
        Ok(records)
    }
}
