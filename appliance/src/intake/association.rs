//! One connection: moves PDUs between the socket and the machine, and does what the machine asks.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tracing::Instrument;

use super::receive::{Outcome, Receiving};
use super::{Desk, blocking, commitment, messages};
use crate::audit::{self, Event, Kind, Who};
use crate::dimse::services::STORAGE_COMMITMENT;
use crate::dimse::socket::Socket;
use crate::dimse::wire::{PduReader, WireError, encode};
use crate::dimse::{Acceptor, Act, Input, Message, Status};
use crate::disk::EXPECTED_BYTES;
use crate::store::commitment::Commitment;
use crate::store::{AssociationId, ObjectName};

/// A peer that does not take our few hundred bytes for this long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// A caller that has asked for commitment and does not release within this wants the report here. One that does
/// release hears it on an association of ours: a report that crosses a release confuses both.
const REPORT_AFTER: Duration = Duration::from_millis(500);

/// Serves one association to its end. Errors are the peer's: they end here.
pub(super) async fn serve(desk: &Desk, socket: Socket, peer: IpAddr, busy: bool) {
    let id = desk.next_association();
    let span = tracing::info_span!("association", id = id.0, %peer);
    let (policy, idle_timeout) = (desk.config.policy.clone(), desk.config.idle_timeout);
    let pdus = PduReader::new(policy.pdu_length_max_bytes);
    let line = Line {
        desk,
        id,
        socket,
        pdus,
        acceptor: Acceptor::new(policy, peer, busy, idle_timeout, desk.clock.now()),
        object: None,
        expected_bytes: EXPECTED_BYTES,
        asked: VecDeque::new(),
        report_due: None,
        reporting: None,
        kept: 0,
        warned: 0,
        failed: 0,
        peer,
        audited: false,
    };
    line.run().instrument(span).await;
}

