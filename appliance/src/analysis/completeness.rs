//! When to start and when a result is final: one pure decision.
//!
//! ```text
//!                    released and even geometry            quiet for study_quiet_s
//!   instances arrive --------------------------> provisional --------------------> preliminary
//!         ^                                            |                               |
//!         +------------------ any arrival supersedes --+-------------------------------+
//! ```
//!
//! A contiguous prefix of a series also looks whole, so release and even geometry only start the work; nothing
//! leaves the box before the study has been quiet.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::store::Sending;

/// What to do about one series now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again then, or when something arrives.
    Wait { until: Timestamp },
    /// Compute; the study may still grow.
    Start,
    /// Compute, or promote what was computed: the study counts as complete.
    Complete,
}

/// Decides over a series of a study whose last instance arrived at `last_arrival`.
pub(super) fn decide(
    sending: Sending,
    geometry_whole: bool,
    last_arrival: Timestamp,
    now: Timestamp,
    quiet: Duration,
) -> Verdict {
    if now.since(last_arrival) >= quiet {
        return Verdict::Complete;
    }
    if sending == Sending::Released && geometry_whole {
        return Verdict::Start;
    }
    let quiet_ms = u64::try_from(quiet.as_millis()).unwrap_or(u64::MAX);
    Verdict::Wait { until: Timestamp(last_arrival.0.saturating_add(quiet_ms)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_secs(4);

    #[test]
    fn a_released_association_with_even_geometry_starts_but_does_not_complete() {
        let verdict = decide(Sending::Released, true, Timestamp(1000), Timestamp(1001), QUIET);
        assert_eq!(verdict, Verdict::Start);
    }

    #[test]
    fn an_open_a_broken_or_an_uneven_one_waits_for_quiet() {
        for (sending, whole) in [
            (Sending::Now, true),
            (Sending::Unknown, true),
            (Sending::Released, false),
            (Sending::Now, false),
        ] {
            let verdict = decide(sending, whole, Timestamp(1000), Timestamp(4999), QUIET);
            assert_eq!(verdict, Verdict::Wait { until: Timestamp(5000) });
            assert_eq!(decide(sending, whole, Timestamp(1000), Timestamp(5000), QUIET), Verdict::Complete);
        }
    }

    #[test]
    fn a_clock_that_went_back_waits_and_does_not_complete() {
        let verdict = decide(Sending::Unknown, true, Timestamp(9000), Timestamp(10), QUIET);
        assert_eq!(verdict, Verdict::Wait { until: Timestamp(13_000) });
    }
}
