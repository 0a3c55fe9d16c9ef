//! A reader says what a mark is worth: journalled before it counts, written into the finding. The network's own suggestion
//! stays beside it.
//!
//! As with lesions (`assignments`), what was confirmed no longer stands once a level changes, and the journal is what
//! counts: a finding's file that a power cut left behind is brought up to it at the next start.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Store;
use super::error::StoreError;
use super::finding::{Finding, FindingState};
use super::journal::Entry;
use super::marks::FoundMark;
use super::reviews::word;
use super::runs::{Corrected, Correction};
use crate::clock::Timestamp;
use crate::uid::StudyUid;

/// The level of one mark by a reader; without one, what was said before is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LevelSaid {
    /// The mark's number.
    pub mark: u32,
    /// 1 to 5.
    pub level: Option<u8>,
}

/// What the journal keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Levelled {
    study: StudyUid,
    finding: String,
    /// The finding's revision once this counts.
    revision: u32,
    levels: Vec<LevelSaid>,
    reader: String,
    at: Timestamp,
}

/// Why levels were not taken.
#[derive(Debug, thiserror::Error)]
pub enum LevelError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("marks of a finding that is {0} get no level")]
    NotOpen(&'static str),
    #[error("the finding has no mark {0}")]
    NoSuchMark(u32),
    #[error("level {0} does not exist: 1 to 5")]
    NoSuchLevel(u8),
    #[error("mark {0} stands twice")]
    Twice(u32),
}

impl Store {
    /// Takes a reader's levels, all or none. What is so already changes nothing and makes no revision.
    pub fn level_marks(
        &self,
        study: &StudyUid,
        id: &str,
        levels: &[LevelSaid],
        reader: &str,
        at: Timestamp,
    ) -> Result<Finding, LevelError> {
        let _reviewing = self.inner.reviewing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // By its card first: an id that is no finding's never becomes a path.
        if !self.finding_cards(study)?.iter().any(|card| card.id == id) {
            return Err(StoreError::Unknown("finding").into());
        }
        let mut finding = self.finding(study, id)?;
        if !matches!(finding.state, FindingState::Preliminary | FindingState::Confirmed) {
            return Err(LevelError::NotOpen(word(finding.state)));
        }
        let changes = changes(&finding, levels)?;
        if changes.is_empty() {
            return Ok(finding);
        }
        let levelled = Levelled {
            study: study.clone(),
            finding: id.to_owned(),
            revision: finding.revision + 1,
            levels: changes,
            reader: reader.to_owned(),
            at,
        };
        let what = Corrected::Levels { levels: levelled.levels.clone() };
        let revision = Some(levelled.revision);
        self.record_correction(study, Correction { revision, ..Self::correction(id, reader, at, what) })?;
        self.append(&Entry::Levelled(levelled.clone()))?;
        apply(&mut finding, &levelled);
        self.record_finding(&finding)?;
        Ok(finding)
    }

    /// Brings a finding's file up to the journal. A finding that went with its study is gone.
    pub(super) fn replay_levels(&self, levelled: &Levelled) -> Result<(), StoreError> {
        let cards = self.finding_cards(&levelled.study)?;
        let card = cards.iter().find(|card| card.id == levelled.finding);
        if card.is_none_or(|card| card.revision >= levelled.revision) {
            return Ok(());
        }
        tracing::warn!("a level had not reached its finding; it counts now");
        let mut finding = self.finding(&levelled.study, &levelled.finding)?;
        apply(&mut finding, levelled);
        self.record_finding(&finding)
    }
}

/// The levels that say something new.
fn changes(finding: &Finding, levels: &[LevelSaid]) -> Result<Vec<LevelSaid>, LevelError> {
    let marks: &[FoundMark] = finding.marks.as_ref().map_or(&[], |part| &part.marks);
    let mut changes = Vec::new();
    for (place, said) in levels.iter().enumerate() {
        if levels[..place].iter().any(|earlier| earlier.mark == said.mark) {
            return Err(LevelError::Twice(said.mark));
        }
        if let Some(level) = said.level.filter(|level| !(1..=5).contains(level)) {
            return Err(LevelError::NoSuchLevel(level));
        }
        let mark = marks.iter().find(|mark| mark.number == said.mark);
        if mark.ok_or(LevelError::NoSuchMark(said.mark))?.reader_level != said.level {
            changes.push(*said);
        }
    }
    Ok(changes)
}

