//! The requesting side of one association, as a machine without sockets: one request outstanding at a time.
//!
//! ```text
//!               A-ASSOCIATE-AC        call            response
//!   Requested -----------------> Idle -----> Waiting ----------> Idle --> Releasing --> Closed
//!       | refused                             ^    | N-EVENT-REPORT of the peer: answered, handed out
//!       v                                     +----+ (from Idle as well)
//!     Closed <---- A-ABORT, silence, nonsense (from anywhere)
//! ```
//!
//! Invariants: no clock, no socket, no file; a PDU of ours is never longer than the peer said, whether the peer
//! counts the six bytes of its header or not (PS3.8 D.1 does not, some peers do). A request that the peer makes of
//! us, other than a report on what we asked, is answered "not offered". It retries nothing.

mod words;

use std::time::Instant;

use dicom_ul::pdu::{AbortRQSource, AssociationAC, PDataValue, PDataValueType, Pdu};

use super::acceptor::Outgoing;
use super::command::{Answer, COMMAND_BYTES_MAX, N_EVENT_REPORT_RQ, Request, Status, is_response};
use super::negotiation::{Context, accepted_contexts, association_request, peer_pdu_length_max};
use super::wire::{fragment, fragment_bytes_max, fragments};

pub use words::{Event, EventReport, Failure, Heard, MESSAGE_BYTES_MAX, Operation, Proposal, Timeouts};

/// Below this not even a command fits into a bearable number of PDUs.
const PEER_PDU_BYTES_MIN: u32 = 128;

enum State {
    Requested,
    Idle,
    Waiting { message_id: u16, field: u16 },
    Releasing,
    Closed,
}

/// A message of the peer that is still arriving.
#[derive(Default)]
struct Arriving {
    context: u8,
    command: Vec<u8>,
    /// The report whose data set is arriving.
    report: Option<Request>,
    data_set: Vec<u8>,
    /// The response whose data set is arriving; the data set is not looked at.
    answered: Option<Status>,
}

/// One association as its requestor sees it.
pub struct Requestor {
    state: State,
    proposed: Vec<(u8, String)>,
    contexts: Vec<Context>,
    peer_pdu_bytes_max: u32,
    message_id: u16,
    arriving: Arriving,
    timeouts: Timeouts,
    due: Option<Instant>,
}

impl std::fmt::Debug for Requestor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Requestor").field("contexts", &self.contexts.len()).finish_non_exhaustive()
    }
}

