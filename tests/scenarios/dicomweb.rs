//! DICOMweb clients nobody here wrote find, fetch, see and store what the box has.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use dicom_dictionary_std::uids;
use dicom_object::FileMetaTableBuilder;
use serde_json::Value;
use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::association::{Association, CT_IMAGE_STORAGE};
use sidelight_tests::peers::patience::patience;
use sidelight_tests::peers::python::python;

use crate::small_ct::{SmallCt, data_set, new_uid};
use crate::studies::report;

/// Sends slices and leaves the same objects as files in a folder.
pub(crate) fn send(sidelight: &Appliance, ct: &SmallCt, slices: u16, side: u16) -> Vec<(String, Vec<u8>)> {
    let folder = sent_folder(sidelight);
    std::fs::create_dir_all(&folder).unwrap();
    let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
    let mut sent = Vec::new();
    for number in 0..slices {
        let object = ct.object(number, side);
        let uid = object
            .element(dicom_dictionary_std::tags::SOP_INSTANCE_UID)
            .unwrap()
            .to_str()
            .unwrap()
            .into_owned();
        let bytes = data_set(&object);
        assert_eq!(association.store(1, CT_IMAGE_STORAGE, &uid, &bytes).unwrap(), 0);
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
            .media_storage_sop_class_uid(CT_IMAGE_STORAGE)
            .media_storage_sop_instance_uid(uid.as_str());
        let file = object.with_meta(meta).unwrap();
        file.write_to_file(folder.join(format!("{number:04}.dcm"))).unwrap();
        sent.push((uid, bytes));
    }
    association.release().unwrap();
    sent
}

fn sent_folder(sidelight: &Appliance) -> PathBuf {
    sidelight.folder().join("sent")
}

pub(crate) fn get(api: &Api, path: &str, accept: &str) -> sidelight_tests::peers::api::Answer {
    api.send("GET", path, &[("Accept", accept)], None).unwrap()
}

