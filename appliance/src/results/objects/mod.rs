//! One finding as DICOM objects: a structured report, a segmentation, pictures, a one-page PDF.
//!
//! ```text
//! preliminary, confirmed   SEG, SC, PDF, then the SR that refers to them   (SEG and SC once: pixels do not change)
//! rejected, superseded     an SR that says so, where an earlier one exists
//! provisional, failed, not applicable, drawn by a reader                   nothing
//! ```
//!
//! The SR comes last, so its presence says that the others are there. UIDs follow from the finding alone, so a step
//! that a crash interrupted is simply done again. Nothing is filed that `check` has something against.

mod check;
mod dataset;
mod letters;
mod page;
mod pdf;
mod picture;
mod secondary_capture;
mod segmentation;
mod sr;
mod sr_items;
mod subject;

use check::Known;
use dataset::DataSet;
pub use subject::Maker;
use subject::Subject;

use crate::clock::Timestamp;
use crate::imaging::StackError;
use crate::store::finding::{Finding, FindingState};
use crate::store::own_objects::ResultKind;
use crate::store::records::FindingCard;
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
    if card.drawn || card.agatston.is_none() {
        return Ok(false);
    }
    if has_report(store, study, &card.id, card.state)? {
        return Ok(false);
    }
    match card.state {
        FindingState::Preliminary | FindingState::Confirmed => Ok(true),
        FindingState::Rejected | FindingState::Superseded => {
            Ok(predecessor(store, study, &card.id, card.state)?.is_some())
        }
        FindingState::Provisional | FindingState::Failed | FindingState::NotApplicable => Ok(false),
    }
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
    let mut basis = sr::Basis {
        segmentation: None,
        predecessor: predecessor(store, &finding.study_uid, &finding.id, finding.state)?,
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
    /// Everything but the report. Pictures and lesions are made once, the page once for each state it can show.
    fn pictures(&mut self) -> Result<(), ObjectError> {
        if !self.holds(ResultKind::Segmentation, "1")?
            && let Some(set) = segmentation::segmentation(&self.subject)
        {
            self.file(&set)?;
        }
        let (slices, all) = secondary_capture::slices(&self.subject);
        let shown = (slices.len(), all.max(slices.len()));
        for (slice, number) in slices.into_iter().zip(1..) {
            if !self.holds(ResultKind::SecondaryCapture, &format!("slice {slice}"))? {
                let set = secondary_capture::secondary_capture(&self.subject, slice, number, shown)?;
                self.file(&set)?;
            }
        }
        self.file(&pdf::encapsulated(&self.subject)?)
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

/// The last report that a new one takes the place of.
fn predecessor(
    store: &Store,
    study: &StudyUid,
    id: &str,
    state: FindingState,
) -> Result<Option<String>, StoreError> {
    for earlier in [FindingState::Confirmed, FindingState::Preliminary] {
        if earlier != state && has_report(store, study, id, earlier)? {
            let uid = ResultKind::StructuredReport.stating(id, earlier);
            return Ok(Some(uid.as_str().to_owned()));
        }
    }
    Ok(None)
}

fn has_report(store: &Store, study: &StudyUid, id: &str, state: FindingState) -> Result<bool, StoreError> {
    let kind = ResultKind::StructuredReport;
    store.holds(study, &kind.series(id), &kind.stating(id, state))
}
