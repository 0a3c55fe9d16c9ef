//! The left ventricle on short-axis cine MR: every phase segmented by a network, volumes by disks, the finding in words.
//!
//! Contours are candidates and the network may be a demonstration: its statement stands in every finding. Without a
//! network that is accepted here nothing is measured, and the finding says so.

mod function;
#[cfg(test)]
mod tests;
mod warnings;

use std::ops::ControlFlow;
use std::sync::Arc;

use sidelight_models::manifest::Task;
use sidelight_models::{Manifest, Model, Plane, SegmentError, Segmenter};

use self::function::{Areas, Body, Function, function};
use super::applicability::Applicability;
use super::draft::{does_not_apply, fail};
use super::study::Images;
use super::{Analysis, AnalysisError, blocking};
use crate::imaging::{PhasedStack, Stack, phases};
use crate::part10::InstanceFacts;
use crate::store::cardiac::{CANDIDATE, CardiacPart, CardiacSlice, ModelUsed, SliceMasks};
use crate::store::finding::{Finding, Measurement};

pub(super) const TITLE: &str = "Left ventricle, cine MR";
pub(super) const LABEL: &str = CANDIDATE;
pub(super) const RULE: &str = "every short-axis slice at every phase; the largest connected piece; end diastole and end \
    systole by total volume; volume by disks with the distance of slice centres; papillary muscles count as cavity";

/// Fewer slices than this do not hold a ventricle: 8 to 10 mm apart it takes seven or more.
const SLICES_MIN: usize = 5;
/// Fewer phases than this miss end systole.
const PHASES_MIN: usize = 8;
const CAVITY_SNOMED: &str = "87878005";
const MUSCLE_SNOMED: &str = "49848007";

/// A network for this analysis, by what its manifest says.
fn fits(manifest: &Manifest) -> bool {
    let images = manifest.images.as_ref();
    manifest.task == Task::Segmentation
        && images.is_some_and(|images| images.modality == "MR" && images.plane == "short axis")
        && manifest.labels.iter().any(|label| label.snomed == CAVITY_SNOMED)
}

/// Whether a series is a stack of cine MR.
fn judge(facts: &InstanceFacts, stack: &Stack) -> Applicability<PhasedStack> {
    let no = |reason: String| Applicability::No(reason);
    if facts.modality != "MR" {
        let modality = if facts.modality.is_empty() { "unknown" } else { &facts.modality };
        return no(format!(
            "the left ventricle is measured on cine MR; the modality of this series is {modality}"
        ));
    }
    let phased = match phases(stack) {
        Ok(phased) => phased,
        Err(why) => return no(why.to_string()),
    };
    if phased.slices() < SLICES_MIN || phased.phases() < PHASES_MIN {
        return no(format!(
            "{} slices at {} phases; a ventricle needs {SLICES_MIN} short-axis slices at {PHASES_MIN} phases",
            phased.slices(),
            phased.phases()
        ));
    }
    Applicability::Yes(phased)
}

/// What the network said of one phase.
struct Phase {
    /// Class by pixel, slice by slice.
    labels: Vec<u8>,
    cavity: Option<u8>,
    muscle: Option<u8>,
    model: ModelUsed,
    warning: Option<String>,
}

impl Analysis {
    /// Measures a series where that applies; every way it ends is written into the finding.
    pub(super) async fn cardiac(
        &mut self,
        finding: &mut Finding,
        images: &Images,
    ) -> Result<(), AnalysisError> {
        let phased = match judge(&images.facts, &images.stack) {
            Applicability::Yes(phased) => Arc::new(phased),
            Applicability::No(reason) => {
                does_not_apply(finding, reason);
                return Ok(());
            }
        };
        if !self.may_start(finding).await? {
            return Ok(());
        }
        let mut cycle = Vec::with_capacity(phased.phases());
        for phase in 0..phased.phases() {
            let percent = u8::try_from(phase * 100 / phased.phases()).unwrap_or(100);
            self.running(&finding.study_uid, "measuring the left ventricle", percent);
            match self.phase(finding, &phased, phase).await? {
                Some(found) => cycle.push(found),
                None => return Ok(()),
            }
        }
        fill(finding, &images.facts, &phased, &cycle);
        Ok(())
    }

