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
pub(super) mod tests {
    use super::*;
    use crate::store::finding::{Algorithm, FindingKind, LesionSlice, Scope};
    use crate::uid::{SeriesUid, StudyUid};

    /// Of weight 1 and 200 HU; a pixel is worth a point, 3 mm3 and 0.48 mg.
    fn lesion(number: u32, pixels: u32) -> Lesion {
        let slice = LesionSlice {
            slice: number,
            area_mm2: f64::from(pixels),
            peak_hu: 199,
            weight: 1,
            agatston: f64::from(pixels),
            hounsfield_sum: 200 * i64::from(pixels),
            runs: vec![[0, 0, pixels]],
        };
        Lesion { number, agatston: f64::from(pixels), slices: vec![slice], ..Lesion::default() }
    }

    /// Three candidate lesions of 50, 30 and 20 points.
    pub(in crate::store) fn scored() -> Finding {
        let mut finding = Finding {
            id: "f1".into(),
            study_uid: StudyUid::parse("1.2").unwrap(),
            series_uid: SeriesUid::parse("1.2.3").unwrap(),
            kind: FindingKind::Calcium,
            title: String::new(),
            state: FindingState::Preliminary,
            label: String::new(),
            created_at: "2026-11-25T17:00:00Z".into(),
            algorithm: Algorithm { name: String::new(), version: String::new(), processor: String::new() },
            scope: Scope::Automatic { rule: String::new() },
            reason: None,
            measurements: Vec::new(),
            category: None,
            warnings: Vec::new(),
            lesions: vec![lesion(1, 50), lesion(2, 30), lesion(3, 20)],
            lesions_truncated: false,
            perfusion: None,
            cardiac: None,
            calcium: Some(Calcium {
                scoring: Scoring {
                    kvp: Some(120.0),
                    starts_hu: [130, 200, 300, 400],
                    pixel_area_mm2: 1.0,
                    slice_increment_mm: 3.0,
                    method: String::new(),
                    label: None,
                },
                mass: MassCalibration { mg_per_cm3_hu: Some(0.8), source: String::new() },
                vessels: Vec::new(),
                unassigned: 0,
                cac_drs: None,
                categorised: true,
                unlisted: Count::default(),
            }),
            revision: 0,
            reviewer: None,
            reviewed_at: None,
            superseded_by: None,
            superseded_reason: None,
            ready_because: String::new(),
            study_instances: 1,
        };
        recount(&mut finding);
        finding
    }

    fn assign(finding: &mut Finding, vessels: &[Option<Vessel>]) {
        for (lesion, vessel) in finding.lesions.iter_mut().zip(vessels) {
            lesion.vessel = *vessel;
        }
        recount(finding);
    }

    fn said(finding: &Finding) -> (f64, &str, bool, &str, Option<&str>) {
        let (category, calcium) = (finding.category.as_ref().unwrap(), finding.calcium.as_ref().unwrap());
        let drs = calcium.cac_drs.as_ref().unwrap();
        let total = finding.measurement(AGATSTON).unwrap();
        (total, category.text.as_str(), category.provisional, drs.a.as_str(), drs.n.as_deref())
    }

    #[test]
    fn until_every_lesion_has_a_place_it_is_candidate_calcium() {
        let mut finding = scored();
        assert_eq!(said(&finding), (100.0, "11-100", true, "A2", None));
        assign(&mut finding, &[Some(Vessel::Lad), Some(Vessel::Rca), None]);
        assert_eq!(said(&finding), (100.0, "11-100", true, "A2", None));
        assert_eq!(finding.label, "candidate calcium, automatic, unreviewed");
        finding.lesions[2].proposed = Some(Vessel::Aorta);
        recount(&mut finding);
        assert_eq!(said(&finding).0, 100.0, "a proposal changed a number");
        assign(&mut finding, &[Some(Vessel::Lad), Some(Vessel::Rca), Some(Vessel::Lad)]);
        assert_eq!(said(&finding), (100.0, "11-100", false, "A2", Some("N2")));
        assert!(!finding.label.contains("candidate"), "{}", finding.label);
    }

    #[test]
    fn aorta_valve_and_other_count_for_nothing() {
        let mut finding = scored();
        assign(&mut finding, &[Some(Vessel::Aorta), Some(Vessel::Lcx), Some(Vessel::Valve)]);
        assert_eq!(said(&finding), (30.0, "11-100", false, "A1", Some("N1")));
        let mass_mg = finding.measurement(MASS).unwrap();
        assert!((mass_mg - 0.8 * 200.0 * 30.0 * 3.0 / 1000.0).abs() < 1e-9, "{mass_mg} mg");
        assert_eq!(finding.measurement(LESIONS), Some(1.0));
        let places: Vec<_> = finding.calcium.as_ref().unwrap().vessels.iter().map(|sum| sum.vessel).collect();
        assert_eq!(places, [Vessel::Lcx, Vessel::Aorta, Vessel::Valve]);
        assign(&mut finding, &[Some(Vessel::Other); 3]);
        assert_eq!(said(&finding), (0.0, "0", false, "A0", Some("N0")));
    }

    #[test]
    fn without_calibration_there_is_no_mass_and_without_the_whole_heart_no_category() {
        let mut finding = scored();
        let calcium = finding.calcium.as_mut().unwrap();
        (calcium.mass.mg_per_cm3_hu, calcium.categorised) = (None, false);
        recount(&mut finding);
        assert_eq!(finding.measurement(MASS), None);
        assert_eq!((&finding.category, &finding.calcium.unwrap().cac_drs), (&None, &None));
    }

    #[test]
    fn a_list_that_was_cut_is_never_assigned_and_its_rest_still_counts() {
        let mut finding = scored();
        finding.lesions_truncated = true;
        finding.calcium.as_mut().unwrap().unlisted =
            Count { lesions: 7, pixels: 5, weighted_pixels: 5, hounsfield_sum: 1000 };
        assign(&mut finding, &[Some(Vessel::Lad); 3]);
        assert_eq!(said(&finding), (105.0, "101-400", true, "A2", None));
        assert!(!is_assigned(&finding));
    }

    #[test]
    fn the_letters_of_cac_drs_change_at_100_and_300() {
        let letters = [0.0, 0.1, 99.9, 100.0, 299.9, 300.0].map(cac_drs_a);
        assert_eq!(letters, ["A0", "A1", "A1", "A2", "A2", "A3"]);
    }
}
