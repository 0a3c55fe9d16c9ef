//! Every run of an analysis is on record with what it looked at, what it was told and what came of it; so is what a
//! reader changed. A network is not asked the same thing twice.

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use serde_json::{Value, json};
use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::Scratch;

use crate::nodules::chest;
use crate::patients::written_to;
use crate::small_ct::new_uid;
use crate::studies::{assign_all, finding_in_state, only_study, shuffled};

const READER: &str = "Vane^Harriet";

fn runs(api: &Api, study: &str) -> Value {
    api.json(&format!("/api/studies/{study}/runs")).unwrap()
}

fn is_digest(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[test]
fn a_calcium_run_and_a_readers_review_are_on_record_and_outlive_a_kill() {
    let scratch = Scratch::new("runs").unwrap();
    let files = written_to(scratch.path());
    let mut sidelight = appliance().start().unwrap();
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = finding_in_state(&api, &study, &["preliminary"]);
    let id = finding["id"].as_str().unwrap();
    let about = |record: &Value| -> Vec<Value> {
        let runs = record["runs"].as_array().unwrap().iter();
        runs.filter(|run| run["finding"] == id).cloned().collect()
    };
    let record = runs(&api, &study);
    let [run] = &about(&record)[..] else { panic!("not one run of {id}: {record:#}") };
    assert_eq!(run["analysis"], "calcium", "{run:#}");
    // It is promoted once the study is quiet, without another run.
    assert!(["provisional", "preliminary"].contains(&run["finding_state"].as_str().unwrap()), "{run:#}");
    assert!(is_digest(&run["input"]["sha256"]) && run["model"].is_null(), "{run:#}");
    assert_eq!(run["program"], "sidelight-calcium");
    assert_eq!(run["processor"], finding["algorithm"]["processor"]);
    assert!(run["parameters"]["scoring"].is_object() && run["took_ms"].as_u64().unwrap() > 0, "{run:#}");
    let stages: u64 =
        run["stages"].as_array().unwrap().iter().map(|stage| stage["ms"].as_u64().unwrap()).sum();
    // What took less than a millisecond, and the rest of each stage's last one, is in no stage.
    assert!(run["took_ms"].as_u64().unwrap() - stages <= 10, "{run:#}");

    assign_all(&api, &study, &finding, "lad", READER);
    let verdict = json!({ "verdict": "confirmed", "reader": READER });
    api.post(&format!("/api/studies/{study}/findings/{id}/review"), &verdict).unwrap();
    let before = runs(&api, &study);
    sidelight.kill9();
    sidelight.restart().unwrap();
    let after = runs(&sidelight.api(), &study);
    assert_eq!(after["corrections"], before["corrections"]);
    assert_eq!(about(&after), about(&before));
    let [assigned, judged] = &after["corrections"].as_array().unwrap()[..] else { panic!("{after:#}") };
    assert_eq!((&assigned["what"]["kind"], &assigned["run"]), (&json!("lesions"), &run["id"]));
    assert_eq!((&judged["what"]["verdict"], &judged["run"]), (&json!("confirmed"), &run["id"]));
    // Nothing that names the patient stands in the file.
    let file = sidelight.data_folder().join("studies").join(&study).join("runs.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let about = sidelight.api().study(&study).unwrap();
    for secret in ["patient_id", "patient_name"].map(|key| about[key].as_str().unwrap_or_default().to_owned())
    {
        assert!(!secret.is_empty() && !text.contains(&secret), "{secret} stands in the record");
    }
    assert!(!text.contains(&study), "the study's UID stands in the record");
}

#[test]
fn a_network_is_not_asked_the_same_thing_twice() {
    let scratch = Scratch::new("asked_once").unwrap();
    let (sidelight, study, first, _) = chest(&scratch);
    let api = sidelight.api();
    let of = |finding: &Value| -> Value {
        let record = runs(&api, &study);
        let all = record["runs"].as_array().unwrap();
        all.iter().rev().find(|run| run["finding"] == finding["id"]).cloned().unwrap_or_default()
    };
    let asked = of(&first);
    assert!(
        is_digest(&asked["model"]["sha256"]) && is_digest(&asked["model"]["manifest_sha256"]),
        "{asked:#}"
    );
    assert_eq!(asked["answers"][0]["cached"], false, "{asked:#}");
    assert_eq!(first["marks"]["model"]["from_cache"], false);

    // One more image of another series: what was found is no longer what the study says, the images are the same.
    let file = std::fs::read_dir(scratch.path()).unwrap().flatten().map(|entry| entry.path()).next().unwrap();
    let mut object = dicom_object::open_file(file).unwrap();
    let uid = new_uid();
    for (tag, value) in [(tags::SERIES_INSTANCE_UID, new_uid()), (tags::SOP_INSTANCE_UID, uid.clone())] {
        object.put(DataElement::new(tag, VR::UI, PrimitiveValue::from(value)));
    }
    object.update_meta(|meta| meta.media_storage_sop_instance_uid = uid);
    let other = Scratch::new("one_more").unwrap();
    let path = other.path().join("one_more.dcm");
    object.write_to_file(&path).unwrap();
    storescu(sidelight.dicom_port(), &[path], &[]).unwrap().succeeded();
    let again = eventually("nodules are looked for again", || {
        let findings = api.findings_of(&study, "nodules").ok()?;
        findings.into_iter().find(|one| one["state"] == "preliminary" && one["id"] != first["id"])
    });
    let recalled = of(&again);
    assert_eq!(recalled["answers"][0], json!({ "key": asked["answers"][0]["key"], "cached": true }));
    assert_eq!(recalled["input"], asked["input"]);
    assert_eq!(again["marks"]["model"]["from_cache"], true);
    assert_eq!(again["marks"]["marks"], first["marks"]["marks"], "the same answer");
    assert!(again["algorithm"]["processor"].as_str().unwrap().contains("kept"), "{again:#}");
}
