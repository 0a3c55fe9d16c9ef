//! The order of writes that survives a power cut: write, fsync, rename, fsync the folder.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::error::StoreError;

/// Makes a folder and its missing parents, each one's name durable in the folder above.
pub(super) fn create_folder(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_folder(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(StoreError::file("create folder", path)(error));
        }
        _ => {}
    }
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(StoreError::file("sync folder", path))
}

/// Moves a file to its name; the name is not durable yet.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(StoreError::file("rename to", to))
}

/// Moves a file whose bytes are durable to its name, and makes the name durable.
pub(super) fn place(from: &Path, to: &Path) -> Result<(), StoreError> {
    rename(from, to)?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// Writes a small document so that a reader sees the old one or the new one, never half of one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = path.with_extension("part");
    let mut file = File::create(&temporary).map_err(StoreError::file("create", &temporary))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(StoreError::file("write", &temporary))?;
    place(&temporary, path)
}

/// Does two things that both wait for the disk at once. A thread of its own for the first: the kernels' pool may be
/// busy for longer than a scanner waits.
pub fn side_by_side<A: Send, B>(first: impl FnOnce() -> A + Send, second: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        (first.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), second)
    })
}

/// One process at a time: sled and the journal have one writer.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    create_folder(folder)?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(StoreError::file("create", &path))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|error| StoreError::file("lock (does another box use this folder?)", &path)(error.into()))?;
    Ok(file)
}
