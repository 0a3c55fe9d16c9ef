//! Contours of a ventricle: as they are, as a reader changes them, and back again.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::reviews::person;
use super::shapes::{ContourRequest, PhaseContours, Problem, ResetRequest, SliceBorders};
use crate::audit::{Event, Kind, Outcome, Who};
use crate::store::cardiac::SliceContours;
use crate::store::contours::{Change, ContourChange, ContourEdit, ContourError};
use crate::store::finding::Finding;
use crate::uid::StudyUid;

/// Both borders of every slice at a few phases: what a person draws in one sitting.
const EDITS_MAX: usize = 1000;

/// The contours of every slice at one phase, counted from 0.
#[utoipa::path(
    get,
    path = "/api/studies/{study}/findings/{finding}/contours/{phase}",
    responses((status = 200, body = PhaseContours), (status = 404, body = Problem))
)]
pub(super) async fn contours(
    State(desk): State<Arc<Desk>>,
    Path((study, finding, phase)): Path<(String, String, usize)>,
) -> Result<Json<PhaseContours>, ApiError> {
    let (store, study) = (desk.store.clone(), study_uid(&study)?);
    let contours = blocking(move || store.contours(&study, &finding)).await?;
    let slices = contours.phases.into_iter().nth(phase).ok_or_else(|| ApiError::not_found("phase"))?;
    Ok(Json(PhaseContours {
        phase,
        columns: contours.columns,
        rows: contours.rows,
        slices: slices.into_iter().map(borders).collect(),
    }))
}

fn borders(one: SliceContours) -> SliceBorders {
    SliceBorders {
        sop_instance_uid: one.masks.sop_instance_uid,
        endocardium: one.endocardium,
        epicardium: one.epicardium,
        cavity_mm2: one.cavity_mm2,
        muscle_mm2: one.muscle_mm2,
        edited: one.edited,
    }
}

/// Change contours, and which phases are end diastole and end systole; all of the request or none of it. The answer is a
/// new finding in the place of this one.
#[utoipa::path(
    post,
    path = "/api/studies/{study}/findings/{finding}/contours",
    request_body = ContourRequest,
    responses(
        (status = 200, body = Finding),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn edit(
    State(desk): State<Arc<Desk>>,
    Path((study, finding)): Path<(String, String)>,
    request: Result<Json<ContourRequest>, JsonRejection>,
) -> Result<Json<Finding>, ApiError> {
    let Json(ContourRequest { edits, ed_phase, es_phase, reader }) = request?;
    let (study, reader) = (study_uid(&study)?, person("reader", &reader)?);
    let nothing = edits.is_empty() && ed_phase.is_none() && es_phase.is_none();
    if nothing || edits.len() > EDITS_MAX {
        let sentence = format!("edits: change 1 to {EDITS_MAX} images, or a phase");
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, sentence));
    }
    let said = words(&edits, ed_phase, es_phase);
    let change = ContourChange { edits, ed_phase, es_phase };
    let changed = change_and_note(&desk, study, finding, reader, said, move |store, study, finding, by| {
        store.edit_contours(study, finding, &change, by)
    });
    Ok(Json(changed.await?))
}

/// Go back to the contours that the box found. The answer is a new finding in the place of this one.
#[utoipa::path(
    post,
    path = "/api/studies/{study}/findings/{finding}/contours/reset",
    request_body = ResetRequest,
    responses(
        (status = 200, body = Finding),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn reset(
    State(desk): State<Arc<Desk>>,
    Path((study, finding)): Path<(String, String)>,
    request: Result<Json<ResetRequest>, JsonRejection>,
) -> Result<Json<Finding>, ApiError> {
    let Json(ResetRequest { reader }) = request?;
    let (study, reader) = (study_uid(&study)?, person("reader", &reader)?);
    let said = "back to the contours that the box found".to_owned();
    let changed = change_and_note(&desk, study, finding, reader, said, |store, study, finding, by| {
        store.reset_contours(study, finding, by)
    });
    Ok(Json(changed.await?))
}

/// Changes a finding and tells the journal who did.
async fn change_and_note(
    desk: &Arc<Desk>,
    study: StudyUid,
    finding: String,
    reader: String,
    said: String,
    change: impl FnOnce(&crate::store::Store, &StudyUid, &str, Change<'_>) -> Result<Finding, ContourError>
    + Send
    + 'static,
) -> Result<Finding, ApiError> {
    let (store, at) = (desk.store.clone(), desk.clock.wall());
    let new_id = desk.identity.pseudonym(&format!("contours {} {finding} {}", study.as_str(), at.0));
    let work = move || {
        let by = Change { reader: &reader, at, new_id: &new_id };
        let changed = change(&store, &study, &finding, by)?;
        let about = store.study(&study)?.patient_study;
        let who = Who { user: reader, address: None };
        let what = format!("finding {finding}, now {}: {said}", changed.id);
        let event = Event::new(Kind::ContoursChanged, Outcome::Success, who).on(&study, &about).because(what);
        store.audit().note(&event, at);
        Ok::<_, ContourError>(changed)
    };
    blocking(work).await
}

/// `slice 3 phase 1, slice 4 phase 1, end systole is phase 9`, counted from 1 as people do; the journal cuts it where it
/// is too long.
fn words(edits: &[ContourEdit], ed_phase: Option<usize>, es_phase: Option<usize>) -> String {
    let images = edits.iter().map(|edit| format!("slice {} phase {}", edit.slice + 1, edit.phase + 1));
    let chosen = [("end diastole", ed_phase), ("end systole", es_phase)];
    let chosen =
        chosen.into_iter().filter_map(|(name, phase)| Some(format!("{name} is phase {}", phase? + 1)));
    images.chain(chosen).collect::<Vec<_>>().join(", ")
}

impl From<ContourError> for ApiError {
    fn from(error: ContourError) -> Self {
        let status = match error {
            ContourError::Store(error) => return error.into(),
            ContourError::NotChangeable(_) | ContourError::NothingToUndo => StatusCode::CONFLICT,
            ContourError::None => StatusCode::NOT_FOUND,
            ContourError::Outline { .. }
            | ContourError::NoSuchImage { .. }
            | ContourError::Unmeasurable(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, error.to_string())
    }
}
