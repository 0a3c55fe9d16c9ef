//! `sidelight models`: which networks lie here, whether they answer as they say, and one of them run by hand.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use sidelight::wiring::networks;
use sidelight_models::{Bundle, Catalogue, Model, Provider, Runtime, Tensor, npy};
use sidelight_provisioning::Site;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Name every bundle and what its manifest says
    List(Place),
    /// Load every bundle, run it, compare its golden answer; non-zero when one is refused
    Verify(Place),
    /// Run one network on arrays that numpy.save wrote
    Run {
        /// Name of the bundle
        name: String,
        /// input=FILE.npy, once for each input; without any, its golden input
        #[arg(long = "input", value_name = "NAME=FILE")]
        inputs: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
}

/// Where networks lie: a site file, or folders.
#[derive(clap::Args)]
struct Place {
    /// Site file
    #[arg(long, conflicts_with_all = ["runtime", "bundles", "bundle", "providers"])]
    site: Option<PathBuf>,
    /// Folder of libonnxruntime.so
    #[arg(long, default_value = "target/tools/onnxruntime")]
    runtime: PathBuf,
    /// Folder of bundles
    #[arg(long, default_value = "models/bundles")]
    bundles: PathBuf,
    /// One bundle alone
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Folder that keeps optimised graphs
    #[arg(long)]
    graphs: Option<PathBuf>,
    /// In the order of trying
    #[arg(long, value_delimiter = ',', value_parser = provider, default_value = "tensorrt,cuda,webgpu,cpu")]
    providers: Vec<Provider>,
}

fn provider(name: &str) -> Result<Provider, String> {
    Provider::from_name(name).ok_or_else(|| "tensorrt, cuda, webgpu or cpu".to_owned())
}

/// What a place comes to.
struct Found {
    folders: Vec<PathBuf>,
    config: networks::Config,
}

impl Place {
    fn find(&self) -> anyhow::Result<Found> {
        let config = match &self.site {
            Some(site) => networks::config(&Site::read(site)?)?.context("the site file has no [models]")?,
            None => networks::Config {
                runtime_dir: self.runtime.clone(),
                bundles_dir: self.bundles.clone(),
                graphs_dir: self.graphs.clone(),
                providers: self.providers.clone(),
                allow_demonstrations: true,
                threads: networks::threads(),
                program: std::env::current_exe()?,
            },
        };
        let folders = match &self.bundle {
            Some(bundle) => vec![bundle.clone()],
            None => Catalogue::folders(&config.bundles_dir)
                .with_context(|| format!("cannot read {}", config.bundles_dir.display()))?,
        };
        Ok(Found { folders, config })
    }
}

impl Found {
    fn runtime(&self) -> anyhow::Result<Runtime> {
        Ok(self.config.runtime()?)
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.task {
        Task::List(place) => list(&place.find()?),
        Task::Verify(place) => verify(&place.find()?),
        Task::Run { name, inputs, place } => infer(&place.find()?, name, inputs),
    }
}

#[expect(clippy::print_stdout, reason = "a command line answers on standard output")]
fn list(found: &Found) -> anyhow::Result<ExitCode> {
    for folder in &found.folders {
        match Bundle::open(folder) {
            Ok(bundle) => {
                let manifest = bundle.manifest();
                println!("{} {}: {}", manifest.name, manifest.version, manifest.statement);
                println!("    sha256 {}, {}", manifest.network.sha256, manifest.licence);
            }
            Err(error) => println!("{}: {error}", folder.display()),
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "a command line answers on standard output")]
fn verify(found: &Found) -> anyhow::Result<ExitCode> {
    let runtime = found.runtime()?;
    let mut refused = found.folders.is_empty();
    for folder in &found.folders {
        let (outcome, took_s) = timed(|| Bundle::open(folder).and_then(|bundle| bundle.verify(&runtime)));
        match outcome {
            Ok(model) => println!("  ok   {} (verified in {took_s:.2} s)", words(&model)),
            Err(error) => {
                refused = true;
                // The box reads one line; an error of TOML has several.
                let words: Vec<String> =
                    error.to_string().lines().map(|line| line.trim().to_owned()).collect();
                println!("  BAD  {}: {}", folder.display(), words.join(" "));
            }
        }
    }
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// One verified network in a line.
pub(super) fn words(model: &Model) -> String {
    let manifest = model.manifest();
    #[expect(clippy::cast_precision_loss, reason = "shown in whole MiB")]
    let mib = model.memory_bytes() as f64 / f64::from(1 << 20);
    let warning = model.warning().map_or(String::new(), |warning| format!("; {warning}"));
    format!(
        "{} {} on {}, golden answer off by {:.1e}, {mib:.0} MiB, {}{warning}",
        manifest.name,
        manifest.version,
        model.provider().name(),
        model.difference(),
        manifest.statement
    )
}

#[expect(clippy::print_stdout, reason = "a command line answers on standard output")]
fn infer(found: &Found, name: &str, inputs: &[String]) -> anyhow::Result<ExitCode> {
    let runtime = found.runtime()?;
    let named = |folder: &&PathBuf| Bundle::open(folder).is_ok_and(|bundle| bundle.manifest().name == name);
    let folder = found.folders.iter().rev().find(named).with_context(|| format!("no bundle {name}"))?;
    let mut model = Bundle::open(folder)?.verify(&runtime)?;
    let given = given(folder, &model, inputs)?;
    let borrowed: Vec<(&str, &Tensor)> = given.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let (answers, took_s) = timed(|| model.network().run(&borrowed));
    for (name, tensor) in answers? {
        let range = tensor.as_f32().map_or(String::new(), |values| {
            let (low, high) = values
                .iter()
                .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
            format!(", values {low} to {high}")
        });
        println!("{name}: shape {:?}{range}", tensor.shape());
    }
    println!("{} in {:.1} ms", model.provider().name(), took_s * 1000.0);
    Ok(ExitCode::SUCCESS)
}

/// The arrays named on the command line, or the golden ones.
fn given(folder: &Path, model: &Model, inputs: &[String]) -> anyhow::Result<Vec<(String, Tensor)>> {
    if inputs.is_empty() {
        let golden = model.manifest().golden.inputs.iter();
        return golden.map(|(name, file)| Ok((name.clone(), npy::read(&folder.join(file))?))).collect();
    }
    let read = |input: &String| {
        let (name, file) = input.split_once('=').context("an input reads NAME=FILE.npy")?;
        Ok((name.to_owned(), npy::read(Path::new(file))?))
    };
    inputs.iter().map(read).collect()
}

#[expect(clippy::disallowed_methods, reason = "measures how long something took")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let outcome = work();
    (outcome, begun.elapsed().as_secs_f64())
}
