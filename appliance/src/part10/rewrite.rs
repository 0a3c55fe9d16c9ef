//! A data set written anew in explicit VR little endian, element by element, as it is read.
//!
//! Sequences come out with undefined lengths, so nothing has to be measured first; group lengths are left out.
//! Memory stays at one buffer whatever the object's size. It decodes no pixels: who has decoded them hands them in.

use std::collections::BTreeMap;
use std::io::Write;

use super::elements::{ElementHead, Elements, ITEM, ITEM_END, PIXEL_DATA, SEQUENCE_END, Tag};
use super::values::{unit_bytes, vr_of};
use super::walk::{Encoding, Malformed, VrLength, vr_length};

/// Copied at once; a multiple of every number's size.
const BUFFER_BYTES: usize = 64 * 1024;
/// As for reading: the standard's own IODs nest about 8 deep.
const DEPTH_MAX: usize = 32;
const UNDEFINED: [u8; 4] = [0xFF; 4];

/// Decoded pixel data in place of the file's own.
pub struct PixelReplacement<'a> {
    /// Attributes that describe the decoded pixels: value representation and little-endian value.
    pub attributes: BTreeMap<Tag, ([u8; 2], Vec<u8>)>,
    pub vr: [u8; 2],
    pub length: u32,
    /// Writes exactly `length` bytes.
    pub write: &'a mut dyn FnMut(&mut dyn Write) -> Result<(), Malformed>,
}

impl std::fmt::Debug for PixelReplacement<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PixelReplacement").field("length", &self.length).finish_non_exhaustive()
    }
}

/// Writes what `elements` still has to read.
pub fn rewrite_explicit(
    elements: &mut Elements,
    out: &mut dyn Write,
    mut pixels: Option<PixelReplacement<'_>>,
) -> Result<(), Malformed> {
    let mut rewriter = Rewriter { encoding: elements.encoding, elements, out, signed: false };
    while let Some(head) = rewriter.elements.next_head()? {
        let Some(pixels) = &mut pixels else {
            rewriter.element(&head, 0)?;
            continue;
        };
        let mut replaced = false;
        while pixels.attributes.first_key_value().is_some_and(|(tag, _)| *tag <= head.tag) {
            let (tag, (vr, value)) = pixels.attributes.pop_first().expect("there is a first one");
            rewriter.whole(tag, vr, &value)?;
            replaced |= tag == head.tag;
        }
        match head.tag {
            _ if replaced => rewriter.elements.pass(&head, rewriter.encoding)?,
            PIXEL_DATA => {
                rewriter.elements.pass(&head, rewriter.encoding)?;
                rewriter.head(PIXEL_DATA, pixels.vr, pixels.length)?;
                (pixels.write)(rewriter.out)?;
            }
            // Offset tables are of the encapsulated form.
            (0x7FE0, 0x0001..=0x0003) => rewriter.elements.pass(&head, rewriter.encoding)?,
            _ => rewriter.element(&head, 0)?,
        }
    }
    Ok(())
}

struct Rewriter<'a> {
    elements: &'a mut Elements,
    out: &'a mut dyn Write,
    encoding: Encoding,
    signed: bool,
}

