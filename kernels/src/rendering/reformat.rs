//! Slices that nobody acquired: across a volume in any direction, or along a vessel's centreline, with thickness.
//!
//! Every row of a reformat has a place of its own; a plane is the case in which the places stand evenly on a line.
//! Values come back as they are in the volume, not as grey levels: a slice that falls on voxel centres gives the
//! voxels back bit by bit.

use std::ops::ControlFlow;

use super::camera::{add, cross, dot, length, scale, subtract, unit};
use super::frame::{Inverse, four};
use super::view::{Projection, SIDE_MAX, finest_mm};
use super::{RenderError, gpu, said};
use crate::cpu;
use crate::processor::{Place, Processor};
use crate::volume::Volume;

/// What stands where the slab leaves the volume: no CT has this value.
pub const OUTSIDE: i16 = i16::MIN;

/// Samples through a slab: a slab of 40 cm at 0.4 mm.
const SAMPLES_MAX: f64 = 1024.0;

/// Points of a centreline: a metre at a quarter of a millimetre.
const CENTRELINE_MAX: usize = 4096;

/// Where one row of the picture lies, patient mm.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    /// Centre of its first pixel.
    start: [f64; 3],
    /// From a pixel to the next.
    across: [f64; 3],
    /// Through the slab, of unit length.
    through: [f64; 3],
}

/// A slab to be cut out of a volume.
#[derive(Clone, Debug)]
pub struct Reformat {
    rows: Vec<Row>,
    columns: u32,
    slab_mm: f64,
    projection: Projection,
}

/// A flat slab's place: pixel (column, row) has its centre at `origin_mm + column * right_mm + row * down_mm`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlanePlace {
    pub origin_mm: [f64; 3],
    pub right_mm: [f64; 3],
    pub down_mm: [f64; 3],
    pub columns: u32,
    pub rows: u32,
}

impl Reformat {
    /// A flat slab, `slab_mm` thick (0 for a plane).
    pub fn plane(place: &PlanePlace, slab_mm: f64, projection: Projection) -> Result<Self, RenderError> {
        sound(&[place.origin_mm, place.right_mm, place.down_mm], place.columns, place.rows)?;
        let through = cross(place.right_mm, place.down_mm);
        if length(through) < 1e-9 {
            return Err(RenderError::View("a plane needs two directions that differ"));
        }
        let row = |index: u32| Row {
            start: add(place.origin_mm, scale(place.down_mm, index.into())),
            across: place.right_mm,
            through: unit(through),
        };
        Self::checked((0..place.rows).map(row).collect(), place.columns, slab_mm, projection)
    }

    /// Straightens a centreline: a row every `pixel_mm` along it, `columns` pixels wide, the line in the middle.
    /// Rows begin in the direction `across` and turn as little as the line allows from one to the next, so the
    /// picture does not twist (rotation-minimising frames, Wang et al. 2008).
    pub fn along(
        centreline_mm: &[[f64; 3]],
        across: [f64; 3],
        pixel_mm: f64,
        columns: u32,
        slab_mm: f64,
        projection: Projection,
    ) -> Result<Self, RenderError> {
        if !(2..=CENTRELINE_MAX).contains(&centreline_mm.len()) {
            return Err(RenderError::View("a centreline has 2 to 4096 points"));
        }
        if !(0.01..=100.0).contains(&pixel_mm) {
            return Err(RenderError::View("a pixel is 0.01 to 100 mm"));
        }
        sound(centreline_mm, columns, 1)?;
        let stations = even_stations(centreline_mm, pixel_mm)?;
        let half = f64::from(columns - 1) / 2.0;
        let mut across = across;
        let mut rows = Vec::with_capacity(stations.len());
        for (index, station) in stations.iter().enumerate() {
            let ahead = stations.get(index + 1).unwrap_or(station);
            let behind = if index == 0 { station } else { &stations[index - 1] };
            let tangent = subtract(*ahead, *behind);
            if length(tangent) < 1e-9 {
                return Err(RenderError::View("the centreline turns back on itself"));
            }
            let tangent = unit(tangent);
            // Nearest to the row before among what is square to the line.
            let square = subtract(across, scale(tangent, dot(across, tangent)));
            if !length(square).is_finite() || length(square) < 1e-6 {
                return Err(RenderError::View("the rows of a straightened vessel must cross it"));
            }
            across = unit(square);
            rows.push(Row {
                start: subtract(*station, scale(across, half * pixel_mm)),
                across: scale(across, pixel_mm),
                through: cross(across, tangent),
            });
        }
        Self::checked(rows, columns, slab_mm, projection)
    }

