//! Labels of structures, slice by slice, for whoever draws them over the images.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::shapes::Problem;

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
) -> Result<Response, ApiError> {
    let (store, study) = (desk.store.clone(), study_uid(&study)?);
    let known = headers.get(IF_NONE_MATCH).and_then(|value| Some(value.to_str().ok()?.to_owned()));
    let read = move || {
        let part = store.finding(&study, &finding)?.structures;
        let part = part.ok_or_else(|| ApiError::not_found("structures in this finding"))?;
        let slice = slice.strip_suffix(".u8").and_then(|number| number.parse::<u32>().ok());
        let slice = slice.filter(|slice| *slice < part.slices);
        let slice = slice.ok_or_else(|| ApiError::not_found("slice; ask for 0.u8, 1.u8 and so on"))?;
        let tag = format!("\"{}-{slice}\"", &part.labels.sha256[..32]);
        if known.as_deref() == Some(tag.as_str()) {
            return Ok((tag, None));
        }
        Ok::<_, ApiError>((tag, Some(store.slice_labels(&study, &finding, &part, slice)?)))
    };
    let (tag, labels) = blocking(read).await?;
    let headers = [(ETAG, tag), (CACHE_CONTROL, "private, no-cache".to_owned())];
    Ok(match labels {
        Some(labels) => (headers, [(CONTENT_TYPE, "application/octet-stream")], labels).into_response(),
        None => (StatusCode::NOT_MODIFIED, headers).into_response(),
    })
}
