//! How full the disk is, how long it lasts, which studies may make room, and which must not.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::reviews::signature;
use super::shapes::{DiskState, Problem};
use super::summary::date;
use crate::disk::space;
use crate::store::StoreError;
use crate::store::keeping::KeptStudy;
use crate::store::retention::LegalHold;

/// The head of the order of deletion: each line asks after every object of its study.
const STUDIES_MAX: usize = 100;
/// A reason a person can read, not a file.
const REASON_CHARS_MAX: usize = 500;

/// What the site file says about keeping.
#[derive(Clone, Copy, Debug)]
pub struct KeepingConfig {
    /// Deletion begins above this; without it nothing is deleted.
    pub quota_bytes: Option<u64>,
    /// Below this much free space no object is taken.
    pub reserve_bytes: u64,
    pub this_box_is_the_archive: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Keeping {
    pub disk: DiskState,
    /// Bytes of all received objects.
    pub used_bytes: u64,
    /// Objects are refused below this much free space.
    pub reserve_bytes: u64,
    pub quota_bytes: Option<u64>,
    pub this_box_is_the_archive: bool,
    /// Destinations whose confirmation allows deletion.
    pub archives: Vec<String>,
    pub forecast: Option<Forecast>,
    pub studies_total: usize,
    /// The first hundred in the order of deletion: read ones first, oldest first.
    pub studies: Vec<KeptLine>,
}

/// At the pace of the last days. Absent during a box's first day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Forecast {
    pub bytes_per_day: u64,
    /// Days the pace was taken from, at most seven.
    pub over_days: u64,
    /// Until objects are refused; absent where nothing arrived.
    pub days_left: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeptLine {
    pub study_uid: String,
    pub patient_name: String,
    pub patient_id: String,
    pub study_date: Option<String>,
    pub description: String,
    pub last_arrival_at: String,
    pub bytes: u64,
    /// A reader has judged a finding in it.
    pub was_read: bool,
    pub legal_hold: Option<HoldState>,
    /// Why it cannot be deleted; absent where it may be.
    pub stays: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HoldState {
    pub reason: String,
    pub by: String,
    pub at: String,
}

impl From<LegalHold> for HoldState {
    fn from(hold: LegalHold) -> Self {
        Self { reason: hold.reason, by: hold.by, at: hold.at.rfc3339() }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct HoldRequest {
    pub held: bool,
    /// Wanted where the hold is set.
    #[serde(default)]
    pub reason: String,
    /// Who says so; the reading station where nobody is named.
    pub by: Option<String>,
}

/// The disk and what may leave it.
#[utoipa::path(get, path = "/api/keeping", responses((status = 200, body = Keeping)))]
pub(super) async fn keeping(State(desk): State<Arc<Desk>>) -> Result<Json<Keeping>, ApiError> {
    Ok(Json(blocking(move || look(&desk)).await?))
}

/// Set or lift a legal hold: while it stands nothing of the study is deleted.
#[utoipa::path(
    post,
    path = "/api/studies/{study}/hold",
    request_body = HoldRequest,
    responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem))
)]
pub(super) async fn hold(
    State(desk): State<Arc<Desk>>,
    Path(study): Path<String>,
    request: Result<Json<HoldRequest>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(request) = request?;
    let uid = study_uid(&study)?;
    let reason = request.reason.trim().to_owned();
    if request.held && (reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX) {
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "a legal hold needs a reason, at most 500 characters",
        ));
    }
    let (at, by) = (desk.clock.wall(), signature("by", request.by)?);
    let hold = request.held.then(|| LegalHold { reason, by: by.clone(), at });
    blocking(move || desk.store.set_legal_hold(&uid, hold.as_ref(), &by, at)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn look(desk: &Desk) -> Result<Keeping, StoreError> {
    let config = desk.config.keeping;
    let asked = desk.destinations_asked();
    let all: Vec<_> = asked.iter().map(|(name, _)| name.clone()).collect();
    let archives: Vec<_> = asked.iter().filter(|(_, is)| *is).map(|(name, _)| name.clone()).collect();
    let folder = desk.store.folder();
    let disk = space(folder).map_err(StoreError::file("measure", folder))?;
    let (studies, studies_total) = desk.store.kept_studies(&archives, &all, STUDIES_MAX)?;
    let pace = desk.store.pace(desk.clock.wall())?;
    let room = disk.free_bytes.saturating_sub(config.reserve_bytes);
    Ok(Keeping {
        disk: DiskState { free_bytes: disk.free_bytes, total_bytes: disk.total_bytes },
        used_bytes: desk.store.used_bytes()?,
        reserve_bytes: config.reserve_bytes,
        quota_bytes: config.quota_bytes,
        this_box_is_the_archive: config.this_box_is_the_archive,
        archives,
        forecast: pace.map(|pace| Forecast {
            bytes_per_day: pace.bytes_per_day,
            over_days: pace.over_days,
            days_left: room.checked_div(pace.bytes_per_day),
        }),
        studies_total,
        studies: studies.into_iter().map(line).collect(),
    })
}

fn line(kept: KeptStudy) -> KeptLine {
    let about = kept.record.patient_study;
    KeptLine {
        study_uid: kept.study.as_str().to_owned(),
        patient_name: about.patient_name,
        patient_id: about.patient_id,
        study_date: date(about.study_date),
        description: about.study_description,
        last_arrival_at: kept.record.last_arrival.rfc3339(),
        bytes: kept.record.bytes,
        was_read: kept.was_read,
        legal_hold: kept.hold.map(HoldState::from),
        stays: kept.stays.map(|why| why.to_string()),
    }
}
