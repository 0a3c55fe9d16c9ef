//! What a handler answers when it cannot do what was asked: a status and one sentence a person can act on.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::shapes::Problem;
use crate::imaging::{PixelError, StackError};
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

    fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the box could not do this; its log says why")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(Problem { error: self.sentence })).into_response()
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

impl From<StackError> for ApiError {
    fn from(error: StackError) -> Self {
        match error {
            StackError::Store(error) => error.into(),
            StackError::Pixels(PixelError::NoSuchFrame { .. }) => Self::not_found("frame"),
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
