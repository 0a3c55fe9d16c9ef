//! A hospital's own networks: one model.toml each, asked about every series that it fits, answers through the whole box.
//!
//! The graphs are written by hand, so that every label is known: what is denser than 300.5 HU is "bright".

#[path = "../../models/tests/models/graph.rs"]
mod graph;

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::{Scratch, profile_folder};
use sidelight_tests::peers::validators::pdftotext;

use self::graph::{Oddity, THRESHOLD, network};
use crate::patients::{patient, written_to};
use crate::rendered_view::stream;
use crate::results_leave::{agrees, of_kind, with_reports};
use crate::structures::{BLUE_PIXELS, check_segments, labels};
use crate::studies::{only_study, report, shuffled, stack_order};
use crate::volume_tools::with_labels;

const STATEMENT: &str = "knows one threshold, trained on nothing";
const BRIGHT_HU: i16 = 300;

/// What differs from one bundle to the next.
struct Bundle {
    name: &'static str,
    oddity: Oddity,
    /// Of the manifest's images.
    images: String,
    demonstration: bool,
}

impl Bundle {
    /// Reads planes of CT as the phantom was scanned.
    fn planes(name: &'static str, modality: &str, sequence: &str) -> Self {
        let images = format!(
            "modality = {modality:?}\nplane = \"axial\"\nsequence = {sequence:?}\norientation = \"any\""
        );
        Self { name, oddity: THRESHOLD, images, demonstration: false }
    }

    /// Reads blocks, and finds everything one voxel further along the columns than it is.
    fn blocks(name: &'static str, slice_mm: f64) -> Self {
        let depth = format!("depth = {{ slice_mm = {slice_mm}, slices = 8 }}");
        let images =
            format!("modality = \"CT\"\nplane = \"any\"\nsequence = \"any\"\norientation = \"ras\"\n{depth}");
        Self { name, oddity: Oddity { moves_scans: true, ..THRESHOLD }, images, demonstration: false }
    }

    fn write(&self, parent: &Path) {
        let folder = parent.join(self.name);
        std::fs::create_dir_all(&folder).unwrap();
        let network = network(self.oddity);
        std::fs::write(folder.join("graph.onnx"), &network).unwrap();
        let (free, sides) =
            if self.oddity.moves_scans { ("-1, -1, -1", "1, 1, 2") } else { ("-1, -1", "1, 2") };
        npy(&folder.join("image.npy"), &format!("1, 1, {sides}"), &[0.25, 0.75]);
        let scores = if self.oddity.moves_scans { [1.0, 0.75, 0.0, 0.25] } else { [0.75, 0.25, 0.25, 0.75] };
        npy(&folder.join("scores.npy"), &format!("1, 2, {sides}"), &scores);
        let (digest, pixel_mm) = (sha256(&network), patient().volume.geometry().column_spacing_mm);
        let Self { name, images, demonstration, .. } = self;
        let manifest = format!(
            r#"name = "{name}"
version = "1.0.0"
task = "segmentation"
demonstration = {demonstration}
statement = "{STATEMENT}"
licence = "CC0-1.0"
intended_use = "tests"
trained_on = "nothing"
limits = ["knows one threshold"]
network.file = "graph.onnx"
network.sha256 = "{digest}"
network.opset = 17
network.memory_max_bytes = 1073741824
network.inputs = [{{ name = "image", element = "f32", shape = [-1, 1, {free}] }}]
network.outputs = [{{ name = "scores", element = "f32", shape = [-1, 2, {free}] }}]
golden = {{ inputs = {{ image = "image.npy" }}, outputs = {{ scores = "scores.npy" }}, tolerance = 1e-5 }}
labels = [{{ class = 1, name = "Bright tissue", snomed = "272673000", meaning = "Bone" }}]
[images]
{images}
pixel_mm = {pixel_mm}
patch = [264, 264]
overlap = 0.5
intensity = {{ window = [0.0, 601.0] }}
"#
        );
        std::fs::write(folder.join("model.toml"), manifest).unwrap();
    }
}

/// `numpy.save` of single-precision values.
fn npy(path: &Path, sides: &str, values: &[f32]) {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sides}), }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(path, [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &data].concat()).unwrap();
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A box with these networks, the phantom's CT sent to it, and what each network's finding says, by name.
fn asked(scratch: &Scratch, bundles: &[Bundle], site: (&str, &str)) -> (Appliance, String, Vec<Value>) {
    let folder = scratch.path().join("bundles");
    bundles.iter().for_each(|bundle| bundle.write(&folder));
    let sidelight = appliance()
        .networks(&folder)
        .site_line("study_quiet_s = 4", "study_quiet_s = 1")
        .site_line(site.0, site.1)
        .start()
        .unwrap();
    let api = sidelight.api();
    storescu(sidelight.dicom_port(), &shuffled(written_to(scratch.path())), &[]).unwrap().succeeded();
    let study = only_study(&api);
    let all = eventually("every network has answered", || {
        let findings = api.findings_of(&study, "segmentation").ok()?;
        let settled = ["preliminary", "failed", "not_applicable"];
        let settled = |one: &&Value| settled.contains(&one["state"].as_str().unwrap_or_default());
        (findings.iter().filter(settled).count() == bundles.len()).then_some(findings)
    });
    let of = |bundle: &Bundle| all.iter().find(|one| one["network"] == bundle.name).unwrap().clone();
    let findings = bundles.iter().map(of).collect();
    (sidelight, study, findings)
}

