//! Whatever a hospital's own network labels: every segmentation bundle is asked about every series that its model.toml
//! fits, and its answer is a finding of its own. The box knows nothing of the network but that file.

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;

use sidelight_kernels::{Dimensions, Volume};
use sidelight_models::manifest::{Images as Wanted, Task};
use sidelight_models::{Manifest, Model, Plane, Scan, SegmentError, Segmenter};

use super::answers::{Answer, answer, labels_of, runs_of};
use super::applicability::Applicability;
use super::draft::{does_not_apply, fail};
use super::structures::measured;
use super::study::Images;
use super::{Analysis, AnalysisError, blocking, cardiac, checkpoint};
use crate::imaging::{Meaning, Repeats, Stack, repeats};
use crate::part10::InstanceFacts;
use crate::store::StoreError;
use crate::store::finding::{Finding, Warning};
use crate::store::structures::{FiledLabels, FoundStructure, SnomedCode, StructuresPart, network_colour};

pub(super) const TITLE: &str = "Segmentation";
pub(super) const RULE: &str =
    "the whole series as the network's model.toml asks for it; volumes count voxels of the images";

/// Images this much coarser than those a network was trained on do not hold what it looks for.
const COARSER_MAX: f64 = 2.0;
/// Cosine of the angle, 25 degrees, by which a plane may lean and still go by its name.
const LEAN_MIN: f64 = 0.9;

/// A network for this path: not one that another analysis chooses.
pub(super) fn fits(manifest: &Manifest) -> bool {
    let read = |images: &Wanted| ["CT", "MR"].contains(&images.modality.as_str());
    manifest.task == Task::Segmentation
        && manifest.images.as_ref().is_some_and(read)
        && !cardiac::chooses(manifest)
}

/// Whether a series is what a network was trained on, as far as its manifest says and images tell.
fn judge(name: &str, wanted: &Wanted, facts: &InstanceFacts, stack: &Stack) -> Applicability<()> {
    match reason_against(wanted, facts, stack) {
        Some(reason) => Applicability::No(format!("{name} {reason}")),
        None => Applicability::Yes(()),
    }
}

fn reason_against(wanted: &Wanted, facts: &InstanceFacts, stack: &Stack) -> Option<String> {
    if facts.modality != wanted.modality {
        let here = if facts.modality.is_empty() { "unknown" } else { &facts.modality };
        return Some(format!("reads {}; the modality of this series is {here}", wanted.modality));
    }
    if wanted.modality == "CT" && stack.meaning != Meaning::Hounsfield {
        return Some("reads Hounsfield units; the values of this series are none".into());
    }
    if facts.image_type.iter().any(|part| part == "LOCALIZER") {
        return Some("reads stacks of slices; this series is a localizer".into());
    }
    if let Some(Repeats { most, .. }) = repeats(stack) {
        return Some(format!(
            "reads one image of a place; every position was taken up to {most} times: time points or phases"
        ));
    }
    sequence(wanted, facts).or_else(|| plane(wanted, facts, stack)).or_else(|| spacing(wanted, stack))
}

fn sequence(wanted: &Wanted, facts: &InstanceFacts) -> Option<String> {
    let given = facts.contrast_agent;
    match wanted.sequence.as_str() {
        "any" => None,
        "contrast" if given => None,
        "contrast" => Some("reads images with contrast; none was given".into()),
        "non-contrast" if !given => None,
        "non-contrast" => Some("reads images without contrast; contrast was given".into()),
        other => undescribed("sequence", other, facts),
    }
}

fn plane(wanted: &Wanted, facts: &InstanceFacts, stack: &Stack) -> Option<String> {
    let axis = match wanted.plane.as_str() {
        "any" => return None,
        "sagittal" => 0,
        "coronal" => 1,
        "axial" => 2,
        other => return undescribed("plane", other, facts),
    };
    let [ax, ay, az, bx, by, bz] = stack.orientation?;
    let normal = [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx].map(f64::abs);
    let here = ["sagittal", "coronal", "axial"].into_iter().zip(normal).find(|(_, part)| *part >= LEAN_MIN);
    let here = here.map_or("oblique", |(name, _)| name);
    let fits = normal[axis] >= LEAN_MIN;
    (!fits).then(|| format!("reads {} images; those of this series are {here}", wanted.plane))
}

