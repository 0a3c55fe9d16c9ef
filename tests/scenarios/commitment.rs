//! Storage commitment: what the box answers for is on its disk, the caller hears it on whichever association there is,
//! and a power cut in between loses no report.

use std::time::Duration;

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::{
    EXPLICIT_VR_LITTLE_ENDIAN as EXPLICIT, IMPLICIT_VR_LITTLE_ENDIAN,
};
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::association::{
    Association, CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN as IMPLICIT,
};
use sidelight_tests::peers::message::{
    Message, N_ACTION, N_EVENT_REPORT, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE,
};
use sidelight_tests::peers::patience::{eventually, stays, within};
use sidelight_tests::peers::provider::Provider;

use crate::small_ct::{SmallCt, data_set, new_uid};
use crate::studies::report;

const SYNTAXES: &[&str] = &[EXPLICIT_VR_LITTLE_ENDIAN];

/// Contexts 1 (CT) and 3 (commitment).
fn open(sidelight: &Appliance) -> Association {
    let proposals = [(CT_IMAGE_STORAGE, SYNTAXES), (STORAGE_COMMITMENT, SYNTAXES)];
    Association::open_as(sidelight.dicom_port(), "SIDELIGHT", "CT1", &proposals).expect("an association")
}

fn store(association: &mut Association, study: &SmallCt, number: u16) -> String {
    let slice = study.slice(number, 64);
    let status = association.store(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set);
    assert_eq!(status.expect("an answer"), 0);
    slice.sop_instance_uid
}

pub(crate) fn request(transaction: &str, instances: &[&str]) -> Message {
    let object = asked(transaction, instances);
    Message::new(N_ACTION, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE, Some(1), &data_set(&object))
}

pub(crate) fn asked(transaction: &str, instances: &[&str]) -> InMemDicomObject {
    let uid = |tag, uid: &str| DataElement::new(tag, VR::UI, PrimitiveValue::from(uid));
    let items: Vec<_> = instances
        .iter()
        .map(|instance| {
            InMemDicomObject::from_element_iter([
                uid(tags::REFERENCED_SOP_CLASS_UID, CT_IMAGE_STORAGE),
                uid(tags::REFERENCED_SOP_INSTANCE_UID, instance),
            ])
        })
        .collect();
    InMemDicomObject::from_element_iter([
        uid(tags::TRANSACTION_UID, transaction),
        DataElement::new(tags::REFERENCED_SOP_SEQUENCE, VR::SQ, DataSetSequence::from(items)),
    ])
}

/// What a report says: its event type, the instances committed to, the ones that are not with the reason.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) event_type: Option<u16>,
    pub(crate) transaction: String,
    pub(crate) committed: Vec<String>,
    pub(crate) failed: Vec<(String, u16)>,
}

pub(crate) fn said(message: &Message, implicit: bool) -> Said {
    assert_eq!(message.field, N_EVENT_REPORT);
    assert_eq!(message.sop_instance, STORAGE_COMMITMENT_INSTANCE);
    let syntax = if implicit { IMPLICIT_VR_LITTLE_ENDIAN.erased() } else { EXPLICIT.erased() };
    let object =
        InMemDicomObject::read_dataset_with_ts(&message.data_set[..], &syntax).expect("a report parses");
    let uid = |object: &InMemDicomObject, tag| {
        object
            .element(tag)
            .expect("the scenario holds so far")
            .to_str()
            .expect("the scenario holds so far")
            .trim_end_matches('\0')
            .to_owned()
    };
    let items = |tag| object.element(tag).ok().and_then(|e| e.items()).unwrap_or_default();
    let reason = |item: &InMemDicomObject| {
        item.element(tags::FAILURE_REASON)
            .expect("the scenario holds so far")
            .to_int::<u16>()
            .expect("the scenario holds so far")
    };
    Said {
        event_type: message.type_id,
        transaction: uid(&object, tags::TRANSACTION_UID),
        committed: items(tags::REFERENCED_SOP_SEQUENCE)
            .iter()
            .map(|item| uid(item, tags::REFERENCED_SOP_INSTANCE_UID))
            .collect(),
        failed: items(tags::FAILED_SOP_SEQUENCE)
            .iter()
            .map(|item| (uid(item, tags::REFERENCED_SOP_INSTANCE_UID), reason(item)))
            .collect(),
    }
}

/// A box that knows where CT1 takes its reports.
fn box_reporting_to(port: u16) -> Appliance {
    let peer = format!("[[dicom.peers]]\nae_title = \"CT1\"\nreport_to = \"127.0.0.1:{port}\"\n\n[viewer]\n");
    appliance().site_line("[viewer]\n", &peer).start().expect("the scenario holds so far")
}

