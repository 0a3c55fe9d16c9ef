//! What a mammogram says of itself (PS3.3 A.26, C.8.11.7): which breast, which view, which tone, and whether it is one
//! that a network made for plain CC and MLO views may judge.
//!
//! Nothing is told from pixels: an image that does not say what it is, or says two things, is not judged, with the reason.
//! The breast is left as it was stored; whoever judges must not care which way it faces.

use std::path::{Path, PathBuf};

use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::pixels::{FrameReader, Meaning, PixelError, item, read_header};
use crate::part10::InstanceFacts;
use crate::uid::SeriesUid;

/// The largest detectors have 6000 x 5000 pixels; four bytes each must fit beside everything else.
const PIXELS_MAX: u64 = 64 << 20;
/// A breast that lies on the detector is magnified by its own thickness only.
const MAGNIFICATION_MAX: f64 = 1.25;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breast {
    Right,
    Left,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Projection {
    Cc,
    Mlo,
}

/// How stored values become larger where tissue is denser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    AsStored,
    Inverted,
    /// Counts of the detector: their negative logarithm.
    NegativeLog,
}

/// One view that may be judged.
#[derive(Clone, Debug)]
pub struct Mammogram {
    pub series: SeriesUid,
    pub sop_class_uid: String,
    pub sop_instance_uid: String,
    pub breast: Breast,
    pub projection: Projection,
    pub for_processing: bool,
    pub rows: u16,
    pub columns: u16,
    /// In the plane of the breast: between rows, between columns.
    pub pixel_mm: [f64; 2],
    /// Patient Orientation (0020,0020) of rows and columns; empty where it is not said.
    pub orientation: [String; 2],
    path: PathBuf,
    tone: Tone,
    /// Stored values that are no image, both ends included.
    padding: Option<[i64; 2]>,
}

/// Why an image is not judged, in words a person can read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotJudged {
    #[error("it is no digital mammogram (tomosynthesis, a capture, or another kind of object)")]
    OtherClass,
    #[error("it has several frames")]
    Frames,
    #[error("it does not say whether it is for presentation or for processing")]
    NoIntent,
    #[error("its class and its Presentation Intent Type contradict each other")]
    Intent,
    #[error("it does not say which breast it shows")]
    NoBreast,
    #[error("its view is {0}; only CC and MLO are judged")]
    View(String),
    #[error("its view code and its view position contradict each other")]
    TwoViews,
    #[error("a breast implant is present")]
    Implant,
    #[error("it is no plain view: {0}")]
    Modified(String),
    #[error("it is magnified {0:.2} times")]
    Magnified(f64),
    #[error("it shows a specimen")]
    Specimen,
    #[error("it does not say how large a pixel is")]
    NoSpacing,
    #[error("its photometric interpretation and its presentation LUT contradict each other")]
    Photometric,
    #[error("how its counts follow the X-rays is not said, or in a way not known here")]
    Intensity,
    #[error("it is larger than any mammogram")]
    TooLarge,
    #[error("its header cannot be read")]
    Header,
    #[error("the same view for presentation is judged in its place")]
    Twin,
}

/// Reads what one stored object says of itself.
pub fn mammogram(path: &Path, facts: &InstanceFacts) -> Result<Mammogram, NotJudged> {
    let header = read_header(path).map_err(|_| NotJudged::Header)?;
    let picture = facts.picture.as_ref().ok_or(NotJudged::OtherClass)?;
    let for_processing = intent(&header, &facts.sop_class)?;
    if picture.frames != 1 {
        return Err(NotJudged::Frames);
    }
    plain(&header)?;
    if u64::from(picture.rows) * u64::from(picture.columns) > PIXELS_MAX {
        return Err(NotJudged::TooLarge);
    }
    Ok(Mammogram {
        series: facts.series.clone(),
        sop_class_uid: facts.sop_class.clone(),
        sop_instance_uid: facts.sop_instance.as_str().to_owned(),
        breast: breast(&header)?,
        projection: projection(&header)?,
        for_processing,
        rows: picture.rows,
        columns: picture.columns,
        pixel_mm: pixel_mm(&header)?,
        orientation: orientation(&header),
        path: path.to_owned(),
        tone: tone(&header, for_processing)?,
        padding: padding(&header),
    })
}

fn text(header: &InMemDicomObject, tag: Tag) -> String {
    let element = header.element(tag).ok();
    element.and_then(|element| Some(element.to_str().ok()?.trim().to_uppercase())).unwrap_or_default()
}

