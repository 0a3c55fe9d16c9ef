//! A volume is cut open, straightened along a path, and looked at with what a finding found over it: by the stream, and at
//! the reading station.

use std::f64::consts::PI;

use serde_json::{Value, json};
use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::scratch::{Scratch, profile_folder};
use sidelight_tests::phantoms::sphere::{CENTER_MM, RADIUS_MM};
use tungstenite::Message;

use crate::patients::written_to;
use crate::rendered_view::{IS_STILL, box_with_ball, disc, picture, pictures, png, press, stream, words};
use crate::structures::found;
use crate::studies::{only_study, report, shuffled};

/// A still of 200 x 200 pixels of half a millimetre around the ball, from the front, with other wishes on top.
fn still(seq: u32, wishes: &Value) -> Message {
    let [x, y, z] = CENTER_MM;
    let mut request = json!({
        "seq": seq, "width": 200, "height": 200, "method": "maximum", "window": [-100, 1800], "moving": false,
        "viewpoint": { "position": [x, y - 300.0, z], "look_at": CENTER_MM, "up": [0, 0, 1], "height_mm": 100 },
    });
    for (key, value) in wishes.as_object().unwrap() {
        request[key] = value.clone();
    }
    Message::text(request.to_string())
}

#[test]
fn a_ball_is_cut_open_and_straightened() {
    let scratch = Scratch::new("ball").unwrap();
    let (sidelight, uids) = box_with_ball(&scratch);
    let (mut socket, scene) = stream(&sidelight, &pictures(&uids));
    assert_eq!(scene["legend"], json!([]));
    let [x, y, z] = CENTER_MM;
    // What is left behind a plane 20 mm behind the middle is a cap, whose disc is its foot.
    socket.send(still(1, &json!({ "keep": { "point": [0, y + 20.0, 0], "normal": [0, 1, 0] } }))).unwrap();
    let (area, middle) = disc(&png(&picture(&mut socket).2), 127);
    let foot = PI * (RADIUS_MM.powi(2) - 20.0_f64.powi(2)) / 0.25;
    // The first sample lies up to a step of 2 mm behind the plane, where the cap is narrower.
    assert!((0.85..1.03).contains(&(area / foot)), "{area} pixels, not {foot}");
    assert!(middle.iter().all(|at| (at - 100.0).abs() < 1.0), "{middle:?}");
    // Straightened along a line through its middle it is a disc of the same size, in the middle of the line.
    let path = [[x - 40.0, y, z], [x - 5.0, y, z], [x + 40.0, y, z]];
    for around in [0, 90] {
        let wishes = json!({ "path": path, "around_deg": around, "method": "average" });
        socket.send(still(2, &wishes)).unwrap();
        let (area, middle) = disc(&png(&picture(&mut socket).2), 127);
        let expected = PI * (RADIUS_MM * 199.0 / 80.0).powi(2);
        assert!((area / expected - 1.0).abs() < 0.03, "{area} pixels, not {expected}");
        assert!(middle.iter().all(|at| (at - 100.0).abs() < 1.0), "{middle:?}");
    }
    for (wishes, word) in [
        (json!({ "path": [[0, 0, 0]], "method": "average" }), "2 to 64 points"),
        (json!({ "path": path, "method": "volume" }), "maximum"),
        (json!({ "keep": { "point": [0, 0, 0], "normal": [0, 0, 0] } }), "plane"),
    ] {
        socket.send(still(3, &wishes)).unwrap();
        let said = words(&mut socket);
        assert!(said["error"].as_str().unwrap_or_default().contains(word), "{wishes}: {said}");
    }
}

/// Pixels that are bluer than red: the colour of lungs, and of nothing that is drawn without labels.
fn blue_pixels(file: &[u8]) -> usize {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let channels = reader.next_frame(&mut samples).unwrap().color_type.samples();
    samples.chunks(channels).filter(|pixel| pixel[2] > pixel[0].saturating_add(25)).count()
}

/// The volume of the series with a finding over it, and the names of its labels.
pub(crate) fn with_labels(sidelight: &Appliance, address: &str, center: &Value) -> (usize, Vec<String>) {
    let (mut socket, scene) = stream(sidelight, address);
    let center: [f64; 3] = serde_json::from_value(center.clone()).unwrap();
    let [x, y, z] = center;
    let viewpoint =
        json!({ "position": [x, y - 800.0, z], "look_at": center, "up": [0, 0, 1], "height_mm": 400 });
    socket.send(still(1, &json!({ "viewpoint": viewpoint, "method": "volume", "preset": "bone" }))).unwrap();
    let blue = blue_pixels(&picture(&mut socket).2);
    let legend = scene["legend"].as_array().unwrap();
    (blue, legend.iter().map(|shade| shade["name"].as_str().unwrap().to_owned()).collect())
}

