//! A destination's queue.

use super::super::*;
use super::{AT, open, send, study};
use crate::clock::Timestamp;

#[test]
fn an_object_that_fails_too_often_is_set_apart_until_a_person_retries() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    store.know_destination("pacs", Timestamp(0)).unwrap();
    send(&store, "1.2", "1.2.3", "1.2.3.1", "a");
    send(&store, "1.2", "1.2.3", "1.2.3.2", "a");
    store.queue_study("pacs", &study(), ResultsWanted::Preliminary).unwrap();
    assert_eq!(
        store.queue_study("pacs", &study(), ResultsWanted::Preliminary).unwrap(),
        0,
        "queued once only"
    );
    let mut now = AT;
    for _ in 0..forwarding::ATTEMPTS_MAX {
        let due = store.next_to_forward("pacs", now, 9).unwrap();
        store.forward_failed("pacs", &due[0], "no", false, now).unwrap();
        let others = store.next_to_forward("pacs", now, 9).unwrap();
        assert_eq!(others.len(), 1, "the other one does not wait");
        now = Timestamp(now.0 + 3_600_000);
    }
    let state = store.queue_state("pacs").unwrap();
    assert_eq!((state.waiting, state.isolated), (1, 1));
    assert_eq!(store.retry("pacs").unwrap(), 1);
    assert_eq!(store.next_to_forward("pacs", AT, 9).unwrap().len(), 2);
    let ledger = store.ledger(&study(), &[("pacs".to_owned(), false)]).unwrap();
    assert_eq!((ledger.received, ledger.differences_total), (2, 2));
}
