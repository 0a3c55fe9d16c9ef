//! Marks on mammograms: every plain CC and MLO view of an examination judged by a network, each by itself.
//!
//! The first series of mammograms answers for all of them. Views are neither compared nor combined: an examination's score
//! is that of its most suspicious place. What is not judged is listed with the reason, what is missing is said.

use std::collections::BTreeSet;

use sidelight_models::manifest::{Reads, Task};
use sidelight_models::{DetectError, Detector, Found, Manifest, Model};

use super::answers::{Answer, answer};
use super::draft::{does_not_apply, fail};
use super::fingerprint::{Fingerprint, of_all};
use super::marks::{KeptMarks, fill, found, part, percent};
use super::{Analysis, AnalysisError, blocking};
use crate::imaging::{Mammogram, NotJudged, mammogram};
use crate::store::finding::{Finding, Warning};
use crate::store::marks::{FoundMark, HeatGrid, MarkedView, MarksPart};
use crate::store::records::SeriesRecord;
use crate::store::runs::{RunAnswer, RunInput};
use crate::store::{Store, StoreError};
use crate::uid::SeriesUid;

pub(super) const TITLE: &str = "Mammogram, marks of a network";
pub(super) const RULE: &str = "every plain CC and MLO view by itself, as it was stored; marks are peaks of the network's heat; \
    views are neither compared nor combined, an examination's score is that of its most suspicious place";

/// Heat below this is background everywhere.
const HEAT_FROM: f32 = 0.10;
/// More images than this are no examination of two breasts.
const VIEWS_MAX: usize = 64;
const USUAL: [&str; 4] = ["R CC", "L CC", "R MLO", "L MLO"];

/// A network for this analysis, by what its manifest says.
fn fits(manifest: &Manifest) -> bool {
    let detection = manifest.detection.as_ref();
    manifest.task == Task::Detection
        && detection.is_some_and(|detection| {
            detection.modality == "MG"
                && detection.shows == "breast"
                && matches!(detection.reads, Reads::Planes(_))
        })
}

/// One image of an examination.
struct View {
    series: SeriesUid,
    sop_class_uid: String,
    sop_instance_uid: String,
    judged: Result<Mammogram, NotJudged>,
}

/// What is to be judged, or why nothing is.
enum Examination {
    Views(Vec<View>),
    No(String),
}

/// What a network says of one view.
struct Judged {
    view: MarkedView,
    marks: Vec<FoundMark>,
    part: MarksPart,
    warning: Option<String>,
    answer: RunAnswer,
    input: RunInput,
}

impl Analysis {
    /// Judges an examination where that applies; every way it ends is written into the finding.
    pub(super) async fn mammography(&mut self, finding: &mut Finding) -> Result<(), AnalysisError> {
        let (store, study, series) =
            (self.store.clone(), finding.study_uid.clone(), finding.series_uid.clone());
        let views = match blocking(move || examination(&store, &study, &series)).await?? {
            Examination::Views(views) => views,
            Examination::No(reason) => {
                does_not_apply(finding, reason);
                return Ok(());
            }
        };
        if !self.may_start(finding).await? {
            return Ok(());
        }
        let mut judged = Vec::new();
        let mut passed_over = Vec::new();
        let total = views.len();
        for (number, view) in views.into_iter().enumerate() {
            let percent = u8::try_from(number * 100 / total).unwrap_or(100);
            self.running(&finding.study_uid, "judging mammograms", percent);
            if self.stop.is_stopped() {
                fail(finding, "stopped".into());
                return Ok(());
            }
            match &view.judged {
                Ok(mammogram) => match self.judge(finding, mammogram).await? {
                    Some(one) => judged.push(one),
                    None => return Ok(()),
                },
                Err(reason) => passed_over.push(listed(&view, reason)),
            }
        }
        let inputs: Vec<RunInput> = judged.iter().map(|one| one.input.clone()).collect();
        self.notes.looked_at(of_all(&inputs));
        conclude(finding, judged, passed_over);
        Ok(())
    }

