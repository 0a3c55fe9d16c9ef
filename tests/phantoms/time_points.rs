//! A dynamic series as Part-10 files: one a slice and time point, as most scanners send it, or all frames in one
//! enhanced object whose frames have rescales of their own.

use std::path::{Path, PathBuf};

use anyhow::Context;
use dicom_core::value::{DataSetSequence, Value};
use dicom_core::{DataElement, Length, PrimitiveValue, Tag, VR, dicom_value};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use sidelight_kernels::Volume;
use sidelight_kernels::perfusion::Dynamic;

use super::series::{CtSettings, Encoding, Modality, Series, SeriesUids, clock, decimal, write};

/// Where a volume stands among the time points of its series.
#[derive(Clone, Debug, PartialEq)]
pub struct TimePoint {
    /// From 0.
    pub number: u32,
    pub of: u32,
    /// When each slice was taken, from the start of the scan.
    pub seconds: Vec<f64>,
}

/// Writes one file a slice and time point. Returns their paths, time point by time point.
pub fn write_time_points(seed: u64, dynamic: &Dynamic, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for number in 0..dynamic.passes() {
        let series = series(seed, dynamic, number)?;
        let folder = folder.join(format!("T{number:03}"));
        files.extend(write(&series, Encoding::ExplicitLittleEndian, &folder)?);
    }
    Ok(files)
}

/// One time point of a dynamic series whose slices have all of them.
fn series(seed: u64, dynamic: &Dynamic, number: usize) -> anyhow::Result<Series> {
    let length = dynamic.dimensions().slice_len();
    let frames = dynamic.slices().iter().map(|slice| &slice.hounsfield[number * length..][..length]);
    let volume = Volume::new(dynamic.dimensions(), *dynamic.geometry(), frames.collect::<Vec<_>>().concat())?;
    let seconds = dynamic.slices().iter().map(|slice| slice.times_s[number]).collect();
    let (number, of) = (u32::try_from(number)?, u32::try_from(dynamic.passes())?);
    Ok(Series {
        seed,
        modality: Modality::Ct,
        volume,
        patient_name: "Phantom^Perfusion".to_owned(),
        study_description: "Head CT perfusion, synthetic".to_owned(),
        series_description: "Perfusion H20f, digital brain".to_owned(),
        contrast_agent: Some("Iodine, synthetic".to_owned()),
        missing_slices: Vec::new(),
        ct: CtSettings::default(),
        time_point: Some(TimePoint { number, of, seconds }),
        also: Vec::new(),
    })
}

/// Every frame in one Enhanced CT object. Frames take turns at two rescales, so whoever applies one to all is wrong.
pub fn write_enhanced(seed: u64, dynamic: &Dynamic, file: &Path) -> anyhow::Result<()> {
    let first = series(seed, dynamic, 0)?;
    let uids = first.uids();
    let mut object = describe(&first, &uids);
    let (mut pixels, mut per_frame) = (Vec::<u16>::new(), Vec::new());
    for number in 0..dynamic.passes() {
        let series = series(seed, dynamic, number)?;
        for slice in 0..dynamic.dimensions().slices {
            let intercept: i16 = if per_frame.len() % 2 == 0 { -1024 } else { -1200 };
            pixels.extend(series.volume.slice(slice).iter().map(|hu| (hu - intercept).cast_unsigned()));
            per_frame.push(frame(&series, number, slice, intercept));
        }
    }
    put(&mut object, tags::NUMBER_OF_FRAMES, VR::IS, &per_frame.len().to_string());
    sequence(&mut object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared(&first.volume)]);
    sequence(&mut object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, per_frame);
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels.into())));
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(uids::ENHANCED_CT_IMAGE_STORAGE)
        .media_storage_sop_instance_uid(uids.instances[0].as_str());
    let object = object.with_meta(meta).context("the file meta group is complete")?;
    object.write_to_file(file).with_context(|| format!("cannot write {}", file.display()))
}

