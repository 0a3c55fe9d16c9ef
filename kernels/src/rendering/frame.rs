//! A view in numbers: what the kernel and its twin are both given, so that they march the same rays.
//!
//! Positions are in voxels (a voxel's centre is at whole numbers), distances along rays in millimetres.

use super::camera::{Rays, add, cross, dot, length, scale, unit};
use super::transfer::Table;
use super::view::{Clip, Labels, Projection, Quality, SIDE_MAX, Style, View, finest_mm};
use super::{RenderError, Scene};
use crate::volume::{Geometry, Volume};

/// What `Frame::mode` says.
pub(crate) const MODE_VOLUME: u32 = 0;
pub(crate) const MODE_MAXIMUM: u32 = 1;
pub(crate) const MODE_MINIMUM: u32 = 2;
pub(crate) const MODE_AVERAGE: u32 = 3;

/// Samples along a ray: a metre at a tenth of a millimetre, and more than any volume needs at its own spacing.
const SAMPLES_MAX: f64 = 16_384.0;

/// A difference of so much of the table's range over one millimetre counts as a surface, and is lit as one.
const SURFACE_PART_PER_MM: f32 = 0.02;

/// The uniform of the rendering kernel. Vectors of three are padded to four; the fourth is said where it is used.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct Frame {
    pub(crate) origin: [f32; 4],
    pub(crate) origin_right: [f32; 4],
    pub(crate) origin_down: [f32; 4],
    /// In mm, not of unit length.
    pub(crate) toward: [f32; 4],
    pub(crate) toward_right: [f32; 4],
    pub(crate) toward_down: [f32; 4],
    /// Rows of the matrix: voxels from patient millimetres, without the shift.
    pub(crate) voxel_from_mm: [[f32; 4]; 3],
    /// The box that is shown.
    pub(crate) low: [f32; 4],
    pub(crate) high: [f32; 4],
    /// Shown is where the first three times the position are at least the fourth.
    pub(crate) plane: [f32; 4],
    /// Unit vectors in patient mm: to the light, and halfway between it and the eye.
    pub(crate) light: [f32; 4],
    pub(crate) halfway: [f32; 4],
    /// Columns, rows, slices of the volume.
    pub(crate) dimensions: [u32; 4],
    /// Macrocells along each axis.
    pub(crate) cells: [u32; 4],
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) mode: u32,
    pub(crate) shaded: u32,
    pub(crate) jittered: u32,
    pub(crate) labelled: u32,
    pub(crate) near: f32,
    pub(crate) step_mm: f32,
    pub(crate) table_low: f32,
    pub(crate) table_per_value: f32,
    pub(crate) table_last: f32,
    /// A gradient of this size is lit in full.
    pub(crate) surface_per_mm: f32,
    pub(crate) window_low: f32,
    pub(crate) window_per_value: f32,
    /// What the texture holds is value = texel * `texel_scale` + `texel_offset`; the twin does not need them.
    pub(crate) texel_scale: f32,
    pub(crate) texel_offset: f32,
}

/// A frame and the tables that go with it.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) frame: Frame,
    pub(crate) table: Table,
    /// Colour and opacity of a step through each label.
    pub(crate) label_table: [[f32; 4]; 256],
}

