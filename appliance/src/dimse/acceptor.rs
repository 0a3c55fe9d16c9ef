//! The accepting side of one association, from its request to its end.

mod messages;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dicom_ul::pdu::{
    AbortRQServiceProviderReason as Provider, AbortRQSource, AssociationRQ, PDataValue, PDataValueType, Pdu,
};

use super::command::{C_CANCEL_RQ, C_ECHO_RQ, C_STORE_RQ, COMMAND_BYTES_MAX, Request, Status, is_response};
use super::negotiation::{Context, Policy, decide, peer_pdu_length_max};
use super::services::VERIFICATION;
use crate::part10::Header;
use crate::uid::SopInstanceUid;

pub use messages::{Asked, Message, Report};

/// PS3.8 9.1.5: a connection that does not ask for an association within this is closed.
const ARTIM: Duration = Duration::from_secs(30);

/// What happens to the association.
pub enum Input {
    Pdu(Pdu),
    /// The object announced by the last `Act::Finish`, or the last `Act::Message`, has an outcome.
    Answered(Status),
    /// Tell the caller something it had asked for; only when `may_report`.
    Report(Report),
    /// The peer closed the connection.
    Closed,
    /// Bytes came that are no PDU.
    Nonsense,
    /// `deadline()` has passed.
    Silence,
    /// The box is stopping.
    Stopping,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pdu(pdu) => write!(f, "{}", pdu.short_description()),
            Self::Answered(status) => write!(f, "Answered({:#06x})", status.code),
            Self::Report(_) => f.write_str("Report"),
            Self::Closed => f.write_str("Closed"),
            Self::Nonsense => f.write_str("Nonsense"),
            Self::Silence => f.write_str("Silence"),
            Self::Stopping => f.write_str("Stopping"),
        }
    }
}

/// What the machine wants done, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Act {
    /// Encode and send. (Opaque: a PDU is never printed.)
    Send(Outgoing),
    /// An object begins.
    Begin(ObjectHead),
    /// More bytes of its data set.
    Append(Vec<u8>),
    /// That was all of it; answer with `Input::Answered`.
    Finish,
    /// The object will not be completed: forget it.
    Discard,
    /// Do what the message asks; answer with `Input::Answered`.
    Message(Message),
    /// The caller's answer to our report.
    Reported(Status),
    /// Close the connection. `released`: the peer was done.
    Close { released: bool, reason: &'static str },
}

/// A PDU on its way out.
#[derive(PartialEq, Eq)]
pub struct Outgoing(pub(super) Pdu);

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.short_description())
    }
}

/// What is known of an object before its first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectHead {
    /// Our Part-10 header; its SOP Instance UID has been checked.
    pub header: Header,
}

enum State {
    /// Waiting for A-ASSOCIATE-RQ.
    Requested,
    Idle,
    /// A command set is arriving in fragments.
    Command {
        context: u8,
        bytes: Vec<u8>,
    },
    /// A data set is arriving. `refusal`: it is not kept, only drained, and answered with this.
    Object {
        context: u8,
        request: Request,
        refusal: Option<Status>,
    },
    /// A message that is no object is arriving.
    Message {
        context: u8,
        request: Request,
        message: Message,
    },
    /// The data set is complete, the disk is at work.
    Storing {
        context: u8,
        request: Request,
    },
    Closed,
}

/// One association as its acceptor sees it.
pub struct Acceptor {
    policy: Arc<Policy>,
    from: IpAddr,
    /// The box already serves as many associations as it may.
    busy: bool,
    state: State,
    contexts: Vec<Context>,
    calling_ae_title: String,
    peer_pdu_bytes_max: u32,
    /// Message id of the last report of ours.
    message_id: u16,
    /// A report of ours that the caller has not answered.
    outstanding: Option<u16>,
    idle_timeout: Duration,
    last_heard: Instant,
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").field("calling_ae_title", &self.calling_ae_title).finish_non_exhaustive()
    }
}

impl Acceptor {
    pub fn new(policy: Arc<Policy>, from: IpAddr, busy: bool, idle_timeout: Duration, now: Instant) -> Self {
        Self {
            policy,
            from,
            busy,
            state: State::Requested,
            contexts: Vec::new(),
            calling_ae_title: String::new(),
            peer_pdu_bytes_max: 0,
            message_id: 0,
            outstanding: None,
            idle_timeout,
            last_heard: now,
        }
    }

    /// Empty until the association is accepted.
    pub fn calling_ae_title(&self) -> &str {
        &self.calling_ae_title
    }

