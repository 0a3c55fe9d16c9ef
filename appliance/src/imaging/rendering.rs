//! Frames as people see them: windowed to 8 bits, in colour where they have it, scaled to a viewport.
//!
//! Grey values take the way of PS3.4 N.2: modality LUT or rescale, window or VOI LUT, inversion for MONOCHROME1. A window
//! that was asked for comes first, then the object's own, then its VOI LUT; where it says neither, its own smallest and
//! largest value make a window. Overlays are drawn by `overlays`. Presentation states are not applied: this is a preview,
//! not a diagnosis.

use super::image_attributes::ImageAttributes;
use super::lut::Lut;
use super::pixel_source::{DecodedFrame, FrameError};

/// Window as PS3.18 8.3.5.1.4 and PS3.3 C.11.2.1.2 know it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub center: f64,
    pub width: f64,
    pub function: WindowFunction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowFunction {
    Linear,
    LinearExact,
    Sigmoid,
}

/// From a modality value to grey.
enum Tone<'a> {
    Window(Window),
    Lut(&'a Lut),
}

impl Tone<'_> {
    fn grey(&self, value: f64) -> f64 {
        match self {
            Self::Window(window) => window.grey(value),
            Self::Lut(lut) => lut.grey(value),
        }
    }
}

/// 8-bit samples, 1 or 3 a pixel.
#[derive(Debug, PartialEq, Eq)]
pub struct Rendered {
    pub columns: u32,
    pub rows: u32,
    pub channels: usize,
    pub samples: Vec<u8>,
}

impl Window {
    /// Grey from 0 to 1 of a value (PS3.3 C.11.2.1.2).
    fn grey(&self, value: f64) -> f64 {
        let Self { center, width, .. } = *self;
        let grey = match self.function {
            WindowFunction::Linear if width <= 1.0 => f64::from(u8::from(value > center - 0.5)),
            WindowFunction::Linear => (value - (center - 0.5)) / (width - 1.0) + 0.5,
            WindowFunction::LinearExact => (value - center) / width + 0.5,
            WindowFunction::Sigmoid => 1.0 / (1.0 + (-4.0 * (value - center) / width).exp()),
        };
        grey.clamp(0.0, 1.0)
    }
}

/// Renders a whole frame.
pub fn render(frame: &DecodedFrame, window: Option<Window>) -> Result<Rendered, FrameError> {
    let a = &frame.attributes;
    let samples = match (a.samples, a.photometric.as_str()) {
        (1, "PALETTE COLOR") => palette(frame)?,
        (1, _) => grey(frame, window),
        (3, _) => colour(frame)?,
        (samples, _) => return Err(FrameError::Decode(format!("{samples} samples a pixel"))),
    };
    let (columns, rows) = (u32::from(a.columns), u32::from(a.rows));
    let channels = samples.len() / (columns as usize * rows as usize).max(1);
    Ok(Rendered { columns, rows, channels, samples })
}

/// Stored values, sign and unused bits seen to.
fn stored(frame: &DecodedFrame) -> impl Iterator<Item = f64> + '_ {
    let a = &frame.attributes;
    let pixels = usize::from(a.rows) * usize::from(a.columns) * usize::from(a.samples);
    let bytes = &frame.samples;
    (0..pixels).map(move |pixel| match a.bits_allocated {
        1 => f64::from(bytes.get(pixel / 8).copied().unwrap_or(0) >> (pixel % 8) & 1),
        2..=8 => integer(bytes.get(pixel).copied().unwrap_or(0).into(), a),
        9..=16 => integer(number(bytes, pixel, 2), a),
        32 if a.float => f64::from(f32::from_bits(u32::try_from(number(bytes, pixel, 4)).unwrap_or(0))),
        17..=32 => integer(number(bytes, pixel, 4), a),
        _ => f64::from_bits(number(bytes, pixel, 8)),
    })
}

