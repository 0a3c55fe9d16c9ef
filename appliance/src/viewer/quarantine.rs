//! What arrived whole and does not parse: what is known of it, and its bytes for whoever can mend the sender.

use std::fs::File;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Desk;
use super::dicomweb::stream::stream;
use super::error::{ApiError, blocking};
use super::ledger::{LedgerStanding, standing_of};
use super::shapes::Problem;
use crate::audit::{Event, Kind, Outcome, Who};
use crate::store::{Quarantined, Store, StoreError};

/// A sender that is broken fills this in minutes, and one object tells what is wrong with it.
const OBJECTS_MAX: usize = 200;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Quarantine {
    /// The newest first; the list ends at two hundred.
    pub objects: Vec<QuarantinedObject>,
    pub total: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QuarantinedObject {
    /// Of its data set; names the object.
    pub sha256: String,
    /// Why it does not parse.
    pub reason: String,
    pub arrived_at: String,
    pub bytes: u64,
    /// What the sender said it is; absent where even that is unknown.
    pub sop_class: Option<String>,
    /// The SOP class in words.
    pub sop_class_name: Option<String>,
    pub sop_instance_uid: Option<String>,
    pub transfer_syntax: Option<String>,
    pub source_ae_title: Option<String>,
    pub destinations: Vec<LedgerStanding>,
}

/// Everything in quarantine.
#[utoipa::path(get, path = "/api/quarantine", responses((status = 200, body = Quarantine)))]
pub(super) async fn quarantine(State(desk): State<Arc<Desk>>) -> Result<Json<Quarantine>, ApiError> {
    let look = move || {
        let (objects, total) = desk.store.quarantined(OBJECTS_MAX)?;
        let names: Vec<_> = desk.destinations_asked().into_iter().map(|(name, _)| name).collect();
        let shaped = objects.into_iter().map(|object| shape(&desk.store, object, &names));
        Ok::<_, StoreError>(Quarantine { objects: shaped.collect::<Result<_, _>>()?, total })
    };
    Ok(Json(blocking(look).await?))
}

/// The object as it came, behind the box's own header. Audited: it leaves the box.
#[utoipa::path(
    get,
    path = "/api/quarantine/{sha256}",
    responses((status = 200, content_type = "application/dicom", body = Vec<u8>), (status = 404, body = Problem))
)]
pub(super) async fn download(
    State(desk): State<Arc<Desk>>,
    Path(sha256): Path<String>,
) -> Result<Response, ApiError> {
    let path = {
        let (desk, sha256, at) = (desk.clone(), sha256.clone(), desk.clock.wall());
        blocking(move || {
            let path = desk.store.quarantined_path(&sha256)?;
            let event = Event::new(Kind::ObjectExported, Outcome::Success, Who::station());
            let event = event.because(format!("quarantined object {sha256}"));
            desk.store.audit().record(&event, at)?;
            Ok::<_, StoreError>(path)
        })
        .await?
    };
    let mut file = File::open(&path).map_err(StoreError::file("open", &path))?;
    let bytes = file.metadata().map_err(StoreError::file("inspect", &path))?.len();
    let body = stream(move |out| {
        std::io::copy(&mut file, out).map_err(|error| ApiError::internal(&error))?;
        Ok(())
    });
    let name = format!("attachment; filename=\"quarantined-{}.dcm\"", &sha256[..16]);
    let headers = [
        (CONTENT_TYPE, "application/dicom".to_owned()),
        (CONTENT_DISPOSITION, name),
        (CONTENT_LENGTH, bytes.to_string()),
    ];
    Ok((headers, body).into_response())
}

fn shape(store: &Store, found: Quarantined, names: &[String]) -> Result<QuarantinedObject, StoreError> {
    let mut destinations = Vec::new();
    for name in names {
        destinations.push(standing_of(name, &store.standing(name, &found.object)?));
    }
    let said = |text: fn(&crate::part10::Header) -> &str| {
        found.header.as_ref().map(|header| text(header).to_owned()).filter(|text| !text.is_empty())
    };
    let sop_class = said(|header| &header.sop_class);
    Ok(QuarantinedObject {
        sop_class_name: sop_class.as_deref().and_then(sop_class_name),
        sop_class,
        sop_instance_uid: said(|header| &header.sop_instance),
        transfer_syntax: said(|header| &header.transfer_syntax),
        source_ae_title: said(|header| &header.source_ae_title),
        sha256: found.sha256,
        reason: found.reason,
        arrived_at: found.arrived_at.rfc3339(),
        bytes: found.bytes,
        destinations,
    })
}

fn sop_class_name(uid: &str) -> Option<String> {
    use dicom_core::dictionary::UidDictionary as _;
    let entry = dicom_dictionary_std::StandardSopClassDictionary.by_uid(uid)?;
    Some(entry.name.to_owned())
}
