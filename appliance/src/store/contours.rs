//! A reader changes the contours of a ventricle: a new finding takes the place of the one it was made from.
//!
//! ```text
//! preliminary, confirmed, nothing to measure yet --edit---> superseded, and a preliminary one edited by a reader
//! edited                                         --reset--> superseded, and a preliminary one as the box had it
//! ```
//! The journal names both before either is written: one that a power cut left beside its successor is superseded at the
//! next start. Contours lie in a file beside their finding and are never changed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Store;
use super::cardiac::{CardiacPart, Contours};
use super::error::StoreError;
use super::finding::{Finding, FindingState, Scope};
use super::journal::Entry;
use super::perfusion::FilePart;
use super::reviews::word;
use super::runs::{Corrected, Correction};
use crate::clock::Timestamp;
use crate::uid::StudyUid;
use crate::ventricle::{BadOutline, Image, Unmeasurable, edited, measure};

/// How a part of a finding that holds contours is called.
const PART: &str = "contours";
/// Edits of edits: a reader goes back to what the box found, however often it was changed.
const STEPS_MAX: usize = 10_000;

/// New borders of one slice at one phase, in the place of those it had.
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContourEdit {
    /// Slices and phases count from 0.
    pub slice: usize,
    pub phase: usize,
    /// Column and row of each point, pixel centres at whole numbers; empty where there is no border.
    pub endocardium: Vec<[f64; 2]>,
    pub epicardium: Vec<[f64; 2]>,
}

/// What a reader changes, all or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContourChange {
    pub edits: Vec<ContourEdit>,
    /// Phases the reader chooses; what was chosen before stays.
    pub ed_phase: Option<usize>,
    pub es_phase: Option<usize>,
}

/// Two findings, the second in the place of the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Replaced {
    study: StudyUid,
    old: String,
    new: String,
    reason: String,
}

/// Why contours were not changed.
#[derive(Debug, thiserror::Error)]
pub enum ContourError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("contours of a finding that is {0} cannot be changed")]
    NotChangeable(&'static str),
    #[error("this finding has no contours")]
    None,
    #[error("the box's own contours stand already")]
    NothingToUndo,
    #[error("slice {slice}, phase {phase}: {what}")]
    Outline { slice: usize, phase: usize, what: BadOutline },
    #[error("there is no slice {slice} at phase {phase}")]
    NoSuchImage { slice: usize, phase: usize },
    #[error(transparent)]
    Unmeasurable(#[from] Unmeasurable),
}

/// Who changes something, when, and what the finding that comes of it is called.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    pub reader: &'a str,
    pub at: Timestamp,
    pub new_id: &'a str,
}

impl Store {
    /// Files contours beside a finding that is about to be recorded.
    pub fn file_contours(
        &self,
        study: &StudyUid,
        id: &str,
        contours: &Contours,
    ) -> Result<FilePart, StoreError> {
        let bytes =
            serde_json::to_vec(contours).map_err(|source| StoreError::Record { tree: "contours", source })?;
        self.file_part(study, id, PART, &bytes)
    }

    /// Contours of a finding about a ventricle.
    pub fn contours(&self, study: &StudyUid, id: &str) -> Result<Contours, ContourError> {
        let finding = self.ventricle(study, id)?;
        self.contours_of(&finding)
    }

    fn contours_of(&self, finding: &Finding) -> Result<Contours, ContourError> {
        let part = finding.cardiac.as_ref().and_then(|part| part.contours.as_ref());
        let bytes = self.part(&finding.study_uid, &finding.id, part.ok_or(ContourError::None)?)?;
        let read = serde_json::from_slice(&bytes);
        Ok(read.map_err(|source| StoreError::Record { tree: "contours", source })?)
    }

    /// By its card first: an id that is no finding's never becomes a path.
    fn ventricle(&self, study: &StudyUid, id: &str) -> Result<Finding, ContourError> {
        if !self.finding_cards(study)?.iter().any(|card| card.id == id) {
            return Err(StoreError::Unknown("finding").into());
        }
        Ok(self.finding(study, id)?)
    }

    /// Changes contours, all or nothing, and measures again. Returns the finding that holds now.
    pub fn edit_contours(
        &self,
        study: &StudyUid,
        id: &str,
        change: &ContourChange,
        by: Change<'_>,
    ) -> Result<Finding, ContourError> {
        let _reviewing = self.inner.reviewing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let old = self.ventricle(study, id)?;
        let mut part = changeable(&old)?.clone();
        let mut contours = self.contours_of(&old)?;
        apply(&mut contours, &change.edits)?;
        part.chosen.ed = change.ed_phase.or(part.chosen.ed);
        part.chosen.es = change.es_phase.or(part.chosen.es);
        let mut new = successor(&old, by);
        new.scope = Scope::Edited { of: old.id.clone(), reader: by.reader.to_owned() };
        measure(&mut new, part, &contours)?;
        self.hold_contours(&mut new, &contours)?;
        let what = Corrected::Contours {
            images: change.edits.iter().map(|edit| [edit.slice, edit.phase]).collect(),
            ed_phase: change.ed_phase,
            es_phase: change.es_phase,
        };
        self.correct(&old, &new, by, what)?;
        self.replace(old, new, "a reader changed its contours")
    }

