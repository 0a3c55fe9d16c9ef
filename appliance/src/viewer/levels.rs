//! A reader says what a mark of a detection network is worth.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::reviews::person;
use super::shapes::{LevelsRequest, Problem};
use crate::audit::{Event, Kind, Outcome, Who};
use crate::store::finding::Finding;
use crate::store::levels::{LevelError, LevelSaid};

/// No finding has more marks.
const LEVELS_MAX: usize = 4096;

/// Say which suspicion level marks have, all of the request or none of it. A confirmed finding becomes preliminary again.
#[utoipa::path(
    post,
    path = "/api/studies/{study}/findings/{finding}/levels",
    request_body = LevelsRequest,
    responses(
        (status = 200, body = Finding),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem),
    )
)]
pub(super) async fn say(
    State(desk): State<Arc<Desk>>,
    Path((study, finding)): Path<(String, String)>,
    request: Result<Json<LevelsRequest>, JsonRejection>,
) -> Result<Json<Finding>, ApiError> {
    let Json(LevelsRequest { levels, reader }) = request?;
    let study = study_uid(&study)?;
    let reader = person("reader", &reader)?;
    if !(1..=LEVELS_MAX).contains(&levels.len()) {
        let sentence = format!("levels: name 1 to {LEVELS_MAX} marks");
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, sentence));
    }
    let (store, at) = (desk.store.clone(), desk.clock.wall());
    let say = move || {
        let levelled = store.level_marks(&study, &finding, &levels, &reader, at)?;
        let about = store.study(&study)?.patient_study;
        let who = Who { user: reader, address: None };
        let what = format!("finding {finding}: {}", words(&levels));
        let event = Event::new(Kind::LesionsAssigned, Outcome::Success, who).on(&study, &about).because(what);
        store.audit().note(&event, at);
        Ok::<_, LevelError>(levelled)
    };
    Ok(Json(blocking(say).await?))
}

/// `mark 1 level 4, mark 2 none`; the journal cuts it where it is too long.
fn words(levels: &[LevelSaid]) -> String {
    let word = |said: &LevelSaid| match said.level {
        Some(level) => format!("mark {} level {level}", said.mark),
        None => format!("mark {} none", said.mark),
    };
    levels.iter().map(word).collect::<Vec<_>>().join(", ")
}

impl From<LevelError> for ApiError {
    fn from(error: LevelError) -> Self {
        match error {
            LevelError::Store(error) => error.into(),
            LevelError::NotOpen(_) => Self::new(StatusCode::CONFLICT, error.to_string()),
            LevelError::NoSuchMark(_) | LevelError::NoSuchLevel(_) | LevelError::Twice(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
            }
        }
    }
}
