//! Structures on CT without a network: through the box as a finding, over the images and as DICOM objects; and against
//! labels that others drew.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_json::{Value, json};
use sidelight_kernels::structures::{Conditions, Structure, structures};
use sidelight_kernels::{Processor, Volume, Wish};
use sidelight_tests::peers::api::{Api, measurement};
use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::{Scratch, profile_folder};
use sidelight_tests::peers::validators::pdftotext;

use crate::heart_region::{nifti, real_data};
use crate::patients::{patient, written_to};
use crate::results_leave::{agrees, of_kind, with_reports};
use crate::studies::{note, only_study, report, shuffled, stack_order};

pub(crate) fn found(api: &Api, study: &str, states: &[&str]) -> Value {
    eventually(&format!("structures in state {states:?}"), || {
        let newest = api.findings_of(study, "structures").ok()?.into_iter().next()?;
        states.contains(&newest["state"].as_str()?).then_some(newest)
    })
}

/// Labels of every slice, as the API gives them.
pub(crate) fn labels(api: &Api, study: &str, finding: &Value) -> Vec<Vec<u8>> {
    let id = finding["id"].as_str().unwrap();
    let slices = finding["structures"]["slices"].as_u64().unwrap();
    let path = format!("/api/studies/{study}/findings/{id}/structures");
    let all = (0..slices).map(|slice| api.bytes(&format!("{path}/{slice}.u8")).unwrap()).collect();
    for wrong in [format!("{path}/{slices}.u8"), format!("{path}/0.f32"), format!("{path}/-1.u8")] {
        assert_eq!(api.get(&wrong).unwrap().status, 404, "{wrong}");
    }
    all
}

/// A segment's pixels are the labels of the finding, no pixel more. Segments by their numbers, with their labels.
pub(crate) fn check_segments(
    segmentation: &Value,
    segments: &[(&str, u8)],
    labels: &[Vec<u8>],
    columns: usize,
    stack: &[String],
) {
    for (number, label) in segments.iter().copied() {
        let images: BTreeMap<String, Vec<[usize; 3]>> =
            serde_json::from_value(segmentation["segments"][number].clone()).unwrap();
        for (slice, uid) in labels.iter().zip(stack) {
            let mut expected = vec![false; slice.len()];
            for [row, first, length] in images.get(uid).into_iter().flatten() {
                expected[row * columns + first..][..*length].fill(true);
            }
            let differ = slice.iter().zip(expected).filter(|(value, set)| (**value == label) != *set).count();
            assert_eq!(differ, 0, "segment {number} on {uid}");
        }
    }
}

#[test]
fn are_told_apart_shown_and_leave_as_objects() {
    let scratch = Scratch::new("chest").unwrap();
    let files = written_to(scratch.path());
    let sidelight = appliance().structures().start().unwrap();
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = found(&api, &study, &["preliminary", "failed", "not_applicable"]);
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    let ml = |name: &str| measurement(&finding, name).unwrap_or(0.0);
    note(&format!("{:#}", finding["structures"]["found"]));
    assert!((800.0..6000.0).contains(&ml("right lung")) && (800.0..6000.0).contains(&ml("left lung")));
    assert!((0.5..2.0).contains(&(ml("right lung") / ml("left lung"))), "{finding:#}");
    assert!(ml("bone") > 50.0 && ml("fat") > 100.0 && ml("lean") > 500.0 && ml("body") > 5000.0);

    let labels = labels(&api, &study, &finding);
    let dimensions = patient().volume.dimensions();
    let voxel_ml = patient().volume.geometry().pixel_area_mm2()
        * patient().volume.geometry().slice_increment_mm
        / 1000.0;
    let right = labels.iter().flatten().filter(|label| **label == 2).count();
    #[expect(clippy::cast_precision_loss, reason = "voxels of a small chest")]
    let counted_ml = right as f64 * voxel_ml;
    assert!((counted_ml - ml("right lung")).abs() < 0.01 * counted_ml, "{counted_ml} mL are labelled");

    // Calcium is reported too; its report carries another template.
    let objects = with_reports(&sidelight, 2);
    let reports = of_kind(&objects, "SR");
    let report = reports.iter().find(|report| report["measured"]["Right lung"].is_object()).unwrap();
    assert!(agrees(&report["measured"]["Right lung"]["118565006 mL"], ml("right lung")), "{report:#}");
    assert!(report["comments"].to_string().contains("no network"), "{report:#}");
    let detail = api.study(&study).unwrap();
    let segmentations = of_kind(&objects, "SEG");
    let lungs = |one: &&&Value| one["voxels"]["1"].as_u64() == Some(right as u64);
    let segmentation = segmentations.iter().find(lungs).expect("a segmentation with the right lung");
    let stack = stack_order(&detail["series"][0]);
    let segments = [("1", 2_u8), ("2", 3), ("3", 4), ("4", 5)];
    check_segments(segmentation, &segments, &labels, dimensions.columns as usize, &stack);
    let id = finding["id"].as_str().unwrap();
    let page = api.bytes(&format!("/api/studies/{study}/findings/{id}/report.pdf")).unwrap();
    let path = scratch.path().join("structures.pdf");
    std::fs::write(&path, page).unwrap();
    let text = pdftotext(&path).unwrap().succeeded().stdout;
    for words in ["Right lung", "automatic, unreviewed", "not for diagnosis", "no network"] {
        assert!(text.contains(words), "the page does not say {words:?}:\n{text}");
    }
    let review = format!("/api/studies/{study}/findings/{id}/review");
    let confirmed = api.post(&review, &json!({ "verdict": "confirmed", "reader": "Vane^Harriet" })).unwrap();
    assert!(confirmed["label"].as_str().unwrap().contains("confirmed by a reader"), "{confirmed:#}");
    on_the_page(&sidelight.viewer_url());
}

