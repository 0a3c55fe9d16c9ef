//! A reader says of every lesion in which vessel it lies, at the keyboard or through the API: per-vessel scores, CAC-DRS
//! and a verified report follow, and what was said outlives the box.

use serde_json::{Value, json};
use sidelight_tests::peers::api::{Api, measurement};
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::orthanc::Orthanc;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::{Scratch, profile_folder};
use sidelight_tests::peers::validators::read_by_highdicom;
use sidelight_tests::phantoms::{CalciumPatient, TrueLesion};

use crate::audit::{events, verify};
use crate::destinations::{box_with, stow};
use crate::patients::{patient, written_to};
use crate::results_leave::{agrees, of_kind, scored, with_reports};
use crate::sources::root;
use crate::studies::{assign_all, report};

const READER: &str = "Vane^Harriet";
/// Artery as the phantom names it, as the API does, its key, and its code in a report (CID 3015).
const ARTERIES: [(&str, &str, &str, &str); 4] = [
    ("LM", "lm", "7", "3227004"),
    ("LAD", "lad", "8", "59438005"),
    ("LCX", "lcx", "9", "57396003"),
    ("RCA", "rca", "0", "13647002"),
];

/// The written lesion that a listed one is.
fn truth_of(patient: &CalciumPatient, lesion: &Value) -> TrueLesion {
    let center = |axis: usize| lesion["center_px"][axis].as_f64().unwrap();
    let distance = |truth: &&TrueLesion| {
        let [column, row, slice] = truth.center.map(f64::from);
        let middle = slice + (truth.slices.len() as f64 - 1.0) / 2.0;
        (center(0) - column).hypot(center(1) - row) + (center(2) - middle).abs()
    };
    let nearest = patient.truth.lesions.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    nearest.expect("the patient has lesions").clone()
}

/// What the phantom says of one artery: lesions, Agatston score, volume.
fn truth_in(patient: &CalciumPatient, artery: &str) -> (usize, f64, f64) {
    let lesions: Vec<_> = patient.truth.lesions.iter().filter(|lesion| lesion.artery == artery).collect();
    let sum = |of: fn(&TrueLesion) -> f64| lesions.iter().map(|lesion| of(lesion)).sum::<f64>();
    (lesions.len(), sum(|lesion| lesion.agatston), sum(|lesion| lesion.volume_mm3))
}

fn lesions(finding: &Value) -> &Vec<Value> {
    finding["lesions"].as_array().unwrap()
}

/// Every artery's sums are the phantom's.
fn check_vessels(finding: &Value) {
    for (artery, vessel, ..) in ARTERIES {
        let (count, agatston, volume_mm3) = truth_in(patient(), artery);
        let sums = finding["calcium"]["vessels"].as_array().unwrap();
        let Some(sum) = sums.iter().find(|sum| sum["vessel"] == vessel) else {
            assert_eq!(count, 0, "{artery} is missing in {sums:#?}");
            continue;
        };
        assert_eq!(sum["lesions"], json!(count), "{artery}");
        assert!(agrees(&sum["agatston"], agatston), "{artery}: {sum} is not {agatston}");
        assert!(agrees(&sum["volume_mm3"], volume_mm3), "{artery}: {sum} is not {volume_mm3}");
    }
}

fn finding_now(api: &Api, study: &str, id: &Value) -> Value {
    let findings = api.findings_of(study, "calcium").unwrap();
    findings.into_iter().find(|finding| finding["id"] == *id).expect("the finding is still there")
}

const TYPE_THE_NAME: &str = "(() => {
    const field = document.querySelector('[data-testid=reader]');
    field.value = 'Vane^Harriet';
    field.dispatchEvent(new Event('input', { bubbles: true }));
    field.blur();
    return field.value;
})()";

fn press(browser: &mut Browser, key: &str) {
    let script = format!(
        "window.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true }})) || true"
    );
    browser.evaluate(&script).unwrap();
}

