//! What a handler answers when it cannot do what was asked: a status and one sentence a person can act on.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::shapes::Problem;
use crate::imaging::{FrameError, PixelError, StackError};
use crate::store::StoreError;

#[derive(Debug)]
pub(super) struct ApiError {
    pub status: StatusCode,
    pub sentence: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into() }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("the box has no such {what}"))
    }

    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the box could not do this; its log says why")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: "about:blank".into(),
            title: self.status.canonical_reason().unwrap_or("Error").into(),
            status: self.status.as_u16(),
            detail: self.sentence.clone(),
            error: self.sentence,
        };
        let mut response = (self.status, Json(problem)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unknown(what) => Self::not_found(what),
            error => Self::internal(&error),
        }
    }
}

impl From<FrameError> for ApiError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Malformed(error) => Self::internal(&error),
            FrameError::NoPixels | FrameError::NoSuchFrame { .. } => {
                Self::new(StatusCode::NOT_FOUND, error.to_string())
            }
            error => Self::new(StatusCode::NOT_ACCEPTABLE, error.to_string()),
        }
    }
}

impl From<StackError> for ApiError {
    fn from(error: StackError) -> Self {
        match error {
            StackError::Store(error) => error.into(),
            StackError::Pixels(PixelError::Frame(FrameError::NoSuchFrame { .. })) => Self::not_found("frame"),
            // What cannot be shown is the study's nature, not the box's failure.
            error => Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        }
    }
}

/// Runs what waits for the disk or computes on a blocking thread.
pub(super) async fn blocking<T: Send + 'static, E: Into<ApiError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, ApiError> {
    let span = tracing::Span::current();
    match tokio::task::spawn_blocking(move || span.in_scope(work)).await {
        Ok(result) => result.map_err(Into::into),
        Err(error) => Err(ApiError::internal(&error)),
    }
}
