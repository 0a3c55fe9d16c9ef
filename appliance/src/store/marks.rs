//! Marks of a detection network, as part of a finding: where something looks like a lesion, on which image, how much.
//!
//! Suspicion is the network's own number. Levels are thresholds on it, a suggestion that belongs to a mark: an examination
//! has none, and without a mark there is "no mark by this model", never a level.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cardiac::ModelUsed;
use super::reviews::Verdict;

/// How a finding introduces marks that nobody has looked at.
pub const CANDIDATE: &str = "candidate marks, automatic, unreviewed";
/// What a level is, wherever one is shown.
pub const LEVELS: &str = "suspicion level 1-5, BI-RADS-style, uncalibrated";
pub const NO_MARK: &str = "no mark by this model";
/// Measurement: how many marks.
pub const MARKS: &str = "Marks";
/// Measurement: suspicion of the most suspicious place, a mark or not.
pub const HIGHEST: &str = "Highest suspicion";

/// What a network marked on the images of a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MarksPart {
    pub model: ModelUsed,
    /// Suspicion from which a place is a mark: the network's working point.
    pub threshold_percent: f64,
    /// Suspicion at which levels 2 to 5 begin.
    pub levels_percent: [f64; 4],
    /// Of mammograms: every image of the examination, judged or not.
    pub views: Vec<MarkedView>,
    /// The most suspicious first.
    pub marks: Vec<FoundMark>,
}

/// One mammogram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MarkedView {
    pub series_uid: String,
    pub sop_class_uid: String,
    pub sop_instance_uid: String,
    /// `R CC`, `L MLO`; what the image says where it is none of these.
    pub view: String,
    /// Patient Orientation of rows and columns; empty where the image is not judged or does not say.
    pub patient_orientation: [String; 2],
    /// Suspicion of its most suspicious place; absent where it was not judged.
    pub score_percent: Option<f64>,
    /// Why it was not judged.
    pub not_judged: Option<String>,
    pub heat: Option<HeatGrid>,
}

/// Suspicion over an image, as far as it is worth showing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeatGrid {
    /// Columns and rows of the image along a cell.
    pub cell_px: [f64; 2],
    /// Cells below this are not listed.
    pub from_percent: u32,
    /// Column and row of the cell, suspicion in percent.
    pub cells: Vec<[u32; 3]>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundMark {
    pub number: u32,
    /// What it looks like, and its SNOMED CT code.
    pub what: String,
    pub snomed: String,
    /// The image it stands on; of a volume the nearest.
    pub sop_instance_uid: String,
    /// Column, row, and of a volume the slice, on the image as it was sent.
    pub center_px: [f64; 3],
    /// Columns and rows from its centre to its rim.
    pub radius_px: [f64; 2],
    pub diameter_mm: f64,
    pub suspicion_percent: f64,
    /// Suggested, 1 to 5; uncalibrated.
    pub level: u8,
    /// What a reader says instead, or to it.
    #[serde(default)]
    pub reader_level: Option<u8>,
    #[serde(default)]
    pub levelled_by: Option<String>,
    /// RFC 3339, UTC.
    #[serde(default)]
    pub levelled_at: Option<String>,
}

impl FoundMark {
    /// The level in words: a reader's where there is one, and what was suggested.
    pub fn level_words(&self) -> String {
        match (self.reader_level, &self.levelled_by) {
            (Some(level), Some(reader)) => {
                format!("level {level} by {reader}, {} suggested", self.level)
            }
            _ => format!("level {} suggested", self.level),
        }
    }

