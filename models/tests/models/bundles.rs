//! Bundles made for tests, and our own.

use std::path::{Path, PathBuf};

use sidelight_models::{Bundle, Catalogue, Provider};

use crate::graph::{self, Oddity, THRESHOLD};
use crate::{root, runtime};

/// Rows and columns of the test bundle's patch.
pub(crate) const PATCH: usize = 32;

/// Writes a bundle of the threshold network; `change` may spoil the manifest.
pub(crate) fn write(
    parent: &Path,
    version: &str,
    oddity: Oddity,
    change: impl FnOnce(String) -> String,
) -> PathBuf {
    let folder = parent.join(format!("threshold-{version}"));
    std::fs::create_dir_all(&folder).unwrap();
    let network = graph::network(oddity);
    std::fs::write(folder.join("threshold.onnx"), &network).unwrap();
    npy(&folder.join("image.npy"), &[1, 1, 1, 2], &[0.25, 0.75]);
    npy(&folder.join("scores.npy"), &[1, 2, 1, 2], &[0.75, 0.25, 0.25, 0.75]);
    let manifest = format!(
        r#"name = "threshold"
version = "{version}"
task = "segmentation"
demonstration = false
statement = "everything above a half"
licence = "CC0-1.0"
intended_use = "tests"
trained_on = "nothing"
limits = ["knows one threshold"]
pieces = "largest"
network.file = "threshold.onnx"
network.sha256 = "{digest}"
network.opset = 17
network.memory_max_bytes = 1073741824
network.inputs = [{{ name = "image", element = "f32", shape = [-1, 1, -1, -1] }}]
network.outputs = [{{ name = "scores", element = "f32", shape = [-1, 2, -1, -1] }}]
golden = {{ inputs = {{ image = "image.npy" }}, outputs = {{ scores = "scores.npy" }}, tolerance = 1e-5 }}
labels = [{{ class = 1, name = "bright", snomed = "123", meaning = "Bright" }}]
[images]
modality = "MR"
plane = "any"
sequence = "any"
orientation = "any"
pixel_mm = 1.0
patch = [{PATCH}, {PATCH}]
overlap = 0.5
intensity = {{ window = [0.0, 1.0] }}
"#,
        digest = sha256(&network)
    );
    std::fs::write(folder.join("model.toml"), change(manifest)).unwrap();
    folder
}

/// `numpy.save` of single-precision values.
pub(crate) fn npy(path: &Path, shape: &[usize], values: &[f32]) {
    let sides: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sides}), }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(path, [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &data].concat()).unwrap();
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn our_own_bundles_answer_as_they_say() {
    let runtime = runtime();
    let catalogue = Catalogue::open(&root().join("models/bundles"), &runtime).unwrap();
    assert_eq!(catalogue.refusals(), []);
    let names: Vec<&str> = catalogue.serving().map(|model| model.manifest().name.as_str()).collect();
    assert_eq!(names, ["cardiac_seg", "lesion_det", "mammography_cad"]);
    for model in catalogue.serving() {
        let manifest = model.manifest();
        let folder = root().join("models/bundles").join(&manifest.name);
        let card = std::fs::read_to_string(folder.join("card.md")).unwrap();
        assert!(card.contains(&manifest.statement), "the card of {} does not say what it is", manifest.name);
        let bytes = std::fs::metadata(folder.join(&manifest.network.file)).unwrap().len();
        assert!(bytes < 8 << 20, "{} is too large to be kept with the sources", manifest.name);
    }
}

#[test]
fn the_provider_that_serves_and_those_that_do_not_say_why() {
    let runtime = runtime();
    let states = runtime.providers();
    assert_eq!(states.iter().map(|state| state.provider).collect::<Vec<_>>(), Provider::ORDER);
    assert!(states.iter().all(|state| !state.reason.is_empty()), "{states:?}");
    let cuda = states.iter().find(|state| state.provider == Provider::Cuda).unwrap();
    assert!(!cuda.usable && cuda.reason.contains("not installed"), "{cuda:?}");
    let folder = tempfile::tempdir().unwrap();
    let bundle = write(folder.path(), "1", THRESHOLD, |manifest| manifest);
    let model = Bundle::open(&bundle).unwrap().verify(&runtime).unwrap();
    let first = states.iter().find(|state| state.usable).unwrap();
    assert_eq!((model.provider(), model.warning()), (first.provider, None));
}
