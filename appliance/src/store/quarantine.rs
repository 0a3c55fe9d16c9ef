//! What arrived whole and does not parse: kept bit-exact under its hash, with the reason beside it.
//!
//! Nothing here trusts what an object says of itself beyond the header this box wrote. It is never analysed and never
//! deleted by the box; forwarding and commitment treat it like any other.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::object::ObjectName;
use super::{Arrived, Store, durable};
use crate::clock::Timestamp;
use crate::part10::{FactsError, Header, read_header};

/// The note beside an object.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    reason: String,
    arrived_at: String,
    bytes: u64,
}

/// One object as people see it.
#[derive(Debug)]
pub struct Quarantined {
    /// Names it: SHA-256 of its data set.
    pub sha256: String,
    pub reason: String,
    pub arrived_at: Timestamp,
    /// Of the whole file.
    pub bytes: u64,
    /// What its sender said of it.
    pub header: Option<Header>,
    pub object: ObjectName,
}

impl Store {
    /// Keeps an object that does not parse, bit-exact, with the reason beside it.
    pub fn quarantine(
        &self,
        arrived: &Arrived,
        reason: &FactsError,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let target = self.quarantine_folder().join(format!("{}.dcm", arrived.sha256));
        durable::place(&arrived.path, &target)?;
        self.hold_quarantined(&target)?;
        self.inner.index.commit()?;
        let note = Note { reason: reason.to_string(), arrived_at: at.rfc3339(), bytes: arrived.bytes };
        let note = serde_json::to_vec(&note).expect("two texts and a number");
        durable::replace(&target.with_extension("json"), &note)?;
        self.live().box_changed();
        Ok(())
    }

    /// Objects in quarantine, the newest first and at most `count` of them; and how many there are.
    pub fn quarantined(&self, count: usize) -> Result<(Vec<Quarantined>, usize), StoreError> {
        let mut objects = self.quarantined_files()?;
        let total = objects.len();
        objects.sort_by(|a, b| (b.1, &b.0).cmp(&(a.1, &a.0)));
        objects.truncate(count);
        let described = objects.into_iter().filter_map(|(path, at)| describe(&path, at));
        Ok((described.collect(), total))
    }

    /// How many objects lie there.
    pub fn quarantined_count(&self) -> Result<usize, StoreError> {
        Ok(self.quarantined_files()?.len())
    }

    /// The file of an object by its hash.
    pub fn quarantined_path(&self, sha256: &str) -> Result<PathBuf, StoreError> {
        let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        let path = self.quarantine_folder().join(format!("{}.dcm", sha256.to_ascii_lowercase()));
        if is_hash && path.is_file() { Ok(path) } else { Err(StoreError::Unknown("quarantined object")) }
    }

    fn quarantine_folder(&self) -> PathBuf {
        self.inner.folder.join("quarantine")
    }

    fn quarantined_files(&self) -> Result<Vec<(PathBuf, Timestamp)>, StoreError> {
        let folder = self.quarantine_folder();
        let entries = fs::read_dir(&folder).map_err(StoreError::file("list", &folder))?;
        let object = |entry: fs::DirEntry| {
            let path = entry.path();
            let modified = entry.metadata().and_then(|meta| meta.modified()).ok()?;
            path.extension().is_some_and(|ext| ext == "dcm").then(|| (path, Timestamp::from(modified)))
        };
        Ok(entries.flatten().filter_map(object).collect())
    }
}

/// None where the object went meanwhile. A note that a power cut took leaves the object without its reason.
fn describe(path: &Path, at: Timestamp) -> Option<Quarantined> {
    let bytes = fs::metadata(path).ok()?.len();
    let note = fs::read(path.with_extension("json")).ok();
    let note = note.and_then(|note| serde_json::from_slice::<Note>(&note).ok());
    let reason = note.map_or_else(|| "the note that says why was lost".to_owned(), |note| note.reason);
    let header = File::open(path).ok().and_then(|mut file| read_header(&mut file).ok().flatten());
    let name = path.file_name()?.to_str()?;
    let (sha256, object) = (name.strip_suffix(".dcm")?.to_owned(), ObjectName::quarantined(name));
    Some(Quarantined { sha256, reason, arrived_at: at, bytes, header, object })
}
