//! One slice of a file beside a finding's document, and nothing when the asker has it already.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use crate::store::StoreError;
use crate::store::perfusion::FilePart;

/// The tag of what the asker has.
pub(super) fn known(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(IF_NONE_MATCH)?.to_str().ok()?.to_owned())
}

/// The slice that a name like `3.u8` asks for, of so many.
pub(super) fn number(name: &str, ending: &str, slices: u32) -> Result<u32, ApiError> {
    let number = name.strip_suffix(ending).and_then(|number| number.parse().ok());
    number
        .filter(|slice| *slice < slices)
        .ok_or_else(|| ApiError::not_found(&format!("slice; ask for 0{ending}, 1{ending} and so on")))
}

/// A slice's bytes under their tag.
pub(super) struct Slice {
    tag: String,
    /// `None`: the asker has them.
    bytes: Option<Vec<u8>>,
}

impl Slice {
    /// `read` is called only for who does not know the slice.
    pub(super) fn of(
        file: &FilePart,
        slice: u32,
        known: Option<&str>,
        read: impl FnOnce() -> Result<Vec<u8>, StoreError>,
    ) -> Result<Self, ApiError> {
        let tag = format!("\"{}-{slice}\"", &file.sha256[..32]);
        let bytes = if known == Some(tag.as_str()) { None } else { Some(read()?) };
        Ok(Self { tag, bytes })
    }
}

impl IntoResponse for Slice {
    fn into_response(self) -> Response {
        let headers = [(ETAG, self.tag), (CACHE_CONTROL, "private, no-cache".to_owned())];
        match self.bytes {
            Some(bytes) => (headers, [(CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
            None => (StatusCode::NOT_MODIFIED, headers).into_response(),
        }
    }
}
