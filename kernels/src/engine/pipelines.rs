//! Kernels, compiled when they are first asked for.

use std::collections::HashMap;

use super::{EngineError, ready};
use crate::table::{Access, ENTRY_POINT, Kernel};

#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) pipeline: wgpu::ComputePipeline,
}

#[derive(Debug, Default)]
pub(super) struct Pipelines {
    compiled: HashMap<&'static str, Pipeline>,
    /// The driver's own compilations, where it can hand them out.
    pub(super) cache: Option<wgpu::PipelineCache>,
}

impl Pipelines {
    pub(super) fn made(&self) -> usize {
        self.compiled.len()
    }

    pub(super) fn get(&self, kernel: &Kernel) -> &Pipeline {
        &self.compiled[kernel.name]
    }

    pub(super) fn prepare(
        &mut self,
        device: &wgpu::Device,
        kernel: &'static Kernel,
    ) -> Result<(), EngineError> {
        if !self.compiled.contains_key(kernel.name) {
            let pipeline = compile(device, kernel, self.cache.as_ref())?;
            self.compiled.insert(kernel.name, pipeline);
        }
        Ok(())
    }
}

fn compile(
    device: &wgpu::Device,
    kernel: &'static Kernel,
    cache: Option<&wgpu::PipelineCache>,
) -> Result<Pipeline, EngineError> {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(kernel.name),
        source: wgpu::ShaderSource::Wgsl(kernel.wgsl.into()),
    });
    for message in ready(module.get_compilation_info()).messages {
        if message.message_type == wgpu::CompilationMessageType::Error {
            let line = message.location.map_or(0, |location| location.line_number);
            return Err(shader_error(kernel, line, message.message));
        }
    }
    let entries: Vec<_> =
        (0..).zip(kernel.bindings).map(|(index, (_, access))| entry(index, *access)).collect();
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(kernel.name),
        entries: &entries,
    });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(kernel.name),
        bind_group_layouts: &[Some(&layout)],
        ..wgpu::PipelineLayoutDescriptor::default()
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(kernel.name),
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some(ENTRY_POINT),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache,
    });
    Ok(Pipeline { layout, pipeline })
}

fn shader_error(kernel: &Kernel, line: u32, message: String) -> EngineError {
    let index = (line as usize).saturating_sub(1);
    let source_line = kernel.wgsl.lines().nth(index).unwrap_or_default().trim().to_owned();
    EngineError::Shader { kernel: kernel.name, line, source_line, message }
}

fn entry(binding: u32, access: Access) -> wgpu::BindGroupLayoutEntry {
    let buffer = |ty| wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
    let ty = match access {
        Access::Uniform => buffer(wgpu::BufferBindingType::Uniform),
        Access::Read => buffer(wgpu::BufferBindingType::Storage { read_only: true }),
        Access::ReadWrite => buffer(wgpu::BufferBindingType::Storage { read_only: false }),
        Access::Sampled3d => wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: true },
            view_dimension: wgpu::TextureViewDimension::D3,
            multisampled: false,
        },
        Access::Sampler => wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering),
    };
    wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
}
