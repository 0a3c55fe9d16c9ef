//! How much room the disk has.

use std::path::Path;

#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// What an ordinary process may still write.
    pub free_bytes: u64,
    pub total_bytes: u64,
}

/// Room on the file system that holds `path`.
pub fn space(path: &Path) -> std::io::Result<Space> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(Space {
        free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
    })
}
