//! Whole instances: as they lie in the store where the client takes any syntax, in explicit VR little endian where
//! it does not say, and as they lie, with their syntax named, where this build cannot decode them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Path as Words_, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::accept::Accept;
use super::multipart::Multipart;
use super::stream::stream;
use super::target::{Parameters, Target, Words, parameter};
use crate::imaging::{DecodedFrame, FrameError, PixelSource};
use crate::part10::{Elements, Malformed, PixelReplacement, Tag, rewrite_explicit};
use crate::store::Store;
use crate::store::records::InstanceRecord;
use crate::viewer::Desk;
use crate::viewer::error::{ApiError, blocking};

pub(super) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const MEDIA: &str = "application/dicom";
const COPY_BYTES: usize = 256 * 1024;

/// How an instance leaves the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    AsStored,
    Explicit,
}

/// Instances of a study, of a series, or one.
#[utoipa::path(
    get,
    path = "/dicom-web/studies/{study}",
    responses(
        (status = 200, content_type = "multipart/related", body = Vec<u8>, description = "PS3.18 10.4; also below .../series/{series} and .../instances/{instance}"),
        (status = 404, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
        (status = 406, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn retrieve(
    State(desk): State<Arc<Desk>>,
    Words_(words): Words_<Words>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let target = Target::of(&words)?;
    let accept = Accept::of(&headers, parameter(&parameters, "accept"));
    let store = desk.store.clone();
    let found = blocking(move || {
        let records = target.instances(&store)?;
        let forms = records.iter().map(|record| form(&accept, record, records.len()));
        let forms = forms.collect::<Option<Vec<_>>>().ok_or_else(not_acceptable)?;
        Ok::<_, ApiError>((records, forms))
    });
    let (records, forms) = found.await?;
    let store = desk.store.clone();
    if let [(Form::AsStored | Form::Explicit, false)] = forms.as_slice() {
        let (record, form) = (records[0].clone(), forms[0].0);
        let body = stream(move |out| {
            plan(&store, &record, form).write(out)?;
            Ok(())
        });
        return Ok(([(CONTENT_TYPE, MEDIA)], body).into_response());
    }
    let multipart = Multipart::new()?;
    let content_type = multipart.content_type(MEDIA);
    let body = stream(move |out| {
        for (record, (form, _)) in records.iter().zip(forms) {
            let plan = plan(&store, record, form);
            let part_type = format!("{MEDIA}; transfer-syntax={}", plan.transfer_syntax());
            multipart.begin_part(out, &part_type).map_err(broken)?;
            plan.write(out)?;
            Multipart::end_part(out).map_err(broken)?;
        }
        multipart.close(out).map_err(broken)
    });
    Ok(([(CONTENT_TYPE, content_type)], body).into_response())
}

/// The form the client takes, and whether in a multipart body.
fn form(accept: &Accept, record: &InstanceRecord, count: usize) -> Option<(Form, bool)> {
    let stored = record.facts.transfer_syntax.as_str();
    accept.ranges().filter(|wanted| wanted.takes(MEDIA)).find_map(|wanted| {
        let form = match wanted.syntax.as_deref() {
            Some("*") => Form::AsStored,
            Some(syntax) if syntax == stored => Form::AsStored,
            None if stored == EXPLICIT => Form::AsStored,
            None | Some(EXPLICIT) => Form::Explicit,
            Some(_) => return None,
        };
        match wanted.multipart {
            Some(false) if count > 1 => None,
            multipart => Some((form, multipart != Some(false))),
        }
    })
}

pub(super) fn not_acceptable() -> ApiError {
    let sentence =
        "nothing in Accept can be sent for this; `*/*` or a transfer-syntax of `*` takes what is stored";
    ApiError::new(StatusCode::NOT_ACCEPTABLE, sentence)
}

/// What will be written.
enum Plan {
    AsStored {
        path: std::path::PathBuf,
        transfer_syntax: String,
    },
    /// Native pixels, or none: only the encoding of elements changes.
    Encoding {
        path: std::path::PathBuf,
    },
    Decoded {
        path: std::path::PathBuf,
        source: Box<PixelSource>,
        first: Box<DecodedFrame>,
    },
}

/// Falls back to the stored form where this build cannot make the other.
fn plan(store: &Store, record: &InstanceRecord, form: Form) -> Plan {
    let path = store.instance_path(record);
    let transfer_syntax = record.facts.transfer_syntax.clone();
    let as_stored = |path| Plan::AsStored { path, transfer_syntax: transfer_syntax.clone() };
    if form == Form::AsStored {
        return as_stored(path);
    }
    let source = match PixelSource::open(&path) {
        Err(FrameError::NoPixels) => return Plan::Encoding { path },
        Err(_) => return as_stored(path),
        Ok(source) if source.is_native() => return Plan::Encoding { path },
        Ok(source) => source,
    };
    match source.decode(0) {
        Ok(first) if decoded_length(&source, &first).is_some() => {
            Plan::Decoded { path, source: Box::new(source), first: Box::new(first) }
        }
        _ => as_stored(path),
    }
}

/// Bytes of the decoded pixel data, padded to an even length; none where the length field could not hold it.
fn decoded_length(source: &PixelSource, first: &DecodedFrame) -> Option<u32> {
    let bytes = first.attributes.frame_bytes().checked_mul(source.frames().into())?;
    u32::try_from(bytes.next_multiple_of(2)).ok().filter(|length| *length < u32::MAX)
}

impl Plan {
    fn transfer_syntax(&self) -> &str {
        match self {
            Self::AsStored { transfer_syntax, .. } => transfer_syntax,
            Self::Encoding { .. } | Self::Decoded { .. } => EXPLICIT,
        }
    }

    fn write(self, out: &mut dyn Write) -> Result<(), ApiError> {
        match self {
            Self::AsStored { path, .. } => copy(&path, out).map_err(broken),
            Self::Encoding { path } => {
                let mut elements = explicit_header(&path, out)?;
                rewrite_explicit(&mut elements, out, None).map_err(|error| ApiError::internal(&error))
            }
            Self::Decoded { path, source, first } => {
                let mut elements = explicit_header(&path, out)?;
                let length = decoded_length(&source, &first).expect("planned so");
                let attributes = described(&first);
                let vr = if first.attributes.bits_allocated <= 8 { *b"OB" } else { *b"OW" };
                let mut write = |out: &mut dyn Write| write_frames(&source, &first, out);
                let pixels = PixelReplacement { attributes, vr, length, write: &mut write };
                rewrite_explicit(&mut elements, out, Some(pixels)).map_err(|error| ApiError::internal(&error))
            }
        }
    }
}

/// Writes our header for explicit VR little endian and stands at the first element.
fn explicit_header(path: &Path, out: &mut dyn Write) -> Result<Elements, ApiError> {
    let (mut header, elements) = Elements::open(path).map_err(|error| ApiError::internal(&error))?;
    header.transfer_syntax = EXPLICIT.to_owned();
    out.write_all(&header.to_bytes()).map_err(broken)?;
    Ok(elements)
}

fn write_frames(source: &PixelSource, first: &DecodedFrame, out: &mut dyn Write) -> Result<(), Malformed> {
    let other = |error: FrameError| Malformed::Io(io::Error::other(error.to_string()));
    let mut written = 0;
    for frame in 0..source.frames() {
        let decoded = if frame == 0 { None } else { Some(source.decode(frame).map_err(other)?) };
        let decoded = decoded.as_ref().unwrap_or(first);
        if decoded.samples.len() != first.samples.len() {
            return Err(Malformed::Io(io::Error::other("frames decode to different sizes")));
        }
        out.write_all(&decoded.samples).map_err(Malformed::Io)?;
        written += decoded.samples.len();
    }
    if written % 2 == 1 { out.write_all(&[0]).map_err(Malformed::Io) } else { Ok(()) }
}

/// Attributes as the codec left the samples (PS3.5 8.2).
fn described(frame: &DecodedFrame) -> BTreeMap<Tag, ([u8; 2], Vec<u8>)> {
    let a = &frame.attributes;
    let mut photometric = a.photometric.clone().into_bytes();
    if photometric.len() % 2 == 1 {
        photometric.push(b' ');
    }
    let number = |value: u16| (*b"US", value.to_le_bytes().to_vec());
    let mut attributes = BTreeMap::from([
        ((0x0028, 0x0002), number(a.samples)),
        ((0x0028, 0x0004), (*b"CS", photometric)),
        ((0x0028, 0x0100), number(a.bits_allocated)),
        ((0x0028, 0x0101), number(a.bits_stored)),
        ((0x0028, 0x0102), number(a.high_bit)),
    ]);
    if a.samples > 1 {
        attributes.insert((0x0028, 0x0006), number(u16::from(a.planar)));
    }
    attributes
}

fn copy(path: &Path, out: &mut dyn Write) -> io::Result<()> {
    let (mut file, mut buffer) = (File::open(path)?, vec![0u8; COPY_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            count => out.write_all(&buffer[..count])?,
        }
    }
}

/// A body that cannot be sent to its end.
#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
pub(super) fn broken(error: io::Error) -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
