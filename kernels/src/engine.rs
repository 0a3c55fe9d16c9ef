//! The only door to wgpu: adapters, one device, and programs run on it.
//!
//! A [`Program`] is a list of steps that an analysis records; the engine carries it out in one submission and waits.
//! Buffers have the names that the kernels give them. They live in the engine, grow, and keep their contents until a
//! program gives them new ones, so a second program may read on where the first left off.
//!
//! Vulkan only. Limits are those of the adapter (llvmpipe binds 128 MiB at most); what does not fit is an error, so
//! analyses work slab by slab.

mod program;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub(crate) use program::Program;
use program::{Dispatch, Step};

use crate::table::{Access, ENTRY_POINT, Kernel, WORKGROUP_SIZE};

/// A turn is made for 30 ms. A device that is silent this long is not slow but hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most workgroups along one direction that every Vulkan device takes.
const GROUPS_PER_ROW: u32 = 65_535;

/// Why the GPU did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the GPU's driver gave no device: {0}")]
    NoDevice(String),
    #[error("kernel {kernel} is not valid at line {line} of its WGSL: {message}")]
    Shader { kernel: &'static str, line: u32, message: String },
    #[error("the GPU ran out of memory")]
    OutOfMemory,
    #[error("the GPU binds at most {limit_bytes} bytes, {bytes} were asked for `{buffer}`")]
    TooLarge { buffer: &'static str, bytes: u64, limit_bytes: u64 },
    #[error("the GPU's driver refused the work: {0}")]
    Refused(String),
    #[error("the GPU handed back what cannot be: {0}")]
    Nonsense(&'static str),
    #[error("the GPU was lost ({0}); open the processor again")]
    Lost(String),
    #[error("the GPU did not answer for {} s; open the processor again", PATIENCE.as_secs())]
    Hung,
}

/// How an adapter is built, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AdapterKind {
    Discrete,
    Integrated,
    Other,
    Software,
}

/// One Vulkan device of this machine.
#[derive(Debug)]
pub(crate) struct Adapter {
    pub(crate) raw: wgpu::Adapter,
    pub(crate) kind: AdapterKind,
    pub(crate) name: String,
    pub(crate) driver: String,
}

/// Every Vulkan device, best kind first; equals in the driver's order.
pub(crate) fn adapters() -> Vec<Adapter> {
    let mut description = wgpu::InstanceDescriptor::new_without_display_handle();
    description.backends = wgpu::Backends::VULKAN;
    description.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(description);
    let mut adapters: Vec<Adapter> =
        ready(instance.enumerate_adapters(wgpu::Backends::VULKAN)).into_iter().map(Adapter::new).collect();
    adapters.sort_by_key(|adapter| adapter.kind);
    adapters
}

impl Adapter {
    fn new(raw: wgpu::Adapter) -> Self {
        let info = raw.get_info();
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::Cpu => AdapterKind::Software,
            wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => AdapterKind::Other,
        };
        let driver = format!("{} {}", info.driver, info.driver_info).trim().to_owned();
        Self { raw, kind, name: info.name, driver }
    }
}

#[derive(Debug)]
struct Pipeline {
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::ComputePipeline,
}

/// One device with its compiled kernels and its buffers.
#[derive(Debug)]
pub(crate) struct Engine {
    device: wgpu::Device,
    queue: wgpu::Queue,
    binding_limit_bytes: u64,
    pipelines: HashMap<&'static str, Pipeline>,
    buffers: HashMap<&'static str, wgpu::Buffer>,
    /// What reads are copied through; kept for the next program.
    staging: Option<wgpu::Buffer>,
    lost: Arc<OnceLock<String>>,
}

