//! Overlay planes (PS3.3 C.9.2): drawn into a rendered frame in white, as the object says where.
//!
//! Only planes with data of their own are drawn; the retired ones hidden in unused bits of the pixels are not.

use std::path::Path;

use super::rendering::Rendered;
use crate::part10::{ElementHead, Elements, Malformed};

/// Repeating groups 6000 to 601E.
const PLANES_MAX: usize = 16;
/// One bit a pixel of the largest radiograph, with room for a multi-frame overlay.
const PLANE_BYTES_MAX: u64 = 32 << 20;

/// Where one plane lies and what it covers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plane {
    group: u16,
    rows: u32,
    columns: u32,
    /// Row and column of its first pixel in the image, counted from 1; may lie outside.
    origin: (i16, i16),
    /// Of the plane itself; without it the plane lies over every frame of the image.
    frames: Option<u32>,
    /// First image frame it belongs to, counted from 1.
    first_frame: u32,
    data: Option<(u64, u32)>,
}

/// The planes of one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlays(Vec<Plane>);

impl Overlays {
    /// Whether an element belongs to an overlay.
    pub(super) fn has(head: &ElementHead) -> bool {
        matches!(head.tag.0, 0x6000..=0x601E) && head.tag.0.is_multiple_of(2)
    }

    /// Reads an element of an overlay group; the bits stay where they are.
    pub(super) fn take(&mut self, elements: &mut Elements, head: &ElementHead) -> Result<(), Malformed> {
        const SHORT: u32 = 64;
        let Some(position) = self.position(head.tag.0) else {
            return elements.pass(head, elements.encoding);
        };
        let plane = &mut self.0[position];
        if head.tag.1 == 0x3000 {
            plane.data = head.length.map(|length| (head.value_at, length));
        }
        if head.tag.1 == 0x3000 || head.length.is_none_or(|length| length > SHORT) {
            return elements.pass(head, elements.encoding);
        }
        let big_endian = elements.encoding.big_endian;
        let value = elements.value(head)?;
        let number = |at: usize| {
            let bytes: [u8; 2] = value.get(at..at + 2)?.try_into().ok()?;
            Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
        };
        let text = || String::from_utf8_lossy(&value).trim_matches(['\0', ' ']).parse().ok();
        match head.tag.1 {
            0x0010 => plane.rows = number(0).unwrap_or(0).into(),
            0x0011 => plane.columns = number(0).unwrap_or(0).into(),
            0x0015 => plane.frames = text(),
            0x0050 => {
                let signed = |at| number(at).map_or(1, u16::cast_signed);
                plane.origin = (signed(0), signed(2));
            }
            0x0051 => plane.first_frame = number(0).unwrap_or(1).max(1).into(),
            _ => {}
        }
        Ok(())
    }

    fn position(&mut self, group: u16) -> Option<usize> {
        if let Some(position) = self.0.iter().position(|plane| plane.group == group) {
            return Some(position);
        }
        if self.0.len() >= PLANES_MAX {
            return None;
        }
        self.0.push(Plane { group, origin: (1, 1), first_frame: 1, ..Plane::default() });
        Some(self.0.len() - 1)
    }

    /// Draws the planes that belong to an image frame, counted from 0.
    pub fn draw(&self, path: &Path, frame: u32, picture: &mut Rendered) -> Result<(), Malformed> {
        for plane in &self.0 {
            if let Some(bits) = plane.bits(path, frame)? {
                plane.draw(&bits, picture);
            }
        }
        Ok(())
    }
}

/// One bit a pixel, beginning inside a byte where a multi-frame plane's frame does.
struct Bits {
    bytes: Vec<u8>,
    first: u64,
}

impl Plane {
    /// The plane's bits for one frame of the image; none where it has none for it (PS3.3 C.9.3).
    fn bits(&self, path: &Path, frame: u32) -> Result<Option<Bits>, Malformed> {
        let Some((at, length)) = self.data else { return Ok(None) };
        let own = match self.frames {
            None => Some(0),
            Some(frames) => (frame + 1).checked_sub(self.first_frame).filter(|own| *own < frames),
        };
        let Some(own) = own else { return Ok(None) };
        let pixels = u64::from(self.rows) * u64::from(self.columns);
        let first = pixels * u64::from(own);
        let (begin, end) = (first / 8, (first + pixels).div_ceil(8));
        if pixels == 0 || end > u64::from(length) || end - begin > PLANE_BYTES_MAX {
            return Ok(None);
        }
        let (_, mut elements) = Elements::open(path)?;
        elements.go_to(at + begin)?;
        let mut bytes = vec![0u8; usize::try_from(end - begin).expect("at most PLANE_BYTES_MAX")];
        let whole = elements.fill(&mut bytes)? == bytes.len();
        Ok(whole.then_some(Bits { bytes, first: first % 8 }))
    }

    fn draw(&self, bits: &Bits, picture: &mut Rendered) {
        for row in 0..self.rows {
            for column in 0..self.columns {
                let bit = bits.first + u64::from(row) * u64::from(self.columns) + u64::from(column);
                let set =
                    usize::try_from(bit / 8).ok().and_then(|at| bits.bytes.get(at)).copied().unwrap_or(0);
                if set >> (bit % 8) & 1 == 1 {
                    let at = |offset: u32, origin: i16| i64::from(offset) + i64::from(origin) - 1;
                    picture.whiten(at(column, self.origin.1), at(row, self.origin.0));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Rendered {
        Rendered { columns: 3, rows: 2, channels: 1, samples: vec![0; 6] }
    }

    #[test]
    fn bits_whiten_the_pixels_they_cover_and_none_outside() {
        let plane = Plane { rows: 2, columns: 2, origin: (1, 3), first_frame: 1, ..Plane::default() };
        let mut shown = picture();
        plane.draw(&Bits { bytes: vec![0b1111], first: 0 }, &mut shown);
        assert_eq!(shown.samples, [0, 0, 255, 0, 0, 255], "the second column lies beyond the image");
        let above = Plane { origin: (0, 1), ..plane };
        let mut shown = picture();
        above.draw(&Bits { bytes: vec![0b1001_0000], first: 4 }, &mut shown);
        assert_eq!(shown.samples, [0, 255, 0, 0, 0, 0], "the first row lies above the image");
    }
}
