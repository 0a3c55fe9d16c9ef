//! The GPU path: one program per turn over the resident volume, one record per component.
//!
//! ```text
//! volume, region --mask--> one bit a pixel --merge, flatten--> forest of pieces, only where bits are set
//!     --measure--> records --select--> components of at least so many pixels, and a count of the others
//! ```
//! The volume is read once; everything after it works on the bits, a sixteenth. There is room for far more pieces and
//! components than a chest has, not for the worst case: a turn that has more is done again in halves.

use std::ops::Range;

use super::{Component, Criteria, Found, Turn};
use crate::engine::{Binding, Buffer, Engine, EngineError, Program};
use crate::processor::Gpu;
use crate::resident::Cut;
use crate::volume::Dimensions;
use crate::{Region, Volume, table};

/// The uniform of every calcium kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct TurnUniform {
    pub(crate) words_per_row: u32,
    pub(crate) rows: u32,
    pub(crate) first_word: u32,
    pub(crate) words: u32,
    pub(crate) threshold_hu: i32,
    pub(crate) minimum_pixels: u32,
    pub(crate) node_capacity: u32,
    pub(crate) record_capacity: u32,
    pub(crate) lesion_capacity: u32,
}

/// How much there was, wanted or not.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::AnyBitPattern)]
pub(crate) struct Counts {
    pub(crate) nodes: u32,
    pub(crate) records: u32,
    pub(crate) lesions: u32,
    pub(crate) fragments: u32,
}

/// What the kernels say about a component.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::AnyBitPattern)]
pub(crate) struct Record {
    pub(crate) first: u32,
    pub(crate) pixels: u32,
    pub(crate) peak_over: u32,
    pub(crate) low_sum: u32,
    pub(crate) high_sum: u32,
}

const RECORD_BYTES: u64 = size_of::<Record>() as u64;
const COUNTS_BYTES: u64 = size_of::<Counts>() as u64;

/// Records that come back with the counts. More are rare (noise, a region of everything) and cost a second read.
const FIRST_LESIONS: u32 = 16_384;

/// Most room for pieces, components and lesions: 256, 100 and 5 MiB. A slice of 4096 x 4096 pixels has at most 2^23
/// pieces and 2^22 components and always fits. Lesions beyond their table are found among the components.
const NODES_MAX: u32 = 1 << 25;
const RECORDS_MAX: u32 = 5 << 20;
const LESIONS_MAX: u32 = 1 << 18;

/// Invocations of the passes over pieces and over records, each of which takes many: how many there are is known to the
/// device only. Enough to fill a large card twice; more than one a word of the mask would find nothing to walk.
const WALKERS_MAX: u32 = 1 << 18;

/// Buffers of a turn, kept for the next.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    words: u32,
    capacity: Capacity,
    mask: Buffer,
    first_nodes: Buffer,
    parents: Buffer,
    places: Buffer,
    records: Buffer,
    lesions: Buffer,
    counts: Buffer,
}

/// How much there is room for.
#[derive(Clone, Copy, Debug)]
struct Capacity {
    nodes: u32,
    records: u32,
    lesions: u32,
}

impl Capacity {
    /// A word holds at most 16 pieces, and each may be a component.
    fn of(words: u32) -> Self {
        let most = words.saturating_mul(16);
        Self { nodes: most.min(NODES_MAX), records: most.min(RECORDS_MAX), lesions: most.min(LESIONS_MAX) }
    }
}

/// Words of so many slices.
fn words(dimensions: Dimensions, slices: u32) -> u32 {
    dimensions.columns.div_ceil(32) * dimensions.rows * slices
}

impl Workspace {
    fn bytes(words: u32) -> u64 {
        let Capacity { nodes, records, lesions } = Capacity::of(words);
        u64::from(words) * 8
            + u64::from(nodes) * 8
            + (u64::from(records) + u64::from(lesions)) * RECORD_BYTES
            + COUNTS_BYTES
    }

    /// What is held.
    pub(crate) fn kept_bytes(&self) -> u64 {
        Self::bytes(self.words)
    }

    fn new(engine: &mut Engine, words: u32) -> Result<Self, EngineError> {
        let capacity = Capacity::of(words);
        Ok(Self {
            words,
            capacity,
            mask: engine.buffer("calcium mask", u64::from(words) * 4)?,
            first_nodes: engine.buffer("calcium first nodes", u64::from(words) * 4)?,
            parents: engine.buffer("calcium parents", u64::from(capacity.nodes) * 4)?,
            places: engine.buffer("calcium places", u64::from(capacity.nodes) * 4)?,
            records: engine.buffer("calcium records", u64::from(capacity.records) * RECORD_BYTES)?,
            lesions: engine.buffer("calcium lesions", u64::from(capacity.lesions) * RECORD_BYTES)?,
            counts: engine.buffer("calcium counts", COUNTS_BYTES)?,
        })
    }
}

