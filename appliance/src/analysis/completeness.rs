//! When to start and when a result is final: one pure decision over every signal there is, with its reason.
//!
//! ```text
//!                    released and whole geometry           quiet for study_quiet_s
//!   instances arrive --------------------------> provisional --------------------> preliminary
//!         ^          \__ the scanner's own list is here in full ____________________/  |
//!         +------------------ any arrival supersedes --------------------------------+-+
//! ```
//!
//! Geometry is whole when slices are evenly spaced and, where positions were taken several times (time points, phases
//! of a heart), each as often as every other. A contiguous prefix of a series also looks whole, so release and whole
//! geometry only start the work; a count that the sender itself gave and that is not reached yet stops even that.
//! Without a list from the scanner, nothing leaves the box before the study has been quiet.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::imaging::Repeats;
use crate::store::Sending;

/// Everything known about how complete a series is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signals {
    pub sending: Sending,
    /// Positions parallel, evenly spaced, none missing between the first and the last.
    pub geometry_whole: bool,
    /// How often each position is there, where any is there more than once.
    pub repeats: Option<Repeats>,
    /// Number of Series Related Instances (0020,1209), where the sender wrote it.
    pub expected: Option<u64>,
    /// Instances of the series that are here.
    pub here: u64,
    /// The scanner's performed procedure step (MPPS), where it sent one.
    pub procedure: Option<Procedure>,
    /// When the study's last instance arrived.
    pub last_arrival: Timestamp,
}

/// What the scanner said it made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Procedure {
    /// The step was closed: the list will not grow.
    pub ended: bool,
    /// Listed instances, and how many of them are not here.
    pub listed: u64,
    pub missing: u64,
}

/// What to do about one series now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again then, or when something arrives.
    Wait { until: Timestamp },
    /// Compute; the study may still grow.
    Start { because: String },
    /// Compute, or promote what was computed: the study counts as complete.
    Complete { because: String },
}

/// Decides over one series.
pub(super) fn decide(signals: &Signals, now: Timestamp, quiet: Duration) -> Verdict {
    let idle = signals.sending != Sending::Now;
    if let Some(Procedure { ended: true, listed, missing: 0 }) = signals.procedure
        && idle
    {
        let because = format!("the scanner's procedure step lists {listed} images and all of them are here");
        return Verdict::Complete { because };
    }
    if now.since(signals.last_arrival) >= quiet {
        return Verdict::Complete { because: quiet_because(signals, quiet) };
    }
    let short = signals.expected.is_some_and(|expected| signals.here < expected)
        || signals.procedure.is_some_and(|procedure| procedure.missing > 0)
        || signals.repeats.is_some_and(|repeats| !all_there(&repeats));
    if signals.sending == Sending::Released && signals.geometry_whole && !short {
        let counted =
            signals.expected.map(|expected| format!(", all {expected} images of the series are here"));
        let repeated = signals.repeats.map(|repeats| {
            format!(", each of {} positions has {} time points or phases", repeats.positions, repeats.fewest)
        });
        let because = format!(
            "the association was released, slices are evenly spaced{}{}",
            repeated.unwrap_or_default(),
            counted.unwrap_or_default()
        );
        return Verdict::Start { because };
    }
    let quiet_ms = u64::try_from(quiet.as_millis()).unwrap_or(u64::MAX);
    Verdict::Wait { until: Timestamp(signals.last_arrival.0.saturating_add(quiet_ms)) }
}

/// A table that shuttles may end at either stop, so without an announced number one time point may be missing.
fn all_there(repeats: &Repeats) -> bool {
    match repeats.announced {
        Some(announced) => repeats.fewest >= announced as usize,
        None => repeats.fewest + 1 >= repeats.most,
    }
}

