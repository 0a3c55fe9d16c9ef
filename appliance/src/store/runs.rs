//! What was computed, when, from what, with what: a line for every run of an analysis and for every time a reader
//! corrected what came of one. The room `records` reads them; so may people.
//!
//! ```text
//! data/studies/<study>/runs.jsonl            appended and fsynced, a JSON document a line
//! data/studies/<study>/runs-earlier.jsonl    what stood there before it was full
//! ```
//! A run stands here before its finding is written: a power cut in between leaves a run without a finding and, once the
//! study is looked at again, a second run. A correction stands here before it counts; one that a power cut took names a
//! revision, or a finding in the place of the first, that does not exist. Lines name the study by the box's pseudonym,
//! never the patient. They lie in the study's folder and go with its images; the index knows nothing of them, so losing
//! it loses none. A torn last line was never relied on and is cut off before the next one is written.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
#[cfg(test)]
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::assignments::Assignment;
use super::error::StoreError;
use super::finding::{FindingKind, FindingState};
use super::levels::LevelSaid;
use super::reviews::Verdict;
use super::{Store, durable, hex};
use crate::clock::Timestamp;
use crate::uid::StudyUid;

/// A thousand runs or several thousand corrections; there are two such files a study, then the oldest lines go.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// A run over the phases of a heart names some thirty answers of a network, 100 bytes each.
const LINE_BYTES_MAX: usize = 64 * 1024;
const CURRENT: &str = "runs.jsonl";
const EARLIER: &str = "runs-earlier.jsonl";

/// One run of one analysis on one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    pub id: String,
    /// The box's pseudonyms of study and series.
    pub study: String,
    pub series: String,
    pub analysis: FindingKind,
    /// RFC 3339, UTC.
    pub begun_at: String,
    /// The program, and its version: for kernels this names the arithmetic.
    pub program: String,
    pub version: String,
    /// Present where a network was asked.
    pub model: Option<RunModel>,
    /// What it ran on.
    pub processor: String,
    pub input: RunInput,
    /// What the program was told beside the images.
    #[schema(value_type = Object)]
    pub parameters: serde_json::Value,
    /// What the network said, piece by piece.
    pub answers: Vec<RunAnswer>,
    /// Its output: the finding, and what that was when it was written.
    pub finding: String,
    pub finding_state: FindingState,
    pub took_ms: u64,
    /// In order; from the first on they make up the whole time.
    pub stages: Vec<RunStage>,
}

/// The network of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunModel {
    pub name: String,
    pub version: String,
    /// SHA-256 of the network's file.
    pub sha256: String,
    /// SHA-256 of its model.toml: how images become input, how the answer is read.
    pub manifest_sha256: String,
}

/// What a run looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunInput {
    /// SHA-256 over voxels and geometry as the analysis saw them.
    pub sha256: String,
    /// In words: `512 x 512 x 64 voxels`.
    pub what: String,
}

/// One answer of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunAnswer {
    /// Of input, network, manifest and program: the same key, the same answer.
    pub key: String,
    /// It was kept from an earlier run; the network did not run.
    pub cached: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunStage {
    pub name: String,
    pub ms: u64,
}

/// What a reader changed of a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Correction {
    /// The run that the finding came of; absent where none is on record.
    pub run: Option<String>,
    pub finding: String,
    /// The finding in its place, where the change made one.
    pub becomes: Option<String>,
    /// Revision of the finding once this counts, where the change made one.
    pub revision: Option<u32>,
    pub reader: String,
    /// RFC 3339, UTC.
    pub at: String,
    pub what: Corrected,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Corrected {
    Verdict {
        verdict: Verdict,
    },
    Lesions {
        assignments: Vec<Assignment>,
    },
    Levels {
        levels: Vec<LevelSaid>,
    },
    /// The contours themselves lie beside the finding in the first one's place.
    Contours {
        /// Slice and phase of every image whose contours were drawn anew.
        images: Vec<[usize; 2]>,
        ed_phase: Option<usize>,
        es_phase: Option<usize>,
    },
    /// Back to what the box had found.
    ContoursReset,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Run(Box<Run>),
    Correction(Correction),
}

/// Everything on record of a study, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs {
    pub runs: Vec<Run>,
    pub corrections: Vec<Correction>,
}

impl Runs {
    /// The run that a finding came of: its own, or that of the finding whose place it took.
    fn run_of(&self, finding: &str) -> Option<String> {
        let own = self.runs.iter().rev().find(|run| run.finding == finding).map(|run| run.id.clone());
        let became = |one: &&Correction| one.becomes.as_deref() == Some(finding);
        own.or_else(|| self.corrections.iter().rev().find(became).and_then(|one| one.run.clone()))
    }
}

