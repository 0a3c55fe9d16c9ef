//! Frames as whole numbers, decoded by dicom-pixeldata, each with its own rescale.

use std::path::{Path, PathBuf};

use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, InMemDicomObject, OpenFileOptions};
use dicom_pixeldata::{ConvertOptions, ModalityLutOption, PixelDecoder};

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
    #[error("there is no frame {frame}")]
    NoSuchFrame { frame: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Rescale {
    slope: f64,
    intercept: f64,
}

/// Decodes frames (0-based) of one file, in the order asked for.
pub fn read_frames(path: &Path, frames: &[u32], meaning: Meaning) -> Result<Vec<Vec<i16>>, PixelError> {
    let object = OpenFileOptions::new()
        .open_file(path)
        .map_err(|source| PixelError::Open { path: path.to_owned(), source: Box::new(source) })?;
    if object.element(tags::SAMPLES_PER_PIXEL).ok().and_then(|e| e.to_int::<u16>().ok()).unwrap_or(1) != 1 {
        return Err(PixelError::Colour);
    }
    frames.iter().map(|frame| read_frame(&object, *frame, meaning)).collect()
}

fn read_frame(object: &DefaultDicomObject, frame: u32, meaning: Meaning) -> Result<Vec<i16>, PixelError> {
    let rescale = match meaning {
        Meaning::Hounsfield => rescale(object, frame)?,
        Meaning::Stored => Rescale { slope: 1.0, intercept: 0.0 },
    };
    let decoded =
        object.decode_pixel_data_frame(frame).map_err(|error| PixelError::Decode(error.to_string()))?;
    let options = ConvertOptions::new().with_modality_lut(ModalityLutOption::None);
    let stored: Vec<i32> = decoded
        .to_vec_frame_with_options(0, &options)
        .map_err(|error| PixelError::Decode(error.to_string()))?;
    Ok(apply(&stored, rescale))
}

/// Floor, so that comparing with a whole threshold gives what the real value would (kernels, `volume.rs`); values
/// outside 16 bits are clamped, far beyond anything a threshold looks at.
fn apply(stored: &[i32], rescale: Rescale) -> Vec<i16> {
    #[expect(clippy::cast_possible_truncation, reason = "clamped first")]
    let clamp = |value: f64| value.floor().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16;
    #[expect(clippy::cast_possible_truncation, reason = "clamped first")]
    let clamp_whole = |value: i64| value.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16;
    if rescale.slope == 1.0 && rescale.intercept.fract() == 0.0 && rescale.intercept.abs() < 1e6 {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 1e6")]
        let intercept = rescale.intercept as i64;
        return stored.iter().map(|value| clamp_whole(i64::from(*value) + intercept)).collect();
    }
    stored.iter().map(|value| clamp(f64::from(*value) * rescale.slope + rescale.intercept)).collect()
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
    use super::*;

    #[test]
    fn fractions_are_floored_so_that_thresholds_stay_exact() {
        let half = Rescale { slope: 0.5, intercept: 0.0 };
        assert_eq!(apply(&[259, 260, -1], half), [129, 130, -1]);
    }

    #[test]
    fn whole_rescales_are_exact_and_clamped() {
        let ct = Rescale { slope: 1.0, intercept: -1024.0 };
        assert_eq!(apply(&[0, 1154, 4095, 70_000], ct), [-1024, 130, 3071, i16::MAX]);
    }
}
