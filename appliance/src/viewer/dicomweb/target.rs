//! What a request is about: a study, one of its series, one of its instances; and the parameters of its address.

use std::collections::BTreeMap;

use axum::http::StatusCode;

use crate::store::records::InstanceRecord;
use crate::store::{Store, StoreError};
use crate::uid::{SeriesUid, SopInstanceUid, StudyUid};
use crate::viewer::error::ApiError;

/// Parameters of the path, by their names in the routes.
pub(super) type Words = BTreeMap<String, String>;
/// Query parameters, in their order, decoded.
pub(super) type Parameters = Vec<(String, String)>;

/// UIDs of the path. What is no UID names nothing: 404, not 400, as the standard asks for resources.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub study: StudyUid,
    pub series: Option<SeriesUid>,
    pub instance: Option<SopInstanceUid>,
}

impl Target {
    pub(super) fn of(words: &Words) -> Result<Self, ApiError> {
        let unknown = |what: &'static str| move |_| ApiError::not_found(what);
        let word = |name: &str| words.get(name).map(String::as_str);
        let study = StudyUid::parse(word("study").unwrap_or_default()).map_err(unknown("study"))?;
        let series = word("series").map(SeriesUid::parse).transpose().map_err(unknown("series"))?;
        let instance = word("instance").map(SopInstanceUid::parse).transpose();
        Ok(Self { study, series, instance: instance.map_err(unknown("instance"))? })
    }

    /// Everything below the target, series by series, in the order of the instances' numbers.
    pub(super) fn instances(&self, store: &Store) -> Result<Vec<InstanceRecord>, StoreError> {
        match (&self.series, &self.instance) {
            (Some(series), Some(instance)) => Ok(vec![store.instance(&self.study, series, instance)?]),
            (Some(series), None) => store.instances_in_order(&self.study, series),
            (None, _) => {
                let entry = store.study_entry(&self.study)?;
                let each =
                    entry.series.iter().map(|(series, _)| store.instances_in_order(&self.study, series));
                Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
            }
        }
    }
}

/// The instance's address on this box, without the box.
pub(super) fn instance_path(record: &InstanceRecord) -> String {
    let facts = &record.facts;
    format!(
        "/dicom-web/studies/{}/series/{}/instances/{}",
        facts.study.as_str(),
        facts.series.as_str(),
        facts.sop_instance.as_str()
    )
}

/// A parameter's first value.
pub(super) fn parameter<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Refuses a value, naming the field.
pub(super) fn bad(field: &str, why: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, format!("{field}: {why}"))
}

/// Frame numbers of the path, from 1 as the standard counts; returned from 0.
pub(super) fn frame_numbers(words: &Words) -> Result<Vec<u32>, ApiError> {
    /// A request line of 64 kB names no more than this.
    const FRAMES_MAX: usize = 10_000;
    let text = words.get("frames").map(String::as_str).unwrap_or_default();
    let number = |part: &str| part.trim().parse::<u32>().ok().and_then(|number| number.checked_sub(1));
    let numbers: Option<Vec<u32>> = text.split(',').take(FRAMES_MAX).map(number).collect();
    numbers.ok_or_else(|| bad("frames", "a list of numbers from 1, separated by commas"))
}
