//! An examination of two breasts is marked by a network: marks stand where the lesions were drawn, whatever the tone or
//! the way the detector stored them; views that are not plain are passed over with the reason; every word says what the
//! network is.

use std::path::PathBuf;

use dicom_dictionary_std::tags;
use serde_json::{Value, json};
use sidelight_tests::peers::api::{Api, measurement};
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::dcmtk::{dsrdump, storescu};
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::Scratch;
use sidelight_tests::phantoms::{Examination, Intent, LesionKind, Oddity, Projection, Side, WrittenView};

use crate::patients::opened;
use crate::results_leave::{agrees, of_kind, own_objects, with_reports};
use crate::sources::root;
use crate::studies::{note, only_study, shuffled};

pub(crate) const STATEMENT: &str = "trained on synthetic images: demonstration only, not for clinical use";
/// A patient of the held-out family with two lesions, seen in both views of the left breast.
pub(crate) const SEED: u64 = 9_000_003;

/// A box with networks that has settled one examination: its finding on the first series.
pub(crate) fn examined(views: &[WrittenView]) -> (Appliance, Api, String, Value) {
    let sidelight = appliance()
        .networks(&root().join("models/bundles"))
        .site_line("study_quiet_s = 4", "study_quiet_s = 1")
        .start()
        .unwrap();
    let files: Vec<PathBuf> = views.iter().map(|view| view.path.clone()).collect();
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = marked(&api, &study);
    (sidelight, api, study, finding)
}

/// Waits until the examination has an answer that leads.
pub(crate) fn marked(api: &Api, study: &str) -> Value {
    eventually("an examination that is settled", || {
        let findings = api.findings_of(study, "mammography").ok()?;
        let series = api.study(study).ok()?["series"].as_array()?.len();
        let settled = ["preliminary", "failed", "not_applicable"];
        let done = findings.iter().filter(|one| settled.contains(&one["state"].as_str().unwrap_or_default()));
        if done.count() < series {
            return None;
        }
        findings.iter().find(|one| !one["marks"].is_null()).or(findings.first()).cloned()
    })
}

/// Lesions of the written views, each with whether a mark of its kind lies within its radius (5 mm at least).
pub(crate) fn found(finding: &Value, views: &[WrittenView]) -> Vec<bool> {
    let marks = finding["marks"]["marks"].as_array().unwrap();
    let lesions = views.iter().flat_map(|view| view.view.lesions.iter().map(move |lesion| (view, lesion)));
    let hit = lesions.map(|(view, lesion)| {
        let word = if lesion.kind == LesionKind::Cluster { "calcification cluster" } else { "mass" };
        marks.iter().any(|mark| {
            let at = [0, 1].map(|axis| mark["center_px"][axis].as_f64().unwrap() - lesion.at_px[axis]);
            let away_mm = at[0].hypot(at[1]) * view.view.picture.pixel_mm;
            mark["sop_instance_uid"] == view.sop_instance_uid.as_str()
                && mark["what"] == word
                && away_mm <= lesion.radius_mm.max(5.0)
        })
    });
    hit.collect()
}

/// The report says what the finding says: each mark on its image, which images were judged, no reader's category.
fn report_is_right(report: &Value, finding: &Value) {
    let said = report["marks"].as_array().unwrap();
    let marks = finding["marks"]["marks"].as_array().unwrap();
    assert_eq!(said.len(), marks.len(), "{report:#}");
    for (one, mark) in said.iter().zip(marks) {
        assert_eq!(one["image"], mark["sop_instance_uid"]);
        assert!(agrees(&one["certainty"], mark["suspicion_percent"].as_f64().unwrap()), "{one} of {mark}");
        for axis in [0, 1] {
            let away = one["at"][axis].as_f64().unwrap() - 0.5 - mark["center_px"][axis].as_f64().unwrap();
            assert!(away.abs() < 1e-3, "{one} of {mark}");
        }
    }
    let views = finding["marks"]["views"].as_array().unwrap();
    for (concept, judged) in [("111063", true), ("111025", false)] {
        let mut expected: Vec<&str> = views
            .iter()
            .filter(|view| view["not_judged"].is_null() == judged)
            .map(|view| view["sop_instance_uid"].as_str().unwrap())
            .collect();
        expected.sort_unstable();
        let listed = report["detections"][concept].as_array().cloned().unwrap_or_default();
        assert_eq!(listed, expected, "{concept}: {report:#}");
    }
    // The assessment category and a probability of cancer are nobody's but a reader's.
    let concepts = report["concepts"].to_string();
    assert!(!concepts.contains("111005") && !concepts.contains("111047"), "{concepts}");
    assert_eq!((&report["templates"][0], &report["verification"]), (&json!("4000"), &json!("UNVERIFIED")));
    assert!(report["comments"].to_string().contains(STATEMENT), "{report:#}");
}