impl Rewriter<'_> {
    fn element(&mut self, head: &ElementHead, depth: usize) -> Result<(), Malformed> {
        if head.tag.1 == 0 {
            return self.elements.pass(head, self.encoding);
        }
        let vr = vr_of(head, self.signed);
        match head.length {
            None => self.sequence(head, depth),
            Some(_) if vr == *b"SQ" => self.sequence(head, depth),
            Some(length) => self.copy(head, vr, length),
        }
    }

    fn sequence(&mut self, head: &ElementHead, depth: usize) -> Result<(), Malformed> {
        if depth >= DEPTH_MAX || head.tag == PIXEL_DATA {
            return Err(Malformed::TooDeep { at: head.value_at });
        }
        self.put(&tag_bytes(head.tag))?;
        self.put(b"SQ\0\0")?;
        self.put(&UNDEFINED)?;
        let outer = self.encoding;
        if head.vr == Some(*b"UN") {
            self.encoding = Encoding::IMPLICIT;
        }
        let end = head.length.map(|length| head.value_at + u64::from(length));
        while end.is_none_or(|end| self.elements.at() < end) {
            let item = self.next(head)?;
            match item.tag {
                ITEM => self.item(&item, depth)?,
                SEQUENCE_END if end.is_none() => break,
                _ => return Err(Malformed::NotAnItem { at: item.value_at }),
            }
        }
        self.encoding = outer;
        self.put(&tag_bytes(SEQUENCE_END))?;
        self.put(&[0; 4])
    }

    fn item(&mut self, item: &ElementHead, depth: usize) -> Result<(), Malformed> {
        self.put(&tag_bytes(ITEM))?;
        self.put(&UNDEFINED)?;
        let end = item.length.map(|length| item.value_at + u64::from(length));
        while end.is_none_or(|end| self.elements.at() < end) {
            let head = self.next(item)?;
            match head.tag {
                ITEM_END if end.is_none() => break,
                (0xFFFE, _) => return Err(Malformed::NotAnItem { at: head.value_at }),
                _ => self.element(&head, depth + 1)?,
            }
        }
        self.put(&tag_bytes(ITEM_END))?;
        self.put(&[0; 4])
    }

    fn next(&mut self, around: &ElementHead) -> Result<ElementHead, Malformed> {
        let next = self.elements.next_head_in(self.encoding)?;
        next.ok_or(Malformed::EndsInside { tag: around.tag, at: around.value_at })
    }

    fn copy(&mut self, head: &ElementHead, vr: [u8; 2], length: u32) -> Result<(), Malformed> {
        // A value too long for its representation's 16-bit length becomes UN (PS3.5 6.2.2).
        let short = matches!(vr_length(vr), Some(VrLength::Short));
        let written = if short && length > u32::from(u16::MAX) { *b"UN" } else { vr };
        self.head(head.tag, written, length)?;
        let unit = unit_bytes(vr);
        let (mut left, mut buffer) = (length as usize, vec![0u8; BUFFER_BYTES.min(length as usize)]);
        while left > 0 {
            let step = left.min(BUFFER_BYTES);
            if self.elements.fill(&mut buffer[..step])? < step {
                return Err(Malformed::EndsInside { tag: head.tag, at: head.value_at });
            }
            if head.tag == (0x0028, 0x0103) {
                self.signed = buffer[..step].contains(&1);
            }
            if self.encoding.big_endian && unit > 1 {
                buffer[..step].chunks_exact_mut(unit).for_each(<[u8]>::reverse);
            }
            self.put(&buffer[..step])?;
            left -= step;
        }
        Ok(())
    }

    fn whole(&mut self, tag: Tag, vr: [u8; 2], value: &[u8]) -> Result<(), Malformed> {
        self.head(tag, vr, u32::try_from(value.len()).expect("a replaced attribute is short"))?;
        self.put(value)
    }

    fn head(&mut self, tag: Tag, vr: [u8; 2], length: u32) -> Result<(), Malformed> {
        self.put(&tag_bytes(tag))?;
        self.put(&vr)?;
        match (vr_length(vr), u16::try_from(length)) {
            (Some(VrLength::Short), Ok(length)) => self.put(&length.to_le_bytes()),
            _ => {
                self.put(&[0, 0])?;
                self.put(&length.to_le_bytes())
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        self.out.write_all(bytes).map_err(Malformed::Io)
    }
}

fn tag_bytes(tag: Tag) -> [u8; 4] {
    let [a, b] = tag.0.to_le_bytes();
    let [c, d] = tag.1.to_le_bytes();
    [a, b, c, d]
}
