// What the deconvolutions share: where a voxel's curve comes from, and the four numbers that are read off its residue.
// Each kernel says where it keeps both: `curve_value` and `residue_value`, of the voxel in a lane.

struct Deconvolution {
    // Voxels of this dispatch, the first of them in the list, and how many there is room for.
    count: u32,
    first: u32,
    capacity: u32,
    // Voxels of the list, and of the turn.
    listed: u32,
    turn_voxels: u32,
    slice_len: u32,
    passes: u32,
    samples: u32,
    baseline_samples: u32,
    components: u32,
    // Components that are taken whatever the residue does: all of them where no index is asked for.
    minimum_components: u32,
    oscillation_max: f32,
    step_s: f32,
    cbf_scale: f32,
    cbv_scale: f32,
    // When the bolus reached the artery, in samples.
    arrival: f32,
    // Steps of the multiplicative method.
    iterations: u32,
}

struct Tap {
    pass_number: u32,
    weight: f32,
}

@group(0) @binding(0) var<uniform> work: Deconvolution;
@group(0) @binding(1) var<storage, read> planes: array<f32>;
// Places in the turn of the voxels that are worked on.
@group(0) @binding(2) var<storage, read> voxels: array<u32>;
@group(0) @binding(3) var<storage, read> taps: array<Tap>;
// CBF, CBV, TTP and Tmax of every listed voxel, one after the other.
@group(0) @binding(4) var<storage, read_write> maps: array<f32>;

const TAPS = 4u;

// Hounsfield units of a voxel at a sample of the axis; `share` is one over the part of the brain in its neighbourhood.
fn resampled(voxel: u32, sample: u32, share: f32) -> f32 {
    let first = (voxel / work.slice_len * work.samples + sample) * TAPS;
    var sum = 0.0;
    for (var tap = first; tap < first + TAPS; tap++) {
        if taps[tap].weight != 0.0 {
            sum += taps[tap].weight * planes[taps[tap].pass_number * work.turn_voxels + voxel] * share;
        }
    }
    return sum;
}

// Where a parabola through three neighbours peaks, from the middle one, and how high.
fn vertex(before: f32, at: f32, after: f32) -> vec2<f32> {
    let bend = before - 2.0 * at + after;
    var offset = 0.0;
    if bend < 0.0 {
        offset = clamp(0.5 * (before - after) / bend, -0.5, 0.5);
    }
    return vec2<f32>(offset, at - 0.25 * (before - after) * offset);
}

// Seconds from the bolus in the artery to the peak of the curve.
fn time_to_peak(lane: u32) -> f32 {
    var peak = -1e30;
    var at = 0u;
    for (var sample = 0u; sample < work.samples; sample++) {
        let value = curve_value(sample, lane);
        if value > peak {
            peak = value;
            at = sample;
        }
    }
    var offset = 0.0;
    if at > 0u && at + 1u < work.samples {
        offset = vertex(curve_value(at - 1u, lane), peak, curve_value(at + 1u, lane)).x;
    }
    return (f32(at) + offset - work.arrival) * work.step_s;
}

// The largest of the residue, and when.
fn residue_peak(lane: u32) -> vec2<f32> {
    let around = 2u * work.samples;
    var peak = -1e30;
    var at = 0u;
    for (var place = 0u; place < around; place++) {
        let value = residue_value(place, lane);
        if value > peak {
            peak = value;
            at = place;
        }
    }
    let before = residue_value((at + around - 1u) % around, lane);
    let after = residue_value((at + 1u) % around, lane);
    let top = vertex(before, peak, after);
    // The second half of the circle is what came before the artery.
    let early = select(0.0, f32(around), at >= work.samples);
    return vec2<f32>(top.y, (f32(at) - early + top.x) * work.step_s);
}

// The four numbers of a listed voxel, from its curve, the area under that, and its residue.
fn write_maps(number: u32, lane: u32, area: f32) {
    let top = residue_peak(lane);
    maps[number] = max(top.x * work.cbf_scale, 0.0);
    maps[work.listed + number] = area * work.cbv_scale;
    maps[2u * work.listed + number] = time_to_peak(lane);
    maps[3u * work.listed + number] = top.y;
}

