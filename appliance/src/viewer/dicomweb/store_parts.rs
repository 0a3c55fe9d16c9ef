//! One STOW-RS request on its blocking side: parts become files, files are admitted, outcomes are gathered.
//!
//! A part is written as it arrives; only its file meta group (64 KiB at most) is ever in memory. What belongs to no
//! DICOM file is refused by its own; the other parts are stored all the same.

use std::io;

use serde_json::{Value, json};

use super::multipart_reader::Event;
use crate::clock::Timestamp;
use crate::disk::{EXPECTED_BYTES, Room};
use crate::part10::{Header, read_header};
use crate::store::{Admission, Arrival, AssociationId, Filed, Store, StoreError};
use crate::uid::{SopInstanceUid, StudyUid};

/// Preamble, magic and group 0002: `read_header` takes no longer group than this.
const HEAD_BYTES_MAX: usize = 144 + 64 * 1024;
/// A whole-body CT has some thousands of slices; the answer lists every part.
const PARTS_MAX: usize = 20_000;

/// PS3.18 annex I.2.2 and PS3.4 table B.2-1.
const OUT_OF_RESOURCES: u16 = 0xA700;
const CANNOT_UNDERSTAND: u16 = 0xC000;
const OTHER_STUDY: u16 = 0xC409;
const PROCESSING_FAILURE: u16 = 0x0110;
/// As for C-STORE: kept, but it does not match its class.
const STORED_AS_IS: u16 = 0xB007;

/// What became of one part.
#[derive(Debug)]
struct Outcome {
    sop_class: String,
    sop_instance: String,
    /// Where it can be had again.
    url: Option<String>,
    warning: Option<u16>,
    failure: Option<u16>,
}

#[derive(Debug)]
enum Part {
    None,
    Head(Vec<u8>),
    Arriving(Header, Box<Arrival>),
    /// Its outcome is known; the rest of its bytes is passed over.
    Refused,
}

#[derive(Debug)]
pub(super) struct StoreParts {
    pub store: Store,
    pub room: Room,
    /// Size of the last object: the next one is most likely alike.
    expected_bytes: u64,
    /// Only instances of this study.
    pub only: Option<StudyUid>,
    pub association: AssociationId,
    pub base: String,
    part: Part,
    outcomes: Vec<Outcome>,
}

/// Too many parts in one request.
#[derive(Debug, thiserror::Error)]
#[error("a request has more than {PARTS_MAX} parts; send the rest in another one")]
pub(super) struct TooManyParts;

impl StoreParts {
    pub(super) fn new(
        store: Store,
        room: Room,
        only: Option<StudyUid>,
        association: AssociationId,
        base: String,
    ) -> Self {
        let (part, outcomes) = (Part::None, Vec::new());
        Self { store, room, expected_bytes: EXPECTED_BYTES, only, association, base, part, outcomes }
    }

    pub(super) fn take(&mut self, event: Event, at: Timestamp) -> Result<(), TooManyParts> {
        match event {
            Event::Part(_) if self.outcomes.len() >= PARTS_MAX => return Err(TooManyParts),
            Event::Part(media) if !media.is_empty() && !is_dicom(&media) => {
                self.refuse(None, CANNOT_UNDERSTAND);
            }
            Event::Part(_) => self.part = Part::Head(Vec::new()),
            Event::Data(bytes) => self.data(&bytes),
            Event::PartEnd => self.end_part(at),
            Event::End => {}
        }
        Ok(())
    }

    /// The body broke off: what was arriving is not kept.
    pub(super) fn break_off(&mut self) {
        match std::mem::replace(&mut self.part, Part::None) {
            Part::Arriving(header, _) => self.refuse(Some(&header), PROCESSING_FAILURE),
            Part::Head(_) => self.refuse(None, CANNOT_UNDERSTAND),
            Part::None | Part::Refused => {}
        }
    }

    fn data(&mut self, bytes: &[u8]) {
        match &mut self.part {
            Part::None | Part::Refused => {}
            Part::Head(head) => {
                head.extend_from_slice(bytes);
                self.head();
            }
            Part::Arriving(header, arrival) => {
                if let Err(error) = arrival.append(bytes) {
                    let header = header.clone();
                    self.refuse(Some(&header), reason(&error));
                }
            }
        }
    }

    /// Begins the file as soon as the meta group is whole.
    fn head(&mut self) {
        let Part::Head(head) = &self.part else { return };
        let Some(length) =
            head.get(140..144).and_then(|bytes| Some(u32::from_le_bytes(bytes.try_into().ok()?)))
        else {
            return;
        };
        let end = 144usize.saturating_add(length as usize);
        if end <= HEAD_BYTES_MAX && head.len() < end && head.get(128..132) == Some(b"DICM") {
            return;
        }
        let head = head.clone();
        let mut rest = head.as_slice();
        let header = read_header(&mut rest).ok().flatten();
        let header = header.filter(|header| SopInstanceUid::parse(&header.sop_instance).is_ok());
        let Some(header) = header else { return self.refuse(None, CANNOT_UNDERSTAND) };
        let begun = Arrival::begin(&self.store, &header, self.room.claim(self.expected_bytes)).and_then(
            |mut arrival| {
                arrival.append(rest)?;
                Ok(arrival)
            },
        );
        match begun {
            Ok(arrival) => self.part = Part::Arriving(header, Box::new(arrival)),
            Err(error) => self.refuse(Some(&header), reason(&error)),
        }
    }

