//! Compiled kernels, kept in a file between two starts of the box: the first study after a restart does not wait for
//! the driver's compiler.
//!
//! A cache: whatever is wrong with the file, kernels are compiled again. The kernels themselves know whose it is
//! (adapter, driver, version) and whether it is whole.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sidelight_kernels::{PIPELINE_CACHE_BYTES_MAX, Processor};

/// Below the data directory.
const FILE: &str = "kernels/compiled";

/// The file, and how much of what there is to keep is in it.
#[derive(Debug)]
pub struct KeptKernels {
    file: PathBuf,
    kept: usize,
}

impl KeptKernels {
    pub fn of(data_dir: &Path) -> Self {
        Self { file: data_dir.join(FILE), kept: 0 }
    }

    /// What was kept; nothing where there is no file, it cannot be read, or it is too large to be one of ours.
    pub fn read(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let most = PIPELINE_CACHE_BYTES_MAX as u64 + 1;
        let read = std::fs::File::open(&self.file).and_then(|file| file.take(most).read_to_end(&mut bytes));
        match read {
            Ok(_) if bytes.len() <= PIPELINE_CACHE_BYTES_MAX => bytes,
            _ => Vec::new(),
        }
    }

    /// Writes what was compiled since the last time, if anything was.
    pub(super) fn keep(&mut self, processor: &Processor) {
        let compiled = processor.kernels_compiled();
        if compiled <= self.kept {
            return;
        }
        // Also where it fails: the next kernel is another chance, the next frame is none.
        self.kept = compiled;
        let Some(bytes) = processor.pipeline_cache() else { return };
        match self.replace(&bytes) {
            Ok(()) => tracing::debug!(compiled, bytes = bytes.len(), "compiled kernels kept"),
            Err(error) => {
                tracing::warn!(file = %self.file.display(), %error, "compiled kernels are not kept");
            }
        }
    }

    /// A reader sees the old file or the new one.
    fn replace(&self, bytes: &[u8]) -> std::io::Result<()> {
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let temporary = self.file.with_extension("part");
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use sidelight_kernels::Wish;

    use super::*;

    #[test]
    fn what_a_device_compiled_is_written_once_and_taken_up_by_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = KeptKernels::of(folder.path());
        assert_eq!(kept.read(), [] as [u8; 0]);
        let processor = Processor::open_with(Wish::Gpu, &kept.read()).expect("mesa-vulkan-drivers");
        kept.keep(&processor);
        let first = kept.read();
        assert!(!first.is_empty());
        let taken = |bytes: &[u8]| sidelight_kernels::survey(bytes).iter().any(|report| report.takes_saved);
        assert!(taken(&first) && !taken(&first[1..]) && !taken(&[]));

        std::fs::write(folder.path().join(FILE), b"rotten").unwrap();
        kept.keep(&processor);
        assert_eq!(kept.read(), b"rotten", "nothing new was compiled");
        let again = Processor::open_with(Wish::Gpu, &kept.read()).expect("bad bytes are ignored");
        KeptKernels::of(folder.path()).keep(&again);
        assert!(taken(&kept.read()));
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptKernels::of(folder.path());
        kept.replace(&vec![1; PIPELINE_CACHE_BYTES_MAX + 1]).unwrap();
        assert_eq!(kept.read(), [] as [u8; 0]);
    }
}