fn picture(browser: &mut Browser, name: &str) {
    let path = profile_folder().parent().unwrap().join(format!("screenshots/{name}.png"));
    browser.screenshot(&path).unwrap();
    report(&format!("screenshot: {}", path.display()));
}

/// Presses the key of each lesion's artery; the next lesion comes by itself.
fn assign_at_the_keyboard(browser: &mut Browser, finding: &Value) {
    press(browser, "n");
    let all = lesions(finding).len();
    for (lesion, done) in lesions(finding).iter().zip(1..) {
        let artery = truth_of(patient(), lesion).artery;
        let (.., key, _) = ARTERIES.into_iter().find(|(name, ..)| *name == artery).unwrap();
        press(browser, key);
        let said = if done == all { format!("All {all} lesions") } else { format!("{done} of {all} ") };
        let text = "document.querySelector('[data-testid=assigned]')?.textContent";
        browser.wait_for(&said, &format!("{text}?.startsWith('{said}')")).unwrap();
        if done == 3 {
            picture(browser, "calcium-assigning");
        }
    }
}

#[test]
fn a_reader_assigns_every_lesion_at_the_keyboard_and_a_verified_report_leaves() {
    let scratch = Scratch::new("patient").unwrap();
    let orthanc = Orthanc::start().unwrap();
    let wants_confirmed = stow("pacs", &orthanc.dicomweb_url(), false) + "results = \"confirmed\"\n";
    let sidelight = box_with(&wants_confirmed).start().unwrap();
    let files = written_to(scratch.path());
    let (api, study, finding) = scored(&sidelight, &files);
    let grades = &finding["calcium"]["cac_drs"];
    assert_eq!((&grades["n"], &grades["provisional"]), (&Value::Null, &json!(true)), "{grades}");
    assert_eq!(finding["category"]["provisional"], true);
    assert_eq!(finding["label"], "candidate calcium, automatic, unreviewed");

    let mut browser = Browser::open(&sidelight.viewer_url(), 1600, 1000).unwrap();
    browser.click("[data-testid=study-row]").unwrap();
    browser
        .wait_for("lesions in the list", "document.querySelectorAll('.lesions .number').length > 3")
        .unwrap();
    press(&mut browser, "n");
    press(&mut browser, "8");
    let asked = "document.querySelector('.review [role=alert]')?.textContent?.includes('your name')";
    browser.wait_for("the question for a name", asked).unwrap();
    picture(&mut browser, "calcium-unreviewed");
    browser.evaluate(TYPE_THE_NAME).unwrap();
    press(&mut browser, "Escape");
    assign_at_the_keyboard(&mut browser, &finding);
    let assigned = finding_now(&api, &study, &finding["id"]);
    check_vessels(&assigned);
    assert!(agrees(&json!(measurement(&assigned, "agatston")), patient().truth.agatston));
    let arteries = ARTERIES.iter().filter(|(artery, ..)| truth_in(patient(), artery).0 > 0).count();
    assert_eq!(assigned["calcium"]["cac_drs"]["n"], json!(format!("N{arteries}")));
    assert_eq!(assigned["category"]["provisional"], false);
    assert!(!assigned["label"].as_str().unwrap().contains("candidate"), "{}", assigned["label"]);
    picture(&mut browser, "calcium-assigned");
    looks_at_another_threshold(&mut browser);

    browser.click("[data-testid=confirm]").unwrap();
    let badge = "document.querySelector('[data-testid=finding-state]')?.dataset.state === 'confirmed'";
    browser.wait_for("the state on the card", badge).unwrap();
    picture(&mut browser, "calcium-confirmed");
    assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
    leaves_verified(&sidelight, &orthanc, &scratch);
}

const MOVE_THE_SLIDER: &str = "(() => {
    const slider = document.querySelector('[data-testid=threshold]');
    slider.closest('details').open = true;
    slider.scrollIntoView();
    slider.value = '90';
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    return true;
})()";

