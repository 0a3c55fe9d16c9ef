//! One connection: moves PDUs between the socket and the machine, and does what the machine asks.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tracing::Instrument;

use super::Desk;
use super::receive::{Outcome, Receiving};
use crate::dimse::wire::{PduReader, WireError, encode};
use crate::dimse::{Acceptor, Act, Input};
use crate::store::AssociationId;

/// A peer that does not take our few hundred bytes for this long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves one association to its end. Errors are the peer's: they end here.
pub(super) async fn serve(desk: &Desk, stream: TcpStream, peer: IpAddr, busy: bool) {
    // One image's answer must not wait for the next one's bytes (design.md section 6, "wire speed").
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY refused");
    }
    let id = desk.next_association();
    let span = tracing::info_span!("association", id = id.0, %peer);
    let (reader, writer) = stream.into_split();
    let acceptor =
        Acceptor::new(desk.config.policy.clone(), busy, desk.config.idle_timeout, desk.clock.now());
    let line = Line {
        desk,
        id,
        reader,
        writer,
        pdus: PduReader::new(desk.config.policy.pdu_length_max_bytes),
        acceptor,
        object: None,
        kept: 0,
        warned: 0,
        failed: 0,
    };
    line.run().instrument(span).await;
}

struct Line<'a> {
    desk: &'a Desk,
    id: AssociationId,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    pdus: PduReader,
    acceptor: Acceptor,
    object: Option<Receiving>,
    kept: u64,
    warned: u64,
    failed: u64,
}

/// Whether the association goes on.
enum Next {
    Read,
    Closed { released: bool, reason: &'static str },
}

impl Line<'_> {
    async fn run(mut self) {
        let mut stop = self.desk.stop.clone();
        let (released, reason) = loop {
            let deadline = self.acceptor.deadline();
            let input = tokio::select! {
                () = stop.stopped() => Input::Stopping,
                () = until(deadline.map(tokio::time::Instant::from_std)) => Input::Silence,
                read = read(&mut self.pdus, &mut self.reader) => read,
            };
            match self.take(input).await {
                Next::Read => {}
                Next::Closed { released, reason } => break (released, reason),
            }
        };
        self.desk.store.live().ended(self.id, released);
        tracing::info!(
            calling_ae = self.acceptor.calling_ae_title(),
            kept = self.kept,
            warned = self.warned,
            failed = self.failed,
            "association ended: {reason}"
        );
    }

    /// Feeds one input and does everything that follows from it.
    async fn take(&mut self, input: Input) -> Next {
        let mut acts = std::collections::VecDeque::from(self.acceptor.on(input, self.desk.clock.now()));
        while let Some(act) = acts.pop_front() {
            match act {
                Act::Send(pdu) => {
                    let bytes = encode(&pdu);
                    if self.write(&bytes).await.is_err() {
                        acts.extend(self.acceptor.on(Input::Closed, self.desk.clock.now()));
                    }
                }
                Act::Begin(head) => self.object = Some(Receiving::begin(&self.desk.store, &head)),
                Act::Append(bytes) => {
                    if let Some(object) = &mut self.object {
                        object.append(bytes).await;
                    }
                }
                Act::Finish => {
                    let answer = self.finish().await;
                    acts.extend(self.acceptor.on(Input::Answered(answer), self.desk.clock.now()));
                }
                Act::Discard => {
                    if let Some(object) = self.object.take() {
                        tracing::warn!(
                            "a transfer broke off; the object was not acknowledged and is not kept"
                        );
                        object.discard().await;
                    }
                }
                Act::Close { released, reason } => {
                    let _ = self.writer.shutdown().await;
                    return Next::Closed { released, reason };
                }
            }
        }
        Next::Read
    }

    async fn finish(&mut self) -> crate::dimse::Status {
        let object = self.object.take().expect("the machine finishes only what it began");
        let outcome = object.finish(&self.desk.store, self.desk.clock.wall(), self.id).await;
        match &outcome {
            Outcome::Kept => self.kept += 1,
            Outcome::KeptWithWarning { .. } => self.warned += 1,
            Outcome::Refused { .. } => self.failed += 1,
            Outcome::Broken(_) => self.failed += 1,
        }
        let (status, broken) = outcome.into_status();
        if let Some(error) = broken {
            // Full: an earlier error is already stopping the box.
            let _ = self.desk.broken.try_send(error);
        }
        status
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match tokio::time::timeout(WRITE_TIMEOUT, self.writer.write_all(bytes)).await {
            Ok(written) => written,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }
}

async fn read(pdus: &mut PduReader, reader: &mut OwnedReadHalf) -> Input {
    // The kernel forgets this after every receive; without it the peer's next PDU may wait 40 ms for our ACK.
    let _ = AsRef::<TcpStream>::as_ref(reader).set_quickack(true);
    match pdus.read(reader).await {
        Ok(pdu) => Input::Pdu(pdu),
        Err(WireError::Ended | WireError::Io(_)) => Input::Closed,
        Err(error @ (WireError::TooLong { .. } | WireError::NotAPdu)) => {
            tracing::warn!(%error, "the peer does not speak DICOM");
            Input::Nonsense
        }
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
