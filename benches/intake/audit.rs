//! What the audit journal adds: it is synced, line and head, once an association and once a study.

use anyhow::Context as _;
use sidelight::audit::{Audit, Event, Kind, Outcome, Who};
use sidelight::clock::Clock;
use sidelight_tests::peers::patience::now;
use sidelight_tests::peers::scratch::Scratch;

use super::Sizes;
use super::table::{Table, median};

pub(crate) fn cost(sizes: Sizes, scratch: &Scratch, table: &mut Table) -> anyhow::Result<()> {
    let audit = Audit::open(&scratch.path().join("audit"), Clock.wall()).context("the audit journal")?;
    let event = Event::new(Kind::AssociationAccepted, Outcome::Success, Who::peer("CT1", None));
    let mut times = Vec::new();
    for _event in 0..sizes.audit_events {
        let begun = now();
        audit.record(&event, Clock.wall())?;
        times.push(begun.elapsed());
    }
    table.row(
        "one audit event, durable",
        &format!("{:.2} ms", median(times).as_secs_f64() * 1e3),
        "one an association and one a study, none an object",
        "-",
        "reported",
    );
    Ok(())
}
