//! Nobody keeps a number that was taken back: a later word about a finding goes to every destination that received an
//! earlier one, and to none that did not.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use dicom_dictionary_std::uids;
use serde_json::json;
use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::dcmtk::{Witness, storescu};
use sidelight_tests::peers::part10::Part10;
use sidelight_tests::peers::patience::{eventually, stays};
use sidelight_tests::peers::scratch::Scratch;

use crate::destinations::{box_with, dicom};
use crate::patients::written_to;
use crate::studies::{assign_all, finding_in_state, only_study};

/// A destination that wants this of the box's own results.
fn wanting(name: &str, witness: &Witness, results: &str) -> String {
    format!("{}results = \"{results}\"\n", dicom(name, witness.port(), false))
}

/// What each report a witness received says of itself: verification and whether it takes something back. One that is
/// still being written says nothing yet.
fn reports(received: &Path) -> BTreeSet<(String, bool)> {
    let said = Part10::below(received).into_iter().filter_map(|file| {
        let has = |words: &str| file.data_set.windows(words.len()).any(|window| window == words.as_bytes());
        let flag = ["UNVERIFIED", "VERIFIED"].into_iter().find(|flag| has(flag))?;
        let is_report = file.sop_class_uid == uids::COMPREHENSIVE_SR_STORAGE;
        is_report.then(|| (flag.to_owned(), has("REJECTED") || has("SUPERSEDED")))
    });
    said.collect()
}

fn expected(reports: &[(&str, bool)]) -> BTreeSet<(String, bool)> {
    reports.iter().map(|(flag, back)| ((*flag).to_owned(), *back)).collect()
}

fn verdict(api: &Api, study: &str, finding: &str, verdict: &str) {
    let path = format!("/api/studies/{study}/findings/{finding}/review");
    api.post(&path, &json!({ "verdict": verdict, "reader": "Vane^Harriet" })).unwrap();
}

#[test]
fn a_rejection_reaches_whoever_had_the_result_and_nobody_else() {
    let scratch = Scratch::new("patient").unwrap();
    let [early, careful, images] = [0, 1, 2].map(|_| Witness::start("+xe").unwrap());
    let sections = [
        wanting("early", &early, "preliminary"),
        wanting("careful", &careful, "confirmed"),
        wanting("images", &images, "never"),
    ];
    let sidelight = box_with(&sections.concat()).start().unwrap();
    let files = written_to(scratch.path());
    storescu(sidelight.dicom_port(), &files, &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = finding_in_state(&api, &study, &["preliminary"]);
    let id = finding["id"].as_str().unwrap();

    eventually("the preliminary report at the one that wants it", || {
        (reports(&early.received()) == expected(&[("UNVERIFIED", false)])).then_some(())
    });
    for other in [&careful, &images] {
        eventually("all images", || (Part10::below(&other.received()).len() == files.len()).then_some(()));
    }
    stays("no result where none is wanted yet", Duration::from_secs(3), || {
        [&careful, &images].iter().all(|other| reports(&other.received()).is_empty())
    });
    assign_all(&api, &study, &finding, "lad", "Vane^Harriet");
    verdict(&api, &study, id, "confirmed");
    eventually("the confirmed report at the careful one", || {
        let found = reports(&careful.received());
        found.contains(&("VERIFIED".into(), false)).then_some(())
    });
    verdict(&api, &study, id, "rejected");
    for had in [&early, &careful] {
        eventually("the rejection where the result was", || {
            reports(&had.received()).contains(&("VERIFIED".into(), true)).then_some(())
        });
    }
    stays("not a word where none was wanted", Duration::from_secs(3), || {
        Part10::below(&images.received()).len() == files.len()
    });
}

#[test]
fn a_result_rejected_before_it_was_confirmed_never_reaches_the_careful() {
    let scratch = Scratch::new("patient").unwrap();
    let [early, careful] = [0, 1].map(|_| Witness::start("+xe").unwrap());
    let sections =
        [wanting("early", &early, "preliminary"), wanting("careful", &careful, "confirmed")].concat();
    let sidelight = box_with(&sections).start().unwrap();
    let files = written_to(scratch.path());
    storescu(sidelight.dicom_port(), &files, &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = finding_in_state(&api, &study, &["preliminary"]);
    eventually("the preliminary report", || (!reports(&early.received()).is_empty()).then_some(()));
    verdict(&api, &study, finding["id"].as_str().unwrap(), "rejected");
    eventually("the rejection", || {
        reports(&early.received()).contains(&("VERIFIED".into(), true)).then_some(())
    });
    stays("nothing to take back there", Duration::from_secs(3), || {
        Part10::below(&careful.received()).len() <= files.len() && reports(&careful.received()).is_empty()
    });
}
