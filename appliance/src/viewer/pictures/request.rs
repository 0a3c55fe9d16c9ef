//! What a picture shall show, as clients say it: the messages of the stream are this, in JSON, and the addresses below
//! `/dicom-web` are translated to it.

use axum::http::StatusCode;
use serde::Deserialize;
use sidelight_kernels::rendering::{
    Camera, Clip, Lens, Plane, PlanePlace, Preset, Projection, Quality, Reformat, RenderError, Style, View,
    Window,
};

use super::path;
use super::scenes::Shown;
use crate::viewer::error::ApiError;

/// Pixels of a picture: what a 4K screen has. More would only be thrown away.
const PIXELS_MAX: u32 = 3840 * 2160;

/// How values become a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::viewer) enum Method {
    /// Colour and opacity along each ray.
    Volume,
    Maximum,
    Minimum,
    Average,
}

/// A point of view in patient millimetres.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::viewer) struct Viewpoint {
    pub position: [f64; 3],
    pub look_at: [f64; 3],
    pub up: [f64; 3],
    /// Millimetres from the top of the picture to its bottom, at the point looked at.
    pub height_mm: f64,
    /// Degrees from top to bottom; parallel rays without.
    #[serde(default)]
    pub field_of_view_deg: Option<f64>,
}

/// A side of a plane in patient millimetres.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::viewer) struct Side {
    pub point: [f64; 3],
    pub normal: [f64; 3],
}

/// One picture.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::viewer) struct Request {
    /// Comes back with the picture.
    pub seq: u32,
    pub width: u32,
    pub height: u32,
    pub method: Method,
    pub viewpoint: Viewpoint,
    /// A slab so thick, square to the line of sight, at the point looked at; everything along the rays without.
    #[serde(default)]
    pub slab_mm: Option<f64>,
    /// A word of `Preset`; the first that fits the series without.
    #[serde(default)]
    pub preset: Option<String>,
    /// Centre and width; the series' own without.
    #[serde(default)]
    pub window: Option<[f64; 2]>,
    /// First and last voxel edge along columns, rows and slices.
    #[serde(default)]
    pub clip: Option<[[f64; 2]; 3]>,
    /// Only what lies on the side of a plane that its normal points to, patient mm; everything without.
    #[serde(default)]
    pub keep: Option<Side>,
    /// Points of a vessel's centreline: the slab then is straightened along it, from the first at the top to the last at
    /// the bottom.
    #[serde(default)]
    pub path: Option<Vec<[f64; 3]>>,
    /// Degrees by which the straightened slab is turned around that line.
    #[serde(default)]
    pub around_deg: f64,
    /// Whether a hand is moving it: the picture then is a preview, and a still follows.
    #[serde(default)]
    pub moving: bool,
}

/// What the kernels are asked for.
#[derive(Clone, Debug)]
pub(in crate::viewer) enum Task {
    Render(Box<View>),
    Cut { slab: Reformat, window: Window },
}

impl Request {
    /// Checks it against the series; `moving` pictures are of half the size.
    pub(in crate::viewer) fn task(&self, shown: &Shown, moving: bool) -> Result<Task, ApiError> {
        if self.width == 0 || self.height == 0 || self.width.saturating_mul(self.height) > PIXELS_MAX {
            return Err(refused("a picture has 1 to 8.3 million pixels"));
        }
        let window = match self.window {
            Some([center, width]) => Window { center, width },
            None => shown.window,
        };
        match (self.slab_mm, &self.path) {
            (slab_mm, Some(path)) => self.straightened(path, slab_mm.unwrap_or(0.0), window, moving),
            (Some(slab_mm), None) => self.cut(slab_mm, window, moving),
            (None, None) => Ok(Task::Render(Box::new(self.view(shown, window, moving)?))),
        }
    }

    fn view(&self, shown: &Shown, window: Window, moving: bool) -> Result<View, ApiError> {
        let projection = |projection| Style::Projection { projection, window };
        let style = match self.method {
            Method::Volume => {
                let preset = self.preset(shown)?;
                Style::Volume { transfer: shown.scene.preset(preset), shaded: true }
            }
            Method::Maximum => projection(Projection::Maximum),
            Method::Minimum => projection(Projection::Minimum),
            Method::Average => projection(Projection::Average),
        };
        let quality = if moving { Quality::Moving } else { Quality::Still };
        let plane = self.keep.map(|side| Plane { point_mm: side.point, normal: side.normal });
        let clip = Clip { box_voxels: self.clip, plane };
        Ok(View { clip, quality, ..View::new(self.camera(), self.width, self.height, style) })
    }

