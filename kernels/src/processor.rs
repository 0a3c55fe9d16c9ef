//! Where kernels run: a GPU that passed the boot probe, or the CPU twin with the reason why.

mod lending;
mod recovery;

use std::ops::{ControlFlow, Range};

use crate::engine::{self, Adapter, AdapterKind, DeviceTime, Engine, EngineError, Outcome, Program};
use crate::resident::{Cut, Resident};
use crate::{Dimensions, calcium, perfusion, probe, rendering, vulkan};

/// Where the caller wants kernels to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A hardware GPU that passes the boot probe, else the twin with the reason.
    Auto,
    /// A GPU, software Vulkan included, or an error.
    Gpu,
    /// The CPU twin.
    Twin,
}

/// Called between two turns of a job with the fraction done (0 to 1): somebody else may use the processor there, and
/// `Break` ends the job.
pub type Checkpoint<'a> = &'a mut dyn FnMut(&mut Processor, f32) -> ControlFlow<()>;

/// Where kernels do run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessorKind {
    Gpu,
    Twin,
}

/// Why kernels do not run.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProcessorError {
    #[error("no Vulkan device is of use: {0}; software Vulkan is in the package mesa-vulkan-drivers")]
    NoGpu(String),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Owned by one thread; every kernel call borrows it alone.
#[derive(Debug)]
pub struct Processor {
    wish: Wish,
    place: Owned,
    name: String,
    reason: String,
    degraded: Option<String>,
    /// How often another device, or the twin, came in the place of a lost one.
    replaced: u64,
    /// Why a job was the twin's although there is a device, until somebody asks.
    passed_over: Option<String>,
    turn_voxels: Option<usize>,
    /// Threads of the twin while a device is open: made when a job first needs them.
    spare: Option<rayon::ThreadPool>,
}

/// It may be opened on one thread and used on another.
const _: () = {
    const fn sendable<T: Send>() {}
    sendable::<Processor>();
};

#[derive(Debug)]
enum Owned {
    Gpu(Box<Gpu>),
    Twin(rayon::ThreadPool),
}

/// Where an operation does its work.
#[derive(Debug)]
pub(crate) enum Place<'p> {
    Gpu(&'p mut Gpu),
    Twin(&'p rayon::ThreadPool),
}

/// A device and what operations leave on it for the next.
#[derive(Debug)]
pub(crate) struct Gpu {
    pub(crate) engine: Engine,
    pub(crate) resident: Resident,
    pub(crate) calcium: Option<calcium::gpu::Workspace>,
    pub(crate) perfusion: Option<perfusion::gpu::Kept>,
    pub(crate) rendering: rendering::gpu::Kept,
    turn_voxels: usize,
    device_time: Option<DeviceTime>,
}

/// Voxels of a turn on the twin and on software Vulkan: 16 slices of 512 x 512. Measured: 27 ms on software Vulkan with
/// two cores, 5 ms on the twin with two threads.
const SMALL_TURN_VOXELS: usize = 16 * 512 * 512;
/// On a GPU that shares the processor's memory.
const MIDDLE_TURN_VOXELS: usize = 128 * 512 * 512;
/// On a card, where the way there and back costs as much as the work: 512 x 512 x 512 in one turn.
const LARGE_TURN_VOXELS: usize = 512 * 512 * 512;

impl Gpu {
    fn open(adapter: &Adapter, saved: &[u8]) -> Result<Self, EngineError> {
        let turn_voxels = match adapter.kind {
            AdapterKind::Discrete => LARGE_TURN_VOXELS,
            AdapterKind::Integrated | AdapterKind::Other => MIDDLE_TURN_VOXELS,
            AdapterKind::Software => SMALL_TURN_VOXELS,
        };
        let engine = Engine::open(adapter, saved)?;
        let rendering = rendering::gpu::Kept::default();
        Ok(Self {
            engine,
            resident: Resident::default(),
            calcium: None,
            perfusion: None,
            rendering,
            turn_voxels,
            device_time: None,
        })
    }

    /// Gives back everything that is kept for the next operation.
    pub(crate) fn evict(&mut self) {
        self.resident.evict();
        self.calcium = None;
        self.perfusion = None;
        self.rendering = rendering::gpu::Kept::default();
    }

    /// States an operation's peak; what is kept for other operations goes where that stands in its way.
    pub(crate) fn reserve(&mut self, operation: &'static str, peak_bytes: u64) -> Result<(), EngineError> {
        if peak_bytes > self.engine.ledger().free_bytes() {
            self.evict();
        }
        self.engine.reserve(operation, peak_bytes)
    }

    /// Runs a program and adds up the device's time.
    pub(crate) fn run(&mut self, program: &Program) -> Result<Outcome, EngineError> {
        let outcome = self.engine.run(program)?;
        if let Some(time) = &outcome.device_time {
            self.device_time.get_or_insert_default().add(time);
        }
        Ok(outcome)
    }
}

/// Device memory as our own books have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMemory {
    pub current_bytes: u64,
    /// The most at once since the last operation began.
    pub peak_bytes: u64,
    pub budget_bytes: u64,
}

