//! What changes, as it changes: server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt};
use tokio_stream::wrappers::{BroadcastStream, WatchStream};

use super::error::blocking;
use super::{Desk, summary};
use crate::uid::StudyUid;

/// While an association sends 100 images a second nobody reads 100 counters a second.
const PER_STUDY_AT_MOST_EVERY: Duration = Duration::from_millis(100);
/// A page about the box is read again with each of these.
const OF_BOX_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// Events `study` (a work-list line as it is now), `box` (something about the box itself changed: queues, destinations,
/// quarantine, what is kept) and `resync` (read everything again).
#[utoipa::path(get, path = "/api/events", responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(super) async fn events(
    State(desk): State<Arc<Desk>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = BroadcastStream::new(desk.store.live().subscribe());
    let mut stop = desk.stop.clone();
    let of_box = WatchStream::from_changes(desk.store.live().watch_box()).then(|_| async {
        tokio::time::sleep(OF_BOX_AT_MOST_EVERY).await;
        Ok(Event::default().event("box").data("{}"))
    });
    let of_studies = changes
        .ready_chunks(256)
        .then(move |changes| {
            let desk = desk.clone();
            async move {
                let events = translate(&desk, changes.into_iter().map(Result::ok)).await;
                tokio::time::sleep(PER_STUDY_AT_MOST_EVERY).await;
                futures_util::stream::iter(events.into_iter().map(Ok))
            }
        })
        .flatten();
    // An open stream must not keep the box from stopping.
    let stream =
        futures_util::stream::select(of_studies, of_box).take_until(async move { stop.stopped().await });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// A listener that fell behind (`None`) reads everything again; otherwise each study is told once.
async fn translate(desk: &Arc<Desk>, changes: impl Iterator<Item = Option<StudyUid>>) -> Vec<Event> {
    let mut studies: Vec<StudyUid> = Vec::new();
    for change in changes {
        match change {
            None => return vec![Event::default().event("resync").data("{}")],
            Some(study) if studies.contains(&study) => {}
            Some(study) => studies.push(study),
        }
    }
    let mut events = Vec::new();
    for study in studies {
        let store = desk.store.clone();
        let summary = blocking(move || summary::study(&store, &study)).await;
        let event = summary.ok().and_then(|summary| Event::default().event("study").json_data(summary).ok());
        events.extend(event);
    }
    events
}
