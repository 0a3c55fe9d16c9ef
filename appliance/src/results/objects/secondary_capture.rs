//! Secondary Captures in true colour: one image for each slice with lesions.
//!
//! Single frames, not one multi-frame object: every PACS and viewer shows single-frame colour captures, many neither
//! store nor page through the multi-frame class, and each image can name its own source slice. What it costs is a few
//! more objects. A score of zero makes one image of the middle slice that says so.

use dicom_dictionary_std::{tags, uids};

use super::ObjectError;
use super::dataset::{Code, DataSet};
use super::picture::{AMBER, BIG, BOLD, Canvas, GREY, PANEL, PLAIN, WHITE, slice as picture};
use super::subject::Subject;
use crate::imaging::edge_letters;
use crate::store::calcium::{AGATSTON, LESIONS, MASS, VOLUME, Vessel};
use crate::store::finding::{Finding, FindingState, Lesion, LesionSlice};
use crate::store::own_objects::{ResultKind, stating};

/// A heart has 40 to 60 slices of 3 mm; thinner stacks show their highest-scoring slices only, and say so.
const IMAGES_MAX: usize = 60;
const PANEL_WIDTH_PX: usize = 288;
const MARGIN_PX: usize = 14;
/// Letters of the bold font that fit beside the margins.
const LABEL_CHARS: usize = 32;

/// Slices to draw, in the order of the stack, and how many there would have been.
pub(super) fn slices(subject: &Subject<'_>) -> (Vec<u32>, usize) {
    let mut scores = std::collections::BTreeMap::new();
    for part in subject.finding.lesions.iter().flat_map(|lesion| &lesion.slices) {
        *scores.entry(part.slice).or_insert(0.0) += part.agatston;
    }
    let mut ranked: Vec<(u32, f64)> = scores.into_iter().collect();
    let all = ranked.len();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut slices: Vec<u32> = ranked.into_iter().take(IMAGES_MAX).map(|(slice, _)| slice).collect();
    slices.sort_unstable();
    if slices.is_empty() {
        slices.push(u32::try_from(subject.stack.frames.len() / 2).unwrap_or(0));
    }
    (slices, all)
}

/// The slice that shows most of the score.
pub(super) fn telling_slice(subject: &Subject<'_>) -> u32 {
    let sum =
        |slice: u32| -> f64 { on(&subject.finding.lesions, slice).map(|(_, part)| part.agatston).sum() };
    let (slices, _) = slices(subject);
    slices.into_iter().max_by(|a, b| sum(*a).total_cmp(&sum(*b))).unwrap_or(0)
}

/// Names a slice's picture. A confirmed one is another: it carries vessels and another legend.
pub(super) fn part(finding: &Finding, slice: u32) -> String {
    match finding.state {
        FindingState::Confirmed => format!("slice {slice} {}", stating(finding.state, finding.revision)),
        _ => format!("slice {slice}"),
    }
}

pub(super) fn secondary_capture(
    subject: &Subject<'_>,
    slice: u32,
    number: u32,
    shown: (usize, usize),
) -> Result<DataSet, ObjectError> {
    let mut slice_picture = picture(subject, slice)?;
    slice_picture.edges(subject.stack.orientation);
    // The legend has some thirty lines.
    let height = slice_picture.height.max(480);
    let mut canvas = Canvas::new(slice_picture.width + PANEL_WIDTH_PX, height, PANEL);
    canvas.place(&slice_picture, 0, 0);
    legend(&mut canvas, subject, slice, slice_picture.width + MARGIN_PX, shown);
    let part = part(subject.finding, slice);
    let class = uids::SECONDARY_CAPTURE_IMAGE_STORAGE;
    let mut set = subject.begin(class, ResultKind::SecondaryCapture, &part, number);
    set.set(tags::BODY_PART_EXAMINED, "HEART").set(tags::PATIENT_ORIENTATION, orientation(subject));
    set.set(tags::DERIVATION_DESCRIPTION, "Slice with candidate lesions outlined and a legend beside it");
    set.set(tags::IMAGE_COMMENTS, format!("{}; not for diagnosis", subject.finding.label));
    if let Some(source) = subject.frame(slice) {
        let mut image = subject.image_item(source);
        let purpose = Code("121322", "DCM", "Source image for image processing operation");
        image.code(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, purpose);
        set.sequence(tags::SOURCE_IMAGE_SEQUENCE, vec![image]);
    }
    pixels(&mut set, canvas)?;
    Ok(set)
}

