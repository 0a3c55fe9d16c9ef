//! Structures on CT without a network: lungs, airway, bone, fat and lean tissue by density and shape.

use std::sync::Arc;

use sidelight_kernels::structures::{
    Conditions, RULE as KERNEL_RULE, Structure, Structures, StructuresError, structures,
};
use sidelight_kernels::{Dimensions, Volume};

use super::applicability::Applicability;
use super::draft::{does_not_apply, fail, name_processor};
use super::study::Images;
use super::{Analysis, AnalysisError, blocking, checkpoint};
use crate::compute::{Done, Rank};
use crate::imaging::{Meaning, Repeats, Stack, repeats};
use crate::part10::InstanceFacts;
use crate::store::StoreError;
use crate::store::finding::{Finding, Measurement, Warning};
use crate::store::structures::{FiledLabels, FoundStructure, StructuresPart, colour};

pub(super) const TITLE: &str = "Structures, CT";
pub(super) const RULE: &str = KERNEL_RULE;

/// Fewer slices than this hold no organ worth a volume: localizers, single slices.
const SLICES_MIN: usize = 8;

/// How a structure is called wherever people read it.
fn name(structure: Structure) -> &'static str {
    match structure {
        Structure::Body => "Body",
        Structure::RightLung => "Right lung",
        Structure::LeftLung => "Left lung",
        Structure::Airway => "Airway",
        Structure::Bone => "Bone",
        Structure::Fat => "Fat",
        Structure::Lean => "Lean soft tissue",
    }
}

fn judge(facts: &InstanceFacts, stack: &Stack) -> Applicability<Conditions> {
    let no = |reason: String| Applicability::No(reason);
    if facts.modality != "CT" || stack.meaning != Meaning::Hounsfield {
        let modality = if facts.modality.is_empty() { "unknown" } else { &facts.modality };
        return no(format!("structures are told by CT density; the modality of this series is {modality}"));
    }
    if facts.image_type.iter().any(|part| part == "LOCALIZER") {
        return no("this series is a localizer, not a stack of slices".into());
    }
    if let Some(Repeats { most, .. }) = repeats(stack) {
        let reason =
            format!("every position was taken up to {most} times: time points or phases, no single volume");
        return no(reason);
    }
    if let Err(unusable) = &stack.geometry {
        return no(unusable.to_string());
    }
    if stack.pixel_spacing_mm.is_none() {
        return no("the images do not say how large a pixel is".into());
    }
    if stack.frames.len() < SLICES_MIN {
        return no(format!("{} slices; structures need at least {SLICES_MIN}", stack.frames.len()));
    }
    Applicability::Yes(Conditions { contrast: facts.contrast_agent })
}

impl Analysis {
    /// Labels a series where that applies; every way it ends is written into the finding.
    pub(super) async fn structures(
        &mut self,
        finding: &mut Finding,
        images: &Images,
    ) -> Result<(), AnalysisError> {
        let conditions = match judge(&images.facts, &images.stack) {
            Applicability::Yes(conditions) => conditions,
            Applicability::No(reason) => {
                does_not_apply(finding, reason);
                return Ok(());
            }
        };
        let Some((volume, _)) = self.begin(finding, &images.stack, "telling structures apart").await? else {
            return Ok(());
        };
        self.stage("telling structures apart");
        let (store, study, stop, of) =
            (self.store.clone(), finding.study_uid.clone(), self.stop.clone(), volume.clone());
        let labelled = self.compute.run(Rank::Ordinary, move |processor, turns| {
            let told = checkpoint(&store, &study, &stop, ("telling structures apart", 10));
            structures(processor, &of, conditions, &mut turns.shared(told))
        });
        let Done { answer, by } = match labelled.await {
            Ok(done) => done,
            Err(error) => {
                fail(finding, error.to_string());
                return Ok(());
            }
        };
        match answer {
            Ok(found) => self.record_structures(finding, &volume, conditions, found).await?,
            Err(StructuresError::Engine(error)) => fail(finding, error.to_string()),
            Err(reason) => does_not_apply(finding, reason.to_string()),
        }
        name_processor(finding, &by);
        Ok(())
    }

    /// Labels are filed first: a document never points at bytes that are not there.
    async fn record_structures(
        &self,
        finding: &mut Finding,
        volume: &Arc<Volume>,
        conditions: Conditions,
        found: Structures,
    ) -> Result<(), AnalysisError> {
        let (store, study, id) = (self.store.clone(), finding.study_uid.clone(), finding.id.clone());
        let volume = volume.clone();
        let Dimensions { columns, rows, slices } = volume.dimensions();
        let (list, filed) = blocking(move || {
            let filed = store.file_labels(&study, &id, &found.labels, volume.dimensions().slice_len())?;
            Ok::<_, StoreError>((listed(&found, &volume), filed))
        })
        .await??;
        let FiledLabels { file: labels, ends } = filed;
        finding.measurements = list.iter().map(measured).collect();
        if conditions.contrast {
            let text = "contrast was given: enhanced blood may be as dense as bone, so bone is not told";
            finding.warnings.push(Warning { code: "contrast".into(), text: text.into() });
        }
        let model = None;
        finding.structures = Some(StructuresPart { columns, rows, slices, found: list, labels, ends, model });
        Ok(())
    }
}

/// Every structure that has a voxel.
fn listed(found: &Structures, volume: &Volume) -> Vec<FoundStructure> {
    let all = Structure::ALL.iter().filter(|structure| found.voxels[**structure as usize] > 0);
    all.map(|structure| FoundStructure {
        label: *structure as u8,
        name: name(*structure).into(),
        volume_ml: found.millilitres(*structure, volume),
        voxels: found.voxels[*structure as usize],
        colour: colour(*structure as u8),
        code: None,
    })
    .collect()
}

pub(super) fn measured(found: &FoundStructure) -> Measurement {
    Measurement { name: found.name.clone(), value: found.volume_ml, unit: "mL".into() }
}
