// One voxel of one pass an invocation: its value inside the brain, zero outside. Behind the last pass comes the brain
// itself, one and zero, so that it is smoothed like a pass.

@group(0) @binding(4) var<storage, read> brain: array<u32>;
@group(0) @binding(5) var<storage, read_write> planes: array<f32>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.y * groups.x * WORKGROUP + id.x;
    let voxels = slab.columns * slab.rows * slab.turn_slices;
    if at >= voxels * (slab.passes + 1u) {
        return;
    }
    let pass_number = at / voxels;
    let voxel = at % voxels;
    let column = voxel % slab.columns;
    let line = voxel / slab.columns;
    let word = brain[line * ((slab.columns + 31u) / 32u) + column / 32u];
    if (word >> (column % 32u) & 1u) == 0u {
        planes[at] = 0.0;
    } else if pass_number == slab.passes {
        planes[at] = 1.0;
    } else {
        planes[at] = value(pass_number, column, line % slab.rows, slab.turn_first + line / slab.rows);
    }
}
