//! What an object is about: the finding, the images it was computed from, the box that computed it.

use std::fs::File;
use std::io::Read as _;
use std::sync::LazyLock;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::{InMemDicomObject, OpenFileOptions};
use sha2::{Digest, Sha256};
use sidelight_provisioning::Site;

use super::ObjectError;
use super::dataset::{Code, DataSet};
use crate::imaging::{FrameSource, Meaning, NoTimePoints, Stack, Unusable, phases, stack, time_points};
use crate::part10::InstanceFacts;
use crate::store::cardiac::CardiacPart;
use crate::store::finding::{Finding, FindingKind, FindingState};
use crate::store::marks::MarksPart;
use crate::store::own_objects::{ResultKind, derived_uid};
use crate::store::{Store, hex};
use crate::uid::SeriesUid;

pub(super) const MANUFACTURER: &str = "Sidelight";
pub(super) const MODEL: &str = "Sidelight box";

/// The box as objects name it.
#[derive(Clone, Debug)]
pub struct Maker {
    pub site: String,
    pub device: String,
    pub version: String,
}

impl Maker {
    pub fn of(site: &Site) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { site: site.site.clone(), device: site.device.clone(), version }
    }
}

/// SHA-256 of the running program: where no network is involved, the program is the algorithm. Read once, when the
/// first object is made.
static PROGRAM_SHA256: LazyLock<String> = LazyLock::new(|| {
    let digest = || {
        let mut program = File::open(std::env::current_exe()?)?;
        let (mut hash, mut buffer) = (Sha256::new(), vec![0u8; 256 * 1024]);
        loop {
            match program.read(&mut buffer)? {
                0 => return Ok::<_, std::io::Error>(hex(&hash.finalize())),
                count => hash.update(&buffer[..count]),
            }
        }
    };
    digest().unwrap_or_else(|_| "unknown".into())
});

/// The digest that names the program.
pub(super) fn program_sha256() -> &'static str {
    &PROGRAM_SHA256
}

/// Which image of a slice, where it was taken more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// The one in the subject's stack; of a ventricle that at end diastole.
    First,
    EndSystole,
}

#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub finding: &'a Finding,
    pub maker: &'a Maker,
    /// One frame for each slice: of a series with time points the first, of a ventricle that at end diastole.
    pub stack: Stack,
    /// Of a ventricle: one frame for each slice at end systole.
    systole: Vec<FrameSource>,
    /// Every source object once, in the order of the images.
    sources: Vec<String>,
    pub facts: InstanceFacts,
    /// Header of the first image of the stack.
    first: InMemDicomObject,
    /// When what the objects say became true; RFC 3339.
    pub said_at: String,
}

impl<'a> Subject<'a> {
    pub(super) fn read(
        store: &Store,
        finding: &'a Finding,
        maker: &'a Maker,
        now: &str,
    ) -> Result<Self, ObjectError> {
        let (whole, series) = match &finding.marks {
            Some(part) if finding.kind == FindingKind::Mammography => first_view(store, finding, part)?,
            _ => (stack(store, &finding.study_uid, &finding.series_uid)?, finding.series_uid.clone()),
        };
        let sources = each_once(&whole);
        let (stack, systole) = match (finding.kind, &finding.cardiac) {
            (FindingKind::Perfusion, _) => {
                (first_of_each(whole).map_err(|_| ObjectError::NoImages)?, Vec::new())
            }
            (FindingKind::Cardiac, Some(part)) => extremes(whole, part),
            _ => (whole, Vec::new()),
        };
        let instances = store.instances(&finding.study_uid, &series)?;
        let source = stack.frames.first().ok_or(ObjectError::NoImages)?;
        let facts = instances.into_iter().map(|record| record.facts);
        let facts = facts
            .into_iter()
            .find(|facts| facts.sop_instance.as_str() == source.sop_instance_uid)
            .ok_or(ObjectError::NoImages)?;
        let first = OpenFileOptions::new().read_until(tags::PIXEL_DATA).open_file(&source.path);
        let first = first.map_err(|_| ObjectError::NoImages)?.into_inner();
        let said_at = match finding.state {
            FindingState::Confirmed | FindingState::Rejected => finding.reviewed_at.as_deref().unwrap_or(now),
            FindingState::Superseded => now,
            _ => &finding.created_at,
        };
        Ok(Self { finding, maker, said_at: said_at.to_owned(), stack, systole, sources, facts, first })
    }

