//! The left ventricle on short-axis cine MR and multi-phase CT: every phase segmented by a network, volumes by disks, the
//! finding in words.
//!
//! Contours are candidates and the network may be a demonstration: its statement stands in every finding. Without a
//! network that is accepted here (of CT the box has none) nothing is measured; the finding says so and holds an empty
//! cycle, in which a reader may draw.

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;

use sidelight_models::manifest::Task;
use sidelight_models::{Manifest, Model, Plane, SegmentError, Segmenter};

use super::answers::{Answer, answer, labels_of, runs_of};
use super::applicability::Applicability;
use super::draft::{does_not_apply, fail};
use super::fingerprint::{Fingerprint, of_all};
use super::study::Images;
use super::{Analysis, AnalysisError, blocking};
use crate::imaging::{PhasedStack, Stack, phases};
use crate::part10::InstanceFacts;
use crate::store::cardiac::{CANDIDATE, CardiacPart, ChosenPhases, Contours, ModelUsed, SliceContours};
use crate::store::finding::{Finding, FindingState, Warning};
use crate::store::runs::{RunAnswer, RunInput};
use crate::store::{Store, StoreError};
use crate::ventricle::{Body, Classes, Image, PROVIDER, found, measure, undrawn};

pub(super) const TITLE: &str = "Left ventricle";
pub(super) const LABEL: &str = CANDIDATE;
pub(super) const RULE: &str = "every short-axis slice at every phase; the largest connected piece; end diastole and end \
    systole by total volume; volume by disks with the distance of slice centres; papillary muscles count as cavity";

/// What a person may do where the box cannot.
const ADVICE: &str = "draw the contours at end diastole and end systole, and they are measured";
/// Fewer slices than this do not hold a ventricle: 8 to 10 mm apart it takes seven or more.
const SLICES_MIN: usize = 5;
/// Fewer phases than this miss end systole.
const PHASES_MIN: usize = 8;
const CAVITY_SNOMED: &str = "87878005";
const MUSCLE_SNOMED: &str = "49848007";

/// A network for cine MR, by what its manifest says.
fn fits_mr(manifest: &Manifest) -> bool {
    let images = manifest.images.as_ref();
    finds_a_ventricle(manifest)
        && images.is_some_and(|images| images.modality == "MR" && images.plane == "short axis")
}

/// A hospital's own network for CT; the box has none.
fn fits_ct(manifest: &Manifest) -> bool {
    finds_a_ventricle(manifest) && manifest.images.as_ref().is_some_and(|images| images.modality == "CT")
}

/// Planes only: each slice at each phase is asked about by itself.
fn finds_a_ventricle(manifest: &Manifest) -> bool {
    manifest.task == Task::Segmentation
        && manifest.images.as_ref().is_some_and(|images| images.depth.is_none())
        && manifest.labels.iter().any(|label| label.snomed == CAVITY_SNOMED)
}

/// Whether a network is one of this analysis, and of no other.
pub(super) fn chooses(manifest: &Manifest) -> bool {
    fits_mr(manifest) || fits_ct(manifest)
}

/// Whether a series is a stack of slices over the heart's cycle.
fn judge(facts: &InstanceFacts, stack: &Stack) -> Applicability<PhasedStack> {
    let no = |reason: String| Applicability::No(reason);
    if !["MR", "CT"].contains(&facts.modality.as_str()) {
        let modality = if facts.modality.is_empty() { "unknown" } else { &facts.modality };
        return no(format!(
            "the left ventricle is measured on cine MR and multi-phase CT; the modality of this series is {modality}"
        ));
    }
    let phased = match phases(stack) {
        Ok(phased) => phased,
        Err(why) => return no(format!("the left ventricle needs the phases of a heartbeat: {why}")),
    };
    if phased.slices() < SLICES_MIN || phased.phases() < PHASES_MIN {
        return no(format!(
            "{} slices at {} phases; a ventricle needs {SLICES_MIN} slices at {PHASES_MIN} phases",
            phased.slices(),
            phased.phases()
        ));
    }
    Applicability::Yes(phased)
}

/// What the network said of one phase.
struct Phase {
    slices: Vec<SliceContours>,
    model: ModelUsed,
    warning: Option<String>,
    answer: RunAnswer,
    input: RunInput,
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
            match self.phase(finding, images, &phased, phase).await? {
                Some(found) => cycle.push(found),
                None if finding.state == FindingState::Failed => return Ok(()),
                None => break,
            }
        }
        if cycle.len() == phased.phases() {
            let inputs: Vec<RunInput> = cycle.iter().map(|phase| phase.input.clone()).collect();
            self.notes.looked_at(of_all(&inputs));
        }
        self.stage("measuring");
        let store = self.store.clone();
        let (facts, mut filled) = (images.facts.clone(), finding.clone());
        *finding = blocking(move || {
            fill(&store, &mut filled, &facts, &phased, cycle)?;
            Ok::<_, StoreError>(filled)
        })
        .await??;
        Ok(())
    }

    /// Segments all slices at one phase; `None` and the finding says why where that cannot be.
    async fn phase(
        &self,
        finding: &mut Finding,
        images: &Images,
        phased: &Arc<PhasedStack>,
        phase: usize,
    ) -> Result<Option<Phase>, AnalysisError> {
        let (read, mr) = (phased.clone(), images.facts.modality == "MR");
        let images = match blocking(move || read.images(phase)).await? {
            Ok(images) => images,
            Err(error) => {
                does_not_apply(finding, error.to_string());
                return Ok(None);
            }
        };
        let (stack, stop, store) = (phased.clone(), self.stop.clone(), self.store.clone());
        let (input, images) = blocking(move || (looked_at(&stack, &images), images)).await?;
        let stack = phased.clone();
        let fits = if mr { fits_mr } else { fits_ct };
        let labelled = self.inference.with_model(fits, move |model| {
            let mut go =
                |_| if stop.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            let answer = answer(&store, input, model, |model| segment(model, &stack, &images, &mut go))?;
            outlined(model.manifest(), &stack, phase, answer)
        });
        match labelled.await {
            Ok(Ok(found)) => {
                self.notes.answered(found.answer.clone());
                return Ok(Some(found));
            }
            Ok(Err(error)) => fail(finding, error.to_string()),
            Err(none) if mr => does_not_apply(finding, format!("{none}; {ADVICE}")),
            Err(_) => does_not_apply(finding, format!("no model for CT; {ADVICE}")),
        }
        Ok(None)
    }
}

