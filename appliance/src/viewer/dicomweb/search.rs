//! QIDO-RS (PS3.18 10.6): studies, series and instances that match.
//!
//! Nothing found is 200 with an empty list. What was asked is read in `search_request`.

use std::sync::Arc;

use axum::extract::{Path, Query as QueryString, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, WARNING};
use axum::response::{IntoResponse, Response};

use super::attributes::{self, Object};
use super::levels;
use super::metadata::{MEDIA, documents};
use super::search_request::Request;
use super::target::{Parameters, Words};
use crate::store::records::InstanceRecord;
use crate::store::{Page, RESULTS_MAX, SeriesHit, Store, StoreError, StudyEntry};
use crate::uid::{SeriesUid, StudyUid};
use crate::viewer::Desk;
use crate::viewer::error::{ApiError, blocking};

/// Studies that match.
#[utoipa::path(
    get,
    path = "/dicom-web/studies",
    operation_id = "search_studies",
    params(
        ("limit" = Option<usize>, Query),
        ("offset" = Option<usize>, Query),
        ("fuzzymatching" = Option<bool>, Query),
        ("includefield" = Option<String>, Query, description = "tags or keywords, as a list or repeated, or all"),
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
    search(desk, &parameters, &headers, |store, request| {
        let page = store.search_studies(&request.query)?;
        let body = page.rows.iter().map(|entry| request.study(store, entry)).collect::<Result<Body, _>>()?;
        Ok((body, page.cut))
    })
    .await
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
    let (study, _) = scope(&words)?;
    search(desk, &parameters, &headers, move |store, request| {
        let page = store.search_series(&request.query, study.as_ref())?;
        let found = page.rows.iter().map(|hit| request.series(store, hit, study.is_none()));
        Ok((found.collect::<Result<Body, _>>()?, page.cut))
    })
    .await
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
    let (study, series) = scope(&words)?;
    search(desk, &parameters, &headers, move |store, request| {
        let page = store.search_instances(&request.query, study.as_ref(), series.as_ref())?;
        let body = request.instances(store, &page, study.is_none(), series.is_none())?;
        Ok((body, page.cut))
    })
    .await
}

/// What the levels share: the request is read, the store is asked on a blocking thread, the page is sent.
async fn search(
    desk: Arc<Desk>,
    parameters: &Parameters,
    headers: &HeaderMap,
    find: impl FnOnce(&Store, &Request) -> Result<(Body, bool), ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let request = Request::of(parameters, headers)?;
    let (body, cut) = blocking(move || find(&desk.store, &request)).await?;
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
    fn study(&self, store: &Store, entry: &StudyEntry) -> Result<Object, ApiError> {
        let mut object = match entry.series.iter().find(|(_, record)| !record.own).or(entry.series.first()) {
            Some((series, _)) => self.of_level(&levels::STUDY, store, &entry.uid, series)?,
            None => Object::new(),
        };
        attributes::study(entry, &self.base, &mut object);
        Ok(object)
    }

    fn series(&self, store: &Store, hit: &SeriesHit, with_study: bool) -> Result<Object, ApiError> {
        let (uid, _) = hit.series();
        let mut object = self.of_level(&levels::SERIES, store, &hit.study.uid, uid)?;
        if with_study {
            attributes::study(&hit.study, &self.base, &mut object);
        }
        of_series(hit, &self.base, &mut object);
        Ok(object)
    }

    /// What was asked for beyond the attributes always there, as the first instance of the series has it.
    fn of_level(
        &self,
        level: &[&str],
        store: &Store,
        study: &StudyUid,
        series: &SeriesUid,
    ) -> Result<Object, ApiError> {
        let wanted = |tag: &str| level.contains(&tag) && (self.include_all || self.include.contains(tag));
        if !level.iter().any(|tag| wanted(tag)) {
            return Ok(Object::new());
        }
        let instances = match store.instances_in_order(study, series) {
            // It was deleted since the catalogue was read.
            Err(StoreError::Unknown(_)) => return Ok(Object::new()),
            instances => instances?,
        };
        let first = instances[0].clone();
        let document = documents(store, &[first])?.next().transpose().map_err(super::instances::broken)?;
        let mut object: Object = serde_json::from_slice(&document.unwrap_or_default()).unwrap_or_default();
        object.retain(|tag, _| wanted(tag));
        Ok(object)
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
                body.push(&object);
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

/// A list of objects on its way into JSON.
struct Body {
    json: Vec<u8>,
}

impl Body {
    fn new() -> Self {
        Self { json: b"[".to_vec() }
    }

    fn push(&mut self, object: &Object) {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        serde_json::to_writer(&mut self.json, object).expect("a tree of JSON writes to memory");
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

impl FromIterator<Object> for Body {
    fn from_iter<T: IntoIterator<Item = Object>>(objects: T) -> Self {
        let mut body = Self::new();
        objects.into_iter().for_each(|object| body.push(&object));
        body
    }
}
