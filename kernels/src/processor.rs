//! Where kernels run: a GPU that passed the boot probe, or the CPU twin with the reason why.

use crate::calcium::{self, Component, Slab};
use crate::engine::{self, Adapter, AdapterKind, Engine, EngineError};
use crate::{Dimensions, cpu, probe, vulkan};

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
    place: Place,
    name: String,
    reason: String,
    slab_voxels: usize,
}

/// It may be opened on one thread and used on another.
const _: () = {
    const fn sendable<T: Send>() {}
    sendable::<Processor>();
};

#[derive(Debug)]
enum Place {
    Gpu(Box<Engine>),
    Twin(rayon::ThreadPool),
}

/// Voxels of a turn: 16 slices of 512 x 512. Measured: 27 ms on software Vulkan with two cores, the slowest we serve;
/// 5 ms on an H200, most of it the way there and back; 5 ms on the twin with two threads.
const SLAB_VOXELS: usize = 16 * 512 * 512;

impl Processor {
    /// Opens what was wished for. `Auto` never fails: what is wrong with the GPU becomes the reason for the twin.
    pub fn open(wish: Wish) -> Result<Self, ProcessorError> {
        match wish {
            Wish::Twin => Ok(Self::twin("the CPU twin was asked for".to_owned())),
            Wish::Gpu => Self::gpu(engine::adapters()).map_err(ProcessorError::NoGpu),
            Wish::Auto => {
                let mut adapters = engine::adapters();
                adapters.retain(|adapter| adapter.kind != AdapterKind::Software);
                Ok(Self::gpu(adapters)
                    .unwrap_or_else(|why| Self::twin(format!("no hardware GPU is of use: {why}"))))
            }
        }
    }

    /// A processor whose turns are of so many voxels (never less than a slice). For tests of slab boundaries.
    #[must_use]
    pub fn with_slab_voxels(self, slab_voxels: usize) -> Self {
        Self { slab_voxels, ..self }
    }

    /// The first of `adapters` that opens and passes the probe, or a sentence on why none does.
    fn gpu(adapters: Vec<Adapter>) -> Result<Self, String> {
        if adapters.is_empty() {
            return Err("none was found".to_owned());
        }
        let mut passed_over = Vec::new();
        for adapter in adapters {
            match probed(&adapter) {
                Ok(engine) => {
                    let kind = adapter.kind.words();
                    let mut reason = format!("best Vulkan device ({kind}), boot probe passed");
                    if !passed_over.is_empty() {
                        reason = format!("{reason}; passed over: {}", passed_over.join("; "));
                    }
                    let name = format!("{} (driver {})", adapter.name, adapter.driver);
                    return Ok(Self {
                        place: Place::Gpu(Box::new(engine)),
                        name,
                        reason,
                        slab_voxels: SLAB_VOXELS,
                    });
                }
                Err(why) => passed_over.push(format!("{}: {why}", adapter.name)),
            }
        }
        Err(passed_over.join("; "))
    }

    fn twin(reason: String) -> Self {
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|index| format!("twin-{index}"))
            .build()
            .expect("a machine that starts the box starts a thread for each core");
        let name = format!("CPU twin, {} threads", pool.current_num_threads());
        Self { place: Place::Twin(pool), name, reason, slab_voxels: SLAB_VOXELS }
    }

    pub fn kind(&self) -> ProcessorKind {
        match self.place {
            Place::Gpu(_) => ProcessorKind::Gpu,
            Place::Twin(_) => ProcessorKind::Twin,
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

    /// Slices of a turn, at least 1.
    pub(crate) fn slab_slices(&self, dimensions: Dimensions) -> u32 {
        let wanted = u32::try_from(self.slab_voxels / dimensions.slice_len()).unwrap_or(u32::MAX);
        let fitting = match &self.place {
            Place::Gpu(engine) => calcium::gpu::slices_that_fit(dimensions, engine.binding_limit_bytes()),
            Place::Twin(_) => u32::MAX,
        };
        wanted.min(fitting).max(1)
    }

    pub(crate) fn calcium_components(
        &mut self,
        slab: &Slab<'_>,
        threshold_hu: i16,
    ) -> Result<Vec<Component>, ProcessorError> {
        match &mut self.place {
            Place::Gpu(engine) => Ok(calcium::gpu::components(engine, slab, threshold_hu)?),
            Place::Twin(pool) => Ok(pool.install(|| cpu::calcium::components(slab, threshold_hu))),
        }
    }
}

/// The adapter's engine, if it passes the probe.
fn probed(adapter: &Adapter) -> Result<Engine, String> {
    let mut engine = Engine::open(adapter).map_err(|error| error.to_string())?;
    probe::run(|slab, threshold_hu| calcium::gpu::components(&mut engine, slab, threshold_hu))?;
    Ok(engine)
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
}

/// Every Vulkan adapter, best first, each after the boot probe.
pub fn survey() -> Vec<AdapterReport> {
    let report = |adapter: Adapter| AdapterReport {
        memory_budget_bytes: vulkan::memory_budget_bytes(&adapter.raw),
        probe: probed(&adapter).map(drop),
        kind: adapter.kind.words(),
        name: adapter.name,
        driver: adapter.driver,
    };
    engine::adapters().into_iter().map(report).collect()
}
