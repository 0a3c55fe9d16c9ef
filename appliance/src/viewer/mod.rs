//! Viewer serves studies and findings to people on the LAN: the API, the frames, pictures of volumes, the web
//! application.
//!
//! Everything shown comes from the store; what a person does goes back to it. Every route but signing in, health and
//! the static shell wants a token or a session. What it has computed (pictures) goes through `Compute`. It never
//! speaks plain HTTP outside loopback (the site file sees to that).

mod access;
mod api;
mod box_ledger;
mod bundles;
mod contours;
mod destinations;
mod dicomweb;
mod error;
mod events;
mod frames;
mod identity;
mod keeping;
mod ledger;
mod lesions;
mod levels;
mod models;
mod perfusion;
mod pictures;
mod quarantine;
mod regions;
mod reviews;
mod runs;
pub mod shapes;
mod shell;
mod short_axis;
mod slices;
mod structures;
mod summary;

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Version};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use sidelight_provisioning::Identity;
use tokio::net::TcpListener;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};
use utoipa::OpenApi;

use crate::clock::{Clock, Timestamp};
use crate::compute::Compute;
use crate::disk::Room;
use crate::inference::{Inference, Machines};
use crate::rescore::Rescorer;
use crate::stop::Stop;
use crate::store::Store;

pub use destinations::DestinationConfig;
pub use keeping::KeepingConfig;

/// What the viewer may say about the box.
#[derive(Clone, Debug)]
pub struct Config {
    pub site: String,
    pub device: String,
    pub ae_title: String,
    pub dicom_port: u16,
    pub broker_configured: bool,
    pub started_at: Timestamp,
    pub destinations: Vec<DestinationConfig>,
    pub keeping: KeepingConfig,
}

/// What every handler may reach.
#[derive(Debug)]
pub struct Desk {
    config: Config,
    store: Store,
    room: Room,
    compute: Compute,
    inference: Inference,
    identity: Identity,
    clock: Clock,
    stop: Stop,
    sessions: access::Sessions,
    stacks: frames::Stacks,
    rescorer: Rescorer,
    pictures: pictures::Pictures,
}

impl Desk {
    pub fn new(
        config: Config,
        store: Store,
        room: Room,
        machines: Machines,
        identity: Identity,
        clock: Clock,
        stop: Stop,
    ) -> Self {
        let (sessions, stacks) = (access::Sessions::default(), frames::Stacks::default());
        let Machines { compute, inference } = machines;
        let rescorer = Rescorer::new(store.clone(), compute.clone());
        let pictures = pictures::Pictures::default();
        Self {
            config,
            store,
            room,
            compute,
            inference,
            identity,
            clock,
            stop,
            sessions,
            stacks,
            rescorer,
            pictures,
        }
    }

    /// Every destination, and whether its confirmation is awaited.
    fn destinations_asked(&self) -> Vec<(String, bool)> {
        self.config.destinations.iter().map(|known| (known.name.clone(), known.archive)).collect()
    }
}

/// Serves until told to stop, then lets requests in hand finish.
pub async fn run(listener: TcpListener, desk: Desk) -> std::io::Result<()> {
    let mut stop = desk.stop.clone();
    tokio::spawn(dicomweb::prepare::run(desk.store.clone(), stop.clone()));
    let router = router(Arc::new(desk));
    axum::serve(listener, router).with_graceful_shutdown(async move { stop.stopped().await }).await
}

/// Every route of the box.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sidelight",
        description = "Studies, findings and frames of one box. Times are RFC 3339 in UTC."
    ),
    paths(
        access::sign_in,
        access::session,
        access::sign_out,
        api::health,
        api::this_box,
        api::studies,
        api::study,
        api::findings,
        frames::frame,
        pictures::stream::pictures,
        short_axis::cut,
        regions::draw,
        perfusion::map,
        perfusion::curve,
        perfusion::choose,
        reviews::review,
        reviews::report,
        runs::runs,
        lesions::assign,
        structures::labels,
        contours::contours,
        contours::edit,
        contours::reset,
        lesions::rescored,
        levels::say,
        identity::conflicts,
        identity::identity,
        identity::decide,
        box_ledger::whole_ledger,
        ledger::ledger,
        keeping::hold,
        keeping::keeping,
        quarantine::quarantine,
        quarantine::download,
        models::models,
        bundles::manifest,
        bundles::download_bundle,
        destinations::destinations,
        destinations::retry,
        events::events,
        dicomweb::search::studies,
        dicomweb::search::series,
        dicomweb::search::instances,
        dicomweb::instances::retrieve,
        dicomweb::metadata::metadata,
        dicomweb::frames::frames,
        dicomweb::bulkdata::bulkdata,
        dicomweb::rendered::rendered,
        dicomweb::rendered::thumbnail,
        dicomweb::volumetric::volumetric,
        dicomweb::stow::store,
    )
)]
struct Api;

