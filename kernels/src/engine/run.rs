//! Carries a program out: one submission, one wait.

use std::sync::{Arc, OnceLock};

use super::ledger::Charge;
use super::memory::Buffer;
use super::program::{Binding, Program, Read, Step};
use super::timing::{self, DeviceTime, STAMPS_MAX};
use super::{Engine, EngineError, PATIENCE, ready};
use crate::table::{Access, Kernel};

const STAMP_BYTES: u64 = size_of::<u64>() as u64;

/// Set when the device is done and the results can be read.
type Mapped = Arc<OnceLock<Result<(), wgpu::BufferAsyncError>>>;

/// What a program brought back.
#[derive(Debug)]
pub(crate) struct Outcome {
    reads: Vec<Vec<u32>>,
    /// `None` where the device has no clock.
    pub(crate) device_time: Option<DeviceTime>,
}

impl Outcome {
    /// The values of a read, whose alignment is at most 4.
    pub(crate) fn values<T: bytemuck::AnyBitPattern>(&self, read: Read) -> &[T] {
        bytemuck::cast_slice(&self.reads[read.0])
    }
}

/// Buffers the engine itself works with; each grows to the largest that was asked for.
#[derive(Debug, Default)]
pub(super) struct Desk {
    uniforms: Option<OwnBuffer>,
    results: Option<OwnBuffer>,
    clock: Option<Clock>,
}

#[derive(Debug)]
struct OwnBuffer {
    raw: wgpu::Buffer,
    _charge: Charge,
}

#[derive(Debug)]
struct Clock {
    stamps: wgpu::QuerySet,
    resolved: OwnBuffer,
}

impl Engine {
    /// Carries the program out, waits, and hands back what it reads.
    pub(crate) fn run(&mut self, program: &Program) -> Result<Outcome, EngineError> {
        self.alive()?;
        let submitted = self.watched(|engine| {
            engine.prepare(program)?;
            let submission = engine.submit(program);
            Ok((submission, engine.map_results(program)))
        });
        let outcome = submitted.and_then(|(submission, mapped)| self.collect(program, submission, &mapped));
        self.noted(outcome)
    }

