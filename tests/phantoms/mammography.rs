//! A mammographic examination as files: one object a view, as detectors write them (PS3.3 A.26), and the views that no
//! screening network should judge.

use std::path::{Path, PathBuf};

use anyhow::Context;
use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR, dicom_value};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::breast::{BreastPatient, Family, Intent, Mammogram, Projection, Side};
use super::random::Random;
use super::series::decimal;

/// Largest stored value of a picture for presentation.
const PRESENTATION_MAX: u16 = 4095;

/// What makes a view one that is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    Implant,
    Magnification,
    /// The object does not say whether it is for presentation or for processing.
    NoIntent,
}

/// One exposure.
#[derive(Clone, Copy, Debug)]
pub struct Shot {
    pub side: Side,
    pub projection: Projection,
    pub intent: Intent,
    /// Low values are bright.
    pub monochrome1: bool,
    /// Stored as the detector saw it: mirrored, and turned by half.
    pub turned: bool,
    pub oddity: Option<Oddity>,
}

/// A patient's exposures of one day.
#[derive(Debug)]
pub struct Examination {
    pub seed: u64,
    pub patient: BreastPatient,
    pub shots: Vec<Shot>,
    pub pixel_mm: f64,
    /// Each view is a series of its own; else all are one.
    pub series_each: bool,
}

/// One written view and what is true of it.
#[derive(Clone, Debug)]
pub struct WrittenView {
    pub path: PathBuf,
    pub sop_instance_uid: String,
    pub view: Mammogram,
}

impl Examination {
    /// Both breasts in both projections; `lesions` in the left one.
    pub fn four_views(seed: u64, lesions: usize, intent: Intent) -> Self {
        let shot = |side, projection| Shot {
            side,
            projection,
            intent,
            monochrome1: intent == Intent::Processing,
            turned: false,
            oddity: None,
        };
        let shots =
            [Side::Right, Side::Left].map(|side| [Projection::Cc, Projection::Mlo].map(|p| shot(side, p)));
        let patient = BreastPatient::new(seed, Family::HeldOut, lesions);
        Self { seed, patient, shots: shots.concat(), pixel_mm: 0.1, series_each: false }
    }

    /// Writes one file a view, in the order of the exposures.
    pub fn write(&self, folder: &Path) -> anyhow::Result<Vec<WrittenView>> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut random = Random::new(self.seed ^ 0x6D61_6D6D_6F00_0000);
        let study = random.uid();
        let series: Vec<String> = self.shots.iter().map(|_| random.uid()).collect();
        let written = self.shots.iter().enumerate().map(|(number, shot)| {
            let mut view = self.patient.view(shot.side, shot.projection, shot.intent, Some(self.pixel_mm));
            if shot.turned {
                turn(&mut view);
            }
            let uid = random.uid();
            let path = folder.join(format!("MG{number:02}.dcm"));
            let of_series = if self.series_each { number } else { 0 };
            let mut object = InMemDicomObject::new_empty();
            self.identify(&mut object, [&study, &series[of_series], &uid], shot, [number, of_series]);
            acquisition(&mut object, shot, self.pixel_mm);
            pixels(&mut object, shot, &view);
            let class = class(shot.intent);
            let meta = FileMetaTableBuilder::new()
                .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
                .media_storage_sop_class_uid(class)
                .media_storage_sop_instance_uid(uid.as_str());
            let file = object.with_meta(meta).context("the file meta group is complete")?;
            file.write_to_file(&path).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(WrittenView { path, sop_instance_uid: uid, view })
        });
        written.collect()
    }

    fn identify(
        &self,
        object: &mut InMemDicomObject,
        [study, series, instance]: [&str; 3],
        shot: &Shot,
        [number, of_series]: [usize; 2],
    ) {
        let short = self.seed % 1_000_000;
        for (tag, vr, value) in [
            (tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100"),
            (tags::SOP_CLASS_UID, VR::UI, class(shot.intent)),
            (tags::SOP_INSTANCE_UID, VR::UI, instance),
            (tags::STUDY_INSTANCE_UID, VR::UI, study),
            (tags::SERIES_INSTANCE_UID, VR::UI, series),
            (tags::PATIENT_NAME, VR::PN, "Phantom^Breast"),
            (tags::PATIENT_ID, VR::LO, &format!("SYNTHETIC-{}", self.seed)),
            (tags::PATIENT_BIRTH_DATE, VR::DA, "19650410"),
            (tags::PATIENT_SEX, VR::CS, "F"),
            (tags::STUDY_DATE, VR::DA, "20250314"),
            (tags::STUDY_TIME, VR::TM, "101500"),
            (tags::STUDY_ID, VR::SH, &format!("S{short}")),
            (tags::ACCESSION_NUMBER, VR::SH, &format!("SYN{short}")),
            (tags::REFERRING_PHYSICIAN_NAME, VR::PN, ""),
            (tags::STUDY_DESCRIPTION, VR::LO, "Mammography, synthetic"),
            (tags::MODALITY, VR::CS, "MG"),
            (tags::SERIES_NUMBER, VR::IS, &(of_series + 1).to_string()),
            (tags::SERIES_DATE, VR::DA, "20250314"),
            (tags::SERIES_TIME, VR::TM, "101600"),
            (tags::SERIES_DESCRIPTION, VR::LO, "Synthetic phantom"),
            (tags::BODY_PART_EXAMINED, VR::CS, "BREAST"),
            (tags::MANUFACTURER, VR::LO, "Sidelight"),
            (tags::MANUFACTURER_MODEL_NAME, VR::LO, "Synthetic phantom"),
            (tags::INSTANCE_NUMBER, VR::IS, &(number + 1).to_string()),
            (tags::ACQUISITION_DATE, VR::DA, "20250314"),
            (tags::ACQUISITION_TIME, VR::TM, "101610"),
            (tags::CONTENT_DATE, VR::DA, "20250314"),
            (tags::CONTENT_TIME, VR::TM, "101620"),
        ] {
            text(object, tag, vr, value);
        }
    }
}

