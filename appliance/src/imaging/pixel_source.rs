//! The pixel data of one stored object, frame by frame, read where it lies.
//!
//! A native frame is read by seeking and copied through one buffer; an encapsulated frame is the fragments the
//! object's own tables give it, decoded alone. Memory holds one compressed and one decoded frame at most, never the
//! object. What cannot be decoded here can still be handed out as it is. Nothing is rescaled or windowed.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use dicom_core::value::PixelFragmentSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::transfer_syntax::TransferSyntaxIndex as _;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use dicom_pixeldata::{PixelDecoder as _, PlanarConfiguration};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::fragments::{Fragments, read_fragments};
use super::image_attributes::ImageAttributes;
use super::rendering::Rendered;
use crate::part10::{Elements, Malformed, PIXEL_DATA};

/// The largest frame decoded: a whole-slide overview has 100 MB; a codec may want the double.
const DECODED_BYTES_MAX: u64 = 512 << 20;
/// The largest compressed frame read into memory.
const ENCODED_BYTES_MAX: u64 = 256 << 20;
const BUFFER_BYTES: usize = 256 * 1024;

/// Why a frame is not handed out.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the object has no pixel data")]
    NoPixels,
    #[error("the object has {frames} frames and no frame {frame}")]
    NoSuchFrame { frame: u32, frames: u32 },
    #[error("the object's fragments cannot be told apart into its {0} frames")]
    Fragments(u32),
    #[error("the frame is larger than this box decodes")]
    TooLarge,
    #[error("this build cannot decode the image: {0}")]
    Decode(String),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

enum Layout {
    Native { value_at: u64, length: u64, wide: bool },
    Encapsulated(Fragments),
}

/// Where an object's frames are and how their samples are laid out.
pub struct PixelSource {
    path: PathBuf,
    layout: Layout,
    pub attributes: ImageAttributes,
    pub transfer_syntax: String,
    big_endian: bool,
}

/// One frame, decoded: samples in little endian.
#[derive(Debug)]
pub struct DecodedFrame {
    pub samples: Vec<u8>,
    /// As the samples are now; colour may have been converted by the codec.
    pub attributes: ImageAttributes,
}

impl std::fmt::Debug for PixelSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PixelSource").field("attributes", &self.attributes).finish_non_exhaustive()
    }
}

impl PixelSource {
    /// Reads what describes the pixels, up to where they begin.
    pub fn open(path: &Path) -> Result<Self, FrameError> {
        let (header, mut elements) = Elements::open(path)?;
        let mut attributes = ImageAttributes::default();
        while let Some(head) = elements.next_head()? {
            if !matches!(head.tag, (0x7FE0, 0x0008..=0x0010)) {
                attributes.take(&mut elements, &head)?;
                continue;
            }
            let layout = match head.length {
                Some(length) => Layout::Native {
                    value_at: head.value_at,
                    length: length.into(),
                    wide: head.vr == Some(*b"OW"),
                },
                None => Layout::Encapsulated(read_fragments(&mut elements, &attributes)?),
            };
            attributes.float = head.tag != PIXEL_DATA;
            let big_endian = elements.encoding.big_endian;
            let (path, transfer_syntax) = (path.to_owned(), header.transfer_syntax);
            return Ok(Self { path, layout, attributes, transfer_syntax, big_endian });
        }
        Err(FrameError::NoPixels)
    }

    pub fn frames(&self) -> u32 {
        self.attributes.frames
    }

    pub fn is_native(&self) -> bool {
        matches!(self.layout, Layout::Native { .. })
    }

    /// Whether frames can be had as plain samples.
    pub fn is_decodable(&self) -> bool {
        let codec = TransferSyntaxRegistry.get(&self.transfer_syntax);
        self.is_native() || codec.is_some_and(dicom_encoding::TransferSyntax::can_decode_all)
    }