/// Labels that the graphs must give: bright, moved by so many columns as they are stored.
fn expected(moved: isize) -> Vec<Vec<u8>> {
    let volume = &patient().volume;
    let (columns, slice_len) = (volume.dimensions().columns as usize, volume.dimensions().slice_len());
    let bright = |row: &[i16], column: usize| {
        let from = column.checked_add_signed(-moved).and_then(|from| row.get(from));
        u8::from(from.is_some_and(|value| *value > BRIGHT_HU))
    };
    let slice = |slice: &[i16]| {
        let rows = slice.chunks(columns);
        rows.flat_map(|row| (0..columns).map(move |column| bright(row, column))).collect()
    };
    volume.hounsfield().chunks(slice_len).map(slice).collect()
}

#[test]
fn whatever_a_model_toml_names_is_labelled_shown_and_leaves_as_objects() {
    let scratch = Scratch::new("own_networks").unwrap();
    let bundles = [
        Bundle::planes("bright", "CT", "non-contrast"),
        Bundle::blocks("moved", patient().volume.geometry().slice_increment_mm),
        Bundle::planes("for_mr", "MR", "any"),
        Bundle::planes("with_contrast", "CT", "contrast"),
        Bundle::blocks("for_thin_slices", 0.5),
        Bundle { demonstration: true, ..Bundle::planes("lung_windows", "CT", "lung kernel") },
    ];
    let as_it_is = "allow_demonstration_models = true";
    let (sidelight, study, findings) = asked(&scratch, &bundles, (as_it_is, as_it_is));
    let [bright, moved, refused @ ..] = &findings[..] else { panic!("{findings:#?}") };
    for (finding, reason) in refused.iter().zip([
        "for_mr reads MR; the modality of this series is CT",
        "with_contrast reads images with contrast",
        "for_thin_slices was trained on slices 0.50 mm apart",
        "lung_windows reads the sequence \"lung kernel\"",
    ]) {
        assert_eq!(finding["state"], "not_applicable", "{finding:#}");
        assert!(finding["reason"].as_str().unwrap().starts_with(reason), "{reason}: {finding:#}");
        assert_eq!(finding["structures"], json!(null));
    }
    let api = sidelight.api();
    // The phantom's columns lead to the left, the network's to the right.
    for (finding, moved) in [(bright, 0), (moved, -1)] {
        let labels = labels(&api, &study, finding);
        let expected = expected(moved);
        let differ = labels.iter().flatten().zip(expected.iter().flatten()).filter(|(a, b)| a != b).count();
        assert_eq!(differ, 0, "voxels of {} are labelled otherwise", finding["network"]);
        says_what_it_rests_on(&api, &study, finding, &labels);
    }
    leaves(&sidelight, &scratch, &study, bright);
    let series = bright["series_uid"].as_str().unwrap();
    let address = format!("/api/studies/{study}/series/{series}/pictures");
    let (_, scene) = stream(&sidelight, &address);
    let over = format!("{address}?finding={}", bright["id"].as_str().unwrap());
    let (with, legend) = with_labels(&sidelight, &over, &scene["center_mm"]);
    assert_eq!(legend, ["Bright tissue"]);
    let (hidden, _) = with_labels(&sidelight, &format!("{over}&hidden=1"), &scene["center_mm"]);
    assert!(
        with > 100 && hidden < with / 4,
        "{with} blue pixels over the volume, {hidden} where it is hidden"
    );
    on_the_page(&sidelight.viewer_url());
}

fn says_what_it_rests_on(api: &Api, study: &str, finding: &Value, labels: &[Vec<u8>]) {
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    let geometry = patient().volume.geometry();
    #[expect(clippy::cast_precision_loss, reason = "voxels of a small chest")]
    let voxels = labels.iter().flatten().filter(|label| **label == 1).count() as f64;
    let ml = voxels * geometry.pixel_area_mm2() * geometry.slice_increment_mm / 1000.0;
    let [found] = &finding["structures"]["found"].as_array().unwrap()[..] else { panic!("{finding:#}") };
    assert_eq!(found["code"], json!({ "identifier": "272673000", "meaning": "Bone" }));
    assert!(
        (found["volume_ml"].as_f64().unwrap() - ml).abs() < 0.001 * ml && ml > 10.0,
        "{found} of {ml} mL"
    );
    assert!(found["colour"].is_array(), "{found}");
    for said in
        [&finding["label"], &finding["warnings"][0]["text"], &finding["structures"]["model"]["statement"]]
    {
        assert!(said.as_str().unwrap().contains(STATEMENT), "{said}");
    }
    let record = api.json(&format!("/api/studies/{study}/runs")).unwrap();
    let runs = record["runs"].as_array().unwrap();
    let run = runs.iter().find(|run| run["finding"] == finding["id"]).unwrap();
    assert_eq!((&run["analysis"], &run["model"]["name"]), (&json!("segmentation"), &finding["network"]));
    assert_eq!(run["answers"].as_array().map(Vec::len), Some(1), "{run:#}");
}

