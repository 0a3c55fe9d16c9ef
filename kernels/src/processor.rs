//! Where kernels run: the GPU, or the CPU twin with the reason why.

use crate::calcium::{Component, Slab};
use crate::{Dimensions, cpu};

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
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    #[error("no GPU: {0}")]
    NoGpu(String),
}

/// Owned by one thread; every kernel call borrows it alone.
#[derive(Debug)]
pub struct Processor {
    place: Place,
    name: String,
    reason: String,
    slab_voxels: usize,
}

#[derive(Debug)]
enum Place {
    Twin(rayon::ThreadPool),
}

/// Voxels of a turn: 16 slices of 512 x 512. About 30 ms on a software GPU with two cores, the slowest we serve.
const SLAB_VOXELS: usize = 16 * 512 * 512;

impl Processor {
    /// Opens what was wished for. `Auto` never fails: what is wrong with the GPU becomes the reason for the twin.
    pub fn open(wish: Wish) -> Result<Self, ProcessorError> {
        match wish {
            Wish::Auto => Ok(Self::twin("the GPU path is not built yet".to_owned())),
            Wish::Gpu => Err(ProcessorError::NoGpu("the GPU path is not built yet".to_owned())),
            Wish::Twin => Ok(Self::twin("the site file asks for the twin".to_owned())),
        }
    }

    fn twin(reason: String) -> Self {
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|index| format!("twin-{index}"))
            .build()
            .expect("threads can be started at boot");
        let name = format!("CPU twin, {} threads", pool.current_num_threads());
        Self { place: Place::Twin(pool), name, reason, slab_voxels: SLAB_VOXELS }
    }

    pub fn kind(&self) -> ProcessorKind {
        match self.place {
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

    pub(crate) fn slab_slices(&self, dimensions: Dimensions) -> u32 {
        u32::try_from(self.slab_voxels / dimensions.slice_len()).unwrap_or(u32::MAX).max(1)
    }

    pub(crate) fn calcium_components(
        &mut self,
        slab: &Slab<'_>,
        threshold_hu: i16,
    ) -> Result<Vec<Component>, ProcessorError> {
        match &self.place {
            Place::Twin(pool) => Ok(pool.install(|| cpu::calcium::components(slab, threshold_hu))),
        }
    }
}

/// What the doctor says about one adapter.
#[derive(Clone, Debug)]
pub struct AdapterReport {
    pub name: String,
    /// "discrete GPU", "integrated GPU", "software", ...
    pub kind: &'static str,
    pub driver: String,
    /// Device memory this process may use now; `None` where Vulkan does not say.
    pub memory_budget_bytes: Option<u64>,
    /// Whether the boot probe passed, or why not.
    pub probe: Result<(), String>,
}

/// Every Vulkan adapter, each after the boot probe.
pub fn survey() -> Vec<AdapterReport> {
    Vec::new()
}
