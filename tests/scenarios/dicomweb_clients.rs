//! The very questions unmodified OHIF and Weasis ask, in the shape they ask them, and bodies in the one shape that
//! every multipart parser in use reads (`research/viewer.md` section 5).

use serde_json::Value;
use sidelight_tests::peers::api::{Answer, Api};
use sidelight_tests::peers::appliance::{Appliance, appliance};

use crate::dicomweb::{get, send};
use crate::small_ct::SmallCt;

const DICOM_JSON: &str = "application/dicom+json";

/// A box with one series of small slices.
struct Sent {
    sidelight: Appliance,
    ct: SmallCt,
    /// UID and data set of each slice, in order.
    slices: Vec<(String, Vec<u8>)>,
}

impl Sent {
    fn of(slices: u16) -> Self {
        let sidelight = appliance().start().unwrap();
        let ct = SmallCt::new();
        let slices = send(&sidelight, &ct, slices, 64);
        Self { sidelight, ct, slices }
    }

    fn api(&self) -> Api {
        self.sidelight.api()
    }

    fn series(&self) -> String {
        format!("/dicom-web/studies/{}/series/{}", self.ct.study_uid, self.ct.series_uid)
    }

    fn instance(&self, number: usize) -> String {
        format!("{}/instances/{}", self.series(), self.slices[number].0)
    }

    /// Samples of a slice as they were sent.
    fn pixels(&self, number: usize) -> &[u8] {
        let bytes = &self.slices[number].1;
        &bytes[bytes.len() - 64 * 64 * 2..]
    }
}

fn list(answer: &Answer) -> Vec<Value> {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(DICOM_JSON)), "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn ohif_finds_its_studies_series_and_frames() {
    let sent = Sent::of(3);
    let (api, study) = (sent.api(), &sent.ct.study_uid);
    let asked = "limit=101&offset=0&fuzzymatching=false&includefield=00081030,00080060,00080090,00100030";
    for query in [
        asked.to_owned(),
        format!("{asked}&StudyInstanceUID={study}"),
        format!("{asked}&00100020=SMALL-PATIENT"),
        format!("{asked}&00100020=*PATIENT*&AccessionNumber=*MALL*&StudyDescription=*"),
        format!("{asked}&PatientName=*small*&StudyDate=20240101-20241231&ModalitiesInStudy=CT,MR"),
    ] {
        let found = list(&get(&api, &format!("/dicom-web/studies?{query}"), DICOM_JSON));
        for tag in
            ["0020000D", "00080020", "00080030", "00080050", "00100010", "00100020", "00080061", "00201208"]
        {
            assert!(!found[0][tag]["Value"].is_null(), "{query}: {tag} is missing");
        }
        for tag in ["00100030", "00081030", "00080090"] {
            assert!(found[0][tag].is_object(), "{query}: {tag} is missing");
        }
    }
    let fields = "includefield=00080021,00080031,0008103E,00200011";
    let found = list(&get(&api, &format!("/dicom-web/studies/{study}/series?{fields}"), DICOM_JSON));
    for tag in ["0020000E", "00080060", "00200011", "0008103E", "00080021", "00201209"] {
        assert!(found[0][tag].is_object(), "{tag} is missing");
    }
    let metadata = list(&get(&api, &format!("{}/metadata", sent.series()), DICOM_JSON));
    assert_eq!(metadata.len(), 3);
    for tag in
        ["00080016", "00080018", "00280010", "00280011", "00280100", "00280103", "00280004", "00280030"]
    {
        assert!(!metadata[0][tag]["Value"].is_null(), "{tag} is missing");
    }
    assert!(metadata[0]["7FE00010"]["BulkDataURI"].as_str().unwrap().starts_with("/dicom-web/"));
    let accept = "multipart/related; type=\"application/octet-stream\"; transfer-syntax=\"*\"";
    let frame = get(&api, &format!("{}/frames/1", sent.instance(0)), accept);
    assert_eq!(parts(&frame)[0].1, sent.pixels(0));
}

