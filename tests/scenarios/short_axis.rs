//! A heart that leans, on multi-phase CT: a reader shows its axis, the box cuts it, and contours drawn on the cut measure
//! what is true.

use serde_json::{Value, json};
use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::{Scratch, profile_folder};
use sidelight_tests::phantoms::CineHeart;

use crate::audit::events;
use crate::studies::{only_study, report, shuffled};
use crate::ventricle_contours::{READER, edit, is_true};

/// Of the axis from the middle of the heart to either end: both ends lie on slices.
const HALF_AXIS_MM: f64 = 42.5;
/// What the box cuts: slices of 8 mm, 200 x 200 pixels of 1 mm.
const SLICE_MM: f64 = 8.0;
const SIDE: usize = 200;

fn leaning(seed: u64) -> CineHeart {
    CineHeart { lean_rad: 0.6_f64.asin(), ..CineHeart::ct(seed) }
}

/// An end of the axis as a pixel: -1 for the base, 1 for the apex.
fn end(heart: &CineHeart, uids: &[Value], side: f64) -> Value {
    let [x, z] = [heart.lean_rad.sin(), heart.lean_rad.cos()].map(|part| part * HALF_AXIS_MM * side);
    let middle = |count: u32| f64::from(count - 1) / 2.0;
    let size = heart.dimensions;
    let slice = z / heart.slice_distance_mm + middle(size.slices);
    assert!(slice.fract() == 0.0, "{slice}");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a slice of the stack")]
    let image = slice as usize * heart.phases as usize;
    json!({
        "sop_instance_uid": uids[image],
        "column": x / heart.pixel_mm + middle(size.columns), "row": middle(size.rows),
    })
}

/// True borders on the slices that the box cut.
fn true_edits(heart: &CineHeart, slices: u64, phases: &[u32]) -> Vec<Value> {
    let middle = [(SIDE - 1) as f64 / 2.0; 2];
    let edit = |slice: u32, phase: u32| {
        let height_mm = (f64::from(slice) - 0.5) * SLICE_MM - HALF_AXIS_MM;
        let outlines = heart.outlines_at(height_mm, phase, middle, 1.0);
        let [inner, outer] = outlines.map_or_else(Default::default, |of| [of.endocardium, of.epicardium]);
        json!({ "slice": slice, "phase": phase, "endocardium": inner, "epicardium": outer })
    };
    let slices = 0..u32::try_from(slices).unwrap();
    slices.flat_map(|slice| phases.iter().map(move |phase| edit(slice, *phase))).collect()
}

/// Pixels of blood within 28 mm of the middle, where the right ventricle never is: of the phases of a slice the most and
/// the least.
fn blood(api: &Api, study: &str, series: &str, frames: std::ops::Range<usize>) -> [f64; 2] {
    let areas = frames.map(|frame| {
        let bytes = api.bytes(&format!("/api/studies/{study}/series/{series}/frames/{frame}.i16")).unwrap();
        let values = bytes.chunks(2).map(|two| i16::from_le_bytes([two[0], two[1]]));
        let near = |at: usize| {
            let away = |at: usize| (at as f64 - 99.5).powi(2);
            away(at % SIDE) + away(at / SIDE) < 28.0_f64.powi(2)
        };
        values.enumerate().filter(|(at, value)| near(*at) && *value > 235).count() as f64
    });
    let areas: Vec<f64> = areas.collect();
    [areas.iter().copied().fold(0.0, f64::max), areas.iter().copied().fold(f64::INFINITY, f64::min)]
}

