//! What both processors hand over: the connected components of each slice, as integers.

use std::ops::Range;

use crate::{Region, Volume};

/// Most pixels of a slice, 4096 x 4096. The kernels add up values of at most 8 bits in 32: 2^24 pixels times 255 is
/// still below 2^32.
pub(crate) const MAX_SLICE_VOXELS: usize = 1 << 24;

/// Which components are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Criteria {
    /// A pixel counts from this value on.
    pub(crate) threshold_hu: i16,
    /// A component counts from this number on; smaller ones are fragments.
    pub(crate) minimum_pixels: u32,
}

/// Neighbouring whole slices, the unit of work of a turn.
#[derive(Clone, Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) volume: &'a Volume,
    pub(crate) region: &'a Region,
    pub(crate) slices: Range<u32>,
}

/// 8-connected pixels of one slice inside the region and at or over the threshold.
///
/// Ordered by slice, then by first pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Component {
    pub(crate) slice: u32,
    /// Row of the first pixel: the one with the lowest row, then the lowest column.
    pub(crate) row: u32,
    pub(crate) column: u32,
    pub(crate) pixels: u32,
    pub(crate) peak_hu: i16,
    pub(crate) hounsfield_sum: i64,
}

/// The components of a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Ordered.
    pub(crate) components: Vec<Component>,
    pub(crate) fragments: u32,
}

impl Found {
    /// Those of later slices behind.
    pub(crate) fn append(&mut self, mut later: Self) {
        self.components.append(&mut later.components);
        self.fragments += later.fragments;
    }
}