/// Bytes that scoring takes at most, in turns of so many slices.
#[cfg(test)]
pub(crate) fn peak_bytes(dimensions: Dimensions, turn_slices: u32) -> u64 {
    let [volume, region] = crate::resident::kept_bytes(dimensions);
    volume + region + Workspace::bytes(words(dimensions, turn_slices)) + Engine::OWN_BYTES
}

/// Bytes of that beside what is kept of this volume and region already.
pub(crate) fn missing_bytes(gpu: &Gpu, volume: &Volume, region: &Region, turn_slices: u32) -> u64 {
    let words = words(volume.dimensions(), turn_slices);
    let kept = gpu.calcium.as_ref().is_some_and(|workspace| workspace.words >= words);
    gpu.resident.missing_volume_bytes(volume)
        + gpu.resident.missing_region_bytes(region)
        + if kept { 0 } else { Workspace::bytes(words) }
        + Engine::OWN_BYTES
}

/// States what the operation takes, and gives back what is kept of other work where that stands in its way.
pub(crate) fn reserve(
    gpu: &mut Gpu,
    volume: &Volume,
    region: &Region,
    turn_slices: u32,
) -> Result<(), EngineError> {
    if missing_bytes(gpu, volume, region, turn_slices) > gpu.engine.ledger().free_bytes() {
        gpu.evict();
    }
    let peak_bytes = missing_bytes(gpu, volume, region, turn_slices);
    gpu.engine.reserve("calcium scoring", peak_bytes)
}

/// Components of a turn, which lies within one slab.
pub(crate) fn components(gpu: &mut Gpu, turn: &Turn<'_>, criteria: Criteria) -> Result<Found, EngineError> {
    let Some(found) = attempt(gpu, turn, criteria)? else {
        let Range { start, end } = turn.slices;
        let middle = start + (end - start) / 2;
        if middle == start {
            return Err(EngineError::Nonsense("more components than a slice has pixels for"));
        }
        let mut found = components(gpu, &Turn { slices: start..middle, ..turn.clone() }, criteria)?;
        found.append(components(gpu, &Turn { slices: middle..end, ..turn.clone() }, criteria)?);
        return Ok(found);
    };
    Ok(found)
}

/// `None` when there is more than there is room for.
fn attempt(gpu: &mut Gpu, turn: &Turn<'_>, criteria: Criteria) -> Result<Option<Found>, EngineError> {
    let dimensions = turn.volume.dimensions();
    let slab = Cut::new(dimensions, gpu.engine.binding_limit_bytes())?.slab_of(turn.slices.start);
    assert!(turn.slices.end <= slab.end, "a turn lies within one slab");
    let hounsfield = gpu.resident.volume_slab(&mut gpu.engine, turn.volume, &slab)?;
    let region = gpu.resident.region_slab(&mut gpu.engine, turn.region, &slab)?;
    let turn_words = words(dimensions, turn.slices.end - turn.slices.start);
    let workspace = workspace(gpu, turn_words)?;
    let uniform = TurnUniform {
        words_per_row: dimensions.columns.div_ceil(32),
        rows: dimensions.rows,
        first_word: words(dimensions, turn.slices.start - slab.start),
        words: turn_words,
        threshold_hu: i32::from(criteria.threshold_hu),
        minimum_pixels: criteria.minimum_pixels,
        node_capacity: workspace.capacity.nodes,
        record_capacity: workspace.capacity.records,
        lesion_capacity: workspace.capacity.lesions,
    };
    let (counts, mut records) = run(gpu, &workspace, &uniform, &hounsfield, &region)?;
    if counts.nodes > workspace.capacity.nodes || counts.records > workspace.capacity.records {
        return Ok(None);
    }
    records.retain(|record| record.pixels >= criteria.minimum_pixels);
    if records.len() != counts.lesions as usize {
        return Err(EngineError::Nonsense("other lesions than were counted"));
    }
    let components = in_order(&records, turn, &uniform)?;
    Ok(Some(Found { components, fragments: counts.fragments }))
}