/// dcmtk knows which items a Mammography CAD report may hold, and where.
fn dcmtk_accepts(sidelight: &Appliance) {
    for path in own_objects(sidelight) {
        if opened(&path).element(tags::MODALITY).unwrap().to_str().unwrap().trim() == "SR" {
            dsrdump(&path).unwrap().succeeded();
        }
    }
}

fn score(finding: &Value, view: &str) -> f64 {
    let views = finding["marks"]["views"].as_array().unwrap();
    views.iter().find(|one| one["view"] == view).unwrap()["score_percent"].as_f64().unwrap()
}

fn words_are_right(finding: &Value) {
    let label = finding["label"].as_str().unwrap();
    assert!(label.contains("unreviewed") && label.contains(STATEMENT), "{label}");
    let warnings = finding["warnings"].to_string();
    assert!(warnings.contains("BI-RADS-style, uncalibrated"), "{warnings}");
    assert!(finding["category"].is_null(), "an examination has no level: {finding:#}");
    for mark in finding["marks"]["marks"].as_array().unwrap() {
        let (suspicion, level) =
            (mark["suspicion_percent"].as_f64().unwrap(), mark["level"].as_u64().unwrap());
        let begins = finding["marks"]["levels_percent"].as_array().unwrap();
        let expected =
            1 + begins.iter().filter(|begins| suspicion >= begins.as_f64().unwrap()).count() as u64;
        assert_eq!(level, expected, "{mark}");
    }
}

#[test]
fn marks_stand_on_the_lesions_of_a_four_view_examination() {
    let scratch = Scratch::new("breasts").unwrap();
    let views = Examination::four_views(SEED, 2, Intent::Presentation).write(scratch.path()).unwrap();
    let (sidelight, api, study, finding) = examined(&views);
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    let hits = found(&finding, &views);
    note(&format!("lesions found: {hits:?}"));
    assert_eq!(hits.len(), 4, "two lesions in two views");
    assert!(hits.iter().filter(|hit| **hit).count() >= 3, "{hits:?} {:#}", finding["marks"]["marks"]);
    words_are_right(&finding);
    for view in ["R CC", "R MLO"] {
        let highest = ["L CC", "L MLO"].map(|left| score(&finding, left));
        assert!(score(&finding, view) < highest[0].max(highest[1]), "the healthy breast is more suspicious");
    }
    let highest = measurement(&finding, "Highest suspicion").unwrap();
    let best = ["R CC", "R MLO", "L CC", "L MLO"].map(|view| score(&finding, view));
    assert_eq!(highest, best.into_iter().fold(0.0, f64::max), "an examination's score is its highest view's");
    let line = api.studies().unwrap()[0]["headline"]["text"].as_str().unwrap().to_owned();
    assert!(line.starts_with("Mammogram:"), "{line}");
    let objects = with_reports(&sidelight, 1);
    report_is_right(of_kind(&objects, "SR")[0], &finding);
    dcmtk_accepts(&sidelight);
    let address = format!("/api/studies/{study}/findings/{}", finding["id"].as_str().unwrap());
    let levels = json!({ "levels": [{ "mark": 1, "level": 5 }], "reader": "Vane^Harriet" });
    let levelled = api.post(&format!("{address}/levels"), &levels).unwrap();
    let first = &levelled["marks"]["marks"][0];
    assert_eq!((&first["reader_level"], &levelled["state"]), (&json!(5), &json!("preliminary")));
    assert_eq!(first["level"], finding["marks"]["marks"][0]["level"], "the suggestion stays beside it");
    let second = with_reports(&sidelight, 2);
    let says = |report: &&&Value| report["comments"].to_string().contains("level 5 by Vane^Harriet");
    assert_eq!(of_kind(&second, "SR").iter().filter(says).count(), 1, "{second:#?}");
    let verdict = json!({ "verdict": "rejected", "reader": "Vane^Harriet" });
    assert_eq!(api.post(&format!("{address}/review"), &verdict).unwrap()["state"], "rejected");
    let third = with_reports(&sidelight, 3);
    let verified = |report: &&&Value| report["verification"] == "VERIFIED";
    let back = *of_kind(&third, "SR").iter().find(verified).unwrap();
    assert_eq!(back["marks"], json!([]), "a report that takes marks back carries none");
    assert!(back["comments"].to_string().contains("REJECTED"), "{back:#}");
    dcmtk_accepts(&sidelight);
}

