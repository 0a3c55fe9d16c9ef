//! Pictures in colour: a slice in a window, lesions outlined and numbered, lines of text beside.
//!
//! Outlines run around the lesions, never over them. Text is drawn with the fixed fonts of embedded-graphics
//! (Latin-1); no patient identity is ever drawn into a picture.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle, iso_8859_1 as fonts};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::Drawable;
use embedded_graphics::text::{Baseline, Text};

use super::ObjectError;
use super::subject::Subject;
use crate::imaging::{FrameReader, FrameSource, PixelError, edge_letters};
use crate::store::finding::Lesion;

/// Small images are enlarged by a whole factor until they are at least this wide or high.
const PICTURE_PX_MIN: usize = 512;
/// Which values are black and which are white: Hounsfield units of CT, stored values of MR.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub center: f64,
    pub width: f64,
}

/// Window for calcium: soft tissue stays visible, calcium is white.
const CALCIUM: Window = Window { center: 90.0, width: 750.0 };

/// A close-up shows at least this part of the image: the heart with what lies around it.
const CLOSE_UP_MIN: f64 = 0.6;

pub(super) const AMBER: Rgb888 = Rgb888::new(255, 176, 32);
pub(super) const WHITE: Rgb888 = Rgb888::WHITE;
pub(super) const GREY: Rgb888 = Rgb888::new(170, 178, 186);
pub(super) const PANEL: Rgb888 = Rgb888::new(16, 20, 24);
pub(super) const BIG: &MonoFont<'static> = &fonts::FONT_10X20;
pub(super) const BOLD: &MonoFont<'static> = &fonts::FONT_8X13_BOLD;
pub(super) const PLAIN: &MonoFont<'static> = &fonts::FONT_7X13;

/// Red, green, blue, row by row.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize, color: Rgb888) -> Self {
        let rgb = [color.r(), color.g(), color.b()].repeat(width * height);
        Self { width, height, rgb }
    }

    pub(super) fn put(&mut self, x: usize, y: usize, color: Rgb888) {
        if x < self.width && y < self.height {
            let at = (y * self.width + x) * 3;
            self.rgb[at..at + 3].copy_from_slice(&[color.r(), color.g(), color.b()]);
        }
    }

    /// Half the colour over half of what is there.
    pub(super) fn blend(&mut self, x: usize, y: usize, color: Rgb888) {
        if x < self.width && y < self.height {
            let at = (y * self.width + x) * 3;
            let under = &mut self.rgb[at..at + 3];
            for (channel, over) in under.iter_mut().zip([color.r(), color.g(), color.b()]) {
                *channel = u8::midpoint(*channel, over);
            }
        }
    }

    /// Copies another canvas, its upper left corner to (x, top); what does not fit is left out.
    pub(super) fn place(&mut self, other: &Self, x: usize, top: usize) {
        for y in 0..other.height.min(self.height.saturating_sub(top)) {
            let from = y * other.width * 3;
            let to = ((top + y) * self.width + x) * 3;
            let length = other.width.min(self.width.saturating_sub(x)) * 3;
            self.rgb[to..to + length].copy_from_slice(&other.rgb[from..from + length]);
        }
    }

    /// The square part that holds these places (fractions of width and height) with a margin; all of it where there
    /// are none.
    #[expect(clippy::cast_precision_loss, reason = "picture sides are below 65536")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the picture")]
    pub(super) fn around(self, places: &[[f64; 2]]) -> Self {
        let (width, height) = (self.width as f64, self.height as f64);
        let span = |axis: usize| {
            let values = || places.iter().map(|place| place[axis]);
            (values().fold(1.0, f64::min), values().fold(0.0, f64::max))
        };
        let ((left, right), (top, bottom)) = (span(0), span(1));
        let full = width.min(height);
        let wanted = ((right - left) * width).max((bottom - top) * height) * 1.35;
        let side = wanted.clamp(full * CLOSE_UP_MIN, full);
        if places.is_empty() || side >= full {
            return self;
        }
        let begin = |low: f64, high: f64, all: f64| {
            ((low + high) / 2.0 * all - side / 2.0).clamp(0.0, all - side) as usize
        };
        let (x, y, side) = (begin(left, right, width), begin(top, bottom, height), side as usize);
        let rows = (y..y + side).map(|row| (row * self.width + x) * 3);
        let rgb = rows.flat_map(|at| self.rgb[at..at + side * 3].iter().copied()).collect();
        Self { width: side, height: side, rgb }
    }

    /// Writes which side of the patient each edge is.
    pub(super) fn edges(&mut self, orientation: Option<[f64; 6]>) {
        let Some(orientation) = orientation else { return };
        let [left, right, top, bottom] = edge_letters(&orientation);
        let (width, height) = (self.width, self.height);
        let wide = |words: &str| words.len() * 8;
        self.text(&left, 6, height / 2 - 7, BOLD, GREY);
        self.text(&right, width.saturating_sub(wide(&right) + 6), height / 2 - 7, BOLD, GREY);
        self.text(&top, (width - wide(&top)) / 2, 4, BOLD, GREY);
        self.text(&bottom, (width - wide(&bottom)) / 2, height.saturating_sub(17), BOLD, GREY);
    }

    /// One line of text, its upper left corner at (x, y).
    pub(super) fn text(&mut self, words: &str, x: usize, y: usize, font: &MonoFont<'static>, color: Rgb888) {
        let place = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
        let style = MonoTextStyle::new(font, color);
        let text = Text::with_baseline(words, Point::new(place(x), place(y)), style, Baseline::Top);
        match text.draw(self) {
            Ok(_) => {}
            Err(never) => match never {},
        }
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        let side = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Size::new(side(self.width), side(self.height))
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, color) in pixels {
            if let (Ok(x), Ok(y)) = (usize::try_from(point.x), usize::try_from(point.y)) {
                self.put(x, y, color);
            }
        }
        Ok(())
    }
}

