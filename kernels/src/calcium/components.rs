//! What both processors hand over: the connected components of each slice, as integers.

use crate::{Region, Volume};

/// Most pixels of a slice, 4096 x 4096. The kernels add up values of at most 8 bits in 32: 2^24 pixels times 255 is
/// still below 2^32.
pub(crate) const MAX_SLICE_VOXELS: usize = 1 << 24;

/// Neighbouring whole slices, the unit of work of a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slab<'a> {
    pub(crate) volume: &'a Volume,
    pub(crate) region: &'a Region,
    pub(crate) first_slice: u32,
    pub(crate) slices: u32,
}

impl<'a> Slab<'a> {
    /// Hounsfield units of the slab, slice by slice.
    pub(crate) fn hounsfield(&self) -> &'a [i16] {
        let len = self.volume.dimensions().slice_len();
        &self.volume.hounsfield()[self.first_slice as usize * len..][..self.slices as usize * len]
    }

    /// Region words of the slab, slice by slice.
    pub(crate) fn region_words(&self) -> &'a [u32] {
        let len = self.region.words_per_row() as usize * self.volume.dimensions().rows as usize;
        &self.region.words()[self.first_slice as usize * len..][..self.slices as usize * len]
    }
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
