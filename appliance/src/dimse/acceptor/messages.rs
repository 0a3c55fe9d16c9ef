//! Requests that are no objects (storage commitment, performed procedure steps), and our own reports to the caller.
//!
//! A message is gathered in memory, never longer than `MESSAGE_BYTES_MAX`. A report of ours may be outstanding while
//! the caller asks something: the two directions do not wait for each other (PS3.7 6.2).

use dicom_ul::pdu::{AbortRQServiceProviderReason as Provider, PDataValue, PDataValueType};

use super::super::command::{
    Answer, C_ECHO_RQ, N_ACTION_RQ, N_CREATE_RQ, N_EVENT_REPORT_RQ, N_SET_RQ, Request, Status,
};
use super::super::requestor::MESSAGE_BYTES_MAX;
use super::super::services::{PROCEDURE_STEP, STORAGE_COMMITMENT};
use super::super::wire::{fragment_bytes_max, fragments};
use super::{Acceptor, Act, State, respond};

/// What the caller wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Storage commitment, N-ACTION with its Action Type ID.
    Commitment { action_type: u16 },
    /// Storage commitment, N-EVENT-REPORT with its Event Type ID: an archive calls back. The role it proposed is not
    /// looked at: some archives propose none, and who reports must know the transaction anyway.
    CommitmentReported { event_type: u16 },
    /// Performed procedure step, N-CREATE.
    ProcedureCreated,
    /// Performed procedure step, N-SET.
    ProcedureSet,
}

/// A request that is no object, whole. Answered by `Input::Answered`.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub asked: Asked,
    pub sop_class: String,
    /// As it came: nobody has looked whether it is a UID.
    pub sop_instance: String,
    pub transfer_syntax: String,
    pub calling_ae_title: String,
    /// Bit-exact as it came.
    pub data_set: Vec<u8>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("asked", &self.asked).finish_non_exhaustive()
    }
}

/// N-EVENT-REPORT to the caller (PS3.7 10.1.1).
#[derive(Clone, Debug)]
pub struct Report {
    pub sop_class: &'static str,
    pub sop_instance: &'static str,
    pub event_type: u16,
    /// In the transfer syntax that `Acceptor::transfer_syntax` names for the class; never empty.
    pub data_set: Vec<u8>,
}

/// Which message a request announces; `None`: not offered here.
pub(super) fn offered(abstract_syntax: &str, request: &Request) -> Option<Asked> {
    match (abstract_syntax, request.field) {
        (STORAGE_COMMITMENT, N_ACTION_RQ) => {
            Some(Asked::Commitment { action_type: request.type_id.unwrap_or(0) })
        }
        (STORAGE_COMMITMENT, N_EVENT_REPORT_RQ) => {
            Some(Asked::CommitmentReported { event_type: request.type_id.unwrap_or(0) })
        }
        (PROCEDURE_STEP, N_CREATE_RQ) => Some(Asked::ProcedureCreated),
        (PROCEDURE_STEP, N_SET_RQ) => Some(Asked::ProcedureSet),
        _ => None,
    }
}

/// C-STORE on these would store something that is no object; C-ECHO belongs to verification alone.
pub(super) fn stores_nothing(abstract_syntax: &str, request: &Request) -> bool {
    matches!(abstract_syntax, STORAGE_COMMITMENT | PROCEDURE_STEP) || request.field == C_ECHO_RQ
}

impl Acceptor {
    /// The transfer syntax agreed for a class, where the caller proposed it at all.
    pub fn transfer_syntax(&self, abstract_syntax: &str) -> Option<&str> {
        let agreed = self.contexts.iter().find(|context| context.abstract_syntax == abstract_syntax)?;
        Some(&agreed.transfer_syntax)
    }

    /// Whether a report may be sent now: nothing of ours is outstanding, nothing of the caller's half-way.
    pub fn may_report(&self) -> bool {
        matches!(self.state, State::Idle) && self.outstanding.is_none()
    }

    pub(super) fn gather(&mut self, context: u8, request: Request, asked: Asked) -> Vec<Act> {
        let Some(agreed) = self.context(context) else { return Vec::new() };
        let message = Message {
            asked,
            sop_class: agreed.abstract_syntax.clone(),
            sop_instance: request.sop_instance.clone(),
            transfer_syntax: agreed.transfer_syntax.clone(),
            calling_ae_title: self.calling_ae_title.clone(),
            data_set: Vec::new(),
        };
        if request.has_data_set {
            self.state = State::Message { context, request, message };
            return Vec::new();
        }
        self.state = State::Storing { context, request };
        vec![Act::Message(message)]
    }

    pub(super) fn message(
        &mut self,
        context: u8,
        request: Request,
        mut message: Message,
        value: &PDataValue,
    ) -> Vec<Act> {
        message.data_set.extend_from_slice(&value.data);
        if message.data_set.len() > MESSAGE_BYTES_MAX {
            let status =
                Status::with(Status::RESOURCE_LIMITATION, "the data set of this message is too long");
            if value.is_last {
                return vec![respond(context, &request, &status)];
            }
            self.state = State::Object { context, request, refusal: Some(status) };
            return Vec::new();
        }
        if !value.is_last {
            self.state = State::Message { context, request, message };
            return Vec::new();
        }
        self.state = State::Storing { context, request };
        vec![Act::Message(message)]
    }

    /// Sends a report; its answer comes as `Act::Reported`. Nothing where `may_report` is not so.
    pub(super) fn report(&mut self, report: &Report) -> Vec<Act> {
        let agreed = self.contexts.iter().find(|context| context.abstract_syntax == report.sop_class);
        let Some(context) = agreed.map(|context| context.id).filter(|_| self.may_report()) else {
            return Vec::new();
        };
        self.message_id = self.message_id.checked_add(1).unwrap_or(1);
        self.outstanding = Some(self.message_id);
        let request = Request {
            field: N_EVENT_REPORT_RQ,
            message_id: self.message_id,
            sop_class: report.sop_class.to_owned(),
            sop_instance: report.sop_instance.to_owned(),
            type_id: Some(report.event_type),
            has_data_set: true,
        };
        let piece_bytes = fragment_bytes_max(self.peer_pdu_bytes_max);
        let mut pdus = fragments(context, &PDataValueType::Command, &request.to_bytes(), piece_bytes);
        pdus.extend(fragments(context, &PDataValueType::Data, &report.data_set, piece_bytes));
        pdus.into_iter().map(Act::Send).collect()
    }

    /// A response: the only thing we ask of a caller is to take a report.
    pub(super) fn reported(&mut self, bytes: &[u8]) -> Vec<Act> {
        match (Answer::parse(bytes), self.outstanding) {
            (Ok(answer), Some(ours)) if answer.message_id == ours && !answer.has_data_set => {
                self.outstanding = None;
                vec![Act::Reported(answer.status)]
            }
            _ => self.abort(Provider::UnexpectedPduParameter, "a response to nothing we asked"),
        }
    }
}
