//! A reader changes the contours of a ventricle: measured again at once, in the place of the first result, on record, and
//! as objects that say so; and goes back.

#![expect(clippy::unwrap_used, reason = "every function here runs inside a test")]

use serde_json::{Value, json};
use sidelight_tests::peers::api::{Api, measurement};
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::{eventually, now};
use sidelight_tests::peers::scratch::{Scratch, profile_folder};
use sidelight_tests::phantoms::CineHeart;

use crate::audit::events;
use crate::results_leave::{agrees, of_kind, with_reports};
use crate::studies::{note, only_study, report, shuffled};
use crate::ventricle_results::{beating, check_numbers, check_segments, ventricle};

pub(crate) const READER: &str = "Vane^Harriet";

fn path(study: &str, finding: &Value) -> String {
    format!("/api/studies/{study}/findings/{}/contours", finding["id"].as_str().unwrap())
}

/// The true borders of every slice at these phases, as edits.
fn true_edits(heart: &CineHeart, phases: &[u32]) -> Vec<Value> {
    let images =
        phases.iter().flat_map(|phase| (0..heart.dimensions.slices).map(move |slice| (slice, *phase)));
    let edit = |(slice, phase)| match heart.outlines(slice, phase) {
        Some(outlines) => json!({
            "slice": slice, "phase": phase,
            "endocardium": outlines.endocardium, "epicardium": outlines.epicardium,
        }),
        None => json!({ "slice": slice, "phase": phase, "endocardium": [], "epicardium": [] }),
    };
    images.map(edit).collect()
}

