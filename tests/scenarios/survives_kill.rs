//! kill -9 at any moment of a transfer: every acknowledged object is there and intact afterwards, nothing
//! half-written is visible, and the box starts by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::association::{Association, CT_IMAGE_STORAGE};
use sidelight_tests::peers::part10::Part10;
use sidelight_tests::peers::patience::within;

use crate::small_ct::{Slice, SmallCt};
use crate::studies::report;

/// One study on its way when the power goes.
struct Transfer {
    study: SmallCt,
    /// Every object of which a first byte was sent.
    begun: Vec<Slice>,
    /// How many of them, from the first, the box said it has.
    acknowledged: usize,
}

fn cycles() -> usize {
    if std::env::var_os("SIDELIGHT_SOAK").is_some() { 100 } else { 20 }
}

/// Sends until the box is gone: associations of six objects, small and large ones mixed.
fn send_until_cut(port: u16, again: Option<Slice>) -> Transfer {
    let mut transfer = Transfer { study: SmallCt::new(), begun: Vec::new(), acknowledged: 0 };
    let mut again = again;
    for number in 0.. {
        let Ok(mut association) = Association::open_for_ct(port) else { break };
        // What the last cut left unanswered is sent again, as a scanner does.
        if let Some(slice) = again.take()
            && association.store(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set).is_err()
        {
            break;
        }
        for step in 0..6 {
            let side = if fastrand::u8(..4) == 0 { 512 } else { 64 };
            let slice = transfer.study.slice(number * 6 + step, side);
            let answer = association.store(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set);
            transfer.begun.push(slice);
            match answer {
                Ok(status) => assert_eq!(status, 0, "a sound object was answered with {status:#06x}"),
                Err(_) => return transfer,
            }
            transfer.acknowledged += 1;
        }
        if association.release().is_err() {
            break;
        }
    }
    transfer
}

#[test]
fn acknowledged_objects_survive_kill_minus_nine() {
    let mut sidelight = appliance().start().unwrap();
    let mut transfers: Vec<Transfer> = Vec::new();
    for cycle in 0..cycles() {
        let port = sidelight.dicom_port();
        let again = transfers.last().and_then(|last| last.begun.get(last.acknowledged).cloned());
        let sender = thread::spawn(move || send_until_cut(port, again));
        // The moment is what is random here: nothing is waited for.
        let moment = Duration::from_micros(fastrand::u64(500..400_000));
        let _never = within(moment, || None::<()>);
        sidelight.kill9();
        transfers.push(sender.join().unwrap());
        sidelight.restart().unwrap_or_else(|why| panic!("cycle {cycle}: the box did not start again: {why}"));
        check_files(&sidelight, &transfers, cycle);
        check_list(&sidelight, &transfers, cycle);
    }
    let acknowledged: usize = transfers.iter().map(|transfer| transfer.acknowledged).sum();
    let cut_short = transfers.iter().filter(|transfer| transfer.acknowledged < transfer.begun.len()).count();
    report(&format!(
        "kill -9: {} cycles, {acknowledged} objects acknowledged and intact, {cut_short} cut in the middle of an object",
        transfers.len()
    ));
    assert!(acknowledged > transfers.len(), "hardly anything was sent before the cuts");
    assert!(cut_short > transfers.len() / 4, "the cuts missed the transfers");
}

/// Files on disk: all acknowledged ones, and no byte that was not sent.
fn check_files(sidelight: &Appliance, transfers: &[Transfer], cycle: usize) {
    let stored = Part10::below(&sidelight.data_folder());
    let by_uid: BTreeMap<&str, &Part10> =
        stored.iter().map(|file| (file.sop_instance_uid.as_str(), file)).collect();
    assert_eq!(by_uid.len(), stored.len(), "cycle {cycle}: an object is stored twice");
    let begun: BTreeMap<&str, &[u8]> = transfers
        .iter()
        .flat_map(|transfer| &transfer.begun)
        .map(|slice| (slice.sop_instance_uid.as_str(), &slice.data_set[..]))
        .collect();
    for (uid, file) in &by_uid {
        let sent = begun.get(uid).unwrap_or_else(|| panic!("cycle {cycle}: nobody sent {uid}"));
        assert!(file.data_set == *sent, "cycle {cycle}: {} is not what was sent", file.path.display());
    }
    for transfer in transfers {
        for slice in &transfer.begun[..transfer.acknowledged] {
            let uid = slice.sop_instance_uid.as_str();
            assert!(by_uid.contains_key(uid), "cycle {cycle}: {uid} was acknowledged and is gone");
        }
    }
}

