//! The store as a room sees it: what it admits, what it keeps after its index is lost.

#[path = "durability_tests.rs"]
mod durability;
#[path = "forwarding_tests.rs"]
mod forwarding_queue;

use std::path::Path;

use sha2::{Digest, Sha256};

use super::finding::{Algorithm, Finding, FindingKind, FindingState, Scope, Shape};
use super::records::{Asked, Question};
use super::*;
use crate::clock::Timestamp;
use crate::part10::{Header, read_facts};

pub(super) const AT: Timestamp = Timestamp(1_795_452_201_042);

/// A small CT-like object; `marker` makes its bytes differ.
pub(super) fn data_set(study: &str, series: &str, sop: &str, marker: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |group: u16, element: u16, vr: &[u8; 2], value: &[u8]| {
        bytes.extend_from_slice(&group.to_le_bytes());
        bytes.extend_from_slice(&element.to_le_bytes());
        bytes.extend_from_slice(vr);
        let odd = value.len() % 2;
        bytes.extend_from_slice(&u16::try_from(value.len() + odd).unwrap().to_le_bytes());
        bytes.extend_from_slice(value);
        bytes.extend(std::iter::repeat_n(0, odd));
    };
    put(0x0008, 0x0016, b"UI", b"1.2.840.10008.5.1.4.1.1.2");
    put(0x0008, 0x0018, b"UI", sop.as_bytes());
    put(0x0008, 0x0060, b"CS", b"CT");
    put(0x0010, 0x0010, b"PN", b"Test^Patient");
    put(0x0010, 0x0020, b"LO", marker.as_bytes());
    put(0x0020, 0x000D, b"UI", study.as_bytes());
    put(0x0020, 0x000E, b"UI", series.as_bytes());
    bytes
}

pub(super) fn send(store: &Store, study: &str, series: &str, sop: &str, marker: &str) -> Admission {
    let header = Header {
        sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
        sop_instance: sop.into(),
        transfer_syntax: "1.2.840.10008.1.2.1".into(),
        source_ae_title: "CT1".into(),
    };
    let data = data_set(study, series, sop, marker);
    let path = store.incoming_path();
    let bytes = [header.to_bytes(), data.clone()].concat();
    std::fs::write(&path, &bytes).unwrap();
    let facts = read_facts(&path).unwrap();
    let arrived = Arrived { path, sha256: hex(&Sha256::digest(&data)), bytes: bytes.len() as u64 };
    store.admit(&arrived, &File::open(&arrived.path).unwrap(), facts, AT).unwrap()
}

pub(super) fn open(folder: &Path) -> (Store, OpenReport) {
    Store::open(folder).unwrap()
}

pub(super) fn study() -> StudyUid {
    StudyUid::parse("1.2").unwrap()
}

pub(super) fn finding(id: &str, state: FindingState, instances: u64) -> Finding {
    Finding {
        id: id.into(),
        study_uid: study(),
        series_uid: SeriesUid::parse("1.2.3").unwrap(),
        kind: FindingKind::Calcium,
        title: String::new(),
        state,
        label: String::new(),
        created_at: AT.rfc3339(),
        algorithm: Algorithm { name: String::new(), version: String::new(), processor: String::new() },
        scope: Scope::Automatic { rule: String::new() },
        reason: None,
        measurements: Vec::new(),
        category: None,
        warnings: Vec::new(),
        lesions: Vec::new(),
        lesions_truncated: false,
        cardiac: None,
        marks: None,
        structures: None,
        network: None,
        calcium: None,
        revision: 0,
        perfusion: None,
        reviewer: None,
        reviewed_at: None,
        superseded_by: None,
        superseded_reason: None,
        ready_because: String::new(),
        study_instances: instances,
    }
}

