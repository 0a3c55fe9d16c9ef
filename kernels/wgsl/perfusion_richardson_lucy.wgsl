// One voxel of the brain a workgroup: Richardson and Lucy's multiplicative updates, which keep the residue positive.
//
// Curve, residue, model and arterial input lie in the workgroup's own memory; the invocations share the samples and the
// entries among them. Each sum is added up by one of them, so the order is the twin's.

// step * c_a, never negative; then what the observed samples see of each entry of the residue.
@group(0) @binding(5) var<storage, read> method: array<f32>;

const WORKGROUP = 64u;

// What a model is at least, against division by nothing.
const LEAST = 1e-6;

// The axis has at most 512 samples.
var<workgroup> curve: array<f32, 512>;
var<workgroup> ratio: array<f32, 512>;
var<workgroup> artery: array<f32, 512>;
var<workgroup> residue: array<f32, 1024>;

fn curve_value(sample: u32, lane: u32) -> f32 {
    return curve[sample];
}

fn residue_value(place: u32, lane: u32) -> f32 {
    return residue[place];
}

// Enhancement over time; every invocation has the baseline for itself.
fn fill(voxel: u32, lane: u32) {
    let share = 1.0 / planes[work.passes * work.turn_voxels + voxel];
    for (var sample = lane; sample < work.samples; sample += WORKGROUP) {
        curve[sample] = resampled(voxel, sample, share);
        artery[sample] = method[sample];
    }
    let around = 2u * work.samples;
    for (var at = lane; at < around; at += WORKGROUP) {
        // Entries that no sample sees stay nothing.
        residue[at] = select(0.0, 1.0 / f32(around), method[work.samples + at] > 0.0);
    }
    workgroupBarrier();
    var baseline = 0.0;
    for (var sample = 0u; sample < work.baseline_samples; sample++) {
        baseline += curve[sample] / f32(work.baseline_samples);
    }
    workgroupBarrier();
    for (var sample = lane; sample < work.samples; sample += WORKGROUP) {
        curve[sample] -= baseline;
    }
    workgroupBarrier();
}

// What is seen over what the residue explains.
fn compare(lane: u32) {
    let around = 2u * work.samples;
    for (var sample = lane; sample < work.samples; sample += WORKGROUP) {
        var sum = 0.0;
        for (var delay = 0u; delay < work.samples; delay++) {
            let at = select(sample + around - delay, sample - delay, delay <= sample);
            sum += artery[delay] * residue[at];
        }
        ratio[sample] = max(curve[sample], 0.0) / max(sum, LEAST);
    }
}

fn correct(lane: u32) {
    let around = 2u * work.samples;
    for (var at = lane; at < around; at += WORKGROUP) {
        let seen = method[work.samples + at];
        if seen <= 0.0 {
            continue;
        }
        var sum = 0.0;
        for (var sample = 0u; sample < work.samples; sample++) {
            let delay = select(sample + around - at, sample - at, at <= sample);
            if delay < work.samples {
                sum += artery[delay] * ratio[sample];
            }
        }
        residue[at] *= sum / seen;
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let place = group.y * groups.x + group.x;
    // Rows of workgroups may hold more than there are voxels; those at the end do the last one again.
    let number = work.first + min(place, work.count - 1u);
    fill(voxels[number], lane);
    for (var iteration = 0u; iteration < work.iterations; iteration++) {
        compare(lane);
        workgroupBarrier();
        correct(lane);
        workgroupBarrier();
    }
    if lane == 0u && place < work.count {
        var area = 0.0;
        for (var sample = 0u; sample < work.samples; sample++) {
            area += curve[sample];
        }
        write_maps(number, lane, area);
    }
}
