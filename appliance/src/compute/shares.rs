//! Who is next when a frame and a job both wait, or a job is between two turns. Pure: the time each took is told to it.
//!
//! Frames have a balance: each turn of a job adds to it, each frame that a job waits for takes from it, and while it is
//! positive the frame goes. Stroke perfusion adds a quarter of its turn, so frames have a fifth of the time; any other
//! job adds four times its turn, so that it keeps a fifth itself, because somebody's hand waits for the frames. What
//! is added and what is owed are bounded, so neither waits for ever.

use std::time::Duration;

/// What the processor is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A picture that follows somebody's hand.
    Frame,
    Job,
}

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rank {
    /// Stroke perfusion: it keeps four fifths of the time.
    Urgent,
    /// It keeps a fifth.
    #[default]
    Ordinary,
}

impl Rank {
    /// Microseconds that frames may have for a turn of a job.
    fn frames_us(self, turn: Duration) -> i64 {
        let turn_us = i64::try_from(turn.as_micros()).unwrap_or(i64::MAX);
        match self {
            Self::Urgent => turn_us / 4,
            Self::Ordinary => turn_us.saturating_mul(4),
        }
    }

    /// The least and the most of that after one turn, however long it was. The least is for turns of 30 ms: hands that
    /// rested save nothing up beyond it. The most is for turns of 250 ms, of a second for what is urgent, which is as long
    /// as a hand waits for a job that takes its turns too long.
    const fn bounds_us(self) -> [i64; 2] {
        match self {
            Self::Urgent => [30_000, 250_000],
            Self::Ordinary => [120_000, 1_000_000],
        }
    }
}

#[derive(Debug)]
pub(super) struct Shares {
    rank: Rank,
    /// What frames may take before the job has to go on; below zero, what they have taken too much.
    balance_us: i64,
}

impl Default for Shares {
    fn default() -> Self {
        let rank = Rank::default();
        Self { rank, balance_us: rank.bounds_us()[0] }
    }
}

impl Shares {
    /// Who is next if both wait.
    pub(super) fn owed(&self) -> Kind {
        if self.balance_us > 0 { Kind::Frame } else { Kind::Job }
    }

    /// A frame was drawn, and whether a job waited for it.
    pub(super) fn frame_took(&mut self, took: Duration, job_waits: bool) {
        if job_waits {
            let took_us = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
            self.balance_us = self.balance_us.saturating_sub(took_us).max(-self.rank.bounds_us()[1]);
        }
    }

    pub(super) fn job_begins(&mut self, rank: Rank) {
        self.rank = rank;
        self.balance_us = self.balance_us.min(rank.bounds_us()[0]);
    }

    /// A job had a turn.
    pub(super) fn job_took(&mut self, turn: Duration) {
        let [least, most] = self.rank.bounds_us();
        let added = self.rank.frames_us(turn);
        self.balance_us = self.balance_us.saturating_add(added).min(added.clamp(least, most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What each had of the time while both waited, and the longest that each waited at once.
    #[derive(Default)]
    struct Had {
        time: Duration,
        longest_wait: Duration,
    }

    fn both_wait(shares: &mut Shares, frame: Duration, turn: Duration) -> [Had; 2] {
        let mut had = [Had::default(), Had::default()];
        let mut waited = [Duration::ZERO; 2];
        for _ in 0..10_000 {
            let (who, took) = match shares.owed() {
                Kind::Frame => (0, frame),
                Kind::Job => (1, turn),
            };
            had[who].time += took;
            waited[who] = Duration::ZERO;
            waited[1 - who] += took;
            had[1 - who].longest_wait = had[1 - who].longest_wait.max(waited[1 - who]);
            if who == 0 { shares.frame_took(frame, true) } else { shares.job_took(turn) }
        }
        had
    }

    #[test]
    fn frames_go_first_and_both_keep_a_fifth() {
        assert_eq!(Shares::default().owed(), Kind::Frame);
        for (frame, turn) in [(30, 30), (5, 30), (80, 30), (30, 1), (30, 200), (200, 200)] {
            let [frames, jobs] = both_wait(&mut Shares::default(), ms(frame), ms(turn));
            let all = frames.time + jobs.time;
            let told =
                format!("frames of {frame} ms, turns of {turn} ms: {:?} and {:?}", frames.time, jobs.time);
            assert!(jobs.time * 51 >= all * 10, "{told}");
            assert!(frames.time * 51 >= all * 10, "{told}");
            assert!(frames.longest_wait <= ms(turn) + ms(frame) / 4, "{told}: {:?}", frames.longest_wait);
        }
    }

    #[test]
    fn what_is_urgent_keeps_four_fifths_and_leaves_frames_one() {
        for (frame, turn) in [(30, 30), (5, 30), (80, 30), (30, 1), (30, 200), (200, 200)] {
            let mut shares = Shares::default();
            shares.job_begins(Rank::Urgent);
            let [frames, jobs] = both_wait(&mut shares, ms(frame), ms(turn));
            let share = frames.time.as_secs_f64() / (frames.time + jobs.time).as_secs_f64();
            assert!((0.19..0.21).contains(&share), "frames of {frame} ms, turns of {turn} ms: {share}");
            assert!(frames.longest_wait <= ms(turn) + 4 * ms(frame), "{:?}", frames.longest_wait);
        }
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
    fn hands_that_rested_save_nothing_up() {
        for (rank, most) in [(Rank::Ordinary, ms(150)), (Rank::Urgent, ms(60))] {
            let mut shares = Shares::default();
            shares.job_begins(rank);
            (0..10_000).for_each(|_| shares.job_took(ms(30)));
            let mut drawn = Duration::ZERO;
            while shares.owed() == Kind::Frame {
                shares.frame_took(ms(30), true);
                drawn += ms(30);
            }
            assert!(drawn > Duration::ZERO && drawn <= most, "{rank:?}: {drawn:?}");
        }
    }

    #[test]
    fn a_turn_or_a_frame_of_an_hour_makes_nobody_wait_for_hours() {
        for rank in [Rank::Ordinary, Rank::Urgent] {
            let mut shares = Shares::default();
            shares.job_begins(rank);
            shares.job_took(Duration::from_secs(3600));
            let [_, jobs] = both_wait(&mut shares, ms(30), ms(30));
            assert!(jobs.longest_wait <= ms(1030), "{:?}", jobs.longest_wait);
            shares.frame_took(Duration::from_secs(3600), true);
            let [frames, _] = both_wait(&mut shares, ms(30), ms(30));
            assert!(frames.longest_wait <= ms(1030), "{:?}", frames.longest_wait);
        }
    }
}
