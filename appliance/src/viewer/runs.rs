//! What was computed of a study, from what and with what, and what readers corrected of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::shapes::Problem;
use crate::store::runs::{Correction, Run};

/// Oldest first; the oldest of a study that was corrected very often are gone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudyRuns {
    pub study_uid: String,
    pub runs: Vec<Run>,
    pub corrections: Vec<Correction>,
}

/// Every run of an analysis on a study, and every correction of what came of it.
#[utoipa::path(get, path = "/api/studies/{study}/runs", responses((status = 200, body = StudyRuns), (status = 404, body = Problem)))]
pub(super) async fn runs(
    State(desk): State<Arc<Desk>>,
    Path(study): Path<String>,
) -> Result<Json<StudyRuns>, ApiError> {
    let (store, uid) = (desk.store.clone(), study_uid(&study)?);
    let look = move || {
        store.study(&uid)?;
        store.runs(&uid)
    };
    let runs = blocking(look).await?;
    Ok(Json(StudyRuns { study_uid: study, runs: runs.runs, corrections: runs.corrections }))
}
