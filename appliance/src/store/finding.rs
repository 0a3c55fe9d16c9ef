//! What an analysis found, as one document: the viewer, MQTT and (later) the DICOM results read the same one.

use serde::{Deserialize, Serialize};
use sidelight_kernels::{Dimensions, Region};
use utoipa::ToSchema;

use super::calcium::{Calcium, Vessel};
use super::cardiac::{CardiacPart, ModelUsed};
use super::marks::MarksPart;
use super::perfusion::{PerfusionChoice, PerfusionPart};
use super::structures::StructuresPart;
use crate::uid::{SeriesUid, StudyUid};

/// What a finding is about. Each analysis answers for every series, if only with the reason why it does not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    Perfusion,
    Calcium,
    Cardiac,
    Mammography,
    Nodules,
    Structures,
    /// What a hospital's own network labels; one finding for each network.
    Segmentation,
}

impl FindingKind {
    /// In the order they are computed: what a patient cannot wait for comes first.
    pub const ALL: [Self; 7] = [
        Self::Perfusion,
        Self::Calcium,
        Self::Cardiac,
        Self::Mammography,
        Self::Nodules,
        Self::Structures,
        Self::Segmentation,
    ];
}

/// How far a finding may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// The study may still grow.
    Provisional,
    /// The study is complete; nobody has reviewed the finding.
    Preliminary,
    /// A reader agreed.
    Confirmed,
    /// A reader disagreed.
    Rejected,
    /// A later finding, or a larger study, took its place.
    Superseded,
    /// It could not be computed; `reason` says why.
    Failed,
    /// The analysis does not apply to this series; `reason` says why.
    NotApplicable,
}

impl FindingState {
    /// Whether this is still what the box says about the series.
    pub fn is_current(self) -> bool {
        !matches!(self, Self::Superseded | Self::Rejected)
    }
}

/// Which program computed it, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Algorithm {
    pub name: String,
    pub version: String,
    /// `gpu: <name>` or `twin: <name>`.
    pub processor: String,
}

/// Which voxels were looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Scope {
    /// The box chose; `rule` says how and where that fails.
    Automatic { rule: String },
    /// A person drew it.
    Region { shape: Shape, reader: String },
    /// A person chose the inlets or the method of a perfusion analysis.
    Chosen { choice: PerfusionChoice, reader: String },
    /// A person changed the contours of the finding `of`, whose place this one takes.
    Edited { of: String, reader: String },
}

/// A region drawn on a stack. Pixel centres are at whole coordinates; slices count from 0, both ends included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "shape", rename_all = "snake_case")]
pub enum Shape {
    Circle {
        center_px: [f64; 2],
        radius_px: f64,
        first_slice: u32,
        last_slice: u32,
    },
    /// Even-odd rule on pixel centres.
    Polygon {
        points_px: Vec<[f64; 2]>,
        first_slice: u32,
        last_slice: u32,
    },
}

