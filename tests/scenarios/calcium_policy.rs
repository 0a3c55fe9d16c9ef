//! A score a cardiologist can defend: which thresholds, whose calibration, and what the pictures say against it, for
//! patients whose truth is known.

use serde_json::{Value, json};
use sidelight_kernels::Volume;
use sidelight_tests::peers::api::{Api, measurement};
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::scratch::Scratch;
use sidelight_tests::phantoms::{CalciumPatient, Encoding, Scan, Series, Turn, write};

use crate::patients::patient;
use crate::results_leave::{agrees, of_kind, with_reports};
use crate::studies::{finding_in_state, only_study, shuffled};

const AGATSTON_HU: [i16; 4] = [130, 200, 300, 400];

/// Agatston score, volume and sum of Hounsfield units by the book on the coronary arteries, slice by slice,
/// 8-connected: nothing here is the product's.
fn by_the_book(patient: &CalciumPatient, starts_hu: [i16; 4]) -> (f64, f64, f64) {
    let (size, geometry) = (patient.volume.dimensions(), patient.volume.geometry());
    let (mut agatston, mut pixels, mut hounsfield) = (0.0, 0.0, 0.0);
    for slice in 0..size.slices {
        let value = |at: (u32, u32)| patient.volume.slice(slice)[(at.1 * size.columns + at.0) as usize];
        let all = (0..size.rows).flat_map(|row| (0..size.columns).map(move |column| (column, row)));
        let mut left: std::collections::BTreeSet<(u32, u32)> = all
            .filter(|at| patient.coronary.contains(at.0, at.1, slice) && value(*at) >= starts_hu[0])
            .collect();
        while let Some(first) = left.pop_first() {
            let mut lesion = vec![first];
            let mut next = 0;
            while let Some((column, row)) = lesion.get(next).copied() {
                next += 1;
                let near = (row - 1..=row + 1).flat_map(|y| (column - 1..=column + 1).map(move |x| (x, y)));
                lesion.extend(near.filter(|at| left.remove(at)));
            }
            let area_mm2 = lesion.len() as f64 * geometry.pixel_area_mm2();
            if area_mm2 < 1.0 - 1e-9 {
                continue;
            }
            let peak = lesion.iter().map(|at| value(*at)).max().unwrap();
            let weight = starts_hu.iter().filter(|start| peak >= **start).count() as f64;
            agatston += weight * area_mm2 * geometry.slice_increment_mm / 3.0;
            pixels += lesion.len() as f64;
            hounsfield += lesion.iter().map(|at| f64::from(value(*at))).sum::<f64>();
        }
    }
    let voxel_mm3 = geometry.pixel_area_mm2() * geometry.slice_increment_mm;
    (agatston, pixels * voxel_mm3, hounsfield * voxel_mm3)
}

fn codes(finding: &Value) -> Vec<String> {
    let warnings = finding["warnings"].as_array().unwrap().iter();
    warnings.map(|warning| warning["code"].as_str().unwrap().to_owned()).collect()
}

/// A box with these lines in its site file, and what it found in the series.
fn found(series: &Series, calcium: &str) -> (Appliance, Api, String, Value) {
    let scratch = Scratch::new("patient").unwrap();
    let files = write(series, Encoding::ExplicitLittleEndian, scratch.path()).unwrap();
    let sidelight = appliance()
        .site_line("study_quiet_s = 4", "study_quiet_s = 1")
        .site_line("[archive]", &format!("{calcium}\n[archive]"))
        .start()
        .unwrap();
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = finding_in_state(&api, &study, &["preliminary", "failed", "not_applicable"]);
    (sidelight, api, study, finding)
}

fn taken_at(kvp: Option<f64>) -> Series {
    let mut series = patient().series();
    series.ct.kvp = kvp;
    series
}

#[test]
fn another_voltage_without_a_table_is_scored_at_130_hu_labelled_and_without_category() {
    for (kvp, label) in [(Some(100.0), "130 HU, 100 kVp"), (None, "130 HU, unknown kVp")] {
        let (sidelight, _, _, finding) = found(&taken_at(kvp), "");
        assert!(agrees(&json!(measurement(&finding, "agatston")), patient().truth.agatston), "{finding:#}");
        assert!(finding["label"].as_str().unwrap().ends_with(label), "{}", finding["label"]);
        assert_eq!((&finding["category"], &finding["calcium"]["cac_drs"]), (&Value::Null, &Value::Null));
        assert_eq!(codes(&finding), ["tube_voltage"]);
        let objects = with_reports(&sidelight, 1);
        let report = of_kind(&objects, "SR")[0];
        assert!(report["comments"][0].as_str().unwrap().ends_with(label), "{report:#}");
    }
}

