//! The left ventricle over a cycle, as part of a finding.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
