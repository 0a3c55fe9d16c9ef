//! The files: one open segment that is appended to, sealed ones before it, and the head.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{AuditError, Event};
use crate::clock::Timestamp;

/// A segment is read whole to verify it; some ten thousand events, a few weeks of a busy box.
pub(super) const SEGMENT_BYTES_MAX: u64 = 4 << 20;
const HEAD: &str = "head.json";
/// The head is overwritten in place, always as long as this: one sector, so a power cut leaves the old or the new.
const HEAD_BYTES: usize = 160;
/// What the first line of all carries in place of a hash.
pub(super) const NO_LINE_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One line of the journal.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    pub n: u64,
    pub at: String,
    /// SHA-256 of the bytes of the line before, without its line feed.
    pub previous: String,
    #[serde(flatten)]
    pub event: Event,
}

/// Where the journal ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub n: u64,
    pub sha256: String,
}

#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    number: u32,
    path: PathBuf,
    file: File,
    /// Length of the open segment.
    pub(super) bytes: u64,
    head: Head,
    head_file: File,
}

/// The last line as it stands, and what it says of the line before.
struct Written {
    head: Head,
    previous: String,
}

impl Writer {
    /// The writer, and what was found changed from outside.
    pub(super) fn open(folder: &Path) -> Result<(Self, Option<String>), AuditError> {
        std::fs::create_dir_all(folder).map_err(AuditError::file("create", folder))?;
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))
            .map_err(AuditError::file("protect", folder))?;
        let number = segments(folder)?.last().map_or(1, |(number, _)| *number);
        let path = segment_path(folder, number);
        let whole = cut_torn_tail(&path)?;
        let written = end_of(folder, number)?;
        let known = read_head(folder)?;
        let (head, damage) = reconcile(written, known);
        let (file, bytes) = (append_to(&path)?, whole);
        let head_path = folder.join(HEAD);
        let head_file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&head_path);
        let head_file = head_file.map_err(AuditError::file("open", &head_path))?;
        sync(folder)?;
        let writer = Self { folder: folder.to_owned(), number, path, file, bytes, head, head_file };
        if damage.is_none() {
            writer.write_head()?;
        }
        Ok((writer, damage))
    }

    pub(super) fn append(&mut self, event: &Event, at: Timestamp) -> Result<(), AuditError> {
        if self.bytes >= SEGMENT_BYTES_MAX {
            self.next_segment()?;
        }
        let n = self.head.n + 1;
        let previous = self.head.sha256.clone();
        let line = Line { n, at: at.rfc3339(), previous, event: event.clone() };
        let mut bytes = serde_json::to_vec(&line)?;
        let sha256 = hash(&bytes);
        bytes.push(b'\n');
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            // Half a line may stand there; without this the next one would be joined to it.
            let _ = self.file.set_len(self.bytes);
            return Err(AuditError::file("append to", &self.path)(source));
        }
        self.bytes += bytes.len() as u64;
        self.head = Head { n, sha256 };
        self.write_head()
    }

    /// Seals the full segment and begins the next.
    fn next_segment(&mut self) -> Result<(), AuditError> {
        std::fs::set_permissions(&self.path, Permissions::from_mode(0o400))
            .map_err(AuditError::file("seal", &self.path))?;
        self.number += 1;
        self.path = segment_path(&self.folder, self.number);
        self.file = append_to(&self.path)?;
        self.bytes = 0;
        sync(&self.folder)
    }

    fn write_head(&self) -> Result<(), AuditError> {
        let mut bytes = serde_json::to_vec(&self.head)?;
        bytes.resize(HEAD_BYTES, b' ');
        let written = self.head_file.write_all_at(&bytes, 0).and_then(|()| self.head_file.sync_data());
        written.map_err(AuditError::file("write", &self.folder.join(HEAD)))
    }
}

/// Compares where the journal ends with where it ended. A line is durable before the head names it, so the journal
/// may be one ahead after a power cut, and never behind.
fn reconcile(written: Option<Written>, known: Option<Head>) -> (Head, Option<String>) {
    let follows =
        |written: &Written, known: &Head| written.head.n == known.n + 1 && written.previous == known.sha256;
    match (written, known) {
        (None, None) => (Head { n: 0, sha256: NO_LINE_BEFORE.into() }, None),
        (Some(written), Some(known)) if written.head == known || follows(&written, &known) => {
            (written.head, None)
        }
        (Some(written), None) if written.head.n == 1 => (written.head, None),
        (written, known) => {
            let has = written.as_ref().map_or(0, |written| written.head.n);
            let had = known.map_or(0, |head| head.n);
            let damage = format!("the journal ends at line {has}, it had ended at line {had}");
            let sha256 = written.map_or_else(|| NO_LINE_BEFORE.into(), |written| written.head.sha256);
            // The numbers go on from the larger one, with a gap that stays visible for ever.
            (Head { n: has.max(had) + 1, sha256 }, Some(damage))
        }
    }
}

/// Number and path of every segment, in order.
pub(super) fn segments(folder: &Path) -> Result<Vec<(u32, PathBuf)>, AuditError> {
    let listing = std::fs::read_dir(folder).map_err(AuditError::file("list", folder))?;
    let numbered = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let number = name.strip_prefix("segment-")?.strip_suffix(".jsonl")?.parse().ok()?;
        Some((number, path))
    };
    let mut found: Vec<_> = listing.flatten().filter_map(|entry| numbered(entry.path())).collect();
    found.sort();
    Ok(found)
}

pub(super) fn read_head(folder: &Path) -> Result<Option<Head>, AuditError> {
    let path = folder.join(HEAD);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AuditError::file("read", &path)(error)),
    }
}

pub(super) fn hash(line: &[u8]) -> String {
    crate::store::hex(&Sha256::digest(line))
}

fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("segment-{number:06}.jsonl"))
}

fn append_to(path: &Path) -> Result<File, AuditError> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    file.map_err(AuditError::file("open", path))
}

fn sync(folder: &Path) -> Result<(), AuditError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(AuditError::file("sync", folder))
}

/// Cuts what follows the last line feed, keeping a copy; returns how many whole bytes there are.
fn cut_torn_tail(path: &Path) -> Result<u64, AuditError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(AuditError::file("read", path)(error)),
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < bytes.len() {
        let copy = path.with_extension("torn");
        std::fs::write(&copy, &bytes[whole..]).map_err(AuditError::file("write", &copy))?;
        let file = OpenOptions::new().write(true).open(path).map_err(AuditError::file("open", path))?;
        file.set_len(whole as u64).and_then(|()| file.sync_all()).map_err(AuditError::file("cut", path))?;
    }
    Ok(whole as u64)
}

/// The last line written, in this segment or, where it is new and empty, in the one before.
fn end_of(folder: &Path, number: u32) -> Result<Option<Written>, AuditError> {
    for number in [Some(number), number.checked_sub(1)].into_iter().flatten() {
        let path = segment_path(folder, number);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(AuditError::file("read", &path)(error)),
        };
        let Some(last) = bytes.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()) else { continue };
        // A last line that does not read back still has a hash; its number is unknown.
        let line = serde_json::from_slice::<Line>(last).ok();
        let (n, previous) = line.map_or((0, String::new()), |line| (line.n, line.previous));
        return Ok(Some(Written { head: Head { n, sha256: hash(last) }, previous }));
    }
    Ok(None)
}
