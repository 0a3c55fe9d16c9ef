//! Studies, findings and the state of the box.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::error::{ApiError, blocking};
use super::shapes::{
    Attention, BoxState, BrokerState, DiskState, Findings, Health, Problem, ProcessorState, StoreState,
    Studies, StudyDetail,
};
use super::{Desk, openapi, summary};
use crate::compute::Compute;
use crate::store::StoreError;
use crate::uid::StudyUid;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whether the box answers at all.
#[utoipa::path(get, path = "/api/health", responses((status = 200, body = Health)))]
pub(super) async fn health() -> Json<Health> {
    Json(Health { status: "ok", version: VERSION })
}

/// What the box is and how it feels.
#[utoipa::path(get, path = "/api/box", responses((status = 200, body = BoxState)))]
pub(super) async fn this_box(State(desk): State<Arc<Desk>>) -> Result<Json<BoxState>, ApiError> {
    let look = desk.clone();
    let ((studies, instances, quarantined), disk, attention) = blocking(move || {
        let store = &look.store;
        let disk = crate::disk::space(store.folder()).map_err(StoreError::file("measure", store.folder()))?;
        Ok::<_, StoreError>((store.counts()?, disk, attention(&look)?))
    })
    .await?;
    let config = &desk.config;
    Ok(Json(BoxState {
        version: VERSION,
        site: config.site.clone(),
        device: config.device.clone(),
        ae_title: config.ae_title.clone(),
        dicom_port: config.dicom_port,
        started_at: config.started_at.rfc3339(),
        processor: processor(&desk.compute),
        disk: DiskState { free_bytes: disk.free_bytes, total_bytes: disk.total_bytes },
        store: StoreState { studies, instances, quarantined },
        broker: BrokerState {
            configured: config.broker_configured,
            connected: desk.store.live().broker_is_up(),
            waiting: desk.store.promises_waiting(),
        },
        attention,
    }))
}

fn attention(desk: &Desk) -> Result<Attention, StoreError> {
    let mut attention = Attention { held_identities: desk.store.held_count()?, unreached: 0, isolated: 0 };
    for destination in &desk.config.destinations {
        let reached = desk.store.live().reached(&destination.name);
        attention.unreached += usize::from(reached.is_some_and(|reached| reached.error.is_some()));
        attention.isolated += desk.store.queue_state(&destination.name)?.isolated;
    }
    Ok(attention)
}

/// The work list.
#[utoipa::path(get, path = "/api/studies", responses((status = 200, body = Studies)))]
pub(super) async fn studies(State(desk): State<Arc<Desk>>) -> Result<Json<Studies>, ApiError> {
    let store = desk.store.clone();
    let list = move || {
        let mut studies = store.studies()?;
        studies.sort_by_key(|(_, record)| std::cmp::Reverse(record.first_arrival));
        studies.iter().map(|(uid, _)| summary::study(&store, uid)).collect::<Result<Vec<_>, StoreError>>()
    };
    Ok(Json(Studies { studies: blocking(list).await? }))
}

/// One study with its series.
#[utoipa::path(get, path = "/api/studies/{study}", responses((status = 200, body = StudyDetail), (status = 404, body = Problem)))]
pub(super) async fn study(
    State(desk): State<Arc<Desk>>,
    Path(study): Path<String>,
) -> Result<Json<StudyDetail>, ApiError> {
    let (store, uid) = (desk.store.clone(), study_uid(&study)?);
    Ok(Json(blocking(move || summary::detail(&store, &uid)).await?))
}

/// Everything the box found in a study, with the reason where it found nothing.
#[utoipa::path(get, path = "/api/studies/{study}/findings", responses((status = 200, body = Findings), (status = 404, body = Problem)))]
pub(super) async fn findings(
    State(desk): State<Arc<Desk>>,
    Path(study): Path<String>,
) -> Result<Json<Findings>, ApiError> {
    let (store, uid) = (desk.store.clone(), study_uid(&study)?);
    let list = move || {
        store.study(&uid)?;
        let cards = store.finding_cards(&uid)?;
        cards.iter().rev().map(|card| store.finding(&uid, &card.id)).collect::<Result<Vec<_>, StoreError>>()
    };
    Ok(Json(Findings { study_uid: study, findings: blocking(list).await? }))
}

/// This document.
pub(super) async fn description() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi())
}

/// Below `/api` nothing falls through to the shell.
pub(super) async fn no_such_route() -> ApiError {
    ApiError::not_found("route; /api/openapi.json lists them")
}

pub(super) fn study_uid(text: &str) -> Result<StudyUid, ApiError> {
    StudyUid::parse(text).map_err(|_| ApiError::not_found("study"))
}

fn processor(compute: &Compute) -> ProcessorState {
    let without = |kind: &str, reason: String| ProcessorState {
        kind: kind.into(),
        name: String::new(),
        reason,
        degraded: None,
    };
    match compute.info() {
        None => without("probing", "the boot probe is running".into()),
        Some(Ok(info)) => ProcessorState {
            kind: format!("{:?}", info.kind).to_lowercase(),
            name: info.name,
            reason: info.reason,
            degraded: info.degraded,
        },
        Some(Err(error)) => without("none", error.to_string()),
    }
}
