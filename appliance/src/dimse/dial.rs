//! Calls another AE: drives a `Requestor` over a socket, one operation at a time.
//!
//! Every wait has an end (`Timeouts`). An object is streamed from its Part-10 file in pieces of the peer's PDU length,
//! its data set unchanged: no piece of it is parsed. It does not retry, and it does not choose what is sent.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sidelight_provisioning::tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::acceptor::Outgoing;
use super::command::Status;
use super::negotiation::OWN_PDU_BYTES_MAX;
use super::requestor::{
    Event, EventReport, Failure, Heard, MESSAGE_BYTES_MAX, Operation, Proposal, Requestor, Timeouts,
};
use super::services::VERIFICATION;
use super::socket::Socket;
use super::wire::{PduReader, WireError, encode};
use crate::clock::Clock;
use crate::part10::{Header, read_header};

/// Reports that came while something else was awaited. A peer that floods us with them is not sane.
const REPORTS_MAX: usize = 64;

/// Another application entity, as the site file names it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// `host:port`.
    pub address: String,
    pub called_ae: String,
    pub calling_ae: String,
    pub tls: Option<tls::Client>,
    pub timeouts: Timeouts,
}

/// Why an operation came to nothing. Whatever it is but `Refused` and `File`, the association is over.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("{address} cannot be reached: {source}")]
    Connect { address: String, source: std::io::Error },
    #[error("{address} did not answer within {} s", within.as_secs())]
    Unreachable { address: String, within: Duration },
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("sending failed: {0}")]
    Send(std::io::Error),
    /// The peer did not agree to carry this; the association goes on.
    #[error("the peer takes no {sop_class} in transfer syntax {transfer_syntax}")]
    Refused { sop_class: String, transfer_syntax: String },
    /// Our own file; nothing was sent and the association goes on, unless it broke in the middle.
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// The peer answered, with a failure.
    #[error("the peer answered with status {0:#06x}")]
    Status(u16),
    #[error("the data set has {bytes} bytes, more than the {MESSAGE_BYTES_MAX} of a message")]
    TooLong { bytes: usize },
}

/// An open association in which we ask and the peer answers.
#[derive(Debug)]
pub struct Association {
    machine: Requestor,
    socket: Socket,
    pdus: PduReader,
    clock: Clock,
    timeouts: Timeouts,
    address: String,
    reports: VecDeque<EventReport>,
}

