//! Performed procedure steps: kept bit-exact, relayed unchanged and in order, whatever the RIS is doing meanwhile.

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::association::{Association, EXPLICIT_VR_LITTLE_ENDIAN};
use sidelight_tests::peers::message::{Message, N_CREATE, N_SET, PROCEDURE_STEP};
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::provider::Provider;

use crate::small_ct::{data_set, new_uid};

fn text(tag: dicom_core::Tag, vr: VR, value: &str) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, vr, PrimitiveValue::from(value))
}

fn created(uid: &str) -> Message {
    let step = InMemDicomObject::from_element_iter([text(tags::STUDY_INSTANCE_UID, VR::UI, &new_uid())]);
    let object = InMemDicomObject::from_element_iter([
        text(tags::PATIENT_NAME, VR::PN, "Nobody^At^All"),
        text(tags::PERFORMED_PROCEDURE_STEP_STATUS, VR::CS, "IN PROGRESS"),
        DataElement::new(tags::SCHEDULED_STEP_ATTRIBUTES_SEQUENCE, VR::SQ, DataSetSequence::from(vec![step])),
    ]);
    Message::new(N_CREATE, PROCEDURE_STEP, uid, None, &data_set(&object))
}

fn set(uid: &str, status: &str) -> Message {
    let object =
        InMemDicomObject::from_element_iter([text(tags::PERFORMED_PROCEDURE_STEP_STATUS, VR::CS, status)]);
    Message::new(N_SET, PROCEDURE_STEP, uid, None, &data_set(&object))
}

fn open(sidelight: &Appliance) -> Association {
    let proposals = [(PROCEDURE_STEP, &[EXPLICIT_VR_LITTLE_ENDIAN][..])];
    Association::open(sidelight.dicom_port(), "SIDELIGHT", &proposals).expect("an association")
}

fn box_with_ris(port: u16) -> Appliance {
    let ris = format!("\n[ris]\naddress = \"127.0.0.1:{port}\"\nae_title = \"RIS\"\n\n[archive]\n");
    appliance().site_line("\n[archive]\n", &ris).start().expect("the box and its RIS")
}

/// What the RIS got, without message ids, which are each association's own.
fn got(ris: &Provider) -> Vec<Message> {
    ris.received().into_iter().map(|one| Message { message_id: 0, ..one.message }).collect()
}

#[test]
fn a_ris_that_is_down_gets_everything_in_order_and_unchanged_when_it_comes_back() {
    let port = Provider::start().unwrap().port();
    let mut sidelight = box_with_ris(port);
    let (first, second) = (new_uid(), new_uid());
    let sent = [created(&first), set(&first, "IN PROGRESS"), created(&second), set(&first, "COMPLETED")];
    let mut association = open(&sidelight);
    for message in &sent {
        assert_eq!(association.ask(1, message).unwrap(), 0);
    }
    association.release().unwrap();
    // What was answered is kept, whatever happens to the box.
    sidelight.kill9();
    sidelight.restart().unwrap();
    let ris = Provider::at(port).unwrap();
    eventually("all messages at the RIS", || (got(&ris).len() >= sent.len()).then_some(()));
    assert_eq!(got(&ris), sent, "the RIS must get the scanner's own bytes");
    assert!(ris.received().iter().all(|one| one.transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN));
    let last = set(&second, "DISCONTINUED");
    assert_eq!(open(&sidelight).ask(1, &last).unwrap(), 0);
    eventually("the last message", || (got(&ris).last() == Some(&last)).then_some(()));
    assert!(!sidelight.log().contains("Nobody"), "a name in the log");
}

#[test]
fn a_message_the_ris_never_takes_does_not_hold_up_the_others() {
    let ris = Provider::start().unwrap();
    ris.answer(0x0110);
    let sidelight = box_with_ris(ris.port());
    let (first, second) = (new_uid(), new_uid());
    let mut association = open(&sidelight);
    assert_eq!(association.ask(1, &created(&first)).unwrap(), 0);
    eventually("five attempts", || (ris.received().len() >= 5).then_some(()));
    ris.answer(0);
    assert_eq!(association.ask(1, &created(&second)).unwrap(), 0);
    eventually("the second one", || (got(&ris).last() == Some(&created_like(&ris, &second))).then_some(()));
    assert!(sidelight.log().contains("set aside for a person"), "{}", sidelight.evidence());
}

/// The message about `uid` as the RIS has it.
fn created_like(ris: &Provider, uid: &str) -> Message {
    got(ris).into_iter().rfind(|message| message.sop_instance == uid).unwrap_or_default()
}

#[test]
fn steps_out_of_order_are_answered_with_their_status() {
    let mut sidelight = appliance().start().unwrap();
    let uid = new_uid();
    let mut association = open(&sidelight);
    assert_eq!(association.ask(1, &set(&uid, "IN PROGRESS")).unwrap(), 0x0112, "nothing to set yet");
    assert_eq!(association.ask(1, &created("")).unwrap(), 0x0117, "no instance");
    assert_eq!(association.ask(1, &created("../../1")).unwrap(), 0x0117, "not a UID");
    let torn = Message { data_set: created(&uid).data_set[..9].to_vec(), ..created(&uid) };
    assert_eq!(association.ask(1, &torn).unwrap(), 0x0110);
    assert_eq!(association.ask(1, &created(&uid)).unwrap(), 0);
    assert_eq!(association.ask(1, &created(&uid)).unwrap(), 0x0111, "there already");
    // What is known survives a restart.
    sidelight.kill9();
    sidelight.restart().unwrap();
    let mut association = open(&sidelight);
    assert_eq!(association.ask(1, &created(&uid)).unwrap(), 0x0111);
    assert_eq!(association.ask(1, &set(&uid, "COMPLETED")).unwrap(), 0);
    assert_eq!(association.ask(1, &set(&uid, "COMPLETED")).unwrap(), 0x0110, "it has ended");
    association.release().unwrap();
}
