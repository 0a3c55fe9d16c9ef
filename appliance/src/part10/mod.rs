//! DICOM files at the level of bytes: our own Part-10 header in front of a data set kept bit-exact, a bounded walk
//! over its elements, and the few facts the box files it by.
//!
//! Not a room: intake writes with it, store reads with it. It never decodes pixels (that is `imaging`), never
//! changes a byte of a data set, and never allocates by a length a data set merely claims.

mod facts;
mod header;
pub mod message;
#[cfg(test)]
mod tests;
mod walk;

pub use facts::{FactsError, InstanceFacts, PatientStudy, Picture, read_facts};
pub use header::{Header, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, read_header};
pub use walk::{Encoding, Malformed};
