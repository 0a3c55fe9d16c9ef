//! The fleet's message about one finding.

use serde::Serialize;
use sidelight_provisioning::Identity;

use crate::store::finding::{Algorithm, Category, Finding, FindingState, Measurement};

/// Changes when a field changes its meaning.
const SCHEMA: &str = "sidelight.result/1";

#[derive(Serialize)]
struct Message<'a> {
    schema: &'static str,
    /// Same id, same finding: a message may come twice.
    id: &'a str,
    study: String,
    series: String,
    kind: &'a str,
    state: FindingState,
    label: &'a str,
    algorithm: &'a Algorithm,
    measurements: &'a [Measurement],
    category: Option<&'a Category>,
    warnings: Vec<&'a str>,
    reason: Option<&'a str>,
    /// Who reviewed is nobody's business outside the hospital; whether somebody did is in `state`.
    reviewed: bool,
}

/// Composes the message. What is not named here does not leave: no identity, no UID, no accession number, no date.
pub(super) fn compose(finding: &Finding, identity: &Identity) -> String {
    let message = Message {
        schema: SCHEMA,
        id: &finding.id,
        study: identity.pseudonym(finding.study_uid.as_str()),
        series: identity.pseudonym(finding.series_uid.as_str()),
        kind: &finding.kind,
        state: finding.state,
        label: &finding.label,
        algorithm: &finding.algorithm,
        measurements: &finding.measurements,
        category: finding.category.as_ref(),
        warnings: finding.warnings.iter().map(|warning| warning.code.as_str()).collect(),
        // A failure's own words may quote what failed; superseded_reason counts images and nothing else.
        reason: finding.superseded_reason.as_deref(),
        reviewed: finding.reviewed_at.is_some(),
    };
    serde_json::to_string(&message).expect("plain data always serializes")
}
