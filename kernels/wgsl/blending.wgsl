// Four pixels of a frame an invocation: grey levels, then layers over them, in whole numbers; its twin is
// kernels/src/cpu/blending.rs.

struct Stripe {
    // Invocations of a row of workgroups.
    row: u32,
    quads: u32,
    layers: u32,
}

@group(0) @binding(0) var<uniform> stripe: Stripe;
// Two values a word.
@group(0) @binding(1) var<storage, read> frame_values: array<vec2<u32>>;
// A level for each value, -32768 first; four a word.
@group(0) @binding(2) var<storage, read> levels: array<u32>;
// Colours times opacity, and in the upper byte what shines through; 256 a layer.
@group(0) @binding(3) var<storage, read> palettes: array<u32>;
// Four bytes a word.
@group(0) @binding(4) var<storage, read> lower: array<u32>;
@group(0) @binding(5) var<storage, read> upper: array<u32>;
@group(0) @binding(6) var<storage, read_write> picture: array<vec4<u32>>;

const OPAQUE = 0xff000000u;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let quad = id.y * stripe.row + id.x;
    if (quad >= stripe.quads) {
        return;
    }
    let values = frame_values[quad];
    var pixels = vec4<u32>(
        grey(values.x & 0xffffu),
        grey(values.x >> 16u),
        grey(values.y & 0xffffu),
        grey(values.y >> 16u),
    );
    if (stripe.layers > 0u) {
        pixels = lay(pixels, lower[quad], 0u);
    }
    if (stripe.layers > 1u) {
        pixels = lay(pixels, upper[quad], 256u);
    }
    picture[quad] = pixels;
}

fn grey(value: u32) -> u32 {
    let index = value ^ 0x8000u;
    let level = (levels[index >> 2u] >> ((index & 3u) * 8u)) & 255u;
    return level * 0x010101u | OPAQUE;
}

fn lay(pixels: vec4<u32>, bytes: u32, palette: u32) -> vec4<u32> {
    return vec4<u32>(
        over(pixels.x, palettes[palette + (bytes & 255u)]),
        over(pixels.y, palettes[palette + ((bytes >> 8u) & 255u)]),
        over(pixels.z, palettes[palette + ((bytes >> 16u) & 255u)]),
        over(pixels.w, palettes[palette + (bytes >> 24u)]),
    );
}

fn over(below: u32, colour: u32) -> u32 {
    let through = colour >> 24u;
    let twice = (below & 0x00ff00ffu) * through + 0x00800080u;
    let red_blue = ((twice + ((twice >> 8u) & 0x00ff00ffu)) >> 8u) & 0x00ff00ffu;
    let once = ((below >> 8u) & 255u) * through + 128u;
    let green = ((once + (once >> 8u)) >> 8u) << 8u;
    return ((red_blue | green) + (colour & 0x00ffffffu)) | OPAQUE;
}
