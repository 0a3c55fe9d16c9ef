//! A folder of one test: removed when the test passed, kept and named when it failed.

use std::path::{Path, PathBuf};

/// Removed on drop unless the thread is panicking or [`Scratch::keep`] was called.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Scratch {
    /// A new folder `target/tmp/<purpose>-XXXXXX`, beside the programs under test and so on a real disk.
    pub fn new(purpose: &str) -> std::io::Result<Self> {
        let parent = profile_folder().parent().map_or_else(std::env::temp_dir, |target| target.join("tmp"));
        std::fs::create_dir_all(&parent)?;
        let folder = tempfile::Builder::new().prefix(&format!("{purpose}-")).tempdir_in(parent)?;
        Ok(Self { path: folder.keep(), keep: false })
    }

    /// A folder that outlives the handle, emptied first.
    pub fn at(path: &Path) -> std::io::Result<Self> {
        if path.exists() {
            std::fs::remove_dir_all(path)?;
        }
        std::fs::create_dir_all(path)?;
        Ok(Self { path: path.into(), keep: true })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the folder where it is when the handle goes.
    pub fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Scratch {
    #[expect(clippy::print_stderr, reason = "tells where the evidence of a failed test lies")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept for a look: {}", self.path.display());
        } else if !self.keep {
            // A folder that cannot be removed is litter, not a reason to fail a test that passed.
            let _litter = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// The folder with this profile's programs: that of the running test or demo.
pub fn profile_folder() -> PathBuf {
    let executable = std::env::current_exe().expect("a running program has a path");
    let folder = executable.parent().expect("a program lies in a folder");
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    folder.to_path_buf()
}

/// A program of this workspace, built beside the running one.
pub fn sibling_program(name: &str) -> Result<PathBuf, MissingProgram> {
    let path = profile_folder().join(name);
    if path.is_file() { Ok(path) } else { Err(MissingProgram { path }) }
}

/// `cargo test` does not build the programs of other packages; `make test` does so just before.
#[derive(Debug, thiserror::Error)]
#[error("{} is missing: run `cargo build --workspace --bins` first (`make test` does)", path.display())]
pub struct MissingProgram {
    path: PathBuf,
}
