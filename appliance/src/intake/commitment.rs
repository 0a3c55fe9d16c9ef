//! Storage commitment at the door: what callers ask of us (PS3.4 J.3.2), our report on it, and what an archive reports
//! about something that we asked of it (J.3.3), on whichever association it comes.

use crate::clock::Timestamp;
use crate::dimse::services::{EXPLICIT_VR_LITTLE_ENDIAN, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE};
use crate::dimse::{Message, Report, Status};
use crate::part10::commitment::{CommitmentReport, CommitmentRequest, NotCommitment, REQUEST_COMMITMENT};
use crate::store::commitment::{Commitment, INSTANCES_MAX, NotCommitted};
use crate::store::confirmation::Heard;
use crate::store::{ObjectName, Store, StoreError};

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
    if let Err(status) = about_the_service(message) {
        return Ok(Err(status));
    }
    let request = match CommitmentRequest::parse(&message.data_set, explicit_vr(message)) {
        Ok(request) => request,
        Err(why) => return Ok(Err(refused(why))),
    };
    if request.instances.len() > INSTANCES_MAX {
        let status = Status::with(Status::RESOURCE_LIMITATION, "too many instances in one transaction");
        return Ok(Err(status));
    }
    let kept =
        store.ask_commitment(&request.transaction, &message.calling_ae_title, request.instances, at)?;
    Ok(kept.ok_or_else(|| {
        Status::with(Status::RESOURCE_LIMITATION, "too many transactions wait for their report")
    }))
}

/// Judges every instance from what is on the disk now, and says so in the words of the service. Also the objects that
/// it says are kept.
pub(super) fn report(
    store: &Store,
    commitment: &Commitment,
    may_commit: bool,
    transfer_syntax: &str,
) -> Result<(Report, Vec<ObjectName>), StoreError> {
    let (mut kept, mut objects, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for reference in &commitment.instances {
        let verdict = if may_commit {
            store.judge_commitment(reference)?
        } else {
            Err(NotCommitted::ProcessingFailure)
        };
        match verdict {
            Ok(object) => {
                kept.push(reference.clone());
                objects.push(object);
            }
            Err(reason) => failed.push((reference.clone(), reason.code())),
        }
    }
    let said = CommitmentReport { transaction: commitment.transaction.clone(), kept, failed };
    let report = Report {
        sop_class: STORAGE_COMMITMENT,
        sop_instance: STORAGE_COMMITMENT_INSTANCE,
        event_type: said.event_type(),
        data_set: said.to_bytes(transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN),
    };
    Ok((report, objects))
}

/// An archive reports about what we asked of it. Who knows the transaction was asked: its UID is 122 random bits.
pub(super) fn hear(
    store: &Store,
    message: &Message,
    event_type: u16,
    at: Timestamp,
) -> Result<Status, StoreError> {
    if !CommitmentReport::is_event(event_type) {
        return Ok(Status::with(Status::NO_SUCH_EVENT, "only events 1 and 2 of storage commitment"));
    }
    if let Err(status) = about_the_service(message) {
        return Ok(status);
    }
    let report = match CommitmentReport::parse(&message.data_set, explicit_vr(message)) {
        Ok(report) => report,
        Err(why) => return Ok(refused(why)),
    };
    Ok(match store.hear_confirmation(&report, at)? {
        Heard::Noted | Heard::Before => Status::success(),
        Heard::Unknown => Status::with(Status::INVALID_ARGUMENT, "no transaction of this box"),
    })
}

fn about_the_service(message: &Message) -> Result<(), Status> {
    match message.sop_instance == STORAGE_COMMITMENT_INSTANCE {
        true => Ok(()),
        false => Err(Status::with(Status::NO_SUCH_SOP_INSTANCE, "not the well-known instance")),
    }
}

fn explicit_vr(message: &Message) -> bool {
    message.transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN
}

fn refused(why: NotCommitment) -> Status {
    let code = match why {
        NotCommitment::NotAMessage(_) => Status::PROCESSING_FAILURE,
        NotCommitment::Missing(_) => Status::MISSING_ATTRIBUTE,
        NotCommitment::NotAUid(_) => Status::INVALID_ARGUMENT,
    };
    Status::with(code, why.to_string())
}
