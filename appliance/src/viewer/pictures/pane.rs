//! What a stream draws next. Pure: time is a parameter.
//!
//! ```text
//!   ask(moving) --> preview --drawn--> settling --SETTLE without another ask--> still --drawn--> idle
//!   ask(resting) ------------------------------------------------------------> still
//! ```
//!
//! Only the newest request counts; one that was overtaken is never drawn.

use std::time::{Duration, Instant};

use super::request::Request;

/// A hand that rests this long has stopped: longer than two frames of a slow display, shorter than a glance.
const SETTLE: Duration = Duration::from_millis(120);

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next {
    Preview(Request),
    Still(Request),
    Wait(Instant),
    Idle,
}

#[derive(Debug, Default)]
pub(super) struct Pane(Option<Asked>);

#[derive(Debug)]
struct Asked {
    request: Request,
    at: Instant,
    preview_due: bool,
}

impl Pane {
    /// A newer request; one that is older than the newest changes nothing.
    pub(super) fn ask(&mut self, request: Request, now: Instant) {
        if self.0.as_ref().is_some_and(|asked| asked.request.seq >= request.seq) {
            return;
        }
        let preview_due = request.moving;
        self.0 = Some(Asked { request, at: now, preview_due });
    }

    pub(super) fn next(&self, now: Instant) -> Next {
        let Some(asked) = &self.0 else { return Next::Idle };
        if asked.preview_due {
            return Next::Preview(asked.request.clone());
        }
        let settled = asked.at + SETTLE;
        if asked.request.moving && now < settled {
            Next::Wait(settled)
        } else {
            Next::Still(asked.request.clone())
        }
    }

    /// The preview with this number was sent, or could not be drawn.
    pub(super) fn preview_done(&mut self, seq: u32, now: Instant) {
        if let Some(asked) = self.0.as_mut().filter(|asked| asked.request.seq == seq) {
            asked.preview_due = false;
            asked.at = now;
        }
    }

    /// The still with this number was sent, or no picture can be.
    pub(super) fn still_done(&mut self, seq: u32) {
        if self.0.as_ref().is_some_and(|asked| asked.request.seq == seq) {
            self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::{Method, Viewpoint};
    use super::*;

    fn request(seq: u32, moving: bool) -> Request {
        let viewpoint = Viewpoint {
            position: [0.0, -100.0, 0.0],
            look_at: [0.0; 3],
            up: [0.0, 0.0, 1.0],
            height_mm: 100.0,
            field_of_view_deg: None,
        };
        Request {
            seq,
            width: 64,
            height: 64,
            method: Method::Volume,
            viewpoint,
            slab_mm: None,
            preset: None,
            window: None,
            clip: None,
            keep: None,
            path: None,
            around_deg: 0.0,
            moving,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_hand_that_rests_gets_a_still_of_what_it_last_saw() {
        let (mut pane, begin) = (Pane::default(), start());
        assert_eq!(pane.next(begin), Next::Idle);
        pane.ask(request(1, true), begin);
        assert_eq!(pane.next(begin), Next::Preview(request(1, true)));
        pane.preview_done(1, begin);
        assert_eq!(pane.next(begin), Next::Wait(begin + SETTLE));
        assert_eq!(pane.next(begin + SETTLE), Next::Still(request(1, true)));
        pane.still_done(1);
        assert_eq!(pane.next(begin + SETTLE), Next::Idle);
    }

    #[test]
    fn only_the_newest_is_drawn() {
        let (mut pane, begin) = (Pane::default(), start());
        for seq in [1, 2, 5, 4, 3] {
            pane.ask(request(seq, true), begin);
        }
        assert_eq!(pane.next(begin), Next::Preview(request(5, true)));
        // What was being drawn when a newer one came: its end changes nothing.
        pane.ask(request(6, true), begin);
        pane.preview_done(5, begin);
        pane.still_done(5);
        assert_eq!(pane.next(begin), Next::Preview(request(6, true)));
        pane.ask(request(7, false), begin);
        assert_eq!(pane.next(begin), Next::Still(request(7, false)), "a hand that let go waits for nothing");
    }
}
