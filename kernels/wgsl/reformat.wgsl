// One pixel of a slab an invocation; its twin is kernels/src/cpu/reformat.rs.

struct Cut {
    dimensions: vec4<u32>,
    columns: u32,
    rows: u32,
    samples: u32,
    projection: u32,
}

struct Row {
    start: vec4<f32>,
    across: vec4<f32>,
    through: vec4<f32>,
}

@group(0) @binding(0) var<uniform> slab: Cut;
@group(0) @binding(1) var volume: texture_3d<f32>;
@group(0) @binding(2) var linear: sampler;
@group(0) @binding(3) var<storage, read> rows: array<Row>;
@group(0) @binding(4) var<storage, read_write> values: array<i32>;

const MAXIMUM = 1u;
const MINIMUM = 2u;
const OUTSIDE = -32768;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= slab.columns || id.y >= slab.rows) {
        return;
    }
    let row = rows[id.y];
    let size = vec3<f32>(slab.dimensions.xyz);
    var least = 3.4e38;
    var largest = -3.4e38;
    var sum = 0.0;
    var count = 0.0;
    for (var sample = 0u; sample < slab.samples; sample++) {
        let at = row.start.xyz + f32(id.x) * row.across.xyz + f32(sample) * row.through.xyz;
        if (any(at < vec3<f32>(-0.5)) || any(at > size - 0.5)) {
            continue;
        }
        let spot = floor(at * 256.0 + 0.5) / 256.0;
        // 16-bit signed normalised: whole values come back whole.
        let value = textureSampleLevel(volume, linear, (spot + 0.5) / size, 0.0).x * 32767.0;
        least = min(least, value);
        largest = max(largest, value);
        sum += value;
        count += 1.0;
    }
    var found = f32(OUTSIDE);
    if (count > 0.0) {
        if (slab.projection == MAXIMUM) {
            found = largest;
        } else if (slab.projection == MINIMUM) {
            found = least;
        } else {
            found = sum / count;
        }
    }
    values[id.y * slab.columns + id.x] = i32(floor(found + 0.5));
}
