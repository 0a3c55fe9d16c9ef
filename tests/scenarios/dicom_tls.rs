//! DICOM under TLS, with dcmtk as the scanner: the lab's certificates, required or not, and nothing in plain text.

use std::path::{Path, PathBuf};

use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::dcmtk::{echoscu, storescu_secured};
use sidelight_tests::peers::part10::Part10;
use sidelight_tests::peers::process::Run;
use sidelight_tests::peers::scratch::Scratch;

use crate::small_ct::{SmallCt, written_slice};

fn tls_port(sidelight: &Appliance) -> u16 {
    let address = sidelight.ready().dicom_tls.as_deref().expect("the lab site has a TLS door");
    address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port")
}

fn keys(sidelight: &Appliance) -> PathBuf {
    sidelight.folder().join("keys/tls")
}

/// Sends one slice; `own`: with the client's certificate out of this folder.
fn send(sidelight: &Appliance, own: Option<&Path>) -> Run {
    let folder = Scratch::new("slice").expect("dcmtk and a folder for its file");
    let file = written_slice(folder.path(), &SmallCt::new());
    storescu_secured(tls_port(sidelight), &[file], &keys(sidelight).join("ca.pem"), own)
        .expect("dcmtk and a folder for its file")
}

fn stored(sidelight: &Appliance) -> usize {
    Part10::below(&sidelight.data_folder()).len()
}

#[test]
fn a_scanner_with_a_certificate_of_ours_stores_and_one_without_does_not() {
    let sidelight = appliance().start().unwrap();
    let sent = send(&sidelight, Some(&keys(&sidelight)));
    assert!(sent.status.success(), "{}\n{}", sent.evidence(), sidelight.evidence());
    assert_eq!(stored(&sidelight), 1);
    assert!(!send(&sidelight, None).status.success(), "a caller without certificate was let in");
    // Another lab's certificate is a stranger's.
    let other = appliance().start().unwrap();
    assert!(!send(&sidelight, Some(&keys(&other))).status.success(), "a stranger was let in");
    assert_eq!(stored(&sidelight), 1);
}

#[test]
fn certificates_that_are_optional_are_not_asked_of_everybody() {
    let edit = "tls_listen = \"127.0.0.1:0\"\ntls_client_certificates = \"optional\"";
    let sidelight = appliance().site_line("tls_listen = \"127.0.0.1:0\"", edit).start().unwrap();
    let sent = send(&sidelight, None);
    assert!(sent.status.success(), "{}\n{}", sent.evidence(), sidelight.evidence());
    assert!(send(&sidelight, Some(&keys(&sidelight))).status.success());
    assert_eq!(stored(&sidelight), 2);
}

#[test]
fn plain_text_at_the_tls_door_gets_nowhere_and_disturbs_nobody() {
    let mut sidelight = appliance().start().unwrap();
    assert!(!echoscu(tls_port(&sidelight)).unwrap().status.success());
    assert!(echoscu(sidelight.dicom_port()).unwrap().status.success());
    assert!(send(&sidelight, Some(&keys(&sidelight))).status.success());
    assert!(sidelight.is_alive());
}
