//! The box itself: a lab site in a folder of its own and `sidelight serve` on it, as a user would start it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use rustix::process::Signal;
use serde::Deserialize;

use super::api::Api;
use super::patience::patience;
use super::process::{Run, StartError, Watched, run};
use super::scratch::{Scratch, sibling_program};

/// Where the box runs its kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    Auto,
    /// In tests: Mesa's software Vulkan.
    Gpu,
    Twin,
}

impl Processor {
    fn as_argument(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Gpu => "gpu",
            Self::Twin => "twin",
        }
    }
}

/// What a box to be started shall be like.
#[derive(Debug)]
pub struct Builder {
    processor: Processor,
    broker_url: Option<String>,
    folder: Option<PathBuf>,
    site_edits: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    disk_mib: Option<u32>,
    /// Folder of model bundles.
    bundles: Option<PathBuf>,
    structures: bool,
}

/// The one line the box prints when it is ready.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    pub ready: bool,
    pub dicom: String,
    /// The TLS door.
    pub dicom_tls: Option<String>,
    pub http: String,
    pub ae_title: String,
    pub token: String,
}

/// A running box. Dropping it kills the process and removes the site, unless the test failed.
#[derive(Debug)]
pub struct Appliance {
    process: Watched,
    ready: Ready,
    environment: Vec<(String, String)>,
    // Last: the folder goes after the process.
    scratch: Scratch,
}

/// A box on the CPU twin without a broker, unless told otherwise.
pub fn appliance() -> Builder {
    Builder {
        processor: Processor::Twin,
        broker_url: None,
        folder: None,
        site_edits: Vec::new(),
        environment: Vec::new(),
        disk_mib: None,
        bundles: None,
        structures: false,
    }
}