#[test]
fn a_caller_that_stays_hears_the_report_on_its_own_association() {
    let mut sidelight = appliance().start().unwrap();
    let mut association = open(&sidelight);
    let study = SmallCt::new();
    let stored: Vec<String> = (0..3).map(|number| store(&mut association, &study, number)).collect();
    let (transaction, absent) = (new_uid(), new_uid());
    let mut instances: Vec<&str> = stored.iter().map(String::as_str).collect();
    assert_eq!(association.ask(3, &request(&transaction, &instances)).unwrap(), 0);
    let first = said(&association.asked(0).unwrap(), false);
    assert_eq!(
        first,
        Said { event_type: Some(1), transaction, committed: stored.clone(), failed: Vec::new() }
    );

    // One that the box never saw: the others are committed all the same.
    instances.push(&absent);
    let transaction = new_uid();
    assert_eq!(association.ask(3, &request(&transaction, &instances)).unwrap(), 0);
    let second = said(&association.asked(0).unwrap(), false);
    assert_eq!(
        second,
        Said { event_type: Some(2), transaction, committed: stored, failed: vec![(absent, 0x0112)] }
    );
    // The association is as good as before.
    store(&mut association, &study, 9);
    association.release().unwrap();

    // What the caller was told outlives the index.
    eventually("the ledger to say what was committed to", || {
        let ledger = crate::destinations::ledger(&sidelight, &study.study_uid);
        (ledger["committed"] == 3 && ledger["received"] == 4).then_some(())
    });
    sidelight.kill9();
    std::fs::remove_dir_all(sidelight.data_folder().join("index")).unwrap();
    sidelight.restart().unwrap();
    let after = crate::destinations::ledger(&sidelight, &study.study_uid);
    assert_eq!((&after["committed"], &after["received"]), (&3.into(), &4.into()), "{after:#}");
}

#[test]
fn a_caller_that_leaves_is_called_back_and_a_report_it_refuses_comes_again() {
    let console = Provider::start().unwrap();
    console.answer(0x0110);
    let sidelight = box_reporting_to(console.port());
    let mut association = open(&sidelight);
    let uid = store(&mut association, &SmallCt::new(), 0);
    let transaction = new_uid();
    assert_eq!(association.ask(3, &request(&transaction, &[&uid])).unwrap(), 0);
    association.release().unwrap();
    eventually("a first report", || console.received().into_iter().next());
    console.answer(0);
    let second = eventually("the report again", || console.received().into_iter().nth(1));
    let implicit = second.transfer_syntax == IMPLICIT;
    let expected = Said { event_type: Some(1), transaction, committed: vec![uid], failed: Vec::new() };
    assert_eq!(said(&second.message, implicit), expected);
    assert_eq!(second.roles, Some((0, 1)), "the box must propose the provider's role (PS3.7 D.3.3.4)");
    assert_eq!(second.calling_ae_title, "SIDELIGHT");
    eventually("the transaction is settled", || waiting(&sidelight).is_empty().then_some(()));
    stays("no third report", Duration::from_secs(3), || console.received().len() == 2);
}

/// Transactions on the box's disk that nobody has taken the report of.
fn waiting(sidelight: &Appliance) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(sidelight.data_folder().join("commitments")) else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.strip_suffix(".json").is_some_and(|stem| !stem.contains('.'))).collect()
}

#[test]
fn a_box_that_is_no_archive_commits_to_nothing() {
    let no = "this_box_is_the_archive = false";
    let sidelight = appliance().site_line("this_box_is_the_archive = true", no).start().unwrap();
    let mut association = open(&sidelight);
    let uid = store(&mut association, &SmallCt::new(), 0);
    let transaction = new_uid();
    assert_eq!(association.ask(3, &request(&transaction, &[&uid])).unwrap(), 0);
    let heard = said(&association.asked(0).unwrap(), false);
    assert_eq!(
        heard,
        Said { event_type: Some(2), transaction, committed: Vec::new(), failed: vec![(uid, 0x0110)] }
    );
}

