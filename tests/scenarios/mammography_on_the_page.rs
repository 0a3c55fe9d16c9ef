//! Marks on the page: listed with their view, shown on their own image, given a level by a reader; the network's own words
//! stand beside them.

use serde_json::Value;
use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::{Scratch, profile_folder};
use sidelight_tests::phantoms::{Examination, Intent};

use crate::mammography::{SEED, STATEMENT, examined};
use crate::studies::report;

const TYPE_THE_NAME: &str = "(() => {
    const field = document.querySelector('[data-testid=reader]');
    field.value = 'Vane^Harriet';
    field.dispatchEvent(new Event('input', { bubbles: true }));
    return field.value;
})()";
const CHOOSE_LEVEL_FIVE: &str = "(() => {
    const field = document.querySelector('select[aria-label=\"Level of mark 1\"]');
    field.value = '5';
    field.dispatchEvent(new Event('change', { bubbles: true }));
    return field.value;
})()";
/// Pixels of the overlay that are not empty: marks, numbers, heat.
const DRAWN: &str = "(() => {
    const canvas = document.querySelector('canvas.overlay');
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let drawn = 0;
    for (let at = 3; at < data.length; at += 4) if (data[at] > 0) drawn += 1;
    return drawn;
})()";

fn drawn(browser: &mut Browser) -> u64 {
    browser.evaluate(DRAWN).unwrap().as_u64().unwrap()
}

fn level_of_the_first(api: &Api, study: &str) -> Option<Value> {
    let findings = api.findings_of(study, "mammography").ok()?;
    let level = &findings.iter().find(|one| !one["marks"].is_null())?["marks"]["marks"][0]["reader_level"];
    level.is_number().then(|| level.clone())
}

#[test]
fn marks_are_listed_shown_and_given_a_level() {
    let scratch = Scratch::new("breasts").unwrap();
    let views = Examination::four_views(SEED, 2, Intent::Presentation).write(scratch.path()).unwrap();
    let (sidelight, api, study, _) = examined(&views);
    let mut browser = Browser::open(&sidelight.viewer_url(), 1600, 1000).unwrap();
    browser.click("[data-testid=study-row]").unwrap();
    browser.wait_for("the list of marks", "document.querySelector('.marks table') !== null").unwrap();
    let said = browser.text_of(".marks").unwrap();
    for words in [STATEMENT, "uncalibrated", "L MLO", "of 100"] {
        assert!(said.contains(words), "{words:?} is not said: {said}");
    }
    browser.click(".marks tbody button").unwrap();
    browser
        .wait_for("the mark that was chosen", "document.querySelector('.marks tbody.chosen') !== null")
        .unwrap();
    let marks =
        eventually("a mark on the image", || Some(drawn(&mut browser)).filter(|pixels| *pixels > 100));
    browser.click(".heat-choice input").unwrap();
    eventually("heat on the image", || (drawn(&mut browser) > marks + 200).then_some(()));
    let picture = profile_folder().parent().unwrap().join("screenshots/mammogram.png");
    browser.screenshot(&picture).unwrap();
    report(&format!("screenshot: {}", picture.display()));
    browser.evaluate(TYPE_THE_NAME).unwrap();
    browser.evaluate(CHOOSE_LEVEL_FIVE).unwrap();
    assert_eq!(eventually("the level in the box", || level_of_the_first(&api, &study)), 5);
    assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
}
