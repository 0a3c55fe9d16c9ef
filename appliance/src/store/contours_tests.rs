//! A reader's contours outlive power cuts, and nothing is half changed.

use super::Store;
use super::cardiac::{CardiacPart, ChosenPhases, Contours};
use super::contours::{Change, ContourChange, ContourEdit, ContourError};
use super::finding::{FindingKind, FindingState};
use super::tests::{AT, finding, open, send, study};
use crate::ventricle::undrawn;

fn square(half: f64) -> Vec<[f64; 2]> {
    vec![
        [20.0 - half, 20.0 - half],
        [20.0 + half, 20.0 - half],
        [20.0 + half, 20.0 + half],
        [20.0 - half, 20.0 + half],
    ]
}

fn edit(phase: usize, half: f64) -> ContourEdit {
    ContourEdit { slice: 1, phase, endocardium: square(half), epicardium: square(half + 4.0) }
}

/// A store with one study and an empty cycle of two slices at three phases.
fn with_ventricle(folder: &std::path::Path) -> Store {
    let (store, _) = open(folder);
    send(&store, "1.2", "1.2.3", "1.2.3.1", "a");
    let phases = (0..3).map(|phase| (0..2).map(|slice| undrawn(&format!("1.{slice}.{phase}"))).collect());
    let contours = Contours {
        columns: 40,
        rows: 40,
        pixel_mm: [2.0, 2.0],
        heart_rates_per_min: Some(vec![60.0, 60.0]),
        body_surface_m2: None,
        phases: phases.collect(),
    };
    let mut empty = finding("f1", FindingState::NotApplicable, 1);
    empty.kind = FindingKind::Cardiac;
    empty.reason = Some("no model for CT".into());
    empty.cardiac = Some(CardiacPart {
        model: None,
        slice_distance_mm: 10.0,
        trigger_ms: vec![0.0, 1.0, 2.0],
        cavity_ml: vec![None; 3],
        ed_phase: 0,
        es_phase: 0,
        chosen: ChosenPhases::default(),
        slices: Vec::new(),
        contours: Some(store.file_contours(&study(), "f1", &contours).unwrap()),
    });
    store.record_finding(&empty).unwrap();
    store
}

fn by(new_id: &str) -> Change<'_> {
    Change { reader: "Vane^Harriet", at: AT, new_id }
}

#[test]
fn drawn_contours_are_measured_and_every_change_takes_the_place_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_ventricle(folder.path());
    let change = |id: &str, edits: Vec<ContourEdit>, new: &str| {
        store.edit_contours(&study(), id, &ContourChange { edits, ..ContourChange::default() }, by(new))
    };
    assert!(matches!(change("f1", vec![edit(0, 10.0)], "f2"), Err(ContourError::Unmeasurable(_))));
    assert_eq!(store.finding_cards(&study()).unwrap().len(), 1, "half a change was kept");
    let drawn = change("f1", vec![edit(0, 10.0), edit(2, 5.0)], "f2").unwrap();
    // 400 and 100 pixels of 4 mm2, 10 mm apart.
    let value = |name: &str| drawn.measurement(name).unwrap();
    assert_eq!((value("End-diastolic volume"), value("End-systolic volume")), (16.0, 4.0));
    assert_eq!((value("Ejection fraction"), value("Cardiac output")), (75.0, 0.72));
    assert!((value("Myocardial mass") - (784.0 - 400.0) * 4.0 * 10.0 / 1000.0 * 1.05).abs() < 1e-9);
    assert_eq!(drawn.cardiac.as_ref().unwrap().cavity_ml, [Some(16.0), None, Some(4.0)]);
    assert_eq!(store.finding(&study(), "f1").unwrap().superseded_by.as_deref(), Some("f2"));
    assert!(matches!(change("f1", vec![edit(1, 7.0)], "f3"), Err(ContourError::NotChangeable(_))));
    assert!(matches!(change("../f2", vec![edit(1, 7.0)], "f3"), Err(ContourError::Store(_))));
    let again = change("f2", vec![edit(1, 4.0)], "f3").unwrap();
    assert_eq!(again.cardiac.as_ref().unwrap().es_phase, 1);
    let back = store.reset_contours(&study(), "f3", by("f4")).unwrap();
    assert_eq!((back.state, back.measurements.len()), (FindingState::NotApplicable, 0));
    assert_eq!(store.contours(&study(), "f4").unwrap(), store.contours(&study(), "f1").unwrap());
    assert!(matches!(store.reset_contours(&study(), "f4", by("f5")), Err(ContourError::NothingToUndo)));
}

#[test]
fn a_power_cut_between_the_two_files_leaves_one_finding_that_holds() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_ventricle(folder.path());
    let path = store.finding_path(&study(), "f1");
    let before = std::fs::read(&path).unwrap();
    let change = ContourChange { edits: vec![edit(0, 10.0), edit(2, 5.0)], ..ContourChange::default() };
    let drawn = store.edit_contours(&study(), "f1", &change, by("f2")).unwrap();
    drop(store);
    std::fs::write(&path, before).unwrap();
    Store::rebuild_index(folder.path()).unwrap();
    let (store, _) = open(folder.path());
    let current: Vec<String> = store
        .finding_cards(&study())
        .unwrap()
        .into_iter()
        .filter(|card| card.state.is_current())
        .map(|card| card.id)
        .collect();
    assert_eq!(current, ["f2"]);
    assert_eq!(store.finding(&study(), "f2").unwrap(), drawn);
}