/// The page names what it shows, and forgets it at a key.
fn looks_at_another_threshold(browser: &mut Browser) {
    browser.evaluate(MOVE_THE_SLIDER).unwrap();
    let label = "document.querySelector('[data-testid=trial-label]')?.textContent";
    browser.wait_for("the non-standard label", &format!("{label} === 'Non-standard, T = 90 HU'")).unwrap();
    let note = "document.querySelector('.trial-note')?.textContent?.includes('Not a result')";
    browser.wait_for("the note over the image", note).unwrap();
    picture(browser, "calcium-threshold");
    press(browser, "Escape");
    browser.wait_for("the result again", "document.querySelector('.trial-note') === null").unwrap();
    press(browser, "?");
    picture(browser, "calcium-keys");
    press(browser, "Escape");
}

/// The confirmed report, read as the archive received it.
fn leaves_verified(sidelight: &Appliance, orthanc: &Orthanc, scratch: &Scratch) {
    let verified = eventually("a verified report", || {
        let objects = with_reports(sidelight, 2);
        of_kind(&objects, "SR").into_iter().find(|sr| sr["verification"] == "VERIFIED").cloned()
    });
    let sop = verified["sop"].as_str().unwrap();
    let bytes = eventually("the report at the archive", || orthanc.file(sop).ok());
    let path = scratch.path().join("received.dcm");
    std::fs::write(&path, bytes).unwrap();
    let received = read_by_highdicom(&root(), &[path]).unwrap().remove(0);
    assert_eq!(received["verified_by"], json!([READER]));
    for (artery, _, _, code) in ARTERIES {
        let (count, agatston, _) = truth_in(patient(), artery);
        let said = &received["vessels"][code];
        assert!(count == 0 && said.is_null() || agrees(said, agatston), "{artery}: {said} is not {agatston}");
    }
    let sites: Vec<&Value> = received["lesions"].as_array().unwrap().iter().map(|row| &row["site"]).collect();
    assert!(sites.iter().all(|site| ARTERIES.iter().any(|(.., code)| **site == *code)), "{sites:?}");
    let comments = received["comments"].to_string();
    assert!(comments.contains("CAC-DRS A") && !comments.contains("provisional"), "{comments}");
}

fn assign(api: &Api, study: &str, id: &Value, assignments: &Value) -> (u16, Value) {
    let path = format!("/api/studies/{study}/findings/{}/lesions", id.as_str().unwrap());
    let body = json!({ "assignments": assignments, "reader": READER });
    let answer = api.send("POST", &path, &[], Some(&body)).unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

#[test]
fn what_is_not_coronary_counts_for_nothing_and_what_was_said_outlives_a_kill_and_the_index() {
    let scratch = Scratch::new("patient").unwrap();
    let mut sidelight = appliance().start().unwrap();
    let (api, study, finding) = scored(&sidelight, &written_to(scratch.path()));
    let id = &finding["id"];
    with_reports(&sidelight, 1);
    for (assignments, status) in [
        (json!([{ "lesion": 1, "vessel": "vein" }]), 422),
        (json!([{ "lesion": 999, "vessel": "lad" }]), 422),
        (json!([]), 422),
    ] {
        assert_eq!(assign(&api, &study, id, &assignments).0, status, "{assignments}");
    }
    let all = lesions(&finding);
    let outside = json!([
        { "lesion": 1, "vessel": "aorta" },
        { "lesion": 2, "vessel": "valve" },
        { "lesion": 3, "vessel": "other" },
    ]);
    let (status, partly) = assign(&api, &study, id, &outside);
    assert_eq!(status, 200, "{partly}");
    let rest: f64 = all[3..].iter().map(|lesion| lesion["agatston"].as_f64().unwrap()).sum();
    assert!(agrees(&json!(measurement(&partly, "agatston")), rest), "{partly:#}");
    assert_eq!(partly["label"], "candidate calcium, automatic, unreviewed");
    let rest: Vec<Value> =
        all[3..].iter().map(|lesion| json!({ "lesion": lesion["number"], "vessel": "rca" })).collect();

    sidelight.kill9();
    sidelight.restart().unwrap();
    let (_, assigned) = assign(&sidelight.api(), &study, id, &json!(rest));
    assert_eq!(assigned["calcium"]["cac_drs"]["n"], "N1");
    let objects = with_reports(&sidelight, 2);
    let newest = of_kind(&objects, "SR").into_iter().find(|sr| sr["predecessors"] != json!([])).unwrap();
    let listed = newest["lesions"].as_array().unwrap();
    let scores: Vec<bool> = listed.iter().map(|lesion| lesion["agatston"].is_null()).collect();
    assert!(scores[..3].iter().all(|none| *none) && !scores[3..].contains(&true), "{listed:#?}");
    assert_eq!((&listed[0]["site"], &newest["verification"]), (&json!("15825003"), &json!("UNVERIFIED")));

    assert!(sidelight.terminate().unwrap().success());
    let said = events(&sidelight, "lesions_assigned");
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said[0].to_string().contains(READER) && said[0].to_string().contains("1 aorta"), "{}", said[0]);
    verify(&sidelight).succeeded();
    sidelight.command("rebuild-index").unwrap().succeeded();
    sidelight.restart().unwrap();
    assert_eq!(finding_now(&sidelight.api(), &study, id), assigned);
}

