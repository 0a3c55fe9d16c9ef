//! Pictures that follow a hand, over a WebSocket.
//!
//! The box says once what the series is (`Scene`). The client then sends a `Request` for every move; only the newest
//! is drawn. While the hand moves it gets a JPEG of half the size; when it rests, one lossless still with the same
//! number. A picture is a binary message: its number (32 bits), 0 for a preview or 1 for a still (8 bits), three
//! bytes of nothing, then the file; numbers are little-endian. What cannot be drawn is a `Problem`, in words.

use std::pin::Pin;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use sidelight_kernels::rendering::Preset;

use super::draw::{Overtaken, draw};
use super::encode::encode;
use super::overlay::{Shade, Wanted};
use super::pane::{Next, Pane};
use super::request::Request;
use super::scenes::Shown;
use crate::uid::SeriesUid;
use crate::viewer::Desk;
use crate::viewer::api::study_uid;
use crate::viewer::error::{ApiError, blocking};

/// Bytes of a client's message: a request is a few hundred.
const MESSAGE_MAX: usize = 16 << 10;
/// While it moves nobody sees the difference to 100, and it is a fifth of the bytes.
const PREVIEW_QUALITY: u8 = 75;

/// What the box says in words.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Said<'a> {
    Scene {
        center_mm: [f64; 3],
        radius_mm: f64,
        window: [f64; 2],
        unit: &'a str,
        presets: Vec<&'a str>,
        /// What lies over the volume.
        legend: &'a [Shade],
    },
    Problem {
        seq: Option<u32>,
        error: String,
    },
}

/// Opens a pane on a series. `finding` names one whose structures, lesions or marks lie over it as labels, `hidden` those of
/// its labels that do not.
#[utoipa::path(
    get,
    path = "/api/studies/{study}/series/{series}/pictures",
    params(
        ("finding" = Option<String>, Query, description = "lies over the volume"),
        ("hidden" = Option<String>, Query, description = "labels that do not, separated by commas"),
    ),
    responses(
        (status = 101, description = "a WebSocket: requests in, pictures out"),
        (status = 404, body = crate::viewer::shapes::Problem),
        (status = 503, body = crate::viewer::shapes::Problem),
    )
)]
pub(in crate::viewer) async fn pictures(
    State(desk): State<Arc<Desk>>,
    Path((study, series)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    socket: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let study = study_uid(&study)?;
    let series = SeriesUid::parse(&series).map_err(|_| ApiError::not_found("series"))?;
    let pane = desk.pictures.panes.clone().try_acquire_owned();
    let pane = pane.map_err(|_| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "eight 3-D views are open on this box; close one of them",
        )
    })?;
    let socket = socket.max_message_size(MESSAGE_MAX).max_frame_size(MESSAGE_MAX);
    Ok(socket.on_upgrade(async move |mut socket| {
        let _pane = pane;
        // What a browser shows of a refused handshake is nothing, so what is wrong with a series is said inside.
        let served = match desk.overlaid(study, series, wanted).await {
            Ok(shown) => serve(&desk, &shown, &mut socket).await,
            Err(error) => say(&mut socket, &Said::Problem { seq: None, error: error.sentence }).await,
        };
        if served.is_ok() {
            // Closing what is closed already is no failure.
            let _ = socket.send(Message::Close(None)).await;
        }
    }))
}

async fn say(socket: &mut WebSocket, said: &Said<'_>) -> Result<(), axum::Error> {
    let text = serde_json::to_string(said).expect("plain data");
    socket.send(Message::text(text)).await
}

type Drawing = Pin<Box<dyn Future<Output = Result<Option<Bytes>, ApiError>> + Send>>;

/// What is being drawn.
struct Easel {
    seq: u32,
    still: bool,
    overtaken: Overtaken,
    drawing: Drawing,
}

