//! A finding while it is being made: blank, and the ways in which it ends without a number.

use super::task::Task;
use super::{
    Analysis, AnalysisError, blocking, calcium, cardiac, mammography, nodules, perfusion, segmentation,
    structures,
};
use crate::compute::ProcessorInfo;
use crate::store::calcium::{CANDIDATE, CANDIDATE_DRAWN};
use crate::store::finding::{Algorithm, Finding, FindingKind, FindingState, Scope, Warning};
use crate::store::marks;
use crate::store::records::{Asked, Question};
use crate::uid::{SeriesUid, StudyUid};

/// A job that was started this often and never finished took the box down with it: a person must look.
const ATTEMPTS_MAX: u32 = 2;

impl Analysis {
    /// A finding with nothing in it yet. Its id depends on what it is about, so a repeated step overwrites itself.
    pub(super) fn blank(
        &self,
        study: &StudyUid,
        series: &SeriesUid,
        kind: FindingKind,
        instances: u64,
    ) -> Finding {
        let words = words(kind);
        let about = format!("finding {} {} {} {instances}", study.as_str(), series.as_str(), words.job);
        Finding {
            id: self.identity.pseudonym(&about),
            study_uid: study.clone(),
            series_uid: series.clone(),
            kind,
            title: words.title.into(),
            state: FindingState::Provisional,
            label: words.label.into(),
            created_at: self.clock.wall().rfc3339(),
            algorithm: Algorithm {
                name: format!("sidelight-{}", words.job),
                version: env!("CARGO_PKG_VERSION").into(),
                processor: "none".into(),
            },
            scope: Scope::Automatic { rule: words.rule.into() },
            reason: None,
            measurements: Vec::new(),
            category: None,
            warnings: Vec::new(),
            lesions: Vec::new(),
            lesions_truncated: false,
            calcium: None,
            revision: 0,
            perfusion: None,
            cardiac: None,
            marks: None,
            structures: None,
            network: None,
            reviewer: None,
            reviewed_at: None,
            superseded_by: None,
            superseded_reason: None,
            ready_because: String::new(),
            study_instances: instances,
        }
    }

    /// A blank for an analysis; of a network's it says which.
    pub(super) fn blank_of(
        &self,
        study: &StudyUid,
        series: &SeriesUid,
        task: &Task,
        instances: u64,
    ) -> Finding {
        let mut finding = self.blank(study, series, task.kind, instances);
        if let Some(name) = task.network_name() {
            finding.id = self.identity.pseudonym(&format!("{} of {name}", finding.id));
            finding.title = format!("{}, {name}", finding.title);
            finding.network = Some(name.to_owned());
        }
        finding
    }

    /// A blank for a reader's question.
    pub(super) fn blank_for(&self, question: &Question, instances: u64) -> Finding {
        let reader = question.reader.clone();
        let (kind, label, scope) = match &question.about {
            Asked::Region { shape } => {
                (FindingKind::Calcium, CANDIDATE_DRAWN, Scope::Region { shape: shape.clone(), reader })
            }
            Asked::Perfusion { choice } => {
                (FindingKind::Perfusion, perfusion::CHOSEN_LABEL, Scope::Chosen { choice: *choice, reader })
            }
        };
        let mut finding = self.blank(&question.study, &question.series, kind, instances);
        finding.id.clone_from(&question.finding_id);
        finding.label = label.into();
        finding.state = FindingState::Preliminary;
        finding.scope = scope;
        finding
    }

    /// Counts the start of the work on a finding. False, and the finding says why, where it must not start again.
    pub(super) async fn may_start(&self, finding: &mut Finding) -> Result<bool, AnalysisError> {
        let (store, job) = (self.store.clone(), finding.id.clone());
        if blocking(move || store.attempt(&job)).await?? < ATTEMPTS_MAX {
            return Ok(true);
        }
        let reason = "this series took the box down twice; ask for support before running it again";
        fail(finding, reason.into());
        Ok(false)
    }
}

/// Names the device the kernels of this finding ran on, and what it did not do of them.
pub(super) fn name_processor(finding: &mut Finding, by: &ProcessorInfo) {
    let kind = format!("{:?}", by.kind).to_lowercase();
    finding.algorithm.processor = format!("{kind}: {}", by.name);
    let told = |text| Warning { code: "processor".into(), text };
    finding.warnings.extend(by.degraded.clone().map(told));
}

/// How the findings of a kind introduce themselves.
struct Words {
    job: &'static str,
    title: &'static str,
    label: &'static str,
    rule: &'static str,
}

fn words(kind: FindingKind) -> Words {
    match kind {
        FindingKind::Perfusion => Words {
            job: "perfusion",
            title: perfusion::TITLE,
            label: perfusion::LABEL,
            rule: perfusion::RULE,
        },
        FindingKind::Calcium => Words {
            job: "calcium",
            title: calcium::TITLE,
            label: CANDIDATE,
            rule: sidelight_kernels::heart::RULE,
        },
        FindingKind::Structures => Words {
            job: "structures",
            title: structures::TITLE,
            label: crate::store::structures::LABEL,
            rule: structures::RULE,
        },
        FindingKind::Segmentation => Words {
            job: "segmentation",
            title: segmentation::TITLE,
            label: crate::store::structures::BY_NETWORK,
            rule: segmentation::RULE,
        },
        FindingKind::Cardiac => {
            Words { job: "cardiac", title: cardiac::TITLE, label: cardiac::LABEL, rule: cardiac::RULE }
        }
        FindingKind::Mammography => Words {
            job: "mammography",
            title: mammography::TITLE,
            label: marks::CANDIDATE,
            rule: mammography::RULE,
        },
        FindingKind::Nodules => {
            Words { job: "nodules", title: nodules::TITLE, label: marks::CANDIDATE, rule: nodules::RULE }
        }
    }
}

/// An answer like any other: it ends the work on the series.
pub(super) fn does_not_apply(finding: &mut Finding, reason: impl Into<String>) {
    finding.state = FindingState::NotApplicable;
    finding.reason = Some(reason.into());
}

pub(super) fn fail(finding: &mut Finding, reason: String) {
    tracing::error!(reason, "an analysis failed");
    finding.state = FindingState::Failed;
    finding.reason = Some(reason);
}
