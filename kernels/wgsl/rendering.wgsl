// One ray a pixel through a volume; its twin is kernels/src/cpu/rendering.rs.
//
// Four samples of a ray at once: their fetches are under way together, and the cell of the first speaks for all. One that
// lies in the next cell already is a sample like any other, leapt over or not.

struct Frame {
    origin: vec4<f32>,
    origin_right: vec4<f32>,
    origin_down: vec4<f32>,
    toward: vec4<f32>,
    toward_right: vec4<f32>,
    toward_down: vec4<f32>,
    voxel_from_mm: array<vec4<f32>, 3>,
    low: vec4<f32>,
    high: vec4<f32>,
    plane: vec4<f32>,
    light: vec4<f32>,
    halfway: vec4<f32>,
    dimensions: vec4<u32>,
    cells: vec4<u32>,
    width: u32,
    height: u32,
    mode: u32,
    shaded: u32,
    jittered: u32,
    labelled: u32,
    near: f32,
    step_mm: f32,
    table_low: f32,
    table_per_value: f32,
    table_last: f32,
    surface_per_mm: f32,
    window_low: f32,
    window_per_value: f32,
    texel_scale: f32,
    texel_offset: f32,
}

@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var volume: texture_3d<f32>;
@group(0) @binding(2) var linear: sampler;
// Colour and opacity of a step, by value; then 256 of labels.
@group(0) @binding(3) var<storage, read> table: array<vec4<f32>>;
// A byte for each macrocell.
@group(0) @binding(4) var<storage, read> distances: array<u32>;
// Least and largest value of each macrocell, 16 bits each.
@group(0) @binding(5) var<storage, read> extremes: array<u32>;
// A byte for each voxel.
@group(0) @binding(6) var<storage, read> labels: array<u32>;
@group(0) @binding(7) var<storage, read_write> picture: array<u32>;

// The ray of this invocation: voxels, voxels in a millimetre, millimetres in a voxel; millimetres along it; where in
// each step the sample is taken.
var<private> origin: vec3<f32>;
var<private> direction: vec3<f32>;
var<private> inverse: vec3<f32>;
var<private> start: f32;
var<private> end: f32;
var<private> offset: f32;
var<private> steps: u32;

const VOLUME = 0u;
const MAXIMUM = 1u;
const MINIMUM = 2u;
const CELL = 8;
const OPAQUE = 0.996;
const FAINT = 0.002;
const SHORT = 0.01;
const AMBIENT = 0.25;
const DIFFUSE = 0.75;
const SPECULAR = 0.25;

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= frame.width || id.y >= frame.height) {
        return;
    }
    var colour = vec4<f32>(0.0);
    if (enter(id.x, id.y)) {
        if (frame.mode == VOLUME) {
            colour = gather();
        } else {
            colour = project();
        }
    }
    picture[id.y * frame.width + id.x] = pack4x8unorm(colour);
}

fn enter(x: u32, y: u32) -> bool {
    let at = vec2<f32>(f32(x), f32(y));
    origin = frame.origin.xyz + at.x * frame.origin_right.xyz + at.y * frame.origin_down.xyz;
    let toward = frame.toward.xyz + at.x * frame.toward_right.xyz + at.y * frame.toward_down.xyz;
    let along = toward * (1.0 / sqrt(dot(toward, toward)));
    direction = vec3<f32>(
        dot(frame.voxel_from_mm[0].xyz, along),
        dot(frame.voxel_from_mm[1].xyz, along),
        dot(frame.voxel_from_mm[2].xyz, along),
    );
    let level = abs(direction) < vec3<f32>(1e-9);
    inverse = 1.0 / select(direction, vec3<f32>(1e-9), level);
    start = frame.near;
    end = 1e9;
    for (var axis = 0; axis < 3; axis++) {
        if (level[axis]) {
            if (origin[axis] < frame.low[axis] || origin[axis] > frame.high[axis]) {
                return false;
            }
        } else {
            let a = (frame.low[axis] - origin[axis]) * inverse[axis];
            let b = (frame.high[axis] - origin[axis]) * inverse[axis];
            start = max(start, min(a, b));
            end = min(end, max(a, b));
        }
    }
    let rise = dot(frame.plane.xyz, direction);
    let lack = frame.plane.w - dot(frame.plane.xyz, origin);
    if (rise > 1e-9) {
        start = max(start, lack / rise);
    } else if (rise < -1e-9) {
        end = min(end, lack / rise);
    } else if (lack > 0.0) {
        return false;
    }
    offset = select(0.5, jitter(x, y), frame.jittered != 0u);
    steps = u32(ceil(max(end - start, 0.0) / frame.step_mm));
    return end > start;
}

fn jitter(x: u32, y: u32) -> f32 {
    let state = (x + (y << 16u)) * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return f32((word >> 22u) ^ word) / 4294967808.0;
}

