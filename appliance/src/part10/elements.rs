//! Elements of a data set one after another, each with its place in the file, nested ones included.
//!
//! This reads what `walk` has checked when the object was filed; a file that rotted since ends in an error, never
//! in a panic. Values are read only when asked for. Memory does not grow with the object.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::bufread::DeflateDecoder;

use super::header::{Header, read_header};
use super::walk::{Encoding, Malformed, VrLength, read_tag, read_u32, vr_length};

const UNDEFINED: u32 = 0xFFFF_FFFF;
pub const ITEM: Tag = (0xFFFE, 0xE000);
pub const ITEM_END: Tag = (0xFFFE, 0xE00D);
pub const SEQUENCE_END: Tag = (0xFFFE, 0xE0DD);
pub const PIXEL_DATA: Tag = (0x7FE0, 0x0010);

pub type Tag = (u16, u16);

/// Head of an element, item or delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementHead {
    pub tag: Tag,
    /// Absent in implicit VR, and for items and delimiters.
    pub vr: Option<[u8; 2]>,
    /// `None`: undefined.
    pub length: Option<u32>,
    /// Where the value begins, from the first byte of the data set.
    pub value_at: u64,
}

/// The elements of one file.
pub struct Elements {
    bytes: Bytes,
    /// Of the reader's first byte in the file.
    start: u64,
    at: u64,
    pub encoding: Encoding,
}

enum Bytes {
    Plain(BufReader<File>),
    Inflated(Box<DeflateDecoder<BufReader<File>>>),
}