    /// `YYYYMMDD` and `HHMMSS.FFF`, UTC.
    pub(super) fn said_date_time(&self) -> (String, String) {
        date_time(&self.said_at)
    }

    /// Text of a top-level attribute of the first image; empty where it has none.
    pub(super) fn source_text(&self, tag: Tag) -> String {
        let element = self.first.element(tag).ok();
        element.and_then(|element| Some(element.to_str().ok()?.trim().to_owned())).unwrap_or_default()
    }

    pub(super) fn frame_of_reference(&self) -> Option<String> {
        Some(self.source_text(tags::FRAME_OF_REFERENCE_UID)).filter(|uid| !uid.is_empty())
    }

    pub(super) fn frame(&self, slice: u32) -> Option<&FrameSource> {
        self.image(Moment::First, slice)
    }

    pub(super) fn image(&self, moment: Moment, slice: u32) -> Option<&FrameSource> {
        let frames = match moment {
            Moment::First => &self.stack.frames,
            Moment::EndSystole => &self.systole,
        };
        frames.get(slice as usize)
    }

    /// An item that names a source image, and its frame where it has several.
    pub(super) fn image_item(&self, source: &FrameSource) -> DataSet {
        let mut item = self.sop_item(&source.sop_instance_uid);
        if self.facts.picture.as_ref().is_some_and(|picture| picture.frames > 1) {
            item.number(tags::REFERENCED_FRAME_NUMBER, source.frame + 1);
        }
        item
    }

    /// An item that names a source object as a whole. The stack's images are of one class.
    pub(super) fn sop_item(&self, sop_instance: &str) -> DataSet {
        let mut item = DataSet::new();
        item.set(tags::REFERENCED_SOP_CLASS_UID, &*self.facts.sop_class);
        item.set(tags::REFERENCED_SOP_INSTANCE_UID, sop_instance);
        item
    }

    /// Every source object once, in the order of the stack.
    pub(super) fn source_instances(&self) -> Vec<&str> {
        self.sources.iter().map(String::as_str).collect()
    }

    /// An item that names the series and every object the finding was computed from.
    pub(super) fn series_of_sources(&self) -> DataSet {
        let mut series = DataSet::new();
        series.set(tags::SERIES_INSTANCE_UID, self.finding.series_uid.as_str());
        let items = self.sources.iter().map(|uid| self.sop_item(uid));
        series.sequence(tags::REFERENCED_INSTANCE_SEQUENCE, items.collect());
        series
    }

