//! Deletion: only what an archive has confirmed, never under a legal hold, on record before it happens, whole after a
//! kill at any moment; and never at all without an archive.

use std::time::Duration;

use serde_json::json;
use sidelight_tests::peers::appliance::Appliance;
use sidelight_tests::peers::dcmtk::Witness;
use sidelight_tests::peers::orthanc::Orthanc;
use sidelight_tests::peers::part10::Part10;
use sidelight_tests::peers::patience::{eventually, stays, within};

use crate::audit::{events, send, verify};
use crate::destinations::{box_with, counted, dicom, ledger, stow};
use crate::small_ct::SmallCt;

pub(crate) const QUOTA_OF_ONE_BYTE: &str = "\n[retention]\nquota_bytes = 1\n";

pub(crate) fn listed(sidelight: &Appliance) -> Vec<String> {
    let studies = sidelight.api().studies().expect("the list of studies");
    studies.iter().filter_map(|study| study["uid"].as_str().map(str::to_owned)).collect()
}

#[test]
fn what_an_archive_confirmed_makes_room_and_a_legal_hold_stands() {
    let orthanc = Orthanc::start().unwrap();
    let sections = stow("archive", &orthanc.dicomweb_url(), true) + QUOTA_OF_ONE_BYTE;
    let mut sidelight = box_with(&sections).start().unwrap();
    let (held, free) = (SmallCt::new(), SmallCt::new());
    send(&sidelight, &held, 0..3);
    let hold = format!("/api/studies/{}/hold", held.study_uid);
    let put =
        sidelight.api().send("POST", &hold, &[], Some(&json!({ "held": true, "reason": "case 7" }))).unwrap();
    assert_eq!(put.status, 204, "{}", put.text());
    let nameless = sidelight.api().send("POST", &hold, &[], Some(&json!({ "held": true }))).unwrap();
    assert_eq!(nameless.status, 422);
    send(&sidelight, &free, 0..3);
    eventually("the confirmed study to make room", || {
        (listed(&sidelight) == [held.study_uid.clone()]).then_some(())
    });
    assert_eq!(orthanc.instances().unwrap().len(), 6, "something was deleted that the archive does not have");
    assert_eq!(ledger(&sidelight, &held.study_uid)["stays"], "a legal hold stands");
    assert_eq!(Part10::below(&sidelight.data_folder()).len(), 3);

    // Neither a rebuilt index nor a restart brings back what went, or forgets the hold.
    sidelight.kill9();
    std::fs::remove_dir_all(sidelight.data_folder().join("index")).unwrap();
    sidelight.restart().unwrap();
    assert_eq!(listed(&sidelight), std::slice::from_ref(&held.study_uid));
    assert_eq!(ledger(&sidelight, &held.study_uid)["stays"], "a legal hold stands");
    // What was deleted may come again.
    send(&sidelight, &free, 0..1);
    let put = sidelight.api().send("POST", &hold, &[], Some(&json!({ "held": false }))).unwrap();
    assert_eq!(put.status, 204);
    eventually("all to go", || listed(&sidelight).is_empty().then_some(()));
    assert!(sidelight.terminate().unwrap().success());
    assert_eq!(events(&sidelight, "study_deleted").len(), 3);
    assert_eq!(events(&sidelight, "legal_hold").len(), 2);
    verify(&sidelight).succeeded();
}

#[test]
fn without_an_archive_nothing_is_ever_deleted_and_the_doctor_says_so() {
    let witness = Witness::start("+xe").unwrap();
    let sections = dicom("pacs", witness.port(), false) + QUOTA_OF_ONE_BYTE;
    let mut sidelight = box_with(&sections).start().unwrap();
    let study = SmallCt::new();
    send(&sidelight, &study, 0..2);
    counted(&sidelight, &study.study_uid, "pacs", "forwarded", 2);
    stays("the study stays", Duration::from_secs(12), || listed(&sidelight).len() == 1);
    assert!(sidelight.terminate().unwrap().success());
    let doctor = sidelight.command("doctor").unwrap();
    assert!(
        !doctor.status.success() && doctor.text().contains("nothing is ever deleted"),
        "{}",
        doctor.evidence()
    );
    assert!(events(&sidelight, "study_deleted").is_empty());
}

#[test]
fn kills_during_deletion_leave_all_of_a_study_or_nothing() {
    let orthanc = Orthanc::start().unwrap();
    let sections = stow("archive", &orthanc.dicomweb_url(), true) + QUOTA_OF_ONE_BYTE;
    let mut sidelight = box_with(&sections).start().unwrap();
    let cycles = if std::env::var_os("SIDELIGHT_SOAK").is_some() { 40 } else { 4 };
    for cycle in 0..cycles {
        let study = SmallCt::new();
        send(&sidelight, &study, 0..40);
        // From some moment of confirming to some moment after deletion.
        let until = Duration::from_millis(fastrand::u64(4_000..7_000));
        let _never = within(until, || None::<()>);
        sidelight.kill9();
        sidelight.restart().unwrap_or_else(|why| panic!("cycle {cycle}: the box did not start again: {why}"));
        // Deleting goes on meanwhile: a study is listed with all of its objects, or not at all.
        for study in sidelight.api().studies().unwrap() {
            assert_eq!(study["instance_count"], 40, "cycle {cycle}: a part of a study is left");
        }
    }
    eventually("all to go", || listed(&sidelight).is_empty().then_some(()));
    assert!(Part10::below(&sidelight.data_folder()).is_empty(), "files without a study are left");
    assert_eq!(orthanc.count().unwrap(), 40 * cycles, "the archive lacks what was deleted here");
    verify(&sidelight).succeeded();
}
