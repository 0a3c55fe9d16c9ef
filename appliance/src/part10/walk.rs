//! A walk over the elements of a data set, checking that every length it claims is really there.
//!
//! Values are read only where the caller asks and only up to `VALUE_BYTES_MAX`; everything else is skipped, so
//! memory does not grow with the object. Nested elements are checked, never shown.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use flate2::bufread::DeflateDecoder;

/// The facts we file by are short texts; a longer value is skipped as if nobody had asked.
const VALUE_BYTES_MAX: u32 = 16 * 1024;
/// Deepest nesting the standard's own IODs use is about 8; more is an attack on the stack.
const DEPTH_MAX: u32 = 32;
/// A deflated data set may not grow beyond this while it is checked (a decompression bomb has no other end).
const INFLATED_BYTES_MAX: u64 = 2 << 30;

const UNDEFINED: u32 = 0xFFFF_FFFF;
const ITEM: (u16, u16) = (0xFFFE, 0xE000);
const ITEM_END: (u16, u16) = (0xFFFE, 0xE00D);
const SEQUENCE_END: (u16, u16) = (0xFFFE, 0xE0DD);
const PIXEL_DATA: (u16, u16) = (0x7FE0, 0x0010);

/// How a transfer syntax writes elements (PS3.5 7.1, A.4, A.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    pub explicit_vr: bool,
    pub big_endian: bool,
    pub deflated: bool,
}

impl Encoding {
    pub(super) const IMPLICIT: Self = Self { explicit_vr: false, big_endian: false, deflated: false };

    /// Every syntax but the four named here writes explicit VR little endian.
    pub fn of(transfer_syntax: &str) -> Self {
        let explicit = Self { explicit_vr: true, big_endian: false, deflated: false };
        match transfer_syntax {
            "1.2.840.10008.1.2" => Self::IMPLICIT,
            "1.2.840.10008.1.2.2" => Self { big_endian: true, ..explicit },
            "1.2.840.10008.1.2.1.99" | "1.2.840.10008.1.2.4.95" | "1.2.840.10008.1.2.4.205" => {
                Self { deflated: true, ..explicit }
            }
            _ => explicit,
        }
    }
}

/// Where and how a data set stops making sense. Positions count from the first byte of the data set.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    #[error("the data set ends inside element ({:04X},{:04X}) that starts at byte {at}", tag.0, tag.1)]
    EndsInside { tag: (u16, u16), at: u64 },
    #[error("no value representation of the standard at byte {at}")]
    NotAVr { at: u64 },
    #[error("an item or delimiter was expected at byte {at}")]
    NotAnItem { at: u64 },
    #[error("sequences nest deeper than {DEPTH_MAX} at byte {at}")]
    TooDeep { at: u64 },
    #[error("element ({:04X},{:04X}) has value representation {found} where the dictionary says {expected}", tag.0, tag.1)]
    WrongVr { tag: (u16, u16), expected: &'static str, found: String },
    #[error("the deflated data set does not inflate: {0}")]
    Inflate(std::io::Error),
    #[error("reading failed: {0}")]
    Io(std::io::Error),
}

/// One element as the walk sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    pub tag: (u16, u16),
    /// Absent in implicit VR.
    pub vr: Option<[u8; 2]>,
    /// `None`: undefined length (a sequence or encapsulated pixel data).
    pub length: Option<u32>,
}

/// Gets every top-level element; says for which the value is wanted and receives it.
pub(super) trait Visitor {
    fn wants(&mut self, element: &Element) -> Result<bool, Malformed>;
    fn value(&mut self, element: &Element, value: &[u8], encoding: Encoding);
}

/// Walks a data set from the reader's position to its end.
pub(super) fn walk(file: File, encoding: Encoding, visitor: &mut dyn Visitor) -> Result<(), Malformed> {
    let mut reader = BufReader::with_capacity(16 * 1024, file);
    let start = reader.stream_position().map_err(Malformed::Io)?;
    let end = reader.get_ref().metadata().map_err(Malformed::Io)?.len();
    let bytes: Box<dyn Bytes> = if encoding.deflated {
        Box::new(Inflated { decoder: DeflateDecoder::new(reader), at: 0 })
    } else {
        Box::new(Plain { reader, at: 0, length: end.saturating_sub(start) })
    };
    Walk { bytes }.top_level(encoding, visitor)
}

