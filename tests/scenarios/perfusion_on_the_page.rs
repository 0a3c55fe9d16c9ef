//! A stroke team's page: five maps, the honest sentence above them, the volumes, and a voxel's curve under the pointer.

use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::scratch::{Scratch, profile_folder};
use sidelight_tests::phantoms::{Acquisition, BrainPatient, Pattern, write_time_points};

use crate::perfusion::perfused;
use crate::studies::{only_study, report};

/// Points at the middle of the CBF map as a mouse does.
const POINT_AT_THE_MAP: &str = "(() => {
    const tile = document.querySelector('[data-map=cbf] .tile');
    const area = tile.getBoundingClientRect();
    const at = { clientX: area.x + area.width / 2, clientY: area.y + area.height / 2, bubbles: true };
    tile.dispatchEvent(new PointerEvent('pointermove', at));
    return area.width > 100;
})()";

#[test]
fn shows_maps_volumes_and_a_curve() {
    let scratch = Scratch::new("brain").unwrap();
    let patient = BrainPatient {
        noise_hu: 2.0,
        acquisition: Acquisition::Shuttle,
        ..BrainPatient::small(4, Pattern::Stroke)
    };
    let files = write_time_points(patient.seed, &patient.dynamic(), scratch.path()).unwrap();
    let sidelight = appliance().start().unwrap();
    storescu(sidelight.dicom_port(), &files, &[]).unwrap().succeeded();
    let api = sidelight.api();
    perfused(&api, &only_study(&api), &["preliminary"]);
    let mut browser = Browser::open(&sidelight.viewer_url(), 1600, 1000).unwrap();
    let headline = "document.querySelector('[data-testid=study-row]')?.textContent?.includes('core')";
    browser.wait_for("the volumes in the list", headline).unwrap();
    browser.click("[data-testid=study-row]").unwrap();
    browser.wait_for("the maps", "document.documentElement.dataset.ready === 'maps'").unwrap();
    let statement = browser.text_of(".perfusion-statement").unwrap();
    assert_eq!(statement, "Validated on digital phantoms only; not for treatment selection.");
    let loaded =
        "document.querySelectorAll('.map-tile').length === 6 && !document.querySelector('.tile.loading')";
    browser.wait_for("all six tiles", loaded).unwrap();
    let volumes = browser.text_of(".volumes").unwrap();
    assert!(volumes.contains("Core") && volumes.contains("mL") && volumes.contains("Mismatch"), "{volumes}");
    assert_eq!(browser.evaluate(POINT_AT_THE_MAP).unwrap(), true);
    let value = "document.querySelector('[data-map=cbf] output')?.textContent";
    let value = browser.wait_for("the value under the pointer", value).unwrap();
    assert!(value.as_str().is_some_and(|value| value.parse::<f64>().is_ok()), "{value}");
    let curve = "document.querySelector('.curve-side')?.dataset.curve === 'voxel'";
    browser.wait_for("the voxel's curve", curve).unwrap();
    let picture = profile_folder().parent().unwrap().join("screenshots/perfusion.png");
    browser.screenshot(&picture).unwrap();
    report(&format!("screenshot: {}", picture.display()));
    assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
}
