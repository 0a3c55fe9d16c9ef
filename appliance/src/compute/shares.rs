//! Who is next when a frame and a job both wait. Pure: the time each took is told to it.
//!
//! Frames go first, because somebody's hand waits for them, until they have overtaken a job by four times the length
//! of its last turn; then the job goes. So a job keeps a fifth of the time, a frame waits for one turn of a job at
//! most, and neither waits for ever.

use std::time::Duration;

/// What the processor is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A picture that follows somebody's hand.
    Frame,
    Job,
}

/// A turn is made for 30 ms; shorter ones do not make jobs wait less, longer ones do not make them wait for ever.
const TURN_MIN: Duration = Duration::from_millis(30);
const TURN_MAX: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct Shares {
    /// Time that frames took while a job waited, since a job last had a turn.
    overtaken: Duration,
    last_turn: Duration,
}

impl Shares {
    /// Who is next if both wait.
    pub(super) fn owed(&self) -> Kind {
        if self.overtaken >= 4 * self.last_turn.clamp(TURN_MIN, TURN_MAX) { Kind::Job } else { Kind::Frame }
    }

    /// A frame was drawn, and whether a job waited for it.
    pub(super) fn frame_took(&mut self, took: Duration, job_waits: bool) {
        if job_waits {
            self.overtaken += took;
        }
    }

    pub(super) fn job_took(&mut self, took: Duration) {
        *self = Self { overtaken: Duration::ZERO, last_turn: took };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Both wait all the time: the time each had, and the most turns in a row of each.
    fn both_wait(shares: &mut Shares, frame: Duration, job: Duration) -> [(Duration, u32); 2] {
        let mut had = [(Duration::ZERO, 0); 2];
        let (mut last, mut row) = (None, 0);
        for _ in 0..10_000 {
            let kind = shares.owed();
            row = if last == Some(kind) { row + 1 } else { 1 };
            last = Some(kind);
            let (time, longest) = &mut had[usize::from(kind == Kind::Job)];
            *longest = row.max(*longest);
            match kind {
                Kind::Frame => {
                    *time += frame;
                    shares.frame_took(frame, true);
                }
                Kind::Job => {
                    *time += job;
                    shares.job_took(job);
                }
            }
        }
        had
    }

    #[test]
    fn frames_go_first_and_both_keep_a_fifth() {
        for (frame, job) in [(30, 30), (5, 30), (80, 30), (30, 200), (200, 200)] {
            let [(frames, _), (jobs, jobs_in_a_row)] = both_wait(&mut Shares::default(), ms(frame), ms(job));
            let all = frames + jobs;
            // Whole turns: a fifth of the time, give or take a turn of each.
            assert!(jobs * 7 >= all, "frames of {frame} ms left jobs of {job} ms {jobs:?} of {all:?}");
            assert!(frames * 5 >= all, "jobs of {job} ms left frames of {frame} ms {frames:?} of {all:?}");
            assert_eq!(jobs_in_a_row, 1, "a frame waited for more than one turn");
        }
        assert_eq!(Shares::default().owed(), Kind::Frame);
    }

    #[test]
    fn what_was_drawn_while_no_job_waited_costs_nothing_later() {
        let mut shares = Shares::default();
        for _ in 0..10_000 {
            shares.frame_took(ms(30), false);
        }
        assert_eq!(shares.owed(), Kind::Frame);
    }

    #[test]
    fn a_turn_of_an_hour_does_not_make_the_next_job_wait_for_hours() {
        let mut shares = Shares::default();
        shares.job_took(Duration::from_secs(3600));
        let [_, (jobs, _)] = both_wait(&mut shares, ms(30), ms(30));
        assert!(jobs >= ms(30) * 1900, "{jobs:?}");
    }
}
