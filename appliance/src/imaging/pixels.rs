//! Frames as whole numbers, each with its own rescale. An object is opened once, however many frames it has.

use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;
use dicom_object::{InMemDicomObject, OpenFileOptions};

use super::pixel_source::{DecodedFrame, FrameError, PixelSource};

/// What the numbers of a frame mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Floor of the modality-LUT value.
    Hounsfield,
    /// Stored values, without any rescale.
    Stored,
}

/// Why a frame cannot be shown or measured.
#[derive(Debug, thiserror::Error)]
pub enum PixelError {
    #[error("a stored file does not open: {source}")]
    Open { path: PathBuf, source: Box<dicom_object::ReadError> },
    #[error("this build cannot decode the images: {0}")]
    Decode(String),
    #[error(
        "frame {frame} has no rescale slope and intercept of its own, so its Hounsfield units are unknown"
    )]
    NoRescale { frame: u32 },
    #[error("the rescale type is {0}, not Hounsfield units")]
    RescaleType(String),
    #[error("colour images are not shown yet")]
    Colour,
    #[error(transparent)]
    Frame(#[from] FrameError),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Rescale {
    slope: f64,
    intercept: f64,
}

/// One object, ready to give its frames in any order.
#[derive(Debug)]
pub struct FrameReader {
    source: PixelSource,
    /// Everything before the pixels, where the values need it.
    header: Option<InMemDicomObject>,
}

impl FrameReader {
    pub fn open(path: &Path, meaning: Meaning) -> Result<Self, PixelError> {
        let source = PixelSource::open(path)?;
        if source.attributes.samples != 1 {
            return Err(PixelError::Colour);
        }
        let header = match meaning {
            Meaning::Hounsfield => Some(read_header(path)?),
            Meaning::Stored => None,
        };
        Ok(Self { source, header })
    }

    /// Decodes one frame (0-based): rows x columns values.
    pub fn frame(&self, frame: u32) -> Result<Vec<i16>, PixelError> {
        self.source.check(frame)?;
        let rescale = match &self.header {
            Some(header) => rescale(header, frame)?,
            None => Rescale { slope: 1.0, intercept: 0.0 },
        };
        Ok(apply(&stored(&self.source.decode(frame)?)?, rescale))
    }

    /// Stored values of one frame, however wide they are.
    pub fn stored(&self, frame: u32) -> Result<Vec<i64>, PixelError> {
        self.source.check(frame)?;
        stored(&self.source.decode(frame)?)
    }
}

/// Everything an object says before its pixels.
pub(super) fn read_header(path: &Path) -> Result<InMemDicomObject, PixelError> {
    let object = OpenFileOptions::new().read_until(tags::PIXEL_DATA).open_file(path);
    let object =
        object.map_err(|source| PixelError::Open { path: path.to_owned(), source: Box::new(source) })?;
    Ok(object.into_inner())
}

/// Stored values: the bits of each sample that count, with their sign (PS3.5 8.1.1).
fn stored(frame: &DecodedFrame) -> Result<Vec<i64>, PixelError> {
    let a = &frame.attributes;
    if a.float || !matches!(a.bits_allocated, 8 | 16 | 32) {
        return Err(PixelError::Decode(format!("{} bits a pixel", a.bits_allocated)));
    }
    let bits = u32::from(a.bits_stored.clamp(1, a.bits_allocated));
    let low = (u32::from(a.high_bit) + 1).saturating_sub(bits).min(32 - bits);
    // Unused bits fall off at the top, the sign comes along on the way back.
    let (up, down) = (32 - bits - low, 32 - bits);
    let whole = |raw: u32| match a.signed {
        true => i64::from((raw << up).cast_signed() >> down),
        false => i64::from((raw << up) >> down),
    };
    let bytes = frame.samples.as_slice();
    let pixels = usize::from(a.rows) * usize::from(a.columns);
    Ok(match a.bits_allocated {
        8 => bytes.iter().take(pixels).map(|byte| whole(u32::from(*byte))).collect(),
        16 => {
            let pairs = bytes.chunks_exact(2).take(pixels);
            pairs.map(|pair| whole(u32::from(u16::from_le_bytes([pair[0], pair[1]])))).collect()
        }
        _ => {
            let fours = bytes.chunks_exact(4).take(pixels);
            fours.map(|four| whole(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))).collect()
        }
    })
}

