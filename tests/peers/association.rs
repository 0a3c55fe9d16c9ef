//! A DICOM association by hand, byte by byte (PS3.8 9.3, PS3.7 9.3.1): for what no honest tool does, such as
//! stopping in the middle of an object or sending one that is not whole, and for knowing exactly which objects
//! were acknowledged before the box was killed.
//!
//! Not a DICOM library: one outstanding request, no user identity, no negotiation beyond contexts and length.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::patience::patience;

pub const VERIFICATION: &str = "1.2.840.10008.1.1";
pub const CT_IMAGE_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.2";
pub const IMPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";
pub const EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";

const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// PDU length that we announce; only responses come back, so it hardly matters.
const PDU_LENGTH_MAX: u32 = 16_384;

/// What a C-STORE or C-ECHO came to.
#[derive(Debug, thiserror::Error)]
pub enum AssociationError {
    #[error("connection: {0}")]
    Connection(#[from] io::Error),
    #[error("association rejected: result {result}, source {source_}, reason {reason}")]
    Rejected { result: u8, source_: u8, reason: u8 },
    #[error("association aborted by the box: source {source_}, reason {reason}")]
    Aborted { source_: u8, reason: u8 },
    #[error("presentation context {id} was not accepted: result {result}")]
    ContextRefused { id: u8, result: u8 },
    #[error("the box sent something unexpected: {0}")]
    Unexpected(String),
}

/// The answer to one proposed presentation context (PS3.8 9.3.3.2): 0 accepted, 3 abstract syntax, 4 transfer
/// syntaxes not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub id: u8,
    pub result: u8,
    pub transfer_syntax: String,
}

/// An open association as a service class user.
#[derive(Debug)]
pub struct Association {
    pub(super) stream: TcpStream,
    contexts: Vec<Context>,
    pdu_length_max: usize,
    pub(super) message_id: u16,
}

impl Association {
    /// Proposes one context per (abstract syntax, transfer syntaxes), ids 1, 3, 5, ...
    pub fn open(port: u16, called_ae: &str, proposals: &[(&str, &[&str])]) -> Result<Self, AssociationError> {
        Self::open_as(port, called_ae, "BYHAND", proposals)
    }

