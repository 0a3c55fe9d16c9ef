//! One finding as DICOM objects: a structured report, a segmentation, maps, pictures, a one-page PDF.
//!
//! ```text
//! preliminary              SEG, maps, SC, PDF, then the SR that refers to them
//! every lesion assigned    PDF, SR
//! confirmed                SC, PDF, SR            (SEG and maps once: voxels do not change)
//! rejected, superseded     an SR that says so, where an earlier one exists
//! provisional, failed, not applicable                          nothing
//! ```
//!
//! What a reader drew is a finding like any other. Assignments make a report once the last lesion has a vessel, not one
//! for each key pressed; from then on every change makes one, so that no report is left saying what no longer holds.
//! Each report names the one before it.
//!
//! The SR comes last, so its presence says that the others are there. UIDs follow from the finding alone, so a step
//! that a crash interrupted is simply done again. Nothing is filed that `check` has something against.

mod check;
mod dataset;
mod letters;
mod montage;
mod page;
mod parametric_map;
mod pdf;
mod pdf_cardiac;
mod pdf_marks;
mod pdf_perfusion;
mod pdf_structures;
mod picture;
mod secondary_capture;
mod segmentation;
mod segments;
mod sr;
mod sr_calcium;
mod sr_cardiac;
mod sr_items;
mod sr_mammography;
mod sr_nodules;
mod sr_perfusion;
mod sr_structures;
mod structures;
mod subject;
mod ventricle;
mod voxels;

use check::Known;
use dataset::DataSet;
pub use subject::Maker;
use subject::{Moment, Subject};
use voxels::Voxels;

use crate::clock::Timestamp;
use crate::imaging::StackError;
use crate::part10::InstanceFacts;
use crate::store::cardiac::CardiacPart;
use crate::store::finding::{Finding, FindingKind, FindingState};
use crate::store::marks::MarksPart;
use crate::store::own_objects::ResultKind;
use crate::store::records::FindingCard;
use crate::store::structures::StructuresPart;
use crate::store::{Store, StoreError};
use crate::uid::StudyUid;