#[test]
fn is_cut_where_a_reader_shows_the_hearts_axis() {
    let scratch = Scratch::new("ct").unwrap();
    let heart = leaning(21);
    let files = heart.write(scratch.path()).unwrap();
    let sidelight = appliance().site_line("study_quiet_s = 4", "study_quiet_s = 1").start().unwrap();
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let source = eventually("all of the series", || {
        let series = api.study(&study).ok()?["series"].as_array()?.first()?.clone();
        (series["stack"]["frames"] == 260).then_some(series)
    });
    let uids = source["stack"]["sop_instance_uids"].as_array().unwrap();
    let address = format!("/api/studies/{study}/series/{}/short_axis", source["uid"].as_str().unwrap());
    let (base, apex) = (end(&heart, uids, -1.0), end(&heart, uids, 1.0));
    refused(&api, &address, &base);
    let ask = json!({ "base": base, "apex": apex, "reader": READER });
    let made = api.post(&address, &ask).unwrap();
    assert_eq!((&made["slices"], &made["phases"]), (&json!(13), &json!(10)), "{made}");
    let series = made["series_uid"].as_str().unwrap();
    assert_eq!(api.post(&address, &ask).unwrap(), made, "the same wish makes the same series");

    let empty = eventually("the ventricle of the new series", || {
        let findings = api.findings_of(&study, "cardiac").ok()?;
        let of_it = findings.into_iter().find(|one| one["series_uid"] == series)?;
        (of_it["state"] == "not_applicable").then_some(of_it)
    });
    assert!(empty["reason"].as_str().unwrap().contains("no model for CT"), "{empty:#}");
    // The slice through the middle: half of the way along, its blood as large as the ellipse is.
    let middle = 6;
    let [largest, smallest] = blood(&api, &study, series, middle * 10..middle * 10 + 10);
    for (area, radii) in [(largest, heart.diastole_mm), (smallest, heart.systole_mm)] {
        let height_mm = (middle as f64 - 0.5) * SLICE_MM - HALF_AXIS_MM;
        let truth = std::f64::consts::PI * radii[0] * radii[1] * (1.0 - (height_mm / radii[2]).powi(2));
        assert!((area / truth - 1.0).abs() < 0.06, "{area} mm2 of blood, in truth {truth}");
    }
    let edits = true_edits(&heart, 13, &[0, heart.end_systole()]);
    let (status, drawn) = edit(&api, &study, &empty, &edits);
    assert_eq!((status, &drawn["state"]), (200, &json!("preliminary")), "{drawn:#}");
    is_true(&drawn, &heart);
    assert_eq!(events(&sidelight, "series_cut").len(), 2);
    on_the_page(&sidelight.viewer_url());
}

fn refused(api: &Api, address: &str, base: &Value) {
    let unknown = json!({ "sop_instance_uid": "1.2.3", "column": 1, "row": 1 });
    for (base, apex, word) in [(base, base, "30 to 180 mm"), (base, &unknown, "no image")] {
        let body = json!({ "base": base, "apex": apex, "reader": READER });
        let answer = api.send("POST", address, &[], Some(&body)).unwrap();
        assert!(answer.status == 422 && answer.text().contains(word), "{word}: {}", answer.text());
    }
}

/// The reader sets both ends with the pointer.
fn on_the_page(url: &str) {
    let mut browser = Browser::at_first_study(url).unwrap();
    browser.wait_for("the axis", "document.querySelector('[data-testid=axis-base]') !== null").unwrap();
    let press = "(() => {
        const area = document.querySelector('.image-area');
        const box = area.getBoundingClientRect();
        area.setPointerCapture = () => {};
        const at = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, pointerId: 1, bubbles: true };
        area.dispatchEvent(new PointerEvent('pointerdown', at));
        area.dispatchEvent(new PointerEvent('pointerup', at));
        return true;
    })()";
    browser.click("[data-testid=axis-base]").unwrap();
    browser.evaluate(press).unwrap();
    browser
        .wait_for(
            "the base",
            "document.querySelector('[data-testid=axis-base]').textContent.includes('image')",
        )
        .unwrap();
    browser.click("[data-testid=axis-apex]").unwrap();
    browser.evaluate(press).unwrap();
    browser
        .wait_for(
            "the apex",
            "document.querySelector('[data-testid=axis-apex]').textContent.includes('image')",
        )
        .unwrap();
    let picture = profile_folder().parent().unwrap().join("screenshots/axis.png");
    browser.screenshot(&picture).unwrap();
    report(&format!("screenshot: {}", picture.display()));
    // Both in one place: the box says what is wrong with that.
    let name = format!(
        "(() => {{ const field = document.querySelector('[data-testid=axis-reader]'); field.value = '{READER}'; \
         field.dispatchEvent(new Event('input', {{ bubbles: true }})); return true; }})()"
    );
    browser.evaluate(&name).unwrap();
    browser.click("[data-testid=axis-cut]").unwrap();
    browser
        .wait_for(
            "the refusal",
            "document.querySelector('.axis-setter .problem')?.textContent?.includes('180 mm')",
        )
        .unwrap();
}