/// Checks a view and turns it into numbers.
pub(crate) fn plan(scene: &Scene, view: &View) -> Result<Planned, RenderError> {
    let (volume, cells) = (scene.volume(), scene.cells().counts);
    if !(1..=SIDE_MAX).contains(&view.width) || !(1..=SIDE_MAX).contains(&view.height) {
        return Err(RenderError::View("a picture has 1 to 4096 pixels along each side"));
    }
    let [width, height] = view.size();
    let rays = view.camera.rays(width, height)?;
    let geometry = volume.geometry();
    let inverse = Inverse::of(geometry)?;
    let step_mm = step_mm(volume, view)?;
    let (low, high) = shown_box(volume, &view.clip)?;
    let dimensions = volume.dimensions();
    let look = Look::of(&view.style, step_mm)?;
    let [light, halfway] = lights(&rays);
    let frame = Frame {
        origin: four(inverse.point(rays.origin)),
        origin_right: four(inverse.vector(rays.origin_right)),
        origin_down: four(inverse.vector(rays.origin_down)),
        toward: four(rays.toward),
        toward_right: four(rays.toward_right),
        toward_down: four(rays.toward_down),
        voxel_from_mm: inverse.rows.map(four),
        low: four(low),
        high: four(high),
        plane: plane(geometry, &view.clip)?,
        light: four(light),
        halfway: four(halfway),
        dimensions: [dimensions.columns, dimensions.rows, dimensions.slices, 0],
        cells: [cells[0], cells[1], cells[2], 0],
        width,
        height,
        mode: look.mode,
        shaded: u32::from(look.shaded),
        jittered: u32::from(view.jittered),
        labelled: u32::from(scene.labels().is_some()),
        // Parallel rays have no eye that something could be behind of.
        near: if rays.toward_right == [0.0; 3] { -1e9 } else { 0.0 },
        step_mm,
        table_low: look.table.low,
        table_per_value: look.table.per_value,
        table_last: look.table.last(),
        surface_per_mm: SURFACE_PART_PER_MM * look.table.last() / look.table.per_value,
        window_low: look.window_low,
        window_per_value: look.window_per_value,
        texel_scale: 1.0,
        texel_offset: 0.0,
    };
    let label_table = label_table(scene.labels(), step_mm);
    Ok(Planned { frame, table: look.table, label_table })
}

/// A palette's opacity is that of a millimetre, kept below one so that a step of any length has one.
fn label_table(labels: Option<&Labels>, step_mm: f32) -> [[f32; 4]; 256] {
    let Some(labels) = labels else { return [[0.0; 4]; 256] };
    labels.palette().map(|colour| {
        let [red, green, blue, opacity] = colour.map(|part| f32::from(part) / 255.0);
        [red, green, blue, 1.0 - (1.0 - opacity.min(0.999)).powf(step_mm)]
    })
}

/// What a style comes down to.
struct Look {
    mode: u32,
    shaded: bool,
    table: Table,
    window_low: f32,
    window_per_value: f32,
}

impl Look {
    fn of(style: &Style, step_mm: f32) -> Result<Self, RenderError> {
        match style {
            Style::Volume { transfer, shaded } => Ok(Self {
                mode: MODE_VOLUME,
                shaded: *shaded,
                table: transfer.table(step_mm),
                window_low: 0.0,
                window_per_value: 0.0,
            }),
            Style::Projection { projection, window } => {
                if !window.center.is_finite() || !(1.0..=65_536.0).contains(&window.width) {
                    return Err(RenderError::View("a window is 1 to 65536 values wide"));
                }
                Ok(Self {
                    mode: match projection {
                        Projection::Maximum => MODE_MAXIMUM,
                        Projection::Minimum => MODE_MINIMUM,
                        Projection::Average => MODE_AVERAGE,
                    },
                    shaded: false,
                    table: Table { low: 0.0, per_value: 1.0, entries: vec![[0.0; 4]] },
                    window_low: (window.center - window.width / 2.0) as f32,
                    window_per_value: (255.0 / window.width) as f32,
                })
            }
        }
    }
}

fn step_mm(volume: &Volume, view: &View) -> Result<f32, RenderError> {
    let geometry = volume.geometry();
    let finest = finest_mm(volume);
    let wanted = view.step_mm.unwrap_or(finest);
    let step = if view.quality == Quality::Moving { 2.0 * wanted } else { wanted };
    let sides = [[0, 0], [1, 1], [2, 2]].map(|[axis, _]: [usize; 2]| {
        let dimensions = volume.dimensions();
        let count = [dimensions.columns, dimensions.rows, dimensions.slices][axis];
        let edge = [0, 1, 2].map(|row| geometry.patient_mm_from_voxel[row][axis]);
        length(edge) * f64::from(count)
    });
    let diagonal = length(sides);
    if !step.is_finite() || step <= 0.0 || diagonal / step > SAMPLES_MAX {
        return Err(RenderError::View("samples would stand too close: at most 16384 fit across the volume"));
    }
    Ok(step as f32)
}

