//! One volume and one region kept on the device, so that another threshold, a rendered view or a reformat of the same
//! study sends nothing.
//!
//! Both lie there in slabs: buffers of whole slices that every kernel can bind. Rows are padded to whole words of the
//! region (32 voxels), so a word of the region and its 32 voxels have the same number. What lies in the padding is
//! anything: a region never has bits there.

use std::collections::VecDeque;
use std::ops::Range;

use crate::engine::{Buffer, Engine, EngineError, Rows};
use crate::identity::Identity;
use crate::volume::Dimensions;
use crate::{Region, Volume};

/// Most bytes of a slab, where the device binds as many: one buffer for 512 x 512 x 512 voxels.
const SLAB_BYTES_MAX: u64 = 256 << 20;

/// Most bytes of a volume that stay. Of a larger one the slabs used last stay.
const KEPT_BYTES_MAX: u64 = 1 << 30;

/// How a volume is cut into slabs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    dimensions: Dimensions,
    /// Of every slab but perhaps the last.
    slices: u32,
}

impl Cut {
    pub(crate) fn new(dimensions: Dimensions, binding_limit_bytes: u64) -> Result<Self, EngineError> {
        let limit_bytes = binding_limit_bytes.min(SLAB_BYTES_MAX);
        let bytes = slice_bytes(dimensions);
        if bytes > limit_bytes {
            return Err(EngineError::TooLarge { buffer: "hounsfield", bytes, limit_bytes });
        }
        let slices = u32::try_from(limit_bytes / bytes).unwrap_or(u32::MAX).min(dimensions.slices);
        Ok(Self { dimensions, slices })
    }

    /// The slices of the slab that holds `slice`.
    pub(crate) fn slab_of(self, slice: u32) -> Range<u32> {
        let first = slice / self.slices * self.slices;
        first..(first + self.slices).min(self.dimensions.slices)
    }
}

/// On the device: padded rows of two bytes a voxel.
fn slice_bytes(dimensions: Dimensions) -> u64 {
    u64::from(dimensions.columns.next_multiple_of(32)) * u64::from(dimensions.rows) * 2
}

/// What is kept of a volume and of a region of these dimensions.
pub(crate) fn kept_bytes(dimensions: Dimensions) -> [u64; 2] {
    let volume = slice_bytes(dimensions) * u64::from(dimensions.slices);
    [volume, volume / 16].map(|bytes| bytes.min(KEPT_BYTES_MAX))
}

/// The slabs of one volume, or of one region.
#[derive(Debug)]
struct Kept {
    identity: Identity,
    /// By first slice, the one used last at the end.
    slabs: VecDeque<(u32, Buffer)>,
}

/// What stays on the device between two operations.
#[derive(Debug, Default)]
pub(crate) struct Resident {
    volume: Option<Kept>,
    region: Option<Kept>,
}

impl Resident {
    /// Gives all of it back.
    pub(crate) fn evict(&mut self) {
        *self = Self::default();
    }

    /// What is kept of a volume, and of a region.
    pub(crate) fn kept_bytes(&self) -> [u64; 2] {
        [&self.volume, &self.region].map(|kept| kept.as_ref().map_or(0, Kept::bytes))
    }

    /// Bytes that [`Resident::volume_slab`] may still take for all of the volume.
    pub(crate) fn missing_volume_bytes(&self, volume: &Volume) -> u64 {
        missing(self.volume.as_ref(), volume.identity(), kept_bytes(volume.dimensions())[0])
    }

    /// Bytes that [`Resident::region_slab`] may still take for all of the region.
    pub(crate) fn missing_region_bytes(&self, region: &Region) -> u64 {
        missing(self.region.as_ref(), region.identity(), kept_bytes(region.dimensions())[1])
    }

    /// Hounsfield units of a slab, two voxels a word, the earlier in the low half.
    pub(crate) fn volume_slab(
        &mut self,
        engine: &mut Engine,
        volume: &Volume,
        slices: &Range<u32>,
    ) -> Result<Buffer, EngineError> {
        let dimensions = volume.dimensions();
        let values = of_slices(volume.hounsfield(), dimensions.slice_len(), slices);
        let padded_row = dimensions.columns.next_multiple_of(32) as usize * 2;
        let rows = Rows::padded(values, dimensions.columns as usize, padded_row);
        slab(&mut self.volume, engine, ("hounsfield", volume.identity()), slices.start, rows)
    }

    /// Words of the region in a slab.
    pub(crate) fn region_slab(
        &mut self,
        engine: &mut Engine,
        region: &Region,
        slices: &Range<u32>,
    ) -> Result<Buffer, EngineError> {
        let slice_len = region.words_per_row() as usize * region.dimensions().rows as usize;
        let rows = Rows::dense(of_slices(region.words(), slice_len, slices));
        slab(&mut self.region, engine, ("region", region.identity()), slices.start, rows)
    }
}

fn of_slices<'a, T>(values: &'a [T], slice_len: usize, slices: &Range<u32>) -> &'a [T] {
    &values[slices.start as usize * slice_len..slices.end as usize * slice_len]
}

fn missing(kept: Option<&Kept>, identity: Identity, all: u64) -> u64 {
    let of_it = kept.filter(|kept| kept.identity == identity);
    all.saturating_sub(of_it.map_or(0, Kept::bytes))
}

/// The slab that begins at a slice: kept, or sent now.
fn slab(
    kept: &mut Option<Kept>,
    engine: &mut Engine,
    (label, identity): (&'static str, Identity),
    first_slice: u32,
    rows: Rows<'_>,
) -> Result<Buffer, EngineError> {
    let bytes = rows.device_bytes();
    // Of the one before, a slab of this size: giving 256 MiB back and taking them again takes 8.5 ms (H100), longer than
    // filling them.
    let mut spare = None;
    if kept.as_ref().is_none_or(|kept| kept.identity != identity) {
        let before = kept.take().into_iter().flat_map(|kept| kept.slabs);
        spare = before.map(|(_, buffer)| buffer).find(|buffer| buffer.bytes() == bytes);
    }
    let kept = kept.get_or_insert_with(|| Kept { identity, slabs: VecDeque::new() });
    if let Some(place) = kept.slabs.iter().position(|(first, _)| *first == first_slice) {
        let slab = kept.slabs.remove(place).expect("its place was just found");
        kept.slabs.push_back(slab.clone());
        return Ok(slab.1);
    }
    while !kept.slabs.is_empty() && kept.bytes() + bytes > KEPT_BYTES_MAX {
        kept.slabs.pop_front();
    }
    let buffer = match spare {
        Some(buffer) => buffer,
        None => engine.buffer(label, bytes)?,
    };
    engine.upload(&buffer, 0, rows)?;
    kept.slabs.push_back((first_slice, buffer.clone()));
    Ok(buffer)
}

impl Kept {
    fn bytes(&self) -> u64 {
        self.slabs.iter().map(|(_, buffer)| buffer.bytes()).sum()
    }
}
