//! Bulk data: the value of one element where metadata only has its address.
//!
//! `.../bulkdata/7FE00010`, or inside sequences `.../bulkdata/<sequence>/<item from 0>/<element>`. Values are
//! streamed; those of pixel data go frame by frame.

use std::io::Write;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::accept::Accept;
use super::frames;
use super::instances::{broken, not_acceptable};
use super::multipart::Multipart;
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
        Found::Value(elements, head, multipart) => send(elements, head, multipart),
    }
}

enum Found {
    Frames(Box<PixelSource>, frames::Form),
    Value(Elements, ElementHead, bool),
}

fn send(mut elements: Elements, head: ElementHead, multipart: bool) -> Result<Response, ApiError> {
    if !multipart {
        let body = stream(move |out| Ok(copy(&mut elements, &head, out)?));
        return Ok(([(CONTENT_TYPE, OCTETS)], body).into_response());
    }
    let multipart = Multipart::new()?;
    let content_type = multipart.content_type(OCTETS);
    let body = stream(move |out| {
        multipart.begin_part(out, OCTETS).map_err(broken)?;
        copy(&mut elements, &head, out)?;
        Multipart::end_part(out).map_err(broken)?;
        multipart.close(out).map_err(broken)
    });
    Ok(([(CONTENT_TYPE, content_type)], body).into_response())
}

/// The value in little endian.
fn copy(elements: &mut Elements, head: &ElementHead, out: &mut dyn Write) -> Result<(), Malformed> {
    let unit = match (elements.encoding.big_endian, head.vr) {
        (true, Some([b'O', b'W'])) => 2,
        (true, Some([b'O', b'F' | b'L'])) => 4,
        (true, Some([b'O', b'D' | b'V'])) => 8,
        _ => 1,
    };
    let (mut left, mut buffer) = (head.length.unwrap_or(0) as usize, vec![0u8; COPY_BYTES]);
    while left > 0 {
        let step = left.min(COPY_BYTES);
        if elements.fill(&mut buffer[..step])? < step {
            return Err(Malformed::EndsInside { tag: head.tag, at: head.value_at });
        }
        if unit > 1 {
            buffer[..step].chunks_exact_mut(unit).for_each(<[u8]>::reverse);
        }
        out.write_all(&buffer[..step]).map_err(Malformed::Io)?;
        left -= step;
    }
    Ok(())
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
