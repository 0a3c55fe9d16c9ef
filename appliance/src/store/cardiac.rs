//! The left ventricle over a cycle, as part of a finding.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::reviews::Verdict;

/// How a finding introduces contours that nobody has looked at.
pub const CANDIDATE: &str = "candidate contours and volumes, automatic, unreviewed";

/// What a network found of the left ventricle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CardiacPart {
    pub model: ModelUsed,
    pub slice_distance_mm: f64,
    /// After the R wave, of the middle slice.
    pub trigger_ms: Vec<f64>,
    /// By phase.
    pub cavity_ml: Vec<f64>,
    /// Phases count from 0.
    pub ed_phase: usize,
    pub es_phase: usize,
    /// In the order of the stack.
    pub slices: Vec<CardiacSlice>,
}

impl CardiacPart {
    /// What the numbers are called once a reader has said what they are worth. Wherever they go, what they rest on goes
    /// with them.
    pub(super) fn reviewed_label(&self, verdict: Verdict) -> String {
        let word = match verdict {
            Verdict::Confirmed => "confirmed",
            Verdict::Rejected => "rejected",
        };
        format!("contours and volumes, automatic, {word} by a reader; {}", self.model.statement)
    }
}

/// The network that a finding rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelUsed {
    pub name: String,
    pub version: String,
    pub sha256: String,
    /// What ran it.
    pub provider: String,
    /// Stands beside every number of it.
    pub statement: String,
}

/// One slice at end diastole and end systole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CardiacSlice {
    pub ed: SliceMasks,
    pub es: SliceMasks,
}

/// Pixels of one image, as runs of row, first column, length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SliceMasks {
    pub sop_instance_uid: String,
    pub cavity: Vec<[u32; 3]>,
    pub muscle: Vec<[u32; 3]>,
}
