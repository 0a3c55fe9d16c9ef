//! From the last C-STORE response to the result in the API: measured and printed, never asserted, because a time
//! depends on the machine.

use std::path::PathBuf;

use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::appliance::{Processor, appliance};
use sidelight_tests::peers::association::Association;
use sidelight_tests::peers::part10::Part10;
use sidelight_tests::peers::patience::{eventually, now};
use sidelight_tests::peers::scratch::Scratch;
use sidelight_tests::phantoms::CalciumPatient;

use crate::studies::{only_study, reference_series, report, shuffled};

#[test]
fn the_47_slices_on_the_twin_real_data() {
    let Some(files) = reference_series("latency: the_47_slices_on_the_twin_real_data") else { return };
    measure("47 reference slices", files, Processor::Twin);
}

#[test]
fn a_whole_chest_on_the_twin_and_on_software_vulkan() {
    let scratch = Scratch::new("patient").unwrap();
    let files = CalciumPatient::new(11).write_dicom(scratch.path()).unwrap();
    measure("synthetic chest 512 x 512", files.clone(), Processor::Twin);
    measure("synthetic chest 512 x 512", files, Processor::Gpu);
}

fn measure(what: &str, files: Vec<PathBuf>, processor: Processor) {
    let sidelight = appliance().processor(processor).start().expect("a box");
    let files: Vec<Part10> = shuffled(files).iter().filter_map(|file| Part10::read(file)).collect();
    let first = files.first().expect("a study has slices");
    let syntaxes = [first.transfer_syntax.as_str()];
    let proposals = [(first.sop_class_uid.as_str(), &syntaxes[..])];
    let begun = now();
    let mut association =
        Association::open(sidelight.dicom_port(), "SIDELIGHT", &proposals).expect("an association");
    for file in &files {
        let status = association.store(1, &file.sop_class_uid, &file.sop_instance_uid, &file.data_set);
        assert_eq!(status.expect("an answer"), 0);
    }
    let answered = now();
    association.release().expect("an orderly release");
    let api = sidelight.api();
    let study = only_study(&api);
    let state = eventually("a finding", || {
        let findings = api.findings_of(&study, "calcium").ok()?;
        Some(findings.first()?["state"].as_str()?.to_owned())
    });
    let seen = now();
    let count = files.len();
    let sending_ms = (answered - begun).as_millis();
    let latency_ms = (seen - answered).as_millis();
    report(&format!(
        "latency: {what}, {processor:?}: {count} slices sent in {sending_ms} ms; \
         last C-STORE response to {state} finding {latency_ms} ms"
    ));
    rescore(what, &api, &study);
}

/// The threshold slider: what its first step costs, which builds the volume again, and every later one.
fn rescore(what: &str, api: &Api, study: &str) {
    let id = eventually("a complete finding", || {
        let finding = api.findings_of(study, "calcium").ok()?.into_iter().next()?;
        (finding["state"] == "preliminary").then(|| finding["id"].as_str().map(str::to_owned))?
    });
    let at = |threshold_hu: u32| {
        let path = format!("/api/studies/{study}/findings/{id}/rescored?threshold_hu={threshold_hu}");
        took(|| assert_eq!(api.get(&path).expect("an answer").status, 200, "at {threshold_hu} HU"))
    };
    let first_ms = at(130);
    let steps_ms: Vec<f64> = (0..20).map(|step| at(50 + step * 250 / 19)).collect();
    report(&format!(
        "latency: {what}: scored again between 50 and 300 HU: {:.1} ms, the median of 20 requests ({:.1} ms at \
         50 HU, the first {first_ms:.0} ms)",
        median(steps_ms.clone()),
        steps_ms[0]
    ));
}

/// Milliseconds.
pub(crate) fn took(work: impl FnOnce()) -> f64 {
    let begun = now();
    work();
    begun.elapsed().as_secs_f64() * 1e3
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
