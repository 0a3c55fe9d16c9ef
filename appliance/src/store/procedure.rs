//! Modality performed procedure steps: every message of the scanner, bit-exact, in order, and what they say of a study.
//!
//! ```text
//! data/procedures/<sequence>-create-<uid>.dcm            N-CREATE as it came, behind our Part-10 header
//! data/procedures/<sequence>-set-<uid>.dcm               N-SET
//! data/procedures/<sequence>-set-<uid>.relayed.dcm       the RIS has it
//! data/procedures/<sequence>-set-<uid>.refused.dcm       the RIS will never take it
//! ```
//!
//! A message is durable before it is answered; the file names are the queue to the RIS. What the messages mean (which
//! instances a procedure made) is derived from them at the first question and kept in memory. It does not judge a
//! message beyond what order and meaning need, and it relays nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::StoreError;
use super::{Store, durable};
use crate::clock::Timestamp;
use crate::part10::message::{Elements, NotAMessage};
use crate::part10::{Encoding, Header, read_header};
use crate::uid::{SopInstanceUid, StudyUid};

/// Settled messages are kept this long: the RIS's own retention is not ours to replace.
const SETTLED_KEPT: Duration = Duration::from_secs(92 * 24 * 3600);
/// What is read back of one message; the door takes nothing longer.
const MESSAGE_BYTES_MAX: u64 = 8 << 20;

const STATUS: (u16, u16) = (0x0040, 0x0252);
const SCHEDULED_STEPS: (u16, u16) = (0x0040, 0x0270);
const PERFORMED_SERIES: (u16, u16) = (0x0040, 0x0340);
const REFERENCED_IMAGES: (u16, u16) = (0x0008, 0x1140);
const REFERENCED_OTHERS: (u16, u16) = (0x0040, 0x0220);
const REFERENCED_INSTANCE: (u16, u16) = (0x0008, 0x1155);
const STUDY_INSTANCE_UID: (u16, u16) = (0x0020, 0x000D);

/// Which of the two a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Create,
    Set,
}

/// One message on its way to the RIS.
#[derive(Clone, Debug)]
pub struct Relay {
    pub step: Step,
    pub header: Header,
    /// Bit-exact as the scanner sent it.
    pub data_set: Vec<u8>,
    path: PathBuf,
}

/// Why a message is not taken (PS3.4 F.7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcedureRefusal {
    #[error("this performed procedure step exists already")]
    Duplicate,
    #[error("no such performed procedure step")]
    NoSuchInstance,
    #[error("this performed procedure step may no longer be updated")]
    Final,
    #[error("the data set does not parse: {0}")]
    Unreadable(#[from] NotAMessage),
}

/// What the messages of one procedure have said so far.
#[derive(Debug, Default)]
struct Procedure {
    studies: BTreeSet<StudyUid>,
    ended: bool,
    instances: BTreeSet<SopInstanceUid>,
}

#[derive(Debug, Default)]
pub(super) struct Procedures {
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    by_uid: BTreeMap<SopInstanceUid, Procedure>,
    next: u64,
}

impl Store {
    /// Keeps a message, durable when it returns.
    pub fn keep_procedure(
        &self,
        step: Step,
        procedure: &SopInstanceUid,
        header: &Header,
        data_set: &[u8],
    ) -> Result<Result<(), ProcedureRefusal>, StoreError> {
        let mut known = self.procedures()?;
        let known = known.get_or_insert_default();
        let said = match judge(known, step, procedure, header, data_set) {
            Ok(said) => said,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let name = match step {
            Step::Create => "create",
            Step::Set => "set",
        };
        let folder = self.procedures_folder();
        let path = folder.join(format!("{:016}-{name}-{}.dcm", known.next, procedure.as_str()));
        write(&self.incoming_path(), &path, header, data_set)?;
        known.next += 1;
        let studies = known.apply(procedure, said);
        for study in studies {
            self.live().changed(&study);
        }
        Ok(Ok(()))
    }

    /// The instances that finished procedures of a study say they made. `None`: no procedure told, or one still runs.
    pub fn procedure_expectation(&self, study: &StudyUid) -> Option<BTreeSet<SopInstanceUid>> {
        let known = match self.procedures() {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(%error, "performed procedure steps cannot be read");
                return None;
            }
        };
        let of_study: Vec<&Procedure> =
            known.as_ref()?.by_uid.values().filter(|procedure| procedure.studies.contains(study)).collect();
        if of_study.is_empty() || of_study.iter().any(|procedure| !procedure.ended) {
            return None;
        }
        let made: BTreeSet<_> =
            of_study.iter().flat_map(|procedure| procedure.instances.iter().cloned()).collect();
        // A procedure that names nothing says nothing about completeness.
        (!made.is_empty()).then_some(made)
    }