// In whole 1/256 of a voxel, the resolution of texture units.
fn spot(step: u32) -> vec3<f32> {
    let along = min(start + (f32(step) + offset) * frame.step_mm, end);
    return floor((origin + along * direction) * 256.0 + 0.5) / 256.0;
}

fn value(at: vec3<f32>) -> f32 {
    let texel = textureSampleLevel(volume, linear, (at + 0.5) / vec3<f32>(frame.dimensions.xyz), 0.0).x;
    return texel * frame.texel_scale + frame.texel_offset;
}

fn cell_of(at: vec3<f32>) -> vec3<i32> {
    let voxel = clamp(vec3<i32>(floor(at)), vec3<i32>(0), vec3<i32>(frame.dimensions.xyz) - 1);
    return voxel / CELL;
}

fn index_of(cell: vec3<i32>) -> u32 {
    let at = vec3<u32>(cell);
    return (at.z * frame.cells.y + at.y) * frame.cells.x + at.x;
}

fn distance_of(index: u32) -> i32 {
    return i32((distances[index >> 2u] >> ((index & 3u) * 8u)) & 255u);
}

fn leap(step: u32, cell: vec3<i32>, distance: i32) -> u32 {
    let ahead = select(cell - distance + 1, cell + distance, direction > vec3<f32>(0.0));
    let exits = (vec3<f32>(ahead * CELL) - origin) * inverse;
    let level = abs(direction) < vec3<f32>(1e-9);
    let crossed = select(exits, vec3<f32>(1e9), level);
    let exit = min(min(crossed.x, crossed.y), crossed.z);
    let next = (exit - start) / frame.step_mm - offset - SHORT;
    return max(step + 1u, u32(clamp(ceil(next), 0.0, 4e9)));
}

// How much of a whole step lies before the ray's end.
fn parts_of_steps(step: u32) -> vec4<f32> {
    let first = vec4<f32>(f32(step)) + vec4<f32>(0.0, 1.0, 2.0, 3.0);
    return clamp((vec4<f32>(end - start) - first * frame.step_mm) / frame.step_mm, vec4<f32>(0.0), vec4<f32>(1.0));
}

fn values(step: u32) -> vec4<f32> {
    return vec4<f32>(value(spot(step)), value(spot(step + 1u)), value(spot(step + 2u)), value(spot(step + 3u)));
}

// Colour and opacity from front to back.
fn gather() -> vec4<f32> {
    var gathered = vec4<f32>(0.0);
    var step = 0u;
    while (step < steps && gathered.w < OPAQUE) {
        let cell = cell_of(spot(step));
        let distance = distance_of(index_of(cell));
        if (distance > 0) {
            step = leap(step, cell, distance);
            continue;
        }
        let entry = clamp(
            (values(step) - frame.table_low) * frame.table_per_value + 0.5,
            vec4<f32>(0.0),
            vec4<f32>(frame.table_last),
        );
        let seen = array<vec4<f32>, 4>(
            table[u32(entry.x)],
            table[u32(entry.y)],
            table[u32(entry.z)],
            table[u32(entry.w)],
        );
        let shows = seen[0].w + seen[1].w + seen[2].w + seen[3].w > 0.0;
        if (shows || frame.labelled != 0u) {
            let parts = parts_of_steps(step);
            gathered = added(gathered, step, seen[0], parts.x);
            gathered = added(gathered, step + 1u, seen[1], parts.y);
            gathered = added(gathered, step + 2u, seen[2], parts.z);
            gathered = added(gathered, step + 3u, seen[3], parts.w);
        }
        step += 4u;
    }
    return gathered;
}

// What is gathered after one more sample, of which this part of a step lies before the ray's end.
fn added(gathered: vec4<f32>, step: u32, tissue: vec4<f32>, part: f32) -> vec4<f32> {
    var seen = tissue;
    if (frame.labelled != 0u) {
        seen = with_label(spot(step), seen);
    }
    if (seen.w <= 0.0 || part <= 0.0 || gathered.w >= OPAQUE) {
        return gathered;
    }
    if (part < 1.0) {
        seen.w = 1.0 - pow(1.0 - seen.w, part);
    }
    let weight = (1.0 - gathered.w) * seen.w;
    if (frame.shaded != 0u && weight > FAINT) {
        seen = lit(spot(step), seen);
    }
    return gathered + weight * vec4<f32>(seen.xyz, 1.0);
}