    /// Runs `work` and turns what the driver complains about into an error.
    pub(super) fn watched<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let scopes =
            [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation]
                .map(|filter| self.device.push_error_scope(filter));
        let done = work(self);
        let mut refused = None;
        for scope in scopes.into_iter().rev() {
            refused = refused.or(ready(scope.pop()));
        }
        // A lost device is told about only when it is looked at.
        let _ = self.device.poll(wgpu::PollType::Poll);
        self.alive()?;
        // A shader error explains itself better than the driver's complaint that follows from it.
        let done = done?;
        match refused {
            None => Ok(done),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(EngineError::OutOfMemory),
            Some(error) => Err(EngineError::Refused(error.to_string())),
        }
    }

    /// Pipelines, and room for uniforms and results.
    fn prepare(&mut self, program: &Program) -> Result<(), EngineError> {
        for step in &program.steps {
            if let Step::Dispatch { kernel, bindings, .. } = step {
                self.check_sizes(kernel, bindings)?;
                self.pipelines.prepare(&self.device, kernel)?;
            }
        }
        if self.has_clock && self.desk.clock.is_none() {
            self.desk.clock = Some(self.clock()?);
        }
        let uniforms = program.uniforms.len() as u64;
        if uniforms > size(self.desk.uniforms.as_ref()) {
            let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
            self.desk.uniforms = None;
            self.desk.uniforms = Some(self.own_buffer("uniforms", uniforms, usage)?);
        }
        let results = program.read_bytes + self.stamp_bytes(program);
        if results > size(self.desk.results.as_ref()) {
            let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            self.desk.results = None;
            self.desk.results = Some(self.own_buffer("results", results, usage)?);
        }
        Ok(())
    }

    fn check_sizes(&self, kernel: &Kernel, bindings: &[Binding]) -> Result<(), EngineError> {
        for (binding, (name, access)) in bindings.iter().zip(kernel.bindings) {
            let Binding::Buffer { buffer, bytes } = binding else { continue };
            assert!(*access != Access::Uniform, "{}: `{name}` is a uniform", kernel.name);
            let (bytes, limit_bytes) = (bytes.end - bytes.start, self.binding_limit_bytes());
            if bytes > limit_bytes {
                return Err(EngineError::TooLarge { buffer: buffer.label(), bytes, limit_bytes });
            }
        }
        Ok(())
    }

    fn own_buffer(
        &self,
        label: &'static str,
        size: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<OwnBuffer, EngineError> {
        let charge = self.ledger.charge(label, size)?;
        let description =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        Ok(OwnBuffer { raw: self.device.create_buffer(&description), _charge: charge })
    }

    fn clock(&self) -> Result<Clock, EngineError> {
        let stamps = self.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("clock"),
            ty: wgpu::QueryType::Timestamp,
            count: STAMPS_MAX,
        });
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = self.own_buffer("clock", u64::from(STAMPS_MAX) * STAMP_BYTES, usage)?;
        Ok(Clock { stamps, resolved })
    }

    fn stamp_bytes(&self, program: &Program) -> u64 {
        if self.has_clock { u64::from(timing::stamps(program.steps.len())) * STAMP_BYTES } else { 0 }
    }

    fn submit(&self, program: &Program) -> wgpu::SubmissionIndex {
        if let Some(uniforms) = self.desk.uniforms.as_ref().filter(|_| !program.uniforms.is_empty()) {
            self.queue.write_buffer(&uniforms.raw, 0, &program.uniforms);
        }
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let clock = self.desk.clock.as_ref();
        let stamp = |encoder: &mut wgpu::CommandEncoder, index: Option<u32>| {
            if let Some((clock, index)) = clock.zip(index) {
                encoder.write_timestamp(&clock.stamps, index);
            }
        };
        stamp(&mut encoder, Some(0));
        // Stamps first: a read of an odd number of words would put them where no 64-bit value may stand.
        let mut read_to = self.stamp_bytes(program);
        for (index, step) in program.steps.iter().enumerate() {
            self.encode(&mut encoder, step, &mut read_to);
            stamp(&mut encoder, timing::stamp_after(index, program.steps.len()));
        }
        if let Some((clock, results)) = clock.zip(self.desk.results.as_ref()) {
            let stamps = timing::stamps(program.steps.len());
            encoder.resolve_query_set(&clock.stamps, 0..stamps, &clock.resolved.raw, 0);
            let bytes = self.stamp_bytes(program);
            encoder.copy_buffer_to_buffer(&clock.resolved.raw, 0, &results.raw, 0, bytes);
        }
        self.queue.submit([encoder.finish()])
    }

    fn encode(&self, encoder: &mut wgpu::CommandEncoder, step: &Step, read_to: &mut u64) {
        match step {
            Step::Clear(buffer) => encoder.clear_buffer(buffer.raw(), 0, None),
            Step::Fill { .. } => fill(encoder, step),
            Step::Dispatch { kernel, bindings, groups } => {
                let group = self.bind(kernel, bindings);
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                pass.set_pipeline(&self.pipelines.get(kernel).pipeline);
                pass.set_bind_group(0, &group, &[]);
                pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
            }
            Step::Read { from, from_offset, bytes } => {
                let results = self.desk.results.as_ref().expect("prepare makes it for programs that read");
                encoder.copy_buffer_to_buffer(from.raw(), *from_offset, &results.raw, *read_to, *bytes);
                *read_to += bytes;
            }
        }
    }

    fn bind(&self, kernel: &Kernel, bindings: &[Binding]) -> wgpu::BindGroup {
        let resource = |binding| match binding {
            &Binding::Uniform { offset, bytes } => {
                let uniforms = self.desk.uniforms.as_ref().expect("prepare makes it for every uniform");
                part(&uniforms.raw, offset, bytes)
            }
            Binding::Buffer { buffer, bytes } => part(buffer.raw(), bytes.start, bytes.end - bytes.start),
            Binding::Texture(texture) => wgpu::BindingResource::TextureView(texture.view()),
            Binding::Sampler(sampler) => wgpu::BindingResource::Sampler(&sampler.0),
        };
        let entries: Vec<_> = (0..)
            .zip(bindings)
            .map(|(binding, bound)| wgpu::BindGroupEntry { binding, resource: resource(bound) })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.name),
            layout: &self.pipelines.get(kernel).layout,
            entries: &entries,
        })
    }

    fn map_results(&self, program: &Program) -> Mapped {
        let mapped = Arc::new(OnceLock::new());
        let bytes = self.stamp_bytes(program) + program.read_bytes;
        if let Some(results) = self.desk.results.as_ref().filter(|_| bytes > 0) {
            let answer = Arc::clone(&mapped);
            results.raw.map_async(wgpu::MapMode::Read, ..bytes, move |result| {
                // The only one who sets it.
                let _ = answer.set(result);
            });
        }
        mapped
    }

    fn collect(
        &self,
        program: &Program,
        submission: wgpu::SubmissionIndex,
        mapped: &Mapped,
    ) -> Result<Outcome, EngineError> {
        let stamp_bytes = self.stamp_bytes(program);
        let bytes = stamp_bytes + program.read_bytes;
        let results = self.desk.results.as_ref().filter(|_| bytes > 0);
        let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: Some(PATIENCE) };
        let waited = self.device.poll(wait);
        self.alive()?;
        waited.map_err(|_| EngineError::Hung)?;
        let Some(results) = results else { return Ok(Outcome { reads: Vec::new(), device_time: None }) };
        if !matches!(mapped.get(), Some(Ok(()))) {
            return Err(EngineError::Refused("the results could not be mapped".to_owned()));
        }
        let refused = |error: wgpu::MapRangeError| EngineError::Refused(error.to_string());
        let view = results.raw.get_mapped_range(..bytes).map_err(refused)?;
        let (stamps, rest) = view.split_at(in_memory(stamp_bytes));
        let stamps: Vec<u64> = bytemuck::pod_collect_to_vec(stamps);
        let tick = self.queue.get_timestamp_period();
        let device_time = self.has_clock.then(|| DeviceTime::new(&program.steps, &stamps, tick));
        let reads = cut(program, rest);
        drop(view);
        results.raw.unmap();
        Ok(Outcome { reads, device_time })
    }
}