fn number(header: &InMemDicomObject, tag: Tag) -> Option<f64> {
    header.element(tag).ok()?.to_float64().ok().filter(|value| value.is_finite())
}

/// Whether it is for processing: class and Presentation Intent Type must agree.
fn intent(header: &InMemDicomObject, class: &str) -> Result<bool, NotJudged> {
    let of_class = match class {
        uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION => false,
        uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PROCESSING => true,
        _ => return Err(NotJudged::OtherClass),
    };
    let said = match text(header, tags::PRESENTATION_INTENT_TYPE).as_str() {
        "FOR PRESENTATION" => false,
        "FOR PROCESSING" => true,
        "" => return Err(NotJudged::NoIntent),
        _ => return Err(NotJudged::Intent),
    };
    if said == of_class { Ok(said) } else { Err(NotJudged::Intent) }
}

/// Neither implant nor specimen nor a modified or magnified view.
fn plain(header: &InMemDicomObject) -> Result<(), NotJudged> {
    if text(header, tags::BREAST_IMPLANT_PRESENT) == "YES" {
        return Err(NotJudged::Implant);
    }
    if item(header, tags::SPECIMEN_DESCRIPTION_SEQUENCE, 0).is_some() {
        return Err(NotJudged::Specimen);
    }
    let view = item(header, tags::VIEW_CODE_SEQUENCE, 0);
    let modifier = view.and_then(|view| item(view, tags::VIEW_MODIFIER_CODE_SEQUENCE, 0));
    if let Some(modifier) = modifier {
        let meaning = text(modifier, tags::CODE_MEANING).to_lowercase();
        let said = if meaning.is_empty() { "a modified view".to_owned() } else { meaning };
        return Err(NotJudged::Modified(said.chars().take(64).collect()));
    }
    match number(header, tags::ESTIMATED_RADIOGRAPHIC_MAGNIFICATION_FACTOR) {
        Some(times) if times > MAGNIFICATION_MAX => Err(NotJudged::Magnified(times)),
        _ => Ok(()),
    }
}

fn breast(header: &InMemDicomObject) -> Result<Breast, NotJudged> {
    let said = [tags::IMAGE_LATERALITY, tags::LATERALITY].map(|tag| text(header, tag));
    match said.iter().find(|side| !side.is_empty()).map(String::as_str) {
        Some("R") => Ok(Breast::Right),
        Some("L") => Ok(Breast::Left),
        _ => Err(NotJudged::NoBreast),
    }
}

/// CID 4014, in today's codes and in those before them.
fn projection(header: &InMemDicomObject) -> Result<Projection, NotJudged> {
    let view = item(header, tags::VIEW_CODE_SEQUENCE, 0);
    let code = view.map(|view| text(view, tags::CODE_VALUE)).unwrap_or_default();
    let coded = match code.as_str() {
        "399162004" | "R-10242" => Some(Projection::Cc),
        "399368009" | "R-10226" => Some(Projection::Mlo),
        "" => None,
        _ => {
            let meaning = view.map(|view| text(view, tags::CODE_MEANING).to_lowercase()).unwrap_or_default();
            return Err(NotJudged::View(meaning.chars().take(64).collect()));
        }
    };
    let position = text(header, tags::VIEW_POSITION);
    let named = match position.as_str() {
        "CC" => Some(Projection::Cc),
        "MLO" => Some(Projection::Mlo),
        _ => None,
    };
    match (coded, named) {
        (Some(coded), Some(named)) if coded != named => Err(NotJudged::TwoViews),
        (Some(projection), _) | (None, Some(projection)) => Ok(projection),
        (None, None) if position.is_empty() => Err(NotJudged::View("not said".into())),
        (None, None) => Err(NotJudged::View(position.chars().take(16).collect())),
    }
}

/// Pixel Spacing is in the breast; Imager Pixel Spacing on the detector, behind it.
fn pixel_mm(header: &InMemDicomObject) -> Result<[f64; 2], NotJudged> {
    let pair = |tag: Tag| -> Option<[f64; 2]> {
        let values: [f64; 2] = header.element(tag).ok()?.to_multi_float64().ok()?.try_into().ok()?;
        values.iter().all(|mm| *mm > 0.01 && *mm < 1.0).then_some(values)
    };
    if let Some(spacing) = pair(tags::PIXEL_SPACING) {
        return Ok(spacing);
    }
    let times =
        number(header, tags::ESTIMATED_RADIOGRAPHIC_MAGNIFICATION_FACTOR).filter(|times| *times >= 1.0);
    let spacing = pair(tags::IMAGER_PIXEL_SPACING).ok_or(NotJudged::NoSpacing)?;
    Ok(spacing.map(|mm| mm / times.unwrap_or(1.0)))
}

