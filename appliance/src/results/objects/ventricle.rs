//! A ventricle as pictures in colour: every slice at one end of the cycle with its contours, the volume over the cycle,
//! the numbers and the sentence that goes with all of it.

use std::collections::BTreeSet;

use dicom_dictionary_std::{tags, uids};
use embedded_graphics::Drawable as _;
use embedded_graphics::geometry::Point;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::primitives::{Circle, Polyline, Primitive as _, PrimitiveStyle};

use super::ObjectError;
use super::dataset::{Code, DataSet};
use super::picture::{AMBER, BOLD, Canvas, GREY, PANEL, PLAIN, WHITE, Window, enlarged, values};
use super::subject::{Moment, Subject};
use crate::store::cardiac::{CardiacPart, SliceMasks};
use crate::store::finding::FindingState;
use crate::store::own_objects::{ResultKind, stating};

/// Small images are enlarged by a whole factor until a tile is at least this wide.
const TILE_PX_MIN: usize = 224;
const TILES_IN_A_ROW: usize = 4;
/// More slices than a heart has: a stack of thinner ones shows every second, third, ... of them.
const TILES_MAX: usize = 24;
const GAP_PX: usize = 8;
const TITLE_PX: usize = 18;
const CURVE_PX: usize = 120;
const FOOTER_PX: usize = 104;
/// What is shown around the contours.
const MARGIN_PX: usize = 14;
const CAVITY: Rgb888 = Rgb888::new(255, 107, 107);
const MUSCLE: Rgb888 = Rgb888::new(111, 208, 140);

impl Moment {
    pub(super) const OF_A_VENTRICLE: [Self; 2] = [Self::First, Self::EndSystole];

    fn words(self) -> &'static str {
        match self {
            Self::First => "end diastole",
            Self::EndSystole => "end systole",
        }
    }

    fn phase(self, part: &CardiacPart) -> usize {
        match self {
            Self::First => part.ed_phase,
            Self::EndSystole => part.es_phase,
        }
    }
}

/// Names the picture of a moment. A confirmed one is another: it says so.
pub(super) fn part_name(subject: &Subject<'_>, moment: Moment) -> String {
    let finding = subject.finding;
    match finding.state {
        FindingState::Confirmed => {
            format!("{} {}", moment.words(), stating(finding.state, finding.revision))
        }
        _ => moment.words().to_owned(),
    }
}

/// The square part of the images that is shown: all contours with a margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Crop {
    left: usize,
    top: usize,
    side: usize,
}

