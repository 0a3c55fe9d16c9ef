// One voxel an invocation: its mean before the bolus, the highest median of three samples that are a frame apart, and
// the sample of that. Samples are worked out again where they are needed: their frames are in the cache.

@group(0) @binding(4) var<storage, read> taps: array<Tap>;
// Baseline, peak and sample of every voxel of the turn, one after the other.
@group(0) @binding(5) var<storage, read_write> survey: array<f32>;

const WORKGROUP = 64u;
const TAPS = 4u;

fn sample_at(sample: u32, column: u32, row: u32, slice: u32) -> f32 {
    let first = ((slice - slab.turn_first) * slab.samples + sample) * TAPS;
    var sum = 0.0;
    for (var tap = first; tap < first + TAPS; tap++) {
        if taps[tap].weight != 0.0 {
            sum += taps[tap].weight * value(taps[tap].pass_number, column, row, slice);
        }
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let voxel = id.y * groups.x * WORKGROUP + id.x;
    let voxels = slab.columns * slab.rows * slab.turn_slices;
    if voxel >= voxels {
        return;
    }
    let column = voxel % slab.columns;
    let row = voxel / slab.columns % slab.rows;
    let slice = slab.turn_first + voxel / slab.columns / slab.rows;
    var baseline = 0.0;
    for (var sample = 0u; sample < slab.baseline_samples; sample++) {
        baseline += sample_at(sample, column, row, slice) / f32(slab.baseline_samples);
    }
    var peak = -1e30;
    var peak_sample = 0u;
    for (var sample = slab.frame; sample < slab.samples - slab.frame; sample++) {
        let before = sample_at(sample - slab.frame, column, row, slice);
        let here = sample_at(sample, column, row, slice);
        let after = sample_at(sample + slab.frame, column, row, slice);
        let median = max(min(before, here), min(max(before, here), after));
        if median > peak {
            peak = median;
            peak_sample = sample;
        }
    }
    survey[voxel] = baseline;
    survey[voxels + voxel] = peak - baseline;
    survey[2u * voxels + voxel] = f32(peak_sample);
}
