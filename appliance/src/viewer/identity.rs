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
use super::shapes::Problem;
use crate::store::StoreError;
use crate::store::identity::IdentityRecord;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudyIdentity {
    pub study_uid: String,
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
}

/// Whose study it is, as its instances say.
#[utoipa::path(get, path = "/api/studies/{study}/identity", responses((status = 200, body = StudyIdentity), (status = 404, body = Problem)))]
pub(super) async fn identity(
    State(desk): State<Arc<Desk>>,
    Path(study): Path<String>,
) -> Result<Json<StudyIdentity>, ApiError> {
    let uid = study_uid(&study)?;
    let look = move || {
        desk.store.study(&uid)?;
        Ok::<_, StoreError>(shape(study, desk.store.identities(&uid)?))
    };
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
    let decide = move || desk.store.decide_identity(&uid, one_person, "reading station", at);
    Ok(Json(shape(study, blocking(decide).await?)))
}

fn shape(study_uid: String, record: IdentityRecord) -> StudyIdentity {
    let held = record.is_held();
    let accepted = record.accepted;
    let identities = record.seen.into_iter().map(|seen| Identity {
        accepted: accepted.contains(&seen.digest),
        patient_id: seen.patient_id,
        patient_name: seen.patient_name,
        birth_date: seen.birth_date,
        instances: seen.instances,
    });
    StudyIdentity { study_uid, held, identities: identities.collect() }
}
