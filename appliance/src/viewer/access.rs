//! Who is let in: a token on every request, or a session made from one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{AppendHeaders, IntoResponse, Response};

use super::Desk;
use super::error::ApiError;
use super::shapes::{Problem, SignIn};
use crate::audit::{Event, Kind, Outcome, Who};
use crate::store::hex;

const COOKIE_NAME: &str = "sidelight_session";
/// A reading day; a station left alone is signed out over night.
const SESSION_LASTS: Duration = Duration::from_secs(12 * 3600);
/// More stations than a site has; the oldest session makes room.
const SESSIONS_MAX: usize = 256;

/// Sessions of this run; a restart signs everybody out.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<BTreeMap<String, Instant>>);

impl Sessions {
    fn open(&self, now: Instant) -> Result<String, getrandom::Error> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes)?;
        let name = hex(&bytes);
        let mut sessions = self.lock();
        sessions.retain(|_, opened| now.saturating_duration_since(*opened) < SESSION_LASTS);
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, opened)| **opened).map(|(name, _)| name.clone());
            oldest.map(|oldest| sessions.remove(&oldest));
        }
        sessions.insert(name.clone(), now);
        Ok(name)
    }

    fn holds(&self, name: &str, now: Instant) -> bool {
        let opened = self.lock().get(name).copied();
        opened.is_some_and(|opened| now.saturating_duration_since(opened) < SESSION_LASTS)
    }

    fn close(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Instant>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Lets a request pass that carries the token or an open session.
pub(super) async fn guard(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    if is_admitted(&desk, request.headers()) { next.run(request).await } else { refused().into_response() }
}

/// Sign in with the station's token.
#[utoipa::path(post, path = "/api/session", request_body = SignIn, responses((status = 204), (status = 401, body = Problem)))]
pub(super) async fn sign_in(
    State(desk): State<Arc<Desk>>,
    sign_in: Result<Json<SignIn>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(sign_in) = sign_in?;
    if !desk.identity.admits(&sign_in.token) {
        tracing::warn!("a sign-in with a wrong token");
        audit(&desk, Kind::SignIn, Outcome::MinorFailure).await;
        return Err(refused());
    }
    let session = desk.sessions.open(desk.clock.now());
    let session =
        session.map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    audit(&desk, Kind::SignIn, Outcome::Success).await;
    let seconds = SESSION_LASTS.as_secs();
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(SET_COOKIE, cookie(&session, seconds))])).into_response())
}

/// Whether the session is open.
#[utoipa::path(get, path = "/api/session", responses((status = 204), (status = 401, body = Problem)))]
pub(super) async fn session(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    if is_admitted(&desk, &headers) { Ok(StatusCode::NO_CONTENT) } else { Err(refused()) }
}

/// Sign out.
#[utoipa::path(delete, path = "/api/session", responses((status = 204), (status = 401, body = Problem)))]
pub(super) async fn sign_out(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !is_admitted(&desk, &headers) {
        return Err(refused());
    }
    if let Some(name) = session_name(&headers) {
        desk.sessions.close(name);
        audit(&desk, Kind::SignOut, Outcome::Success).await;
    }
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(SET_COOKIE, cookie("", 0))])).into_response())
}

/// A sign-in that fails names nobody: until people sign in by name there is only the station.
async fn audit(desk: &Arc<Desk>, kind: Kind, outcome: Outcome) {
    let (audit, at) = (desk.store.audit().clone(), desk.clock.wall());
    let event = Event::new(kind, outcome, Who::station());
    let noted = tokio::task::spawn_blocking(move || audit.note(&event, at)).await;
    noted.expect("writing an event does not panic");
}

fn is_admitted(desk: &Desk, headers: &HeaderMap) -> bool {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    bearer.is_some_and(|token| desk.identity.admits(token.trim()))
        || session_name(headers).is_some_and(|name| desk.sessions.holds(name, desk.clock.now()))
}

fn session_name(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}

fn cookie(session: &str, seconds: u64) -> String {
    format!("{COOKIE_NAME}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}")
}

fn refused() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "sign in with the station's token first")
}
