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

/// Makes, checks and files what a finding in its present state becomes. Returns how many objects were new.
pub(super) fn make(
    store: &Store,
    finding: &Finding,
    maker: &Maker,
    now: Timestamp,
) -> Result<usize, ObjectError> {
    let subject = Subject::read(store, finding, maker, &now.rfc3339())?;
    let mut filed = 0;
    if matches!(finding.state, FindingState::Preliminary | FindingState::Confirmed) {
        filed += pictures(store, &subject, now)?;
    }
    let segmentation = ResultKind::Segmentation.instance(&finding.id, "1");
    let series = ResultKind::Segmentation.series(&finding.id);
    let drawn = store.holds(&finding.study_uid, &series, &segmentation)?;
    let basis = sr::Basis {
        segmentation: drawn.then(|| segmentation.as_str().to_owned()),
        predecessor: predecessor(store, &finding.study_uid, &finding.id, finding.state)?,
    };
    file(store, &sr::report(&subject, &basis), now)?;
    Ok(filed + 1)
}

/// Everything but the report. Pictures and lesions are made once, the page once for each state it can show.
fn pictures(store: &Store, subject: &Subject<'_>, now: Timestamp) -> Result<usize, ObjectError> {
    let finding = subject.finding;
    let there = |kind: ResultKind, part: &str| {
        store.holds(&finding.study_uid, &kind.series(&finding.id), &kind.instance(&finding.id, part))
    };
    let mut filed = 0;
    if !there(ResultKind::Segmentation, "1")?
        && let Some(set) = segmentation::segmentation(subject)
    {
        file(store, &set, now)?;
        filed += 1;
    }
    let (slices, all) = secondary_capture::slices(subject);
    for (slice, number) in slices.iter().zip(1..) {
        if !there(ResultKind::SecondaryCapture, &format!("slice {slice}"))? {
            let shown = (slices.len(), all.max(slices.len()));
            file(store, &secondary_capture::secondary_capture(subject, *slice, number, shown)?, now)?;
            filed += 1;
        }
    }
    file(store, &pdf::encapsulated(subject)?, now)?;
    Ok(filed + 1)
}

fn file(store: &Store, set: &DataSet, now: Timestamp) -> Result<(), ObjectError> {
    check::check(store, set)?;
    let (header, bytes) = set.encode().map_err(Box::new)?;
    store.admit_own(&header, &bytes, now)?;
    Ok(())
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