    /// `None`, and the finding says why, where no network answered.
    async fn judge(
        &self,
        finding: &mut Finding,
        mammogram: &Mammogram,
    ) -> Result<Option<Judged>, AnalysisError> {
        let read = mammogram.clone();
        let values = match blocking(move || read.dense_is_bright()).await? {
            Ok(values) => values,
            Err(error) => {
                fail(finding, format!("{}: {error}", mammogram.view()));
                return Ok(None);
            }
        };
        self.stage("hashing images");
        let (view, store) = (mammogram.clone(), self.store.clone());
        let (input, values) = blocking(move || (looked_at(&view, &values), values)).await?;
        self.stage("asking the network");
        let view = mammogram.clone();
        let answered = self.inference.with_model(fits, move |model| {
            let answer = answer(&store, input, model, |model| look(model, &view, &values))?;
            judged(model.manifest(), &view, answer)
        });
        match answered.await {
            Ok(Ok(judged)) => {
                self.notes.answered(judged.answer.clone());
                return Ok(Some(judged));
            }
            Ok(Err(error)) => fail(finding, error.to_string()),
            Err(none) => does_not_apply(finding, none.to_string()),
        }
        Ok(None)
    }
}

/// All mammograms of a study, series by series, where `series` is the first of them.
fn examination(
    store: &Store,
    study: &crate::uid::StudyUid,
    series: &SeriesUid,
) -> Result<Examination, StoreError> {
    let mut all: Vec<(SeriesUid, SeriesRecord)> = store.series(study)?;
    let modality = all.iter().find(|(uid, _)| uid == series).map(|(_, record)| record.modality.clone());
    let modality = modality.unwrap_or_default();
    if modality != "MG" {
        let modality = if modality.is_empty() { "unknown" } else { &modality };
        let reason = format!("marks on mammograms need MG; the modality of this series is {modality}");
        return Ok(Examination::No(reason));
    }
    all.retain(|(_, record)| !record.own && record.modality == "MG");
    all.sort_by(|a, b| (a.1.number, &a.0).cmp(&(b.1.number, &b.0)));
    if all.first().is_some_and(|(first, _)| first != series) {
        let number = all[0].1.number.map_or("the first one".into(), |number| format!("number {number}"));
        let reason = format!("the views of this examination are judged together, with series {number}");
        return Ok(Examination::No(reason));
    }
    let mut views = Vec::new();
    for (uid, _) in &all {
        let mut records = store.instances(study, uid)?;
        records.retain(|record| record.facts.picture.is_some());
        records.sort_by_key(|record| record.facts.instance_number);
        for record in records {
            views.push(View {
                series: uid.clone(),
                sop_class_uid: record.facts.sop_class.clone(),
                sop_instance_uid: record.facts.sop_instance.as_str().to_owned(),
                judged: mammogram(&store.instance_path(&record), &record.facts),
            });
        }
    }
    if views.len() > VIEWS_MAX {
        let reason = format!("{} images; an examination has at most {VIEWS_MAX}", views.len());
        return Ok(Examination::No(reason));
    }
    prefer_presentation(&mut views);
    if views.iter().any(|view| view.judged.is_ok()) {
        return Ok(Examination::Views(views));
    }
    Ok(Examination::No(nothing(&views)))
}

/// A detector sends each view twice, for the eye and for programs: one of them is judged.
fn prefer_presentation(views: &mut [View]) {
    let shown: BTreeSet<&'static str> = views
        .iter()
        .filter_map(|view| view.judged.as_ref().ok())
        .filter(|view| !view.for_processing)
        .map(Mammogram::view)
        .collect();
    for view in views {
        if view.judged.as_ref().is_ok_and(|view| view.for_processing && shown.contains(view.view())) {
            view.judged = Err(NotJudged::Twin);
        }
    }
}

/// Why none of the images is judged.
fn nothing(views: &[View]) -> String {
    let reasons: BTreeSet<String> =
        views.iter().filter_map(|view| view.judged.as_ref().err()).map(ToString::to_string).collect();
    let reasons: Vec<String> = reasons.into_iter().collect();
    match views.len() {
        0 => "the series has no images".into(),
        1 => format!("the only image is not judged: {}", reasons.join("; ")),
        count => format!("none of the {count} images is judged: {}", reasons.join("; ")),
    }
}

