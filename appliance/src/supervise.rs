//! A room that fails is started again, with pauses, a few times; then it stays down and says so.

use std::collections::VecDeque;
use std::future::Future;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::stop::Stop;

/// More failures than this in `WINDOW` are no accident.
const RESTARTS_MAX: usize = 3;
const WINDOW: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_secs(2);

/// Runs a room, again after each failure, until it ends by itself, the box stops, or it has failed too often.
pub async fn keep_running<F, E>(
    room: &'static str,
    clock: Clock,
    mut stop: Stop,
    mut start: impl FnMut() -> F,
) where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    let mut failures = VecDeque::new();
    loop {
        let reason = match tokio::spawn(start()).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        if stop.is_stopped() {
            return;
        }
        if !may_restart(&mut failures, clock.now()) {
            tracing::error!(room, reason, "failed too often and stays down; the rest of the box goes on");
            stop.stopped().await;
            return;
        }
        tracing::error!(room, reason, "failed; starting it again");
        tokio::select! {
            () = stop.stopped() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

fn may_restart(failures: &mut VecDeque<Instant>, now: Instant) -> bool {
    failures.push_back(now);
    while failures.front().is_some_and(|first| now.saturating_duration_since(*first) > WINDOW) {
        failures.pop_front();
    }
    failures.len() <= RESTARTS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_are_forgiven_and_old_ones_forgotten() {
        let start = Clock.now();
        let mut failures = VecDeque::new();
        assert!((0..3).all(|_| may_restart(&mut failures, start)));
        assert!(!may_restart(&mut failures, start));
        assert!(may_restart(&mut failures, start + WINDOW + Duration::from_secs(1)));
    }
}
