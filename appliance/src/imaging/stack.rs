//! A series as one stack of frames: sorted by place, judged, decoded.

use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};
use sha2::{Digest, Sha256};
use sidelight_kernels::perfusion::DynamicError;
use sidelight_kernels::{Dimensions, Geometry, Volume};

use super::frames::{Decoder, FrameSource, frames_of};
use super::geometry::{Place, StackGeometry, Unusable, judge, order};
use super::pixels::{Meaning, PixelError};
use crate::store::{Store, StoreError, hex};
use crate::uid::{SeriesUid, StudyUid};

/// Voxels of a volume: 4 GiB of `i16`, more than any box's budget; a series that claims more is refused unread.
pub(super) const VOXELS_MAX: u64 = 2 << 30;

/// A series' frames in order.
#[derive(Clone, Debug)]
pub struct Stack {
    pub columns: u16,
    pub rows: u16,
    pub frames: Vec<FrameSource>,
    /// Positions along the common normal (mm), where every frame has a place.
    pub positions_mm: Option<Vec<f64>>,
    pub orientation: Option<[f64; 6]>,
    /// Between rows, between columns.
    pub pixel_spacing_mm: Option<[f64; 2]>,
    pub window: Option<[f64; 2]>,
    pub photometric: String,
    pub meaning: Meaning,
    /// Whether the frames make a volume, or why not.
    pub geometry: Result<StackGeometry, Unusable>,
}

/// Why a series is no stack at all.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    #[error("the series has no images")]
    NoImages,
    #[error("the images differ in size: {0}x{1} and {2}x{3}")]
    Sizes(u16, u16, u16, u16),
    #[error("colour images are not shown yet")]
    Colour,
    #[error("the stack has more voxels than this box can hold")]
    TooLarge,
    #[error("the images do not say how large a pixel is")]
    NoSpacing,
    #[error(transparent)]
    Dynamic(#[from] DynamicError),
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error(transparent)]
    Pixels(#[from] PixelError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Puts a series' frames in order. Reads only the index, and the headers of multi-frame objects.
pub fn stack(store: &Store, study: &StudyUid, series: &SeriesUid) -> Result<Stack, StackError> {
    let mut records = store.instances(study, series)?;
    records.retain(|record| record.facts.picture.is_some());
    records.sort_by_key(|record| record.facts.instance_number);
    let first = records.first().ok_or(StackError::NoImages)?;
    let picture = first.facts.picture.clone().expect("records without pictures were dropped");
    if picture.samples_per_pixel != 1 {
        return Err(StackError::Colour);
    }
    let mut loose = Vec::new();
    let mut pixel_spacing_mm = picture.pixel_spacing_mm;
    for record in &records {
        let found = record.facts.picture.as_ref().expect("records without pictures were dropped");
        if (found.columns, found.rows) != (picture.columns, picture.rows) {
            return Err(StackError::Sizes(picture.columns, picture.rows, found.columns, found.rows));
        }
        let frames = frames_of(store, record)?;
        pixel_spacing_mm = pixel_spacing_mm.or(frames.pixel_spacing_mm);
        loose.extend(frames.frames);
    }
    let meaning = if first.facts.modality == "CT" { Meaning::Hounsfield } else { Meaning::Stored };
    let mut stack = Stack {
        columns: picture.columns,
        rows: picture.rows,
        frames: Vec::new(),
        positions_mm: None,
        orientation: loose.first().and_then(|frame| Some(frame.place.as_ref()?.orientation)),
        pixel_spacing_mm,
        window: picture.window,
        photometric: picture.photometric,
        meaning,
        geometry: Err(Unusable::NoPlace),
    };
    arrange(&mut stack, loose);
    Ok(stack)
}

/// Sorts by place where every frame has one; else the frames stay in the order of their instance numbers.
fn arrange(stack: &mut Stack, loose: Vec<FrameSource>) {
    let places: Option<Vec<Place>> = loose.iter().map(|frame| frame.place).collect();
    let ordered = places.ok_or(Unusable::NoPlace).and_then(|places| Ok((order(&places)?, places)));
    match ordered {
        Ok((order, places)) => {
            let sorted: Vec<Place> = order.iter().map(|(index, _)| places[*index]).collect();
            stack.geometry = judge(&sorted);
            stack.positions_mm = Some(order.iter().map(|(_, mm)| *mm).collect());
            let mut sources: Vec<Option<FrameSource>> = loose.into_iter().map(Some).collect();
            stack.frames = order.iter().filter_map(|(index, _)| sources[*index].take()).collect();
        }
        Err(unusable) => {
            stack.geometry = Err(unusable);
            stack.frames = loose;
        }
    }
}

impl Stack {
    /// Names this very order of frames: a stack that grew or was sorted anew has another name.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for frame in &self.frames {
            hash.update(frame.tag.as_bytes());
        }
        hex(&hash.finalize()[..8])
    }
}

/// Decodes a whole stack into a volume in Hounsfield units.
pub fn volume(stack: &Stack) -> Result<Volume, StackError> {
    let geometry = kernel_geometry(stack.geometry.as_ref().map_err(Clone::clone)?, stack.pixel_spacing_mm)?;
    let frames: Vec<&FrameSource> = stack.frames.iter().collect();
    assembled([stack.columns, stack.rows], geometry, &frames, stack.meaning)
}

/// Frames of `[columns, rows]`, in the order of their positions, as a volume.
pub(super) fn assembled(
    [columns, rows]: [u16; 2],
    geometry: Geometry,
    frames: &[&FrameSource],
    meaning: Meaning,
) -> Result<Volume, StackError> {
    let slices = u32::try_from(frames.len()).map_err(|_| StackError::TooLarge)?;
    let dimensions = Dimensions { columns: columns.into(), rows: rows.into(), slices };
    if dimensions.len() as u64 > VOXELS_MAX {
        return Err(StackError::TooLarge);
    }
    let decoder = Decoder::of(frames.iter().copied(), meaning, dimensions.slice_len())?;
    let slices = frames.par_iter().map(|frame| decoder.frame(frame)).collect::<Result<Vec<_>, _>>()?;
    Volume::new(dimensions, geometry, slices.concat())
        .map_err(|error| PixelError::Decode(error.to_string()).into())
}

/// A stack's geometry as kernels want it.
pub(super) fn kernel_geometry(
    geometry: &StackGeometry,
    pixel_spacing_mm: Option<[f64; 2]>,
) -> Result<Geometry, StackError> {
    let [row_spacing_mm, column_spacing_mm] = pixel_spacing_mm.ok_or(StackError::NoSpacing)?;
    let (row, column, step, origin) =
        (geometry.row_direction, geometry.column_direction, geometry.slice_step_mm, geometry.origin_mm);
    let matrix = [0, 1, 2]
        .map(|axis| [row[axis] * column_spacing_mm, column[axis] * row_spacing_mm, step[axis], origin[axis]]);
    Ok(Geometry {
        column_spacing_mm,
        row_spacing_mm,
        slice_increment_mm: geometry.slice_increment_mm,
        patient_mm_from_voxel: matrix,
    })
}
