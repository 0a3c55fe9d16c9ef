// One value an invocation: the sum of its neighbours along a row or a column, each with its weight. Weights need not
// add up to one, since the brain is smoothed with the same and divided by.

struct Line {
    columns: u32,
    rows: u32,
    values: u32,
    // Whether neighbours lie in the column, not in the row.
    down: u32,
    // Neighbours on either side.
    reach: u32,
}

@group(0) @binding(0) var<uniform> line: Line;
// From the middle outwards.
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> sharp: array<f32>;
@group(0) @binding(3) var<storage, read_write> smoothed: array<f32>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.y * groups.x * WORKGROUP + id.x;
    if at >= line.values {
        return;
    }
    let column = at % line.columns;
    let row = at / line.columns % line.rows;
    let place = select(column, row, line.down != 0u);
    let count = select(line.columns, line.rows, line.down != 0u);
    let stride = select(1u, line.columns, line.down != 0u);
    var sum = sharp[at] * weights[0];
    for (var distance = 1u; distance <= line.reach; distance++) {
        if place >= distance {
            sum += weights[distance] * sharp[at - distance * stride];
        }
        if place + distance < count {
            sum += weights[distance] * sharp[at + distance * stride];
        }
    }
    smoothed[at] = sum;
}
