//! The ledger of the whole box, a line a study: what was received, analysed, forwarded, and where something differs.
//!
//! Differences are found from what is still to be done (queues, unconfirmed objects, open studies), which is short in
//! a sound box; only the lines that are shown are counted out. Lines that differ come first, then the newest.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::Store;
use super::confirmation::Unconfirmed;
use super::error::StoreError;
use super::forwarding::Waiting;
use super::index::{Tree, prefix};
use super::ledger::DestinationTotal;
use super::records::StudyRecord;
use crate::uid::StudyUid;

/// One study of the box's ledger.
#[derive(Clone, Debug)]
pub struct StudyLine {
    pub study: StudyUid,
    pub record: StudyRecord,
    /// Instances whose sender took our word that they are kept.
    pub committed: u64,
    pub analysed: u64,
    /// Analysis has said everything it will say of what is here.
    pub settled: bool,
    /// Waits for a decision about whose study it is.
    pub held: bool,
    /// Objects the box made of its findings; not counted as received.
    pub results: u64,
    /// In the order of the destinations asked for.
    pub destinations: Vec<DestinationTotal>,
    pub differs: bool,
}

#[derive(Clone, Debug, Default)]
pub struct BoxLedger {
    pub lines: Vec<StudyLine>,
    pub studies_total: usize,
    pub differing_total: usize,
}

/// What is still to be done for one study at one destination.
#[derive(Clone, Copy, Debug, Default)]
struct Outstanding {
    waiting: u64,
    isolated: u64,
    unconfirmed: u64,
}

type Outstandings = BTreeMap<StudyUid, Outstanding>;

impl Store {
    /// At most `lines_max` lines. `destinations` says of each whether its confirmation is awaited.
    pub fn box_ledger(
        &self,
        destinations: &[(String, bool)],
        lines_max: usize,
    ) -> Result<BoxLedger, StoreError> {
        let owed: Vec<Outstandings> =
            destinations.iter().map(|(name, _)| self.outstanding(name)).collect::<Result<_, _>>()?;
        let mut studies = Vec::new();
        for (study, record) in self.studies()? {
            let settled = !self.inner.index.contains(Tree::Open, study.as_str().as_bytes())?;
            let differs =
                !settled || record.conflicts > 0 || owed.iter().any(|owed| owed.contains_key(&study));
            studies.push((study, record, settled, differs));
        }
        studies.sort_by_key(|(_, record, _, differs)| (!differs, std::cmp::Reverse(record.last_arrival)));
        let mut ledger = BoxLedger {
            studies_total: studies.len(),
            differing_total: studies.iter().filter(|(.., differs)| *differs).count(),
            lines: Vec::new(),
        };
        for (study, record, settled, differs) in studies.into_iter().take(lines_max) {
            let mut totals = Vec::new();
            for ((name, archive), owed) in destinations.iter().zip(&owed) {
                totals.push(self.destination_total(name, *archive, &study, owed)?);
            }
            ledger.lines.push(StudyLine {
                committed: self.committed_instances(&study),
                analysed: self.analysed_instances(&study)?,
                held: self.is_held(&study)?,
                results: self.own_instances(&study)?,
                study,
                record,
                settled,
                destinations: totals,
                differs,
            });
        }
        Ok(ledger)
    }

    /// Studies a destination still waits for, or has not confirmed.
    fn outstanding(&self, destination: &str) -> Result<Outstandings, StoreError> {
        let mut found = Outstandings::new();
        let below = prefix(&[destination]);
        self.inner.index.scan(Tree::Forward, &below, |_, waiting: Waiting| {
            if let Some(study) = waiting.object.study() {
                let entry = found.entry(study).or_default();
                let count = if waiting.is_isolated() { &mut entry.isolated } else { &mut entry.waiting };
                *count += 1;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.inner.index.scan(Tree::Unconfirmed, &below, |_, waiting: Unconfirmed| {
            if let Some(study) = waiting.object.study() {
                found.entry(study).or_default().unconfirmed += 1;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    fn destination_total(
        &self,
        destination: &str,
        archive: bool,
        study: &StudyUid,
        owed: &Outstandings,
    ) -> Result<DestinationTotal, StoreError> {
        let Outstanding { waiting, isolated, unconfirmed } = owed.get(study).copied().unwrap_or_default();
        let marks = super::key(&[destination, &format!("studies/{}/", study.as_str())]);
        let marks = self.inner.index.count_below(Tree::Mark, &marks) as u64;
        let forwarded = marks.saturating_sub(waiting + isolated);
        let confirmed = if archive { forwarded.saturating_sub(unconfirmed) } else { 0 };
        Ok(DestinationTotal { forwarded, confirmed, waiting, isolated })
    }

    fn committed_instances(&self, study: &StudyUid) -> u64 {
        let below = format!("studies/{}/", study.as_str());
        self.inner.index.count_below(Tree::Committed, below.as_bytes()) as u64
    }

    fn analysed_instances(&self, study: &StudyUid) -> Result<u64, StoreError> {
        let analysed = self.analysed_series(study)?;
        let series = self.series(study)?.into_iter().filter(|(uid, _)| analysed.contains(uid));
        Ok(series.map(|(_, record)| record.instances).sum())
    }

    fn own_instances(&self, study: &StudyUid) -> Result<u64, StoreError> {
        Ok(self
            .series(study)?
            .iter()
            .filter(|(_, record)| record.own)
            .map(|(_, record)| record.instances)
            .sum())
    }
}

#[cfg(test)]
mod tests {
    use super::super::ResultsWanted;
    use super::super::tests::{AT, open, send};
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn what_differs_comes_first_and_is_counted_out() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(folder.path());
        store.know_destination("pacs", Timestamp(0)).unwrap();
        let uid = |text: &str| StudyUid::parse(text).unwrap();
        for (study, count) in [("1.2", 3), ("1.3", 2), ("1.4", 1)] {
            for number in 0..count {
                send(&store, study, &format!("{study}.1"), &format!("{study}.1.{number}"), "a");
            }
            store.settle(&uid(study), count).unwrap();
            store.queue_study("pacs", &uid(study), ResultsWanted::Preliminary).unwrap();
        }
        let asked = [("pacs".to_owned(), true)];
        let sent = store.next_to_forward("pacs", AT, 4).unwrap();
        store.forwarded("pacs", &sent, true, AT).unwrap();
        let first: Vec<_> = sent.iter().take(3).map(|waiting| waiting.object.clone()).collect();
        store.confirmed("pacs", &first, AT).unwrap();

        let ledger = store.box_ledger(&asked, 2).unwrap();
        assert_eq!((ledger.studies_total, ledger.differing_total, ledger.lines.len()), (3, 2, 2));
        let partly = ledger.lines.iter().find(|line| line.study == uid("1.3")).unwrap();
        let total = DestinationTotal { forwarded: 1, confirmed: 0, waiting: 1, isolated: 0 };
        assert_eq!((partly.record.instances, partly.destinations.as_slice()), (2, &[total][..]));
        assert!(ledger.lines.iter().all(|line| line.differs && line.settled && !line.held));

        let through = &store.box_ledger(&asked, 9).unwrap().lines[2];
        assert_eq!((through.study.as_str(), through.differs), ("1.2", false), "what is through comes last");
        assert_eq!(through.destinations[0].confirmed, 3);
        // The two ledgers say the same of one study.
        let one = store.ledger(&uid("1.3"), &asked).unwrap();
        assert_eq!(one.destinations, partly.destinations);
    }
}
