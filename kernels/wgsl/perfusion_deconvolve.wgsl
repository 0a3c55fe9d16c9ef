// One voxel of the brain an invocation: from its smoothed frames to its curve, from that to the residue, from that to
// four numbers. Components are added by falling weight for as long as the residue stays calm.
//
// What a voxel needs room for (its curve, the residue around the circle and its second differences) lies in one
// buffer, sample by sample, so that neighbouring invocations touch neighbouring words.

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
}

struct Tap {
    pass_number: u32,
    weight: f32,
}

// One frequency of the residue, conjugate pair and all.
struct Component {
    frequency: u32,
    re: f32,
    im: f32,
    bend: f32,
}

@group(0) @binding(0) var<uniform> work: Deconvolution;
@group(0) @binding(1) var<storage, read> planes: array<f32>;
// Places in the turn of the voxels that are worked on.
@group(0) @binding(2) var<storage, read> voxels: array<u32>;
@group(0) @binding(3) var<storage, read> taps: array<Tap>;
@group(0) @binding(4) var<storage, read> circle: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read> components: array<Component>;
@group(0) @binding(6) var<storage, read_write> room: array<f32>;
// CBF, CBV, TTP and Tmax of every listed voxel, one after the other.
@group(0) @binding(7) var<storage, read_write> maps: array<f32>;

const WORKGROUP = 64u;
const TAPS = 4u;

fn curve_at(sample: u32, lane: u32) -> u32 {
    return sample * work.capacity + lane;
}

fn residue_at(place: u32, lane: u32) -> u32 {
    return (work.samples + place) * work.capacity + lane;
}

fn bend_at(place: u32, lane: u32) -> u32 {
    return (3u * work.samples + place) * work.capacity + lane;
}

// The enhancement over time, into the room; hands back its sum.
fn resample(voxel: u32, lane: u32) -> f32 {
    let share = 1.0 / planes[work.passes * work.turn_voxels + voxel];
    let slice = voxel / work.slice_len;
    var baseline = 0.0;
    for (var sample = 0u; sample < work.samples; sample++) {
        let first = (slice * work.samples + sample) * TAPS;
        var sum = 0.0;
        for (var tap = first; tap < first + TAPS; tap++) {
            if taps[tap].weight != 0.0 {
                sum += taps[tap].weight * planes[taps[tap].pass_number * work.turn_voxels + voxel] * share;
            }
        }
        room[curve_at(sample, lane)] = sum;
        if sample < work.baseline_samples {
            baseline += sum / f32(work.baseline_samples);
        }
    }
    var area = 0.0;
    for (var sample = 0u; sample < work.samples; sample++) {
        let value = room[curve_at(sample, lane)] - baseline;
        room[curve_at(sample, lane)] = value;
        area += value;
    }
    return area;
}

// Amplitudes of cosine and sine of a component in the residue.
fn amplitude(component: Component, lane: u32) -> vec2<f32> {
    let around = 2u * work.samples;
    var sum = vec2<f32>(0.0);
    var turn = 0u;
    for (var sample = 0u; sample < work.samples; sample++) {
        let value = room[curve_at(sample, lane)];
        sum += vec2<f32>(circle[turn].x * value, -circle[turn].y * value);
        turn += component.frequency;
        turn -= select(0u, around, turn >= around);
    }
    return vec2<f32>(
        sum.x * component.re - sum.y * component.im,
        -(sum.x * component.im + sum.y * component.re),
    );
}

// Whether the residue stays calm with the component.
fn calm(component: Component, part: vec2<f32>, lane: u32) -> bool {
    let around = 2u * work.samples;
    var oscillation = 0.0;
    var peak = -1e30;
    var turn = 0u;
    for (var place = 0u; place < around; place++) {
        let wave = circle[turn].x * part.x + circle[turn].y * part.y;
        oscillation += abs(room[bend_at(place, lane)] + component.bend * wave);
        peak = max(peak, room[residue_at(place, lane)] + wave);
        turn += component.frequency;
        turn -= select(0u, around, turn >= around);
    }
    return oscillation <= work.oscillation_max * f32(around) * peak;
}

fn add(component: Component, part: vec2<f32>, lane: u32) {
    let around = 2u * work.samples;
    var turn = 0u;
    for (var place = 0u; place < around; place++) {
        let wave = circle[turn].x * part.x + circle[turn].y * part.y;
        room[bend_at(place, lane)] += component.bend * wave;
        room[residue_at(place, lane)] += wave;
        turn += component.frequency;
        turn -= select(0u, around, turn >= around);
    }
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
        let value = room[curve_at(sample, lane)];
        if value > peak {
            peak = value;
            at = sample;
        }
    }
    var offset = 0.0;
    if at > 0u && at + 1u < work.samples {
        offset = vertex(room[curve_at(at - 1u, lane)], peak, room[curve_at(at + 1u, lane)]).x;
    }
    return (f32(at) + offset - work.arrival) * work.step_s;
}

// The largest of the residue, and when.
fn residue_peak(lane: u32) -> vec2<f32> {
    let around = 2u * work.samples;
    var peak = -1e30;
    var at = 0u;
    for (var place = 0u; place < around; place++) {
        let value = room[residue_at(place, lane)];
        if value > peak {
            peak = value;
            at = place;
        }
    }
    let before = room[residue_at((at + around - 1u) % around, lane)];
    let after = room[residue_at((at + 1u) % around, lane)];
    let top = vertex(before, peak, after);
    // The second half of the circle is what came before the artery.
    let early = select(0.0, f32(around), at >= work.samples);
    return vec2<f32>(top.y, (f32(at) - early + top.x) * work.step_s);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let lane = id.y * groups.x * WORKGROUP + id.x;
    if lane >= work.count {
        return;
    }
    let number = work.first + lane;
    let area = resample(voxels[number], lane);
    for (var place = 0u; place < 2u * work.samples; place++) {
        room[residue_at(place, lane)] = 0.0;
        room[bend_at(place, lane)] = 0.0;
    }
    for (var index = 0u; index < work.components; index++) {
        let component = components[index];
        let part = amplitude(component, lane);
        if index >= work.minimum_components && !calm(component, part, lane) {
            break;
        }
        add(component, part, lane);
    }
    let top = residue_peak(lane);
    maps[number] = max(top.x * work.cbf_scale, 0.0);
    maps[work.listed + number] = area * work.cbv_scale;
    maps[2u * work.listed + number] = time_to_peak(lane);
    maps[3u * work.listed + number] = top.y;
}
