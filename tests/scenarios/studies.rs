//! What most scenarios do with studies: find the reference data, send in random order, wait for a finding.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::patience::eventually;

use crate::sources::root;

/// Prints a line even when the runner keeps the output of tests that pass to itself.
pub(crate) fn report(line: &str) {
    let _lost = writeln!(std::io::stderr(), "{line}");
}

/// Prints a line that is seen only when the test fails.
#[expect(clippy::print_stdout, reason = "the runner gathers what tests print")]
pub(crate) fn note(line: &str) {
    println!("{line}");
}

/// The 47 slices of the calcium phantom in the reference data beside the repository; without them the reason is
/// printed and the scenario has nothing to do.
pub(crate) fn reference_series(scenario: &str) -> Option<Vec<PathBuf>> {
    let folder = root().join("../shared/data/calcium_phantom/series");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        report(&format!("skipped {scenario}: no reference data at {}", folder.display()));
        return None;
    };
    let files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    assert_eq!(files.len(), 47, "the reference series has 47 slices");
    Some(files)
}

/// In an order that is new each time and printed when the test fails.
pub(crate) fn shuffled<T>(mut things: Vec<T>) -> Vec<T> {
    let seed = fastrand::u64(..);
    note(&format!("order from seed {seed}"));
    fastrand::Rng::with_seed(seed).shuffle(&mut things);
    things
}

/// Waits for the box to list one study and returns its UID.
pub(crate) fn only_study(api: &Api) -> String {
    eventually("one study in the list", || {
        let studies = api.studies().ok()?;
        assert!(studies.len() <= 1, "more than one study: {studies:#?}");
        Some(studies.first()?["uid"].as_str()?.to_owned())
    })
}

/// Waits until the newest finding of a study is automatic and in one of these states.
pub(crate) fn finding_in_state(api: &Api, study_uid: &str, states: &[&str]) -> Value {
    let mut seen = Vec::new();
    let wanted = format!("an automatic finding in state {states:?}");
    eventually(&wanted, || {
        let findings = api.findings_of(study_uid, "calcium").ok()?;
        let newest = findings.into_iter().find(|finding| finding["scope"]["kind"] == "automatic")?;
        let state = newest["state"].as_str()?.to_owned();
        if seen.last() != Some(&state) {
            note(&format!("finding is {state}: {}", newest["reason"]));
            seen.push(state.clone());
        }
        states.contains(&state.as_str()).then_some(newest)
    })
}

/// A reader says of every lesion that it lies in `vessel`. Returns the finding as it is then.
pub(crate) fn assign_all(api: &Api, study: &str, finding: &Value, vessel: &str, reader: &str) -> Value {
    let lesions = finding["lesions"].as_array().expect("lesions").iter();
    let assignments: Vec<Value> =
        lesions.map(|lesion| json!({ "lesion": lesion["number"], "vessel": vessel })).collect();
    let path = format!("/api/studies/{study}/findings/{}/lesions", finding["id"].as_str().expect("an id"));
    api.post(&path, &json!({ "assignments": assignments, "reader": reader })).expect("the assignments count")
}

/// The instance UIDs of a series in the order of its stack.
pub(crate) fn stack_order(series: &Value) -> Vec<String> {
    let uids = series["stack"]["sop_instance_uids"].as_array().into_iter().flatten();
    uids.filter_map(|uid| uid.as_str().map(str::to_owned)).collect()
}
