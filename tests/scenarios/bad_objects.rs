//! A bad object gets a clear status and a log line; the association and the other objects live on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use dicom_core::{DataElement, VR, dicom_value};
use dicom_dictionary_std::tags;
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::association::{
    Association, AssociationError, CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, VERIFICATION,
};
use sidelight_tests::peers::dcmtk;
use sidelight_tests::peers::part10::{Part10, files_below};
use sidelight_tests::peers::patience::{eventually, patience};

use crate::small_ct::{SmallCt, data_set};

/// Stored as it is; the data set does not match its SOP class (PS3.4 B.2.3).
const DATA_SET_DOES_NOT_MATCH: u16 = 0xB007;

fn send(association: &mut Association, uid: &str, data_set: &[u8]) -> u16 {
    association.store(1, CT_IMAGE_STORAGE, uid, data_set).expect("the association lives")
}

/// Sends `bad` between two sound slices on one association and returns its status.
fn send_between_good_ones(sidelight: &Appliance, uid: &str, bad: &[u8]) -> u16 {
    let study = SmallCt::new();
    let mut association = Association::open_for_ct(sidelight.dicom_port()).expect("an association");
    let slices = [study.slice(0, 64), study.slice(1, 64)];
    assert_eq!(send(&mut association, &slices[0].sop_instance_uid, &slices[0].data_set), 0);
    let status = send(&mut association, uid, bad);
    assert_eq!(send(&mut association, &slices[1].sop_instance_uid, &slices[1].data_set), 0);
    association.release().expect("an orderly release");
    eventually("both sound slices in the list", || {
        let listed = sidelight.api().study(&study.study_uid).ok()?;
        (listed["instance_count"] == 2).then_some(())
    });
    status
}

fn quarantined(sidelight: &Appliance) -> u64 {
    sidelight.api().json("/api/box").expect("the box describes itself")["store"]["quarantined"]
        .as_u64()
        .expect("a number of quarantined objects")
}

fn warnings(sidelight: &Appliance) -> usize {
    let log = sidelight.log();
    log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count()
}

/// A bad object that is whole is kept aside, answered with a warning, counted and logged.
fn is_kept_aside(what: &str, spoil: impl FnOnce(&SmallCt) -> (String, Vec<u8>)) {
    let sidelight = appliance().start().expect("a box");
    let study = SmallCt::new();
    let (uid, bad) = spoil(&study);
    let warnings_before = warnings(&sidelight);
    let status = send_between_good_ones(&sidelight, &uid, &bad);
    assert_eq!(status, DATA_SET_DOES_NOT_MATCH, "{what}: {status:#06x}");
    assert_eq!(quarantined(&sidelight), 1, "{what} is not in quarantine");
    assert!(warnings(&sidelight) > warnings_before, "{what} left no line in the log:\n{}", sidelight.log());
    let kept = Part10::below(&sidelight.data_folder());
    assert!(kept.iter().any(|file| file.data_set == bad), "{what} was not kept as it came");
    assert!(sidelight.api().study(&study.study_uid).is_err(), "{what} became a study");
    assert!(!sidelight.log().contains(&study.patient_name), "a patient's name is in the log");
}

#[test]
fn an_object_that_ends_in_the_middle_is_kept_aside() {
    is_kept_aside("a truncated object", |study| {
        let slice = study.slice(0, 64);
        let end = slice.data_set.len() - 1000;
        (slice.sop_instance_uid, slice.data_set[..end].to_vec())
    });
}

#[test]
fn an_object_with_a_wrong_vr_is_kept_aside() {
    is_kept_aside("an object with a wrong VR", |study| {
        let mut slice = study.slice(0, 64);
        // (0010,0010) PN becomes a VR that does not exist, so its length cannot be read.
        let name = [0x10, 0x00, 0x10, 0x00, b'P', b'N'];
        let at = slice.data_set.windows(6).position(|window| window == name).expect("a patient name");
        slice.data_set[at + 4..at + 6].copy_from_slice(b"\x07\xff");
        (slice.sop_instance_uid, slice.data_set)
    });
}

#[test]
fn an_object_without_its_uids_is_kept_aside() {
    is_kept_aside("an object without a study", |study| {
        let mut object = study.object(0, 64);
        object.remove_element(tags::STUDY_INSTANCE_UID);
        let uid =
            object.element(tags::SOP_INSTANCE_UID).expect("present").to_str().expect("text").into_owned();
        (uid, data_set(&object))
    });
}

#[test]
fn absurd_rows_are_neither_believed_nor_fatal() {
    let mut sidelight = appliance().start().unwrap();
    let study = SmallCt::new();
    let mut object = study.object(0, 64);
    for tag in [tags::ROWS, tags::COLUMNS] {
        object.put(DataElement::new(tag, VR::US, dicom_value!(U16, 65535)));
    }
    object.put(DataElement::new(tags::NUMBER_OF_FRAMES, VR::IS, dicom_value!(Str, "2147483647")));
    let uid = object.element(tags::SOP_INSTANCE_UID).unwrap().to_str().unwrap().into_owned();
    let status = send_between_good_ones(&sidelight, &uid, &data_set(&object));
    assert!([0, DATA_SET_DOES_NOT_MATCH].contains(&status), "an unclear status: {status:#06x}");
    let api = sidelight.api();
    if status == 0 {
        let listed = api.study(&study.study_uid).unwrap();
        let series = &listed["series"][0];
        assert!(series["stack_problem"].is_string(), "the viewer is not told why: {series:#}");
        let path = format!("/api/studies/{}/series/{}/frames/0.i16", study.study_uid, study.series_uid);
        let answer = api.get(&path).unwrap();
        assert!((400..500).contains(&answer.status), "{}: {}", answer.status, answer.text());
    } else {
        assert_eq!(quarantined(&sidelight), 1);
    }
    assert!(sidelight.is_alive(), "{}", sidelight.evidence());
    let peak = peak_memory_bytes(&sidelight);
    assert!(peak < 1 << 30, "the box believed the object's size: it took {peak} bytes");
}

