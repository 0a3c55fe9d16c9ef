//! Labels of structures, slice by slice, for whoever draws them over the images.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::shapes::Problem;
use super::slices::{self, Slice};

/// One slice of labels: rows x columns bytes, 0 outside of the body, else the label of a structure of the finding (`3.u8`).
/// Slices count from 0 in the order of the series' positions.
#[utoipa::path(
    get,
    path = "/api/studies/{study}/findings/{finding}/structures/{slice}",
    responses(
        (status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 304),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn labels(
    State(desk): State<Arc<Desk>>,
    Path((study, finding, slice)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Slice, ApiError> {
    let (store, study, known) = (desk.store.clone(), study_uid(&study)?, slices::known(&headers));
    let read = move || {
        let part = store.finding(&study, &finding)?.structures;
        let part = part.ok_or_else(|| ApiError::not_found("structures in this finding"))?;
        let slice = slices::number(&slice, ".u8", part.slices)?;
        let labels = || store.slice_labels(&study, &finding, &part, slice);
        Slice::of(&part.labels, slice, known.as_deref(), labels)
    };
    blocking(read).await
}
