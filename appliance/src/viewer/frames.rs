//! Frames, already decoded: raw little-endian 16-bit values in stack order.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::shapes::Problem;
use super::slices;
use crate::imaging::{FrameReader, Stack, StackError, stack};
use crate::store::Store;
use crate::uid::{SeriesUid, StudyUid};

/// Stacks remembered: what a few stations have open. Sorting a series anew for every frame would cost more than
/// decoding it.
const STACKS_MAX: usize = 8;

/// Stacks as they were last sorted, newest first.
#[derive(Debug, Default)]
pub(super) struct Stacks(Mutex<Vec<(SeriesUid, u64, Arc<Stack>)>>);

impl Stacks {
    pub(super) fn get(
        &self,
        store: &Store,
        study: &StudyUid,
        series: &SeriesUid,
    ) -> Result<Arc<Stack>, StackError> {
        let instances = store.study(study)?.instances;
        let known = |entry: &&(SeriesUid, u64, Arc<Stack>)| entry.0 == *series && entry.1 == instances;
        if let Some((_, _, stack)) = self.lock().iter().find(known) {
            return Ok(stack.clone());
        }
        let fresh = Arc::new(stack(store, study, series)?);
        let mut stacks = self.lock();
        stacks.retain(|(uid, _, _)| uid != series);
        stacks.insert(0, (series.clone(), instances, fresh.clone()));
        stacks.truncate(STACKS_MAX);
        Ok(fresh)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(SeriesUid, u64, Arc<Stack>)>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct FrameQuery {
    /// Digest of the stack the asker knows.
    stack: Option<String>,
}

/// One frame: rows x columns little-endian 16-bit values, Hounsfield units for CT, stored values otherwise. `frame`
/// is its place in the stack, counted from 0, followed by `.i16`. With `stack`, the digest of the stack the asker
/// knows, a stack that changed since is answered with 409 instead of another slice.
#[utoipa::path(
    get,
    path = "/api/studies/{study}/series/{series}/frames/{frame}",
    params(("stack" = Option<String>, Query, description = "Digest of the stack the asker knows.")),
    responses(
        (status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 304),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn frame(
    State(desk): State<Arc<Desk>>,
    Path((study, series, frame)): Path<(String, String, String)>,
    Query(query): Query<FrameQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let study = study_uid(&study)?;
    let series = SeriesUid::parse(&series).map_err(|_| ApiError::not_found("series"))?;
    let number = frame.strip_suffix(".i16").and_then(|number| number.parse::<usize>().ok());
    let number = number.ok_or_else(|| ApiError::not_found("frame; ask for 0.i16, 1.i16 and so on"))?;
    let known = slices::known(&headers);
    let read = move || read(&desk, &study, &series, number, &query, known.as_deref());
    Ok(match blocking(read).await? {
        (tag, Some(bytes)) => {
            ([(CONTENT_TYPE, "application/octet-stream".to_owned()), (ETAG, tag), cached()], bytes)
                .into_response()
        }
        (tag, None) => (StatusCode::NOT_MODIFIED, [(ETAG, tag), cached()]).into_response(),
    })
}

/// The frame's tag, and its bytes unless the asker has them.
fn read(
    desk: &Desk,
    study: &StudyUid,
    series: &SeriesUid,
    number: usize,
    query: &FrameQuery,
    known: Option<&str>,
) -> Result<(String, Option<Vec<u8>>), ApiError> {
    let stack = desk.stacks.get(&desk.store, study, series)?;
    if query.stack.as_ref().is_some_and(|known| *known != stack.digest()) {
        return Err(ApiError::new(StatusCode::CONFLICT, "the series has changed; read the study again"));
    }
    let source = stack.frames.get(number).ok_or_else(|| ApiError::not_found("frame"))?;
    let tag = format!("\"{}\"", source.tag);
    if known == Some(tag.as_str()) {
        return Ok((tag, None));
    }
    let values = FrameReader::open(&source.path, stack.meaning).and_then(|reader| reader.frame(source.frame));
    let values = values.map_err(StackError::from)?;
    Ok((tag, Some(values.iter().flat_map(|value| value.to_le_bytes()).collect())))
}

/// A browser may keep a frame but must ask before it shows it again.
fn cached() -> (axum::http::HeaderName, String) {
    (CACHE_CONTROL, "private, no-cache".to_owned())
}
