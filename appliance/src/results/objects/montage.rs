//! A slice of a perfusion finding as one colour picture: five maps with their scales, the images with core and
//! hypoperfused tissue over them, and the sentence that goes with all of it.

use dicom_dictionary_std::{tags, uids};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

use super::ObjectError;
use super::dataset::{Code, DataSet};
use super::picture::{AMBER, BOLD, Canvas, GREY, PANEL, PLAIN, WHITE, Window, gray_slice};
use super::subject::Subject;
use super::voxels::Voxels;
use crate::store::finding::FindingState;
use crate::store::own_objects::ResultKind;
use crate::store::perfusion::{PerfusionMap, STATEMENT, TissueBit};

/// Small maps are enlarged by a whole factor until a tile is at least this wide.
const TILE_PX_MIN: usize = 256;
const TILES_IN_A_ROW: usize = 3;
/// Title above a tile, scale below it.
const TITLE_PX: usize = 20;
const SCALE_PX: usize = 30;
const GAP_PX: usize = 8;
const FOOTER_PX: usize = 92;
/// Brain tissue.
const BRAIN: Window = Window { center: 40.0, width: 90.0 };
const CORE: Rgb888 = Rgb888::new(232, 62, 84);
const HYPOPERFUSED: Rgb888 = Rgb888::new(64, 196, 120);

/// Anchors of the colour scale, from the low end to the high one.
const COLORS: [[f32; 3]; 7] = [
    [24.0, 16.0, 72.0],
    [38.0, 78.0, 190.0],
    [30.0, 160.0, 200.0],
    [70.0, 196.0, 110.0],
    [224.0, 212.0, 70.0],
    [240.0, 140.0, 44.0],
    [214.0, 40.0, 40.0],
];

/// The whole picture of a slice.
pub(super) fn montage(subject: &Subject<'_>, voxels: &Voxels<'_>, slice: u32) -> Result<Canvas, ObjectError> {
    let (columns, rows) = (usize::from(subject.stack.columns), usize::from(subject.stack.rows));
    let factor = TILE_PX_MIN.div_ceil(columns.max(rows).max(1));
    let (width, height) = (columns * factor, rows * factor);
    let (step_x, step_y) = (width + GAP_PX, TITLE_PX + height + SCALE_PX + GAP_PX);
    let size = [GAP_PX + TILES_IN_A_ROW * step_x, GAP_PX + 2 * step_y + FOOTER_PX];
    let mut canvas = Canvas::new(size[0], size[1], PANEL);
    let corner =
        |tile: usize| (GAP_PX + tile % TILES_IN_A_ROW * step_x, GAP_PX + tile / TILES_IN_A_ROW * step_y);
    for (index, map) in voxels.part.maps.iter().enumerate() {
        let (x, y) = corner(index);
        canvas.text(&format!("{} ({})", map.title, map.unit_text), x, y, BOLD, WHITE);
        let colored = colored(voxels.slice(index, slice), map, [columns, rows], factor);
        canvas.place(&colored, x, y + TITLE_PX);
        scale(&mut canvas, map, [x, y + TITLE_PX + height + 4], width);
    }
    let (x, y) = corner(voxels.part.maps.len());
    let mut images = gray_slice(subject, slice, factor, BRAIN)?;
    overlay(&mut images, voxels, slice, [columns, factor]);
    images.edges(subject.stack.orientation);
    canvas.text("Images, first time point", x, y, BOLD, WHITE);
    canvas.place(&images, x, y + TITLE_PX);
    legend(&mut canvas, voxels, [x, y + TITLE_PX + height + 4]);
    footer(&mut canvas, subject, voxels, slice, size[1] - FOOTER_PX);
    Ok(canvas)
}

fn colored(values: &[f32], map: &PerfusionMap, [columns, rows]: [usize; 2], factor: usize) -> Canvas {
    let mut canvas = Canvas::new(columns * factor, rows * factor, Rgb888::BLACK);
    for y in 0..canvas.height {
        for x in 0..canvas.width {
            let value = values[y / factor * columns + x / factor];
            if value.is_finite() {
                canvas.put(x, y, color(value, map.display_range));
            }
        }
    }
    canvas
}