/// The API's description, as served and as the web application's types are made from.
pub fn openapi() -> String {
    Api::openapi().to_pretty_json().expect("the description is plain data")
}

fn router(desk: Arc<Desk>) -> Router {
    let guarded = Router::new()
        .route("/api/box", get(api::this_box))
        .route("/api/studies", get(api::studies))
        .route("/api/studies/{study}", get(api::study))
        .route("/api/studies/{study}/findings", get(api::findings))
        .route("/api/studies/{study}/regions", post(regions::draw))
        .route("/api/studies/{study}/findings/{finding}/review", post(reviews::review))
        .route("/api/studies/{study}/findings/{finding}/report.pdf", get(reviews::report))
        .route("/api/studies/{study}/findings/{finding}/lesions", post(lesions::assign))
        .route("/api/studies/{study}/findings/{finding}/levels", post(levels::say))
        .route("/api/studies/{study}/findings/{finding}/rescored", get(lesions::rescored))
        .route("/api/studies/{study}/findings/{finding}/structures/{slice}", get(structures::labels))
        .route("/api/studies/{study}/findings/{finding}/contours", post(contours::edit))
        .route("/api/studies/{study}/findings/{finding}/contours/reset", post(contours::reset))
        .route("/api/studies/{study}/findings/{finding}/contours/{phase}", get(contours::contours))
        .route("/api/studies/{study}/findings/{finding}/maps/{map}/{slice}", get(perfusion::map))
        .route("/api/studies/{study}/findings/{finding}/curve", get(perfusion::curve))
        .route("/api/studies/{study}/findings/{finding}/perfusion", post(perfusion::choose))
        .route("/api/studies/{study}/series/{series}/frames/{frame}", get(frames::frame))
        .route("/api/studies/{study}/series/{series}/short_axis", post(short_axis::cut))
        .route("/api/studies/{study}/series/{series}/pictures", get(pictures::stream::pictures))
        .route("/api/studies/{study}/identity", get(identity::identity).post(identity::decide))
        .route("/api/studies/{study}/ledger", get(ledger::ledger))
        .route("/api/studies/{study}/runs", get(runs::runs))
        .route("/api/studies/{study}/hold", post(keeping::hold))
        .route("/api/ledger", get(box_ledger::whole_ledger))
        .route("/api/identity", get(identity::conflicts))
        .route("/api/keeping", get(keeping::keeping))
        .route("/api/quarantine", get(quarantine::quarantine))
        .route("/api/quarantine/{sha256}", get(quarantine::download))
        .route("/api/models", get(models::models))
        .route("/api/models/manifest", get(bundles::manifest))
        .route("/api/models/{name}/download", get(bundles::download_bundle))
        .route("/api/destinations", get(destinations::destinations))
        .route("/api/destinations/{name}/retry", post(destinations::retry))
        .route("/api/events", get(events::events))
        .route("/api/openapi.json", get(api::description))
        .route("/api/{*rest}", get(api::no_such_route).post(api::no_such_route))
        .merge(dicomweb::routes())
        .route_layer(from_fn_with_state(desk.clone(), access::guard));
    Router::new()
        .route("/api/health", get(api::health))
        .route("/api/session", get(access::session).post(access::sign_in).delete(access::sign_out))
        .merge(guarded)
        .fallback(shell::serve)
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(is_worth_compressing)))
        .layer(from_fn(shell::headers))
        .with_state(desk)
}

/// Pixels are read over the LAN faster than they are compressed; the shell is compressed already.
fn is_worth_compressing(_: StatusCode, _: Version, headers: &HeaderMap, _: &axum::http::Extensions) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default();
    // A download's digest is of its own bytes.
    !["application/octet-stream", "application/dicom", "application/x-tar", "multipart/related"]
        .contains(&media)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_description_is_what_the_code_says() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web/openapi.json");
        let written = super::openapi() + "\n";
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            committed, written,
            "run UPDATE_OPENAPI=1 cargo test -p sidelight description, then npm run types"
        );
    }
}