/// Components by slice, then by first pixel; records come in any order.
fn in_order(
    records: &[Record],
    turn: &Turn<'_>,
    uniform: &TurnUniform,
) -> Result<Vec<Component>, EngineError> {
    let words_of_slice = uniform.words_per_row * uniform.rows;
    let slices = (turn.slices.end - turn.slices.start) as usize;
    let slice_of = |record: &Record| (record.first / 32 / words_of_slice) as usize;
    let mut starts = vec![0_usize; slices + 1];
    for record in records {
        let slice = slice_of(record);
        if slice >= slices {
            return Err(EngineError::Nonsense("a lesion outside the turn"));
        }
        starts[slice + 1] += 1;
    }
    for slice in 0..slices {
        starts[slice + 1] += starts[slice];
    }
    let mut ordered = records.to_vec();
    let mut next = starts.clone();
    for record in records {
        let place = &mut next[slice_of(record)];
        ordered[*place] = *record;
        *place += 1;
    }
    for slice in starts.windows(2) {
        ordered[slice[0]..slice[1]].sort_unstable_by_key(|record| record.first);
    }
    Ok(ordered.iter().map(|record| component(record, turn, uniform)).collect())
}

fn workspace(gpu: &mut Gpu, words: u32) -> Result<Workspace, EngineError> {
    if let Some(workspace) = gpu.calcium.as_ref().filter(|workspace| workspace.words >= words) {
        return Ok(workspace.clone());
    }
    gpu.calcium = None;
    Ok(gpu.calcium.insert(Workspace::new(&mut gpu.engine, words)?).clone())
}

/// Counts, and the records of at least all lesions.
fn run(
    gpu: &mut Gpu,
    workspace: &Workspace,
    uniform: &TurnUniform,
    hounsfield: &Buffer,
    region: &Buffer,
) -> Result<(Counts, Vec<Record>), EngineError> {
    let [mask, first_nodes, parents] =
        [&workspace.mask, &workspace.first_nodes, &workspace.parents].map(Buffer::whole);
    let [places, records, counts] =
        [&workspace.places, &workspace.records, &workspace.counts].map(Buffer::whole);
    let (hounsfield, region) = (hounsfield.whole(), region.whole());
    let mut program = Program::default();
    let turn = program.uniform(uniform);
    program.clear(&workspace.counts);
    let pieces = [&turn, &hounsfield, &region, &mask, &first_nodes, &parents, &places, &counts];
    program.dispatch(&table::CALCIUM_MASK, pieces.map(Binding::clone), uniform.words);
    let walkers = WALKERS_MAX.min(uniform.words);
    let forest = [&turn, &mask, &first_nodes, &parents, &places, &counts];
    program.dispatch(&table::CALCIUM_MERGE, forest.map(Binding::clone), walkers);
    let roots = [&turn, &parents, &records, &counts];
    program.dispatch(&table::CALCIUM_FLATTEN, roots.map(Binding::clone), walkers);
    let sums = [&turn, &hounsfield, &mask, &parents, &places, &records, &counts];
    program.dispatch(&table::CALCIUM_MEASURE, sums.map(Binding::clone), walkers);
    let select = [turn, records, workspace.lesions.whole(), counts];
    program.dispatch(&table::CALCIUM_SELECT, select, walkers);
    let first_lesions = workspace.capacity.lesions.min(FIRST_LESIONS);
    let counts = program.read(&workspace.counts, 0, COUNTS_BYTES);
    let lesions = program.read(&workspace.lesions, 0, u64::from(first_lesions) * RECORD_BYTES);
    let outcome = gpu.run(&program)?;
    let counts: Counts = outcome.values(counts)[0];
    if counts.lesions <= first_lesions {
        return Ok((counts, outcome.values(lesions)[..counts.lesions as usize].to_vec()));
    }
    let (table, count) = if counts.lesions <= workspace.capacity.lesions {
        (&workspace.lesions, counts.lesions)
    } else {
        (&workspace.records, counts.records.min(workspace.capacity.records))
    };
    let mut program = Program::default();
    let all = program.read(table, 0, u64::from(count) * RECORD_BYTES);
    Ok((counts, gpu.run(&program)?.values(all).to_vec()))
}

fn component(record: &Record, turn: &Turn<'_>, uniform: &TurnUniform) -> Component {
    let row_of_turn = record.first / 32 / uniform.words_per_row;
    let peak_hu = i64::from(uniform.threshold_hu) + i64::from(record.peak_over);
    Component {
        slice: turn.slices.start + row_of_turn / uniform.rows,
        row: row_of_turn % uniform.rows,
        column: record.first % (uniform.words_per_row * 32),
        pixels: record.pixels,
        // A device that counts wrongly is found out when the lesion is outlined.
        peak_hu: i16::try_from(peak_hu).unwrap_or(i16::MAX),
        hounsfield_sum: i64::from(uniform.threshold_hu) * i64::from(record.pixels)
            + i64::from(record.low_sum)
            + i64::from(record.high_sum) * 256,
    }
}