/// Values beyond the ends show as the ends.
fn color(value: f32, [low, high]: [f32; 2]) -> Rgb888 {
    #[expect(clippy::cast_precision_loss, reason = "seven colours")]
    let steps = (COLORS.len() - 1) as f32;
    let at = ((value - low) / (high - low)).clamp(0.0, 1.0) * steps;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the colours")]
    let first = (at as usize).min(COLORS.len() - 2);
    let part = at - at.floor().min(steps - 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two colours")]
    let channel = |index: usize| {
        (COLORS[first][index] + part * (COLORS[first + 1][index] - COLORS[first][index])).round() as u8
    };
    Rgb888::new(channel(0), channel(1), channel(2))
}

/// A colour bar with what its ends and its middle stand for.
fn scale(canvas: &mut Canvas, map: &PerfusionMap, [x, y]: [usize; 2], width: usize) {
    let [low, high] = map.display_range;
    for column in 0..width {
        #[expect(clippy::cast_precision_loss, reason = "a picture's width")]
        let value = low + (high - low) * column as f32 / (width - 1).max(1) as f32;
        for row in 0..8 {
            canvas.put(x + column, y + row, color(value, map.display_range));
        }
    }
    let (middle, end) = (format!("{}", (low + high) / 2.0), format!("{high}"));
    canvas.text(&format!("{low}"), x, y + 11, PLAIN, GREY);
    canvas.text(&middle, x + (width - 7 * middle.len()) / 2, y + 11, PLAIN, GREY);
    canvas.text(&end, x + width - 7 * end.len(), y + 11, PLAIN, GREY);
}

fn overlay(canvas: &mut Canvas, voxels: &Voxels<'_>, slice: u32, [columns, factor]: [usize; 2]) {
    let (core, late) = (voxels.mask(TissueBit::Core, slice), voxels.mask(TissueBit::Hypoperfused, slice));
    for y in 0..canvas.height {
        for x in 0..canvas.width {
            let pixel = y / factor * columns + x / factor;
            if core(pixel) {
                canvas.blend(x, y, CORE);
            } else if late(pixel) {
                canvas.blend(x, y, HYPOPERFUSED);
            }
        }
    }
}

fn legend(canvas: &mut Canvas, voxels: &Voxels<'_>, [x, y]: [usize; 2]) {
    match &voxels.part.volumes {
        Some(volumes) => {
            canvas.text(&format!("red: {}", volumes.core_rule), x, y, PLAIN, CORE);
            canvas.text(&format!("green: {}", volumes.hypoperfused_rule), x, y + 14, PLAIN, HYPOPERFUSED);
        }
        None => canvas.text("core and hypoperfusion withheld", x, y, PLAIN, AMBER),
    }
}

fn footer(canvas: &mut Canvas, subject: &Subject<'_>, voxels: &Voxels<'_>, slice: u32, y: usize) {
    let x = GAP_PX;
    canvas.text(&numbers(voxels), x, y, BOLD, WHITE);
    let reviewed = subject.finding.state == FindingState::Confirmed;
    let who = if reviewed { "automatic, confirmed by a reader" } else { "automatic, unreviewed" };
    canvas.text(&format!("{who}; not for diagnosis"), x, y + 20, BOLD, AMBER);
    canvas.text(STATEMENT, x, y + 38, BOLD, AMBER);
    let guards: Vec<&str> = voxels.part.guards.iter().map(|guard| guard.text.as_str()).collect();
    let slices = voxels.part.grid.slices;
    let place = format!("Slice {} of {slices}   Sidelight {}", slice + 1, subject.maker.version);
    canvas.text(&place, x, y + 58, PLAIN, GREY);
    canvas.text(&guards.join("; "), x, y + 74, PLAIN, AMBER);
}

/// The volumes in a line, or that there are none.
pub(super) fn numbers(voxels: &Voxels<'_>) -> String {
    let Some(volumes) = &voxels.part.volumes else {
        return "Core, hypoperfusion and mismatch withheld".into();
    };
    let ratio = volumes.ratio.map_or("no core".into(), |ratio| format!("{ratio:.1}"));
    format!(
        "Core {:.0} mL   Hypoperfused {:.0} mL   Mismatch {:.0} mL   Ratio {ratio}",
        volumes.core_ml, volumes.hypoperfused_ml, volumes.mismatch_ml
    )
}

pub(super) fn secondary_capture(
    subject: &Subject<'_>,
    voxels: &Voxels<'_>,
    slice: u32,
) -> Result<DataSet, ObjectError> {
    let canvas = montage(subject, voxels, slice)?;
    let class = uids::SECONDARY_CAPTURE_IMAGE_STORAGE;
    let part = format!("slice {slice}");
    let mut set = subject.begin(class, ResultKind::SecondaryCapture, &part, slice + 1);
    set.set(tags::BODY_PART_EXAMINED, "HEAD").empty(tags::PATIENT_ORIENTATION);
    set.set(tags::DERIVATION_DESCRIPTION, "Perfusion maps of a slice with their colour scales");
    set.set(tags::IMAGE_COMMENTS, format!("{STATEMENT} Not for diagnosis."));
    if let Some(source) = subject.frame(slice) {
        let mut image = subject.image_item(source);
        let purpose = Code("121322", "DCM", "Source image for image processing operation");
        image.code(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, purpose);
        set.sequence(tags::SOURCE_IMAGE_SEQUENCE, vec![image]);
    }
    super::secondary_capture::pixels(&mut set, canvas)?;
    Ok(set)
}
