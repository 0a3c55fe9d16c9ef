//! PDUs on a byte stream: the six-byte header is looked at first, then exactly one PDU is passed to dicom-ul.

use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu, read_pdu, write_pdu};
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

/// Reads PDUs one at a time. Cancel-safe: what has come of a PDU is kept until the next call.
#[derive(Debug)]
pub struct PduReader {
    buffer: Vec<u8>,
    /// Bytes of the present PDU that have come, its header included.
    come: usize,
    length_max: u32,
}

impl PduReader {
    pub fn new(length_max: u32) -> Self {
        Self { buffer: vec![0; HEADER_BYTES], come: 0, length_max }
    }

    /// Whether the next byte begins a PDU.
    pub fn is_between_pdus(&self) -> bool {
        self.come == 0
    }

    pub async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Pdu, WireError> {
        self.fill(stream, HEADER_BYTES).await?;
        let (length, limit) = self.claim()?;
        self.fill(stream, HEADER_BYTES + length as usize).await?;
        self.come = 0;
        match read_pdu(&self.buffer[..HEADER_BYTES + length as usize], limit.max(4096), true) {
            Ok(Some(pdu)) => Ok(pdu),
            // The error may quote the bytes it could not read: it is dropped, not logged.
            Ok(None) | Err(_) => Err(WireError::NotAPdu),
        }
    }

    /// The length the header claims, once it has been found bearable, and the limit it was held against.
    fn claim(&self) -> Result<(u32, u32), WireError> {
        let header = &self.buffer[..HEADER_BYTES];
        let kind = header[0];
        let claimed = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
        let limit = if kind == ASSOCIATE_RQ { ASSOCIATE_BYTES_MAX } else { self.length_max };
        if !(0x01..=0x07).contains(&kind) {
            return Err(WireError::NotAPdu);
        }
        if claimed > limit {
            return Err(WireError::TooLong { kind, claimed, limit });
        }
        Ok((claimed, limit))
    }

    async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin), bytes: usize) -> Result<(), WireError> {
        if self.buffer.len() < bytes {
            self.buffer.resize(bytes, 0);
        }
        while self.come < bytes {
            match stream.read(&mut self.buffer[self.come..bytes]).await {
                Ok(0) => return Err(WireError::Ended),
                Ok(count) => self.come += count,
                Err(error) => return Err(WireError::from_io(error)),
            }
        }
        Ok(())
    }
}

/// Header of a PDU and of the one value in it (PS3.8 9.3.5).
const HEADERS_BYTES: u32 = 12;

/// Bytes that fit one PDU of this length, its header counted or not (PS3.8 D.1 does not, some peers do); even, as
/// fragments must be.
pub(super) fn fragment_bytes_max(pdu_bytes_max: u32) -> usize {
    (pdu_bytes_max.saturating_sub(HEADERS_BYTES) & !1).max(2) as usize
}

/// One value in a PDU of its own.
pub(super) fn fragment(context: u8, value_type: PDataValueType, data: Vec<u8>, is_last: bool) -> Outgoing {
    let value = PDataValue { presentation_context_id: context, value_type, is_last, data };
    Outgoing(Pdu::PData { data: vec![value] })
}

/// `bytes`, which are not empty, in as many PDUs as they need.
pub(super) fn fragments(
    context: u8,
    kind: &PDataValueType,
    bytes: &[u8],
    piece_bytes: usize,
) -> Vec<Outgoing> {
    let pieces = bytes.chunks(piece_bytes);
    let last = pieces.len().saturating_sub(1);
    let piece =
        |(number, piece): (usize, &[u8])| fragment(context, kind.clone(), piece.to_vec(), number == last);
    pieces.enumerate().map(piece).collect()
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