/// The part of the volume that the clipping box leaves, in voxels.
fn shown_box(volume: &Volume, clip: &Clip) -> Result<([f64; 3], [f64; 3]), RenderError> {
    let dimensions = volume.dimensions();
    let counts = [dimensions.columns, dimensions.rows, dimensions.slices].map(f64::from);
    let clipped = clip.box_voxels.unwrap_or(counts.map(|count| [0.0, count]));
    if !clipped.iter().flatten().all(|edge| edge.is_finite()) {
        return Err(RenderError::View("the clipping box must be of finite numbers"));
    }
    let low = [0, 1, 2].map(|axis| clipped[axis][0].clamp(0.0, counts[axis]) - 0.5);
    let high = [0, 1, 2].map(|axis| clipped[axis][1].clamp(0.0, counts[axis]) - 0.5);
    Ok((low, high))
}

/// The clipping plane for positions in voxels; everything is on the right side of none.
fn plane(geometry: &Geometry, clip: &Clip) -> Result<[f32; 4], RenderError> {
    let Some(plane) = clip.plane else { return Ok([0.0, 0.0, 0.0, -1.0]) };
    let size = length(plane.normal);
    if !size.is_finite() || size < 1e-6 || !plane.point_mm.iter().all(|mm| mm.is_finite()) {
        return Err(RenderError::View("the clipping plane must have a point and a direction"));
    }
    let normal = unit(plane.normal);
    let matrix = &geometry.patient_mm_from_voxel;
    // n . (M v + shift - point) >= 0, sorted by v.
    let along = [0, 1, 2].map(|axis| dot(normal, [matrix[0][axis], matrix[1][axis], matrix[2][axis]]));
    let shift = [matrix[0][3], matrix[1][3], matrix[2][3]];
    let at_least = dot(normal, plane.point_mm) - dot(normal, shift);
    Ok([along[0] as f32, along[1] as f32, along[2] as f32, at_least as f32])
}

/// A lamp beside the eye, a little above and to the left, as readers are used to.
fn lights(rays: &Rays) -> [[f64; 3]; 2] {
    let [right, down, into] = rays.axes;
    let light = unit(add(scale(into, -1.0), add(scale(right, -0.35), scale(down, -0.45))));
    [light, unit(add(light, scale(into, -1.0)))]
}

/// Voxels from patient millimetres.
#[derive(Debug)]
pub(crate) struct Inverse {
    pub(crate) rows: [[f64; 3]; 3],
    shift: [f64; 3],
}

impl Inverse {
    pub(crate) fn of(geometry: &Geometry) -> Result<Self, RenderError> {
        let matrix = &geometry.patient_mm_from_voxel;
        let edge = |axis: usize| [0, 1, 2].map(|row: usize| matrix[row][axis]);
        let (a, b, c) = (edge(0), edge(1), edge(2));
        let size = dot(a, cross(b, c));
        if !size.is_finite() || size.abs() < 1e-9 {
            return Err(RenderError::Flat);
        }
        let rows = [cross(b, c), cross(c, a), cross(a, b)].map(|row| scale(row, 1.0 / size));
        Ok(Self { rows, shift: [matrix[0][3], matrix[1][3], matrix[2][3]] })
    }

    pub(crate) fn vector(&self, mm: [f64; 3]) -> [f64; 3] {
        self.rows.map(|row| dot(row, mm))
    }

    pub(crate) fn point(&self, mm: [f64; 3]) -> [f64; 3] {
        self.vector(add(mm, scale(self.shift, -1.0)))
    }
}

pub(crate) fn four(vector: [f64; 3]) -> [f32; 4] {
    [vector[0] as f32, vector[1] as f32, vector[2] as f32, 0.0]
}
