//! What a power cut may leave between the first write and the answer, and what a start makes of it; what archives say,
//! across starts.

use std::time::Duration;

use super::super::confirmation::Heard;
use super::super::*;
use super::{AT, open, send, study};
use crate::clock::Timestamp;
use crate::part10::commitment::{CommitmentReport, CommitmentRequest, Reference};

fn records(store: &Store) -> Vec<InstanceRecord> {
    store.all_instances(&study()).unwrap().into_iter().map(|(_, record)| record).collect()
}

/// Puts the index back to where it was while this object was being made durable.
fn unsettle(store: &Store, record: &InstanceRecord) {
    let key = instance_key(&record.facts, &record.sha256);
    store.inner.index.put(Tree::Settling, &key, &()).unwrap();
    store.inner.index.commit().unwrap();
}

#[test]
fn an_object_that_is_filed_has_settled() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    send(&store, "1.2", "1.2.3", "1.2.3.4", "a");
    send(&store, "1.2", "1.2.3", "1.2.3.4", "a");
    assert_eq!(store.inner.index.count(Tree::Settling), 0);
}

#[test]
fn an_object_torn_before_its_answer_is_set_aside_and_its_neighbours_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (torn, whole) = {
        let (store, _) = open(folder.path());
        for sop in ["1.2.3.1", "1.2.3.2", "1.2.3.3"] {
            send(&store, "1.2", "1.2.3", sop, "a");
        }
        let records = records(&store);
        unsettle(&store, &records[0]);
        unsettle(&store, &records[1]);
        (store.instance_path(&records[0]), store.instance_path(&records[1]))
    };
    // The last bytes never reached the disk: the length is right, they are zeros.
    let mut bytes = std::fs::read(&torn).unwrap();
    let length = bytes.len();
    bytes[length - 40..].fill(0);
    std::fs::write(&torn, &bytes).unwrap();
    let (store, _) = open(folder.path());
    assert_eq!(records(&store).len(), 2);
    assert_eq!(store.study(&study()).unwrap().instances, 2, "the study counts what is left");
    assert!(!torn.exists() && torn.with_extension("torn").exists() && whole.exists());
    assert_eq!(store.inner.index.count(Tree::Settling), 0);
    assert_eq!(send(&store, "1.2", "1.2.3", "1.2.3.1", "a"), Admission::Stored, "it may come again");
}

#[test]
fn an_object_whose_entry_a_crash_took_is_indexed_again_and_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (store, _) = open(folder.path());
        for sop in ["1.2.3.1", "1.2.3.2", "1.2.3.3"] {
            send(&store, "1.2", "1.2.3", sop, "a");
        }
        // The study was counted, the entry that is written after it never reached the disk.
        let lost = &records(&store)[1];
        store.inner.index.remove(Tree::Instance, &instance_key(&lost.facts, &lost.sha256)).unwrap();
        store.inner.index.commit().unwrap();
    }
    let (store, report) = open(folder.path());
    assert_eq!(report.instances_indexed, 1);
    let record = store.study(&study()).unwrap();
    assert_eq!((record.instances, records(&store).len()), (3, 3));
    assert_eq!(record.bytes, records(&store).iter().map(|record| record.bytes).sum::<u64>());
    let series: Vec<_> = store.series(&study()).unwrap();
    assert_eq!(series.iter().map(|(_, series)| series.instances).collect::<Vec<_>>(), [3]);
}

/// An archive that took three objects of the study long before `AT`.
fn archive_with_three(store: &Store) -> Vec<ObjectName> {
    store.know_destination("pacs", Timestamp(0)).unwrap();
    for sop in ["1.2.3.1", "1.2.3.2", "1.2.3.3"] {
        send(store, "1.2", "1.2.3", sop, "a");
    }
    store.queue_study("pacs", &study(), ResultsWanted::Preliminary).unwrap();
    let waiting = store.next_to_forward("pacs", AT, 9).unwrap();
    store.forwarded("pacs", &waiting, true, AT).unwrap();
    store.unconfirmed("pacs", AT, 9).unwrap()
}

fn ask(store: &Store, objects: &[ObjectName], at: Timestamp) -> Option<CommitmentRequest> {
    let named = |object: &ObjectName| {
        let (_, _, sop) = object.uids().unwrap();
        let reference = Reference { sop_class: "1.2.840".into(), sop_instance: sop.as_str().into() };
        (object.clone(), reference)
    };
    store.ask_confirmation("pacs", objects.iter().map(named).collect(), at).unwrap()
}

fn reported(request: &CommitmentRequest, kept: usize) -> CommitmentReport {
    CommitmentReport {
        transaction: request.transaction.clone(),
        kept: request.instances[..kept].to_vec(),
        failed: Vec::new(),
    }
}

#[test]
fn a_report_is_understood_by_the_next_start_and_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    let request = {
        let (store, _) = open(folder.path());
        let objects = archive_with_three(&store);
        let request = ask(&store, &objects, AT).unwrap();
        assert!(
            store.unconfirmed("pacs", AT, 9).unwrap().is_empty(),
            "asked once is not asked again at once"
        );
        request
    };
    std::fs::remove_dir_all(folder.path().join("index")).unwrap();
    let (store, _) = open(folder.path());
    let report = reported(&request, 2);
    assert_eq!(store.hear_confirmation(&report, AT).unwrap(), Heard::Noted);
    assert_eq!(store.hear_confirmation(&report, AT).unwrap(), Heard::Before);
    let stranger = CommitmentReport { transaction: "2.25.1".into(), ..report };
    assert_eq!(store.hear_confirmation(&stranger, AT).unwrap(), Heard::Unknown);
    assert_eq!(store.queue_state("pacs").unwrap().unconfirmed, 1);
    drop(store);
    let (store, _) = open(folder.path());
    assert_eq!(store.queue_state("pacs").unwrap().unconfirmed, 1, "what it confirmed stays confirmed");
}

#[test]
fn what_an_archive_denies_is_asked_about_again_and_set_apart_when_it_had_time() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let objects = archive_with_three(&store);
    let request = ask(&store, &objects, AT).unwrap();
    store.hear_confirmation(&reported(&request, 0), AT.after(Duration::from_secs(1))).unwrap();
    assert!(store.unconfirmed("pacs", AT.after(Duration::from_secs(2)), 9).unwrap().is_empty());
    let later = AT.after(Duration::from_secs(3600));
    assert_eq!(store.unconfirmed("pacs", later, 9).unwrap(), objects);
    let request = ask(&store, &objects, later).unwrap();
    store.hear_confirmation(&reported(&request, 1), later).unwrap();
    let queue = store.queue_state("pacs").unwrap();
    assert_eq!((queue.isolated, queue.unconfirmed), (2, 0), "two wait for a person, one is confirmed");
}

#[test]
fn an_archive_that_never_reports_is_not_asked_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let objects = archive_with_three(&store);
    // Documents are dated by the file system: this test asks at the true time.
    let now = Clock.wall();
    let asked = (0..100).filter_map(|_| ask(&store, &objects, now)).count();
    assert_eq!(asked, 64);
    assert!(store.unconfirmed("pacs", now, 9).unwrap().is_empty());
}
