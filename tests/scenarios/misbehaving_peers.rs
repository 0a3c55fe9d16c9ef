//! Peers that do not keep their side: the box answers in the protocol's words, keeps nothing half, serves the others.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::association::{
    Association, AssociationError, CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, associate_request,
};
use sidelight_tests::peers::part10::Part10;
use sidelight_tests::peers::patience::{eventually, now, patience, within};

use crate::small_ct::SmallCt;

const CT: &[(&str, &[&str])] = &[(CT_IMAGE_STORAGE, &[EXPLICIT_VR_LITTLE_ENDIAN])];

/// A socket that may say anything.
fn connect(sidelight: &Appliance) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", sidelight.dicom_port())).expect("the box listens");
    stream.set_read_timeout(Some(patience())).expect("the box listens");
    stream
}

/// A socket on which an association for CT images is open.
fn associated(sidelight: &Appliance) -> TcpStream {
    let mut stream = connect(sidelight);
    stream.write_all(&associate_request("SIDELIGHT", "BYHAND", CT)).expect("the box listens");
    assert_eq!(pdu_kind(&mut stream), Some(2), "not accepted");
    stream
}

/// Reads one PDU; `None` when the box has closed.
fn pdu_kind(stream: &mut TcpStream) -> Option<u8> {
    let mut header = [0; 6];
    stream.read_exact(&mut header).ok()?;
    let length = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).ok()?;
    Some(header[0])
}

/// Everything works as if nothing had happened, and nothing half is kept.
fn is_as_good_as_before(sidelight: &mut Appliance, kept: usize) {
    assert!(sidelight.is_alive(), "{}", sidelight.evidence());
    let slice = SmallCt::new().slice(0, 64);
    // A place is free a moment after its caller has gone.
    let mut association = eventually("a place", || Association::open_for_ct(sidelight.dicom_port()).ok());
    let status = association.store(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set);
    assert_eq!(status.expect("the box listens"), 0);
    association.release().expect("the box listens");
    eventually("nothing left in data/incoming", || {
        let left =
            std::fs::read_dir(sidelight.data_folder().join("incoming")).expect("the box listens").count();
        (left == 0).then_some(())
    });
    assert_eq!(Part10::below(&sidelight.data_folder()).len(), kept + 1);
}

#[test]
fn an_object_that_breaks_off_is_kept_nowhere_however_it_breaks_off() {
    let mut sidelight = appliance().start().unwrap();
    for way in ["abort", "close", "release"] {
        let slice = SmallCt::new().slice(0, 512);
        let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
        let uid = &slice.sop_instance_uid;
        association.store_begin(1, CT_IMAGE_STORAGE, uid, &slice.data_set, 300_000).unwrap();
        match way {
            "abort" => association.abort().unwrap(),
            "close" => drop(association),
            // In the middle of a message: the box must not say goodbye as if all were well.
            _ => match association.release() {
                Err(AssociationError::Aborted { source_: 2, .. }) => {}
                other => panic!("release in the middle of an object: {other:?}"),
            },
        }
    }
    is_as_good_as_before(&mut sidelight, 0);
}

#[test]
fn a_pdu_longer_than_agreed_is_answered_with_an_abort() {
    let mut sidelight = appliance().start().unwrap();
    for claimed in [131_073_u32, u32::MAX] {
        let mut stream = associated(&sidelight);
        stream.write_all(&[4, 0]).unwrap();
        stream.write_all(&claimed.to_be_bytes()).unwrap();
        assert_eq!(pdu_kind(&mut stream), Some(7), "{claimed} bytes were not refused");
    }
    is_as_good_as_before(&mut sidelight, 0);
}

#[test]
fn a_peer_that_trickles_is_aborted_when_its_time_is_up() {
    let edit = ("idle_timeout_s = 60", "idle_timeout_s = 2");
    let mut sidelight = appliance().site_line(edit.0, edit.1).start().unwrap();
    let mut stream = associated(&sidelight);
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    // A PDU of 100,000 bytes, one byte at a time: each byte is a sign of life, the PDU never comes.
    stream.write_all(&[4, 0, 0, 1, 0x86, 0xA0]).unwrap();
    let begun = now();
    let mut answer = [0; 1];
    let ended = within(Duration::from_secs(20), || {
        let _broken = stream.write_all(&[0]);
        stream.read(&mut answer).is_ok().then_some(())
    });
    assert!(ended.is_some(), "the box still listens after {:?}", begun.elapsed());
    assert_eq!(answer[0], 7, "not an A-ABORT");
    is_as_good_as_before(&mut sidelight, 0);
}