/// Floor, so that comparing with a whole threshold gives what the real value would (kernels, `volume.rs`); values
/// outside 16 bits are clamped, far beyond anything a threshold looks at.
fn apply(stored: &[i64], rescale: Rescale) -> Vec<i16> {
    #[expect(clippy::cast_possible_truncation, reason = "clamped first")]
    let clamp = |value: f64| value.floor().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16;
    #[expect(clippy::cast_possible_truncation, reason = "clamped first")]
    let clamp_whole = |value: i64| value.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16;
    if rescale.slope == 1.0 && rescale.intercept.fract() == 0.0 && rescale.intercept.abs() < 1e6 {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 1e6")]
        let intercept = rescale.intercept as i64;
        return stored.iter().map(|value| clamp_whole(*value + intercept)).collect();
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 32 bits")]
    stored.iter().map(|value| clamp(*value as f64 * rescale.slope + rescale.intercept)).collect()
}

/// The rescale of one frame: the frame's own or the shared functional group's where the object has them (PS3.3
/// C.7.6.16.2.9), the object's otherwise. Never another frame's.
fn rescale(object: &InMemDicomObject, frame: u32) -> Result<Rescale, PixelError> {
    let missing = || PixelError::NoRescale { frame };
    let enhanced = object.element(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).is_ok();
    if !enhanced {
        return read_rescale(object)?.ok_or_else(missing);
    }
    for group in [
        item(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frame as usize),
        item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 0),
    ] {
        let values = group.and_then(|group| item(group, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, 0));
        if let Some(values) = values {
            return read_rescale(values)?.ok_or_else(missing);
        }
    }
    Err(missing())
}

fn read_rescale(object: &InMemDicomObject) -> Result<Option<Rescale>, PixelError> {
    let number = |tag| object.element(tag).ok()?.to_float64().ok().filter(|value| value.is_finite());
    let (Some(slope), Some(intercept)) = (number(tags::RESCALE_SLOPE), number(tags::RESCALE_INTERCEPT))
    else {
        return Ok(None);
    };
    // Rescale Type may be absent from CT images, where the standard fixes it to HU (PS3.3 C.8.2.1.1.2).
    let kind = object.element(tags::RESCALE_TYPE).ok().and_then(|e| Some(e.to_str().ok()?.trim().to_owned()));
    match kind.as_deref() {
        None | Some("" | "HU") => Ok(Some(Rescale { slope, intercept })),
        Some(other) => Err(PixelError::RescaleType(other.chars().take(16).collect())),
    }
}

/// One item of a sequence.
pub(super) fn item(
    object: &InMemDicomObject,
    sequence: dicom_core::Tag,
    index: usize,
) -> Option<&InMemDicomObject> {
    object.element(sequence).ok()?.items()?.get(index)
}

#[cfg(test)]
mod tests {
    use super::super::image_attributes::ImageAttributes;
    use super::*;

    #[test]
    fn fractions_are_floored_so_that_thresholds_stay_exact() {
        let half = Rescale { slope: 0.5, intercept: 0.0 };
        assert_eq!(apply(&[259, 260, -1], half), [129, 130, -1]);
    }

    #[test]
    fn only_the_stored_bits_count_and_the_sign_is_theirs() {
        let attributes = ImageAttributes {
            rows: 1,
            columns: 3,
            bits_allocated: 16,
            bits_stored: 12,
            high_bit: 11,
            signed: true,
            ..ImageAttributes::default()
        };
        let samples = [0xF001u16, 0x0FFF, 0x7800].iter().flat_map(|raw| raw.to_le_bytes()).collect();
        let frame = DecodedFrame { samples, attributes };
        assert_eq!(stored(&frame).unwrap(), [1, -1, -2048], "bits above the twelfth are an overlay's");
        let attributes = ImageAttributes { signed: false, ..frame.attributes.clone() };
        assert_eq!(stored(&DecodedFrame { attributes, ..frame }).unwrap(), [1, 4095, 2048]);
    }

    #[test]
    fn whole_rescales_are_exact_and_clamped() {
        let ct = Rescale { slope: 1.0, intercept: -1024.0 };
        assert_eq!(apply(&[0, 1154, 4095, 70_000], ct), [-1024, 130, 3071, i16::MAX]);
    }
}
