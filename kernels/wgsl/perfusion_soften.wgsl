// One value an invocation: (1, 2, 1) / 4 of it and its two neighbours along one axis; at an edge the edge's own value
// stands for the neighbour it lacks. Passes lie one behind the other, so no axis reaches from one into the next.

struct Softening {
    values: u32,
    // Values from one neighbour to the next, and how many lie along the axis.
    stride: u32,
    count: u32,
}

@group(0) @binding(0) var<uniform> axis: Softening;
@group(0) @binding(1) var<storage, read> hard: array<f32>;
@group(0) @binding(2) var<storage, read_write> soft: array<f32>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.y * groups.x * WORKGROUP + id.x;
    if at >= axis.values {
        return;
    }
    let place = at / axis.stride % axis.count;
    let here = hard[at];
    var before = here;
    if place > 0u {
        before = hard[at - axis.stride];
    }
    var after = here;
    if place + 1u < axis.count {
        after = hard[at + axis.stride];
    }
    soft[at] = 0.25 * (before + 2.0 * here + after);
}
