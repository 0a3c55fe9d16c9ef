//! The one door to ONNX Runtime.
//!
//! libonnxruntime.so is loaded at run time from a folder (tests/setup/onnxruntime.sh fills one from PyPI wheels), and
//! with it the provider plugins that lie beside it: `libonnxruntime_providers_<provider>.so`. Providers are tried in the
//! order the site file gives; which one serves, and why the ones before it do not, is kept to be shown.
//!
//! A network that fails on its provider is loaded once more on the next usable one and says so; after that, failing is an
//! error. Answers that are not numbers are refused.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::{Tensor as OrtTensor, TensorElementType, ValueType};

use crate::graphs::Graphs;
use crate::tensor::{Tensor, Values};

/// What may run a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    TensorRt,
    Cuda,
    WebGpu,
    Cpu,
}

impl Provider {
    /// The order without a site's wish.
    pub const ORDER: [Self; 4] = [Self::TensorRt, Self::Cuda, Self::WebGpu, Self::Cpu];

    pub fn name(self) -> &'static str {
        match self {
            Self::TensorRt => "tensorrt",
            Self::Cuda => "cuda",
            Self::WebGpu => "webgpu",
            Self::Cpu => "cpu",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ORDER.into_iter().find(|provider| provider.name() == name)
    }

    /// As ONNX Runtime names it.
    fn runtime_name(self) -> &'static str {
        match self {
            Self::TensorRt => "TensorrtExecutionProvider",
            Self::Cuda => "CUDAExecutionProvider",
            Self::WebGpu => "WebGpuExecutionProvider",
            Self::Cpu => "CPUExecutionProvider",
        }
    }
}

/// Why a network cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    #[error("no libonnxruntime.so in {}: run tests/setup/onnxruntime.sh or set models.runtime_dir", folder.display())]
    NoRuntime { folder: PathBuf },
    #[error("{}: {what}", path.display())]
    Library { path: PathBuf, what: String },
    #[error("ONNX Runtime is already loaded from {}; a process has one", loaded.display())]
    Another { loaded: PathBuf },
    #[error("no provider of {asked:?} can be used here")]
    NoProvider { asked: Vec<&'static str> },
    #[error("the network cannot be loaded on {provider}: {what}")]
    Load { provider: &'static str, what: String },
    #[error("the network fails on {provider}: {what}")]
    Run { provider: &'static str, what: String },
    #[error("{what}")]
    Mismatch { what: String },
    #[error("output {output:?} holds values that are not numbers")]
    NotFinite { output: String },
}

/// One provider and whether it can be used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderState {
    pub provider: Provider,
    pub usable: bool,
    /// Which device it found, or what it lacks.
    pub reason: String,
}

/// The loaded library and its providers; cheap to clone.
#[derive(Clone, Debug)]
pub struct Runtime {
    environment: Environment,
    states: Arc<[ProviderState]>,
    version: Arc<str>,
    threads: usize,
    graphs: Option<Graphs>,
}

/// ONNX Runtime has one environment a process and must not lose it: plugins stay registered with it.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

impl Runtime {
    /// Loads the library of `folder` and asks the providers, in the order of their trying. `threads`: for the CPU provider.
    pub fn open(folder: &Path, order: &[Provider], threads: usize) -> Result<Self, OnnxError> {
        let library = library(folder)?;
        let environment = environment(&library)?;
        let states = order.iter().map(|provider| state(&environment, folder, *provider)).collect();
        let name = library.file_name().unwrap_or_default().to_string_lossy();
        let version = name.strip_prefix("libonnxruntime.so.").unwrap_or("of unknown version").into();
        Ok(Self { environment, states, version, threads, graphs: None })
    }

    /// Keeps optimised graphs in a folder and takes them from there.
    #[must_use]
    pub fn keeping_graphs(self, folder: &Path) -> Self {
        Self { graphs: Some(Graphs::at(folder)), ..self }
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    /// All providers asked for, in order.
    pub fn providers(&self) -> &[ProviderState] {
        &self.states
    }

    fn usable(&self) -> impl Iterator<Item = Provider> + '_ {
        self.states.iter().filter(|state| state.usable).map(|state| state.provider)
    }

    /// A session, and whether its graph came optimised from the disk.
    fn session(&self, network: &[u8], provider: Provider) -> Result<(Session, bool), String> {
        let graphs = self.graphs.as_ref().filter(|_| provider == Provider::Cpu);
        let Some(graphs) = graphs else {
            let session = self.builder(provider)?.commit_from_memory(network);
            return Ok((session.map_err(|error| error.to_string())?, false));
        };
        let key = Graphs::key(network, &self.version, "all");
        let words = |error: ort::Error<SessionBuilder>| error.to_string();
        if let Some(graph) = graphs.read(&key) {
            let as_it_is = self.builder(provider)?.with_optimization_level(GraphOptimizationLevel::Disable);
            match as_it_is.map_err(words)?.commit_from_memory(&graph) {
                Ok(session) => return Ok((session, true)),
                Err(error) => tracing::warn!(%error, "an optimised graph does not load; it is made again"),
            }
        }
        let mut builder = self.builder(provider)?;
        let draft = graphs.draft(&key);
        if let Some(draft) = &draft {
            builder = builder.with_optimized_model_path(draft).map_err(words)?;
        }
        let session = builder.commit_from_memory(network).map_err(|error| error.to_string())?;
        if let Some(draft) = &draft {
            graphs.keep(&key, draft);
        }
        Ok((session, false))
    }

    fn builder(&self, provider: Provider) -> Result<SessionBuilder, String> {
        let words = |error: ort::Error<SessionBuilder>| error.to_string();
        let builder = Session::builder(&self.environment)
            .map_err(|error| error.to_string())?
            .with_log_level(LogLevel::Error)
            .map_err(words)?
            .with_intra_threads(self.threads)
            .map_err(words)?
            // Waiting threads sleep: the box has other work for its cores.
            .with_intra_op_spinning(false)
            .map_err(words)?;
        if provider == Provider::Cpu {
            return Ok(builder);
        }
        let devices: Vec<_> = self
            .environment
            .devices()
            .filter(|device| device.ep().is_ok_and(|name| name == provider.runtime_name()))
            .take(1)
            .collect();
        builder.with_devices(devices, None).map_err(words)
    }
}

/// The wheel has only the name with the version.
fn library(folder: &Path) -> Result<PathBuf, OnnxError> {
    let missing = || OnnxError::NoRuntime { folder: folder.into() };
    let entries = std::fs::read_dir(folder).map_err(|_| missing())?;
    let paths = entries.flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so"))
    };
    // The longest name carries the version.
    paths.filter(named).max_by_key(|path| path.as_os_str().len()).ok_or_else(missing)
}

