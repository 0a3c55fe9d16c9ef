
// One bit a pixel: inside the region and at or over the threshold. A workgroup makes 256 words: neighbouring
// invocations read neighbouring voxels, eight each, four times. Every piece becomes a tree of its own.

struct NodeCounts {
    nodes: atomic<u32>,
    records: u32,
    lesions: u32,
    fragments: u32,
}

@group(0) @binding(0) var<uniform> turn: Turn;
// Eight voxels, the earlier in the lower halves.
@group(0) @binding(1) var<storage, read> hounsfield: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> region: array<u32>;
@group(0) @binding(3) var<storage, read_write> mask: array<u32>;
@group(0) @binding(4) var<storage, read_write> first_nodes: array<u32>;
@group(0) @binding(5) var<storage, read_write> parents: array<u32>;
@group(0) @binding(6) var<storage, read_write> places: array<u32>;
@group(0) @binding(7) var<storage, read_write> counts: NodeCounts;

var<workgroup> inside: array<u32, 256>;
var<workgroup> bytes: array<u32, 1024>;
var<workgroup> group_nodes: atomic<u32>;
var<workgroup> group_first: u32;

fn pair_over(pair: u32) -> u32 {
    let low = extractBits(bitcast<i32>(pair), 0u, 16u) >= turn.threshold_hu;
    let high = extractBits(bitcast<i32>(pair), 16u, 16u) >= turn.threshold_hu;
    return select(0u, 1u, low) | select(0u, 2u, high);
}

fn eight_over(voxels: vec4<u32>) -> u32 {
    return pair_over(voxels.x) | pair_over(voxels.y) << 2u | pair_over(voxels.z) << 4u | pair_over(voxels.w) << 6u;
}

@compute @workgroup_size(256)
fn main(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let group_word = (group.y * groups.x + group.x) * 256u;
    let word = group_word + lane;
    var here = 0u;
    if word < turn.words {
        here = region[turn.first_word + word];
    }
    inside[lane] = here;
    workgroupBarrier();
    let none = vec4<u32>(0u);
    // All four are asked for before the first is looked at.
    let first_part = (turn.first_word + group_word) * 4u;
    var a = none;
    var b = none;
    var c = none;
    var d = none;
    if inside[lane / 4u] != 0u { a = hounsfield[first_part + lane]; }
    if inside[lane / 4u + 64u] != 0u { b = hounsfield[first_part + lane + 256u]; }
    if inside[lane / 4u + 128u] != 0u { c = hounsfield[first_part + lane + 512u]; }
    if inside[lane / 4u + 192u] != 0u { d = hounsfield[first_part + lane + 768u]; }
    bytes[lane] = eight_over(a);
    bytes[lane + 256u] = eight_over(b);
    bytes[lane + 512u] = eight_over(c);
    bytes[lane + 768u] = eight_over(d);
    workgroupBarrier();
    let first_byte = lane * 4u;
    let over = bytes[first_byte] | bytes[first_byte + 1u] << 8u | bytes[first_byte + 2u] << 16u
        | bytes[first_byte + 3u] << 24u;
    let bits = over & here;
    let pieces = countOneBits(starts_of(bits));
    var place = 0u;
    if pieces > 0u {
        place = atomicAdd(&group_nodes, pieces);
    }
    workgroupBarrier();
    if lane == 0u {
        let nodes = atomicLoad(&group_nodes);
        if nodes > 0u {
            group_first = atomicAdd(&counts.nodes, nodes);
        }
    }
    workgroupBarrier();
    if word < turn.words {
        mask[word] = bits;
        if pieces > 0u {
            let first = group_first + place;
            first_nodes[word] = first;
            var starts = starts_of(bits);
            for (var node = first; node < min(first + pieces, turn.node_capacity); node++) {
                parents[node] = node;
                places[node] = word * 32u + firstTrailingBit(starts);
                starts &= starts - 1u;
            }
        }
    }
}