#[test]
fn a_table_that_the_site_names_is_used_as_it_stands_and_a_kv_independent_kernel_is_not_corrected() {
    let table = "[calcium]\nkvp_table = \"graeni_2018\"\n";
    let (sidelight, _, _, finding) = found(&taken_at(Some(100.0)), table);
    let (agatston, volume_mm3, _) = by_the_book(patient(), [145, 222, 334, 446]);
    assert!((agatston - patient().truth.agatston).abs() > 1.0, "the table changes nothing here");
    assert!(agrees(&json!(measurement(&finding, "agatston")), agatston), "{finding:#}");
    assert!(agrees(&json!(measurement(&finding, "volume")), volume_mm3), "{finding:#}");
    assert!(finding["category"]["text"].is_string(), "{finding:#}");
    assert!(finding["label"].as_str().unwrap().contains("145/222/334/446 HU at 100 kVp"), "{finding:#}");
    let objects = with_reports(&sidelight, 1);
    let report = of_kind(&objects, "SR")[0];
    assert_eq!(report["threshold"], 145.0);
    assert!(report["comments"].to_string().contains("Graeni 2018"), "{report:#}");
    drop(sidelight);

    let kernel = format!(
        "{table}[[calcium.kv_independent]]\nconvolution_kernel = \"Sa36\"\nprovenance = \"the vendor's guide\"\n"
    );
    let mut series = taken_at(Some(100.0));
    series.ct.convolution_kernel = "Sa36".into();
    let (_sidelight, _, _, finding) = found(&series, &kernel);
    assert!(agrees(&json!(measurement(&finding, "agatston")), patient().truth.agatston), "{finding:#}");
    assert_eq!((codes(&finding).len(), finding["category"]["text"].is_string()), (0, true), "{finding:#}");
    assert!(finding["calcium"]["scoring"]["method"].as_str().unwrap().contains("vendor's guide"));
}

#[test]
fn mass_is_weighed_with_a_named_calibration_and_not_without_one() {
    let (_, _, hounsfield_mm3) = by_the_book(patient(), AGATSTON_HU);
    let rule = "[calcium.patient_size]\nmedium_from_mm = 320\nlarge_from_mm = 380\nprovenance = \"McCollough 2007\"\n";
    let table = "[[calcium.mass_factors]]\nkvp = 120\nmg_per_cm3_hu = 0.74\nprovenance = \"own phantom\"\n";
    let (mut of_patient, mut of_device) = (patient().series(), patient().series());
    of_patient.ct.mass_factor_patient = Some(0.8125);
    // All the same: which one applies is another test's matter.
    of_device.ct.mass_factor_device = Some([0.75, 0.75, 0.75]);
    for (series, site, factor, source) in [
        (&of_patient, table, 0.8125, "(0018,9351)"),
        (&of_device, rule, 0.75, "(0018,9352)"),
        (&patient().series(), table, 0.74, "own phantom"),
    ] {
        let (sidelight, _, _, finding) = found(series, site);
        let mass_mg = factor * hounsfield_mm3 / 1000.0;
        assert!(agrees(&json!(measurement(&finding, "mass")), mass_mg), "{mass_mg} mg: {finding:#}");
        let said = finding["calcium"]["mass"]["source"].as_str().unwrap();
        assert!(said.contains(source), "{said}");
        let objects = with_reports(&sidelight, 1);
        let report = of_kind(&objects, "SR")[0];
        assert!(agrees(&report["mass"], mass_mg), "{report:#}");
        assert!(report["calibration"][0].as_str().unwrap().contains(source), "{report:#}");
    }
    let (_sidelight, _, _, finding) = found(&of_device, "");
    assert_eq!(measurement(&finding, "mass"), None);
    let said = finding["calcium"]["mass"]["source"].as_str().unwrap();
    assert!(said.starts_with("not calibrated") && said.contains("size"), "{said}");
}