/// Why an object was not made. Says nothing about whom.
#[derive(Debug, thiserror::Error)]
pub(super) enum ObjectError {
    #[error("the source images cannot be read: {}", kind(source))]
    Images {
        #[from]
        source: StackError,
    },
    #[error("the source images are not there any more")]
    NoImages,
    #[error("a picture is larger than DICOM's 65535 pixels")]
    TooLarge,
    #[error("the object cannot be encoded")]
    Encode(#[from] Box<dicom_object::WriteError>),
    #[error("the object is not fit to leave: {0}")]
    Unfit(#[from] check::Unfit),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A stack error's own words may hold a path, and a path holds UIDs.
fn kind(error: &StackError) -> &'static str {
    match error {
        StackError::Pixels(_) => "a frame does not decode",
        StackError::Store(_) => "the store refused",
        _ => "they make no stack",
    }
}

/// Whether the box owes objects for a finding as it stands.
pub(super) fn owed(store: &Store, study: &StudyUid, card: &FindingCard) -> Result<bool, StoreError> {
    if card.in_short.is_none() {
        return Ok(false);
    }
    let reports = reports(store, study, &card.id)?;
    let kind = ResultKind::StructuredReport;
    let own = kind.stating(&card.id, card.state, card.revision);
    if reports.iter().any(|report| report.sop_instance == own) {
        return Ok(false);
    }
    match card.state {
        FindingState::Preliminary | FindingState::Confirmed => {
            let first = kind.stating(&card.id, FindingState::Preliminary, 0);
            let said_more = reports.iter().any(|report| report.sop_instance != first);
            Ok(card.revision == 0 || card.assigned || said_more)
        }
        FindingState::Rejected | FindingState::Superseded => Ok(!reports.is_empty()),
        FindingState::Provisional | FindingState::Failed | FindingState::NotApplicable => Ok(false),
    }
}

/// Every report of a finding, in the order of their numbers.
fn reports(store: &Store, study: &StudyUid, id: &str) -> Result<Vec<InstanceFacts>, StoreError> {
    let records = store.instances(study, &ResultKind::StructuredReport.series(id))?;
    let mut reports: Vec<_> = records.into_iter().map(|record| record.facts).collect();
    reports.sort_by_key(|facts| facts.instance_number);
    Ok(reports)
}

/// The number after the highest that a finding's objects of this kind have.
fn next_number(store: &Store, study: &StudyUid, id: &str, kind: ResultKind) -> Result<u32, StoreError> {
    let numbers = store.instances(study, &kind.series(id))?;
    let highest = numbers.iter().filter_map(|record| record.facts.instance_number).max().unwrap_or(0);
    Ok(u32::try_from(highest).unwrap_or(0) + 1)
}

/// Makes, checks and files what a finding in its present state becomes. Returns how many objects it filed.
pub(super) fn make(
    store: &Store,
    finding: &Finding,
    maker: &Maker,
    now: Timestamp,
) -> Result<usize, ObjectError> {
    let subject = Subject::read(store, finding, maker, &now.rfc3339())?;
    let known = Known::of(store, &finding.study_uid)?;
    let mut bench = Bench { store, subject, known, now, filed: 0 };
    let segmentation = ResultKind::Segmentation.instance(&finding.id, "1");
    let newest = reports(store, &finding.study_uid, &finding.id)?.pop();
    let mut basis = sr::Basis {
        segmentation: None,
        predecessor: newest.map(|report| report.sop_instance.as_str().to_owned()),
        number: next_number(store, &finding.study_uid, &finding.id, ResultKind::StructuredReport)?,
    };
    if matches!(finding.state, FindingState::Preliminary | FindingState::Confirmed) {
        bench.pictures()?;
        let drawn = bench.holds(ResultKind::Segmentation, "1")?;
        basis.segmentation = drawn.then(|| segmentation.as_str().to_owned());
    }
    bench.file(&sr::report(&bench.subject, &basis))?;
    Ok(bench.filed)
}

/// Where one finding's objects are made.
struct Bench<'a> {
    store: &'a Store,
    subject: Subject<'a>,
    known: Known,
    now: Timestamp,
    filed: usize,
}

impl Bench<'_> {
    /// Everything but the report. Lesions are made once, pictures once more when they are confirmed, the page with
    /// every report.
    fn pictures(&mut self) -> Result<(), ObjectError> {
        let finding = self.subject.finding;
        if let Some(part) = &finding.cardiac {
            return self.ventricle(part);
        }
        if let Some(part) = &finding.marks {
            return self.marks(part);
        }
        if let Some(part) = &finding.structures {
            return self.structures(part);
        }
        match Voxels::read(self.store, &self.subject)? {
            Some(voxels) => self.perfusion(&voxels),
            None => {
                self.segments("CALCIUM", &segments::of_lesions(finding))?;
                self.lesion_pictures()?;
                let number = self.next_number(ResultKind::EncapsulatedPdf)?;
                self.file(&pdf::encapsulated(&self.subject, number, pdf::Extra::None)?)
            }
        }
    }

    fn perfusion(&mut self, voxels: &Voxels<'_>) -> Result<(), ObjectError> {
        self.segments("PERFUSION", &segments::of_tissue(self.subject.finding, voxels))?;
        for (index, map) in voxels.part.maps.iter().enumerate() {
            if !self.holds(ResultKind::ParametricMap, map.kind.name())?
                && let Some(set) = parametric_map::parametric_map(&self.subject, voxels, index)
            {
                self.file(&set)?;
            }
        }
        for slice in 0..voxels.part.grid.slices {
            if !self.holds(ResultKind::SecondaryCapture, &format!("slice {slice}"))? {
                let set = montage::secondary_capture(&self.subject, voxels, slice)?;
                self.file(&set)?;
            }
        }
        let number = self.next_number(ResultKind::EncapsulatedPdf)?;
        self.file(&pdf::encapsulated(&self.subject, number, pdf::Extra::Voxels(voxels))?)
    }

