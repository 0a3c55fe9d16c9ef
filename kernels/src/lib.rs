//! GPU arithmetic on volumes, with its own truth.
//!
//! No files, no async, no DICOM: a volume comes in, numbers come out. `unsafe` lives in `vulkan.rs` only.

#![deny(unsafe_code)]

pub mod bandwidth;
pub mod calcium;
mod cpu;
mod engine;
pub mod heart;
mod identity;
mod mask;
pub mod perfusion;
mod probe;
mod processor;
pub mod region;
pub mod rendering;
mod resident;
pub mod structures;
mod table;
pub mod volume;
#[expect(unsafe_code, reason = "the one door to raw Vulkan")]
mod vulkan;

pub use engine::{DeviceTime, EngineError, PIPELINE_CACHE_BYTES_MAX};
pub use processor::{
    AdapterReport, Checkpoint, DeviceMemory, Processor, ProcessorError, ProcessorKind, Wish, survey,
};
pub use region::Region;
pub use volume::{Dimensions, Geometry, Volume};