struct Line<'a> {
    desk: &'a Desk,
    id: AssociationId,
    socket: Socket,
    pdus: PduReader,
    acceptor: Acceptor,
    object: Option<Receiving>,
    /// Size of the last object: the next one is most likely a slice of the same series.
    expected_bytes: u64,
    /// Commitments asked here and not reported yet.
    asked: VecDeque<Commitment>,
    report_due: Option<Instant>,
    /// The one whose report the caller has not answered, and what it says is kept.
    reporting: Option<(u64, Vec<ObjectName>)>,
    kept: u64,
    warned: u64,
    failed: u64,
    peer: IpAddr,
    /// The acceptance stands in the audit journal.
    audited: bool,
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
                () = until(deadline) => Input::Silence,
                () = until(self.report_due) => {
                    let Some(report) = self.next_report().await else { continue };
                    report
                }
                read = read(&mut self.pdus, &mut self.socket) => read,
            };
            match self.take(input).await {
                Next::Read => self.audit_acceptance().await,
                Next::Closed { released, reason } => break (released, reason),
            }
        };
        if !self.audited && reason.starts_with("refused") {
            self.audit(Kind::AssociationRefused, audit::Outcome::MinorFailure, Some(reason)).await;
        }
        self.hand_over_reports();
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
        let mut acts = VecDeque::from(self.acceptor.on(input, self.desk.clock.now()));
        while let Some(act) = acts.pop_front() {
            match act {
                Act::Send(pdu) => {
                    let bytes = encode(&pdu);
                    if self.write(&bytes).await.is_err() {
                        acts.extend(self.acceptor.on(Input::Closed, self.desk.clock.now()));
                    }
                }
                Act::Begin(head) => {
                    let claim = self.desk.room.claim(self.expected_bytes);
                    self.object = Some(Receiving::begin(&self.desk.store, &head, claim));
                }
                Act::Append(bytes) => {
                    if let Some(object) = &mut self.object {
                        object.append(&bytes).await;
                    }
                }
                Act::Finish => {
                    let answer = self.finish().await;
                    acts.extend(self.acceptor.on(Input::Answered(answer), self.desk.clock.now()));
                }
                Act::Message(message) => {
                    let status = self.message(message).await;
                    acts.extend(self.acceptor.on(Input::Answered(status), self.desk.clock.now()));
                }
                Act::Reported(status) => self.reported(&status).await,
                Act::Discard => {
                    if let Some(object) = self.object.take() {
                        tracing::warn!(
                            "a transfer broke off; the object was not acknowledged and is not kept"
                        );
                        object.discard().await;
                    }
                }
                Act::Close { released, reason } => {
                    let _ = tokio::time::timeout(WRITE_TIMEOUT, self.socket.shutdown()).await;
                    return Next::Closed { released, reason };
                }
            }
        }
        Next::Read
    }

    /// An association that goes on after its request was accepted.
    async fn audit_acceptance(&mut self) {
        if !self.audited && !self.acceptor.calling_ae_title().is_empty() {
            self.audited = true;
            self.audit(Kind::AssociationAccepted, audit::Outcome::Success, None).await;
        }
    }

    async fn audit(&self, kind: Kind, outcome: audit::Outcome, reason: Option<&str>) {
        let who = Who::peer(self.acceptor.calling_ae_title(), Some(self.peer.to_string()));
        let event = Event::new(kind, outcome, who);
        let event = reason.map_or(event.clone(), |reason| event.because(reason));
        let (audit, at) = (self.desk.store.audit().clone(), self.desk.clock.wall());
        let noted = tokio::task::spawn_blocking(move || audit.note(&event, at)).await;
        noted.expect("writing an event does not panic");
    }

    async fn message(&mut self, message: Message) -> Status {
        let (status, asked) = messages::take(self.desk, message).await;
        if let Some(commitment) = asked {
            self.desk.claims.claim(commitment.sequence);
            self.asked.push_back(commitment);
            self.report_due = Some(self.desk.clock.now() + REPORT_AFTER);
        }
        status
    }

    /// The report that is due, if the caller can take it now.
    async fn next_report(&mut self) -> Option<Input> {
        self.report_due = None;
        let syntax = self.acceptor.transfer_syntax(STORAGE_COMMITMENT)?.to_owned();
        if self.asked.is_empty() {
            return None;
        }
        if !self.acceptor.may_report() {
            self.report_due = Some(self.desk.clock.now() + REPORT_AFTER);
            return None;
        }
        let asked = self.asked.pop_front()?;
        let sequence = asked.sequence;
        let (store, may_commit) = (self.desk.store.clone(), self.desk.config.may_commit);
        let report = blocking(move || commitment::report(&store, &asked, may_commit, &syntax)).await;
        match report {
            Ok((report, kept)) => {
                self.reporting = Some((sequence, kept));
                Some(Input::Report(report))
            }
            Err(error) => {
                self.desk.claims.give_up(sequence);
                let _ = self.desk.broken.try_send(error);
                None
            }
        }
    }

    /// The caller has answered a report. One that it did not take is tried again on an association of ours.
    async fn reported(&mut self, status: &Status) {
        let Some((sequence, kept)) = self.reporting.take() else { return };
        if !status.is_failure() {
            let (store, at) = (self.desk.store.clone(), self.desk.clock.wall());
            if let Err(error) = blocking(move || store.commitment_heard(sequence, &kept, at)).await {
                let _ = self.desk.broken.try_send(error);
            }
        }
        self.desk.claims.give_up(sequence);
        if !self.asked.is_empty() {
            self.report_due = Some(self.desk.clock.now());
        }
    }

    /// What was not reported here is reported on an association of ours.
    fn hand_over_reports(&mut self) {
        let reporting = self.reporting.take().map(|(sequence, _)| sequence);
        for sequence in self.asked.drain(..).map(|asked| asked.sequence).chain(reporting) {
            self.desk.claims.give_up(sequence);
        }
    }

    async fn finish(&mut self) -> Status {
        let object = self.object.take().expect("the machine finishes only what it began");
        let bytes = object.bytes();
        let outcome = object.finish(self.desk.clock.wall(), self.id).await;
        match &outcome {
            Outcome::Kept => {
                self.kept += 1;
                self.expected_bytes = bytes;
            }
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
        match tokio::time::timeout(WRITE_TIMEOUT, write(&mut self.socket, bytes)).await {
            Ok(written) => written,
            Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }
}

async fn write(socket: &mut Socket, bytes: &[u8]) -> std::io::Result<()> {
    socket.write_all(bytes).await?;
    socket.flush().await
}

async fn read(pdus: &mut PduReader, socket: &mut Socket) -> Input {
    match pdus.read(socket).await {
        Ok(pdu) => Input::Pdu(pdu),
        Err(WireError::Ended | WireError::Io(_)) => Input::Closed,
        Err(error @ (WireError::TooLong { .. } | WireError::NotAPdu)) => {
            tracing::warn!(%error, "the peer does not speak DICOM");
            Input::Nonsense
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
