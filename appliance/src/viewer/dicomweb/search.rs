//! QIDO-RS (PS3.18 10.6): studies, series and instances that match.
//!
//! Keys come as tags or keywords; a key that is not known here is ignored, as the standard asks for, and a value that
//! makes no sense is refused with its name. Nothing found is 200 with an empty list.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Query as QueryString, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HOST, WARNING};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::accept::Accept;
use super::attributes::{self, Object};
use super::instances::not_acceptable;
use super::metadata::{MEDIA, documents};
use super::target::{Parameters, Words, bad, parameter};
use crate::store::records::InstanceRecord;
use crate::store::{Key, Matcher, Page, Query, RESULTS_MAX, SeriesHit, Store};
use crate::uid::{SeriesUid, StudyUid};
use crate::viewer::Desk;
use crate::viewer::error::{ApiError, blocking};

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
    query: Query,
    /// Tags asked for beyond the ones always there; `all` is its own flag.
    include: BTreeSet<String>,
    include_all: bool,
    base: String,
}

/// Studies that match.
#[utoipa::path(
    get,
    path = "/dicom-web/studies",
    operation_id = "search_studies",
    params(
        ("limit" = Option<usize>, Query),
        ("offset" = Option<usize>, Query),
        ("fuzzymatching" = Option<bool>, Query),
        ("includefield" = Option<String>, Query, description = "tags or keywords, as a list or repeated"),
        ("PatientName" = Option<String>, Query, description = "any key of PS3.18 10.6.1.2, by keyword or tag"),
    ),
    responses(
        (status = 200, content_type = "application/dicom+json", body = Vec<Object>),
        (status = 400, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
        (status = 406, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn studies(
    State(desk): State<Arc<Desk>>,
    QueryString(parameters): QueryString<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let request = Request::of(&parameters, &headers)?;
    let store = desk.store.clone();
    let found = blocking(move || {
        let page = store.search_studies(&request.query)?;
        let mut body = Body::new();
        for entry in &page.rows {
            let mut object = Object::new();
            attributes::study(entry, &request.base, &mut object);
            body.push(object);
        }
        Ok::<_, ApiError>((body, page.cut))
    });
    let (body, cut) = found.await?;
    Ok(body.answer(cut))
}

/// Series that match: of all studies, or of one.
#[utoipa::path(
    get,
    path = "/dicom-web/series",
    operation_id = "search_series",
    responses(
        (status = 200, content_type = "application/dicom+json", body = Vec<Object>, description = "also /dicom-web/studies/{study}/series"),
        (status = 400, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn series(
    State(desk): State<Arc<Desk>>,
    Path(words): Path<Words>,
    QueryString(parameters): QueryString<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let request = Request::of(&parameters, &headers)?;
    let (study, _) = scope(&words)?;
    let store = desk.store.clone();
    let found = blocking(move || {
        let page = store.search_series(&request.query, study.as_ref())?;
        let mut body = Body::new();
        for hit in &page.rows {
            let mut object = Object::new();
            if study.is_none() {
                attributes::study(&hit.study, &request.base, &mut object);
            }
            of_series(hit, &request.base, &mut object);
            body.push(object);
        }
        Ok::<_, ApiError>((body, page.cut))
    });
    let (body, cut) = found.await?;
    Ok(body.answer(cut))
}

/// Instances that match: of all studies, of one, or of one series.
#[utoipa::path(
    get,
    path = "/dicom-web/instances",
    operation_id = "search_instances",
    responses(
        (status = 200, content_type = "application/dicom+json", body = Vec<Object>, description = "also below studies and series"),
        (status = 400, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn instances(
    State(desk): State<Arc<Desk>>,
    Path(words): Path<Words>,
    QueryString(parameters): QueryString<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let request = Request::of(&parameters, &headers)?;
    let (study, series) = scope(&words)?;
    let store = desk.store.clone();
    let found = blocking(move || {
        let page = store.search_instances(&request.query, study.as_ref(), series.as_ref())?;
        let body = request.instances(&store, &page, study.is_none(), series.is_none())?;
        Ok::<_, ApiError>((body, page.cut))
    });
    let (body, cut) = found.await?;
    Ok(body.answer(cut))
}

fn of_series(hit: &SeriesHit, base: &str, object: &mut Object) {
    let (uid, record) = hit.series();
    attributes::series(hit.study.uid.as_str(), uid.as_str(), record, base, object);
}

/// Study and series of the path.
fn scope(words: &Words) -> Result<(Option<StudyUid>, Option<SeriesUid>), ApiError> {
    let study = words.get("study").map(|uid| StudyUid::parse(uid)).transpose();
    let series = words.get("series").map(|uid| SeriesUid::parse(uid)).transpose();
    match (study, series) {
        (Ok(study), Ok(series)) => Ok((study, series)),
        _ => Err(ApiError::not_found("study or series")),
    }
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

    fn instances(
        &self,
        store: &Store,
        page: &Page<(SeriesHit, InstanceRecord)>,
        with_study: bool,
        with_series: bool,
    ) -> Result<Body, ApiError> {
        let mut body = Body::new();
        let same = |a: &(SeriesHit, InstanceRecord), b: &(SeriesHit, InstanceRecord)| {
            a.1.facts.series == b.1.facts.series && a.1.facts.study == b.1.facts.study
        };
        for group in page.rows.chunk_by(same) {
            let records: Vec<InstanceRecord> = group.iter().map(|(_, record)| record.clone()).collect();
            let more = self.include_all || !self.include.is_empty();
            let mut documents = if more { Some(documents(store, &records)?) } else { None };
            for (hit, record) in group {
                let mut object = match documents.as_mut().and_then(Iterator::next) {
                    Some(document) => self.included(&document.map_err(super::instances::broken)?),
                    None => Object::new(),
                };
                if with_study {
                    attributes::study(&hit.study, &self.base, &mut object);
                }
                if with_series {
                    of_series(hit, &self.base, &mut object);
                }
                attributes::instance(record, &mut object);
                let path = super::target::instance_path(record);
                let url = format!("{}{}", self.base, path.trim_start_matches("/dicom-web"));
                attributes::text(&mut object, "00081190", "UR", &url);
                body.push(object);
            }
        }
        Ok(body)
    }

    fn included(&self, document: &[u8]) -> Object {
        let mut object: Object = serde_json::from_slice(document).unwrap_or_default();
        if !self.include_all {
            object.retain(|tag, _| self.include.contains(tag));
        }
        object
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

/// Address of the service as the client called it: viewers follow Retrieve URLs as they stand.
pub(super) fn base(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if host.is_empty() || !host.chars().all(plain) {
        "/dicom-web".into()
    } else {
        format!("http://{host}/dicom-web")
    }
}

/// A list of objects on its way into JSON.
struct Body {
    json: Vec<u8>,
}

impl Body {
    fn new() -> Self {
        Self { json: b"[".to_vec() }
    }

    fn push(&mut self, object: Object) {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        self.json.extend_from_slice(Value::Object(object).to_string().as_bytes());
    }

    fn answer(mut self, cut: bool) -> Response {
        self.json.push(b']');
        let mut response = ([(CONTENT_TYPE, MEDIA)], self.json).into_response();
        if cut {
            // PS3.18 8.3.4.4: more than fits.
            let text = format!(
                "299 sidelight \"only the first {RESULTS_MAX} results are here; there are more, ask with offset\""
            );
            if let Ok(text) = text.parse() {
                response.headers_mut().insert(WARNING, text);
            }
        }
        response
    }
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
