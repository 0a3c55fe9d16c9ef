//! The sums of a calcium finding, vessel by vessel.

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
        marks: None,
        structures: None,
        network: None,
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
