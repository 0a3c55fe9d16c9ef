//! Structures on CT as a finding has them: volumes, and one label a voxel in a file beside.
//!
//! The file holds every slice compressed by itself (zlib, RFC 1950), one after the other, so that a viewer reads one
//! slice of hundreds; where each ends stands in the document.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rayon::prelude::{ParallelIterator, ParallelSlice};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Store;
use super::error::StoreError;
use super::perfusion::FilePart;
use super::reviews::Verdict;
use crate::uid::StudyUid;

/// How the finding introduces its numbers.
pub const LABEL: &str = "structures by density and shape, automatic, unreviewed";

/// The same, once a reader has said what they are worth.
pub(super) fn reviewed_label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Confirmed => "structures by density and shape, automatic, confirmed by a reader",
        Verdict::Rejected => "structures by density and shape, automatic, rejected by a reader",
    }
}

/// How a part of a finding that holds labels is called.
const PART: &str = "structures";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StructuresPart {
    pub columns: u32,
    pub rows: u32,
    pub slices: u32,
    /// In the order of their labels.
    pub found: Vec<FoundStructure>,
    pub labels: FilePart,
    /// Where each slice ends in the file.
    pub ends: Vec<u64>,
}

/// One structure. A voxel has one label; the body's own are what lies in its outline and is nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundStructure {
    /// What its voxels are called in the file: 1 body, 2 right lung, 3 left lung, 4 airway, 5 bone, 6 fat, 7 lean tissue.
    pub label: u8,
    pub name: String,
    /// Of the body everything in its outline.
    pub volume_ml: f64,
    pub voxels: u64,
}

/// Labels on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct FiledLabels {
    pub file: FilePart,
    pub ends: Vec<u64>,
}

impl StructuresPart {
    /// What it found in a few words.
    pub fn in_short(&self) -> String {
        let lungs: f64 = [2, 3].iter().filter_map(|label| self.of(*label)).map(|found| found.volume_ml).sum();
        if lungs > 0.0 { format!("Structures: lungs {lungs:.0} mL") } else { "Structures, no lungs".into() }
    }

    pub fn of(&self, label: u8) -> Option<&FoundStructure> {
        self.found.iter().find(|found| found.label == label)
    }
}

impl Store {
    /// Files labels beside a finding that is about to be recorded.
    pub fn file_labels(
        &self,
        study: &StudyUid,
        id: &str,
        labels: &[u8],
        slice_len: usize,
    ) -> Result<FiledLabels, StoreError> {
        let slices: Vec<Vec<u8>> = labels.par_chunks(slice_len.max(1)).map(deflated).collect();
        let ends = slices.iter().scan(0, |end, slice| {
            *end += slice.len() as u64;
            Some(*end)
        });
        let ends = ends.collect();
        Ok(FiledLabels { file: self.file_part(study, id, PART, &slices.concat())?, ends })
    }

    /// Labels of one slice, row by row.
    pub fn slice_labels(
        &self,
        study: &StudyUid,
        id: &str,
        part: &StructuresPart,
        slice: u32,
    ) -> Result<Vec<u8>, StoreError> {
        let index = slice as usize;
        let end = *part.ends.get(index).ok_or(StoreError::Unknown("slice"))?;
        let from = index.checked_sub(1).map_or(0, |before| part.ends[before]);
        let count = usize::try_from(end.saturating_sub(from)).map_err(|_| StoreError::Unknown("slice"))?;
        let packed = self.read_part(study, id, &part.labels, from, count)?;
        let length = part.columns as usize * part.rows as usize;
        let mut labels = Vec::with_capacity(length);
        // Never more than a slice, whatever the file claims.
        let read = ZlibDecoder::new(packed.as_slice()).take(length as u64).read_to_end(&mut labels);
        match read {
            Ok(read) if read == length => Ok(labels),
            _ => Err(StoreError::Unknown("slice; its labels do not read back")),
        }
    }
}

fn deflated(slice: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(slice).expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{open, study};
    use super::*;

    #[test]
    fn every_slice_reads_back_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(folder.path());
        let labels: Vec<u8> = (0..3 * 20_u8).map(|at| at / 7).collect();
        let FiledLabels { file, ends } = store.file_labels(&study(), "f1", &labels, 20).unwrap();
        let part = StructuresPart { columns: 5, rows: 4, slices: 3, found: Vec::new(), labels: file, ends };
        for slice in [2, 0, 1] {
            let from = slice as usize * 20;
            assert_eq!(store.slice_labels(&study(), "f1", &part, slice).unwrap(), labels[from..from + 20]);
        }
        assert!(store.slice_labels(&study(), "f1", &part, 3).is_err());
        let longer = StructuresPart { rows: 5, ..part };
        assert!(store.slice_labels(&study(), "f1", &longer, 0).is_err(), "a slice that is too short");
    }
}