/// Until the client or the box goes.
async fn serve(desk: &Arc<Desk>, shown: &Shown, socket: &mut WebSocket) -> Result<(), axum::Error> {
    say(socket, &scene(shown)).await?;
    let (mut pane, mut easel) = (Pane::default(), None::<Easel>);
    let mut stop = desk.stop.clone();
    loop {
        let mut wait = None;
        if easel.is_none() {
            match pane.next(desk.clock.now()) {
                Next::Preview(request) => easel = Some(begin(desk, shown, &request, false)),
                Next::Still(request) => easel = Some(begin(desk, shown, &request, true)),
                Next::Wait(until) => wait = Some(until),
                Next::Idle => {}
            }
        }
        tokio::select! {
            () = stop.stopped() => return Ok(()),
            message = socket.recv() => match message {
                None | Some(Ok(Message::Close(_))) => return Ok(()),
                Some(Err(error)) => return Err(error),
                Some(Ok(Message::Text(text))) => match serde_json::from_str::<Request>(&text) {
                    Ok(request) => {
                        pane.ask(request, desk.clock.now());
                        // A preview is finished, or a fast hand would never see one; a still is not.
                        easel.iter().filter(|easel| easel.still).for_each(|easel| easel.overtaken.tell());
                    }
                    Err(error) => {
                        let error = format!("not understood: {error}");
                        say(socket, &Said::Problem { seq: None, error }).await?;
                    }
                },
                Some(Ok(_)) => {}
            },
            drawn = finished(easel.as_mut()) => {
                let Easel { seq, still, .. } = easel.take().expect("only what is drawn is finished");
                answer(socket, seq, drawn).await?;
                if still { pane.still_done(seq) } else { pane.preview_done(seq, desk.clock.now()) }
            }
            () = resting(wait) => {}
        }
    }
}

async fn finished(easel: Option<&mut Easel>) -> Result<Option<Bytes>, ApiError> {
    match easel {
        Some(easel) => easel.drawing.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn resting(until: Option<std::time::Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}

async fn answer(
    socket: &mut WebSocket,
    seq: u32,
    drawn: Result<Option<Bytes>, ApiError>,
) -> Result<(), axum::Error> {
    match drawn {
        Ok(Some(picture)) => socket.send(Message::Binary(picture)).await,
        Ok(None) => Ok(()),
        Err(error) => say(socket, &Said::Problem { seq: Some(seq), error: error.sentence }).await,
    }
}

fn begin(desk: &Arc<Desk>, shown: &Shown, request: &Request, still: bool) -> Easel {
    let overtaken = Overtaken::default();
    let (seq, task) = (request.seq, request.task(shown, !still));
    let (compute, shown, watched) = (desk.compute.clone(), shown.clone(), overtaken.clone());
    let drawing = Box::pin(async move {
        let Some(picture) = draw(&compute, &shown, task?, &watched).await? else { return Ok(None) };
        let encoded = blocking(move || {
            let media = if still { "image/png" } else { "image/jpeg" };
            encode(&picture, media, PREVIEW_QUALITY)
                .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error))
        });
        let encoded = encoded.await?;
        let mut message = BytesMut::with_capacity(encoded.len() + 8);
        message.put_u32_le(seq);
        message.put_slice(&[u8::from(still), 0, 0, 0]);
        message.put_slice(&encoded);
        Ok(Some(message.freeze()))
    });
    Easel { seq, still, overtaken, drawing }
}

fn scene(shown: &Shown) -> Said<'_> {
    let (center_mm, radius_mm) = shown.scene.bounds_mm();
    let fits = |preset: &Preset| (*preset == Preset::Mr) != shown.hounsfield;
    Said::Scene {
        center_mm,
        radius_mm,
        window: [shown.window.center, shown.window.width],
        unit: if shown.hounsfield { "HU" } else { "stored" },
        legend: &shown.legend,
        presets: Preset::ALL.iter().filter(|preset| fits(preset)).map(|preset| preset.word()).collect(),
    }
}
