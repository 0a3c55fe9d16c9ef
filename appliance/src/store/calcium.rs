//! Calcium as a finding says it: where each lesion lies, who says so, and which lesions the sums count.
//!
//! ```text
//!           nobody assigned                    LM LAD LCX RCA            aorta valve other
//! sums      counted: candidate calcium         counted                   never counted
//! CAC-DRS   N stays empty                      a vessel of N             -
//! ```
//! Invariants: a proposal changes no number; only a person's word does. The total, its category and the CAC-DRS
//! letters follow from the lesions and nothing else, so they are counted anew after every assignment. Until every
//! lesion has a place, the total is candidate calcium and its category provisional. Sums are of whole pixels and are
//! multiplied once, as the kernels do it: a score of exactly 100 stays on its side of the bound.
//!
//! Not here: how a lesion is found and weighed (kernels), when an assignment is taken (`assignments.rs`).

use serde::{Deserialize, Serialize};
use sidelight_kernels::calcium::category;
use sidelight_kernels::heart::vessels::Vessel as Proposed;
use utoipa::ToSchema;

use super::finding::{Category, Finding, FindingState, Lesion, Measurement};

pub const AGATSTON: &str = "Agatston score";
pub const VOLUME: &str = "Volume";
pub const MASS: &str = "Mass";
pub const LESIONS: &str = "Lesions";

/// Until a reader has placed every lesion the sum is called nothing else (research notes, analyses.md 2.1).
pub const CANDIDATE: &str = "candidate calcium, automatic, unreviewed";
pub const CANDIDATE_DRAWN: &str = "candidate calcium in a drawn region, unreviewed";
const ASSIGNED: &str = "calcium, every lesion assigned by a reader, not confirmed";
const CONFIRMED: &str = "calcium, every lesion assigned, confirmed by a reader";
const REJECTED: &str = "candidate calcium, automatic, rejected by a reader";

/// Thickness of the original protocol's slices.
const AGATSTON_SLICE_MM: f64 = 3.0;

/// Where a lesion lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Vessel {
    /// Left main.
    Lm,
    /// Left anterior descending.
    Lad,
    /// Circumflex.
    Lcx,
    /// Right coronary artery.
    Rca,
    Aorta,
    Valve,
    Other,
}

impl Vessel {
    pub const ALL: [Self; 7] =
        [Self::Lm, Self::Lad, Self::Lcx, Self::Rca, Self::Aorta, Self::Valve, Self::Other];

    /// Whether calcium there belongs to the score.
    pub fn is_coronary(self) -> bool {
        matches!(self, Self::Lm | Self::Lad | Self::Lcx | Self::Rca)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Lm => "LM",
            Self::Lad => "LAD",
            Self::Lcx => "LCX",
            Self::Rca => "RCA",
            Self::Aorta => "aorta",
            Self::Valve => "valve",
            Self::Other => "other",
        }
    }
}

impl From<Proposed> for Vessel {
    fn from(proposed: Proposed) -> Self {
        match proposed {
            Proposed::LeftMain => Self::Lm,
            Proposed::LeftAnteriorDescending => Self::Lad,
            Proposed::LeftCircumflex => Self::Lcx,
            Proposed::RightCoronary => Self::Rca,
            Proposed::Aorta => Self::Aorta,
            Proposed::Valve => Self::Valve,
            Proposed::Other => Self::Other,
        }
    }
}

/// What a calcium finding says beside its lesions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Calcium {
    pub scoring: Scoring,
    pub mass: MassCalibration,
    /// Each place that has lesions, coronary arteries first.
    pub vessels: Vec<VesselSum>,
    /// Listed lesions that nobody has assigned.
    pub unassigned: u32,
    pub cac_drs: Option<CacDrs>,
    /// Whether the whole heart was scored under the conditions that categories were made for.
    pub categorised: bool,
    /// Lesions beyond those listed; nobody can assign them.
    pub unlisted: Count,
}

