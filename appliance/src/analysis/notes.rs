//! What an analysis notes while it works, so that its run goes on record: when it began, what it looked at, how long
//! each stage took. Work that ends before it has looked at any images is no run.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Analysis, AnalysisError, Built, blocking, fingerprint};
use crate::clock::Timestamp;
use crate::store::finding::{Finding, FindingKind, Scope};
use crate::store::runs::{Run, RunAnswer, RunInput, RunModel, RunStage};
use crate::uid::SeriesUid;

/// Of the work in hand.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<Option<Noted>>);

#[derive(Debug)]
struct Noted {
    begun_at: Timestamp,
    /// Name and beginning; the first begins with the work.
    stages: Vec<(String, Instant)>,
    input: Option<RunInput>,
    answers: Vec<RunAnswer>,
}

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Option<Noted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, at: Timestamp, now: Instant) {
        let stages = vec![("looking at the series".to_owned(), now)];
        *self.lock() = Some(Noted { begun_at: at, stages, input: None, answers: Vec::new() });
    }

    /// Another stage; the same one again goes on.
    pub(super) fn stage(&self, name: &str, now: Instant) {
        if let Some(noted) = &mut *self.lock()
            && noted.stages.last().is_none_or(|(last, _)| last != name)
        {
            noted.stages.push((name.to_owned(), now));
        }
    }

    pub(super) fn looked_at(&self, input: RunInput) {
        if let Some(noted) = &mut *self.lock() {
            noted.input = Some(input);
        }
    }

    pub(super) fn answered(&self, answer: RunAnswer) {
        if let Some(noted) = &mut *self.lock() {
            noted.answers.push(answer);
        }
    }
}

impl Noted {
    /// Each stage lasts until the next one begins; what took less than a millisecond is left out.
    fn stages(&self, now: Instant) -> (u64, Vec<RunStage>) {
        let ms = |from: Instant, to: Instant| {
            u64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(u64::MAX)
        };
        let ends = self.stages.iter().skip(1).map(|(_, begun)| *begun).chain([now]);
        let each = self.stages.iter().zip(ends);
        let stages = each.map(|((name, begun), end)| RunStage { name: name.clone(), ms: ms(*begun, end) });
        let took = self.stages.first().map_or(0, |(_, begun)| ms(*begun, now));
        (took, stages.filter(|stage| stage.ms > 0).collect())
    }
}

impl Analysis {
    pub(super) fn begin_notes(&self) {
        self.notes.begin(self.clock.wall(), self.clock.now());
    }

    pub(super) fn stage(&self, name: &str) {
        self.notes.stage(name, self.clock.now());
    }

    /// Notes a volume as what was looked at; it is hashed once for all that look at it.
    pub(super) async fn note_volume(
        &mut self,
        series: &SeriesUid,
        volume: &std::sync::Arc<sidelight_kernels::Volume>,
    ) -> Result<RunInput, AnalysisError> {
        self.stage("hashing images");
        let same =
            |built: &&mut Built| built.series == *series && std::sync::Arc::ptr_eq(&built.volume, volume);
        let known = self.volume.as_mut().filter(same).and_then(|built| built.input.clone());
        let input = match known {
            Some(input) => input,
            None => {
                let volume = volume.clone();
                blocking(move || fingerprint::of_volume(&volume)).await?
            }
        };
        if let Some(built) = self.volume.as_mut().filter(same) {
            built.input = Some(input.clone());
        }
        self.notes.looked_at(input.clone());
        Ok(input)
    }

    /// The run that this finding came of, where there was one.
    pub(super) fn end_notes(&self, finding: &Finding) -> Option<Run> {
        let noted = self.notes.lock().take()?;
        let (took_ms, stages) = noted.stages(self.clock.now());
        let begun_at = noted.begun_at.rfc3339();
        Some(Run {
            id: self.identity.pseudonym(&format!("run {} {begun_at}", finding.id)),
            study: self.identity.pseudonym(finding.study_uid.as_str()),
            series: self.identity.pseudonym(finding.series_uid.as_str()),
            analysis: finding.kind,
            begun_at,
            program: finding.algorithm.name.clone(),
            version: finding.algorithm.version.clone(),
            model: finding.model().map(|model| RunModel {
                name: model.name.clone(),
                version: model.version.clone(),
                sha256: model.sha256.clone(),
                manifest_sha256: model.manifest_sha256.clone(),
            }),
            processor: finding.algorithm.processor.clone(),
            input: noted.input?,
            parameters: parameters(finding),
            answers: noted.answers,
            finding: finding.id.clone(),
            finding_state: finding.state,
            took_ms,
            stages,
        })
    }
}

/// What the program was told beside the images. Who told it stands in the finding.
fn parameters(finding: &Finding) -> Value {
    let region = match &finding.scope {
        Scope::Automatic { .. } | Scope::Edited { .. } => Value::Null,
        Scope::Region { shape, .. } => json!(shape),
        Scope::Chosen { choice, .. } => json!(choice),
    };
    match finding.kind {
        FindingKind::Calcium => {
            let scoring = finding.calcium.as_ref().map(|calcium| &calcium.scoring);
            json!({ "region": region, "scoring": scoring })
        }
        FindingKind::Perfusion => {
            json!({ "choice": finding.perfusion.as_ref().map(|part| &part.choice), "asked": region })
        }
        FindingKind::Structures => {
            json!({ "contrast": finding.warnings.iter().any(|warning| warning.code == "contrast") })
        }
        FindingKind::Mammography | FindingKind::Nodules => json!({
            "threshold_percent": finding.marks.as_ref().map(|part| part.threshold_percent),
            "levels_percent": finding.marks.as_ref().map(|part| part.levels_percent),
        }),
        // A network's own parameters stand in its manifest, whose digest is on record.
        FindingKind::Cardiac | FindingKind::Segmentation => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn stages_make_up_the_whole_time() {
        let (notes, start) = (Notes::default(), Clock.now());
        notes.stage("before anything", start);
        assert!(notes.lock().is_none());
        notes.begin(Timestamp(0), start);
        for (stage, ms) in [("reading", 5), ("reading", 9), ("hashing", 20), ("asking", 20), ("filing", 31)] {
            notes.stage(stage, start + Duration::from_millis(ms));
        }
        let noted = notes.lock().take().unwrap();
        let (took, stages) = noted.stages(start + Duration::from_millis(40));
        let stages: Vec<_> = stages.iter().map(|stage| (stage.name.as_str(), stage.ms)).collect();
        assert_eq!(stages, [("looking at the series", 5), ("reading", 15), ("asking", 11), ("filing", 9)]);
        assert_eq!(took, 40);
    }
}
