//! What callers ask beside storing: each request is durable before it is answered.

use super::{Desk, blocking, commitment};
use crate::dimse::{Asked, Message, Status};
use crate::part10::Header;
use crate::store::StoreError;
use crate::store::commitment::Commitment;
use crate::store::procedure::{ProcedureRefusal, Step};
use crate::uid::SopInstanceUid;

/// Does what a message asks; also returns the commitment that now waits for its report, where there is one.
pub(super) async fn take(desk: &Desk, message: Message) -> (Status, Option<Commitment>) {
    let (store, at) = (desk.store.clone(), desk.clock.wall());
    match message.asked {
        Asked::Commitment { action_type } => {
            let kept = blocking(move || commitment::ask(&store, &message, action_type, at)).await;
            match kept {
                Ok(Ok(commitment)) => (Status::success(), Some(commitment)),
                Ok(Err(status)) => (status, None),
                Err(error) => (broken(desk, error), None),
            }
        }
        Asked::CommitmentReported { event_type } => {
            match blocking(move || commitment::hear(&store, &message, event_type, at)).await {
                Ok(status) => (status, None),
                Err(error) => (broken(desk, error), None),
            }
        }
        Asked::ProcedureCreated | Asked::ProcedureSet => {
            let step = if message.asked == Asked::ProcedureCreated { Step::Create } else { Step::Set };
            let Ok(procedure) = SopInstanceUid::parse(&message.sop_instance) else {
                let status =
                    Status::with(Status::INVALID_SOP_INSTANCE, "SOP Instance UID is missing or no UID");
                return (status, None);
            };
            let header = Header {
                sop_class: message.sop_class,
                sop_instance: message.sop_instance,
                transfer_syntax: message.transfer_syntax,
                source_ae_title: message.calling_ae_title,
            };
            let kept =
                blocking(move || store.keep_procedure(step, &procedure, &header, &message.data_set)).await;
            match kept {
                Ok(Ok(())) => {
                    desk.procedure_came.notify_one();
                    (Status::success(), None)
                }
                Ok(Err(refusal)) => (refused(refusal), None),
                Err(error) => (broken(desk, error), None),
            }
        }
    }
}

fn refused(refusal: ProcedureRefusal) -> Status {
    let code = match refusal {
        ProcedureRefusal::Duplicate => Status::DUPLICATE_SOP_INSTANCE,
        ProcedureRefusal::NoSuchInstance => Status::NO_SUCH_SOP_INSTANCE,
        ProcedureRefusal::Final | ProcedureRefusal::Unreadable(_) => Status::PROCESSING_FAILURE,
    };
    Status::with(code, refusal.to_string())
}

/// A full disk passes; anything else stops the box, which may not acknowledge what it cannot keep.
fn broken(desk: &Desk, error: StoreError) -> Status {
    if let StoreError::File { source, .. } = &error
        && matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
    {
        return Status::with(Status::RESOURCE_LIMITATION, "the box's disk is full; try again later");
    }
    tracing::error!(%error, "a request could not be kept");
    // Full: an earlier error is already stopping the box.
    let _ = desk.broken.try_send(error);
    Status::with(Status::PROCESSING_FAILURE, "the box cannot store; it is stopping")
}