    /// Refuses a frame number (0-based) the object does not have.
    pub fn check(&self, frame: u32) -> Result<(), FrameError> {
        let frames = self.frames();
        if frame < frames { Ok(()) } else { Err(FrameError::NoSuchFrame { frame: frame + 1, frames }) }
    }

    /// Writes a frame's samples in little endian, decoding them where they are compressed.
    pub fn write_samples(&self, frame: u32, out: &mut dyn Write) -> Result<(), FrameError> {
        self.check(frame)?;
        match self.layout {
            Layout::Native { value_at, length, wide } => {
                self.write_native(value_at, length, wide, frame, out)
            }
            Layout::Encapsulated(_) => {
                let decoded = self.decode(frame)?;
                Ok(out.write_all(&decoded.samples).map_err(Malformed::Io)?)
            }
        }
    }

    /// A frame in memory.
    pub fn decode(&self, frame: u32) -> Result<DecodedFrame, FrameError> {
        self.check(frame)?;
        if self.attributes.frame_bytes() > DECODED_BYTES_MAX {
            return Err(FrameError::TooLarge);
        }
        if self.is_native() {
            let mut samples = Vec::new();
            self.write_samples(frame, &mut samples)?;
            return Ok(DecodedFrame { samples, attributes: self.attributes.clone() });
        }
        let encoded = self.encoded(frame)?;
        // Codecs read what strangers wrote; one that panics is one that cannot decode it.
        let decoded = catch_unwind(AssertUnwindSafe(|| self.decode_encoded(encoded)));
        decoded.unwrap_or_else(|_| Err(FrameError::Decode("the codec gave up".into())))
    }

    /// Draws the object's overlays for one frame into its picture.
    pub fn draw_overlays(&self, frame: u32, picture: &mut Rendered) -> Result<(), FrameError> {
        Ok(self.attributes.overlays.draw(&self.path, frame, picture)?)
    }

    /// A frame as the object has it, compressed.
    pub fn encoded(&self, frame: u32) -> Result<Vec<u8>, FrameError> {
        self.check(frame)?;
        let Layout::Encapsulated(fragments) = &self.layout else { return Err(FrameError::NoPixels) };
        let parts = fragments.of_frame(frame).ok_or(FrameError::Fragments(self.frames()))?;
        if parts.iter().map(|(_, length)| u64::from(*length)).sum::<u64>() > ENCODED_BYTES_MAX {
            return Err(FrameError::TooLarge);
        }
        let (_, mut elements) = Elements::open(&self.path)?;
        let mut bytes = Vec::new();
        for (at, length) in parts {
            elements.go_to(*at)?;
            let before = bytes.len();
            bytes.resize(before + *length as usize, 0);
            if elements.fill(&mut bytes[before..])? < *length as usize {
                return Err(Malformed::EndsInside { tag: PIXEL_DATA, at: *at }.into());
            }
        }
        Ok(bytes)
    }

    fn write_native(
        &self,
        value_at: u64,
        length: u64,
        wide: bool,
        frame: u32,
        out: &mut dyn Write,
    ) -> Result<(), FrameError> {
        let bits = self.attributes.frame_bits();
        let first_bit = bits.saturating_mul(frame.into());
        if first_bit.saturating_add(bits).div_ceil(8) > length {
            return Err(FrameError::NoSuchFrame { frame: frame + 1, frames: self.frames() });
        }
        let (_, mut elements) = Elements::open(&self.path)?;
        elements.go_to(value_at + first_bit / 8)?;
        if !first_bit.is_multiple_of(8) {
            return shifted(&mut elements, first_bit % 8, bits, out);
        }
        let unit = match self.attributes.bits_allocated {
            ..=8 if wide => 2,
            bits => usize::from(bits / 8),
        };
        let mut left = bits.div_ceil(8);
        let mut buffer = vec![0u8; BUFFER_BYTES.min(usize::try_from(left).unwrap_or(BUFFER_BYTES))];
        while left > 0 {
            let step = usize::try_from(left.min(BUFFER_BYTES as u64)).expect("at most the buffer");
            if elements.fill(&mut buffer[..step])? < step {
                return Err(Malformed::EndsInside { tag: PIXEL_DATA, at: elements.at() }.into());
            }
            if self.big_endian && unit > 1 {
                buffer[..step].chunks_exact_mut(unit).for_each(<[u8]>::reverse);
            }
            out.write_all(&buffer[..step]).map_err(Malformed::Io)?;
            left -= step as u64;
        }
        Ok(())
    }

