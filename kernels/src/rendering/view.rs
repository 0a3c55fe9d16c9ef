//! What a picture shall show: the one typed request of the renderer.

use super::RenderError;
use super::camera::Camera;
use super::transfer::TransferFunction;
use crate::volume::{Dimensions, Volume};

/// Pixels along a side of a picture: more than any reading station has.
pub const SIDE_MAX: u32 = 4096;

/// Grey levels of stored values, as VOI LUT function LINEAR_EXACT (PS3.3 C.11.2.1.3.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub center: f64,
    pub width: f64,
}

/// What stays of the values along a ray or across a slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    Maximum,
    Minimum,
    Average,
}

/// How the values along a ray become a colour.
#[derive(Clone, Debug, PartialEq)]
pub enum Style {
    /// Colour and opacity gathered from front to back.
    Volume { transfer: TransferFunction, shaded: bool },
    /// One value, shown through a window.
    Projection { projection: Projection, window: Window },
}

impl Style {
    /// Whether both show something in the same places: light makes no difference.
    pub(crate) fn leaps_alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Volume { transfer, .. }, Self::Volume { transfer: other, .. }) => transfer == other,
            _ => self == other,
        }
    }
}

/// Keeps what is on the positive side of a plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plane {
    pub point_mm: [f64; 3],
    pub normal: [f64; 3],
}

/// What is cut away. The box is in voxels, edges counted: 0 to the number of columns, rows and slices is everything.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clip {
    pub box_voxels: Option<[[f64; 2]; 3]>,
    pub plane: Option<Plane>,
}

/// While the hand moves, a quarter of the pixels and half of the steps do; the still that follows shows everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    Moving,
    Still,
}

/// One picture.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub camera: Camera,
    /// Size of the still; while moving the picture has half of each, rounded up.
    pub width: u32,
    pub height: u32,
    pub style: Style,
    pub clip: Clip,
    pub quality: Quality,
    /// Distance of samples in mm; `None` takes the finest spacing of the volume. The moving picture doubles it.
    pub step_mm: Option<f64>,
    /// Each ray starts at another part of its first step, which turns the rings of too few samples into faint noise.
    pub jittered: bool,
}

impl View {
    /// A still of everything.
    pub fn new(camera: Camera, width: u32, height: u32, style: Style) -> Self {
        let jittered = matches!(style, Style::Volume { .. });
        let (clip, quality) = (Clip::default(), Quality::Still);
        Self { camera, width, height, style, clip, quality, step_mm: None, jittered }
    }

    /// Width and height of the picture that comes back.
    pub fn size(&self) -> [u32; 2] {
        match self.quality {
            Quality::Still => [self.width, self.height],
            Quality::Moving => [self.width.div_ceil(2), self.height.div_ceil(2)],
        }
    }
}

/// A label for each voxel, 0 for none, and what each looks like: red, green, blue, opacity.
#[derive(Clone, Debug)]
pub struct Labels {
    values: Vec<u8>,
    palette: [[u8; 4]; 256],
}

impl Labels {
    /// `colours` of label 1, 2 and so on; labels beyond them are not shown.
    pub fn new(dimensions: Dimensions, values: Vec<u8>, colours: &[[u8; 4]]) -> Result<Self, RenderError> {
        if values.len() != dimensions.len() {
            return Err(RenderError::View("there must be one label for each voxel"));
        }
        if colours.len() > 255 {
            return Err(RenderError::View("there are at most 255 labels"));
        }
        let mut palette = [[0; 4]; 256];
        palette[1..=colours.len()].copy_from_slice(colours);
        Ok(Self { values, palette })
    }

    pub(crate) fn values(&self) -> &[u8] {
        &self.values
    }

    pub(crate) fn palette(&self) -> &[[u8; 4]; 256] {
        &self.palette
    }
}

/// The finest spacing of a volume, mm: what a sample distance is measured against.
pub(crate) fn finest_mm(volume: &Volume) -> f64 {
    let geometry = volume.geometry();
    geometry.column_spacing_mm.min(geometry.row_spacing_mm).min(geometry.slice_increment_mm)
}