impl std::fmt::Debug for Elements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elements").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Elements {
    /// Opens a Part-10 file and stands at its first element.
    pub fn open(path: &Path) -> Result<(Header, Self), Malformed> {
        let mut file = File::open(path).map_err(Malformed::Io)?;
        let header = read_header(&mut file).map_err(Malformed::Io)?;
        let header = header.ok_or_else(|| Malformed::Io(io::ErrorKind::InvalidData.into()))?;
        let start = file.stream_position().map_err(Malformed::Io)?;
        let encoding = Encoding::of(&header.transfer_syntax);
        let reader = BufReader::with_capacity(16 * 1024, file);
        let bytes = if encoding.deflated {
            Bytes::Inflated(Box::new(DeflateDecoder::new(reader)))
        } else {
            Bytes::Plain(reader)
        };
        Ok((header, Self { bytes, start, at: 0, encoding }))
    }

    /// How far the reader is, from the first byte of the data set.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Offset of the data set in the file; `None` where it is deflated and has no offsets.
    pub fn data_set_starts_at(&self) -> Option<u64> {
        (!self.encoding.deflated).then_some(self.start)
    }

    /// The next head at this level; `None` at the end of the data set.
    pub fn next_head(&mut self) -> Result<Option<ElementHead>, Malformed> {
        self.next_head_in(self.encoding)
    }

    /// The same in another encoding: items of a UN sequence are in implicit VR (PS3.5 6.2.2).
    pub fn next_head_in(&mut self, encoding: Encoding) -> Result<Option<ElementHead>, Malformed> {
        let at = self.at;
        let mut head = [0u8; 8];
        match self.fill(&mut head)? {
            0 => return Ok(None),
            8 => {}
            _ => return Err(Malformed::EndsInside { tag: (0, 0), at }),
        }
        let tag = read_tag(&head, encoding);
        let (vr, length) = if tag.0 == 0xFFFE || !encoding.explicit_vr {
            (None, read_u32(&head[4..], encoding))
        } else {
            let vr = [head[4], head[5]];
            (Some(vr), self.explicit_length(vr, &head, encoding, tag, at)?)
        };
        Ok(Some(ElementHead { tag, vr, length: (length != UNDEFINED).then_some(length), value_at: self.at }))
    }

    fn explicit_length(
        &mut self,
        vr: [u8; 2],
        head: &[u8; 8],
        encoding: Encoding,
        tag: Tag,
        at: u64,
    ) -> Result<u32, Malformed> {
        match vr_length(vr) {
            None => Err(Malformed::NotAVr { at }),
            Some(VrLength::Short) if encoding.big_endian => {
                Ok(u32::from(u16::from_be_bytes([head[6], head[7]])))
            }
            Some(VrLength::Short) => Ok(u32::from(u16::from_le_bytes([head[6], head[7]]))),
            Some(VrLength::Long) => {
                let mut long = [0u8; 4];
                if self.fill(&mut long)? < 4 {
                    return Err(Malformed::EndsInside { tag, at });
                }
                Ok(read_u32(&long, encoding))
            }
        }
    }

    /// Reads a value of known length; grows with what is there, not with what is claimed.
    pub fn value(&mut self, head: &ElementHead) -> Result<Vec<u8>, Malformed> {
        let length = u64::from(head.length.unwrap_or(0));
        let mut value = Vec::new();
        let read = match &mut self.bytes {
            Bytes::Plain(reader) => reader.by_ref().take(length).read_to_end(&mut value),
            Bytes::Inflated(reader) => reader.by_ref().take(length).read_to_end(&mut value),
        };
        self.at += read.map_err(Malformed::Io)? as u64;
        if (value.len() as u64) < length {
            return Err(Malformed::EndsInside { tag: head.tag, at: head.value_at });
        }
        Ok(value)
    }

    /// Fills as much of `buffer` as there are bytes.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Malformed> {
        let mut filled = 0;
        while filled < buffer.len() {
            let read = match &mut self.bytes {
                Bytes::Plain(reader) => reader.read(&mut buffer[filled..]),
                Bytes::Inflated(reader) => reader.read(&mut buffer[filled..]),
            };
            match read {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Malformed::Io(error)),
            }
        }
        self.at += filled as u64;
        Ok(filled)
    }

    /// Passes over bytes of known length.
    pub fn skip(&mut self, count: u64) -> Result<(), Malformed> {
        match &mut self.bytes {
            Bytes::Plain(reader) => {
                let step =
                    i64::try_from(count).map_err(|_| Malformed::Io(io::ErrorKind::InvalidInput.into()))?;
                reader.seek_relative(step).map_err(Malformed::Io)?;
                self.at += count;
            }
            Bytes::Inflated(reader) => {
                let passed = io::copy(&mut reader.by_ref().take(count), &mut io::sink());
                self.at += passed.map_err(Malformed::Io)?;
            }
        }
        Ok(())
    }

    /// Goes to a place in the data set. Backwards only where it is not deflated.
    pub fn go_to(&mut self, at: u64) -> Result<(), Malformed> {
        if at >= self.at {
            return self.skip(at - self.at);
        }
        match &mut self.bytes {
            Bytes::Plain(reader) => {
                reader.seek(SeekFrom::Start(self.start + at)).map_err(Malformed::Io)?;
                self.at = at;
                Ok(())
            }
            Bytes::Inflated(_) => Err(Malformed::Io(io::ErrorKind::Unsupported.into())),
        }
    }

    /// Passes over a whole value, of known length or not.
    pub fn pass(&mut self, head: &ElementHead, encoding: Encoding) -> Result<(), Malformed> {
        if let Some(length) = head.length {
            return self.skip(u64::from(length));
        }
        // Nesting was bounded when the object was filed; counting needs no stack.
        let encoding = if head.vr == Some(*b"UN") { Encoding::IMPLICIT } else { encoding };
        let mut depth = 1u32;
        while depth > 0 {
            let next = self.next_head_in(encoding)?;
            let next = next.ok_or(Malformed::EndsInside { tag: head.tag, at: head.value_at })?;
            match (next.tag, next.length) {
                (SEQUENCE_END, _) => depth -= 1,
                (ITEM_END, _) => {}
                (ITEM, Some(length)) => self.skip(u64::from(length))?,
                (ITEM, None) => {}
                (_, None) if next.vr == Some(*b"UN") && encoding.explicit_vr => self.pass(&next, encoding)?,
                (_, None) => depth += 1,
                (_, Some(length)) => self.skip(u64::from(length))?,
            }
        }
        Ok(())
    }
}
