//! The last look at an object before it is filed: required attributes, legal UIDs and lengths, references that exist.
//!
//! The tables name what the modules of our five SOP classes require (PS3.3 A.35.3, A.51, A.75, A.8.1, A.45.1): type 1 with
//! a value, type 2 present. It checks what we could get wrong, not what a foreign object might be; validators that
//! know the whole standard run in the tests.

use std::collections::BTreeSet;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::Value;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};
use dicom_object::InMemDicomObject;

use super::dataset::DataSet;
use crate::store::{Store, StoreError};
use crate::uid::{SopInstanceUid, StudyUid};

/// What an object may not leave with. Names attributes, never values.
#[derive(Debug, thiserror::Error)]
pub(in crate::results) enum Unfit {
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} has no value")]
    NoValue(&'static str),
    #[error("{0} is not a UID")]
    NotAUid(&'static str),
    #[error("{0} is longer than its value representation allows")]
    TooLong(&'static str),
    #[error("a referenced object is not in the store")]
    Dangling,
    #[error("the pixel data are not as long as rows, columns and frames ask for")]
    PixelLength,
    #[error("no rules for objects of this class")]
    Class,
}

/// Required with a value in every object.
const ALWAYS: &[Tag] = &[
    tags::SOP_CLASS_UID,
    tags::SOP_INSTANCE_UID,
    tags::SPECIFIC_CHARACTER_SET,
    tags::STUDY_INSTANCE_UID,
    tags::SERIES_INSTANCE_UID,
    tags::SERIES_NUMBER,
    tags::MODALITY,
    tags::INSTANCE_NUMBER,
    tags::MANUFACTURER,
    tags::CONTRIBUTING_EQUIPMENT_SEQUENCE,
];
/// Required, with or without a value, in every object.
const PRESENT: &[Tag] = &[
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::STUDY_ID,
    tags::ACCESSION_NUMBER,
    tags::REFERRING_PHYSICIAN_NAME,
];
const SR: &[Tag] = &[
    tags::COMPLETION_FLAG,
    tags::VERIFICATION_FLAG,
    tags::CONTENT_DATE,
    tags::CONTENT_TIME,
    tags::VALUE_TYPE,
    tags::CONCEPT_NAME_CODE_SEQUENCE,
    tags::CONTINUITY_OF_CONTENT,
    tags::CONTENT_SEQUENCE,
    // Not required by the module; readers choose how to show a report by it.
    tags::CONTENT_TEMPLATE_SEQUENCE,
    tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
];
const SEGMENTATION: &[Tag] = &[
    tags::FRAME_OF_REFERENCE_UID,
    tags::MANUFACTURER_MODEL_NAME,
    tags::DEVICE_SERIAL_NUMBER,
    tags::SOFTWARE_VERSIONS,
    tags::SEGMENTATION_TYPE,
    tags::SEGMENT_SEQUENCE,
    tags::CONTENT_LABEL,
    tags::CONTENT_DATE,
    tags::CONTENT_TIME,
    tags::NUMBER_OF_FRAMES,
    tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::DIMENSION_ORGANIZATION_SEQUENCE,
    tags::DIMENSION_INDEX_SEQUENCE,
    tags::REFERENCED_SERIES_SEQUENCE,
    tags::PIXEL_DATA,
];
const PARAMETRIC_MAP: &[Tag] = &[
    tags::FRAME_OF_REFERENCE_UID,
    tags::MANUFACTURER_MODEL_NAME,
    tags::DEVICE_SERIAL_NUMBER,
    tags::SOFTWARE_VERSIONS,
    tags::IMAGE_TYPE,
    tags::CONTENT_QUALIFICATION,
    tags::CONTENT_LABEL,
    tags::CONTENT_DATE,
    tags::CONTENT_TIME,
    tags::BURNED_IN_ANNOTATION,
    tags::LOSSY_IMAGE_COMPRESSION,
    tags::PRESENTATION_LUT_SHAPE,
    tags::NUMBER_OF_FRAMES,
    tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
    tags::DIMENSION_ORGANIZATION_SEQUENCE,
    tags::DIMENSION_INDEX_SEQUENCE,
    tags::REFERENCED_SERIES_SEQUENCE,
    tags::FLOAT_PIXEL_DATA,
];
const CAPTURE: &[Tag] = &[
    tags::CONVERSION_TYPE,
    tags::BURNED_IN_ANNOTATION,
    tags::PLANAR_CONFIGURATION,
    tags::ROWS,
    tags::COLUMNS,
    tags::SOURCE_IMAGE_SEQUENCE,
    tags::PIXEL_DATA,
];
const PDF: &[Tag] = &[
    tags::BURNED_IN_ANNOTATION,
    tags::CONVERSION_TYPE,
    tags::DOCUMENT_TITLE,
    tags::CONCEPT_NAME_CODE_SEQUENCE,
    tags::MIME_TYPE_OF_ENCAPSULATED_DOCUMENT,
    tags::ENCAPSULATED_DOCUMENT,
    tags::SOURCE_INSTANCE_SEQUENCE,
];

pub(super) fn check(known: &Known, set: &DataSet) -> Result<(), Unfit> {
    let object = set.object();
    let class = set.text_of(tags::SOP_CLASS_UID);
    let required = match class.as_str() {
        uids::COMPREHENSIVE_SR_STORAGE | uids::MAMMOGRAPHY_CADSR_STORAGE => SR,
        uids::SEGMENTATION_STORAGE => SEGMENTATION,
        uids::PARAMETRIC_MAP_STORAGE => PARAMETRIC_MAP,
        uids::SECONDARY_CAPTURE_IMAGE_STORAGE => CAPTURE,
        uids::ENCAPSULATED_PDF_STORAGE => PDF,
        _ => return Err(Unfit::Class),
    };
    for tag in PRESENT {
        object.element(*tag).map_err(|_| Unfit::Missing(name(*tag)))?;
    }
    for tag in ALWAYS.iter().chain(required) {
        let element = object.element(*tag).map_err(|_| Unfit::Missing(name(*tag)))?;
        let empty = match element.value() {
            Value::Sequence(sequence) => sequence.items().is_empty(),
            Value::Primitive(value) => value.calculate_byte_len() == 0,
            Value::PixelSequence(_) => false,
        };
        if empty {
            return Err(Unfit::NoValue(name(*tag)));
        }
    }
    let mut referenced = Vec::new();
    walk(object, &mut referenced)?;
    pixels(object)?;
    if referenced.iter().all(|uid| known.0.contains(uid)) { Ok(()) } else { Err(Unfit::Dangling) }
}

/// Every element of every level: UIDs legal, texts no longer than allowed (PS3.5 6.2).
fn walk(object: &InMemDicomObject, referenced: &mut Vec<String>) -> Result<(), Unfit> {
    for element in object {
        let tag = element.header().tag;
        if let Some(items) = element.items() {
            for item in items {
                walk(item, referenced)?;
            }
            continue;
        }
        let limit = match element.vr() {
            VR::UI => 64,
            VR::SH | VR::CS | VR::DS => 16,
            VR::LO => 64,
            VR::PN => 64 * 3 + 2,
            VR::ST => 1024,
            _ => continue,
        };
        let text = element.to_str().unwrap_or_default();
        for value in text.split('\\') {
            if value.chars().count() > limit {
                return Err(Unfit::TooLong(name(tag)));
            }
            if element.vr() == VR::UI && !value.is_empty() && SopInstanceUid::parse(value).is_err() {
                return Err(Unfit::NotAUid(name(tag)));
            }
        }
        if tag == tags::REFERENCED_SOP_INSTANCE_UID {
            referenced.push(text.trim_end_matches(['\0', ' ']).to_owned());
        }
    }
    Ok(())
}

fn pixels(object: &InMemDicomObject) -> Result<(), Unfit> {
    let element = object.element(tags::PIXEL_DATA).or_else(|_| object.element(tags::FLOAT_PIXEL_DATA));
    let Ok(element) = element else { return Ok(()) };
    let number = |tag| -> Option<u64> { object.element(tag).ok()?.to_int().ok() };
    let sides = [tags::ROWS, tags::COLUMNS, tags::SAMPLES_PER_PIXEL, tags::BITS_ALLOCATED];
    let bits = sides.into_iter().map(number).try_fold(1u64, |product, side| Some(product * side?));
    let frames = number(tags::NUMBER_OF_FRAMES).unwrap_or(1);
    let expected = bits.map(|bits| (bits * frames).div_ceil(8).next_multiple_of(2));
    let found = element.to_bytes().map(|bytes| bytes.len() as u64).ok();
    if expected.is_some() && expected == found { Ok(()) } else { Err(Unfit::PixelLength) }
}

/// The instances of a study, by SOP Instance UID: read once for all objects of a finding.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeSet<String>);

impl Known {
    pub(super) fn of(store: &Store, study: &StudyUid) -> Result<Self, StoreError> {
        let mut known = BTreeSet::new();
        for (series, _) in store.series(study)? {
            let instances = store.instances(study, &series)?;
            known.extend(instances.into_iter().map(|record| record.facts.sop_instance.as_str().to_owned()));
        }
        Ok(Self(known))
    }

    pub(super) fn add(&mut self, set: &DataSet) {
        self.0.insert(set.text_of(tags::SOP_INSTANCE_UID));
    }
}

fn name(tag: Tag) -> &'static str {
    StandardDataDictionary.by_tag(tag).map_or("an attribute", |entry| entry.alias())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A capture with everything it needs but one attribute.
    fn capture(without: Tag, image: &str) -> DataSet {
        let mut set = DataSet::new();
        let mut item = DataSet::new();
        item.set(tags::REFERENCED_SOP_INSTANCE_UID, image);
        for tag in ALWAYS.iter().chain(PRESENT).chain(CAPTURE).filter(|tag| **tag != without) {
            match *tag {
                tags::SOP_CLASS_UID => set.set(*tag, uids::SECONDARY_CAPTURE_IMAGE_STORAGE),
                tags::ROWS | tags::COLUMNS => set.us(*tag, &[2]),
                tags::PLANAR_CONFIGURATION => set.us(*tag, &[0]),
                tags::PIXEL_DATA => set.bytes(*tag, vec![0; 12]),
                tags::SOURCE_IMAGE_SEQUENCE | tags::CONTRIBUTING_EQUIPMENT_SEQUENCE => {
                    set.sequence(*tag, vec![item.clone()])
                }
                _ => set.set(*tag, "1"),
            };
        }
        set.us(tags::SAMPLES_PER_PIXEL, &[3]).us(tags::BITS_ALLOCATED, &[8]);
        set
    }

    fn known() -> Known {
        Known(BTreeSet::from(["1.2.3".to_owned()]))
    }

    #[test]
    fn a_whole_object_passes_and_none_passes_without_any_one_of_its_attributes() {
        check(&known(), &capture(tags::PATIENT_COMMENTS, "1.2.3")).unwrap();
        for tag in ALWAYS.iter().chain(PRESENT).chain(CAPTURE) {
            let refused = check(&known(), &capture(*tag, "1.2.3"));
            assert!(refused.is_err(), "{} is not missed", name(*tag));
        }
    }

    #[test]
    fn what_is_empty_too_long_no_uid_or_points_nowhere_is_named() {
        let whole = || capture(tags::PATIENT_COMMENTS, "1.2.3");
        let refused = |change: &dyn Fn(&mut DataSet)| {
            let mut set = whole();
            change(&mut set);
            check(&known(), &set).unwrap_err().to_string()
        };
        assert!(
            refused(&|set| {
                set.set(tags::MODALITY, "");
            })
            .contains("Modality has no value")
        );
        assert!(
            refused(&|set| {
                set.set(tags::STUDY_ID, "seventeen letters");
            })
            .contains("StudyID is longer")
        );
        assert!(
            refused(&|set| {
                set.set(tags::SERIES_INSTANCE_UID, "1..2");
            })
            .contains("not a UID")
        );
        assert!(
            refused(&|set| {
                set.us(tags::ROWS, &[3]);
            })
            .contains("pixel data")
        );
        assert!(
            refused(&|set| {
                set.set(tags::SOP_CLASS_UID, "1.2");
            })
            .contains("class")
        );
        let dangling = check(&known(), &capture(tags::PATIENT_COMMENTS, "1.2.4"));
        assert!(matches!(dangling, Err(Unfit::Dangling)), "{dangling:?}");
    }
}
