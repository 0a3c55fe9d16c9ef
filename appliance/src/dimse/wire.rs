//! PDUs on a byte stream: the six-byte header is looked at first, then exactly one PDU is passed to dicom-ul.

use dicom_ul::pdu::{Pdu, read_pdu, write_pdu};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::acceptor::Outgoing;

const HEADER_BYTES: usize = 6;
const ASSOCIATE_RQ: u8 = 0x01;
/// An association request with 128 contexts of 30 syntaxes takes about 110 KB, whatever data PDUs we announced.
const ASSOCIATE_BYTES_MAX: u32 = 128 * 1024;

/// What stood on the wire. Never shows a PDU's contents.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The peer closed between two PDUs, or in the middle of one.
    #[error("the connection ended")]
    Ended,
    #[error("a PDU of type {kind:#04x} claims {claimed} bytes, more than the {limit} allowed")]
    TooLong { kind: u8, claimed: u32, limit: u32 },
    #[error("bytes that are no PDU")]
    NotAPdu,
    #[error("reading from the peer failed: {0}")]
    Io(std::io::Error),
}

impl WireError {
    fn from_io(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => Self::Ended,
            _ => Self::Io(error),
        }
    }
}

/// Reads PDUs one at a time; cancel-safe only between PDUs.
#[derive(Debug)]
pub struct PduReader {
    buffer: Vec<u8>,
    length_max: u32,
    /// Bytes of the present PDU's header that have come.
    begun: usize,
    header: [u8; HEADER_BYTES],
}

impl PduReader {
    pub fn new(length_max: u32) -> Self {
        Self { buffer: Vec::new(), length_max, begun: 0, header: [0; HEADER_BYTES] }
    }

    /// Whether a `read` that was given up had not begun a PDU: the next one starts cleanly.
    pub fn is_between_pdus(&self) -> bool {
        self.begun == 0
    }

    pub async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Pdu, WireError> {
        while self.begun < HEADER_BYTES {
            match stream.read(&mut self.header[self.begun..]).await {
                Ok(0) => return Err(WireError::Ended),
                Ok(count) => self.begun += count,
                Err(error) => return Err(WireError::from_io(error)),
            }
        }
        let header = self.header;
        let kind = header[0];
        let claimed = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
        let limit = if kind == ASSOCIATE_RQ { ASSOCIATE_BYTES_MAX } else { self.length_max };
        if !(0x01..=0x07).contains(&kind) {
            return Err(WireError::NotAPdu);
        }
        if claimed > limit {
            return Err(WireError::TooLong { kind, claimed, limit });
        }
        self.buffer.resize(HEADER_BYTES + claimed as usize, 0);
        self.buffer[..HEADER_BYTES].copy_from_slice(&header);
        stream.read_exact(&mut self.buffer[HEADER_BYTES..]).await.map_err(WireError::from_io)?;
        self.begun = 0;
        match read_pdu(self.buffer.as_slice(), limit.max(4096), true) {
            Ok(Some(pdu)) => Ok(pdu),
            // The error may quote the bytes it could not read: it is dropped, not logged.
            Ok(None) | Err(_) => Err(WireError::NotAPdu),
        }
    }
}

/// The bytes of a PDU of ours.
pub fn encode(outgoing: &Outgoing) -> Vec<u8> {
    let data = match &outgoing.0 {
        Pdu::PData { data } => data.iter().map(|value| value.data.len()).sum(),
        _ => 0,
    };
    let mut bytes = Vec::with_capacity(512 + data);
    write_pdu(&mut bytes, &outgoing.0).expect("our own PDUs are short and well formed");
    bytes
}