#[test]
fn the_same_bytes_are_a_duplicate_other_bytes_are_both_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    assert_eq!(send(&store, "1.2", "1.2.3", "1.2.3.4", "a"), Admission::Stored);
    assert_eq!(send(&store, "1.2", "1.2.3", "1.2.3.4", "a"), Admission::Duplicate);
    assert_eq!(send(&store, "1.2", "1.2.3", "1.2.3.4", "b"), Admission::Conflict);
    let record = store.study(&study()).unwrap();
    assert_eq!((record.instances, record.conflicts), (2, 1));
    let in_use = store.instances(&study(), &SeriesUid::parse("1.2.3").unwrap()).unwrap();
    assert_eq!(in_use.len(), 1);
    assert_eq!(in_use[0].facts.patient_study.patient_id, "a", "the first one stays in use");
    let files = std::fs::read_dir(folder.path().join("studies/1.2/1.2.3")).unwrap();
    assert_eq!(files.count(), 2, "both versions are on disk");
}

#[test]
fn one_uid_is_not_taken_for_the_beginning_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    send(&store, "1.2", "1.2.3", "1.2.3.4", "a");
    assert_eq!(send(&store, "1.2", "1.2.3", "1.2.3.44", "a"), Admission::Stored);
    assert_eq!(send(&store, "1.2", "1.2.33", "1.2.33.4", "a"), Admission::Stored);
    assert_eq!(send(&store, "1.22", "1.2.3", "1.2.3.4", "a"), Admission::Stored);
    assert_eq!(store.series(&study()).unwrap().len(), 2);
    assert_eq!(store.instances(&study(), &SeriesUid::parse("1.2.3").unwrap()).unwrap().len(), 2);
}

#[test]
fn losing_the_index_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (store, _) = open(folder.path());
        for sop in ["1.2.3.1", "1.2.3.2", "1.2.3.3"] {
            send(&store, "1.2", "1.2.3", sop, "a");
        }
        store.record_finding(&finding("f1", FindingState::Preliminary, 3)).unwrap();
        store.promise("result/f1", "result", "{}".into()).unwrap();
        store.promise("result/f2", "result", "{2}".into()).unwrap();
        store.delivered(store.next_promise().unwrap().unwrap().sequence).unwrap();
        store.attempt("job").unwrap();
        store.ask(&question("q1")).unwrap();
    }
    std::fs::remove_dir_all(folder.path().join("index")).unwrap();
    let (store, report) = open(folder.path());
    assert_eq!((report.rebuilt, report.instances_indexed), (true, 3));
    assert_eq!(store.study(&study()).unwrap().instances, 3);
    assert_eq!(store.finding(&study(), "f1").unwrap().state, FindingState::Preliminary);
    let owed = store.next_promise().unwrap().unwrap();
    assert_eq!((owed.key.as_str(), owed.payload.as_str(), store.promises_waiting()), ("result/f2", "{2}", 1));
    store.promise("result/f1", "result", "{}".into()).unwrap();
    assert_eq!(store.promises_waiting(), 1, "what was delivered is not promised again");
    assert_eq!(store.attempt("job").unwrap(), 1);
    assert_eq!(store.questions().unwrap(), [question("q1")]);
    store.promise("result/f3", "result", "{3}".into()).unwrap();
    assert!(store.next_promise().unwrap().unwrap().sequence < 2, "new promises queue behind old ones");
}

#[test]
fn damage_to_the_index_is_survived_without_a_person() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (store, _) = open(folder.path());
        send(&store, "1.2", "1.2.3", "1.2.3.4", "a");
    }
    let db = folder.path().join("index/db");
    let length = std::fs::metadata(&db).unwrap().len();
    std::fs::write(&db, vec![0xA5; usize::try_from(length).unwrap()]).unwrap();
    let (store, _) = open(folder.path());
    assert_eq!(store.study(&study()).unwrap().instances, 1);
}

#[test]
fn a_file_named_but_not_indexed_before_a_power_cut_is_filed_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, stray) = {
        let (store, _) = open(folder.path());
        send(&store, "1.2", "1.2.3", "1.2.3.4", "a");
        send(&store, "1.2", "1.2.3", "1.2.3.5", "a");
        let records = store.instances(&study(), &SeriesUid::parse("1.2.3").unwrap()).unwrap();
        (store.instance_path(&records[0]), store.instance_path(&records[1]))
    };
    let bytes = std::fs::read(&stray).unwrap();
    std::fs::remove_file(&stray).unwrap();
    {
        let (store, _) = open(folder.path());
        let series = SeriesUid::parse("1.2.3").unwrap();
        assert_eq!(
            store.instances(&study(), &series).unwrap().len(),
            1,
            "an entry without a file is forgotten"
        );
    }
    std::fs::write(&stray, bytes).unwrap();
    std::fs::write(folder.path().join("incoming/7.part"), b"half").unwrap();
    let (store, report) = open(folder.path());
    assert_eq!((report.instances_indexed, report.incoming_discarded), (1, 1));
    assert_eq!(store.instances(&study(), &SeriesUid::parse("1.2.3").unwrap()).unwrap().len(), 2);
    assert!(kept.exists());
}

