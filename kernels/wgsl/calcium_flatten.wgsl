
// Points every node straight at its root and gives every root a record. Which record is a matter of luck: the host
// sorts by first pixel.

struct RecordCounts {
    nodes: u32,
    records: atomic<u32>,
    lesions: u32,
    fragments: u32,
}

@group(0) @binding(0) var<uniform> turn: Turn;
@group(0) @binding(1) var<storage, read_write> parents: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> records: array<Record>;
@group(0) @binding(3) var<storage, read_write> counts: RecordCounts;

var<workgroup> group_roots: atomic<u32>;
var<workgroup> group_first: u32;
var<workgroup> nodes: u32;

fn find(node: u32) -> u32 {
    var at = node;
    var parent = atomicLoad(&parents[at]);
    while parent != at && parent < HAS_RECORD {
        at = parent;
        parent = atomicLoad(&parents[at]);
    }
    return at;
}

@compute @workgroup_size(256)
fn main(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    if lane == 0u {
        nodes = select(0u, counts.nodes, counts.nodes <= turn.node_capacity);
    }
    let all = workgroupUniformLoad(&nodes);
    for (var first = group.x * 256u; first < all; first += groups.x * 256u) {
        let node = first + lane;
        var is_root = false;
        var place = 0u;
        if node < all {
            let root = find(node);
            is_root = root == node;
            if is_root {
                place = atomicAdd(&group_roots, 1u);
            } else {
                atomicStore(&parents[node], root);
            }
        }
        workgroupBarrier();
        if lane == 0u {
            group_first = atomicAdd(&counts.records, atomicExchange(&group_roots, 0u));
        }
        let number = workgroupUniformLoad(&group_first) + place;
        if is_root {
            if number < turn.record_capacity {
                records[number] = Record(0xffffffffu, 0u, 0u, 0u, 0u);
            }
            atomicStore(&parents[node], HAS_RECORD | number);
        }
    }
}
