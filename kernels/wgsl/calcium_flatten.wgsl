
// Points every node straight at its root and gives every root a record. Which record is a matter of luck: the host
// sorts by first pixel.

struct RecordCounts {
    nodes: u32,
    records: atomic<u32>,
    lesions: u32,
    fragments: u32,
}

@group(0) @binding(0) var<uniform> turn: Turn;
@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read> first_nodes: array<u32>;
@group(0) @binding(3) var<storage, read_write> parents: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> records: array<Record>;
@group(0) @binding(5) var<storage, read_write> counts: RecordCounts;

var<workgroup> group_roots: atomic<u32>;
var<workgroup> group_first: u32;

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
    let word = (group.y * groups.x + group.x) * 256u + lane;
    var first = 0u;
    var pieces = 0u;
    if word < turn.words && counts.nodes <= turn.node_capacity {
        pieces = countOneBits(starts_of(mask[word]));
        first = first_nodes[word];
    }
    var roots = 0u;
    for (var node = first; node < first + pieces; node++) {
        let root = find(node);
        if root == node {
            roots++;
        } else {
            atomicStore(&parents[node], root);
        }
    }
    var place = 0u;
    if roots > 0u {
        place = atomicAdd(&group_roots, roots);
    }
    workgroupBarrier();
    if lane == 0u {
        let all = atomicLoad(&group_roots);
        if all > 0u {
            group_first = atomicAdd(&counts.records, all);
        }
    }
    workgroupBarrier();
    var number = group_first + place;
    for (var node = first; node < first + pieces && roots > 0u; node++) {
        if atomicLoad(&parents[node]) == node {
            if number < turn.record_capacity {
                records[number] = Record(0xffffffffu, 0u, 0u, 0u, 0u);
            }
            atomicStore(&parents[node], HAS_RECORD | number);
            number++;
        }
    }
}
