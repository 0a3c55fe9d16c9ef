//! A reader draws a region and wants it measured.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::shapes::{Problem, RegionAccepted, RegionRequest};
use crate::store::StoreError;
use crate::store::finding::Shape;
use crate::store::records::{Asked, Question};
use crate::uid::SeriesUid;

/// A freehand outline has a few hundred points.
const POINTS_MAX: usize = 10_000;
/// Coordinates beyond any image are a mistake.
const COORDINATE_MAX: f64 = 1e6;

/// Measure inside a drawn region. The answer is a finding with the returned id.
#[utoipa::path(
    post,
    path = "/api/studies/{study}/regions",
    request_body = RegionRequest,
    responses((status = 202, body = RegionAccepted), (status = 404, body = Problem), (status = 422, body = Problem))
)]
pub(super) async fn draw(
    State(desk): State<Arc<Desk>>,
    Path(study): Path<String>,
    request: Result<Json<RegionRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<RegionAccepted>), ApiError> {
    let Json(request) = request?;
    let study = study_uid(&study)?;
    let series = SeriesUid::parse(&request.series_uid).map_err(|_| ApiError::not_found("series"))?;
    check(&request.shape).map_err(|what| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, what))?;
    let at = desk.clock.wall();
    let about = format!("question {} {} {} {:?}", study.as_str(), series.as_str(), at.0, request.shape);
    let finding_id = desk.identity.pseudonym(&about);
    let question = Question {
        finding_id: finding_id.clone(),
        study,
        series,
        about: Asked::Region { shape: request.shape },
        // Until people sign in by name, the token is the station's.
        reader: "reading station".into(),
    };
    let store = desk.store.clone();
    let ask = move || {
        if !store.series(&question.study)?.iter().any(|(uid, _)| *uid == question.series) {
            return Err(StoreError::Unknown("series"));
        }
        store.ask(&question)
    };
    blocking(ask).await?;
    Ok((StatusCode::ACCEPTED, Json(RegionAccepted { finding_id })))
}

fn check(shape: &Shape) -> Result<(), &'static str> {
    let sane = |point: &[f64; 2]| point.iter().all(|value| value.is_finite() && value.abs() < COORDINATE_MAX);
    let (first, last) = match shape {
        Shape::Circle { center_px, radius_px, first_slice, last_slice } => {
            if !(sane(center_px) && *radius_px > 0.0 && *radius_px < COORDINATE_MAX) {
                return Err("a circle needs a centre and a radius larger than zero");
            }
            (first_slice, last_slice)
        }
        Shape::Polygon { points_px, first_slice, last_slice } => {
            if !(3..=POINTS_MAX).contains(&points_px.len()) || !points_px.iter().all(sane) {
                return Err("an outline needs 3 to 10000 points");
            }
            (first_slice, last_slice)
        }
    };
    if first > last { Err("the first slice comes after the last") } else { Ok(()) }
}
