//! Handles of device memory. A clone is another handle of the same memory; the last one dropped gives it back.

use std::ops::Range;
use std::sync::Arc;

use super::ledger::Charge;
use super::program::Binding;

/// A storage buffer.
#[derive(Clone, Debug)]
pub(crate) struct Buffer(Arc<BufferMemory>);

#[derive(Debug)]
struct BufferMemory {
    raw: wgpu::Buffer,
    label: &'static str,
    _charge: Charge,
}

impl Buffer {
    pub(super) fn new(raw: wgpu::Buffer, label: &'static str, charge: Charge) -> Self {
        Self(Arc::new(BufferMemory { raw, label, _charge: charge }))
    }

    pub(super) fn raw(&self) -> &wgpu::Buffer {
        &self.0.raw
    }

    pub(super) fn label(&self) -> &'static str {
        self.0.label
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.raw.size()
    }

    /// Binds all of it.
    pub(crate) fn whole(&self) -> Binding {
        self.part(0..self.bytes())
    }

    /// Binds some of it. The start is a multiple of 256 bytes.
    pub(crate) fn part(&self, bytes: Range<u64>) -> Binding {
        Binding::Buffer { buffer: self.clone(), bytes }
    }
}

/// What one texel holds: 16 bits that are filtered between texels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Texel {
    /// On every device.
    R16Float,
    /// Where [`super::Engine::has_16bit_norm`].
    R16Snorm,
}

impl Texel {
    pub(crate) const BYTES: u64 = 2;

    pub(super) const USAGE: wgpu::TextureUsages =
        wgpu::TextureUsages::TEXTURE_BINDING.union(wgpu::TextureUsages::COPY_DST);

    pub(super) fn format(self) -> wgpu::TextureFormat {
        match self {
            Self::R16Float => wgpu::TextureFormat::R16Float,
            Self::R16Snorm => wgpu::TextureFormat::R16Snorm,
        }
    }
}

/// A 3-D texture of one level.
#[derive(Clone, Debug)]
pub(crate) struct Texture(Arc<TextureMemory>);

#[derive(Debug)]
struct TextureMemory {
    raw: wgpu::Texture,
    view: wgpu::TextureView,
    _charge: Charge,
}

impl Texture {
    pub(super) fn new(raw: wgpu::Texture, charge: Charge) -> Self {
        let view = raw.create_view(&wgpu::TextureViewDescriptor::default());
        Self(Arc::new(TextureMemory { raw, view, _charge: charge }))
    }

    pub(super) fn raw(&self) -> &wgpu::Texture {
        &self.0.raw
    }

    pub(super) fn view(&self) -> &wgpu::TextureView {
        &self.0.view
    }

    /// Columns, rows and slices.
    pub(crate) fn size(&self) -> [u32; 3] {
        let size = self.0.raw.size();
        [size.width, size.height, size.depth_or_array_layers]
    }

    /// Binds it, to be sampled.
    pub(crate) fn bound(&self) -> Binding {
        Binding::Texture(self.clone())
    }
}

/// How a texture is read between its texels: linear within, the edge's value beyond.
#[derive(Clone, Debug)]
pub(crate) struct Sampler(pub(super) wgpu::Sampler);

impl Sampler {
    pub(crate) fn bound(&self) -> Binding {
        Binding::Sampler(self.clone())
    }
}
