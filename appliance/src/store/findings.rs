//! Findings as files, their cards in the index, and the studies analysis still owes an answer.

use std::path::PathBuf;

use super::durable;
use super::error::StoreError;
use super::finding::Finding;
use super::index::{Tree, key, prefix};
use super::journal::Entry;
use super::records::{FindingCard, Question};
use super::{Store, uid_of};
use crate::uid::StudyUid;

/// A finding holds one run per row of every lesion slice; this is some hundred thousand runs.
const FINDING_BYTES_MAX: usize = 16 << 20;

impl Store {
    /// Writes a finding, new or changed. Durable when it returns.
    pub fn record_finding(&self, finding: &Finding) -> Result<(), StoreError> {
        let bytes =
            serde_json::to_vec(finding).map_err(|source| StoreError::Record { tree: "finding", source })?;
        if bytes.len() > FINDING_BYTES_MAX {
            return Err(StoreError::TooLarge {
                what: "a finding",
                bytes: bytes.len(),
                limit: FINDING_BYTES_MAX,
            });
        }
        let path = self.finding_path(&finding.study_uid, &finding.id);
        durable::create_folder(path.parent().expect("a finding lies in a folder"))?;
        durable::replace(&path, &bytes)?;
        self.index_finding(finding)?;
        self.inner.index.commit()?;
        self.live().changed(&finding.study_uid);
        Ok(())
    }

    /// The cards of all findings of a study, oldest first.
    pub fn finding_cards(&self, study: &StudyUid) -> Result<Vec<FindingCard>, StoreError> {
        let rows = self.inner.index.list::<FindingCard>(Tree::Finding, &prefix(&[study.as_str()]))?;
        let mut cards: Vec<_> = rows.into_iter().map(|(_, card)| card).collect();
        cards.sort_by(|a, b| (&a.created_at, &a.id).cmp(&(&b.created_at, &b.id)));
        Ok(cards)
    }

    pub fn finding(&self, study: &StudyUid, id: &str) -> Result<Finding, StoreError> {
        if !self.inner.index.contains(Tree::Finding, &key(&[study.as_str(), id]))? {
            return Err(StoreError::Unknown("finding"));
        }
        let path = self.finding_path(study, id);
        let bytes = std::fs::read(&path).map_err(StoreError::file("read", &path))?;
        serde_json::from_slice(&bytes).map_err(|source| StoreError::Record { tree: "finding", source })
    }

    /// Studies that analysis has not settled.
    pub fn open_studies(&self) -> Result<Vec<StudyUid>, StoreError> {
        let rows = self.inner.index.list::<()>(Tree::Open, b"")?;
        Ok(rows.iter().filter_map(|(key, ())| uid_of(key)).collect())
    }

    /// Analysis has said everything about the study as it is now: with `instances` objects.
    pub fn settle(&self, study: &StudyUid, instances: u64) -> Result<(), StoreError> {
        {
            let _writing = self.writing();
            if self.study(study)?.instances != instances {
                return Ok(());
            }
            self.inner.index.remove(Tree::Open, study.as_str().as_bytes())?;
        }
        // Receiving goes on while the disk is waited for.
        self.inner.index.commit()?;
        self.live().settled(study);
        Ok(())
    }

    /// Counts a job that is about to start; the count is durable first. Returns how often it was started before.
    pub fn attempt(&self, job: &str) -> Result<u32, StoreError> {
        let before: u32 = self.inner.index.get(Tree::Attempt, job.as_bytes())?.unwrap_or(0);
        self.append(&Entry::Attempted { job: job.to_owned(), attempt: before + 1 })?;
        self.inner.index.put(Tree::Attempt, job.as_bytes(), &(before + 1))?;
        Ok(before)
    }

    /// How often a job was started.
    pub fn attempts(&self, job: &str) -> Result<u32, StoreError> {
        Ok(self.inner.index.get(Tree::Attempt, job.as_bytes())?.unwrap_or(0))
    }

    /// Keeps a reader's question until the finding with its id answers it.
    pub fn ask(&self, question: &Question) -> Result<(), StoreError> {
        self.append(&Entry::Asked(question.clone()))?;
        let key = key(&[question.study.as_str(), &question.finding_id]);
        self.inner.index.put(Tree::Question, &key, question)?;
        self.inner.index.commit()?;
        self.live().changed(&question.study);
        Ok(())
    }

    /// Questions without an answer, in the order of their keys.
    pub fn questions(&self) -> Result<Vec<Question>, StoreError> {
        let rows = self.inner.index.list::<Question>(Tree::Question, b"")?;
        Ok(rows.into_iter().map(|(_, question)| question).collect())
    }

    pub(super) fn index_finding(&self, finding: &Finding) -> Result<(), StoreError> {
        let key = key(&[finding.study_uid.as_str(), &finding.id]);
        self.inner.index.put(Tree::Finding, &key, &FindingCard::from(finding))?;
        self.inner.index.remove(Tree::Question, &key)
    }

    pub(super) fn append(&self, entry: &Entry) -> Result<(), StoreError> {
        self.inner.journal.lock().unwrap_or_else(std::sync::PoisonError::into_inner).append(entry)
    }

    pub(super) fn finding_path(&self, study: &StudyUid, id: &str) -> PathBuf {
        self.study_folder(study).join("findings").join(format!("{id}.json"))
    }
}
