//! A headless chromium with one page, spoken to over its DevTools protocol: open, look, click, take a picture.
//!
//! It is found in `CHROMIUM`, else on PATH. It keeps nothing of the user's: profile and cache lie in a folder of the
//! test.

use std::fmt;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::patience::{patience, within};
use super::process::{StartError, Watched};
use super::scratch::Scratch;

/// Why the browser did not do as asked.
#[derive(thiserror::Error)]
pub enum BrowserError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("DevTools connection: {0}")]
    Connection(Box<tungstenite::Error>),
    #[error("DevTools handshake: {0}")]
    Handshake(String),
    #[error("{method}: {answer}")]
    Refused { method: String, answer: Value },
    #[error("the page threw: {0}")]
    Script(Value),
    #[error("cannot write {path}: {source}")]
    Write { path: String, source: std::io::Error },
    #[error("waited in vain for {what}; the page reads:\n{page}\n--- its console:\n{console}")]
    Late { what: String, page: String, console: String },
}

/// What a test's `unwrap` prints: the same words, with their line breaks.
impl fmt::Debug for BrowserError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

/// A browser with one open page. Dropping it closes it.
#[derive(Debug)]
pub struct Browser {
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    last_id: u64,
    console: Vec<String>,
    process: Watched,
    // Last: the profile goes after the process.
    _scratch: Scratch,
}

impl Browser {
    /// Starts chromium with a window of `width` x `height` and opens `url`.
    pub fn open(url: &str, width: u32, height: u32) -> Result<Self, BrowserError> {
        let prepare = |source| StartError::Prepare { what: "a folder for chromium".into(), source };
        let scratch = Scratch::new("browser").map_err(prepare)?;
        let command = chromium(scratch.path(), width, height);
        let mut process = Watched::start("chromium", "chromium", command, scratch.path())?;
        let port_file = scratch.path().join("profile/DevToolsActivePort");
        let (port, path) = process.until("chromium's DevTools port", |_| {
            let text = std::fs::read_to_string(&port_file).ok()?;
            let (port, path) = text.split_once('\n')?;
            Some((port.trim().parse::<u16>().ok()?, path.trim().to_owned()))
        })?;
        let socket = connect(port, &path)?;
        let mut browser =
            Self { socket, session: None, last_id: 0, console: Vec::new(), process, _scratch: scratch };
        browser.attach()?;
        // --window-size counts the window's frame in.
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", &size)?;
        browser.call("Page.navigate", &json!({ "url": url }))?;
        Ok(browser)
    }

    /// Value of an expression in the page.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value, BrowserError> {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call("Runtime.evaluate", &parameters)?;
        if !answer["exceptionDetails"].is_null() {
            return Err(BrowserError::Script(answer["exceptionDetails"].take()));
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until an expression is neither null, false nor empty, and returns its value.
    pub fn wait_for(&mut self, what: &str, expression: &str) -> Result<Value, BrowserError> {
        let mut last = None;
        let found = within(patience(), || match self.evaluate(expression) {
            Ok(Value::Null | Value::Bool(false)) => None,
            Ok(Value::String(text)) if text.is_empty() => None,
            Ok(value) => Some(value),
            Err(why) => {
                // The page may be between two documents.
                last = Some(why);
                None
            }
        });
        if let Some(value) = found {
            return Ok(value);
        }
        let page = self.evaluate("document.body ? document.body.innerText : ''").unwrap_or_default();
        let why = last.map_or_else(String::new, |why| format!("\nlast error: {why}"));
        Err(BrowserError::Late {
            what: format!("{what}{why}"),
            page: page.as_str().unwrap_or_default().to_owned(),
            console: self.console.join("\n"),
        })
    }

    /// Waits for an element and returns its text.
    pub fn text_of(&mut self, selector: &str) -> Result<String, BrowserError> {
        let text = self.wait_for(selector, &format!("{}?.textContent", element(selector)))?;
        Ok(text.as_str().unwrap_or_default().trim().to_owned())
    }

    /// Waits for an element and clicks it.
    pub fn click(&mut self, selector: &str) -> Result<(), BrowserError> {
        let script = format!("(() => {{ const e = {}; e?.click(); return !!e; }})()", element(selector));
        self.wait_for(selector, &script).map(|_| ())
    }

    /// Opens the box's page and its first study, up to the first image.
    pub fn at_first_study(url: &str) -> Result<Self, BrowserError> {
        let mut browser = Self::open(url, 1600, 1000)?;
        browser.click("[data-testid=study-row]")?;
        browser.wait_for("the image", "document.documentElement.dataset.ready === 'image'")?;
        Ok(browser)
    }

    /// Writes what the window shows as a PNG.
    pub fn screenshot(&mut self, path: &Path) -> Result<(), BrowserError> {
        let answer = self.call("Page.captureScreenshot", &json!({ "format": "png" }))?;
        let encoded = answer["data"].as_str().unwrap_or_default();
        let write = |source| BrowserError::Write { path: path.display().to_string(), source };
        let png = base64::engine::general_purpose::STANDARD.decode(encoded);
        let png = png.map_err(|why| write(std::io::Error::other(why)))?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(write)?;
        }
        std::fs::write(path, png).map_err(write)
    }

