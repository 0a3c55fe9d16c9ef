//! The one thread networks run on: an inbox of one, one catalogue, turns in order.
//!
//! Not a room: analysis sends it work, doctor and the API ask what serves. The runtime and every bundle are looked at on
//! this thread, after the DICOM door is open; whoever sends work earlier waits.

mod deployed;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use sidelight_models::catalogue::Standing;
use sidelight_models::{Catalogue, Manifest, Model, OnnxError, Provider, ProviderState, Runtime};
use tokio::sync::{mpsc, oneshot, watch};

use crate::compute::Compute;
pub use deployed::{Deployed, Refused};

/// Networks of a site: where they lie, what may run them.
#[derive(Clone, Debug)]
pub struct Config {
    pub runtime_dir: PathBuf,
    pub bundles_dir: PathBuf,
    /// Where optimised graphs are kept from one start to the next.
    pub graphs_dir: Option<PathBuf>,
    pub providers: Vec<Provider>,
    pub allow_demonstrations: bool,
    /// For the CPU provider.
    pub threads: usize,
    /// This program: `models verify` runs in a process of its own, so that a bundle that crashes the runtime crashes that.
    pub program: PathBuf,
}

impl Config {
    /// Loads ONNX Runtime as this site wants it.
    pub fn runtime(&self) -> Result<Runtime, OnnxError> {
        let runtime = Runtime::open(&self.runtime_dir, &self.providers, self.threads)?;
        Ok(match &self.graphs_dir {
            Some(folder) => runtime.keeping_graphs(folder),
            None => runtime,
        })
    }
}

/// Both threads that compute on this box.
#[derive(Clone, Debug)]
pub struct Machines {
    pub compute: Compute,
    pub inference: Inference,
}

/// One bundle that serves, for people.
#[derive(Clone, Debug)]
pub struct ServingModel {
    pub name: String,
    pub version: String,
    pub digest: String,
    pub provider: &'static str,
    pub statement: String,
    pub demonstration: bool,
    pub memory_bytes: u64,
    pub warning: Option<String>,
}

/// What runs networks here, and which.
#[derive(Clone, Debug)]
pub struct InferenceInfo {
    /// Of ONNX Runtime.
    pub runtime_version: String,
    pub providers: Vec<ProviderState>,
    pub serving: Vec<ServingModel>,
    /// Folder and reason.
    pub refused: Vec<(String, String)>,
    pub allow_demonstrations: bool,
    /// Every version of every bundle.
    pub deployed: Arc<[Deployed]>,
}

/// Why no network answered, in words for a finding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoModel(pub String);

type Work = Box<dyn FnOnce(&mut Result<Catalogue, NoModel>) + Send>;

/// A sender of work; cheap to clone.
#[derive(Clone, Debug)]
pub struct Inference {
    inbox: mpsc::Sender<Work>,
    info: watch::Receiver<Option<Result<InferenceInfo, NoModel>>>,
    allow_demonstrations: bool,
}

/// Starts the thread. It ends when the last `Inference` is dropped. Without a configuration it only says that there is
/// none.
pub fn start(config: Option<Config>) -> std::io::Result<(Inference, JoinHandle<()>)> {
    let (inbox, outbox) = mpsc::channel(1);
    let (announce, info) = watch::channel(None);
    let allow_demonstrations = config.as_ref().is_some_and(|config| config.allow_demonstrations);
    let thread = std::thread::Builder::new().name("inference".into()).spawn(move || {
        let catalogue = open(config.as_ref());
        announce.send_replace(Some(match &catalogue {
            Ok((runtime, catalogue)) => Ok(describe(runtime, catalogue, allow_demonstrations)),
            Err(error) => Err(error.clone()),
        }));
        let mut catalogue = catalogue.map(|(_, catalogue)| catalogue);
        serve(outbox, &mut catalogue);
    })?;
    Ok((Inference { inbox, info, allow_demonstrations }, thread))
}

fn open(config: Option<&Config>) -> Result<(Runtime, Catalogue), NoModel> {
    let config =
        config.ok_or_else(|| NoModel("the site file has no [models]: no network runs here".into()))?;
    let fail = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "no networks");
        NoModel(error.to_string())
    };
    let runtime = config.runtime().map_err(|error| fail(&error))?;
    let folders = Catalogue::folders(&config.bundles_dir)
        .map_err(|error| fail(&format!("{}: {error}", config.bundles_dir.display())))?;
    let mut catalogue = Catalogue::default();
    for folder in folders {
        match smoke_test(config, &folder) {
            // Refused here as well, it is in the list of refusals.
            Ok(()) => drop(catalogue.offer(&folder, &runtime)),
            Err(reason) => catalogue.refuse(&folder, reason),
        }
    }
    let serving = catalogue.serving().count();
    tracing::info!(runtime = runtime.version(), serving, refused = catalogue.refusals().len(), "networks");
    Ok((runtime, catalogue))
}

