//! A destination that speaks DIMSE: objects by C-STORE, confirmation by storage commitment on the same association.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::TransferSyntax;
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::entries::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};

use super::destination::{Batch, Confirmation, Sent, Unreached};
use crate::dimse::Status;
use crate::dimse::dial::{Association, DialError, Peer, associate};
use crate::dimse::requestor::{EventReport, Timeouts};
use crate::part10::{Header, read_header};
use crate::store::ObjectName;

/// Storage Commitment Push Model (PS3.4 J.3) and its well-known instance.
const COMMITMENT: &str = "1.2.840.10008.1.20.1";
const COMMITMENT_INSTANCE: &str = "1.2.840.10008.1.20.1.1";
const REQUEST_COMMITMENT: u16 = 1;
const IMPLICIT: &str = "1.2.840.10008.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
/// An archive that answers on the same association does so at once; one that calls back later does not answer here.
const REPORT_WITHIN: Duration = Duration::from_secs(10);
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

    /// Asks for storage commitment of files that the peer took.
    pub(super) async fn confirm(
        &mut self,
        objects: &[ObjectName],
        paths: &[PathBuf],
    ) -> Result<Confirmation, Unreached> {
        let proposals: [(&str, &[&str]); 1] = [(COMMITMENT, &[EXPLICIT, IMPLICIT])];
        let mut association =
            associate(&self.peer, &proposals).await.map_err(|error| unreached(&error, None))?;
        let Some(syntax) = association.transfer_syntax(COMMITMENT).map(str::to_owned) else {
            let _ = association.release().await;
            return Ok(Confirmation::default());
        };
        let headers = headers(paths).await;
        let data_set = request(&headers, &syntax);
        let asked =
            association.n_action(COMMITMENT, COMMITMENT_INSTANCE, REQUEST_COMMITMENT, &data_set).await;
        let status = asked.map_err(|error| unreached(&error, None))?;
        if status.code != Status::SUCCESS {
            let reason = format!("storage commitment was answered with status {:#06x}", status.code);
            return Err(Unreached { reason, during: None });
        }
        let report =
            association.event_report(REPORT_WITHIN).await.map_err(|error| unreached(&error, None))?;
        let _ = association.release().await;
        Ok(report.map_or_else(Confirmation::default, |report| judge(&report, objects)))
    }
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

/// Transaction UID and the instances it is about (PS3.4 J.3.2.1).
fn request(headers: &[Option<Header>], syntax: &str) -> Vec<u8> {
    let text = |tag, value: &str| DataElement::new(tag, VR::UI, PrimitiveValue::from(value));
    let items: Vec<InMemDicomObject> = headers
        .iter()
        .flatten()
        .map(|header| {
            InMemDicomObject::from_element_iter([
                text(tags::REFERENCED_SOP_CLASS_UID, &header.sop_class),
                text(tags::REFERENCED_SOP_INSTANCE_UID, &header.sop_instance),
            ])
        })
        .collect();
    let sequence = DataSetSequence::from(items);
    let object = InMemDicomObject::<_>::from_element_iter([
        text(tags::TRANSACTION_UID, &transaction_uid()),
        DataElement::new(tags::REFERENCED_SOP_SEQUENCE, VR::SQ, sequence),
    ]);
    let mut bytes = Vec::new();
    let written = match syntax {
        IMPLICIT => object.write_dataset_with_ts(&mut bytes, &IMPLICIT_VR_LITTLE_ENDIAN.erased()),
        _ => object.write_dataset_with_ts(&mut bytes, &EXPLICIT_VR_LITTLE_ENDIAN.erased()),
    };
    written.expect("UIDs are written to memory");
    bytes
}

/// A UID of nobody else (PS3.5 B.2), from the standard library's random hash keys.
fn transaction_uid() -> String {
    let random = || u128::from(std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8));
    format!("2.25.{}", random() << 64 | random())
}

/// Who is kept and who is not, of those we asked about (PS3.4 J.3.3.1).
fn judge(report: &EventReport, objects: &[ObjectName]) -> Confirmation {
    let (kept, failed) = match report.transfer_syntax.as_str() {
        IMPLICIT => read(&report.data_set, &IMPLICIT_VR_LITTLE_ENDIAN.erased()),
        _ => read(&report.data_set, &EXPLICIT_VR_LITTLE_ENDIAN.erased()),
    };
    let mut confirmation = Confirmation::default();
    for object in objects {
        let Some((_, _, sop)) = object.uids() else { continue };
        if kept.contains(sop.as_str()) {
            confirmation.kept.push(object.clone());
        } else if failed.contains(sop.as_str()) {
            confirmation.missing.push(object.clone());
        }
    }
    confirmation
}

/// The instances that a report lists as kept and as failed; none where it does not read.
fn read(data_set: &[u8], syntax: &TransferSyntax) -> (BTreeSet<String>, BTreeSet<String>) {
    let Ok(object) = InMemDicomObject::read_dataset_with_ts(data_set, syntax) else {
        return (BTreeSet::new(), BTreeSet::new());
    };
    let listed = |tag| -> BTreeSet<String> {
        let items = object.element_opt(tag).ok().flatten().and_then(|element| element.items());
        let uid = |item: &InMemDicomObject| {
            let uid = item.element(tags::REFERENCED_SOP_INSTANCE_UID).ok()?.to_str().ok()?;
            Some(uid.trim_end_matches(['\0', ' ']).to_owned())
        };
        items.unwrap_or_default().iter().filter_map(uid).collect()
    };
    (listed(tags::REFERENCED_SOP_SEQUENCE), listed(tags::FAILED_SOP_SEQUENCE))
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

    #[test]
    fn a_request_reads_back_and_names_every_instance() {
        let header = |sop: &str| {
            Some(Header {
                sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
                sop_instance: sop.into(),
                transfer_syntax: EXPLICIT.into(),
                source_ae_title: "CT1".into(),
            })
        };
        for (syntax, coding) in
            [(IMPLICIT, IMPLICIT_VR_LITTLE_ENDIAN.erased()), (EXPLICIT, EXPLICIT_VR_LITTLE_ENDIAN.erased())]
        {
            let bytes = request(&[header("1.2.3"), None, header("1.2.4")], syntax);
            let (kept, failed) = read(&bytes, &coding);
            assert_eq!(kept.into_iter().collect::<Vec<_>>(), ["1.2.3", "1.2.4"]);
            assert!(failed.is_empty());
        }
        assert_ne!(transaction_uid(), transaction_uid());
    }
}
