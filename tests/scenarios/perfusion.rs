//! A digital brain whose blood flow is known is sent as CT perfusion: five maps, both curves, volumes and warnings
//! appear and are right, objects leave that foreign programs accept, and what a guard doubts carries no number.

#![expect(clippy::unwrap_used, reason = "every function here runs inside a test")]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use serde_json::{Value, json};
use sidelight_kernels::perfusion::{Parameters, analyse};
use sidelight_kernels::{Dimensions, Processor, Wish};
use sidelight_tests::peers::api::{Api, measurement};
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::association::Association;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::part10::Part10;
use sidelight_tests::peers::patience::{eventually, now};
use sidelight_tests::peers::scratch::Scratch;
use sidelight_tests::phantoms::{
    Acquisition, BrainPatient, Flow, Pattern, write_enhanced, write_time_points,
};

use crate::latency::{self, took};
use crate::patients::opened;
use crate::results_leave::{of_kind, with_reports};
use crate::studies::{only_study, report, shuffled};

const STATEMENT: &str = "Validated on digital phantoms only; not for treatment selection.";

fn patient(acquisition: Acquisition) -> BrainPatient {
    BrainPatient {
        dimensions: Dimensions { columns: 64, rows: 72, slices: 6 },
        spacing_mm: [3.0, 3.0, 6.0],
        acquisition,
        passes: 40,
        interval_s: 1.5,
        noise_hu: 1.0,
        ..BrainPatient::small(20, Pattern::Stroke)
    }
}

fn files_of(patient: &BrainPatient, scratch: &Scratch) -> Vec<PathBuf> {
    write_time_points(patient.seed, &patient.dynamic(), scratch.path()).unwrap()
}

/// Waits until the newest automatic perfusion finding has one of these states.
pub(crate) fn perfused(api: &Api, study: &str, states: &[&str]) -> Value {
    eventually(&format!("a perfusion finding in state {states:?}"), || {
        let newest = api.findings_of(study, "perfusion").ok()?.into_iter().next()?;
        states.contains(&newest["state"].as_str()?).then_some(newest)
    })
}

fn sent(sidelight: &Appliance, files: Vec<PathBuf>) -> (Api, String, Value) {
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = perfused(&api, &study, &["preliminary", "failed", "not_applicable"]);
    (api, study, finding)
}

/// A map by its name, slice after slice.
fn map(api: &Api, study: &str, finding: &Value, name: &str) -> Vec<f32> {
    let id = finding["id"].as_str().unwrap();
    let slices = finding["perfusion"]["grid"]["slices"].as_u64().unwrap();
    let path = format!("/api/studies/{study}/findings/{id}/maps/{name}");
    let slices = (0..slices).map(|slice| api.bytes(&format!("{path}/{slice}.f32")).unwrap());
    let bytes = slices.collect::<Vec<_>>().concat();
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
}

/// The median of a map over tissue of one kind.
fn median(patient: &BrainPatient, map: &[f32], wanted: impl Fn(&Flow) -> bool) -> f64 {
    let Dimensions { columns, rows, slices } = patient.dimensions;
    let voxels = (0..slices).flat_map(|slice| {
        (0..rows).flat_map(move |row| (0..columns).map(move |column| [column, row, slice]))
    });
    let mut values: Vec<f32> = voxels
        .zip(map)
        .filter(|(voxel, value)| value.is_finite() && patient.truth(*voxel).is_some_and(|flow| wanted(&flow)))
        .map(|(_, value)| *value)
        .collect();
    assert!(values.len() > 20, "only {} voxels of that tissue have a value", values.len());
    values.sort_by(f32::total_cmp);
    values[values.len() / 2].into()
}

fn near(what: &str, found: f64, truth: f64, tolerance: f64) {
    assert!((found - truth).abs() <= tolerance, "{what}: {found:.2}, in truth {truth:.2}");
}

