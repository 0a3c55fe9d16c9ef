//! The GPU path of the survey and of the maps.
//!
//! ```text
//! slab: frames of some slices (kept for the next analysis where the whole series fits) --turn by turn-->
//!   survey: baseline, peak, when
//!   frames: moved back, only the brain --smooth down, across--> planes --deconvolve, some voxels at a time--> maps
//! ```
//! A series that does not fit is sent slab by slab, each with a margin of slices as wide as the motion. Tissue and the
//! choice of vessels are the host's: they look at little.

pub(super) mod alignment;
mod deconvolution;
mod layout;

use std::ops::Range;

#[cfg(test)]
pub(crate) use alignment::{Halving, LevelUniform, Placed, Softening};
use deconvolution::{lanes, room_bytes};
#[cfg(test)]
pub(crate) use layout::{Deconvolution, SlabUniform};
pub(crate) use layout::{Line, Place};
use layout::{Plan as Layout, Turn};

use super::{Maps, PerfusionError, Series, Survey, Turn as Checkpoint, Work};
use crate::Processor;
use crate::cpu::perfusion::gaussian;
use crate::engine::{Buffer, Engine, EngineError, Program, Rows};
use crate::identity::Identity;
use crate::processor::Gpu;
use crate::table;

/// Lends the processor between two runs of one turn.
type Pause<'a> = &'a mut dyn FnMut(&mut Processor) -> Result<(), PerfusionError>;

/// The frames of a series that lies on the device whole.
#[derive(Debug)]
pub(crate) struct Kept {
    identity: Identity,
    hounsfield: Buffer,
}

impl Kept {
    pub(crate) fn bytes(&self) -> u64 {
        self.hounsfield.bytes()
    }
}

/// States what survey and maps take at most, and gives back what stands in the way.
pub(crate) fn reserve(gpu: &mut Gpu, series: &Series<'_>, layout: &Layout) -> Result<(), EngineError> {
    if gpu.perfusion.as_ref().is_some_and(|kept| kept.identity != series.dynamic.identity()) {
        gpu.perfusion = None;
    }
    let held = gpu.perfusion.as_ref().map_or(0, Kept::bytes);
    let peak_bytes = layout.peak_bytes(series) + Engine::OWN_BYTES - held;
    gpu.reserve("perfusion", peak_bytes)
}

/// How a series is worked on on this device; `most_voxels` makes turns smaller for tests.
pub(crate) fn layout(
    gpu: &Gpu,
    series: &Series<'_>,
    most_voxels: Option<usize>,
) -> Result<Layout, EngineError> {
    Layout::new(series, gpu.engine.binding_limit_bytes(), most_voxels)
}

pub(crate) fn survey(
    processor: &mut Processor,
    series: &Series<'_>,
    layout: &Layout,
    checkpoint: Checkpoint<'_>,
) -> Result<Survey, PerfusionError> {
    let room = || Vec::with_capacity(series.dimensions().len());
    let mut survey = Survey { baseline_hu: room(), peak_hu: room(), peak_sample: room() };
    for slab in layout.slabs() {
        let held = Held::new(processor.device()?, series, layout, &slab)?;
        for slices in layout.turns(&slab) {
            checkpoint(processor, slices.start as f32 / series.dimensions().slices as f32)?;
            held.survey(processor.device()?, series, layout, slices, &mut survey)?;
        }
    }
    Ok(survey)
}

pub(crate) fn maps(
    processor: &mut Processor,
    work: &Work<'_>,
    layout: &Layout,
    maps: &mut Maps,
    checkpoint: Checkpoint<'_>,
) -> Result<(), PerfusionError> {
    for slab in layout.slabs() {
        let held = Held::new(processor.device()?, work.series, layout, &slab)?;
        for slices in layout.turns(&slab) {
            let done = slices.start as f32 / work.series.dimensions().slices as f32;
            checkpoint(processor, done)?;
            held.maps(processor, work, layout, slices, maps, &mut |processor| checkpoint(processor, done))?;
        }
    }
    Ok(())
}

/// A slab on the device with what says how it is read.
struct Held {
    slab: Range<u32>,
    hounsfield: Buffer,
    frames: Buffer,
    places: Buffer,
}

impl Held {
    fn new(
        gpu: &mut Gpu,
        series: &Series<'_>,
        layout: &Layout,
        own: &Range<u32>,
    ) -> Result<Self, EngineError> {
        let slab = layout.with_margin(own);
        let counts: Vec<u32> = series.dynamic.slices()[slab.start as usize..slab.end as usize]
            .iter()
            .map(|slice| u32::try_from(slice.times_s.len()).expect("checked when the series was made"))
            .collect();
        let places: Vec<Place> = series.warps.iter().map(Place::new).collect();
        Ok(Self {
            hounsfield: hounsfield(gpu, series, layout, &slab)?,
            frames: sent(&mut gpu.engine, "perfusion frames", &counts)?,
            places: sent(&mut gpu.engine, "perfusion places", &places)?,
            slab,
        })
    }

    fn survey(
        &self,
        gpu: &mut Gpu,
        series: &Series<'_>,
        layout: &Layout,
        slices: Range<u32>,
        survey: &mut Survey,
    ) -> Result<(), EngineError> {
        let turn = Turn::new(series, &slices);
        let taps = sent(&mut gpu.engine, "perfusion taps", turn.taps(series))?;
        let out = gpu.engine.buffer("perfusion survey", turn.voxels * 12)?;
        let mut program = Program::default();
        let uniform = program.uniform(&layout.uniform(series, &self.slab, &slices));
        let [hounsfield, frames, places] = [&self.hounsfield, &self.frames, &self.places].map(Buffer::whole);
        program.dispatch(
            &table::PERFUSION_SURVEY,
            [uniform, hounsfield, frames, places, taps.whole(), out.whole()],
            turn.invocations(1),
        );
        let reads = [0, 1, 2].map(|part| program.read(&out, part * turn.voxels * 4, turn.voxels * 4));
        let outcome = gpu.run(&program)?;
        let maps = [&mut survey.baseline_hu, &mut survey.peak_hu, &mut survey.peak_sample];
        maps.into_iter().zip(reads).for_each(|(map, read)| map.extend_from_slice(outcome.values(read)));
        Ok(())
    }

