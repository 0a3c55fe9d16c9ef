//! `sidelight doctor` says what the box sees and what is wrong, and its exit code tells scripts.

use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::broker::Broker;

#[test]
fn a_sound_box_is_called_sound() {
    let broker = Broker::start().unwrap();
    let mut sidelight = appliance().broker(&broker.url()).start().unwrap();
    assert!(sidelight.terminate().unwrap().success());
    let doctor = sidelight.command("doctor").unwrap().succeeded();
    let text = doctor.text().to_lowercase();
    for word in ["llvmpipe", "disk", "dicom", "viewer", "clock", "broker"] {
        assert!(text.contains(word), "nothing about {word}:\n{}", doctor.evidence());
    }
}

#[test]
fn a_missing_broker_is_named() {
    let mut broker = Broker::start().unwrap();
    let mut sidelight = appliance().broker(&broker.url()).start().unwrap();
    assert!(sidelight.terminate().unwrap().success());
    broker.kill9();
    let doctor = sidelight.command("doctor").unwrap();
    assert!(!doctor.status.success(), "{}", doctor.evidence());
    assert!(doctor.text().contains(&broker.url()), "{}", doctor.evidence());
}

#[test]
fn a_wrong_site_file_is_one_sentence() {
    let mut sidelight = appliance().start().unwrap();
    assert!(sidelight.terminate().unwrap().success());
    let site = sidelight.folder().join("site.toml");
    let text = std::fs::read_to_string(&site).unwrap().replace("study_quiet_s", "study_quite_s");
    std::fs::write(&site, text).unwrap();
    let doctor = sidelight.command("doctor").unwrap();
    assert!(!doctor.status.success(), "{}", doctor.evidence());
    assert!(doctor.text().contains("study_quite_s"), "{}", doctor.evidence());
    assert!(!doctor.text().contains("panicked"), "{}", doctor.evidence());
}