fn peak_memory_bytes(sidelight: &Appliance) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", sidelight.process_id()));
    let status = status.expect("a running process has a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number of kB");
    kib * 1024
}

#[test]
fn an_unknown_transfer_syntax_is_refused_and_its_neighbour_accepted() {
    let sidelight = appliance().start().unwrap();
    let explicit: &[&str] = &[EXPLICIT_VR_LITTLE_ENDIAN];
    let unknown: &[&str] = &["1.2.840.10008.1.2.4.99999"];
    let proposals = [
        (CT_IMAGE_STORAGE, explicit),
        (CT_IMAGE_STORAGE, unknown),
        ("1.2.3.4", explicit),
        (VERIFICATION, explicit),
    ];
    let mut association = Association::open(sidelight.dicom_port(), "SIDELIGHT", &proposals).unwrap();
    let results: Vec<u8> = association.contexts().iter().map(|context| context.result).collect();
    // 4: transfer syntaxes not supported, 3: abstract syntax not supported (PS3.8 9.3.3.2).
    assert_eq!(results, [0, 4, 3, 0], "{:?}", association.contexts());
    let slice = SmallCt::new().slice(0, 64);
    let refused = association.store(3, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set);
    assert!(matches!(refused, Err(AssociationError::ContextRefused { .. })));
    assert_eq!(send(&mut association, &slice.sop_instance_uid, &slice.data_set), 0);
    assert_eq!(association.echo(7).unwrap(), 0);
    association.release().unwrap();
}

#[test]
fn a_uid_that_is_a_path_never_becomes_one() {
    let mut sidelight = appliance().start().unwrap();
    let before: Vec<PathBuf> = files_below(sidelight.folder());
    let evil = "../../../evil";
    let mut object = SmallCt::new().object(0, 64);
    for tag in [tags::SOP_INSTANCE_UID, tags::STUDY_INSTANCE_UID, tags::SERIES_INSTANCE_UID] {
        object.put(DataElement::new(tag, VR::UI, dicom_value!(Str, evil)));
    }
    let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
    let answer = association.store(1, CT_IMAGE_STORAGE, evil, &data_set(&object));
    match answer {
        Ok(status) => assert_ne!(status, 0, "success for a UID that is a path"),
        Err(why) => assert!(matches!(why, AssociationError::Aborted { .. }), "{why}"),
    }
    let appeared = files_below(sidelight.folder()).into_iter().filter(|path| !before.contains(path));
    let named: Vec<PathBuf> = appeared.filter(|path| path.to_string_lossy().contains("evil")).collect();
    assert!(named.is_empty(), "{named:?}");
    assert!(sidelight.is_alive(), "{}", sidelight.evidence());
    assert!(dcmtk::echoscu(sidelight.dicom_port()).unwrap().status.success());
}

#[test]
fn a_sender_that_vanishes_in_the_middle_leaves_nothing_behind() {
    let sidelight = appliance().start().unwrap();
    let study = SmallCt::new();
    for _attempt in 0..3 {
        let slice = study.slice(0, 512);
        let half = slice.data_set.len() / 2;
        let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
        association.store_begin(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set, half).unwrap();
        drop(association);
    }
    eventually("the halves to be thrown away", || {
        let stored = files_below(&sidelight.data_folder());
        (!stored.iter().any(|path| path.extension().is_some_and(|end| end == "part" || end == "dcm")))
            .then_some(())
    });
    assert_eq!(sidelight.api().studies().unwrap().len(), 0);
    assert_eq!(quarantined(&sidelight), 0);
    assert!(dcmtk::echoscu(sidelight.dicom_port()).unwrap().status.success());
}

#[test]
fn nonsense_on_the_dicom_port_ends_only_its_own_connection() {
    let mut sidelight = appliance().start().unwrap();
    let mut bystander = Association::open_for_ct(sidelight.dicom_port()).unwrap();
    let long_claim = [&[4, 0, 0xff, 0xff, 0xff, 0xff][..], &[0; 64]].concat();
    let nonsense: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\nHost: box\r\n\r\n", &long_claim, &[0xff; 4096], &[1, 0, 0, 0, 0, 4, 0, 0, 0, 0]];
    for bytes in nonsense {
        let mut stream = TcpStream::connect(("127.0.0.1", sidelight.dicom_port())).unwrap();
        stream.set_read_timeout(Some(patience())).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // An abort or a reset; what may not happen is that the box waits for 4 GiB.
        let ended = stream.read_to_end(&mut answer);
        let timed_out = ended.is_err_and(|why| why.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!timed_out, "the box keeps a connection that says {bytes:02x?}");
    }
    let slice = SmallCt::new().slice(0, 64);
    assert_eq!(send(&mut bystander, &slice.sop_instance_uid, &slice.data_set), 0);
    bystander.release().unwrap();
    assert!(sidelight.is_alive(), "{}", sidelight.evidence());
    assert!(peak_memory_bytes(&sidelight) < 1 << 30);
}
