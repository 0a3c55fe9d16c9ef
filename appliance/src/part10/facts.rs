//! The few facts an instance is filed, ordered and judged by, read from its top-level elements.

mod ct;
mod moments;

use std::fs::File;
use std::path::Path;

pub use ct::CtFacts;
use serde::{Deserialize, Serialize};

use super::header::{Header, read_header};
use super::patient_size::PatientSize;
use super::text::decode_text;
use super::timing::Timing;
use super::walk::{Element, Encoding, Malformed, Visitor, walk};
use crate::uid::{SeriesUid, SopInstanceUid, StudyUid};

/// Who and what the study is about, as the object says it. Holds identity: `Debug` shows nothing.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientStudy {
    pub patient_name: String,
    pub patient_id: String,
    pub birth_date: String,
    pub sex: String,
    pub study_date: String,
    pub study_time: String,
    pub study_description: String,
    pub accession_number: String,
    pub referring_physician: String,
    pub study_id: String,
}

impl std::fmt::Debug for PatientStudy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PatientStudy(hidden)")
    }
}

/// How an instance's pictures are laid out and where they stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    pub rows: u16,
    pub columns: u16,
    pub frames: u32,
    pub samples_per_pixel: u16,
    pub bits_allocated: u16,
    pub photometric: String,
    /// Image Position (Patient), mm; absent in multi-frame objects and in objects without a place.
    pub position_mm: Option<[f64; 3]>,
    /// Image Orientation (Patient): direction of a row, direction of a column.
    pub orientation: Option<[f64; 6]>,
    /// Pixel Spacing: between rows, between columns, mm.
    pub pixel_spacing_mm: Option<[f64; 2]>,
    /// Window Center and Width, first pair.
    pub window: Option<[f64; 2]>,
}

/// What the index keeps of one instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceFacts {
    pub study: StudyUid,
    pub series: SeriesUid,
    pub sop_instance: SopInstanceUid,
    pub sop_class: String,
    pub transfer_syntax: String,
    pub source_ae_title: String,
    pub patient_study: PatientStudy,
    pub modality: String,
    pub series_number: Option<i64>,
    pub series_description: String,
    pub series_date: String,
    pub series_time: String,
    pub body_part: String,
    pub instance_number: Option<i64>,
    pub image_type: Vec<String>,
    /// Number of Series Related Instances (0020,1209): what the sender says the series has.
    pub series_instances: Option<u64>,
    /// Contrast/Bolus Agent (0018,0010) has a value.
    pub contrast_agent: bool,
    pub kvp: Option<f64>,
    /// When the slice was taken; in multi-frame objects the frames have their own.
    #[serde(default)]
    pub timing: Timing,
    #[serde(default)]
    pub ct: CtFacts,
    #[serde(default)]
    pub patient_size: PatientSize,
    /// Absent where the object has no pixel data.
    pub picture: Option<Picture>,
}

