//! What is recorded: the parts of a PS3.15 A.5 message that a person or a program asks for later.

use serde::{Deserialize, Serialize};

use crate::part10::PatientStudy;
use crate::uid::StudyUid;

/// Longest free text of an event: a reason, not a report.
const TEXT_CHARS_MAX: usize = 500;

/// What happened. Each is an event identifier of PS3.15 A.5.3 (DCM code), with a name of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Application Activity, Application Start; says under which configuration.
    Start,
    /// Security Alert: the journal itself was changed from outside.
    Damage,
    AssociationAccepted,
    AssociationRefused,
    StudyReceived,
    /// Security Alert: one study, two patients.
    IdentityConflict,
    IdentityDecided,
    StudyForwarded,
    StudyDeleted,
    LegalHold,
    SignIn,
    SignOut,
    FindingConfirmed,
    FindingRejected,
    /// A reader said which vessels lesions lie in.
    LesionsAssigned,
    /// A reader changed the contours of a ventricle, or took the changes back.
    ContoursChanged,
    /// A reader had a series cut into another one.
    SeriesCut,
    /// Export: an object left the box through the reading station.
    ObjectExported,
}

impl Kind {
    /// DICOM's event identifier (PS3.16, DCM).
    fn code(self) -> &'static str {
        match self {
            Self::Start => "110100",
            Self::AssociationAccepted => "110102",
            Self::StudyReceived | Self::StudyForwarded => "110104",
            Self::StudyDeleted => "110105",
            Self::ObjectExported => "110106",
            Self::SignIn | Self::SignOut => "110114",
            Self::IdentityDecided | Self::LegalHold => "110110",
            Self::FindingConfirmed
            | Self::FindingRejected
            | Self::LesionsAssigned
            | Self::ContoursChanged
            | Self::SeriesCut => "110103",
            Self::Damage | Self::AssociationRefused | Self::IdentityConflict => "110113",
        }
    }

    fn action(self) -> Action {
        match self {
            Self::StudyReceived | Self::SeriesCut => Action::Create,
            Self::StudyForwarded | Self::ObjectExported => Action::Read,
            Self::IdentityDecided
            | Self::LegalHold
            | Self::FindingConfirmed
            | Self::FindingRejected
            | Self::LesionsAssigned
            | Self::ContoursChanged => Action::Update,
            Self::StudyDeleted => Action::Delete,
            _ => Action::Execute,
        }
    }
}

/// Event Action Code of PS3.15 A.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    #[serde(rename = "C")]
    Create,
    #[serde(rename = "R")]
    Read,
    #[serde(rename = "U")]
    Update,
    #[serde(rename = "D")]
    Delete,
    #[serde(rename = "E")]
    Execute,
}

/// Event Outcome Indicator of PS3.15 A.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Outcome {
    Success,
    MinorFailure,
    SeriousFailure,
}

impl From<Outcome> for u8 {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => 0,
            Outcome::MinorFailure => 4,
            Outcome::SeriousFailure => 8,
        }
    }
}

impl TryFrom<u8> for Outcome {
    type Error = &'static str;
    fn try_from(code: u8) -> Result<Self, Self::Error> {
        match code {
            0 => Ok(Self::Success),
            4 => Ok(Self::MinorFailure),
            8 => Ok(Self::SeriousFailure),
            _ => Err("an outcome is 0, 4 or 8"),
        }
    }
}

/// Active Participant: a person, a peer, or the box itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    pub user: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
}

impl Who {
    pub fn this_box() -> Self {
        Self { user: "sidelight".into(), address: None }
    }

    /// A DICOM peer by its AE title and, where known, its address.
    pub fn peer(ae_title: &str, address: Option<String>) -> Self {
        let user = if ae_title.is_empty() { "unknown AE" } else { ae_title };
        Self { user: user.to_owned(), address }
    }

    /// Whoever held the station's token. Until people sign in by name there is no other.
    pub fn station() -> Self {
        Self { user: "reading station".into(), address: None }
    }
}

/// Participant Object: the study and whose it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StudyNamed {
    pub uid: StudyUid,
    pub patient_id: String,
    pub patient_name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instances: Option<u64>,
}

impl std::fmt::Debug for StudyNamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StudyNamed(hidden)")
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub kind: Kind,
    /// DICOM's code for `kind`.
    pub id: String,
    pub action: Action,
    pub outcome: Outcome,
    pub who: Who,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub study: Option<StudyNamed>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub what: Option<String>,
}

impl Event {
    pub fn new(kind: Kind, outcome: Outcome, who: Who) -> Self {
        Self { kind, id: kind.code().into(), action: kind.action(), outcome, who, study: None, what: None }
    }

    #[must_use]
    pub fn on(mut self, uid: &StudyUid, about: &PatientStudy) -> Self {
        self.study = Some(StudyNamed {
            uid: uid.clone(),
            patient_id: about.patient_id.clone(),
            patient_name: about.patient_name.clone(),
            instances: None,
        });
        self
    }

    /// How many instances of the study it was about.
    #[must_use]
    pub fn counting(mut self, instances: u64) -> Self {
        if let Some(study) = &mut self.study {
            study.instances = Some(instances);
        }
        self
    }

    #[must_use]
    pub fn because(mut self, what: impl Into<String>) -> Self {
        self.what = Some(what.into().chars().take(TEXT_CHARS_MAX).collect());
        self
    }
}
