//! The only door to wgpu: adapters, one device, its memory, and programs run on it.
//!
//! An analysis takes memory, records a [`Program`] over it and has the engine carry it out in one submission:
//!
//! ```ignore
//! engine.reserve("doubling", 2 * bytes)?;                  // refused in words, before anything is allocated
//! let values = engine.buffer("values", bytes)?;            // charged to the ledger until the handle is dropped
//! let doubled = engine.buffer("doubled", bytes)?;
//! engine.upload(&values, 0, Rows::dense(&numbers))?;       // in flight when this returns
//! let mut program = Program::default();
//! let size = program.uniform(&Size { count });             // a structure, held to its WGSL twin by a test
//! program.dispatch(&table::DOUBLE, [size, values.whole(), doubled.whole()], count);
//! let read = program.read(&doubled, 0, bytes);
//! let outcome = engine.run(&program)?;                     // waits; outcome.device_time is the device's own clock
//! let numbers: &[u32] = outcome.values(read);
//! ```
//!
//! Bindings stand in the order of the kernel's row in the table. Vulkan only. Limits are those of the adapter
//! (llvmpipe binds 128 MiB at most); what does not fit is an error, so analyses work slab by slab.
//!
//! Invariants: the [`Ledger`] knows every byte before the driver does; a lost or hung device stays so, and every later
//! call says it again (`Processor` opens another).

mod adapter;
mod error;
mod ledger;
mod memory;
mod pipelines;
mod program;
mod run;
mod saved;
mod staging;
mod timing;

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) use adapter::{Adapter, AdapterKind, adapters};
pub use error::EngineError;
#[cfg(test)]
pub(crate) use ledger::BUDGET_BYTES_MAX;
pub(crate) use ledger::Ledger;
pub(crate) use memory::{Buffer, Sampler, Texel, Texture};
use pipelines::Pipelines;
pub(crate) use program::{Binding, Program};
pub(crate) use run::Outcome;
pub use saved::SAVED_BYTES_MAX as PIPELINE_CACHE_BYTES_MAX;
pub(crate) use saved::unsealed;
pub(crate) use staging::Rows;
pub use timing::DeviceTime;

use crate::vulkan;

/// A turn is made for 30 ms. A device that is silent this long is not slow but hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// Below this the driver's own copy costs less than a turn of the staging ring.
const SMALL_UPLOAD_BYTES: u64 = 1 << 20;

/// Used where the device has them.
const WELCOME: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY
    .union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS)
    .union(wgpu::Features::TEXTURE_FORMAT_16BIT_NORM)
    .union(wgpu::Features::PIPELINE_CACHE);

/// One device with its compiled kernels and the books of its memory.
#[derive(Debug)]
pub(crate) struct Engine {
    adapter: wgpu::Adapter,
    /// Whose compiled kernels these are.
    key: String,
    device: wgpu::Device,
    queue: wgpu::Queue,
    ledger: Ledger,
    pipelines: Pipelines,
    ring: staging::Ring,
    desk: run::Desk,
    has_clock: bool,
    lost: Arc<OnceLock<String>>,
    hung: bool,
}

impl Engine {
    /// What the engine itself holds at most beside large results: the staging ring, uniforms, counts. A part of every
    /// operation's peak.
    pub(crate) const OWN_BYTES: u64 = staging::Ring::BYTES + (2 << 20);