fn orientation(header: &InMemDicomObject) -> [String; 2] {
    let said = text(header, tags::PATIENT_ORIENTATION);
    let mut letters = said.split('\\').map(|part| part.trim().chars().take(16).collect::<String>());
    [letters.next().unwrap_or_default(), letters.next().unwrap_or_default()]
}

fn tone(header: &InMemDicomObject, for_processing: bool) -> Result<Tone, NotJudged> {
    if !for_processing {
        let photometric = text(header, tags::PHOTOMETRIC_INTERPRETATION);
        return match (photometric.as_str(), text(header, tags::PRESENTATION_LUT_SHAPE).as_str()) {
            ("MONOCHROME2", "" | "IDENTITY") => Ok(Tone::AsStored),
            ("MONOCHROME1", "" | "INVERSE") => Ok(Tone::Inverted),
            _ => Err(NotJudged::Photometric),
        };
    }
    // Pixel Intensity Relationship Sign 1: low values are less X-rays (PS3.3 C.8.11.3.1.2).
    let sign = number(header, tags::PIXEL_INTENSITY_RELATIONSHIP_SIGN);
    let relationship = text(header, tags::PIXEL_INTENSITY_RELATIONSHIP);
    match (relationship.as_str(), sign) {
        ("LIN", Some(1.0)) => Ok(Tone::NegativeLog),
        ("LOG", Some(1.0)) => Ok(Tone::Inverted),
        ("LOG", Some(-1.0)) => Ok(Tone::AsStored),
        _ => Err(NotJudged::Intensity),
    }
}

fn padding(header: &InMemDicomObject) -> Option<[i64; 2]> {
    let value = |tag: Tag| header.element(tag).ok()?.to_int::<i64>().ok();
    let first = value(tags::PIXEL_PADDING_VALUE)?;
    let last = value(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(first);
    Some([first.min(last), first.max(last)])
}

impl Mammogram {
    /// `R CC`, `L MLO`, ...
    pub fn view(&self) -> &'static str {
        match (self.breast, self.projection) {
            (Breast::Right, Projection::Cc) => "R CC",
            (Breast::Right, Projection::Mlo) => "R MLO",
            (Breast::Left, Projection::Cc) => "L CC",
            (Breast::Left, Projection::Mlo) => "L MLO",
        }
    }

    /// Values that are larger where tissue is denser, row by row; padding is as dark as the darkest.
    pub fn dense_is_bright(&self) -> Result<Vec<f32>, PixelError> {
        let stored = FrameReader::open(&self.path, Meaning::Stored)?.stored(0)?;
        if stored.len() != usize::from(self.rows) * usize::from(self.columns) {
            return Err(PixelError::Decode("the image has another size than its header says".into()));
        }
        let is_padding =
            |value: i64| self.padding.is_some_and(|[first, last]| (first..=last).contains(&value));
        let bright = |value: i64| {
            #[expect(clippy::cast_precision_loss, reason = "values of a detector")]
            let value = value as f32;
            match self.tone {
                Tone::AsStored => value,
                Tone::Inverted => -value,
                Tone::NegativeLog => -value.max(1.0).ln(),
            }
        };
        let image = stored.iter().filter(|value| !is_padding(**value));
        let darkest = image.map(|value| bright(*value)).fold(f32::INFINITY, f32::min);
        let value = |value: &i64| if is_padding(*value) { darkest } else { bright(*value) };
        Ok(if darkest.is_finite() { stored.iter().map(value).collect() } else { vec![0.0; stored.len()] })
    }
}

#[cfg(test)]
mod tests {
    use dicom_core::value::DataSetSequence;
    use dicom_core::{DataElement, PrimitiveValue, VR};

    use super::*;

    fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: &str) {
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    }

    fn nested(object: &mut InMemDicomObject, tag: Tag, item: InMemDicomObject) {
        object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![item])));
    }

    fn view(code: &str, modifier: Option<&str>) -> InMemDicomObject {
        let mut item = InMemDicomObject::new_empty();
        put(&mut item, tags::CODE_VALUE, VR::SH, code);
        put(&mut item, tags::CODE_MEANING, VR::LO, "some view");
        if let Some(meaning) = modifier {
            let mut inner = InMemDicomObject::new_empty();
            put(&mut inner, tags::CODE_MEANING, VR::LO, meaning);
            nested(&mut item, tags::VIEW_MODIFIER_CODE_SEQUENCE, inner);
        }
        let mut header = InMemDicomObject::new_empty();
        nested(&mut header, tags::VIEW_CODE_SEQUENCE, item);
        header
    }

    #[test]
    fn views_are_told_by_their_codes_old_and_new_and_by_their_position() {
        for (code, position, expected) in [
            ("399162004", "", Ok(Projection::Cc)),
            ("R-10226", "MLO", Ok(Projection::Mlo)),
            ("399162004", "MLO", Err(NotJudged::TwoViews)),
            ("399260004", "ML", Err(NotJudged::View("some view".into()))),
        ] {
            let mut header = view(code, None);
            put(&mut header, tags::VIEW_POSITION, VR::CS, position);
            assert_eq!(projection(&header), expected, "{code} {position}");
        }
        let mut header = InMemDicomObject::new_empty();
        assert_eq!(projection(&header), Err(NotJudged::View("not said".into())));
        put(&mut header, tags::VIEW_POSITION, VR::CS, "CC");
        assert_eq!(projection(&header), Ok(Projection::Cc));
    }

    #[test]
    fn implants_magnified_and_modified_views_are_not_plain() {
        assert_eq!(plain(&view("399162004", None)), Ok(()));
        let spot = view("399162004", Some("Spot compression"));
        assert_eq!(plain(&spot), Err(NotJudged::Modified("spot compression".into())));
        let mut implant = view("399162004", None);
        put(&mut implant, tags::BREAST_IMPLANT_PRESENT, VR::CS, "YES");
        assert_eq!(plain(&implant), Err(NotJudged::Implant));
        let mut magnified = view("399162004", None);
        put(&mut magnified, tags::ESTIMATED_RADIOGRAPHIC_MAGNIFICATION_FACTOR, VR::DS, "1.8");
        assert_eq!(plain(&magnified), Err(NotJudged::Magnified(1.8)));
    }

    #[test]
    fn tones_are_turned_once_and_contradictions_refused() {
        let said = |photometric: &str, shape: &str| {
            let mut header = InMemDicomObject::new_empty();
            put(&mut header, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric);
            put(&mut header, tags::PRESENTATION_LUT_SHAPE, VR::CS, shape);
            tone(&header, false)
        };
        assert_eq!(said("MONOCHROME2", "IDENTITY"), Ok(Tone::AsStored));
        assert_eq!(said("MONOCHROME1", "INVERSE"), Ok(Tone::Inverted));
        assert_eq!(said("MONOCHROME2", "INVERSE"), Err(NotJudged::Photometric));
        assert_eq!(said("RGB", ""), Err(NotJudged::Photometric));
        let counts = |relationship: &str, sign: Option<i16>| {
            let mut header = InMemDicomObject::new_empty();
            put(&mut header, tags::PIXEL_INTENSITY_RELATIONSHIP, VR::CS, relationship);
            if let Some(sign) = sign {
                let value = PrimitiveValue::from(sign);
                header.put(DataElement::new(tags::PIXEL_INTENSITY_RELATIONSHIP_SIGN, VR::SS, value));
            }
            tone(&header, true)
        };
        assert_eq!(counts("LIN", Some(1)), Ok(Tone::NegativeLog));
        assert_eq!(counts("LOG", Some(-1)), Ok(Tone::AsStored));
        assert_eq!(counts("LIN", None), Err(NotJudged::Intensity));
        assert_eq!(counts("DISP", Some(1)), Err(NotJudged::Intensity));
    }

    #[test]
    fn intent_is_said_twice_or_not_believed() {
        let presentation = uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION;
        let said = |class: &str, word: &str| {
            let mut header = InMemDicomObject::new_empty();
            put(&mut header, tags::PRESENTATION_INTENT_TYPE, VR::CS, word);
            intent(&header, class)
        };
        assert_eq!(said(presentation, "FOR PRESENTATION"), Ok(false));
        assert_eq!(said(presentation, "FOR PROCESSING"), Err(NotJudged::Intent));
        assert_eq!(said(presentation, ""), Err(NotJudged::NoIntent));
        assert_eq!(said(uids::CT_IMAGE_STORAGE, "FOR PRESENTATION"), Err(NotJudged::OtherClass));
    }
}
