//! Why the GPU did not do it.

use super::PATIENCE;

/// What a caller can do about it: `OverBudget`, `OutOfMemory`, `TooLarge` and `Lacks` want the work done elsewhere,
/// `Lost` and `Hung` another device, `Replaced` the same once more.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the GPU's driver gave no device: {0}")]
    NoDevice(String),
    #[error("kernel {kernel} is not valid at line {line} of its WGSL, `{source_line}`: {message}")]
    Shader { kernel: &'static str, line: u32, source_line: String, message: String },
    #[error(
        "{wanted_bytes} bytes of device memory were asked for {label}, {free_bytes} of {budget_bytes} are free"
    )]
    OverBudget { label: &'static str, wanted_bytes: u64, free_bytes: u64, budget_bytes: u64 },
    #[error("the GPU ran out of memory")]
    OutOfMemory,
    #[error("the GPU binds at most {limit_bytes} bytes, {bytes} were asked for `{buffer}`")]
    TooLarge { buffer: &'static str, bytes: u64, limit_bytes: u64 },
    #[error("the GPU has no {0}")]
    Lacks(&'static str),
    #[error("the GPU's driver refused the work: {0}")]
    Refused(String),
    #[error("the GPU handed back what cannot be: {0}")]
    Nonsense(&'static str),
    #[error("the GPU was lost ({0})")]
    Lost(String),
    #[error("the GPU was opened again by what was drawn between two turns of this")]
    Replaced,
    #[error("the GPU did not answer for {} s", PATIENCE.as_secs())]
    Hung,
}

impl EngineError {
    /// Whether this one job was too much for a device that serves the next.
    pub(crate) fn is_the_jobs_size(&self) -> bool {
        matches!(self, Self::OverBudget { .. } | Self::OutOfMemory | Self::TooLarge { .. } | Self::Lacks(_))
    }
}
