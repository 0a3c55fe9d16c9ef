//! Pictures for people: `rendered` and `thumbnail` (PS3.18 8.3.5, 10.4.1.1.3) as JPEG, PNG or GIF.
//!
//! One picture of something that has many is its middle one; who accepts multipart gets all. Annotations are not
//! burned in. Objects without pixel data have no picture: 404.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::accept::Accept;
use super::instances::{broken, not_acceptable};
use super::multipart::Multipart;
use super::stream::stream;
use super::target::{Parameters, Target, Words, bad, frame_numbers, parameter};
use crate::imaging::{FrameError, PixelSource, Rendered, Window, WindowFunction, render};
use crate::store::Store;
use crate::store::records::InstanceRecord;
use crate::viewer::Desk;
use crate::viewer::error::{ApiError, blocking};
use crate::viewer::pictures::encode::{OFFERED, encode};

/// A wall of four 8K screens shows no more.
const VIEWPORT_MAX: u32 = 8192;
const THUMBNAIL: Viewport = Viewport { columns: 200, rows: 200, source: None };
const QUALITY: u8 = 90;

/// The window a picture shall fit into, and the part of the image it shows: left, top, width, height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Viewport {
    pub(super) columns: u32,
    pub(super) rows: u32,
    pub(super) source: Option<[f64; 4]>,
}

/// How a picture shall look.
#[derive(Clone, Debug)]
struct Look {
    viewport: Option<Viewport>,
    window: Option<Window>,
    quality: u8,
    media: &'static str,
}

