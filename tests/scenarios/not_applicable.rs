//! Where an analysis does not apply, the finding says why in words a person can read.

use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::scratch::Scratch;
use sidelight_tests::phantoms::{Encoding, Series, contrast_ct, ct_with_a_gap, plain_mr, write};

use crate::studies::{finding_in_state, only_study, shuffled};

/// Sends the series; the reason must have one of these words.
fn is_told(words: &[&str], series: &Series) {
    let scratch = Scratch::new("patient").expect("a folder");
    let files = write(series, Encoding::ExplicitLittleEndian, scratch.path()).expect("the series is written");
    // A series with a gap is judged only when nothing more comes.
    let sidelight = appliance().site_line("study_quiet_s = 4", "study_quiet_s = 1").start().expect("a box");
    storescu(sidelight.dicom_port(), &shuffled(files), &[]).expect("storescu").succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = finding_in_state(&api, &study, &["not_applicable", "preliminary", "failed"]);
    assert_eq!(finding["state"], "not_applicable", "{finding:#}");
    let reason = finding["reason"].as_str().unwrap_or_default().to_lowercase();
    let told = words.iter().any(|word| reason.contains(word));
    assert!(told && reason.contains(' '), "{reason:?} does not speak of {words:?}");
    assert_eq!(finding["measurements"].as_array().map(Vec::len), Some(0), "{finding:#}");
}

#[test]
fn a_study_of_another_modality() {
    is_told(&["mr"], &plain_mr(3));
}

#[test]
fn a_series_with_a_gap() {
    is_told(&["gap", "missing", "uneven", "distance", "apart"], &ct_with_a_gap(4));
}

#[test]
fn a_series_with_contrast_agent() {
    is_told(&["contrast"], &contrast_ct(5));
}
