
// Four voxels an invocation: each gets the label that its cell's state and its own density give it (State::label does the
// same). Labels lie four in a word, rows padded as the voxels are.

@group(0) @binding(0) var<uniform> turn: StructuresTurn;
@group(0) @binding(1) var<storage, read> hounsfield: array<u32>;
@group(0) @binding(2) var<storage, read> states: array<u32>;
@group(0) @binding(3) var<storage, read_write> labels: array<u32>;
@group(0) @binding(4) var<storage, read_write> counts: array<atomic<u32>>;

const BODY = 1u;
const RIGHT_LUNG = 2u;
const LEFT_LUNG = 3u;
const AIRWAY = 4u;
const BONE = 5u;
const FAT = 6u;
const LEAN = 7u;

var<workgroup> counted: array<atomic<u32>, 8>;

fn may_be(state: u32, structure: u32) -> bool {
    return (state & (0x100u << structure)) != 0u;
}

fn label(state: u32, hounsfield: i32) -> u32 {
    let certain = state & 0xFFu;
    if certain > BODY { return certain; }
    if may_be(state, AIRWAY) && hounsfield < -900 { return AIRWAY; }
    if may_be(state, BONE) && hounsfield >= 110 { return BONE; }
    if may_be(state, RIGHT_LUNG) && hounsfield < -400 { return RIGHT_LUNG; }
    if may_be(state, LEFT_LUNG) && hounsfield < -400 { return LEFT_LUNG; }
    if certain == 0u && !(may_be(state, BODY) && hounsfield >= -300) { return 0u; }
    if hounsfield >= -190 && hounsfield <= -30 { return FAT; }
    if hounsfield >= -29 && hounsfield <= 150 { return LEAN; }
    return BODY;
}

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let word = id.y * groups.x * 64u + id.x;
    let row_quads = turn.row_words / 2u;
    if word < row_quads * turn.rows * turn.slices {
        let quad = word % row_quads;
        let row = word / row_quads % turn.rows;
        let slice = word / row_quads / turn.rows;
        let line = ((turn.first_slice + slice) * turn.rows + row) * turn.row_words;
        let layer = ((slice + turn.before) / turn.depth * turn.cell_rows + row / turn.down) * turn.cell_columns;
        var four = 0u;
        for (var part = 0u; part < 4u; part++) {
            let column = quad * 4u + part;
            if column < turn.columns {
                let value = voxel(hounsfield[line + column / 2u], column);
                let found = label(states[layer + column / turn.across], value);
                four |= found << (part * 8u);
                atomicAdd(&counted[found], 1u);
            }
        }
        labels[word] = four;
    }
    workgroupBarrier();
    if lane < 8u {
        let count = atomicLoad(&counted[lane]);
        if count > 0u {
            atomicAdd(&counts[lane], count);
        }
    }
}
