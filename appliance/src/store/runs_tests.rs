//! What is on record outlives cuts, the index and corrections, and goes with the images.

use super::super::calcium::Vessel;
use super::super::calcium::tests::scored;
use super::super::tests::{AT, open, send, study};
use super::*;

fn run(id: &str, finding: &str) -> Run {
    Run {
        id: id.into(),
        study: "p1".into(),
        series: "p2".into(),
        analysis: FindingKind::Calcium,
        begun_at: AT.rfc3339(),
        program: "sidelight-calcium".into(),
        version: "0.1.0".into(),
        model: None,
        processor: "twin: test".into(),
        input: RunInput { sha256: "00".into(), what: "2 x 2 x 2 voxels".into() },
        parameters: serde_json::json!({ "threshold_hu": 130 }),
        answers: vec![RunAnswer { key: "a".repeat(64), cached: false }],
        finding: finding.into(),
        finding_state: FindingState::Preliminary,
        took_ms: 12,
        stages: vec![RunStage { name: "reading images".into(), ms: 12 }],
    }
}

fn ids(store: &Store) -> Vec<String> {
    store.runs(&study()).unwrap().runs.into_iter().map(|run| run.id).collect()
}

#[test]
fn every_cut_of_the_last_line_leaves_the_earlier_ones_and_the_next_stands_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let path = store.runs_path(&study());
    store.record_run(&study(), &run("r1", "f1")).unwrap();
    let first = std::fs::metadata(&path).unwrap().len();
    store.record_run(&study(), &run("r2", "f2")).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in first..whole.len() as u64 {
        std::fs::write(&path, &whole[..usize::try_from(cut).unwrap()]).unwrap();
        assert_eq!(ids(&store), ["r1"], "cut at byte {cut}");
        store.record_run(&study(), &run("r3", "f3")).unwrap();
        assert_eq!(ids(&store), ["r1", "r3"], "appended after a cut at byte {cut}");
    }
}

#[test]
fn a_full_file_makes_room_and_no_line_is_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let long = serde_json::Value::String("x".repeat(60_000));
    for number in 0..40 {
        store
            .record_run(&study(), &Run { parameters: long.clone(), ..run(&number.to_string(), "f") })
            .unwrap();
    }
    let kept = ids(&store);
    assert!(kept.len() > 16 && kept.len() < 40, "{kept:?}");
    assert_eq!(kept.last().unwrap(), "39");
    for name in [CURRENT, EARLIER] {
        let bytes = std::fs::metadata(store.study_folder(&study()).join(name)).unwrap().len();
        assert!(bytes <= FILE_BYTES_MAX, "{name}: {bytes}");
    }
    let longer = serde_json::Value::String("x".repeat(100_000));
    store.record_run(&study(), &Run { parameters: longer, ..run("last", "f") }).unwrap();
    let runs = store.runs(&study()).unwrap().runs;
    assert!(runs.last().unwrap().parameters["too_large"].is_string(), "{runs:?}");
}

#[test]
fn corrections_name_the_run_and_both_outlive_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    send(&store, "1.2", "1.2.3", "1.2.3.1", "a");
    store.record_run(&study(), &run("r1", "f1")).unwrap();
    store.record_finding(&scored()).unwrap();
    let all = [(1, Vessel::Lad), (2, Vessel::Rca), (3, Vessel::Aorta)];
    let all = all.map(|(lesion, vessel)| Assignment { lesion, vessel: Some(vessel) });
    store.assign_lesions(&study(), "f1", &all, "Vane^Harriet", AT).unwrap();
    store.assign_lesions(&study(), "f1", &all, "Vane^Harriet", AT).unwrap();
    store.review_finding(&study(), "f1", Verdict::Confirmed, "Vane^Harriet", AT).unwrap();
    store.review_finding(&study(), "f1", Verdict::Confirmed, "Vane^Harriet", AT).unwrap();
    let before = store.runs(&study()).unwrap();
    drop(store);
    Store::rebuild_index(folder.path()).unwrap();
    let (store, _) = open(folder.path());
    let runs = store.runs(&study()).unwrap();
    assert_eq!(runs, before);
    let [assigned, judged] = &runs.corrections[..] else { panic!("{:?}", runs.corrections) };
    assert_eq!((assigned.run.as_deref(), assigned.revision), (Some("r1"), Some(1)));
    assert_eq!(assigned.what, Corrected::Lesions { assignments: all.to_vec() });
    assert_eq!(judged.what, Corrected::Verdict { verdict: Verdict::Confirmed });
    assert_eq!((judged.run.as_deref(), judged.finding.as_str()), (Some("r1"), "f1"));
}

#[test]
fn a_finding_in_the_place_of_another_has_the_same_run() {
    let correction = |finding: &str, becomes: &str, run: &str| Correction {
        run: Some(run.into()),
        becomes: Some(becomes.into()),
        ..Store::correction(finding, "r", AT, Corrected::ContoursReset)
    };
    let runs = Runs {
        runs: vec![run("r1", "f1"), run("r2", "f2")],
        corrections: vec![correction("f1", "f3", "r1"), correction("f3", "f4", "r1")],
    };
    for (finding, expected) in [("f1", Some("r1")), ("f2", Some("r2")), ("f4", Some("r1")), ("f5", None)] {
        assert_eq!(runs.run_of(finding).as_deref(), expected, "{finding}");
    }
}

#[test]
fn what_is_on_record_goes_with_the_images_and_so_do_its_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.record_run(&study(), &run("r1", "f1")).unwrap();
    store.keep_answer(&"a".repeat(64), b"labels");
    store.keep_answer(&"b".repeat(64), b"of another study");
    store.drop_runs(&study()).unwrap();
    assert_eq!(store.runs(&study()).unwrap(), Runs::default());
    assert_eq!(store.answer(&"a".repeat(64)), None);
    assert!(store.answer(&"b".repeat(64)).is_some());
    store.drop_runs(&study()).unwrap();
}
