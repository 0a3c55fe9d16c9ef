// Adds every piece to the record of its component. All integer, so the order of the additions does not show.

struct Slab {
    columns: u32,
    rows: u32,
    words_per_row: u32,
    words: u32,
    threshold_hu: i32,
}

// As in calcium_flatten.
struct Record {
    root: u32,
    pixels: atomic<u32>,
    peak_over: atomic<u32>,
    low_sum: atomic<u32>,
    high_sum: atomic<u32>,
}

const HAS_RECORD = 0x80000000u;

@group(0) @binding(0) var<uniform> slab: Slab;
@group(0) @binding(1) var<storage, read> hounsfield: array<u32>;
@group(0) @binding(2) var<storage, read> mask: array<u32>;
@group(0) @binding(3) var<storage, read> parents: array<u32>;
@group(0) @binding(4) var<storage, read_write> records: array<Record>;

fn hounsfield_at(pixel: u32) -> i32 {
    return extractBits(bitcast<i32>(hounsfield[pixel >> 1u]), (pixel & 1u) * 16u, 16u);
}

fn record_of(node: u32) -> u32 {
    var parent = parents[node];
    if parent < HAS_RECORD {
        parent = parents[parent];
    }
    return parent & ~HAS_RECORD;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let word = id.y * groups.x * 64u + id.x;
    if word >= slab.words {
        return;
    }
    let first = word / slab.words_per_row * slab.columns + word % slab.words_per_row * 32u;
    var rest = mask[word];
    while rest != 0u {
        let start = firstTrailingBit(rest);
        let beyond = rest & (rest + (1u << start));
        let pixels = countOneBits(rest & ~beyond);
        rest = beyond;

        var peak_over = 0u;
        var low_sum = 0u;
        var high_sum = 0u;
        for (var bit = start; bit < start + pixels; bit++) {
            let over = u32(hounsfield_at(first + bit) - slab.threshold_hu);
            peak_over = max(peak_over, over);
            low_sum += over & 0xffu;
            high_sum += over >> 8u;
        }
        let record = record_of(word * 32u + start);
        atomicAdd(&records[record].pixels, pixels);
        atomicMax(&records[record].peak_over, peak_over);
        atomicAdd(&records[record].low_sum, low_sum);
        atomicAdd(&records[record].high_sum, high_sum);
    }
}