/// Whether a process here may have a disk of its own.
pub fn can_mount() -> bool {
    let mut command = Command::new("unshare");
    command.args(["-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    run(command, "util-linux").is_ok_and(|run| run.status.success())
}

impl Builder {
    /// Puts the data folder on a disk of this size, which lives as long as the process.
    #[must_use]
    pub fn disk_mib(mut self, size: u32) -> Self {
        self.disk_mib = Some(size);
        self
    }

    #[must_use]
    pub fn processor(mut self, processor: Processor) -> Self {
        self.processor = processor;
        self
    }

    #[must_use]
    pub fn broker(mut self, url: &str) -> Self {
        self.broker_url = Some(url.to_owned());
        self
    }

    /// Lives in this folder, which is emptied first and kept afterwards.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Runs the networks of this folder on the ONNX Runtime that `make` unpacks.
    #[must_use]
    pub fn networks(mut self, bundles: &Path) -> Self {
        self.bundles = Some(bundles.into());
        self
    }

    /// Structures are told apart on every CT, as the lab site has it. Scenarios about other things do without: they count
    /// the results of a CT.
    #[must_use]
    pub fn structures(mut self) -> Self {
        self.structures = true;
        self
    }

    /// Replaces a line of the lab site's `site.toml`.
    #[must_use]
    pub fn site_line(mut self, from: &str, to: &str) -> Self {
        self.site_edits.push((from.to_owned(), to.to_owned()));
        self
    }

    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes the site, starts the box and waits for its ready line.
    pub fn start(self) -> Result<Appliance, StartError> {
        let prepare = |source| StartError::Prepare { what: "the box's folder".into(), source };
        let mut scratch = match &self.folder {
            Some(folder) => Scratch::at(folder),
            None => Scratch::new("box"),
        }
        .map_err(prepare)?;
        let started = self
            .provision(scratch.path())
            .and_then(|()| serve(scratch.path(), &self.environment, self.disk_mib));
        if started.is_err() {
            scratch.keep();
        }
        let (process, ready) = started?;
        Ok(Appliance { process, ready, environment: self.environment, scratch })
    }

    fn provision(&self, folder: &Path) -> Result<(), StartError> {
        let mut command = Command::new(sibling_program("sidelight-provision")?);
        command.arg("lab").arg(folder).args(["--processor", self.processor.as_argument()]);
        if let Some(url) = &self.broker_url {
            command.args(["--mqtt", url]);
        }
        if let Some(bundles) = &self.bundles {
            command.arg("--onnxruntime").arg(onnxruntime()).arg("--bundles").arg(bundles);
        }
        let mut provision = Watched::start("provision", "sidelight", command, folder)?;
        match provision.wait(patience()) {
            Some(status) if status.success() => {}
            _ => {
                let what = "sidelight-provision lab failed".into();
                return Err(StartError::Refused { what, evidence: provision.evidence() });
            }
        }
        self.edit_site(&folder.join("site.toml"))
    }

    fn edit_site(&self, path: &Path) -> Result<(), StartError> {
        let prepare = |source| StartError::Prepare { what: path.display().to_string(), source };
        let mut site = std::fs::read_to_string(path).map_err(prepare)?;
        let structures = ("structures = true".to_owned(), format!("structures = {}", self.structures));
        for (from, to) in self.site_edits.iter().chain([&structures]) {
            if !site.contains(from.as_str()) {
                let what = format!("the lab site has no line {from:?} to replace");
                return Err(StartError::Refused { what, evidence: site });
            }
            site = site.replace(from.as_str(), to);
        }
        std::fs::write(path, site).map_err(prepare)
    }
}

impl Appliance {
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The HTTP interface, with the ready line's token.
    pub fn api(&self) -> Api {
        Api::new(&self.ready.http, Some(&self.ready.token))
    }

    /// Port of the DICOM door.
    pub fn dicom_port(&self) -> u16 {
        let port = self.ready.dicom.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        port.expect("the ready line's dicom address was parsed when the box started")
    }

    /// Where a browser opens the reading station, signed in.
    pub fn viewer_url(&self) -> String {
        format!("{}/#token={}", self.ready.http, self.ready.token)
    }

    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    pub fn data_folder(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// All log lines since the site was made, over restarts.
    pub fn log(&self) -> String {
        self.process.stderr()
    }

    /// The command and the tails of both streams, for messages of failed assertions.
    pub fn evidence(&self) -> String {
        self.process.evidence()
    }

    pub fn is_alive(&mut self) -> bool {
        self.process.is_alive()
    }

    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Runs another command of the box (`doctor`, `rebuild-index`) on the same site.
    pub fn command(&self, name: &str) -> Result<Run, StartError> {
        self.command_words(&[name])
    }

    /// The same for a command of several words (`audit verify`).
    pub fn command_words(&self, words: &[&str]) -> Result<Run, StartError> {
        let mut command = Command::new(sibling_program("sidelight")?);
        command.args(words).arg("--site").arg(self.folder().join("site.toml"));
        run(command, "sidelight")
    }

    /// SIGTERM, and waits for the end; `None` when it does not stop.
    pub fn terminate(&mut self) -> Option<ExitStatus> {
        self.process.signal(Signal::TERM);
        self.process.wait(patience())
    }

    /// Sends a signal and does not wait.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for the process to end.
    pub fn wait(&mut self) -> Option<ExitStatus> {
        self.process.wait(patience())
    }

    /// The power cut of tests (as far as a process can feel one).
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Starts the box again on the same site, after [`Appliance::terminate`] or [`Appliance::kill9`].
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.process.kill9();
        let (process, ready) = serve(self.scratch.path(), &self.environment, None)?;
        self.process = process;
        self.ready = ready;
        Ok(())
    }
}

/// Where tests/setup/onnxruntime.sh puts it.
fn onnxruntime() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository's root");
    root.join("target/tools/onnxruntime")
}

/// `sidelight`, on a disk of its own where one is wanted.
fn program(folder: &Path, disk_mib: Option<u32>) -> Result<Command, StartError> {
    let sidelight = sibling_program("sidelight")?;
    let Some(size) = disk_mib else { return Ok(Command::new(sidelight)) };
    let prepare = |source| StartError::Prepare { what: "a folder for the disk".into(), source };
    let data = folder.join("data");
    std::fs::create_dir_all(&data).map_err(prepare)?;
    let mut command = Command::new("unshare");
    // One process from beginning to end: what is signalled is the box.
    command.args([
        "-Urm",
        "sh",
        "-c",
        "mount -t tmpfs -o size=$1m tmpfs \"$2\" && shift 2 && exec \"$@\"",
        "sh",
    ]);
    command.arg(size.to_string()).arg(data).arg(sidelight);
    Ok(command)
}

fn serve(
    folder: &Path,
    environment: &[(String, String)],
    disk_mib: Option<u32>,
) -> Result<(Watched, Ready), StartError> {
    let mut command = program(folder, disk_mib)?;
    command.args(["serve", "--site"]).arg(folder.join("site.toml"));
    // The tests' own service manager, if they run under one, is none of the box's business.
    command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let lines_before = lines_of(&folder.join("serve.stdout"));
    let mut process = Watched::start("serve", "sidelight", command, folder)?;
    let line = process.until("the box's ready line", |process| {
        let stdout = process.stdout();
        let whole_lines = stdout.rfind('\n').map_or("", |end| &stdout[..end]);
        whole_lines.lines().nth(lines_before).map(str::to_owned)
    })?;
    let refuse = |what: String| StartError::Refused { what, evidence: process.evidence() };
    let ready: Ready =
        serde_json::from_str(&line).map_err(|why| refuse(format!("not a ready line: {line:?}: {why}")))?;
    let ports_known = ready.dicom.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !ready.ready || !ports_known || !ready.http.starts_with("http://127.0.0.1:") {
        return Err(refuse(format!("the ready line does not say where the box listens: {line}")));
    }
    Ok((process, ready))
}

fn lines_of(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}
