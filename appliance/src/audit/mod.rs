//! The audit journal: who did what, when, to which study, with what outcome (PS3.15 A.5 events as JSON lines).
//!
//! ```text
//! data/audit/segment-000001.jsonl   sealed: read-only, full
//! data/audit/segment-000002.jsonl   open, appended and fsynced line by line
//! data/audit/head.json              number and hash of the last line
//! ```
//!
//! Invariants: a line is durable when [`Audit::record`] returns. Every line carries the SHA-256 of the line before it
//! (over segments, too) and its number, and the head names the last line, so a changed, removed or reordered line
//! shows ([`verify`]). Damage found at a start is itself recorded, never repaired silently. This is the one place
//! besides the studies where patient identity stands: nothing of it goes to the log.
//!
//! Not a room: every room writes to it. It does not decide what is allowed, and it is never read by the box.
//! Who can write to the folder *and* run a program there can forge the whole chain; a copy elsewhere is the answer.

mod event;
mod segment;
#[cfg(test)]
mod tests;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub use event::{Action, Event, Kind, Outcome, StudyNamed, Who};
pub use verify::{Flaw, Verdict, verify};

use crate::clock::Timestamp;
use segment::Writer;

/// Why an event could not be made durable.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("cannot {doing} {}: {source}", path.display())]
    File { doing: &'static str, path: PathBuf, source: std::io::Error },
    /// A defect of ours: an event is text and numbers.
    #[error("an audit event cannot be written as JSON: {0}")]
    Shape(#[from] serde_json::Error),
}

impl AuditError {
    fn file<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + use<'a> {
        move |source| Self::File { doing, path: path.to_owned(), source }
    }
}

/// The journal of one box; clones write to the same one.
#[derive(Clone, Debug)]
pub struct Audit(Arc<Mutex<Writer>>);

impl Audit {
    /// Opens the journal for appending. A torn last line was never relied on: it is set aside and cut off.
    pub fn open(folder: &Path, at: Timestamp) -> Result<Self, AuditError> {
        let (mut writer, damage) = Writer::open(folder)?;
        if let Some(damage) = damage {
            tracing::error!(
                damage,
                "the audit journal was changed from outside; run `sidelight audit verify`"
            );
            let event = Event::new(Kind::Damage, Outcome::SeriousFailure, Who::this_box()).because(damage);
            writer.append(&event, at)?;
        }
        Ok(Self(Arc::new(Mutex::new(writer))))
    }

    /// Durable when it returns. Blocks on the disk.
    pub fn record(&self, event: &Event, at: Timestamp) -> Result<(), AuditError> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).append(event, at)
    }

    /// For what has happened already and cannot be taken back: a failure to write is an ERROR in the log.
    pub fn note(&self, event: &Event, at: Timestamp) {
        if let Err(error) = self.record(event, at) {
            tracing::error!(%error, "an audit event could not be written; make room or mend the disk");
        }
    }
}
