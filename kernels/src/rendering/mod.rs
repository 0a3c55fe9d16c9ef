//! Pictures of volumes: rays through them (volume rendering, maximum, minimum, average), slabs across them
//! (`reformat`), and colours over two-dimensional frames (`blending`).
//!
//! A `Scene` is a volume made ready once; a `View` is everything about one picture; `render` makes the picture, in
//! bands of rows, each a turn. GPU and twin march the same rays: sample positions are rounded to 1/256 of a voxel,
//! the resolution at which texture units filter, so both weigh the same eight voxels alike. What is left between
//! them is the rounding of 32-bit floats: at least 99.9 % of a picture's pixels differ by no more than 2 of 255 in
//! any channel (a surface that is just hit or just missed may differ more).
//!
//! Invariants, each a test: opacity does not depend on the distance of samples; leaping over what shows nothing
//! changes no pixel; a maximum along an axis is the voxels' own.
//!
//! It refuses what is no view (`RenderError::View`) and never guesses one.

#![expect(clippy::cast_possible_truncation, reason = "positions and colours end as 32-bit floats and bytes")]

mod blending;
mod camera;
mod frame;
pub(crate) mod gpu;
mod macrocells;
mod reformat;
mod transfer;
mod view;

use std::ops::{ControlFlow, RangeInclusive};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub(crate) use blending::over_255;
pub use blending::{Flat, GreyTable, LAYERS_MAX, Layer, Palette, blend};
pub use camera::{Camera, Lens};
pub(crate) use frame::{Frame, Planned};
pub(crate) use frame::{MODE_AVERAGE, MODE_MAXIMUM, MODE_MINIMUM, MODE_VOLUME};
pub(crate) use macrocells::{CELL, Macrocells};
pub(crate) use reformat::{Cut, VoxelRow};
pub use reformat::{OUTSIDE, PlanePlace, Reformat, Slice, reformat};
pub(crate) use transfer::Table;
pub use transfer::{Point, Preset, TransferFunction};
pub use view::{Clip, Labels, Plane, Projection, Quality, SIDE_MAX, Style, View, Window};

use crate::cpu;
use crate::identity::Identity;
use crate::processor::{Place, Processor, ProcessorError};
use crate::volume::Volume;

/// Why there is no picture.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RenderError {
    #[error("{0}")]
    View(&'static str),
    #[error("the volume is flat: its axes span no space")]
    Flat,
    #[error("cancelled")]
    Cancelled,
    #[error(transparent)]
    Processor(#[from] ProcessorError),
}

/// Red, green, blue and opacity, row by row from the upper left. Colours are over black: already times opacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub width: u32,
    pub height: u32,
    pub rgba: Vec<[u8; 4]>,
}

/// A volume made ready to be looked at. Costs one reading of the volume.
#[derive(Debug)]
pub struct Scene {
    identity: Identity,
    volume: Arc<Volume>,
    labels: Option<Labels>,
    cells: Macrocells,
    /// Made by the twin's first picture, for all scenes of the volume.
    bricks: Arc<OnceLock<cpu::bricks::Bricks>>,
    /// What may be leapt over, and the style it was last worked out for.
    distances: Mutex<Option<(Style, Arc<[u8]>)>>,
}

impl Scene {
    pub fn new(volume: Arc<Volume>, labels: Option<Labels>) -> Result<Self, RenderError> {
        if labels.as_ref().is_some_and(|labels| labels.values().len() != volume.dimensions().len()) {
            return Err(RenderError::View("there must be one label for each voxel"));
        }
        let cells = Macrocells::new(&volume, labels.as_ref());
        let identity = Identity::fresh();
        Ok(Self { identity, volume, labels, cells, bricks: Arc::default(), distances: Mutex::default() })
    }

    /// The same volume with these labels over it; the volume is not read again.
    pub fn labelled(&self, labels: Labels) -> Result<Self, RenderError> {
        let dimensions = self.volume.dimensions();
        if labels.values().len() != dimensions.len() {
            return Err(RenderError::View("there must be one label for each voxel"));
        }
        Ok(Self {
            identity: Identity::fresh(),
            volume: self.volume.clone(),
            cells: self.cells.labelled(&labels, dimensions),
            labels: Some(labels),
            bricks: self.bricks.clone(),
            distances: Mutex::default(),
        })
    }