#[test]
fn one_box_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (_held, _) = open(folder.path());
    let second = Store::open(folder.path()).unwrap_err().to_string();
    assert!(second.contains("another box"), "{second}");
}

#[test]
fn a_study_settles_only_at_the_state_that_was_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    send(&store, "1.2", "1.2.3", "1.2.3.4", "a");
    send(&store, "1.2", "1.2.3", "1.2.3.5", "a");
    store.settle(&study(), 1).unwrap();
    assert_eq!(store.open_studies().unwrap(), [study()], "an instance arrived after the look");
    store.settle(&study(), 2).unwrap();
    assert!(store.open_studies().unwrap().is_empty());
    send(&store, "1.2", "1.2.3", "1.2.3.6", "a");
    assert_eq!(store.open_studies().unwrap(), [study()], "a late arrival opens it again");
}

#[test]
fn an_answer_ends_its_question() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    send(&store, "1.2", "1.2.3", "1.2.3.4", "a");
    store.ask(&question("q1")).unwrap();
    store.record_finding(&finding("q1", FindingState::Preliminary, 1)).unwrap();
    assert!(store.questions().unwrap().is_empty());
}

#[test]
fn records_hide_the_patient_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    send(&store, "1.2", "1.2.3", "1.2.3.4", "a");
    let records = store.instances(&study(), &SeriesUid::parse("1.2.3").unwrap()).unwrap();
    let printed = format!("{records:?} {:?}", store.study(&study()).unwrap());
    assert!(
        !printed.contains("Patient^") && !printed.contains("Test") && !printed.contains("1.2.3"),
        "{printed}"
    );
}

fn question(id: &str) -> Question {
    Question {
        finding_id: id.into(),
        study: study(),
        series: SeriesUid::parse("1.2.3").unwrap(),
        about: Asked::Region {
            shape: Shape::Circle { center_px: [1.0, 2.0], radius_px: 3.0, first_slice: 0, last_slice: 1 },
        },
        reader: "reading station".into(),
    }
}

