//! Waiting. A condition is polled until it holds or patience ends; nothing sleeps for a guessed time.

use std::panic::Location;
use std::time::{Duration, Instant};

/// Between two looks. Short enough not to show in a test's time, long enough to leave the box its two cores.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// How long anything may take before a test gives up: `SIDELIGHT_PATIENCE_S` seconds, 60 without it. Generous on
/// purpose: a slow machine must not fail a right answer, and a right answer does not wait.
pub fn patience() -> Duration {
    let seconds = std::env::var("SIDELIGHT_PATIENCE_S").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// The clock of tests: measuring is what they are for.
#[expect(clippy::disallowed_methods, reason = "the one place where tests read the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Polls until `look` finds something and returns it; `None` when `limit` has passed.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if now() >= deadline {
            return None;
        }
        std::thread::sleep(POLL_EVERY);
    }
}

/// Polls until `look` finds something and returns it.
///
/// # Panics
/// When patience ends first; `what` says what never came.
#[track_caller]
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    let caller = Location::caller();
    let limit = patience();
    within(limit, look).unwrap_or_else(|| panic!("waited {limit:?} in vain at {caller}: {what}"))
}

/// Watches for `span` that `holds` stays true.
///
/// # Panics
/// At the first look at which it does not.
#[track_caller]
pub fn stays(what: &str, span: Duration, mut holds: impl FnMut() -> bool) {
    let caller = Location::caller();
    let broke = within(span, || (!holds()).then_some(()));
    assert!(broke.is_none(), "did not stay so for {span:?} at {caller}: {what}");
}
