// Points every node straight at its root and gives every root a record. Which record is a matter of luck: the host
// sorts by root.

struct Slab {
    columns: u32,
    rows: u32,
    words_per_row: u32,
    words: u32,
    threshold_hu: i32,
}

// One connected component of one slice. Values are counted from the threshold, so none is negative.
struct Record {
    root: u32,
    pixels: u32,
    peak_over: u32,
    // Sums of the low and the high byte of the values: at most 2^24 pixels times 255 fit into 32 bits.
    low_sum: u32,
    high_sum: u32,
}

// Set in the parent of a root once it has a record; the rest is the record's number.
const HAS_RECORD = 0x80000000u;

@group(0) @binding(0) var<uniform> slab: Slab;
@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read_write> parents: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> record_count: atomic<u32>;
@group(0) @binding(4) var<storage, read_write> records: array<Record>;

fn find(node: u32) -> u32 {
    var at = node;
    var parent = atomicLoad(&parents[at]);
    while parent != at && parent < HAS_RECORD {
        at = parent;
        parent = atomicLoad(&parents[at]);
    }
    return at;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let word = id.y * groups.x * 64u + id.x;
    if word >= slab.words {
        return;
    }
    let bits = mask[word];
    for (var starts = bits & ~(bits << 1u); starts != 0u; starts &= starts - 1u) {
        let node = word * 32u + firstTrailingBit(starts);
        let root = find(node);
        if root == node {
            let number = atomicAdd(&record_count, 1u);
            records[number] = Record(root, 0u, 0u, 0u, 0u);
            atomicStore(&parents[node], HAS_RECORD | number);
        } else {
            atomicStore(&parents[node], root);
        }
    }
}
