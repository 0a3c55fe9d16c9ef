//! DICOMweb (PS3.18) for clients nobody here wrote: QIDO-RS, WADO-RS and STOW-RS below `/dicom-web`.
//!
//! ```text
//! search      /studies /series /instances, /studies/{s}/series, /studies/{s}/instances, .../series/{e}/instances
//! retrieve    /studies/{s}, .../series/{e}, .../instances/{i}; each with /metadata /rendered /thumbnail
//!             .../frames/{n,m}, .../frames/{n}/rendered, .../frames/{n}/thumbnail, .../bulkdata/{path}
//! volumes     .../series/{e}/rendered3D, .../series/{e}/renderedMPR
//! store       POST /studies, POST /studies/{s}
//! ```
//!
//! Everything wants the same token or session as `/api`. Bodies are written while they are sent and read while they
//! arrive: memory does not grow with an object. Refusals are problem documents (RFC 9457) that name the field.
//! It does not delete, does not speak XML, and serves no quarantined object and no second version of a UID.

mod accept;
mod attributes;
pub(super) mod bulkdata;
pub(super) mod frames;
pub(super) mod instances;
mod levels;
pub(super) mod metadata;
mod multipart;
mod multipart_reader;
mod origin;
pub(super) mod prepare;
pub(super) mod range;
pub(super) mod rendered;
pub(super) mod search;
mod search_request;
mod store_parts;
pub(super) mod stow;
pub(super) mod stream;
mod target;
pub(super) mod volumetric;

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Desk;
use super::error::ApiError;

/// All routes of the service, without the guard.
pub(super) fn routes() -> Router<Arc<Desk>> {
    const STUDY: &str = "/dicom-web/studies/{study}";
    const SERIES: &str = "/dicom-web/studies/{study}/series/{series}";
    const INSTANCE: &str = "/dicom-web/studies/{study}/series/{series}/instances/{instance}";
    let mut routes = Router::new()
        .route("/dicom-web/studies", get(search::studies).post(stow::store))
        .route("/dicom-web/series", get(search::series))
        .route("/dicom-web/instances", get(search::instances))
        .route(STUDY, get(instances::retrieve).post(stow::store))
        .route(&format!("{STUDY}/series"), get(search::series))
        .route(&format!("{STUDY}/instances"), get(search::instances))
        .route(SERIES, get(instances::retrieve))
        .route(&format!("{SERIES}/instances"), get(search::instances))
        .route(&format!("{SERIES}/rendered3D"), get(volumetric::volumetric))
        .route(&format!("{SERIES}/renderedMPR"), get(volumetric::volumetric))
        .route(INSTANCE, get(instances::retrieve))
        .route(&format!("{INSTANCE}/frames/{{frames}}"), get(frames::frames))
        .route(&format!("{INSTANCE}/bulkdata/{{*path}}"), get(bulkdata::bulkdata))
        .route("/dicom-web", get(no_such_route))
        .route("/dicom-web/{*rest}", get(no_such_route).post(no_such_route));
    for level in [STUDY, SERIES, INSTANCE] {
        routes = routes.route(&format!("{level}/metadata"), get(metadata::metadata));
    }
    for level in
        [STUDY.to_owned(), SERIES.to_owned(), INSTANCE.to_owned(), format!("{INSTANCE}/frames/{{frames}}")]
    {
        routes = routes
            .route(&format!("{level}/rendered"), get(rendered::rendered))
            .route(&format!("{level}/thumbnail"), get(rendered::thumbnail));
    }
    routes.route_layer(map_response(in_problems))
}

async fn no_such_route() -> ApiError {
    ApiError::not_found("DICOMweb resource; /api/openapi.json lists them")
}

/// Refusals the web framework made itself (a method, an address that does not decode) become problem documents too.
async fn in_problems(response: Response) -> Response {
    let status = response.status();
    let media =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !(status.is_client_error() || status.is_server_error()) || media.contains("json") {
        return response;
    }
    let reason = status.canonical_reason().unwrap_or("refused").to_lowercase();
    let allowed = response.headers().get(axum::http::header::ALLOW).cloned();
    let mut problem =
        ApiError::new(status, format!("this address cannot be asked so: {reason}")).into_response();
    if let Some(allowed) = allowed {
        problem.headers_mut().insert(axum::http::header::ALLOW, allowed);
    }
    problem
}