    /// The oldest message the RIS does not have.
    pub fn next_relay(&self) -> Result<Option<Relay>, StoreError> {
        for (path, step) in messages(&self.procedures_folder())? {
            let Some((step, true)) = step else { continue };
            match read(&path)? {
                Some((header, data_set)) => return Ok(Some(Relay { step, header, data_set, path })),
                None => {
                    tracing::error!("a procedure step does not read back; it is set aside");
                    durable::place(&path, &path.with_extension("unreadable"))?;
                }
            }
        }
        Ok(None)
    }

    /// Messages the RIS does not have.
    pub fn relays_waiting(&self) -> Result<usize, StoreError> {
        let waiting = messages(&self.procedures_folder())?;
        Ok(waiting.iter().filter(|(_, step)| matches!(step, Some((_, true)))).count())
    }

    /// The RIS has taken a message, or (`taken` false) never will.
    pub fn relay_settled(&self, relay: &Relay, taken: bool) -> Result<(), StoreError> {
        durable::place(
            &relay.path,
            &relay.path.with_extension(if taken { "relayed.dcm" } else { "refused.dcm" }),
        )
    }

    /// Removes messages that were settled long ago; `relaying`: whether there is a RIS that still wants the others.
    pub fn forget_old_procedures(&self, now: Timestamp, relaying: bool) -> Result<(), StoreError> {
        for (path, step) in messages(&self.procedures_folder())? {
            let waits = relaying && matches!(step, Some((_, true)));
            let modified = fs::metadata(&path).and_then(|meta| meta.modified());
            let old = modified.is_ok_and(|time| now.since(Timestamp::from(time)) > SETTLED_KEPT);
            if old && !waits {
                fs::remove_file(&path).map_err(StoreError::file("remove", &path))?;
            }
        }
        Ok(())
    }

    fn procedures_folder(&self) -> PathBuf {
        self.inner.folder.join("procedures")
    }

    /// What is known, read from the files at the first question.
    fn procedures(&self) -> Result<MutexGuard<'_, Option<Known>>, StoreError> {
        let mut known = self.inner.procedures.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = Some(load(&self.procedures_folder())?);
        }
        Ok(known)
    }
}

/// What one message adds.
struct Said {
    studies: BTreeSet<StudyUid>,
    ended: bool,
    /// Absent: the message does not speak of series.
    instances: Option<BTreeSet<SopInstanceUid>>,
}

fn judge(
    known: &Known,
    step: Step,
    procedure: &SopInstanceUid,
    header: &Header,
    data_set: &[u8],
) -> Result<Said, ProcedureRefusal> {
    match (step, known.by_uid.get(procedure)) {
        (Step::Create, Some(_)) => return Err(ProcedureRefusal::Duplicate),
        (Step::Set, None) => return Err(ProcedureRefusal::NoSuchInstance),
        (Step::Set, Some(earlier)) if earlier.ended => return Err(ProcedureRefusal::Final),
        _ => {}
    }
    Ok(understand(header, data_set)?)
}

