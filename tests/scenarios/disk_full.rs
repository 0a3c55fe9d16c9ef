//! A disk that fills: objects are refused before it is full, what was acknowledged is intact, and it ends by itself.

use std::path::PathBuf;

use sidelight_tests::peers::appliance::{Appliance, appliance, can_mount};
use sidelight_tests::peers::association::{Association, CT_IMAGE_STORAGE};
use sidelight_tests::peers::part10::Part10;
use sidelight_tests::peers::patience::eventually;

use crate::dicomweb::{STOW, file, part, post};
use crate::small_ct::{Slice, SmallCt};
use crate::studies::report;

const OUT_OF_RESOURCES: u16 = 0xA700;
const DISK_MIB: u32 = 64;
const RESERVE_BYTES: u64 = 16 << 20;

/// A box whose data lie on a disk of their own, or the reason why not.
fn box_on_a_small_disk() -> Option<Appliance> {
    if !can_mount() {
        report("skipped disk_full on a real file system: no mount name space here (unshare -Urm)");
        return None;
    }
    let reserve = format!("idle_timeout_s = 60\ndisk_reserve_bytes = {RESERVE_BYTES}");
    Some(
        appliance()
            .site_line("idle_timeout_s = 60", &reserve)
            .disk_mib(DISK_MIB)
            .start()
            .expect("the box on its own disk"),
    )
}

/// The box's data folder as it sees it, in its own mount name space.
fn inside(sidelight: &Appliance) -> PathBuf {
    let data = sidelight.data_folder();
    let below_root = data.strip_prefix("/").expect("an absolute path");
    PathBuf::from(format!("/proc/{}/root", sidelight.process_id())).join(below_root)
}

fn free_bytes(sidelight: &Appliance) -> u64 {
    let stat = rustix::fs::statvfs(inside(sidelight)).expect("the box on its own disk");
    stat.f_bavail * stat.f_frsize
}

fn send(association: &mut Association, slice: &Slice) -> u16 {
    let uid = &slice.sop_instance_uid;
    association.store(1, CT_IMAGE_STORAGE, uid, &slice.data_set).expect("the association lives")
}

#[test]
fn objects_are_refused_before_the_disk_is_full_and_taken_when_there_is_room_again() {
    let Some(mut sidelight) = box_on_a_small_disk() else { return };
    let ballast = inside(&sidelight).join("ballast");
    std::fs::write(&ballast, vec![0; 20 << 20]).unwrap();
    let (study, mut acknowledged) = (SmallCt::new(), Vec::new());
    let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
    let refused = loop {
        let slice = study.slice(u16::try_from(acknowledged.len()).unwrap(), 512);
        match send(&mut association, &slice) {
            0 => acknowledged.push(slice),
            OUT_OF_RESOURCES => break slice,
            status => panic!("status {status:#06x}"),
        }
        assert!(acknowledged.len() < 200, "never refused");
    };
    assert!(acknowledged.len() > 10, "refused too early: {} slices", acknowledged.len());
    let free = free_bytes(&sidelight);
    assert!(free >= RESERVE_BYTES - (1 << 20), "only {free} bytes were left");

    // The same association, as soon as there is room.
    std::fs::remove_file(ballast).unwrap();
    eventually("the object is taken", || (send(&mut association, &refused) == 0).then_some(()));
    acknowledged.push(refused);
    association.release().unwrap();
    let kept = Part10::below(&inside(&sidelight));
    for slice in &acknowledged {
        let file = kept.iter().find(|file| file.sop_instance_uid == slice.sop_instance_uid);
        assert!(
            file.is_some_and(|file| file.data_set == slice.data_set),
            "an acknowledged object is not intact"
        );
    }
    assert_eq!(kept.len(), acknowledged.len(), "something refused was kept");
    assert!(sidelight.is_alive(), "{}", sidelight.evidence());
    report(&format!(
        "disk full: {} slices kept of a {DISK_MIB} MiB disk, {free} bytes were free at the refusal (reserve {RESERVE_BYTES})",
        acknowledged.len()
    ));
}

#[test]
fn an_object_that_would_fill_the_disk_while_it_grows_is_refused_and_its_room_given_back() {
    let Some(mut sidelight) = box_on_a_small_disk() else { return };
    let before = free_bytes(&sidelight);
    let mut huge = SmallCt::new().slice(0, 64);
    huge.data_set.resize(60 << 20, 0);
    let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
    assert_eq!(send(&mut association, &huge), OUT_OF_RESOURCES);
    assert_eq!(send(&mut association, &SmallCt::new().slice(0, 64)), 0, "a small one fits");
    assert!(free_bytes(&sidelight) + (2 << 20) > before, "the refused object still takes room");
    assert!(sidelight.is_alive(), "{}", sidelight.evidence());
}

#[test]
fn a_reserve_larger_than_the_disk_refuses_everything_but_nothing_else() {
    let reserve = "idle_timeout_s = 60\ndisk_reserve_bytes = 9000000000000000000";
    let sidelight = appliance().site_line("idle_timeout_s = 60", reserve).start().unwrap();
    let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
    for number in 0..3 {
        assert_eq!(send(&mut association, &SmallCt::new().slice(number, 64)), OUT_OF_RESOURCES);
    }
    association.release().unwrap();
    // The same forecast for what comes by HTTP.
    let body = [part(&file(&SmallCt::new(), 0)), b"--frontier--\r\n".to_vec()].concat();
    let answer = post(&sidelight, STOW, &body);
    assert!(answer.starts_with("HTTP/1.1 409"), "{answer:.400}");
    let said: serde_json::Value = serde_json::from_str(answer.rsplit("\r\n\r\n").next().unwrap()).unwrap();
    assert_eq!(said["00081198"]["Value"][0]["00081197"]["Value"][0], OUT_OF_RESOURCES, "{said}");
    assert!(Part10::below(&sidelight.data_folder()).is_empty());
    assert_eq!(sidelight.log().matches("nearly full").count(), 1, "said once:\n{}", sidelight.log());
    assert!(sidelight.api().studies().unwrap().is_empty());
}