/// A slice with the lesions that lie on it.
pub(super) fn slice(subject: &Subject<'_>, slice: u32) -> Result<Canvas, ObjectError> {
    let (columns, rows) = (usize::from(subject.stack.columns), usize::from(subject.stack.rows));
    let factor = PICTURE_PX_MIN.div_ceil(columns.max(rows).max(1));
    let mut canvas = gray_slice(subject, slice, factor, CALCIUM)?;
    let mut labels = Vec::new();
    for lesion in &subject.finding.lesions {
        labels.extend(outline(&mut canvas, lesion, slice, factor, columns));
    }
    // Numbers last, so that no outline crosses one.
    for (number, x, y) in labels {
        let words = number.to_string();
        let x = x.min(canvas.width.saturating_sub(words.len() * 8 + 2));
        canvas.text(&words, x, y, BOLD, AMBER);
    }
    Ok(canvas)
}

/// A slice in grey, enlarged by a whole factor.
pub(super) fn gray_slice(
    subject: &Subject<'_>,
    slice: u32,
    factor: usize,
    window: Window,
) -> Result<Canvas, ObjectError> {
    let frame = values(subject, subject.frame(slice))?;
    let (columns, rows) = (usize::from(subject.stack.columns), usize::from(subject.stack.rows));
    Ok(enlarged(&frame, [columns, rows], factor, window))
}

/// Pixel values of one of the subject's images.
pub(super) fn values(subject: &Subject<'_>, source: Option<&FrameSource>) -> Result<Vec<i16>, ObjectError> {
    let source = source.ok_or(ObjectError::NoImages)?;
    let reader = FrameReader::open(&source.path, subject.stack.meaning);
    let frame = reader.and_then(|reader| reader.frame(source.frame));
    let frame = frame.map_err(crate::imaging::StackError::from)?;
    if frame.len() != usize::from(subject.stack.columns) * usize::from(subject.stack.rows) {
        let error = PixelError::Decode("a frame has another size than its header says".into());
        return Err(crate::imaging::StackError::from(error).into());
    }
    Ok(frame)
}

/// Grey values in the window, interpolated between pixel centres.
pub(super) fn enlarged(frame: &[i16], [columns, rows]: [usize; 2], factor: usize, window: Window) -> Canvas {
    let (width, height) = (columns * factor, rows * factor);
    let mut canvas = Canvas::new(width, height, Rgb888::BLACK);
    for y in 0..height {
        for x in 0..width {
            let gray = gray(sample(frame, columns, rows, factor, x, y), window);
            canvas.put(x, y, Rgb888::new(gray, gray, gray));
        }
    }
    canvas
}

#[expect(clippy::cast_precision_loss, reason = "picture coordinates are small")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the frame first")]
fn sample(frame: &[i16], columns: usize, rows: usize, factor: usize, x: usize, y: usize) -> f64 {
    let along = |at: usize, count: usize| {
        let center = ((at as f64 + 0.5) / factor as f64 - 0.5).clamp(0.0, (count - 1) as f64);
        (center.floor() as usize, (center.floor() as usize + 1).min(count - 1), center.fract())
    };
    let ((x0, x1, fx), (y0, y1, fy)) = (along(x, columns), along(y, rows));
    let value = |x: usize, y: usize| f64::from(frame[y * columns + x]);
    let upper = value(x0, y0) * (1.0 - fx) + value(x1, y0) * fx;
    let lower = value(x0, y1) * (1.0 - fx) + value(x1, y1) * fx;
    upper * (1.0 - fy) + lower * fy
}

fn gray(value: f64, window: Window) -> u8 {
    let level = (value - window.center) / window.width + 0.5;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
    let gray = (level.clamp(0.0, 1.0) * 255.0).round() as u8;
    gray
}

/// Draws the ring of picture pixels around a lesion on one slice. Returns its number and where to write it.
fn outline(
    canvas: &mut Canvas,
    lesion: &Lesion,
    slice: u32,
    factor: usize,
    columns: usize,
) -> Option<(u32, usize, usize)> {
    let parts = lesion.slices.iter().filter(|part| part.slice == slice);
    let runs: Vec<[u32; 3]> = parts.flat_map(|part| part.runs.iter().copied()).collect();
    let inside: std::collections::BTreeSet<usize> = runs
        .iter()
        .flat_map(|[row, first, length]| (*first..first + length).map(move |column| (*row, column)))
        .map(|(row, column)| row as usize * columns + column as usize)
        .collect();
    let holds =
        |x: usize, y: usize| x / factor < columns && inside.contains(&(y / factor * columns + x / factor));
    for [row, first, length] in &runs {
        let (top, left) = (*row as usize * factor, *first as usize * factor);
        let (bottom, right) = (top + factor, left + *length as usize * factor);
        for y in top.saturating_sub(1)..=bottom {
            for x in left.saturating_sub(1)..=right {
                if !holds(x, y) {
                    canvas.put(x, y, AMBER);
                }
            }
        }
    }
    let top = runs.iter().map(|[row, ..]| *row as usize * factor).min()?;
    let right = runs.iter().map(|[_, first, length]| (first + length) as usize * factor).max()?;
    Some((lesion.number, right + 4, top.saturating_sub(8)))
}