fn quiet_because(signals: &Signals, quiet: Duration) -> String {
    let quiet = format!("no image arrived for {} s", quiet.as_secs());
    match (signals.procedure, signals.expected) {
        (Some(Procedure { listed, missing, .. }), _) if missing > 0 => {
            format!("{quiet}, although the scanner lists {listed} images and {missing} of them are not here")
        }
        (_, Some(expected)) if signals.here < expected => {
            format!("{quiet}, although the sender announced {expected} images and {} are here", signals.here)
        }
        _ => match signals.repeats.filter(|repeats| !all_there(repeats)) {
            Some(Repeats { fewest, most, announced, .. }) => {
                let all = announced.map_or(most, |announced| announced as usize);
                format!("{quiet}, although a position has {fewest} of {all} time points or phases")
            }
            None => quiet,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_secs(4);
    const SOON: Timestamp = Timestamp(1001);
    const LATE: Timestamp = Timestamp(5000);

    fn signals() -> Signals {
        Signals {
            sending: Sending::Released,
            geometry_whole: true,
            repeats: None,
            expected: None,
            here: 23,
            procedure: None,
            last_arrival: Timestamp(1000),
        }
    }

    fn because(verdict: Verdict) -> String {
        match verdict {
            Verdict::Start { because } | Verdict::Complete { because } => because,
            Verdict::Wait { .. } => panic!("it waits"),
        }
    }

    #[test]
    fn a_released_association_with_even_geometry_starts_but_does_not_complete() {
        assert!(matches!(decide(&signals(), SOON, QUIET), Verdict::Start { .. }));
    }

    #[test]
    fn an_open_a_broken_or_an_uneven_one_waits_for_quiet() {
        for (sending, geometry_whole) in [
            (Sending::Now, true),
            (Sending::Unknown, true),
            (Sending::Released, false),
            (Sending::Now, false),
        ] {
            let signals = Signals { sending, geometry_whole, ..signals() };
            assert_eq!(decide(&signals, Timestamp(4999), QUIET), Verdict::Wait { until: LATE });
            assert!(matches!(decide(&signals, LATE, QUIET), Verdict::Complete { .. }));
        }
    }

    #[test]
    fn a_prefix_of_an_announced_series_waits_and_says_so_when_the_rest_never_comes() {
        let half = Signals { expected: Some(47), ..signals() };
        assert!(matches!(decide(&half, SOON, QUIET), Verdict::Wait { .. }));
        assert!(because(decide(&half, LATE, QUIET)).contains("announced 47 images and 23 are here"));
        let whole = Signals { here: 47, ..half };
        assert!(because(decide(&whole, SOON, QUIET)).contains("all 47"));
    }

    #[test]
    fn time_points_or_phases_that_are_missing_hold_back_and_are_named() {
        let with = |fewest, most, announced| Signals {
            repeats: Some(Repeats { positions: 8, even: true, fewest, most, announced }),
            ..signals()
        };
        let whole = because(decide(&with(30, 30, Some(30)), SOON, QUIET));
        assert!(whole.contains("each of 8 positions has 30 time points"), "{whole}");
        assert!(matches!(decide(&with(29, 30, None), SOON, QUIET), Verdict::Start { .. }), "a shuttle's end");
        for short in [with(29, 30, Some(30)), with(12, 12, Some(30)), with(3, 30, None)] {
            assert!(matches!(decide(&short, SOON, QUIET), Verdict::Wait { .. }));
        }
        assert!(because(decide(&with(12, 13, Some(30)), LATE, QUIET)).contains("12 of 30 time points"));
    }

    #[test]
    fn the_scanners_own_list_completes_at_once_or_holds_back() {
        let step = |ended, missing| Signals {
            procedure: Some(Procedure { ended, listed: 47, missing }),
            ..signals()
        };
        assert!(because(decide(&step(true, 0), SOON, QUIET)).contains("lists 47 images"));
        assert!(matches!(decide(&step(true, 24), SOON, QUIET), Verdict::Wait { .. }));
        assert!(
            matches!(decide(&step(false, 0), SOON, QUIET), Verdict::Start { .. }),
            "the list may still grow"
        );
        assert!(because(decide(&step(true, 24), LATE, QUIET)).contains("24 of them are not here"));
        let sending = Signals { sending: Sending::Now, ..step(true, 0) };
        assert!(matches!(decide(&sending, SOON, QUIET), Verdict::Wait { .. }), "more is coming right now");
    }

    #[test]
    fn a_clock_that_went_back_waits_and_does_not_complete() {
        let signals = Signals { sending: Sending::Unknown, last_arrival: Timestamp(9000), ..signals() };
        assert_eq!(decide(&signals, Timestamp(10), QUIET), Verdict::Wait { until: Timestamp(13_000) });
    }
}
