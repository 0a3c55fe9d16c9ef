//! What an object says about its pixels (PS3.3 C.7.6.3) and about how to show them (C.11.1, C.11.2).

use super::lut::Lut;
use super::overlays::Overlays;
use crate::part10::{ElementHead, Elements, Malformed, Tag};

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
    pub modality_lut: Option<Lut>,
    pub voi_lut: Option<Lut>,
}

/// Sequences of which the first item is read where it stands: functional groups and look-up tables.
const OPENED: [Tag; 6] =
    [(0x5200, 0x9229), (0x5200, 0x9230), (0x0028, 0x9132), (0x0028, 0x9145), MODALITY_LUT, VOI_LUT];
const MODALITY_LUT: Tag = (0x0028, 0x3000);
const VOI_LUT: Tag = (0x0028, 0x3010);

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
    pub overlays: Overlays,
    /// The table whose sequence was opened last, and its descriptor.
    pub(super) table: (Tag, Vec<u8>),
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
            overlays: Overlays::default(),
            table: Default::default(),
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
        // An opened sequence's items come as elements of their own; their heads carry nothing.
        if OPENED.contains(&head.tag) {
            self.table = (head.tag, Vec::new());
            return Ok(());
        }
        if head.tag.0 == 0xFFFE {
            return Ok(());
        }
        if Overlays::has(head) {
            return self.overlays.take(elements, head);
        }
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
            (0x0028, 0x1050..=0x1056) => self.show(head.tag.1, first(), text()),
            (0x0028, 0x3002 | 0x3006) => {
                if big_endian {
                    value.chunks_exact_mut(2).for_each(<[u8]>::reverse);
                }
                self.look_up(head.tag.1, value);
            }
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

    /// Rescale and window; of several functional groups the first one counts.
    fn show(&mut self, element: u16, number: Option<f64>, text: String) {
        let place = match element {
            0x1050 => &mut self.display.center,
            0x1051 => &mut self.display.width,
            0x1052 => &mut self.display.intercept,
            0x1053 => &mut self.display.slope,
            _ => {
                if element == 0x1056 && self.display.function.is_empty() {
                    self.display.function = text;
                }
                return;
            }
        };
        if place.is_none() {
            *place = number;
        }
    }

    /// Descriptor, then data, of the table whose sequence was opened; the first table of each kind counts.
    fn look_up(&mut self, element: u16, value: Vec<u8>) {
        if element == 0x3002 {
            self.table.1 = value;
            return;
        }
        let of_modality = self.table.0 == MODALITY_LUT;
        // The first value of a VOI LUT is a modality value, signed where rescaling may make it so (PS3.3 C.11.2.1.1).
        let rescaled = self.display.intercept.is_some_and(|intercept| intercept < 0.0);
        let signed = self.signed || !of_modality && rescaled;
        let table = Lut::of(&self.table.1, &value, signed);
        match self.table.0 {
            MODALITY_LUT if self.display.modality_lut.is_none() => self.display.modality_lut = table,
            VOI_LUT if self.display.voi_lut.is_none() => self.display.voi_lut = table,
            _ => {}
        }
    }
}
