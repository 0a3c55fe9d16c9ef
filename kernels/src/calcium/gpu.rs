//! The GPU path: one program per slab, one record per component.

use super::{Component, Slab};
use crate::engine::{Engine, EngineError, Program};
use crate::table;
use crate::volume::Dimensions;

/// The uniform of every calcium kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct Grid {
    pub(crate) columns: u32,
    pub(crate) rows: u32,
    pub(crate) words_per_row: u32,
    pub(crate) words: u32,
    pub(crate) threshold_hu: i32,
}

/// What the kernels say about a component.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::AnyBitPattern)]
pub(crate) struct Record {
    pub(crate) root: u32,
    pub(crate) pixels: u32,
    pub(crate) peak_over: u32,
    pub(crate) low_sum: u32,
    pub(crate) high_sum: u32,
}

const RECORD_BYTES: u64 = size_of::<Record>() as u64;

/// Records that come back with the count. More are rare (noise, a region of everything) and cost a second read.
const FIRST_RECORDS: u64 = 4096;

/// Most slices of a slab whose every buffer fits into one binding; the forest, 4 bytes a pixel, is the largest.
pub(crate) fn slices_that_fit(dimensions: Dimensions, binding_limit_bytes: u64) -> u32 {
    let padded_row = u64::from(dimensions.columns.next_multiple_of(32));
    let slice_bytes = padded_row * u64::from(dimensions.rows) * 4;
    u32::try_from(binding_limit_bytes / slice_bytes.max(most_records(dimensions) * RECORD_BYTES))
        .unwrap_or(u32::MAX)
}

/// 8-connected components of a slice cannot be more than its 2 x 2 blocks.
fn most_records(dimensions: Dimensions) -> u64 {
    u64::from(dimensions.columns.div_ceil(2)) * u64::from(dimensions.rows.div_ceil(2))
}

/// Components of the slab, ordered.
pub(crate) fn components(
    engine: &mut Engine,
    slab: &Slab<'_>,
    threshold_hu: i16,
) -> Result<Vec<Component>, EngineError> {
    let grid = grid(slab, threshold_hu);
    let most_records = most_records(slab.volume.dimensions()) * u64::from(slab.slices);
    let first_records = most_records.min(FIRST_RECORDS);
    let mut program = Program::default();
    program.upload("slab", std::slice::from_ref(&grid));
    program.upload("hounsfield", slab.hounsfield());
    program.upload("region", slab.region_words());
    program.room("mask", u64::from(grid.words) * 4);
    program.room("parents", u64::from(grid.words) * 32 * 4);
    program.room("record_count", 4);
    program.room("records", most_records * RECORD_BYTES);
    program.clear("record_count");
    for kernel in table::KERNELS {
        program.dispatch(kernel, grid.words);
    }
    program.read("record_count", 0, 4);
    program.read("records", 0, first_records * RECORD_BYTES);
    let reads = engine.run(&program)?;
    let [count] = bytemuck::pod_collect_to_vec::<u8, u32>(&reads[0])[..] else {
        unreachable!("four bytes were read")
    };
    let mut records: Vec<Record> = records_from(&reads[1]);
    if u64::from(count) > first_records {
        let rest = u64::from(count).min(most_records) - first_records;
        let mut program = Program::default();
        program.room("records", most_records * RECORD_BYTES);
        program.read("records", first_records * RECORD_BYTES, rest * RECORD_BYTES);
        records.extend(records_from(&engine.run(&program)?[0]));
    }
    records.truncate(count as usize);
    records.sort_unstable_by_key(|record| record.root);
    if u64::from(count) > most_records || records.last().is_some_and(|last| last.root / 32 >= grid.words) {
        return Err(EngineError::Nonsense("a lesion outside the slab"));
    }
    Ok(records.iter().map(|record| component(record, slab, &grid)).collect())
}

fn grid(slab: &Slab<'_>, threshold_hu: i16) -> Grid {
    let dimensions = slab.volume.dimensions();
    let words_per_row = slab.region.words_per_row();
    Grid {
        columns: dimensions.columns,
        rows: dimensions.rows,
        words_per_row,
        words: words_per_row * dimensions.rows * slab.slices,
        threshold_hu: i32::from(threshold_hu),
    }
}

fn records_from(bytes: &[u8]) -> Vec<Record> {
    bytes.chunks_exact(size_of::<Record>()).map(bytemuck::pod_read_unaligned).collect()
}

fn component(record: &Record, slab: &Slab<'_>, grid: &Grid) -> Component {
    let row_of_slab = record.root / 32 / grid.words_per_row;
    let peak_hu = i64::from(grid.threshold_hu) + i64::from(record.peak_over);
    Component {
        slice: slab.first_slice + row_of_slab / grid.rows,
        row: row_of_slab % grid.rows,
        column: record.root % (grid.words_per_row * 32),
        pixels: record.pixels,
        // A device that counts wrongly is found out when the lesion is outlined.
        peak_hu: i16::try_from(peak_hu).unwrap_or(i16::MAX),
        hounsfield_sum: i64::from(grid.threshold_hu) * i64::from(record.pixels)
            + i64::from(record.low_sum)
            + i64::from(record.high_sum) * 256,
    }
}
