//! Every file of the reference data goes in by C-STORE and comes back bit for bit, or is refused or quarantined with
//! the reason; whatever is asked about them, the box answers and its memory stays flat.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::association::{Association, AssociationError};
use sidelight_tests::peers::part10::Part10;

use crate::sources::root;
use crate::studies::report;

const AS_STORED: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
/// Allocators keep some; a leak of one object's size per request would be ten times this.
const GROWTH_KIB_MAX: u64 = 64 * 1024;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// How C-STORE of a file ended.
fn send(sidelight: &Appliance, file: &Part10) -> String {
    let proposal: [(&str, &[&str]); 1] = [(&file.sop_class_uid, &[file.transfer_syntax.as_str()])];
    let mut association =
        Association::open(sidelight.dicom_port(), "SIDELIGHT", &proposal).expect("the box accepts");
    let status = association.store(1, &file.sop_class_uid, &file.sop_instance_uid, &file.data_set);
    match status {
        Ok(0) => "stored".into(),
        Ok(0xB007) => "quarantined".into(),
        Ok(status) => format!("refused with {status:04X}"),
        Err(AssociationError::ContextRefused { result, .. }) => format!("context refused ({result})"),
        Err(error) => panic!("{}: {error}", file.path.display()),
    }
}

/// Address of an instance, from a search for its UID.
fn address(api: &Api, uid: &str) -> String {
    let found = api.json(&format!("/dicom-web/instances?SOPInstanceUID={uid}")).unwrap();
    let value = |tag: &str| found[0][tag]["Value"][0].as_str().unwrap_or_default().to_owned();
    format!("/dicom-web/studies/{}/series/{}/instances/{uid}", value("0020000D"), value("0020000E"))
}

/// The only part of a multipart body, without its header.
fn only_part(body: &[u8]) -> &[u8] {
    let begin = body.windows(4).position(|four| four == b"\r\n\r\n").expect("a part header") + 4;
    let boundary = &body[..body.windows(2).position(|two| two == b"\r\n").expect("a first line")];
    let end = [b"\r\n", boundary, b"--\r\n"].concat();
    body[begin..].strip_suffix(end.as_slice()).expect("a closing boundary")
}

fn resident_kib(sidelight: &Appliance) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", sidelight.process_id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a resident size");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Asks for everything an instance has; no answer may be the box's failure.
fn ask_everything(api: &Api, address: &str, outcomes: &mut BTreeMap<String, u32>) {
    for (what, accept) in [
        ("", "multipart/related; type=application/dicom"),
        ("/metadata", "application/dicom+json"),
        ("/frames/1", "multipart/related; type=application/octet-stream; transfer-syntax=*"),
        ("/rendered", "image/png"),
        ("/thumbnail", "image/jpeg"),
        ("/bulkdata/7FE00010", "*/*"),
    ] {
        let path = format!("{address}{what}");
        let answer = api.send("GET", &path, &[("Accept", accept)], None);
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(answer.status < 500, "{path}: {}", answer.text());
        if what == "/metadata" {
            let document: Value = serde_json::from_slice(&answer.body).expect("metadata is JSON");
            assert!(document[0]["00080018"]["Value"][0].is_string(), "{path}: {document:.300}");
            assert!(document[0]["7FE00010"]["InlineBinary"].is_null(), "{path}: pixels are inline");
        }
        *outcomes
            .entry(format!("{} {}", if what.is_empty() { "instance" } else { what }, answer.status))
            .or_default() += 1;
    }
}

#[test]
fn every_file_comes_back_bit_exact_or_is_refused_with_the_reason_real_data() {
    let folder = root().join("../shared/data/dicom");
    if !folder.is_dir() {
        return report(&format!("skipped dicomweb_real_data: no reference data at {}", folder.display()));
    }
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    paths.sort();
    let objects: Vec<Part10> = paths.iter().filter_map(|path| Part10::read(path)).collect();
    assert!(objects.len() > 80, "only {} Part-10 files", objects.len());
    let mut sidelight = appliance().start().unwrap();
    let (mut first_of, mut ends) = (BTreeMap::new(), BTreeMap::<String, u32>::new());
    for object in &objects {
        let end = send(&sidelight, object);
        if end == "stored" {
            first_of.entry(object.sop_instance_uid.clone()).or_insert(object);
        }
        *ends.entry(end).or_default() += 1;
    }
    let api = sidelight.api();
    let (mut outcomes, mut addresses) = (BTreeMap::new(), Vec::new());
    for (uid, object) in &first_of {
        let address = address(&api, uid);
        let answer = api.send("GET", &address, &[("Accept", AS_STORED)], None).unwrap();
        assert_eq!(answer.status, 200, "{}: {}", object.path.display(), answer.text());
        let served = only_part(&answer.body);
        assert!(served.ends_with(&object.data_set), "{} came back with other bytes", object.path.display());
        ask_everything(&api, &address, &mut outcomes);
        addresses.push(address);
    }
    let before = resident_kib(&sidelight);
    for address in addresses.iter().chain(&addresses) {
        ask_everything(&api, address, &mut BTreeMap::new());
    }
    let after = resident_kib(&sidelight);
    report(&format!(
        "{} Part-10 files of {}: {ends:?}; {} served bit-exact; {outcomes:?}; resident {before} KiB, two rounds later {after} KiB",
        objects.len(),
        paths.len(),
        first_of.len()
    ));
    assert!(sidelight.is_alive());
    assert!(after < before + GROWTH_KIB_MAX, "memory grew from {before} to {after} KiB");
}