fn lit(at: vec3<f32>, seen: vec4<f32>) -> vec4<f32> {
    let x = vec3<f32>(1.0, 0.0, 0.0);
    let y = vec3<f32>(0.0, 1.0, 0.0);
    let z = vec3<f32>(0.0, 0.0, 1.0);
    let along = 0.5 * vec3<f32>(
        value(at + x) - value(at - x),
        value(at + y) - value(at - y),
        value(at + z) - value(at - z),
    );
    let gradient = along.x * frame.voxel_from_mm[0].xyz
        + along.y * frame.voxel_from_mm[1].xyz
        + along.z * frame.voxel_from_mm[2].xyz;
    let size = sqrt(dot(gradient, gradient));
    let surface = min(size / frame.surface_per_mm, 1.0);
    let over_size = 1.0 / max(size, 1e-6);
    var shine = abs(dot(gradient, frame.halfway.xyz) * over_size);
    shine = shine * shine * shine * shine;
    shine = shine * shine * shine * shine;
    let facing = abs(dot(gradient, frame.light.xyz) * over_size);
    let diffuse = 1.0 + surface * (AMBIENT + DIFFUSE * facing - 1.0);
    let bright = min(seen.xyz * diffuse + surface * SPECULAR * shine, vec3<f32>(1.0));
    return vec4<f32>(bright, seen.w);
}

fn label(at: vec3<f32>) -> vec4<f32> {
    let last = vec3<i32>(frame.dimensions.xyz) - 1;
    let voxel = vec3<u32>(clamp(vec3<i32>(floor(at + 0.5)), vec3<i32>(0), last));
    let index = (voxel.z * frame.dimensions.y + voxel.y) * frame.dimensions.x + voxel.x;
    let name = (labels[index >> 2u] >> ((index & 3u) * 8u)) & 255u;
    return table[u32(frame.table_last) + 1u + name];
}

fn with_label(at: vec3<f32>, seen: vec4<f32>) -> vec4<f32> {
    let own = label(at);
    if (own.w == 0.0) {
        return seen;
    }
    let both = 1.0 - (1.0 - seen.w) * (1.0 - own.w);
    let tissue = seen.w * (1.0 - own.w) / both;
    return vec4<f32>(seen.xyz * tissue + own.xyz * (own.w / both), both);
}

fn grey_level(found: f32) -> f32 {
    return clamp((found - frame.window_low) * frame.window_per_value, 0.0, 255.0);
}

fn project() -> vec4<f32> {
    var over = vec4<f32>(0.0);
    var found = 0.0;
    if (frame.mode == MAXIMUM) {
        found = extreme(&over, 1.0);
    } else if (frame.mode == MINIMUM) {
        found = -extreme(&over, -1.0);
    } else {
        found = average(&over);
    }
    let grey = grey_level(found) / 255.0 * (1.0 - over.w);
    return vec4<f32>(over.xyz + grey, 1.0);
}

fn lay_label(at: vec3<f32>, over: ptr<function, vec4<f32>>) {
    let own = label(at);
    *over += (1.0 - (*over).w) * own.w * vec4<f32>(own.xyz, 1.0);
}

// The labels of four samples, as far as they lie before the ray's end.
fn lay_labels(step: u32, over: ptr<function, vec4<f32>>) {
    if (frame.labelled != 0u) {
        for (var sample = step; sample < min(step + 4u, steps); sample++) {
            lay_label(spot(sample), over);
        }
    }
}

// What the window shows as its darkest level, or brightest, is as good as anything beyond.
fn extreme(over: ptr<function, vec4<f32>>, sign: f32) -> f32 {
    let bright = frame.window_low + 255.0 / frame.window_per_value;
    var best = select(-bright, frame.window_low, sign > 0.0);
    let enough = select(-frame.window_low, bright, sign > 0.0);
    var step = 0u;
    while (step < steps && (best < enough || frame.labelled != 0u)) {
        let cell = cell_of(spot(step));
        let index = index_of(cell);
        let bits = extremes[index];
        let least = f32(bitcast<i32>(bits << 16u) >> 16u);
        let largest = f32(bitcast<i32>(bits) >> 16u);
        let most = select(-least, largest, sign > 0.0);
        let distance = distance_of(index);
        if (most <= best && distance > 0) {
            step = leap(step, cell, distance);
            continue;
        }
        // Behind the ray's last sample is its last sample again.
        let last = steps - 1u;
        let found = sign * vec4<f32>(
            value(spot(step)),
            value(spot(min(step + 1u, last))),
            value(spot(min(step + 2u, last))),
            value(spot(min(step + 3u, last))),
        );
        best = max(best, max(max(found.x, found.y), max(found.z, found.w)));
        lay_labels(step, over);
        step += 4u;
    }
    return best;
}

fn average(over: ptr<function, vec4<f32>>) -> f32 {
    var sum = vec4<f32>(0.0);
    for (var step = 0u; step < steps; step += 4u) {
        sum += parts_of_steps(step) * values(step);
        lay_labels(step, over);
    }
    return dot(sum, vec4<f32>(1.0)) / max((end - start) / frame.step_mm, 1e-6);
}