fn series_of(api: &Api, study: &str) -> (String, Value) {
    let finding = found(api, study, &["preliminary", "provisional"]);
    (finding["series_uid"].as_str().unwrap().to_owned(), finding)
}

#[test]
fn structures_lie_over_the_volume() {
    let scratch = Scratch::new("chest").unwrap();
    let files = written_to(scratch.path());
    let sidelight = appliance().structures().start().unwrap();
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let (series, finding) = series_of(&api, &study);
    let address = format!("/api/studies/{study}/series/{series}/pictures");
    let id = finding["id"].as_str().unwrap();
    let (_, scene) = stream(&sidelight, &address);
    let center = &scene["center_mm"];
    let (without, legend) = with_labels(&sidelight, &address, center);
    assert!(without < 50 && legend.is_empty(), "{without} blue pixels, {legend:?}");
    let (with, legend) = with_labels(&sidelight, &format!("{address}?finding={id}&hidden=6,7"), center);
    assert!(with > 2000, "{with} blue pixels of 40000");
    assert!(legend.iter().any(|name| name.to_lowercase().contains("right lung")), "{legend:?}");
    let (hidden, _) = with_labels(&sidelight, &format!("{address}?finding={id}&hidden=2,3,6,7"), center);
    assert!(hidden * 4 < with, "{hidden} blue pixels without lungs, {with} with them");
    let (_, said) = stream(&sidelight, &format!("{address}?finding=no-such"));
    assert_eq!(said["kind"], "problem", "{said}");
    let (_, said) = stream(&sidelight, &format!("{address}?finding={id}&hidden=lungs"));
    assert!(said["error"].as_str().unwrap_or_default().contains("numbers"), "{said}");
    at_the_station(&sidelight.viewer_url());
}

/// Over the volume, cut open, and a path along the spine.
fn at_the_station(url: &str) {
    let mut browser = Browser::at_first_study(url).unwrap();
    press(&mut browser, "j");
    browser.wait_for("a still of the volume", IS_STILL).unwrap();
    let choose = "(() => {
        const choice = document.querySelector('[data-testid=overlay]');
        const option = [...choice.options].find((one) => one.textContent.includes('tructures'));
        choice.value = option.value;
        choice.dispatchEvent(new Event('change', { bubbles: true }));
        return true;
    })()";
    browser
        .wait_for("the choice of overlays", "document.querySelector('[data-testid=overlay]') !== null")
        .unwrap();
    browser.evaluate(choose).unwrap();
    browser.wait_for("the legend", "document.querySelectorAll('.shade').length >= 3").unwrap();
    for _ in 0..24 {
        press(&mut browser, "]");
    }
    browser
        .wait_for(
            "120 mm cut away",
            "document.querySelector('.bottom-left').textContent.includes('120 mm cut')",
        )
        .unwrap();
    browser.wait_for("its still", IS_STILL).unwrap();
    let folder = profile_folder().parent().unwrap().join("screenshots");
    browser.screenshot(&folder.join("volume-structures.png")).unwrap();

    press(&mut browser, "o");
    browser
        .wait_for(
            "the sagittal plane",
            "document.querySelector('.top-right').textContent.includes('Sagittal')",
        )
        .unwrap();
    browser.wait_for("its still", IS_STILL).unwrap();
    browser.click("[aria-label='Set points along a vessel']").unwrap();
    let points = "(() => {
        const area = document.querySelector('.volume-area');
        const box = area.getBoundingClientRect();
        for (const [x, y] of [[0.60, 0.25], [0.64, 0.5], [0.60, 0.75]]) {
            const at = { clientX: box.left + box.width * x, clientY: box.top + box.height * y, pointerId: 1, bubbles: true };
            area.setPointerCapture = () => {};
            area.dispatchEvent(new PointerEvent('pointerdown', at));
            area.dispatchEvent(new PointerEvent('pointerup', at));
        }
        return true;
    })()";
    browser.evaluate(points).unwrap();
    browser
        .wait_for("three points", "document.querySelector('.toolbar').textContent.includes('3 points')")
        .unwrap();
    browser.screenshot(&folder.join("path.png")).unwrap();
    press(&mut browser, "c");
    browser
        .wait_for(
            "the straightened slab",
            "document.querySelector('.top-right').textContent.includes('Straightened')",
        )
        .unwrap();
    browser.wait_for("its still", IS_STILL).unwrap();
    browser.screenshot(&folder.join("straightened.png")).unwrap();
    report(&format!("screenshots: {}/volume-structures.png, path.png, straightened.png", folder.display()));
    assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
}
