//! A reader shows the heart's long axis on multi-phase CT, and the box cuts it into a short-axis series.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::reviews::person;
use super::shapes::Problem;
use crate::audit::{Event, Kind, Outcome, Who};
use crate::short_axis::{self, Pixel, ShortAxis, ShortAxisError};
use crate::uid::SeriesUid;

/// One at a time: a phase of a large series is decoded whole.
static CUTTING: Semaphore = Semaphore::const_new(1);

/// Where something lies: an image of the series and a pixel on it, centres at whole numbers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AxisPoint {
    sop_instance_uid: String,
    column: f64,
    row: f64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AxisRequest {
    /// The middle of the mitral valve.
    base: AxisPoint,
    /// The tip of the left ventricle.
    apex: AxisPoint,
    reader: String,
}

/// The series that was made; it appears in the study like one that was sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MadeSeries {
    series_uid: String,
    slices: usize,
    phases: usize,
}

/// Cut a multi-phase CT across the heart's long axis, every phase of it. The answer comes when all slices are filed.
#[utoipa::path(
    post,
    path = "/api/studies/{study}/series/{series}/short_axis",
    request_body = AxisRequest,
    responses(
        (status = 201, body = MadeSeries),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn cut(
    State(desk): State<Arc<Desk>>,
    Path((study, series)): Path<(String, String)>,
    request: Result<Json<AxisRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<MadeSeries>), ApiError> {
    let Json(AxisRequest { base, apex, reader }) = request?;
    let (study, reader) = (study_uid(&study)?, person("reader", &reader)?);
    let source = SeriesUid::parse(&series).map_err(|_| ApiError::not_found("series"))?;
    let turn = CUTTING.try_acquire().map_err(|_| {
        ApiError::new(StatusCode::CONFLICT, "another series is being cut; try again when it is done")
    })?;
    let at = desk.clock.wall();
    let (store, compute, of) = (desk.store.clone(), desk.compute.clone(), study.clone());
    // What was begun is finished, whether or not the page is still there.
    let work = tokio::spawn(async move {
        let _turn = turn;
        let (base, apex) = (pixel(base), pixel(apex));
        short_axis::make(&store, &compute, (&of, &source), (&base, &apex), at).await
    });
    let ShortAxis { series, slices, phases } = work.await.map_err(|error| ApiError::internal(&error))??;
    let store = desk.store.clone();
    let what = format!("{slices} slices at {phases} phases across the heart's long axis");
    let note = move || {
        let about = store.study(&study)?.patient_study;
        let who = Who { user: reader, address: None };
        let event = Event::new(Kind::SeriesCut, Outcome::Success, who).on(&study, &about).because(what);
        store.audit().note(&event, at);
        Ok::<_, ApiError>(())
    };
    blocking(note).await?;
    let made = MadeSeries { series_uid: series.as_str().to_owned(), slices, phases };
    Ok((StatusCode::CREATED, Json(made)))
}

fn pixel(point: AxisPoint) -> Pixel {
    Pixel { sop_instance_uid: point.sop_instance_uid, column: point.column, row: point.row }
}

impl From<ShortAxisError> for ApiError {
    fn from(error: ShortAxisError) -> Self {
        match error {
            ShortAxisError::Images(error) => error.into(),
            ShortAxisError::Store(error) => error.into(),
            ShortAxisError::NotCt(_)
            | ShortAxisError::NoPhases(_)
            | ShortAxisError::NoSuchImage(_)
            | ShortAxisError::Length { .. }
            | ShortAxisError::MultiFrame => Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
            ShortAxisError::Kernel(_)
            | ShortAxisError::Processor(_)
            | ShortAxisError::Object(_)
            | ShortAxisError::Threads => Self::internal(&error),
        }
    }
}