fn understand(header: &Header, data_set: &[u8]) -> Result<Said, NotAMessage> {
    let elements = Elements::parse(data_set, Encoding::of(&header.transfer_syntax).explicit_vr)?;
    let steps = elements.items(SCHEDULED_STEPS).iter();
    let studies = steps.filter_map(|item| StudyUid::parse(&item.text(STUDY_INSTANCE_UID)?).ok()).collect();
    let ended = elements.text(STATUS).is_some_and(|status| status == "COMPLETED" || status == "DISCONTINUED");
    let series = elements.items(PERFORMED_SERIES);
    let references = series.iter().flat_map(|series| {
        series.items(REFERENCED_IMAGES).iter().chain(series.items(REFERENCED_OTHERS)).collect::<Vec<_>>()
    });
    let instances: BTreeSet<_> =
        references.filter_map(|item| SopInstanceUid::parse(&item.text(REFERENCED_INSTANCE)?).ok()).collect();
    Ok(Said { studies, ended, instances: (!series.is_empty()).then_some(instances) })
}

impl Known {
    /// N-SET replaces an attribute as a whole (PS3.7 10.1.3). Returns the studies that learnt something.
    fn apply(&mut self, procedure: &SopInstanceUid, said: Said) -> BTreeSet<StudyUid> {
        let procedure = self.by_uid.entry(procedure.clone()).or_default();
        procedure.studies.extend(said.studies);
        procedure.ended |= said.ended;
        if let Some(instances) = said.instances {
            procedure.instances = instances;
        }
        procedure.studies.clone()
    }
}

fn load(folder: &Path) -> Result<Known, StoreError> {
    let mut known = Known::default();
    for (path, step) in messages(folder)? {
        known.next = known.next.max(sequence(&path).map_or(0, |sequence| sequence + 1));
        if step.is_none() {
            continue;
        }
        let Some((header, data_set)) = read(&path)? else { continue };
        let Ok(procedure) = SopInstanceUid::parse(&header.sop_instance) else { continue };
        match understand(&header, &data_set) {
            Ok(said) => drop(known.apply(&procedure, said)),
            Err(error) => tracing::error!(%error, "a procedure step does not read back; it stays on disk"),
        }
    }
    Ok(known)
}

fn write(temporary: &Path, path: &Path, header: &Header, data_set: &[u8]) -> Result<(), StoreError> {
    durable::create_folder(path.parent().unwrap_or(Path::new(".")))?;
    let mut file = fs::File::create(temporary).map_err(StoreError::file("create", temporary))?;
    let written = file.write_all(&header.to_bytes()).and_then(|()| file.write_all(data_set));
    written.and_then(|()| file.sync_all()).map_err(StoreError::file("write", temporary))?;
    durable::place(temporary, path)
}

fn read(path: &Path) -> Result<Option<(Header, Vec<u8>)>, StoreError> {
    let mut file = fs::File::open(path).map_err(StoreError::file("open", path))?;
    let Ok(Some(header)) = read_header(&mut file) else { return Ok(None) };
    let mut data_set = Vec::new();
    file.take(MESSAGE_BYTES_MAX).read_to_end(&mut data_set).map_err(StoreError::file("read", path))?;
    Ok(Some((header, data_set)))
}

/// A message's file, which of the two it is, and whether it waits for the RIS.
type Filed = (PathBuf, Option<(Step, bool)>);

fn messages(folder: &Path) -> Result<Vec<Filed>, StoreError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(StoreError::file("list", folder))?;
    let mut found: Vec<Filed> =
        entries.flatten().map(|entry| (entry.path(), step_of(&entry.path()))).collect();
    found.sort();
    Ok(found)
}

fn step_of(path: &Path) -> Option<(Step, bool)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".dcm")?;
    let mut parts = name.splitn(3, '-').skip(1);
    let step = match parts.next()? {
        "create" => Step::Create,
        "set" => Step::Set,
        _ => return None,
    };
    let rest = parts.next()?;
    Some((step, !rest.ends_with(".relayed") && !rest.ends_with(".refused")))
}

fn sequence(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.split('-').next()?.parse().ok()
}

#[cfg(test)]
#[path = "procedure_tests.rs"]
mod tests;