fn environment(library: &Path) -> Result<Environment, OnnxError> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((path, environment)) = &*loaded {
        if path == library {
            return Ok(environment.clone());
        }
        return Err(OnnxError::Another { loaded: path.clone() });
    }
    let fail = |what: String| OnnxError::Library { path: library.into(), what };
    let builder = ort::init_from(library).map_err(|error| fail(error.to_string()))?;
    // Nothing leaves the hospital that nobody agreed to.
    let environment = builder.with_telemetry(false).build().map_err(|error| fail(error.to_string()))?;
    environment.set_log_level(LogLevel::Error);
    *loaded = Some((library.into(), environment.clone()));
    Ok(environment)
}

fn state(environment: &Environment, folder: &Path, provider: Provider) -> ProviderState {
    let outcome = match provider {
        Provider::Cpu => Ok("part of the runtime".into()),
        other => device(environment, folder, other),
    };
    let usable = outcome.is_ok();
    ProviderState { provider, usable, reason: outcome.unwrap_or_else(|why| why) }
}

/// The device a plugin found, or why it found none.
fn device(environment: &Environment, folder: &Path, provider: Provider) -> Result<String, String> {
    let find = || {
        let mine =
            |device: &ort::device::Device<'_>| device.ep().is_ok_and(|name| name == provider.runtime_name());
        let device = environment.devices().find(mine)?;
        let vendor = device.hardware_device().vendor().unwrap_or("vendor unknown").to_owned();
        Some(format!("{vendor} device {}", device.hardware_device().id()))
    };
    if let Some(device) = find() {
        return Ok(device);
    }
    let file = format!("libonnxruntime_providers_{}.so", provider.name());
    let path = folder.join(&file);
    if !path.exists() {
        return Err(format!("{file} is not installed"));
    }
    environment.register_ep_library(provider.runtime_name(), &path).map_err(|error| error.to_string())?;
    find().ok_or_else(|| "its plugin finds no device here".to_owned())
}

/// An input or output as the network declares it; -1 stands for any length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    /// `f32`, `i64`, or what else it is.
    pub element: String,
    pub shape: Vec<i64>,
}

/// A loaded network: inputs by name in, outputs by name out.
#[derive(Debug)]
pub struct Network {
    runtime: Runtime,
    bytes: Arc<[u8]>,
    session: Session,
    provider: Provider,
    warning: Option<String>,
    from_disk: bool,
}