#[test]
fn an_object_in_quarantine_is_committed_to_and_one_whose_file_is_gone_is_not() {
    let mut sidelight = appliance().start().unwrap();
    let mut association = open(&sidelight);
    let (odd, kept) = (new_uid(), store(&mut association, &SmallCt::new(), 0));
    // Whole as a transfer, nonsense as a data set.
    assert_eq!(association.store(1, CT_IMAGE_STORAGE, &odd, b"no data set at all..").unwrap(), 0xB007);
    let lost = store(&mut association, &SmallCt::new(), 1);
    remove_file_of(&sidelight, &lost);
    for after in ["before", "after a restart with a fresh index"] {
        let transaction = new_uid();
        assert_eq!(association.ask(3, &request(&transaction, &[&odd, &kept, &lost])).unwrap(), 0);
        let heard = said(&association.asked(0).unwrap(), false);
        assert_eq!(heard.committed, [odd.clone(), kept.clone()], "{after}");
        assert_eq!(heard.failed, [(lost.clone(), 0x0112)], "{after}");
        sidelight.kill9();
        std::fs::remove_dir_all(sidelight.data_folder().join("index")).unwrap();
        sidelight.restart().unwrap();
        association = open(&sidelight);
    }
}

fn remove_file_of(sidelight: &Appliance, uid: &str) {
    let mut folders = vec![sidelight.data_folder().join("studies")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the scenario holds so far").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_string_lossy().starts_with(uid) {
                return std::fs::remove_file(entry.path()).expect("the scenario holds so far");
            }
        }
    }
    panic!("no file of that object");
}

#[test]
fn requests_that_make_no_sense_are_answered_with_their_status() {
    let sidelight = appliance().start().unwrap();
    let mut association = open(&sidelight);
    let good = request(&new_uid(), &["1.2.3"]);
    for (spoilt, status, why) in [
        (Message { type_id: Some(2), ..good.clone() }, 0x0123, "another action"),
        (Message { sop_instance: "1.2.3".into(), ..good.clone() }, 0x0112, "another instance"),
        (request(&new_uid(), &[]), 0x0120, "no instances"),
        (request("not a uid", &["1.2.3"]), 0x0115, "a transaction that is no UID"),
        (request(&new_uid(), &["../../etc"]), 0x0115, "an instance that is no UID"),
        (
            Message { data_set: vec![8, 0, 0x95, 0x11, b'U', b'I', 0xFF, 0xFF], ..good.clone() },
            0x0110,
            "torn",
        ),
        (Message { data_set: Vec::new(), ..good.clone() }, 0x0120, "nothing at all"),
        (Message { field: 0x0110, ..good.clone() }, 0x0211, "N-GET"),
    ] {
        assert_eq!(association.ask(3, &spoilt).unwrap(), status, "{why}");
    }
    assert_eq!(association.ask(3, &good).unwrap(), 0, "the association lives");
}

fn cycles() -> usize {
    if std::env::var_os("SIDELIGHT_SOAK").is_some() { 60 } else { 8 }
}

/// Kill between N-ACTION and N-EVENT-REPORT: the report comes after the restart, never for an absent object.
#[test]
fn commitments_survive_kill_minus_nine() {
    let console = Provider::start().unwrap();
    let mut sidelight = box_reporting_to(console.port());
    let mut owed: Vec<(String, String, String)> = Vec::new();
    for cycle in 0..cycles() {
        let mut association = open(&sidelight);
        let (uid, absent, transaction) = (store(&mut association, &SmallCt::new(), 0), new_uid(), new_uid());
        let message = request(&transaction, &[&uid, &absent]);
        if cycle % 2 == 0 {
            assert_eq!(association.ask(3, &message).unwrap(), 0);
            owed.push((transaction, uid, absent));
        } else {
            // Killed before, while or after it is answered: nothing is owed, whatever comes must be true.
            association.ask_without_listening(3, &message).unwrap();
        }
        // The moment is what is random here: nothing is waited for.
        let _never = within(Duration::from_micros(fastrand::u64(0..30_000)), || None::<()>);
        sidelight.kill9();
        drop(association);
        sidelight.restart().unwrap();
    }
    let heard = || -> Vec<Said> {
        let received = console.received();
        received.iter().map(|one| said(&one.message, one.transfer_syntax == IMPLICIT)).collect()
    };
    eventually("a report on every transaction that was answered", || {
        let heard = heard();
        let every =
            owed.iter().all(|(transaction, ..)| heard.iter().any(|one| one.transaction == *transaction));
        every.then_some(())
    });
    for one in heard() {
        assert_eq!(one.event_type, Some(2), "{one:?}");
        assert_eq!((one.committed.len(), one.failed.len()), (1, 1), "{one:?}");
        if let Some((_, uid, absent)) = owed.iter().find(|(transaction, ..)| *transaction == one.transaction)
        {
            assert_eq!((&one.committed[0], &one.failed[0]), (uid, &(absent.clone(), 0x0112)));
        }
    }
    report(&format!(
        "kill -9 between N-ACTION and N-EVENT-REPORT: {} cycles, {} answered, all reported after the restart, {} reports",
        cycles(),
        owed.len(),
        heard().len()
    ));
}
