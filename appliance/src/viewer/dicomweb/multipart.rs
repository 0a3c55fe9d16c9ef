//! `multipart/related` bodies (RFC 2387), written the way every parser in use reads: CRLF everywhere, nothing before
//! the first boundary, `Content-Type` in exactly this case, a CRLF before every boundary.
//!
//! The boundary is 128 random bits, new for each answer: pixel data cannot contain it by accident or on purpose.

use std::io::{self, Write};

use axum::http::StatusCode;

use crate::store::hex;
use crate::viewer::error::ApiError;

/// One answer's boundary.
#[derive(Clone, Debug)]
pub(super) struct Multipart {
    boundary: String,
}

impl Multipart {
    pub(super) fn new() -> Result<Self, ApiError> {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes)
            .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        Ok(Self { boundary: hex(&bytes) })
    }

    /// Value of the answer's Content-Type; `media` is that of the parts.
    pub(super) fn content_type(&self, media: &str) -> String {
        format!("multipart/related; type=\"{media}\"; boundary=\"{}\"", self.boundary)
    }

    pub(super) fn begin_part(&self, out: &mut dyn Write, content_type: &str) -> io::Result<()> {
        write!(out, "--{}\r\nContent-Type: {content_type}\r\n\r\n", self.boundary)
    }

    pub(super) fn end_part(out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"\r\n")
    }

    pub(super) fn close(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "--{}--\r\n", self.boundary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_the_one_shape_all_clients_read() {
        let multipart = Multipart { boundary: "b".into() };
        let mut body = Vec::new();
        for part in ["one", "two"] {
            multipart.begin_part(&mut body, "application/dicom; transfer-syntax=1.2").unwrap();
            body.extend_from_slice(part.as_bytes());
            Multipart::end_part(&mut body).unwrap();
        }
        multipart.close(&mut body).unwrap();
        let expected = "--b\r\nContent-Type: application/dicom; transfer-syntax=1.2\r\n\r\none\r\n\
                        --b\r\nContent-Type: application/dicom; transfer-syntax=1.2\r\n\r\ntwo\r\n--b--\r\n";
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }

    #[test]
    fn no_two_answers_share_a_boundary() {
        let [one, two] = [Multipart::new().unwrap(), Multipart::new().unwrap()];
        assert_ne!(one.boundary, two.boundary);
        assert_eq!(one.boundary.len(), 32);
    }
}
