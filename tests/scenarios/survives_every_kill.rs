//! kill -9 at any moment of everything at once: while the box receives, indexes, commits, forwards and hears an archive
//! confirm. No acknowledged object is lost, nothing absent is committed to, nothing is sent as new twice.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use serde_json::json;
use sidelight_tests::peers::appliance::Appliance;
use sidelight_tests::peers::association::{
    Association, CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN,
};
use sidelight_tests::peers::gate::Gate;
use sidelight_tests::peers::message::STORAGE_COMMITMENT;
use sidelight_tests::peers::orthanc::Orthanc;
use sidelight_tests::peers::part10::Part10;
use sidelight_tests::peers::patience::{eventually, within};
use sidelight_tests::peers::provider::Provider;

use crate::commitment::{Said, request, said};
use crate::destinations::{box_with, destination, dicom};
use crate::small_ct::{Slice, SmallCt, new_uid};
use crate::studies::report;

/// Objects of one association; then their commitment is asked for, together with one that does not exist.
const OBJECTS: u16 = 4;
/// Looks at the archive's queue between two wishes to ask again: some three seconds.
const LOOKS_BETWEEN_RETRIES: u32 = 150;

/// A transaction that the box took: the objects it was asked about, and the one that nobody sent.
struct Owed {
    transaction: String,
    uids: Vec<String>,
    absent: String,
}

/// What one sender did until the power went.
#[derive(Default)]
struct Sent {
    begun: Vec<Slice>,
    acknowledged: BTreeSet<String>,
    owed: Vec<Owed>,
}

fn cycles() -> usize {
    if std::env::var_os("SIDELIGHT_SOAK").is_some() { 200 } else { 20 }
}

fn send_until_cut(port: u16) -> Sent {
    let (mut sent, study) = (Sent::default(), SmallCt::new());
    let proposals: [(&str, &[&str]); 2] = [
        (CT_IMAGE_STORAGE, &[EXPLICIT_VR_LITTLE_ENDIAN]),
        (STORAGE_COMMITMENT, &[EXPLICIT_VR_LITTLE_ENDIAN]),
    ];
    for round in 0.. {
        let Ok(mut association) = Association::open_as(port, "SIDELIGHT", "CT1", &proposals) else { break };
        let mut uids = Vec::new();
        for number in 0..OBJECTS {
            let side = if fastrand::u8(..4) == 0 { 512 } else { 64 };
            let slice = study.slice(round * OBJECTS + number, side);
            let uid = slice.sop_instance_uid.clone();
            let answer = association.store(1, CT_IMAGE_STORAGE, &uid, &slice.data_set);
            sent.begun.push(slice);
            match answer {
                Ok(status) => assert_eq!(status, 0, "a sound object was answered with {status:#06x}"),
                Err(_) => return sent,
            }
            sent.acknowledged.insert(uid.clone());
            uids.push(uid);
        }
        let (transaction, absent) = (new_uid(), new_uid());
        let all: Vec<&str> = uids.iter().chain([&absent]).map(String::as_str).collect();
        match association.ask(3, &request(&transaction, &all)) {
            Ok(status) => assert_eq!(status, 0, "a sound request was answered with {status:#06x}"),
            Err(_) => return sent,
        }
        sent.owed.push(Owed { transaction, uids, absent });
        if association.release().is_err() {
            break;
        }
    }
    sent
}

/// A box that forwards to an archive, asks it for commitment, and tells CT1 what it keeps.
fn started(archive: &Orthanc, console: &Provider, gate: &Gate) -> Appliance {
    let console =
        format!("[[dicom.peers]]\nae_title = \"CT1\"\nreport_to = \"127.0.0.1:{}\"\n", console.port());
    let sections = dicom("archive", archive.dicom_port(), true) + "\n" + &console;
    let sidelight = box_with(&sections).start().expect("the box starts");
    archive.knows("SIDELIGHT", gate.port()).expect("Orthanc learns where the box is");
    gate.open_to(sidelight.dicom_port());
    sidelight
}

