//! Where studies are forwarded to, how each place is doing, and "try again".

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Desk;
use super::error::{ApiError, blocking};
use super::shapes::Problem;
use crate::store::StoreError;

/// A destination of the site file, as the viewer shows it.
#[derive(Clone, Debug)]
pub struct DestinationConfig {
    pub name: String,
    pub kind: &'static str,
    pub address: String,
    pub archive: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Destinations {
    pub destinations: Vec<DestinationState>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DestinationState {
    pub name: String,
    /// `dicom` or `stow`.
    pub kind: String,
    pub address: String,
    /// Its confirmation allows deletion here.
    pub archive: bool,
    /// How the last attempt went; absent before the first.
    pub reached: Option<bool>,
    pub reached_at: Option<String>,
    /// Why it was not reached.
    pub error: Option<String>,
    /// Objects on their way.
    pub waiting: usize,
    /// Objects that failed too often and wait for a person.
    pub isolated: usize,
    /// Objects it has and has not confirmed.
    pub unconfirmed: usize,
    /// What is wrong with the isolated ones, at most twenty.
    pub problems: Vec<IsolatedObject>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IsolatedObject {
    pub study_uid: Option<String>,
    pub sop_instance_uid: Option<String>,
    pub reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Retried {
    /// Objects that get a new start.
    pub objects: usize,
}

/// Examples shown of what is isolated; the count says how many there are.
const PROBLEMS_MAX: usize = 20;

/// Every destination and its queue.
#[utoipa::path(get, path = "/api/destinations", responses((status = 200, body = Destinations)))]
pub(super) async fn destinations(State(desk): State<Arc<Desk>>) -> Result<Json<Destinations>, ApiError> {
    let list = move || {
        let states = desk.config.destinations.iter().map(|config| state(&desk, config));
        Ok::<_, StoreError>(Destinations { destinations: states.collect::<Result<_, _>>()? })
    };
    Ok(Json(blocking(list).await?))
}

/// Try everything again that failed at this destination, now.
#[utoipa::path(post, path = "/api/destinations/{name}/retry", responses((status = 202, body = Retried), (status = 404, body = Problem)))]
pub(super) async fn retry(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<Retried>), ApiError> {
    if !desk.config.destinations.iter().any(|known| known.name == name) {
        return Err(ApiError::not_found("destination"));
    }
    let objects = blocking(move || desk.store.retry(&name)).await?;
    Ok((StatusCode::ACCEPTED, Json(Retried { objects })))
}

fn state(desk: &Desk, config: &DestinationConfig) -> Result<DestinationState, StoreError> {
    let queue = desk.store.queue_state(&config.name)?;
    let reached = desk.store.live().reached(&config.name);
    let isolated = if queue.isolated > 0 { desk.store.waiting(&config.name)? } else { Vec::new() };
    let problems =
        isolated.into_iter().filter(super::super::store::forwarding::Waiting::is_isolated).take(PROBLEMS_MAX);
    let problem = |waiting: crate::store::forwarding::Waiting| {
        let uids = waiting.object.uids();
        IsolatedObject {
            study_uid: uids.as_ref().map(|(study, _, _)| study.as_str().to_owned()),
            sop_instance_uid: uids.as_ref().map(|(_, _, sop)| sop.as_str().to_owned()),
            reason: waiting.reason.unwrap_or_default(),
        }
    };
    Ok(DestinationState {
        name: config.name.clone(),
        kind: config.kind.into(),
        address: config.address.clone(),
        archive: config.archive,
        reached: reached.as_ref().map(|reached| reached.error.is_none()),
        reached_at: reached.as_ref().map(|reached| reached.at.rfc3339()),
        error: reached.and_then(|reached| reached.error),
        waiting: queue.waiting,
        isolated: queue.isolated,
        unconfirmed: queue.unconfirmed,
        problems: problems.map(problem).collect(),
    })
}
