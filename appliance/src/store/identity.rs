//! One study, one patient: what the instances of a study say about whose it is, and what an admin decided.
//!
//! Two instances disagree where both name a patient id, a name or a birth date and the names differ. A study with a
//! disagreement is *held*: kept and shown, but neither analysed nor forwarded, until an admin says that all
//! identities seen so far are one person. A further identity holds it again. Nothing here changes a byte of an object.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::index::Tree;
use super::journal::Entry;
use super::{Store, hex};
use crate::audit::{Event, Kind, Outcome, Who};
use crate::clock::Timestamp;
use crate::part10::{InstanceFacts, PatientStudy};
use crate::uid::StudyUid;

/// A study with more identities than this was put together by a fault; the rest is only counted.
const IDENTITIES_MAX: usize = 16;

/// One identity as some instances of a study give it. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentitySeen {
    pub patient_id: String,
    pub patient_name: String,
    pub birth_date: String,
    pub instances: u64,
    /// Names the identity in decisions without repeating it.
    pub digest: String,
}

impl std::fmt::Debug for IdentitySeen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentitySeen").field("instances", &self.instances).finish_non_exhaustive()
    }
}

/// Everything the store knows about whose study it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityRecord {
    pub seen: Vec<IdentitySeen>,
    /// Digests that an admin declared to be one person.
    pub accepted: Vec<String>,
    /// Instances with still other identities.
    pub beyond: u64,
}

/// What an admin decided about the identities seen at that time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct IdentityDecision {
    pub study: StudyUid,
    pub digests: Vec<String>,
    /// One person; else the study stays held, whatever was accepted before.
    pub one_person: bool,
    pub by: String,
    pub at: Timestamp,
}

impl IdentityRecord {
    /// Whether the study must wait for an admin.
    pub fn is_held(&self) -> bool {
        let settled = |seen: &IdentitySeen| self.accepted.contains(&seen.digest);
        self.beyond > 0 || self.disagreements().any(|(one, other)| !(settled(one) && settled(other)))
    }

    /// Whether there is or was something to decide.
    pub fn is_in_conflict(&self) -> bool {
        self.beyond > 0 || self.disagreements().next().is_some()
    }

    fn disagreements(&self) -> impl Iterator<Item = (&IdentitySeen, &IdentitySeen)> {
        let pairs = self
            .seen
            .iter()
            .enumerate()
            .flat_map(|(position, one)| self.seen[position + 1..].iter().map(move |other| (one, other)));
        pairs.filter(|(one, other)| disagree(one, other))
    }

    fn note(&mut self, about: &PatientStudy) {
        let digest = digest(about);
        if let Some(known) = self.seen.iter_mut().find(|seen| seen.digest == digest) {
            known.instances += 1;
        } else if self.seen.len() < IDENTITIES_MAX {
            self.seen.push(IdentitySeen {
                patient_id: about.patient_id.clone(),
                patient_name: about.patient_name.clone(),
                birth_date: about.birth_date.clone(),
                instances: 1,
                digest,
            });
        } else {
            self.beyond += 1;
        }
    }

    fn decide(&mut self, decision: &IdentityDecision) {
        self.accepted.retain(|digest| !decision.digests.contains(digest));
        if decision.one_person {
            self.accepted.extend(decision.digests.iter().cloned());
        }
    }
}

impl Store {
    /// Whether the study waits for an admin: nothing of it is analysed or forwarded meanwhile.
    pub fn is_held(&self, study: &StudyUid) -> Result<bool, StoreError> {
        Ok(self.identities(study)?.is_held())
    }

    /// The identities seen in a study; one in a sound study.
    pub fn identities(&self, study: &StudyUid) -> Result<IdentityRecord, StoreError> {
        Ok(self.inner.index.get(Tree::Identity, study.as_str().as_bytes())?.unwrap_or_default())
    }

