//! Frames of an instance: plain samples where they can be had and nothing else was asked for, else as compressed
//! as they are stored, with the syntax named.

use std::io::Write;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::accept::{Accept, Wanted};
use super::instances::{EXPLICIT, broken, not_acceptable};
use super::multipart::Multipart;
use super::stream::stream;
use super::target::{Parameters, Target, Words, frame_numbers, parameter};
use crate::imaging::{FrameError, PixelSource};
use crate::viewer::Desk;
use crate::viewer::error::{ApiError, blocking};

const OCTETS: &str = "application/octet-stream";

/// How frames leave the box.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    samples: bool,
    media: &'static str,
    syntax: String,
    multipart: bool,
}

/// Frames by number, from 1.
#[utoipa::path(
    get,
    path = "/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}",
    responses(
        (status = 200, content_type = "multipart/related", body = Vec<u8>),
        (status = 404, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
        (status = 406, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn frames(
    State(desk): State<Arc<Desk>>,
    Path(words): Path<Words>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (target, numbers) = (Target::of(&words)?, frame_numbers(&words)?);
    let accept = Accept::of(&headers, parameter(&parameters, "accept"));
    let store = desk.store.clone();
    let opened = blocking(move || {
        let records = target.instances(&store)?;
        let source = PixelSource::open(&store.instance_path(&records[0]))?;
        for number in &numbers {
            source.check(*number)?;
        }
        let form = form(&accept, &source, numbers[0])?;
        if !form.multipart && numbers.len() > 1 {
            return Err(not_acceptable());
        }
        Ok::<_, ApiError>((source, numbers, form))
    });
    let (source, numbers, form) = opened.await?;
    send(source, numbers, form)
}

/// Sends frames in a form that was chosen before.
pub(super) fn send(source: PixelSource, numbers: Vec<u32>, form: Form) -> Result<Response, ApiError> {
    let part_type = format!("{}; transfer-syntax={}", form.media, form.syntax);
    if !form.multipart {
        let body = stream(move |out| write(&source, numbers[0], &form, out));
        return Ok(([(CONTENT_TYPE, part_type)], body).into_response());
    }
    let multipart = Multipart::new()?;
    let content_type = multipart.content_type(form.media);
    let body = stream(move |out| {
        for number in numbers {
            multipart.begin_part(out, &part_type).map_err(broken)?;
            write(&source, number, &form, out)?;
            Multipart::end_part(out).map_err(broken)?;
        }
        multipart.close(out).map_err(broken)
    });
    Ok(([(CONTENT_TYPE, content_type)], body).into_response())
}

fn write(source: &PixelSource, number: u32, form: &Form, out: &mut dyn Write) -> Result<(), ApiError> {
    if form.samples {
        return Ok(source.write_samples(number, out)?);
    }
    out.write_all(&source.encoded(number)?).map_err(broken)
}

/// The first range that can be served; the first frame is decoded to be sure where the codec has the last word.
pub(super) fn form(accept: &Accept, source: &PixelSource, first: u32) -> Result<Form, ApiError> {
    let decodes = source.is_native() || source.is_decodable() && source.decode(first).is_ok();
    let whole = source.is_native() || source.encoded(first).is_ok();
    if !decodes && !whole {
        return Err(FrameError::Fragments(source.frames()).into());
    }
    accept.ranges().find_map(|wanted| for_range(wanted, source, decodes)).ok_or_else(not_acceptable)
}

fn for_range(wanted: &Wanted, source: &PixelSource, decodes: bool) -> Option<Form> {
    let multipart = wanted.multipart != Some(false);
    let stored = source.transfer_syntax.as_str();
    let samples = || Form { samples: true, media: OCTETS, syntax: EXPLICIT.into(), multipart };
    let encoded = |media| Form { samples: false, media, syntax: stored.into(), multipart };
    let own = media_of(stored);
    match wanted.syntax.as_deref() {
        // Named, and it is the stored one: nothing is decoded.
        Some(syntax) if syntax == stored && !source.is_native() => {
            let media = [own, OCTETS].into_iter().find(|media| wanted.takes(media))?;
            Some(encoded(media))
        }
        None | Some("*" | EXPLICIT) if wanted.takes(OCTETS) && decodes => Some(samples()),
        None | Some("*") if !source.is_native() && wanted.takes(own) => Some(encoded(own)),
        // Not decodable here: better the original with its name than nothing.
        None | Some("*") if !source.is_native() && wanted.takes(OCTETS) => Some(encoded(OCTETS)),
        _ => None,
    }
}

/// PS3.18 table 8.7.3-5.
fn media_of(transfer_syntax: &str) -> &'static str {
    let family = transfer_syntax.strip_prefix("1.2.840.10008.1.2.").unwrap_or_default();
    match family {
        "5" => "image/dicom-rle",
        "4.50" | "4.51" | "4.57" | "4.70" => "image/jpeg",
        "4.80" | "4.81" => "image/jls",
        "4.90" | "4.91" => "image/jp2",
        "4.92" | "4.93" => "image/jpx",
        "4.201" | "4.202" | "4.203" => "image/jphc",
        "4.110" | "4.111" | "4.112" => "image/jxl",
        "4.100" | "4.101" => "video/mpeg2",
        "4.102" | "4.103" | "4.104" | "4.105" | "4.106" => "video/mp4",
        "4.107" | "4.108" => "video/h265",
        _ => OCTETS,
    }
}
