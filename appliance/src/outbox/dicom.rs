//! A destination that speaks DIMSE: objects by C-STORE, confirmation by storage commitment. Its report may come on the
//! same association or on one of the archive's own, which intake hears.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::destination::{Batch, Sent, Unreached};
use super::plan::blocking;
use crate::clock::Clock;
use crate::dimse::Status;
use crate::dimse::dial::{Association, DialError, Peer, associate};
use crate::dimse::requestor::{EventReport, Timeouts};
use crate::dimse::services::{
    EXPLICIT_VR_LITTLE_ENDIAN, MESSAGE_SYNTAXES, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE,
};
use crate::part10::commitment::{CommitmentReport, CommitmentRequest, REQUEST_COMMITMENT, Reference};
use crate::part10::{Header, read_header};
use crate::store::{ObjectName, Store, StoreError};

/// An archive that answers on the same association does so at once; one that calls back does so meanwhile, or later.
const REPORT_WITHIN: Duration = Duration::from_secs(10);
/// An archive that refused to be asked is asked again this much later.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// One that does not offer the service at all may have been configured by then.
const OFFERED_AGAIN: Duration = Duration::from_secs(3600);
/// 128 presentation contexts fit one association (PS3.8 9.3.2.2); one is for commitment.
const CONTEXTS_MAX: usize = 127;

#[derive(Debug)]
pub(super) struct DicomPeer {
    peer: Peer,
}

impl DicomPeer {
    pub(super) fn new(address: &str, called_ae: &str, calling_ae: &str) -> Self {
        let peer = Peer {
            address: address.to_owned(),
            called_ae: called_ae.to_owned(),
            calling_ae: calling_ae.to_owned(),
            tls: None,
            timeouts: Timeouts::default(),
        };
        Self { peer }
    }

    /// Sends files over one association, in order.
    pub(super) async fn send(&mut self, paths: &[PathBuf]) -> Batch {
        let headers = headers(paths).await;
        let contexts: BTreeSet<(&str, &str)> = headers
            .iter()
            .flatten()
            .map(|header| (header.sop_class.as_str(), header.transfer_syntax.as_str()))
            .take(CONTEXTS_MAX)
            .collect();
        let syntaxes: Vec<(&str, [&str; 1])> =
            contexts.into_iter().map(|(class, syntax)| (class, [syntax])).collect();
        let proposals: Vec<(&str, &[&str])> =
            syntaxes.iter().map(|(class, syntax)| (*class, &syntax[..])).collect();
        let mut association = match associate(&self.peer, &proposals).await {
            Ok(association) => association,
            Err(error) => return Batch { outcomes: Vec::new(), ended: Some(unreached(&error, None)) },
        };
        let mut outcomes = Vec::new();
        for (position, path) in paths.iter().enumerate() {
            match send_one(&mut association, path).await {
                Ok(sent) => outcomes.push(sent),
                Err(Trouble { error, is_the_objects }) => {
                    let during = is_the_objects.then_some(position);
                    return Batch { outcomes, ended: Some(Unreached { reason: error, during }) };
                }
            }
        }
        // They have it all; a peer that cannot say goodbye changes nothing.
        let _ = association.release().await;
        Batch { outcomes, ended: None }
    }

    /// Asks for storage commitment of objects that the peer took.
    pub(super) async fn confirm(
        &mut self,
        store: &Store,
        destination: &str,
        objects: Vec<ObjectName>,
        clock: Clock,
    ) -> Result<Result<(), Unreached>, StoreError> {
        let Some(request) = begin(store, destination, objects, clock).await? else { return Ok(Ok(())) };
        let asked = self.ask(store, &request).await;
        let (store, destination, now) = (store.clone(), destination.to_owned(), clock.wall());
        blocking(move || {
            let withdraw =
                |later| store.withdraw_confirmation(&destination, &request.transaction, now, later);
            match asked {
                Ok(Asked::Reported(report)) => store.hear_confirmation(&report, now).map(|_| Ok(())),
                Ok(Asked::Later) => Ok(Ok(())),
                Ok(Asked::NotOffered) => {
                    tracing::warn!(
                        destination,
                        "this archive offers no storage commitment and can confirm nothing"
                    );
                    withdraw(OFFERED_AGAIN).map(Ok)
                }
                Ok(Asked::Refused(status)) => {
                    let reason = format!("storage commitment was answered with status {status:#06x}");
                    tracing::warn!(destination, reason, "nothing is confirmed");
                    withdraw(ASK_AGAIN).map(Ok)
                }
                // Whether it has the question is not known: its report may still come.
                Ok(Asked::BrokeOff(error)) => Ok(Err(unreached(&error, None))),
                Err(error) => withdraw(Duration::ZERO).map(|()| Err(unreached(&error, None))),
            }
        })
        .await
    }