#[test]
fn a_region_that_a_reader_drew_becomes_objects_and_can_be_confirmed() {
    let scratch = Scratch::new("patient").unwrap();
    let sidelight = appliance().start().unwrap();
    let (api, study, automatic) = scored(&sidelight, &written_to(scratch.path()));
    with_reports(&sidelight, 1);
    let largest = &lesions(&automatic)[0];
    let slices: Vec<u64> =
        largest["slices"].as_array().unwrap().iter().map(|part| part["slice"].as_u64().unwrap()).collect();
    let shape = json!({
        "shape": "circle",
        "center_px": [largest["center_px"][0], largest["center_px"][1]],
        "radius_px": 8,
        "first_slice": slices.iter().min(),
        "last_slice": slices.iter().max(),
    });
    let id = json!(api.score_region(&study, automatic["series_uid"].as_str().unwrap(), &shape).unwrap());
    let drawn = eventually("the drawn finding", || {
        let findings = api.findings_of(&study, "calcium").ok()?;
        findings.into_iter().find(|finding| finding["id"] == id)
    });
    assert_eq!((&drawn["state"], &drawn["category"]), (&json!("preliminary"), &Value::Null), "{drawn:#}");
    assert_eq!(drawn["label"], "candidate calcium in a drawn region, unreviewed");
    let objects = with_reports(&sidelight, 2);
    let of_drawn = |objects: &[Value], verification: &str| -> Option<Value> {
        let named = |sr: &&Value| sr["comments"].to_string().contains("region drawn by");
        let reports = of_kind(objects, "SR");
        reports.into_iter().filter(named).find(|sr| sr["verification"] == verification).cloned()
    };
    let first = of_drawn(&objects, "UNVERIFIED").expect("a report of the drawn region");
    assert!(agrees(&first["agatston"], measurement(&drawn, "agatston").unwrap()), "{first:#}");
    assert_eq!(of_kind(&objects, "SEG").len(), 2, "a segmentation of each finding");
    assign_all(&api, &study, &drawn, "lad", READER);
    let path = format!("/api/studies/{study}/findings/{}/review", id.as_str().unwrap());
    api.post(&path, &json!({ "verdict": "confirmed", "reader": READER })).unwrap();
    eventually("a verified report of the drawn region", || {
        let objects = with_reports(&sidelight, 3);
        of_kind(&objects, "SR").iter().any(|sr| sr["verified_by"] == json!([READER])).then_some(())
    });
}