    /// Errors the page reported so far: exceptions and failed requests.
    pub fn console_errors(&mut self) -> Result<&[String], BrowserError> {
        // A round trip brings in every event before it.
        self.evaluate("0")?;
        Ok(&self.console)
    }

    fn attach(&mut self) -> Result<(), BrowserError> {
        let targets = self.call("Target.getTargets", &json!({}))?;
        let page = targets["targetInfos"]
            .as_array()
            .and_then(|targets| targets.iter().find(|target| target["type"] == "page"))
            .map(|target| target["targetId"].clone());
        let page = match page {
            Some(page) => page,
            None => self.call("Target.createTarget", &json!({ "url": "about:blank" }))?["targetId"].take(),
        };
        let attached = self.call("Target.attachToTarget", &json!({ "targetId": page, "flatten": true }))?;
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            self.call(domain, &json!({}))?;
        }
        Ok(())
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Result<Value, BrowserError> {
        let connection = |why| BrowserError::Connection(Box::new(why));
        self.last_id += 1;
        let mut request = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        self.socket.send(Message::text(request.to_string())).map_err(connection)?;
        loop {
            let Message::Text(text) = self.socket.read().map_err(connection)? else { continue };
            let mut answer: Value = serde_json::from_str(&text).unwrap_or_default();
            if answer["id"] == self.last_id {
                if answer["error"].is_null() {
                    return Ok(answer["result"].take());
                }
                return Err(BrowserError::Refused { method: method.to_owned(), answer });
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let parameters = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => {
                self.console.push(parameters["exceptionDetails"].to_string());
            }
            Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
                self.console.push(parameters["entry"].to_string());
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked nicely it takes its helper processes along; the handle's own drop does not ask.
        self.session = None;
        let _gone = self.call("Browser.close", &json!({}));
        let _status = self.process.wait(std::time::Duration::from_secs(5));
    }
}

fn element(selector: &str) -> String {
    format!("document.querySelector({})", json!(selector))
}

fn chromium(folder: &Path, width: u32, height: u32) -> Command {
    let mut command = Command::new(program());
    command.args(["--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]);
    // Containers have a small /dev/shm.
    command.args(["--disable-dev-shm-usage", "--remote-debugging-port=0", "--force-device-scale-factor=1"]);
    if rustix::process::getuid().is_root() {
        command.arg("--no-sandbox");
    }
    command.arg(format!("--window-size={width},{height}"));
    command.arg(format!("--user-data-dir={}", folder.join("profile").display()));
    command.arg("about:blank");
    command
}

fn program() -> String {
    if let Ok(program) = std::env::var("CHROMIUM") {
        return program;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = |name: &&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let names = ["chromium", "google-chrome", "google-chrome-stable"];
    // None installed: starting the first gives the error that names the package.
    names.into_iter().find(installed).unwrap_or(names[0]).to_owned()
}

fn connect(port: u16, path: &str) -> Result<WebSocket<TcpStream>, BrowserError> {
    let handshake = |why: &dyn fmt::Display| BrowserError::Handshake(why.to_string());
    let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|why| handshake(&why))?;
    stream.set_read_timeout(Some(patience())).map_err(|why| handshake(&why))?;
    let url = format!("ws://127.0.0.1:{port}{path}");
    let (socket, _response) = tungstenite::client(url, stream).map_err(|why| handshake(&why))?;
    Ok(socket)
}