/// The box read the files right: its maps are those of the kernels on the phantom itself. Times lose their seventh
/// decimal on the way, so a voxel in a thousand may fall to the other side of a threshold.
fn maps_are_the_kernels(api: &Api, study: &str, finding: &Value, patient: &BrainPatient) {
    let mut processor = Processor::open(Wish::Twin).unwrap();
    let go_on = &mut |_: &mut Processor, _: f32| ControlFlow::Continue(());
    let truth = analyse(&mut processor, &patient.dynamic(), &Parameters::default(), go_on).unwrap().maps;
    let expected = [
        ("cbf", truth.cbf),
        ("cbv", truth.cbv),
        ("mtt", truth.mtt),
        ("ttp", truth.ttp),
        ("tmax", truth.tmax),
    ];
    for (name, expected) in expected {
        let found = map(api, study, finding, name);
        assert_eq!(found.len(), expected.len(), "{name}");
        let same =
            |(a, b): &(&f32, &f32)| a.is_nan() && b.is_nan() || (**a - **b).abs() <= 0.01 + 0.002 * b.abs();
        let off = found.iter().zip(&expected).filter(|pair| !same(pair)).count();
        assert!(off * 1000 <= found.len(), "{off} of {} voxels of {name} are others", found.len());
    }
}

/// How good the kernels' numbers are is measured beside them; here late tissue must be told from healthy tissue.
fn maps_tell_tissue_apart(api: &Api, study: &str, finding: &Value, patient: &BrainPatient) {
    let [cbf, cbv, tmax] = ["cbf", "cbv", "tmax"].map(|name| map(api, study, finding, name));
    let healthy = |flow: &Flow| flow.cbf > 40.0;
    let late = |flow: &Flow| flow.delay_s > 5.0 && flow.cbf > 10.0;
    let dead = |flow: &Flow| flow.cbf < 10.0;
    let flow = |wanted: fn(&Flow) -> bool| median(patient, &cbf, wanted);
    assert!(flow(dead) < 0.3 * flow(healthy) && flow(late) < 0.75 * flow(healthy));
    near("CBV of healthy tissue", median(patient, &cbv, healthy), 3.5, 0.8);
    near("CBV of late tissue", median(patient, &cbv, late), 4.4, 0.9);
    let apart = median(patient, &tmax, late) - median(patient, &tmax, healthy);
    near("Tmax of late less that of healthy tissue", apart, 6.0, 3.0);
}

fn numbers_are_right(finding: &Value, patient: &BrainPatient) {
    let [late_ml, dead_ml] = patient.late_and_dead_ml();
    let core = measurement(finding, "core volume").unwrap_or_else(|| panic!("no core: {finding:#}"));
    let hypoperfused = measurement(finding, "hypoperfused").unwrap();
    near("core, mL", core, dead_ml, 0.5 * dead_ml);
    near("hypoperfused, mL", hypoperfused, late_ml, 0.4 * late_ml);
    near("mismatch, mL", measurement(finding, "mismatch volume").unwrap(), hypoperfused - core, 1e-6);
    assert!(finding["perfusion"]["volumes"]["reference"].as_str().unwrap().contains("CBF"));
}

fn says_what_it_is(finding: &Value) {
    let part = &finding["perfusion"];
    assert_eq!(part["statement"], STATEMENT);
    assert!(finding["label"].as_str().unwrap().contains("not for treatment selection"));
    assert!(finding["warnings"].to_string().contains(STATEMENT));
    let names: Vec<&str> =
        part["maps"].as_array().unwrap().iter().filter_map(|m| m["title"].as_str()).collect();
    assert_eq!(names, ["CBF", "CBV", "MTT", "TTP", "Tmax"]);
    let times = part["times_s"].as_array().unwrap().len();
    for curve in [&part["artery"], &part["vein"]] {
        assert_eq!(curve["enhancement_hu"].as_array().map(Vec::len), Some(times), "{curve}");
        assert_ne!(curve["voxels"], json!([]), "{curve}");
    }
    let peak = |curve: &Value| {
        let values = curve["enhancement_hu"].as_array().unwrap().iter().filter_map(Value::as_f64);
        values.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0
    };
    assert!(peak(&part["artery"]) < peak(&part["vein"]), "blood leaves after it came");
}

