//! The fleet's message about one finding.

use serde::Serialize;
use sidelight_provisioning::Identity;

use crate::store::calcium::{CacDrs, VesselSum};
use crate::store::finding::{Algorithm, Category, Finding, FindingKind, FindingState, Measurement};

/// Changes when a field changes its meaning.
const SCHEMA: &str = "sidelight.result/1";

#[derive(Serialize)]
struct Message<'a> {
    schema: &'static str,
    /// Same id, same finding: a message may come twice.
    id: &'a str,
    study: String,
    series: String,
    kind: FindingKind,
    state: FindingState,
    /// Grows by one with each change a reader made.
    revision: u32,
    label: &'a str,
    algorithm: &'a Algorithm,
    measurements: &'a [Measurement],
    category: Option<&'a Category>,
    calcium: Option<CalciumPart<'a>>,
    warnings: Vec<&'a str>,
    reason: Option<&'a str>,
    /// Who reviewed is nobody's business outside the hospital; whether somebody did is in `state`.
    reviewed: bool,
}

#[derive(Serialize)]
struct CalciumPart<'a> {
    thresholds_hu: [i16; 4],
    cac_drs: Option<&'a CacDrs>,
    /// By a reader's assignment; `unassigned` lesions are in the total only.
    vessels: &'a [VesselSum],
    unassigned: u32,
}

/// Composes the message. What is not named here does not leave: no identity, no UID, no accession number, no date.
pub(super) fn compose(finding: &Finding, identity: &Identity) -> String {
    let message = Message {
        schema: SCHEMA,
        id: &finding.id,
        study: identity.pseudonym(finding.study_uid.as_str()),
        series: identity.pseudonym(finding.series_uid.as_str()),
        kind: finding.kind,
        state: finding.state,
        revision: finding.revision,
        label: &finding.label,
        algorithm: &finding.algorithm,
        measurements: &finding.measurements,
        category: finding.category.as_ref(),
        calcium: finding.calcium.as_ref().map(|calcium| CalciumPart {
            thresholds_hu: calcium.scoring.starts_hu,
            cac_drs: calcium.cac_drs.as_ref(),
            vessels: &calcium.vessels,
            unassigned: calcium.unassigned,
        }),
        warnings: finding.warnings.iter().map(|warning| warning.code.as_str()).collect(),
        // A failure's own words may quote what failed; superseded_reason counts images and nothing else.
        reason: finding.superseded_reason.as_deref(),
        reviewed: finding.reviewed_at.is_some(),
    };
    serde_json::to_string(&message).expect("plain data always serializes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::finding::{Scope, Warning};
    use crate::uid::{SeriesUid, StudyUid};

    fn finding() -> Finding {
        Finding {
            id: "f1".into(),
            study_uid: StudyUid::parse("1.2.840.99.1").unwrap(),
            series_uid: SeriesUid::parse("1.2.840.99.2").unwrap(),
            kind: FindingKind::Calcium,
            title: "Coronary calcium".into(),
            state: FindingState::Preliminary,
            label: "candidate calcium, automatic, unreviewed".into(),
            created_at: "2026-11-23T16:43:21.042Z".into(),
            algorithm: Algorithm { name: "a".into(), version: "1".into(), processor: "twin".into() },
            scope: Scope::Automatic { rule: "rule".into() },
            reason: Some("reason with 1.2.840.99.1 in it".into()),
            measurements: vec![Measurement { name: "Agatston score".into(), value: 12.5, unit: "1".into() }],
            category: None,
            warnings: vec![Warning { code: "coverage".into(), text: "of Mr Miller".into() }],
            lesions: Vec::new(),
            lesions_truncated: false,
            calcium: None,
            revision: 0,
            perfusion: None,
            cardiac: None,
            marks: None,
            structures: None,
            network: None,
            reviewer: Some("Dr Miller".into()),
            reviewed_at: Some("2026-11-23T16:43:21.042Z".into()),
            superseded_by: None,
            superseded_reason: None,
            ready_because: String::new(),
            study_instances: 47,
        }
    }

    #[test]
    fn a_message_says_what_was_measured_and_nothing_about_whom_or_when() {
        let folder = tempfile::tempdir().unwrap();
        Identity::create(folder.path()).unwrap();
        let identity = Identity::read(folder.path()).unwrap();
        let message = compose(&finding(), &identity);
        for secret in ["1.2.840", "Miller", "2026", "rule"] {
            assert!(!message.contains(secret), "{secret} in {message}");
        }
        let parsed: serde_json::Value = serde_json::from_str(&message).unwrap();
        assert_eq!(parsed["state"], "preliminary");
        assert_eq!(parsed["measurements"][0]["value"], 12.5);
        assert_eq!(parsed["study"], identity.pseudonym("1.2.840.99.1"));
        assert_eq!(parsed["reviewed"], true);
    }
}
