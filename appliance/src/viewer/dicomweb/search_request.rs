//! What a search asks for (PS3.18 8.3.4): keys, fields to include, paging.
//!
//! Keys come as tags or keywords; a key that is not known here is ignored, as the standard asks for, and a value that
//! makes no sense is refused with its name.

use std::collections::BTreeSet;

use axum::http::HeaderMap;

use super::accept::Accept;
use super::instances::not_acceptable;
use super::metadata::MEDIA;
use super::origin::base;
use super::target::{Parameters, bad, parameter};
use crate::store::{Key, Matcher, Query};
use crate::viewer::error::ApiError;

/// Tag, keyword, key.
const KEYS: [(&str, &str, Key); 22] = [
    ("0020000D", "StudyInstanceUID", Key::StudyUid),
    ("00080020", "StudyDate", Key::StudyDate),
    ("00080030", "StudyTime", Key::StudyTime),
    ("00080050", "AccessionNumber", Key::AccessionNumber),
    ("00100010", "PatientName", Key::PatientName),
    ("00100020", "PatientID", Key::PatientId),
    ("00100030", "PatientBirthDate", Key::PatientBirthDate),
    ("00100040", "PatientSex", Key::PatientSex),
    ("00081030", "StudyDescription", Key::StudyDescription),
    ("00200010", "StudyID", Key::StudyId),
    ("00080090", "ReferringPhysicianName", Key::ReferringPhysician),
    ("00080061", "ModalitiesInStudy", Key::ModalitiesInStudy),
    ("0020000E", "SeriesInstanceUID", Key::SeriesUid),
    ("00080060", "Modality", Key::Modality),
    ("00200011", "SeriesNumber", Key::SeriesNumber),
    ("0008103E", "SeriesDescription", Key::SeriesDescription),
    ("00080021", "SeriesDate", Key::SeriesDate),
    ("00080031", "SeriesTime", Key::SeriesTime),
    ("00180015", "BodyPartExamined", Key::BodyPart),
    ("00080016", "SOPClassUID", Key::SopClassUid),
    ("00080018", "SOPInstanceUID", Key::SopInstanceUid),
    ("00200013", "InstanceNumber", Key::InstanceNumber),
];

/// A request as it was understood.
#[derive(Debug)]
pub(super) struct Request {
    pub query: Query,
    /// Tags asked for beyond the ones always there; `all` is its own flag.
    pub include: BTreeSet<String>,
    pub include_all: bool,
    pub base: String,
}

impl Request {
    pub(super) fn of(parameters: &Parameters, headers: &HeaderMap) -> Result<Self, ApiError> {
        let accept = Accept::of(headers, parameter(parameters, "accept"));
        accept.first_of(&[MEDIA, "application/json"]).ok_or_else(not_acceptable)?;
        let fuzzy =
            parameter(parameters, "fuzzymatching").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let mut request = Self {
            query: Query::default(),
            include: BTreeSet::new(),
            include_all: false,
            base: base(headers),
        };
        for (name, value) in parameters {
            request.take(name, value, fuzzy)?;
        }
        Ok(request)
    }

    fn take(&mut self, name: &str, value: &str, fuzzy: bool) -> Result<(), ApiError> {
        let number = |field: &str| value.trim().parse::<usize>().map_err(|_| bad(field, "a number from 0"));
        match name.to_ascii_lowercase().as_str() {
            "limit" => self.query.limit = Some(number("limit")?),
            "offset" => self.query.offset = number("offset")?,
            "includefield" => self.include(value),
            _ => {
                let known =
                    KEYS.iter().find(|(tag, word, _)| name.eq_ignore_ascii_case(tag) || name == *word);
                // An empty value is universal matching: everything.
                if let Some((_, _, key)) = known.filter(|_| !value.trim().is_empty()) {
                    self.query.keys.push((*key, matcher(*key, value.trim(), fuzzy)?));
                }
            }
        }
        Ok(())
    }

    fn include(&mut self, value: &str) {
        for field in value.split(',').map(str::trim) {
            if field.eq_ignore_ascii_case("all") {
                self.include_all = true;
            } else if field.len() == 8 && field.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                self.include.insert(field.to_ascii_uppercase());
            } else if let Some(tag) = tag_of(field) {
                self.include.insert(tag);
            }
        }
    }
}

fn matcher(key: Key, value: &str, fuzzy: bool) -> Result<Matcher, ApiError> {
    Ok(match key {
        Key::StudyUid | Key::SeriesUid | Key::SopInstanceUid | Key::SopClassUid => Matcher::any_of(value),
        Key::ModalitiesInStudy | Key::Modality if !value.contains(['*', '?']) => Matcher::any_of(value),
        Key::StudyDate | Key::StudyTime | Key::PatientBirthDate | Key::SeriesDate | Key::SeriesTime => {
            if !value.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | ':' | ' ')) {
                return Err(bad("date or time", "digits, or a range of two joined by a hyphen"));
            }
            Matcher::range(value)
        }
        Key::SeriesNumber | Key::InstanceNumber => {
            let number =
                value.parse().map_err(|_| bad("SeriesNumber or InstanceNumber", "a whole number"))?;
            Matcher::Number(number)
        }
        Key::PatientName | Key::ReferringPhysician if fuzzy && !value.contains(['*', '?']) => {
            Matcher::words(value)
        }
        Key::PatientName | Key::ReferringPhysician | Key::StudyDescription | Key::SeriesDescription => {
            Matcher::folded_text(value)
        }
        _ => Matcher::text(value),
    })
}

/// The tag of a keyword of the standard.
fn tag_of(keyword: &str) -> Option<String> {
    use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
    let entry = dicom_dictionary_std::StandardDataDictionary.by_name(keyword)?;
    let tag = entry.tag();
    Some(format!("{:04X}{:04X}", tag.0, tag.1))
}

#[cfg(test)]
#[path = "search_request_tests.rs"]
mod tests;