/// How many pixels of the overlay are blue: where lung is; without marks it is clear.
pub(crate) const BLUE_PIXELS: &str = "(() => {
    const canvas = document.querySelector('.image-area .overlay');
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let count = 0;
    for (let at = 0; at < pixels.length; at += 4) if (pixels[at + 3] > 60 && pixels[at + 2] > pixels[at] + 40) count += 1;
    return count;
})()";

fn on_the_page(url: &str) {
    let mut browser = Browser::at_first_study(url).unwrap();
    let card = "[...document.querySelectorAll('.finding')].find((one) => one.querySelector('.structures'))";
    browser.wait_for("the card", &format!("{card} !== undefined")).unwrap();
    let show = format!(
        "{card}.querySelectorAll('button').forEach((one) => {{ if (one.textContent === 'Show on the image') one.click(); }}) ?? true"
    );
    browser.evaluate(&show).unwrap();
    browser.wait_for("lungs in colour", &format!("{BLUE_PIXELS} > 5000")).unwrap();
    let picture = profile_folder().parent().unwrap().join("screenshots/structures.png");
    browser.screenshot(&picture).unwrap();
    report(&format!("screenshot: {}", picture.display()));
    assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
}

/// `TotalSegmentator` v2: five lobes (left: 10, 11), vertebrae and sacrum, arms to hips, skull, ribs and sternum. Costal
/// cartilage (117) is none of them.
fn is_lung(label: i16) -> bool {
    (10..=14).contains(&label)
}

fn is_left(label: i16) -> bool {
    (10..=11).contains(&label)
}

fn is_bone(label: i16) -> bool {
    matches!(label, 25..=50 | 69..=78 | 91 | 92..=116)
}

fn dice(found: impl Iterator<Item = bool>, truth: impl Iterator<Item = bool>) -> f64 {
    let (mut both, mut sum) = (0_u32, 0_u32);
    for (found, truth) in found.zip(truth) {
        both += u32::from(found && truth);
        sum += u32::from(found) + u32::from(truth);
    }
    2.0 * f64::from(both) / f64::from(sum)
}

#[test]
fn lungs_and_bone_are_where_others_drew_them_real_data() {
    // The labels belong to the small CT, voxel by voxel.
    let (Some(ct), Some(labels)) = (real_data("ct/example_ct_sm.nii.gz"), real_data("ct/example_seg.nii.gz"))
    else {
        return;
    };
    let (ct, labels) = (nifti::read(&ct).unwrap(), nifti::read(&labels).unwrap());
    assert_eq!(ct.dimensions, labels.dimensions);
    let volume = Volume::new(ct.dimensions, ct.geometry, ct.values).unwrap();
    let mut twin = Processor::open(Wish::Twin).unwrap();
    let found = structures(&mut twin, &volume, Conditions::default(), &mut |_, _| ControlFlow::Continue(()));
    let found = found.unwrap();
    let of = |wanted: &'static [Structure]| {
        found.labels.iter().map(move |label| wanted.iter().any(|structure| *structure as u8 == *label))
    };
    let truth = |is: fn(i16) -> bool| labels.values.iter().map(move |label| is(*label));
    let lungs = dice(of(&[Structure::RightLung, Structure::LeftLung]), truth(is_lung));
    let left = dice(of(&[Structure::LeftLung]), truth(is_left));
    let bone = dice(of(&[Structure::Bone]), truth(is_bone));
    report(&format!("structures: Dice of lungs {lungs:.3} (left {left:.3}), of bone {bone:.3}"));
    assert!(lungs >= 0.95 && left >= 0.95, "lungs {lungs:.3}, left {left:.3}");
    assert!(bone >= 0.80, "bone {bone:.3}");
}
