//! The documents of the API. The web application's types are made from these.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::assignments::Assignment;
use crate::store::contours::ContourEdit;
use crate::store::finding::{Finding, FindingState, Shape};
use crate::store::levels::LevelSaid;
use crate::store::reviews::Verdict;

/// Enhancement of a voxel or a disc over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct CurveAnswer {
    pub times_s: Vec<f64>,
    /// Above the mean before the bolus, one value for each time.
    pub enhancement_hu: Vec<f32>,
    /// How many voxels the curve is the mean of.
    pub voxels: usize,
}

/// The contours of a ventricle at one phase.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhaseContours {
    /// From 0.
    pub phase: usize,
    pub columns: u32,
    pub rows: u32,
    /// In the order of the stack.
    pub slices: Vec<SliceBorders>,
}

/// The contours of one image: polygons of column and row, pixel centres at whole numbers; empty where there is none.
#[derive(Debug, Serialize, ToSchema)]
pub struct SliceBorders {
    pub sop_instance_uid: String,
    pub endocardium: Vec<[f64; 2]>,
    pub epicardium: Vec<[f64; 2]>,
    /// What counts: of a network's contours the pixels, of a reader's the polygons.
    pub cavity_mm2: f64,
    pub muscle_mm2: f64,
    /// A reader drew it.
    pub edited: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContourRequest {
    #[serde(default)]
    pub edits: Vec<ContourEdit>,
    /// From 0; what was chosen before stays where absent.
    pub ed_phase: Option<usize>,
    pub es_phase: Option<usize>,
    pub reader: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetRequest {
    pub reader: String,
}

/// Why a request was refused (RFC 9457).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    pub status: u16,
    /// One sentence a person can act on.
    pub detail: String,
    /// The same sentence.
    pub error: String,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct SignIn {
    pub token: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    pub status: &'static str,
    pub version: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BoxState {
    pub version: &'static str,
    pub site: String,
    pub device: String,
    pub ae_title: String,
    pub dicom_port: u16,
    pub started_at: String,
    pub processor: ProcessorState,
    pub disk: DiskState,
    pub store: StoreState,
    pub broker: BrokerState,
    pub attention: Attention,
}

/// What waits for a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct Attention {
    /// Studies that arrived under two patients.
    pub held_identities: usize,
    /// Destinations that the last attempt did not reach.
    pub unreached: usize,
    /// Objects that a destination refused too often.
    pub isolated: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ProcessorState {
    /// `gpu`, `twin`, `probing` or `none`.
    pub kind: String,
    pub name: String,
    pub reason: String,
    /// What the GPU did not do, in a sentence: since it was lost, or what it had no room for in the last job or picture.
    pub degraded: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DiskState {
    pub free_bytes: u64,
    pub total_bytes: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct StoreState {
    pub studies: usize,
    pub instances: usize,
    /// Objects that arrived whole but do not parse.
    pub quarantined: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct BrokerState {
    pub configured: bool,
    pub connected: bool,
    /// Messages promised, not yet acknowledged.
    pub waiting: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Studies {
    /// Newest arrival first.
    pub studies: Vec<StudySummary>,
}

/// One line of the work list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StudySummary {
    pub uid: String,
    pub patient_name: String,
    pub patient_id: String,
    pub birth_date: Option<String>,
    pub sex: Option<String>,
    /// `YYYY-MM-DD` where the object's date is one, else as written.
    pub study_date: Option<String>,
    pub study_time: Option<String>,
    pub description: String,
    pub accession_number: String,
    pub modalities: Vec<String>,
    pub series_count: usize,
    pub instance_count: u64,
    /// Objects that arrived a second time with other bytes: both are kept, the first is shown.
    pub conflict_count: u64,
    pub first_arrival_at: String,
    pub last_arrival_at: String,
    pub activity: StudyActivity,
    pub headline: Option<Headline>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StudyActivity {
    pub state: ActivityState,
    pub stage: String,
    pub percent: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActivityState {
    Receiving,
    Waiting,
    Queued,
    Running,
    Idle,
    Failed,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Headline {
    pub text: String,
    pub state: FindingState,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StudyDetail {
    #[serde(flatten)]
    pub summary: StudySummary,
    pub series: Vec<SeriesSummary>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SeriesSummary {
    pub uid: String,
    pub modality: String,
    pub number: Option<i64>,
    pub description: String,
    pub instance_count: u64,
    pub frame_count: u64,
    /// The frames in order; absent where they make no stack.
    pub stack: Option<StackShape>,
    /// Why there is no stack, or why the stack is no volume.
    pub stack_problem: Option<String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StackShape {
    pub columns: u16,
    pub rows: u16,
    pub frames: usize,
    pub column_spacing_mm: Option<f64>,
    pub row_spacing_mm: Option<f64>,
    pub slice_increment_mm: Option<f64>,
    /// Names this order of frames; a frame request may carry it as `?stack=`.
    pub digest: String,
    pub unit: PixelUnit,
    pub window: Option<Window>,
    pub photometric: String,
    /// The frames make a volume: parallel, evenly spaced, none missing.
    pub even: bool,
    pub sop_instance_uids: Vec<String>,
    pub positions_mm: Option<Vec<f64>>,
    pub edge_letters: Option<EdgeLetters>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum PixelUnit {
    /// Hounsfield units.
    #[serde(rename = "HU")]
    Hounsfield,
    /// Stored values.
    #[serde(rename = "stored")]
    Stored,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Window {
    pub center: f64,
    pub width: f64,
}

/// The patient's side each image edge looks at.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EdgeLetters {
    pub left: String,
    pub right: String,
    pub top: String,
    pub bottom: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Findings {
    pub study_uid: String,
    /// Newest first, superseded ones included.
    pub findings: Vec<Finding>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct RegionRequest {
    pub series_uid: String,
    pub shape: Shape,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct ReviewRequest {
    pub verdict: Verdict,
    /// Who says so.
    pub reader: String,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct LevelsRequest {
    pub levels: Vec<LevelSaid>,
    /// Who says so.
    pub reader: String,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct AssignRequest {
    pub assignments: Vec<Assignment>,
    /// Who says so.
    pub reader: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RegionAccepted {
    /// The finding that will answer.
    pub finding_id: String,
}
