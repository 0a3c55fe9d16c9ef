//! A mosquitto on a free loopback port, and mosquitto_sub writing down everything that passes.

use std::fmt::Write as _;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use super::process::{StartError, Watched};
use super::scratch::Scratch;

/// A port nobody listens on right now. Another process may take it before the caller binds it: callers retry.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A running broker with no persistence and no passwords, on loopback only.
#[derive(Debug)]
pub struct Broker {
    process: Watched,
    port: u16,
    scratch: Scratch,
}

impl Broker {
    pub fn start() -> Result<Self, StartError> {
        let prepare = |source| StartError::Prepare { what: "a broker".into(), source };
        let mut failure = None;
        for _attempt in 0..5 {
            let port = free_port().map_err(prepare)?;
            let scratch = Scratch::new("broker").map_err(prepare)?;
            match start_on(port, &scratch) {
                Ok(process) => return Ok(Self { process, port, scratch }),
                Err(missing @ StartError::Missing { .. }) => return Err(missing),
                Err(why) => failure = Some(why),
            }
        }
        Err(failure.expect("five attempts leave five failures"))
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// The broker's log, for messages of failed assertions.
    pub fn evidence(&self) -> String {
        self.process.evidence()
    }

    /// Ends the broker; [`Broker::restart`] brings it back on the same port.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    pub fn restart(&mut self) -> Result<(), StartError> {
        self.process = start_on(self.port, &self.scratch)?;
        Ok(())
    }

    /// Collects every message from now on; returns once the broker has confirmed the subscription.
    pub fn subscribe(&self) -> Result<Subscriber, StartError> {
        // Into a file mosquitto_sub would gather 4 KiB before it writes; stdbuf makes it write line by line.
        let mut command = Command::new("stdbuf");
        command.args([
            "-oL",
            "mosquitto_sub",
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-V",
            "5",
            "-q",
            "1",
            "-t",
            "#",
        ]);
        // -d prints "Subscribed"; %x is the payload in hexadecimal, %P %C %R the properties in clear.
        command.args(["-d", "-F", "MESSAGE\t%t\t%x\t%P %C %R"]);
        let name = format!("subscriber-{}", fastrand::u32(..));
        let mut process = Watched::start(&name, "mosquitto-clients", command, self.scratch.path())?;
        process.until("the broker's confirmation of the subscription", |process| {
            process.stdout().contains("Subscribed").then_some(())
        })?;
        Ok(Subscriber { process })
    }
}

fn start_on(port: u16, scratch: &Scratch) -> Result<Watched, StartError> {
    let configuration = scratch.path().join("mosquitto.conf");
    let mut text = format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n");
    if rustix::process::getuid().is_root() {
        // Otherwise it changes to a user who may not read this folder.
        writeln!(text, "user root").expect("writing to a string cannot fail");
    }
    std::fs::write(&configuration, text)
        .map_err(|source| StartError::Prepare { what: configuration.display().to_string(), source })?;
    let mut command = Command::new("mosquitto");
    // Debian keeps daemons in sbin, which an ordinary user's PATH leaves out.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin"));
    command.arg("-c").arg(&configuration);
    let mut process = Watched::start("mosquitto", "mosquitto", command, scratch.path())?;
    process.until("mosquitto to listen", |_| TcpStream::connect(("127.0.0.1", port)).ok())?;
    // On a port somebody else took, the connection above was theirs and mosquitto is about to end.
    process.until("mosquitto to say that it runs", |process| {
        process.stderr().contains("running").then_some(())
    })?;
    Ok(process)
}

/// One message as it came out of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: String,
    pub payload: Vec<u8>,
    /// User properties, content type and response topic.
    pub properties: String,
}

impl Message {
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_slice(&self.payload)
    }
}

/// Everything that was published since the subscription.
#[derive(Debug)]
pub struct Subscriber {
    process: Watched,
}

impl Subscriber {
    pub fn messages(&self) -> Vec<Message> {
        let stdout = self.process.stdout();
        let whole_lines = stdout.rfind('\n').map_or("", |end| &stdout[..end]);
        whole_lines.lines().filter_map(parse).collect()
    }

    pub fn evidence(&self) -> String {
        self.process.evidence()
    }
}

fn parse(line: &str) -> Option<Message> {
    let mut fields = line.strip_prefix("MESSAGE\t")?.splitn(3, '\t');
    let (topic, hex, properties) = (fields.next()?, fields.next()?, fields.next()?);
    let payload = hex.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    Some(Message {
        topic: topic.to_owned(),
        payload: payload.collect::<Option<_>>()?,
        properties: properties.trim().to_owned(),
    })
}
