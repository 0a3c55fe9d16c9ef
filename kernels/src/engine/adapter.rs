//! Which Vulkan devices this machine has.

use super::ready;

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

    /// Names what compiled kernels belong to: another adapter, driver or version of ours has none of them.
    pub(crate) fn key(&self) -> String {
        let device = wgpu::util::pipeline_cache_key(&self.raw.get_info()).unwrap_or_default();
        format!("{device} {} {} {}", self.name, self.driver, env!("CARGO_PKG_VERSION"))
    }
}
