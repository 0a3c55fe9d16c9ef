//! Heartbeats: the watchdog is fed only while every room that promised to beat has done so lately.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One room's heart.
#[derive(Clone, Debug)]
pub struct Pulse {
    room: &'static str,
    last: Arc<Mutex<Instant>>,
}

impl Pulse {
    pub fn new(room: &'static str, now: Instant) -> Self {
        Self { room, last: Arc::new(Mutex::new(now)) }
    }

    pub fn beat(&self, now: Instant) {
        *self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = now;
    }

    pub fn room(&self) -> &'static str {
        self.room
    }

    /// How long ago the heart beat.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