/// Sends files in one association. Returns when the last of them was acknowledged.
fn stored(sidelight: &Appliance, files: Vec<PathBuf>) -> Instant {
    let files: Vec<Part10> = shuffled(files).iter().filter_map(|file| Part10::read(file)).collect();
    let syntaxes = [files[0].transfer_syntax.as_str()];
    let proposals = [(files[0].sop_class_uid.as_str(), &syntaxes[..])];
    let mut association = Association::open(sidelight.dicom_port(), "SIDELIGHT", &proposals).unwrap();
    for file in &files {
        let status = association.store(1, &file.sop_class_uid, &file.sop_instance_uid, &file.data_set);
        assert_eq!(status.unwrap(), 0);
    }
    let answered = now();
    association.release().unwrap();
    answered
}

fn comes_through(acquisition: Acquisition, mode: &str) {
    let scratch = Scratch::new("brain").unwrap();
    let patient = patient(acquisition);
    let files = files_of(&patient, &scratch);
    let sidelight = appliance().start().unwrap();
    let last_response = stored(&sidelight, files);
    let api = sidelight.api();
    let study = only_study(&api);
    let first = perfused(&api, &study, &["provisional", "preliminary", "failed", "not_applicable"]);
    report(&format!("perfusion, {mode}: last C-STORE response to the maps {:.2?}", last_response.elapsed()));
    let finding = match first["state"].as_str() {
        Some("provisional") => perfused(&api, &study, &["preliminary", "failed"]),
        _ => first,
    };
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    assert_eq!(finding["perfusion"]["acquisition"]["mode"], mode);
    says_what_it_is(&finding);
    maps_are_the_kernels(&api, &study, &finding, &patient);
    maps_tell_tissue_apart(&api, &study, &finding, &patient);
    numbers_are_right(&finding, &patient);
    let calcium = eventually("an answer about calcium", || api.findings_of(&study, "calcium").ok()?.pop());
    assert_eq!(calcium["state"], "not_applicable");
}

#[test]
fn of_a_continuous_scan() {
    comes_through(Acquisition::Continuous, "continuous");
}

#[test]
fn of_a_table_that_shuttles() {
    comes_through(Acquisition::Shuttle, "shuttle");
}

#[test]
fn of_slices_taken_in_turns() {
    comes_through(Acquisition::Interleaved, "interleaved");
}

#[test]
fn of_one_enhanced_object_whose_frames_have_rescales_of_their_own() {
    let scratch = Scratch::new("brain").unwrap();
    let patient = patient(Acquisition::Continuous);
    let file = scratch.path().join("enhanced.dcm");
    write_enhanced(patient.seed, &patient.dynamic(), &file).unwrap();
    let sidelight = appliance().start().unwrap();
    let (api, study, finding) = sent(&sidelight, vec![file]);
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    maps_are_the_kernels(&api, &study, &finding, &patient);
}

#[test]
fn leaves_as_objects_that_validators_accept_and_readers_read_back() {
    let scratch = Scratch::new("brain").unwrap();
    let patient = patient(Acquisition::Continuous);
    let sidelight = appliance().start().unwrap();
    let (api, study, finding) = sent(&sidelight, files_of(&patient, &scratch));
    let objects = with_reports(&sidelight, 1);
    let said = of_kind(&objects, "SR")[0];
    for (name, value) in said["volumes"].as_object().unwrap() {
        let found = measurement(&finding, &format!("{name} volume")).unwrap();
        near(name, value.as_f64().unwrap(), found, 1e-6);
    }
    assert_eq!(said["volumes"].as_object().unwrap().len(), 3, "{said:#}");
    assert!(said["comments"].to_string().contains(STATEMENT), "{said:#}");
    for map_read in of_kind(&objects, "PM") {
        let name = map_read["label"].as_str().unwrap().to_lowercase();
        let mut values = map(&api, &study, &finding, &name);
        values.retain(|value| value.is_finite());
        let sum: f64 = values.iter().copied().map(f64::from).sum();
        near(&format!("sum of {name}"), map_read["sum"].as_f64().unwrap(), sum, 1e-3 * sum.abs().max(1.0));
        assert_eq!(map_read["values"], json!(values.len()), "{name}");
    }
    let units: Vec<&Value> = of_kind(&objects, "PM").iter().map(|map| &map["unit"]).collect();
    assert_eq!(units.len(), 5);
    assert!(units.contains(&&json!("mL/(100.g).min-1")), "{units:?}");
    let pictures = of_kind(&objects, "OT");
    assert_eq!(pictures.len(), 6, "a picture for each slice");
    assert!(pictures.iter().all(|picture| picture["burned_in"] == "YES"));
    let voxel_ml = patient.spacing_mm.iter().product::<f64>() / 1000.0;
    let voxels = of_kind(&objects, "SEG")[0]["voxels"]["1"].as_f64().unwrap();
    near("core in the segmentation", voxels * voxel_ml, measurement(&finding, "core volume").unwrap(), 1e-6);
    let id = finding["id"].as_str().unwrap();
    let page = api.bytes(&format!("/api/studies/{study}/findings/{id}/report.pdf")).unwrap();
    assert!(page.starts_with(b"%PDF"));
}

