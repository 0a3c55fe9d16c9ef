//! Small CT slices made up in memory, for scenarios about transport: nobody's anatomy, every byte known.

use dicom_core::{DataElement, PrimitiveValue, VR, dicom_value};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::EXPLICIT_VR_LITTLE_ENDIAN;

/// One series of one study.
#[derive(Clone, Debug)]
pub(crate) struct SmallCt {
    pub(crate) study_uid: String,
    pub(crate) series_uid: String,
    pub(crate) patient_name: String,
}

/// One slice as it goes over the wire in explicit VR little endian.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) sop_instance_uid: String,
    pub(crate) data_set: Vec<u8>,
}

/// A UID of nobody else (PS3.5 B.2).
pub(crate) fn new_uid() -> String {
    format!("2.25.{}", fastrand::u128(..))
}

impl SmallCt {
    pub(crate) fn new() -> Self {
        let patient_name = format!("Small^Nobody{}", fastrand::u32(..));
        Self { study_uid: new_uid(), series_uid: new_uid(), patient_name }
    }

    /// Slice `number` of `side` x `side` pixels, 3 mm from its neighbours, filled with noise.
    pub(crate) fn slice(&self, number: u16, side: u16) -> Slice {
        let object = self.object(number, side);
        let uid = object.element(tags::SOP_INSTANCE_UID).expect("just put");
        let sop_instance_uid = uid.to_str().expect("a UID is text").into_owned();
        Slice { sop_instance_uid, data_set: data_set(&object) }
    }

    /// The same as an object, for those who want to spoil it.
    pub(crate) fn object(&self, number: u16, side: u16) -> InMemDicomObject {
        let mut object = InMemDicomObject::new_empty();
        let mut text =
            |tag, vr, value: &str| object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        text(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE);
        text(tags::SOP_INSTANCE_UID, VR::UI, &new_uid());
        text(tags::STUDY_DATE, VR::DA, "20240229");
        text(tags::STUDY_TIME, VR::TM, "120000");
        text(tags::ACCESSION_NUMBER, VR::SH, "SMALL1");
        text(tags::MODALITY, VR::CS, "CT");
        text(tags::PATIENT_NAME, VR::PN, &self.patient_name);
        text(tags::PATIENT_ID, VR::LO, "SMALL-PATIENT");
        text(tags::PATIENT_BIRTH_DATE, VR::DA, "19500101");
        text(tags::PATIENT_SEX, VR::CS, "O");
        text(tags::KVP, VR::DS, "120");
        text(tags::STUDY_INSTANCE_UID, VR::UI, &self.study_uid);
        text(tags::SERIES_INSTANCE_UID, VR::UI, &self.series_uid);
        text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string());
        text(tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("0\\0\\{}", 3 * u32::from(number)));
        text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0");
        text(tags::PIXEL_SPACING, VR::DS, "0.5\\0.5");
        text(tags::SLICE_THICKNESS, VR::DS, "3");
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
        text(tags::RESCALE_INTERCEPT, VR::DS, "-1024");
        text(tags::RESCALE_SLOPE, VR::DS, "1");
        let mut number =
            |tag, value: u16| object.put(DataElement::new(tag, VR::US, dicom_value!(U16, value)));
        number(tags::SAMPLES_PER_PIXEL, 1);
        number(tags::ROWS, side);
        number(tags::COLUMNS, side);
        number(tags::BITS_ALLOCATED, 16);
        number(tags::BITS_STORED, 12);
        number(tags::HIGH_BIT, 11);
        number(tags::PIXEL_REPRESENTATION, 0);
        let pixels = (0..usize::from(side) * usize::from(side)).map(|_| fastrand::u16(900..1100));
        object.put(DataElement::new(
            tags::PIXEL_DATA,
            VR::OW,
            PrimitiveValue::U16(pixels.collect::<Vec<u16>>().into()),
        ));
        object
    }
}

/// An object's data set in explicit VR little endian.
pub(crate) fn data_set(object: &InMemDicomObject) -> Vec<u8> {
    let mut bytes = Vec::new();
    let syntax = EXPLICIT_VR_LITTLE_ENDIAN.erased();
    object.write_dataset_with_ts(&mut bytes, &syntax).expect("writing to memory cannot fail");
    bytes
}

/// The first slice of a study as a file.
pub(crate) fn written_slice(folder: &std::path::Path, study: &SmallCt) -> std::path::PathBuf {
    let path = folder.join("slice.dcm");
    let meta = dicom_object::FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let object = study.object(0, 64).with_meta(meta).expect("a whole object");
    object.write_to_file(&path).expect("a file for the slice");
    path
}
