//! The only unsafe code: what Vulkan knows and wgpu does not say, asked through wgpu's own handles.

use std::ptr::NonNull;

use ash::vk;

use crate::engine::unsealed;

/// Bytes that this process may use now in the largest heap of the device's own memory (VK_EXT_memory_budget), else
/// that heap's size; `None` when the adapter has no such heap.
pub(crate) fn memory_budget_bytes(adapter: &wgpu::Adapter) -> Option<u64> {
    // SAFETY: the handle is only read from, and the guard keeps the adapter alive meanwhile.
    let adapter = unsafe { adapter.as_hal::<wgpu::hal::api::Vulkan>() }?;
    let instance = adapter.shared_instance().raw_instance();
    let device = adapter.raw_physical_device();
    // SAFETY: `device` belongs to `instance`, and the guard keeps both alive.
    let device_version = unsafe { instance.get_physical_device_properties(device) }.api_version;
    let version = device_version.min(adapter.shared_instance().instance_api_version());
    let mut budget = vk::PhysicalDeviceMemoryBudgetPropertiesEXT::default();
    let has_budget = version >= vk::API_VERSION_1_1
        && adapter.physical_device_capabilities().supports_extension(ash::ext::memory_budget::NAME);
    let memory = if has_budget {
        let mut properties = vk::PhysicalDeviceMemoryProperties2::default().push_next(&mut budget);
        // SAFETY: as above; the call is core in Vulkan 1.1 and the chained structure is of a supported extension.
        unsafe { instance.get_physical_device_memory_properties2(device, &mut properties) };
        properties.memory_properties
    } else {
        // SAFETY: as above; the call is core in Vulkan 1.0.
        unsafe { instance.get_physical_device_memory_properties(device) }
    };
    let heaps = memory.memory_heaps_as_slice().iter().enumerate();
    let own = heaps.filter(|(_, heap)| heap.flags.contains(vk::MemoryHeapFlags::DEVICE_LOCAL));
    own.map(|(index, heap)| if has_budget { budget.heap_budget[index] } else { heap.size }).max()
}

/// What the driver keeps of what it compiles, begun with what it kept at an earlier start where `saved` is whole and of
/// the adapter that `key` names.
pub(crate) fn pipeline_cache(device: &wgpu::Device, key: &str, saved: &[u8]) -> wgpu::PipelineCache {
    let data = unsealed(key, saved);
    let description =
        wgpu::PipelineCacheDescriptor { label: Some("sidelight kernels"), data, fallback: true };
    // SAFETY: the data is none, or what `get_data` handed out on this adapter, driver and version: its seal, digest and
    // length have just been compared. wgpu and the driver compare their own headers once more.
    unsafe { device.create_pipeline_cache(&description) }
}

/// Memory of the processor that the device copies from, mapped for good.
///
/// wgpu's own mapped buffers lie in the device's memory where the processor can reach that, and there processors write
/// at 13 GB/s however many they are (measured, 16 cores, H100). This lies in the processor's memory and the device
/// fetches it.
#[derive(Debug)]
pub(crate) struct HostMemory {
    buffer: wgpu::Buffer,
    mapped: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value alone, and nothing about it is bound to a thread.
unsafe impl Send for HostMemory {}

impl HostMemory {
    /// `None` when the device refuses.
    pub(crate) fn new(device: &wgpu::Device, bytes: usize) -> Option<Self> {
        let size = bytes as u64;
        // SAFETY: the handle is used to create objects, none is destroyed, and the guard keeps the device alive.
        let hal = unsafe { device.as_hal::<wgpu::hal::api::Vulkan>() }?;
        let raw = hal.raw_device();
        let description = vk::BufferCreateInfo::default()
            .size(size)
            .usage(vk::BufferUsageFlags::TRANSFER_SRC)
            .sharing_mode(vk::SharingMode::EXCLUSIVE);
        // SAFETY: the device is alive and the description whole.
        let buffer = unsafe { raw.create_buffer(&description, None) }.ok()?;
        // SAFETY: `buffer` was just made by this device.
        let needs = unsafe { raw.get_buffer_memory_requirements(buffer) };
        let instance = hal.shared_instance().raw_instance();
        // SAFETY: the physical device belongs to the instance.
        let types = unsafe { instance.get_physical_device_memory_properties(hal.raw_physical_device()) };
        let allocated = host_type(&types, needs.memory_type_bits).and_then(|index| {
            let wanted =
                vk::MemoryAllocateInfo::default().allocation_size(needs.size).memory_type_index(index);
            // SAFETY: the type is one of the device's, host visible and coherent; buffer and memory are fresh.
            unsafe {
                let memory = raw.allocate_memory(&wanted, None).ok()?;
                let mapped = raw
                    .bind_buffer_memory(buffer, memory, 0)
                    .and_then(|()| raw.map_memory(memory, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty()));
                let mapped = mapped.ok().and_then(|at| NonNull::new(at.cast::<u8>()));
                if mapped.is_none() {
                    raw.free_memory(memory, None);
                }
                mapped.map(|mapped| (memory, mapped))
            }
        });
        let Some((memory, mapped)) = allocated else {
            // SAFETY: nobody else has seen it.
            unsafe { raw.destroy_buffer(buffer, None) };
            return None;
        };
        // SAFETY: zeroes make the fresh mapping of at least `bytes` initialized; buffer and memory are handed over
        // to wgpu, which frees both when the last handle goes. Freeing ends the mapping.
        let buffer = unsafe {
            mapped.as_ptr().write_bytes(0, bytes);
            let owned = wgpu::hal::vulkan::Buffer::from_raw_managed(buffer, memory, 0, size);
            device.create_buffer_from_hal::<wgpu::hal::api::Vulkan>(
                owned,
                &wgpu::BufferDescriptor {
                    label: Some("staging"),
                    size,
                    usage: wgpu::BufferUsages::COPY_SRC,
                    mapped_at_creation: false,
                },
            )
        };
        Some(Self { buffer, mapped, bytes })
    }

    /// What the device copies from.
    pub(crate) fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }

    /// The device only reads it: who writes while it does spoils the copy and nothing else.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is of at least so many bytes, initialized, as long-lived as `buffer`, which this value
        // holds, and reached through this value only.
        unsafe { std::slice::from_raw_parts_mut(self.mapped.as_ptr(), self.bytes) }
    }
}

/// A memory type among `allowed` that the processor can write without flushing: outside the device's own memory where
/// there is such, and cached.
fn host_type(types: &vk::PhysicalDeviceMemoryProperties, allowed: u32) -> Option<u32> {
    let must = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
    let fits = (0..)
        .zip(types.memory_types_as_slice())
        .filter(|(index, kind)| allowed >> index & 1 == 1 && kind.property_flags.contains(must));
    let worst_last = |kind: &vk::MemoryType| {
        let far = kind.property_flags.contains(vk::MemoryPropertyFlags::DEVICE_LOCAL);
        let uncached = !kind.property_flags.contains(vk::MemoryPropertyFlags::HOST_CACHED);
        (far, uncached)
    };
    fits.min_by_key(|(_, kind)| worst_last(kind)).map(|(index, _)| index)
}
