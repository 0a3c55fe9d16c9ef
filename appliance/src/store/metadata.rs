//! Metadata documents of instances, kept in one file per series beside the index, so that opening a series of a
//! thousand slices parses no object twice.
//!
//! ```text
//! data/metadata/<study>/<series>.lines      first line FORMAT, then: file name of the object, TAB, document
//! ```
//!
//! The store does not know what a document says; who asks brings the maker. A line is named by a file whose name
//! carries its hash, so it is never out of date. Everything here can be removed at any time and is made again; it is
//! not synced, a torn last line is cut off.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::PoisonError;

use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};

use super::error::StoreError;
use super::records::InstanceRecord;
use super::{Store, durable};
use crate::uid::{SeriesUid, StudyUid};

/// Changes when documents are made differently: older files are made again.
const FORMAT: &str = "sidelight-metadata 1";
/// Documents in memory at once while a file grows: some 10 kB each, 48 MiB at the very most each.
const MADE_AT_ONCE: usize = 32;
/// A file with this many lines more than the series has instances is made again.
const DEAD_LINES_MAX: usize = 1024;

/// Makes one document. It is one line: no line break in it.
pub type Maker<'a> = &'a (dyn Fn(&InstanceRecord) -> Vec<u8> + Sync);

/// Where documents lie: in the order of the instances asked for.
#[derive(Debug)]
pub struct MetadataFile {
    pub file: File,
    /// Offset and length of each.
    pub places: Vec<(u64, usize)>,
}

impl Store {
    /// Documents of these instances of one series; what is missing is made and kept.
    pub fn metadata(
        &self,
        study: &StudyUid,
        series: &SeriesUid,
        instances: &[InstanceRecord],
        make: Maker<'_>,
    ) -> Result<MetadataFile, StoreError> {
        let path = self.metadata_folder().join(study.as_str()).join(format!("{}.lines", series.as_str()));
        if let Some(folder) = path.parent() {
            durable::create_folder(folder)?;
        }
        // One file is made at a time: who asks for the same series twice waits and finds it whole.
        let _making = self.inner.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(StoreError::file("open", &path))?;
        let io = |error| StoreError::file("use", &path)(error);
        let (mut known, mut end) = read_places(&mut file).map_err(io)?;
        if end == 0 || known.len() > instances.len() + DEAD_LINES_MAX {
            file.set_len(0).map_err(io)?;
            file.rewind().map_err(io)?;
            writeln!(file, "{FORMAT}").map_err(io)?;
            (known, end) = (HashMap::new(), FORMAT.len() as u64 + 1);
        }
        let missing: Vec<&InstanceRecord> =
            instances.iter().filter(|record| !known.contains_key(&record.file_name())).collect();
        if !missing.is_empty() {
            append(&mut file, end, &missing, make, &mut known).map_err(io)?;
        }
        let places = instances.iter().filter_map(|record| known.get(&record.file_name()).copied()).collect();
        Ok(MetadataFile { file, places })
    }

    pub(super) fn metadata_folder(&self) -> PathBuf {
        self.inner.folder.join("metadata")
    }

    /// Removes what was kept of a study that is gone.
    pub(super) fn forget_metadata(&self, study: &str) -> Result<(), StoreError> {
        let path = self.metadata_folder().join(study);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::file("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }
}

type Places = HashMap<String, (u64, usize)>;

/// Places of all whole lines and where the last one ends; nothing of a file of another format.
fn read_places(file: &mut File) -> std::io::Result<(Places, u64)> {
    file.rewind()?;
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    let mut line = Vec::new();
    let first = reader.read_until(b'\n', &mut line)?;
    if line.strip_suffix(b"\n") != Some(FORMAT.as_bytes()) {
        return Ok((HashMap::new(), 0));
    }
    let (mut places, mut at) = (HashMap::new(), first as u64);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok((places, at));
        }
        if let Some(tab) = line.iter().position(|byte| *byte == b'\t') {
            let name = String::from_utf8_lossy(&line[..tab]).into_owned();
            places.insert(name, (at + tab as u64 + 1, read - tab - 2));
        }
        at += read as u64;
    }
}

fn append(
    file: &mut File,
    mut end: u64,
    missing: &[&InstanceRecord],
    make: Maker<'_>,
    known: &mut Places,
) -> std::io::Result<()> {
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    for group in missing.chunks(MADE_AT_ONCE) {
        let made: Vec<(String, Vec<u8>)> =
            group.par_iter().map(|record| (record.file_name(), make(record))).collect();
        for (name, document) in made {
            let line = [name.as_bytes(), b"\t", &document, b"\n"].concat();
            file.write_all(&line)?;
            let length = document.len();
            let at = end + name.len() as u64 + 1;
            end += line.len() as u64;
            known.insert(name, (at, length));
        }
    }
    Ok(())
}
