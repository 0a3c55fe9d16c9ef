//! What a reader must know before using the numbers of a ventricle.

use super::function::{Areas, Function};
use crate::store::cardiac::ModelUsed;
use crate::store::finding::{Finding, Warning};

/// What a network's provider said when it fell back; it stays true whatever a reader changes.
pub const PROVIDER: &str = "provider";

/// Heart rates of the breath-holds that differ by more than this share of their mean: the slices are of different beats.
const RATE_SPREAD_MAX: f64 = 0.15;

pub(super) fn of(
    before: &Finding,
    areas: &Areas,
    found: &Function,
    rates_per_min: Option<&[f64]>,
    model: Option<&ModelUsed>,
    edited: usize,
) -> Vec<Warning> {
    let mut list = Vec::new();
    let mut warn = |code: &str, text: String| list.push(Warning { code: code.into(), text });
    if let Some(model) = model {
        warn("model", format!("{} {}: {}", model.name, model.version, model.statement));
    }
    for kept in before.warnings.iter().filter(|warning| warning.code == PROVIDER) {
        warn(PROVIDER, kept.text.clone());
    }
    if edited > 0 {
        let images = if edited == 1 { "one image is".into() } else { format!("{edited} images are") };
        let rest = if model.is_some() { "; the others are the network's" } else { "" };
        warn("edited", format!("the contours of {images} a reader's{rest}"));
    }
    let none = Vec::new();
    let at = |phase: usize| areas.cavity.get(phase).and_then(Option::as_ref).unwrap_or(&none);
    let (ed, es) = (at(found.ed_phase), at(found.es_phase));
    for (code, phase, areas) in
        [("missed_slices", "end diastole", ed), ("missed_slices_at_end_systole", "end systole", es)]
    {
        if let Some(slices) = holes(areas) {
            warn(code, format!("at {phase} slice {slices} has no cavity, between slices that have one"));
        }
    }
    if ed.first().is_some_and(|area| *area > 0.0) || ed.last().is_some_and(|area| *area > 0.0) {
        let text = "the cavity reaches the end of the stack: part of the ventricle may not have been imaged";
        warn("stack_end", text.into());
    }
    let only_at_ed = ed.iter().zip(es).filter(|(ed, es)| **ed > 0.0 && **es <= 0.0).count();
    if only_at_ed > 0 {
        let slices =
            if only_at_ed == 1 { "one slice has".into() } else { format!("{only_at_ed} slices have") };
        let text = format!(
            "{slices} a cavity at end diastole and none at end systole: look whether the slices at the base belong to \
             the ventricle"
        );
        warn("base", text);
    }
    if let Some(spread) = rates_per_min.and_then(spread).filter(|spread| *spread > RATE_SPREAD_MAX) {
        let percent = spread * 100.0;
        warn(
            "rhythm",
            format!("the heart rates of the slices differ by {percent:.0} %: arrhythmia is likely"),
        );
    }
    if rates_per_min.is_none() {
        warn("heart_rate", "the images do not state a heart rate: no cardiac output".into());
    }
    if found.mass_g.is_some() && found.ed_phase == found.es_phase {
        warn("no_motion", "end diastole and end systole are one phase".into());
    }
    list
}

/// Numbers of slices without a cavity between slices with one.
fn holes(areas: &[f64]) -> Option<String> {
    let first = areas.iter().position(|area| *area > 0.0)?;
    let last = areas.iter().rposition(|area| *area > 0.0)?;
    let empty = (first..last).filter(|slice| areas[*slice] <= 0.0);
    let words: Vec<String> = empty.map(|slice| (slice + 1).to_string()).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn spread(rates: &[f64]) -> Option<f64> {
    let high = rates.iter().copied().reduce(f64::max)?;
    let low = rates.iter().copied().reduce(f64::min)?;
    Some((high - low) / ((high + low) / 2.0)).filter(|spread| spread.is_finite())
}
