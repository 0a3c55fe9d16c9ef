//! The ledger of a study: what became of each instance, summed up, and every one that is not where it should be.

use super::Store;
use super::error::StoreError;
use super::forwarding::Mark;
use super::index::Tree;
use super::object::ObjectName;
use super::records::InstanceRecord;
use crate::clock::Timestamp;
use crate::store::finding::FindingState;
use crate::uid::StudyUid;

/// Differences listed one by one; the totals count all of them.
pub const DIFFERENCES_MAX: usize = 1000;

/// How one instance stands with one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Arrived before the destination was named in the site file, or not queued yet.
    NotQueued,
    Waiting {
        attempts: u32,
        reason: Option<String>,
    },
    Isolated {
        reason: String,
    },
    Forwarded {
        at: Timestamp,
    },
    Confirmed {
        at: Timestamp,
    },
}

/// One instance that is not through.
#[derive(Clone, Debug)]
pub struct Difference {
    pub record: InstanceRecord,
    /// Its sender took our word that it is kept.
    pub committed: bool,
    pub analysed: bool,
    /// In the order of the destinations asked for.
    pub destinations: Vec<Standing>,
}

/// What one destination has of the study.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DestinationTotal {
    pub forwarded: u64,
    pub confirmed: u64,
    pub waiting: u64,
    pub isolated: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub received: u64,
    /// Objects the box made of its findings. No destination has to want them, so one that was never queued is no
    /// difference; destinations count them with the rest.
    pub results: u64,
    /// Kept, but not in use: another object came first under the same UID.
    pub conflicts: u64,
    /// Their sender asked for storage commitment and took our word that they are kept.
    pub committed: u64,
    pub analysed: u64,
    pub destinations: Vec<DestinationTotal>,
    pub differences: Vec<Difference>,
    pub differences_total: u64,
}

impl Store {
    /// Counts every instance of a study. `confirming` says of each destination whether its confirmation is awaited.
    pub fn ledger(&self, study: &StudyUid, destinations: &[(String, bool)]) -> Result<Ledger, StoreError> {
        self.study(study)?;
        let totals = vec![DestinationTotal::default(); destinations.len()];
        let mut ledger = Ledger { destinations: totals, ..Ledger::default() };
        let analysed = self.analysed_series(study)?;
        for (_, record) in self.all_instances(study)? {
            let object = ObjectName::from(&record);
            let mut standings = Vec::new();
            for (name, _) in destinations {
                standings.push(self.standing(name, &object)?);
            }
            let analysed = !record.conflict && analysed.contains(&record.facts.series);
            let committed = self.is_committed(&object)?;
            let awaited = destinations.iter().map(|(_, confirms)| *confirms);
            let line = Difference { record, committed, analysed, destinations: standings };
            ledger.count(line, awaited);
        }
        Ok(ledger)
    }

    pub fn standing(&self, destination: &str, object: &ObjectName) -> Result<Standing, StoreError> {
        Ok(match self.mark(destination, object)? {
            None => Standing::NotQueued,
            Some(Mark::Forwarded { at }) => Standing::Forwarded { at },
            Some(Mark::Confirmed { at }) => Standing::Confirmed { at },
            Some(Mark::Queued { sequence }) => match self.queue_entry(destination, sequence)? {
                Some(waiting) if waiting.is_isolated() => {
                    Standing::Isolated { reason: waiting.reason.unwrap_or_default() }
                }
                Some(waiting) => Standing::Waiting { attempts: waiting.attempts, reason: waiting.reason },
                None => Standing::Waiting { attempts: 0, reason: None },
            },
        })
    }

    /// Series about which analysis has said everything, once it has settled the study.
    pub(super) fn analysed_series(
        &self,
        study: &StudyUid,
    ) -> Result<std::collections::BTreeSet<crate::uid::SeriesUid>, StoreError> {
        if self.inner.index.contains(Tree::Open, study.as_str().as_bytes())? {
            return Ok(std::collections::BTreeSet::new());
        }
        let done = |state: FindingState| state.is_current() && state != FindingState::Provisional;
        let cards = self.finding_cards(study)?.into_iter();
        Ok(cards
            .filter(|card| !card.drawn && (done(card.state) || card.state == FindingState::Rejected))
            .map(|card| card.series)
            .collect())
    }
}

impl Ledger {
    fn count(&mut self, line: Difference, awaited: impl Iterator<Item = bool>) {
        let own = line.record.own;
        self.received += u64::from(!own);
        self.results += u64::from(own);
        self.conflicts += u64::from(line.record.conflict);
        self.committed += u64::from(line.committed);
        self.analysed += u64::from(line.analysed);
        // Not every sender asks for commitment: that it has none is no difference.
        let mut through = (line.analysed || own) && !line.record.conflict;
        for ((standing, total), confirms) in line.destinations.iter().zip(&mut self.destinations).zip(awaited)
        {
            match standing {
                Standing::NotQueued => {}
                Standing::Waiting { .. } => total.waiting += 1,
                Standing::Isolated { .. } => total.isolated += 1,
                Standing::Forwarded { .. } => total.forwarded += 1,
                Standing::Confirmed { .. } => {
                    total.forwarded += 1;
                    total.confirmed += 1;
                }
            }
            through &= match standing {
                Standing::Confirmed { .. } => true,
                Standing::Forwarded { .. } => !confirms,
                Standing::NotQueued => own,
                Standing::Waiting { .. } | Standing::Isolated { .. } => false,
            };
        }
        if !through {
            self.differences_total += 1;
            if self.differences.len() < DIFFERENCES_MAX {
                self.differences.push(line);
            }
        }
    }
}
