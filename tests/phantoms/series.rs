//! Writes a synthetic volume as an ordinary series of Part-10 files, one a slice, with the modules the
//! standard asks for (PS3.3 A.3 CT Image, A.4 MR Image) and nothing that says where a slice belongs but its
//! position. No pixel is compressed; names and numbers are plainly synthetic.

use std::path::{Path, PathBuf};

use anyhow::Context;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR, dicom_value};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileDicomObject, FileMetaTableBuilder, InMemDicomObject};
use sidelight_kernels::Volume;

use super::random::Random;
use super::time_points::TimePoint;

/// Rescale intercept of every CT written here: stored value = HU + 1024.
const INTERCEPT_HU: i16 = -1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    ExplicitLittleEndian,
    ImplicitLittleEndian,
}

impl Encoding {
    fn transfer_syntax(self) -> &'static str {
        match self {
            Self::ExplicitLittleEndian => uids::EXPLICIT_VR_LITTLE_ENDIAN,
            Self::ImplicitLittleEndian => uids::IMPLICIT_VR_LITTLE_ENDIAN,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modality {
    Ct,
    Mr,
}

/// What a CT says about how it was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct CtSettings {
    /// KVP; None leaves it out.
    pub kvp: Option<f64>,
    pub convolution_kernel: String,
    /// None: as far apart as the slices are.
    pub slice_thickness_mm: Option<f64>,
    pub mass_factor_patient: Option<f32>,
    /// For small, medium and large patients.
    pub mass_factor_device: Option<[f32; 3]>,
}

impl Default for CtSettings {
    fn default() -> Self {
        Self {
            kvp: Some(120.0),
            convolution_kernel: "Qr36".into(),
            slice_thickness_mm: None,
            mass_factor_patient: None,
            mass_factor_device: None,
        }
    }
}

/// A series about to be written. Every UID follows from `seed`.
#[derive(Clone, Debug)]
pub struct Series {
    pub seed: u64,
    pub modality: Modality,
    pub volume: Volume,
    pub patient_name: String,
    pub study_description: String,
    pub series_description: String,
    /// Contrast/Bolus Agent; None leaves the module out.
    pub contrast_agent: Option<String>,
    /// Slices that never reach the disk.
    pub missing_slices: Vec<u32>,
    pub ct: CtSettings,
    /// Where the volume stands among several of one series.
    pub time_point: Option<TimePoint>,
    /// What every slice says besides.
    pub also: Vec<(Tag, VR, String)>,
}

impl Series {
    pub fn calcium(seed: u64, volume: Volume) -> Self {
        Self {
            seed,
            modality: Modality::Ct,
            volume,
            patient_name: "Phantom^Calcium".to_owned(),
            study_description: "Cardiac CT calcium scoring, synthetic".to_owned(),
            series_description: "Calcium score Qr36, synthetic phantom".to_owned(),
            contrast_agent: None,
            missing_slices: Vec::new(),
            ct: CtSettings::default(),
            time_point: None,
            also: Vec::new(),
        }
    }

    pub fn patient_id(&self) -> String {
        format!("SYNTHETIC-{}", self.seed)
    }

    pub fn uids(&self) -> SeriesUids {
        let mut random = Random::new(self.seed ^ 0x5549_4400_0000_0000 ^ self.modality as u64);
        SeriesUids {
            study: random.uid(),
            series: random.uid(),
            frame_of_reference: random.uid(),
            instances: {
                let slices = self.volume.dimensions().slices;
                let before = self.time_point.as_ref().map_or(0, |point| point.number * slices);
                (0..before + slices).map(|_| random.uid()).skip(before as usize).collect()
            },
        }
    }
}

/// The identifiers of a series; `instances` in slice order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesUids {
    pub study: String,
    pub series: String,
    pub frame_of_reference: String,
    pub instances: Vec<String>,
}