    fn end_part(&mut self, at: Timestamp) {
        match std::mem::replace(&mut self.part, Part::None) {
            Part::None | Part::Refused => {}
            Part::Head(_) => self.refuse(None, CANNOT_UNDERSTAND),
            Part::Arriving(header, arrival) => {
                self.expected_bytes = arrival.bytes();
                let filed = arrival.finish(&self.store, self.only.as_ref(), self.association, at);
                self.note(&header, filed);
            }
        }
        self.part = Part::None;
    }

    fn note(&mut self, header: &Header, filed: Result<Filed, StoreError>) {
        let mut outcome = Outcome {
            sop_class: header.sop_class.clone(),
            sop_instance: header.sop_instance.clone(),
            url: None,
            warning: None,
            failure: None,
        };
        match filed {
            Ok(Filed::Kept { study, series, admission }) => {
                if admission == Admission::Conflict {
                    tracing::error!(
                        "an object arrived again with other bytes under the same UID: both are kept, the first one \
                         is in use; ask the sender which one is right"
                    );
                }
                let (study, sop) = (study.as_str(), &header.sop_instance);
                outcome.url = Some(format!("{}/studies/{study}/series/{series}/instances/{sop}", self.base));
            }
            Ok(Filed::Quarantined(reason)) => {
                tracing::warn!(%reason, "an object arrived whole but does not parse: kept in quarantine, never analysed");
                outcome.warning = Some(STORED_AS_IS);
            }
            Ok(Filed::OtherStudy) => outcome.failure = Some(OTHER_STUDY),
            Err(StoreError::File { source, .. }) => outcome.failure = Some(reason(&source)),
            Err(error) => {
                tracing::error!(%error, "an object could not be stored");
                outcome.failure = Some(PROCESSING_FAILURE);
            }
        }
        self.outcomes.push(outcome);
    }

    fn refuse(&mut self, header: Option<&Header>, failure: u16) {
        self.part = Part::Refused;
        let of = |uid: fn(&Header) -> &String| header.map(uid).cloned().unwrap_or_default();
        let (sop_class, sop_instance) = (of(|header| &header.sop_class), of(|header| &header.sop_instance));
        self.outcomes.push(Outcome {
            sop_class,
            sop_instance,
            url: None,
            warning: None,
            failure: Some(failure),
        });
    }

    /// Status and body of the answer (PS3.18 10.5.3); none where there was no part at all.
    pub(super) fn answer(&self) -> Option<(u16, Value)> {
        let (failed, kept): (Vec<&Outcome>, Vec<&Outcome>) =
            self.outcomes.iter().partition(|outcome| outcome.failure.is_some());
        let status = match (kept.len(), failed.len()) {
            (0, 0) => return None,
            (0, _) => 409,
            (_, 0) if kept.iter().all(|outcome| outcome.warning.is_none()) => 200,
            _ => 202,
        };
        let mut body = serde_json::Map::new();
        let studies = self.only.as_ref().map_or_else(String::new, |study| format!("/{}", study.as_str()));
        body.insert(
            "00081190".into(),
            json!({ "vr": "UR", "Value": [format!("{}/studies{studies}", self.base)] }),
        );
        for (tag, outcomes) in [("00081199", kept), ("00081198", failed)] {
            if !outcomes.is_empty() {
                let items: Vec<Value> = outcomes.into_iter().map(Outcome::item).collect();
                body.insert(tag.into(), json!({ "vr": "SQ", "Value": items }));
            }
        }
        Some((status, Value::Object(body)))
    }
}

impl Outcome {
    fn item(&self) -> Value {
        let mut item = serde_json::Map::new();
        for (tag, uid) in [("00081150", &self.sop_class), ("00081155", &self.sop_instance)] {
            if !uid.is_empty() {
                item.insert(tag.into(), json!({ "vr": "UI", "Value": [uid] }));
            }
        }
        if let Some(url) = &self.url {
            item.insert("00081190".into(), json!({ "vr": "UR", "Value": [url] }));
        }
        for (tag, reason) in [("00081196", self.warning), ("00081197", self.failure)] {
            if let Some(reason) = reason {
                item.insert(tag.into(), json!({ "vr": "US", "Value": [reason] }));
            }
        }
        Value::Object(item)
    }
}

fn is_dicom(media: &str) -> bool {
    media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/dicom")
}

fn reason(error: &io::Error) -> u16 {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            // Said once in the log, by the forecast (disk.rs).
            tracing::debug!("refused: no room on the disk");
            OUT_OF_RESOURCES
        }
        _ => {
            tracing::error!(%error, "an object could not be written");
            PROCESSING_FAILURE
        }
    }
}
