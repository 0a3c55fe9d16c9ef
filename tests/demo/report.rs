//! What the demo says, one labelled line a fact.

use std::path::Path;

use serde_json::Value;
use sidelight_tests::peers::process::Run;
use sidelight_tests::phantoms::CalciumPatient;

pub(crate) fn say(label: &str, text: &str) {
    println!("  {label:<10} {text}");
}

fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document[field].as_str().unwrap_or_default()
}

pub(crate) fn processor(described: &Value) {
    say("kernels", &format!("on {} ({})", text(described, "name"), text(described, "reason")));
}

pub(crate) fn patient(patient: &CalciumPatient, study: &Path) {
    let size = patient.volume.dimensions();
    let truth = &patient.truth;
    say(
        "patient",
        &format!(
            "synthetic chest, {} x {} x {}, {} coronary lesions, in {}",
            size.columns,
            size.rows,
            size.slices,
            truth.lesions.len(),
            study.display()
        ),
    );
}

pub(crate) fn sent(run: &Run) {
    for line in
        run.text().lines().filter(|line| line.contains("Number of SOP instances") || line.contains("* "))
    {
        say("sent", line.trim_start_matches("I: ").trim_start_matches(['-', ' ']));
    }
    if !run.status.success() {
        say("sent", "dcmsend was not content with everything it found");
    }
}

pub(crate) fn study(study: &Value) {
    let name = match text(study, "description") {
        "" => "a study without a description",
        description => description,
    };
    say("study", &format!("{name}: {} objects in {} series", study["instance_count"], study["series_count"]));
}

/// A finding's title, state and label in one line.
pub(crate) fn headline(finding: &Value) -> String {
    format!("{} ({}; {})", text(finding, "title"), text(finding, "state"), text(finding, "label"))
}

pub(crate) fn finding(finding: &Value) {
    say("finding", &headline(finding));
    for entry in finding["measurements"].as_array().into_iter().flatten() {
        let value = entry["value"].as_f64().unwrap_or(f64::NAN);
        let value = if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") };
        // UCUM writes plain numbers as "1" and counted things in braces; people do not.
        let unit = Some(text(entry, "unit")).filter(|unit| *unit != "1" && !unit.starts_with('{'));
        let line = [Some(text(entry, "name")), Some(value.as_str()), unit];
        say("", &line.into_iter().flatten().collect::<Vec<_>>().join(" "));
    }
    let category = &finding["category"];
    if category.is_object() {
        let provisional = if category["provisional"] == true { " (provisional)" } else { "" };
        say("", &format!("category {} {}{provisional}", text(category, "scheme"), text(category, "text")));
    }
    for warning in finding["warnings"].as_array().into_iter().flatten() {
        say("", &format!("note: {}", text(warning, "text")));
    }
    if let Some(reason) = finding["reason"].as_str() {
        say("", &format!("because {reason}"));
    }
}

pub(crate) fn verdict(measured: Option<f64>, truth: f64, right: bool) {
    let measured = measured.map_or_else(|| "none".to_owned(), |measured| format!("{measured:.3}"));
    let verdict = if right { "right" } else { "WRONG" };
    say("score", &format!("Agatston measured {measured}, true {truth:.3}: {verdict}"));
}
