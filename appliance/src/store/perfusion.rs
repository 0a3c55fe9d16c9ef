//! What a perfusion analysis found, as the typed part of a finding. Maps are files beside the finding's document.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::finding::Warning;
use super::reviews::Verdict;

/// Goes with every map, volume, report and page.
pub const STATEMENT: &str = "Validated on digital phantoms only; not for treatment selection.";

/// How a reviewed finding introduces its numbers.
pub fn reviewed_label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Confirmed => {
            "CT perfusion, automatic, confirmed by a reader; validated on digital phantoms only; not for treatment \
             selection"
        }
        Verdict::Rejected => {
            "CT perfusion, automatic, rejected by a reader; validated on digital phantoms only; not for treatment \
             selection"
        }
    }
}

/// Everything but the voxels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PerfusionPart {
    /// Must be shown wherever a map, a curve or a volume is.
    pub statement: String,
    pub grid: Grid,
    /// CBF, CBV, MTT, TTP, Tmax.
    pub maps: Vec<PerfusionMap>,
    /// What each voxel is, one byte a voxel, bits of `TissueBit`.
    pub tissue: FilePart,
    /// Zero is the first image; every curve has one value for each.
    pub times_s: Vec<f64>,
    /// When the bolus reached the artery: the zero of TTP.
    pub arrival_s: f64,
    pub artery: InletCurve,
    /// Absent where no vein could be told from the arteries.
    pub vein: Option<InletCurve>,
    /// What the arterial input was multiplied with, where that was asked for.
    pub vein_scale: Option<VeinScale>,
    /// Absent where a guard failed: a doubtful number is not printed beside a warning.
    pub volumes: Option<PerfusionVolumes>,
    /// What makes the analysis doubtful. Not empty: `volumes` is absent.
    pub guards: Vec<Warning>,
    pub choice: PerfusionChoice,
    /// The parameters that were used, one sentence each.
    pub parameters: Vec<String>,
    pub motion: MotionSummary,
    pub acquisition: AcquisitionSummary,
}

/// The grid of the maps: that of the images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Grid {
    pub columns: u32,
    pub rows: u32,
    pub slices: u32,
    pub column_spacing_mm: f64,
    pub row_spacing_mm: f64,
    pub slice_increment_mm: f64,
}

/// The five maps, in the order they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MapKind {
    Cbf,
    Cbv,
    Mtt,
    Ttp,
    Tmax,
}

impl MapKind {
    pub const ALL: [Self; 5] = [Self::Cbf, Self::Cbv, Self::Mtt, Self::Ttp, Self::Tmax];

    /// As file names and routes have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cbf => "cbf",
            Self::Cbv => "cbv",
            Self::Mtt => "mtt",
            Self::Ttp => "ttp",
            Self::Tmax => "tmax",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Cbf => "CBF",
            Self::Cbv => "CBV",
            Self::Mtt => "MTT",
            Self::Ttp => "TTP",
            Self::Tmax => "Tmax",
        }
    }

    /// UCUM.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Cbf => "mL/(100.g).min-1",
            Self::Cbv => "mL/(100.g)",
            Self::Mtt | Self::Ttp | Self::Tmax => "s",
        }
    }

    /// The unit as people write it.
    pub fn unit_text(self) -> &'static str {
        match self {
            Self::Cbf => "mL/100 g/min",
            Self::Cbv => "mL/100 g",
            Self::Mtt | Self::Ttp | Self::Tmax => "s",
        }
    }

    /// What the ends of a colour bar stand for; values beyond them show as the ends, they are never cut.
    pub fn display_range(self) -> [f32; 2] {
        match self {
            Self::Cbf => [0.0, 80.0],
            Self::Cbv => [0.0, 8.0],
            Self::Mtt => [0.0, 16.0],
            Self::Ttp => [0.0, 24.0],
            Self::Tmax => [0.0, 12.0],
        }
    }
}

/// One map: 32-bit floats in little endian, slice by slice, row by row; NaN where there is no value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PerfusionMap {
    pub kind: MapKind,
    pub title: String,
    /// UCUM.
    pub unit: String,
    /// The unit as people write it.
    pub unit_text: String,
    pub display_range: [f32; 2],
    pub file: FilePart,
}

/// A file beside the finding's document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilePart {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

/// What a voxel is, a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TissueBit {
    Brain = 1,
    Vessel = 2,
    Csf = 4,
    Core = 8,
    Hypoperfused = 16,
}

/// Enhancement over time where blood comes in or goes out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InletCurve {
    /// Column, row, slice of each voxel.
    pub voxels: Vec<[u32; 3]>,
    /// The list was cut; the curve is the mean of all.
    pub voxels_truncated: bool,
    pub enhancement_hu: Vec<f32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VeinScale {
    pub factor: f64,
    /// Before it was kept within its bounds.
    pub measured: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PerfusionVolumes {
    /// `CBF below 30 % of the reference`.
    pub core_rule: String,
    pub core_ml: f64,
    /// `Tmax above 6 s`.
    pub hypoperfused_rule: String,
    pub hypoperfused_ml: f64,
    pub mismatch_ml: f64,
    /// Hypoperfused over core; absent where there is no core.
    pub ratio: Option<f64>,
    /// What the core is relative to, with its flow.
    pub reference: String,
}

/// What a reader may choose; the default is what the box does by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PerfusionChoice {
    /// Found automatically where absent.
    pub artery: Option<Spot>,
    pub vein: Option<Spot>,
    pub method: PerfusionMethod,
    pub reference: FlowReference,
    /// Multiplies the arterial input by the ratio of the two curves' areas (partial volume of a small artery).
    pub scale_by_vein: bool,
}

/// A disc in one slice.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Spot {
    pub center_px: [f64; 2],
    pub slice: u32,
    pub radius_px: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PerfusionMethod {
    /// Block-circulant SVD with oscillation index.
    #[default]
    Osvd,
    Csvd,
    Tikhonov,
    RichardsonLucy,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowReference {
    /// Tissue that the blood reaches in time.
    #[default]
    NormalTissue,
    /// The other hemisphere.
    Contralateral,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MotionSummary {
    pub passes: u32,
    /// Passes that were left out, counted from 1.
    pub rejected: Vec<u32>,
    /// How far the head's surface moved at most in the passes that were kept.
    pub largest_mm: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AcquisitionSummary {
    /// `continuous`, `shuttle` or `interleaved`.
    pub mode: String,
    /// What the times were taken from.
    pub clock: String,
    /// Of the position that has the fewest.
    pub time_points: u32,
    pub duration_s: f64,
}
