//! The data sets of the Storage Commitment Push Model, both ways: what is asked for (PS3.4 J.3.2) and what is reported
//! (J.3.3).
//!
//! Whoever asks and whoever answers write and read them here. It judges nothing: which instances are kept is the
//! caller's to say.

use serde::{Deserialize, Serialize};

use super::message::{Composer, Elements, NotAMessage};
use crate::uid::SopInstanceUid;

/// The only action of the service.
pub const REQUEST_COMMITMENT: u16 = 1;
const ALL_COMMITTED: u16 = 1;
const SOME_FAILED: u16 = 2;

const TRANSACTION_UID: (u16, u16) = (0x0008, 0x1195);
const REFERENCED_SOPS: (u16, u16) = (0x0008, 0x1199);
const FAILED_SOPS: (u16, u16) = (0x0008, 0x1198);
const REFERENCED_CLASS: (u16, u16) = (0x0008, 0x1150);
const REFERENCED_INSTANCE: (u16, u16) = (0x0008, 0x1155);
const FAILURE_REASON: (u16, u16) = (0x0008, 0x1197);

/// One SOP class and instance, as a caller or an archive names them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    pub sop_class: String,
    pub sop_instance: String,
}

impl std::fmt::Debug for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reference(hidden)")
    }
}

/// Why a data set is none of these. Never contains a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCommitment {
    #[error(transparent)]
    NotAMessage(#[from] NotAMessage),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is not a UID")]
    NotAUid(&'static str),
}

/// N-ACTION: please keep these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitmentRequest {
    pub transaction: String,
    pub instances: Vec<Reference>,
}

/// N-EVENT-REPORT: these are kept, these are not, with the reason (PS3.3 C.14.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitmentReport {
    pub transaction: String,
    pub kept: Vec<Reference>,
    pub failed: Vec<(Reference, u16)>,
}

impl CommitmentRequest {
    pub fn parse(data_set: &[u8], explicit_vr: bool) -> Result<Self, NotCommitment> {
        let elements = Elements::parse(data_set, explicit_vr)?;
        let transaction = uid(&elements, TRANSACTION_UID, "Transaction UID")?;
        let items = elements.items(REFERENCED_SOPS);
        if items.is_empty() {
            return Err(NotCommitment::Missing("Referenced SOP Sequence"));
        }
        Ok(Self { transaction, instances: items.iter().map(reference).collect::<Result<_, _>>()? })
    }

    pub fn to_bytes(&self, explicit_vr: bool) -> Vec<u8> {
        let mut composer = Composer::new(explicit_vr);
        composer.uid(TRANSACTION_UID, &self.transaction);
        composer.sequence(REFERENCED_SOPS, &self.instances, name);
        composer.finish()
    }
}

impl CommitmentReport {
    /// What the event type of the report must be.
    pub fn event_type(&self) -> u16 {
        if self.failed.is_empty() { ALL_COMMITTED } else { SOME_FAILED }
    }

    /// Whether an event type belongs to the service at all.
    pub fn is_event(event_type: u16) -> bool {
        matches!(event_type, ALL_COMMITTED | SOME_FAILED)
    }

    pub fn parse(data_set: &[u8], explicit_vr: bool) -> Result<Self, NotCommitment> {
        let elements = Elements::parse(data_set, explicit_vr)?;
        let failed = |item: &Elements<'_>| Ok((reference(item)?, item.number(FAILURE_REASON).unwrap_or(0)));
        Ok(Self {
            transaction: uid(&elements, TRANSACTION_UID, "Transaction UID")?,
            kept: elements.items(REFERENCED_SOPS).iter().map(reference).collect::<Result<_, _>>()?,
            failed: elements.items(FAILED_SOPS).iter().map(failed).collect::<Result<_, NotCommitment>>()?,
        })
    }

    pub fn to_bytes(&self, explicit_vr: bool) -> Vec<u8> {
        let mut composer = Composer::new(explicit_vr);
        composer.uid(TRANSACTION_UID, &self.transaction);
        // In the order of their tags.
        if !self.failed.is_empty() {
            composer.sequence(FAILED_SOPS, &self.failed, |item, (reference, reason)| {
                name(item, reference);
                item.number(FAILURE_REASON, *reason);
            });
        }
        if !self.kept.is_empty() {
            composer.sequence(REFERENCED_SOPS, &self.kept, name);
        }
        composer.finish()
    }
}

fn reference(item: &Elements<'_>) -> Result<Reference, NotCommitment> {
    Ok(Reference {
        sop_class: uid(item, REFERENCED_CLASS, "Referenced SOP Class UID")?,
        sop_instance: uid(item, REFERENCED_INSTANCE, "Referenced SOP Instance UID")?,
    })
}

fn uid(elements: &Elements<'_>, tag: (u16, u16), what: &'static str) -> Result<String, NotCommitment> {
    let text = elements.text(tag).ok_or(NotCommitment::Missing(what))?;
    SopInstanceUid::parse(&text).map(String::from).map_err(|_| NotCommitment::NotAUid(what))
}

fn name(item: &mut Composer, reference: &Reference) {
    item.uid(REFERENCED_CLASS, &reference.sop_class);
    item.uid(REFERENCED_INSTANCE, &reference.sop_instance);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(uids: &[&str]) -> Vec<Reference> {
        let one = |uid: &&str| Reference { sop_class: "1.2.840".into(), sop_instance: (*uid).into() };
        uids.iter().map(one).collect()
    }

    #[test]
    fn what_is_asked_and_what_is_reported_read_back() {
        let request =
            CommitmentRequest { transaction: "1.2".into(), instances: references(&["1.2.3", "1.2.4"]) };
        let failed = references(&["1.2.5"]).into_iter().map(|one| (one, 0x0112)).collect();
        let report = CommitmentReport { transaction: "1.2".into(), kept: references(&["1.2.3"]), failed };
        assert_eq!(report.event_type(), 2);
        for explicit_vr in [true, false] {
            let bytes = request.to_bytes(explicit_vr);
            assert_eq!(CommitmentRequest::parse(&bytes, explicit_vr), Ok(request.clone()));
            let bytes = report.to_bytes(explicit_vr);
            assert_eq!(CommitmentReport::parse(&bytes, explicit_vr), Ok(report.clone()));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let nobody = CommitmentRequest { transaction: "1.2".into(), instances: Vec::new() };
        let parsed = CommitmentRequest::parse(&nobody.to_bytes(true), true);
        assert_eq!(parsed, Err(NotCommitment::Missing("Referenced SOP Sequence")));
        let parsed = CommitmentReport::parse(b"", true);
        assert_eq!(parsed, Err(NotCommitment::Missing("Transaction UID")));
        let odd = CommitmentRequest { transaction: "x".into(), instances: references(&["1.2.3"]) };
        let parsed = CommitmentRequest::parse(&odd.to_bytes(true), true);
        assert_eq!(parsed, Err(NotCommitment::NotAUid("Transaction UID")));
    }
}
