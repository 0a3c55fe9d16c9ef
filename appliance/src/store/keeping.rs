//! What is kept and for how long there is room: the pace of arrivals, and the studies in the order of deletion with
//! the reason why each one stays. It deletes nothing; see `retention`.

use super::Store;
use super::error::StoreError;
use super::records::StudyRecord;
use super::retention::{LegalHold, Stays, in_order};
use crate::clock::Timestamp;
use crate::uid::StudyUid;

const DAY_MS: u64 = 24 * 3600 * 1000;
/// A week has every kind of day in it.
const PACE_DAYS: u64 = 7;

/// A study in the order of deletion.
#[derive(Clone, Debug)]
pub struct KeptStudy {
    pub study: StudyUid,
    pub record: StudyRecord,
    /// A reader has judged a finding in it.
    pub was_read: bool,
    pub hold: Option<LegalHold>,
    /// Why it may not be deleted; `None` where it may.
    pub stays: Option<Stays>,
}

/// How fast objects arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub bytes_per_day: u64,
    pub over_days: u64,
}

impl Store {
    /// The first `count` studies that a quota would ask for, and how many studies there are.
    pub fn kept_studies(
        &self,
        archives: &[String],
        owed_to: &[String],
        count: usize,
    ) -> Result<(Vec<KeptStudy>, usize), StoreError> {
        let candidates = in_order(self.candidates()?);
        let total = candidates.len();
        let mut kept = Vec::new();
        for candidate in candidates.into_iter().take(count) {
            kept.push(KeptStudy {
                record: self.study(&candidate.study)?,
                was_read: candidate.was_read,
                hold: self.legal_hold(&candidate.study)?,
                stays: self.stays(&candidate.study, archives, owed_to)?,
                study: candidate.study,
            });
        }
        Ok((kept, total))
    }

    /// What arrived a day over the last week, or since the first study where that is less. `None` before a whole day
    /// has passed: a morning's pace foretells nothing. Studies that were deleted since do not count.
    pub fn pace(&self, now: Timestamp) -> Result<Option<Pace>, StoreError> {
        let studies = self.studies()?;
        let arrivals = studies.iter().map(|(_, record)| (record.first_arrival, record.bytes));
        Ok(pace_of(arrivals, now))
    }
}

fn pace_of(arrivals: impl Iterator<Item = (Timestamp, u64)> + Clone, now: Timestamp) -> Option<Pace> {
    let first = arrivals.clone().map(|(at, _)| at).min()?;
    let over_days = (now.0.saturating_sub(first.0) / DAY_MS).min(PACE_DAYS);
    if over_days == 0 {
        return None;
    }
    let since = now.0.saturating_sub(over_days * DAY_MS);
    let bytes: u64 = arrivals.filter(|(at, _)| at.0 >= since).map(|(_, bytes)| bytes).sum();
    Some(Pace { bytes_per_day: bytes / over_days, over_days })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_a_weeks_or_what_there_is_and_a_morning_has_none() {
        let at = |days: u64| Timestamp(100 * DAY_MS + days * DAY_MS);
        let arrivals = [(at(0), 1000), (at(5), 70), (at(9), 700)];
        let pace = |upto: usize, now| pace_of(arrivals[..upto].iter().copied(), now);
        assert_eq!(pace(0, at(0)), None);
        assert_eq!(pace(1, Timestamp(at(1).0 - 1)), None);
        assert_eq!(pace(1, at(2)), Some(Pace { bytes_per_day: 500, over_days: 2 }));
        assert_eq!(pace(3, at(10)), Some(Pace { bytes_per_day: 110, over_days: 7 }));
        assert_eq!(pace(3, at(30)), Some(Pace { bytes_per_day: 0, over_days: 7 }));
    }
}