/// Lesions as whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    pub lesions: u32,
    pub pixels: u64,
    /// Each pixel as often as its slice's lesion weighs.
    pub weighted_pixels: u64,
    /// Hounsfield units of all pixels added up.
    pub hounsfield_sum: i64,
}

/// Which thresholds were used, and why these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scoring {
    pub kvp: Option<f64>,
    /// Where the weights 1, 2, 3 and 4 begin; the first is the threshold.
    pub starts_hu: [i16; 4],
    pub pixel_area_mm2: f64,
    pub slice_increment_mm: f64,
    /// One sentence, with its source.
    pub method: String,
    /// What must stand beside every number where it is not plain Agatston at 120 kVp.
    pub label: Option<String>,
}

/// What mass stands on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MassCalibration {
    /// Milligrams of hydroxyapatite for each cubic centimetre and Hounsfield unit; without it there is no mass.
    pub mg_per_cm3_hu: Option<f64>,
    /// Where the factor comes from, or why there is none.
    pub source: String,
}

/// Lesions added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sum {
    pub lesions: u32,
    pub agatston: f64,
    pub volume_mm3: f64,
    pub mass_mg: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VesselSum {
    pub vessel: Vessel,
    #[serde(flatten)]
    pub sum: Sum,
}

/// CAC-DRS (Hecht 2018): A0 to A3 by the Agatston score, N0 to N4 by how many coronary arteries have calcium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CacDrs {
    pub a: String,
    /// Empty until every lesion is assigned.
    pub n: Option<String>,
    pub provisional: bool,
}

impl CacDrs {
    pub fn words(&self) -> String {
        let n = self.n.as_ref().map_or_else(|| "N not given".into(), Clone::clone);
        format!("{} / {n}", self.a)
    }
}

impl Count {
    pub fn of(lesion: &Lesion) -> Self {
        let mut count = Self { lesions: 1, ..Self::default() };
        for slice in &lesion.slices {
            let pixels: u64 = slice.runs.iter().map(|[_, _, length]| u64::from(*length)).sum();
            count.pixels += pixels;
            count.weighted_pixels += pixels * u64::from(slice.weight);
            count.hounsfield_sum += slice.hounsfield_sum;
        }
        count
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            lesions: self.lesions + other.lesions,
            pixels: self.pixels + other.pixels,
            weighted_pixels: self.weighted_pixels + other.weighted_pixels,
            hounsfield_sum: self.hounsfield_sum + other.hounsfield_sum,
        }
    }

    fn of_all<'a>(lesions: impl Iterator<Item = &'a Lesion>) -> Self {
        lesions.map(Self::of).fold(Self::default(), Self::and)
    }
}

impl Calcium {
    /// What whole numbers are worth. The order of multiplication is the kernels'.
    #[expect(clippy::cast_precision_loss, reason = "no volume has 2^52 voxels")]
    pub fn worth(&self, count: Count) -> Sum {
        let Scoring { pixel_area_mm2, slice_increment_mm, .. } = self.scoring;
        let voxel_mm3 = pixel_area_mm2 * slice_increment_mm;
        // mg/cm3 is a thousandth of mg/mm3 (Ulzheimer 2003: factor times volume times mean Hounsfield value).
        let mass = |factor: f64| factor * (count.hounsfield_sum as f64) * voxel_mm3 / 1000.0;
        Sum {
            lesions: count.lesions,
            agatston: count.weighted_pixels as f64
                * pixel_area_mm2
                * (slice_increment_mm / AGATSTON_SLICE_MM),
            volume_mm3: count.pixels as f64 * voxel_mm3,
            mass_mg: self.mass.mg_per_cm3_hu.map(mass),
        }
    }
}

/// Whether a reader has said of every lesion where it lies. True of a finding without lesions.
pub fn is_assigned(finding: &Finding) -> bool {
    !finding.lesions_truncated && finding.lesions.iter().all(|lesion| lesion.vessel.is_some())
}