impl Network {
    /// Loads a network on the first usable provider that takes it.
    pub fn load(runtime: &Runtime, bytes: Arc<[u8]>) -> Result<Self, OnnxError> {
        let mut refused: Option<OnnxError> = None;
        for provider in runtime.usable() {
            match runtime.session(&bytes, provider) {
                Ok((session, from_disk)) => {
                    let warning = refused.map(|error| format!("{error}; it runs on {}", provider.name()));
                    return Ok(Self {
                        runtime: runtime.clone(),
                        bytes,
                        session,
                        provider,
                        warning,
                        from_disk,
                    });
                }
                Err(what) => refused = Some(OnnxError::Load { provider: provider.name(), what }),
            }
        }
        let asked = || runtime.states.iter().map(|state| state.provider.name()).collect();
        Err(refused.unwrap_or_else(|| OnnxError::NoProvider { asked: asked() }))
    }

    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// What did not go as the site file wished.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Whether its graph was optimised before and taken from the disk.
    pub fn is_from_disk(&self) -> bool {
        self.from_disk
    }

    pub fn inputs(&self) -> Vec<Port> {
        self.session.inputs().iter().map(|outlet| port(outlet.name(), outlet.dtype())).collect()
    }

    pub fn outputs(&self) -> Vec<Port> {
        self.session.outputs().iter().map(|outlet| port(outlet.name(), outlet.dtype())).collect()
    }

    /// The operator set it was written for.
    pub fn opset(&self) -> Option<u32> {
        self.session.opset_for_domain("")
    }

    /// One inference. A provider that fails is left for the next usable one, once.
    pub fn run(&mut self, inputs: &[(&str, &Tensor)]) -> Result<Vec<(String, Tensor)>, OnnxError> {
        match self.run_here(inputs) {
            Err(OnnxError::Run { provider, what }) if self.warning.is_none() => {
                let failed = OnnxError::Run { provider, what };
                self.fall_back(failed)?;
                self.run_here(inputs)
            }
            other => other,
        }
    }

    fn fall_back(&mut self, failed: OnnxError) -> Result<(), OnnxError> {
        let after = self.runtime.usable().skip_while(|provider| *provider != self.provider).nth(1);
        let Some(provider) = after else { return Err(failed) };
        (self.session, self.from_disk) = self
            .runtime
            .session(&self.bytes, provider)
            .map_err(|what| OnnxError::Load { provider: provider.name(), what })?;
        self.provider = provider;
        let warning = format!("{failed}; it runs on {} now", provider.name());
        tracing::warn!(warning, "a provider failed");
        self.warning = Some(warning);
        Ok(())
    }

    /// Values are copied in and out: 1.5 % of an inference on two cores, measured. Bound outputs would save them, but a
    /// run with a binding never came back (ort 2.0.0-rc.15 with runtime 1.32).
    fn run_here(&mut self, inputs: &[(&str, &Tensor)]) -> Result<Vec<(String, Tensor)>, OnnxError> {
        let provider = self.provider.name();
        let fail = |error: ort::Error| OnnxError::Run { provider, what: error.to_string() };
        let mut values = Vec::with_capacity(inputs.len());
        for (name, tensor) in inputs {
            values.push(((*name).to_owned(), value(tensor).map_err(fail)?));
        }
        let outputs = self.session.run(values).map_err(fail)?;
        let mut answers = Vec::with_capacity(outputs.len());
        for (name, value) in &outputs {
            let tensor = extract(&value).ok_or_else(|| OnnxError::Mismatch {
                what: format!("output {name:?} is neither float32 nor int64"),
            })?;
            if !tensor.values().all_finite() {
                return Err(OnnxError::NotFinite { output: name.to_owned() });
            }
            answers.push((name.to_owned(), tensor));
        }
        Ok(answers)
    }
}

fn port(name: &str, kind: &ValueType) -> Port {
    let (element, shape) = match kind {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => ("f32".to_owned(), shape.to_vec()),
        ValueType::Tensor { ty: TensorElementType::Int64, shape, .. } => ("i64".to_owned(), shape.to_vec()),
        ValueType::Tensor { ty, shape, .. } => (ty.to_string(), shape.to_vec()),
        _ => ("no tensor".to_owned(), Vec::new()),
    };
    Port { name: name.to_owned(), element, shape }
}

fn value(tensor: &Tensor) -> ort::Result<SessionInputValue<'static>> {
    let shape = tensor.shape().to_vec();
    Ok(match tensor.values() {
        Values::F32(values) => OrtTensor::from_array((shape, values.clone()))?.into(),
        Values::I64(values) => OrtTensor::from_array((shape, values.clone()))?.into(),
    })
}

fn extract(value: &ort::value::ValueRef<'_>) -> Option<Tensor> {
    let sides = |shape: &ort::value::Shape| {
        shape.iter().map(|side| usize::try_from(*side).ok()).collect::<Option<Vec<_>>>()
    };
    let (shape, values) = if let Ok((shape, values)) = value.try_extract_tensor::<f32>() {
        (sides(shape)?, Values::F32(values.to_vec()))
    } else {
        let (shape, values) = value.try_extract_tensor::<i64>().ok()?;
        (sides(shape)?, Values::I64(values.to_vec()))
    };
    Tensor::new(shape, values).ok()
}