/// What neither place nor agent tells, the people at the scanner wrote into the series' description, or not.
fn undescribed(what: &str, wanted: &str, facts: &InstanceFacts) -> Option<String> {
    let said = facts.series_description.to_lowercase();
    let all = wanted.to_lowercase().split_whitespace().all(|word| said.contains(word));
    let here = &facts.series_description;
    (!all).then(|| format!("reads the {what} {wanted:?}; the description of this series is {here:?}"))
}

fn spacing(wanted: &Wanted, stack: &Stack) -> Option<String> {
    let geometry = match &stack.geometry {
        Ok(geometry) => geometry,
        Err(unusable) => return Some(format!("reads even stacks of slices: {unusable}")),
    };
    let Some(pixel_mm) = stack.pixel_spacing_mm else {
        return Some("needs to know how large a pixel is; the images do not say".into());
    };
    let coarse = |what: &str, here: f64, trained: f64| {
        (here > COARSER_MAX * trained).then(|| {
            format!(
                "was trained on {what} {trained:.2} mm apart; those of this series are {here:.2} mm apart, more than \
                 {COARSER_MAX} times as far"
            )
        })
    };
    let slices = wanted.depth.map(|depth| ("slices", geometry.slice_increment_mm, depth.slice_mm));
    let pixels = ("pixels", pixel_mm[0].max(pixel_mm[1]), wanted.pixel_mm);
    [Some(pixels), slices].into_iter().flatten().find_map(|(what, here, trained)| coarse(what, here, trained))
}

impl Analysis {
    /// Asks one network about a series where that applies; every way it ends is written into the finding.
    pub(super) async fn segmentation(
        &mut self,
        finding: &mut Finding,
        images: &Images,
        manifest: &Arc<Manifest>,
    ) -> Result<(), AnalysisError> {
        let Some(wanted) = &manifest.images else { return Ok(()) };
        if let Applicability::No(reason) = judge(&manifest.name, wanted, &images.facts, &images.stack) {
            does_not_apply(finding, reason);
            return Ok(());
        }
        let Some((volume, input)) = self.begin(finding, &images.stack, "labelling structures").await? else {
            return Ok(());
        };
        self.stage("asking the network");
        let (store, study, stop) = (self.store.clone(), finding.study_uid.clone(), self.stop.clone());
        let (name, of) = (manifest.name.clone(), volume.clone());
        let named = move |manifest: &Manifest| manifest.name == name;
        let answered = self.inference.with_model(named, move |model| {
            let mut checkpoint = checkpoint(&store, &study, &stop, ("labelling structures", 5));
            answer(&store, input, model, |model| look(model, &of, &mut checkpoint))
        });
        match answered.await {
            Ok(Ok(answer)) => self.record_labels(finding, &volume, manifest, answer).await?,
            Ok(Err(error)) => fail(finding, error.to_string()),
            Err(none) => does_not_apply(finding, none.to_string()),
        }
        Ok(())
    }