#[test]
fn weasis_finds_counts_fetches_and_previews() {
    let sent = Sent::of(4);
    let (api, study, series) = (sent.api(), &sent.ct.study_uid, &sent.ct.series_uid);
    for query in [format!("0020000D={study}"), "00100020=SMALL-PATIENT".into(), "00080050=SMALL1".into()] {
        let query = format!("{query}&includefield=00100010,00100030&includefield=00081030");
        assert_eq!(list(&get(&api, &format!("/dicom-web/studies?{query}"), DICOM_JSON)).len(), 1, "{query}");
    }
    let instance = &sent.slices[0].0;
    for (path, key) in
        [("series", format!("0020000E={series}")), ("instances", format!("00080018={instance}"))]
    {
        let found = list(&get(&api, &format!("/dicom-web/{path}?{key}"), DICOM_JSON));
        assert_eq!(found[0]["0020000D"]["Value"][0], study.as_str(), "{path}");
        assert_eq!(found[0]["00100020"]["Value"][0], "SMALL-PATIENT", "{path} names its patient");
    }
    // It follows the series' own address as it stands.
    let found = list(&get(&api, &format!("/dicom-web/studies/{study}/series"), DICOM_JSON));
    let url = found[0]["00081190"]["Value"][0].as_str().unwrap().to_owned();
    let http = &sent.sidelight.ready().http;
    let path = url.strip_prefix(http).unwrap_or_else(|| panic!("{url} is not on this box"));
    let fields = "includefield=00080018,00200013,00081190";
    let found = list(&get(&api, &format!("{path}/instances?{fields}"), DICOM_JSON));
    let numbers: Vec<i64> = found.iter().filter_map(|one| one["00200013"]["Value"][0].as_i64()).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    for one in &found {
        for tag in
            ["00080016", "00080018", "00080056", "00081190", "00280008", "00280010", "00280011", "00280100"]
        {
            assert!(!one[tag]["Value"].is_null(), "{tag} is missing");
        }
    }
    // The middle one of n, for its picture.
    let half = list(&get(&api, &format!("{path}/instances?limit=1&offset={}", found.len() / 2), DICOM_JSON));
    assert_eq!((half.len(), &half[0]["00200013"]["Value"][0]), (1, &2.into()));
    for level in [format!("/dicom-web/studies/{study}"), sent.series(), sent.instance(2)] {
        let picture = get(&api, &format!("{level}/thumbnail?viewport=96%2C96"), "image/jpeg");
        assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/jpeg")), "{level}");
        let picture = get(&api, &format!("{level}/rendered?viewport=96%2C96"), "image/jpeg");
        assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/jpeg")), "{level}");
    }
    let accept = "multipart/related;type=\"application/dicom\";transfer-syntax=*";
    for accept in [accept, "multipart/related;type=\"application/dicom\";"] {
        let whole = get(&api, &sent.instance(1), accept);
        let found = parts(&whole);
        assert_eq!(found.len(), 1);
        assert!(found[0].1.ends_with(sent.pixels(1)), "{accept}");
    }
}

/// Head and body of each part, read by the strictest rules of the parsers in use: CRLF everywhere, nothing before the
/// first boundary, `Content-Type` in exactly this case, a CRLF of its own before every boundary.
fn parts(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let content_type = answer.header("content-type").unwrap_or_default();
    assert!(content_type.starts_with("multipart/related; type=\""), "{content_type}");
    let boundary = content_type.split("boundary=\"").nth(1).unwrap().trim_end_matches('"');
    assert!(boundary.len() >= 32, "{boundary}: nobody may guess a boundary");
    let opening = format!("--{boundary}\r\n");
    assert!(answer.body.starts_with(opening.as_bytes()), "something stands before the first boundary");
    let closing = format!("\r\n--{boundary}--\r\n");
    assert!(answer.body.ends_with(closing.as_bytes()), "the closing boundary has no line of its own");
    let inner = &answer.body[opening.len()..answer.body.len() - closing.len()];
    let between = format!("\r\n--{boundary}\r\n");
    let mut found = Vec::new();
    for part in split(inner, between.as_bytes()) {
        let end = position(part, b"\r\n\r\n").expect("a part has a head");
        let head = String::from_utf8(part[..end].to_vec()).unwrap();
        assert!(head.starts_with("Content-Type: "), "{head}");
        assert!(!head.replace("\r\n", "").contains(['\r', '\n']), "{head:?}");
        found.push((head, part[end + 4..].to_vec()));
    }
    found
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn split<'a>(mut bytes: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut found = Vec::new();
    while let Some(at) = position(bytes, separator) {
        found.push(&bytes[..at]);
        bytes = &bytes[at + separator.len()..];
    }
    found.push(bytes);
    found
}

