//! A series as one stack of frames: sorted by place, judged, decoded.

use std::path::PathBuf;

use dicom_dictionary_std::tags;
use dicom_object::{InMemDicomObject, OpenFileOptions};
use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};
use sha2::{Digest, Sha256};
use sidelight_kernels::{Dimensions, Geometry, Volume};

use super::geometry::{Place, StackGeometry, Unusable, judge, order};
use super::pixels::{Meaning, PixelError, item, read_frames};
use crate::store::records::InstanceRecord;
use crate::store::{Store, StoreError, hex};
use crate::uid::{SeriesUid, StudyUid};

/// Voxels of a volume: 4 GiB of `i16`, more than any box's budget; a series that claims more is refused unread.
const VOXELS_MAX: u64 = 2 << 30;

/// Where one frame of a stack lies.
#[derive(Clone, Debug)]
pub struct FrameSource {
    pub path: PathBuf,
    /// Frame inside that file, 0-based.
    pub frame: u32,
    pub sop_instance_uid: String,
    /// Data set's hash and frame, for caches.
    pub tag: String,
}

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
        let frames = loose_frames(store, record)?;
        pixel_spacing_mm = pixel_spacing_mm.or(frames.pixel_spacing_mm);
        loose.extend(frames.frames);
    }
    let meaning = if first.facts.modality == "CT" { Meaning::Hounsfield } else { Meaning::Stored };
    let mut stack = Stack {
        columns: picture.columns,
        rows: picture.rows,
        frames: Vec::new(),
        positions_mm: None,
        orientation: loose.first().and_then(|(_, place)| Some(place.as_ref()?.orientation)),
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
fn arrange(stack: &mut Stack, loose: Vec<(FrameSource, Option<Place>)>) {
    let places: Option<Vec<Place>> = loose.iter().map(|(_, place)| *place).collect();
    let ordered = places.ok_or(Unusable::NoPlace).and_then(|places| Ok((order(&places)?, places)));
    match ordered {
        Ok((order, places)) => {
            let sorted: Vec<Place> = order.iter().map(|(index, _)| places[*index]).collect();
            stack.geometry = judge(&sorted);
            stack.positions_mm = Some(order.iter().map(|(_, mm)| *mm).collect());
            let mut sources: Vec<Option<FrameSource>> =
                loose.into_iter().map(|(source, _)| Some(source)).collect();
            stack.frames = order.iter().filter_map(|(index, _)| sources[*index].take()).collect();
        }
        Err(unusable) => {
            stack.geometry = Err(unusable);
            stack.frames = loose.into_iter().map(|(source, _)| source).collect();
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
    let geometry = stack.geometry.clone()?;
    let [row_spacing_mm, column_spacing_mm] = stack.pixel_spacing_mm.ok_or(StackError::NoSpacing)?;
    let slices = u32::try_from(stack.frames.len()).map_err(|_| StackError::TooLarge)?;
    let dimensions = Dimensions { columns: stack.columns.into(), rows: stack.rows.into(), slices };
    let voxels = u64::from(stack.columns) * u64::from(stack.rows) * u64::from(slices);
    if voxels > VOXELS_MAX {
        return Err(StackError::TooLarge);
    }
    let slices = stack.frames.par_iter().map(|source| frame(stack, source)).collect::<Result<Vec<_>, _>>()?;
    let hounsfield = slices.concat();
    let (row, column, step, origin) =
        (geometry.row_direction, geometry.column_direction, geometry.slice_step_mm, geometry.origin_mm);
    let matrix = [0, 1, 2]
        .map(|axis| [row[axis] * column_spacing_mm, column[axis] * row_spacing_mm, step[axis], origin[axis]]);
    let geometry = Geometry {
        column_spacing_mm,
        row_spacing_mm,
        slice_increment_mm: geometry.slice_increment_mm,
        patient_mm_from_voxel: matrix,
    };
    Volume::new(dimensions, geometry, hounsfield)
        .map_err(|error| PixelError::Decode(error.to_string()).into())
}

fn frame(stack: &Stack, source: &FrameSource) -> Result<Vec<i16>, StackError> {
    let mut frames = read_frames(&source.path, &[source.frame], stack.meaning)?;
    let frame = frames.pop().ok_or(PixelError::NoSuchFrame { frame: source.frame })?;
    if frame.len() != usize::from(stack.columns) * usize::from(stack.rows) {
        return Err(PixelError::Decode("a frame has another size than its header says".into()).into());
    }
    Ok(frame)
}

struct LooseFrames {
    frames: Vec<(FrameSource, Option<Place>)>,
    pixel_spacing_mm: Option<[f64; 2]>,
}

fn loose_frames(store: &Store, record: &InstanceRecord) -> Result<LooseFrames, StackError> {
    let path = store.instance_path(record);
    let picture = record.facts.picture.as_ref().ok_or(StackError::NoImages)?;
    let source = |frame: u32| FrameSource {
        path: path.clone(),
        frame,
        sop_instance_uid: record.facts.sop_instance.as_str().to_owned(),
        tag: format!("{}-{frame}", &record.sha256[..32]),
    };
    if picture.frames == 1 && picture.position_mm.is_some() {
        let place = picture.position_mm.zip(picture.orientation);
        let place = place.map(|(position_mm, orientation)| Place { position_mm, orientation });
        return Ok(LooseFrames {
            frames: vec![(source(0), place)],
            pixel_spacing_mm: picture.pixel_spacing_mm,
        });
    }
    let object = OpenFileOptions::new().read_until(tags::PIXEL_DATA).open_file(&path);
    let object =
        object.map_err(|source| PixelError::Open { path: path.clone(), source: Box::new(source) })?;
    let frames = (0..picture.frames).map(|frame| (source(frame), frame_place(&object, frame))).collect();
    Ok(LooseFrames { frames, pixel_spacing_mm: frame_spacing(&object).or(picture.pixel_spacing_mm) })
}

/// Place of one frame of a multi-frame object, from its own functional groups or the shared ones.
fn frame_place(object: &InMemDicomObject, frame: u32) -> Option<Place> {
    let position = grouped(object, frame, tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT)?;
    let orientation =
        grouped(object, frame, tags::PLANE_ORIENTATION_SEQUENCE, tags::IMAGE_ORIENTATION_PATIENT)?;
    Some(Place { position_mm: position.try_into().ok()?, orientation: orientation.try_into().ok()? })
}

fn frame_spacing(object: &InMemDicomObject) -> Option<[f64; 2]> {
    grouped(object, 0, tags::PIXEL_MEASURES_SEQUENCE, tags::PIXEL_SPACING)?.try_into().ok()
}

fn grouped(
    object: &InMemDicomObject,
    frame: u32,
    group: dicom_core::Tag,
    value: dicom_core::Tag,
) -> Option<Vec<f64>> {
    [
        item(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frame as usize),
        item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 0),
    ]
    .into_iter()
    .flatten()
    .find_map(|groups| item(groups, group, 0)?.element(value).ok()?.to_multi_float64().ok())
}
