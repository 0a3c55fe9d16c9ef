//! A reader's verdict on a finding, and the report that came of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use dicom_dictionary_std::tags;
use dicom_object::open_file;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::shapes::{Problem, ReviewRequest};
use crate::audit::{Event, Kind, Outcome, Who};
use crate::store::finding::{Finding, FindingState};
use crate::store::own_objects::ResultKind;
use crate::store::reviews::ReviewError;
use crate::store::{Store, StoreError};
use crate::uid::StudyUid;

/// A person name component has at most 64 characters (PS3.5 6.2).
const READER_CHARACTERS_MAX: usize = 64;

/// Confirm or reject a preliminary finding. A confirmed one may still be rejected.
#[utoipa::path(
    post,
    path = "/api/studies/{study}/findings/{finding}/review",
    request_body = ReviewRequest,
    responses(
        (status = 200, body = Finding),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn review(
    State(desk): State<Arc<Desk>>,
    Path((study, finding)): Path<(String, String)>,
    request: Result<Json<ReviewRequest>, JsonRejection>,
) -> Result<Json<Finding>, ApiError> {
    let Json(request) = request?;
    let study = study_uid(&study)?;
    let reader = person("reader", &request.reader)?;
    let (store, at) = (desk.store.clone(), desk.clock.wall());
    let reviewed =
        blocking(move || store.review_finding(&study, &finding, request.verdict, &reader, at)).await?;
    audit(&desk, &reviewed).await?;
    Ok(Json(reviewed))
}

/// Tells the journal who said what about which study.
async fn audit(desk: &Arc<Desk>, reviewed: &Finding) -> Result<(), ApiError> {
    let kind = match reviewed.state {
        FindingState::Rejected => Kind::FindingRejected,
        _ => Kind::FindingConfirmed,
    };
    let who = Who { user: reviewed.reviewer.clone().unwrap_or_default(), address: None };
    let (store, study, id) = (desk.store.clone(), reviewed.study_uid.clone(), reviewed.id.clone());
    let at = desk.clock.wall();
    blocking(move || {
        let about = store.study(&study)?.patient_study;
        let event =
            Event::new(kind, Outcome::Success, who).on(&study, &about).because(format!("finding {id}"));
        store.audit().note(&event, at);
        Ok::<_, StoreError>(())
    })
    .await
}

/// The one-page report of a preliminary or confirmed finding; one that was taken back has none.
#[utoipa::path(
    get,
    path = "/api/studies/{study}/findings/{finding}/report.pdf",
    responses((status = 200, content_type = "application/pdf"), (status = 404, body = Problem))
)]
pub(super) async fn report(
    State(desk): State<Arc<Desk>>,
    Path((study, finding)): Path<(String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    let (store, study) = (desk.store.clone(), study_uid(&study)?);
    let document = blocking(move || newest_report(&store, &study, &finding)).await?;
    let document = document.ok_or_else(|| ApiError::not_found("report"))?;
    let headers =
        [(CONTENT_TYPE, "application/pdf"), (CONTENT_DISPOSITION, "inline; filename=\"report.pdf\"")];
    Ok((headers, document))
}

/// Instance numbers grow with the states, so the highest is the one that holds.
fn newest_report(store: &Store, study: &StudyUid, finding: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let cards = store.finding_cards(study)?;
    let holds = |state| matches!(state, FindingState::Preliminary | FindingState::Confirmed);
    if !cards.iter().any(|card| card.id == finding && holds(card.state)) {
        return Ok(None);
    }
    let objects = store.own_objects(study, finding)?;
    let reports = objects.into_iter().filter(|(kind, _)| *kind == ResultKind::EncapsulatedPdf);
    let newest = reports.map(|(_, record)| record).max_by_key(|record| record.facts.instance_number);
    let Some(record) = newest else { return Ok(None) };
    let Ok(object) = open_file(store.instance_path(&record)) else { return Ok(None) };
    let length =
        object.element(tags::ENCAPSULATED_DOCUMENT_LENGTH).ok().and_then(|e| e.to_int::<usize>().ok());
    let Ok(document) = object.element(tags::ENCAPSULATED_DOCUMENT) else { return Ok(None) };
    let mut bytes = document.to_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
    bytes.truncate(length.unwrap_or(bytes.len()));
    Ok(Some(bytes))
}

/// A name as a report can carry it: one line, none of DICOM's separators.
pub(super) fn person(field: &str, text: &str) -> Result<String, ApiError> {
    let name = text.trim();
    let sound = (1..=READER_CHARACTERS_MAX).contains(&name.chars().count())
        && !name.chars().any(|letter| letter.is_control() || matches!(letter, '\\' | '='));
    if sound {
        return Ok(name.to_owned());
    }
    let sentence = format!("{field}: say who, in 1 to 64 characters without backslash or equals sign");
    Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, sentence))
}

/// Who decided something; until people sign in by name, the station answers for whoever says no name.
pub(super) fn signature(field: &str, name: Option<String>) -> Result<String, ApiError> {
    name.map_or_else(|| Ok(Who::station().user), |name| person(field, &name))
}

impl From<ReviewError> for ApiError {
    fn from(error: ReviewError) -> Self {
        match error {
            ReviewError::Store(error) => error.into(),
            error => Self::new(StatusCode::CONFLICT, error.to_string()),
        }
    }
}
