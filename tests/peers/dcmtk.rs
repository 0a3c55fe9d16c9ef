//! dcmtk's command-line tools: the scanner and the archive of the tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::broker::free_port;
use super::process::{Run, StartError, Watched, run};
use super::scratch::Scratch;

const PACKAGE: &str = "dcmtk";

/// Sends files in this order over one association, as a scanner does.
pub fn storescu(port: u16, files: &[PathBuf], options: &[&str]) -> Result<Run, StartError> {
    send("storescu", port, files, options)
}

/// Sends files in this order; it proposes what the files need, converting between uncompressed syntaxes.
pub fn dcmsend(port: u16, files: &[PathBuf], options: &[&str]) -> Result<Run, StartError> {
    send("dcmsend", port, files, options)
}

/// The same under TLS: `authority` signs the box's certificate; `own` is the folder of `client.key`, `client.pem`.
pub fn storescu_secured(
    port: u16,
    files: &[PathBuf],
    authority: &Path,
    own: Option<&Path>,
) -> Result<Run, StartError> {
    let text = |path: &Path| path.display().to_string();
    let own = own.map(|own| (text(&own.join("client.key")), text(&own.join("client.pem"))));
    let authority = text(authority);
    let mut options = match &own {
        Some((key, certificate)) => vec!["+tls", key, certificate],
        None => vec!["+tla"],
    };
    options.extend(["+cf", &authority]);
    send("storescu", port, files, &options)
}

/// C-ECHO.
pub fn echoscu(port: u16) -> Result<Run, StartError> {
    send("echoscu", port, &[], &[])
}

/// What a Part-10 file says, as text.
pub fn dcmdump(file: &Path) -> Result<Run, StartError> {
    let mut command = Command::new("dcmdump");
    command.arg(file);
    run(command, PACKAGE)
}

/// What a structured report says, as text; fails where its content items do not belong together as its class wants.
pub fn dsrdump(file: &Path) -> Result<Run, StartError> {
    let mut command = Command::new("dsrdump");
    command.arg(file);
    run(command, PACKAGE)
}

fn send(tool: &str, port: u16, files: &[PathBuf], options: &[&str]) -> Result<Run, StartError> {
    let mut command = Command::new(tool);
    // Seconds for connecting, for association messages, for responses: a hanging box fails, it does not hang us.
    command.args(["-v", "-to", "20", "-ta", "60", "-td", "60"]).args(options);
    command.args(["-aet", "SCANNER", "-aec", "SIDELIGHT", "127.0.0.1", &port.to_string()]).args(files);
    run(command, PACKAGE)
}

/// dcmtk's own receiver, writing data sets exactly as they come over the wire: the independent witness of what a
/// sender really sent.
#[derive(Debug)]
pub struct Witness {
    _process: Watched,
    port: u16,
    scratch: Scratch,
}

impl Witness {
    /// `preference` is storescp's option for the transfer syntax it prefers, e.g. `+xe` or `+xi`.
    pub fn start(preference: &str) -> Result<Self, StartError> {
        let prepare = |source| StartError::Prepare { what: "a folder for storescp".into(), source };
        let mut failure = None;
        // Another process may take the port between our look and storescp's bind.
        for _attempt in 0..5 {
            let scratch = Scratch::new("witness").map_err(prepare)?;
            let port = free_port().map_err(prepare)?;
            let received = scratch.path().join("received");
            std::fs::create_dir(&received).map_err(prepare)?;
            let mut command = Command::new("storescp");
            command.args(["--bit-preserving", preference, "-od"]).arg(&received).arg(port.to_string());
            let mut process = Watched::start("storescp", PACKAGE, command, scratch.path())?;
            let answers = |_: &Watched| echoscu(port).ok().filter(|run| run.status.success());
            match process.until("an answer of storescp", answers) {
                Ok(_) => return Ok(Self { _process: process, port, scratch }),
                Err(why) => failure = Some(why),
            }
        }
        Err(failure.expect("five attempts leave five failures"))
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where what was received lies.
    pub fn received(&self) -> PathBuf {
        self.scratch.path().join("received")
    }
}