/// Connects, in TLS where the peer wants it, and negotiates.
pub async fn associate(peer: &Peer, proposals: &[Proposal<'_>]) -> Result<Association, DialError> {
    associate_as(peer, proposals, false).await
}

/// The same for reporting on what the peer had asked: it is the user of these services, we provide them.
pub async fn associate_as_provider(
    peer: &Peer,
    proposals: &[Proposal<'_>],
) -> Result<Association, DialError> {
    associate_as(peer, proposals, true).await
}

async fn associate_as(
    peer: &Peer,
    proposals: &[Proposal<'_>],
    provider: bool,
) -> Result<Association, DialError> {
    let clock = Clock;
    let within = peer.timeouts.connect;
    let socket = match tokio::time::timeout(within, connect(peer)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(source)) => return Err(DialError::Connect { address: peer.address.clone(), source }),
        Err(_) => return Err(DialError::Unreachable { address: peer.address.clone(), within }),
    };
    let (machine, request) =
        Requestor::new(&peer.called_ae, &peer.calling_ae, proposals, provider, peer.timeouts, clock.now());
    let mut association = Association {
        machine,
        socket,
        pdus: PduReader::new(OWN_PDU_BYTES_MAX),
        clock,
        timeouts: peer.timeouts,
        address: peer.address.clone(),
        reports: VecDeque::new(),
    };
    association.send(&request).await?;
    match association.next().await? {
        Event::Associated => Ok(association),
        _ => Err(Failure::Nonsense("no answer to the association request").into()),
    }
}

async fn connect(peer: &Peer) -> std::io::Result<Socket> {
    let stream = TcpStream::connect(&peer.address).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = &peer.tls else { return Ok(Socket::Plain(stream)) };
    let connector = tokio_rustls::TlsConnector::from(tls.config.clone());
    let stream = connector.connect(tls.server_name.clone(), stream).await?;
    Ok(Socket::Tls(Box::new(stream.into())))
}

impl Association {
    /// Whether an object of this class can go in exactly this transfer syntax.
    pub fn takes(&self, sop_class: &str, transfer_syntax: &str) -> bool {
        self.machine.context(sop_class, transfer_syntax).is_some()
    }

    /// The transfer syntax agreed for an abstract syntax, the first where there are several.
    pub fn transfer_syntax(&self, abstract_syntax: &str) -> Option<&str> {
        self.machine.any_context(abstract_syntax).map(|(_, syntax)| syntax)
    }

    pub async fn echo(&mut self) -> Result<Status, DialError> {
        let context = self.any_context(VERIFICATION)?;
        self.command(context, &Operation::Echo, VERIFICATION, "", false).await?;
        self.response().await
    }

    /// C-STORE of a Part-10 file of ours: the data set goes out as it lies on the disk.
    pub async fn store(&mut self, path: &Path) -> Result<Status, DialError> {
        let (header, file) = open(path).await?;
        let context = self.machine.context(&header.sop_class, &header.transfer_syntax);
        let context = context.ok_or_else(|| DialError::Refused {
            sop_class: header.sop_class.clone(),
            transfer_syntax: header.transfer_syntax.clone(),
        })?;
        self.command(context, &Operation::Store, &header.sop_class, &header.sop_instance, true).await?;
        match self.stream(context, path, file).await {
            // The peer may have said why before it stopped reading.
            Err(DialError::Send(error)) => Err(match self.response().await {
                Err(DialError::Failed(failure)) if failure != Failure::Silence => failure.into(),
                _ => DialError::Send(error),
            }),
            Err(error) => Err(error),
            Ok(()) => self.response().await,
        }
    }

    /// N-ACTION (PS3.7 10.1.4); `data_set` in the syntax that `transfer_syntax` names.
    pub async fn n_action(
        &mut self,
        sop_class: &str,
        sop_instance: &str,
        action_type: u16,
        data_set: &[u8],
    ) -> Result<Status, DialError> {
        self.message(&Operation::Action(action_type), sop_class, sop_instance, data_set).await
    }

    /// N-EVENT-REPORT (PS3.7 10.1.1).
    pub async fn n_event_report(
        &mut self,
        sop_class: &str,
        sop_instance: &str,
        event_type: u16,
        data_set: &[u8],
    ) -> Result<Status, DialError> {
        self.message(&Operation::EventReport(event_type), sop_class, sop_instance, data_set).await
    }

    /// N-CREATE (PS3.7 10.1.5).
    pub async fn n_create(
        &mut self,
        sop_class: &str,
        sop_instance: &str,
        data_set: &[u8],
    ) -> Result<Status, DialError> {
        self.message(&Operation::Create, sop_class, sop_instance, data_set).await
    }

    /// N-SET (PS3.7 10.1.3).
    pub async fn n_set(
        &mut self,
        sop_class: &str,
        sop_instance: &str,
        data_set: &[u8],
    ) -> Result<Status, DialError> {
        self.message(&Operation::Set, sop_class, sop_instance, data_set).await
    }

    /// The next report of the peer on something we asked of it; `None` when none came within `wait`.
    pub async fn event_report(&mut self, wait: Duration) -> Result<Option<EventReport>, DialError> {
        if let Some(report) = self.reports.pop_front() {
            return Ok(Some(report));
        }
        // The machine's own silence would abort; here it only means "not yet".
        self.machine.wait_until(None);
        match tokio::time::timeout(wait, self.next()).await {
            Ok(Ok(Event::Report(report))) => Ok(Some(report)),
            Ok(Ok(_)) => Err(Failure::Nonsense("an answer to nothing").into()),
            Ok(Err(error)) => Err(error),
            // A half-read PDU makes the connection useless, and a peer that slow is.
            Err(_) if self.pdus.is_between_pdus() => Ok(None),
            Err(_) => Err(Failure::Silence.into()),
        }
    }

    /// A-RELEASE, both ways.
    pub async fn release(mut self) -> Result<(), DialError> {
        let request = self.machine.release(self.clock.now());
        self.send(&request).await?;
        loop {
            match self.next().await? {
                Event::Released => break,
                // What was on its way when we asked to leave.
                Event::Report(_) => {}
                _ => return Err(Failure::Nonsense("an answer to nothing").into()),
            }
        }
        // The peer has everything; how the socket ends changes nothing.
        let _ = tokio::time::timeout(self.timeouts.send, self.socket.shutdown()).await;
        Ok(())
    }

    async fn message(
        &mut self,
        operation: &Operation,
        sop_class: &str,
        sop_instance: &str,
        data_set: &[u8],
    ) -> Result<Status, DialError> {
        if data_set.len() > MESSAGE_BYTES_MAX {
            return Err(DialError::TooLong { bytes: data_set.len() });
        }
        let context = self.any_context(sop_class)?;
        self.command(context, operation, sop_class, sop_instance, !data_set.is_empty()).await?;
        let mut pieces = data_set.chunks(self.machine.fragment_bytes_max()).peekable();
        while let Some(piece) = pieces.next() {
            let pdu = self.machine.fragment(context, piece.to_vec(), pieces.peek().is_none());
            self.send(&pdu).await?;
        }
        self.response().await
    }

    fn any_context(&self, abstract_syntax: &str) -> Result<u8, DialError> {
        let found = self.machine.any_context(abstract_syntax).map(|(id, _)| id);
        found.ok_or_else(|| DialError::Refused {
            sop_class: abstract_syntax.to_owned(),
            transfer_syntax: "proposed".to_owned(),
        })
    }

    async fn command(
        &mut self,
        context: u8,
        operation: &Operation,
        sop_class: &str,
        sop_instance: &str,
        has_data_set: bool,
    ) -> Result<(), DialError> {
        let now = self.clock.now();
        for pdu in self.machine.request(context, operation, sop_class, sop_instance, has_data_set, now) {
            self.send(&pdu).await?;
        }
        Ok(())
    }

    /// Sends the rest of `file` in pieces; one piece is held back so that the last one can be marked.
    async fn stream(&mut self, context: u8, path: &Path, mut file: tokio::fs::File) -> Result<(), DialError> {
        let length = self.machine.fragment_bytes_max();
        let mut held = match fill(&mut file, length).await {
            Ok(held) => held,
            Err(source) => return self.unreadable(path, source).await,
        };
        loop {
            let next = match fill(&mut file, length).await {
                Ok(next) => next,
                Err(source) => return self.unreadable(path, source).await,
            };
            let last = next.is_empty();
            let pdu = self.machine.fragment(context, held, last);
            self.send(&pdu).await?;
            self.machine.sent(self.clock.now());
            if last {
                return Ok(());
            }
            held = next;
        }
    }

    /// Half an object is out: the association cannot go on.
    async fn unreadable(&mut self, path: &Path, source: std::io::Error) -> Result<(), DialError> {
        let goodbye = self.machine.abort();
        let _ = self.send(&goodbye).await;
        Err(DialError::File { path: path.to_owned(), source })
    }

    async fn response(&mut self) -> Result<Status, DialError> {
        self.machine.sent(self.clock.now());
        loop {
            match self.next().await? {
                Event::Response(status) => return Ok(status),
                Event::Report(report) if self.reports.len() < REPORTS_MAX => self.reports.push_back(report),
                _ => return Err(Failure::Nonsense("no answer to the request").into()),
            }
        }
    }

    /// Reads until the machine has something for the caller.
    async fn next(&mut self) -> Result<Event, DialError> {
        loop {
            let heard = self.hear().await;
            let mut found = None;
            for event in self.machine.on(heard) {
                match event {
                    Event::Send(pdu) => self.send(&pdu).await?,
                    Event::Failed(failure) => return Err(failure.into()),
                    event => found = Some(event),
                }
            }
            if let Some(event) = found {
                return Ok(event);
            }
        }
    }

    async fn hear(&mut self) -> Heard {
        let deadline = self.machine.deadline().map(tokio::time::Instant::from_std);
        let read = self.pdus.read(&mut self.socket);
        let read = match deadline {
            Some(deadline) => match tokio::time::timeout_at(deadline, read).await {
                Ok(read) => read,
                Err(_) => return Heard::Silence,
            },
            None => read.await,
        };
        match read {
            Ok(pdu) => Heard::Pdu(pdu),
            Err(WireError::Ended | WireError::Io(_)) => Heard::Closed,
            Err(WireError::TooLong { .. } | WireError::NotAPdu) => Heard::Nonsense,
        }
    }

    async fn send(&mut self, pdu: &Outgoing) -> Result<(), DialError> {
        let bytes = encode(pdu);
        let written = async {
            self.socket.write_all(&bytes).await?;
            self.socket.flush().await
        };
        match tokio::time::timeout(self.timeouts.send, written).await {
            Ok(written) => written.map_err(DialError::Send),
            Err(_) => {
                Err(DialError::Unreachable { address: self.address.clone(), within: self.timeouts.send })
            }
        }
    }
}

/// The header of one of our files, and the file at the first byte of its data set.
async fn open(path: &Path) -> Result<(Header, tokio::fs::File), DialError> {
    let named = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let mut file = std::fs::File::open(&named)?;
        let header = read_header(&mut file)?;
        Ok::<_, std::io::Error>(header.map(|header| (header, file)))
    });
    let refuse = |source| DialError::File { path: path.to_owned(), source };
    match opened.await.expect("reading a header does not panic").map_err(refuse)? {
        Some((header, file)) => Ok((header, tokio::fs::File::from_std(file))),
        None => Err(refuse(std::io::Error::new(std::io::ErrorKind::InvalidData, "no Part-10 file"))),
    }
}

/// Up to `length` bytes; fewer only at the end of the file.
async fn fill(file: &mut tokio::fs::File, length: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    file.take(length as u64).read_to_end(&mut bytes).await?;
    Ok(bytes)
}
