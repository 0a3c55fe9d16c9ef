//! A study that arrived under two patients: what was seen, and what an admin decides.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::reviews::signature;
use super::shapes::Problem;
use super::summary::date;
use crate::store::identity::IdentityRecord;
use crate::store::{Store, StoreError};
use crate::uid::StudyUid;

/// More conflicts than this and something else is wrong.
const CONFLICTS_MAX: usize = 200;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IdentityConflicts {
    /// Held ones first; decided ones stay, because a decision can be taken back.
    pub studies: Vec<StudyIdentity>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudyIdentity {
    pub study_uid: String,
    pub study_date: Option<String>,
    pub description: String,
    pub accession_number: String,
    pub last_arrival_at: String,
    /// The study is neither analysed nor forwarded.
    pub held: bool,
    pub identities: Vec<Identity>,
}

/// One identity as some instances of the study give it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Identity {
    pub patient_id: String,
    pub patient_name: String,
    pub birth_date: String,
    pub instances: u64,
    /// An admin said that it is the same person as the other accepted ones.
    pub accepted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum IdentityChoice {
    /// All identities seen so far are one person: analyse and forward.
    Accept,
    /// They are not, or nobody knows: the study stays where it is.
    KeepHeld,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct IdentityDecision {
    pub decision: IdentityChoice,
    /// Who decides; the reading station where nobody is named.
    pub by: Option<String>,
}

/// Every study that arrived under two patients.
#[utoipa::path(get, path = "/api/identity", responses((status = 200, body = IdentityConflicts)))]
pub(super) async fn conflicts(State(desk): State<Arc<Desk>>) -> Result<Json<IdentityConflicts>, ApiError> {
    let look = move || {
        let found = desk.store.identity_conflicts(CONFLICTS_MAX)?.into_iter();
        let studies = found.map(|(uid, record)| shape(&desk.store, &uid, record));
        Ok::<_, StoreError>(IdentityConflicts { studies: studies.collect::<Result<_, _>>()? })
    };
    Ok(Json(blocking(look).await?))
}

/// Whose study it is, as its instances say.
#[utoipa::path(get, path = "/api/studies/{study}/identity", responses((status = 200, body = StudyIdentity), (status = 404, body = Problem)))]
pub(super) async fn identity(
    State(desk): State<Arc<Desk>>,
    Path(study): Path<String>,
) -> Result<Json<StudyIdentity>, ApiError> {
    let uid = study_uid(&study)?;
    let look = move || shape(&desk.store, &uid, desk.store.identities(&uid)?);
    Ok(Json(blocking(look).await?))
}

/// Decide over the identities seen so far. A further one holds the study again.
#[utoipa::path(
    post,
    path = "/api/studies/{study}/identity",
    request_body = IdentityDecision,
    responses((status = 200, body = StudyIdentity), (status = 404, body = Problem), (status = 422, body = Problem))
)]
pub(super) async fn decide(
    State(desk): State<Arc<Desk>>,
    Path(study): Path<String>,
    request: Result<Json<IdentityDecision>, JsonRejection>,
) -> Result<Json<StudyIdentity>, ApiError> {
    let Json(request) = request?;
    let uid = study_uid(&study)?;
    let at = desk.clock.wall();
    let one_person = request.decision == IdentityChoice::Accept;
    // Until people sign in by name, whoever holds the station's token is the admin.
    let by = signature("by", request.by)?;
    let decide = move || {
        let record = desk.store.decide_identity(&uid, one_person, &by, at)?;
        shape(&desk.store, &uid, record)
    };
    Ok(Json(blocking(decide).await?))
}

fn shape(store: &Store, uid: &StudyUid, record: IdentityRecord) -> Result<StudyIdentity, StoreError> {
    let study = store.study(uid)?;
    let held = record.is_held();
    let accepted = record.accepted;
    let identities = record.seen.into_iter().map(|seen| Identity {
        accepted: accepted.contains(&seen.digest),
        patient_id: seen.patient_id,
        patient_name: seen.patient_name,
        birth_date: seen.birth_date,
        instances: seen.instances,
    });
    Ok(StudyIdentity {
        study_uid: uid.as_str().to_owned(),
        study_date: date(study.patient_study.study_date),
        description: study.patient_study.study_description,
        accession_number: study.patient_study.accession_number,
        last_arrival_at: study.last_arrival.rfc3339(),
        held,
        identities: identities.collect(),
    })
}