fn listed(view: &View, reason: &NotJudged) -> MarkedView {
    MarkedView {
        series_uid: view.series.as_str().to_owned(),
        sop_class_uid: view.sop_class_uid.clone(),
        sop_instance_uid: view.sop_instance_uid.clone(),
        view: String::new(),
        patient_orientation: [String::new(), String::new()],
        score_percent: None,
        not_judged: Some(reason.to_string()),
        heat: None,
    }
}

/// The view as the network gets it.
fn looked_at(view: &Mammogram, values: &[f32]) -> RunInput {
    Fingerprint::of("mammogram, dense is bright")
        .numbers(&[view.rows, view.columns].map(f64::from))
        .numbers(&view.pixel_mm)
        .values(values)
        .input(format!("{} x {} pixels", view.columns, view.rows))
}

fn look(model: &mut Model, view: &Mammogram, values: &[f32]) -> Result<KeptMarks, DetectError> {
    let size = [view.rows, view.columns].map(usize::from);
    let result = Detector::new(model)?.plane(values, size, view.pixel_mm)?;
    Ok(KeptMarks::of(&result, Some(heat(&result, view.pixel_mm))))
}

fn judged(manifest: &Manifest, view: &Mammogram, answer: Answer<KeptMarks>) -> Result<Judged, DetectError> {
    let marks = answer.said.marks().filter_map(|mark| {
        let mut mark = found(&mark, manifest, &view.sop_instance_uid, view.pixel_mm)?;
        // An image has no slices.
        mark.center_px[2] = 0.0;
        Some(mark)
    });
    let detection =
        manifest.detection.as_ref().ok_or_else(|| DetectError::NotADetection(manifest.name.clone()))?;
    Ok(Judged {
        marks: marks.collect(),
        part: part(answer.model, detection),
        warning: answer.warning,
        answer: answer.answer,
        input: answer.input,
        view: MarkedView {
            series_uid: view.series.as_str().to_owned(),
            sop_class_uid: view.sop_class_uid.clone(),
            sop_instance_uid: view.sop_instance_uid.clone(),
            view: view.view().to_owned(),
            patient_orientation: view.orientation.clone(),
            score_percent: Some(percent(answer.said.highest)),
            not_judged: None,
            heat: answer.said.heat,
        },
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cells of an image and percents")]
fn heat(result: &Found, pixel_mm: [f64; 2]) -> HeatGrid {
    let columns = result.heat.size[0];
    let cells = result.heat.suspicion.iter().enumerate().filter(|(_, suspicion)| **suspicion >= HEAT_FROM);
    HeatGrid {
        cell_px: [result.cell_mm[0] / pixel_mm[1], result.cell_mm[1] / pixel_mm[0]],
        from_percent: (HEAT_FROM * 100.0).round() as u32,
        cells: cells
            .map(|(at, suspicion)| {
                [(at % columns) as u32, (at / columns) as u32, (suspicion * 100.0).round() as u32]
            })
            .collect(),
    }
}

fn conclude(finding: &mut Finding, judged: Vec<Judged>, passed_over: Vec<MarkedView>) {
    let Some(mut part) = judged.last().map(|one| one.part.clone()) else { return };
    part.model.from_cache = judged.iter().all(|one| one.answer.cached);
    let fell_back = judged.last().and_then(|one| one.warning.clone());
    let highest = judged.iter().filter_map(|one| one.view.score_percent).fold(0.0, f64::max);
    let mut warn = |code: &str, text: String| finding.warnings.push(Warning { code: code.into(), text });
    let missing: Vec<&str> =
        USUAL.into_iter().filter(|usual| judged.iter().all(|one| one.view.view != *usual)).collect();
    if !missing.is_empty() {
        warn("views_missing", format!("no judged view {}: nothing is said of it", missing.join(", ")));
    }
    for view in &passed_over {
        warn(
            "not_judged",
            format!("an image is not judged: {}", view.not_judged.as_deref().unwrap_or_default()),
        );
    }
    for one in judged {
        part.views.push(one.view);
        part.marks.extend(one.marks);
    }
    part.views.extend(passed_over);
    fill(finding, part, highest, fell_back);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_bundle_fits_and_others_do_not() {
        let read = |name: &str| {
            let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
            Manifest::read(&root.join("models/bundles").join(name).join("model.toml")).unwrap()
        };
        assert!(fits(&read("mammography_cad")));
        assert!(!fits(&read("lesion_det")) && !fits(&read("cardiac_seg")));
    }
}
