
// One cell an invocation: the sum of its voxels within the turn, and the highest of them.

@group(0) @binding(0) var<uniform> turn: StructuresTurn;
@group(0) @binding(1) var<storage, read> hounsfield: array<u32>;
@group(0) @binding(2) var<storage, read_write> sums: array<i32>;
@group(0) @binding(3) var<storage, read_write> peaks: array<i32>;

// Nothing is darker than air.
const LOWEST_HU = -1024;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let cell = id.y * groups.x * 64u + id.x;
    if cell >= turn.cell_columns * turn.cell_rows * turn.layers {
        return;
    }
    let x = cell % turn.cell_columns;
    let y = cell / turn.cell_columns % turn.cell_rows;
    let z = cell / turn.cell_columns / turn.cell_rows;
    // Slices are counted from the first layer's first, which may lie before the turn.
    let first = max(z * turn.depth, turn.before) - turn.before;
    let end = min((z + 1u) * turn.depth - turn.before, turn.slices);
    var sum = 0;
    var peak = -32768;
    for (var slice = first; slice < end; slice++) {
        for (var row = y * turn.down; row < min((y + 1u) * turn.down, turn.rows); row++) {
            let line = ((turn.first_slice + slice) * turn.rows + row) * turn.row_words;
            for (var column = x * turn.across; column < min((x + 1u) * turn.across, turn.columns); column++) {
                let value = voxel(hounsfield[line + column / 2u], column);
                sum += max(value, LOWEST_HU);
                peak = max(peak, value);
            }
        }
    }
    sums[cell] = sum;
    peaks[cell] = peak;
}
