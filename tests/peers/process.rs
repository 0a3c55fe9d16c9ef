//! A child process under watch: its streams go to files, an early end is noticed, dropping the handle ends it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::patience::{patience, within};

/// Why a peer is not running.
#[derive(thiserror::Error)]
pub enum StartError {
    #[error("{program} is not installed: apt-get install {package}")]
    Missing { program: String, package: &'static str },
    #[error(transparent)]
    MissingSibling(#[from] super::scratch::MissingProgram),
    #[error("cannot prepare {what}: {source}")]
    Prepare { what: String, source: io::Error },
    #[error("{what}: it ended first, {status}\n{evidence}")]
    Ended { what: String, status: ExitStatus, evidence: String },
    #[error("{what}: not within {limit:?}\n{evidence}")]
    Late { what: String, limit: Duration, evidence: String },
    #[error("{what}\n{evidence}")]
    Refused { what: String, evidence: String },
}

/// What a test's `unwrap` prints: the same words, with their line breaks.
impl fmt::Debug for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// One finished run of a command-line tool.
#[derive(Debug)]
pub struct Run {
    pub command: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Both streams: tools do not agree on which one to talk.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// # Panics
    /// When the tool failed; with the command and both streams.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(self.status.success(), "{}", self.evidence());
        self
    }

    pub fn evidence(&self) -> String {
        format!("$ {}\n{}\n{}", self.command, self.status, self.text())
    }
}

/// Runs a tool to its end.
pub fn run(mut command: Command, package: &'static str) -> Result<Run, StartError> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| not_started(&command, package, source))?;
    Ok(Run {
        command: format!("{command:?}"),
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn not_started(command: &Command, package: &'static str, source: io::Error) -> StartError {
    match source.kind() {
        io::ErrorKind::NotFound => {
            StartError::Missing { program: command.get_program().display().to_string(), package }
        }
        _ => StartError::Prepare { what: format!("{command:?}"), source },
    }
}

/// A started child.
#[derive(Debug)]
pub struct Watched {
    command: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Watched {
    /// Starts `command` with its streams in `folder/<name>.stdout` and `.stderr` (appended: a restarted peer
    /// keeps its history).
    pub fn start(
        name: &str,
        package: &'static str,
        mut command: Command,
        folder: &Path,
    ) -> Result<Self, StartError> {
        let stdout = folder.join(format!("{name}.stdout"));
        let stderr = folder.join(format!("{name}.stderr"));
        let prepare = |source| StartError::Prepare { what: name.to_owned(), source };
        command.stdin(Stdio::null());
        command.stdout(append(&stdout).map_err(prepare)?).stderr(append(&stderr).map_err(prepare)?);
        let child = command.spawn().map_err(|source| not_started(&command, package, source))?;
        Ok(Self { command: format!("{command:?}"), child, stdout, stderr })
    }

    /// Polls until `look` finds something; an early end or the end of patience is an error with all evidence.
    pub fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T, StartError> {
        let limit = patience();
        let found = within(limit, || {
            let ended = self.child.try_wait().ok().flatten();
            match (look(self), ended) {
                (Some(found), _) => Some(Ok(found)),
                (None, Some(status)) => Some(Err(status)),
                (None, None) => None,
            }
        });
        match found {
            Some(Ok(found)) => Ok(found),
            Some(Err(status)) => {
                Err(StartError::Ended { what: what.into(), status, evidence: self.evidence() })
            }
            None => Err(StartError::Late { what: what.into(), limit, evidence: self.evidence() }),
        }
    }

    /// The command and both streams, for the text of a failure.
    pub fn evidence(&self) -> String {
        format!(
            "$ {}\n--- stdout\n{}--- stderr\n{}",
            self.command,
            tail(&self.stdout()),
            tail(&self.stderr())
        )
    }

    pub fn stdout(&self) -> String {
        read_lossy(&self.stdout)
    }

    pub fn stderr(&self) -> String {
        read_lossy(&self.stderr)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it runs still.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal; one that already ended is no error.
    pub fn signal(&self, signal: Signal) {
        let _gone = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        within(limit, || self.child.try_wait().ok().flatten())
    }

    /// SIGKILL, and waits until the kernel has buried it, ports and files closed.
    pub fn kill9(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.kill9();
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// The last lines of a stream: enough to see what went wrong, short enough to read.
fn tail(text: &str) -> String {
    const LINES: usize = 60;
    let lines: Vec<&str> = text.lines().collect();
    let cut = lines.len().saturating_sub(LINES);
    let mark = if cut > 0 { format!("({cut} lines before)\n") } else { String::new() };
    lines[cut..].iter().fold(mark, |text, line| text + line + "\n")
}