    /// Studies that arrived under two patients, decided over or not; at most `count`, the held ones first.
    pub fn identity_conflicts(&self, count: usize) -> Result<Vec<(StudyUid, IdentityRecord)>, StoreError> {
        let mut found = Vec::new();
        self.inner.index.scan(Tree::Identity, b"", |key, record: IdentityRecord| {
            let study = std::str::from_utf8(key).ok().and_then(|uid| StudyUid::parse(uid).ok());
            if let Some(study) = study.filter(|_| record.is_in_conflict()) {
                found.push((study, record));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        found.sort_by_key(|(_, record)| !record.is_held());
        found.truncate(count);
        Ok(found)
    }

    /// How many studies wait for a decision.
    pub fn held_count(&self) -> Result<usize, StoreError> {
        let mut held = 0;
        self.inner.index.scan(Tree::Identity, b"", |_, record: IdentityRecord| {
            held += usize::from(record.is_held());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(held)
    }

    /// An admin decides over the identities seen so far. Durable and audited when it returns.
    pub fn decide_identity(
        &self,
        study: &StudyUid,
        one_person: bool,
        by: &str,
        at: Timestamp,
    ) -> Result<IdentityRecord, StoreError> {
        let record = self.study(study)?;
        {
            let _writing = self.writing();
            let seen = self.identities(study)?;
            let digests = seen.seen.iter().map(|seen| seen.digest.clone()).collect();
            let decision =
                IdentityDecision { study: study.clone(), digests, one_person, by: by.to_owned(), at };
            let what = if one_person { "one person" } else { "stays held" };
            let who = Who { user: by.to_owned(), address: None };
            let event = Event::new(Kind::IdentityDecided, Outcome::Success, who);
            let event =
                event.on(study, &record.patient_study).because(format!("{what}: {}", described(&seen)));
            self.audit().record(&event, at)?;
            self.append(&Entry::IdentityDecided(decision.clone()))?;
            self.index_decision(&decision)?;
            self.inner.index.commit()?;
        }
        self.live().changed(study);
        self.identities(study)
    }

    /// Notes whose study an instance says it is. Called once for each indexed instance, under the writing lock.
    pub(super) fn note_identity(&self, facts: &InstanceFacts) -> Result<(), StoreError> {
        let mut record = self.identities(&facts.study)?;
        record.note(&facts.patient_study);
        self.inner.index.put(Tree::Identity, facts.study.as_str().as_bytes(), &record)
    }

    pub(super) fn index_decision(&self, decision: &IdentityDecision) -> Result<(), StoreError> {
        let mut record = self.identities(&decision.study)?;
        record.decide(decision);
        self.inner.index.put(Tree::Identity, decision.study.as_str().as_bytes(), &record)
    }

    /// Says in log and audit journal what is new about a study that an instance was just filed in.
    pub(super) fn tell_arrival(
        &self,
        arrival: &InstanceArrival,
        was_known: bool,
        was_held: bool,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let who = Who::peer(&arrival.source_ae_title, None);
        if !was_known {
            let event = Event::new(Kind::StudyReceived, Outcome::Success, who.clone());
            self.audit().note(&event.on(&arrival.study, &arrival.about), at);
        }
        if !was_held && self.is_held(&arrival.study)? {
            tracing::error!(
                "a study arrives under two patients: it is kept, neither analysed nor forwarded, until an admin decides"
            );
            let seen = self.identities(&arrival.study)?;
            let event = Event::new(Kind::IdentityConflict, Outcome::MinorFailure, who);
            self.audit().note(&event.on(&arrival.study, &arrival.about).because(described(&seen)), at);
        }
        Ok(())
    }
}

/// What the audit journal wants to know of an instance that was filed.
pub(super) struct InstanceArrival {
    pub study: StudyUid,
    pub about: PatientStudy,
    pub source_ae_title: String,
}

impl From<&InstanceFacts> for InstanceArrival {
    fn from(facts: &InstanceFacts) -> Self {
        let (study, about) = (facts.study.clone(), facts.patient_study.clone());
        Self { study, about, source_ae_title: facts.source_ae_title.clone() }
    }
}

/// For the audit journal only.
fn described(record: &IdentityRecord) -> String {
    let one = |seen: &IdentitySeen| {
        format!("{} / {} / {} ({})", seen.patient_id, seen.patient_name, seen.birth_date, seen.instances)
    };
    record.seen.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What is not said does not disagree: many secondary objects leave the birth date out.
fn disagree(one: &IdentitySeen, other: &IdentitySeen) -> bool {
    let differ = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
    differ(&plain(&one.patient_id), &plain(&other.patient_id))
        || differ(&plain_name(&one.patient_name), &plain_name(&other.patient_name))
        || differ(&plain(&one.birth_date), &plain(&other.birth_date))
}

fn digest(about: &PatientStudy) -> String {
    let parts = [plain(&about.patient_id), plain_name(&about.patient_name), plain(&about.birth_date)];
    hex(&Sha256::digest(parts.join("\0").as_bytes())[..16])
}

fn plain(text: &str) -> String {
    text.trim().to_owned()
}

/// Trailing empty components and the case of letters do not make another person (PS3.5 6.2.1).
fn plain_name(text: &str) -> String {
    text.trim().trim_end_matches(['^', '=', ' ']).to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(id: &str, name: &str, birth: &str) -> PatientStudy {
        PatientStudy {
            patient_id: id.into(),
            patient_name: name.into(),
            birth_date: birth.into(),
            ..PatientStudy::default()
        }
    }

    fn held(identities: &[PatientStudy]) -> bool {
        let mut record = IdentityRecord::default();
        identities.iter().for_each(|about| record.note(about));
        record.is_held()
    }

    #[test]
    fn another_id_name_or_birth_date_holds_a_study() {
        let one = about("1", "Doe^Jane", "19500101");
        for other in [
            about("2", "Doe^Jane", "19500101"),
            about("1", "Roe^Jane", "19500101"),
            about("1", "Doe^Jane", "19500102"),
        ] {
            assert!(held(&[one.clone(), other.clone()]) && held(&[other, one.clone()]));
        }
    }

    #[test]
    fn padding_case_and_silence_are_no_other_person() {
        let one = about("1", "Doe^Jane", "19500101");
        assert!(!held(&[one.clone(), about("1 ", "DOE^JANE^^", "19500101")]));
        assert!(!held(&[one.clone(), about("", "", "")]));
        assert!(!held(&[one.clone(), about("1", "Doe^Jane", "")]));
        assert!(held(&[about("", "", ""), one, about("2", "", "")]), "a silent one hides no disagreement");
    }

    #[test]
    fn a_decision_covers_what_was_seen_and_nothing_later() {
        let mut record = IdentityRecord::default();
        record.note(&about("1", "A", ""));
        record.note(&about("2", "A", ""));
        let digests = record.seen.iter().map(|seen| seen.digest.clone()).collect();
        let study = StudyUid::parse("1.2").unwrap();
        let mut decision =
            IdentityDecision { study, digests, one_person: true, by: "admin".into(), at: Timestamp(0) };
        record.decide(&decision);
        assert!(!record.is_held());
        record.note(&about("3", "A", ""));
        assert!(record.is_held(), "a third identity was never decided over");
        decision.one_person = false;
        record.decide(&decision);
        assert_eq!(record.accepted, Vec::<String>::new());
    }

    #[test]
    fn more_identities_than_are_listed_hold_for_good() {
        let mut record = IdentityRecord::default();
        for id in 0..IDENTITIES_MAX + 3 {
            record.note(&about(&id.to_string(), "", ""));
        }
        assert_eq!((record.seen.len(), record.beyond), (IDENTITIES_MAX, 3));
        assert!(record.is_held());
    }
}