/// Why an object that arrived whole cannot be filed. Never contains a value of the data set.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("not a DICOM Part-10 file")]
    NotPart10,
    #[error("{0} is missing or not a UID")]
    Identifier(&'static str),
    #[error("SOP {0} UID differs between data set and command")]
    NotAsAnnounced(&'static str),
    #[error("pixel data has {found} bytes where rows, columns, frames and bits ask for {expected}")]
    PixelLength { expected: u64, found: u64 },
    #[error("pixel data without rows and columns")]
    NoSize,
}

/// Reads the facts of a Part-10 file and checks its structure to the last byte.
pub fn read_facts(path: &Path) -> Result<InstanceFacts, FactsError> {
    let mut file = File::open(path).map_err(Malformed::Io)?;
    let header = read_header(&mut file).map_err(Malformed::Io)?.ok_or(FactsError::NotPart10)?;
    let mut wanted = Wanted::default();
    let encoding = Encoding::of(&header.transfer_syntax);
    walk(file, encoding, &mut wanted)?;
    wanted.into_facts(header)
}

/// Tag, value representation of the dictionary, slot.
const WANTED: [((u16, u16), &str); 54] = [
    ((0x0008, 0x0005), "CS"),
    ((0x0008, 0x0008), "CS"),
    ((0x0008, 0x0016), "UI"),
    ((0x0008, 0x0018), "UI"),
    ((0x0008, 0x0020), "DA"),
    ((0x0008, 0x0021), "DA"),
    ((0x0008, 0x0022), "DA"),
    ((0x0008, 0x0023), "DA"),
    ((0x0008, 0x002A), "DT"),
    ((0x0008, 0x0030), "TM"),
    ((0x0008, 0x0031), "TM"),
    ((0x0008, 0x0032), "TM"),
    ((0x0008, 0x0033), "TM"),
    ((0x0008, 0x0050), "SH"),
    ((0x0008, 0x0060), "CS"),
    ((0x0008, 0x0090), "PN"),
    ((0x0008, 0x1030), "LO"),
    ((0x0008, 0x103E), "LO"),
    ((0x0010, 0x0010), "PN"),
    ((0x0010, 0x0020), "LO"),
    ((0x0010, 0x0030), "DA"),
    ((0x0010, 0x0040), "CS"),
    ((0x0010, 0x1020), "DS"),
    ((0x0010, 0x1030), "DS"),
    ((0x0018, 0x0010), "LO"),
    ((0x0018, 0x0015), "CS"),
    ((0x0018, 0x0050), "DS"),
    ((0x0018, 0x0060), "DS"),
    ((0x0018, 0x1060), "DS"),
    ((0x0018, 0x1062), "IS"),
    ((0x0018, 0x1088), "IS"),
    ((0x0018, 0x1210), "SH"),
    ((0x0018, 0x9351), "FL"),
    ((0x0018, 0x9352), "FL"),
    ((0x0020, 0x000D), "UI"),
    ((0x0020, 0x000E), "UI"),
    ((0x0020, 0x0010), "SH"),
    ((0x0020, 0x0011), "IS"),
    ((0x0020, 0x0013), "IS"),
    ((0x0020, 0x0032), "DS"),
    ((0x0020, 0x0037), "DS"),
    ((0x0020, 0x0100), "IS"),
    ((0x0020, 0x0105), "IS"),
    ((0x0020, 0x0110), "DS"),
    ((0x0020, 0x1209), "IS"),
    ((0x0028, 0x0002), "US"),
    ((0x0028, 0x0004), "CS"),
    ((0x0028, 0x0008), "IS"),
    ((0x0028, 0x0010), "US"),
    ((0x0028, 0x0011), "US"),
    ((0x0028, 0x0030), "DS"),
    ((0x0028, 0x0100), "US"),
    ((0x0028, 0x1050), "DS"),
    ((0x0028, 0x1051), "DS"),
];

/// What nothing is filed by: an object that has one of them wrong is filed without it.
const FILED_WITHOUT: [(u16, u16); 22] = [
    (0x0008, 0x0021),
    (0x0008, 0x0022),
    (0x0008, 0x0023),
    (0x0008, 0x002A),
    (0x0008, 0x0031),
    (0x0008, 0x0032),
    (0x0008, 0x0033),
    (0x0008, 0x0090),
    (0x0010, 0x1020),
    (0x0010, 0x1030),
    (0x0018, 0x0015),
    (0x0018, 0x0050),
    (0x0018, 0x1210),
    (0x0018, 0x9351),
    (0x0018, 0x9352),
    (0x0018, 0x1060),
    (0x0018, 0x1062),
    (0x0018, 0x1088),
    (0x0020, 0x0010),
    (0x0020, 0x0100),
    (0x0020, 0x0105),
    (0x0020, 0x0110),
];

#[derive(Default)]
struct Wanted {
    values: Vec<((u16, u16), Vec<u8>)>,
    big_endian: bool,
    /// `Some(None)`: encapsulated.
    pixel_data_length: Option<Option<u32>>,
}

impl Visitor for Wanted {
    fn wants(&mut self, element: &Element) -> Result<bool, Malformed> {
        if matches!(element.tag, (0x7FE0, 0x0008..=0x0010)) {
            self.pixel_data_length = Some(element.length);
            return Ok(false);
        }
        let Some((tag, expected)) = WANTED.iter().find(|(tag, _)| *tag == element.tag) else {
            return Ok(false);
        };
        match element.vr {
            Some(vr) if vr != *expected.as_bytes() && FILED_WITHOUT.contains(tag) => Ok(false),
            // UN: the sender did not know the element; its bytes are those of the dictionary's VR.
            Some(vr) if vr != *expected.as_bytes() && vr != *b"UN" => Err(Malformed::WrongVr {
                tag: *tag,
                expected,
                found: String::from_utf8_lossy(&vr).into_owned(),
            }),
            _ => Ok(true),
        }
    }

    fn value(&mut self, element: &Element, value: &[u8], encoding: Encoding) {
        self.big_endian = encoding.big_endian;
        self.values.push((element.tag, value.to_vec()));
    }
}

impl Wanted {
    fn bytes(&self, tag: (u16, u16)) -> Option<&[u8]> {
        self.values.iter().find(|(found, _)| *found == tag).map(|(_, value)| value.as_slice())
    }

    fn ascii(&self, tag: (u16, u16)) -> String {
        let bytes = self.bytes(tag).unwrap_or_default();
        String::from_utf8_lossy(bytes).trim_matches(['\0', ' ']).to_owned()
    }

    /// Text in the object's character set; a byte it cannot decode shows as a replacement mark.
    fn text(&self, tag: (u16, u16)) -> String {
        let Some(bytes) = self.bytes(tag) else { return String::new() };
        let text = decode_text(&self.ascii((0x0008, 0x0005)), bytes);
        text.trim_matches(['\0', ' ']).to_owned()
    }

    fn us(&self, tag: (u16, u16)) -> Option<u16> {
        let bytes: [u8; 2] = self.bytes(tag)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn integer(&self, tag: (u16, u16)) -> Option<i64> {
        self.ascii(tag).split('\\').next()?.trim().parse().ok()
    }

    /// All values of a DS element, or nothing where one of them is no finite number.
    fn decimals(&self, tag: (u16, u16)) -> Option<Vec<f64>> {
        let text = self.ascii(tag);
        text.split('\\')
            .map(|part| part.trim().parse().ok().filter(|value: &f64| value.is_finite()))
            .collect()
    }

    fn exactly<const N: usize>(&self, tag: (u16, u16)) -> Option<[f64; N]> {
        self.decimals(tag)?.try_into().ok()
    }

    fn into_facts(self, header: Header) -> Result<InstanceFacts, FactsError> {
        let study = StudyUid::parse(&self.ascii((0x0020, 0x000D)));
        let series = SeriesUid::parse(&self.ascii((0x0020, 0x000E)));
        let sop_instance = SopInstanceUid::parse(&self.ascii((0x0008, 0x0018)));
        let sop_instance = sop_instance.map_err(|_| FactsError::Identifier("SOP Instance UID"))?;
        if sop_instance.as_str() != header.sop_instance {
            return Err(FactsError::NotAsAnnounced("Instance"));
        }
        if self.ascii((0x0008, 0x0016)) != header.sop_class {
            return Err(FactsError::NotAsAnnounced("Class"));
        }
        Ok(InstanceFacts {
            study: study.map_err(|_| FactsError::Identifier("Study Instance UID"))?,
            series: series.map_err(|_| FactsError::Identifier("Series Instance UID"))?,
            sop_instance,
            picture: self.picture(&header.transfer_syntax)?,
            sop_class: header.sop_class,
            transfer_syntax: header.transfer_syntax,
            source_ae_title: header.source_ae_title,
            patient_study: self.patient_study(),
            modality: self.ascii((0x0008, 0x0060)),
            series_number: self.integer((0x0020, 0x0011)),
            series_description: self.text((0x0008, 0x103E)),
            series_date: self.ascii((0x0008, 0x0021)),
            series_time: self.ascii((0x0008, 0x0031)),
            body_part: self.ascii((0x0018, 0x0015)),
            instance_number: self.integer((0x0020, 0x0013)),
            image_type: self.ascii((0x0008, 0x0008)).split('\\').map(|part| part.trim().to_owned()).collect(),
            series_instances: self.integer((0x0020, 0x1209)).and_then(|count| u64::try_from(count).ok()),
            contrast_agent: !self.ascii((0x0018, 0x0010)).is_empty(),
            kvp: self.exactly::<1>((0x0018, 0x0060)).map(|[kvp]| kvp),
            timing: self.timing(),
            ct: self.ct(),
            patient_size: PatientSize::of(self.exactly((0x0010, 0x1020)), self.exactly((0x0010, 0x1030))),
        })
    }

    fn patient_study(&self) -> PatientStudy {
        PatientStudy {
            patient_name: self.text((0x0010, 0x0010)),
            patient_id: self.text((0x0010, 0x0020)),
            birth_date: self.ascii((0x0010, 0x0030)),
            sex: self.ascii((0x0010, 0x0040)),
            study_date: self.ascii((0x0008, 0x0020)),
            study_time: self.ascii((0x0008, 0x0030)),
            study_description: self.text((0x0008, 0x1030)),
            accession_number: self.text((0x0008, 0x0050)),
            referring_physician: self.text((0x0008, 0x0090)),
            study_id: self.text((0x0020, 0x0010)),
        }
    }

    fn picture(&self, transfer_syntax: &str) -> Result<Option<Picture>, FactsError> {
        let Some(pixel_data_length) = self.pixel_data_length else { return Ok(None) };
        let (Some(rows), Some(columns)) = (self.us((0x0028, 0x0010)), self.us((0x0028, 0x0011))) else {
            return Err(FactsError::NoSize);
        };
        let frames =
            self.integer((0x0028, 0x0008)).and_then(|frames| u32::try_from(frames).ok()).unwrap_or(1);
        let picture = Picture {
            rows,
            columns,
            frames: frames.max(1),
            samples_per_pixel: self.us((0x0028, 0x0002)).unwrap_or(1),
            bits_allocated: self.us((0x0028, 0x0100)).unwrap_or(16),
            photometric: self.ascii((0x0028, 0x0004)),
            position_mm: self.exactly((0x0020, 0x0032)),
            orientation: self.exactly((0x0020, 0x0037)),
            pixel_spacing_mm: self.exactly((0x0028, 0x0030)),
            window: self.window(),
        };
        match pixel_data_length {
            Some(found) if is_native(transfer_syntax) => picture.check_length(u64::from(found))?,
            _ => {}
        }
        Ok(Some(picture))
    }

    fn window(&self) -> Option<[f64; 2]> {
        let center = *self.decimals((0x0028, 0x1050))?.first()?;
        let width = *self.decimals((0x0028, 0x1051))?.first()?;
        Some([center, width])
    }
}

/// Seconds to days in microseconds are far below this.
fn whole(value: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "bounded")]
    (value.abs() < 1e15).then(|| value.round() as i64)
}

impl Picture {
    /// Native pixel data is exactly as long as its attributes say, padded to an even length (PS3.5 8.1.1).
    fn check_length(&self, found: u64) -> Result<(), FactsError> {
        let bits = u64::from(self.rows)
            * u64::from(self.columns)
            * u64::from(self.samples_per_pixel)
            * u64::from(self.bits_allocated);
        // 4:2:2 chroma halves two of three samples (PS3.3 C.7.6.3.1.2).
        let bits = if self.photometric.contains("422") { bits / 3 * 2 } else { bits };
        let expected = bits.saturating_mul(u64::from(self.frames)).div_ceil(8);
        if found == expected || found == expected + 1 && expected % 2 == 1 {
            return Ok(());
        }
        Err(FactsError::PixelLength { expected, found })
    }
}

/// Whether pixel data stands there uncompressed (PS3.5 A.1, A.2, A.3, A.5).
fn is_native(transfer_syntax: &str) -> bool {
    matches!(
        transfer_syntax,
        "1.2.840.10008.1.2" | "1.2.840.10008.1.2.1" | "1.2.840.10008.1.2.2" | "1.2.840.10008.1.2.1.99"
    )
}