#[test]
fn however_the_patient_was_scanned_the_score_is_the_written_one() {
    for (scan, warnings) in [
        (Scan { noisy: true, blurred: true, increment_mm: Some(1.5), ..Scan::SMALL }, ""),
        (Scan { increment_mm: Some(1.5), turn: Turn::FlippedColumns, ..Scan::SMALL }, ""),
        (Scan { increment_mm: Some(3.0), turn: Turn::Quarter, ..Scan::SMALL }, ""),
        (
            Scan { increment_mm: Some(1.5), thickness_mm: Some(3.0), turn: Turn::FlippedRows, ..Scan::SMALL },
            "overlap",
        ),
    ] {
        let patient = CalciumPatient::scanned(7, scan);
        let (_sidelight, _, _, finding) = found(&patient.series(), "");
        let truth = &patient.truth;
        assert!(agrees(&json!(measurement(&finding, "agatston")), truth.agatston), "{scan:?}: {finding:#}");
        assert!(agrees(&json!(measurement(&finding, "volume")), truth.volume_mm3), "{scan:?}: {finding:#}");
        assert_eq!(finding["lesions"].as_array().map(Vec::len), Some(truth.lesions.len()), "{scan:?}");
        assert_eq!(codes(&finding).join(" "), warnings, "{scan:?}");
    }
}

#[test]
fn enhanced_blood_without_a_word_in_the_header_is_refused_and_metal_costs_the_category() {
    // Soft tissue becomes enhanced blood, a little of the noise kept.
    let mut enhanced = patient().series();
    let values = enhanced.volume.hounsfield().iter();
    let values = values.map(|value| if (0..90).contains(value) { 300 + value } else { *value }).collect();
    enhanced.volume = Volume::new(enhanced.volume.dimensions(), *enhanced.volume.geometry(), values).unwrap();
    let (sidelight, _, _, finding) = found(&enhanced, "");
    assert_eq!(finding["state"], "not_applicable", "{finding:#}");
    assert!(finding["reason"].as_str().unwrap().contains("contrast"), "{}", finding["reason"]);
    drop(sidelight);

    let mut wired = patient().series();
    let mut values = wired.volume.hounsfield().to_vec();
    let size = wired.volume.dimensions();
    let lesion = patient().truth.lesions.iter().max_by(|a, b| a.agatston.total_cmp(&b.agatston)).unwrap();
    let [column, row, slice] = lesion.center;
    for slice in slice..slice + 2 {
        let at = (slice as usize * size.rows as usize + row as usize) * size.columns as usize;
        values[at + column as usize] = 3071;
    }
    wired.volume = Volume::new(size, *wired.volume.geometry(), values).unwrap();
    let (_sidelight, _, _, finding) = found(&wired, "");
    assert_eq!(
        (codes(&finding), &finding["category"]),
        (vec!["metal".to_owned()], &Value::Null),
        "{finding:#}"
    );
}

#[test]
fn another_threshold_is_shown_named_and_kept_nowhere() {
    let (sidelight, api, study, finding) = found(&patient().series(), "");
    with_reports(&sidelight, 1);
    let id = finding["id"].as_str().unwrap();
    let at = |threshold_hu: i32| -> Value {
        api.json(&format!("/api/studies/{study}/findings/{id}/rescored?threshold_hu={threshold_hu}")).unwrap()
    };
    let own = at(130);
    assert_eq!((&own["standard"], &own["label"]), (&json!(true), &finding["label"]));
    assert!(agrees(&own["agatston"], patient().truth.agatston), "{own:#}");
    // The phantom has one plaque of 129 HU and nothing else between 120 and 130: it adds to volume, never to a score.
    let lower = at(120);
    assert_eq!((&lower["standard"], &lower["label"]), (&json!(false), &json!("non-standard, T = 120 HU")));
    assert!(agrees(&lower["agatston"], patient().truth.agatston), "{lower:#}");
    assert!(lower["volume_mm3"].as_f64().unwrap() > own["volume_mm3"].as_f64().unwrap() + 1.0);
    assert!(lower.get("category").is_none(), "{lower:#}");
    let (agatston, volume_mm3, _) = by_the_book(patient(), [250, 200, 300, 400]);
    let higher = at(250);
    assert!(agrees(&higher["volume_mm3"], volume_mm3), "{higher:#}");
    assert!(agrees(&higher["agatston"], agatston), "weights are not those of 130 HU: {higher:#}");
    for refused in ["49", "301", "many", ""] {
        let path = format!("/api/studies/{study}/findings/{id}/rescored?threshold_hu={refused}");
        assert_eq!(api.get(&path).unwrap().status, 422, "{refused}");
    }
    assert_eq!(
        api.findings_of(&study, "calcium").unwrap(),
        [finding],
        "a look at another threshold left something behind"
    );
    assert_eq!(of_kind(&with_reports(&sidelight, 1), "SR").len(), 1);
}