fn class(intent: Intent) -> &'static str {
    match intent {
        Intent::Presentation => uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION,
        Intent::Processing => uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PROCESSING,
    }
}

fn text(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

fn several(object: &mut InMemDicomObject, tag: Tag, vr: VR, values: &[&str]) {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    object.put(DataElement::new(tag, vr, PrimitiveValue::Strs(values)));
}

fn coded(
    object: &mut InMemDicomObject,
    tag: Tag,
    [value, scheme, meaning]: [&str; 3],
    inside: Option<DataElement<InMemDicomObject>>,
) {
    let mut item = InMemDicomObject::new_empty();
    text(&mut item, tags::CODE_VALUE, VR::SH, value);
    text(&mut item, tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme);
    text(&mut item, tags::CODE_MEANING, VR::LO, meaning);
    if let Some(element) = inside {
        item.put(element);
    }
    object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![item])));
}

/// How the breast was put on the detector (PS3.3 C.8.11.7).
fn acquisition(object: &mut InMemDicomObject, shot: &Shot, pixel_mm: f64) {
    several(object, tags::IMAGE_TYPE, VR::CS, &["ORIGINAL", "PRIMARY"]);
    if shot.oddity != Some(Oddity::NoIntent) {
        let intent = if shot.intent == Intent::Presentation { "FOR PRESENTATION" } else { "FOR PROCESSING" };
        text(object, tags::PRESENTATION_INTENT_TYPE, VR::CS, intent);
    }
    text(object, tags::IMAGE_LATERALITY, VR::CS, if shot.side == Side::Left { "L" } else { "R" });
    let (position, view) = match shot.projection {
        Projection::Cc => ("CC", ["399162004", "SCT", "cranio-caudal"]),
        Projection::Mlo => ("MLO", ["399368009", "SCT", "medio-lateral oblique"]),
    };
    text(object, tags::VIEW_POSITION, VR::CS, position);
    let mut modifiers = InMemDicomObject::new_empty();
    if shot.oddity == Some(Oddity::Magnification) {
        let magnified = ["399163009", "SCT", "Magnification"];
        coded(&mut modifiers, tags::VIEW_MODIFIER_CODE_SEQUENCE, magnified, None);
    } else {
        let none = DataSetSequence::from(Vec::<InMemDicomObject>::new());
        modifiers.put(DataElement::new(tags::VIEW_MODIFIER_CODE_SEQUENCE, VR::SQ, none));
    }
    let modifiers = modifiers.take(tags::VIEW_MODIFIER_CODE_SEQUENCE);
    coded(object, tags::VIEW_CODE_SEQUENCE, view, modifiers);
    coded(object, tags::ANATOMIC_REGION_SEQUENCE, ["76752008", "SCT", "Breast"], None);
    let implant = if shot.oddity == Some(Oddity::Implant) { "YES" } else { "NO" };
    text(object, tags::BREAST_IMPLANT_PRESENT, VR::CS, implant);
    let anterior = (shot.side == Side::Left) != shot.turned;
    let row = if anterior { "A" } else { "P" };
    let column = match (shot.projection, shot.side, shot.turned) {
        (Projection::Mlo, _, false) => "F",
        (Projection::Mlo, _, true) => "H",
        (Projection::Cc, Side::Left, false) | (Projection::Cc, Side::Right, true) => "R",
        (Projection::Cc, ..) => "L",
    };
    several(object, tags::PATIENT_ORIENTATION, VR::CS, &[row, column]);
    let spacing = decimal(pixel_mm);
    several(object, tags::IMAGER_PIXEL_SPACING, VR::DS, &[&spacing, &spacing]);
    text(object, tags::ESTIMATED_RADIOGRAPHIC_MAGNIFICATION_FACTOR, VR::DS, "1");
    text(object, tags::DETECTOR_TYPE, VR::CS, "DIRECT");
    text(object, tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
    text(object, tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
}

fn pixels(object: &mut InMemDicomObject, shot: &Shot, view: &Mammogram) {
    let picture = &view.picture;
    let mut number = |tag: Tag, value: usize| {
        let value = u16::try_from(value).expect("sides of a detector");
        object.put(DataElement::new(tag, VR::US, dicom_value!(U16, [value])));
    };
    let bits = if shot.intent == Intent::Presentation { 12 } else { 14 };
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, picture.rows),
        (tags::COLUMNS, picture.columns),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, bits),
        (tags::HIGH_BIT, bits - 1),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        number(tag, value);
    }
    let (photometric, shape) =
        if shot.monochrome1 { ("MONOCHROME1", "INVERSE") } else { ("MONOCHROME2", "IDENTITY") };
    text(object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric);
    text(object, tags::PRESENTATION_LUT_SHAPE, VR::CS, shape);
    let (relationship, sign) = if shot.intent == Intent::Presentation { ("LOG", -1) } else { ("LIN", 1) };
    text(object, tags::PIXEL_INTENSITY_RELATIONSHIP, VR::CS, relationship);
    let sign = dicom_value!(I16, [sign]);
    object.put(DataElement::new(tags::PIXEL_INTENSITY_RELATIONSHIP_SIGN, VR::SS, sign));
    text(object, tags::RESCALE_INTERCEPT, VR::DS, "0");
    text(object, tags::RESCALE_SLOPE, VR::DS, "1");
    text(object, tags::RESCALE_TYPE, VR::LO, "US");
    if shot.intent == Intent::Presentation {
        text(object, tags::WINDOW_CENTER, VR::DS, "2048");
        text(object, tags::WINDOW_WIDTH, VR::DS, "4096");
    }
    // Counts are low where tissue is dense whatever the photometric interpretation; a tone is what is turned round.
    let inverted = shot.monochrome1 && shot.intent == Intent::Presentation;
    let stored = picture.values.iter().map(|value| if inverted { PRESENTATION_MAX - value } else { *value });
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored.collect())));
}

/// Half a turn: rows and columns run the other way, and so does the truth.
fn turn(view: &mut Mammogram) {
    view.picture.values.reverse();
    let last = [view.picture.columns, view.picture.rows]
        .map(|side| u32::try_from(side).map_or(0.0, f64::from) - 1.0);
    for lesion in &mut view.lesions {
        lesion.at_px = [0, 1].map(|axis| last[axis] - lesion.at_px[axis]);
    }
}
