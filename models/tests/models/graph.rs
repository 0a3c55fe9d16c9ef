//! ONNX files written by hand: a protobuf of a few fields (onnx.proto), for networks whose answer is known.

/// What may be odd about a graph.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Oddity {
    pub(crate) opset: u64,
    /// Class scores of a pixel x are `bias[c] + weight[c] * x`.
    pub(crate) weight: [f32; 2],
    pub(crate) bias: [f32; 2],
    /// Planes, or whole scans that are moved one voxel along their columns.
    pub(crate) moves_scans: bool,
}

/// A pixel above a half is class 1, every other is class 0.
pub(crate) const THRESHOLD: Oddity =
    Oddity { opset: 17, weight: [-1.0, 1.0], bias: [1.0, 0.0], moves_scans: false };

/// One 1x1 convolution from `image` to two class scores, `scores`.
pub(crate) fn network(oddity: Oddity) -> Vec<u8> {
    let mut node = vec![
        bytes(1, b"image"),
        bytes(1, b"weight"),
        bytes(1, b"bias"),
        bytes(2, b"scores"),
        bytes(4, b"Conv"),
    ];
    let (mut weight, mut sides) = (oddity.weight.to_vec(), vec![2, 1, 1, 1]);
    if oddity.moves_scans {
        // A kernel of 3 x 3 x 3 whose only weight lies before the middle of its columns, and a pad of one all around.
        let pads: Vec<u8> = (0..6).flat_map(|_| number(8, 1)).collect();
        node.push(bytes(5, &[bytes(1, b"pads"), pads, number(20, 7)].concat()));
        weight = vec![0.0; 54];
        (weight[12], weight[27 + 12]) = (oddity.weight[0], oddity.weight[1]);
        sides = vec![2, 1, 3, 3, 3];
    }
    let graph = [
        bytes(1, &node.concat()),
        bytes(2, b"threshold"),
        bytes(5, &initializer(b"weight", &sides, &weight)),
        bytes(5, &initializer(b"bias", &[2], &oddity.bias)),
        bytes(11, &port(b"image", 1, oddity.moves_scans)),
        bytes(12, &port(b"scores", 2, oddity.moves_scans)),
    ];
    // ModelProto: ir_version 8, graph, opset_import { version }.
    [number(1, 8), bytes(7, &graph.concat()), bytes(8, &number(2, oddity.opset))].concat()
}

/// TensorProto: dims, data_type FLOAT, float_data, name.
fn initializer(name: &[u8], dims: &[u64], values: &[f32]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|side| number(1, *side)).collect();
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    [dims, number(2, 1), bytes(4, &data), bytes(8, name)].concat()
}

/// ValueInfoProto of [batch, channels, rows, columns], all but the channels free.
fn port(name: &[u8], channels: u64, scans: bool) -> Vec<u8> {
    let free = |what: &[u8]| bytes(1, &bytes(2, what));
    let slices = if scans { free(b"slices") } else { Vec::new() };
    let sides = [free(b"batch"), bytes(1, &number(1, channels)), slices, free(b"rows"), free(b"columns")];
    let sides = sides.concat();
    let tensor = [number(1, 1), bytes(2, &sides)].concat();
    [bytes(1, name), bytes(2, &bytes(1, &tensor))].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
    out
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}
