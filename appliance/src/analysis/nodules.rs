//! Lung nodules on non-contrast chest CT: marks of a network in the volume.

use std::ops::ControlFlow;

use sidelight_kernels::Volume;
use sidelight_models::manifest::{Reads, Task};
use sidelight_models::{DetectError, Detector, Manifest, Model};

use super::answers::{Answer, answer};
use super::applicability::Applicability;
use super::draft::{does_not_apply, fail};
use super::marks::{KeptMarks, fill, found, part, percent};
use super::study::Images;
use super::{Analysis, AnalysisError, checkpoint};
use crate::imaging::{Meaning, Stack, repeats};
use crate::part10::InstanceFacts;
use crate::store::finding::Finding;
use crate::store::marks::MarksPart;
use crate::store::runs::RunAnswer;

pub(super) const TITLE: &str = "Lung nodules, marks of a network";
pub(super) const RULE: &str = "every slice of a non-contrast chest CT with its neighbours; marks are peaks of the network's \
    heat; the size is the network's own estimate of a diameter";

/// A nodule of 6 mm is hidden by slices farther apart than this.
const INCREMENT_MM_MAX: f64 = 3.2;

/// A network for this analysis, by what its manifest says.
fn fits(manifest: &Manifest) -> bool {
    let detection = manifest.detection.as_ref();
    manifest.task == Task::Detection
        && detection.is_some_and(|detection| {
            detection.modality == "CT"
                && detection.shows == "lungs"
                && matches!(detection.reads, Reads::Volumes(_))
        })
}

/// Whether a series is a non-contrast CT of the chest.
fn judge(facts: &InstanceFacts, stack: &Stack) -> Applicability<()> {
    let no = |reason: String| Applicability::No(reason);
    if facts.modality != "CT" || stack.meaning != Meaning::Hounsfield {
        let modality = if facts.modality.is_empty() { "unknown" } else { &facts.modality };
        return no(format!("lung nodules need CT; the modality of this series is {modality}"));
    }
    let part = facts.body_part.to_uppercase();
    if !["CHEST", "LUNG", "THORAX"].iter().any(|word| part.contains(word)) {
        let part = if part.is_empty() { "not said" } else { &part };
        return no(format!(
            "lung nodules are looked for on chest CT; the body part of this series is {part}"
        ));
    }
    if facts.image_type.iter().any(|kind| kind == "LOCALIZER") {
        return no("this series is a localizer, not a stack of slices".into());
    }
    if facts.contrast_agent {
        return no("contrast was given: the network knows vessels without it".into());
    }
    if repeats(stack).is_some() {
        return no("positions were taken again and again: no single volume".into());
    }
    match &stack.geometry {
        Err(unusable) => no(unusable.to_string()),
        Ok(geometry) if geometry.slice_increment_mm > INCREMENT_MM_MAX => no(format!(
            "slices are {:.2} mm apart; beyond {INCREMENT_MM_MAX} mm small nodules are hidden",
            geometry.slice_increment_mm
        )),
        Ok(_) if stack.pixel_spacing_mm.is_none() => no("the images do not say how large a pixel is".into()),
        Ok(_) => Applicability::Yes(()),
    }
}

/// What a network says of a volume.
struct Marked {
    part: MarksPart,
    highest_percent: f64,
    warning: Option<String>,
    answer: RunAnswer,
}

impl Analysis {
    /// Looks for nodules where that applies; every way it ends is written into the finding.
    pub(super) async fn nodules(
        &mut self,
        finding: &mut Finding,
        images: &Images,
    ) -> Result<(), AnalysisError> {
        if let Applicability::No(reason) = judge(&images.facts, &images.stack) {
            does_not_apply(finding, reason);
            return Ok(());
        }
        let Some((volume, input)) = self.begin(finding, &images.stack, "looking for nodules").await? else {
            return Ok(());
        };
        self.stage("asking the network");
        let (stack, store, study, stop) =
            (images.stack.clone(), self.store.clone(), finding.study_uid.clone(), self.stop.clone());
        let answered = self.inference.with_model(fits, move |model| {
            let mut checkpoint = checkpoint(&store, &study, &stop, ("looking for nodules", 5));
            let answer = answer(&store, input, model, |model| look(model, &volume, &mut checkpoint))?;
            marked(model.manifest(), &stack, &volume, answer)
        });
        match answered.await {
            Ok(Ok(marked)) => {
                self.notes.answered(marked.answer);
                fill(finding, marked.part, marked.highest_percent, marked.warning);
            }
            Ok(Err(error)) => fail(finding, error.to_string()),
            Err(none) => does_not_apply(finding, none.to_string()),
        }
        Ok(())
    }
}

fn look(
    model: &mut Model,
    volume: &Volume,
    checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<KeptMarks, DetectError> {
    let dimensions = volume.dimensions();
    let size = [dimensions.columns, dimensions.rows, dimensions.slices].map(|side| side as usize);
    let result = Detector::new(model)?.volume(volume.hounsfield(), size, step_mm(volume), checkpoint)?;
    // The heat of a volume is shown nowhere.
    Ok(KeptMarks::of(&result, None))
}

/// Distances of columns, rows, slices.
fn step_mm(volume: &Volume) -> [f64; 3] {
    let geometry = volume.geometry();
    [geometry.column_spacing_mm, geometry.row_spacing_mm, geometry.slice_increment_mm]
}

/// The marks, each on the slice nearest to it.
fn marked(
    manifest: &Manifest,
    stack: &Stack,
    volume: &Volume,
    answer: Answer<KeptMarks>,
) -> Result<Marked, DetectError> {
    let [column_mm, row_mm, _] = step_mm(volume);
    let detection =
        manifest.detection.as_ref().ok_or_else(|| DetectError::NotADetection(manifest.name.clone()))?;
    let mut part = part(answer.model, detection);
    for mark in answer.said.marks() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a slice of the stack")]
        let slice = (mark.at[2].round().max(0.0) as usize).min(stack.frames.len() - 1);
        let on = &stack.frames[slice].sop_instance_uid;
        part.marks.extend(found(&mark, manifest, on, [row_mm, column_mm]));
    }
    let (highest_percent, warning) = (percent(answer.said.highest), answer.warning);
    Ok(Marked { part, highest_percent, warning, answer: answer.answer })
}

#[cfg(test)]
mod tests {
    use super::super::applicability::tests::{facts, stack};
    use super::*;

    #[test]
    fn only_non_contrast_chest_ct_with_thin_slices_is_looked_at() {
        let chest = || InstanceFacts { body_part: "CHEST".into(), ..facts() };
        assert!(matches!(judge(&chest(), &stack(1.5, 100)), Applicability::Yes(())));
        for (facts, stack, word) in [
            (InstanceFacts { modality: "MR".into(), ..chest() }, stack(1.5, 100), "MR"),
            (InstanceFacts { body_part: "HEART".into(), ..chest() }, stack(1.5, 100), "HEART"),
            (facts(), stack(1.5, 100), "not said"),
            (InstanceFacts { contrast_agent: true, ..chest() }, stack(1.5, 100), "contrast"),
            (chest(), stack(5.0, 100), "5.00 mm apart"),
        ] {
            let Applicability::No(reason) = judge(&facts, &stack) else { panic!("{word}: let through") };
            assert!(reason.contains(word), "{reason}");
        }
    }
}
