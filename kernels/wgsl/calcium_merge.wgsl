
// Joins the trees of pieces that touch: to the left, and above with both corners (8-connectivity). Rows of different
// slices never touch.
//
// Label equivalence with atomicMin (Playne and Hawick 2018): a parent is never larger than its child, so every walk
// ends, whatever the order of the invocations. Nobody waits for anybody.

@group(0) @binding(0) var<uniform> turn: Turn;
@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read> first_nodes: array<u32>;
@group(0) @binding(3) var<storage, read_write> parents: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read> places: array<u32>;
@group(0) @binding(5) var<storage, read> counts: Counts;

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

fn join_last_piece(node: u32, word: u32) {
    let bits = mask[word];
    if bits >> 31u == 1u {
        join(node, first_nodes[word] + rank_of(bits, 31u));
    }
}

// Joins a piece of `word` with the pieces of the word above and of its two neighbours.
fn join_above(node: u32, word: u32, piece: u32, in_row: u32) {
    let above = word - turn.words_per_row;
    let bits = mask[above];
    var touched = bits & (piece | piece << 1u | piece >> 1u);
    while touched != 0u {
        let bit = firstTrailingBit(touched);
        join(node, first_nodes[above] + rank_of(bits, bit));
        // Adding inside a run carries into the gap behind it, which clears the rest of the run.
        touched &= bits + (1u << bit);
    }
    if (piece & 1u) == 1u && in_row > 0u {
        join_last_piece(node, above - 1u);
    }
    if piece >> 31u == 1u && in_row + 1u < turn.words_per_row && (mask[above + 1u] & 1u) == 1u {
        join(node, first_nodes[above + 1u]);
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let nodes = select(0u, counts.nodes, counts.nodes <= turn.node_capacity);
    for (var node = id.x; node < nodes; node += groups.x * 64u) {
        let place = places[node];
        let word = place / 32u;
        let bit = place % 32u;
        let piece = piece_from(mask[word], bit);
        let in_row = word % turn.words_per_row;
        if bit == 0u && in_row > 0u {
            join_last_piece(node, word - 1u);
        }
        if word / turn.words_per_row % turn.rows > 0u {
            join_above(node, word, piece, in_row);
        }
    }
}