fn size(buffer: Option<&OwnBuffer>) -> u64 {
    buffer.map_or(0, |buffer| buffer.raw.size())
}

fn part(buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> wgpu::BindingResource<'_> {
    let size = wgpu::BufferSize::new(bytes);
    wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
}

fn fill(encoder: &mut wgpu::CommandEncoder, step: &Step) {
    let Step::Fill { from, from_offset, row_bytes, to, first_slice, slices } = step else { return };
    let [columns, rows, _] = to.size();
    encoder.copy_buffer_to_texture(
        wgpu::TexelCopyBufferInfo {
            buffer: Buffer::raw(from),
            layout: wgpu::TexelCopyBufferLayout {
                offset: *from_offset,
                bytes_per_row: Some(*row_bytes),
                rows_per_image: Some(rows),
            },
        },
        wgpu::TexelCopyTextureInfo {
            texture: to.raw(),
            mip_level: 0,
            origin: wgpu::Origin3d { x: 0, y: 0, z: *first_slice },
            aspect: wgpu::TextureAspect::All,
        },
        wgpu::Extent3d { width: columns, height: rows, depth_or_array_layers: *slices },
    );
}

/// The mapped results, cut into the reads.
fn cut(program: &Program, mut rest: &[u8]) -> Vec<Vec<u32>> {
    let mut reads = Vec::new();
    for step in &program.steps {
        if let Step::Read { bytes, .. } = step {
            let (read, behind) = rest.split_at(in_memory(*bytes));
            reads.push(bytemuck::pod_collect_to_vec(read));
            rest = behind;
        }
    }
    reads
}

fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).expect("what was mapped fits into memory")
}
