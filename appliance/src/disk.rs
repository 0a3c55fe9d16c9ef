//! How much room the disk has, and how much more it may take: objects are refused before it is full, and taken again
//! when there is room, whichever way they come.
//!
//! The forecast counts what is free, less what objects that are arriving are expected to need still. It is asked when
//! an object begins and again with every piece of it, because nobody says how long an object will be.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What an object is expected to take before its sender has sent one: a CT slice with room to spare.
pub const EXPECTED_BYTES: u64 = 1 << 20;

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

/// One file system's room for objects; clones share it.
#[derive(Clone, Debug)]
pub struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    reserve_bytes: u64,
    /// Expected of objects that are arriving, and not written yet.
    arriving_bytes: AtomicU64,
    full: AtomicBool,
}

/// Room for one object that is arriving; given back when dropped.
#[derive(Debug)]
pub struct Claim {
    room: Room,
    outstanding_bytes: u64,
}

impl Room {
    /// `reserve_bytes` of the file system that holds `folder` stay free.
    pub fn new(folder: &Path, reserve_bytes: u64) -> Self {
        Self(Arc::new(Inner {
            folder: folder.to_owned(),
            reserve_bytes,
            arriving_bytes: AtomicU64::new(0),
            full: AtomicBool::new(false),
        }))
    }

    /// Room for an object of about this size, or none.
    pub fn claim(&self, expected_bytes: u64) -> Option<Claim> {
        let arriving = self.0.arriving_bytes.fetch_add(expected_bytes, Ordering::SeqCst) + expected_bytes;
        let claim = Claim { room: self.clone(), outstanding_bytes: expected_bytes };
        self.holds(arriving).then_some(claim)
    }

    /// Whether the reserve stays whole when `more_bytes` are written. A disk that cannot be measured is not full: the
    /// write itself will tell.
    fn holds(&self, more_bytes: u64) -> bool {
        let holds = space(&self.0.folder)
            .map_or(true, |space| space.free_bytes >= self.0.reserve_bytes.saturating_add(more_bytes));
        if self.0.full.swap(!holds, Ordering::Relaxed) == holds {
            if holds {
                tracing::info!("the disk has room again: objects are taken");
            } else {
                tracing::error!("the disk is nearly full: refusing objects; make room");
            }
        }
        holds
    }
}

impl Claim {
    /// `bytes` of the object are on the disk. False: no more of it may be written.
    pub fn wrote(&mut self, bytes: u64) -> bool {
        self.give_back(bytes);
        self.room.holds(self.room.0.arriving_bytes.load(Ordering::SeqCst))
    }

    fn give_back(&mut self, bytes: u64) {
        let bytes = bytes.min(self.outstanding_bytes);
        self.outstanding_bytes -= bytes;
        self.room.0.arriving_bytes.fetch_sub(bytes, Ordering::SeqCst);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.give_back(self.outstanding_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_counts_until_it_is_written_or_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let free = space(folder.path()).unwrap().free_bytes;
        // Half the free space is reserve, so that other programs' writes do not decide this test.
        let room = Room::new(folder.path(), free / 2);
        let mut first = room.claim(free / 3).expect("a third fits");
        assert!(room.claim(free / 3).is_none(), "two thirds and a half do not");
        assert_eq!(room.0.arriving_bytes.load(Ordering::SeqCst), free / 3, "a refused claim is given back");
        assert!(first.wrote(free / 3));
        assert!(first.wrote(1), "more than expected is no debt");
        assert_eq!(room.0.arriving_bytes.load(Ordering::SeqCst), 0);
        drop(room.claim(free / 3).expect("there is room again"));
        assert_eq!(room.0.arriving_bytes.load(Ordering::SeqCst), 0);
    }
}
