//! The left ventricle in numbers: what contours come to, whoever drew them.
//!
//! Not a room: analysis brings what a network found, the store what a reader changed, and both are measured here by the
//! same disks. Nothing here reads a file or an image.

mod borders;
mod function;
pub mod outline;
#[cfg(test)]
mod tests;
mod warnings;

pub use borders::{BadOutline, Classes, Image, edited, found, undrawn};
pub use function::Body;
use function::{Areas, Function, function};
pub use warnings::PROVIDER;

use crate::store::cardiac::{CardiacPart, CardiacSlice, Contours, SliceContours};
use crate::store::finding::{Finding, Measurement};

/// Why contours are no function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmeasurable {
    #[error("no left ventricle was found on these images")]
    NoCavity,
    #[error("an ejection fraction needs contours at two phases: end diastole and end systole")]
    OnePhase,
    #[error("end diastole and end systole must be two phases with contours")]
    Phases,
}

/// Measures contours into a finding: numbers, warnings, the curve, both ends of the cycle.
pub fn measure(
    finding: &mut Finding,
    mut part: CardiacPart,
    contours: &Contours,
) -> Result<(), Unmeasurable> {
    let areas = areas(contours, part.model.is_some());
    let found = function(&areas, part.slice_distance_mm, part.chosen)?;
    let rates = contours.heart_rates_per_min.as_deref();
    finding.measurements = measurements(&found, mean(rates), contours.body_surface_m2);
    let edited = contours.phases.iter().flatten().filter(|one| one.edited).count();
    finding.warnings = warnings::of(finding, &areas, &found, rates, part.model.as_ref(), edited);
    finding.label = part.label(edited > 0);
    let at = |phase: usize, slice: usize| contours.phases[phase][slice].masks.clone();
    let slices = contours.phases.first().map_or(0, Vec::len);
    part.slices = (0..slices)
        .map(|slice| CardiacSlice { ed: at(found.ed_phase, slice), es: at(found.es_phase, slice) })
        .collect();
    (part.ed_phase, part.es_phase) = (found.ed_phase, found.es_phase);
    part.cavity_ml = found.cavity_ml;
    finding.cardiac = Some(part);
    Ok(())
}

/// A network has looked at every image; a reader says nothing about those without contours.
fn areas(contours: &Contours, all_looked_at: bool) -> Areas {
    let of = |value: fn(&SliceContours) -> f64, drawn: fn(&SliceContours) -> bool| {
        let phase = |slices: &Vec<SliceContours>| {
            let known = all_looked_at || slices.iter().any(drawn);
            known.then(|| slices.iter().map(value).collect::<Vec<f64>>())
        };
        contours.phases.iter().map(phase).collect::<Vec<_>>()
    };
    Areas {
        cavity: of(|one| one.cavity_mm2, |one| !one.endocardium.is_empty()),
        muscle: of(|one| one.muscle_mm2, |one| !one.epicardium.is_empty()),
    }
}

fn mean(values: Option<&[f64]>) -> Option<f64> {
    let values = values.filter(|values| !values.is_empty())?;
    #[expect(clippy::cast_precision_loss, reason = "slices of a stack")]
    let count = values.len() as f64;
    Some(values.iter().sum::<f64>() / count)
}

fn measurements(found: &Function, heart_rate: Option<f64>, body_surface_m2: Option<f64>) -> Vec<Measurement> {
    let mut list = Vec::new();
    let mut add = |name: &str, value: f64, unit: &str| {
        list.push(Measurement { name: name.into(), value, unit: unit.into() });
    };
    add("Ejection fraction", found.ef_percent, "%");
    add("End-diastolic volume", found.edv_ml, "mL");
    add("End-systolic volume", found.esv_ml, "mL");
    add("Stroke volume", found.stroke_ml(), "mL");
    if let Some(rate) = heart_rate {
        add("Heart rate", rate, "/min");
        add("Cardiac output", found.output_l_per_min(rate), "L/min");
    }
    if let Some(mass_g) = found.mass_g {
        add("Myocardial mass", mass_g, "g");
    }
    if let Some(surface) = body_surface_m2 {
        add("Body surface (Mosteller)", surface, "m2");
        add("End-diastolic volume index", found.edv_ml / surface, "mL/m2");
        add("End-systolic volume index", found.esv_ml / surface, "mL/m2");
        if let Some(mass_g) = found.mass_g {
            add("Myocardial mass index", mass_g / surface, "g/m2");
        }
    }
    list
}
