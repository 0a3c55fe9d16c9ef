//! A reader confirms a result on the page: the name is asked for, the card says so, the report changes with it.

use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::scratch::{Scratch, profile_folder};

use crate::patients::written_to;
use crate::studies::{assign_all, finding_in_state, only_study, report};

/// Types as a person does: the value, then the event the page listens to.
const TYPE_THE_NAME: &str = "(() => {
    const field = document.querySelector('[data-testid=reader]');
    field.value = 'Vane^Harriet';
    field.dispatchEvent(new Event('input', { bubbles: true }));
    return field.value;
})()";

#[test]
fn a_reader_confirms_and_the_card_says_who() {
    let scratch = Scratch::new("patient").unwrap();
    let sidelight = appliance().start().unwrap();
    storescu(sidelight.dicom_port(), &written_to(scratch.path()), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = finding_in_state(&api, &study, &["preliminary"]);
    assign_all(&api, &study, &finding, "rca", "Vane^Harriet");
    let mut browser = Browser::open(&sidelight.viewer_url(), 1600, 1000).unwrap();
    browser.click("[data-testid=study-row]").unwrap();
    browser.click("[data-testid=confirm]").unwrap();
    let asked = "document.querySelector('.review [role=alert]')?.textContent?.includes('your name')";
    browser.wait_for("the question for a name", asked).unwrap();
    browser.evaluate(TYPE_THE_NAME).unwrap();
    let picture = profile_folder().parent().unwrap().join("screenshots/review.png");
    browser.screenshot(&picture).unwrap();
    report(&format!("screenshot: {}", picture.display()));
    browser.click("[data-testid=confirm]").unwrap();
    let badge = "document.querySelector('[data-testid=finding-state]')?.dataset.state === 'confirmed'";
    browser.wait_for("the state on the card", badge).unwrap();
    let named = "document.querySelector('.state-line')?.textContent?.includes('Vane^Harriet')";
    browser.wait_for("the reader's name on the card", named).unwrap();
    let gone = "document.querySelector('[data-testid=confirm]') === null";
    browser.wait_for("nothing left to confirm", gone).unwrap();
    finding_in_state(&api, &study, &["confirmed"]);
    assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
}