    /// Bytes that are kept for it: the volume, and the twin's copy once there is one. Labels come on top, a byte a voxel.
    pub fn volume_bytes(&self) -> u64 {
        let bricks = self.bricks.get().map_or(0, |bricks| size_of_val(bricks.bytes()));
        (size_of_val(self.volume.hounsfield()) + bricks) as u64
    }

    pub fn volume(&self) -> &Arc<Volume> {
        &self.volume
    }

    pub(crate) fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// The volume as the twin reads it.
    pub(crate) fn bricks(&self) -> &cpu::bricks::Bricks {
        self.bricks.get_or_init(|| cpu::bricks::Bricks::new(&self.volume))
    }

    pub(crate) fn cells(&self) -> &Macrocells {
        &self.cells
    }

    /// How far away, in cells, the nearest cell is that must not be leapt over.
    fn distances(&self, style: &Style, table: &Table) -> Arc<[u8]> {
        let mut last = self.distances.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, distances)) = &*last
            && known.leaps_alike(style)
        {
            return distances.clone();
        }
        let fresh: Arc<[u8]> = match style {
            Style::Volume { .. } => self.cells.distances(table),
            Style::Projection { projection, window } => {
                let (dark, bright) = (window.center - window.width / 2.0, window.center + window.width / 2.0);
                self.cells.distances_of_projection(|[least, largest]| match projection {
                    Projection::Maximum => f64::from(largest) > dark,
                    Projection::Minimum => f64::from(least) < bright,
                    Projection::Average => true,
                })
            }
        }
        .into();
        *last = Some((style.clone(), fresh.clone()));
        fresh
    }

    /// Least and largest value.
    pub fn extent(&self) -> RangeInclusive<i16> {
        self.cells.extent()
    }

    /// A look that fits this volume.
    pub fn preset(&self, preset: Preset) -> TransferFunction {
        preset.function(self.cells.tissue())
    }

    /// The middle of the volume, and how far its corners are from it, mm.
    pub fn bounds_mm(&self) -> ([f64; 3], f64) {
        let (dimensions, geometry) = (self.volume.dimensions(), self.volume.geometry());
        let half =
            [dimensions.columns, dimensions.rows, dimensions.slices].map(|count| f64::from(count) / 2.0);
        let center = geometry.patient_mm(half.map(|half| half - 0.5));
        // The farthest of the four pairs of corners: a tilted stack is no box.
        let corners = [[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0]];
        let radius = corners.map(|signs| {
            let corner = geometry.patient_mm([0, 1, 2].map(|axis| half[axis] * (1.0 + signs[axis]) - 0.5));
            camera::length(camera::subtract(corner, center))
        });
        (center, radius.into_iter().fold(0.0, f64::max))
    }

    /// Looks at everything along a direction of the patient.
    pub fn camera(&self, direction: [f64; 3], up: [f64; 3]) -> Camera {
        let (center_mm, radius_mm) = self.bounds_mm();
        Camera::outside(center_mm, radius_mm, direction, up)
    }
}

/// Renders one picture. `checkpoint` is told the part that is done after every turn and may end the work.
pub fn render(
    processor: &mut Processor,
    scene: &Scene,
    view: &View,
    checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Image, RenderError> {
    let planned = frame::plan(scene, view)?;
    let [width, height] = view.size();
    let distances = scene.distances(&view.style, &planned.table);
    let rgba = processor.recovering(|processor| match processor.place() {
        Place::Gpu(gpu) => said(gpu::render(gpu, scene, &planned, &distances), checkpoint),
        Place::Twin(pool) => cpu::rendering::render(pool, scene, &planned, &distances, checkpoint),
    })?;
    Ok(Image { width, height, rgba })
}

/// A device draws all of it in one turn.
fn said<T>(
    drawn: Result<T, RenderError>,
    checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<T, RenderError> {
    let drawn = drawn?;
    if checkpoint(1.0).is_break() { Err(RenderError::Cancelled) } else { Ok(drawn) }
}

#[cfg(test)]
mod tests;
