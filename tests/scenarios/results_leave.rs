//! A preliminary finding becomes DICOM objects that foreign validators accept and foreign readers read back to the
//! very numbers and pixels of the finding; filing them is no arrival.

#![expect(clippy::unwrap_used, reason = "every function here runs inside a test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use serde_json::{Value, json};
use sidelight_tests::peers::api::{Api, measurement};
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::broker::{Broker, Subscriber};
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::Scratch;
use sidelight_tests::peers::validators::{dciodvfy, errors, pdftotext, read_by_highdicom};

use crate::patients::{by_position, opened, written_to};
use crate::sources::root;
use crate::studies::{assign_all, finding_in_state, only_study, shuffled, stack_order};

/// Decimal strings have 16 characters.
const ROUNDING: f64 = 1e-9;

pub(crate) fn agrees(found: &Value, truth: f64) -> bool {
    found.as_f64().is_some_and(|found| (found - truth).abs() <= ROUNDING * truth.abs().max(1.0))
}

/// The box's own objects, by the name the store gives them.
pub(crate) fn own_objects(sidelight: &Appliance) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![sidelight.data_folder().join("studies")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(".own.dcm") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Waits for this many reports: a report is filed after everything it refers to.
pub(crate) fn with_reports(sidelight: &Appliance, count: usize) -> Vec<Value> {
    let objects = eventually(&format!("{count} reports"), || {
        let objects = own_objects(sidelight);
        let reports = objects.iter().filter(|path| modality(path) == "SR").count();
        (reports >= count).then_some(objects)
    });
    for object in &objects {
        let verdict = dciodvfy(object).unwrap();
        assert_eq!(errors(&verdict), [] as [String; 0], "{}", verdict.evidence());
    }
    read_by_highdicom(&root(), &objects).unwrap()
}

fn modality(path: &Path) -> String {
    let object = opened(path);
    let modality = object.element(tags::MODALITY).unwrap().to_str().unwrap();
    modality.trim().to_owned()
}

pub(crate) fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// A box with one scored patient.
pub(crate) fn scored(sidelight: &Appliance, files: &[PathBuf]) -> (Api, String, Value) {
    storescu(sidelight.dicom_port(), files, &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = finding_in_state(&api, &study, &["preliminary", "failed", "not_applicable"]);
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    (api, study, finding)
}

#[test]
fn as_objects_that_validators_accept_and_readers_read_back() {
    let scratch = Scratch::new("patient").unwrap();
    let files = shuffled(written_to(scratch.path()));
    let mut sidelight = appliance().start().unwrap();
    let (api, study, finding) = scored(&sidelight, &files);
    let objects = with_reports(&sidelight, 1);
    let detail = api.study(&study).unwrap();
    check_report(of_kind(&objects, "SR")[0], &finding);
    check_pixels(of_kind(&objects, "SEG")[0], &finding, &stack_order(&detail["series"][0]));
    for picture in of_kind(&objects, "OT") {
        assert_eq!((&picture["burned_in"], &picture["shape"][2]), (&json!("YES"), &json!(3)), "{picture}");
    }
    let slices: std::collections::BTreeSet<u64> =
        lesion_slices(&finding).map(|(_, slice, _)| slice).collect();
    assert_eq!(of_kind(&objects, "OT").len(), slices.len(), "one picture for each slice with lesions");
    for object in &objects {
        assert_eq!((&object["study"], &object["patient"]), (&json!(study), &json!("Quillfeather^Ottoline")));
    }
    check_page(&api, &study, &finding, scratch.path());
    nothing_arrived(&api, &study, &finding, files.len());

    let before = own_objects(&sidelight);
    sidelight.terminate().expect("it stops");
    sidelight.command("rebuild-index").unwrap().succeeded();
    sidelight.restart().unwrap();
    nothing_arrived(&sidelight.api(), &study, &finding, files.len());
    assert_eq!(own_objects(&sidelight), before, "a rebuilt index made other objects");
}

fn check_report(report: &Value, finding: &Value) {
    let said = |name| measurement(finding, name).unwrap();
    assert!(agrees(&report["agatston"], said("agatston")), "{report:#}");
    assert!(agrees(&report["volume"], said("volume")), "{report:#}");
    assert_eq!((&report["completion"], &report["verification"]), (&json!("COMPLETE"), &json!("UNVERIFIED")));
    assert_eq!(report["comments"][0], "candidate calcium, automatic, unreviewed");
    assert_eq!(report["predecessors"], json!([]));
    assert_eq!((&report["vessels"], &report["mass"]), (&json!({}), &Value::Null));
    assert_eq!((&report["threshold"], &report["templates"]), (&json!(130.0), &json!(["3900", "3905"])));
    assert!(report["calibration"][0].as_str().unwrap().starts_with("not calibrated"), "{report:#}");
    let (listed, lesions) = (report["lesions"].as_array().unwrap(), finding["lesions"].as_array().unwrap());
    assert_eq!(listed.len(), lesions.len());
    for (row, lesion) in listed.iter().zip(lesions) {
        assert!(agrees(&row["agatston"], lesion["agatston"].as_f64().unwrap()), "{row} of {lesion}");
        assert!(agrees(&row["volume"], lesion["volume_mm3"].as_f64().unwrap()), "{row} of {lesion}");
    }
}

/// Lesion number, slice, runs.
fn lesion_slices(finding: &Value) -> impl Iterator<Item = (u64, u64, &Vec<Value>)> {
    finding["lesions"].as_array().unwrap().iter().flat_map(|lesion| {
        let number = lesion["number"].as_u64().unwrap();
        let slices = lesion["slices"].as_array().unwrap().iter();
        slices.map(move |part| (number, part["slice"].as_u64().unwrap(), part["runs"].as_array().unwrap()))
    })
}

/// The segmentation's pixels are the finding's runs, no pixel more, on the slices the finding names.
fn check_pixels(segmentation: &Value, finding: &Value, stack: &[String]) {
    let mut expected: BTreeMap<(String, String), Vec<[u64; 3]>> = BTreeMap::new();
    for (number, slice, runs) in lesion_slices(finding) {
        let image = stack[usize::try_from(slice).unwrap()].clone();
        let run = |run: &Value| [0, 1, 2].map(|at| run[at].as_u64().unwrap());
        expected.entry((number.to_string(), image)).or_default().extend(runs.iter().map(run));
    }
    let mut found = BTreeMap::new();
    for (number, images) in segmentation["segments"].as_object().unwrap() {
        for (image, runs) in images.as_object().unwrap() {
            let runs: Vec<[u64; 3]> = serde_json::from_value(runs.clone()).unwrap();
            found.insert((number.clone(), image.clone()), runs);
        }
    }
    // Parts of one lesion on one slice may stand side by side in a row.
    expected.values_mut().for_each(|runs| runs.sort_unstable());
    assert!(!expected.is_empty(), "the patient has no lesion");
    assert_eq!(found, expected);
}

fn check_page(api: &Api, study: &str, finding: &Value, folder: &Path) {
    let id = finding["id"].as_str().unwrap();
    let page = api.bytes(&format!("/api/studies/{study}/findings/{id}/report.pdf")).unwrap();
    let path = folder.join("report.pdf");
    std::fs::write(&path, page).unwrap();
    let text = pdftotext(&path).unwrap().succeeded().stdout;
    let score = format!("{:.0}", measurement(finding, "agatston").unwrap());
    for words in [score.as_str(), "Quillfeather, Ottoline", "automatic, unreviewed", "not for diagnosis"] {
        assert!(text.contains(words), "the page does not say {words:?}:\n{text}");
    }
}

/// Own objects neither count as images nor reopen the study nor get findings of their own.
fn nothing_arrived(api: &Api, study: &str, finding: &Value, images: usize) {
    let detail = eventually("the study at rest", || {
        let detail = api.study(study).ok()?;
        (detail["activity"]["state"] == "idle").then_some(detail)
    });
    assert_eq!(detail["instance_count"], json!(images));
    assert_eq!(detail["series_count"], json!(1));
    let findings = api.findings_of(study, "calcium").unwrap();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!((&findings[0]["id"], &findings[0]["state"]), (&finding["id"], &finding["state"]));
}

fn review(api: &Api, path: &str, verdict: &str, reader: &str) -> (u16, Value) {
    let body = json!({ "verdict": verdict, "reader": reader });
    let answer = api.send("POST", path, &[], Some(&body)).unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

#[test]
fn a_verdict_is_a_new_report_that_names_the_reader_and_the_one_before() {
    let scratch = Scratch::new("patient").unwrap();
    let broker = Broker::start().unwrap();
    let subscriber = broker.subscribe().unwrap();
    let mut sidelight = appliance().broker(&broker.url()).start().unwrap();
    let files = written_to(scratch.path());
    let (api, study, finding) = scored(&sidelight, &files);
    let first = with_reports(&sidelight, 1);
    let path = format!("/api/studies/{study}/findings/{}/review", finding["id"].as_str().unwrap());
    assert_eq!(review(&api, &path, "confirmed", "  ").0, 422);
    assert_eq!(review(&api, &path, "perhaps", "Dr Vane").0, 422);
    let unknown = format!("/api/studies/{study}/findings/none/review");
    assert_eq!(review(&api, &unknown, "confirmed", "Dr Vane").0, 404);
    let (status, refused) = review(&api, &path, "confirmed", "Vane^Harriet");
    assert_eq!(status, 409, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("vessel"), "{refused}");
    assign_all(&api, &study, &finding, "lad", "Vane^Harriet");
    let assigned = with_reports(&sidelight, 2);
    let (status, confirmed) = review(&api, &path, "confirmed", "Vane^Harriet");
    assert_eq!(
        (status, &confirmed["state"], &confirmed["reviewer"]),
        (200, &json!("confirmed"), &json!("Vane^Harriet"))
    );
    assert_eq!(review(&api, &path, "confirmed", "Vane^Harriet").1, confirmed, "the same verdict twice");
    assert_eq!(review(&api, &path, "confirmed", "Wimsey^Peter").0, 409);

    // Durable: the box dies right after the answer.
    sidelight.kill9();
    sidelight.restart().unwrap();
    let second = with_reports(&sidelight, 3);
    let added = |before: &[Value], after: &[Value]| -> Value {
        let known: Vec<Value> = of_kind(before, "SR").iter().map(|report| report["sop"].clone()).collect();
        let new: Vec<&Value> =
            of_kind(after, "SR").into_iter().filter(|report| !known.contains(&report["sop"])).collect();
        assert_eq!(new.len(), 1, "{new:#?}");
        new[0].clone()
    };
    let (of_vessels, new) = (added(&first, &assigned), added(&assigned, &second));
    assert_eq!(of_vessels["verification"], "UNVERIFIED");
    assert_eq!(of_vessels["predecessors"], json!([of_kind(&first, "SR")[0]["sop"]]));
    assert_eq!(new["verification"], "VERIFIED");
    assert_eq!(new["verified_by"], json!(["Vane^Harriet"]));
    assert_eq!(new["predecessors"], json!([of_vessels["sop"]]));
    assert_eq!(new["agatston"], of_kind(&first, "SR")[0]["agatston"]);

    let api = sidelight.api();
    assert_eq!(review(&api, &path, "rejected", "Wimsey^Peter").0, 200);
    assert_eq!(review(&api, &path, "confirmed", "Wimsey^Peter").0, 409);
    let third = with_reports(&sidelight, 4);
    let rejected = |report: &&&Value| report["comments"].to_string().contains("REJECTED");
    let report = *of_kind(&third, "SR").iter().find(rejected).expect("a report that says so");
    assert_eq!(report["predecessors"], json!([new["sop"]]));
    assert_eq!((&report["agatston"], &report["lesions"]), (&Value::Null, &json!([])));
    let page = path.replace("/review", "/report.pdf");
    assert_eq!(api.get(&page).unwrap().status, 404, "the page of a rejected finding");
    sidelight.terminate().expect("it stops");
    sidelight.command("rebuild-index").unwrap().succeeded();
    sidelight.restart().unwrap();
    nothing_arrived(
        &sidelight.api(),
        &study,
        &json!({ "id": finding["id"], "state": "rejected" }),
        files.len(),
    );
    fleet_hears_both(&subscriber);
}

/// Each verdict, and nobody's name.
fn fleet_hears_both(subscriber: &Subscriber) {
    for state in ["confirmed", "rejected"] {
        eventually(&format!("the message {state}"), || {
            let messages = subscriber.messages();
            messages
                .iter()
                .find(|message| message.json().is_ok_and(|message| message["state"] == state))
                .map(drop)
        });
    }
    let messages: String = subscriber.messages().iter().map(|m| m.json().unwrap().to_string()).collect();
    assert!(!messages.contains("Vane") && !messages.contains("Wimsey"), "a reader's name left the hospital");
}

#[test]
fn a_report_that_no_longer_holds_is_followed_by_one_that_says_so() {
    let scratch = Scratch::new("patient").unwrap();
    let mut files = by_position(written_to(scratch.path()));
    files.iter().for_each(|file| name_in_latin_1(file));
    let late = files.pop().unwrap();
    let sidelight = appliance().start().unwrap();
    let (api, study, _) = scored(&sidelight, &files);
    let first = with_reports(&sidelight, 1);
    for object in &first {
        assert_eq!(object["patient"], "Müller^Jörg", "{object}");
    }
    storescu(sidelight.dicom_port(), &[late], &[]).unwrap().succeeded();
    eventually("a new finding beside the superseded one", || {
        let findings = api.findings_of(&study, "calcium").ok()?;
        let states: Vec<_> = findings.iter().map(|finding| finding["state"].clone()).collect();
        (states == [json!("preliminary"), json!("superseded")]).then_some(())
    });
    let objects = with_reports(&sidelight, 3);
    let says = |report: &&&Value| report["comments"].to_string().contains("SUPERSEDED");
    let reports = of_kind(&objects, "SR");
    let report = reports.iter().find(says).expect("a report that says so");
    assert_eq!(report["predecessors"], json!([of_kind(&first, "SR")[0]["sop"]]));
    assert_eq!(report["verification"], "UNVERIFIED");
    assert_eq!(report["agatston"], Value::Null, "a number in a report that takes it back");
}

/// Gives a file a name in a character set that is not ours.
fn name_in_latin_1(file: &Path) {
    let mut object = opened(file);
    object.put(DataElement::new(tags::SPECIFIC_CHARACTER_SET, VR::CS, PrimitiveValue::from("ISO_IR 100")));
    object.put(DataElement::new(tags::PATIENT_NAME, VR::PN, PrimitiveValue::from("Müller^Jörg")));
    object.write_to_file(file).unwrap();
    let bytes = std::fs::read(file).unwrap();
    assert!(bytes.windows(12).any(|window| window == b"M\xFCller^J\xF6rg "), "the file is not in Latin-1");
}