fn apply(finding: &mut Finding, levelled: &Levelled) {
    for said in &levelled.levels {
        let marks = finding.marks.iter_mut().flat_map(|part| &mut part.marks);
        for mark in marks.filter(|mark| mark.number == said.mark) {
            mark.reader_level = said.level;
            mark.levelled_by = said.level.map(|_| levelled.reader.clone());
            mark.levelled_at = said.level.map(|_| levelled.at.rfc3339());
        }
    }
    finding.revision = levelled.revision;
    if finding.state == FindingState::Confirmed {
        finding.state = FindingState::Preliminary;
        (finding.reviewer, finding.reviewed_at) = (None, None);
        if let Some(part) = &finding.marks {
            finding.label = part.candidate_label();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::calcium::tests::scored;
    use super::super::cardiac::ModelUsed;
    use super::super::finding::FindingKind;
    use super::super::marks::MarksPart;
    use super::super::reviews::Verdict;
    use super::super::tests::{AT, open, send};
    use super::*;

    const READER: &str = "Vane^Harriet";

    fn mark(number: u32) -> FoundMark {
        FoundMark {
            number,
            what: "mass".into(),
            snomed: "129788004".into(),
            sop_instance_uid: "1.2.3.1".into(),
            center_px: [10.0, 20.0, 0.0],
            radius_px: [5.0, 5.0],
            diameter_mm: 8.0,
            suspicion_percent: 70.0,
            level: 3,
            reader_level: None,
            levelled_by: None,
            levelled_at: None,
        }
    }

    fn marked() -> Finding {
        let word = |text: &str| text.to_owned();
        let model = ModelUsed {
            name: word("m"),
            version: word("1"),
            sha256: String::new(),
            provider: word("cpu"),
            statement: word("a demonstration"),
            manifest_sha256: String::new(),
            from_cache: false,
        };
        let levels_percent = [30.0, 60.0, 75.0, 90.0];
        let marks = vec![mark(1), mark(2)];
        let part = MarksPart { model, threshold_percent: 40.0, levels_percent, views: Vec::new(), marks };
        let (calcium, lesions) = (None, Vec::new());
        Finding { kind: FindingKind::Mammography, calcium, lesions, marks: Some(part), ..scored() }
    }

    #[test]
    fn a_reader_changes_a_level_and_what_was_confirmed_no_longer_stands() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(folder.path());
        send(&store, "1.2", "1.2.3", "1.2.3.1", "a");
        store.record_finding(&marked()).unwrap();
        let study = StudyUid::parse("1.2").unwrap();
        let say = |mark, level| store.level_marks(&study, "f1", &[LevelSaid { mark, level }], READER, AT);
        let said = say(1, Some(5)).unwrap();
        let marks = said.marks.unwrap().marks;
        assert_eq!((marks[0].reader_level, marks[0].level, said.revision), (Some(5), 3, 1));
        assert_eq!((marks[0].levelled_by.as_deref(), marks[1].reader_level), (Some(READER), None));
        assert_eq!(say(1, Some(5)).unwrap().revision, 1, "nothing new");
        store.review_finding(&study, "f1", Verdict::Confirmed, READER, AT).unwrap();
        let again = say(2, Some(1)).unwrap();
        assert_eq!((again.state, again.reviewer, again.revision), (FindingState::Preliminary, None, 2));
        assert!(again.label.contains("unreviewed") && again.label.contains("a demonstration"));
        assert!(matches!(say(2, Some(6)), Err(LevelError::NoSuchLevel(6))));
        assert!(matches!(say(3, Some(2)), Err(LevelError::NoSuchMark(3))));
        // A file that a power cut left behind is brought up to the journal.
        store.record_finding(&marked()).unwrap();
        drop(store);
        let (store, _) = open(folder.path());
        assert_eq!(store.finding(&study, "f1").unwrap().marks.unwrap().marks[0].reader_level, Some(5));
    }
}