impl Requestor {
    /// The machine and its first PDU. At most 128 contexts; more are not proposed.
    ///
    /// `provider`: we provide the services and the peer uses them, as when we report what it had asked.
    pub fn new(
        called_ae: &str,
        calling_ae: &str,
        proposals: &[Proposal<'_>],
        provider: bool,
        timeouts: Timeouts,
        now: Instant,
    ) -> (Self, Outgoing) {
        let request = association_request(called_ae, calling_ae, proposals, provider);
        let proposed =
            request.presentation_contexts.iter().map(|c| (c.id, c.abstract_syntax.clone())).collect();
        let machine = Self {
            state: State::Requested,
            proposed,
            contexts: Vec::new(),
            peer_pdu_bytes_max: 0,
            message_id: 0,
            arriving: Arriving::default(),
            timeouts,
            due: Some(now + timeouts.association),
        };
        (machine, Outgoing(Pdu::AssociationRQ(request)))
    }

    /// The context for this abstract syntax in exactly this transfer syntax.
    pub fn context(&self, abstract_syntax: &str, transfer_syntax: &str) -> Option<u8> {
        let fits =
            |c: &&Context| c.abstract_syntax == abstract_syntax && c.transfer_syntax == transfer_syntax;
        self.contexts.iter().find(fits).map(|context| context.id)
    }

    /// The first context for this abstract syntax, and its transfer syntax.
    pub fn any_context(&self, abstract_syntax: &str) -> Option<(u8, &str)> {
        let found = self.contexts.iter().find(|context| context.abstract_syntax == abstract_syntax)?;
        Some((found.id, &found.transfer_syntax))
    }

    /// Bytes of a data set that fit one PDU to this peer; even, as fragments must be.
    pub fn fragment_bytes_max(&self) -> usize {
        fragment_bytes_max(self.peer_pdu_bytes_max)
    }

    /// When `Heard::Silence` is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Begins a request: its command fragments, each one PDU. The data set, if any, follows by `fragment`.
    pub fn request(
        &mut self,
        context: u8,
        operation: &Operation,
        sop_class: &str,
        sop_instance: &str,
        has_data_set: bool,
        now: Instant,
    ) -> Vec<Outgoing> {
        // Zero is legal and confuses peers.
        self.message_id = self.message_id.checked_add(1).unwrap_or(1);
        let request = Request {
            field: operation.field(),
            message_id: self.message_id,
            sop_class: sop_class.to_owned(),
            sop_instance: sop_instance.to_owned(),
            type_id: operation.type_id(),
            has_data_set,
        };
        self.state = State::Waiting { message_id: self.message_id, field: request.field };
        self.sent(now);
        self.fragments(context, &PDataValueType::Command, &request.to_bytes())
    }

    /// One piece of a data set, at most `fragment_bytes_max` long, as a PDU.
    pub fn fragment(&self, context: u8, data: Vec<u8>, is_last: bool) -> Outgoing {
        fragment(context, PDataValueType::Data, data, is_last)
    }

    /// Bytes went out: the wait for the answer starts again.
    pub fn sent(&mut self, now: Instant) {
        self.due = Some(now + self.timeouts.response);
    }

    /// Starts waiting for a report that the peer promised; nothing is outstanding meanwhile.
    pub fn wait_until(&mut self, until: Option<Instant>) {
        self.due = until;
    }

    /// A-RELEASE-RQ.
    pub fn release(&mut self, now: Instant) -> Outgoing {
        self.state = State::Releasing;
        self.due = Some(now + self.timeouts.association);
        Outgoing(Pdu::ReleaseRQ)
    }

    /// A-ABORT, for leaving in the middle of something.
    pub fn abort(&mut self) -> Outgoing {
        self.close();
        Outgoing(Pdu::AbortRQ { source: AbortRQSource::ServiceUser })
    }

    /// Takes what came in, says what to do about it.
    pub fn on(&mut self, heard: Heard) -> Vec<Event> {
        if matches!(self.state, State::Closed) {
            return Vec::new();
        }
        match heard {
            Heard::Pdu(pdu) => self.on_pdu(pdu),
            // The peer may close instead of answering a release; it has everything by then.
            Heard::Closed if matches!(self.state, State::Releasing) => self.end(Event::Released),
            Heard::Closed => self.end(Event::Failed(Failure::Closed)),
            Heard::Nonsense => self.broken("bytes that are no PDU"),
            Heard::Silence => self.leave(Failure::Silence),
        }
    }

    fn on_pdu(&mut self, pdu: Pdu) -> Vec<Event> {
        match (pdu, &self.state) {
            (Pdu::AssociationAC(accepted), State::Requested) => self.associated(&accepted),
            (Pdu::AssociationRJ(rejection), State::Requested) => {
                let transient = rejection.result == dicom_ul::pdu::AssociationRJResult::Transient;
                let reason = rejected_because(&rejection.source);
                self.end(Event::Failed(Failure::Rejected { transient, reason }))
            }
            (Pdu::AbortRQ { .. }, _) => self.end(Event::Failed(Failure::Aborted)),
            (Pdu::ReleaseRP, State::Releasing) => self.end(Event::Released),
            // Both asked at once (PS3.8 7.2.2.1): the requestor answers and still waits for its own answer.
            (Pdu::ReleaseRQ, State::Releasing) => vec![Event::Send(Outgoing(Pdu::ReleaseRP))],
            (Pdu::PData { data }, State::Idle | State::Waiting { .. } | State::Releasing) => {
                self.values(data)
            }
            _ => self.broken("a PDU out of place"),
        }
    }

    fn associated(&mut self, accepted: &AssociationAC) -> Vec<Event> {
        self.peer_pdu_bytes_max = peer_pdu_length_max(&accepted.user_variables);
        if self.peer_pdu_bytes_max < PEER_PDU_BYTES_MIN {
            return self.broken("it takes only PDUs too short for a command");
        }
        self.contexts = accepted_contexts(&self.proposed, accepted);
        self.state = State::Idle;
        self.due = None;
        vec![Event::Associated]
    }

    fn values(&mut self, values: Vec<PDataValue>) -> Vec<Event> {
        let mut events = Vec::new();
        for value in values {
            events.extend(match value.value_type {
                PDataValueType::Command => self.command(&value),
                PDataValueType::Data => self.data(&value),
            });
            if matches!(self.state, State::Closed) {
                break;
            }
        }
        events
    }

    fn command(&mut self, value: &PDataValue) -> Vec<Event> {
        let arriving = &mut self.arriving;
        if arriving.report.is_some() || arriving.answered.is_some() {
            return self.broken("a command in the middle of a data set");
        }
        arriving.context = value.presentation_context_id;
        arriving.command.extend_from_slice(&value.data);
        if arriving.command.len() > COMMAND_BYTES_MAX {
            return self.broken("a command set without end");
        }
        if !value.is_last {
            return Vec::new();
        }
        let bytes = std::mem::take(&mut arriving.command);
        if is_response(&bytes) { self.answer(&bytes) } else { self.asked(&bytes) }
    }

    fn answer(&mut self, bytes: &[u8]) -> Vec<Event> {
        let Ok(answer) = Answer::parse(bytes) else { return self.broken("a response that does not parse") };
        let State::Waiting { message_id, field } = self.state else {
            return self.broken("a response to nothing");
        };
        if answer.message_id != message_id || answer.field != field | super::command::RESPONSE {
            return self.broken("a response to something else");
        }
        if answer.has_data_set {
            self.arriving.answered = Some(answer.status);
            return Vec::new();
        }
        self.answered(answer.status)
    }

    fn answered(&mut self, status: Status) -> Vec<Event> {
        self.state = State::Idle;
        self.due = None;
        vec![Event::Response(status)]
    }

    /// The peer asks something of us: a report is taken, anything else is not offered.
    fn asked(&mut self, bytes: &[u8]) -> Vec<Event> {
        let Ok(request) = Request::parse(bytes) else { return self.broken("a request that does not parse") };
        if request.has_data_set {
            self.arriving.report = Some(request);
            return Vec::new();
        }
        let context = self.arriving.context;
        self.respond(context, &request)
    }

    fn data(&mut self, value: &PDataValue) -> Vec<Event> {
        if let Some(status) = self.arriving.answered.take() {
            if !value.is_last {
                self.arriving.answered = Some(status);
                return Vec::new();
            }
            return self.answered(status);
        }
        let Some(request) = self.arriving.report.take() else { return self.broken("a data set of nothing") };
        self.arriving.data_set.extend_from_slice(&value.data);
        if self.arriving.data_set.len() > MESSAGE_BYTES_MAX {
            return self.broken("a report without end");
        }
        if !value.is_last {
            self.arriving.report = Some(request);
            return Vec::new();
        }
        self.respond(value.presentation_context_id, &request)
    }

    fn respond(&mut self, context: u8, request: &Request) -> Vec<Event> {
        let data_set = std::mem::take(&mut self.arriving.data_set);
        let report = request.field == N_EVENT_REPORT_RQ;
        let status = if report {
            Status::success()
        } else {
            Status::with(Status::UNRECOGNIZED_OPERATION, "operation not offered here")
        };
        let answer = self.fragments(context, &PDataValueType::Command, &request.response(&status));
        let mut events: Vec<Event> = answer.into_iter().map(Event::Send).collect();
        if report {
            let syntax = self.contexts.iter().find(|known| known.id == context);
            let report = EventReport {
                sop_class: request.sop_class.clone(),
                sop_instance: request.sop_instance.clone(),
                event_type: request.type_id.unwrap_or(0),
                data_set,
                transfer_syntax: syntax.map(|known| known.transfer_syntax.clone()).unwrap_or_default(),
            };
            // The answer may leave before anybody kept the report: what a crash loses here is asked for again.
            events.push(Event::Report(report));
        }
        events
    }

    fn fragments(&self, context: u8, kind: &PDataValueType, bytes: &[u8]) -> Vec<Outgoing> {
        fragments(context, kind, bytes, self.fragment_bytes_max())
    }

    fn broken(&mut self, what: &'static str) -> Vec<Event> {
        self.leave(Failure::Nonsense(what))
    }

    fn leave(&mut self, failure: Failure) -> Vec<Event> {
        vec![Event::Send(self.abort()), Event::Failed(failure)]
    }

    fn end(&mut self, event: Event) -> Vec<Event> {
        self.close();
        vec![event]
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.due = None;
    }
}

fn rejected_because(source: &dicom_ul::pdu::AssociationRJSource) -> String {
    use dicom_ul::pdu::AssociationRJSource as Source;
    match source {
        Source::ServiceUser(reason) => reason.to_string(),
        Source::ServiceProviderASCE(reason) => reason.to_string(),
        Source::ServiceProviderPresentation(reason) => reason.to_string(),
    }
}

#[cfg(test)]
#[path = "requestor_tests.rs"]
mod tests;