    /// When `Input::Silence` is due. The disk is never what runs out of time here.
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Requested => Some(self.last_heard + ARTIM),
            State::Storing { .. } | State::Closed => None,
            _ => Some(self.last_heard + self.idle_timeout),
        }
    }

    /// Takes one input, says what to do about it.
    pub fn on(&mut self, input: Input, now: Instant) -> Vec<Act> {
        match input {
            Input::Answered(status) => {
                self.last_heard = now;
                self.answered(&status)
            }
            Input::Pdu(pdu) => {
                self.last_heard = now;
                self.on_pdu(pdu)
            }
            Input::Report(report) => self.report(&report),
            Input::Closed => self.end(None, false, "the peer closed the connection"),
            Input::Nonsense => self.abort(Provider::UnrecognizedPdu, "bytes that are no PDU"),
            Input::Silence => self.abort(Provider::ReasonNotSpecified, "silence"),
            Input::Stopping => self.abort(Provider::ReasonNotSpecified, "the box is stopping"),
        }
    }

    fn on_pdu(&mut self, pdu: Pdu) -> Vec<Act> {
        match (pdu, &self.state) {
            (_, State::Closed) => Vec::new(),
            (Pdu::AssociationRQ(request), State::Requested) => self.requested(&request),
            (Pdu::AbortRQ { .. }, _) => self.end(None, false, "the peer aborted"),
            (_, State::Requested) => self.abort(Provider::UnexpectedPdu, "no association request"),
            (Pdu::PData { data }, _) => self.fragments(data),
            (Pdu::ReleaseRQ, State::Idle) => self.end(Some(Pdu::ReleaseRP), true, "released"),
            (Pdu::ReleaseRQ, _) => self.abort(Provider::UnexpectedPdu, "release in the middle of a message"),
            (Pdu::Unknown { .. }, _) => self.abort(Provider::UnrecognizedPdu, "unknown PDU"),
            _ => self.abort(Provider::UnexpectedPdu, "a PDU out of place"),
        }
    }

    fn requested(&mut self, request: &AssociationRQ) -> Vec<Act> {
        self.calling_ae_title = printable(&request.calling_ae_title);
        match decide(&self.policy, request, self.from, self.busy) {
            Ok((accepted, contexts)) => {
                self.contexts = contexts;
                self.peer_pdu_bytes_max = peer_pdu_length_max(&request.user_variables);
                self.state = State::Idle;
                vec![send(Pdu::AssociationAC(accepted))]
            }
            Err(rejection) => self.end(Some(Pdu::AssociationRJ(rejection)), false, "refused by policy"),
        }
    }

    fn fragments(&mut self, values: Vec<PDataValue>) -> Vec<Act> {
        let mut acts = Vec::new();
        for value in values {
            acts.extend(self.fragment(value));
            if matches!(self.state, State::Closed) {
                break;
            }
        }
        acts
    }

    fn fragment(&mut self, value: PDataValue) -> Vec<Act> {
        let id = value.presentation_context_id;
        let state = std::mem::replace(&mut self.state, State::Idle);
        match (state, value.value_type.clone()) {
            (State::Idle, PDataValueType::Command) if self.context(id).is_some() => {
                self.command(id, Vec::new(), &value)
            }
            (State::Command { context, bytes }, PDataValueType::Command) if context == id => {
                self.command(context, bytes, &value)
            }
            (State::Object { context, request, refusal }, PDataValueType::Data) if context == id => {
                self.data(context, request, refusal, value)
            }
            (State::Message { context, request, message }, PDataValueType::Data) if context == id => {
                self.message(context, request, message, &value)
            }
            (state, _) => {
                self.state = state;
                self.abort(Provider::UnexpectedPduParameter, "a fragment out of place")
            }
        }
    }

    fn command(&mut self, context: u8, mut bytes: Vec<u8>, value: &PDataValue) -> Vec<Act> {
        bytes.extend_from_slice(&value.data);
        if bytes.len() > COMMAND_BYTES_MAX {
            return self.abort(Provider::InvalidPduParameter, "a command set without end");
        }
        if !value.is_last {
            self.state = State::Command { context, bytes };
            return Vec::new();
        }
        if is_response(&bytes) {
            return self.reported(&bytes);
        }
        match Request::parse(&bytes) {
            Ok(request) => self.request(context, request),
            Err(_) => self.abort(Provider::InvalidPduParameter, "a command set that does not parse"),
        }
    }

    fn request(&mut self, context: u8, request: Request) -> Vec<Act> {
        let abstract_syntax = self.context(context).map_or("", |context| context.abstract_syntax.as_str());
        let verification = abstract_syntax == VERIFICATION;
        let asked = messages::offered(abstract_syntax, &request);
        let stores = !verification && !messages::stores_nothing(abstract_syntax, &request);
        match request.field {
            // Nothing of ours takes long enough to be cancelled, and a cancel is not answered (PS3.7 9.3.2.3).
            C_CANCEL_RQ => Vec::new(),
            C_ECHO_RQ if verification && !request.has_data_set => {
                vec![respond(context, &request, &Status::success())]
            }
            C_STORE_RQ if stores && request.has_data_set => self.begin(context, request),
            _ => {
                if let Some(asked) = asked {
                    return self.gather(context, request, asked);
                }
                let status = Status::with(Status::UNRECOGNIZED_OPERATION, "operation not offered here");
                self.drain_or_answer(context, request, status)
            }
        }
    }

    fn begin(&mut self, context: u8, request: Request) -> Vec<Act> {
        let agreed = self.context(context).expect("fragments outside agreed contexts were refused");
        if agreed.abstract_syntax != request.sop_class {
            let status = Status::with(Status::SOP_CLASS_NOT_SUPPORTED, "SOP class is not the context's");
            return self.drain_or_answer(context, request, status);
        }
        if SopInstanceUid::parse(&request.sop_instance).is_err() {
            let status = Status::with(Status::CANNOT_UNDERSTAND, "Affected SOP Instance UID is not a UID");
            return self.drain_or_answer(context, request, status);
        }
        let header = Header {
            sop_class: request.sop_class.clone(),
            sop_instance: request.sop_instance.clone(),
            transfer_syntax: agreed.transfer_syntax.clone(),
            source_ae_title: self.calling_ae_title.clone(),
        };
        self.state = State::Object { context, request, refusal: None };
        vec![Act::Begin(ObjectHead { header })]
    }

    /// A refused request still sends its data set; it has to pass before the answer.
    fn drain_or_answer(&mut self, context: u8, request: Request, status: Status) -> Vec<Act> {
        if !request.has_data_set {
            return vec![respond(context, &request, &status)];
        }
        self.state = State::Object { context, request, refusal: Some(status) };
        Vec::new()
    }

    fn data(
        &mut self,
        context: u8,
        request: Request,
        refusal: Option<Status>,
        value: PDataValue,
    ) -> Vec<Act> {
        match (refusal, value.is_last) {
            (Some(status), true) => vec![respond(context, &request, &status)],
            (None, true) => {
                self.state = State::Storing { context, request };
                vec![Act::Append(value.data), Act::Finish]
            }
            (refusal, false) => {
                let acts = if refusal.is_none() { vec![Act::Append(value.data)] } else { Vec::new() };
                self.state = State::Object { context, request, refusal };
                acts
            }
        }
    }

    fn answered(&mut self, status: &Status) -> Vec<Act> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Storing { context, request } => vec![respond(context, &request, status)],
            other => {
                self.state = other;
                Vec::new()
            }
        }
    }

    fn abort(&mut self, reason: Provider, why: &'static str) -> Vec<Act> {
        self.end(Some(Pdu::AbortRQ { source: AbortRQSource::ServiceProvider(reason) }), false, why)
    }

    fn end(&mut self, last: Option<Pdu>, released: bool, reason: &'static str) -> Vec<Act> {
        let mut acts = Vec::new();
        if matches!(self.state, State::Object { refusal: None, .. }) {
            acts.push(Act::Discard);
        }
        if !matches!(self.state, State::Closed) {
            acts.extend(last.map(send));
            acts.push(Act::Close { released, reason });
        }
        self.state = State::Closed;
        acts
    }

    fn context(&self, id: u8) -> Option<&Context> {
        self.contexts.iter().find(|context| context.id == id)
    }
}

fn send(pdu: Pdu) -> Act {
    Act::Send(Outgoing(pdu))
}

fn respond(context: u8, request: &Request, status: &Status) -> Act {
    let value = PDataValue {
        presentation_context_id: context,
        value_type: PDataValueType::Command,
        is_last: true,
        data: request.response(status),
    };
    send(Pdu::PData { data: vec![value] })
}

/// An AE title as it may be written into a log or a file: printable ASCII, 16 characters (PS3.5 6.2).
fn printable(title: &str) -> String {
    title.trim().chars().filter(|c| (' '..='~').contains(c) && *c != '\\').take(16).collect()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