impl Shape {
    /// The voxels inside.
    pub fn region(&self, dimensions: Dimensions) -> Region {
        match self {
            Self::Circle { center_px, radius_px, first_slice, last_slice } => {
                Region::circle(dimensions, *center_px, *radius_px, *first_slice..=*last_slice)
            }
            Self::Polygon { points_px, first_slice, last_slice } => {
                Region::polygon(dimensions, points_px, *first_slice..=*last_slice)
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measurement {
    pub name: String,
    pub value: f64,
    /// UCUM.
    pub unit: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Category {
    pub scheme: String,
    pub text: String,
    pub provisional: bool,
}

/// Something a reader must know before using the numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    pub code: String,
    pub text: String,
}

/// One lesion, grouped over slices for listing only; the score is made per slice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Lesion {
    pub number: u32,
    pub peak_hu: i32,
    pub volume_mm3: f64,
    pub agatston: f64,
    /// Absent without a calibration.
    #[serde(default)]
    pub mass_mg: Option<f64>,
    /// Column, row, slice.
    pub center_px: [f64; 3],
    /// First and last column, row and slice, both inside.
    #[serde(default)]
    pub bounds_px: [[u32; 3]; 2],
    /// Where a reader says it lies.
    #[serde(default)]
    pub vessel: Option<Vessel>,
    #[serde(default)]
    pub assigned_by: Option<String>,
    /// RFC 3339, UTC.
    #[serde(default)]
    pub assigned_at: Option<String>,
    /// Where it may lie by its position. Nobody's word: it changes no number.
    #[serde(default)]
    pub proposed: Option<Vessel>,
    /// What else it may be, as far as its position tells.
    #[serde(default)]
    pub proposed_or: Vec<Vessel>,
    pub slices: Vec<LesionSlice>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LesionSlice {
    pub slice: u32,
    pub area_mm2: f64,
    pub peak_hu: i32,
    pub weight: u32,
    pub agatston: f64,
    /// Hounsfield units of its pixels added up.
    #[serde(default)]
    pub hounsfield_sum: i64,
    /// Row, first column, length in pixels.
    pub runs: Vec<[u32; 3]>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    pub id: String,
    #[schema(value_type = String)]
    pub study_uid: StudyUid,
    #[schema(value_type = String)]
    pub series_uid: SeriesUid,
    pub kind: FindingKind,
    pub title: String,
    pub state: FindingState,
    /// How the numbers must be introduced wherever they are shown.
    pub label: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    pub algorithm: Algorithm,
    pub scope: Scope,
    /// Why nothing ran, or what failed.
    pub reason: Option<String>,
    pub measurements: Vec<Measurement>,
    pub category: Option<Category>,
    pub warnings: Vec<Warning>,
    pub lesions: Vec<Lesion>,
    /// The list was cut; the sums count everything.
    pub lesions_truncated: bool,
    /// Of a calcium finding that was scored.
    #[serde(default)]
    pub calcium: Option<Calcium>,
    /// How often a reader changed what it says; a document or message names the revision it states.
    #[serde(default)]
    pub revision: u32,
    /// Maps, curves and volumes of a perfusion analysis.
    #[serde(default)]
    pub perfusion: Option<PerfusionPart>,
    /// The left ventricle over a cycle.
    #[serde(default)]
    pub cardiac: Option<CardiacPart>,
    /// What a detection network marked.
    #[serde(default)]
    pub marks: Option<MarksPart>,
    /// Lungs, bone and the like by density and shape, or whatever a network labels.
    #[serde(default)]
    pub structures: Option<StructuresPart>,
    /// The bundle that was to be asked, where each bundle has a finding of its own.
    #[serde(default)]
    pub network: Option<String>,
    pub reviewer: Option<String>,
    pub reviewed_at: Option<String>,
    pub superseded_by: Option<String>,
    pub superseded_reason: Option<String>,
    /// Why the study counted as ready for this: which signals said so.
    #[serde(default)]
    pub ready_because: String,
    /// How many instances the study had when this was computed.
    pub study_instances: u64,
}

impl Finding {
    /// What it found in a few words; nothing where it found nothing out.
    pub fn in_short(&self) -> Option<String> {
        match self.kind {
            FindingKind::Calcium => {
                self.measurement("Agatston score").map(|score| format!("Agatston {score:.0}"))
            }
            FindingKind::Perfusion => self.perfusion.as_ref().map(|part| match &part.volumes {
                Some(volumes) => format!(
                    "Perfusion: core {:.0} mL, mismatch {:.0} mL",
                    volumes.core_ml, volumes.mismatch_ml
                ),
                None => "Perfusion maps, volumes withheld".into(),
            }),
            FindingKind::Structures | FindingKind::Segmentation => {
                self.structures.as_ref().map(StructuresPart::in_short)
            }
            FindingKind::Cardiac => self.measurement("Ejection fraction").map(|ef| format!("EF {ef:.0} %")),
            FindingKind::Mammography => {
                self.marks.as_ref().map(|part| format!("Mammogram: {}", part.in_short()))
            }
            FindingKind::Nodules => {
                self.marks.as_ref().map(|part| format!("Lung nodules: {}", part.in_short()))
            }
        }
    }

    /// The network that the numbers rest on, where there is one.
    pub fn model(&self) -> Option<&ModelUsed> {
        let cardiac = self.cardiac.as_ref().and_then(|part| part.model.as_ref());
        let labels = self.structures.as_ref().and_then(|part| part.model.as_ref());
        cardiac.or(labels).or(self.marks.as_ref().map(|part| &part.model))
    }

    /// The value of a measurement by its name.
    pub fn measurement(&self, name: &str) -> Option<f64> {
        self.measurements.iter().find(|measurement| measurement.name == name).map(|found| found.value)
    }

    /// Whether a person asked for it beside what the box says: drew the region, chose the inlets.
    pub fn is_drawn(&self) -> bool {
        matches!(self.scope, Scope::Region { .. } | Scope::Chosen { .. })
    }

    /// Whether a person changed contours.
    pub fn is_edited(&self) -> bool {
        matches!(self.scope, Scope::Edited { .. })
    }
}
