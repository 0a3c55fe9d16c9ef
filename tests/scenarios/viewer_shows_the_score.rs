//! A person at the reading station sees the study arrive, opens it and finds the score on the page.

use std::time::Duration;

use serde_json::Value;
use sidelight_tests::peers::api::measurement;
use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::{patience, within};
use sidelight_tests::peers::scratch::{Scratch, profile_folder};
use sidelight_tests::phantoms::CalciumPatient;

use crate::studies::{finding_in_state, only_study, report, shuffled};

/// Whether any canvas of the page shows colour: marks do, CT slices do not.
const A_MARK_IS_DRAWN: &str = "[...document.querySelectorAll('canvas')].some(canvas => {
    const context = canvas.getContext('2d');
    if (!context || canvas.width < 100) return false;
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let coloured = 0;
    for (let at = 0; at < pixels.length; at += 4) {
        if (pixels[at + 3] > 100 && Math.abs(pixels[at] - pixels[at + 2]) > 60) coloured += 1;
    }
    return coloured > 20;
})";

/// Whether any canvas of the page shows more than a few greys.
const A_PICTURE_IS_PAINTED: &str = "[...document.querySelectorAll('canvas')].some(canvas => {
    const context = canvas.getContext('2d');
    if (!context || canvas.width < 100) return false;
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const colours = new Set();
    for (let at = 0; at < pixels.length; at += 4 * 97) colours.add(pixels[at]);
    return colours.size > 8;
})";

#[test]
fn the_score_is_on_the_page() {
    let scratch = Scratch::new("patient").unwrap();
    let patient = CalciumPatient::new(1);
    let files = shuffled(patient.write_dicom(scratch.path()).unwrap());
    let sidelight = appliance().start().unwrap();
    // Open before anything has come: the study must appear by itself.
    let mut browser = Browser::open(&sidelight.viewer_url(), 1600, 1000).unwrap();
    browser.wait_for("the application", "document.body.innerText").unwrap();
    assert_eq!(browser.evaluate("document.querySelectorAll('[data-testid=study-row]').length").unwrap(), 0);
    storescu(sidelight.dicom_port(), &files, &[]).unwrap().succeeded();
    let row = browser.text_of("[data-testid=study-row]").unwrap();
    assert!(row.contains("Phantom") || row.contains("PHANTOM"), "the row does not name the patient: {row:?}");

    let api = sidelight.api();
    let study = only_study(&api);
    let finding = finding_in_state(&api, &study, &["preliminary", "failed", "not_applicable"]);
    let agatston = measurement(&finding, "agatston").expect("a score");
    browser.click("[data-testid=study-row]").unwrap();
    browser.wait_for("a painted slice", A_PICTURE_IS_PAINTED).unwrap();
    let shown = format!("{:.0}", agatston.round());
    let score = format!("document.querySelector('[data-testid=score]')?.textContent?.includes('{shown}')");
    browser.wait_for(&format!("the score {shown}"), &score).unwrap();
    browser.wait_for("a lesion marked on the slice", A_MARK_IS_DRAWN).unwrap();
    let page = browser.evaluate("document.body.innerText").unwrap();
    let page = page.as_str().unwrap().to_lowercase();
    assert!(page.contains("unreviewed"), "the page does not say that nobody looked at it:\n{page}");

    let location = browser.evaluate("location.href").unwrap();
    assert!(!location.as_str().unwrap().contains(&sidelight.ready().token), "the token stays in the address");
    let picture = profile_folder().parent().unwrap().join("screenshots/study.png");
    // Marks and thumbnails may still be on their way; the picture is for people.
    let _settled = within(Duration::from_secs(1).min(patience()), || None::<Value>);
    browser.screenshot(&picture).unwrap();
    report(&format!("screenshot: {}", picture.display()));
    assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
}