#[test]
fn nothing_acknowledged_is_lost_nothing_absent_is_promised_nothing_is_new_twice() {
    let (archive, console) = (Orthanc::start().unwrap(), Provider::start().unwrap());
    // The box's own ports change with every start.
    let gate = Gate::shut().unwrap();
    let mut sidelight = started(&archive, &console, &gate);
    let mut sent: Vec<Sent> = Vec::new();
    for cycle in 0..cycles() {
        let port = sidelight.dicom_port();
        let sender = thread::spawn(move || send_until_cut(port));
        // The moment is what is random here: short ones cut transfers, long ones commitments and forwarding.
        let moment = Duration::from_micros(fastrand::u64(500..1_500_000));
        let _never = within(moment, || None::<()>);
        sidelight.kill9();
        sent.push(sender.join().unwrap());
        sidelight.restart().unwrap_or_else(|why| panic!("cycle {cycle}: the box did not start again: {why}"));
        gate.open_to(sidelight.dicom_port());
    }
    let found = check_files(&sidelight, &sent);
    let reports = check_reports(&console, &sent, &found);
    let mut looks = 0;
    eventually("the archive to confirm everything", || {
        // Orthanc calls back once: what it said to a box that was down is asked for again, every few seconds.
        if looks % LOOKS_BETWEEN_RETRIES == 0 {
            sidelight.api().post("/api/destinations/archive/retry", &json!({})).ok()?;
        }
        looks += 1;
        let queue = destination(&sidelight, "archive");
        let through = ["waiting", "isolated", "unconfirmed"].iter().all(|state| queue[*state] == 0);
        (through && archive.count().ok()? >= found.len() as u64).then_some(())
    });
    assert_eq!(archive.count().unwrap(), found.len() as u64, "an object was sent as new twice");
    let all = |count: fn(&Sent) -> usize| sent.iter().map(count).sum::<usize>();
    let (acknowledged, owed) = (all(|sent| sent.acknowledged.len()), all(|sent| sent.owed.len()));
    report(&format!(
        "kill -9 of everything at once: {} cycles, {acknowledged} objects acknowledged, {acknowledged} found and intact \
         ({} more arrived without an answer), {owed} commitments answered and reported on ({reports} reports, 0 for an \
         absent object), {} at the archive and confirmed, 0 sent as new twice",
        cycles(),
        found.len() - acknowledged,
        found.len(),
    ));
    assert!(acknowledged > cycles() && owed > cycles() / 4, "the cuts left hardly anything to lose");
}

/// Every acknowledged object is there, once, as it was sent, and nothing that nobody sent. The UIDs of all.
fn check_files(sidelight: &Appliance, sent: &[Sent]) -> BTreeSet<String> {
    let begun: BTreeMap<&str, &[u8]> = sent
        .iter()
        .flat_map(|sent| &sent.begun)
        .map(|slice| (slice.sop_instance_uid.as_str(), &slice.data_set[..]))
        .collect();
    let mut found = BTreeSet::new();
    // Results of the box's own are no objects of the sender's.
    let own = |file: &Part10| file.path.to_string_lossy().ends_with(".own.dcm");
    for file in Part10::below(&sidelight.data_folder()).iter().filter(|file| !own(file)) {
        let uid = file.sop_instance_uid.as_str();
        assert!(begun.get(uid).is_some_and(|sent| file.data_set == *sent), "{uid} is not what was sent");
        assert!(found.insert(uid.to_owned()), "{uid} is stored twice");
    }
    for uid in sent.iter().flat_map(|sent| &sent.acknowledged) {
        assert!(found.contains(uid), "{uid} was acknowledged and is gone");
    }
    found
}

/// Every transaction that was answered is reported on, truly. How many reports came.
fn check_reports(console: &Provider, sent: &[Sent], found: &BTreeSet<String>) -> usize {
    let owed: BTreeMap<&str, &Owed> =
        sent.iter().flat_map(|sent| &sent.owed).map(|owed| (owed.transaction.as_str(), owed)).collect();
    let heard = || -> Vec<Said> {
        let received = console.received();
        let implicit = |syntax: &str| syntax == IMPLICIT_VR_LITTLE_ENDIAN;
        received.iter().map(|one| said(&one.message, implicit(&one.transfer_syntax))).collect()
    };
    eventually("a report on every transaction that was answered", || {
        let reported: BTreeSet<String> = heard().into_iter().map(|one| one.transaction).collect();
        owed.keys().all(|transaction| reported.contains(*transaction)).then_some(())
    });
    let heard = heard();
    for one in &heard {
        assert_eq!((one.event_type, one.failed.len()), (Some(2), 1), "{one:?}");
        assert!(one.committed.iter().all(|uid| found.contains(uid)), "something absent is promised: {one:?}");
        if let Some(owed) = owed.get(one.transaction.as_str()) {
            assert_eq!((&one.committed, &one.failed[0]), (&owed.uids, &(owed.absent.clone(), 0x0112)));
        }
    }
    heard.len()
}
