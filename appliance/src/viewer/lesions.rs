//! A reader says where lesions lie, and looks at the score at another threshold.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::reviews::person;
use super::shapes::{AssignRequest, Problem};
use crate::audit::{Event, Kind, Outcome, Who};
use crate::rescore::{RescoreError, Rescored, THRESHOLDS_HU};
use crate::store::StoreError;
use crate::store::assignments::{AssignError, Assignment};
use crate::store::calcium::Vessel;
use crate::store::finding::Finding;
use crate::store::lesions::LESIONS_MAX;

/// Say which vessel lesions lie in, all of the request or none of it. A confirmed finding becomes preliminary again.
#[utoipa::path(
    post,
    path = "/api/studies/{study}/findings/{finding}/lesions",
    request_body = AssignRequest,
    responses(
        (status = 200, body = Finding),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn assign(
    State(desk): State<Arc<Desk>>,
    Path((study, finding)): Path<(String, String)>,
    request: Result<Json<AssignRequest>, JsonRejection>,
) -> Result<Json<Finding>, ApiError> {
    let Json(AssignRequest { assignments, reader }) = request?;
    let study = study_uid(&study)?;
    let reader = person("reader", &reader)?;
    if !(1..=LESIONS_MAX).contains(&assignments.len()) {
        let sentence = format!("assignments: name 1 to {LESIONS_MAX} lesions");
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, sentence));
    }
    let (store, at) = (desk.store.clone(), desk.clock.wall());
    let assign = move || {
        let assigned = store.assign_lesions(&study, &finding, &assignments, &reader, at)?;
        let about = store.study(&study)?.patient_study;
        let who = Who { user: reader, address: None };
        let what = format!("finding {finding}: {}", words(&assignments));
        let event = Event::new(Kind::LesionsAssigned, Outcome::Success, who).on(&study, &about).because(what);
        store.audit().note(&event, at);
        Ok::<_, AssignError>(assigned)
    };
    Ok(Json(blocking(assign).await?))
}

/// `1 LAD, 2 aorta, 3 nowhere`; the journal cuts it where it is too long.
fn words(assignments: &[Assignment]) -> String {
    let word = |assignment: &Assignment| {
        format!("{} {}", assignment.lesion, assignment.vessel.map_or("nowhere", Vessel::name))
    };
    assignments.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[derive(Debug, Deserialize)]
pub(super) struct ThresholdQuery {
    threshold_hu: i16,
}

/// The score of a finding's region at another threshold, for the screen only. Of requests that wait the newest wins; the
/// others are answered with 409.
#[utoipa::path(
    get,
    path = "/api/studies/{study}/findings/{finding}/rescored",
    params(("threshold_hu" = i16, Query, description = "50 to 300 HU.")),
    responses(
        (status = 200, body = Rescored),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem),
        (status = 429, body = Problem),
    )
)]
pub(super) async fn rescored(
    State(desk): State<Arc<Desk>>,
    Path((study, finding)): Path<(String, String)>,
    query: Result<Query<ThresholdQuery>, QueryRejection>,
) -> Result<Json<Rescored>, ApiError> {
    let unprocessable = |sentence: String| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, sentence);
    let Query(ThresholdQuery { threshold_hu }) =
        query.map_err(|rejection| unprocessable(rejection.body_text()))?;
    if !THRESHOLDS_HU.contains(&threshold_hu) {
        return Err(unprocessable("threshold_hu: must be 50 to 300".into()));
    }
    let (store, study) = (desk.store.clone(), study_uid(&study)?);
    let read = move || {
        // By its card first: an id that is no finding's never becomes a path.
        if !store.finding_cards(&study)?.iter().any(|card| card.id == finding) {
            return Err(StoreError::Unknown("finding"));
        }
        store.finding(&study, &finding)
    };
    let finding = blocking(read).await?;
    Ok(Json(desk.rescorer.score(&finding, threshold_hu).await?))
}

impl From<AssignError> for ApiError {
    fn from(error: AssignError) -> Self {
        match error {
            AssignError::Store(error) => error.into(),
            AssignError::NotAssignable(_) => Self::new(StatusCode::CONFLICT, error.to_string()),
            AssignError::NoSuchLesion(_) | AssignError::Twice(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
        }
    }
}

impl From<RescoreError> for ApiError {
    fn from(error: RescoreError) -> Self {
        let status = match error {
            RescoreError::Images(error) => return error.into(),
            RescoreError::Overtaken | RescoreError::Changed => StatusCode::CONFLICT,
            RescoreError::Busy => StatusCode::TOO_MANY_REQUESTS,
            RescoreError::NotScored | RescoreError::Region(_) => StatusCode::UNPROCESSABLE_ENTITY,
            RescoreError::Kernel(_) | RescoreError::Processor(_) | RescoreError::Threads => {
                return Self::internal(&error);
            }
        };
        Self::new(status, error.to_string())
    }
}
