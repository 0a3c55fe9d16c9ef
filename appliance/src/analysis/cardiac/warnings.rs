//! What a reader must know before using the numbers of a ventricle.

use super::function::{Areas, Function};
use crate::store::cardiac::ModelUsed;
use crate::store::finding::Warning;

/// Heart rates of the breath-holds that differ by more than this share of their mean: the slices are of different beats.
const RATE_SPREAD_MAX: f64 = 0.15;

pub(super) fn of(
    areas: &Areas,
    found: &Function,
    rates_per_min: Option<&[f64]>,
    model: &ModelUsed,
    fell_back: Option<&str>,
) -> Vec<Warning> {
    let mut list = Vec::new();
    let mut warn = |code: &str, text: String| list.push(Warning { code: code.into(), text });
    warn("model", format!("{} {}: {}", model.name, model.version, model.statement));
    if let Some(why) = fell_back {
        warn("provider", why.to_owned());
    }
    let (ed, es) = (&areas.cavity[found.ed_phase], &areas.cavity[found.es_phase]);
    if let Some(slices) = holes(ed) {
        warn("missed_slices", format!("no cavity was found on slice {slices}, between slices that have one"));
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