    fn checked(
        rows: Vec<Row>,
        columns: u32,
        slab_mm: f64,
        projection: Projection,
    ) -> Result<Self, RenderError> {
        if !(0.0..=1000.0).contains(&slab_mm) {
            return Err(RenderError::View("a slab is 0 to 1000 mm thick"));
        }
        if rows.len() > SIDE_MAX as usize {
            return Err(RenderError::View("a picture has 1 to 4096 pixels along each side"));
        }
        Ok(Self { rows, columns, slab_mm, projection })
    }
}

fn sound(points: &[[f64; 3]], columns: u32, rows: u32) -> Result<(), RenderError> {
    if !points.iter().flatten().all(|number| number.is_finite() && number.abs() < 1e6) {
        return Err(RenderError::View("a slab's place must be of finite numbers"));
    }
    if !(1..=SIDE_MAX).contains(&columns) || !(1..=SIDE_MAX).contains(&rows) {
        return Err(RenderError::View("a picture has 1 to 4096 pixels along each side"));
    }
    Ok(())
}

/// Points every `pixel_mm` along a line of straight pieces.
fn even_stations(line: &[[f64; 3]], pixel_mm: f64) -> Result<Vec<[f64; 3]>, RenderError> {
    let whole: f64 = line.windows(2).map(|pair| length(subtract(pair[1], pair[0]))).sum();
    if whole < pixel_mm || whole / pixel_mm >= f64::from(SIDE_MAX) {
        return Err(RenderError::View("a centreline is 1 to 4095 pixels long"));
    }
    let mut stations = Vec::new();
    // How far the next station is from the start of the piece.
    let mut ahead = 0.0;
    for pair in line.windows(2) {
        let piece = subtract(pair[1], pair[0]);
        let long = length(piece);
        while ahead <= long && long > 0.0 {
            stations.push(add(pair[0], scale(piece, ahead / long)));
            ahead += pixel_mm;
        }
        ahead -= long;
    }
    Ok(stations)
}

/// Values of a slab, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub columns: u32,
    pub rows: u32,
    pub values: Vec<i16>,
}

/// A row in voxels, as the kernel and its twin take it.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct VoxelRow {
    pub(crate) start: [f32; 4],
    pub(crate) across: [f32; 4],
    /// From a sample to the next through the slab.
    pub(crate) through: [f32; 4],
}

/// A reformat in voxels.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) rows: Vec<VoxelRow>,
    pub(crate) columns: u32,
    /// Samples through the slab, at least one.
    pub(crate) samples: u32,
    pub(crate) projection: Projection,
}

/// Cuts a slab out of a volume.
pub fn reformat(
    processor: &mut Processor,
    volume: &Volume,
    request: &Reformat,
    checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Slice, RenderError> {
    let inverse = Inverse::of(volume.geometry())?;
    let gaps = (request.slab_mm / finest_mm(volume)).ceil();
    if gaps >= SAMPLES_MAX {
        return Err(RenderError::View("the slab is too thick for voxels this fine"));
    }
    let samples = gaps as u32 + 1;
    let gap_mm = request.slab_mm / gaps.max(1.0);
    let rows = request.rows.iter().map(|row| {
        let first = subtract(row.start, scale(row.through, request.slab_mm / 2.0));
        VoxelRow {
            start: four(inverse.point(first)),
            across: four(inverse.vector(row.across)),
            through: four(inverse.vector(scale(row.through, gap_mm))),
        }
    });
    let cut = Cut { rows: rows.collect(), columns: request.columns, samples, projection: request.projection };
    let values = processor.recovering(|processor| match processor.place() {
        Place::Gpu(gpu) => said(gpu::reformat(gpu, volume, &cut), checkpoint),
        Place::Twin(pool) => cpu::reformat::reformat(pool, volume, &cut, checkpoint),
    })?;
    Ok(Slice { columns: request.columns, rows: cut.rows.len() as u32, values })
}