pub(crate) fn edit(api: &Api, study: &str, finding: &Value, edits: &[Value]) -> (u16, Value) {
    let body = json!({ "edits": edits, "reader": READER });
    let answer = api.send("POST", &path(study, finding), &[], Some(&body)).unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// The sum of the areas inside a phase's borders times the distance, mL.
fn borders_ml(api: &Api, study: &str, finding: &Value, phase: &Value, pixel_mm: f64) -> f64 {
    let contours = api.json(&format!("{}/{phase}", path(study, finding))).unwrap();
    let area = |points: &Value| {
        let points: Vec<[f64; 2]> = serde_json::from_value(points.clone()).unwrap();
        let next = points.iter().cycle().skip(1);
        points.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>().abs() / 2.0
    };
    let slices = contours["slices"].as_array().unwrap().iter();
    let distance_mm = finding["cardiac"]["slice_distance_mm"].as_f64().unwrap();
    slices.map(|slice| area(&slice["endocardium"])).sum::<f64>() * pixel_mm * pixel_mm * distance_mm / 1000.0
}

/// A heart's true volumes, within two percent; its ejection fraction within two points.
pub(crate) fn is_true(finding: &Value, heart: &CineHeart) {
    let value = |name: &str| measurement(finding, name).unwrap();
    let (edv, esv) = (heart.cavity_ml(0), heart.cavity_ml(heart.end_systole()));
    for (name, truth) in [("End-diastolic volume", edv), ("End-systolic volume", esv)] {
        assert!((value(name) / truth - 1.0).abs() < 0.02, "{name}: {} mL, in truth {truth}", value(name));
    }
    let ef = (edv - esv) / edv * 100.0;
    note(&format!("EF {:.2} %, in truth {ef:.2} %", value("Ejection fraction")));
    assert!((value("Ejection fraction") - ef).abs() < 2.0, "{} of {ef} %", value("Ejection fraction"));
}

#[test]
fn is_measured_again_in_the_place_of_the_first_and_back() {
    let scratch = Scratch::new("cine").unwrap();
    let heart = CineHeart::mr(12);
    let (mut sidelight, api, study, first) = beating(heart.write(scratch.path()).unwrap());
    with_reports(&sidelight, 1);
    for phase in ["ed_phase", "es_phase"] {
        let phase = &first["cardiac"][phase];
        let measured =
            first["cardiac"]["cavity_ml"][usize::try_from(phase.as_u64().unwrap()).unwrap()].as_f64();
        let summed = borders_ml(&api, &study, &first, phase, heart.pixel_mm);
        assert!(
            (summed - measured.unwrap()).abs() < 0.1,
            "borders sum to {summed}, {measured:?} was measured"
        );
    }

    let edits = true_edits(&heart, &[0, heart.end_systole()]);
    let asked = now();
    let (status, edited) = edit(&api, &study, &first, &edits);
    report(&format!("contours of {} images changed and measured: {:.1?}", edits.len(), asked.elapsed()));
    assert_eq!((status, &edited["state"]), (200, &json!("preliminary")), "{edited:#}");
    let label = edited["label"].as_str().unwrap();
    assert!(label.contains("edited by a reader") && label.contains("demonstration"), "{label}");
    assert_eq!(edited["scope"], json!({ "kind": "edited", "of": first["id"], "reader": READER }));
    // What a finding was is reported only where it still held when the box came to it: the next change waits for that.
    with_reports(&sidelight, 3);
    // The network's other phases stay as they were, so the reader says which two these are.
    let body = json!({ "ed_phase": 0, "es_phase": heart.end_systole(), "reader": READER });
    let edited = api.post(&path(&study, &edited), &body).unwrap();
    is_true(&edited, &heart);
    let old =
        api.findings_of(&study, "cardiac").unwrap().into_iter().find(|one| one["id"] == first["id"]).unwrap();
    assert_eq!(old["state"], "superseded");
    assert!(!old["superseded_reason"].as_str().unwrap().contains("Vane"), "a name would leave the hospital");

    objects_follow(&sidelight, &edited);
    refused(&api, &study, &first, &edited);
    let confirm = format!("/api/studies/{study}/findings/{}/review", edited["id"].as_str().unwrap());
    let confirmed = api.post(&confirm, &json!({ "verdict": "confirmed", "reader": READER })).unwrap();
    assert!(confirmed["label"].as_str().unwrap().contains("edited, confirmed by a reader"), "{confirmed:#}");

    // It outlives the box and its index, and the network is not asked again.
    sidelight.terminate().expect("it stops");
    sidelight.command("rebuild-index").unwrap().succeeded();
    sidelight.restart().unwrap();
    let api = sidelight.api();
    let found = eventually("the study at rest", || {
        let at_rest = api.study(&study).ok()?["activity"]["state"] == "idle";
        at_rest.then(|| ventricle(&api, &study, &["confirmed"]))
    });
    assert_eq!((&found["id"], &found["measurements"]), (&edited["id"], &edited["measurements"]));
    goes_back(&sidelight, &study, &found, &first);
}

fn objects_follow(sidelight: &Appliance, edited: &Value) {
    // Three findings: the network's and the reader's first, both taken back, and what holds now.
    let objects = with_reports(sidelight, 5);
    let says = |report: &&&Value| report["comments"].to_string().contains("SUPERSEDED");
    assert_eq!(of_kind(&objects, "SR").iter().filter(says).count(), 2);
    let holds = |report: &&&Value| {
        let comments = report["comments"].to_string();
        comments.contains("changed by Vane^Harriet") && !comments.contains("SUPERSEDED")
    };
    let number = |report: &Value| report["measured"]["Function"]["8811-2 %"].as_f64();
    let newest = measurement(edited, "Ejection fraction").unwrap();
    let reports = of_kind(&objects, "SR");
    let mut held = reports.iter().filter(holds);
    let report = held.find(|report| number(report).is_some_and(|ef| (ef - newest).abs() < 1e-6)).unwrap();
    check_numbers(report, edited);
    let images = |segments: &Value| segments["segments"]["1"].to_string();
    let runs = edited["cardiac"]["slices"][6]["ed"]["cavity"].to_string();
    let drawn = |one: &&&Value| images(one).contains(&runs);
    check_segments(of_kind(&objects, "SEG").iter().find(drawn).expect("the reader's pixels"), edited);
}

/// To what the network found; nothing is left to undo then, and everything is on record.
fn goes_back(sidelight: &Appliance, study: &str, found: &Value, first: &Value) {
    let (api, reader) = (sidelight.api(), json!({ "reader": READER }));
    let back = api.post(&format!("{}/reset", path(study, found)), &reader).unwrap();
    assert_eq!((&back["state"], &back["label"]), (&json!("preliminary"), &first["label"]));
    assert_eq!(back["scope"]["kind"], "automatic");
    for one in first["measurements"].as_array().unwrap() {
        let name = one["name"].as_str().unwrap();
        assert!(agrees(&one["value"], measurement(&back, name).unwrap()), "{name}: {back:#}");
    }
    let again = api.send("POST", &format!("{}/reset", path(study, &back)), &[], Some(&reader));
    assert_eq!(again.unwrap().status, 409);
    let noted = events(sidelight, "contours_changed");
    assert_eq!(noted.len(), 3, "{noted:#?}");
    assert!(noted.iter().all(|event| event["who"]["user"] == READER));
    assert!(noted[0]["what"].as_str().unwrap().contains("slice 1 phase 1"), "{}", noted[0]);
}

/// What cannot be is refused in words and changes nothing.
fn refused(api: &Api, study: &str, superseded: &Value, finding: &Value) {
    let square = json!([[40, 40], [60, 40], [60, 60], [40, 60]]);
    let knot = json!([[40, 40], [60, 60], [60, 40], [40, 60]]);
    let image = |slice: u32, phase: u32, points: &Value| json!({ "slice": slice, "phase": phase, "endocardium": points, "epicardium": [] });
    assert_eq!(edit(api, study, superseded, &[image(5, 0, &square)]).0, 409, "a superseded finding");
    let unknown = json!({ "id": "none" });
    assert_eq!(edit(api, study, &unknown, &[image(5, 0, &square)]).0, 404);
    for (edits, word) in [
        (vec![image(5, 0, &knot)], "crosses"),
        (vec![image(5, 0, &square), image(99, 0, &square)], "slice 99"),
        (vec![], "change"),
        (vec![image(5, 0, &json!([[1, 1], [2, 2]]))], "points"),
    ] {
        let (status, answer) = edit(api, study, finding, &edits);
        assert!(
            status == 422 && answer["detail"].as_str().unwrap().contains(word),
            "{word}: {status} {answer}"
        );
    }
    let same = json!({ "ed_phase": 3, "es_phase": 3, "reader": READER });
    assert_eq!(api.send("POST", &path(study, finding), &[], Some(&same)).unwrap().status, 422);
    assert_eq!(api.get(&format!("{}/99", path(study, finding))).unwrap().status, 404);
    assert_eq!(
        ventricle(api, study, &["preliminary"])["id"],
        finding["id"],
        "something was changed after all"
    );
}

#[test]
fn of_multi_phase_ct_without_a_network_are_all_there_is() {
    let scratch = Scratch::new("ct").unwrap();
    let heart = CineHeart::ct(13);
    let files = heart.write(scratch.path()).unwrap();
    let sidelight = appliance().site_line("study_quiet_s = 4", "study_quiet_s = 1").start().unwrap();
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let empty = ventricle(&api, &study, &["not_applicable", "failed", "preliminary"]);
    assert_eq!(empty["state"], "not_applicable");
    assert!(empty["reason"].as_str().unwrap().contains("no model for CT"), "{empty:#}");
    assert_eq!(empty["measurements"], json!([]));
    for kind in ["calcium", "perfusion"] {
        let other = eventually("the other analyses' answers", || api.findings_of(&study, kind).ok()?.pop());
        assert_eq!(other["state"], "not_applicable", "{other:#}");
    }
    let one = edit(&api, &study, &empty, &true_edits(&heart, &[0]));
    assert!(one.0 == 422 && one.1["detail"].as_str().unwrap().contains("two phases"), "{one:?}");
    let (status, drawn) = edit(&api, &study, &empty, &true_edits(&heart, &[0, heart.end_systole()]));
    assert_eq!((status, &drawn["state"]), (200, &json!("preliminary")), "{drawn:#}");
    is_true(&drawn, &heart);
    assert_eq!(drawn["cardiac"]["model"], Value::Null);
    assert!(drawn["label"].as_str().unwrap().contains("drawn"), "{drawn:#}");
    let objects = with_reports(&sidelight, 1);
    let report = of_kind(&objects, "SR")[0];
    let ef = report["measured"]["Function"]["8810-4 %"].as_f64();
    assert!((ef.unwrap() - measurement(&drawn, "Ejection fraction").unwrap()).abs() < 1e-6, "{report:#}");
    check_segments(of_kind(&objects, "SEG")[0], &drawn);
    let back = api.post(&format!("{}/reset", path(&study, &drawn)), &json!({ "reader": READER })).unwrap();
    assert_eq!((&back["state"], &back["reason"]), (&json!("not_applicable"), &empty["reason"]));
}

/// Takes the first point of the inner border and pulls it outwards, as a mouse does.
const PULL_A_POINT: &str = "(() => {
    const area = document.querySelector('.image-area');
    const box = area.getBoundingClientRect();
    const [from, to] = window.sidelightTestPoints;
    const send = (kind, [x, y]) => area.dispatchEvent(new PointerEvent(kind, {
        clientX: box.x + x, clientY: box.y + y, bubbles: true, pointerId: 1, button: 0, buttons: 1,
    }));
    area.setPointerCapture = () => {};
    send('pointerdown', from); send('pointermove', to); send('pointerup', to);
    return true;
})()";

