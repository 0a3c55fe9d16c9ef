//! Marks of a detection network, as part of a finding: where something looks like a lesion, on which image, how much.
//!
//! Suspicion is the network's own number. Levels are thresholds on it, a suggestion that belongs to a mark: an examination
//! has none, and without a mark there is "no mark by this model", never a level.

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