#[test]
fn tone_and_orientation_of_the_detector_change_no_mark() {
    let scratch = Scratch::new("breasts").unwrap();
    let mut exam = Examination::four_views(SEED, 2, Intent::Presentation);
    exam.shots.retain(|shot| shot.side == Side::Left);
    exam.series_each = true;
    let plain = exam.write(&scratch.path().join("plain")).unwrap();
    let (_first, _, _, usual) = examined(&plain);
    for shot in &mut exam.shots {
        (shot.monochrome1, shot.turned) = (true, true);
    }
    let odd = exam.write(&scratch.path().join("odd")).unwrap();
    let (_second, api, study, finding) = examined(&odd);
    assert_eq!(found(&finding, &odd), found(&usual, &plain), "{:#}", finding["marks"]["marks"]);
    for view in ["L CC", "L MLO"] {
        let [a, b] = [&usual, &finding].map(|one| score(one, view));
        // The blocks of the network's grid begin at another corner.
        assert!((a - b).abs() < 25.0, "{view}: {a} and {b}");
    }
    let missing = finding["warnings"].to_string();
    assert!(missing.contains("R CC, R MLO"), "{missing}");
    // The second series says where its view was judged.
    let others: Vec<Value> = api.findings_of(&study, "mammography").unwrap();
    let told = others.iter().any(|one| {
        one["state"] == "not_applicable"
            && one["reason"].as_str().unwrap_or_default().contains("judged together")
    });
    assert!(told, "{others:#?}");
}

#[test]
fn views_that_are_not_plain_are_passed_over_with_the_reason() {
    let scratch = Scratch::new("breasts").unwrap();
    let mut exam = Examination::four_views(SEED + 1, 0, Intent::Processing);
    exam.shots[0].oddity = Some(Oddity::Implant);
    exam.shots[1].oddity = Some(Oddity::Magnification);
    exam.shots[2].oddity = Some(Oddity::NoIntent);
    assert_eq!((exam.shots[3].side, exam.shots[3].projection), (Side::Left, Projection::Mlo));
    let views = exam.write(scratch.path()).unwrap();
    let (sidelight, _, _, finding) = examined(&views);
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    let said = |number: usize| {
        let listed = finding["marks"]["views"].as_array().unwrap().iter();
        let mut of = listed.filter(|one| one["sop_instance_uid"] == views[number].sop_instance_uid.as_str());
        of.next().unwrap()["not_judged"].as_str().unwrap_or_default().to_owned()
    };
    for (number, word) in [(0, "implant"), (1, "magnification"), (2, "presentation or for processing")] {
        assert!(said(number).contains(word), "{number}: {}", said(number));
    }
    assert_eq!(said(3), "", "the plain view is judged");
    words_are_right(&finding);
    if finding["marks"]["marks"].as_array().unwrap().is_empty() {
        assert_eq!(measurement(&finding, "Marks"), Some(0.0));
    }
    let objects = with_reports(&sidelight, 1);
    report_is_right(of_kind(&objects, "SR")[0], &finding);
    dcmtk_accepts(&sidelight);
}