    /// What every object begins with: SOP Common, Patient, General Study, General Series, General Equipment.
    pub(super) fn begin(&self, class: &str, kind: ResultKind, part: &str, number: u32) -> DataSet {
        let mut set = DataSet::new();
        let id = &self.finding.id;
        set.set(tags::SPECIFIC_CHARACTER_SET, "ISO_IR 192").set(tags::SOP_CLASS_UID, class);
        set.set(tags::SOP_INSTANCE_UID, kind.instance(id, part).as_str());
        let (date, time) = self.said_date_time();
        set.set(tags::INSTANCE_CREATION_DATE, &*date).set(tags::INSTANCE_CREATION_TIME, &*time);
        set.set(tags::SERIES_DATE, &*date).set(tags::SERIES_TIME, &*time);
        set.set(tags::CONTENT_DATE, date).set(tags::CONTENT_TIME, time);
        set.set(tags::SERIES_INSTANCE_UID, kind.series(id).as_str());
        set.number(tags::INSTANCE_NUMBER, number);
        self.patient_and_study(&mut set);
        let (about, series) = match self.finding.kind {
            FindingKind::Calcium => ("calcium", 9000),
            FindingKind::Perfusion => ("CT perfusion", 9010),
            FindingKind::Cardiac => ("left ventricle", 9020),
            FindingKind::Mammography => ("mammogram", 9030),
            FindingKind::Nodules => ("lung nodules", 9040),
            FindingKind::Structures => ("structures", 9050),
            FindingKind::Segmentation => ("segmentation", 9060),
        };
        let (number, modality, what) = describe(kind);
        set.number(tags::SERIES_NUMBER, series + number).set(tags::MODALITY, modality);
        set.set(tags::SERIES_DESCRIPTION, format!("Sidelight {about}: {what}"));
        set.set(tags::MANUFACTURER, MANUFACTURER).set(tags::MANUFACTURER_MODEL_NAME, MODEL);
        set.set(tags::DEVICE_SERIAL_NUMBER, &*self.maker.device);
        set.set(tags::STATION_NAME, cut(&self.maker.device, 16));
        set.set(tags::SOFTWARE_VERSIONS, &*self.maker.version);
        set.set(tags::INSTITUTION_NAME, self.source_text(tags::INSTITUTION_NAME));
        set.sequence(tags::CONTRIBUTING_EQUIPMENT_SEQUENCE, vec![self.equipment()]);
        set
    }

    /// From the images' own header, their text decoded by their own character set.
    fn patient_and_study(&self, set: &mut DataSet) {
        let about = &self.facts.patient_study;
        set.set(tags::PATIENT_NAME, &*about.patient_name).set(tags::PATIENT_ID, &*about.patient_id);
        set.set(tags::PATIENT_BIRTH_DATE, &*about.birth_date).set(tags::PATIENT_SEX, &*about.sex);
        set.set(tags::STUDY_INSTANCE_UID, self.finding.study_uid.as_str());
        set.set(tags::STUDY_DATE, &*about.study_date).set(tags::STUDY_TIME, &*about.study_time);
        set.set(tags::ACCESSION_NUMBER, &*about.accession_number);
        set.set(tags::STUDY_DESCRIPTION, &*about.study_description);
        for tag in [tags::STUDY_ID, tags::REFERRING_PHYSICIAN_NAME] {
            set.set(tag, self.source_text(tag));
        }
        for tag in [tags::PATIENT_AGE, tags::PATIENT_SIZE, tags::PATIENT_WEIGHT, tags::ISSUER_OF_PATIENT_ID] {
            let text = self.source_text(tag);
            if !text.is_empty() {
                set.set(tag, text);
            }
        }
    }

    /// The program, its version and its digest (IHE AIR names algorithms here).
    fn equipment(&self) -> DataSet {
        let algorithm = &self.finding.algorithm;
        let mut item = DataSet::new();
        item.code(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, Code("109102", "DCM", "Processing Equipment"));
        item.set(tags::MANUFACTURER, MANUFACTURER).set(tags::MANUFACTURER_MODEL_NAME, &*algorithm.name);
        item.set(tags::DEVICE_SERIAL_NUMBER, &*self.maker.device);
        item.set(tags::SOFTWARE_VERSIONS, &*algorithm.version);
        item.set(tags::CONTRIBUTION_DESCRIPTION, cut(&self.provenance(), 1024));
        item
    }

    /// One sentence: what computed it, where, the program's digest, and the network's where there is one.
    pub(super) fn provenance(&self) -> String {
        let algorithm = &self.finding.algorithm;
        let model = self.finding.model().map_or("no trained model".into(), |model| {
            let (name, version) = (&model.name, &model.version);
            format!("network {name} {version}, SHA-256 {}: {}", model.sha256, model.statement)
        });
        format!(
            "{} {} on {}; program SHA-256 {}; {model}",
            algorithm.name,
            algorithm.version,
            algorithm.processor,
            program_sha256()
        )
    }

