// What the perfusion kernels that read the series share.

// Some slices of a dynamic series, and the turn that is made of them.
struct Slab {
    columns: u32,
    rows: u32,
    // Of the whole series.
    slices: u32,
    passes: u32,
    samples: u32,
    baseline_samples: u32,
    // Samples from one frame to the next.
    frame: u32,
    // The slice of the series that the slab begins with, and how many it holds.
    slab_first: u32,
    slab_slices: u32,
    // The slices of the turn; they lie within the slab.
    turn_first: u32,
    turn_slices: u32,
    // Values from one slice of the slab to the next: an even number.
    slice_stride: u32,
}

// Where a voxel of the reference lies in a pass: three rows over (column, row, slice, 1).
struct Place {
    x: vec4<f32>,
    y: vec4<f32>,
    z: vec4<f32>,
    moved: u32,
}

// So much of one pass goes into a sample.
struct Tap {
    pass_number: u32,
    weight: f32,
}

@group(0) @binding(0) var<uniform> slab: Slab;
// Two values a word, the earlier in the low half: slice by slice, frame by frame.
@group(0) @binding(1) var<storage, read> hounsfield: array<u32>;
// How many frames each slice of the slab has.
@group(0) @binding(2) var<storage, read> frames: array<u32>;
@group(0) @binding(3) var<storage, read> places: array<Place>;

// A slice that lacks a pass shows its last frame: only its neighbours ask for it.
fn stored(pass_number: u32, column: u32, row: u32, slice: u32) -> f32 {
    let within = slice - slab.slab_first;
    let frame = min(pass_number, frames[within] - 1u);
    let at = within * slab.slice_stride + (frame * slab.rows + row) * slab.columns + column;
    let word = hounsfield[at / 2u];
    // The shift brings the half to the top, the second one back with its sign.
    return f32(bitcast<i32>(word << (16u * (1u - (at & 1u)))) >> 16u);
}

fn plane(pass_number: u32, low: vec2<u32>, part: vec2<f32>, slice: u32) -> f32 {
    let right = min(low.x + 1u, slab.columns - 1u);
    let down = min(low.y + 1u, slab.rows - 1u);
    let top_left = stored(pass_number, low.x, low.y, slice);
    let top = top_left + part.x * (stored(pass_number, right, low.y, slice) - top_left);
    let bottom_left = stored(pass_number, low.x, down, slice);
    let bottom = bottom_left + part.x * (stored(pass_number, right, down, slice) - bottom_left);
    return top + part.y * (bottom - top);
}

// A voxel of the reference as it is in a pass; trilinear where the head moved, the nearest that was seen beyond.
fn value(pass_number: u32, column: u32, row: u32, slice: u32) -> f32 {
    if places[pass_number].moved == 0u {
        return stored(pass_number, column, row, slice);
    }
    let voxel = vec4<f32>(f32(column), f32(row), f32(slice), 1.0);
    let place = places[pass_number];
    let last = vec3<f32>(f32(slab.columns - 1u), f32(slab.rows - 1u), f32(slab.slices - 1u));
    let here = vec3<f32>(dot(place.x, voxel), dot(place.y, voxel), dot(place.z, voxel));
    var at = clamp(here, vec3<f32>(0.0), last);
    // The slab has a margin as wide as the motion; a rounding beyond it is the margin's last slice.
    let first_held = f32(slab.slab_first);
    at.z = clamp(at.z, first_held, first_held + f32(slab.slab_slices - 1u));
    let low = vec3<u32>(at);
    let part = at - vec3<f32>(low);
    let near = plane(pass_number, low.xy, part.xy, low.z);
    if part.z == 0.0 {
        return near;
    }
    return near + part.z * (plane(pass_number, low.xy, part.xy, low.z + 1u) - near);
}
