//! Which of the box's own results a destination gets.
//!
//! A result that a destination received is followed there by every later word about the same finding, whatever the
//! destination asked for: nobody may keep a number that was taken back.

use serde::{Deserialize, Serialize};

use super::finding::FindingState;
use super::object::ObjectName;
use super::records::InstanceRecord;
use super::{Store, StoreError};

/// What the site file asks for a destination. Provisional findings make no objects, so none can go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResultsWanted {
    /// As soon as the study is complete, unreviewed.
    #[default]
    Preliminary,
    /// Only once a reader has confirmed the finding.
    Confirmed,
    /// Images only.
    Never,
}

impl Store {
    /// Whether an object goes to a destination. What was received from elsewhere always does.
    pub(super) fn is_wanted(
        &self,
        destination: &str,
        record: &InstanceRecord,
        wanted: ResultsWanted,
    ) -> Result<bool, StoreError> {
        if !record.own || wanted == ResultsWanted::Preliminary {
            return Ok(true);
        }
        let Some(card) = self.finding_behind(record)? else { return Ok(false) };
        if wanted == ResultsWanted::Confirmed && card.state == FindingState::Confirmed {
            return Ok(true);
        }
        for (_, earlier) in self.own_objects(&record.facts.study, &card.id)? {
            if self.mark(destination, &ObjectName::from(&earlier))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
