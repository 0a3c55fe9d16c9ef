//! Pictures of a series as a volume: `rendered3D` and `renderedMPR` (PS3.18 8.3.5.3, Supplement 228) as JPEG or PNG.
//!
//! The viewpoint is given in patient millimetres (`viewpointposition`, `viewpointlookat`, `viewpointup`), or by a
//! letter (`orientation`): from the front (a), the back (p), the left (l), the right (r), the head (h) or the feet
//! (f); by default all of the volume is in the picture. Swivels and animations are not drawn, and said not to be.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use sidelight_kernels::rendering::Scene;

use super::accept::Accept;
use super::instances::not_acceptable;
use super::rendered::{Viewport, viewport_of, window_of};
use super::target::{Parameters, Target, Words, bad, parameter};
use crate::imaging::WindowFunction;
use crate::viewer::Desk;
use crate::viewer::error::{ApiError, blocking};
use crate::viewer::pictures::draw::{Overtaken, draw};
use crate::viewer::pictures::encode::{OFFERED, encode};
use crate::viewer::pictures::request::{Method, Request, Viewpoint};

/// Size of a picture nobody gave a size.
const SIDE: u32 = 512;
const QUALITY: u8 = 90;

/// A volume rendered from a viewpoint, or a slab cut out of it.
#[utoipa::path(
    get,
    path = "/dicom-web/studies/{study}/series/{series}/rendered3D",
    params(
        ("renderingmethod" = Option<String>, Query, description = "volume_rendered, maximum_ip, minimum_ip or average_ip"),
        ("orientation" = Option<String>, Query, description = "a, p, l, r, h or f: where the eye is"),
        ("viewpointposition" = Option<String>, Query, description = "x,y,z in patient mm"),
        ("viewpointlookat" = Option<String>, Query, description = "x,y,z in patient mm"),
        ("viewpointup" = Option<String>, Query, description = "x,y,z, a direction"),
        ("mprslab" = Option<f64>, Query, description = "thickness in mm, of renderedMPR"),
        ("viewport" = Option<String>, Query, description = "width,height"),
        ("window" = Option<String>, Query, description = "center,width,linear-exact"),
        ("quality" = Option<u8>, Query, description = "1 to 100, JPEG only"),
        ("preset" = Option<String>, Query, description = "bone, angiography, soft_tissue, lung or mr; not of the standard"),
        ("heightmm" = Option<f64>, Query, description = "millimetres from top to bottom; not of the standard"),
    ),
    responses(
        (status = 200, content_type = "image/jpeg", body = Vec<u8>, description = "also at renderedMPR, and as PNG or GIF"),
        (status = 400, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
        (status = 404, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
        (status = 422, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::viewer) async fn volumetric(
    State(desk): State<Arc<Desk>>,
    address: Uri,
    Path(words): Path<Words>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let accept = Accept::of(&headers, parameter(&parameters, "accept"));
    let media = accept.first_of(&OFFERED).ok_or_else(not_acceptable)?;
    let target = Target::of(&words)?;
    let series = target.series.ok_or_else(|| ApiError::not_found("series"))?;
    let asked = Asked::of(&parameters, address.path().ends_with("MPR"))?;
    let shown = desk.scene(target.study, series).await?;
    let task = asked.request(&shown.scene)?.task(&shown, false)?;
    let drawn = draw(&desk.compute, &shown, task, &Overtaken::default()).await?;
    let picture = drawn.ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the box stopped drawing; ask again")
    })?;
    let file = blocking(move || {
        encode(&picture, media, asked.quality)
            .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error))
    });
    Ok(([(CONTENT_TYPE, media)], file.await?).into_response())
}

/// What the address says, before the volume is known.
#[derive(Clone, Debug)]
struct Asked {
    method: Method,
    slab_mm: Option<f64>,
    /// From the eye into the picture, and up.
    directions: [[f64; 3]; 2],
    position: Option<[f64; 3]>,
    look_at: Option<[f64; 3]>,
    height_mm: Option<f64>,
    size: (u32, u32),
    window: Option<[f64; 2]>,
    preset: Option<String>,
    quality: u8,
}

/// What no still picture can follow.
const NOT_DRAWN: [&str; 4] =
    ["swivelrange", "animationrate", "volumeinputreference", "renderedvolumetricmetadata"];

impl Asked {
    fn of(parameters: &Parameters, cut: bool) -> Result<Self, ApiError> {
        let given = |name: &str| parameter(parameters, name);
        if let Some(name) = NOT_DRAWN.into_iter().find(|name| given(name).is_some()) {
            return Err(bad(name, "this box does not draw that"));
        }
        let positive = |name: &'static str, most: f64| {
            let number = |text: &str| text.parse().ok().filter(|number| (0.0..=most).contains(number));
            given(name)
                .map(|text| number(text).ok_or_else(|| bad(name, "a number of millimetres")))
                .transpose()
        };
        let vector = |name: &'static str| given(name).map(|text| vector_of(name, text)).transpose();
        let quality = |text: &str| text.parse().ok().filter(|quality| (1..=100).contains(quality));
        let [into, up] = orientation_of(given("orientation").unwrap_or(if cut { "f" } else { "a" }))?;
        Ok(Self {
            method: method_of(given("renderingmethod"), cut)?,
            slab_mm: if cut { Some(positive("mprslab", 1000.0)?.unwrap_or(0.0)) } else { None },
            directions: [into, vector("viewpointup")?.unwrap_or(up)],
            position: vector("viewpointposition")?,
            look_at: vector("viewpointlookat")?,
            height_mm: positive("heightmm", 10_000.0)?,
            size: given("viewport").map(whole_viewport).transpose()?.unwrap_or((SIDE, SIDE)),
            window: given("window").map(exact_window).transpose()?,
            preset: given("preset").map(str::to_owned),
            quality: match given("quality") {
                Some(text) => quality(text).ok_or_else(|| bad("quality", "a number from 1 to 100"))?,
                None => QUALITY,
            },
        })
    }

    fn request(&self, scene: &Scene) -> Result<Request, ApiError> {
        let (center_mm, radius_mm) = scene.bounds_mm();
        let look_at = self.look_at.unwrap_or(center_mm);
        let [into, up] = self.directions;
        let behind = [0, 1, 2].map(|axis| look_at[axis] - 2.0 * radius_mm * into[axis]);
        let position = self.position.unwrap_or(behind);
        if position == look_at {
            return Err(bad("viewpointposition", "another point than the one that is looked at"));
        }
        let height_mm = self.height_mm.unwrap_or(2.0 * radius_mm);
        Ok(Request {
            seq: 0,
            width: self.size.0,
            height: self.size.1,
            method: self.method,
            viewpoint: Viewpoint { position, look_at, up, height_mm, field_of_view_deg: None },
            slab_mm: self.slab_mm,
            preset: self.preset.clone(),
            window: self.window,
            clip: None,
            keep: None,
            path: None,
            around_deg: 0.0,
            moving: false,
        })
    }
}