/// Rendered frames or instances.
#[utoipa::path(
    get,
    path = "/dicom-web/studies/{study}/series/{series}/instances/{instance}/rendered",
    params(
        ("viewport" = Option<String>, Query, description = "width,height, or width,height,left,top,width,height of the part to show"),
        ("window" = Option<String>, Query, description = "center,width,function; function is linear, linear-exact or sigmoid"),
        ("quality" = Option<u8>, Query, description = "1 to 100, JPEG only"),
    ),
    responses(
        (status = 200, content_type = "image/jpeg", body = Vec<u8>, description = "also of studies, series and frames"),
        (status = 400, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
        (status = 404, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
        (status = 406, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn rendered(
    State(desk): State<Arc<Desk>>,
    Path(words): Path<Words>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let accept = Accept::of(&headers, parameter(&parameters, "accept"));
    let media = accept.first_of(&OFFERED).ok_or_else(not_acceptable)?;
    let look = look(&parameters, media, None)?;
    let all = accept
        .ranges()
        .find(|wanted| wanted.takes(media))
        .is_some_and(|wanted| wanted.multipart == Some(true));
    pictures(desk, words, look, all).await
}

/// A small picture.
#[utoipa::path(
    get,
    path = "/dicom-web/studies/{study}/series/{series}/instances/{instance}/thumbnail",
    params(("viewport" = Option<String>, Query, description = "width,height")),
    responses(
        (status = 200, content_type = "image/jpeg", body = Vec<u8>, description = "also of studies, series and frames"),
        (status = 404, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn thumbnail(
    State(desk): State<Arc<Desk>>,
    Path(words): Path<Words>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let accept = Accept::of(&headers, parameter(&parameters, "accept"));
    let media = accept.first_of(&OFFERED).ok_or_else(not_acceptable)?;
    let look = look(&parameters, media, Some(THUMBNAIL))?;
    pictures(desk, words, look, false).await
}

async fn pictures(desk: Arc<Desk>, words: Words, look: Look, all: bool) -> Result<Response, ApiError> {
    let target = Target::of(&words)?;
    let frames = words.contains_key("frames").then(|| frame_numbers(&words)).transpose()?;
    let store = desk.store.clone();
    if all {
        let records = blocking(move || with_pictures(&target, &store)).await?;
        let multipart = Multipart::new()?;
        let content_type = multipart.content_type(look.media);
        let store = desk.store.clone();
        let body = stream(move |out| {
            for record in &records {
                let source = PixelSource::open(&store.instance_path(record))?;
                let numbers = frames.clone().unwrap_or_else(|| (0..source.frames()).collect());
                for number in numbers {
                    multipart.begin_part(out, look.media).map_err(broken)?;
                    std::io::Write::write_all(out, &look.picture(&source, number)?).map_err(broken)?;
                    Multipart::end_part(out).map_err(broken)?;
                }
            }
            multipart.close(out).map_err(broken)
        });
        return Ok(([(CONTENT_TYPE, content_type)], body).into_response());
    }
    let media = look.media;
    let picture = blocking(move || {
        let records = with_pictures(&target, &store)?;
        let source = PixelSource::open(&store.instance_path(&records[records.len() / 2]))?;
        let number = match frames.as_deref() {
            Some([number]) => *number,
            Some(_) => return Err(not_acceptable()),
            None => source.frames() / 2,
        };
        look.picture(&source, number)
    });
    Ok(([(CONTENT_TYPE, media)], picture.await?).into_response())
}

/// Never empty.
fn with_pictures(target: &Target, store: &Store) -> Result<Vec<InstanceRecord>, ApiError> {
    let mut records = target.instances(store)?;
    records.retain(|record| record.facts.picture.is_some());
    if records.is_empty() { Err(FrameError::NoPixels.into()) } else { Ok(records) }
}

fn look(parameters: &Parameters, media: &'static str, viewport: Option<Viewport>) -> Result<Look, ApiError> {
    let quality = parameter(parameters, "quality").map(|text| {
        let number = text.parse::<u8>().ok().filter(|quality| (1..=100).contains(quality));
        number.ok_or_else(|| bad("quality", "a number from 1 to 100"))
    });
    Ok(Look {
        viewport: parameter(parameters, "viewport").map(viewport_of).transpose()?.or(viewport),
        window: parameter(parameters, "window").map(window_of).transpose()?,
        quality: quality.transpose()?.unwrap_or(QUALITY),
        media,
    })
}

/// `vw,vh`, or `vw,vh,sx,sy,sw,sh` (PS3.18 8.3.5.1.3): an empty number of the source is its default, a negative width
/// or height mirrors.
pub(super) fn viewport_of(text: &str) -> Result<Viewport, ApiError> {
    let why =
        "width,height from 1 to 8192, and then perhaps left,top,width,height of the part to show, in pixels";
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let side = |text: &str| text.parse().ok().filter(|side| (1..=VIEWPORT_MAX).contains(side));
    let source = |text: &str, default: f64| match text {
        "" => Some(default),
        text => text.parse::<f64>().ok().filter(|number| number.is_finite()),
    };
    let viewport = match parts.as_slice() {
        [columns, rows] => side(columns).zip(side(rows)).map(|(columns, rows)| (columns, rows, None)),
        [columns, rows, left, top, width, height] => {
            let source =
                [source(left, 0.0), source(top, 0.0), source(width, f64::MAX), source(height, f64::MAX)];
            match source {
                [Some(left), Some(top), Some(width), Some(height)]
                    if left >= 0.0 && top >= 0.0 && width != 0.0 && height != 0.0 =>
                {
                    side(columns)
                        .zip(side(rows))
                        .map(|(columns, rows)| (columns, rows, Some([left, top, width, height])))
                }
                _ => None,
            }
        }
        _ => None,
    };
    let (columns, rows, source) = viewport.ok_or_else(|| bad("viewport", why))?;
    Ok(Viewport { columns, rows, source })
}

pub(super) fn window_of(text: &str) -> Result<Window, ApiError> {
    let why = "center,width,function with a positive width; function is linear, linear-exact or sigmoid";
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [center, width, rest @ ..] = parts.as_slice() else { return Err(bad("window", why)) };
    let function = match rest.first().map(|name| name.to_ascii_lowercase()).as_deref() {
        None | Some("linear") => WindowFunction::Linear,
        Some("linear-exact" | "linear_exact") => WindowFunction::LinearExact,
        Some("sigmoid") => WindowFunction::Sigmoid,
        Some(_) => return Err(bad("window", why)),
    };
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    match (number(center), number(width)) {
        (Some(center), Some(width)) if width > 0.0 => Ok(Window { center, width, function }),
        _ => Err(bad("window", why)),
    }
}

impl Look {
    fn picture(&self, source: &PixelSource, number: u32) -> Result<Vec<u8>, ApiError> {
        let mut rendered = render(&source.decode(number)?, self.window)?;
        source.draw_overlays(number, &mut rendered)?;
        let rendered = match self.viewport {
            Some(viewport) => viewport.show(rendered),
            None => rendered,
        };
        encode(&rendered, self.media, self.quality)
            .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error))
    }
}

impl Viewport {
    fn show(&self, picture: Rendered) -> Rendered {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
        let pixels = |number: f64| number.abs().round() as u32;
        let part = match self.source {
            Some([left, top, width, height]) => {
                let (width, height) = ((pixels(width), width < 0.0), (pixels(height), height < 0.0));
                picture.region(pixels(left), pixels(top), width, height)
            }
            None => picture,
        };
        part.fit(self.columns, self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_wrong_is_named() {
        for text in ["", "10", "0,10", "10,99999", "a,b", "1,2,3", "9,9,0,0,0,5", "9,9,-1,0,5,5", "9,9,,,x,"]
        {
            assert!(viewport_of(text).unwrap_err().sentence.starts_with("viewport"), "{text}");
        }
        for text in ["40", "40,0", "nan,1", "40,400,cubic"] {
            assert!(window_of(text).unwrap_err().sentence.starts_with("window"), "{text}");
        }
        assert_eq!(viewport_of("64,32").unwrap(), Viewport { columns: 64, rows: 32, source: None });
        let part = viewport_of("64,32,10,20,-30,").unwrap();
        assert_eq!(part.source, Some([10.0, 20.0, -30.0, f64::MAX]));
        assert_eq!(window_of("40,400,SIGMOID").unwrap().function, WindowFunction::Sigmoid);
    }
}
