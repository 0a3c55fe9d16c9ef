//! Command sets (PS3.7 6.3.1, E.1): group 0000 in implicit VR little endian.

use crate::part10::padded;

/// A command set is a few hundred bytes; a longer one is not DIMSE.
pub(super) const COMMAND_BYTES_MAX: usize = 16 * 1024;

pub(super) const C_STORE_RQ: u16 = 0x0001;
pub(super) const C_ECHO_RQ: u16 = 0x0030;
pub(super) const C_CANCEL_RQ: u16 = 0x0FFF;
pub(super) const N_EVENT_REPORT_RQ: u16 = 0x0100;
pub(super) const N_SET_RQ: u16 = 0x0120;
pub(super) const N_ACTION_RQ: u16 = 0x0130;
pub(super) const N_CREATE_RQ: u16 = 0x0140;
/// Set in every response (PS3.7 E.1-1).
pub(super) const RESPONSE: u16 = 0x8000;
const NO_DATA_SET: u16 = 0x0101;
/// Anything but `NO_DATA_SET`; this is what everybody sends.
const DATA_SET: u16 = 0x0000;

/// What we answer, with a comment for the person at the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub code: u16,
    /// Error Comment (0000,0902), at most 64 characters; empty for none. Never a value of the data set.
    pub comment: String,
}

impl Status {
    /// The object survives a power cut.
    pub const SUCCESS: u16 = 0x0000;
    /// PS3.4 B.2.3: refused, out of resources.
    pub const OUT_OF_RESOURCES: u16 = 0xA700;
    /// PS3.4 B.2.3: error, cannot understand.
    pub const CANNOT_UNDERSTAND: u16 = 0xC000;
    /// PS3.4 B.2.3: warning, data set does not match SOP class; stored all the same.
    pub const STORED_AS_IS: u16 = 0xB007;
    /// PS3.7 C.5.8.
    pub const PROCESSING_FAILURE: u16 = 0x0110;
    /// PS3.7 C.4.
    pub const SOP_CLASS_NOT_SUPPORTED: u16 = 0x0122;
    /// PS3.7 C.5.
    pub const UNRECOGNIZED_OPERATION: u16 = 0x0211;
    /// PS3.7 C.5.20.
    pub const NO_SUCH_SOP_INSTANCE: u16 = 0x0112;
    /// PS3.7 C.5.7.
    pub const DUPLICATE_SOP_INSTANCE: u16 = 0x0111;
    /// PS3.7 C.5.12.
    pub const INVALID_SOP_INSTANCE: u16 = 0x0117;
    /// PS3.7 C.4.3.
    pub const CLASS_INSTANCE_CONFLICT: u16 = 0x0119;
    /// PS3.7 C.5.16.
    pub const MISSING_ATTRIBUTE: u16 = 0x0120;
    /// PS3.7 C.5.13.
    pub const INVALID_ARGUMENT: u16 = 0x0115;
    /// PS3.7 10.1.4.1.10, C.5.17.
    pub const NO_SUCH_ACTION: u16 = 0x0123;
    /// PS3.7 C.5.19.
    pub const NO_SUCH_EVENT: u16 = 0x0113;
    /// PS3.7 C.5.22.
    pub const RESOURCE_LIMITATION: u16 = 0x0213;

    pub fn success() -> Self {
        Self { code: Self::SUCCESS, comment: String::new() }
    }

    /// PS3.7 C.1: neither success nor one of the warnings (0001, 0107, 0116 and Bxxx).
    pub fn is_failure(&self) -> bool {
        !matches!(self.code, 0x0000 | 0x0001 | 0x0107 | 0x0116 | 0xB000..=0xBFFF)
    }

    pub fn with(code: u16, comment: impl Into<String>) -> Self {
        Self { code, comment: comment.into() }
    }
}

