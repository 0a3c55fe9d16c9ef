//! SIGTERM ends the box in order and with exit code 0; the service manager hears when it is ready, that it lives and
//! that it stops.

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;
use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::association::{Association, CT_IMAGE_STORAGE};
use sidelight_tests::peers::dcmtk;
use sidelight_tests::peers::part10::Part10;
use sidelight_tests::peers::patience::{eventually, patience};
use sidelight_tests::peers::scratch::Scratch;

use crate::small_ct::SmallCt;

#[test]
fn sigterm_stops_an_idle_box_with_success() {
    let mut sidelight = appliance().start().unwrap();
    assert!(dcmtk::echoscu(sidelight.dicom_port()).unwrap().status.success());
    let status = sidelight.terminate().expect("the box stops");
    assert!(status.success(), "{status}\n{}", sidelight.evidence());
}

#[test]
fn sigterm_in_the_middle_of_a_study_loses_nothing_acknowledged() {
    let mut sidelight = appliance().start().unwrap();
    let study = SmallCt::new();
    let whole = study.slice(0, 64);
    let cut = study.slice(1, 512);
    let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
    let status = association.store(1, CT_IMAGE_STORAGE, &whole.sop_instance_uid, &whole.data_set).unwrap();
    assert_eq!(status, 0);
    let half = cut.data_set.len() / 2;
    association.store_begin(1, CT_IMAGE_STORAGE, &cut.sop_instance_uid, &cut.data_set, half).unwrap();

    let status = sidelight.terminate().expect("the box stops although somebody is sending");
    assert!(status.success(), "{status}\n{}", sidelight.evidence());
    sidelight.restart().unwrap();
    let stored = Part10::below(&sidelight.data_folder());
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert!(stored[0].data_set == whole.data_set);
    assert_eq!(sidelight.api().study(&study.study_uid).unwrap()["instance_count"], 1);
}

#[test]
fn a_second_signal_does_not_wait() {
    let mut sidelight = appliance().start().unwrap();
    let slice = SmallCt::new().slice(0, 512);
    let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
    association.store_begin(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set, 1000).unwrap();
    sidelight.signal(Signal::TERM);
    sidelight.signal(Signal::TERM);
    assert!(sidelight.wait().is_some(), "the box still runs after two signals");
}

#[test]
fn the_service_manager_is_told() {
    let scratch = Scratch::new("notify").unwrap();
    let path = scratch.path().join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(patience())).unwrap();
    let mut sidelight = appliance()
        .environment("NOTIFY_SOCKET", path.to_str().unwrap())
        // Half a second: the box must show life about every quarter.
        .environment("WATCHDOG_USEC", "500000")
        .start()
        .unwrap();

    let mut heard = String::new();
    let mut listen_for = |word: &str| {
        eventually(&format!("{word} from the box"), || {
            let mut bytes = [0; 4096];
            let length = socket.recv(&mut bytes).ok()?;
            heard.push_str(&String::from_utf8_lossy(&bytes[..length]));
            heard.push('\n');
            heard.lines().any(|line| line.starts_with(word)).then(|| heard.clone())
        })
    };
    listen_for("READY=1");
    listen_for("STATUS=");
    listen_for("WATCHDOG=1");
    let heard = listen_for("WATCHDOG=1");
    assert!(heard.matches("WATCHDOG=1").count() >= 2, "the box showed life only once:\n{heard}");

    sidelight.signal(Signal::TERM);
    let heard = listen_for("STOPPING=1");
    let ready = heard.find("READY=1").unwrap();
    assert!(ready < heard.find("STOPPING=1").unwrap(), "{heard}");
    let status = sidelight.wait().expect("the box stops");
    assert!(status.success(), "{status}");
}
