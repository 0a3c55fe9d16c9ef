//! What became of each instance of a study, and whether it may ever be deleted.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::Desk;
use super::api::study_uid;
use super::error::{ApiError, blocking};
use super::keeping::HoldState;
use super::shapes::Problem;
use crate::store::StoreError;
use crate::store::ledger::{DestinationTotal, Difference, Ledger, Standing};
use crate::store::retention::LegalHold;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudyLedger {
    pub study_uid: String,
    pub received: u64,
    /// Objects the box made of its findings; destinations may get them too.
    pub results: u64,
    /// Kept but not in use: another object came first under the same UID.
    pub conflicts: u64,
    /// Their sender asked for storage commitment and took the box's word that they are kept. Not every sender asks.
    pub committed: u64,
    pub analysed: u64,
    pub destinations: Vec<LedgerTotal>,
    /// Only instances that are not analysed, not forwarded everywhere, or not confirmed where that is awaited.
    pub differences: Vec<LedgerDifference>,
    /// How many there are; the list ends at a thousand.
    pub differences_total: u64,
    pub legal_hold: Option<HoldState>,
    /// Why the study cannot be deleted; absent where it may be.
    pub stays: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerTotal {
    pub name: String,
    pub archive: bool,
    pub forwarded: u64,
    pub confirmed: u64,
    pub waiting: u64,
    pub isolated: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerDifference {
    pub series_uid: String,
    pub sop_instance_uid: String,
    pub received_at: String,
    pub conflict: bool,
    pub committed: bool,
    pub analysed: bool,
    pub destinations: Vec<LedgerStanding>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerStanding {
    pub name: String,
    /// `not_queued`, `waiting`, `isolated`, `forwarded` or `confirmed`.
    pub state: String,
    pub at: Option<String>,
    pub reason: Option<String>,
}

impl LedgerTotal {
    pub(super) fn of(((name, archive), total): (&(String, bool), DestinationTotal)) -> Self {
        let DestinationTotal { forwarded, confirmed, waiting, isolated } = total;
        Self { name: name.clone(), archive: *archive, forwarded, confirmed, waiting, isolated }
    }
}

/// Totals, and every instance that is not where it should be.
#[utoipa::path(get, path = "/api/studies/{study}/ledger", responses((status = 200, body = StudyLedger), (status = 404, body = Problem)))]
pub(super) async fn ledger(
    State(desk): State<Arc<Desk>>,
    Path(study): Path<String>,
) -> Result<Json<StudyLedger>, ApiError> {
    let uid = study_uid(&study)?;
    let look = move || {
        let asked = desk.destinations_asked();
        let all: Vec<_> = asked.iter().map(|(name, _)| name.clone()).collect();
        let archives: Vec<_> = asked.iter().filter(|(_, is)| *is).map(|(name, _)| name.clone()).collect();
        let ledger = desk.store.ledger(&uid, &asked)?;
        let stays = desk.store.stays(&uid, &archives, &all)?.map(|why| why.to_string());
        let hold = desk.store.legal_hold(&uid)?;
        Ok::<_, StoreError>(shape(study, &ledger, &asked, hold, stays))
    };
    Ok(Json(blocking(look).await?))
}

fn shape(
    study_uid: String,
    ledger: &Ledger,
    asked: &[(String, bool)],
    hold: Option<LegalHold>,
    stays: Option<String>,
) -> StudyLedger {
    let totals = asked.iter().zip(ledger.destinations.iter().copied()).map(LedgerTotal::of);
    StudyLedger {
        study_uid,
        received: ledger.received,
        results: ledger.results,
        conflicts: ledger.conflicts,
        committed: ledger.committed,
        analysed: ledger.analysed,
        destinations: totals.collect(),
        differences: ledger.differences.iter().map(|difference| line(difference, asked)).collect(),
        differences_total: ledger.differences_total,
        legal_hold: hold.map(HoldState::from),
        stays,
    }
}

fn line(difference: &Difference, asked: &[(String, bool)]) -> LedgerDifference {
    let facts = &difference.record.facts;
    let standings = asked.iter().zip(&difference.destinations);
    LedgerDifference {
        series_uid: facts.series.as_str().to_owned(),
        sop_instance_uid: facts.sop_instance.as_str().to_owned(),
        received_at: difference.record.admitted_at.rfc3339(),
        conflict: difference.record.conflict,
        committed: difference.committed,
        analysed: difference.analysed,
        destinations: standings.map(|((name, _), standing)| standing_of(name, standing)).collect(),
    }
}

pub(super) fn standing_of(name: &str, standing: &Standing) -> LedgerStanding {
    let (state, at, reason) = match standing {
        Standing::NotQueued => ("not_queued", None, None),
        Standing::Waiting { reason, .. } => ("waiting", None, reason.clone()),
        Standing::Isolated { reason } => ("isolated", None, Some(reason.clone())),
        Standing::Forwarded { at } => ("forwarded", Some(at), None),
        Standing::Confirmed { at } => ("confirmed", Some(at), None),
    };
    LedgerStanding { name: name.to_owned(), state: state.into(), at: at.map(|at| at.rfc3339()), reason }
}
