//! Python programs of the tests, run with packages that are pinned by hash and unpacked under `target/tools`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Run, StartError, run};

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ lies in the repository's root").to_path_buf()
}

/// Runs `tests/peers/<program>` with the packages of `tests/setup/<list>`.
pub fn python(list: &str, program: &str, arguments: &[&str]) -> Result<Run, StartError> {
    let mut unpack = Command::new(root().join("tests/setup/python.sh"));
    unpack.arg(format!("tests/setup/{list}")).current_dir(root());
    let unpacked = run(unpack, "python3-pip")?;
    if !unpacked.status.success() {
        let what = format!("the packages of {list} were not unpacked");
        return Err(StartError::Refused { what, evidence: unpacked.evidence() });
    }
    let mut command = Command::new("python3");
    // Only the pinned packages: what this machine has besides is not what was tested.
    command.env("PYTHONPATH", unpacked.stdout.trim()).env("PYTHONNOUSERSITE", "1");
    command.arg(root().join("tests/peers").join(program)).args(arguments);
    run(command, "python3")
}
