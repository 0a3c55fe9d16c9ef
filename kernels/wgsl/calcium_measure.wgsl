
// Adds every piece to the record of its component. All integer, so the order of the additions does not show.

// A record that everybody adds to.
struct Sums {
    first: atomic<u32>,
    pixels: atomic<u32>,
    peak_over: atomic<u32>,
    low_sum: atomic<u32>,
    high_sum: atomic<u32>,
}

@group(0) @binding(0) var<uniform> turn: Turn;
// Two voxels a word, the earlier in the low half.
@group(0) @binding(1) var<storage, read> hounsfield: array<u32>;
@group(0) @binding(2) var<storage, read> mask: array<u32>;
@group(0) @binding(3) var<storage, read> parents: array<u32>;
@group(0) @binding(4) var<storage, read> places: array<u32>;
@group(0) @binding(5) var<storage, read_write> records: array<Sums>;
@group(0) @binding(6) var<storage, read> counts: Counts;

fn hounsfield_at(voxel: u32) -> i32 {
    return extractBits(bitcast<i32>(hounsfield[voxel >> 1u]), (voxel & 1u) * 16u, 16u);
}

fn record_of(node: u32) -> u32 {
    var parent = parents[node];
    if parent < HAS_RECORD {
        parent = parents[parent];
    }
    return parent & ~HAS_RECORD;
}

fn add(record: u32, place: u32) {
    let pixels = countOneBits(piece_from(mask[place / 32u], place % 32u));
    let first = turn.first_word * 32u + place;
    var peak_over = 0u;
    var low_sum = 0u;
    var high_sum = 0u;
    for (var voxel = first; voxel < first + pixels; voxel++) {
        let over = u32(hounsfield_at(voxel) - turn.threshold_hu);
        peak_over = max(peak_over, over);
        low_sum += over & 0xffu;
        high_sum += over >> 8u;
    }
    atomicMin(&records[record].first, place);
    atomicAdd(&records[record].pixels, pixels);
    atomicMax(&records[record].peak_over, peak_over);
    atomicAdd(&records[record].low_sum, low_sum);
    atomicAdd(&records[record].high_sum, high_sum);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let fits = counts.nodes <= turn.node_capacity && counts.records <= turn.record_capacity;
    let nodes = select(0u, counts.nodes, fits);
    for (var node = id.x; node < nodes; node += groups.x * 64u) {
        add(record_of(node), places[node]);
    }
}
