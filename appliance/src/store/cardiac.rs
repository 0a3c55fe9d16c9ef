//! The left ventricle over a cycle: what a finding says of it, and its contours, which lie in a file beside.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::perfusion::FilePart;
use super::reviews::Verdict;

/// How a finding introduces contours that nobody has looked at.
pub const CANDIDATE: &str = "candidate contours and volumes, automatic, unreviewed";
/// The same, once a reader changed some of them.
const EDITED: &str = "contours and volumes edited by a reader, unreviewed";
/// Where there is no network.
const DRAWN: &str = "contours drawn and volumes measured by a reader, unreviewed";

/// What is known of the left ventricle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CardiacPart {
    /// Absent where only a reader's contours are measured.
    pub model: Option<ModelUsed>,
    pub slice_distance_mm: f64,
    /// After the R wave, of the middle slice.
    pub trigger_ms: Vec<f64>,
    /// By phase; nothing where nobody drew a contour.
    pub cavity_ml: Vec<Option<f64>>,
    /// Phases count from 0.
    pub ed_phase: usize,
    pub es_phase: usize,
    /// Phases that a reader chose instead.
    #[serde(default)]
    pub chosen: ChosenPhases,
    /// In the order of the stack.
    pub slices: Vec<CardiacSlice>,
    /// Of every slice at every phase (`Contours`); earlier versions kept none.
    #[serde(default)]
    #[schema(value_type = Option<FilePart>)]
    pub contours: Option<FilePart>,
}

/// End diastole and end systole as a reader chose them; found by volume where absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChosenPhases {
    pub ed: Option<usize>,
    pub es: Option<usize>,
}

impl CardiacPart {
    /// How unreviewed numbers are introduced. Wherever they go, what they rest on goes with them.
    pub fn label(&self, edited: bool) -> String {
        match (&self.model, edited) {
            (Some(model), false) => format!("{CANDIDATE}; {}", model.statement),
            (Some(model), true) => format!("{EDITED}; {}", model.statement),
            (None, _) => DRAWN.into(),
        }
    }

    /// What the numbers are called once a reader has said what they are worth.
    pub(super) fn reviewed_label(&self, verdict: Verdict, edited: bool) -> String {
        let word = match verdict {
            Verdict::Confirmed => "confirmed",
            Verdict::Rejected => "rejected",
        };
        let how = match (&self.model, edited) {
            (Some(_), false) => "automatic",
            (Some(_), true) => "edited",
            (None, _) => "drawn",
        };
        let statement = self.model.as_ref().map(|model| format!("; {}", model.statement)).unwrap_or_default();
        format!("contours and volumes, {how}, {word} by a reader{statement}")
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
    /// SHA-256 of its model.toml: how images become its input.
    #[serde(default)]
    pub manifest_sha256: String,
    /// All of its answers were kept from an earlier run; it did not run again.
    #[serde(default)]
    pub from_cache: bool,
}

impl ModelUsed {
    /// Where it ran and what it was, as an algorithm's processor.
    pub fn processor(&self) -> String {
        let kept = if self.from_cache { ", answers kept from an earlier run" } else { "" };
        format!("onnx {}: {} {}{kept}", self.provider, self.name, self.version)
    }
}

/// One slice at end diastole and end systole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CardiacSlice {
    pub ed: SliceMasks,
    pub es: SliceMasks,
}

/// Pixels of one image, as runs of row, first column, length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SliceMasks {
    pub sop_instance_uid: String,
    pub cavity: Vec<[u32; 3]>,
    pub muscle: Vec<[u32; 3]>,
}

/// Everything that is measured, and what it takes to measure it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contours {
    pub columns: u32,
    pub rows: u32,
    /// Between rows, between columns.
    pub pixel_mm: [f64; 2],
    /// Of each slice's own breath-hold, where the images say so.
    pub heart_rates_per_min: Option<Vec<f64>>,
    /// Of the patient, where height and weight are known.
    pub body_surface_m2: Option<f64>,
    /// By phase, then by slice.
    pub phases: Vec<Vec<SliceContours>>,
}

/// The borders of one slice at one phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SliceContours {
    pub masks: SliceMasks,
    /// What counts: of a network's contours the pixels, of a reader's the polygons.
    pub cavity_mm2: f64,
    pub muscle_mm2: f64,
    /// Polygons of column and row; pixel centres are at whole numbers. Empty where there is no border.
    pub endocardium: Vec<[f64; 2]>,
    pub epicardium: Vec<[f64; 2]>,
    /// A reader drew it.
    pub edited: bool,
}
