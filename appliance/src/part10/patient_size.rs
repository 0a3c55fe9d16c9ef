//! How large the patient is.

use serde::{Deserialize, Serialize};

/// How large the patient is, as the object says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PatientSize {
    /// Patient's Size (0010,1020): metres.
    pub height_m: Option<f64>,
    /// Patient's Weight (0010,1030).
    pub weight_kg: Option<f64>,
}

impl PatientSize {
    pub(super) fn of(height: Option<[f64; 1]>, weight: Option<[f64; 1]>) -> Self {
        Self { height_m: height.map(|[metres]| metres), weight_kg: weight.map(|[kg]| kg) }
    }
}
