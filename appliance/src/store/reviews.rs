//! A reader's verdict on a finding: written into the finding's own file, durable before it counts.

use super::Store;
use super::calcium::recount;
use super::error::StoreError;
use super::finding::{Finding, FindingState};
use super::perfusion;
use super::runs::Corrected;
use crate::clock::Timestamp;
use crate::uid::StudyUid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Confirmed,
    Rejected,
}

impl Verdict {
    fn state(self) -> FindingState {
        match self {
            Self::Confirmed => FindingState::Confirmed,
            Self::Rejected => FindingState::Rejected,
        }
    }
}

/// Why a verdict was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a finding that is {0} cannot be reviewed")]
    NotReviewable(&'static str),
    #[error("{lesions} lesions have no vessel yet: assign each of them, then confirm")]
    Unassigned { lesions: usize },
    #[error("more lesions were found than are listed, so they cannot all be assigned: draw a smaller region")]
    TooManyLesions,
}

impl Store {
    /// Takes a verdict. The same verdict of the same reader again changes nothing; a confirmed finding may still be
    /// rejected, a rejected one stays rejected.
    pub fn review_finding(
        &self,
        study: &StudyUid,
        id: &str,
        verdict: Verdict,
        reader: &str,
        at: Timestamp,
    ) -> Result<Finding, ReviewError> {
        let _reviewing = self.inner.reviewing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // By its card first: an id that is no finding's never becomes a path.
        if !self.finding_cards(study)?.iter().any(|card| card.id == id) {
            return Err(StoreError::Unknown("finding").into());
        }
        let mut finding = self.finding(study, id)?;
        if finding.state == verdict.state() && finding.reviewer.as_deref() == Some(reader) {
            return Ok(finding);
        }
        match (finding.state, verdict) {
            (FindingState::Preliminary, _) | (FindingState::Confirmed, Verdict::Rejected) => {}
            (state, _) => return Err(ReviewError::NotReviewable(word(state))),
        }
        if verdict == Verdict::Confirmed {
            ready_to_confirm(&finding)?;
        }
        finding.state = verdict.state();
        finding.reviewer = Some(reader.to_owned());
        finding.reviewed_at = Some(at.rfc3339());
        recount(&mut finding);
        if finding.perfusion.is_some() {
            finding.label = perfusion::reviewed_label(verdict).into();
        }
        if let Some(part) = &finding.structures {
            finding.label = part.reviewed_label(verdict);
        }
        if let Some(part) = &finding.cardiac {
            finding.label = part.reviewed_label(verdict, finding.is_edited());
        }
        if let Some(part) = &finding.marks {
            finding.label = part.reviewed_label(verdict);
        }
        let said = Self::correction(id, reader, at, Corrected::Verdict { verdict });
        self.record_correction(study, said)?;
        self.record_finding(&finding)?;
        Ok(finding)
    }
}

/// A sum nobody looked at piece by piece is not confirmed.
fn ready_to_confirm(finding: &Finding) -> Result<(), ReviewError> {
    let lesions = finding.lesions.iter().filter(|lesion| lesion.vessel.is_none()).count();
    match lesions {
        0 if finding.lesions_truncated => Err(ReviewError::TooManyLesions),
        0 => Ok(()),
        lesions => Err(ReviewError::Unassigned { lesions }),
    }
}

pub(super) fn word(state: FindingState) -> &'static str {
    match state {
        FindingState::Provisional => "provisional, because the study may still grow,",
        FindingState::Preliminary => "preliminary",
        FindingState::Confirmed => "confirmed already",
        FindingState::Rejected => "rejected already",
        FindingState::Superseded => "superseded",
        FindingState::Failed => "failed",
        FindingState::NotApplicable => "not applicable",
    }
}