    /// Segments all slices at one phase; `None` and the finding says why where that cannot be.
    async fn phase(
        &self,
        finding: &mut Finding,
        phased: &Arc<PhasedStack>,
        phase: usize,
    ) -> Result<Option<Phase>, AnalysisError> {
        let read = phased.clone();
        let images = match blocking(move || read.images(phase)).await? {
            Ok(images) => images,
            Err(error) => {
                does_not_apply(finding, error.to_string());
                return Ok(None);
            }
        };
        let (stack, stop) = (phased.clone(), self.stop.clone());
        let labelled = self.inference.with_model(fits, move |model| {
            segment(model, &stack, &images, &mut |_| {
                if stop.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
        match labelled.await {
            Ok(Ok(found)) => return Ok(Some(found)),
            Ok(Err(error)) => fail(finding, error.to_string()),
            Err(none) => does_not_apply(finding, none.to_string()),
        }
        Ok(None)
    }
}

fn segment(
    model: &mut Model,
    stack: &PhasedStack,
    images: &[Vec<i16>],
    checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Phase, SegmentError> {
    let manifest = model.manifest().clone();
    let images: Vec<Vec<f32>> =
        images.iter().map(|image| image.iter().copied().map(f32::from).collect()).collect();
    let plane = Plane {
        rows: stack.rows.into(),
        columns: stack.columns.into(),
        pixel_mm: stack.pixel_spacing_mm,
        images: &images,
    };
    let labels = Segmenter::new(model)?.segment(&plane, checkpoint)?;
    let class =
        |snomed: &str| manifest.labels.iter().find(|label| label.snomed == snomed).map(|label| label.class);
    Ok(Phase {
        labels,
        cavity: class(CAVITY_SNOMED),
        muscle: class(MUSCLE_SNOMED),
        model: ModelUsed {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            sha256: manifest.network.sha256.clone(),
            provider: model.provider().name().to_owned(),
            statement: manifest.statement.clone(),
        },
        warning: model.warning().map(str::to_owned),
    })
}

fn fill(finding: &mut Finding, facts: &InstanceFacts, stack: &PhasedStack, cycle: &[Phase]) {
    let areas = areas(stack, cycle);
    let distance_mm = stack.geometry.slice_increment_mm;
    let (Some(last), Some(found)) = (cycle.last(), function(&areas, distance_mm)) else {
        does_not_apply(finding, "no left ventricle was found on these images");
        return;
    };
    let body = Body::of(facts.patient_size.height_m, facts.patient_size.weight_kg);
    let rates = stack.heart_rates_per_min();
    // Wherever the numbers go, to the fleet too, what they rest on goes with them.
    finding.label = format!("{LABEL}; {}", last.model.statement);
    finding.measurements = measurements(&found, mean(rates.as_deref()), body);
    finding.warnings = warnings::of(&areas, &found, rates.as_deref(), &last.model, last.warning.as_deref());
    finding.algorithm.processor =
        format!("onnx {}: {} {}", last.model.provider, last.model.name, last.model.version);
    finding.cardiac = Some(CardiacPart {
        model: last.model.clone(),
        slice_distance_mm: distance_mm,
        trigger_ms: stack.triggers_s(stack.slices() / 2).iter().map(|seconds| seconds * 1000.0).collect(),
        slices: (0..stack.slices())
            .map(|slice| CardiacSlice {
                ed: masks(stack, &cycle[found.ed_phase], slice, found.ed_phase),
                es: masks(stack, &cycle[found.es_phase], slice, found.es_phase),
            })
            .collect(),
        cavity_ml: found.cavity_ml,
        ed_phase: found.ed_phase,
        es_phase: found.es_phase,
    });
}

fn areas(stack: &PhasedStack, cycle: &[Phase]) -> Areas {
    let pixels = usize::from(stack.rows) * usize::from(stack.columns);
    let pixel_mm2 = stack.pixel_spacing_mm[0] * stack.pixel_spacing_mm[1];
    let of = |class: fn(&Phase) -> Option<u8>| -> Vec<Vec<f64>> {
        let slices = |phase: &Phase, class: u8| {
            let counted = phase.labels.chunks(pixels).map(|labels| {
                #[expect(clippy::cast_precision_loss, reason = "pixels of one image")]
                let count = labels.iter().filter(|label| **label == class).count() as f64;
                count * pixel_mm2
            });
            counted.collect()
        };
        cycle.iter().filter_map(|phase| Some(slices(phase, class(phase)?))).collect()
    };
    Areas { cavity: of(|phase| phase.cavity), muscle: of(|phase| phase.muscle) }
}

fn masks(stack: &PhasedStack, phase: &Phase, slice: usize, at: usize) -> SliceMasks {
    let columns = usize::from(stack.columns);
    let pixels = usize::from(stack.rows) * columns;
    let labels = &phase.labels[slice * pixels..(slice + 1) * pixels];
    let of = |class: Option<u8>| class.map_or(Vec::new(), |class| runs(labels, columns, class));
    SliceMasks {
        sop_instance_uid: stack.sop_instance_uid(slice, at).to_owned(),
        cavity: of(phase.cavity),
        muscle: of(phase.muscle),
    }
}

/// Row, first column, length of every run of a class.
fn runs(labels: &[u8], columns: usize, class: u8) -> Vec<[u32; 3]> {
    let mut found: Vec<[u32; 3]> = Vec::new();
    for (row, line) in (0_u32..).zip(labels.chunks(columns)) {
        let mut before = false;
        for (column, label) in (0_u32..).zip(line) {
            let here = *label == class;
            match (here, before, found.last_mut()) {
                (true, true, Some(run)) => run[2] += 1,
                (true, ..) => found.push([row, column, 1]),
                _ => {}
            }
            before = here;
        }
    }
    found
}

fn mean(values: Option<&[f64]>) -> Option<f64> {
    let values = values.filter(|values| !values.is_empty())?;
    #[expect(clippy::cast_precision_loss, reason = "slices of a stack")]
    let count = values.len() as f64;
    Some(values.iter().sum::<f64>() / count)
}

fn measurements(found: &Function, heart_rate: Option<f64>, body: Option<Body>) -> Vec<Measurement> {
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
    if let Some(body) = body {
        let surface = body.surface_m2();
        add("Body surface (Mosteller)", surface, "m2");
        add("End-diastolic volume index", found.edv_ml / surface, "mL/m2");
        add("End-systolic volume index", found.esv_ml / surface, "mL/m2");
        if let Some(mass_g) = found.mass_g {
            add("Myocardial mass index", mass_g / surface, "g/m2");
        }
    }
    list
}