fn number(bytes: &[u8], index: usize, size: usize) -> u64 {
    let value = bytes.get(index * size..(index + 1) * size).unwrap_or_default();
    value.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn integer(raw: u64, a: &ImageAttributes) -> f64 {
    let bits = u32::from(a.bits_stored.clamp(1, 32));
    let low = (u32::from(a.high_bit) + 1).saturating_sub(bits).min(31);
    let value = raw >> low & ((1u64 << bits) - 1);
    #[expect(clippy::cast_precision_loss, reason = "at most 32 bits")]
    let value = value as f64;
    let half = f64::from(bits - 1).exp2();
    if a.signed && value >= half { value - 2.0 * half } else { value }
}

fn grey(frame: &DecodedFrame, window: Option<Window>) -> Vec<u8> {
    let a = &frame.attributes;
    let (slope, intercept) = (a.display.slope.unwrap_or(1.0), a.display.intercept.unwrap_or(0.0));
    let value = |stored: f64| match &a.display.modality_lut {
        Some(lut) => lut.value(stored),
        None => stored * slope + intercept,
    };
    let tone = match (window.or_else(|| own_window(a)), &a.display.voi_lut) {
        (Some(window), _) => Tone::Window(window),
        (None, Some(lut)) => Tone::Lut(lut),
        (None, None) => Tone::Window(full_range(stored(frame).map(value))),
    };
    let inverted = a.photometric == "MONOCHROME1";
    let shade = |stored: f64| {
        let grey = tone.grey(value(stored));
        byte(if inverted { 1.0 - grey } else { grey } * 255.0)
    };
    if a.bits_allocated > 16 {
        return stored(frame).map(shade).collect();
    }
    // At most 65536 different values: each one's shade is worked out once.
    let low = if a.signed { -32768.0 } else { 0.0 };
    let table: Vec<u8> = (0..65536u32).map(|index| shade(f64::from(index) + low)).collect();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "16 bits, shifted above zero"
    )]
    stored(frame).map(|stored| table[(stored - low) as usize & 0xFFFF]).collect()
}

fn own_window(a: &ImageAttributes) -> Option<Window> {
    let (center, width) = (a.display.center?, a.display.width?);
    let function = match a.display.function.as_str() {
        "LINEAR_EXACT" => WindowFunction::LinearExact,
        "SIGMOID" => WindowFunction::Sigmoid,
        _ => WindowFunction::Linear,
    };
    (width >= 1.0 || function != WindowFunction::Linear && width > 0.0).then_some(Window {
        center,
        width,
        function,
    })
}

fn full_range(values: impl Iterator<Item = f64>) -> Window {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let width = if high > low { high - low } else { 1.0 };
    Window { center: f64::midpoint(low, high), width, function: WindowFunction::LinearExact }
}

fn colour(frame: &DecodedFrame) -> Result<Vec<u8>, FrameError> {
    let a = &frame.attributes;
    if a.photometric.contains("422") || a.photometric.contains("420") {
        return Err(FrameError::Decode("native subsampled colour".into()));
    }
    let pixels = usize::from(a.rows) * usize::from(a.columns);
    let shift = f64::from(a.bits_stored.clamp(1, 32)).exp2() - 1.0;
    let flat: Vec<u8> = stored(frame).map(|value| byte(value / shift * 255.0)).collect();
    let at = |pixel: usize, sample: usize| {
        if a.planar { flat[sample * pixels + pixel] } else { flat[pixel * 3 + sample] }
    };
    let full = a.photometric.starts_with("YBR_FULL");
    let rgb = |pixel| {
        let [first, second, third] = [0, 1, 2].map(|sample| at(pixel, sample));
        if full { rgb_of_ybr(first, second, third) } else { [first, second, third] }
    };
    Ok((0..pixels).flat_map(rgb).collect())
}

