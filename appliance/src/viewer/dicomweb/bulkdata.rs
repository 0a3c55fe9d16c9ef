//! Bulk data: the value of one element where metadata only has its address.
//!
//! `.../bulkdata/7FE00010`, or inside sequences `.../bulkdata/<sequence>/<item from 0>/<element>`. Values are
//! streamed, whole or one range of bytes; those of compressed pixel data go frame by frame, whole.

use std::io::Write;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::accept::Accept;
use super::frames;
use super::instances::{broken, not_acceptable};
use super::multipart::Multipart;
use super::range::{self, Asked, Cut};
use super::stream::stream;
use super::target::{Parameters, Target, Words, parameter};
use crate::imaging::PixelSource;
use crate::part10::{ElementHead, Elements, Encoding, ITEM, Malformed, Tag};
use crate::viewer::Desk;
use crate::viewer::error::{ApiError, blocking};

const OCTETS: &str = "application/octet-stream";
const COPY_BYTES: usize = 256 * 1024;
/// A path of the metadata's own depth, and no more.
const STEPS_MAX: usize = 32;

/// A value left out of the metadata.
#[utoipa::path(
    get,
    path = "/dicom-web/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path}",
    responses(
        (status = 200, content_type = "multipart/related", body = Vec<u8>),
        (status = 206, content_type = "multipart/related", body = Vec<u8>, description = "the Range that was asked for"),
        (status = 416, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
        (status = 404, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
        (status = 406, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn bulkdata(
    State(desk): State<Arc<Desk>>,
    Path(words): Path<Words>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let target = Target::of(&words)?;
    let accept = Accept::of(&headers, parameter(&parameters, "accept"));
    let path = words.get("path").cloned().unwrap_or_default();
    let store = desk.store.clone();
    let found = blocking(move || {
        let records = target.instances(&store)?;
        let file = store.instance_path(&records[0]);
        let steps = steps(&path).ok_or_else(|| ApiError::not_found("bulk data"))?;
        let (elements, head) = find(Elements::open(&file)?.1, &steps)?;
        if head.length.is_none() {
            let source = Box::new(PixelSource::open(&file)?);
            let form = frames::form(&accept, &source, 0)?;
            return Ok::<_, ApiError>(Found::Frames(source, form));
        }
        let wanted = accept.ranges().find(|wanted| wanted.takes(OCTETS)).ok_or_else(not_acceptable)?;
        Ok(Found::Value(elements, head, wanted.multipart != Some(false)))
    });
    match found.await? {
        Found::Frames(source, form) => {
            let numbers = (0..source.frames()).collect();
            frames::send(*source, numbers, form)
        }
        Found::Value(elements, head, multipart) => {
            let whole = head.length.unwrap_or(0).into();
            match range::asked(&headers, whole) {
                Asked::Impossible => Ok(range::impossible(whole)),
                Asked::Whole => send(Value { elements, head, cut: None }, multipart),
                Asked::Part(cut) => send(Value { elements, head, cut: Some(cut) }, multipart),
            }
        }
    }
}

enum Found {
    Frames(Box<PixelSource>, frames::Form),
    Value(Elements, ElementHead, bool),
}

/// A value of known length, standing at its first byte.
struct Value {
    elements: Elements,
    head: ElementHead,
    /// What of it is sent; all where there is none.
    cut: Option<Cut>,
}

/// A cut value says so in its status and its Content-Range; in a multipart body the part says the latter, too.
fn send(mut value: Value, multipart: bool) -> Result<Response, ApiError> {
    let status = if value.cut.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let range = value.cut.map(|cut| cut.words());
    let (content_type, body) = if multipart {
        let multipart = Multipart::new()?;
        let content_type = multipart.content_type(OCTETS);
        let part =
            range.as_ref().map_or(OCTETS.into(), |range| format!("{OCTETS}\r\nContent-Range: {range}"));
        let body = stream(move |out| {
            multipart.begin_part(out, &part).map_err(broken)?;
            value.copy(out)?;
            Multipart::end_part(out).map_err(broken)?;
            multipart.close(out).map_err(broken)
        });
        (content_type, body)
    } else {
        (OCTETS.to_owned(), stream(move |out| Ok(value.copy(out)?)))
    };
    let mut response = (status, [(CONTENT_TYPE, content_type)], body).into_response();
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(range) = range.and_then(|range| range.parse().ok()) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    Ok(response)
}

impl Value {
    /// The value, or its part, in little endian.
    fn copy(&mut self, out: &mut dyn Write) -> Result<(), Malformed> {
        let unit: usize = match (self.elements.encoding.big_endian, self.head.vr) {
            (true, Some([b'O', b'W'])) => 2,
            (true, Some([b'O', b'F' | b'L'])) => 4,
            (true, Some([b'O', b'D' | b'V'])) => 8,
            _ => 1,
        };
        let whole = u64::from(self.head.length.unwrap_or(0));
        let (first, end) = self.cut.map_or((0, whole), |cut| (cut.first, cut.first + cut.count));
        // Values are swapped as a whole: a part that begins inside one is cut afterwards.
        let mut at = first - first % unit as u64;
        self.elements.skip(at)?;
        let mut buffer = vec![0u8; COPY_BYTES];
        while at < end {
            let left = (end - at).next_multiple_of(unit as u64).min(whole - at);
            let step = usize::try_from(left).unwrap_or(COPY_BYTES).min(COPY_BYTES);
            if self.elements.fill(&mut buffer[..step])? < step {
                return Err(Malformed::EndsInside { tag: self.head.tag, at: self.head.value_at });
            }
            if unit > 1 {
                buffer[..step].chunks_exact_mut(unit).for_each(<[u8]>::reverse);
            }
            let skip = usize::try_from(first.saturating_sub(at)).unwrap_or(0);
            let keep = usize::try_from(end - at).unwrap_or(step).min(step);
            out.write_all(&buffer[skip..keep]).map_err(Malformed::Io)?;
            at += step as u64;
        }
        Ok(())
    }
}

/// `tag`, or `tag/item/tag` and so on.
fn steps(path: &str) -> Option<Vec<(Tag, usize)>> {
    let words: Vec<&str> = path.split('/').take(2 * STEPS_MAX).collect();
    let pairs = words.chunks(2);
    pairs.map(|pair| Some((tag(pair[0])?, pair.get(1).map_or(Some(0), |item| item.parse().ok())?))).collect()
}

fn tag(text: &str) -> Option<Tag> {
    let number = u32::from_str_radix(text, 16).ok().filter(|_| text.len() == 8)?;
    Some((u16::try_from(number >> 16).ok()?, u16::try_from(number & 0xFFFF).ok()?))
}

/// Stands at the value of the element a path leads to.
fn find(mut elements: Elements, steps: &[(Tag, usize)]) -> Result<(Elements, ElementHead), ApiError> {
    let mut encoding = elements.encoding;
    for (depth, (tag, item)) in steps.iter().enumerate() {
        let head = loop {
            let head = elements.next_head_in(encoding)?.ok_or_else(|| ApiError::not_found("bulk data"))?;
            match head.tag {
                found if found == *tag => break head,
                // Past the end of the item: the rest of the file is not below it.
                (0xFFFE, _) => return Err(ApiError::not_found("bulk data")),
                _ => elements.pass(&head, encoding)?,
            }
        };
        if depth + 1 == steps.len() {
            return Ok((elements, head));
        }
        if head.vr == Some(*b"UN") {
            encoding = Encoding::of("1.2.840.10008.1.2");
        }
        enter(&mut elements, encoding, *item)?;
    }
    Err(ApiError::not_found("bulk data"))
}

/// Stands at the first element of an item.
fn enter(elements: &mut Elements, encoding: Encoding, item: usize) -> Result<(), ApiError> {
    for number in 0..=item {
        let head = elements.next_head_in(encoding)?.filter(|head| head.tag == ITEM);
        let head = head.ok_or_else(|| ApiError::not_found("bulk data"))?;
        if number < item {
            pass_item(elements, &head, encoding)?;
        }
    }
    Ok(())
}

fn pass_item(elements: &mut Elements, head: &ElementHead, encoding: Encoding) -> Result<(), Malformed> {
    if let Some(length) = head.length {
        return elements.skip(length.into());
    }
    while let Some(inner) = elements.next_head_in(encoding)? {
        if inner.tag.0 == 0xFFFE {
            return Ok(());
        }
        elements.pass(&inner, encoding)?;
    }
    Ok(())
}

impl From<Malformed> for ApiError {
    fn from(error: Malformed) -> Self {
        Self::internal(&error)
    }
}