/// What the object says about the patient, the series and its pixels as a whole.
fn describe(series: &Series, uids: &SeriesUids) -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    let dimensions = series.volume.dimensions();
    for (tag, vr, value) in [
        (tags::SOP_CLASS_UID, VR::UI, uids::ENHANCED_CT_IMAGE_STORAGE),
        (tags::SOP_INSTANCE_UID, VR::UI, uids.instances[0].as_str()),
        (tags::PATIENT_NAME, VR::PN, &series.patient_name),
        (tags::PATIENT_ID, VR::LO, &series.patient_id()),
        (tags::PATIENT_BIRTH_DATE, VR::DA, "19600229"),
        (tags::PATIENT_SEX, VR::CS, "O"),
        (tags::STUDY_INSTANCE_UID, VR::UI, &uids.study),
        (tags::STUDY_DATE, VR::DA, "20250314"),
        (tags::STUDY_TIME, VR::TM, "091500"),
        (tags::MODALITY, VR::CS, "CT"),
        (tags::SERIES_INSTANCE_UID, VR::UI, &uids.series),
        (tags::FRAME_OF_REFERENCE_UID, VR::UI, &uids.frame_of_reference),
        (tags::SERIES_NUMBER, VR::IS, "2"),
        (tags::INSTANCE_NUMBER, VR::IS, "1"),
        (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
    ] {
        put(&mut object, tag, vr, value);
    }
    object.put(DataElement::new(
        tags::IMAGE_TYPE,
        VR::CS,
        dicom_value!(Strs, ["ORIGINAL", "PRIMARY", "PERFUSION", "NONE"]),
    ));
    let side = |value: u32| u16::try_from(value).expect("a matrix fits Rows and Columns");
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, side(dimensions.rows)),
        (tags::COLUMNS, side(dimensions.columns)),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, 16),
        (tags::HIGH_BIT, 15),
        (tags::PIXEL_REPRESENTATION, 1),
    ] {
        object.put(DataElement::new(tag, VR::US, dicom_value!(U16, [value])));
    }
    object
}

fn shared(volume: &Volume) -> InMemDicomObject {
    let geometry = volume.geometry();
    let mut measures = InMemDicomObject::new_empty();
    let spacing = [geometry.row_spacing_mm, geometry.column_spacing_mm].map(decimal);
    put(&mut measures, tags::PIXEL_SPACING, VR::DS, &spacing.join("\\"));
    put(&mut measures, tags::SLICE_THICKNESS, VR::DS, &decimal(geometry.slice_increment_mm));
    let mut orientation = InMemDicomObject::new_empty();
    put(&mut orientation, tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0");
    let mut item = InMemDicomObject::new_empty();
    sequence(&mut item, tags::PIXEL_MEASURES_SEQUENCE, vec![measures]);
    sequence(&mut item, tags::PLANE_ORIENTATION_SEQUENCE, vec![orientation]);
    item
}

fn frame(series: &Series, number: usize, slice: u32, intercept: i16) -> InMemDicomObject {
    let seconds = series.time_point.as_ref().map_or(0.0, |point| point.seconds[slice as usize]);
    let mut content = InMemDicomObject::new_empty();
    put(&mut content, tags::FRAME_ACQUISITION_DATE_TIME, VR::DT, &format!("20250314{}", clock(seconds)));
    let index = u32::try_from(number + 1).expect("a few time points");
    content.put(DataElement::new(tags::TEMPORAL_POSITION_INDEX, VR::UL, dicom_value!(U32, [index])));
    let position = series.volume.geometry().patient_mm([0.0, 0.0, f64::from(slice)]).map(decimal);
    let mut place = InMemDicomObject::new_empty();
    put(&mut place, tags::IMAGE_POSITION_PATIENT, VR::DS, &position.join("\\"));
    let mut rescale = InMemDicomObject::new_empty();
    put(&mut rescale, tags::RESCALE_INTERCEPT, VR::DS, &intercept.to_string());
    put(&mut rescale, tags::RESCALE_SLOPE, VR::DS, "1");
    put(&mut rescale, tags::RESCALE_TYPE, VR::LO, "HU");
    let mut item = InMemDicomObject::new_empty();
    sequence(&mut item, tags::FRAME_CONTENT_SEQUENCE, vec![content]);
    sequence(&mut item, tags::PLANE_POSITION_SEQUENCE, vec![place]);
    sequence(&mut item, tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, vec![rescale]);
    item
}

fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: &str) {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
}

fn sequence(object: &mut InMemDicomObject, tag: Tag, items: Vec<InMemDicomObject>) {
    let items = Value::from(DataSetSequence::new(items, Length::UNDEFINED));
    object.put(DataElement::new(tag, VR::SQ, items));
}
