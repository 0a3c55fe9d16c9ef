//! systemd: ready after doors and store are open, alive only while every room's heart beats, stopping when we stop.
//!
//! The one door to the `systemd` crate. Outside systemd (no NOTIFY_SOCKET) all of it does nothing.

use std::time::Duration;

use systemd::daemon::{self, STATE_READY, STATE_STATUS, STATE_STOPPING, STATE_WATCHDOG};

use crate::clock::Clock;
use crate::pulse::Pulse;
use crate::stop::Stop;
use crate::store::Store;

/// A room that has not beaten for this long hangs: the longest bounded step (decoding one series) takes seconds.
const PULSE_MAX_AGE: Duration = Duration::from_secs(60);
/// The status line is renewed this often where the watchdog does not ask for more.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// Doors are bound, the store is open: the box may be used.
pub fn ready() {
    notify(&[(STATE_READY, "1"), (STATE_STATUS, "ready")]);
}

/// The box is closing its doors.
pub fn stopping() {
    notify(&[(STATE_STOPPING, "1"), (STATE_STATUS, "stopping")]);
}

/// Feeds the watchdog and renews the status line until told to stop. A room that hangs starves the watchdog, and
/// systemd restarts the box.
pub async fn run(pulses: Vec<Pulse>, store: Store, clock: Clock, mut stop: Stop) {
    let every = watchdog_interval().map_or(STATUS_EVERY, |interval| (interval / 2).min(STATUS_EVERY));
    while !stop.is_stopped() {
        let hanging: Vec<_> = pulses.iter().filter(|pulse| pulse.age(clock.now()) > PULSE_MAX_AGE).collect();
        for pulse in &hanging {
            tracing::error!(room = pulse.room(), "a room hangs; the watchdog is not fed");
        }
        let status = status(&store);
        if hanging.is_empty() {
            notify(&[(STATE_STATUS, &status), (STATE_WATCHDOG, "1")]);
        } else {
            notify(&[(STATE_STATUS, &format!("{status}; a room hangs"))]);
        }
        tokio::select! {
            () = stop.stopped() => {}
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// Counts only: never a name.
fn status(store: &Store) -> String {
    match (store.counts(), store.open_studies()) {
        (Ok((studies, instances, _)), Ok(open)) => {
            format!("{studies} studies, {instances} images, {} at work", open.len())
        }
        _ => "the store does not answer".into(),
    }
}

fn watchdog_interval() -> Option<Duration> {
    let micros: u64 = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

fn notify(states: &[(&str, &str)]) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    if let Err(error) = daemon::notify(states.iter()) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
