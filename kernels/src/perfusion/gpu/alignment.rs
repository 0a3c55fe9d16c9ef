//! Alignment on the device: all passes of a group step together, so that a step is one submission.
//!
//! ```text
//! coarse passes --soften--> finest level --halve--> 4 mm --halve--> 8 mm      (of every pass, they stay)
//! level, coarsest first: poses --align--> sums of each 1024 points, counted differences --host--> better poses
//! ```
//! The device adds 32-bit floats over 1024 points at most; the host adds those in 64 bits.

use std::ops::Range;

use super::sent;
use crate::Processor;
use crate::engine::{Buffer, Engine, EngineError, Program, Rows};
use crate::perfusion::coarse::{Coarse, CoarseGrid};
use crate::perfusion::motion::{
    BINS, Differences, Level, Levels, Pass, Point, STEPS, Search, Sums, voxels_from_mm,
};
use crate::perfusion::{PerfusionError, Turn};
use crate::processor::Gpu;
use crate::table;

/// Most bytes of the finest level of a group of passes; there are two of it while it is softened. What llvmpipe binds,
/// and work of some milliseconds for a GPU that shares the processor's memory.
const GROUP_BYTES_MAX: u64 = 128 << 20;

/// Points that one workgroup adds up.
const POINTS_A_GROUP: u32 = 1024;

/// What it adds up: the upper triangle of the normal matrix and the right side.
const SUMS: usize = 27;

/// One axis that is softened along.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct Softening {
    pub(crate) values: u32,
    pub(crate) stride: u32,
    pub(crate) count: u32,
}

/// One level that becomes the next.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct Halving {
    pub(crate) values: u32,
    pub(crate) columns: u32,
    pub(crate) rows: u32,
    pub(crate) slices: u32,
    pub(crate) from_columns: u32,
    pub(crate) from_rows: u32,
    pub(crate) from_slices: u32,
    pub(crate) across: u32,
    pub(crate) down: u32,
    pub(crate) deep: u32,
}

/// The level that points are read in.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct LevelUniform {
    pub(crate) columns: u32,
    pub(crate) rows: u32,
    pub(crate) slices: u32,
    pub(crate) points: u32,
    pub(crate) groups: u32,
}

/// Where a pass is thought to lie.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct Placed {
    pub(crate) x: [f32; 4],
    pub(crate) y: [f32; 4],
    pub(crate) z: [f32; 4],
    pub(crate) usual_hu: f32,
    pub(crate) pass_number: u32,
    padding: [u32; 2],
}

/// Every pass as it lies to the reference.
pub(crate) fn align(
    processor: &mut Processor,
    coarse: &Coarse,
    levels: &Levels,
    turn: Turn<'_>,
) -> Result<Vec<Pass>, PerfusionError> {
    let passes = coarse.passes.len();
    let most_voxels = processor.turn_voxels();
    let wanted = most_voxels.map_or(passes, |voxels| (voxels / coarse.grid.len()).clamp(1, passes));
    let gpu = processor.device()?;
    let length = group_length(gpu, coarse)?.min(wanted);
    gpu.reserve("perfusion alignment", peak_bytes(coarse, levels, length))?;
    let mut found = Vec::with_capacity(passes);
    while found.len() < passes {
        let group = found.len()..(found.len() + length).min(passes);
        let share = |part: f32| (group.start as f32 + part * group.len() as f32) / passes as f32;
        let mut turn = |processor: &mut Processor, part| turn(processor, share(part));
        found.extend(align_group(processor, coarse, levels, &group, &mut turn)?);
    }
    Ok(found)
}

fn align_group(
    processor: &mut Processor,
    coarse: &Coarse,
    levels: &Levels,
    group: &Range<usize>,
    turn: Turn<'_>,
) -> Result<Vec<Pass>, PerfusionError> {
    turn(processor, 0.0)?;
    let pyramid = pyramid(processor.device()?, coarse, levels, group)?;
    let mut searches = vec![Search::default(); group.len()];
    for (number, (level, values)) in levels.levels.iter().zip(&pyramid).enumerate() {
        searches.iter_mut().for_each(Search::enter_level);
        if level.points.is_empty() {
            let nothing = (Sums::default(), Differences::none());
            searches.iter_mut().for_each(|search| search.hear(levels, level, &nothing.0, &nothing.1));
            continue;
        }
        let points = sent(&mut processor.device()?.engine, "alignment points", &level.points)?;
        for _ in 0..STEPS {
            turn(processor, number as f32 / pyramid.len() as f32)?;
            let moving: Vec<usize> = (0..searches.len()).filter(|&pass| !searches[pass].arrived).collect();
            if moving.is_empty() {
                break;
            }
            step(processor.device()?, levels, level, [&points, values], &mut searches, &moving)?;
        }
    }
    Ok(searches.iter().map(Search::pass).collect())
}

/// Passes that step together.
fn group_length(gpu: &Gpu, coarse: &Coarse) -> Result<usize, EngineError> {
    let (bytes, limit_bytes) = (level_bytes(&coarse.grid), gpu.engine.binding_limit_bytes());
    if bytes > limit_bytes {
        return Err(EngineError::TooLarge { buffer: "coarse pass", bytes, limit_bytes });
    }
    Ok(usize::try_from(GROUP_BYTES_MAX.min(limit_bytes) / bytes).unwrap_or(usize::MAX).max(1))
}

fn level_bytes(grid: &CoarseGrid) -> u64 {
    grid.len() as u64 * 4
}

fn groups(level: &Level) -> u32 {
    small(level.points.len()).div_ceil(POINTS_A_GROUP)
}