impl Processor {
    /// Opens what was wished for. `Auto` never fails: what is wrong with the GPU becomes the reason for the twin.
    pub fn open(wish: Wish) -> Result<Self, ProcessorError> {
        Self::open_with(wish, &[])
    }

    /// Likewise, sooner where `saved` is what [`Processor::pipeline_cache`] handed out on the same device and driver;
    /// anything else is ignored.
    pub fn open_with(wish: Wish, saved: &[u8]) -> Result<Self, ProcessorError> {
        match wish {
            Wish::Twin => Ok(Self::twin(wish, "the CPU twin was asked for".to_owned())),
            Wish::Gpu => Self::gpu(wish, saved).map_err(ProcessorError::NoGpu),
            Wish::Auto => Ok(Self::gpu(wish, saved)
                .unwrap_or_else(|why| Self::twin(wish, format!("no hardware GPU is of use: {why}")))),
        }
    }

    /// What the driver compiled so far, for [`Processor::open_with`]: at most 16 MiB, with a header of our own. `None` on
    /// the twin and where the driver does not hand it out.
    pub fn pipeline_cache(&self) -> Option<Vec<u8>> {
        let Owned::Gpu(gpu) = &self.place else { return None };
        gpu.engine.saved_pipelines()
    }

    /// Kernels compiled since the device was opened: more of them, and there is more to keep.
    pub fn kernels_compiled(&self) -> usize {
        let Owned::Gpu(gpu) = &self.place else { return 0 };
        gpu.engine.pipelines_made()
    }

    /// A processor whose turns are of so many voxels (never less than a slice). For tests of the bounds of turns.
    #[must_use]
    pub fn with_turn_voxels(self, turn_voxels: usize) -> Self {
        Self { turn_voxels: Some(turn_voxels), ..self }
    }

    /// The first adapter that opens and passes the probe, or a sentence on why none does.
    fn gpu(wish: Wish, saved: &[u8]) -> Result<Self, String> {
        let mut adapters = engine::adapters();
        if wish == Wish::Auto {
            adapters.retain(|adapter| adapter.kind != AdapterKind::Software);
        }
        if adapters.is_empty() {
            return Err("none was found".to_owned());
        }
        let mut passed_over = Vec::new();
        for adapter in adapters {
            match probed(&adapter, saved) {
                Ok(gpu) => {
                    let kind = adapter.kind.words();
                    let mut reason = format!("best Vulkan device ({kind}), boot probe passed");
                    if !passed_over.is_empty() {
                        reason = format!("{reason}; passed over: {}", passed_over.join("; "));
                    }
                    let name = format!("{} (driver {})", adapter.name, adapter.driver);
                    let place = Owned::Gpu(Box::new(gpu));
                    return Ok(Self::new(wish, place, name, reason));
                }
                Err(why) => passed_over.push(format!("{}: {why}", adapter.name)),
            }
        }
        Err(passed_over.join("; "))
    }

    fn twin(wish: Wish, reason: String) -> Self {
        let pool = pool();
        let name = format!("CPU twin, {} threads", pool.current_num_threads());
        Self::new(wish, Owned::Twin(pool), name, reason)
    }

    fn new(wish: Wish, place: Owned, name: String, reason: String) -> Self {
        Self {
            wish,
            place,
            name,
            reason,
            degraded: None,
            replaced: 0,
            passed_over: None,
            turn_voxels: None,
            spare: None,
        }
    }

    pub fn kind(&self) -> ProcessorKind {
        match self.place {
            Owned::Gpu(_) => ProcessorKind::Gpu,
            Owned::Twin(_) => ProcessorKind::Twin,
        }
    }

    /// Device and driver, or the twin and its threads.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why this one, in a sentence.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What happened to the GPU since the processor was opened, in a sentence; `None` when nothing did.
    pub fn degraded(&self) -> Option<&str> {
        self.degraded.as_deref()
    }

    /// Why a job since this was last asked ran on the twin although a GPU is open, in a sentence; `None` when none did.
    pub fn take_passed_over(&mut self) -> Option<String> {
        self.passed_over.take()
    }

