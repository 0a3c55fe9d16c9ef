//! What a job does between two of its turns: it lets the pictures in that wait.

use std::ops::ControlFlow;
use std::time::Instant;

use sidelight_kernels::Processor;

use super::thread::Desk;

/// The turns of one job.
pub struct Turns<'d> {
    desk: &'d mut Desk,
    /// When the turn began that runs now.
    begun: Instant,
}

impl std::fmt::Debug for Turns<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Turns").field("begun", &self.begun).finish_non_exhaustive()
    }
}

impl<'d> Turns<'d> {
    pub(super) fn new(desk: &'d mut Desk) -> Self {
        let begun = desk.clock.now();
        Self { desk, begun }
    }

    pub(super) fn begun(self) -> Instant {
        self.begun
    }

    /// Ends a turn and begins the next; pictures are drawn in between, as their share of the time allows.
    pub fn between(&mut self, processor: &mut Processor) {
        self.desk.between(processor, self.begun);
        self.begun = self.desk.clock.now();
    }

    /// A checkpoint that does so and then asks `go_on`, which hears the fraction done.
    pub fn shared(
        &mut self,
        mut go_on: impl FnMut(f32) -> ControlFlow<()>,
    ) -> impl FnMut(&mut Processor, f32) -> ControlFlow<()> {
        move |processor: &mut Processor, done| {
            self.between(processor);
            go_on(done)
        }
    }
}