fn object_names(store: &Store) -> Vec<ObjectName> {
    store.all_instances(&study()).unwrap().iter().map(|(_, record)| record.into()).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn an_index_restored_from_before_the_last_hundred_acknowledgements_loses_none_and_no_promise() {
    let folder = tempfile::tempdir().unwrap();
    let aside = tempfile::tempdir().unwrap();
    let (index, backup) = (folder.path().join("index"), aside.path().join("index"));
    {
        let (store, _) = open(folder.path());
        store.know_destination("pacs", Timestamp(0)).unwrap();
        send(&store, "1.2", "1.2.3", "1.2.3.9000", "a");
        store.promise("result/before", "result", "{}".into()).unwrap();
        store.queue_study("pacs", &study(), ResultsWanted::Preliminary).unwrap();
    }
    copy(&index, &backup);
    {
        let (store, _) = open(folder.path());
        for number in 0..100 {
            // New series folders and old ones, a folder changed and a folder made.
            let series = if number % 2 == 0 { "1.2.3" } else { "1.2.4" };
            send(&store, "1.2", series, &format!("{series}.{number}"), "a");
        }
        let kept = store.next_promise().unwrap().unwrap();
        store.delivered(kept.sequence).unwrap();
        store.promise("result/after", "result", "{1}".into()).unwrap();
        assert_eq!(store.queue_study("pacs", &study(), ResultsWanted::Preliminary).unwrap(), 100);
        let first = store.next_to_forward("pacs", AT, 30).unwrap();
        store.forwarded("pacs", &first, true, AT).unwrap();
    }
    std::fs::remove_dir_all(&index).unwrap();
    copy(&backup, &index);
    let (store, report) = open(folder.path());
    assert_eq!((report.rebuilt, report.instances_indexed), (false, 100));
    assert_eq!(store.study(&study()).unwrap().instances, 101);
    for record in object_names(&store) {
        assert!(store.object_path(&record).is_file());
    }
    assert_eq!(store.next_promise().unwrap().unwrap().key, "result/after", "a promise was lost or came back");
    assert_eq!(store.queue_state("pacs").unwrap().waiting, 71, "a queue entry was lost");
    assert_eq!(store.queue_state("pacs").unwrap().unconfirmed, 30, "a mark was lost");
}

#[test]
fn what_was_deleted_stays_deleted_whatever_index_comes_back_and_may_arrive_again() {
    let folder = tempfile::tempdir().unwrap();
    let aside = tempfile::tempdir().unwrap();
    let (index, backup) = (folder.path().join("index"), aside.path().join("index"));
    let archives = ["archive".to_owned()];
    {
        let (store, _) = open(folder.path());
        store.know_destination("archive", Timestamp(0)).unwrap();
        send(&store, "1.2", "1.2.3", "1.2.3.1", "a");
        send(&store, "1.2", "1.2.3", "1.2.3.2", "a");
        store.queue_study("archive", &study(), ResultsWanted::Preliminary).unwrap();
        store.settle(&study(), 2).unwrap();
    }
    copy(&index, &backup);
    {
        let (store, _) = open(folder.path());
        let free = |store: &Store| store.free(0, &archives, &archives, AT).unwrap();
        assert_eq!(free(&store).studies, 0, "it is still owed");
        let sent = store.next_to_forward("archive", AT, 9).unwrap();
        store.forwarded("archive", &sent, true, AT).unwrap();
        assert_eq!(free(&store).studies, 0, "forwarded is not confirmed");
        let all = store.unconfirmed("archive", AT, 9).unwrap();
        store.confirmed("archive", &all[..1], AT).unwrap();
        assert_eq!(free(&store).studies, 0, "one object is not the study");
        store.confirmed("archive", &all, AT).unwrap();
        assert_eq!(store.free(0, &[], &archives, AT).unwrap().studies, 0, "no archive, no deletion");
        let freed = free(&store);
        assert_eq!((freed.studies, freed.objects, freed.over_bytes), (1, 2, 0));
        assert!(store.studies().unwrap().is_empty());
    }
    std::fs::remove_dir_all(&index).unwrap();
    copy(&backup, &index);
    let (store, _) = open(folder.path());
    assert!(store.studies().unwrap().is_empty(), "an old index brought a study without files back");
    assert_eq!(send(&store, "1.2", "1.2.3", "1.2.3.1", "a"), Admission::Stored);
    assert_eq!(
        store.queue_study("archive", &study(), ResultsWanted::Preliminary).unwrap(),
        1,
        "what came again is owed again"
    );
    drop(store);
    let (store, _) = open(folder.path());
    assert_eq!(store.study(&study()).unwrap().instances, 1, "a replayed deletion took what came again");
    assert_eq!(store.queue_state("archive").unwrap().waiting, 1);
}

#[test]
fn a_deletion_that_was_cut_off_is_finished_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (store, _) = open(folder.path());
        send(&store, "1.2", "1.2.3", "1.2.3.1", "a");
        send(&store, "1.2", "1.2.3", "1.2.3.2", "a");
        let objects = object_names(&store);
        store.append(&journal::Entry::Deleting { objects: objects.clone() }).unwrap();
        std::fs::remove_file(store.object_path(&objects[0])).unwrap();
    }
    let (store, _) = open(folder.path());
    assert!(store.studies().unwrap().is_empty());
    assert!(!folder.path().join("studies/1.2/1.2.3").exists());
    drop(store);
    let (store, _) = open(folder.path());
    send(&store, "1.2", "1.2.3", "1.2.3.1", "a");
    drop(store);
    let (store, _) = open(folder.path());
    assert_eq!(store.study(&study()).unwrap().instances, 1, "a finished deletion was repeated");
}
