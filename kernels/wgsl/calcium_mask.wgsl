// One bit a pixel: inside the region and at or over the threshold. One invocation makes one word of 32 columns
// and starts a tree of its own for each piece, a run of set bits within the word.

struct Slab {
    columns: u32,
    rows: u32,
    words_per_row: u32,
    words: u32,
    threshold_hu: i32,
}

@group(0) @binding(0) var<uniform> slab: Slab;
// Two values a word, the earlier in the low half.
@group(0) @binding(1) var<storage, read> hounsfield: array<u32>;
@group(0) @binding(2) var<storage, read> region: array<u32>;
@group(0) @binding(3) var<storage, read_write> mask: array<u32>;
// A node of the forest is the first pixel of a piece, named word * 32 + bit. Elsewhere parents hold nothing.
@group(0) @binding(4) var<storage, read_write> parents: array<u32>;

fn hounsfield_at(pixel: u32) -> i32 {
    return extractBits(bitcast<i32>(hounsfield[pixel >> 1u]), (pixel & 1u) * 16u, 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let word = id.y * groups.x * 64u + id.x;
    if word >= slab.words {
        return;
    }
    let inside = region[word];
    var bits = 0u;
    if inside != 0u {
        let first_column = word % slab.words_per_row * 32u;
        let first = word / slab.words_per_row * slab.columns + first_column;
        let pixels = min(32u, slab.columns - first_column);
        for (var bit = 0u; bit < pixels; bit++) {
            bits |= select(0u, 1u << bit, hounsfield_at(first + bit) >= slab.threshold_hu);
        }
        bits &= inside;
    }
    mask[word] = bits;
    for (var starts = bits & ~(bits << 1u); starts != 0u; starts &= starts - 1u) {
        let node = word * 32u + firstTrailingBit(starts);
        parents[node] = node;
    }
}