/// Writes the files and returns their paths in the order of their names, which is not the order of the slices.
pub fn write(series: &Series, encoding: Encoding, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let slices = 0..series.volume.dimensions().slices;
    let mut order: Vec<u32> = slices.filter(|slice| !series.missing_slices.contains(slice)).collect();
    Random::new(series.seed).shuffle(&mut order);
    let uids = series.uids();
    let named = order.iter().enumerate().map(|(name, slice)| {
        let path = folder.join(format!("IM{name:04}.dcm"));
        let file = instance(series, &uids, *slice, encoding)?;
        file.write_to_file(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    });
    named.collect()
}

/// One slice as a Part-10 object in memory.
fn instance(
    series: &Series,
    uids: &SeriesUids,
    slice: u32,
    encoding: Encoding,
) -> anyhow::Result<FileDicomObject<InMemDicomObject>> {
    let sop_class = match series.modality {
        Modality::Ct => uids::CT_IMAGE_STORAGE,
        Modality::Mr => uids::MR_IMAGE_STORAGE,
    };
    let sop_instance = &uids.instances[slice as usize];
    let mut writer = Writer(InMemDicomObject::new_empty());
    writer.text(tags::SOP_CLASS_UID, VR::UI, sop_class);
    writer.text(tags::SOP_INSTANCE_UID, VR::UI, sop_instance);
    writer.patient_and_study(series, uids);
    writer.series_and_equipment(series, uids);
    writer.image(series, slice);
    match series.modality {
        Modality::Ct => writer.ct(series, slice),
        Modality::Mr => writer.mr(),
    }
    for (tag, vr, value) in &series.also {
        writer.text(*tag, *vr, value);
    }
    writer.pixels(series, slice);
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(encoding.transfer_syntax())
        .media_storage_sop_class_uid(sop_class)
        .media_storage_sop_instance_uid(sop_instance.as_str());
    writer.0.with_meta(meta).context("the file meta group is complete")
}

/// Puts elements, each module in one function.
struct Writer(InMemDicomObject);

impl Writer {
    fn text(&mut self, tag: Tag, vr: VR, value: &str) {
        self.0.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    }

    fn several(&mut self, tag: Tag, vr: VR, values: &[String]) {
        self.0.put(DataElement::new(tag, vr, PrimitiveValue::Strs(values.iter().cloned().collect())));
    }

    fn number(&mut self, tag: Tag, value: u16) {
        self.0.put(DataElement::new(tag, VR::US, dicom_value!(U16, [value])));
    }

    fn floats(&mut self, tag: Tag, values: &[f32]) {
        self.0.put(DataElement::new(tag, VR::FL, PrimitiveValue::F32(values.iter().copied().collect())));
    }

    fn patient_and_study(&mut self, series: &Series, uids: &SeriesUids) {
        self.text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100");
        self.text(tags::PATIENT_NAME, VR::PN, &series.patient_name);
        self.text(tags::PATIENT_ID, VR::LO, &series.patient_id());
        self.text(tags::PATIENT_BIRTH_DATE, VR::DA, "19600229");
        self.text(tags::PATIENT_SEX, VR::CS, "O");
        self.text(tags::STUDY_INSTANCE_UID, VR::UI, &uids.study);
        self.text(tags::STUDY_DATE, VR::DA, "20250314");
        self.text(tags::STUDY_TIME, VR::TM, "091500");
        self.text(tags::STUDY_ID, VR::SH, &format!("S{}", series.seed % 1_000_000));
        self.text(tags::ACCESSION_NUMBER, VR::SH, &format!("SYN{}", series.seed % 1_000_000));
        self.text(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "");
        self.text(tags::STUDY_DESCRIPTION, VR::LO, &series.study_description);
    }

    fn series_and_equipment(&mut self, series: &Series, uids: &SeriesUids) {
        let modality = match series.modality {
            Modality::Ct => "CT",
            Modality::Mr => "MR",
        };
        self.text(tags::MODALITY, VR::CS, modality);
        self.text(tags::SERIES_INSTANCE_UID, VR::UI, &uids.series);
        self.text(tags::SERIES_NUMBER, VR::IS, "2");
        self.text(tags::SERIES_DATE, VR::DA, "20250314");
        self.text(tags::SERIES_TIME, VR::TM, "091600");
        self.text(tags::SERIES_DESCRIPTION, VR::LO, &series.series_description);
        self.text(tags::PROTOCOL_NAME, VR::LO, "Synthetic");
        self.text(
            tags::BODY_PART_EXAMINED,
            VR::CS,
            if modality == "CT" && series.time_point.is_none() { "HEART" } else { "HEAD" },
        );
        self.text(tags::PATIENT_POSITION, VR::CS, "HFS");
        self.text(tags::FRAME_OF_REFERENCE_UID, VR::UI, &uids.frame_of_reference);
        self.text(tags::POSITION_REFERENCE_INDICATOR, VR::LO, "");
        self.text(tags::MANUFACTURER, VR::LO, "Sidelight");
        self.text(tags::MANUFACTURER_MODEL_NAME, VR::LO, "Synthetic phantom");
        self.text(tags::DEVICE_SERIAL_NUMBER, VR::LO, "PHANTOM");
        self.text(tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION"));
    }

    /// General Image and Image Plane. Instance Numbers run from the head down, positions do not care.
    fn image(&mut self, series: &Series, slice: u32) {
        let geometry = series.volume.geometry();
        let matrix = &geometry.patient_mm_from_voxel;
        let column = geometry.column_spacing_mm;
        let row = geometry.row_spacing_mm;
        let position = geometry.patient_mm([0.0, 0.0, f64::from(slice)]);
        let cosines = [0, 1].into_iter().flat_map(|axis| matrix.map(|line| line[axis] / [column, row][axis]));
        self.several(tags::IMAGE_TYPE, VR::CS, &["ORIGINAL", "PRIMARY", "AXIAL"].map(str::to_owned));
        let slices = series.volume.dimensions().slices;
        let before = series.time_point.as_ref().map_or(0, |point| point.number * slices);
        self.text(tags::INSTANCE_NUMBER, VR::IS, &(before + slices - slice).to_string());
        if let Some(point) = &series.time_point {
            self.text(tags::TEMPORAL_POSITION_IDENTIFIER, VR::IS, &(point.number + 1).to_string());
            self.text(tags::NUMBER_OF_TEMPORAL_POSITIONS, VR::IS, &point.of.to_string());
        }
        self.text(tags::ACQUISITION_NUMBER, VR::IS, "1");
        self.text(tags::ACQUISITION_DATE, VR::DA, "20250314");
        let seconds = series.time_point.as_ref().map_or(0.0, |point| point.seconds[slice as usize]);
        self.text(tags::ACQUISITION_TIME, VR::TM, &clock(seconds));
        self.text(tags::CONTENT_DATE, VR::DA, "20250314");
        self.text(tags::CONTENT_TIME, VR::TM, "091620");
        self.text(tags::PATIENT_ORIENTATION, VR::CS, "");
        self.several(tags::PIXEL_SPACING, VR::DS, &[decimal(row), decimal(column)]);
        self.several(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, &cosines.map(decimal).collect::<Vec<_>>());
        self.several(tags::IMAGE_POSITION_PATIENT, VR::DS, &position.map(decimal));
        let thickness_mm = series.ct.slice_thickness_mm.unwrap_or(geometry.slice_increment_mm);
        self.text(tags::SLICE_THICKNESS, VR::DS, &decimal(thickness_mm));
        self.text(tags::SLICE_LOCATION, VR::DS, &decimal(position[2]));
        self.text(tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
        self.text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
        if let Some(agent) = &series.contrast_agent {
            self.text(tags::CONTRAST_BOLUS_AGENT, VR::LO, agent);
            self.text(tags::CONTRAST_BOLUS_ROUTE, VR::LO, "IV");
        }
    }

    fn ct(&mut self, series: &Series, slice: u32) {
        let kvp = series.ct.kvp.map(decimal).unwrap_or_default();
        self.text(tags::KVP, VR::DS, &kvp);
        self.text(tags::CONVOLUTION_KERNEL, VR::SH, &series.ct.convolution_kernel);
        if let Some(factor) = series.ct.mass_factor_patient {
            self.floats(tags::CALCIUM_SCORING_MASS_FACTOR_PATIENT, &[factor]);
        }
        if let Some(factors) = series.ct.mass_factor_device {
            self.floats(tags::CALCIUM_SCORING_MASS_FACTOR_DEVICE, &factors);
        }
        self.text(tags::SCAN_OPTIONS, VR::CS, "AXIAL");
        self.text(tags::X_RAY_TUBE_CURRENT, VR::IS, "180");
        self.text(tags::EXPOSURE_TIME, VR::IS, "280");
        self.text(tags::GANTRY_DETECTOR_TILT, VR::DS, "0");
        self.text(tags::RECONSTRUCTION_DIAMETER, VR::DS, &decimal(field_mm(&series.volume)));
        self.text(tags::RESCALE_INTERCEPT, VR::DS, &INTERCEPT_HU.to_string());
        self.text(tags::RESCALE_SLOPE, VR::DS, "1");
        self.text(tags::RESCALE_TYPE, VR::LO, "HU");
        self.several(tags::WINDOW_CENTER, VR::DS, &["40".to_owned()]);
        self.several(tags::WINDOW_WIDTH, VR::DS, &["400".to_owned()]);
        let padding = series.volume.slice(slice)[0];
        if padding < INTERCEPT_HU {
            self.0.put(DataElement::new(
                tags::PIXEL_PADDING_VALUE,
                VR::SS,
                dicom_value!(I16, [padding - INTERCEPT_HU]),
            ));
        }
    }

    fn mr(&mut self) {
        self.text(tags::SCANNING_SEQUENCE, VR::CS, "SE");
        self.text(tags::SEQUENCE_VARIANT, VR::CS, "NONE");
        self.text(tags::SCAN_OPTIONS, VR::CS, "");
        self.text(tags::MR_ACQUISITION_TYPE, VR::CS, "2D");
        self.text(tags::REPETITION_TIME, VR::DS, "550");
        self.text(tags::ECHO_TIME, VR::DS, "12");
        self.text(tags::ECHO_TRAIN_LENGTH, VR::IS, "1");
        self.text(tags::MAGNETIC_FIELD_STRENGTH, VR::DS, "1.5");
        self.several(tags::WINDOW_CENTER, VR::DS, &["400".to_owned()]);
        self.several(tags::WINDOW_WIDTH, VR::DS, &["800".to_owned()]);
    }

    /// Image Pixel: 16 bits, signed for CT, so that padding below the intercept has a stored value too.
    fn pixels(&mut self, series: &Series, slice: u32) {
        let dimensions = series.volume.dimensions();
        let side = |value: u32| u16::try_from(value).expect("a matrix fits Rows and Columns");
        let intercept = if series.modality == Modality::Ct { INTERCEPT_HU } else { 0 };
        let stored = series.volume.slice(slice).iter().map(|value| (value - intercept).cast_unsigned());
        self.number(tags::SAMPLES_PER_PIXEL, 1);
        self.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
        self.number(tags::ROWS, side(dimensions.rows));
        self.number(tags::COLUMNS, side(dimensions.columns));
        self.number(tags::BITS_ALLOCATED, 16);
        self.number(tags::BITS_STORED, 16);
        self.number(tags::HIGH_BIT, 15);
        self.number(tags::PIXEL_REPRESENTATION, u16::from(series.modality == Modality::Ct));
        self.0.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored.collect())));
    }
}

/// Time of day so many seconds after the start of the scan.
pub(super) fn clock(seconds: f64) -> String {
    let of_day = 9.0 * 3600.0 + 16.0 * 60.0 + 5.0 + seconds;
    let (hours, rest) = ((of_day / 3600.0).floor(), of_day % 3600.0);
    format!("{hours:02.0}{:02.0}{:09.6}", (rest / 60.0).floor(), rest % 60.0)
}

fn field_mm(volume: &Volume) -> f64 {
    volume.geometry().column_spacing_mm * f64::from(volume.dimensions().columns)
}

/// A Decimal String: at most 16 characters, no exponent, no negative zero.
pub(super) fn decimal(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
