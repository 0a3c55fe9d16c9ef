//! Structures as a finding has them, told apart by density and shape or by a network: volumes, and one label a voxel in a
//! file beside.
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
use super::cardiac::ModelUsed;
use super::error::StoreError;
use super::perfusion::FilePart;
use super::reviews::Verdict;
use crate::uid::StudyUid;

/// How the finding introduces its numbers.
pub const LABEL: &str = "structures by density and shape, automatic, unreviewed";

/// How a finding introduces what a network labelled; its statement follows.
pub const BY_NETWORK: &str = "structures by a network, automatic, unreviewed";

/// Colours by label of what density and shape tell apart; what only lies in the body has none.
const COLOURS: [Option<[u8; 3]>; 8] = [
    None,
    None,
    Some([88, 166, 255]),
    Some([120, 220, 232]),
    Some([255, 214, 102]),
    Some([240, 232, 205]),
    Some([232, 170, 60]),
    Some([214, 96, 96]),
];
/// Colours of a network's labels, in their order; told apart side by side, none of them the amber of lesions.
const OF_NETWORKS: [[u8; 3]; 10] = [
    [88, 166, 255],
    [240, 128, 128],
    [120, 210, 120],
    [198, 140, 240],
    [120, 220, 232],
    [244, 164, 96],
    [240, 150, 205],
    [190, 205, 90],
    [150, 160, 250],
    [205, 175, 150],
];

/// The colour of a label that density and shape gave.
pub fn colour(label: u8) -> Option<[u8; 3]> {
    COLOURS.get(usize::from(label)).copied().flatten()
}

/// The colour of a network's label, from 1; beyond the tenth they come again, darker.
pub fn network_colour(label: u8) -> [u8; 3] {
    let place = usize::from(label.max(1) - 1);
    let (of, darker) = (OF_NETWORKS[place % OF_NETWORKS.len()], place / OF_NETWORKS.len());
    // Of 255 labels the last are a third as bright as the first.
    of.map(|channel| u8::try_from(usize::from(channel) * 13 / (13 + darker)).unwrap_or(channel))
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
    /// The network that told them apart; absent where density and shape did.
    #[serde(default)]
    pub model: Option<ModelUsed>,
}

/// One structure. A voxel has one label; the body's own are what lies in its outline and is nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundStructure {
    /// What its voxels are called in the file: 1 body, 2 right lung, 3 left lung, 4 airway, 5 bone, 6 fat, 7 lean tissue; of
    /// a network its own classes.
    pub label: u8,
    pub name: String,
    /// Of the body everything in its outline.
    pub volume_ml: f64,
    pub voxels: u64,
    /// Red, green, blue wherever it is shown; absent where it never is.
    #[serde(default)]
    pub colour: Option<[u8; 3]>,
    /// What the network's manifest says it is.
    #[serde(default)]
    pub code: Option<SnomedCode>,
}

/// A SNOMED CT concept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnomedCode {
    pub identifier: String,
    pub meaning: String,
}

/// Labels on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct FiledLabels {
    pub file: FilePart,
    pub ends: Vec<u64>,
}

impl StructuresPart {
    /// How unreviewed labels are introduced. Wherever they go, what they rest on goes with them.
    pub fn label(&self) -> String {
        self.model.as_ref().map_or_else(|| LABEL.into(), |model| format!("{BY_NETWORK}; {}", model.statement))
    }

    /// The same, once a reader has said what they are worth.
    pub(super) fn reviewed_label(&self, verdict: Verdict) -> String {
        let word = match verdict {
            Verdict::Confirmed => "confirmed",
            Verdict::Rejected => "rejected",
        };
        match &self.model {
            None => format!("structures by density and shape, automatic, {word} by a reader"),
            Some(model) => {
                format!("structures by a network, automatic, {word} by a reader; {}", model.statement)
            }
        }
    }

    /// What it found in a few words.
    pub fn in_short(&self) -> String {
        if let Some(model) = &self.model {
            let largest = self.found.iter().max_by(|a, b| a.volume_ml.total_cmp(&b.volume_ml));
            let largest = largest.filter(|found| found.voxels > 0);
            let said = largest.map(|found| format!("{} {:.0} mL", found.name, found.volume_ml));
            return format!("{}: {}", model.name, said.as_deref().unwrap_or("nothing labelled"));
        }
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
        let part = StructuresPart {
            columns: 5,
            rows: 4,
            slices: 3,
            found: Vec::new(),
            labels: file,
            ends,
            model: None,
        };
        for slice in [2, 0, 1] {
            let from = slice as usize * 20;
            assert_eq!(store.slice_labels(&study(), "f1", &part, slice).unwrap(), labels[from..from + 20]);
        }
        assert!(store.slice_labels(&study(), "f1", &part, 3).is_err());
        let longer = StructuresPart { rows: 5, ..part };
        assert!(store.slice_labels(&study(), "f1", &longer, 0).is_err(), "a slice that is too short");
    }

    #[test]
    fn every_label_of_a_network_has_a_colour_and_neighbours_have_different_ones() {
        let all: Vec<[u8; 3]> = (1..=255).map(network_colour).collect();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(all.iter().all(|colour| *colour.iter().max().unwrap() > 60), "{all:?}");
        assert_eq!((colour(0), colour(1), colour(8)), (None, None, None));
    }
}
