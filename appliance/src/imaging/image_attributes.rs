//! What an object says about its pixels (PS3.3 C.7.6.3) and about how to show them (C.11.1, C.11.2).

use crate::part10::{ElementHead, Elements, Malformed};

/// Values longer than this are no image attribute but a palette, and a palette has at most 128 KiB.
const VALUE_BYTES_MAX: u32 = 128 * 1024;

/// Rescale and window as the object or its first functional groups have them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Display {
    pub slope: Option<f64>,
    pub intercept: Option<f64>,
    pub center: Option<f64>,
    pub width: Option<f64>,
    /// VOI LUT Function: `LINEAR`, `LINEAR_EXACT` or `SIGMOID`.
    pub function: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ImageAttributes {
    pub rows: u16,
    pub columns: u16,
    pub frames: u32,
    pub samples: u16,
    pub bits_allocated: u16,
    pub bits_stored: u16,
    pub high_bit: u16,
    pub signed: bool,
    pub photometric: String,
    /// Planar Configuration 1: all red, then all green, then all blue.
    pub planar: bool,
    /// Float or Double Float Pixel Data.
    pub float: bool,
    pub display: Display,
    /// Descriptor and data of the red, green and blue palette.
    pub palettes: [(Vec<u8>, Vec<u8>); 3],
    /// Value of the Extended Offset Table (7FE0,0001).
    pub extended_offsets: Vec<u8>,
}

impl Default for ImageAttributes {
    fn default() -> Self {
        Self {
            rows: 0,
            columns: 0,
            frames: 1,
            samples: 1,
            bits_allocated: 16,
            bits_stored: 0,
            high_bit: 0,
            signed: false,
            photometric: String::new(),
            planar: false,
            float: false,
            display: Display::default(),
            palettes: Default::default(),
            extended_offsets: Vec::new(),
        }
    }
}

impl ImageAttributes {
    pub fn frame_bits(&self) -> u64 {
        let samples = u64::from(self.rows) * u64::from(self.columns) * u64::from(self.samples);
        let bits = samples * u64::from(self.bits_allocated);
        // 4:2:2 chroma halves two of three samples (PS3.3 C.7.6.3.1.2); only native pixels stand there so.
        if self.photometric.contains("422") { bits / 3 * 2 } else { bits }
    }

    pub fn frame_bytes(&self) -> u64 {
        self.frame_bits().div_ceil(8)
    }

    /// Reads an element that matters here, passes over every other.
    pub(super) fn take(&mut self, elements: &mut Elements, head: &ElementHead) -> Result<(), Malformed> {
        let short = head.length.is_some_and(|length| length <= VALUE_BYTES_MAX);
        let matters = matches!(head.tag, (0x0028, _) | (0x7FE0, 0x0001));
        if !matters || !(short || head.tag.0 == 0x7FE0 && head.length.is_some()) {
            return elements.pass(head, elements.encoding);
        }
        let big_endian = elements.encoding.big_endian;
        let mut value = elements.value(head)?;
        let text = || String::from_utf8_lossy(&value).trim_matches(['\0', ' ']).to_owned();
        let first = || text().split('\\').next().and_then(|part| part.trim().parse::<f64>().ok());
        let number = || {
            let bytes: [u8; 2] = value.get(..2)?.try_into().ok()?;
            Some(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
        };
        match head.tag {
            (0x0028, 0x0002) => self.samples = number().unwrap_or(1),
            (0x0028, 0x0004) => self.photometric = text(),
            (0x0028, 0x0006) => self.planar = number() == Some(1),
            (0x0028, 0x0008) => self.frames = text().parse().ok().filter(|frames| *frames > 0).unwrap_or(1),
            (0x0028, 0x0010) => self.rows = number().unwrap_or(0),
            (0x0028, 0x0011) => self.columns = number().unwrap_or(0),
            (0x0028, 0x0100) => {
                self.bits_allocated = number().unwrap_or(16);
                (self.bits_stored, self.high_bit) =
                    (self.bits_allocated, self.bits_allocated.saturating_sub(1));
            }
            (0x0028, 0x0101) => self.bits_stored = number().unwrap_or(self.bits_allocated),
            (0x0028, 0x0102) => self.high_bit = number().unwrap_or(self.bits_stored.saturating_sub(1)),
            (0x0028, 0x0103) => self.signed = number() == Some(1),
            (0x0028, 0x1050) => self.display.center = first(),
            (0x0028, 0x1051) => self.display.width = first(),
            (0x0028, 0x1052) => self.display.intercept = first(),
            (0x0028, 0x1053) => self.display.slope = first(),
            (0x0028, 0x1056) => self.display.function = text(),
            (0x0028, element @ (0x1101..=0x1103 | 0x1201..=0x1203)) => {
                if big_endian {
                    value.chunks_exact_mut(2).for_each(<[u8]>::reverse);
                }
                let palette = &mut self.palettes[usize::from(element % 0x10) - 1];
                if element < 0x1200 { palette.0 = value } else { palette.1 = value }
            }
            (0x7FE0, _) => self.extended_offsets = value,
            _ => {}
        }
        Ok(())
    }
}
