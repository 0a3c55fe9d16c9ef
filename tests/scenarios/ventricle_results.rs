//! A ventricle leaves as DICOM objects that foreign validators accept and foreign readers read back to the very numbers
//! and pixels of the finding, and every one of them says what network it rests on.

#![expect(clippy::unwrap_used, reason = "every function here runs inside a test")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use sidelight_tests::peers::api::{Api, measurement};
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::Scratch;
use sidelight_tests::peers::validators::{dciodvfy, errors, pdftotext};
use sidelight_tests::phantoms::CineHeart;

use crate::cine_real_data::cine;
use crate::patients::opened;
use crate::results_leave::{agrees, of_kind, own_objects, with_reports};
use crate::sources::root;
use crate::studies::{note, only_study, shuffled};

const STATEMENT: &str = "trained on three patients; demonstration, not for clinical use";

/// A box with networks and one measured ventricle.
pub(crate) fn beating(files: Vec<PathBuf>) -> (Appliance, Api, String, Value) {
    let sidelight = appliance()
        .networks(&root().join("models/bundles"))
        .site_line("study_quiet_s = 4", "study_quiet_s = 1")
        .start()
        .unwrap();
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = ventricle(&api, &study, &["preliminary", "failed", "not_applicable"]);
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    (sidelight, api, study, finding)
}

/// Waits until the newest finding about the ventricle has one of these states.
pub(crate) fn ventricle(api: &Api, study: &str, states: &[&str]) -> Value {
    eventually(&format!("a ventricle in state {states:?}"), || {
        let newest = api.findings_of(study, "cardiac").ok()?.into_iter().next()?;
        states.contains(&newest["state"].as_str()?).then_some(newest)
    })
}

/// The segmentation's pixels are the finding's, on the images of both ends of the cycle.
pub(crate) fn check_segments(segmentation: &Value, finding: &Value) {
    let mut expected: BTreeMap<String, BTreeMap<String, Vec<[u64; 3]>>> = BTreeMap::new();
    for slice in finding["cardiac"]["slices"].as_array().unwrap() {
        let parts =
            [("1", "ed", "cavity"), ("2", "ed", "muscle"), ("3", "es", "cavity"), ("4", "es", "muscle")];
        for (number, moment, part) in parts {
            let masks = &slice[moment];
            let runs: Vec<[u64; 3]> = serde_json::from_value(masks[part].clone()).unwrap();
            let of_segment = expected.entry(number.to_owned()).or_default();
            if !runs.is_empty() {
                of_segment.insert(masks["sop_instance_uid"].as_str().unwrap().to_owned(), runs);
            }
        }
    }
    let found: BTreeMap<String, BTreeMap<String, Vec<[u64; 3]>>> =
        serde_json::from_value(segmentation["segments"].clone()).unwrap();
    assert!(found.values().any(|images| images.len() > 4), "hardly a segment has pixels");
    assert_eq!(found, expected);
}

/// The report's coded numbers are the finding's.
pub(crate) fn check_numbers(report: &Value, finding: &Value) {
    let said = |group: &str, code: &str| report["measured"][group][code].clone();
    for (name, group, code) in [
        ("End-diastolic volume", "Cavity at end diastole", "8821-1 mL"),
        ("End-systolic volume", "Cavity at end systole", "8823-7 mL"),
        ("Ejection fraction", "Function", "8811-2 %"),
        ("Stroke volume", "Function", "90096001 mL"),
        ("Heart rate", "Function", "8867-4 /min"),
        ("Cardiac output", "Function", "82799009 L/min"),
        ("Myocardial mass", "Myocardium at end diastole", "118538004 g"),
    ] {
        let measured = measurement(finding, name).unwrap();
        assert!(agrees(&said(group, code), measured), "{name} is {measured}: {report:#}");
    }
    assert_eq!(report["templates"][0], "1500");
}

/// Every object of the box, read as bytes, holds the network's own words.
fn every_object_says_it(sidelight: &Appliance) {
    for path in own_objects(sidelight) {
        let object = opened(&path);
        let modality = object.element(dicom_dictionary_std::tags::MODALITY).unwrap().to_str().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let says = bytes.windows(STATEMENT.len()).any(|window| window == STATEMENT.as_bytes());
        assert!(says, "{modality}: {} does not say what it rests on", path.display());
    }
}