impl Store {
    /// Appends a run. Durable when it returns.
    pub fn record_run(&self, study: &StudyUid, run: &Run) -> Result<(), StoreError> {
        let mut line = line(&Line::Run(run.clone().into()))?;
        if line.len() > LINE_BYTES_MAX {
            // A region of very many corners: the finding has it whole.
            let sha256 = hex(&Sha256::digest(run.parameters.to_string()));
            let parameters = serde_json::json!({ "too_large": sha256 });
            line = self::line(&Line::Run(Run { parameters, ..run.clone() }.into()))?;
        }
        let _recording = self.recording();
        self.append_line(study, &line)
    }

    /// Appends what a reader is about to change. Durable when it returns.
    pub(super) fn record_correction(
        &self,
        study: &StudyUid,
        correction: Correction,
    ) -> Result<(), StoreError> {
        let _recording = self.recording();
        let run = self.read_runs(study)?.run_of(&correction.finding);
        let mut correction = Correction { run, ..correction };
        if let Corrected::Contours { images, .. } = &mut correction.what {
            // What does not fit lies in the finding's own contours.
            images.truncate(LINE_BYTES_MAX / 32);
        }
        self.append_line(study, &line(&Line::Correction(correction))?)
    }

    /// What is on record of a study.
    pub fn runs(&self, study: &StudyUid) -> Result<Runs, StoreError> {
        let _recording = self.recording();
        self.read_runs(study)
    }

    /// Takes away what is on record of a study whose images are gone, and the answers it names.
    pub(super) fn drop_runs(&self, study: &StudyUid) -> Result<(), StoreError> {
        let _recording = self.recording();
        for run in self.read_runs(study)?.runs {
            run.answers.iter().for_each(|answer| self.drop_answer(&answer.key));
        }
        for name in [CURRENT, EARLIER] {
            let path = self.study_folder(study).join(name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::file("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_runs(&self, study: &StudyUid) -> Result<Runs, StoreError> {
        let mut runs = Runs::default();
        for name in [EARLIER, CURRENT] {
            let path = self.study_folder(study).join(name);
            let bytes = match std::fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(StoreError::file("read", &path)(error)),
            };
            for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
                match serde_json::from_slice(line) {
                    Ok(Line::Run(run)) => runs.runs.push(*run),
                    Ok(Line::Correction(correction)) => runs.corrections.push(correction),
                    Err(error) => tracing::warn!(%error, "a line about a run does not read back"),
                }
            }
        }
        Ok(runs)
    }

    fn append_line(&self, study: &StudyUid, line: &[u8]) -> Result<(), StoreError> {
        if line.len() > LINE_BYTES_MAX {
            let (what, bytes, limit) = ("a line about a run", line.len(), LINE_BYTES_MAX);
            return Err(StoreError::TooLarge { what, bytes, limit });
        }
        let folder = self.study_folder(study);
        durable::create_folder(&folder)?;
        let path = folder.join(CURRENT);
        let (mut file, bytes) = open_whole(&path)?;
        if bytes > 0 && bytes + line.len() as u64 > FILE_BYTES_MAX {
            durable::place(&path, &folder.join(EARLIER))?;
            (file, _) = open_whole(&path)?;
        }
        file.write_all(line).and_then(|()| file.sync_data()).map_err(StoreError::file("append to", &path))?;
        if bytes == 0 || file.metadata().is_ok_and(|now| now.len() == line.len() as u64) {
            durable::sync_folder(&folder)?;
        }
        Ok(())
    }

    fn recording(&self) -> std::sync::MutexGuard<'_, ()> {
        self.inner.recording.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn correction(finding: &str, reader: &str, at: Timestamp, what: Corrected) -> Correction {
        Correction {
            run: None,
            finding: finding.to_owned(),
            becomes: None,
            revision: None,
            reader: reader.to_owned(),
            at: at.rfc3339(),
            what,
        }
    }

    #[cfg(test)]
    pub(super) fn runs_path(&self, study: &StudyUid) -> PathBuf {
        self.study_folder(study).join(CURRENT)
    }
}

fn line(line: &Line) -> Result<Vec<u8>, StoreError> {
    let mut bytes = serde_json::to_vec(line).map_err(|source| StoreError::Record { tree: "runs", source })?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Opens for appending behind the last whole line, and says where that is.
fn open_whole(path: &Path) -> Result<(File, u64), StoreError> {
    let file = OpenOptions::new().create(true).append(true).read(true).open(path);
    let mut file = file.map_err(StoreError::file("open", path))?;
    let whole = (|| {
        let length = file.metadata()?.len();
        let tail = length.min(LINE_BYTES_MAX as u64 + 1);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(length - tail))?;
        file.read_to_end(&mut bytes)?;
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end as u64 + 1);
        let whole = length - tail + end;
        if whole < length {
            file.set_len(whole)?;
            file.sync_all()?;
        }
        Ok(whole)
    })();
    Ok((file, whole.map_err(StoreError::file("read the end of", path))?))
}

#[cfg(test)]
#[path = "runs_tests.rs"]
mod tests;