/// A request as the peer sent it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub field: u16,
    pub message_id: u16,
    /// Affected or, for operations on something that exists, Requested SOP Class UID.
    pub sop_class: String,
    /// Affected or Requested SOP Instance UID.
    pub sop_instance: String,
    /// Action or Event Type ID.
    pub type_id: Option<u16>,
    pub has_data_set: bool,
}

/// A response as the peer sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub field: u16,
    pub message_id: u16,
    pub status: Status,
    pub has_data_set: bool,
}

/// Why bytes are no request. Never contains a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CommandError {
    #[error("a command element ends outside its command set")]
    Truncated,
    #[error("command field or message id is missing")]
    Incomplete,
}

/// The elements of a command set that anything here looks at.
#[derive(Default)]
struct Elements {
    field: Option<u16>,
    message_id: Option<u16>,
    responded_to: Option<u16>,
    type_id: Option<u16>,
    status: Option<u16>,
    has_data_set: bool,
    sop_class: String,
    sop_instance: String,
    comment: String,
}

impl Elements {
    fn parse(mut bytes: &[u8]) -> Result<Self, CommandError> {
        let mut found = Self::default();
        while !bytes.is_empty() {
            let head: [u8; 8] =
                bytes.get(..8).and_then(|h| h.try_into().ok()).ok_or(CommandError::Truncated)?;
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let value = bytes.get(8..8usize.saturating_add(length)).ok_or(CommandError::Truncated)?;
            let number = u16::from_le_bytes([head[2], head[3]]);
            if u16::from_le_bytes([head[0], head[1]]) == 0 {
                found.take(number, value);
            }
            bytes = &bytes[8 + length..];
        }
        Ok(found)
    }

    fn take(&mut self, number: u16, value: &[u8]) {
        let us = || value.try_into().ok().map(u16::from_le_bytes);
        let text = || String::from_utf8_lossy(value).trim_end_matches(['\0', ' ']).to_owned();
        match number {
            0x0002 | 0x0003 => self.sop_class = text(),
            0x0100 => self.field = us(),
            0x0110 => self.message_id = us(),
            0x0120 => self.responded_to = us(),
            0x0800 => self.has_data_set = us().is_some_and(|data_set| data_set != NO_DATA_SET),
            0x0900 => self.status = us(),
            0x0902 => self.comment = text(),
            0x1000 | 0x1001 => self.sop_instance = text(),
            0x1002 | 0x1008 => self.type_id = us(),
            _ => {}
        }
    }
}

/// Whether a command set is a response. One that does not parse is none.
pub(super) fn is_response(bytes: &[u8]) -> bool {
    Elements::parse(bytes).is_ok_and(|found| found.field.is_some_and(|field| field & RESPONSE != 0))
}

impl Answer {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, CommandError> {
        let found = Elements::parse(bytes)?;
        match (found.field, found.responded_to, found.status) {
            (Some(field), Some(message_id), Some(code)) if field & RESPONSE != 0 => Ok(Self {
                field,
                message_id,
                status: Status { code, comment: found.comment },
                has_data_set: found.has_data_set,
            }),
            _ => Err(CommandError::Incomplete),
        }
    }
}

impl Request {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, CommandError> {
        let found = Elements::parse(bytes)?;
        let (Some(field), Some(message_id)) = (found.field, found.message_id) else {
            return Err(CommandError::Incomplete);
        };
        Ok(Self {
            field,
            message_id,
            sop_class: found.sop_class,
            sop_instance: found.sop_instance,
            type_id: found.type_id,
            has_data_set: found.has_data_set,
        })
    }

