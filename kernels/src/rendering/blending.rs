//! Colours over a two-dimensional frame: heatmaps and labels over grey levels.
//!
//! Whole numbers throughout, so GPU and twin agree to the bit: a layer of opacity `a` over a level `v` gives
//! `round(colour * a / 255) + round(v * (255 - a) / 255)`.

use super::view::Window;
use super::{Image, RenderError, gpu};
use crate::cpu;
use crate::processor::{Place, Processor};

/// Pixels of a frame: four times the largest mammogram.
const PIXELS_MAX: usize = 64 << 20;

/// Layers over a frame: a heatmap and labels.
pub const LAYERS_MAX: usize = 2;

/// A frame of stored values or Hounsfield units.
#[derive(Clone, Copy, Debug)]
pub struct Flat<'a> {
    pub columns: u32,
    pub rows: u32,
    pub values: &'a [i16],
}

/// A grey level for each value there is; whatever VOI LUT function makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GreyTable(Vec<u8>);

impl GreyTable {
    /// `level` of each value, -32768 first.
    pub fn from_fn(level: impl FnMut(i16) -> u8) -> Self {
        Self((i16::MIN..=i16::MAX).map(level).collect())
    }

    /// VOI LUT function LINEAR_EXACT, or its reverse.
    pub fn window(window: Window, inverted: bool) -> Self {
        let low = window.center - window.width / 2.0;
        Self::from_fn(|value| {
            let level = ((f64::from(value) - low) / window.width.max(1.0)).clamp(0.0, 1.0);
            let level = if inverted { 1.0 - level } else { level };
            (level * 255.0 + 0.5) as u8
        })
    }

    /// The level of a value.
    pub fn level(&self, value: i16) -> u8 {
        self.0[usize::from(value.cast_unsigned() ^ 0x8000)]
    }

    pub(crate) fn levels(&self) -> &[u8] {
        &self.0
    }
}

/// What the values of a layer look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette([[u8; 4]; 256]);

impl Palette {
    /// `colour` of each value: red, green, blue, opacity.
    pub fn from_fn(mut colour: impl FnMut(u8) -> [u8; 4]) -> Self {
        let mut palette = [[0; 4]; 256];
        for (value, entry) in (0..=255).zip(&mut palette) {
            *entry = colour(value);
        }
        Self(palette)
    }

    /// Black, red, yellow, white, the more the less one sees through it; nothing at 0, `opacity` at 255.
    pub fn heat(opacity: u8) -> Self {
        Self::from_fn(|value| {
            let third = |part: u16| (u16::from(value) * 3).saturating_sub(part * 255).min(255) as u8;
            [third(0), third(1), third(2), (u16::from(value) * u16::from(opacity) / 255) as u8]
        })
    }

    /// Colours of the values 1, 2 and so on; nothing at 0 and beyond them.
    pub fn labels(colours: &[[u8; 4]]) -> Self {
        Self::from_fn(|value| {
            let index = usize::from(value).checked_sub(1);
            index.and_then(|index| colours.get(index)).copied().unwrap_or_default()
        })
    }

    /// Colours times opacity in the lower three bytes, what shines through in the upper one.
    pub(crate) fn words(&self) -> [u32; 256] {
        self.0.map(|[red, green, blue, opacity]| {
            let times = |part: u8| over_255(u32::from(part) * u32::from(opacity));
            times(red) | times(green) << 8 | times(blue) << 16 | (255 - u32::from(opacity)) << 24
        })
    }
}

/// `value / 255`, rounded, for values up to 255 * 255.
pub(crate) fn over_255(value: u32) -> u32 {
    let value = value + 128;
    (value + (value >> 8)) >> 8
}

/// Something that lies over a frame: a byte for each of its pixels, and what the bytes look like.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    pub values: &'a [u8],
    pub palette: &'a Palette,
}

/// Grey levels of a frame with the layers over it, the last one on top.
pub fn blend(
    processor: &mut Processor,
    frame: &Flat<'_>,
    grey: &GreyTable,
    layers: &[Layer<'_>],
) -> Result<Image, RenderError> {
    let pixels = frame.columns as usize * frame.rows as usize;
    if pixels == 0 || pixels > PIXELS_MAX || frame.values.len() != pixels {
        return Err(RenderError::View("a frame has one value for each of its 1 to 67 million pixels"));
    }
    if layers.len() > LAYERS_MAX || layers.iter().any(|layer| layer.values.len() != pixels) {
        return Err(RenderError::View("a frame has at most two layers, each with a byte for each pixel"));
    }
    let rgba = processor.recovering(|processor| match processor.place() {
        Place::Gpu(gpu) => gpu::blend(gpu, frame, grey, layers),
        Place::Twin(pool) => Ok(pool.install(|| cpu::blending::blend(frame, grey, layers))),
    })?;
    Ok(Image { width: frame.columns, height: frame.rows, rgba })
}