    /// The same under another name.
    pub fn open_as(
        port: u16,
        called_ae: &str,
        calling_ae: &str,
        proposals: &[(&str, &[&str])],
    ) -> Result<Self, AssociationError> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience()))?;
        stream.write_all(&associate_request(called_ae, calling_ae, proposals))?;
        let (kind, body) = read_pdu(&mut stream)?;
        match kind {
            2 => {}
            3 => {
                return Err(AssociationError::Rejected {
                    result: byte(&body, 1),
                    source_: byte(&body, 2),
                    reason: byte(&body, 3),
                });
            }
            _ => return Err(unexpected(kind, &body)),
        }
        let (contexts, pdu_length_max) = accepted(&body);
        Ok(Self { stream, contexts, pdu_length_max, message_id: 0 })
    }

    /// Context 1 for CT images in explicit VR little endian: all that most scenarios need.
    pub fn open_for_ct(port: u16) -> Result<Self, AssociationError> {
        Self::open(port, "SIDELIGHT", &[(CT_IMAGE_STORAGE, &[EXPLICIT_VR_LITTLE_ENDIAN])])
    }

    pub fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// C-ECHO on context `id`; its status.
    pub fn echo(&mut self, id: u8) -> Result<u16, AssociationError> {
        let command = self.command(0x0030, VERIFICATION, None);
        self.send(id, true, &command, command.len())?;
        self.status()
    }

    /// C-STORE of a data set as it is; its status.
    pub fn store(
        &mut self,
        id: u8,
        sop_class: &str,
        sop_instance: &str,
        data_set: &[u8],
    ) -> Result<u16, AssociationError> {
        self.store_begin(id, sop_class, sop_instance, data_set, data_set.len())?;
        self.status()
    }

    /// C-STORE of which only the first `bytes` are sent, unless that is all; waits for no answer.
    pub fn store_begin(
        &mut self,
        id: u8,
        sop_class: &str,
        sop_instance: &str,
        data_set: &[u8],
        bytes: usize,
    ) -> Result<(), AssociationError> {
        let refused = self.contexts.iter().find(|context| context.id == id && context.result != 0);
        if let Some(context) = refused {
            return Err(AssociationError::ContextRefused { id, result: context.result });
        }
        let command = self.command(0x0001, sop_class, Some(sop_instance));
        self.send(id, true, &command, command.len())?;
        self.send(id, false, data_set, bytes)
    }

    /// A-RELEASE, both ways.
    pub fn release(mut self) -> Result<(), AssociationError> {
        self.stream.write_all(&pdu(5, &[0; 4]))?;
        match read_pdu(&mut self.stream)? {
            (6, _) => Ok(()),
            (kind, body) => Err(unexpected(kind, &body)),
        }
    }

    /// A-ABORT and gone.
    pub fn abort(mut self) -> Result<(), AssociationError> {
        Ok(self.stream.write_all(&pdu(7, &[0; 4]))?)
    }

    fn command(&mut self, field: u16, sop_class: &str, sop_instance: Option<&str>) -> Vec<u8> {
        self.message_id += 1;
        let mut body = Vec::new();
        element(&mut body, 0x0002, padded(sop_class).as_bytes());
        element(&mut body, 0x0100, &field.to_le_bytes());
        element(&mut body, 0x0110, &self.message_id.to_le_bytes());
        if let Some(uid) = sop_instance {
            element(&mut body, 0x0700, &0_u16.to_le_bytes());
            element(&mut body, 0x0800, &0_u16.to_le_bytes());
            element(&mut body, 0x1000, padded(uid).as_bytes());
        } else {
            // 0101H: no data set follows (PS3.7 E.1).
            element(&mut body, 0x0800, &0x0101_u16.to_le_bytes());
        }
        let mut command = Vec::new();
        element(&mut command, 0x0000, &length(&body).to_le_bytes());
        command.extend(body);
        command
    }

    /// Sends the first `bytes` of `content` as P-DATA; the last fragment is marked only when that is all of it.
    pub(super) fn send(
        &mut self,
        id: u8,
        command: bool,
        content: &[u8],
        bytes: usize,
    ) -> Result<(), AssociationError> {
        // 6 bytes of PDV header in each PDU (PS3.8 9.3.5.1).
        let fragment_max = self.pdu_length_max - 6;
        let mut sent = 0;
        loop {
            let end = bytes.min(sent + fragment_max);
            let last = end == content.len();
            let mut body = (length(&content[sent..end]) + 2).to_be_bytes().to_vec();
            body.extend([id, u8::from(command) | u8::from(last) << 1]);
            body.extend(&content[sent..end]);
            self.stream.write_all(&pdu(4, &body))?;
            sent = end;
            if sent >= bytes {
                return Ok(());
            }
        }
    }

    /// Reads one response and returns its (0000,0900) Status.
    pub(super) fn status(&mut self) -> Result<u16, AssociationError> {
        let mut command = Vec::new();
        loop {
            let (kind, body) = read_pdu(&mut self.stream)?;
            if kind != 4 {
                return Err(unexpected(kind, &body));
            }
            let mut rest = &body[..];
            while let Some((value, after)) = split_value(rest) {
                let control = byte(value, 1);
                command.extend(value.iter().skip(2));
                rest = after;
                if control & 2 != 0 {
                    return find_status(&command).ok_or_else(|| {
                        AssociationError::Unexpected(format!("a response without status: {command:02x?}"))
                    });
                }
            }
        }
    }
}

// --- bytes ----------------------------------------------------------------------------------------------------

/// A complete A-ASSOCIATE-RQ PDU (PS3.8 9.3.2).
pub fn associate_request(called_ae: &str, calling_ae: &str, proposals: &[(&str, &[&str])]) -> Vec<u8> {
    let mut body = vec![0, 1, 0, 0];
    body.extend(format!("{called_ae:<16}{calling_ae:<16}").bytes());
    body.extend([0; 32]);
    item(&mut body, 0x10, APPLICATION_CONTEXT.as_bytes());
    for (index, (abstract_syntax, transfer_syntaxes)) in proposals.iter().enumerate() {
        let id = u8::try_from(2 * index + 1).expect("a test proposes a handful of contexts");
        let mut context = vec![id, 0, 0, 0];
        item(&mut context, 0x30, abstract_syntax.as_bytes());
        for transfer_syntax in *transfer_syntaxes {
            item(&mut context, 0x40, transfer_syntax.as_bytes());
        }
        item(&mut body, 0x20, &context);
    }
    let mut user = Vec::new();
    item(&mut user, 0x51, &PDU_LENGTH_MAX.to_be_bytes());
    item(&mut user, 0x52, b"2.25.306160946183862211");
    item(&mut body, 0x50, &user);
    pdu(1, &body)
}

