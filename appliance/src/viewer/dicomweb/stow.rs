//! STOW-RS (PS3.18 10.5): objects that come by HTTP go through the same door as those that come by C-STORE, and are
//! durable before the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::accept::Accept;
use super::instances::not_acceptable;
use super::metadata::MEDIA;
use super::multipart_reader::{Event, MultipartReader, boundary_of};
use super::origin::base;
use super::store_parts::StoreParts;
use super::target::{Target, Words};
use crate::clock::Clock;
use crate::store::AssociationId;
use crate::viewer::Desk;
use crate::viewer::error::ApiError;

/// Chunks between the socket and the disk; a chunk is what the connection's buffer holds.
const CHUNKS_WAITING: usize = 8;
/// As for an association: a sender that says nothing for so long has gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// Requests are numbered apart from associations.
const REQUESTS_FROM: u64 = 1 << 63;

static REQUESTS: AtomicU64 = AtomicU64::new(REQUESTS_FROM);

/// What the blocking side is told.
enum Input {
    Chunk(Bytes),
    /// The whole body was there.
    End,
}

/// Store instances, of any study or of one.
#[utoipa::path(
    post,
    path = "/dicom-web/studies",
    request_body(content = Vec<u8>, content_type = "multipart/related; type=\"application/dicom\""),
    responses(
        (status = 200, content_type = "application/dicom+json", body = Object, description = "all stored; also POST /dicom-web/studies/{study}"),
        (status = 202, content_type = "application/dicom+json", body = Object, description = "some stored, or stored with a warning"),
        (status = 409, content_type = "application/dicom+json", body = Object, description = "none stored"),
        (status = 400, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
        (status = 415, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn store(
    State(desk): State<Arc<Desk>>,
    Path(words): Path<Words>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    Accept::of(&headers, None).first_of(&[MEDIA, "application/json"]).ok_or_else(not_acceptable)?;
    let reader = reader(&headers)?;
    let only =
        words.contains_key("study").then(|| Target::of(&words)).transpose()?.map(|target| target.study);
    let association = AssociationId(REQUESTS.fetch_add(1, Ordering::Relaxed));
    let parts = StoreParts::new(desk.store.clone(), desk.room.clone(), only, association, base(&headers));
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    let (clock, span) = (desk.clock, tracing::Span::current());
    let work = tokio::task::spawn_blocking(move || span.in_scope(|| receive(parts, reader, receiver, clock)));
    pump(body, sender).await;
    let received = work.await.map_err(|error| ApiError::internal(&error))?;
    desk.store.live().ended(association, received.is_ok());
    let (status, document) = received?;
    let status = StatusCode::from_u16(status).map_err(|error| ApiError::internal(&error))?;
    Ok((status, [(CONTENT_TYPE, MEDIA)], document.to_string()).into_response())
}

/// A multipart body, or one object of its own (`None`).
fn reader(headers: &HeaderMap) -> Result<Option<MultipartReader>, ApiError> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let refuse = || {
        let sentence =
            "Content-Type: multipart/related; type=\"application/dicom\"; boundary=... is what can be stored";
        ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence)
    };
    match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/dicom" => Ok(None),
        "multipart/related" => {
            let (boundary, media) = boundary_of(content_type)
                .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, error.to_string()))?;
            if media.is_empty() || media == "application/dicom" {
                Ok(Some(MultipartReader::new(&boundary)))
            } else {
                Err(refuse())
            }
        }
        _ => Err(refuse()),
    }
}

/// Moves the body to the blocking side; a body that breaks off ends without `End`.
async fn pump(body: Body, sender: mpsc::Sender<Input>) {
    let mut chunks = body.into_data_stream();
    loop {
        match tokio::time::timeout(PATIENCE, chunks.next()).await {
            Ok(Some(Ok(chunk))) => {
                if sender.send(Input::Chunk(chunk)).await.is_err() {
                    return;
                }
            }
            Ok(None) => {
                let _refused = sender.send(Input::End).await;
                return;
            }
            Ok(Some(Err(_))) | Err(_) => return,
        }
    }
}

fn receive(
    mut parts: StoreParts,
    mut reader: Option<MultipartReader>,
    mut input: mpsc::Receiver<Input>,
    clock: Clock,
) -> Result<(u16, serde_json::Value), ApiError> {
    let too_many = |error: super::store_parts::TooManyParts| {
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string())
    };
    if reader.is_none() {
        parts.take(Event::Part(String::new()), clock.wall()).map_err(too_many)?;
    }
    let mut whole = false;
    while let Some(next) = input.blocking_recv() {
        let Input::Chunk(chunk) = next else {
            whole = true;
            break;
        };
        let events = match &mut reader {
            Some(reader) => reader
                .feed(&chunk)
                .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, error.to_string()))?,
            None => vec![Event::Data(chunk.to_vec())],
        };
        for event in events {
            parts.take(event, clock.wall()).map_err(too_many)?;
        }
    }
    match &reader {
        None if whole => parts.take(Event::PartEnd, clock.wall()).map_err(too_many)?,
        Some(reader) if reader.is_done() => {}
        _ => parts.break_off(),
    }
    parts.answer().ok_or_else(|| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "the body has no part: none begins with the boundary of Content-Type",
        )
    })
}
