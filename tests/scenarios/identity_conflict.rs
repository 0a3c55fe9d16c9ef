//! One study under two patients: kept, shown, neither analysed nor forwarded until an admin decides; all on record.

use std::time::Duration;

use serde_json::json;
use sidelight_tests::peers::association::{Association, CT_IMAGE_STORAGE};
use sidelight_tests::peers::dcmtk::Witness;
use sidelight_tests::peers::part10::Part10;
use sidelight_tests::peers::patience::{eventually, stays};

use crate::audit::{events, send, verify};
use crate::destinations::{box_with, counted, dicom};
use crate::small_ct::SmallCt;

#[test]
fn holds_the_study_until_an_admin_decides() {
    let witness = Witness::start("+xe").unwrap();
    let mut sidelight = box_with(&dicom("pacs", witness.port(), false)).start().unwrap();
    let api = sidelight.api();
    let one = SmallCt::new();
    let other = SmallCt { patient_name: "Other^Person".into(), ..one.clone() };
    // In one association, so that no moment lies between them in which the first could leave.
    let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
    for slice in [one.slice(0, 64), one.slice(1, 64), other.slice(2, 64)] {
        let status =
            association.store(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set).unwrap();
        assert_eq!(status, 0, "a study under two patients is kept");
    }
    association.release().unwrap();

    let path = format!("/api/studies/{}/identity", one.study_uid);
    let said = api.json(&path).unwrap();
    assert_eq!(
        (&said["held"], said["identities"].as_array().map(Vec::len)),
        (&json!(true), Some(2)),
        "{said:#}"
    );
    eventually("the list to say why it waits", || {
        let study = api.study(&one.study_uid).ok()?;
        study["activity"]["stage"].as_str()?.contains("held").then_some(())
    });
    stays("held: nothing found, nothing forwarded", Duration::from_secs(6), || {
        api.findings_of(&one.study_uid, "calcium").unwrap().is_empty()
            && Part10::below(&witness.received()).is_empty()
    });
    // The hold is no matter of memory.
    sidelight.kill9();
    std::fs::remove_dir_all(sidelight.data_folder().join("index")).unwrap();
    sidelight.restart().unwrap();
    let api = sidelight.api();
    assert_eq!(api.json(&path).unwrap()["held"], true, "a rebuilt index forgot the conflict");
    assert_eq!(api.post(&path, &json!({ "decision": "keep_held" })).unwrap()["held"], true);

    assert_eq!(api.post(&path, &json!({ "decision": "accept" })).unwrap()["held"], false);
    counted(&sidelight, &one.study_uid, "pacs", "forwarded", 3);
    eventually("findings", || (!api.findings_of(&one.study_uid, "calcium").ok()?.is_empty()).then_some(()));
    assert_eq!(Part10::below(&witness.received()).len(), 3);

    // What was decided does not cover who comes later.
    let third = SmallCt { patient_name: "Third^Person".into(), ..one.clone() };
    send(&sidelight, &third, 3..4);
    assert_eq!(api.json(&path).unwrap()["held"], true, "a third identity was let through");
    assert!(sidelight.terminate().unwrap().success());
    assert_eq!(events(&sidelight, "identity_conflict").len(), 2);
    assert_eq!(events(&sidelight, "identity_decided").len(), 2);
    assert!(!sidelight.log().contains("Person"), "identity stands in the log");
    verify(&sidelight).succeeded();
}
