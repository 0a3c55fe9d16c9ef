//! The GPU ends: voxels gathered into cells, and labels given to voxels, a turn at a time over the resident volume.

use std::ops::Range;

use super::cells::Layout;
use super::{Cells, LABELS, Reduction, State, Structures};
use crate::engine::{Buffer, Engine, EngineError, Program};
use crate::processor::Gpu;
use crate::resident::Cut;
use crate::{Dimensions, Volume, table};

/// The uniform of both kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct StructuresTurn {
    pub(crate) columns: u32,
    pub(crate) rows: u32,
    pub(crate) slices: u32,
    pub(crate) row_words: u32,
    pub(crate) first_slice: u32,
    pub(crate) before: u32,
    pub(crate) cell_columns: u32,
    pub(crate) cell_rows: u32,
    pub(crate) layers: u32,
    pub(crate) across: u32,
    pub(crate) down: u32,
    pub(crate) depth: u32,
}

/// A turn on the device.
struct Placed {
    uniform: StructuresTurn,
    hounsfield: Buffer,
    /// The cells of its layers.
    cells: Range<usize>,
}

/// Layers of cells that slices lie in.
fn layers(layout: &Layout, turn: &Range<u32>) -> Range<u32> {
    turn.start / layout.factor[2]..turn.end.div_ceil(layout.factor[2])
}

fn cells_of(layout: &Layout, turn: &Range<u32>) -> Range<usize> {
    let plane = layout.size[0] * layout.size[1];
    let layers = layers(layout, turn);
    layers.start as usize * plane..layers.end as usize * plane
}

/// On the device: padded rows of one byte a voxel.
fn labels_bytes(dimensions: Dimensions, turn: &Range<u32>) -> u64 {
    let row = u64::from(dimensions.columns.next_multiple_of(32));
    row * u64::from(dimensions.rows) * u64::from(turn.end - turn.start)
}

/// States what the operation takes, and gives back what is kept of other work where that stands in its way.
pub(crate) fn reserve(
    gpu: &mut Gpu,
    volume: &Volume,
    reduction: &Reduction,
    turns: &[Range<u32>],
) -> Result<(), EngineError> {
    let of_turn = |turn: &Range<u32>| {
        // What is read back is on the device twice.
        2 * labels_bytes(volume.dimensions(), turn) + 16 * cells_of(&reduction.layout, turn).len() as u64
    };
    let work = turns.iter().map(of_turn).max().unwrap_or(0) + Engine::OWN_BYTES;
    if gpu.resident.missing_volume_bytes(volume) + work > gpu.engine.ledger().free_bytes() {
        gpu.evict();
    }
    let peak_bytes = gpu.resident.missing_volume_bytes(volume) + work;
    gpu.engine.reserve("structures", peak_bytes)
}

fn placed(gpu: &mut Gpu, volume: &Volume, turn: &Range<u32>, layout: &Layout) -> Result<Placed, EngineError> {
    let dimensions = volume.dimensions();
    let slab = Cut::new(dimensions, gpu.engine.binding_limit_bytes())?.slab_of(turn.start);
    assert!(turn.end <= slab.end, "a turn lies within one slab");
    let hounsfield = gpu.resident.volume_slab(&mut gpu.engine, volume, &slab)?;
    let side = |cells: usize| u32::try_from(cells).expect("no more cells than voxels");
    let layers = layers(layout, turn);
    let [across, down, depth] = layout.factor;
    let uniform = StructuresTurn {
        columns: dimensions.columns,
        rows: dimensions.rows,
        slices: turn.end - turn.start,
        row_words: dimensions.columns.next_multiple_of(32) / 2,
        first_slice: turn.start - slab.start,
        before: turn.start - layers.start * depth,
        cell_columns: side(layout.size[0]),
        cell_rows: side(layout.size[1]),
        layers: layers.end - layers.start,
        across,
        down,
        depth,
    };
    Ok(Placed { uniform, hounsfield, cells: cells_of(layout, turn) })
}

/// Adds the voxels of a turn to the cells that they lie in.
pub(crate) fn reduce(
    gpu: &mut Gpu,
    volume: &Volume,
    turn: &Range<u32>,
    reduction: &mut Reduction,
) -> Result<(), EngineError> {
    let Placed { uniform, hounsfield, cells } = placed(gpu, volume, turn, &reduction.layout)?;
    let bytes = cells.len() as u64 * 4;
    let sums = gpu.engine.buffer("structures sums", bytes)?;
    let peaks = gpu.engine.buffer("structures peaks", bytes)?;
    let mut program = Program::default();
    let bound = program.uniform(&uniform);
    let invocations = u32::try_from(cells.len()).expect("fewer cells than voxels of a slab");
    let bindings = [bound, hounsfield.whole(), sums.whole(), peaks.whole()];
    program.dispatch(&table::STRUCTURES_REDUCE, bindings, invocations);
    let [sums, peaks] = [&sums, &peaks].map(|buffer| program.read(buffer, 0, bytes));
    let outcome = gpu.run(&program)?;
    let into = reduction.sums[cells.clone()].iter_mut().zip(&mut reduction.peaks[cells]);
    let from = outcome.values::<i32>(sums).iter().zip(outcome.values::<i32>(peaks));
    for ((sum, peak), (more, high)) in into.zip(from) {
        *sum += more;
        *peak =
            (*peak).max(i16::try_from(*high).map_err(|_| EngineError::Nonsense("a voxel beyond 16 bits"))?);
    }
    Ok(())
}

/// Appends the labels of a turn and counts them.
pub(crate) fn classify(
    gpu: &mut Gpu,
    volume: &Volume,
    turn: &Range<u32>,
    cells: &Cells,
    states: &[State],
    found: &mut Structures,
) -> Result<(), EngineError> {
    let Placed { uniform, hounsfield, cells } = placed(gpu, volume, turn, &cells.layout)?;
    let words: Vec<u32> = states[cells].iter().map(|state| u32::from(state.0)).collect();
    let bytes = labels_bytes(volume.dimensions(), turn);
    let sent = gpu.engine.buffer("structures states", size_of_val(&*words) as u64)?;
    gpu.engine.upload(&sent, 0, crate::engine::Rows::dense(&words))?;
    let labels = gpu.engine.buffer("structures labels", bytes)?;
    let counts = gpu.engine.buffer("structures counts", LABELS as u64 * 4)?;
    let mut program = Program::default();
    let bound = program.uniform(&uniform);
    program.clear(&counts);
    let bindings = [bound, hounsfield.whole(), sent.whole(), labels.whole(), counts.whole()];
    let invocations = u32::try_from(bytes / 4).expect("a slab has fewer than 2^32 voxels");
    program.dispatch(&table::STRUCTURES_CLASSIFY, bindings, invocations);
    let labels = program.read(&labels, 0, bytes);
    let counts = program.read(&counts, 0, LABELS as u64 * 4);
    let outcome = gpu.run(&program)?;
    let counts: &[u32] = outcome.values(counts);
    let voxels = u64::from(uniform.columns) * u64::from(uniform.rows) * u64::from(uniform.slices);
    if counts.iter().map(|count| u64::from(*count)).sum::<u64>() != voxels {
        return Err(EngineError::Nonsense("as many labels as voxels were not given"));
    }
    found.voxels.iter_mut().zip(counts).for_each(|(sum, count)| *sum += u64::from(*count));
    let padded = uniform.row_words as usize * 2;
    for row in outcome.values::<u8>(labels).chunks_exact(padded) {
        found.labels.extend_from_slice(&row[..uniform.columns as usize]);
    }
    Ok(())
}