    /// `None` on the twin.
    pub fn device_memory(&self) -> Option<DeviceMemory> {
        let Owned::Gpu(gpu) = &self.place else { return None };
        let ledger = gpu.engine.ledger();
        let current_bytes = ledger.current_bytes();
        let budget_bytes = current_bytes + ledger.free_bytes();
        Some(DeviceMemory { current_bytes, peak_bytes: ledger.peak_bytes(), budget_bytes })
    }

    /// What programs took on the device since this was last asked, by its own clock; `None` on the twin and where the
    /// device has no clock. Uploads are not in it.
    pub fn take_device_time(&mut self) -> Option<DeviceTime> {
        let Owned::Gpu(gpu) = &mut self.place else { return None };
        gpu.device_time.take()
    }

    pub(crate) fn place(&mut self) -> Place<'_> {
        match &mut self.place {
            Owned::Gpu(gpu) => Place::Gpu(gpu),
            Owned::Twin(pool) => Place::Twin(pool),
        }
    }

    /// Work for the CPU, on the twin's own threads where there are any.
    pub(crate) fn on_cpu<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.place {
            Owned::Gpu(_) => work(),
            Owned::Twin(pool) => pool.install(work),
        }
    }

    /// Threads that work for the CPU has.
    pub(crate) fn threads(&self) -> usize {
        self.on_cpu(rayon::current_num_threads)
    }

    /// Voxels of a turn where a test has set them.
    pub(crate) fn turn_voxels(&self) -> Option<usize> {
        self.turn_voxels
    }

    /// The turns of a volume: whole slices, at least one, within one slab of the device.
    pub(crate) fn turns(&self, dimensions: Dimensions) -> Result<Vec<Range<u32>>, EngineError> {
        let (turn_voxels, cut) = match &self.place {
            Owned::Gpu(gpu) => {
                (gpu.turn_voxels, Some(Cut::new(dimensions, gpu.engine.binding_limit_bytes())?))
            }
            Owned::Twin(_) => (SMALL_TURN_VOXELS, None),
        };
        let turn_voxels = self.turn_voxels.unwrap_or(turn_voxels);
        let slices = u32::try_from(turn_voxels / dimensions.slice_len()).unwrap_or(u32::MAX).max(1);
        let mut turns = Vec::new();
        let mut first = 0;
        while first < dimensions.slices {
            let bound = cut.map_or(dimensions.slices, |cut| cut.slab_of(first).end);
            let end = first.saturating_add(slices).min(bound);
            turns.push(first..end);
            first = end;
        }
        Ok(turns)
    }
}

/// The twin's threads.
fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .thread_name(|index| format!("twin-{index}"))
        .build()
        .expect("a machine that starts the box starts a thread for each core")
}

/// The adapter's engine, if it passes the probe.
fn probed(adapter: &Adapter, saved: &[u8]) -> Result<Gpu, String> {
    let mut gpu = Gpu::open(adapter, saved).map_err(|error| error.to_string())?;
    probe::run(|turn, criteria| calcium::gpu::components(&mut gpu, turn, criteria))?;
    gpu.evict();
    gpu.device_time = None;
    Ok(gpu)
}

impl AdapterKind {
    fn words(self) -> &'static str {
        match self {
            Self::Discrete => "discrete GPU",
            Self::Integrated => "integrated GPU",
            Self::Other => "other GPU",
            Self::Software => "software Vulkan",
        }
    }
}

/// What the doctor says about one adapter.
#[derive(Clone, Debug)]
pub struct AdapterReport {
    pub name: String,
    /// "discrete GPU", "integrated GPU", "other GPU" or "software Vulkan".
    pub kind: &'static str,
    pub driver: String,
    /// Device memory this process may use now; `None` where Vulkan does not say.
    pub memory_budget_bytes: Option<u64>,
    /// Whether the boot probe passed, or why not.
    pub probe: Result<(), String>,
    /// Whether kept compiled kernels are this adapter's and driver's.
    pub takes_saved: bool,
}

/// Every Vulkan adapter, best first, each after the boot probe; `saved` as in [`Processor::open_with`].
pub fn survey(saved: &[u8]) -> Vec<AdapterReport> {
    let report = |adapter: Adapter| AdapterReport {
        memory_budget_bytes: vulkan::memory_budget_bytes(&adapter.raw),
        probe: probed(&adapter, &[]).map(drop),
        takes_saved: engine::unsealed(&adapter.key(), saved).is_some(),
        kind: adapter.kind.words(),
        name: adapter.name,
        driver: adapter.driver,
    };
    engine::adapters().into_iter().map(report).collect()
}

#[cfg(test)]
mod tests;