#[test]
fn are_dragged_on_the_page() {
    let scratch = Scratch::new("cine").unwrap();
    let (sidelight, api, study, first) = beating(CineHeart::mr(14).write(scratch.path()).unwrap());
    let mut browser = Browser::at_first_study(&sidelight.viewer_url()).unwrap();
    browser.wait_for("the button", "document.querySelector('[data-testid=edit-contours]') !== null").unwrap();
    browser.click("[data-testid=edit-contours]").unwrap();
    let there =
        "document.querySelector('[data-testid=contour-place]')?.textContent?.includes('end diastole')";
    browser.wait_for("the middle slice at end diastole", there).unwrap();
    // Redraw the inner border as a square around the heart, which stands in the middle.
    browser.click("[data-testid=redraw-endocardium]").unwrap();
    let square = "(() => {
        const area = document.querySelector('.image-area');
        const box = area.getBoundingClientRect();
        area.setPointerCapture = () => {};
        const send = (kind, x, y) => area.dispatchEvent(new PointerEvent(kind, {
            clientX: box.x + box.width / 2 + x, clientY: box.y + box.height / 2 + y,
            bubbles: true, pointerId: 1, button: 0, buttons: 1,
        }));
        send('pointerdown', -60, -60);
        for (let at = -60; at <= 60; at += 5) send('pointermove', at, -60);
        for (let at = -60; at <= 60; at += 5) send('pointermove', 60, at);
        for (let at = 60; at >= -60; at -= 5) send('pointermove', at, 60);
        for (let at = 60; at >= -55; at -= 5) send('pointermove', -60, at);
        send('pointerup', -60, -55);
        window.sidelightTestPoints = [[box.width / 2 - 60, box.height / 2 - 60], [box.width / 2 - 90, box.height / 2 - 90]];
        return true;
    })()";
    assert_eq!(browser.evaluate(square).unwrap(), true);
    assert_eq!(browser.evaluate(PULL_A_POINT).unwrap(), true);
    let count = "document.querySelector('[data-testid=save-contours]')?.textContent === 'Save 1 image'";
    browser.wait_for("one changed image", count).unwrap();
    let picture = profile_folder().parent().unwrap().join("screenshots/contours.png");
    browser.screenshot(&picture).unwrap();
    report(&format!("screenshot: {}", picture.display()));
    let name = format!(
        "(() => {{ const field = document.querySelector('[data-testid=contour-reader]'); field.value = '{READER}'; \
         field.dispatchEvent(new Event('input', {{ bubbles: true }})); return true; }})()"
    );
    assert_eq!(browser.evaluate(&name).unwrap(), true);
    browser.click("[data-testid=save-contours]").unwrap();
    browser
        .wait_for("the way back", "document.querySelector('[data-testid=reset-contours]') !== null")
        .unwrap();
    let edited = ventricle(&api, &study, &["preliminary"]);
    assert_eq!(edited["scope"]["of"], first["id"]);
    let contours = api.json(&format!("{}/{}", path(&study, &edited), edited["cardiac"]["ed_phase"])).unwrap();
    let drawn: Vec<&Value> =
        contours["slices"].as_array().unwrap().iter().filter(|slice| slice["edited"] == true).collect();
    assert_eq!(drawn.len(), 1, "{contours:#}");
    let points: Vec<[f64; 2]> = serde_json::from_value(drawn[0]["endocardium"].clone()).unwrap();
    let left = points.iter().map(|point| point[0]).fold(f64::INFINITY, f64::min);
    let second =
        points.iter().map(|point| point[0]).filter(|x| *x > left + 1e-9).fold(f64::INFINITY, f64::min);
    assert!(second - left > 2.0, "no point was pulled out of the square: {points:?}");
    assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
}