fn method_of(word: Option<&str>, cut: bool) -> Result<Method, ApiError> {
    Ok(match word.map(str::to_ascii_lowercase).as_deref() {
        None if cut => Method::Average,
        None => Method::Volume,
        Some("volume_rendered") if !cut => Method::Volume,
        Some("maximum_ip") => Method::Maximum,
        Some("minimum_ip") => Method::Minimum,
        Some("average_ip") => Method::Average,
        Some(_) if cut => return Err(bad("renderingmethod", "maximum_ip, minimum_ip or average_ip")),
        Some(_) => {
            return Err(bad("renderingmethod", "volume_rendered, maximum_ip, minimum_ip or average_ip"));
        }
    })
}

/// Into the picture and up, for an eye that stands where the letter says. Patient x goes to the left, y to the back,
/// z to the head; from the feet is how axial slices are looked at, the front up.
fn orientation_of(word: &str) -> Result<[[f64; 3]; 2], ApiError> {
    let (head, front) = ([0.0, 0.0, 1.0], [0.0, -1.0, 0.0]);
    Ok(match word.to_ascii_lowercase().as_str() {
        "a" => [[0.0, 1.0, 0.0], head],
        "p" => [[0.0, -1.0, 0.0], head],
        "l" => [[-1.0, 0.0, 0.0], head],
        "r" => [[1.0, 0.0, 0.0], head],
        "h" => [[0.0, 0.0, -1.0], front],
        "f" => [[0.0, 0.0, 1.0], front],
        _ => return Err(bad("orientation", "one of a, p, l, r, h, f")),
    })
}

/// There is no image that a part could be shown of.
fn whole_viewport(text: &str) -> Result<(u32, u32), ApiError> {
    match viewport_of(text)? {
        Viewport { columns, rows, source: None } => Ok((columns, rows)),
        Viewport { .. } => Err(bad("viewport", "width,height alone; a volume has no part to cut out")),
    }
}

fn vector_of(name: &'static str, text: &str) -> Result<[f64; 3], ApiError> {
    let numbers: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.iter().all(|number| number.is_finite()));
    let vector = numbers.and_then(|numbers| <[f64; 3]>::try_from(numbers).ok());
    vector.ok_or_else(|| bad(name, "three numbers, separated by commas"))
}

/// The renderer's windows are LINEAR_EXACT; LINEAR of the same numbers is brought to it (PS3.3 C.11.2.1.2.1).
fn exact_window(text: &str) -> Result<[f64; 2], ApiError> {
    let window = window_of(text)?;
    let (center, width) = match window.function {
        WindowFunction::LinearExact => (window.center, window.width),
        WindowFunction::Linear => (window.center - 0.5, (window.width - 1.0).max(1.0)),
        WindowFunction::Sigmoid => return Err(bad("window", "linear or linear-exact for volumes")),
    };
    Ok([center, width])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(address: &[(&str, &str)], cut: bool) -> Result<Asked, ApiError> {
        let parameters = address.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Asked::of(&parameters.collect(), cut)
    }

    #[test]
    fn a_field_that_is_wrong_is_named() {
        let wrong = [
            ("renderingmethod", "cubism"),
            ("orientation", "x"),
            ("viewpointposition", "1,2"),
            ("viewpointlookat", "1,2,nan"),
            ("viewpointup", ""),
            ("mprslab", "-3"),
            ("viewport", "0,0"),
            ("window", "40,400,sigmoid"),
            ("quality", "0"),
            ("heightmm", "inf"),
            ("swivelrange", "90"),
        ];
        for (name, value) in wrong {
            let error = asked(&[(name, value)], true).unwrap_err();
            assert_eq!(error.status, StatusCode::BAD_REQUEST);
            assert!(error.sentence.starts_with(name), "{name}: {}", error.sentence);
        }
        assert!(asked(&[("renderingmethod", "volume_rendered")], true).is_err(), "a slab is no volume");
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let still = asked(&[], false).unwrap();
        assert_eq!((still.method, still.slab_mm, still.size), (Method::Volume, None, (SIDE, SIDE)));
        let plane = asked(&[("mprslab", "7.5"), ("RenderingMethod", "MAXIMUM_IP")], true).unwrap();
        assert_eq!((plane.method, plane.slab_mm), (Method::Maximum, Some(7.5)));
        assert_eq!(asked(&[("window", "40,401")], false).unwrap().window, Some([39.5, 400.0]));
    }
}
