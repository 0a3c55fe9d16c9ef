//! Programs that judge and read DICOM objects and know nothing of us: dciodvfy, highdicom, poppler.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::process::{Run, StartError, run};

/// dicom3tools' validator of information object definitions; it writes to standard error and always exits with 0 or 1.
pub fn dciodvfy(object: &Path) -> Result<Run, StartError> {
    let mut command = Command::new("dciodvfy");
    command.arg(object);
    run(command, "dicom3tools")
}

/// The lines of a validator's output that call something wrong.
pub fn errors(run: &Run) -> Vec<String> {
    run.text().lines().filter(|line| line.contains("Error")).map(str::to_owned).collect()
}

/// What highdicom and pydicom read in these objects (`tests/validators/read_results.py`), one entry each.
pub fn read_by_highdicom(repository: &Path, objects: &[PathBuf]) -> Result<Vec<Value>, StartError> {
    let mut command = Command::new(repository.join("tests/setup/dicom-readers.sh"));
    command.arg("tests/validators/read_results.py").args(objects).current_dir(repository);
    let run = run(command, "python3-pip")?.succeeded();
    let refused = |why: serde_json::Error| StartError::Refused {
        what: format!("not JSON: {why}"),
        evidence: run.evidence(),
    };
    serde_json::from_str(&run.stdout).map_err(refused)
}

/// The text of a PDF's pages.
pub fn pdftotext(document: &Path) -> Result<Run, StartError> {
    let mut command = Command::new("pdftotext");
    command.args(["-layout"]).arg(document).arg("-");
    run(command, "poppler-utils")
}
