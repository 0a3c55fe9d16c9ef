//! The frames of a series as they lie in its objects: where each one is, where it stands, when it was taken.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::geometry::Place;
use super::pixels::{FrameReader, Meaning, PixelError, item, read_header};
use super::stack::StackError;
use crate::part10::{Timing, date_time_us};
use crate::store::Store;
use crate::store::records::InstanceRecord;

/// Where one frame of a stack lies.
#[derive(Clone, Debug)]
pub struct FrameSource {
    pub path: PathBuf,
    /// Frame inside that file, 0-based.
    pub frame: u32,
    pub sop_instance_uid: String,
    /// Data set's hash and frame, for caches.
    pub tag: String,
    pub place: Option<Place>,
    pub timing: Timing,
}

/// The frames of one object.
pub(super) struct ObjectFrames {
    pub frames: Vec<FrameSource>,
    pub pixel_spacing_mm: Option<[f64; 2]>,
}

/// Reads only the index for an ordinary slice, the header of a multi-frame object.
pub(super) fn frames_of(store: &Store, record: &InstanceRecord) -> Result<ObjectFrames, StackError> {
    let path = store.instance_path(record);
    let picture = record.facts.picture.as_ref().ok_or(StackError::NoImages)?;
    let source = |frame: u32, place, timing| FrameSource {
        path: path.clone(),
        frame,
        sop_instance_uid: record.facts.sop_instance.as_str().to_owned(),
        tag: format!("{}-{frame}", &record.sha256[..32]),
        place,
        timing,
    };
    if picture.frames == 1 && picture.position_mm.is_some() {
        let place = picture.position_mm.zip(picture.orientation);
        let place = place.map(|(position_mm, orientation)| Place { position_mm, orientation });
        return Ok(ObjectFrames {
            frames: vec![source(0, place, record.facts.timing)],
            pixel_spacing_mm: picture.pixel_spacing_mm,
        });
    }
    let header = read_header(&path)?;
    let frames = (0..picture.frames).map(|frame| {
        source(frame, frame_place(&header, frame), frame_timing(&header, frame, record.facts.timing))
    });
    Ok(ObjectFrames {
        frames: frames.collect(),
        pixel_spacing_mm: frame_spacing(&header).or(picture.pixel_spacing_mm),
    })
}

/// Place of one frame of a multi-frame object, from its own functional groups or the shared ones.
fn frame_place(object: &InMemDicomObject, frame: u32) -> Option<Place> {
    let numbers = |group, value| grouped(object, frame, group, value)?.to_multi_float64().ok();
    let position = numbers(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT)?;
    let orientation = numbers(tags::PLANE_ORIENTATION_SEQUENCE, tags::IMAGE_ORIENTATION_PATIENT)?;
    Some(Place { position_mm: position.try_into().ok()?, orientation: orientation.try_into().ok()? })
}

/// Times of one frame (PS3.3 C.7.6.16.2.2). The object's own are those of its first frame: never another's.
fn frame_timing(object: &InMemDicomObject, frame: u32, of_object: Timing) -> Timing {
    let content = |value| grouped(object, frame, tags::FRAME_CONTENT_SEQUENCE, value);
    let moment = |value| date_time_us(&content(value)?.to_str().ok()?);
    let acquired = moment(tags::FRAME_ACQUISITION_DATE_TIME);
    let heart = |value| {
        let value = grouped(object, frame, tags::CARDIAC_SYNCHRONIZATION_SEQUENCE, value)?;
        value.to_float64().ok().filter(|milliseconds| milliseconds.is_finite())
    };
    let trigger_ms = heart(tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME);
    let beat_ms = heart(tags::RR_INTERVAL_TIME_NOMINAL).filter(|ms| *ms > 0.0);
    Timing {
        acquired_us: acquired.or_else(|| moment(tags::FRAME_REFERENCE_DATE_TIME)),
        content_us: None,
        trigger_s: trigger_ms.map(|ms| ms / 1000.0),
        heart_rate_per_min: beat_ms.map(|ms| 60_000.0 / ms),
        position: content(tags::TEMPORAL_POSITION_INDEX).and_then(|value| value.to_int().ok()),
        ..of_object
    }
}

fn frame_spacing(object: &InMemDicomObject) -> Option<[f64; 2]> {
    let spacing = grouped(object, 0, tags::PIXEL_MEASURES_SEQUENCE, tags::PIXEL_SPACING)?;
    spacing.to_multi_float64().ok()?.try_into().ok()
}

fn grouped(
    object: &InMemDicomObject,
    frame: u32,
    group: dicom_core::Tag,
    value: dicom_core::Tag,
) -> Option<&dicom_object::mem::InMemElement> {
    [
        item(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frame as usize),
        item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 0),
    ]
    .into_iter()
    .flatten()
    .find_map(|groups| item(groups, group, 0)?.element(value).ok())
}

/// Decodes frames of many objects. One with several frames is opened once and stays open, one with a single frame is
/// opened when its turn comes: a series may have more files than a process may have open.
pub(super) struct Decoder<'a> {
    several: BTreeMap<&'a Path, FrameReader>,
    meaning: Meaning,
    pixels: usize,
}

impl<'a> Decoder<'a> {
    pub(super) fn of(
        frames: impl Iterator<Item = &'a FrameSource>,
        meaning: Meaning,
        pixels: usize,
    ) -> Result<Self, StackError> {
        let mut several = BTreeMap::new();
        for source in frames.filter(|source| source.frame > 0) {
            if !several.contains_key(source.path.as_path()) {
                several.insert(source.path.as_path(), FrameReader::open(&source.path, meaning)?);
            }
        }
        Ok(Self { several, meaning, pixels })
    }

    /// Values of one frame, as many as its rows and columns ask for.
    pub(super) fn frame(&self, source: &FrameSource) -> Result<Vec<i16>, StackError> {
        let values = match self.several.get(source.path.as_path()) {
            Some(reader) => reader.frame(source.frame)?,
            None => FrameReader::open(&source.path, self.meaning)?.frame(source.frame)?,
        };
        if values.len() == self.pixels {
            return Ok(values);
        }
        Err(PixelError::Decode("a frame has another size than its header says".into()).into())
    }
}
