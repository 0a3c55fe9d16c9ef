//! Names for contents, so that what lies on a device already is not sent there again.

use std::sync::atomic::{AtomicU64, Ordering};

/// Unique in this process. Two values with the same identity hold the same voxels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64);

impl Identity {
    pub(crate) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
