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
    let (mut ends, mut outcomes) = (BTreeMap::new(), BTreeMap::new());
    let (mut served, mut boxes) = (0, 0);
    let mut left: Vec<&Part10> = objects.iter().collect();
    while !left.is_empty() {
        let mut sidelight = appliance().start().unwrap();
        let (first_of, others) = take_in(&sidelight, &left, &mut ends);
        let addresses = come_back(&sidelight.api(), &first_of, &mut outcomes);
        served += addresses.len();
        if boxes == 0 {
            stays_small(&sidelight, &addresses);
        }
        assert!(sidelight.is_alive());
        boxes += 1;
        left = others;
    }
    report(&format!(
        "{} Part-10 files of {}: {ends:?}; {served} different objects served bit-exact by {boxes} boxes; {outcomes:?}",
        objects.len(),
        paths.len(),
    ));
}

/// Sends objects. A box serves one version of a UID: what claims a UID that another file has is for the next box.
fn take_in<'a>(
    sidelight: &Appliance,
    objects: &[&'a Part10],
    ends: &mut BTreeMap<String, u32>,
) -> (Vec<&'a Part10>, Vec<&'a Part10>) {
    let (mut first_of, mut others): (BTreeMap<&str, &Part10>, Vec<&Part10>) = Default::default();
    for object in objects {
        match first_of.get(object.sop_instance_uid.as_str()) {
            Some(first) if first.data_set == object.data_set => {
                *ends.entry("a copy".into()).or_default() += 1;
            }
            Some(_) => others.push(object),
            None => {
                let end = send(sidelight, object);
                if end == "stored" {
                    first_of.insert(&object.sop_instance_uid, object);
                }
                *ends.entry(end).or_default() += 1;
            }
        }
    }
    (first_of.into_values().collect(), others)
}

/// Every object comes back as it was sent; returns their addresses.
fn come_back(api: &Api, objects: &[&Part10], outcomes: &mut BTreeMap<String, u32>) -> Vec<String> {
    let mut addresses = Vec::new();
    for object in objects {
        let address = address(api, &object.sop_instance_uid);
        let answer = api.send("GET", &address, &[("Accept", AS_STORED)], None).unwrap();
        assert_eq!(answer.status, 200, "{}: {}", object.path.display(), answer.text());
        let served = only_part(&answer.body);
        assert!(served.ends_with(&object.data_set), "{} came back with other bytes", object.path.display());
        ask_everything(api, &address, outcomes);
        addresses.push(address);
    }
    addresses
}

fn stays_small(sidelight: &Appliance, addresses: &[String]) {
    let api = sidelight.api();
    let before = resident_kib(sidelight);
    for address in addresses {
        ask_everything(&api, address, &mut BTreeMap::new());
    }
    let after = resident_kib(sidelight);
    report(&format!("everything asked once: resident {before} KiB; a second time: {after} KiB"));
    assert!(after < before + GROWTH_KIB_MAX, "memory grew from {before} to {after} KiB");
}
