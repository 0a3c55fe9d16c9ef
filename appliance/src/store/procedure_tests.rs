//! What procedure steps say of a study, before and after a restart.

use super::*;
use crate::part10::message::Composer;

const PROCEDURE: &str = "1.2.840.10008.3.1.2.3.3";

fn header(uid: &str) -> Header {
    Header {
        sop_class: PROCEDURE.into(),
        sop_instance: uid.into(),
        transfer_syntax: "1.2.840.10008.1.2.1".into(),
        source_ae_title: "CT1".into(),
    }
}

fn instance(uid: &str) -> SopInstanceUid {
    SopInstanceUid::parse(uid).unwrap()
}

/// A status is text, not a UID, but the composer pads both, and the reader drops either padding.
fn created(study: &str) -> Vec<u8> {
    let mut composer = Composer::new(true);
    composer.uid(STATUS, "IN PROGRESS");
    composer.sequence(SCHEDULED_STEPS, &[study], |item, study| item.uid(STUDY_INSTANCE_UID, study));
    composer.finish()
}

fn set(status: &str, images: &[&str], others: &[&str]) -> Vec<u8> {
    let mut composer = Composer::new(true);
    composer.uid(STATUS, status);
    composer.sequence(PERFORMED_SERIES, &[()], |series, ()| {
        series.sequence(REFERENCED_IMAGES, images, |item, uid| item.uid(REFERENCED_INSTANCE, uid));
        series.sequence(REFERENCED_OTHERS, others, |item, uid| item.uid(REFERENCED_INSTANCE, uid));
    });
    composer.finish()
}

fn keep(store: &Store, step: Step, uid: &str, data_set: &[u8]) -> Result<(), ProcedureRefusal> {
    store.keep_procedure(step, &instance(uid), &header(uid), data_set).unwrap()
}

#[test]
fn only_when_every_procedure_of_a_study_has_ended_is_it_known_what_to_expect() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path()).unwrap();
    let study = StudyUid::parse("1.2").unwrap();
    assert_eq!(store.procedure_expectation(&study), None);
    keep(&store, Step::Create, "1.9.1", &created("1.2")).unwrap();
    keep(&store, Step::Create, "1.9.2", &created("1.2")).unwrap();
    keep(&store, Step::Set, "1.9.1", &set("IN PROGRESS", &["1.2.3.1"], &[])).unwrap();
    keep(&store, Step::Set, "1.9.1", &set("COMPLETED", &["1.2.3.1", "1.2.3.2"], &["1.2.3.3"])).unwrap();
    assert_eq!(store.procedure_expectation(&study), None, "the second one still runs");
    keep(&store, Step::Set, "1.9.2", &set("DISCONTINUED", &["1.2.3.4"], &[])).unwrap();
    let expected: BTreeSet<_> = ["1.2.3.1", "1.2.3.2", "1.2.3.3", "1.2.3.4"].map(instance).into();
    assert_eq!(store.procedure_expectation(&study), Some(expected.clone()));
    assert_eq!(store.procedure_expectation(&StudyUid::parse("1.3").unwrap()), None);
    assert_eq!(keep(&store, Step::Set, "1.9.1", &set("COMPLETED", &[], &[])), Err(ProcedureRefusal::Final));
    drop(store);
    let (store, _) = Store::open(folder.path()).unwrap();
    assert_eq!(store.procedure_expectation(&study), Some(expected));
    assert_eq!(keep(&store, Step::Create, "1.9.2", &created("1.2")), Err(ProcedureRefusal::Duplicate));
}

#[test]
fn the_queue_to_the_ris_keeps_order_and_bytes_and_is_struck_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path()).unwrap();
    let (first, second) = (created("1.2"), set("COMPLETED", &["1.2.3.1"], &[]));
    keep(&store, Step::Create, "1.9.1", &first).unwrap();
    keep(&store, Step::Set, "1.9.1", &second).unwrap();
    let relay = store.next_relay().unwrap().unwrap();
    assert_eq!((relay.step, &relay.data_set), (Step::Create, &first));
    assert_eq!(relay.header, header("1.9.1"));
    store.relay_settled(&relay, true).unwrap();
    drop(store);
    let (store, _) = Store::open(folder.path()).unwrap();
    assert_eq!(store.relays_waiting().unwrap(), 1);
    let relay = store.next_relay().unwrap().unwrap();
    assert_eq!((relay.step, &relay.data_set), (Step::Set, &second));
    store.relay_settled(&relay, false).unwrap();
    assert!(store.next_relay().unwrap().is_none());
    // Settled messages still say what they said.
    assert!(store.procedure_expectation(&StudyUid::parse("1.2").unwrap()).is_some());
}