#[test]
fn a_peer_that_falls_silent_in_an_object_is_aborted_and_its_place_given_to_another() {
    let edits =
        [("idle_timeout_s = 60", "idle_timeout_s = 1"), ("associations_max = 25", "associations_max = 1")];
    let [(a, b), (c, d)] = edits;
    let mut sidelight = appliance().site_line(a, b).site_line(c, d).start().unwrap();
    let slice = SmallCt::new().slice(0, 512);
    let mut silent = Association::open_for_ct(sidelight.dicom_port()).unwrap();
    silent.store_begin(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set, 200_000).unwrap();
    // Local limit exceeded, and only for now (PS3.8 9.3.4).
    match Association::open_for_ct(sidelight.dicom_port()) {
        Err(AssociationError::Rejected { result: 2, source_: 3, reason: 2 }) => {}
        other => panic!("a busy box said {other:?}"),
    }
    let mut next = eventually("a place", || Association::open_for_ct(sidelight.dicom_port()).ok());
    let small = SmallCt::new().slice(0, 64);
    let status = next.store(1, CT_IMAGE_STORAGE, &small.sop_instance_uid, &small.data_set);
    assert_eq!(status.unwrap(), 0);
    next.release().unwrap();
    drop(silent);
    eventually("the place again", || Association::open_for_ct(sidelight.dicom_port()).ok())
        .release()
        .unwrap();
    is_as_good_as_before(&mut sidelight, 1);
}

#[test]
fn half_open_sockets_cost_places_only_while_they_last() {
    let mut sidelight =
        appliance().site_line("associations_max = 25", "associations_max = 3").start().unwrap();
    let silent: Vec<TcpStream> = (0..3).map(|_| connect(&sidelight)).collect();
    eventually("the door is busy", || {
        let answer = Association::open_for_ct(sidelight.dicom_port());
        matches!(answer, Err(AssociationError::Rejected { result: 2, source_: 3, reason: 2 })).then_some(())
    });
    drop(silent);
    eventually("the door is open", || Association::open_for_ct(sidelight.dicom_port()).ok())
        .release()
        .unwrap();
    is_as_good_as_before(&mut sidelight, 0);
}

#[test]
fn only_known_aes_from_known_addresses_come_in() {
    let peers = "[[dicom.peers]]\nae_title = \"HERE\"\nnetworks = [\"127.0.0.0/8\"]\n\n\
                 [[dicom.peers]]\nae_title = \"ELSEWHERE\"\nnetworks = [\"10.0.0.0/8\", \"fd00::/8\"]\n\n[analysis]";
    let sidelight = appliance().site_line("[analysis]", peers).start().unwrap();
    let open = |calling| Association::open_as(sidelight.dicom_port(), "SIDELIGHT", calling, CT);
    open("HERE").unwrap().release().unwrap();
    for stranger in ["ELSEWHERE", "NOBODY", ""] {
        match open(stranger) {
            Err(AssociationError::Rejected { result: 1, source_: 1, reason: 3 }) => {}
            other => panic!("{stranger:?} was answered {other:?}"),
        }
    }
}

#[test]
fn a_private_class_is_kept_when_the_site_names_it_and_the_sites_order_of_syntaxes_wins() {
    const PRIVATE: &str = "1.3.12.2.1107.5.9.1";
    const IMPLICIT: &str = "1.2.840.10008.1.2";
    let edit = format!(
        "idle_timeout_s = 60\nextra_sop_classes = [\"{PRIVATE}\"]\n\
         accepted_transfer_syntaxes = [\"{IMPLICIT}\", \"{EXPLICIT_VR_LITTLE_ENDIAN}\"]"
    );
    let sidelight = appliance().site_line("idle_timeout_s = 60", &edit).start().unwrap();
    let both: &[&str] = &[EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT];
    let jpeg: &[&str] = &["1.2.840.10008.1.2.4.70"];
    let proposals =
        [(PRIVATE, both), (CT_IMAGE_STORAGE, both), (CT_IMAGE_STORAGE, jpeg), ("1.3.12.2.1107.5.9.2", both)];
    let association = Association::open(sidelight.dicom_port(), "SIDELIGHT", &proposals).unwrap();
    let answers: Vec<(u8, &str)> =
        association.contexts().iter().map(|c| (c.result, c.transfer_syntax.as_str())).collect();
    assert_eq!(answers[..2], [(0, IMPLICIT), (0, IMPLICIT)]);
    assert_eq!(
        (answers[2].0, answers[3].0),
        (4, 3),
        "JPEG is not listed; the other private class is unknown"
    );
}