/// PS3.3 C.7.6.3.1.2.
fn rgb_of_ybr(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (f64::from(y), f64::from(cb) - 128.0, f64::from(cr) - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(byte)
}

/// Red, green and blue of every stored value (PS3.3 C.7.6.3.1.5).
fn palette(frame: &DecodedFrame) -> Result<Vec<u8>, FrameError> {
    let tables = &frame.attributes.palettes;
    if tables.iter().any(|(descriptor, data)| descriptor.len() < 6 || data.is_empty()) {
        return Err(FrameError::Decode("a palette is missing or segmented".into()));
    }
    let look_up = |stored: f64, (descriptor, data): &(Vec<u8>, Vec<u8>)| {
        let field = |at: usize| f64::from(u16::from_le_bytes([descriptor[at], descriptor[at + 1]]));
        let entries = if field(0) == 0.0 { 65536.0 } else { field(0) };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a 16-bit index"
        )]
        let index = (stored - field(2)).clamp(0.0, entries - 1.0) as usize;
        // 16-bit entries show their upper byte; 8-bit ones come packed.
        let wide = field(4) > 8.0 || data.len() as f64 >= entries * 2.0;
        let at = if wide && field(4) > 8.0 {
            index * 2 + 1
        } else if wide {
            index * 2
        } else {
            index
        };
        data.get(at).copied().unwrap_or(0)
    };
    Ok(stored(frame).flat_map(|value| tables.each_ref().map(|table| look_up(value, table))).collect())
}

impl Rendered {
    /// Makes a pixel white; outside the picture is nothing.
    pub(super) fn whiten(&mut self, column: i64, row: i64) {
        let inside =
            (0..i64::from(self.columns)).contains(&column) && (0..i64::from(self.rows)).contains(&row);
        let Some(pixel) = usize::try_from(row * i64::from(self.columns) + column).ok().filter(|_| inside)
        else {
            return;
        };
        if let Some(samples) = self.samples.get_mut(pixel * self.channels..(pixel + 1) * self.channels) {
            samples.fill(u8::MAX);
        }
    }

    /// A region of it, mirrored where asked; sides in pixels, at least one, cut to the picture.
    #[must_use]
    pub fn region(
        self,
        left: u32,
        top: u32,
        (width, mirrored): (u32, bool),
        (height, flipped): (u32, bool),
    ) -> Self {
        let (left, top) = (left.min(self.columns.saturating_sub(1)), top.min(self.rows.saturating_sub(1)));
        let columns = width.clamp(1, (self.columns - left).max(1));
        let rows = height.clamp(1, (self.rows - top).max(1));
        let mut samples = Vec::with_capacity(columns as usize * rows as usize * self.channels);
        for row in 0..rows {
            let row = top + if flipped { rows - 1 - row } else { row };
            for column in 0..columns {
                let column = left + if mirrored { columns - 1 - column } else { column };
                let at = (row as usize * self.columns as usize + column as usize) * self.channels;
                samples.extend_from_slice(self.samples.get(at..at + self.channels).unwrap_or_default());
            }
        }
        Self { columns, rows, channels: self.channels, samples }
    }

    /// Scaled to fit into `columns` x `rows`, its proportions kept.
    #[must_use]
    pub fn fit(self, columns: u32, rows: u32) -> Self {
        let scale = (f64::from(columns) / f64::from(self.columns.max(1)))
            .min(f64::from(rows) / f64::from(self.rows.max(1)));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the viewport")]
        let size = |side: u32, limit: u32| ((f64::from(side) * scale).round() as u32).clamp(1, limit.max(1));
        let (new_columns, new_rows) = (size(self.columns, columns), size(self.rows, rows));
        if (new_columns, new_rows) == (self.columns, self.rows) {
            return self;
        }
        let mut samples = Vec::with_capacity(new_columns as usize * new_rows as usize * self.channels);
        for row in 0..new_rows {
            let rows = span(row, new_rows, self.rows);
            for column in 0..new_columns {
                let columns = span(column, new_columns, self.columns);
                for channel in 0..self.channels {
                    samples.push(self.mean(&rows, &columns, channel));
                }
            }
        }
        Self { columns: new_columns, rows: new_rows, channels: self.channels, samples }
    }

