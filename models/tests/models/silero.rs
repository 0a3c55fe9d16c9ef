//! A foreign network end to end: Silero's voice activity detector, stateful, with an integer input (reference data).

use std::path::{Path, PathBuf};

use sidelight_models::{Bundle, Tensor, Values};

use crate::bundles::{npy, sha256};
use crate::{root, runtime};

const RATE: i64 = 16_000;
/// The network hears 32 ms after the 4 ms before them.
const CONTEXT: usize = 64;
const WINDOW: usize = 512;

fn silero(parent: &Path, network: &[u8]) -> PathBuf {
    let folder = parent.join("silero_vad");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("silero.onnx"), network).unwrap();
    npy(&folder.join("silence.npy"), &[1, CONTEXT + WINDOW], &[0.0; CONTEXT + WINDOW]);
    npy(&folder.join("fresh.npy"), &[2, 1, 128], &[0.0; 256]);
    let header = "{'descr': '<i8', 'fortran_order': False, 'shape': (), }\n";
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let rate = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &RATE.to_le_bytes()].concat();
    std::fs::write(folder.join("rate.npy"), rate).unwrap();
    // What Python's onnxruntime 1.32 says of silence.
    npy(&folder.join("probability.npy"), &[1, 1], &[0.001_669_79]);
    let manifest = format!(
        r#"name = "silero_vad"
version = "5"
task = "tensors"
demonstration = false
statement = "says whether somebody speaks"
licence = "MIT"
intended_use = "finding speech in sound"
trained_on = "see https://github.com/snakers4/silero-vad"
limits = ["16 kHz only in this file"]
network.file = "silero.onnx"
network.sha256 = "{digest}"
network.opset = 15
network.memory_max_bytes = 268435456
network.inputs = [
    {{ name = "input", element = "f32", shape = [-1, -1] }},
    {{ name = "state", element = "f32", shape = [2, -1, 128] }},
    {{ name = "sr", element = "i64", shape = [] }},
]
network.outputs = [{{ name = "output", element = "f32", shape = [-1, 1] }}, {{ name = "stateN", element = "f32", shape = [-1, -1, -1] }}]
[golden]
inputs = {{ input = "silence.npy", state = "fresh.npy", sr = "rate.npy" }}
outputs = {{ output = "probability.npy" }}
tolerance = 1e-4
"#,
        digest = sha256(network)
    );
    std::fs::write(folder.join("model.toml"), manifest).unwrap();
    folder
}

/// 16-bit samples behind a 44-byte header.
fn samples(wave: &[u8]) -> Vec<f32> {
    wave[44..].chunks_exact(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32768.0).collect()
}

#[test]
fn a_foreign_network_hears_speech_and_silence_real_data() {
    let folder = root().join("../shared/data/speech");
    let Ok(network) = std::fs::read(folder.join("silero_vad_16k_op15.onnx")) else {
        return println!("skipped: no reference data at {}", folder.display());
    };
    let place = tempfile::tempdir().unwrap();
    let bundle = silero(place.path(), &network);
    let mut model = Bundle::open(&bundle).unwrap().verify(&runtime()).unwrap();
    let sound = samples(&std::fs::read(folder.join("jfk.wav")).unwrap());
    let mut state = Tensor::f32(&[2, 1, 128], vec![0.0; 256]).unwrap();
    let rate = Tensor::new(Vec::new(), Values::I64(vec![RATE])).unwrap();
    let mut heard = Vec::new();
    for start in (CONTEXT..sound.len() - WINDOW).step_by(WINDOW) {
        let window = sound[start - CONTEXT..start + WINDOW].to_vec();
        let window = Tensor::f32(&[1, CONTEXT + WINDOW], window).unwrap();
        let inputs = [("input", &window), ("state", &state), ("sr", &rate)];
        let mut answer = model.network().run(&inputs).unwrap();
        let position = answer.iter().position(|(name, _)| name == "stateN").unwrap();
        state = answer.swap_remove(position).1;
        heard.push(answer[0].1.as_f32().unwrap()[0]);
    }
    let speaking = heard.iter().filter(|share| **share > 0.5).count() as f64 / heard.len() as f64;
    assert!(heard.len() > 300 && (0.55..0.8).contains(&speaking), "{speaking} of {} windows", heard.len());
}