/// What one pass has of a step, in words.
fn words(level: &Level) -> usize {
    groups(level) as usize * SUMS + BINS
}

/// Everything that is held at once.
fn peak_bytes(coarse: &Coarse, levels: &Levels, passes: usize) -> u64 {
    let finest = level_bytes(&coarse.grid) * passes as u64;
    // The finest level twice, and those behind it, which are smaller.
    let values: u64 =
        finest + levels.levels.iter().map(|level| level_bytes(&level.grid) * passes as u64).sum::<u64>();
    let most = |of: &dyn Fn(&Level) -> usize| levels.levels.iter().map(of).max().unwrap_or(0) as u64;
    let points = most(&|level| level.points.len() * size_of::<Point>());
    // What a step finds is on the device and on its way back.
    let found = most(&words) * 4 * passes as u64 * 2;
    values + points + found + (size_of::<Placed>() * passes) as u64 + Engine::OWN_BYTES
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a group of passes has fewer than 2^32 values")
}

/// The levels of some passes, coarsest first.
fn pyramid(
    gpu: &mut Gpu,
    coarse: &Coarse,
    levels: &Levels,
    group: &Range<usize>,
) -> Result<Vec<Buffer>, EngineError> {
    let passes = group.len();
    let bytes = level_bytes(&coarse.grid);
    let mut from = gpu.engine.buffer("coarse passes", bytes * passes as u64)?;
    let mut to = gpu.engine.buffer("coarse passes, softened", bytes * passes as u64)?;
    for (number, pass) in (0_u64..).zip(&coarse.passes[group.clone()]) {
        gpu.engine.upload(&from, number * bytes, Rows::dense(pass))?;
    }
    let mut program = Program::default();
    let [columns, rows, slices] = coarse.grid.size.map(small);
    let values = small(coarse.grid.len() * passes);
    let plane = columns * rows;
    for (stride, count) in [(1, columns), (1, columns), (columns, rows), (columns, rows), (plane, slices)] {
        let uniform = program.uniform(&Softening { values, stride, count });
        program.dispatch(&table::PERFUSION_SOFTEN, [uniform, from.whole(), to.whole()], values);
        std::mem::swap(&mut from, &mut to);
    }
    let mut found = vec![from];
    for pair in levels.levels.windows(2).rev() {
        let halved =
            gpu.engine.buffer("coarse passes, halved", level_bytes(&pair[0].grid) * passes as u64)?;
        let halving = Halving::new(&pair[1].grid, &pair[0].grid, passes);
        let uniform = program.uniform(&halving);
        let finer = found.last().expect("the finest is there").whole();
        program.dispatch(&table::PERFUSION_HALVE, [uniform, finer, halved.whole()], halving.values);
        found.push(halved);
    }
    gpu.run(&program)?;
    found.reverse();
    Ok(found)
}

impl Halving {
    fn new(from: &CoarseGrid, to: &CoarseGrid, passes: usize) -> Self {
        let [columns, rows, slices] = to.size.map(small);
        let [from_columns, from_rows, from_slices] = from.size.map(small);
        let [across, down, deep] = [0, 1, 2].map(|axis| small(from.size[axis] / to.size[axis].max(1)));
        let values = small(to.len() * passes);
        Self { values, columns, rows, slices, from_columns, from_rows, from_slices, across, down, deep }
    }
}

/// One step of every pass that still moves.
fn step(
    gpu: &mut Gpu,
    levels: &Levels,
    level: &Level,
    [points, values]: [&Buffer; 2],
    searches: &mut [Search],
    moving: &[usize],
) -> Result<(), EngineError> {
    let placed: Vec<Placed> = moving
        .iter()
        .map(|&pass| {
            let [x, y, z] = voxels_from_mm(&level.grid, &searches[pass].rigid);
            let (usual_hu, pass_number) = (searches[pass].usual_hu, small(pass));
            Placed { x, y, z, usual_hu, pass_number, padding: [0; 2] }
        })
        .collect();
    let groups = groups(level);
    let [columns, rows, slices] = level.grid.size.map(small);
    let places = sent(&mut gpu.engine, "alignment places", &placed)?;
    let of_pass = groups as usize * SUMS;
    let sums = gpu.engine.buffer("alignment sums", (moving.len() * of_pass * 4) as u64)?;
    let bins = gpu.engine.buffer("alignment differences", (moving.len() * BINS * 4) as u64)?;
    let mut program = Program::default();
    let uniform =
        program.uniform(&LevelUniform { columns, rows, slices, points: small(level.points.len()), groups });
    let [points, values, places] = [points, values, &places].map(Buffer::whole);
    let bindings = [uniform, points, places, values, sums.whole(), bins.whole()];
    let [width, ..] = table::PERFUSION_ALIGN.workgroup;
    program.dispatch_grid(&table::PERFUSION_ALIGN, bindings, [groups * width, small(moving.len()), 1]);
    let read_sums = program.read(&sums, 0, sums.bytes());
    let read_bins = program.read(&bins, 0, bins.bytes());
    let outcome = gpu.run(&program)?;
    let of_passes = outcome.values::<f32>(read_sums).chunks_exact(of_pass);
    let bins = outcome.values::<u32>(read_bins).chunks_exact(BINS);
    for ((&pass, bins), parts) in moving.iter().zip(bins).zip(of_passes) {
        searches[pass].hear(levels, level, &added(parts), &Differences::counted(bins));
    }
    Ok(())
}

/// Adds up what the workgroups found of one pass.
fn added(parts: &[f32]) -> Sums {
    let mut sums = Sums::default();
    for part in parts.chunks_exact(SUMS) {
        let all = sums.normal.iter_mut().chain(&mut sums.right);
        all.zip(part).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    sums
}