impl Crop {
    fn around(part: &CardiacPart, [columns, rows]: [usize; 2]) -> Self {
        let masks = part.slices.iter().flat_map(|slice| [&slice.ed, &slice.es]);
        let runs = || masks.clone().flat_map(|masks| masks.cavity.iter().chain(&masks.muscle));
        let most = columns.min(rows);
        let span = |ends: Option<(u32, u32)>| ends.map(|(low, high)| (low as usize, high as usize));
        let across = runs().map(|run| (run[1], run[1] + run[2])).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let down = runs().map(|run| (run[0], run[0] + 1)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let (Some(across), Some(down)) = (span(across), span(down)) else {
            return Self { left: 0, top: 0, side: most };
        };
        let side = ((across.1 - across.0).max(down.1 - down.0) + 2 * MARGIN_PX).min(most);
        let begin = |(low, high): (usize, usize), all: usize| {
            (usize::midpoint(low, high)).saturating_sub(side / 2).min(all - side)
        };
        Self { left: begin(across, columns), top: begin(down, rows), side }
    }

    fn of(self, frame: &[i16], columns: usize) -> Vec<i16> {
        let rows = self.top..self.top + self.side;
        rows.flat_map(|row| frame[row * columns + self.left..][..self.side].iter().copied()).collect()
    }
}

/// Slices that are shown, from the base or the apex as the stack has them.
fn shown(part: &CardiacPart, tiles_max: usize) -> Vec<usize> {
    let drawn = |slice: &usize| {
        let slice = &part.slices[*slice];
        [&slice.ed, &slice.es].iter().any(|masks| !masks.cavity.is_empty() || !masks.muscle.is_empty())
    };
    let with: Vec<usize> = (0..part.slices.len()).filter(drawn).collect();
    let step = with.len().div_ceil(tiles_max).max(1);
    with.into_iter().step_by(step).collect()
}

/// Tiles of one moment, side by side.
fn tiles(
    subject: &Subject<'_>,
    part: &CardiacPart,
    moment: Moment,
    slices: &[usize],
) -> Result<Vec<Canvas>, ObjectError> {
    let size = [usize::from(subject.stack.columns), usize::from(subject.stack.rows)];
    let crop = Crop::around(part, size);
    let factor = TILE_PX_MIN.div_ceil(crop.side.max(1));
    let mut frames = Vec::with_capacity(slices.len());
    for slice in slices {
        let source = u32::try_from(*slice).ok().and_then(|slice| subject.image(moment, slice));
        frames.push(crop.of(&values(subject, source)?, size[0]));
    }
    let window = window(&frames);
    let tile = |(slice, frame): (&usize, &Vec<i16>)| {
        let mut canvas = enlarged(frame, [crop.side; 2], factor, window);
        let masks = match moment {
            Moment::First => &part.slices[*slice].ed,
            Moment::EndSystole => &part.slices[*slice].es,
        };
        contours(&mut canvas, masks, crop, factor);
        canvas.text(&format!("{}", slice + 1), 4, 3, BOLD, GREY);
        canvas
    };
    Ok(slices.iter().zip(&frames).map(tile).collect())
}

/// From the darkest to the brightest but for the outermost hundredths: MR has no units.
fn window(frames: &[Vec<i16>]) -> Window {
    let mut all: Vec<i16> = frames.iter().flatten().copied().collect();
    if all.is_empty() {
        return Window { center: 0.0, width: 1.0 };
    }
    let last = all.len() - 1;
    let (low, high) = (last / 100, last - last / 100);
    let low = f64::from(*all.select_nth_unstable(low).1);
    let high = f64::from(*all.select_nth_unstable(high).1);
    Window { center: f64::midpoint(low, high), width: (high - low).max(1.0) }
}

/// The muscle's borders, then the cavity's over them.
fn contours(canvas: &mut Canvas, masks: &SliceMasks, crop: Crop, factor: usize) {
    edges(canvas, &masks.muscle, crop, factor, MUSCLE);
    edges(canvas, &masks.cavity, crop, factor, CAVITY);
}

/// Draws the line around a set of pixels, on its outermost picture pixels.
fn edges(canvas: &mut Canvas, runs: &[[u32; 3]], crop: Crop, factor: usize, color: Rgb888) {
    let pixels = runs.iter().flat_map(|[row, first, length]| {
        (*first..first + length).map(move |column| (column as usize, *row as usize))
    });
    let inside: BTreeSet<(usize, usize)> = pixels.collect();
    let holds = |x: Option<usize>, y: Option<usize>| x.zip(y).is_some_and(|place| inside.contains(&place));
    for (column, row) in &inside {
        let (Some(x), Some(y)) = (column.checked_sub(crop.left), row.checked_sub(crop.top)) else { continue };
        let (x, y) = (x * factor, y * factor);
        for along in 0..factor {
            if !holds(Some(*column), row.checked_sub(1)) {
                canvas.put(x + along, y, color);
            }
            if !holds(Some(*column), Some(row + 1)) {
                canvas.put(x + along, y + factor - 1, color);
            }
            if !holds(column.checked_sub(1), Some(*row)) {
                canvas.put(x, y + along, color);
            }
            if !holds(Some(column + 1), Some(*row)) {
                canvas.put(x + factor - 1, y + along, color);
            }
        }
    }
}

/// The volume over the cycle from zero up, with both ends marked.
fn curve(canvas: &mut Canvas, part: &CardiacPart, [x, y]: [usize; 2], [width, height]: [usize; 2]) {
    let top = part.cavity_ml.iter().flatten().copied().fold(0.0, f64::max);
    if part.cavity_ml.len() < 2 || top <= 0.0 {
        return;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a picture's coordinates"
    )]
    let point = |phase: usize| {
        let along = phase as f64 / (part.cavity_ml.len() - 1) as f64 * width as f64;
        let up = part.cavity_ml[phase]? / top * height as f64;
        Some(Point::new((x as f64 + along) as i32, (y as f64 + height as f64 - up) as i32))
    };
    let points: Vec<Point> = (0..part.cavity_ml.len()).filter_map(point).collect();
    let line = Polyline::new(&points).into_styled(PrimitiveStyle::with_stroke(WHITE, 2));
    drawn(line.draw(canvas));
    for at in [part.ed_phase, part.es_phase].into_iter().filter_map(point) {
        let mark = Circle::with_center(at, 9).into_styled(PrimitiveStyle::with_fill(AMBER));
        drawn(mark.draw(canvas));
    }
    canvas.text(&format!("{top:.0} mL"), x, y.saturating_sub(14), PLAIN, GREY);
    canvas.text("0", x, y + height + 2, PLAIN, GREY);
}

