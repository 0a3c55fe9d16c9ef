//! What goes into the requestor and what comes out.

use std::time::Duration;

use dicom_ul::pdu::Pdu;

use super::super::acceptor::Outgoing;
use super::super::command::{
    C_ECHO_RQ, C_STORE_RQ, N_ACTION_RQ, N_CREATE_RQ, N_EVENT_REPORT_RQ, N_SET_RQ, Status,
};

/// Data sets other than objects: a report on 10,000 instances takes about 2 MB.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// What we propose: an abstract syntax and the transfer syntaxes for it, best first.
pub type Proposal<'a> = (&'a str, &'a [&'a str]);

/// How long each step may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// TCP and TLS together.
    pub connect: Duration,
    /// From A-ASSOCIATE-RQ to the answer, and from A-RELEASE-RQ to the answer.
    pub association: Duration,
    /// One PDU of ours, until the kernel has taken it.
    pub send: Duration,
    /// From the last byte of a request to the first of its response: a PACS may write before it answers.
    pub response: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(10), association: seconds(30), send: seconds(30), response: seconds(60) }
    }
}

/// One operation and what it is about.
#[derive(Clone, Debug)]
pub enum Operation {
    Echo,
    Store,
    /// Event Type ID.
    EventReport(u16),
    Set,
    /// Action Type ID.
    Action(u16),
    Create,
}

impl Operation {
    pub(super) fn field(&self) -> u16 {
        match self {
            Self::Echo => C_ECHO_RQ,
            Self::Store => C_STORE_RQ,
            Self::EventReport(_) => N_EVENT_REPORT_RQ,
            Self::Set => N_SET_RQ,
            Self::Action(_) => N_ACTION_RQ,
            Self::Create => N_CREATE_RQ,
        }
    }

    pub(super) fn type_id(&self) -> Option<u16> {
        match self {
            Self::EventReport(id) | Self::Action(id) => Some(*id),
            _ => None,
        }
    }
}

/// What the peer told us about something we had asked of it (PS3.7 10.1.1).
#[derive(Clone, PartialEq, Eq)]
pub struct EventReport {
    pub sop_class: String,
    pub sop_instance: String,
    pub event_type: u16,
    /// As it came, in this transfer syntax.
    pub data_set: Vec<u8>,
    pub transfer_syntax: String,
}

impl std::fmt::Debug for EventReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventReport").field("event_type", &self.event_type).finish_non_exhaustive()
    }
}

/// Why the association is over, or never was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("the peer refused the association: {reason}{}", if *transient { " (for now)" } else { "" })]
    Rejected { transient: bool, reason: String },
    #[error("the peer aborted the association")]
    Aborted,
    #[error("the peer closed the connection")]
    Closed,
    #[error("the peer did not answer in time")]
    Silence,
    #[error("the peer does not follow the protocol: {0}")]
    Nonsense(&'static str),
}

/// What came in, or did not.
pub enum Heard {
    Pdu(Pdu),
    Closed,
    Nonsense,
    /// `deadline()` has passed.
    Silence,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pdu(pdu) => write!(f, "{}", pdu.short_description()),
            Self::Closed => f.write_str("Closed"),
            Self::Nonsense => f.write_str("Nonsense"),
            Self::Silence => f.write_str("Silence"),
        }
    }
}

/// What the driver does next, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Send(Outgoing),
    Associated,
    Response(Status),
    Report(EventReport),
    Released,
    Failed(Failure),
}