#[test]
fn bodies_have_the_one_shape_all_parsers_read() {
    let sent = Sent::of(2);
    let api = sent.api();
    let frame = format!("{}/frames/1", sent.instance(0));
    let any = "multipart/related; type=application/octet-stream; transfer-syntax=*";
    let [one, two] = [get(&api, &frame, any), get(&api, &frame, any)];
    assert_ne!(one.header("content-type"), two.header("content-type"), "a boundary was used twice");
    for accept in [any, "*/*", "multipart/related; transfer-syntax=\"*\"; type=\"application/octet-stream\""]
    {
        let found = parts(&get(&api, &frame, accept));
        assert_eq!(found[0].1, sent.pixels(0), "{accept}");
        assert!(found[0].0.contains("transfer-syntax=1.2.840.10008.1.2.1"), "the part names its syntax");
    }
    // Only who asks for one body gets one.
    let single = get(&api, &frame, "application/octet-stream");
    assert_eq!(single.body, sent.pixels(0));
    assert!(single.header("content-type").unwrap().starts_with("application/octet-stream"));
    let whole = parts(&get(&api, &sent.series(), "multipart/related; type=\"application/dicom\""));
    assert_eq!(whole.len(), 2);
    for (number, (head, bytes)) in whole.iter().enumerate() {
        assert!(head.contains("application/dicom; transfer-syntax="), "{head}");
        assert!(bytes.ends_with(sent.pixels(number)));
    }
}

#[test]
fn bulk_data_comes_whole_or_in_ranges() {
    let sent = Sent::of(1);
    let (api, whole) = (sent.api(), sent.pixels(0));
    let path = format!("{}/bulkdata/7FE00010", sent.instance(0));
    let ask = |range: &str, accept: &str| {
        api.send("GET", &path, &[("Range", range), ("Accept", accept)], None).unwrap()
    };
    let octets = "application/octet-stream";
    let full = get(&api, &path, octets);
    assert_eq!((full.status, full.header("accept-ranges")), (200, Some("bytes")));
    assert_eq!(full.body, whole);
    for (range, part) in
        [("bytes=0-9", &whole[..10]), ("bytes=101-", &whole[101..]), ("bytes=-7", &whole[8185..])]
    {
        let answer = ask(range, octets);
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.body, part, "{range}");
        assert!(answer.header("content-range").unwrap().ends_with("/8192"), "{range}");
        let multipart = ask(range, "multipart/related; type=\"application/octet-stream\"");
        assert_eq!(multipart.status, 206, "{range}");
        let found = parts(&multipart);
        assert_eq!(found[0].1, part, "{range}");
        assert!(found[0].0.contains("Content-Range: bytes "), "{}", found[0].0);
    }
    let beyond = ask("bytes=8192-", octets);
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */8192")));
    assert_eq!(ask("bytes=0-1,4-5", octets).status, 200, "several ranges are not cut out");
}

#[test]
fn fields_are_included_at_every_level() {
    let sent = Sent::of(2);
    let (api, study) = (sent.api(), &sent.ct.study_uid);
    let series = format!("/dicom-web/studies/{study}/series");
    let plain = list(&get(&api, &series, DICOM_JSON));
    assert!(plain[0]["00180060"].is_null(), "nobody asked");
    for query in ["includefield=KVP", "includefield=00180060", "includefield=all"] {
        let found = list(&get(&api, &format!("{series}?{query}"), DICOM_JSON));
        assert_eq!(found[0]["00180060"]["Value"][0], 120.0, "{query}");
        assert!(found[0]["00280010"].is_null(), "{query}: rows are no attribute of a series");
    }
    let all = list(&get(&api, "/dicom-web/studies?includefield=all", DICOM_JSON));
    assert!(all[0]["00180060"].is_null(), "a tube voltage is no attribute of a study");
    let instances = format!("{}/instances?includefield=all&limit=1", sent.series());
    let found = list(&get(&api, &instances, DICOM_JSON));
    assert_eq!(found[0]["00180060"]["Value"][0], 120.0);
    assert!(found[0]["7FE00010"]["InlineBinary"].is_null(), "pixels are inline");
}

#[test]
fn fuzzy_names_and_addresses_behind_a_proxy() {
    let sent = Sent::of(1);
    let api = sent.api();
    let number = sent.ct.patient_name.trim_start_matches("Small^");
    for (query, count) in [
        (format!("PatientName={}%20sma&fuzzymatching=true", &number[..9].to_lowercase()), 1),
        (format!("PatientName={}%20sma&fuzzymatching=false", &number[..9].to_lowercase()), 0),
        ("PatientName=smaal&fuzzymatching=true".to_owned(), 0),
    ] {
        assert_eq!(
            list(&get(&api, &format!("/dicom-web/studies?{query}"), DICOM_JSON)).len(),
            count,
            "{query}"
        );
    }
    let behind = [("Forwarded", "for=10.0.0.9;proto=https;host=pacs.example"), ("Accept", DICOM_JSON)];
    let found = list(&api.send("GET", "/dicom-web/studies", &behind, None).unwrap());
    let url = format!("https://pacs.example/dicom-web/studies/{}", sent.ct.study_uid);
    assert_eq!(found[0]["00081190"]["Value"][0], url.as_str());
}