/// What every capture is, and its pixels.
pub(super) fn pixels(set: &mut DataSet, canvas: Canvas) -> Result<(), ObjectError> {
    let side = |pixels: usize| u16::try_from(pixels).map_err(|_| ObjectError::TooLarge);
    set.set(tags::CONVERSION_TYPE, "WSD").set(tags::IMAGE_TYPE, "DERIVED\\SECONDARY");
    set.set(tags::BURNED_IN_ANNOTATION, "YES").set(tags::LOSSY_IMAGE_COMPRESSION, "00");
    set.us(tags::SAMPLES_PER_PIXEL, &[3]).set(tags::PHOTOMETRIC_INTERPRETATION, "RGB");
    set.us(tags::PLANAR_CONFIGURATION, &[0]);
    set.us(tags::ROWS, &[side(canvas.height)?]).us(tags::COLUMNS, &[side(canvas.width)?]);
    set.us(tags::BITS_ALLOCATED, &[8]).us(tags::BITS_STORED, &[8]).us(tags::HIGH_BIT, &[7]);
    set.us(tags::PIXEL_REPRESENTATION, &[0]);
    set.bytes(tags::PIXEL_DATA, canvas.rgb);
    Ok(())
}

/// Directions of the rows and of the columns, as letters.
fn orientation(subject: &Subject<'_>) -> String {
    let letters = subject.stack.orientation.map(|orientation| edge_letters(&orientation));
    letters.map_or_else(String::new, |[_, right, _, bottom]| format!("{right}\\{bottom}"))
}

/// Lines of at most so many letters, broken between words.
fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= letters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn on(lesions: &[Lesion], slice: u32) -> impl Iterator<Item = (&Lesion, &LesionSlice)> {
    let parts = lesions.iter().flat_map(|lesion| lesion.slices.iter().map(move |part| (lesion, part)));
    parts.filter(move |(_, part)| part.slice == slice)
}

fn legend(canvas: &mut Canvas, subject: &Subject<'_>, slice: u32, x: usize, shown: (usize, usize)) {
    let finding = subject.finding;
    let mut pen = Pen { canvas, x, y: MARGIN_PX };
    pen.line("Coronary calcium", BOLD, GREY, 22);
    let score = finding.measurement(AGATSTON).unwrap_or(0.0);
    pen.line(&format!("Agatston {score:.0}"), BIG, WHITE, 26);
    if let Some(category) = &finding.category {
        let provisional = if category.provisional { " (provisional)" } else { "" };
        pen.line(&format!("Category {}{provisional}", category.text), PLAIN, WHITE, 17);
    }
    if let Some(drs) = finding.calcium.as_ref().and_then(|calcium| calcium.cac_drs.as_ref()) {
        pen.line(&format!("CAC-DRS {}", drs.words()), PLAIN, WHITE, 17);
    }
    if let Some(volume) = finding.measurement(VOLUME) {
        let mass = finding.measurement(MASS).map(|mg| format!(", mass {mg:.1} mg")).unwrap_or_default();
        pen.line(&format!("Volume {volume:.0} mm3{mass}"), PLAIN, WHITE, 17);
    }
    let lesions = finding.measurement(LESIONS).unwrap_or(0.0);
    pen.line(&format!("Lesions {lesions:.0}"), PLAIN, WHITE, 17);
    pen.y += 11;
    let frames = subject.stack.frames.len();
    pen.line(&format!("Slice {} of {frames}", slice + 1), BOLD, GREY, 18);
    lesion_lines(&mut pen, finding.lesions.as_slice(), slice);
    let (drawn, all) = shown;
    if drawn < all {
        pen.line(&format!("{drawn} of {all} slices with lesions"), PLAIN, GREY, 16);
        pen.line("are shown, highest scores", PLAIN, GREY, 16);
    }
    let label = wrapped(&finding.label, LABEL_CHARS);
    pen.y = pen.canvas.height - 51 - 17 * label.len();
    for line in label {
        pen.line(&line, BOLD, AMBER, 17);
    }
    pen.line("not for diagnosis", BOLD, AMBER, 17);
    pen.line(&format!("Sidelight {}", subject.maker.version), PLAIN, GREY, 17);
}

fn lesion_lines(pen: &mut Pen<'_>, lesions: &[Lesion], slice: u32) {
    /// Below the heading there is room for this many.
    const LINES_MAX: usize = 14;
    let parts: Vec<_> = on(lesions, slice).collect();
    if parts.is_empty() {
        pen.line("no candidate lesion", PLAIN, WHITE, 16);
        return;
    }
    pen.line(" no. vessel area mm2 peak HU score", PLAIN, GREY, 16);
    for (lesion, part) in parts.iter().take(LINES_MAX) {
        let vessel = lesion.vessel.map_or("-", Vessel::name);
        let words = format!(
            "{:>4} {vessel:<6}{:>9.1}{:>8}{:>6.1}",
            lesion.number, part.area_mm2, part.peak_hu, part.agatston
        );
        pen.line(&words, PLAIN, WHITE, 15);
    }
    if parts.len() > LINES_MAX {
        pen.line(&format!("  and {} more", parts.len() - LINES_MAX), PLAIN, GREY, 15);
    }
}

struct Pen<'a> {
    canvas: &'a mut Canvas,
    x: usize,
    y: usize,
}

impl Pen<'_> {
    fn line(
        &mut self,
        words: &str,
        font: &embedded_graphics::mono_font::MonoFont<'static>,
        color: embedded_graphics::pixelcolor::Rgb888,
        advance: usize,
    ) {
        self.canvas.text(words, self.x, self.y, font, color);
        self.y += advance;
    }
}
