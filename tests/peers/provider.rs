//! A service class provider by hand: takes every association and every message, keeps what came, answers as told. The
//! console that takes commitment reports, and the RIS.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::association::{item, items, pdu, read_pdu};
use super::message::{Gathering, Message};
use super::patience::patience;

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub message: Message,
    pub transfer_syntax: String,
    /// SCU and SCP role the caller proposed for the class, where it did (PS3.7 D.3.3.4).
    pub roles: Option<(u8, u8)>,
    pub calling_ae_title: String,
}

#[derive(Debug, Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    status: AtomicU16,
    stop: AtomicBool,
}

/// A listening provider; dropping it closes the port.
#[derive(Debug)]
pub struct Provider {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    /// On a free port, answering success.
    pub fn start() -> io::Result<Self> {
        Self::at(0)
    }

    /// On this port.
    pub fn at(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || {
                for stream in listener.incoming().flatten() {
                    if shared.stop.load(Ordering::SeqCst) {
                        break;
                    }
                    // A caller that breaks off is the test's business, seen in what came.
                    let _ = serve(stream, &shared);
                }
            }
        });
        Ok(Self { port, shared, thread: Some(thread) })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What every message is answered with from now on.
    pub fn answer(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    /// Everything that came, in order.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(patience()))?;
    stream.set_nodelay(true)?;
    let other = |_| io::Error::other("not DICOM");
    let (1, request) = read_pdu(&mut stream).map_err(other)? else { return Ok(()) };
    let proposed = Proposed::read(&request);
    stream.write_all(&proposed.accept(&request))?;
    let mut gathering = Gathering::default();
    loop {
        match read_pdu(&mut stream).map_err(other)? {
            (4, body) => {
                let Some((context, message)) = gathering.take(&body) else { continue };
                let response = message.response(context, shared.status.load(Ordering::SeqCst));
                let received = Received {
                    transfer_syntax: proposed.syntaxes.get(&context).cloned().unwrap_or_default(),
                    roles: proposed.roles,
                    calling_ae_title: proposed.calling_ae_title.clone(),
                    message,
                };
                shared.received.lock().unwrap_or_else(PoisonError::into_inner).push(received);
                stream.write_all(&response)?;
            }
            (5, _) => return stream.write_all(&pdu(6, &[0; 4])),
            _ => return Ok(()),
        }
    }
}

struct Proposed {
    /// Context id to the first proposed transfer syntax.
    syntaxes: BTreeMap<u8, String>,
    roles: Option<(u8, u8)>,
    calling_ae_title: String,
}

impl Proposed {
    fn read(request: &[u8]) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches(['\0', ' ']).to_owned();
        let calling_ae_title = text(request.get(20..36).unwrap_or_default());
        let (mut syntaxes, mut roles) = (BTreeMap::new(), None);
        for (kind, value) in items(request.get(68..).unwrap_or_default()) {
            match kind {
                0x20 => {
                    let within = items(value.get(4..).unwrap_or_default());
                    let syntax = within.iter().find(|(kind, _)| *kind == 0x40).map(|(_, name)| text(name));
                    syntaxes.insert(value.first().copied().unwrap_or(0), syntax.unwrap_or_default());
                }
                0x50 => {
                    let role = items(value).into_iter().find(|(kind, _)| *kind == 0x54);
                    roles = role.and_then(|(_, value)| Some((*value.iter().rev().nth(1)?, *value.last()?)));
                }
                _ => {}
            }
        }
        Self { syntaxes, roles, calling_ae_title }
    }

    /// A-ASSOCIATE-AC that takes every context in its first syntax.
    fn accept(&self, request: &[u8]) -> Vec<u8> {
        let mut body = request.get(..68).unwrap_or_default().to_vec();
        item(&mut body, 0x10, b"1.2.840.10008.3.1.1.1");
        for (id, syntax) in &self.syntaxes {
            let mut context = vec![*id, 0, 0, 0];
            item(&mut context, 0x40, syntax.as_bytes());
            item(&mut body, 0x21, &context);
        }
        let mut user = Vec::new();
        // Small on purpose: what is longer must come in pieces.
        item(&mut user, 0x51, &1024_u32.to_be_bytes());
        item(&mut user, 0x52, b"2.25.306160946183862211");
        item(&mut body, 0x50, &user);
        pdu(2, &body)
    }
}