    /// Decodes one frame in an object of its own that says nothing but how its pixels are laid out.
    fn decode_encoded(&self, encoded: Vec<u8>) -> Result<DecodedFrame, FrameError> {
        let a = &self.attributes;
        let mut object = InMemDicomObject::new_empty();
        let mut number = |tag: Tag, value: u16| {
            object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        };
        number(tags::ROWS, a.rows);
        number(tags::COLUMNS, a.columns);
        number(tags::SAMPLES_PER_PIXEL, a.samples);
        number(tags::BITS_ALLOCATED, a.bits_allocated);
        number(tags::BITS_STORED, a.bits_stored);
        number(tags::HIGH_BIT, a.high_bit);
        number(tags::PIXEL_REPRESENTATION, u16::from(a.signed));
        number(tags::PLANAR_CONFIGURATION, u16::from(a.planar));
        let photometric = PrimitiveValue::from(a.photometric.as_str());
        object.put(DataElement::new(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric));
        object.put(DataElement::new(tags::NUMBER_OF_FRAMES, VR::IS, PrimitiveValue::from("1")));
        let fragments = PixelFragmentSequence::new_fragments(vec![encoded]);
        object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, fragments));
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(self.transfer_syntax.as_str())
            .media_storage_sop_class_uid("1.2.840.10008.5.1.4.1.1.7")
            .media_storage_sop_instance_uid("2.25.1");
        let decode = |error: &dyn std::fmt::Display| FrameError::Decode(error.to_string());
        let object = object.with_meta(meta).map_err(|error| decode(&error))?;
        let decoded = object.decode_pixel_data().map_err(|error| decode(&error))?;
        let attributes = ImageAttributes {
            photometric: decoded.photometric_interpretation().as_str().to_owned(),
            samples: decoded.samples_per_pixel(),
            bits_allocated: decoded.bits_allocated(),
            bits_stored: decoded.bits_stored(),
            high_bit: decoded.high_bit(),
            planar: decoded.planar_configuration() == PlanarConfiguration::PixelFirst,
            ..a.clone()
        };
        let samples = decoded.into_data();
        if samples.len() as u64 != attributes.frame_bytes() {
            return Err(FrameError::Decode("the codec gave another size than the object says".into()));
        }
        Ok(DecodedFrame { samples, attributes })
    }
}

/// Bits that begin within a byte (frames of a binary segmentation), moved to a byte of their own.
fn shifted(elements: &mut Elements, shift: u64, bits: u64, out: &mut dyn Write) -> Result<(), FrameError> {
    let mut current = [0u8; 1];
    elements.fill(&mut current)?;
    let (mut left, mut packed) = (bits, Vec::with_capacity(BUFFER_BYTES));
    while left > 0 {
        let mut next = [0u8; 1];
        if left > 8 - shift && elements.fill(&mut next)? == 0 {
            return Err(Malformed::EndsInside { tag: PIXEL_DATA, at: elements.at() }.into());
        }
        let byte = current[0] >> shift | next[0] << (8 - shift);
        packed.push(if left < 8 { byte & ((1 << left) - 1) } else { byte });
        if packed.len() == BUFFER_BYTES {
            out.write_all(&packed).map_err(Malformed::Io)?;
            packed.clear();
        }
        current = next;
        left = left.saturating_sub(8);
    }
    Ok(out.write_all(&packed).map_err(Malformed::Io)?)
}
