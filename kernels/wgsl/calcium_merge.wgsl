// Joins the trees of pieces that touch: to the left, and above with both corners (8-connectivity). Rows of different
// slices never touch.
//
// Label equivalence with atomicMin (Playne and Hawick 2018): a parent is never larger than its child, so every walk
// ends and the root of a component is its first pixel, whatever the order of the invocations. Nobody waits for
// anybody.

struct Slab {
    columns: u32,
    rows: u32,
    words_per_row: u32,
    words: u32,
    threshold_hu: i32,
}

@group(0) @binding(0) var<uniform> slab: Slab;
@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read_write> parents: array<atomic<u32>>;

fn find(node: u32) -> u32 {
    var at = node;
    var parent = atomicLoad(&parents[at]);
    while parent != at {
        at = parent;
        parent = atomicLoad(&parents[at]);
    }
    return at;
}

fn join(one: u32, other: u32) {
    var a = find(one);
    var b = find(other);
    while a != b {
        let high = max(a, b);
        let low = min(a, b);
        let before = atomicMin(&parents[high], low);
        if before == high {
            return;
        }
        // Somebody else gave `high` a parent first. Only the lower of the two stays, so join the two.
        a = find(before);
        b = find(low);
    }
}

// First bit of the piece of `bits` that holds `bit`.
fn piece_start(bits: u32, bit: u32) -> u32 {
    let gaps = ~bits & ((1u << bit) - 1u);
    return select(firstLeadingBit(gaps) + 1u, 0u, gaps == 0u);
}

fn join_last_piece(node: u32, word: u32) {
    let bits = mask[word];
    if bits >> 31u == 1u {
        join(node, word * 32u + piece_start(bits, 31u));
    }
}

// Joins a piece of `word` with the pieces of the word above and of its two neighbours.
fn join_above(node: u32, word: u32, piece: u32, in_row: u32) {
    let above = word - slab.words_per_row;
    let bits = mask[above];
    var touched = bits & (piece | piece << 1u | piece >> 1u);
    while touched != 0u {
        let start = piece_start(bits, firstTrailingBit(touched));
        join(node, above * 32u + start);
        // Adding at the start of a run carries into the gap behind it, which clears the run.
        touched &= bits + (1u << start);
    }
    if (piece & 1u) == 1u && in_row > 0u {
        join_last_piece(node, above - 1u);
    }
    if piece >> 31u == 1u && in_row + 1u < slab.words_per_row && (mask[above + 1u] & 1u) == 1u {
        join(node, (above + 1u) * 32u);
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let word = id.y * groups.x * 64u + id.x;
    if word >= slab.words {
        return;
    }
    let in_row = word % slab.words_per_row;
    let row = word / slab.words_per_row % slab.rows;
    var rest = mask[word];
    while rest != 0u {
        let start = firstTrailingBit(rest);
        let beyond = rest & (rest + (1u << start));
        let piece = rest & ~beyond;
        rest = beyond;
        let node = word * 32u + start;
        if start == 0u && in_row > 0u {
            join_last_piece(node, word - 1u);
        }
        if row > 0u {
            join_above(node, word, piece, in_row);
        }
    }
}
