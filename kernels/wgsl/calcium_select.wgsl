
// Keeps the components that are large enough and counts the others: noise makes a hundred fragments for each lesion,
// and none of them needs to leave the device.

struct LesionCounts {
    nodes: u32,
    records: u32,
    lesions: atomic<u32>,
    fragments: atomic<u32>,
}

@group(0) @binding(0) var<uniform> turn: Turn;
@group(0) @binding(1) var<storage, read> records: array<Record>;
@group(0) @binding(2) var<storage, read_write> lesions: array<Record>;
@group(0) @binding(3) var<storage, read_write> counts: LesionCounts;

var<workgroup> group_fragments: atomic<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    var all = counts.records;
    if counts.nodes > turn.node_capacity || all > turn.record_capacity {
        all = 0u;
    }
    var fragments = 0u;
    for (var number = id.x; number < all; number += groups.x * 64u) {
        if records[number].pixels >= turn.minimum_pixels {
            let place = atomicAdd(&counts.lesions, 1u);
            if place < turn.lesion_capacity {
                lesions[place] = records[number];
            }
        } else {
            fragments++;
        }
    }
    if fragments > 0u {
        atomicAdd(&group_fragments, fragments);
    }
    workgroupBarrier();
    if lane == 0u && atomicLoad(&group_fragments) > 0u {
        atomicAdd(&counts.fragments, atomicLoad(&group_fragments));
    }
}