    /// The command set of this request, as we send it.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // N-SET and N-ACTION name what exists (Requested), everything else what it is about (Affected).
        let requested = matches!(self.field, N_SET_RQ | N_ACTION_RQ);
        let mut body = Vec::with_capacity(256);
        if !self.sop_class.is_empty() {
            element(&mut body, if requested { 0x0003 } else { 0x0002 }, &padded(&self.sop_class, 0));
        }
        element(&mut body, 0x0100, &self.field.to_le_bytes());
        element(&mut body, 0x0110, &self.message_id.to_le_bytes());
        if self.field == C_STORE_RQ {
            // Priority: medium (PS3.7 9.3.1.1).
            element(&mut body, 0x0700, &0u16.to_le_bytes());
        }
        let data_set = if self.has_data_set { DATA_SET } else { NO_DATA_SET };
        element(&mut body, 0x0800, &data_set.to_le_bytes());
        if !self.sop_instance.is_empty() {
            element(&mut body, if requested { 0x1001 } else { 0x1000 }, &padded(&self.sop_instance, 0));
        }
        if let Some(type_id) = self.type_id {
            element(
                &mut body,
                if self.field == N_ACTION_RQ { 0x1008 } else { 0x1002 },
                &type_id.to_le_bytes(),
            );
        }
        with_length(&body)
    }

    /// The response to this request, without a data set.
    pub(super) fn response(&self, status: &Status) -> Vec<u8> {
        let mut body = Vec::with_capacity(256);
        if !self.sop_class.is_empty() {
            element(&mut body, 0x0002, &padded(&self.sop_class, 0));
        }
        element(&mut body, 0x0100, &(self.field | RESPONSE).to_le_bytes());
        element(&mut body, 0x0120, &self.message_id.to_le_bytes());
        element(&mut body, 0x0800, &NO_DATA_SET.to_le_bytes());
        element(&mut body, 0x0900, &status.code.to_le_bytes());
        if !status.comment.is_empty() {
            let short: String = status.comment.chars().filter(char::is_ascii).take(64).collect();
            element(&mut body, 0x0902, &padded(&short, b' '));
        }
        if !self.sop_instance.is_empty() {
            element(&mut body, 0x1000, &padded(&self.sop_instance, 0));
        }
        with_length(&body)
    }
}

/// A command set begins with its own length (0000,0000).
fn with_length(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 12);
    let length = u32::try_from(body.len()).expect("a command set is short");
    element(&mut bytes, 0x0000, &length.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn element(out: &mut Vec<u8>, number: u16, value: &[u8]) {
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&u32::try_from(value.len()).expect("a command value is short").to_le_bytes());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store_request() -> Vec<u8> {
        let mut bytes = Vec::new();
        element(&mut bytes, 0x0002, b"1.2.840.10008.5.1.4.1.1.2\0");
        element(&mut bytes, 0x0100, &C_STORE_RQ.to_le_bytes());
        element(&mut bytes, 0x0110, &7u16.to_le_bytes());
        element(&mut bytes, 0x0800, &0u16.to_le_bytes());
        element(&mut bytes, 0x1000, b"1.2.3\0");
        bytes
    }

    #[test]
    fn a_request_parses_and_its_response_names_it() {
        let request = Request::parse(&store_request()).unwrap();
        assert_eq!((request.field, request.message_id, request.has_data_set), (C_STORE_RQ, 7, true));
        assert_eq!(request.sop_instance, "1.2.3");
        let response = request.response(&Status::with(Status::STORED_AS_IS, "x".repeat(80)));
        assert_eq!(response.len() % 2, 0);
        assert_eq!(u32::from_le_bytes(response[8..12].try_into().unwrap()) as usize, response.len() - 12);
        let parsed = Request::parse(&response[12..]);
        assert_eq!(parsed, Err(CommandError::Incomplete), "a response carries no message id of its own");
    }

    #[test]
    fn every_truncation_is_an_error_and_no_claimed_length_is_believed() {
        let whole = store_request();
        for length in 1..whole.len() {
            let parsed = Request::parse(&whole[..length]);
            let cut_between_elements = matches!(length, 34 | 44 | 54 | 64);
            assert!(parsed.is_err() || cut_between_elements, "cut at {length}");
        }
        let mut huge = whole;
        huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Request::parse(&huge), Err(CommandError::Truncated));
    }

    impl std::fmt::Debug for Request {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "Request({:#06x})", self.field)
        }
    }
}