fn check_page(api: &Api, study: &str, finding: &Value, scratch: &Scratch) {
    let id = finding["id"].as_str().unwrap();
    let page = api.bytes(&format!("/api/studies/{study}/findings/{id}/report.pdf")).unwrap();
    let path = scratch.path().join("report.pdf");
    std::fs::write(&path, page).unwrap();
    let text = pdftotext(&path).unwrap().succeeded().stdout;
    let ef = format!("{:.0} %", measurement(finding, "Ejection fraction").unwrap());
    for words in [ef.as_str(), STATEMENT, "unreviewed", "not for diagnosis", "cardiac_seg"] {
        assert!(text.contains(words), "the page does not say {words:?}:\n{text}");
    }
}

#[test]
fn a_drawn_heart_leaves_as_objects_and_a_verdict_as_a_verified_report() {
    let scratch = Scratch::new("cine").unwrap();
    let heart = CineHeart::mr(11);
    let (sidelight, api, study, finding) = beating(heart.write(scratch.path()).unwrap());
    let first = with_reports(&sidelight, 1);
    let kinds = ["SR", "SEG", "OT", "DOC"].map(|kind| of_kind(&first, kind).len());
    assert_eq!(kinds, [1, 1, 2, 1], "a report, a segmentation, two pictures, a page");
    let report = of_kind(&first, "SR")[0];
    check_numbers(report, &finding);
    assert!(report["comments"].to_string().contains(STATEMENT), "{report:#}");
    assert_eq!(report["verification"], "UNVERIFIED");
    check_segments(of_kind(&first, "SEG")[0], &finding);
    every_object_says_it(&sidelight);
    check_page(&api, &study, &finding, &scratch);
    let value = |name: &str| measurement(&finding, name).unwrap();
    let (edv, esv) = (heart.cavity_ml(0), heart.cavity_ml(heart.end_systole()));
    note(&format!(
        "EDV {:.1} mL ({edv:.1}), ESV {:.1} mL ({esv:.1})",
        value("End-diastolic volume"),
        value("End-systolic volume")
    ));
    // Size and weight are there, so numbers are indexed: 1.80 m and 80 kg are 2 square metres.
    assert!((value("End-diastolic volume index") * 2.0 - value("End-diastolic volume")).abs() < 1e-6);
    let index = &report["measured"]["Cavity at end diastole"]["8821-1 mL/m2 by 8277-6"];
    assert!(agrees(index, value("End-diastolic volume index")), "{report:#}");

    let path = format!("/api/studies/{study}/findings/{}/review", finding["id"].as_str().unwrap());
    let verdict =
        |word: &str| api.post(&path, &json!({ "verdict": word, "reader": "Vane^Harriet" })).unwrap();
    let confirmed = verdict("confirmed");
    assert_eq!(confirmed["state"], "confirmed");
    let label = confirmed["label"].as_str().unwrap();
    assert!(label.contains("confirmed by a reader") && label.contains(STATEMENT), "{label}");
    let second = with_reports(&sidelight, 2);
    let verified = |report: &&&Value| report["verification"] == "VERIFIED";
    let new = *of_kind(&second, "SR").iter().find(verified).expect("a verified report");
    assert_eq!(
        (&new["predecessors"], &new["verified_by"]),
        (&json!([report["sop"]]), &json!(["Vane^Harriet"]))
    );
    check_numbers(new, &finding);
    every_object_says_it(&sidelight);

    assert_eq!(verdict("rejected")["state"], "rejected");
    let third = with_reports(&sidelight, 3);
    let taken_back = |report: &&&Value| report["comments"].to_string().contains("REJECTED");
    let report = *of_kind(&third, "SR").iter().find(taken_back).expect("a report that says so");
    assert_eq!(report["measured"], json!({}), "a number in a report that takes it back");
}

/// What is wrong with the reference data itself: UIDs with leading zeros, a birth date of zeros.
const OF_THE_SOURCE: [&str; 3] =
    ["Leading zeroes in embedded numeric component", "Patient's Birth Date", "contains invalid data values"];

#[test]
fn a_patients_heart_leaves_as_objects_with_nothing_wrong_but_their_source_real_data() {
    let Some(files) = cine("a_patients_heart_leaves_as_objects") else { return };
    let scratch = Scratch::new("cine").unwrap();
    let (sidelight, api, study, finding) = beating(files);
    let objects = eventually("a report, a segmentation, two pictures, a page", || {
        Some(own_objects(&sidelight)).filter(|objects| objects.len() == 5)
    });
    for object in &objects {
        let verdict = dciodvfy(object).unwrap();
        let mut wrong = errors(&verdict);
        wrong.retain(|line| !OF_THE_SOURCE.iter().any(|known| line.contains(known)));
        assert_eq!(wrong, [] as [String; 0], "{}", verdict.evidence());
    }
    every_object_says_it(&sidelight);
    check_page(&api, &study, &finding, &scratch);
}
