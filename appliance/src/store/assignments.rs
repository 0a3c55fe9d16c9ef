//! A reader says where lesions lie: journalled before it counts, written into the finding, counted anew.
//!
//! ```text
//! preliminary --assign--> preliminary, one revision later
//! confirmed   --assign--> preliminary, one revision later: what was confirmed no longer stands
//! ```
//! The journal is what counts: a finding's file that a power cut left behind is brought up to it at the next start.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Store;
use super::calcium::{Vessel, recount};
use super::error::StoreError;
use super::finding::{Finding, FindingState};
use super::journal::Entry;
use super::reviews::word;
use super::runs::{Corrected, Correction};
use crate::clock::Timestamp;
use crate::uid::StudyUid;

/// Where one lesion lies; without a vessel, an earlier assignment is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Assignment {
    /// The lesion's number.
    pub lesion: u32,
    pub vessel: Option<Vessel>,
}

/// What the journal keeps of one assignment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Assigned {
    study: StudyUid,
    finding: String,
    /// The finding's revision once this counts.
    revision: u32,
    assignments: Vec<Assignment>,
    reader: String,
    at: Timestamp,
}

/// Why an assignment was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AssignError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("lesions of a finding that is {0} cannot be assigned")]
    NotAssignable(&'static str),
    #[error("the finding has no lesion {0}")]
    NoSuchLesion(u32),
    #[error("lesion {0} stands twice")]
    Twice(u32),
}

impl Store {
    /// Takes a reader's assignments, all or none. What is so already changes nothing and makes no revision.
    pub fn assign_lesions(
        &self,
        study: &StudyUid,
        id: &str,
        assignments: &[Assignment],
        reader: &str,
        at: Timestamp,
    ) -> Result<Finding, AssignError> {
        let _reviewing = self.inner.reviewing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // By its card first: an id that is no finding's never becomes a path.
        if !self.finding_cards(study)?.iter().any(|card| card.id == id) {
            return Err(StoreError::Unknown("finding").into());
        }
        let mut finding = self.finding(study, id)?;
        if !matches!(finding.state, FindingState::Preliminary | FindingState::Confirmed) {
            return Err(AssignError::NotAssignable(word(finding.state)));
        }
        let changes = changes(&finding, assignments)?;
        if changes.is_empty() {
            return Ok(finding);
        }
        let assigned = Assigned {
            study: study.clone(),
            finding: id.to_owned(),
            revision: finding.revision + 1,
            assignments: changes,
            reader: reader.to_owned(),
            at,
        };
        let what = Corrected::Lesions { assignments: assigned.assignments.clone() };
        let revision = Some(assigned.revision);
        self.record_correction(study, Correction { revision, ..Self::correction(id, reader, at, what) })?;
        self.append(&Entry::Assigned(assigned.clone()))?;
        apply(&mut finding, &assigned);
        self.record_finding(&finding)?;
        Ok(finding)
    }

    /// Brings a finding's file up to the journal. A finding that went with its study is gone.
    pub(super) fn replay_assignment(&self, assigned: &Assigned) -> Result<(), StoreError> {
        let cards = self.finding_cards(&assigned.study)?;
        let card = cards.iter().find(|card| card.id == assigned.finding);
        if card.is_none_or(|card| card.revision >= assigned.revision) {
            return Ok(());
        }
        tracing::warn!("an assignment had not reached its finding; it counts now");
        let mut finding = self.finding(&assigned.study, &assigned.finding)?;
        apply(&mut finding, assigned);
        self.record_finding(&finding)
    }
}

/// The assignments that say something new.
fn changes(finding: &Finding, assignments: &[Assignment]) -> Result<Vec<Assignment>, AssignError> {
    let mut changes = Vec::new();
    for (place, assignment) in assignments.iter().enumerate() {
        let number = assignment.lesion;
        if assignments[..place].iter().any(|earlier| earlier.lesion == number) {
            return Err(AssignError::Twice(number));
        }
        let lesion = finding.lesions.iter().find(|lesion| lesion.number == number);
        if lesion.ok_or(AssignError::NoSuchLesion(number))?.vessel != assignment.vessel {
            changes.push(*assignment);
        }
    }
    Ok(changes)
}