/// A segment with the very labels, a measurement, the statement in every object and on the page.
fn leaves(sidelight: &Appliance, scratch: &Scratch, study: &str, finding: &Value) {
    let api = sidelight.api();
    // Of calcium and of the two networks that were asked.
    let objects = with_reports(sidelight, 3);
    let labels = labels(&api, study, finding);
    let voxels = finding["structures"]["found"][0]["voxels"].as_u64().unwrap();
    let ml = finding["structures"]["found"][0]["volume_ml"].as_f64().unwrap();
    let reports = of_kind(&objects, "SR");
    let about = |one: &&&Value| agrees(&one["measured"]["Bright tissue"]["118565006 mL"], ml);
    let written = reports.iter().find(about).expect("a report of the network");
    assert!(written["comments"].to_string().contains(STATEMENT), "{written:#}");
    assert_eq!(written["templates"][0], "1500");
    let stack = stack_order(&api.study(study).unwrap()["series"][0]);
    let columns = patient().volume.dimensions().columns as usize;
    // The other network's has as many voxels, a column beside these.
    let first = labels.iter().position(|slice| slice.contains(&1)).unwrap();
    let at = labels[first].iter().position(|label| *label == 1).unwrap();
    let begins = |one: &&Value| {
        let run = &one["segments"]["1"][&stack[first]][0];
        (run[0].as_u64(), run[1].as_u64()) == (Some((at / columns) as u64), Some((at % columns) as u64))
    };
    let segmentations = of_kind(&objects, "SEG");
    let of_network = |one: &&&Value| one["voxels"]["1"].as_u64() == Some(voxels) && begins(one);
    let written = segmentations.iter().find(of_network).expect("a segmentation with every bright voxel");
    assert!(written["segments"]["2"].is_null(), "{written:#}");
    check_segments(written, &[("1", 1)], &labels, columns, &stack);
    let id = finding["id"].as_str().unwrap();
    let page = api.bytes(&format!("/api/studies/{study}/findings/{id}/report.pdf")).unwrap();
    let path = scratch.path().join("segmentation.pdf");
    std::fs::write(&path, page).unwrap();
    let text = pdftotext(&path).unwrap().succeeded().stdout;
    for words in ["Bright tissue", "by a network", "not for diagnosis", STATEMENT] {
        assert!(text.contains(words), "the page does not say {words:?}:\n{text}");
    }
}

fn on_the_page(url: &str) {
    let mut browser = Browser::at_first_study(url).unwrap();
    let card = "[...document.querySelectorAll('.finding')].find((one) => one.ariaLabel.endsWith(', bright'))";
    browser.wait_for("the card", &format!("{card}?.querySelector('.structures') != null")).unwrap();
    let said = browser.evaluate(&format!("{card}.textContent")).unwrap().to_string();
    assert!(said.contains("Bright tissue") && said.contains(STATEMENT), "{said}");
    let show = format!(
        "{card}.querySelectorAll('button').forEach((one) => {{ if (one.textContent === 'Show on the image') one.click(); }}) ?? true"
    );
    browser.evaluate(&show).unwrap();
    browser.wait_for("labels in colour", &format!("{BLUE_PIXELS} > 500")).unwrap();
    let picture = profile_folder().parent().unwrap().join("screenshots/segmentation.png");
    browser.screenshot(&picture).unwrap();
    report(&format!("screenshot: {}", picture.display()));
    browser.evaluate(&format!("{card}.querySelector('.structures input').click() ?? true")).unwrap();
    browser.wait_for("nothing in colour", &format!("{BLUE_PIXELS} === 0")).unwrap();
    assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
}

#[test]
fn a_demonstration_labels_nothing_where_the_site_allows_none() {
    let scratch = Scratch::new("no_demonstrations").unwrap();
    let bundle = Bundle { demonstration: true, ..Bundle::planes("bright", "CT", "any") };
    let site = ("allow_demonstration_models = true", "allow_demonstration_models = false");
    let (_, _, findings) = asked(&scratch, &[bundle], site);
    assert_eq!(findings[0]["state"], "not_applicable", "{:#}", findings[0]);
    let reason = findings[0]["reason"].as_str().unwrap();
    assert!(reason.contains("bright is a demonstration, and this site allows none"), "{reason}");
}