    fn ventricle(&mut self, part: &CardiacPart) -> Result<(), ObjectError> {
        self.segments("VENTRICLE", &segments::of_ventricle(self.subject.finding, part))?;
        for moment in Moment::OF_A_VENTRICLE {
            if !self.holds(ResultKind::SecondaryCapture, &ventricle::part_name(&self.subject, moment))? {
                let number = self.next_number(ResultKind::SecondaryCapture)?;
                let set = ventricle::secondary_capture(&self.subject, part, moment, number)?;
                self.file(&set)?;
            }
        }
        let number = self.next_number(ResultKind::EncapsulatedPdf)?;
        self.file(&pdf::encapsulated(&self.subject, number, pdf::Extra::None)?)
    }

    fn structures(&mut self, part: &StructuresPart) -> Result<(), ObjectError> {
        let store = self.store;
        if !self.holds(ResultKind::Segmentation, "1")? {
            let segments = structures::Labels::new(store, &self.subject, part).segments()?;
            let label = if part.model.is_some() { "SEGMENTATION" } else { "STRUCTURES" };
            let set = segmentation::segmentation(&self.subject, label, &segments);
            set.map_or(Ok(()), |set| self.file(&set))?;
        }
        if !self.holds(ResultKind::SecondaryCapture, structures::CAPTURE)? {
            let number = self.next_number(ResultKind::SecondaryCapture)?;
            let set = structures::Labels::new(store, &self.subject, part).secondary_capture(number)?;
            self.file(&set)?;
        }
        let number = self.next_number(ResultKind::EncapsulatedPdf)?;
        let labels = structures::Labels::new(store, &self.subject, part);
        let set = pdf::encapsulated(&self.subject, number, pdf::Extra::Labels(&labels))?;
        self.file(&set)
    }

    /// A mammogram's marks are in the report; a chest's are balls of the network's estimate as well.
    fn marks(&mut self, part: &MarksPart) -> Result<(), ObjectError> {
        if self.subject.finding.kind == FindingKind::Nodules {
            self.segments("NODULES", &segments::of_marks(&self.subject, part))?;
        }
        let number = self.next_number(ResultKind::EncapsulatedPdf)?;
        self.file(&pdf::encapsulated(&self.subject, number, pdf::Extra::None)?)
    }

    fn segments(&mut self, label: &str, segments: &[segments::Segment<'_>]) -> Result<(), ObjectError> {
        if !self.holds(ResultKind::Segmentation, "1")?
            && let Some(set) = segmentation::segmentation(&self.subject, label, segments)
        {
            self.file(&set)?;
        }
        Ok(())
    }

    /// One for each slice with lesions.
    fn lesion_pictures(&mut self) -> Result<(), ObjectError> {
        let (slices, all) = secondary_capture::slices(&self.subject);
        let shown = (slices.len(), all.max(slices.len()));
        let first = self.next_number(ResultKind::SecondaryCapture)?;
        for (slice, number) in slices.into_iter().zip(first..) {
            let part = secondary_capture::part(self.subject.finding, slice);
            if !self.holds(ResultKind::SecondaryCapture, &part)? {
                let set = secondary_capture::secondary_capture(&self.subject, slice, number, shown)?;
                self.file(&set)?;
            }
        }
        Ok(())
    }

    fn next_number(&self, kind: ResultKind) -> Result<u32, StoreError> {
        next_number(self.store, &self.subject.finding.study_uid, &self.subject.finding.id, kind)
    }

    fn holds(&self, kind: ResultKind, part: &str) -> Result<bool, StoreError> {
        let (study, id) = (&self.subject.finding.study_uid, &self.subject.finding.id);
        self.store.holds(study, &kind.series(id), &kind.instance(id, part))
    }

    fn file(&mut self, set: &DataSet) -> Result<(), ObjectError> {
        check::check(&self.known, set)?;
        let (header, bytes) = set.encode()?;
        self.store.admit_own(&header, &bytes, self.now)?;
        self.known.add(set);
        self.filed += 1;
        Ok(())
    }
}