/// Whether a reader stands behind the sum: every lesion assigned, or, where there is none, the zero confirmed.
fn is_reviewed(finding: &Finding) -> bool {
    finding.state == FindingState::Confirmed || (!finding.lesions.is_empty() && is_assigned(finding))
}

/// How a calcium finding's numbers must be introduced.
pub fn label(finding: &Finding) -> String {
    let said = match finding.state {
        FindingState::Confirmed => CONFIRMED,
        FindingState::Rejected => REJECTED,
        _ if is_reviewed(finding) => ASSIGNED,
        _ if finding.is_drawn() => CANDIDATE_DRAWN,
        _ => CANDIDATE,
    };
    match finding.calcium.as_ref().and_then(|calcium| calcium.scoring.label.as_ref()) {
        Some(scored) => format!("{said}; {scored}"),
        None => said.to_owned(),
    }
}

/// Counts a calcium finding anew from its lesions: sums, category, CAC-DRS, label. Others are left alone.
pub fn recount(finding: &mut Finding) {
    let Some(calcium) = &finding.calcium else { return };
    let (lesions, reviewed, complete) = (&finding.lesions, is_reviewed(finding), is_assigned(finding));
    let vessels: Vec<VesselSum> =
        Vessel::ALL.into_iter().filter_map(|vessel| sum_of(calcium, lesions, vessel)).collect();
    let counted = lesions.iter().filter(|lesion| lesion.vessel.is_none_or(Vessel::is_coronary));
    let total = calcium.worth(Count::of_all(counted).and(calcium.unlisted));
    let unassigned = lesions.iter().filter(|lesion| lesion.vessel.is_none()).count();
    let arteries = vessels.iter().filter(|sum| sum.vessel.is_coronary()).count();
    let categorised = calcium.categorised;
    finding.measurements = measurements(total);
    finding.category = categorised.then(|| Category {
        scheme: "Agatston category".into(),
        text: category(total.agatston).into(),
        provisional: !reviewed,
    });
    if let Some(calcium) = &mut finding.calcium {
        calcium.cac_drs = categorised.then(|| CacDrs {
            a: cac_drs_a(total.agatston).into(),
            n: (reviewed && complete).then(|| format!("N{arteries}")),
            provisional: !reviewed,
        });
        calcium.vessels = vessels;
        calcium.unassigned = u32::try_from(unassigned).unwrap_or(u32::MAX);
    }
    finding.label = label(finding);
}

fn sum_of(calcium: &Calcium, lesions: &[Lesion], vessel: Vessel) -> Option<VesselSum> {
    let sum = calcium.worth(Count::of_all(lesions.iter().filter(|lesion| lesion.vessel == Some(vessel))));
    (sum.lesions > 0).then_some(VesselSum { vessel, sum })
}

fn measurements(total: Sum) -> Vec<Measurement> {
    let named = [
        (AGATSTON, Some(total.agatston), "1"),
        (VOLUME, Some(total.volume_mm3), "mm3"),
        (MASS, total.mass_mg, "mg"),
        (LESIONS, Some(f64::from(total.lesions)), "1"),
    ];
    let measurement = |(name, value, unit): (&str, Option<f64>, &str)| {
        Some(Measurement { name: name.into(), value: value?, unit: unit.into() })
    };
    named.into_iter().filter_map(measurement).collect()
}

/// On the unrounded score: 0, below 100, below 300, from 300 (Hecht 2018, J Cardiovasc Comput Tomogr 12:185).
fn cac_drs_a(agatston: f64) -> &'static str {
    match agatston {
        a if a <= 0.0 => "A0",
        a if a < 100.0 => "A1",
        a if a < 300.0 => "A2",
        _ => "A3",
    }
}

#[cfg(test)]
#[path = "calcium_tests.rs"]
pub(super) mod tests;