    fn mean(&self, rows: &std::ops::Range<u32>, columns: &std::ops::Range<u32>, channel: usize) -> u8 {
        let at = |row: u32, column: u32| {
            let pixel = row as usize * self.columns as usize + column as usize;
            u64::from(self.samples.get(pixel * self.channels + channel).copied().unwrap_or(0))
        };
        let sum: u64 = rows
            .clone()
            .flat_map(|row| columns.clone().map(move |column| (row, column)))
            .map(|(row, column)| at(row, column))
            .sum();
        let count = u64::from(rows.end - rows.start) * u64::from(columns.end - columns.start);
        u8::try_from((sum + count / 2) / count.max(1)).unwrap_or(u8::MAX)
    }
}

/// The source pixels below one new pixel; at least one.
fn span(index: u32, new: u32, old: u32) -> std::ops::Range<u32> {
    let edge = |index: u32| u64::from(index) * u64::from(old) / u64::from(new.max(1));
    let start = u32::try_from(edge(index)).unwrap_or(u32::MAX).min(old.saturating_sub(1));
    let end = u32::try_from(edge(index + 1)).unwrap_or(u32::MAX).min(old);
    start..end.max(start + 1)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(values: &[i16], photometric: &str) -> DecodedFrame {
        let attributes = ImageAttributes {
            rows: 1,
            columns: u16::try_from(values.len()).unwrap(),
            bits_stored: 16,
            high_bit: 15,
            signed: true,
            photometric: photometric.into(),
            ..ImageAttributes::default()
        };
        DecodedFrame { samples: values.iter().flat_map(|v| v.to_le_bytes()).collect(), attributes }
    }

    #[test]
    fn a_window_maps_its_ends_to_black_and_white() {
        let window = Window { center: 40.0, width: 400.0, function: WindowFunction::Linear };
        let shown = render(&frame(&[-2000, -160, 40, 239, 3000], "MONOCHROME2"), Some(window)).unwrap();
        assert_eq!(shown.samples, [0, 0, 128, 255, 255]);
        let inverted = render(&frame(&[-2000, 3000], "MONOCHROME1"), Some(window)).unwrap();
        assert_eq!(inverted.samples, [255, 0]);
        let whole = render(&frame(&[-5, 0, 5], "MONOCHROME2"), None).unwrap();
        assert_eq!(whole.samples, [0, 128, 255]);
    }

    #[test]
    fn a_look_up_table_shows_what_has_no_window() {
        let lut = |numbers: [u16; 3], data: [u8; 2]| {
            let descriptor: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            Lut::of(&descriptor, &data, false)
        };
        let mut shown = frame(&[0, 1], "MONOCHROME2");
        shown.attributes.display.voi_lut = lut([2, 0, 8], [200, 100]);
        assert_eq!(render(&shown, None).unwrap().samples, [200, 100]);
        shown.attributes.display.modality_lut = lut([2, 0, 8], [1, 0]);
        assert_eq!(
            render(&shown, None).unwrap().samples,
            [100, 200],
            "modality values are what is looked up"
        );
        let window = Window { center: 0.5, width: 1.0, function: WindowFunction::LinearExact };
        assert_eq!(render(&shown, Some(window)).unwrap().samples, [255, 0], "a window asked for comes first");
    }

    #[test]
    fn a_region_is_cut_out_and_mirrored() {
        let picture = || Rendered { columns: 3, rows: 2, channels: 1, samples: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(picture().region(1, 0, (2, false), (1, false)).samples, [2, 3]);
        assert_eq!(picture().region(0, 0, (3, true), (2, true)).samples, [6, 5, 4, 3, 2, 1]);
        assert_eq!(picture().region(2, 1, (50, false), (50, false)).samples, [6], "cut to the picture");
        assert_eq!(picture().region(9, 9, (0, false), (0, false)).samples, [6]);
    }

    #[test]
    fn a_picture_fits_its_viewport_with_its_proportions() {
        let picture =
            Rendered { columns: 4, rows: 2, channels: 1, samples: vec![0, 100, 10, 20, 0, 100, 30, 40] };
        let small = picture.fit(2, 2);
        assert_eq!((small.columns, small.rows, small.samples.as_slice()), (2, 1, &[50, 25][..]));
    }
}
