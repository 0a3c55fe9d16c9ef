//! The ledger of the whole box: a line a study, the ones that differ first.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Desk;
use super::error::{ApiError, blocking};
use super::ledger::LedgerTotal;
use super::summary::date;
use crate::store::StoreError;
use crate::store::box_ledger::StudyLine;

/// What a person reads down; the totals say how many there are.
const LINES_MAX: usize = 200;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BoxLedger {
    pub studies_total: usize,
    /// Studies of which something is not where it should be, or that are still in work.
    pub differing_total: usize,
    /// Differing ones first, then the newest; the list ends at two hundred.
    pub lines: Vec<LedgerLine>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LedgerLine {
    pub study_uid: String,
    pub patient_name: String,
    pub patient_id: String,
    pub study_date: Option<String>,
    pub description: String,
    pub last_arrival_at: String,
    pub received: u64,
    /// Kept but not in use: another object came first under the same UID.
    pub conflicts: u64,
    /// Their sender asked for storage commitment and took the box's word that they are kept. Not every sender asks.
    pub committed: u64,
    pub analysed: u64,
    /// Objects the box made of its findings; destinations may get them too.
    pub results: u64,
    /// Analysis has said everything it will say of what is here.
    pub settled: bool,
    /// Waits for a decision about whose study it is.
    pub held: bool,
    pub differs: bool,
    pub destinations: Vec<LedgerTotal>,
}

/// Every study's way through the box, in numbers.
#[utoipa::path(get, path = "/api/ledger", responses((status = 200, body = BoxLedger)))]
pub(super) async fn whole_ledger(State(desk): State<Arc<Desk>>) -> Result<Json<BoxLedger>, ApiError> {
    let look = move || {
        let asked = desk.destinations_asked();
        let ledger = desk.store.box_ledger(&asked, LINES_MAX)?;
        Ok::<_, StoreError>(BoxLedger {
            studies_total: ledger.studies_total,
            differing_total: ledger.differing_total,
            lines: ledger.lines.into_iter().map(|found| line(found, &asked)).collect(),
        })
    };
    Ok(Json(blocking(look).await?))
}

fn line(found: StudyLine, asked: &[(String, bool)]) -> LedgerLine {
    let about = found.record.patient_study;
    LedgerLine {
        study_uid: found.study.as_str().to_owned(),
        patient_name: about.patient_name,
        patient_id: about.patient_id,
        study_date: date(about.study_date),
        description: about.study_description,
        last_arrival_at: found.record.last_arrival.rfc3339(),
        received: found.record.instances,
        conflicts: found.record.conflicts,
        committed: found.committed,
        analysed: found.analysed,
        results: found.results,
        settled: found.settled,
        held: found.held,
        differs: found.differs,
        destinations: asked.iter().zip(found.destinations).map(LedgerTotal::of).collect(),
    }
}