    fn preset(&self, shown: &Shown) -> Result<Preset, ApiError> {
        let Some(word) = &self.preset else {
            return Ok(if shown.hounsfield { Preset::Bone } else { Preset::Mr });
        };
        let known = Preset::ALL.into_iter().find(|preset| preset.word() == word);
        known.ok_or_else(|| {
            let words = Preset::ALL.map(Preset::word).join(", ");
            refused(&format!("preset: one of {words}"))
        })
    }

    fn camera(&self) -> Camera {
        let Viewpoint { position, look_at, up, height_mm, field_of_view_deg } = self.viewpoint;
        let lens = match field_of_view_deg {
            Some(field_of_view_deg) => Lens::Perspective { field_of_view_deg },
            None => Lens::Orthographic { height_mm },
        };
        Camera { position_mm: position, look_at_mm: look_at, up, lens }
    }

    /// The plane through the point looked at, square to the line of sight.
    fn cut(&self, slab_mm: f64, window: Window, moving: bool) -> Result<Task, ApiError> {
        let [right, down, _] = self.camera().axes().map_err(|error| error_of(&error))?;
        let [columns, rows] = self.size(moving);
        let pixel_mm = self.viewpoint.height_mm / f64::from(rows);
        if !(1e-4..=1000.0).contains(&pixel_mm) {
            return Err(refused("the picture's height in mm must be above zero"));
        }
        let (x, y) = (-f64::from(columns - 1) / 2.0 * pixel_mm, -f64::from(rows - 1) / 2.0 * pixel_mm);
        let place = PlanePlace {
            origin_mm: [0, 1, 2].map(|axis| self.viewpoint.look_at[axis] + x * right[axis] + y * down[axis]),
            right_mm: right.map(|part| part * pixel_mm),
            down_mm: down.map(|part| part * pixel_mm),
            columns,
            rows,
        };
        let slab = Reformat::plane(&place, slab_mm, self.projection()?).map_err(|error| error_of(&error))?;
        Ok(Task::Cut { slab, window })
    }

    /// A slab along a centreline, whose length fills the picture's height.
    fn straightened(
        &self,
        points: &[[f64; 3]],
        slab_mm: f64,
        window: Window,
        moving: bool,
    ) -> Result<Task, ApiError> {
        let [columns, rows] = self.size(moving);
        let line = path::smooth(points).map_err(refused)?;
        // A row at each end: one interval less than rows, and a millionth that keeps rounding from dropping the last.
        let pixel_mm = path::length_mm(&line) / f64::from(rows.saturating_sub(1).max(1)) * (1.0 - 1e-6);
        let axes = self.camera().axes().map_err(|error| error_of(&error))?;
        let across = path::across(&line, axes, self.around_deg.to_radians());
        let slab = Reformat::along(&line, across, pixel_mm, columns, slab_mm, self.projection()?)
            .map_err(|error| error_of(&error))?;
        Ok(Task::Cut { slab, window })
    }

    fn projection(&self) -> Result<Projection, ApiError> {
        match self.method {
            Method::Maximum => Ok(Projection::Maximum),
            Method::Minimum => Ok(Projection::Minimum),
            Method::Average => Ok(Projection::Average),
            Method::Volume => Err(refused("a slab shows the maximum, the minimum or the average")),
        }
    }

    /// Columns and rows of the picture that comes back.
    fn size(&self, moving: bool) -> [u32; 2] {
        let [width, height] = [self.width, self.height];
        if moving { [width.div_ceil(2), height.div_ceil(2)] } else { [width, height] }
    }
}

fn refused(sentence: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, sentence)
}

/// A view that is none is the asker's, everything else the box's.
pub(in crate::viewer) fn error_of(error: &RenderError) -> ApiError {
    match error {
        RenderError::View(_) => ApiError::new(StatusCode::BAD_REQUEST, error.to_string()),
        RenderError::Flat => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        RenderError::Cancelled => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the box is stopping; try again when it is up")
        }
        RenderError::Processor(_) => ApiError::internal(error),
    }
}
