// One value of the coarser level an invocation: the mean of a block of the finer one, of each pass in turn.

struct Halving {
    // Of all passes on the coarser level.
    values: u32,
    columns: u32,
    rows: u32,
    slices: u32,
    from_columns: u32,
    from_rows: u32,
    from_slices: u32,
    // Size of a block.
    across: u32,
    down: u32,
    deep: u32,
}

@group(0) @binding(0) var<uniform> level: Halving;
@group(0) @binding(1) var<storage, read> finer: array<f32>;
@group(0) @binding(2) var<storage, read_write> coarser: array<f32>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.y * groups.x * WORKGROUP + id.x;
    if at >= level.values {
        return;
    }
    let column = at % level.columns * level.across;
    let row = at / level.columns % level.rows * level.down;
    let layer = at / (level.columns * level.rows);
    let pass_number = layer / level.slices;
    let slice = layer % level.slices * level.deep;
    let share = 1.0 / f32(level.across * level.down * level.deep);
    var mean = 0.0;
    for (var z = 0u; z < level.deep; z++) {
        for (var y = 0u; y < level.down; y++) {
            let plane = pass_number * level.from_slices + slice + z;
            let first = (plane * level.from_rows + row + y) * level.from_columns + column;
            var sum = 0.0;
            for (var x = 0u; x < level.across; x++) {
                sum += finer[first + x];
            }
            mean += sum * share;
        }
    }
    coarser[at] = mean;
}
