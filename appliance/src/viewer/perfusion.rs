//! Perfusion maps, curves on demand, and a reader's other choice of inlets or method.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sidelight_kernels::Region;
use sidelight_kernels::perfusion::PerfusionError;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::shapes::{CurveAnswer, Problem, RegionAccepted};
use super::slices::{self, Slice};
use crate::store::Store;
use crate::store::perfusion::{FilePart, PerfusionChoice, PerfusionPart, Spot};
use crate::store::records::{Asked, Question};
use crate::store::resident::{Kept, Wanted};
use crate::uid::StudyUid;

/// Coordinates beyond any image are a mistake.
const COORDINATE_MAX: f64 = 1e5;
/// Seconds after which a curve may be asked for again while its series is read.
const AGAIN_S: u64 = 1;

/// One slice of a map: rows x columns 32-bit floats in little endian, NaN where there is no value (`cbf`, `cbv`, `mtt`,
/// `ttp`, `tmax`; `3.f32`), or of `tissue`: bytes with the bits 1 brain, 2 vessel, 4 CSF, 8 core, 16 hypoperfused
/// (`3.u8`). Slices count from 0 in the order of the series' positions.
#[utoipa::path(
    get,
    path = "/api/studies/{study}/findings/{finding}/maps/{map}/{slice}",
    responses(
        (status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 304),
        (status = 404, body = Problem),
    )
)]
pub(super) async fn map(
    State(desk): State<Arc<Desk>>,
    Path((study, finding, map, slice)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Result<Slice, ApiError> {
    let (store, study, known) = (desk.store.clone(), study_uid(&study)?, slices::known(&headers));
    let read = move || {
        let part = perfusion(&store, &study, &finding)?;
        let (file, voxel_bytes, ending) = file_of(&part, &map)?;
        let slice = slices::number(&slice, ending, part.grid.slices)?;
        let count = part.grid.columns as usize * part.grid.rows as usize * voxel_bytes;
        let from = u64::from(slice) * count as u64;
        Slice::of(file, slice, known.as_deref(), || store.read_part(&study, &finding, file, from, count))
    };
    blocking(read).await
}

fn file_of<'a>(part: &'a PerfusionPart, name: &str) -> Result<(&'a FilePart, usize, &'static str), ApiError> {
    if name == "tissue" {
        return Ok((&part.tissue, 1, ".u8"));
    }
    let map = part.maps.iter().find(|map| map.kind.name() == name);
    let map = map.ok_or_else(|| ApiError::not_found("map; there are cbf, cbv, mtt, ttp, tmax and tissue"))?;
    Ok((&map.file, 4, ".f32"))
}

fn perfusion(store: &Store, study: &StudyUid, finding: &str) -> Result<PerfusionPart, ApiError> {
    let part = store.finding(study, finding)?.perfusion;
    part.ok_or_else(|| ApiError::not_found("perfusion maps in this finding"))
}

/// A voxel, or a disc around it.
#[derive(Debug, Deserialize)]
pub(super) struct CurveQuery {
    column: f64,
    row: f64,
    slice: u32,
    #[serde(default)]
    radius_px: f64,
}

/// The time-intensity curve of a voxel or a disc: enhancement in HU over the finding's `times_s`. While the series is
/// not in memory it is answered with 503 and read; ask again.
#[utoipa::path(
    get,
    path = "/api/studies/{study}/findings/{finding}/curve",
    params(
        ("column" = f64, Query, description = "Pixel centres are at whole coordinates."),
        ("row" = f64, Query),
        ("slice" = u32, Query),
        ("radius_px" = Option<f64>, Query, description = "Of a disc; a single voxel without it."),
    ),
    responses(
        (status = 200, body = CurveAnswer),
        (status = 404, body = Problem),
        (status = 422, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn curve(
    State(desk): State<Arc<Desk>>,
    Path((study, finding)): Path<(String, String)>,
    Query(query): Query<CurveQuery>,
) -> Result<Response, ApiError> {
    let wanted = Wanted { study: study_uid(&study)?, finding_id: finding };
    if let Some(kept) = desk.store.live().resident().get_or_want(&wanted) {
        return Ok(Json(blocking(move || curve_of(&kept, &query)).await?).into_response());
    }
    let (store, study) = (desk.store.clone(), wanted.study);
    blocking(move || {
        perfusion(&store, &study, &wanted.finding_id)?;
        store.live().changed(&study);
        Ok::<_, ApiError>(())
    })
    .await?;
    let sentence = "the series is being read into memory; ask again in a moment";
    let mut answer = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, sentence).into_response();
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(AGAIN_S));
    Ok(answer)
}

fn curve_of(kept: &Kept, query: &CurveQuery) -> Result<CurveAnswer, ApiError> {
    let refuse = |why: &str| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, why);
    let spot = Spot {
        center_px: [query.column, query.row],
        slice: query.slice,
        // Less than the distance to a neighbour: the voxel alone.
        radius_px: query.radius_px.max(0.5),
    };
    check(&spot).map_err(refuse)?;
    let dimensions = kept.dynamic.dimensions();
    let region = Region::circle(dimensions, spot.center_px, spot.radius_px, spot.slice..=spot.slice);
    let curve = kept.perfusion.curve(&kept.dynamic, &region).map_err(|error| match error {
        PerfusionError::EmptyRegion(_) => refuse("no voxel of the series lies there"),
        error => ApiError::internal(&error),
    })?;
    Ok(CurveAnswer {
        times_s: kept.perfusion.times_s.clone(),
        enhancement_hu: curve.enhancement_hu,
        voxels: curve.region.count(),
    })
}

/// Analyse again with other inlets or another method. The answer is a finding with the returned id, beside the
/// automatic one.
#[utoipa::path(
    post,
    path = "/api/studies/{study}/findings/{finding}/perfusion",
    request_body = PerfusionChoice,
    responses((status = 202, body = RegionAccepted), (status = 404, body = Problem), (status = 422, body = Problem))
)]
pub(super) async fn choose(
    State(desk): State<Arc<Desk>>,
    Path((study, finding)): Path<(String, String)>,
    request: Result<Json<PerfusionChoice>, JsonRejection>,
) -> Result<(StatusCode, Json<RegionAccepted>), ApiError> {
    let Json(choice) = request?;
    let study = study_uid(&study)?;
    for spot in [&choice.artery, &choice.vein].into_iter().flatten() {
        check(spot).map_err(|what| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, what))?;
    }
    let at = desk.clock.wall();
    let (store, identity) = (desk.store.clone(), desk.identity.clone());
    let ask = move || {
        perfusion(&store, &study, &finding)?;
        let series = store.finding(&study, &finding)?.series_uid;
        let about = format!("question {} {} {} {choice:?}", study.as_str(), series.as_str(), at.0);
        let finding_id = identity.pseudonym(&about);
        // Until people sign in by name, the token is the station's.
        let reader = "reading station".to_owned();
        let about = Asked::Perfusion { choice };
        store.ask(&Question { finding_id: finding_id.clone(), study, series, about, reader })?;
        Ok::<_, ApiError>(finding_id)
    };
    let finding_id = blocking(ask).await?;
    Ok((StatusCode::ACCEPTED, Json(RegionAccepted { finding_id })))
}

fn check(spot: &Spot) -> Result<(), &'static str> {
    let sane = spot.center_px.iter().all(|value| value.is_finite() && value.abs() < COORDINATE_MAX);
    if sane && spot.radius_px > 0.0 && spot.radius_px < COORDINATE_MAX {
        return Ok(());
    }
    Err("a disc needs a centre on the image and a radius larger than zero")
}
