//! Records how the curves of the listed voxels become residues and these four numbers.

use super::layout::{Deconvolution, Plan as Layout, Turn};
use super::{Pause, sent};
use crate::Processor;
use crate::engine::{Buffer, EngineError, Program};
use crate::perfusion::{PerfusionError, RichardsonLucy, Series, Work};
use crate::processor::Gpu;
use crate::table;

/// Voxels of a dispatch that adds components: enough to fill a large device, few enough for the second-level cache.
const LANES_MAX: u64 = 65_536;

/// Room of those voxels.
const ROOM_BYTES_MAX: u64 = 96 << 20;

/// Multiplications between two pauses of the multiplicative method: some milliseconds of a card, tens of a GPU that
/// shares the processor's memory.
const MULTIPLICATIONS_MAX: u64 = 1 << 33;

/// Curve, residue and second differences of one voxel.
pub(super) fn room_bytes(series: &Series<'_>) -> u64 {
    5 * 4 * series.axis.samples() as u64
}

/// Voxels of a dispatch that adds components.
pub(super) fn lanes(series: &Series<'_>) -> u64 {
    LANES_MAX.min(ROOM_BYTES_MAX / room_bytes(series))
}

/// What every deconvolution is given.
struct Listed<'a> {
    work: &'a Work<'a>,
    turn: &'a Turn,
    count: u32,
    /// Planes, voxels, taps and maps.
    buffers: [&'a Buffer; 4],
}

/// Records the deconvolution of the listed voxels. What takes long is run piece by piece, with a pause before the next;
/// the rest stays in `program`.
pub(super) fn deconvolve(
    processor: &mut Processor,
    program: &mut Program,
    (work, layout): (&Work<'_>, &Layout),
    turn: &Turn,
    (planes, voxels): (&Buffer, &[u32]),
    pause: Pause<'_>,
) -> Result<Buffer, PerfusionError> {
    let count = u32::try_from(voxels.len()).expect("fewer than the turn has");
    let made = |gpu: &mut Gpu| {
        let voxels = sent(&mut gpu.engine, "perfusion voxels", voxels)?;
        let taps = sent(&mut gpu.engine, "perfusion taps", turn.taps(work.series))?;
        let maps = gpu.engine.buffer("perfusion maps", u64::from(count) * 16)?;
        Ok::<_, EngineError>([voxels, taps, maps])
    };
    let [voxels, taps, maps] = made(processor.device()?)?;
    let listed = Listed { work, turn, count, buffers: [planes, &voxels, &taps, &maps] };
    match &work.plan.richardson_lucy {
        None => listed.add_components(processor.device()?, program)?,
        Some(method) => listed.multiply(processor, program, method, layout.most_voxels, pause)?,
    }
    Ok(maps)
}

impl Listed<'_> {
    /// As many voxels at a time as there is room for.
    fn add_components(&self, gpu: &mut Gpu, program: &mut Program) -> Result<(), EngineError> {
        let (series, plan) = (self.work.series, self.work.plan);
        let capacity = lanes(series).min(u64::from(self.count));
        let circle = sent(&mut gpu.engine, "perfusion circle", &plan.circle)?;
        let components = sent(&mut gpu.engine, "perfusion components", &plan.components)?;
        let room = gpu.engine.buffer("perfusion room", capacity * room_bytes(series))?;
        let capacity = u32::try_from(capacity).expect("at most the lanes of a dispatch");
        for first in (0..self.count).step_by(capacity as usize) {
            let count = capacity.min(self.count - first);
            let uniform = program.uniform(&self.uniform(count, first, capacity));
            let [planes, voxels, taps, maps] = self.buffers.map(Buffer::whole);
            let [circle, components, room] = [&circle, &components, &room].map(Buffer::whole);
            let bindings = [uniform, planes, voxels, taps, maps, circle, components, room];
            program.dispatch(&table::PERFUSION_DECONVOLVE, bindings, count);
        }
        Ok(())
    }

    /// A workgroup a voxel, as many voxels at a time as a turn shall last.
    fn multiply(
        &self,
        processor: &mut Processor,
        program: &mut Program,
        method: &RichardsonLucy,
        most_voxels: Option<usize>,
        pause: Pause<'_>,
    ) -> Result<(), PerfusionError> {
        let values = [&*method.artery, &*method.seen].concat();
        let values = sent(&mut processor.device()?.engine, "perfusion method", &values)?;
        let samples = method.artery.len() as u64;
        let of_voxel = 3 * samples * samples * u64::from(method.iterations);
        let most = u32::try_from(MULTIPLICATIONS_MAX / of_voxel).unwrap_or(u32::MAX).max(1);
        let [width, ..] = table::PERFUSION_RICHARDSON_LUCY.workgroup;
        let wanted = most_voxels.map_or(u32::MAX, |voxels| u32::try_from(voxels).unwrap_or(u32::MAX));
        // Rows of workgroups are counted in 32 bits.
        let most = most.min(u32::MAX / width).min(wanted.max(1));
        for first in (0..self.count).step_by(most as usize) {
            if first > 0 {
                processor.device()?.run(&std::mem::take(program))?;
                pause(processor)?;
            }
            let count = most.min(self.count - first);
            let uniform = program.uniform(&self.uniform(count, first, count));
            let [planes, voxels, taps, maps] = self.buffers.map(Buffer::whole);
            let bindings = [uniform, planes, voxels, taps, maps, values.whole()];
            program.dispatch(&table::PERFUSION_RICHARDSON_LUCY, bindings, count * width);
        }
        Ok(())
    }

    fn uniform(&self, count: u32, first: u32, capacity: u32) -> Deconvolution {
        Deconvolution::new(self.work, self.turn, [count, first, capacity, self.count])
    }
}