#[test]
fn an_unmodified_dicomweb_client_works_with_the_box() {
    let sidelight = appliance().start().unwrap();
    send(&sidelight, &SmallCt::new(), 5, 64);
    let ready = sidelight.ready();
    let folder = sent_folder(&sidelight).display().to_string();
    let run = python("dicomweb.txt", "foreign_dicomweb.py", &[&ready.http, &ready.token, &folder]);
    let run = run.unwrap();
    assert!(run.status.success(), "{}\n--- the box\n{}", run.evidence(), sidelight.evidence());
    let line: Value = serde_json::from_str(run.stdout.lines().last().unwrap_or_default()).unwrap();
    let routes: Vec<&str> =
        line["routes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(routes.len() >= 20, "{routes:#?}");
    report(&format!("dicomweb-client 0.60.1 exercised:\n  {}", routes.join("\n  ")));
}

#[test]
fn what_is_refused_is_a_problem_document_that_names_the_field() {
    let sidelight = appliance().start().unwrap();
    let ct = SmallCt::new();
    let sent = send(&sidelight, &ct, 1, 64);
    let api = sidelight.api();
    let instance =
        format!("/dicom-web/studies/{}/series/{}/instances/{}", ct.study_uid, ct.series_uid, sent[0].0);
    for (path, accept, status, word) in [
        ("/dicom-web/studies?limit=x".to_owned(), "*/*", 400, "limit"),
        ("/dicom-web/studies?StudyDate=soon".to_owned(), "*/*", 400, "date"),
        ("/dicom-web/studies".to_owned(), "application/dicom+xml", 406, "Accept"),
        (format!("/dicom-web/studies/{}/series/{}/metadata", ct.study_uid, new_uid()), "*/*", 404, "series"),
        (format!("/dicom-web/studies/{}", new_uid()), "*/*", 404, "study"),
        ("/dicom-web/studies/../x/metadata".to_owned(), "*/*", 404, ""),
        (format!("{instance}/frames/0"), "*/*", 400, "frames"),
        (format!("{instance}/frames/9"), "*/*", 404, "9"),
        (format!("{instance}/frames/1"), "image/jp2", 406, "Accept"),
        (format!("{instance}/rendered?viewport=1"), "*/*", 400, "viewport"),
        (format!("{instance}/rendered?window=1,2,x"), "*/*", 400, "window"),
        (format!("{instance}/rendered"), "video/mp4", 406, "Accept"),
        (format!("{instance}/bulkdata/00104000"), "*/*", 404, "bulk"),
        (format!("{instance}/bulkdata/../../../../site.toml"), "*/*", 404, ""),
        (instance.clone(), "application/zip", 406, "Accept"),
        ("/dicom-web/patients".to_owned(), "*/*", 404, "resource"),
    ] {
        let answer = get(&api, &path, accept);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["status"], status, "{path}");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{path}: {problem}");
    }
    let deleted = api.send("DELETE", &instance, &[], None).unwrap();
    assert_eq!((deleted.status, deleted.header("content-type")), (405, Some("application/problem+json")));
    let json = api.send("POST", "/dicom-web/studies", &[], Some(&serde_json::json!({}))).unwrap();
    assert_eq!(json.status, 415, "{}", json.text());
}

/// POSTs bytes as they are and reads the answer; the connection may break while sending.
pub(crate) fn post(sidelight: &Appliance, content_type: &str, body: &[u8]) -> String {
    let ready = sidelight.ready();
    let address = ready.http.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(patience())).unwrap();
    let head = format!(
        "POST /dicom-web/studies HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        ready.token,
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A box that has refused already may hang up.
    let _refused = stream.write_all(body);
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Media type of a body made of `part`s.
pub(crate) const STOW: &str = "multipart/related; type=\"application/dicom\"; boundary=frontier";

pub(crate) fn part(bytes: &[u8]) -> Vec<u8> {
    [b"--frontier\r\nContent-Type: application/dicom\r\n\r\n", bytes, b"\r\n"].concat()
}

#[test]
fn one_bad_part_does_not_keep_the_others_out_and_hostile_bodies_do_no_harm() {
    let mut sidelight = appliance().start().unwrap();
    let ct = SmallCt::new();
    send(&sidelight, &ct, 3, 64);
    let other = SmallCt::new();
    let copies: Vec<Vec<u8>> = (0..3).map(|number| file(&other, number)).collect();
    let media = STOW;

    let mut truncated = copies[1].clone();
    truncated.truncate(copies[1].len() - 100);
    let mixed =
        [part(&copies[0]), part(b"no DICOM at all"), part(&truncated), b"--frontier--\r\n".to_vec()].concat();
    let answer = post(&sidelight, media, &mixed);
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer:.400}");
    let body: Value = serde_json::from_str(answer.rsplit("\r\n\r\n").next().unwrap()).unwrap();
    assert_eq!(body["00081199"]["Value"].as_array().unwrap().len(), 2, "{body}");
    assert_eq!(body["00081199"]["Value"][1]["00081196"]["Value"][0], 0xB007, "kept in quarantine: {body}");
    assert_eq!(body["00081198"]["Value"][0]["00081197"]["Value"][0], 0xC000, "{body}");
    let quarantined = std::fs::read_dir(sidelight.data_folder().join("quarantine")).unwrap().count();
    assert_eq!(quarantined, 2, "the object and its note");

    let nothing = [part(b"no DICOM at all"), b"--frontier--\r\n".to_vec()].concat();
    assert!(post(&sidelight, media, &nothing).starts_with("HTTP/1.1 409"));
    let broken_off = [part(&copies[2]), b"--frontier\r\n\r\n".to_vec(), copies[1][..3000].to_vec()].concat();
    let answer = post(&sidelight, media, &broken_off);
    assert!(answer.starts_with("HTTP/1.1 202"), "what was whole is kept: {answer:.400}");

    let endless_header = [b"--frontier\r\nX: ".to_vec(), vec![b'a'; 4 << 20]].concat();
    for (media, body, status) in [
        (media, endless_header.as_slice(), "400"),
        (media, &vec![b'x'; 4 << 20][..], "400"),
        ("multipart/related; type=\"application/dicom\"", b"x", "400"),
        ("multipart/related; boundary=other", &part(&copies[2]), "400"),
        (media, &[b"--frontier".to_vec(), b"\r\n\r\n\r\n--frontier".repeat(50_000)].concat(), "413"),
        ("text/plain", b"x", "415"),
    ] {
        let answer = post(&sidelight, media, body);
        assert!(
            answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{status}: {answer:.300}"
        );
    }
    assert!(sidelight.is_alive());
    let left = std::fs::read_dir(sidelight.data_folder().join("incoming")).unwrap().count();
    assert_eq!(left, 0, "files of refused parts are left behind");
    let found = sidelight.api().json(&format!("/dicom-web/studies/{}/instances", other.study_uid)).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 2);
}

/// One slice as a Part-10 file in memory.
pub(crate) fn file(ct: &SmallCt, number: u16) -> Vec<u8> {
    let object = ct.object(number, 64);
    let uid =
        object.element(dicom_dictionary_std::tags::SOP_INSTANCE_UID).unwrap().to_str().unwrap().into_owned();
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(CT_IMAGE_STORAGE)
        .media_storage_sop_instance_uid(uid.as_str());
    let mut bytes = Vec::new();
    object.with_meta(meta).unwrap().write_all(&mut bytes).unwrap();
    bytes
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn frames_and_metadata_come_quickly() {
    let sidelight = appliance().start().unwrap();
    let ct = SmallCt::new();
    let sent = send(&sidelight, &ct, 200, 512);
    let api = sidelight.api();
    let series = format!("/dicom-web/studies/{}/series/{}", ct.study_uid, ct.series_uid);
    let mut metadata = Vec::new();
    for _ in 0..5 {
        let begun = std::time::Instant::now();
        let found = api.json(&format!("{series}/metadata")).unwrap();
        metadata.push(begun.elapsed());
        assert_eq!(found.as_array().unwrap().len(), 200);
    }
    let mut frames: Vec<std::time::Duration> = Vec::new();
    for (uid, data_set) in &sent {
        let begun = std::time::Instant::now();
        let answer = get(&api, &format!("{series}/instances/{uid}/frames/1"), "application/octet-stream");
        frames.push(begun.elapsed());
        assert_eq!(answer.status, 200);
        assert!(data_set.ends_with(&answer.body), "other pixels than were sent");
    }
    frames.sort();
    report(&format!(
        "frame of 512x512x16 bit: median {:?}, slowest {:?}; metadata of 200 slices: first {:?}, then {:?}",
        frames[frames.len() / 2],
        frames[frames.len() - 1],
        metadata[0],
        metadata[4]
    ));
}
