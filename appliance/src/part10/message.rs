//! Data sets of messages (commitment, procedure steps): small ones in memory, read as a tree, written from scratch.
//!
//! Explicit and implicit VR little endian only, which is all that messages are negotiated in. Every length is checked
//! against the bytes that are there; nothing is allocated by a claim. Pixel data does not occur here.

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry as _};
use dicom_dictionary_std::StandardDataDictionary;

/// Messages nest three deep; more is an attack on the stack.
const DEPTH_MAX: u32 = 16;
const UNDEFINED: u32 = 0xFFFF_FFFF;
const ITEM: (u16, u16) = (0xFFFE, 0xE000);
const ITEM_END: (u16, u16) = (0xFFFE, 0xE00D);
const SEQUENCE_END: (u16, u16) = (0xFFFE, 0xE0DD);

/// Why bytes are no data set of a message. Never contains a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAMessage {
    #[error("the data set ends inside an element")]
    EndsInside,
    #[error("the data set holds something that is no element")]
    NotAnElement,
    #[error("sequences nest deeper than {DEPTH_MAX}")]
    TooDeep,
}

/// The elements of a data set or item, in order.
#[derive(Clone, Default)]
pub struct Elements<'a>(Vec<((u16, u16), Content<'a>)>);

impl std::fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Elements({})", self.0.len())
    }
}

#[derive(Clone)]
enum Content<'a> {
    Value(&'a [u8]),
    Items(Vec<Elements<'a>>),
}

impl<'a> Elements<'a> {
    pub fn parse(bytes: &'a [u8], explicit_vr: bool) -> Result<Self, NotAMessage> {
        let mut reader = Reader { bytes, explicit_vr };
        reader.elements(0, false)
    }

    /// A text value without its padding; `None` where the element is absent or a sequence.
    pub fn text(&self, tag: (u16, u16)) -> Option<String> {
        self.0.iter().find_map(|(found, content)| match content {
            Content::Value(value) if *found == tag => {
                Some(String::from_utf8_lossy(value).trim_matches(['\0', ' ']).to_owned())
            }
            _ => None,
        })
    }

    /// An unsigned short; `None` where the element is absent or something else.
    pub fn number(&self, tag: (u16, u16)) -> Option<u16> {
        self.0.iter().find_map(|(found, content)| match content {
            Content::Value(value) if *found == tag => (*value).try_into().ok().map(u16::from_le_bytes),
            _ => None,
        })
    }

    /// The items of a sequence; none where it is absent.
    pub fn items(&self, tag: (u16, u16)) -> &[Elements<'a>] {
        let found = self.0.iter().find_map(|(found, content)| match content {
            Content::Items(items) if *found == tag => Some(items.as_slice()),
            _ => None,
        });
        found.unwrap_or_default()
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    explicit_vr: bool,
}

impl<'a> Reader<'a> {
    /// Elements up to the end of the bytes, or up to an item delimiter.
    fn elements(&mut self, depth: u32, delimited: bool) -> Result<Elements<'a>, NotAMessage> {
        let mut elements = Vec::new();
        while !self.bytes.is_empty() {
            let tag = self.tag()?;
            if tag == ITEM_END && delimited {
                self.take(4)?;
                return Ok(Elements(elements));
            }
            if tag.0 == 0xFFFE {
                return Err(NotAMessage::NotAnElement);
            }
            let (sequence, length) = self.kind(tag)?;
            let content = if sequence || length == UNDEFINED {
                Content::Items(self.items(length, depth + 1)?)
            } else {
                Content::Value(self.take(length as usize)?)
            };
            elements.push((tag, content));
        }
        if delimited { Err(NotAMessage::EndsInside) } else { Ok(Elements(elements)) }
    }

    /// Whether the element is a sequence, and its length.
    fn kind(&mut self, tag: (u16, u16)) -> Result<(bool, u32), NotAMessage> {
        if !self.explicit_vr {
            let length = self.long()?;
            let vr = StandardDataDictionary.by_tag(Tag(tag.0, tag.1)).map(|entry| entry.vr().relaxed());
            return Ok((vr == Some(dicom_core::VR::SQ), length));
        }
        let vr = self.take(2)?;
        match vr {
            b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR" | b"UT"
            | b"UV" => {
                self.take(2)?;
                Ok((vr == b"SQ", self.long()?))
            }
            _ if vr.iter().all(u8::is_ascii_uppercase) => {
                let length = self.take(2)?;
                Ok((false, u32::from(u16::from_le_bytes([length[0], length[1]]))))
            }
            _ => Err(NotAMessage::NotAnElement),
        }
    }

    fn items(&mut self, length: u32, depth: u32) -> Result<Vec<Elements<'a>>, NotAMessage> {
        if depth > DEPTH_MAX {
            return Err(NotAMessage::TooDeep);
        }
        let explicit_vr = self.explicit_vr;
        let mut within = match length {
            UNDEFINED => None,
            length => Some(Reader { bytes: self.take(length as usize)?, explicit_vr }),
        };
        let delimited = within.is_none();
        let reader = within.as_mut().unwrap_or(self);
        let mut items = Vec::new();
        while delimited || !reader.bytes.is_empty() {
            let tag = reader.tag()?;
            let length = reader.long()?;
            match (tag, length) {
                (ITEM, UNDEFINED) => items.push(reader.elements(depth, true)?),
                (ITEM, length) => {
                    let bytes = reader.take(length as usize)?;
                    items.push(Reader { bytes, explicit_vr }.elements(depth, false)?);
                }
                (SEQUENCE_END, _) if delimited => break,
                _ => return Err(NotAMessage::NotAnElement),
            }
        }
        Ok(items)
    }

    fn tag(&mut self) -> Result<(u16, u16), NotAMessage> {
        let head = self.take(4)?;
        Ok((u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]])))
    }

    fn long(&mut self) -> Result<u32, NotAMessage> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], NotAMessage> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(NotAMessage::EndsInside)?;
        self.bytes = rest;
        Ok(taken)
    }
}

