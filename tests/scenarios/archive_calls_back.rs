//! An archive that confirms on an association of its own, hours or a restart later: what it says counts, and only what
//! the box had asked.

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use sidelight_tests::peers::appliance::Appliance;
use sidelight_tests::peers::association::{Association, CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN};
use sidelight_tests::peers::gate::Gate;
use sidelight_tests::peers::message::{
    Message, N_ACTION, N_EVENT_REPORT, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE,
};
use sidelight_tests::peers::orthanc::Orthanc;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::provider::Provider;

use crate::audit::{events, send, verify};
use crate::commitment::asked;
use crate::destinations::{box_with, counted, destination, dicom, ledger, total};
use crate::retention::{QUOTA_OF_ONE_BYTE, listed};
use crate::small_ct::{SmallCt, data_set, new_uid};

#[test]
fn orthanc_confirms_after_a_restart_and_the_study_makes_room() {
    let orthanc = Orthanc::start().unwrap();
    let sections = dicom("archive", orthanc.dicom_port(), true) + QUOTA_OF_ONE_BYTE;
    let mut sidelight = box_with(&sections).start().unwrap();
    let gate = Gate::shut().unwrap();
    orthanc.knows("SIDELIGHT", gate.port()).unwrap();
    let study = SmallCt::new();
    send(&sidelight, &study, 0..5);
    eventually("Orthanc to call back", || (gate.callers() > 0).then_some(()));
    assert_eq!(total(&ledger(&sidelight, &study.study_uid), "archive")["confirmed"], 0);

    // Asked by one process, told to the next.
    sidelight.kill9();
    sidelight.restart().unwrap();
    gate.open_to(sidelight.dicom_port());
    eventually("the confirmed study to make room", || listed(&sidelight).is_empty().then_some(()));
    assert_eq!(orthanc.count().unwrap(), 5, "{}", orthanc.evidence());
    assert_eq!(gate.callers(), 1, "it was asked once");
    assert!(sidelight.terminate().unwrap().success());
    assert_eq!(events(&sidelight, "study_deleted").len(), 1);
    verify(&sidelight).succeeded();
}

/// A report as an archive makes it: what it keeps, what it does not.
fn report(transaction: &str, kept: &[&str], failed: &[&str]) -> Message {
    let mut object = asked(transaction, kept);
    let uid = |tag, uid: &str| DataElement::new(tag, VR::UI, PrimitiveValue::from(uid));
    let lost = |instance: &&str| {
        let reason = DataElement::new(tags::FAILURE_REASON, VR::US, PrimitiveValue::from(0x0112_u16));
        let class = uid(tags::REFERENCED_SOP_CLASS_UID, CT_IMAGE_STORAGE);
        let instance = uid(tags::REFERENCED_SOP_INSTANCE_UID, instance);
        InMemDicomObject::from_element_iter([class, instance, reason])
    };
    let items: Vec<_> = failed.iter().map(lost).collect();
    if !items.is_empty() {
        object.put(DataElement::new(tags::FAILED_SOP_SEQUENCE, VR::SQ, DataSetSequence::from(items)));
    }
    let event = if failed.is_empty() { 1 } else { 2 };
    let data_set = data_set(&object);
    Message::new(N_EVENT_REPORT, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE, Some(event), &data_set)
}

fn call_back(sidelight: &Appliance) -> Association {
    let proposals: [(&str, &[&str]); 1] = [(STORAGE_COMMITMENT, &[EXPLICIT_VR_LITTLE_ENDIAN])];
    Association::open_as(sidelight.dicom_port(), "SIDELIGHT", "PACS", &proposals).expect("an association")
}

/// Transaction and instances of the question the archive was asked.
fn question(archive: &Provider) -> (String, Vec<String>) {
    let message = eventually("a question about commitment", || {
        archive.received().into_iter().map(|one| one.message).find(|message| message.field == N_ACTION)
    });
    let syntax = dicom_transfer_syntax_registry::entries::EXPLICIT_VR_LITTLE_ENDIAN.erased();
    let object = InMemDicomObject::read_dataset_with_ts(&message.data_set[..], &syntax).expect("it parses");
    let uid = |object: &InMemDicomObject, tag| {
        object.element(tag).expect("it is there").to_str().expect("text").trim_end_matches('\0').to_owned()
    };
    let items = object.element(tags::REFERENCED_SOP_SEQUENCE).expect("a sequence").items();
    let instances = items.unwrap_or_default().iter();
    (
        uid(&object, tags::TRANSACTION_UID),
        instances.map(|item| uid(item, tags::REFERENCED_SOP_INSTANCE_UID)).collect(),
    )
}

#[test]
fn only_what_was_asked_counts_and_a_report_that_is_repeated_is_taken() {
    let archive = Provider::start().unwrap();
    let sidelight = box_with(&dicom("archive", archive.port(), true)).start().unwrap();
    let study = SmallCt::new();
    send(&sidelight, &study, 0..3);
    let (transaction, instances) = question(&archive);
    assert_eq!(instances.len(), 3, "all of the study in one question");
    let (first, rest) = (instances[0].as_str(), [instances[1].as_str(), instances[2].as_str()]);
    let mut association = call_back(&sidelight);
    let stranger = new_uid();
    for (message, status, why) in [
        (report(&new_uid(), &[first], &[]), 0x0115, "a transaction nobody asked"),
        (Message { type_id: Some(3), ..report(&transaction, &[first], &[]) }, 0x0113, "another event"),
        (
            Message { sop_instance: "1.2.3".into(), ..report(&transaction, &[first], &[]) },
            0x0112,
            "another instance",
        ),
        (Message { data_set: Vec::new(), ..report(&transaction, &[], &[]) }, 0x0120, "nothing at all"),
        (report("../../etc", &[first], &[]), 0x0115, "a transaction that is a path"),
    ] {
        assert_eq!(association.ask(1, &message).unwrap(), status, "{why}");
    }
    assert_eq!(total(&ledger(&sidelight, &study.study_uid), "archive")["confirmed"], 0);

    // It keeps one, denies another, is silent about the third and boasts of one that it never got.
    let said = report(&transaction, &[first, &stranger], &rest[..1]);
    assert_eq!(association.ask(1, &said).unwrap(), 0);
    assert_eq!(association.ask(1, &said).unwrap(), 0, "its answer may have been lost on the way");
    association.release().unwrap();
    counted(&sidelight, &study.study_uid, "archive", "confirmed", 1);
    assert_eq!(destination(&sidelight, "archive")["unconfirmed"], 2);
    assert_eq!(
        ledger(&sidelight, &study.study_uid)["stays"],
        "an archive has not confirmed all of its objects"
    );
}
