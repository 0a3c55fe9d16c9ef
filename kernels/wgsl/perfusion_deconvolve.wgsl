// One voxel of the brain an invocation: from its smoothed frames to its curve, from that to the residue, from that to
// four numbers. Components are added by falling weight for as long as the residue stays calm.
//
// What a voxel needs room for (its curve, the residue around the circle and its second differences) lies in one
// buffer, sample by sample, so that neighbouring invocations touch neighbouring words.

// One frequency of the residue, conjugate pair and all.
struct Component {
    frequency: u32,
    re: f32,
    im: f32,
    bend: f32,
}

@group(0) @binding(5) var<storage, read> circle: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read> components: array<Component>;
@group(0) @binding(7) var<storage, read_write> room: array<f32>;

const WORKGROUP = 64u;

fn curve_at(sample: u32, lane: u32) -> u32 {
    return sample * work.capacity + lane;
}

fn residue_at(place: u32, lane: u32) -> u32 {
    return (work.samples + place) * work.capacity + lane;
}

fn bend_at(place: u32, lane: u32) -> u32 {
    return (3u * work.samples + place) * work.capacity + lane;
}

fn curve_value(sample: u32, lane: u32) -> f32 {
    return room[curve_at(sample, lane)];
}

fn residue_value(place: u32, lane: u32) -> f32 {
    return room[residue_at(place, lane)];
}

// The enhancement over time, into the room; hands back its sum.
fn resample(voxel: u32, lane: u32) -> f32 {
    let share = 1.0 / planes[work.passes * work.turn_voxels + voxel];
    var baseline = 0.0;
    for (var sample = 0u; sample < work.samples; sample++) {
        let value = resampled(voxel, sample, share);
        room[curve_at(sample, lane)] = value;
        if sample < work.baseline_samples {
            baseline += value / f32(work.baseline_samples);
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
    write_maps(number, lane, area);
}
