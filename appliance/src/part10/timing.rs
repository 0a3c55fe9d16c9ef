//! When a slice was taken, as far as its object says so, in microseconds of the scanner's own clock: as fine as DICOM
//! writes times, and whole, so that intervals come out as they were.
//!
//! Only differences mean anything: time zones are not applied, and where a date is missing the time counts from
//! midnight (whoever compares them sees to the roll-over).

use serde::{Deserialize, Serialize};

/// The clocks a slice may be timed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Frame Acquisition DateTime, Acquisition DateTime, or Acquisition Date and Time.
    pub acquired_us: Option<i64>,
    /// Content Date and Time: when the image was made, which may be later than its rays.
    pub content_us: Option<i64>,
    /// Temporal Position Index or Identifier, counted from 1.
    pub position: Option<u32>,
    /// Number of Temporal Positions (0020,0105): what the sender says there are.
    pub positions: Option<u32>,
    /// Temporal Resolution (0020,0110), between two positions.
    pub resolution_us: Option<i64>,
    /// Trigger Time (0018,1060) or Nominal Cardiac Trigger Delay Time: after the R wave.
    pub trigger_s: Option<f64>,
    /// Heart Rate (0018,1088), or what Nominal Interval (0018,1062) comes to.
    pub heart_rate_per_min: Option<f64>,
}

/// What an interval between two beats in milliseconds comes to.
pub(super) fn beats_per_min(interval_ms: f64) -> f64 {
    60_000.0 / interval_ms.max(1.0)
}

pub const DAY_US: i64 = 86_400_000_000;

/// Microseconds of a DT value, `YYYYMMDDHHMMSS.FFFFFF&ZZXX` (PS3.5 6.2); at least the minute must be there.
pub fn date_time_us(text: &str) -> Option<i64> {
    let text = text.split(['+', '-']).next()?.trim();
    let (date, time) = (text.get(..8)?, text.get(8..)?);
    Some(days(date)? * DAY_US + of_day_us(time)?)
}

/// Microseconds of a DA and a TM value; without a date they count from midnight.
pub(super) fn date_and_time_us(date: &str, time: &str) -> Option<i64> {
    Some(days(date.trim()).unwrap_or(0) * DAY_US + of_day_us(time.trim())?)
}

/// `HHMMSS.FFFFFF`, seconds and fractions optional, colons as old objects have them passed over.
fn of_day_us(text: &str) -> Option<i64> {
    let text: String = text.chars().filter(|letter| *letter != ':').collect();
    let field = |range: std::ops::Range<usize>, limit: i64| {
        let value = i64::from(text.get(range)?.parse::<u8>().ok()?);
        Some(value).filter(|value| *value < limit)
    };
    let whole_s = field(0..2, 24)? * 3600 + field(2..4, 60)? * 60;
    let (seconds, fraction) = match text.get(4..) {
        None | Some("") => (0, ""),
        // A leap second is the sixty-first.
        Some(rest) => (field(4..6, 61)?, if rest.len() > 2 { rest[2..].strip_prefix('.')? } else { "" }),
    };
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some((whole_s + seconds) * 1_000_000 + i64::from(digits.parse::<u32>().ok()?))
}

/// Days from 1 January 1970 of `YYYYMMDD`, by counting years from March (the leap day is then the last one).
fn days(date: &str) -> Option<i64> {
    let field = |range: std::ops::Range<usize>| date.get(range)?.parse::<u16>().ok().map(i64::from);
    let (year, month, day) = (field(0..4)?, field(4..6)?, field(6..8)?);
    if date.len() != 8 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    Some(365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_become_microseconds_and_nonsense_becomes_nothing() {
        assert_eq!(date_time_us("19700101000000"), Some(0));
        assert_eq!(date_time_us("20000301120000.5+0100"), Some(951_912_000_500_000));
        assert_eq!(date_and_time_us("19700102", "0000"), Some(DAY_US));
        assert_eq!(date_and_time_us("", "235959.250001"), Some(DAY_US - 749_999));
        assert_eq!(date_and_time_us("", "23:59:59"), Some(DAY_US - 1_000_000));
        for nonsense in ["", "25", "2460", "1200-1", "12000x", "120000.x", "1200001", "é1200"] {
            assert_eq!(date_and_time_us("20200101", nonsense), None, "{nonsense:?}");
        }
        for nonsense in ["", "2020", "20201301120000", "2020010", "é0200101120000"] {
            assert_eq!(date_time_us(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn a_leap_day_is_a_day() {
        let day = |date| days(date).unwrap();
        assert_eq!(day("20240301") - day("20240228"), 2);
        assert_eq!(day("20230301") - day("20230228"), 1);
        assert_eq!(day("20250101") - day("20241231"), 1);
    }
}
