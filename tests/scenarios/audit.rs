//! The audit journal says who did what, and `sidelight audit verify` names every line that was touched.

use std::path::PathBuf;

use serde_json::{Value, json};
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::association::{Association, CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN};

use crate::small_ct::SmallCt;

fn segment(sidelight: &Appliance) -> PathBuf {
    sidelight.data_folder().join("audit/segment-000001.jsonl")
}

/// Every event of a kind.
pub(crate) fn events(sidelight: &Appliance, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(segment(sidelight)).expect("an audit journal");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    lines.filter(|line| line["kind"] == kind).collect()
}

pub(crate) fn verify(sidelight: &Appliance) -> sidelight_tests::peers::process::Run {
    sidelight.command_words(&["audit", "verify"]).expect("the command starts")
}

pub(crate) fn send(sidelight: &Appliance, study: &SmallCt, slices: std::ops::Range<u16>) {
    let mut association = Association::open_for_ct(sidelight.dicom_port()).expect("an association");
    for number in slices {
        let slice = study.slice(number, 64);
        let status = association.store(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set);
        assert_eq!(status.expect("an answer"), 0);
    }
    association.release().expect("an orderly release");
}

#[test]
fn says_who_came_what_arrived_and_who_signed_in() {
    let mut sidelight =
        appliance().site_line("called_ae_policy = \"any\"", "called_ae_policy = \"own\"").start().unwrap();
    let study = SmallCt::new();
    send(&sidelight, &study, 0..3);
    let proposals: [(&str, &[&str]); 1] = [(CT_IMAGE_STORAGE, &[EXPLICIT_VR_LITTLE_ENDIAN])];
    assert!(Association::open(sidelight.dicom_port(), "SOMEBODY", &proposals).is_err());
    let stranger = sidelight.api().with_token(None);
    for (token, status) in [("guess", 401), (sidelight.ready().token.as_str(), 204)] {
        let answer = stranger.send("POST", "/api/session", &[], Some(&json!({ "token": token }))).unwrap();
        assert_eq!(answer.status, status);
    }
    assert!(sidelight.terminate().unwrap().success());

    assert_eq!(events(&sidelight, "start").len(), 1);
    assert!(!events(&sidelight, "association_accepted").is_empty());
    assert_eq!(events(&sidelight, "association_refused").len(), 1);
    let received = events(&sidelight, "study_received");
    assert_eq!(received.len(), 1, "once a study, not once an instance: {received:#?}");
    assert_eq!(received[0]["study"]["uid"], study.study_uid.as_str());
    assert_eq!(received[0]["study"]["patient_name"], study.patient_name.as_str());
    let sign_ins: Vec<_> =
        events(&sidelight, "sign_in").iter().map(|event| event["outcome"].clone()).collect();
    assert_eq!(sign_ins, [json!(4), json!(0)]);
    assert!(!sidelight.log().contains(&study.patient_name), "identity stands in the log");
    verify(&sidelight).succeeded();
}

#[test]
fn a_touched_line_is_named_and_a_kill_is_no_touch() {
    let mut sidelight = appliance().start().unwrap();
    for _restart in 0..3 {
        send(&sidelight, &SmallCt::new(), 0..2);
        sidelight.kill9();
        sidelight.restart().unwrap();
    }
    assert!(sidelight.terminate().unwrap().success());
    verify(&sidelight).succeeded();

    let whole = std::fs::read_to_string(segment(&sidelight)).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let changed = whole.replacen("study_received", "start", 1);
    let removed = whole.replacen(&format!("{}\n", lines[2]), "", 1);
    let swapped =
        whole.replacen(&format!("{}\n{}", lines[1], lines[2]), &format!("{}\n{}", lines[2], lines[1]), 1);
    let last_removed = whole.replacen(&format!("{}\n", lines[lines.len() - 1]), "", 1);
    for touched in [changed, removed, swapped, last_removed] {
        assert_ne!(touched, whole);
        std::fs::write(segment(&sidelight), &touched).unwrap();
        let verdict = verify(&sidelight);
        assert!(!verdict.status.success() && verdict.text().contains("BAD"), "{}", verdict.evidence());
        assert!(!verdict.text().contains("Small^"), "the verdict names a patient");
    }
    std::fs::write(segment(&sidelight), whole).unwrap();
    verify(&sidelight).succeeded();
}
