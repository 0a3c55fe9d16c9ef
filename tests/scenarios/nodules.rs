//! Nodules of a chest are marked by a network in the volume that was scanned, and only where a chest was.

use serde_json::Value;
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::Scratch;
use sidelight_tests::phantoms::{Encoding, Family, NodulePatient, TrueNodule, write};

use crate::mammography::STATEMENT;
use crate::results_leave::{agrees, of_kind, with_reports};
use crate::sources::root;
use crate::studies::{note, only_study, shuffled};

/// A patient of the training family with three nodules.
const SEED: u64 = 5_000_005;

/// A box with networks, one chest in it, and what it says of its nodules.
pub(crate) fn chest(scratch: &Scratch) -> (Appliance, String, Value, Vec<TrueNodule>) {
    let patient = NodulePatient::new(SEED, Family::Training, 3);
    let grid = patient.grid(0.9, 1.5);
    let files = write(&patient.series(&grid), Encoding::ExplicitLittleEndian, scratch.path()).unwrap();
    let sidelight = appliance()
        .networks(&root().join("models/bundles"))
        .site_line("study_quiet_s = 4", "study_quiet_s = 1")
        .start()
        .unwrap();
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = eventually("nodules are looked for", || {
        let newest = api.findings_of(&study, "nodules").ok()?.into_iter().next()?;
        let settled = ["preliminary", "failed", "not_applicable"];
        settled.contains(&newest["state"].as_str()?).then_some(newest)
    });
    (sidelight, study, finding, patient.nodules(&grid))
}

#[test]
fn marks_stand_on_the_nodules_of_a_chest() {
    let scratch = Scratch::new("chest").unwrap();
    let (sidelight, _, finding, truth) = chest(&scratch);
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    let marks = finding["marks"]["marks"].as_array().unwrap();
    let step_mm = [0.9, 0.9, 1.5];
    let hits = truth.iter().filter(|nodule| {
        let near = |mark: &&Value| {
            let apart = [0, 1, 2].map(|axis| {
                (mark["center_px"][axis].as_f64().unwrap() - nodule.at_voxel[axis]) * step_mm[axis]
            });
            apart.iter().map(|mm| mm * mm).sum::<f64>().sqrt() <= (nodule.diameter_mm / 2.0).max(5.0)
        };
        marks.iter().any(|mark| near(&mark))
    });
    let hits = hits.count();
    note(&format!("{hits} of {} nodules, {} marks", truth.len(), marks.len()));
    assert!(hits >= 2 && truth.len() == 3, "{hits} of {truth:?}: {marks:#?}");
    assert!(marks.len() <= hits + 2, "{marks:#?}");
    assert!(finding["label"].as_str().unwrap().contains(STATEMENT), "{finding:#}");
    leaves_as_objects(&sidelight, &finding);
}

/// A group of measurements for each mark, and a segment around its place on the very images.
fn leaves_as_objects(sidelight: &Appliance, finding: &Value) {
    // The same chest has no calcium: its report is the other one.
    let objects = eventually("a report of the nodules", || {
        let objects = with_reports(sidelight, 1);
        let about =
            |one: &&Value| one["measured"].as_object().is_some_and(|groups| groups.contains_key("Mark 1"));
        of_kind(&objects, "SR").iter().any(about).then_some(objects.clone())
    });
    let reports = of_kind(&objects, "SR");
    let report = reports.iter().find(|one| one["measured"]["Mark 1"].is_object()).unwrap();
    assert_eq!(report["templates"][0], "1500");
    assert!(report["comments"].to_string().contains(STATEMENT), "{report:#}");
    let segmentations = of_kind(&objects, "SEG");
    let marks = finding["marks"]["marks"].as_array().unwrap();
    for mark in marks {
        let number = mark["number"].as_u64().unwrap();
        let said = &report["measured"][format!("Mark {number}")];
        assert!(agrees(&said["81827009 mm"], mark["diameter_mm"].as_f64().unwrap()), "{said} of {mark}");
        assert!(agrees(&said["111012 %"], mark["suspicion_percent"].as_f64().unwrap()), "{said} of {mark}");
        let on = mark["sop_instance_uid"].as_str().unwrap();
        let [column, row] = [0, 1].map(|axis| mark["center_px"][axis].as_f64().unwrap().round());
        let covered = segmentations.iter().any(|one| {
            let runs = one["segments"][number.to_string()][on].as_array().cloned().unwrap_or_default();
            runs.iter().any(|run| {
                let [line, first, length] = [0, 1, 2].map(|at| run[at].as_f64().unwrap());
                (line - row).abs() < 0.5 && column >= first && column < first + length
            })
        });
        assert!(covered, "segment {number} does not cover its mark: {mark}");
    }
}
