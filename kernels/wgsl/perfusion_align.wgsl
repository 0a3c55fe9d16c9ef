// What the points of the reference say about the poses of some passes: a workgroup looks at 1024 points of one pass,
// sixteen an invocation, and adds up the normal equations of a Gauss-Newton step. How large the differences are is
// counted in bins; the middle of them is the measure of the next step.

struct LevelUniform {
    columns: u32,
    rows: u32,
    slices: u32,
    points: u32,
    // Workgroups of a pass.
    groups: u32,
}

// A steep point of the reference: where it is, what it is, and how it changes with the six numbers of a pose.
struct Point {
    mm: array<f32, 3>,
    hu: f32,
    slopes: array<f32, 6>,
}

// Voxels of the level from mm of the reference, three rows over (x, y, z, 1).
struct Placed {
    x: vec4<f32>,
    y: vec4<f32>,
    z: vec4<f32>,
    // The middle difference of the step before.
    usual_hu: f32,
    pass_number: u32,
}

@group(0) @binding(0) var<uniform> level: LevelUniform;
@group(0) @binding(1) var<storage, read> points: array<Point>;
@group(0) @binding(2) var<storage, read> places: array<Placed>;
@group(0) @binding(3) var<storage, read> values: array<f32>;
// Place by place, workgroup by workgroup: 21 of the normal matrix, 6 of the right side.
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> differences: array<atomic<u32>>;

const WORKGROUP = 64u;
const POINTS_AN_INVOCATION = 16u;
const SUMS = 27u;
const BINS = 1024u;
const BINS_PER_HU = 4.0;

var<workgroup> shares: array<f32, 1728>;
var<workgroup> bins: array<atomic<u32>, 1024>;

fn between(first: u32, at: vec3<f32>) -> f32 {
    let low = vec3<u32>(at);
    let part = at - vec3<f32>(low);
    let right = select(0u, 1u, low.x + 1u < level.columns);
    let down = select(0u, level.columns, low.y + 1u < level.rows);
    let plane = level.columns * level.rows;
    let deep = select(0u, plane, low.z + 1u < level.slices);
    let near = first + low.x + low.y * level.columns + low.z * plane;
    let far = near + deep;
    let lines = vec4<f32>(values[near], values[near + down], values[far], values[far + down]);
    let ends = vec4<f32>(
        values[near + right],
        values[near + down + right],
        values[far + right],
        values[far + down + right],
    );
    let line = lines + part.x * (ends - lines);
    let planes = line.xz + part.y * (line.yw - line.xz);
    return planes.x + part.z * (planes.y - planes.x);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let place = places[group.y];
    let size = vec3<f32>(f32(level.columns), f32(level.rows), f32(level.slices));
    let first = place.pass_number * level.columns * level.rows * level.slices;
    let full = 2.0 * place.usual_hu;
    var own: array<f32, 27>;
    for (var turn = 0u; turn < POINTS_AN_INVOCATION; turn++) {
        let number = (group.x * POINTS_AN_INVOCATION + turn) * WORKGROUP + lane;
        if number >= level.points {
            break;
        }
        let mm = vec4<f32>(points[number].mm[0], points[number].mm[1], points[number].mm[2], 1.0);
        let at = vec3<f32>(dot(place.x, mm), dot(place.y, mm), dot(place.z, mm));
        // Half a voxel beyond the outermost centres is still inside the outermost voxels.
        if any(at < vec3<f32>(-0.5)) || any(at > size - 0.5) {
            continue;
        }
        let difference = between(first, clamp(at, vec3<f32>(0.0), size - 1.0)) - points[number].hu;
        atomicAdd(&bins[min(u32(abs(difference) * BINS_PER_HU), BINS - 1u)], 1u);
        let weight = select(1.0, full / abs(difference), abs(difference) > full);
        let slopes = points[number].slopes;
        var entry = 0u;
        for (var row = 0u; row < 6u; row++) {
            let weighted = weight * slopes[row];
            own[21u + row] += weighted * difference;
            for (var column = row; column < 6u; column++) {
                own[entry] += weighted * slopes[column];
                entry++;
            }
        }
    }
    for (var entry = 0u; entry < SUMS; entry++) {
        shares[lane * SUMS + entry] = own[entry];
    }
    workgroupBarrier();
    if lane < SUMS {
        var sum = 0.0;
        for (var other = 0u; other < WORKGROUP; other++) {
            sum += shares[other * SUMS + lane];
        }
        sums[(group.y * level.groups + group.x) * SUMS + lane] = sum;
    }
    for (var bin = lane; bin < BINS; bin += WORKGROUP) {
        let count = atomicLoad(&bins[bin]);
        if count > 0u {
            atomicAdd(&differences[group.y * BINS + bin], count);
        }
    }
}
