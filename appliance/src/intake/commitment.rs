//! Storage commitment as its provider: what was asked, and the report on it (PS3.4 J.3).

use crate::clock::Timestamp;
use crate::dimse::services::{EXPLICIT_VR_LITTLE_ENDIAN, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE};
use crate::dimse::{Message, Report, Status};
use crate::part10::message::{Composer, Elements};
use crate::store::commitment::{Commitment, INSTANCES_MAX, NotCommitted, Reference};
use crate::store::{Store, StoreError};
use crate::uid::SopInstanceUid;

/// The only action of the service (PS3.4 J.3.2.1).
const REQUEST_COMMITMENT: u16 = 1;
const ALL_COMMITTED: u16 = 1;
const SOME_FAILED: u16 = 2;

const TRANSACTION_UID: (u16, u16) = (0x0008, 0x1195);
const REFERENCED_SOPS: (u16, u16) = (0x0008, 0x1199);
const FAILED_SOPS: (u16, u16) = (0x0008, 0x1198);
const REFERENCED_CLASS: (u16, u16) = (0x0008, 0x1150);
const REFERENCED_INSTANCE: (u16, u16) = (0x0008, 0x1155);
const FAILURE_REASON: (u16, u16) = (0x0008, 0x1197);

/// Keeps what the message asks for. `Err(status)`: nothing is kept and the caller hears why.
pub(super) fn ask(
    store: &Store,
    message: &Message,
    action_type: u16,
    at: Timestamp,
) -> Result<Result<Commitment, Status>, StoreError> {
    if action_type != REQUEST_COMMITMENT {
        return Ok(Err(Status::with(Status::NO_SUCH_ACTION, "only action 1, request storage commitment")));
    }
    if message.sop_instance != STORAGE_COMMITMENT_INSTANCE {
        return Ok(Err(Status::with(Status::NO_SUCH_SOP_INSTANCE, "not the well-known instance")));
    }
    let (transaction, instances) = match understand(message) {
        Ok(asked) => asked,
        Err(status) => return Ok(Err(status)),
    };
    let kept = store.ask_commitment(&transaction, &message.calling_ae_title, instances, at)?;
    Ok(kept.ok_or_else(|| {
        Status::with(Status::RESOURCE_LIMITATION, "too many transactions wait for their report")
    }))
}

fn understand(message: &Message) -> Result<(String, Vec<Reference>), Status> {
    let explicit_vr = message.transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN;
    let elements = Elements::parse(&message.data_set, explicit_vr)
        .map_err(|error| Status::with(Status::PROCESSING_FAILURE, error.to_string()))?;
    let missing = |what| Status::with(Status::MISSING_ATTRIBUTE, what);
    let wrong = |what| Status::with(Status::INVALID_ARGUMENT, what);
    let uid = |text: String, what| SopInstanceUid::parse(&text).map(String::from).map_err(|_| wrong(what));
    let transaction = elements.text(TRANSACTION_UID).ok_or_else(|| missing("Transaction UID is missing"))?;
    let transaction = uid(transaction, "Transaction UID is not a UID")?;
    let items = elements.items(REFERENCED_SOPS);
    if items.is_empty() {
        return Err(missing("Referenced SOP Sequence is missing or empty"));
    }
    if items.len() > INSTANCES_MAX {
        return Err(Status::with(Status::RESOURCE_LIMITATION, "too many instances in one transaction"));
    }
    let reference = |item: &Elements<'_>| {
        let class =
            item.text(REFERENCED_CLASS).ok_or_else(|| missing("Referenced SOP Class UID is missing"))?;
        let instance = item
            .text(REFERENCED_INSTANCE)
            .ok_or_else(|| missing("Referenced SOP Instance UID is missing"))?;
        let sop_class = uid(class, "Referenced SOP Class UID is not a UID")?;
        Ok(Reference { sop_class, sop_instance: uid(instance, "Referenced SOP Instance UID is not a UID")? })
    };
    Ok((transaction, items.iter().map(reference).collect::<Result<_, Status>>()?))
}

/// Judges every instance from what is on the disk now, and says so in the words of the service.
pub(super) fn report(
    store: &Store,
    commitment: &Commitment,
    may_commit: bool,
    transfer_syntax: &str,
) -> Result<Report, StoreError> {
    let (mut committed, mut failed) = (Vec::new(), Vec::new());
    for reference in &commitment.instances {
        let verdict = if may_commit {
            store.judge_commitment(reference)?
        } else {
            Err(NotCommitted::ProcessingFailure)
        };
        match verdict {
            Ok(()) => committed.push(reference),
            Err(reason) => failed.push((reference, reason)),
        }
    }
    let mut composer = Composer::new(transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN);
    composer.uid(TRANSACTION_UID, &commitment.transaction);
    // In the order of their tags.
    if !failed.is_empty() {
        composer.sequence(FAILED_SOPS, &failed, |item, (reference, reason)| {
            name(item, reference);
            item.number(FAILURE_REASON, reason.code());
        });
    }
    if !committed.is_empty() {
        composer.sequence(REFERENCED_SOPS, &committed, |item, reference| name(item, reference));
    }
    Ok(Report {
        sop_class: STORAGE_COMMITMENT,
        sop_instance: STORAGE_COMMITMENT_INSTANCE,
        event_type: if failed.is_empty() { ALL_COMMITTED } else { SOME_FAILED },
        data_set: composer.finish(),
    })
}

fn name(item: &mut Composer, reference: &Reference) {
    item.uid(REFERENCED_CLASS, &reference.sop_class);
    item.uid(REFERENCED_INSTANCE, &reference.sop_instance);
}