#[test]
fn a_curve_of_any_voxel_is_given_and_other_inlets_are_answered_by_another_finding() {
    let scratch = Scratch::new("brain").unwrap();
    let patient = patient(Acquisition::Continuous);
    let mut sidelight = appliance().start().unwrap();
    let (api, study, finding) = sent(&sidelight, files_of(&patient, &scratch));
    let id = finding["id"].as_str().unwrap();
    let of_finding = format!("/api/studies/{study}/findings/{id}");
    let [column, row, slice] = [0, 1, 2].map(|axis| finding["perfusion"]["vein"]["voxels"][0][axis].clone());
    let curve = format!("{of_finding}/curve?column={column}&row={row}&slice={slice}");
    let given = api.json(&curve).unwrap();
    let peak =
        |values: &Value| values.as_array().unwrap().iter().filter_map(Value::as_f64).fold(0.0, f64::max);
    assert!(peak(&given["enhancement_hu"]) > 100.0, "a vein enhances: {given}");
    assert_eq!(given["times_s"], finding["perfusion"]["times_s"]);
    let times_ms = (0..50).map(|_| took(|| assert_eq!(api.get(&curve).unwrap().status, 200))).collect();
    let median_ms = latency::median(times_ms);
    report(&format!("perfusion: a voxel's curve {median_ms:.2} ms, the median of 50 requests"));
    assert_eq!(
        api.get(&format!("{curve}&radius_px=-1")).unwrap().status,
        200,
        "a radius below a pixel is a voxel"
    );
    assert_eq!(api.get(&format!("{of_finding}/curve?column=9999&row=0&slice=0")).unwrap().status, 422);
    assert_eq!(api.get(&format!("{of_finding}/maps/cbf/6.f32")).unwrap().status, 404);
    assert_eq!(api.get(&format!("{of_finding}/maps/flow/0.f32")).unwrap().status, 404);

    let artery = patient.artery();
    let [column, row, slice] = artery.voxels().next().unwrap().1;
    let choice = json!({
        "method": "csvd",
        "artery": { "center_px": [column, row], "slice": slice, "radius_px": 1.2 },
    });
    let answer = api.post(&format!("{of_finding}/perfusion"), &choice).unwrap();
    let chosen = eventually("the finding with the reader's inlets", || {
        let findings = api.findings_of(&study, "perfusion").ok()?;
        findings.into_iter().find(|finding| finding["id"] == answer["finding_id"])
    });
    assert_eq!(
        (&chosen["state"], &chosen["scope"]["kind"]),
        (&json!("preliminary"), &json!("chosen")),
        "{chosen:#}"
    );
    assert!(chosen["perfusion"]["parameters"].to_string().contains("cut at 10 %"), "{chosen:#}");
    let nonsense = json!({ "artery": { "center_px": [0, 0], "slice": 0, "radius_px": -2.0 } });
    let refused = api.send("POST", &format!("{of_finding}/perfusion"), &[], Some(&nonsense)).unwrap();
    assert_eq!(refused.status, 422);

    sidelight.kill9();
    sidelight.restart().unwrap();
    let api = sidelight.api();
    assert_eq!(api.get(&curve).unwrap().status, 503, "a restart forgets the series");
    let again = eventually("the curve after a restart", || api.json(&curve).ok());
    assert_eq!(again, given);
}

