//! Nobody reads a patient's data without the token or a session, and no path leads out of what is served.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;
use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::association::{Association, CT_IMAGE_STORAGE};
use sidelight_tests::peers::patience::patience;

use crate::small_ct::SmallCt;

/// The only questions that are answered to strangers.
const OPEN: &[(&str, &str)] = &[("POST", "/api/session"), ("GET", "/api/health")];

/// A box with one study, so that there is something to protect.
fn box_with_a_study() -> (Appliance, SmallCt) {
    let sidelight = appliance().start().expect("a box");
    let study = SmallCt::new();
    let slice = study.slice(0, 64);
    let mut association = Association::open_for_ct(sidelight.dicom_port()).expect("an association");
    let status = association.store(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set);
    assert_eq!(status.expect("an answer"), 0);
    association.release().expect("an orderly release");
    (sidelight, study)
}

/// Every (method, path) of the OpenAPI document, parameters filled with the study's own values.
fn routes(api: &Api, study: &SmallCt) -> Vec<(String, String)> {
    let document = api.json("/api/openapi.json").expect("the box describes its interface");
    let paths = document["paths"].as_object().expect("paths");
    let filled = |path: &str| {
        let mut words = path.split('/').map(|word| match word {
            word if !word.starts_with('{') => word.to_owned(),
            word if word.contains("series") => study.series_uid.clone(),
            word if word.contains("uid") || word.contains("study") => study.study_uid.clone(),
            _ => "0.i16".to_owned(),
        });
        let first = words.next().unwrap_or_default();
        words.fold(first, |path, word| path + "/" + &word)
    };
    let mut routes = Vec::new();
    for (path, methods) in paths {
        for method in methods.as_object().into_iter().flat_map(|methods| methods.keys()) {
            routes.push((method.to_uppercase(), filled(path)));
        }
    }
    routes
}

#[test]
fn every_route_but_the_named_ones_wants_the_token() {
    let (sidelight, study) = box_with_a_study();
    let api = sidelight.api();
    let mut routes = routes(&api, &study);
    assert!(routes.len() >= 9, "the document names only {routes:?}");
    // The contract's own list, should the document have forgotten one.
    let series = format!("/api/studies/{}/series/{}", study.study_uid, study.series_uid);
    for (method, path) in [
        ("GET", "/api/box".to_owned()),
        ("GET", "/api/studies".to_owned()),
        ("GET", format!("/api/studies/{}", study.study_uid)),
        ("GET", format!("/api/studies/{}/findings", study.study_uid)),
        ("GET", format!("{series}/frames/0.i16")),
        ("POST", format!("/api/studies/{}/regions", study.study_uid)),
        ("GET", "/api/events".to_owned()),
        ("GET", "/api/openapi.json".to_owned()),
        ("GET", "/api/session".to_owned()),
    ] {
        let route = (method.to_owned(), path);
        if !routes.contains(&route) {
            routes.push(route);
        }
    }
    let strangers = [
        ("nobody", None),
        ("a wrong token", Some("0123456789abcdef0123456789abcdef")),
        ("an empty token", Some("")),
    ];
    for (method, path) in &routes {
        if OPEN.contains(&(method.as_str(), path.as_str())) {
            continue;
        }
        for (who, token) in &strangers {
            let stranger = api.with_token(*token);
            let answer = stranger.send(method, path, &[], Some(&json!({}))).unwrap();
            assert_eq!(answer.status, 401, "{method} {path} to {who}: {}", answer.text());
            let text = answer.text();
            assert!(
                !text.contains(&study.patient_name) && !text.contains(&study.series_uid),
                "{method} {path}"
            );
        }
    }
    let health = api.with_token(None).json("/api/health").unwrap();
    assert_eq!(health["status"], "ok");
}

#[test]
fn a_session_opens_with_the_token_and_closes() {
    let (sidelight, _) = box_with_a_study();
    let token = &sidelight.ready().token;
    let stranger = sidelight.api().with_token(None);
    let refused = stranger.send("POST", "/api/session", &[], Some(&json!({ "token": "guess" }))).unwrap();
    assert_eq!(refused.status, 401, "{}", refused.text());
    assert_eq!(refused.header("set-cookie"), None);

    let opened = stranger.send("POST", "/api/session", &[], Some(&json!({ "token": token }))).unwrap();
    assert_eq!(opened.status, 204, "{}", opened.text());
    let cookie = opened.header("set-cookie").expect("a cookie").to_owned();
    let attributes = cookie.to_lowercase();
    assert!(attributes.contains("httponly") && attributes.contains("samesite=strict"), "{cookie}");
    assert!(!cookie.contains(token.as_str()), "the cookie is the token itself");
    let pair = cookie.split(';').next().unwrap();
    let with_cookie = [("Cookie", pair)];
    assert_eq!(stranger.send("GET", "/api/studies", &with_cookie, None).unwrap().status, 200);
    assert_eq!(stranger.send("GET", "/api/session", &with_cookie, None).unwrap().status, 204);

    assert_eq!(stranger.send("DELETE", "/api/session", &with_cookie, None).unwrap().status, 204);
    assert_eq!(stranger.send("GET", "/api/studies", &with_cookie, None).unwrap().status, 401);
    let query = format!("/api/studies?token={token}");
    assert_eq!(
        stranger.get(&query).unwrap().status,
        401,
        "the token works in an address, where logs keep it"
    );
}

#[test]
fn no_path_leads_out_of_what_is_served() {
    let (sidelight, study) = box_with_a_study();
    let ready = sidelight.ready();
    let site = std::fs::read_to_string(sidelight.folder().join("site.toml")).unwrap();
    let shell = sidelight.api().get("/").unwrap().text();
    let up = ["..", "%2e%2e", "..%2f..", "%2e%2e%2f%2e%2e", "..%5c..", "%252e%252e"];
    let starts = ["/", "/assets/", "/api/studies/", &format!("/api/studies/{}/series/", study.study_uid)];
    let ends = ["/site.toml", "/../site.toml", "/../../../../../../../../etc/passwd", "/frames/0.i16"];
    for start in starts {
        for climb in up {
            for end in ends {
                let path = format!("{start}{climb}{end}");
                let answer = raw_get(&ready.http, &path, &ready.token);
                assert!(!answer.contains("root:x:0"), "{path} reads /etc/passwd");
                assert!(!answer.contains(site.trim()), "{path} reads the site file");
                let status = answer.split(' ').nth(1).unwrap_or_default();
                // The application answers unknown addresses with its shell.
                let is_shell = status == "200" && answer.ends_with(&shell);
                assert!(status.starts_with('4') || is_shell, "{path}: {answer:.200}");
            }
        }
    }
}

/// A request line that no client library has tidied up.
fn raw_get(base: &str, path: &str, token: &str) -> String {
    let address = base.strip_prefix("http://").expect("a lab box speaks plain HTTP");
    let mut stream = TcpStream::connect(address).expect("the box listens");
    stream.set_read_timeout(Some(patience())).expect("a timeout");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("the box reads");
    let mut answer = Vec::new();
    // A box that hangs up on nonsense is right, too.
    let _reset = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    if text.is_empty() { "HTTP/1.1 400 (hung up)".into() } else { text }
}
