//! DICOM files at the level of bytes: our own Part-10 header in front of a data set kept bit-exact, a bounded walk
//! over its elements, and the few facts the box files it by.
//!
//! Not a room: intake writes with it, store reads with it. It never decodes pixels (that is `imaging`), never
//! changes a byte of a data set, and never allocates by a length a data set merely claims.

pub mod commitment;
mod elements;
mod facts;
mod header;
mod json;
pub mod message;
mod patient_size;
mod rewrite;
#[cfg(test)]
mod tests;
mod text;
mod timing;
mod values;
mod walk;

pub use elements::{ElementHead, Elements, ITEM, ITEM_END, PIXEL_DATA, SEQUENCE_END, Tag};
pub use facts::{CtFacts, FactsError, InstanceFacts, PatientStudy, Picture, read_facts};
pub(crate) use header::padded;
pub use header::{Header, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, read_header};
pub use json::{JsonError, data_set_json};
pub use patient_size::PatientSize;
pub use rewrite::{PixelReplacement, rewrite_explicit};
pub use text::decode_text;
pub use timing::{DAY_US, Timing, date_time_us};
pub use values::person_names;
pub use walk::{Encoding, Malformed};