#[test]
fn a_scan_that_ends_early_has_maps_and_no_volumes() {
    let scratch = Scratch::new("brain").unwrap();
    let whole = patient(Acquisition::Continuous);
    let patient = BrainPatient { passes: 14, ..whole };
    let sidelight = appliance().start().unwrap();
    let (_, _, finding) = sent(&sidelight, files_of(&patient, &scratch));
    let objects = with_reports(&sidelight, 1);
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    assert_ne!(finding["perfusion"]["guards"], json!([]), "{finding:#}");
    assert_eq!((&finding["perfusion"]["volumes"], &finding["measurements"]), (&Value::Null, &json!([])));
    assert_eq!(of_kind(&objects, "SR")[0]["volumes"], json!({}));
    assert_eq!(of_kind(&objects, "SEG")[0]["voxels"]["1"], json!(0), "a core in the segmentation");
}

#[test]
fn too_few_time_points_are_refused_in_words() {
    let scratch = Scratch::new("brain").unwrap();
    let whole = patient(Acquisition::Continuous);
    let files = write_time_points(whole.seed, &whole.dynamic(), scratch.path()).unwrap();
    let sidelight = appliance().start().unwrap();
    // Time points lie one after the other: 4 of them, of 6 slices.
    let (_, _, finding) = sent(&sidelight, files.into_iter().take(24).collect());
    assert_eq!(finding["state"], "not_applicable", "{finding:#}");
    let reason = finding["reason"].as_str().unwrap();
    assert!(reason.contains("4 time points") && reason.contains("at least"), "{reason}");
}

#[test]
fn of_time_points_that_came_as_a_series_each() {
    let scratch = Scratch::new("brain").unwrap();
    let patient = patient(Acquisition::Continuous);
    let files = files_of(&patient, &scratch);
    for (index, file) in files.iter().enumerate() {
        let mut object = opened(file);
        let series = format!("2.25.77{:03}", index / 6);
        object.put(DataElement::new(tags::SERIES_INSTANCE_UID, VR::UI, PrimitiveValue::from(series)));
        let number = (index / 6 + 1).to_string();
        object.put(DataElement::new(tags::SERIES_NUMBER, VR::IS, PrimitiveValue::from(number)));
        object.write_to_file(file).unwrap();
    }
    let sidelight = appliance().start().unwrap();
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = eventually("a perfusion finding of the whole scan", || {
        let findings = api.findings_of(&study, "perfusion").ok()?;
        findings.into_iter().find(|finding| finding["state"] == "preliminary")
    });
    assert_eq!(finding["series_uid"], "2.25.77000", "the first series answers for all");
    maps_are_the_kernels(&api, &study, &finding, &patient);
    let others = api.findings_of(&study, "perfusion").unwrap();
    let part = others.iter().filter(|other| other["reason"].to_string().contains("one time point of a scan"));
    assert_eq!(part.count(), 39, "{others:#?}");
}

#[test]
fn images_that_do_not_say_when_they_were_taken_are_refused_in_words() {
    let scratch = Scratch::new("brain").unwrap();
    let patient = BrainPatient { passes: 12, ..patient(Acquisition::Continuous) };
    let files = files_of(&patient, &scratch);
    for file in &files {
        let mut object = opened(file);
        for tag in [tags::ACQUISITION_TIME, tags::CONTENT_TIME] {
            object.remove_element(tag);
        }
        object.write_to_file(file).unwrap();
    }
    let sidelight = appliance().start().unwrap();
    let (_, _, finding) = sent(&sidelight, files);
    assert_eq!(finding["state"], "not_applicable", "{finding:#}");
    assert!(finding["reason"].as_str().unwrap().contains("when they were taken"), "{finding:#}");
}