    /// Goes back to what the box found by itself.
    pub fn reset_contours(
        &self,
        study: &StudyUid,
        id: &str,
        by: Change<'_>,
    ) -> Result<Finding, ContourError> {
        let _reviewing = self.inner.reviewing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let old = self.ventricle(study, id)?;
        changeable(&old)?;
        let mut first = old.clone();
        for _ in 0..STEPS_MAX {
            let Scope::Edited { of, .. } = &first.scope else { break };
            let of = of.clone();
            first = self.ventricle(study, &of)?;
        }
        if first.id == old.id || first.is_edited() {
            return Err(ContourError::NothingToUndo);
        }
        let contours = self.contours_of(&first)?;
        let mut new = successor(&first, by);
        match new.cardiac.take() {
            // It may have been confirmed since, and says so.
            Some(part) if first.in_short().is_some() => measure(&mut new, part, &contours)?,
            part => {
                new.state = FindingState::NotApplicable;
                new.reason.clone_from(&first.reason);
                new.cardiac = part;
            }
        }
        self.hold_contours(&mut new, &contours)?;
        self.correct(&old, &new, by, Corrected::ContoursReset)?;
        self.replace(old, new, "a reader went back to the contours that the box found")
    }

    fn correct(
        &self,
        old: &Finding,
        new: &Finding,
        by: Change<'_>,
        what: Corrected,
    ) -> Result<(), StoreError> {
        let becomes = Some(new.id.clone());
        let said = Correction { becomes, ..Self::correction(&old.id, by.reader, by.at, what) };
        self.record_correction(&old.study_uid, said)
    }

    fn hold_contours(&self, finding: &mut Finding, contours: &Contours) -> Result<(), StoreError> {
        let filed = self.file_contours(&finding.study_uid, &finding.id, contours)?;
        if let Some(part) = &mut finding.cardiac {
            part.contours = Some(filed);
        }
        Ok(())
    }

    fn replace(&self, mut old: Finding, new: Finding, reason: &str) -> Result<Finding, ContourError> {
        let replaced = Replaced {
            study: new.study_uid.clone(),
            old: old.id.clone(),
            new: new.id.clone(),
            reason: reason.to_owned(),
        };
        self.append(&Entry::Replaced(replaced.clone()))?;
        self.record_finding(&new)?;
        supersede(&mut old, &replaced);
        self.record_finding(&old)?;
        Ok(new)
    }

    /// Brings a replaced finding's file up to the journal, where its successor was written.
    pub(super) fn replay_replacement(&self, replaced: &Replaced) -> Result<(), StoreError> {
        let cards = self.finding_cards(&replaced.study)?;
        let card = |id: &str| cards.iter().find(|card| card.id == id);
        let (Some(old), Some(_)) = (card(&replaced.old), card(&replaced.new)) else { return Ok(()) };
        if old.state == FindingState::Superseded {
            return Ok(());
        }
        tracing::warn!("a finding had not been superseded by the one in its place; it is now");
        let mut old = self.finding(&replaced.study, &replaced.old)?;
        supersede(&mut old, replaced);
        self.record_finding(&old)
    }
}

/// The part of a finding whose contours may be changed.
fn changeable(finding: &Finding) -> Result<&CardiacPart, ContourError> {
    let part = finding.cardiac.as_ref().ok_or(ContourError::None)?;
    match finding.state {
        FindingState::Preliminary | FindingState::Confirmed | FindingState::NotApplicable => Ok(part),
        state => Err(ContourError::NotChangeable(word(state))),
    }
}

fn apply(contours: &mut Contours, edits: &[ContourEdit]) -> Result<(), ContourError> {
    let [row_mm, column_mm] = contours.pixel_mm;
    let image = Image { columns: contours.columns, rows: contours.rows, pixel_mm2: row_mm * column_mm };
    for ContourEdit { slice, phase, endocardium, epicardium } in edits {
        let (slice, phase) = (*slice, *phase);
        let one = contours.phases.get_mut(phase).and_then(|slices| slices.get_mut(slice));
        let one = one.ok_or(ContourError::NoSuchImage { slice, phase })?;
        let uid = one.masks.sop_instance_uid.clone();
        *one = edited(&uid, endocardium.clone(), epicardium.clone(), image)
            .map_err(|what| ContourError::Outline { slice, phase, what })?;
    }
    Ok(())
}

/// What takes a finding's place, before it is measured.
fn successor(old: &Finding, by: Change<'_>) -> Finding {
    Finding {
        id: by.new_id.to_owned(),
        state: FindingState::Preliminary,
        created_at: by.at.rfc3339(),
        reason: None,
        revision: 0,
        reviewer: None,
        reviewed_at: None,
        superseded_by: None,
        superseded_reason: None,
        ..old.clone()
    }
}

fn supersede(old: &mut Finding, replaced: &Replaced) {
    old.state = FindingState::Superseded;
    old.superseded_by = Some(replaced.new.clone());
    // It leaves the hospital with the message: no name in it.
    old.superseded_reason = Some(replaced.reason.clone());
}