/// Drawing on a canvas cannot fail.
fn drawn(outcome: Result<(), std::convert::Infallible>) {
    match outcome {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

/// The numbers in a line.
pub(super) fn numbers(subject: &Subject<'_>) -> String {
    let value = |name: &str| subject.finding.measurement(name).unwrap_or(0.0);
    format!(
        "EF {:.0} %   EDV {:.0} mL   ESV {:.0} mL   SV {:.0} mL",
        value("Ejection fraction"),
        value("End-diastolic volume"),
        value("End-systolic volume"),
        value("Stroke volume")
    )
}

fn footer(canvas: &mut Canvas, subject: &Subject<'_>, part: &CardiacPart, moment: Moment, y: usize) {
    let x = GAP_PX;
    canvas.text(&numbers(subject), x, y, BOLD, WHITE);
    let phase = moment.phase(part);
    let (of, slices) = (part.cavity_ml.len(), part.slices.len());
    let place = format!(
        "{}: phase {} of {of}, {slices} slices {:.1} mm apart   Sidelight {}",
        moment.words(),
        phase + 1,
        part.slice_distance_mm,
        subject.maker.version
    );
    canvas.text(&place, x, y + 18, PLAIN, GREY);
    let label = subject.finding.label.split(';').next().unwrap_or_default();
    canvas.text(&format!("{label}; not for diagnosis"), x, y + 36, BOLD, AMBER);
    let statement = part.model.as_ref().map_or("no network", |model| model.statement.as_str());
    canvas.text(statement, x, y + 54, BOLD, AMBER);
    canvas.text("red: cavity   green: muscle", x, y + 76, PLAIN, GREY);
}

/// All slices at one moment.
fn picture(subject: &Subject<'_>, part: &CardiacPart, moment: Moment) -> Result<Canvas, ObjectError> {
    let tiles = tiles(subject, part, moment, &shown(part, TILES_MAX))?;
    let side = tiles.first().map_or(TILE_PX_MIN, |tile| tile.width);
    let step = side + GAP_PX;
    let rows = tiles.len().div_ceil(TILES_IN_A_ROW);
    let below = GAP_PX + TITLE_PX + rows * step;
    let width = GAP_PX + TILES_IN_A_ROW * step;
    let mut canvas = Canvas::new(width, below + CURVE_PX + FOOTER_PX, PANEL);
    canvas.text(&format!("Left ventricle, {}", moment.words()), GAP_PX, GAP_PX, BOLD, WHITE);
    for (place, tile) in tiles.iter().enumerate() {
        let (x, y) = (GAP_PX + place % TILES_IN_A_ROW * step, place / TILES_IN_A_ROW * step);
        canvas.place(tile, x, GAP_PX + TITLE_PX + y);
    }
    curve(&mut canvas, part, [GAP_PX + 8, below + 20], [width - 2 * GAP_PX - 16, CURVE_PX - 44]);
    footer(&mut canvas, subject, part, moment, below + CURVE_PX);
    Ok(canvas)
}

/// Three slices at both moments, one above the other, and the curve: for a page.
pub(super) fn summary(subject: &Subject<'_>, part: &CardiacPart) -> Result<Canvas, ObjectError> {
    let all = shown(part, TILES_MAX);
    let thirds = [1, 3, 5].map(|sixth| all.get(all.len() * sixth / 6).copied());
    let mut slices: Vec<usize> = thirds.into_iter().flatten().collect();
    slices.dedup();
    let mut canvas = Canvas::new(0, 0, PANEL);
    for (row, moment) in Moment::OF_A_VENTRICLE.into_iter().enumerate() {
        let tiles = tiles(subject, part, moment, &slices)?;
        let side = tiles.first().map_or(TILE_PX_MIN, |tile| tile.width);
        let step = side + GAP_PX;
        let height = TITLE_PX + step;
        if row == 0 {
            canvas = Canvas::new(GAP_PX + 3 * step, GAP_PX + 2 * height + CURVE_PX, PANEL);
        }
        let y = GAP_PX + row * height;
        canvas.text(&format!("{}, three slices", moment.words()), GAP_PX, y, BOLD, WHITE);
        for (place, tile) in tiles.iter().enumerate() {
            canvas.place(tile, GAP_PX + place * step, y + TITLE_PX);
        }
        if row == 1 {
            let size = [canvas.width - 2 * GAP_PX - 16, CURVE_PX - 44];
            curve(&mut canvas, part, [GAP_PX + 8, GAP_PX + 2 * height + 20], size);
        }
    }
    Ok(canvas)
}

pub(super) fn secondary_capture(
    subject: &Subject<'_>,
    part: &CardiacPart,
    moment: Moment,
    number: u32,
) -> Result<DataSet, ObjectError> {
    let canvas = picture(subject, part, moment)?;
    let class = uids::SECONDARY_CAPTURE_IMAGE_STORAGE;
    let mut set = subject.begin(class, ResultKind::SecondaryCapture, &part_name(subject, moment), number);
    set.set(tags::BODY_PART_EXAMINED, "HEART").empty(tags::PATIENT_ORIENTATION);
    let what =
        format!("Short-axis slices at {} with contours, and the volume over the cycle", moment.words());
    set.set(tags::DERIVATION_DESCRIPTION, what);
    set.set(tags::IMAGE_COMMENTS, format!("{}; not for diagnosis", subject.finding.label));
    let sources = shown(part, TILES_MAX).into_iter().filter_map(|slice| {
        let mut image = subject.image_item(subject.image(moment, u32::try_from(slice).ok()?)?);
        let purpose = Code("121322", "DCM", "Source image for image processing operation");
        image.code(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, purpose);
        Some(image)
    });
    set.sequence(tags::SOURCE_IMAGE_SEQUENCE, sources.collect());
    super::secondary_capture::pixels(&mut set, canvas)?;
    Ok(set)
}