/// All slices at one phase as the network gets them.
fn looked_at(stack: &PhasedStack, images: &[Vec<i16>]) -> RunInput {
    let hash = Fingerprint::of("short axis, one phase")
        .numbers(&[stack.rows, stack.columns].map(f64::from))
        .numbers(&stack.pixel_spacing_mm)
        .numbers(&[stack.geometry.slice_increment_mm]);
    let hash = images.iter().fold(hash, |hash, image| hash.values(image));
    hash.input(format!("{} x {} x {} voxels", stack.columns, stack.rows, images.len()))
}

/// Labels of all slices, as runs.
fn segment(
    model: &mut Model,
    stack: &PhasedStack,
    images: &[Vec<i16>],
    checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Vec<(u8, u32)>, SegmentError> {
    let images: Vec<Vec<f32>> =
        images.iter().map(|image| image.iter().copied().map(f32::from).collect()).collect();
    let plane = Plane {
        rows: stack.rows.into(),
        columns: stack.columns.into(),
        pixel_mm: stack.pixel_spacing_mm,
        images: &images,
    };
    Ok(runs_of(&Segmenter::new(model)?.segment(&plane, checkpoint)?))
}

/// Labels made into contours.
fn outlined(
    manifest: &Manifest,
    stack: &PhasedStack,
    phase: usize,
    answer: Answer<Vec<(u8, u32)>>,
) -> Result<Phase, SegmentError> {
    let class =
        |snomed: &str| manifest.labels.iter().find(|label| label.snomed == snomed).map(|label| label.class);
    let classes = Classes { cavity: class(CAVITY_SNOMED), muscle: class(MUSCLE_SNOMED) };
    let image = image(stack);
    let pixels = image.columns as usize * image.rows as usize;
    let labels = labels_of(&answer.said, pixels * stack.slices())
        .ok_or(SegmentError::Images("a kept answer is of other images"))?;
    let slices = labels.chunks(pixels).enumerate();
    Ok(Phase {
        slices: slices
            .map(|(slice, labels)| found(stack.sop_instance_uid(slice, phase), labels, image, classes))
            .collect(),
        model: answer.model,
        warning: answer.warning,
        answer: answer.answer,
        input: answer.input,
    })
}

fn image(stack: &PhasedStack) -> Image {
    let [row_mm, column_mm] = stack.pixel_spacing_mm;
    Image { columns: stack.columns.into(), rows: stack.rows.into(), pixel_mm2: row_mm * column_mm }
}

/// Measures what was found, or leaves an empty cycle for a reader to draw in. Contours are filed first.
fn fill(
    store: &Store,
    finding: &mut Finding,
    facts: &InstanceFacts,
    stack: &PhasedStack,
    cycle: Vec<Phase>,
) -> Result<(), StoreError> {
    let last = cycle.last().map(|phase| (phase.model.clone(), phase.warning.clone()));
    let (model, fell_back) = last.unzip();
    let from_cache = cycle.iter().all(|phase| phase.answer.cached);
    let model = model.map(|model| ModelUsed { from_cache, ..model });
    let whole = cycle.len() == stack.phases();
    let undrawn = |phase: usize| -> Vec<SliceContours> {
        (0..stack.slices()).map(|slice| undrawn(stack.sop_instance_uid(slice, phase))).collect()
    };
    let phases = match whole {
        true => cycle.into_iter().map(|phase| phase.slices).collect(),
        false => (0..stack.phases()).map(undrawn).collect(),
    };
    let body = Body::of(facts.patient_size.height_m, facts.patient_size.weight_kg);
    let contours = Contours {
        columns: stack.columns.into(),
        rows: stack.rows.into(),
        pixel_mm: stack.pixel_spacing_mm,
        heart_rates_per_min: stack.heart_rates_per_min(),
        body_surface_m2: body.map(Body::surface_m2),
        phases,
    };
    let part = CardiacPart {
        model: model.filter(|_| whole),
        slice_distance_mm: stack.geometry.slice_increment_mm,
        trigger_ms: stack.triggers_s(stack.slices() / 2).iter().map(|seconds| seconds * 1000.0).collect(),
        cavity_ml: vec![None; stack.phases()],
        ed_phase: 0,
        es_phase: 0,
        chosen: ChosenPhases::default(),
        slices: Vec::new(),
        contours: Some(store.file_contours(&finding.study_uid, &finding.id, &contours)?),
    };
    if !whole {
        finding.cardiac = Some(part);
        return Ok(());
    }
    let fell_back = fell_back.flatten().map(|text| Warning { code: PROVIDER.into(), text });
    finding.warnings.extend(fell_back);
    if let Some(model) = &part.model {
        finding.algorithm.processor = model.processor();
    }
    if let Err(why) = measure(finding, part.clone(), &contours) {
        does_not_apply(finding, format!("{why}; {ADVICE}"));
        finding.cardiac = Some(part);
    }
    Ok(())
}