pub(super) fn pdu(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0];
    bytes.extend(length(body).to_be_bytes());
    bytes.extend(body);
    bytes
}

pub(super) fn item(target: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let length = u16::try_from(value.len()).expect("items of a test are short");
    target.extend([kind, 0]);
    target.extend(length.to_be_bytes());
    target.extend(value);
}

/// An element of group 0000 in implicit VR little endian, as every command set is (PS3.7 6.3.1).
pub(super) fn element(target: &mut Vec<u8>, number: u16, value: &[u8]) {
    target.extend([0, 0]);
    target.extend(number.to_le_bytes());
    target.extend(length(value).to_le_bytes());
    target.extend(value);
}

pub(super) fn padded(uid: &str) -> String {
    if uid.len().is_multiple_of(2) { uid.to_owned() } else { format!("{uid}\0") }
}

pub(super) fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("what a test sends fits 4 GiB")
}

pub(super) fn byte(bytes: &[u8], index: usize) -> u8 {
    bytes.get(index).copied().unwrap_or(0)
}

pub(super) fn read_pdu(stream: &mut TcpStream) -> Result<(u8, Vec<u8>), AssociationError> {
    let mut header = [0; 6];
    stream.read_exact(&mut header)?;
    let length = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
    if length > 1 << 20 {
        return Err(AssociationError::Unexpected(format!("a PDU of {length} bytes")));
    }
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body)?;
    Ok((header[0], body))
}

fn unexpected(kind: u8, body: &[u8]) -> AssociationError {
    match kind {
        7 => AssociationError::Aborted { source_: byte(body, 2), reason: byte(body, 3) },
        _ => AssociationError::Unexpected(format!("PDU type {kind:#04x}: {body:02x?}")),
    }
}

/// Context answers and the box's PDU length out of an A-ASSOCIATE-AC body (PS3.8 9.3.3).
fn accepted(body: &[u8]) -> (Vec<Context>, usize) {
    let mut contexts = Vec::new();
    let mut pdu_length_max = PDU_LENGTH_MAX;
    for (kind, value) in items(body.get(68..).unwrap_or_default()) {
        match kind {
            0x21 => {
                let syntax = items(value.get(4..).unwrap_or_default()).into_iter().next();
                let syntax = syntax.map_or(&[][..], |(_, syntax)| syntax);
                contexts.push(Context {
                    id: byte(value, 0),
                    result: byte(value, 2),
                    transfer_syntax: String::from_utf8_lossy(syntax).trim_end_matches('\0').to_owned(),
                });
            }
            0x50 => {
                let length = items(value).into_iter().find(|(kind, _)| *kind == 0x51);
                if let Some((_, [a, b, c, d])) = length {
                    pdu_length_max = u32::from_be_bytes([*a, *b, *c, *d]);
                }
            }
            _ => {}
        }
    }
    // 0 means no limit (PS3.8 D.1.1).
    let pdu_length_max = if pdu_length_max == 0 { PDU_LENGTH_MAX } else { pdu_length_max };
    (contexts, pdu_length_max as usize)
}

pub(super) fn items(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while let [kind, _, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (value, after) = rest.split_at(length);
        found.push((*kind, value));
        bytes = after;
    }
    found
}

pub(super) fn split_value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    (rest.len() >= length).then(|| rest.split_at(length))
}

fn find_status(mut command: &[u8]) -> Option<u16> {
    while let [g0, g1, e0, e1, l0, l1, l2, l3, rest @ ..] = command {
        let length = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
        let (value, after) = rest.split_at_checked(length)?;
        if u16::from_le_bytes([*g0, *g1]) == 0 && u16::from_le_bytes([*e0, *e1]) == 0x0900 {
            return Some(u16::from_le_bytes([*value.first()?, *value.get(1)?]));
        }
        command = after;
    }
    None
}