    /// Pixels within its radius, and its middle pixel always: row, first column and length, by slice. `size`: columns, rows
    /// and slices of the stack, whose slices are `increment_mm` apart. A ball of the network's estimate, not an outline.
    pub fn ball(&self, increment_mm: f64, size: [u64; 3]) -> BTreeMap<u32, Vec<[u32; 3]>> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a stack")]
        #[expect(clippy::cast_precision_loss, reason = "sides of a stack")]
        let within = |value: f64, side: u64| value.clamp(0.0, side.saturating_sub(1) as f64) as u32;
        let [column, row, slice] = self.center_px;
        let radius_mm = (self.diameter_mm / 2.0).max(1e-3);
        let mut runs: BTreeMap<u32, Vec<[u32; 3]>> = BTreeMap::new();
        let reach = radius_mm / increment_mm;
        let [first, last] =
            [(slice - reach).ceil(), (slice + reach).floor()].map(|value| within(value, size[2]));
        for at in first..=last {
            let share = 1.0 - ((f64::from(at) - slice) * increment_mm / radius_mm).powi(2);
            if share <= 0.0 {
                continue;
            }
            let half = share.sqrt();
            let [top, bottom] =
                [(row - half * self.radius_px[1]).ceil(), (row + half * self.radius_px[1]).floor()]
                    .map(|value| within(value, size[1]));
            for line in top..=bottom {
                let across = share - ((f64::from(line) - row) / self.radius_px[1].max(1e-3)).powi(2);
                let half = across.max(0.0).sqrt() * self.radius_px[0];
                let [left, right] =
                    [(column - half).ceil(), (column + half).floor()].map(|value| within(value, size[0]));
                if across > 0.0 && right >= left {
                    runs.entry(at).or_default().push([line, left, right - left + 1]);
                }
            }
        }
        if runs.is_empty() {
            let at = [(column.round(), 0), (row.round(), 1), (slice.round(), 2)];
            let [column, row, slice] = at.map(|(value, axis)| within(value, size[axis]));
            runs.insert(slice, vec![[row, column, 1]]);
        }
        runs
    }
}

impl MarksPart {
    /// How many marks and how suspicious, in a few words.
    pub(super) fn in_short(&self) -> String {
        let highest = self.marks.iter().map(|mark| mark.suspicion_percent).fold(0.0, f64::max);
        match self.marks.len() {
            0 => NO_MARK.to_owned(),
            1 => format!("1 mark, suspicion {highest:.0} of 100"),
            count => format!("{count} marks, suspicion up to {highest:.0} of 100"),
        }
    }

    /// How marks that nobody has looked at are introduced, with what they rest on.
    pub fn candidate_label(&self) -> String {
        format!("{CANDIDATE}; {}", self.model.statement)
    }

    /// What the marks are called once a reader has said what they are worth.
    pub(super) fn reviewed_label(&self, verdict: Verdict) -> String {
        let word = match verdict {
            Verdict::Confirmed => "confirmed",
            Verdict::Rejected => "rejected",
        };
        format!("marks, automatic, {word} by a reader; {}", self.model.statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(center_px: [f64; 3], radius_px: [f64; 2], diameter_mm: f64) -> FoundMark {
        FoundMark {
            number: 1,
            what: "nodule".into(),
            snomed: "27925004".into(),
            sop_instance_uid: String::new(),
            center_px,
            radius_px,
            diameter_mm,
            suspicion_percent: 80.0,
            level: 4,
            reader_level: None,
            levelled_by: None,
            levelled_at: None,
        }
    }

    #[test]
    fn a_ball_has_its_volume_and_stays_in_the_stack() {
        // 20 mm on pixels of 0.8 x 0.5 mm and slices of 1.25 mm.
        let ball_of = |center| mark(center, [12.5, 20.0], 20.0).ball(1.25, [200, 300, 60]);
        let pixels = |runs: &BTreeMap<u32, Vec<[u32; 3]>>| -> u32 {
            runs.values().flatten().map(|[_, _, length]| length).sum()
        };
        let runs = ball_of([100.2, 150.7, 30.1]);
        let volume = f64::from(pixels(&runs)) * 0.8 * 0.5 * 1.25;
        let truth = 4.0 / 3.0 * std::f64::consts::PI * 1000.0;
        assert!((volume / truth - 1.0).abs() < 0.03, "{volume} of {truth} mm3");
        let cut = ball_of([0.0, 299.0, 59.0]);
        assert!(cut.keys().all(|slice| *slice < 60) && pixels(&cut) < pixels(&runs) / 4);
        assert!(cut.values().flatten().all(|[row, column, length]| *row < 300 && column + length <= 200));
        let speck = mark([5.4, 6.6, 2.5], [0.1, 0.1], 0.2).ball(3.0, [10, 10, 10]);
        assert_eq!(pixels(&speck), 1);
    }
}
