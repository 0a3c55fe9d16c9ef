// Reads and writes as fast as the memory goes: what other kernels are measured against.

@group(0) @binding(0) var<storage, read> original: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> copied: array<vec4<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let quad = id.y * groups.x * 256u + id.x;
    if quad < arrayLength(&original) {
        copied[quad] = original[quad];
    }
}