    /// The box as an observer: the same UID for as long as the device keeps its name.
    pub(super) fn device_uid(&self) -> String {
        derived_uid(&["device", &self.maker.site, &self.maker.device])
    }
}

/// The first judged mammogram of an examination as a stack of one, and its series: views may differ in size.
fn first_view(store: &Store, finding: &Finding, part: &MarksPart) -> Result<(Stack, SeriesUid), ObjectError> {
    let view = part.views.iter().find(|view| view.not_judged.is_none()).ok_or(ObjectError::NoImages)?;
    let series = SeriesUid::parse(&view.series_uid).map_err(|_| ObjectError::NoImages)?;
    let mut records = store.instances(&finding.study_uid, &series)?.into_iter();
    let record = records.find(|record| record.facts.sop_instance.as_str() == view.sop_instance_uid);
    let record = record.ok_or(ObjectError::NoImages)?;
    let picture = record.facts.picture.clone().ok_or(ObjectError::NoImages)?;
    let frame = FrameSource {
        path: store.instance_path(&record),
        frame: 0,
        sop_instance_uid: view.sop_instance_uid.clone(),
        tag: String::new(),
        place: None,
        timing: record.facts.timing,
    };
    let stack = Stack {
        columns: picture.columns,
        rows: picture.rows,
        frames: vec![frame],
        positions_mm: None,
        orientation: None,
        pixel_spacing_mm: picture.pixel_spacing_mm,
        window: picture.window,
        photometric: picture.photometric,
        meaning: Meaning::Stored,
        geometry: Err(Unusable::NoPlace),
    };
    Ok((stack, series))
}

/// Every object of a stack once.
fn each_once(stack: &Stack) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    let uids = stack.frames.iter().map(|frame| frame.sop_instance_uid.clone());
    uids.filter(|uid| seen.insert(uid.clone())).collect()
}

/// The first frame of each position of a series with time points: the images that results are laid over.
fn first_of_each(stack: Stack) -> Result<Stack, NoTimePoints> {
    let timed = match time_points(&stack) {
        // One of several series that make the scan: its own frames are the first ones.
        Err(NoTimePoints::Single) => return Ok(stack),
        timed => timed?,
    };
    let frames = timed.positions.into_iter().filter_map(|position| position.frames.into_iter().next());
    Ok(Stack { frames: frames.collect(), positions_mm: None, geometry: Ok(timed.geometry), ..stack })
}

/// A ventricle's images at end diastole, as a stack, and at end systole. A study that has grown may have no phases any
/// more: then only what takes the finding back is written, and that draws nothing.
fn extremes(stack: Stack, part: &CardiacPart) -> (Stack, Vec<FrameSource>) {
    let Ok(phased) = phases(&stack) else { return (stack, Vec::new()) };
    let at = |phase: usize| -> Vec<FrameSource> {
        (0..phased.slices()).filter_map(|slice| phased.frame(slice, phase).cloned()).collect()
    };
    let (diastole, systole) = (at(part.ed_phase), at(part.es_phase));
    let geometry = Ok(phased.geometry);
    (Stack { frames: diastole, positions_mm: None, geometry, ..stack }, systole)
}

fn describe(kind: ResultKind) -> (u32, &'static str, &'static str) {
    // Far above what scanners number their series with, so results stand last.
    match kind {
        ResultKind::StructuredReport => (1, "SR", "measurements"),
        ResultKind::Segmentation => (2, "SEG", "segments"),
        ResultKind::SecondaryCapture => (3, "OT", "pictures"),
        ResultKind::EncapsulatedPdf => (4, "DOC", "report"),
        ResultKind::ParametricMap => (5, "CT", "maps"),
    }
}

/// The first `characters` of a text: DICOM bounds texts by characters.
pub(super) fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// DA and TM of an RFC 3339 text in UTC.
pub(super) fn date_time(rfc3339: &str) -> (String, String) {
    let (date, time) = rfc3339.split_once('T').unwrap_or((rfc3339, ""));
    let digits = |text: &str| text.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect::<String>();
    (digits(date), digits(time))
}