    /// `saved` is what [`Engine::saved_pipelines`] once handed out; what does not fit is ignored.
    pub(crate) fn open(adapter: &Adapter, saved: &[u8]) -> Result<Self, EngineError> {
        let features = adapter.raw.features() & WELCOME;
        let description = wgpu::DeviceDescriptor {
            label: Some("sidelight kernels"),
            required_features: features,
            required_limits: adapter.raw.limits(),
            // Small blocks: what the driver holds stays near what the ledger says.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = ready(adapter.raw.request_device(&description))
            .map_err(|error| EngineError::NoDevice(error.to_string()))?;
        let lost = Arc::new(OnceLock::new());
        // Only the first message says what happened.
        let told = Arc::clone(&lost);
        device.set_device_lost_callback(move |_, message| {
            let _ = told.set(message);
        });
        // What goes wrong where nobody watches leaves a device that nobody may trust; the default is a panic.
        let told = Arc::clone(&lost);
        device.on_uncaptured_error(Arc::new(move |error| {
            let _ = told.set(error.to_string());
        }));
        let clock = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS;
        let mut engine = Self {
            adapter: adapter.raw.clone(),
            key: adapter.key(),
            device,
            queue,
            ledger: Ledger::new(),
            pipelines: Pipelines::default(),
            ring: staging::Ring::default(),
            desk: run::Desk::default(),
            has_clock: features.contains(clock),
            lost,
            hung: false,
        };
        if features.contains(wgpu::Features::PIPELINE_CACHE) {
            let make = |engine: &mut Self| Ok(vulkan::pipeline_cache(&engine.device, &engine.key, saved));
            // Without one every kernel is compiled at every start, no more.
            engine.pipelines.cache = engine.watched(make).ok();
        }
        Ok(engine)
    }

    /// Kernels compiled since the device was opened, and so what there is to save.
    pub(crate) fn pipelines_made(&self) -> usize {
        self.pipelines.made()
    }

    /// What the driver compiled, for the next start; `None` where it does not hand it out.
    pub(crate) fn saved_pipelines(&self) -> Option<Vec<u8>> {
        saved::sealed(&self.key, &self.pipelines.cache.as_ref()?.get_data()?)
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Most bytes that a kernel sees in one buffer.
    pub(crate) fn binding_limit_bytes(&self) -> u64 {
        let limits = self.device.limits();
        limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
    }

    /// Columns, rows and slices of a 3-D texture are each at most this.
    pub(crate) fn texture_3d_limit(&self) -> u32 {
        self.device.limits().max_texture_dimension_3d
    }

    /// Whether [`Texel::R16Snorm`] exists here.
    pub(crate) fn has_16bit_norm(&self) -> bool {
        self.device.features().contains(wgpu::Features::TEXTURE_FORMAT_16BIT_NORM)
    }

    /// Begins an operation that takes at most so many bytes beside what is held now, [`Engine::OWN_BYTES`] among them;
    /// the ledger's peak counts from here.
    pub(crate) fn reserve(&mut self, operation: &'static str, peak_bytes: u64) -> Result<(), EngineError> {
        if let Some(allowed_bytes) = vulkan::memory_budget_bytes(&self.adapter) {
            self.ledger.narrow(allowed_bytes);
        }
        self.ledger.begin(operation, peak_bytes)
    }

    /// A storage buffer of zeroes; the length is rounded up to whole words.
    pub(crate) fn buffer(&mut self, label: &'static str, bytes: u64) -> Result<Buffer, EngineError> {
        let size = bytes.next_multiple_of(4).max(4);
        let charge = self.ledger.charge(label, size)?;
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let description =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let raw = self.watched(|engine| Ok(engine.device.create_buffer(&description)))?;
        Ok(Buffer::new(raw, label, charge))
    }

    pub(crate) fn texture_3d(
        &mut self,
        label: &'static str,
        size: [u32; 3],
        texel: Texel,
    ) -> Result<Texture, EngineError> {
        let [columns, rows, slices] = size;
        let bytes = size.map(u64::from).iter().product::<u64>() * Texel::BYTES;
        let charge = self.ledger.charge(label, bytes)?;
        let description = wgpu::TextureDescriptor {
            label: Some(label),
            size: wgpu::Extent3d { width: columns, height: rows, depth_or_array_layers: slices },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D3,
            format: texel.format(),
            usage: Texel::USAGE,
            view_formats: &[],
        };
        let raw = self.watched(|engine| Ok(engine.device.create_texture(&description)))?;
        Ok(Texture::new(raw, charge))
    }

    /// Linear between texels, the edge's value beyond.
    pub(crate) fn sampler(&self) -> Sampler {
        Sampler(self.device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("linear"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..wgpu::SamplerDescriptor::default()
        }))
    }

    /// Values into a buffer, from a byte offset on that is a multiple of 4; what is run later sees them.
    pub(crate) fn upload(&mut self, buffer: &Buffer, offset: u64, rows: Rows<'_>) -> Result<(), EngineError> {
        self.alive()?;
        let uploaded = self.watched(|engine| {
            if rows.is_dense() && rows.device_bytes() < SMALL_UPLOAD_BYTES {
                rows.write_small(&engine.queue, buffer, offset);
                return Ok(());
            }
            let (device, queue, ledger) = (&engine.device, &engine.queue, &engine.ledger);
            engine.ring.upload(device, queue, ledger, (buffer, offset), rows)
        });
        self.noted(uploaded)
    }

    /// Why this device is of no use any more, if it is not.
    pub(crate) fn fault(&self) -> Option<EngineError> {
        self.alive().err()
    }

    fn alive(&self) -> Result<(), EngineError> {
        if let Some(message) = self.lost.get() {
            return Err(EngineError::Lost(message.clone()));
        }
        if self.hung { Err(EngineError::Hung) } else { Ok(()) }
    }

    /// Remembers that the device hung.
    fn noted<T>(&mut self, result: Result<T, EngineError>) -> Result<T, EngineError> {
        self.hung |= matches!(result, Err(EngineError::Hung));
        result
    }

    /// Takes the device away, as a driver's reset does.
    #[cfg(test)]
    pub(crate) fn lose(&self) {
        self.device.destroy();
    }
}

/// wgpu's futures are those of the browser; natively each is ready when it is made.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("wgpu-core answers at once"),
    }
}

#[cfg(test)]
mod tests;