    async fn ask(&self, store: &Store, request: &CommitmentRequest) -> Result<Asked, DialError> {
        // From before the question on: the archive may call back sooner than it answers here.
        let called_back = store.live().report_heard();
        let proposals: [(&str, &[&str]); 1] = [(STORAGE_COMMITMENT, &MESSAGE_SYNTAXES)];
        let mut association = associate(&self.peer, &proposals).await?;
        let Some(syntax) = association.transfer_syntax(STORAGE_COMMITMENT) else {
            let _ = association.release().await;
            return Ok(Asked::NotOffered);
        };
        let data_set = request.to_bytes(syntax == EXPLICIT_VR_LITTLE_ENDIAN);
        let status = association
            .n_action(STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE, REQUEST_COMMITMENT, &data_set)
            .await;
        let status = match status {
            Ok(status) => status,
            Err(error) => return Ok(Asked::BrokeOff(error)),
        };
        if status.is_failure() {
            let _ = association.release().await;
            return Ok(Asked::Refused(status.code));
        }
        // It has the question: whatever becomes of this association, the report may come on another one.
        let report = tokio::select! {
            report = association.event_report(REPORT_WITHIN) => report.ok().flatten(),
            () = called_back => None,
        };
        let _ = association.release().await;
        Ok(report.and_then(|report| understood(&report)).map_or(Asked::Later, Asked::Reported))
    }
}

/// How a question about commitment ended.
enum Asked {
    Reported(CommitmentReport),
    /// The report is to come, on an association of the archive's own.
    Later,
    NotOffered,
    Refused(u16),
    BrokeOff(DialError),
}

/// A transaction about these objects, durable before it is sent; none where nothing may be asked now.
async fn begin(
    store: &Store,
    destination: &str,
    objects: Vec<ObjectName>,
    clock: Clock,
) -> Result<Option<CommitmentRequest>, StoreError> {
    let paths: Vec<_> = objects.iter().map(|object| store.object_path(object)).collect();
    let named = objects.iter().zip(headers(&paths).await);
    let about: Vec<_> =
        named.filter_map(|(object, header)| Some((object.clone(), reference(header?)))).collect();
    let (store, destination, now) = (store.clone(), destination.to_owned(), clock.wall());
    blocking(move || {
        // Those whose file does not read are not asked about, and do not stand in the way of the others.
        store.postpone(&destination, &objects, now)?;
        if about.is_empty() { Ok(None) } else { store.ask_confirmation(&destination, about, now) }
    })
    .await
}

fn reference(header: Header) -> Reference {
    Reference { sop_class: header.sop_class, sop_instance: header.sop_instance }
}

fn understood(report: &EventReport) -> Option<CommitmentReport> {
    let explicit_vr = report.transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN;
    CommitmentReport::parse(&report.data_set, explicit_vr)
        .inspect_err(|error| tracing::warn!(%error, "an archive's report on commitment does not read"))
        .ok()
}

struct Trouble {
    error: String,
    /// It happened while this object was on its way.
    is_the_objects: bool,
}

async fn send_one(association: &mut Association, path: &Path) -> Result<Sent, Trouble> {
    match association.store(path).await {
        Ok(status) => judge_store(&status),
        // Never offered again in this form: the site has to change something first.
        Err(error @ DialError::Refused { .. }) => {
            Ok(Sent::Refused { reason: error.to_string(), for_good: true })
        }
        Err(error @ DialError::File { .. }) if !path.exists() => {
            tracing::error!("an object that is owed has no file; it is set apart");
            Ok(Sent::Refused { reason: error.to_string(), for_good: true })
        }
        Err(error) => Err(Trouble { error: error.to_string(), is_the_objects: true }),
    }
}

/// PS3.4 B.2.3: success and the warnings say that the object is stored.
fn judge_store(status: &Status) -> Result<Sent, Trouble> {
    let reason = format!("answered with status {:#06x}", status.code);
    match status.code {
        0x0000 | 0x0001 | 0x0107 | 0x0116 | 0xB000..=0xBFFF => Ok(Sent::Arrived),
        // Out of resources: the destination's trouble, not this object's.
        0xA700..=0xA7FF => {
            Err(Trouble { error: format!("out of resources, {reason}"), is_the_objects: false })
        }
        _ => Ok(Sent::Refused { reason, for_good: false }),
    }
}

fn unreached(error: &DialError, during: Option<usize>) -> Unreached {
    Unreached { reason: error.to_string(), during }
}

/// The headers of our own files; a file without one is noticed when it is sent.
async fn headers(paths: &[PathBuf]) -> Vec<Option<Header>> {
    let paths = paths.to_vec();
    let read = move || {
        let header = |path: &PathBuf| read_header(&mut std::fs::File::open(path).ok()?).ok().flatten();
        paths.iter().map(header).collect()
    };
    tokio::task::spawn_blocking(read).await.expect("reading headers does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_destination_is_not_the_objects_fault() {
        let sent = |code| judge_store(&Status::with(code, ""));
        assert!(matches!(sent(0x0000), Ok(Sent::Arrived)));
        assert!(matches!(sent(0xB007), Ok(Sent::Arrived)));
        assert!(matches!(sent(0xC000), Ok(Sent::Refused { for_good: false, .. })));
        assert!(sent(0xA700).is_err_and(|trouble| !trouble.is_the_objects));
    }
}
