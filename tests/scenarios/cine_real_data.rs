//! Cine MR becomes an ejection fraction, and says what the number rests on (reference data).

use std::path::PathBuf;

use serde_json::Value;
use sidelight_tests::peers::api::{Api, measurement};
use sidelight_tests::peers::appliance::{Builder, appliance};
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::eventually;

use crate::sources::root;
use crate::studies::{note, only_study, report, shuffled};

/// One patient of the Sunnybrook data: 10 slices of 20 phases, and what the experts measured.
const PATIENT: &str = "SCD0000301";
const EDV_ML: f64 = 229.7;
const ESV_ML: f64 = 179.6;

pub(crate) fn cine(scenario: &str) -> Option<Vec<PathBuf>> {
    let folder = root().join("../shared/data/cine_mr/dicoms").join(PATIENT);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        report(&format!("skipped {scenario}: no reference data at {}", folder.display()));
        return None;
    };
    Some(entries.map(|entry| entry.expect("a readable folder").path()).collect())
}

fn measured(sidelight: Builder, files: Vec<PathBuf>, state: &str) -> Value {
    let sidelight = sidelight.site_line("study_quiet_s = 4", "study_quiet_s = 1").start().expect("a box");
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).expect("storescu").succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = eventually("a finding about the left ventricle", || cardiac(&api, &study));
    assert_eq!(finding["state"], state, "{finding:#}");
    finding
}

fn cardiac(api: &Api, study: &str) -> Option<Value> {
    let finding = api.findings_of(study, "cardiac").ok()?.into_iter().next()?;
    (finding["state"] != "provisional" && finding["state"] != "superseded").then_some(finding)
}

#[test]
fn cine_becomes_an_ejection_fraction_with_its_statement_real_data() {
    let Some(files) = cine("cine_becomes_an_ejection_fraction") else { return };
    let box_with_networks = appliance().networks(&root().join("models/bundles"));
    let finding = measured(box_with_networks, files, "preliminary");
    let value = |name: &str| measurement(&finding, name).unwrap_or_else(|| panic!("no {name}: {finding:#}"));
    let (edv, esv, ef) =
        (value("End-diastolic volume"), value("End-systolic volume"), value("Ejection fraction"));
    note(&format!("EDV {edv:.1} mL ({EDV_ML}), ESV {esv:.1} mL ({ESV_ML}), EF {ef:.1} %"));
    // The network learnt from this patient: here the path is tested, not the network.
    assert!((edv / EDV_ML - 1.0).abs() < 0.1 && (esv / ESV_ML - 1.0).abs() < 0.1, "{finding:#}");
    assert!((ef - (edv - esv) / edv * 100.0).abs() < 1e-6);
    assert!((value("Cardiac output") - (edv - esv) * value("Heart rate") / 1000.0).abs() < 1e-6);
    assert!((60.0..70.0).contains(&value("Heart rate")) && value("Myocardial mass") > 50.0);
    let label = finding["label"].as_str().unwrap();
    assert!(label.contains("unreviewed") && label.contains("demonstration"), "{label}");
    let part = &finding["cardiac"];
    assert!((part["slice_distance_mm"].as_f64().unwrap() - 8.0).abs() < 0.01, "not the slices' thickness");
    assert_eq!(part["cavity_ml"].as_array().unwrap().len(), 20);
    assert_eq!(part["model"]["name"], "cardiac_seg");
    let told = finding["warnings"].as_array().unwrap().iter();
    let statements = told.filter(|warning| {
        warning["text"].as_str().unwrap().contains("trained on three patients; demonstration")
    });
    assert_eq!(statements.count(), 1, "{finding:#}");
    let drawn = part["slices"].as_array().unwrap().iter();
    let with_cavity = drawn.filter(|slice| !slice["ed"]["cavity"].as_array().unwrap().is_empty()).count();
    assert!((8..=10).contains(&with_cavity), "{with_cavity} slices have a cavity");
}

#[test]
fn where_demonstrations_are_not_allowed_nothing_is_measured_real_data() {
    let Some(files) = cine("where_demonstrations_are_not_allowed") else { return };
    let strict = appliance()
        .networks(&root().join("models/bundles"))
        .site_line("allow_demonstration_models = true", "allow_demonstration_models = false");
    let finding = measured(strict, files, "not_applicable");
    let reason = finding["reason"].as_str().unwrap();
    assert!(reason.contains("no accepted model installed"), "{reason}");
    assert_eq!(finding["measurements"].as_array().map(Vec::len), Some(0));
}