    fn maps(
        &self,
        processor: &mut Processor,
        work: &Work<'_>,
        layout: &Layout,
        slices: Range<u32>,
        maps: &mut Maps,
        pause: Pause<'_>,
    ) -> Result<(), PerfusionError> {
        let turn = Turn::new(work.series, &slices);
        let voxels = turn.voxels_of(work.brain);
        if voxels.is_empty() {
            return Ok(());
        }
        let mut program = Program::default();
        let planes = self.planes(processor.device()?, &mut program, work, layout, &turn)?;
        let found = deconvolution::deconvolve(
            processor,
            &mut program,
            (work, layout),
            &turn,
            (&planes, &voxels),
            pause,
        )?;
        let reads = [0, 1, 2, 3]
            .map(|map| program.read(&found, map * voxels.len() as u64 * 4, voxels.len() as u64 * 4));
        let outcome = processor.device()?.run(&program)?;
        let [cbf, cbv, ttp, tmax] = reads.map(|read| outcome.values::<f32>(read));
        let first = slices.start as usize * work.series.dimensions().slice_len();
        for (number, &voxel) in voxels.iter().enumerate() {
            let at = first + voxel as usize;
            maps.cbf[at] = cbf[number];
            maps.cbv[at] = cbv[number];
            maps.mtt[at] = if cbf[number] > 0.0 { 60.0 * cbv[number] / cbf[number] } else { f32::NAN };
            maps.ttp[at] = ttp[number];
            maps.tmax[at] = tmax[number];
        }
        Ok(())
    }

    /// Records how the frames of the turn, and the brain behind them, become smoothed planes.
    fn planes(
        &self,
        gpu: &mut Gpu,
        program: &mut Program,
        work: &Work<'_>,
        layout: &Layout,
        turn: &Turn,
    ) -> Result<Buffer, EngineError> {
        let series = work.series;
        let brain = sent(&mut gpu.engine, "perfusion brain", turn.words(work.brain))?;
        let bytes = turn.plane_values(series) * 4;
        let sharp = gpu.engine.buffer("perfusion planes", bytes)?;
        let smoothed = gpu.engine.buffer("perfusion planes, smoothed", bytes)?;
        let uniform = program.uniform(&layout.uniform(series, &self.slab, &turn.slices));
        let [hounsfield, frames, places] = [&self.hounsfield, &self.frames, &self.places].map(Buffer::whole);
        let passes = u32::try_from(series.dynamic.passes()).expect("checked when the series was made");
        let count = turn.invocations(passes + 1);
        let bindings = [uniform, hounsfield, frames, places, brain.whole(), sharp.whole()];
        program.dispatch(&table::PERFUSION_FRAMES, bindings, count);
        let geometry = series.dynamic.geometry();
        let spacings = [(1, geometry.row_spacing_mm), (0, geometry.column_spacing_mm)];
        for ((down, spacing_mm), [from, to]) in
            spacings.into_iter().zip([[&sharp, &smoothed], [&smoothed, &sharp]])
        {
            let weights = gaussian(work.smoothing_mm / spacing_mm);
            let line = Line {
                columns: series.dimensions().columns,
                rows: series.dimensions().rows,
                values: count,
                down,
                reach: u32::try_from(weights.len() - 1).expect("a few voxels"),
            };
            let uniform = program.uniform(&line);
            let weights = sent(&mut gpu.engine, "perfusion weights", &weights)?;
            let bindings = [uniform, weights.whole(), from.whole(), to.whole()];
            program.dispatch(&table::PERFUSION_SMOOTH, bindings, count);
        }
        Ok(sharp)
    }
}

/// A buffer of these values.
fn sent<T: bytemuck::NoUninit>(
    engine: &mut Engine,
    label: &'static str,
    values: &[T],
) -> Result<Buffer, EngineError> {
    let buffer = engine.buffer(label, size_of_val(values) as u64)?;
    engine.upload(&buffer, 0, Rows::dense(values))?;
    Ok(buffer)
}

/// The frames of a slab: kept, or sent now.
fn hounsfield(
    gpu: &mut Gpu,
    series: &Series<'_>,
    layout: &Layout,
    slab: &Range<u32>,
) -> Result<Buffer, EngineError> {
    let whole = slab.len() == series.dimensions().slices as usize;
    let identity = series.dynamic.identity();
    if let Some(kept) = gpu.perfusion.as_ref().filter(|kept| whole && kept.identity == identity) {
        return Ok(kept.hounsfield.clone());
    }
    gpu.perfusion = None;
    let buffer = gpu.engine.buffer("perfusion series", layout.slice_bytes() * slab.len() as u64)?;
    for slice in slab.clone() {
        let values = &series.dynamic.slices()[slice as usize].hounsfield;
        gpu.engine.upload(
            &buffer,
            u64::from(slice - slab.start) * layout.slice_bytes(),
            Rows::dense(values),
        )?;
    }
    if whole {
        gpu.perfusion = Some(Kept { identity, hounsfield: buffer.clone() });
    }
    Ok(buffer)
}