/// Verifies a bundle in another process; what it says on standard error is the reason.
fn smoke_test(config: &Config, folder: &Path) -> Result<(), String> {
    let providers: Vec<&str> = config.providers.iter().map(|provider| provider.name()).collect();
    let outcome = Command::new(&config.program)
        .args(["models", "verify", "--providers", &providers.join(",")])
        .arg("--runtime")
        .arg(&config.runtime_dir)
        .arg("--bundle")
        .arg(folder)
        // What it optimises there need not be optimised here again.
        .args(config.graphs_dir.iter().flat_map(|graphs| [OsStr::new("--graphs"), graphs.as_os_str()]))
        .env("SIDELIGHT_LOG", "off")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("it could not be verified: {error}"))?;
    if outcome.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&outcome.stdout);
    let reason = said.lines().find_map(|line| line.trim().strip_prefix("BAD  "));
    Err(reason.map_or_else(|| format!("verifying it ended with {}", outcome.status), str::to_owned))
}

fn serve(mut outbox: mpsc::Receiver<Work>, catalogue: &mut Result<Catalogue, NoModel>) {
    while let Some(work) = outbox.blocking_recv() {
        work(catalogue);
    }
}

fn accepted<'a>(
    catalogue: &'a mut Catalogue,
    fits: &dyn Fn(&Manifest) -> bool,
    demonstrations: bool,
) -> Result<&'a mut Model, NoModel> {
    let of = |demonstration: bool| {
        let mut fitting = catalogue.serving().map(Model::manifest).filter(|manifest| fits(manifest));
        fitting.find(|manifest| manifest.demonstration == demonstration).map(|manifest| manifest.name.clone())
    };
    let name = match (of(false), of(true)) {
        (Some(name), _) => name,
        (None, Some(name)) if demonstrations => name,
        (None, Some(name)) => {
            let why = "is a demonstration, and this site allows none";
            return Err(NoModel(format!("no accepted model installed: {name} {why}")));
        }
        (None, None) => return Err(NoModel("no accepted model installed".into())),
    };
    Ok(catalogue.model(&name).expect("it serves: its name was just read there"))
}

fn describe(runtime: &Runtime, catalogue: &Catalogue, allow_demonstrations: bool) -> InferenceInfo {
    let refused = catalogue.refusals().iter().map(|refusal| {
        let folder = refusal.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (folder, refusal.reason.clone())
    });
    InferenceInfo {
        runtime_version: runtime.version().to_owned(),
        providers: runtime.providers().to_vec(),
        serving: catalogue.serving().map(serving).collect(),
        refused: refused.collect(),
        allow_demonstrations,
        deployed: deployed::deployed(catalogue).into(),
    }
}

fn serving(model: &Model) -> ServingModel {
    let manifest = model.manifest();
    ServingModel {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        digest: manifest.network.sha256.clone(),
        provider: model.provider().name(),
        statement: manifest.statement.clone(),
        demonstration: manifest.demonstration,
        memory_bytes: model.memory_bytes(),
        warning: model.warning().map(str::to_owned),
    }
}

impl Inference {
    /// Runs `work` with the first network that `fits`, after everything sent before it. Demonstrations come last, and
    /// only where the site allows them.
    pub async fn with_model<T: Send + 'static>(
        &self,
        fits: impl Fn(&Manifest) -> bool + Send + 'static,
        work: impl FnOnce(&mut Model) -> T + Send + 'static,
    ) -> Result<T, NoModel> {
        let (answer, answered) = oneshot::channel();
        let (span, demonstrations) = (tracing::Span::current(), self.allow_demonstrations);
        let work: Work = Box::new(move |catalogue| {
            let model = catalogue.as_mut().map_err(|error| error.clone());
            let model = model.and_then(|catalogue| accepted(catalogue, &fits, demonstrations));
            // Nobody waiting any more: the asker was stopped.
            let _ = answer.send(span.in_scope(|| model.map(work)));
        });
        let gone = || NoModel("a network panicked; the log of the inference thread says where".into());
        self.inbox.send(work).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// What every network that serves says of itself; nothing where none runs here, `None` while the bundles are verified.
    pub fn serving(&self) -> Option<Vec<Arc<Manifest>>> {
        let info = self.info.borrow();
        let Ok(info) = info.as_ref()? else { return Some(Vec::new()) };
        let serving = info.deployed.iter().filter(|one| one.standing == Ok(Standing::Serving));
        Some(serving.filter_map(|one| one.manifest.clone()).collect())
    }

    /// `None` while the bundles are verified.
    pub fn info(&self) -> Option<Result<InferenceInfo, NoModel>> {
        self.info.borrow().clone()
    }
}