    /// Labels are filed first: a document never points at bytes that are not there.
    async fn record_labels(
        &self,
        finding: &mut Finding,
        volume: &Arc<Volume>,
        manifest: &Arc<Manifest>,
        answer: Answer<Vec<(u8, u32)>>,
    ) -> Result<(), AnalysisError> {
        self.stage("filing labels");
        self.notes.answered(answer.answer);
        let (store, study, id) = (self.store.clone(), finding.study_uid.clone(), finding.id.clone());
        let (volume, manifest, runs) = (volume.clone(), manifest.clone(), answer.said);
        let Dimensions { columns, rows, slices } = volume.dimensions();
        let filed = blocking(move || {
            let Some(labels) = labels_of(&runs, volume.dimensions().len()) else { return Ok(None) };
            let filed = store.file_labels(&study, &id, &labels, volume.dimensions().slice_len())?;
            Ok::<_, StoreError>(Some((listed(&manifest, &runs, &volume), filed)))
        });
        let Some((list, filed)) = filed.await?? else {
            fail(finding, "a kept answer is of other images".into());
            return Ok(());
        };
        let FiledLabels { file: labels, ends } = filed;
        let model = answer.model;
        finding.measurements = list.iter().map(measured).collect();
        finding.algorithm.processor = model.processor();
        let statement = format!("{} {}: {}", model.name, model.version, model.statement);
        finding.warnings.push(Warning { code: "model".into(), text: statement });
        finding.warnings.extend(answer.warning.map(|text| Warning { code: "provider".into(), text }));
        let part = StructuresPart { columns, rows, slices, found: list, labels, ends, model: Some(model) };
        finding.label = part.label();
        finding.structures = Some(part);
        Ok(())
    }
}

/// Labels of all slices, as runs.
fn look(
    model: &mut Model,
    volume: &Volume,
    checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Vec<(u8, u32)>, SegmentError> {
    let geometry = volume.geometry();
    let step_mm = [geometry.slice_increment_mm, geometry.row_spacing_mm, geometry.column_spacing_mm];
    let dimensions = volume.dimensions();
    let size = [dimensions.slices, dimensions.rows, dimensions.columns].map(|side| side as usize);
    let in_blocks = model.manifest().images.as_ref().is_some_and(|images| images.depth.is_some());
    let mut segmenter = Segmenter::new(model)?;
    let labels = if in_blocks {
        let directions = directions(&geometry.patient_mm_from_voxel);
        let scan = Scan { size, step_mm, directions, values: volume.hounsfield() };
        segmenter.segment_scan(&scan, checkpoint)?
    } else {
        let slices = volume.hounsfield().chunks(dimensions.slice_len());
        let images: Vec<Vec<f32>> =
            slices.map(|slice| slice.iter().copied().map(f32::from).collect()).collect();
        let [_, rows, columns] = size;
        let plane = Plane { rows, columns, pixel_mm: [step_mm[1], step_mm[2]], images: &images };
        segmenter.segment(&plane, checkpoint)?
    };
    Ok(runs_of(&labels))
}

/// Where slices, rows and columns lead in the patient.
fn directions(patient_mm_from_voxel: &[[f64; 4]; 3]) -> [[f64; 3]; 3] {
    [2, 1, 0].map(|axis| {
        let along = patient_mm_from_voxel.map(|row| row[axis]);
        let length = along.iter().map(|part| part * part).sum::<f64>().sqrt();
        along.map(|part| part / length)
    })
}

/// Every label of the network, found or not: that there is none is an answer, too.
fn listed(manifest: &Manifest, runs: &[(u8, u32)], volume: &Volume) -> Vec<FoundStructure> {
    let mut voxels = [0_u64; 256];
    for (label, length) in runs {
        voxels[usize::from(*label)] += u64::from(*length);
    }
    let geometry = volume.geometry();
    let voxel_ml = geometry.pixel_area_mm2() * geometry.slice_increment_mm / 1000.0;
    let found = |label: &sidelight_models::manifest::Label| {
        let voxels = voxels[usize::from(label.class)];
        #[expect(clippy::cast_precision_loss, reason = "voxels of a volume")]
        let volume_ml = voxels as f64 * voxel_ml;
        FoundStructure {
            label: label.class,
            name: label.name.clone(),
            volume_ml,
            voxels,
            colour: Some(network_colour(label.class)),
            code: Some(SnomedCode { identifier: label.snomed.clone(), meaning: label.meaning.clone() }),
        }
    };
    manifest.labels.iter().map(found).collect()
}
