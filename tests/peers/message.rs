//! Messages that are no objects (N-ACTION, N-CREATE, N-SET, N-EVENT-REPORT), sent and taken byte by byte.

use std::io::Write as _;

use super::association::{
    Association, AssociationError, byte, element, length, padded, pdu, read_pdu, split_value,
};

pub const STORAGE_COMMITMENT: &str = "1.2.840.10008.1.20.1";
pub const STORAGE_COMMITMENT_INSTANCE: &str = "1.2.840.10008.1.20.1.1";
pub const PROCEDURE_STEP: &str = "1.2.840.10008.3.1.2.3.3";

pub const N_EVENT_REPORT: u16 = 0x0100;
pub const N_SET: u16 = 0x0120;
pub const N_ACTION: u16 = 0x0130;
pub const N_CREATE: u16 = 0x0140;

/// A request, ours or the box's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub field: u16,
    pub message_id: u16,
    pub sop_class: String,
    pub sop_instance: String,
    /// Action or Event Type ID.
    pub type_id: Option<u16>,
    pub data_set: Vec<u8>,
}

impl Message {
    pub fn new(
        field: u16,
        sop_class: &str,
        sop_instance: &str,
        type_id: Option<u16>,
        data_set: &[u8],
    ) -> Self {
        let (sop_class, sop_instance) = (sop_class.to_owned(), sop_instance.to_owned());
        Self { field, message_id: 0, sop_class, sop_instance, type_id, data_set: data_set.to_vec() }
    }

    fn command(&self) -> Vec<u8> {
        let requested = u16::from(matches!(self.field, N_SET | N_ACTION));
        let mut body = Vec::new();
        element(&mut body, 0x0002 + requested, padded(&self.sop_class).as_bytes());
        element(&mut body, 0x0100, &self.field.to_le_bytes());
        element(&mut body, 0x0110, &self.message_id.to_le_bytes());
        let data_set: u16 = if self.data_set.is_empty() { 0x0101 } else { 0 };
        element(&mut body, 0x0800, &data_set.to_le_bytes());
        if !self.sop_instance.is_empty() {
            element(&mut body, 0x1000 + requested, padded(&self.sop_instance).as_bytes());
        }
        if let Some(type_id) = self.type_id {
            let number = if self.field == N_ACTION { 0x1008 } else { 0x1002 };
            element(&mut body, number, &type_id.to_le_bytes());
        }
        with_length(&body)
    }

    /// The command set a peer sent, without its data set yet; whether one follows.
    pub(super) fn parse(mut command: &[u8]) -> (Self, bool) {
        let (mut message, mut data_set) = (Self::default(), false);
        while let [_, _, e0, e1, l0, l1, l2, l3, rest @ ..] = command {
            let size = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
            let (value, after) = rest.split_at_checked(size).unwrap_or((rest, &[]));
            let number = || u16::from_le_bytes([byte(value, 0), byte(value, 1)]);
            let text = || String::from_utf8_lossy(value).trim_end_matches(['\0', ' ']).to_owned();
            match u16::from_le_bytes([*e0, *e1]) {
                0x0002 | 0x0003 => message.sop_class = text(),
                0x0100 => message.field = number(),
                0x0110 => message.message_id = number(),
                0x0800 => data_set = number() != 0x0101,
                0x1000 | 0x1001 => message.sop_instance = text(),
                0x1002 | 0x1008 => message.type_id = Some(number()),
                _ => {}
            }
            command = after;
        }
        (message, data_set)
    }

    /// The response to this request as a PDU.
    pub(super) fn response(&self, context: u8, status: u16) -> Vec<u8> {
        let mut body = Vec::new();
        element(&mut body, 0x0002, padded(&self.sop_class).as_bytes());
        element(&mut body, 0x0100, &(self.field | 0x8000).to_le_bytes());
        element(&mut body, 0x0120, &self.message_id.to_le_bytes());
        element(&mut body, 0x0800, &0x0101_u16.to_le_bytes());
        element(&mut body, 0x0900, &status.to_le_bytes());
        element(&mut body, 0x1000, padded(&self.sop_instance).as_bytes());
        let command = with_length(&body);
        let mut value = (length(&command) + 2).to_be_bytes().to_vec();
        value.extend([context, 3]);
        value.extend(command);
        pdu(4, &value)
    }
}

fn with_length(body: &[u8]) -> Vec<u8> {
    let mut command = Vec::new();
    element(&mut command, 0x0000, &length(body).to_le_bytes());
    command.extend(body);
    command
}

/// Puts the fragments of one message together.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    command: Vec<u8>,
    begun: Option<Message>,
}

impl Gathering {
    /// Takes the body of a P-DATA PDU; the message and its context once it is whole.
    pub(super) fn take(&mut self, mut body: &[u8]) -> Option<(u8, Message)> {
        while let Some((value, after)) = split_value(body) {
            body = after;
            let (context, control, data) =
                (byte(value, 0), byte(value, 1), value.get(2..).unwrap_or_default());
            let last = control & 2 != 0;
            if control & 1 == 0 {
                self.begun.as_mut()?.data_set.extend(data);
                if last {
                    return self.begun.take().map(|message| (context, message));
                }
                continue;
            }
            self.command.extend(data);
            if last {
                let (message, data_set) = Message::parse(&std::mem::take(&mut self.command));
                if !data_set {
                    return Some((context, message));
                }
                self.begun = Some(message);
            }
        }
        None
    }
}

impl Association {
    /// Sends a request on context `id`; its status.
    pub fn ask(&mut self, id: u8, message: &Message) -> Result<u16, AssociationError> {
        self.ask_without_listening(id, message)?;
        self.status()
    }

    /// Sends a request and does not wait for the answer.
    pub fn ask_without_listening(&mut self, id: u8, message: &Message) -> Result<(), AssociationError> {
        self.message_id += 1;
        let message = Message { message_id: self.message_id, ..message.clone() };
        let command = message.command();
        self.send(id, true, &command, command.len())?;
        if !message.data_set.is_empty() {
            self.send(id, false, &message.data_set, message.data_set.len())?;
        }
        Ok(())
    }

    /// Waits for a request of the box and answers it.
    pub fn asked(&mut self, status: u16) -> Result<Message, AssociationError> {
        let mut gathering = Gathering::default();
        loop {
            let (kind, body) = read_pdu(&mut self.stream)?;
            if kind != 4 {
                return Err(AssociationError::Unexpected(format!("PDU type {kind} instead of a request")));
            }
            if let Some((context, message)) = gathering.take(&body) {
                self.stream.write_all(&message.response(context, status))?;
                return Ok(message);
            }
        }
    }
}
