//! What the index keeps: small envelopes, every one of them derivable from files or from the journal.

use serde::{Deserialize, Serialize};

use super::finding::{Finding, FindingKind, FindingState, Shape};
use super::perfusion::PerfusionChoice;
use crate::clock::Timestamp;
use crate::part10::{InstanceFacts, PatientStudy};
use crate::uid::{SeriesUid, StudyUid};

/// One stored object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceRecord {
    pub facts: InstanceFacts,
    /// SHA-256 of the data set as it came, without our header; hexadecimal.
    pub sha256: String,
    pub bytes: u64,
    pub admitted_at: Timestamp,
    /// An object with the same SOP Instance UID and other bytes was here first.
    pub conflict: bool,
    /// Made by this box of a finding (`own_objects.rs`).
    #[serde(default)]
    pub own: bool,
}

impl InstanceRecord {
    /// File name inside the series folder: the hash keeps two versions of one UID apart.
    pub fn file_name(&self) -> String {
        let name = file_name(self.facts.sop_instance.as_str(), &self.sha256);
        if self.own { name.replace(".dcm", ".own.dcm") } else { name }
    }
}

pub(super) fn file_name(sop_instance: &str, sha256: &str) -> String {
    format!("{sop_instance}-{}.dcm", &sha256[..16])
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StudyRecord {
    pub patient_study: PatientStudy,
    pub first_arrival: Timestamp,
    pub last_arrival: Timestamp,
    /// Objects admitted so far: grows by one with each, so it also says which state of the study a finding saw.
    pub instances: u64,
    /// Objects that arrived again with other bytes.
    pub conflicts: u64,
    /// Of all its received objects.
    pub bytes: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SeriesRecord {
    pub modality: String,
    pub number: Option<i64>,
    pub description: String,
    pub date: String,
    pub time: String,
    pub body_part: String,
    pub instances: u64,
    pub frames: u64,
    /// Holds results of this box, no images of the patient's scanner.
    #[serde(default)]
    pub own: bool,
}

impl SeriesRecord {
    /// A series as its first instance describes it, with nothing counted yet.
    pub(super) fn begun(facts: &InstanceFacts, own: bool) -> Self {
        Self {
            modality: facts.modality.clone(),
            number: facts.series_number,
            description: facts.series_description.clone(),
            date: facts.series_date.clone(),
            time: facts.series_time.clone(),
            body_part: facts.body_part.clone(),
            instances: 0,
            frames: 0,
            own,
        }
    }
}

/// What a study list needs of a finding without opening its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingCard {
    pub id: String,
    pub series: SeriesUid,
    pub kind: FindingKind,
    pub state: FindingState,
    pub drawn: bool,
    pub created_at: String,
    pub study_instances: u64,
    /// What was found out, in a few words; nothing where nothing was.
    pub in_short: Option<String>,
    pub reason: Option<String>,
    /// A reader has said of every lesion where it lies.
    #[serde(default)]
    pub assigned: bool,
    #[serde(default)]
    pub revision: u32,
    /// The bundle it is about, of a segmentation.
    #[serde(default)]
    pub network: Option<String>,
}

impl From<&Finding> for FindingCard {
    fn from(finding: &Finding) -> Self {
        Self {
            id: finding.id.clone(),
            series: finding.series_uid.clone(),
            kind: finding.kind,
            state: finding.state,
            drawn: finding.is_drawn(),
            created_at: finding.created_at.clone(),
            study_instances: finding.study_instances,
            in_short: finding.in_short(),
            reason: finding.reason.clone(),
            assigned: super::calcium::is_assigned(finding),
            revision: finding.revision,
            network: finding.network.clone(),
        }
    }
}

/// A message the box has promised to deliver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    /// Grows by one with each promise; delivery keeps this order.
    pub sequence: u64,
    /// The same key is promised once only, however often a crash repeats the step.
    pub key: String,
    /// Last level of the topic: `result`.
    pub lane: String,
    pub payload: String,
}

/// What a reader wants measured; answered by the finding with the same id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    pub finding_id: String,
    pub study: StudyUid,
    pub series: SeriesUid,
    #[serde(flatten)]
    pub about: Asked,
    pub reader: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Asked {
    /// Calcium inside a drawn region.
    Region { shape: Shape },
    /// Perfusion with other inlets or another method.
    Perfusion { choice: PerfusionChoice },
}
