//! The only unsafe code: what Vulkan knows and wgpu does not say, asked through wgpu's own handles.

use ash::vk;

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
