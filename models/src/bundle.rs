//! A bundle: the folder `<name>/` with model.toml, card.md, the ONNX file and a golden answer.
//!
//! `Bundle::open` believes nothing but its own eyes (manifest, digest); `Bundle::verify` runs the network and compares.
//! Only what was verified is a `Model`, and only a `Model` can be used.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::detect;
use crate::digest::sha256_hex;
use crate::manifest::{DeclaredPort, Element, Manifest, ManifestError, NetworkFile, Task};
use crate::npy::{self, NpyError};
use crate::onnx::{Network, OnnxError, Port, Provider, Runtime};
use crate::tensor::Tensor;

/// Larger networks than this do not fit beside a study on the smallest box.
const NETWORK_BYTES_MAX: u64 = 1 << 30;

/// A bundle whose words and bytes agree.
#[derive(Clone, Debug)]
pub struct Bundle {
    folder: PathBuf,
    manifest: Manifest,
    network: Arc<[u8]>,
}

/// A network that answered as its bundle says.
#[derive(Debug)]
pub struct Model {
    manifest: Arc<Manifest>,
    network: Network,
    /// How far its golden answer was from the expected one.
    difference: f64,
    memory_bytes: u64,
}

/// Why a bundle serves nobody.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is larger than {NETWORK_BYTES_MAX} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("{} has sha256 {found}, the manifest says {expected}: cut off in transfer, or another file", path.display())]
    Digest { path: PathBuf, found: String, expected: String },
    #[error("the folder is {folder:?} but the manifest's name is {name:?}")]
    Name { folder: String, name: String },
    #[error("this version lies in {} already", other.display())]
    Twice { other: PathBuf },
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error("the network is of operator set {found}, the manifest says {expected}")]
    Opset { found: u32, expected: u32 },
    #[error("{what}")]
    Shape { what: String },
    #[error(transparent)]
    Golden(#[from] NpyError),
    #[error("output {output:?} is {difference} off its golden answer; {tolerance} is allowed")]
    Answer { output: String, difference: f64, tolerance: f64 },
    #[error("it holds {found} bytes of memory, the manifest allows {allowed}")]
    Memory { found: u64, allowed: u64 },
}

