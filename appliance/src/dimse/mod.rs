//! The DICOM upper layer and DIMSE, as a machine without sockets: PDUs and time in, acts out.
//!
//! ```text
//!              A-ASSOCIATE-RQ ok           C-STORE-RQ            last fragment
//!   Requested ------------------> Idle ----------------> Object ---------------> Storing
//!       | refused                  ^  C-ECHO: answered     |  broken: discard       |
//!       v                          +-----------------------+------------------------+ answered
//!     Closed <---- A-RELEASE, A-ABORT, silence, nonsense (from anywhere)
//! ```
//!
//! Not a room: intake drives its `acceptor`; `dial` drives its `requestor` for whoever calls other AEs. The one door to
//! dicom-ul, of which only the PDU types and codec are used. Invariants: no clock, no socket, no file in the two
//! machines; every length a peer claims is checked before anything is allocated; a PDU's `Debug` is never printed (it
//! may hold a password). It does not decide what is stored or where.

pub mod acceptor;
mod command;
#[cfg(test)]
mod conformance_tests;
pub mod dial;
mod negotiation;
pub mod requestor;
pub mod services;
pub mod socket;
mod storage_classes;
pub mod wire;

pub use acceptor::{Acceptor, Act, Asked, Input, Message, ObjectHead, Report};
pub use command::Status;
pub use negotiation::{Caller, Policy};
pub use services::Services;