fn apply(finding: &mut Finding, assigned: &Assigned) {
    for assignment in &assigned.assignments {
        let lesion = finding.lesions.iter_mut().find(|lesion| lesion.number == assignment.lesion);
        let Some(lesion) = lesion else { continue };
        lesion.vessel = assignment.vessel;
        lesion.assigned_by = assignment.vessel.map(|_| assigned.reader.clone());
        lesion.assigned_at = assignment.vessel.map(|_| assigned.at.rfc3339());
    }
    finding.revision = assigned.revision;
    if finding.state == FindingState::Confirmed {
        finding.state = FindingState::Preliminary;
        (finding.reviewer, finding.reviewed_at) = (None, None);
    }
    recount(finding);
}

#[cfg(test)]
mod tests {
    use super::super::calcium::tests::scored;
    use super::super::reviews::{ReviewError, Verdict};
    use super::super::tests::{AT, open, send};
    use super::*;

    const READER: &str = "Vane^Harriet";

    fn on(lesion: u32, vessel: Vessel) -> Assignment {
        Assignment { lesion, vessel: Some(vessel) }
    }

    /// A store with one study and the scored finding.
    fn with_finding(folder: &std::path::Path) -> (Store, StudyUid) {
        let (store, _) = open(folder);
        send(&store, "1.2", "1.2.3", "1.2.3.1", "a");
        store.record_finding(&scored()).unwrap();
        (store, StudyUid::parse("1.2").unwrap())
    }

    #[test]
    fn confirming_wants_every_lesion_assigned_and_a_new_assignment_takes_the_verdict_back() {
        let folder = tempfile::tempdir().unwrap();
        let (store, study) = with_finding(folder.path());
        let assign = |assignments: &[Assignment]| store.assign_lesions(&study, "f1", assignments, READER, AT);
        let confirm = || store.review_finding(&study, "f1", Verdict::Confirmed, READER, AT);
        assert!(matches!(confirm(), Err(ReviewError::Unassigned { lesions: 3 })));
        assign(&[on(1, Vessel::Lad), on(2, Vessel::Rca)]).unwrap();
        assert!(matches!(confirm(), Err(ReviewError::Unassigned { lesions: 1 })));
        let finding = assign(&[on(3, Vessel::Aorta)]).unwrap();
        assert_eq!((finding.revision, finding.lesions[2].assigned_by.as_deref()), (2, Some(READER)));
        let confirmed = confirm().unwrap();
        assert_eq!(confirmed.calcium.unwrap().cac_drs.unwrap().words(), "A1 / N2");
        assert_eq!(assign(&[on(3, Vessel::Aorta)]).unwrap().state, FindingState::Confirmed, "nothing new");
        let again = assign(&[on(3, Vessel::Lad)]).unwrap();
        assert_eq!((again.state, again.revision, again.reviewer), (FindingState::Preliminary, 3, None));
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (store, study) = with_finding(folder.path());
        let assign = |id: &str, assignments: &[Assignment]| {
            store.assign_lesions(&study, id, assignments, READER, AT).unwrap_err().to_string()
        };
        assert!(assign("f1", &[on(1, Vessel::Lad), on(9, Vessel::Lad)]).contains("no lesion 9"));
        assert!(assign("f1", &[on(1, Vessel::Lad), on(1, Vessel::Rca)]).contains("twice"));
        assert!(assign("../f1", &[on(1, Vessel::Lad)]).contains("finding"));
        assert_eq!(store.finding(&study, "f1").unwrap(), scored());
        store.review_finding(&study, "f1", Verdict::Rejected, READER, AT).unwrap();
        assert!(assign("f1", &[on(1, Vessel::Lad)]).contains("rejected"));
    }

    #[test]
    fn an_assignment_outlives_the_index_and_a_finding_file_that_a_power_cut_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (store, study) = with_finding(folder.path());
        let path = store.finding_path(&study, "f1");
        let before = std::fs::read(&path).unwrap();
        let all = [on(1, Vessel::Lm), on(2, Vessel::Valve), on(3, Vessel::Lad)];
        let finding = store.assign_lesions(&study, "f1", &all, READER, AT).unwrap();
        drop(store);
        std::fs::write(&path, before).unwrap();
        Store::rebuild_index(folder.path()).unwrap();
        let (store, _) = open(folder.path());
        assert_eq!(store.finding(&study, "f1").unwrap(), finding);
        assert_eq!(store.finding_cards(&study).unwrap()[0].in_short.as_deref(), Some("Agatston 70"));
    }
}