/// Bytes that can be read or skipped; the end is never guessed from a claim.
trait Bytes {
    fn at(&self) -> u64;
    /// How many of `buffer` could be filled.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Malformed>;
    /// Whether all `count` bytes were there.
    fn skip(&mut self, count: u64) -> Result<bool, Malformed>;
}

struct Plain {
    reader: BufReader<File>,
    at: u64,
    length: u64,
}

impl Bytes for Plain {
    fn at(&self) -> u64 {
        self.at
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Malformed> {
        let filled = read_full(&mut self.reader, buffer).map_err(Malformed::Io)?;
        self.at += filled as u64;
        Ok(filled)
    }

    fn skip(&mut self, count: u64) -> Result<bool, Malformed> {
        if self.length.saturating_sub(self.at) < count {
            return Ok(false);
        }
        let step =
            i64::try_from(count).map_err(|_| Malformed::Io(std::io::ErrorKind::InvalidInput.into()))?;
        if count < 4096 {
            self.reader.seek_relative(step).map_err(Malformed::Io)?;
        } else {
            self.reader.seek(SeekFrom::Current(step)).map_err(Malformed::Io)?;
        }
        self.at += count;
        Ok(true)
    }
}

struct Inflated {
    decoder: DeflateDecoder<BufReader<File>>,
    at: u64,
}

impl Bytes for Inflated {
    fn at(&self) -> u64 {
        self.at
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Malformed> {
        let filled = read_full(&mut self.decoder, buffer).map_err(Malformed::Inflate)?;
        self.at += filled as u64;
        if self.at > INFLATED_BYTES_MAX {
            return Err(Malformed::Inflate(std::io::Error::other("it grows without end")));
        }
        Ok(filled)
    }

    fn skip(&mut self, count: u64) -> Result<bool, Malformed> {
        let mut left = count;
        let mut scratch = [0u8; 4096];
        while left > 0 {
            let step = usize::try_from(left.min(4096)).expect("at most 4096");
            if self.fill(&mut scratch[..step])? < step {
                return Ok(false);
            }
            left -= step as u64;
        }
        Ok(true)
    }
}

fn read_full(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

struct Walk {
    bytes: Box<dyn Bytes>,
}

impl Walk {
    fn top_level(&mut self, encoding: Encoding, visitor: &mut dyn Visitor) -> Result<(), Malformed> {
        loop {
            let at = self.bytes.at();
            let Some(element) = self.element(encoding)? else { return Ok(()) };
            let wanted = visitor.wants(&element)?;
            match element.length {
                Some(length) if wanted && length <= VALUE_BYTES_MAX => {
                    let mut value = vec![0u8; length as usize];
                    if self.bytes.fill(&mut value)? < value.len() {
                        return Err(Malformed::EndsInside { tag: element.tag, at });
                    }
                    visitor.value(&element, &value, encoding);
                }
                _ => self.pass(&element, at, encoding, 0)?,
            }
        }
    }

    /// Skips one value, checking what it contains where its length is undefined.
    fn pass(&mut self, element: &Element, at: u64, encoding: Encoding, depth: u32) -> Result<(), Malformed> {
        match element.length {
            Some(length) if self.bytes.skip(u64::from(length))? => Ok(()),
            Some(_) => Err(Malformed::EndsInside { tag: element.tag, at }),
            None if depth >= DEPTH_MAX => Err(Malformed::TooDeep { at }),
            None if element.tag == PIXEL_DATA => self.fragments(element.tag, at, encoding),
            // A private sequence of unknown VR is written in implicit VR little endian (PS3.5 6.2.2, note 2).
            None if element.vr == Some(*b"UN") => self.items(element.tag, at, Encoding::IMPLICIT, depth),
            None => self.items(element.tag, at, encoding, depth),
        }
    }

    /// Encapsulated pixel data: items of known length up to a sequence delimiter (PS3.5 A.4).
    fn fragments(&mut self, tag: (u16, u16), at: u64, encoding: Encoding) -> Result<(), Malformed> {
        loop {
            match self.item(tag, at, encoding)? {
                (ITEM, Some(length)) if self.bytes.skip(u64::from(length))? => {}
                (ITEM, Some(_)) => return Err(Malformed::EndsInside { tag, at }),
                (SEQUENCE_END, _) => return Ok(()),
                _ => return Err(Malformed::NotAnItem { at: self.bytes.at() }),
            }
        }
    }

    fn items(&mut self, tag: (u16, u16), at: u64, encoding: Encoding, depth: u32) -> Result<(), Malformed> {
        loop {
            match self.item(tag, at, encoding)? {
                (ITEM, Some(length)) if self.bytes.skip(u64::from(length))? => {}
                (ITEM, Some(_)) => return Err(Malformed::EndsInside { tag, at }),
                (ITEM, None) => self.item_elements(tag, at, encoding, depth)?,
                (SEQUENCE_END, _) => return Ok(()),
                _ => return Err(Malformed::NotAnItem { at: self.bytes.at() }),
            }
        }
    }

    fn item_elements(
        &mut self,
        tag: (u16, u16),
        at: u64,
        encoding: Encoding,
        depth: u32,
    ) -> Result<(), Malformed> {
        loop {
            let start = self.bytes.at();
            match self.element(encoding)? {
                None => return Err(Malformed::EndsInside { tag, at }),
                Some(element) if element.tag == ITEM_END => return Ok(()),
                Some(element) => self.pass(&element, start, encoding, depth + 1)?,
            }
        }
    }

    /// Tag and length of an item or delimiter.
    fn item(
        &mut self,
        tag: (u16, u16),
        at: u64,
        encoding: Encoding,
    ) -> Result<((u16, u16), Option<u32>), Malformed> {
        let mut head = [0u8; 8];
        if self.bytes.fill(&mut head)? < head.len() {
            return Err(Malformed::EndsInside { tag, at });
        }
        let found = read_tag(&head, encoding);
        let length = read_u32(&head[4..], encoding);
        Ok((found, (length != UNDEFINED).then_some(length)))
    }

    /// The next element's head; `None` at a clean end.
    fn element(&mut self, encoding: Encoding) -> Result<Option<Element>, Malformed> {
        let at = self.bytes.at();
        let mut head = [0u8; 8];
        match self.bytes.fill(&mut head)? {
            0 => return Ok(None),
            8 => {}
            _ => return Err(Malformed::EndsInside { tag: (0, 0), at }),
        }
        let tag = read_tag(&head, encoding);
        if tag.0 == 0xFFFE || !encoding.explicit_vr {
            let length = read_u32(&head[4..], encoding);
            return Ok(Some(Element { tag, vr: None, length: (length != UNDEFINED).then_some(length) }));
        }
        let vr = [head[4], head[5]];
        let length = match vr_length(vr) {
            None => return Err(Malformed::NotAVr { at }),
            Some(VrLength::Short) if encoding.big_endian => u32::from(u16::from_be_bytes([head[6], head[7]])),
            Some(VrLength::Short) => u32::from(u16::from_le_bytes([head[6], head[7]])),
            Some(VrLength::Long) => {
                let mut long = [0u8; 4];
                if self.bytes.fill(&mut long)? < 4 {
                    return Err(Malformed::EndsInside { tag, at });
                }
                read_u32(&long, encoding)
            }
        };
        Ok(Some(Element { tag, vr: Some(vr), length: (length != UNDEFINED).then_some(length) }))
    }
}

pub(super) enum VrLength {
    Short,
    Long,
}

/// PS3.5 7.1.2: which value representations carry a 16-bit length.
pub(super) fn vr_length(vr: [u8; 2]) -> Option<VrLength> {
    match &vr {
        b"AE" | b"AS" | b"AT" | b"CS" | b"DA" | b"DS" | b"DT" | b"FL" | b"FD" | b"IS" | b"LO" | b"LT"
        | b"PN" | b"SH" | b"SL" | b"SS" | b"ST" | b"TM" | b"UI" | b"UL" | b"US" => Some(VrLength::Short),
        b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT"
        | b"UV" => Some(VrLength::Long),
        _ => None,
    }
}

pub(super) fn read_tag(head: &[u8], encoding: Encoding) -> (u16, u16) {
    let read = if encoding.big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
    (read([head[0], head[1]]), read([head[2], head[3]]))
}

pub(super) fn read_u32(bytes: &[u8], encoding: Encoding) -> u32 {
    let read = if encoding.big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
    read([bytes[0], bytes[1], bytes[2], bytes[3]])
}