impl Engine {
    pub(crate) fn open(adapter: &Adapter) -> Result<Self, EngineError> {
        let limits = adapter.raw.limits();
        let binding_limit_bytes = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let description = wgpu::DeviceDescriptor {
            label: Some("sidelight kernels"),
            required_limits: limits,
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = ready(adapter.raw.request_device(&description))
            .map_err(|error| EngineError::NoDevice(error.to_string()))?;
        let lost = Arc::new(OnceLock::new());
        let told = Arc::clone(&lost);
        device.set_device_lost_callback(move |_, message| {
            // Only the first message says what happened.
            let _ = told.set(message);
        });
        let (pipelines, buffers) = (HashMap::new(), HashMap::new());
        Ok(Self { device, queue, binding_limit_bytes, pipelines, buffers, staging: None, lost })
    }

    /// Most bytes that a kernel sees in one buffer.
    pub(crate) fn binding_limit_bytes(&self) -> u64 {
        self.binding_limit_bytes
    }

    /// Carries the program out and hands back what it reads, one entry for each [`Program::read`].
    pub(crate) fn run(&mut self, program: &Program<'_>) -> Result<Vec<Vec<u8>>, EngineError> {
        let scopes =
            [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation]
                .map(|filter| self.device.push_error_scope(filter));
        let submitted = self.prepare(program).map(|()| self.submit(program));
        let mut refused = None;
        for scope in scopes.into_iter().rev() {
            refused = refused.or(ready(scope.pop()));
        }
        self.alive()?;
        // A shader error explains itself better than the driver's complaint that follows from it.
        let submission = submitted?;
        match refused {
            None => self.collect(program, submission),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(EngineError::OutOfMemory),
            Some(error) => Err(EngineError::Refused(error.to_string())),
        }
    }

    fn alive(&self) -> Result<(), EngineError> {
        self.lost.get().map_or(Ok(()), |message| Err(EngineError::Lost(message.clone())))
    }

    /// Pipelines and buffers for the program.
    fn prepare(&mut self, program: &Program<'_>) -> Result<(), EngineError> {
        for (&name, &bytes) in &program.sizes {
            if bytes > self.binding_limit_bytes {
                let limit_bytes = self.binding_limit_bytes;
                return Err(EngineError::TooLarge { buffer: name, bytes, limit_bytes });
            }
            if self.buffers.get(name).is_none_or(|buffer| buffer.size() < bytes) {
                self.buffers.insert(name, self.buffer(name, bytes));
            }
        }
        for dispatch in program.dispatches() {
            if !self.pipelines.contains_key(dispatch.kernel.name) {
                let pipeline = self.compile(dispatch.kernel)?;
                self.pipelines.insert(dispatch.kernel.name, pipeline);
            }
        }
        if program.read_bytes > self.staging.as_ref().map_or(0, wgpu::Buffer::size) {
            self.staging = Some(self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("staging"),
                size: program.read_bytes,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }));
        }
        Ok(())
    }

    fn buffer(&self, name: &str, bytes: u64) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(name),
            size: bytes,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::UNIFORM
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    fn compile(&self, kernel: &'static Kernel) -> Result<Pipeline, EngineError> {
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(kernel.name),
            source: wgpu::ShaderSource::Wgsl(kernel.wgsl.into()),
        });
        for message in ready(module.get_compilation_info()).messages {
            if message.message_type == wgpu::CompilationMessageType::Error {
                let line = message.location.map_or(0, |location| location.line_number);
                return Err(EngineError::Shader { kernel: kernel.name, line, message: message.message });
            }
        }
        let entries: Vec<_> =
            (0..).zip(kernel.bindings).map(|(index, (_, access))| entry(index, *access)).collect();
        let layout = self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(kernel.name),
            entries: &entries,
        });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(kernel.name),
            bind_group_layouts: &[Some(&layout)],
            ..wgpu::PipelineLayoutDescriptor::default()
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(ENTRY_POINT),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        Ok(Pipeline { layout, pipeline })
    }

    fn submit(&self, program: &Program<'_>) -> wgpu::SubmissionIndex {
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut staged = 0;
        for step in &program.steps {
            match step {
                Step::Upload { buffer, bytes } => self.upload(&self.buffers[buffer], bytes),
                Step::Clear { buffer } => encoder.clear_buffer(&self.buffers[buffer], 0, None),
                Step::Dispatch(dispatch) => self.dispatch(&mut encoder, program, dispatch),
                Step::Read { buffer, offset, bytes } => {
                    let staging =
                        self.staging.as_ref().expect("prepare makes it for every program that reads");
                    encoder.copy_buffer_to_buffer(&self.buffers[buffer], *offset, staging, staged, *bytes);
                    staged += bytes;
                }
            }
        }
        self.queue.submit([encoder.finish()])
    }

    /// Copies are made in whole words; the last may hold bytes of nothing.
    fn upload(&self, buffer: &wgpu::Buffer, bytes: &[u8]) {
        let (words, rest) = bytes.split_at(bytes.len() & !3);
        self.queue.write_buffer(buffer, 0, words);
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            self.queue.write_buffer(buffer, words.len() as u64, &last);
        }
    }

    fn dispatch(&self, encoder: &mut wgpu::CommandEncoder, program: &Program<'_>, dispatch: &Dispatch) {
        let kernel = dispatch.kernel;
        let Pipeline { layout, pipeline } = &self.pipelines[kernel.name];
        let bound = |name| wgpu::BufferBinding {
            buffer: &self.buffers[name],
            offset: 0,
            size: wgpu::BufferSize::new(program.sizes[name]),
        };
        let entries: Vec<_> = (0..)
            .zip(kernel.bindings)
            .map(|(binding, (name, _))| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(bound(name)),
            })
            .collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.name),
            layout,
            entries: &entries,
        });
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &group, &[]);
        let [x, y] = groups(dispatch.invocations);
        pass.dispatch_workgroups(x, y, 1);
    }

    fn collect(
        &self,
        program: &Program<'_>,
        submission: wgpu::SubmissionIndex,
    ) -> Result<Vec<Vec<u8>>, EngineError> {
        let staging = self.staging.as_ref().filter(|_| program.read_bytes > 0);
        let mapped = Arc::new(OnceLock::new());
        if let Some(staging) = staging {
            let answer = Arc::clone(&mapped);
            staging.map_async(wgpu::MapMode::Read, ..program.read_bytes, move |result| {
                // The only one who sets it.
                let _ = answer.set(result);
            });
        }
        let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: Some(PATIENCE) };
        if self.device.poll(wait).is_err() {
            return Err(EngineError::Hung);
        }
        self.alive()?;
        let Some(staging) = staging else { return Ok(Vec::new()) };
        if !matches!(mapped.get(), Some(Ok(()))) {
            return Err(EngineError::Refused("the results could not be mapped".to_owned()));
        }
        let reads = program.cut(staging);
        staging.unmap();
        reads
    }
}

fn entry(binding: u32, access: Access) -> wgpu::BindGroupLayoutEntry {
    let ty = match access {
        Access::Uniform => wgpu::BufferBindingType::Uniform,
        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
        Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
    };
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}

/// Workgroups for so many invocations, in rows where one row does not hold them; kernels return early in the excess.
fn groups(invocations: u32) -> [u32; 2] {
    let groups = invocations.div_ceil(WORKGROUP_SIZE);
    let rows = groups.div_ceil(GROUPS_PER_ROW).max(1);
    [groups.div_ceil(rows), rows]
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