/// Writes elements in the order they are put, which must be the order of their tags.
#[derive(Debug)]
pub struct Composer {
    explicit_vr: bool,
    bytes: Vec<u8>,
}

impl Composer {
    pub fn new(explicit_vr: bool) -> Self {
        Self { explicit_vr, bytes: Vec::new() }
    }

    pub fn uid(&mut self, tag: (u16, u16), uid: &str) {
        let mut value = uid.as_bytes().to_vec();
        if value.len() % 2 == 1 {
            value.push(0);
        }
        self.head(tag, *b"UI", value.len());
        self.bytes.extend_from_slice(&value);
    }

    pub fn number(&mut self, tag: (u16, u16), number: u16) {
        self.head(tag, *b"US", 2);
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// A sequence of items, each written by `each`.
    pub fn sequence<T>(&mut self, tag: (u16, u16), items: &[T], each: impl Fn(&mut Self, &T)) {
        let mut within = Self::new(self.explicit_vr);
        for item in items {
            let mut one = Self::new(self.explicit_vr);
            each(&mut one, item);
            within.bytes.extend_from_slice(&ITEM.0.to_le_bytes());
            within.bytes.extend_from_slice(&ITEM.1.to_le_bytes());
            within.bytes.extend_from_slice(&length_of(one.bytes.len()));
            within.bytes.extend_from_slice(&one.bytes);
        }
        self.head(tag, *b"SQ", within.bytes.len());
        self.bytes.extend_from_slice(&within.bytes);
    }

    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn head(&mut self, tag: (u16, u16), vr: [u8; 2], length: usize) {
        self.bytes.extend_from_slice(&tag.0.to_le_bytes());
        self.bytes.extend_from_slice(&tag.1.to_le_bytes());
        match (self.explicit_vr, &vr) {
            (false, _) => self.bytes.extend_from_slice(&length_of(length)),
            (true, b"SQ") => {
                self.bytes.extend_from_slice(b"SQ\0\0");
                self.bytes.extend_from_slice(&length_of(length));
            }
            (true, _) => {
                self.bytes.extend_from_slice(&vr);
                let short = u16::try_from(length).expect("UIDs and numbers are short");
                self.bytes.extend_from_slice(&short.to_le_bytes());
            }
        }
    }
}

fn length_of(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("a message is bounded").to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCED: (u16, u16) = (0x0008, 0x1199);
    const INSTANCE: (u16, u16) = (0x0008, 0x1155);

    fn composed(explicit_vr: bool) -> Vec<u8> {
        let mut composer = Composer::new(explicit_vr);
        composer.uid((0x0008, 0x1195), "1.2.3");
        composer.sequence(REFERENCED, &["1.2.3.4", "1.2.3.55"], |item, uid| item.uid(INSTANCE, uid));
        composer.finish()
    }

    #[test]
    fn what_is_composed_parses_in_both_encodings() {
        for explicit_vr in [true, false] {
            let bytes = composed(explicit_vr);
            let elements = Elements::parse(&bytes, explicit_vr).unwrap();
            assert_eq!(elements.text((0x0008, 0x1195)).as_deref(), Some("1.2.3"));
            let uids: Vec<_> =
                elements.items(REFERENCED).iter().filter_map(|item| item.text(INSTANCE)).collect();
            assert_eq!(uids, ["1.2.3.4", "1.2.3.55"]);
        }
    }

    #[test]
    fn undefined_lengths_are_read_too() {
        let mut bytes = vec![0x08, 0, 0x99, 0x11, b'S', b'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
        bytes.extend_from_slice(&[0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]);
        let mut inner = Composer::new(true);
        inner.uid(INSTANCE, "1.2");
        bytes.extend_from_slice(&inner.finish());
        bytes.extend_from_slice(&[0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&[0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        let elements = Elements::parse(&bytes, true).unwrap();
        assert_eq!(elements.items(REFERENCED)[0].text(INSTANCE).as_deref(), Some("1.2"));
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_is_an_error_or_a_message_never_a_panic() {
        for explicit_vr in [true, false] {
            let whole = composed(explicit_vr);
            for length in 0..whole.len() {
                let _ = Elements::parse(&whole[..length], explicit_vr);
                let mut flipped = whole.clone();
                flipped[length] ^= 0xFF;
                let _ = Elements::parse(&flipped, explicit_vr);
            }
            assert!(Elements::parse(&whole[..whole.len() - 1], explicit_vr).is_err());
        }
        let deep: Vec<u8> =
            [0x08, 0, 0x99, 0x11, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]
                .repeat(1000);
        assert!(matches!(Elements::parse(&deep, false), Err(NotAMessage::TooDeep)));
    }
}