impl Bundle {
    /// Reads manifest and network and compares the digest.
    pub fn open(folder: &Path) -> Result<Self, BundleError> {
        let manifest = Manifest::read(&folder.join("model.toml"))?;
        let named = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Versions may lie side by side as <name>-<version>.
        if named != manifest.name && named != format!("{}-{}", manifest.name, manifest.version) {
            return Err(BundleError::Name { folder: named, name: manifest.name });
        }
        let path = folder.join(&manifest.network.file);
        let read = |source| BundleError::Read { path: path.clone(), source };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(&path).map_err(read)?;
        file.take(NETWORK_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(read)?;
        if bytes.len() as u64 > NETWORK_BYTES_MAX {
            return Err(BundleError::TooLarge { path });
        }
        let found = sha256_hex(&bytes);
        if found != manifest.network.sha256 {
            return Err(BundleError::Digest { path, found, expected: manifest.network.sha256 });
        }
        Ok(Self { folder: folder.into(), manifest, network: bytes.into() })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Loads the network, warms it up and compares its golden answer.
    pub fn verify(self, runtime: &Runtime) -> Result<Model, BundleError> {
        let before = resident_bytes();
        let mut network = Network::load(runtime, self.network.clone())?;
        let file = &self.manifest.network;
        if let Some(found) = network.opset().filter(|found| *found != file.opset) {
            return Err(BundleError::Opset { found, expected: file.opset });
        }
        fits("input", &file.inputs, &network.inputs())?;
        fits("output", &file.outputs, &network.outputs())?;
        self.warm_up(&mut network)?;
        let difference = self.compare(&mut network)?;
        let memory_bytes = resident_bytes().saturating_sub(before);
        if memory_bytes > file.memory_max_bytes {
            return Err(BundleError::Memory { found: memory_bytes, allowed: file.memory_max_bytes });
        }
        Ok(Model { manifest: Arc::new(self.manifest), network, difference, memory_bytes })
    }

    /// One patch of zeros, so that the first study does not wait for a GPU's shaders, and shapes are known to fit.
    fn warm_up(&self, network: &mut Network) -> Result<(), BundleError> {
        let Some((given, expected)) = self.example_shapes() else { return Ok(()) };
        let input = Tensor::f32(&given, vec![0.0; given.iter().product()]).expect("of this shape");
        let file = &self.manifest.network;
        let answers = network.run(&[(&file.inputs[0].name, &input)])?;
        let answer = answers.iter().find(|(name, _)| *name == file.outputs[0].name);
        match answer {
            Some((_, tensor)) if tensor.shape() == expected => Ok(()),
            Some((name, tensor)) => {
                let what =
                    format!("output {name:?} is of shape {:?}; its labels need {expected:?}", tensor.shape());
                Err(BundleError::Shape { what })
            }
            None => Err(BundleError::Shape { what: format!("output {:?} is missing", file.outputs[0].name) }),
        }
    }

    /// Shapes of an input and of its answer, as the manifest would have them.
    fn example_shapes(&self) -> Option<(Vec<usize>, Vec<usize>)> {
        let classes = self.manifest.labels.len() + 1;
        match (self.manifest.task, &self.manifest.images, &self.manifest.detection) {
            (Task::Segmentation, Some(images), _) => {
                let depth = images.depth.map(|depth| depth.slices);
                let patch: Vec<usize> = depth.into_iter().chain(images.patch).collect();
                Some(([&[1, 1], &patch[..]].concat(), [&[1, classes], &patch[..]].concat()))
            }
            (Task::Detection, _, Some(detection)) => {
                let side = 2 * detect::MULTIPLE;
                let cells = side / detection.stride;
                Some((vec![1, detection.channels(), side, side], vec![1, classes, cells, cells]))
            }
            _ => None,
        }
    }

    fn compare(&self, network: &mut Network) -> Result<f64, BundleError> {
        let golden = &self.manifest.golden;
        let array = |path: &PathBuf| npy::read(&self.folder.join(path));
        let mut inputs = Vec::new();
        for (name, path) in &golden.inputs {
            inputs.push((name.as_str(), array(path)?));
        }
        let given: Vec<(&str, &Tensor)> = inputs.iter().map(|(name, tensor)| (*name, tensor)).collect();
        let answers = network.run(&given)?;
        let mut worst = 0.0_f64;
        for (name, path) in &golden.outputs {
            let expected = array(path)?;
            let answer = answers.iter().find(|(output, _)| output == name).map(|(_, tensor)| tensor);
            let difference = answer.and_then(|answer| answer.difference(&expected)).unwrap_or(f64::INFINITY);
            let close = difference <= golden.tolerance;
            if !close {
                let output = name.clone();
                return Err(BundleError::Answer { output, difference, tolerance: golden.tolerance });
            }
            worst = worst.max(difference);
        }
        Ok(worst)
    }
}

/// Whether a network has the ports that its bundle promises.
fn fits(what: &str, declared: &[DeclaredPort], found: &[Port]) -> Result<(), BundleError> {
    let shape = |text: String| Err(BundleError::Shape { what: text });
    for port in declared {
        let Some(here) = found.iter().find(|here| here.name == port.name) else {
            return shape(format!("the network has no {what} {:?}", port.name));
        };
        let element = match port.element {
            Element::F32 => "f32",
            Element::I64 => "i64",
        };
        // A free length takes every promise; a fixed one takes only its own.
        let sides = here.shape.len() == port.shape.len()
            && here.shape.iter().zip(&port.shape).all(|(here, said)| *here < 0 || here == said);
        if here.element != element || !sides {
            return shape(format!(
                "{what} {:?} is {} of shape {:?}, the manifest says {element} of shape {:?}",
                port.name, here.element, here.shape, port.shape
            ));
        }
    }
    match found.iter().find(|here| !declared.iter().any(|port| port.name == here.name)) {
        Some(extra) if what == "input" => shape(format!("the manifest does not name input {:?}", extra.name)),
        _ => Ok(()),
    }
}

/// Memory of this process that lies in RAM; 0 where it cannot be read.
fn resident_bytes() -> u64 {
    // proc(5): the second number of statm counts pages of 4 KiB (16 KiB on some ARM kernels: then this is a floor).
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

impl Model {
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    pub fn provider(&self) -> Provider {
        self.network.provider()
    }

    pub fn warning(&self) -> Option<&str> {
        self.network.warning()
    }

    /// The largest difference of its golden answer.
    pub fn difference(&self) -> f64 {
        self.difference
    }

    /// What loading and warming up took of memory.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// The network, for code that knows it.
    pub fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    pub(crate) fn network_and_file(&mut self) -> (&mut Network, &NetworkFile) {
        (&mut self.network, &self.manifest.network)
    }
}