/// The API: every study with an acknowledged object, with as many objects as there are files.
fn check_list(sidelight: &Appliance, transfers: &[Transfer], cycle: usize) {
    let listed = sidelight.api().studies().expect("the list of studies");
    let known: BTreeSet<&str> = transfers.iter().map(|transfer| transfer.study.study_uid.as_str()).collect();
    for study in &listed {
        let uid = study["uid"].as_str().unwrap_or_default();
        assert!(known.contains(uid), "cycle {cycle}: the box lists a study nobody sent: {study}");
    }
    for transfer in transfers {
        let uid = transfer.study.study_uid.as_str();
        let count = listed.iter().find(|study| study["uid"] == uid).map_or(0, count_of);
        let (least, most) = (transfer.acknowledged, transfer.begun.len());
        assert!(
            (least..=most).contains(&count),
            "cycle {cycle}: {count} objects of {least} to {most} in {uid}"
        );
    }
    let total: usize = listed.iter().map(count_of).sum();
    assert_eq!(total, Part10::below(&sidelight.data_folder()).len(), "cycle {cycle}: list and files differ");
}

fn count_of(study: &Value) -> usize {
    study["instance_count"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

/// Seconds since midnight of an RFC 3339 time in UTC.
fn seconds(time: &Value) -> f64 {
    let text = time.as_str().expect("a time");
    let clock = text.split_once('T').expect("date and time").1.trim_end_matches('Z');
    clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().expect("a number"))
}

#[test]
fn a_lost_index_loses_nothing() {
    let mut sidelight = appliance().start().unwrap();
    let study = small_study_sent_to(&sidelight);
    let before = sidelight.api().study(&study.study_uid).unwrap();
    assert_eq!(count_of(&before), 5, "{before:#}");

    // Once found missing at the start, once made anew by command.
    sidelight.kill9();
    std::fs::remove_dir_all(sidelight.data_folder().join("index")).unwrap();
    sidelight.restart().unwrap();
    is_as_before(&sidelight.api().study(&study.study_uid).unwrap(), &before);
    assert!(sidelight.terminate().unwrap().success());
    let rebuilt = sidelight.command("rebuild-index").unwrap().succeeded();
    assert!(rebuilt.text().contains('5'), "{}", rebuilt.evidence());
    sidelight.restart().unwrap();
    is_as_before(&sidelight.api().study(&study.study_uid).unwrap(), &before);
}

fn small_study_sent_to(sidelight: &Appliance) -> SmallCt {
    let study = SmallCt::new();
    let mut association = Association::open_for_ct(sidelight.dicom_port()).expect("an association");
    for number in 0..5 {
        let slice = study.slice(number, 64);
        let status = association.store(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set);
        assert_eq!(status.expect("an answer"), 0);
    }
    association.release().expect("an orderly release");
    study
}

fn is_as_before(after: &Value, before: &Value) {
    for field in ["uid", "patient_name", "study_date", "instance_count", "series_count"] {
        assert_eq!(after[field], before[field], "{field} changed with the index");
    }
    // Without the index the files' own times tell when they came.
    let moved_s = (seconds(&after["first_arrival_at"]) - seconds(&before["first_arrival_at"])).abs();
    assert!(moved_s < 2.0, "{} became {}", before["first_arrival_at"], after["first_arrival_at"]);
}
