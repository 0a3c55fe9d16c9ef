//! From a voxel's value to what it looks like: colour, and opacity per millimetre.

use std::ops::RangeInclusive;

use super::RenderError;

/// Entries of a table: one for each Hounsfield unit a CT can hold (-1024 to 3071).
const ENTRIES_MAX: usize = 4096;

/// More points than anybody draws by hand.
const POINTS_MAX: usize = 64;

/// One point of a piecewise linear function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub value: i16,
    /// Red, green, blue from 0 to 1.
    pub colour: [f32; 3],
    /// The part of the light that one millimetre of this swallows, from 0 to below 1: `1 - exp(-mu * 1 mm)`.
    pub opacity_per_mm: f32,
}

impl Point {
    pub const fn new(value: i16, colour: [f32; 3], opacity_per_mm: f32) -> Self {
        Self { value, colour, opacity_per_mm }
    }
}

/// Linear between its points; below the first and above the last it stays as it is there.
#[derive(Clone, Debug, PartialEq)]
pub struct TransferFunction {
    points: Vec<Point>,
}

impl TransferFunction {
    /// Points in rising order of their values.
    pub fn new(points: Vec<Point>) -> Result<Self, RenderError> {
        if !(2..=POINTS_MAX).contains(&points.len()) {
            return Err(RenderError::View("a transfer function has 2 to 64 points"));
        }
        if points.windows(2).any(|pair| pair[0].value >= pair[1].value) {
            return Err(RenderError::View("the points of a transfer function rise"));
        }
        let sound = |point: &Point| {
            point.colour.iter().all(|part| (0.0..=1.0).contains(part))
                && (0.0..1.0).contains(&point.opacity_per_mm)
        };
        if !points.iter().all(sound) {
            return Err(RenderError::View("colours are 0 to 1, opacity per millimetre 0 to below 1"));
        }
        Ok(Self { points })
    }

    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Colour and opacity per millimetre.
    fn at(&self, value: f32) -> [f32; 4] {
        let whole = |point: &Point| {
            let [red, green, blue] = point.colour;
            [red, green, blue, point.opacity_per_mm]
        };
        let next = self.points.partition_point(|point| f32::from(point.value) < value);
        match (next.checked_sub(1).map(|before| &self.points[before]), self.points.get(next)) {
            (Some(before), Some(after)) => {
                let span = f32::from(after.value) - f32::from(before.value);
                let part = (value - f32::from(before.value)) / span;
                let (a, b) = (whole(before), whole(after));
                [0, 1, 2, 3].map(|index| a[index] + (b[index] - a[index]) * part)
            }
            (None, Some(only)) | (Some(only), None) => whole(only),
            (None, None) => unreachable!("a transfer function has at least two points"),
        }
    }

    /// What a step of `step_mm` shows of every value.
    pub(crate) fn table(&self, step_mm: f32) -> Table {
        let (first, last) = (self.points[0].value, self.points[self.points.len() - 1].value);
        let span = f32::from(last) - f32::from(first);
        let width = (span / (ENTRIES_MAX - 1) as f32).max(1.0);
        let entries = (0..)
            .map(|index| f32::from(first) + index as f32 * width)
            .take_while(|value| *value < f32::from(last) + width)
            .map(|value| {
                let [red, green, blue, opacity] = self.at(value);
                [red, green, blue, 1.0 - (1.0 - opacity).powf(step_mm)]
            })
            .collect();
        Table { low: first.into(), per_value: 1.0 / width, entries }
    }
}

/// A transfer function, read off at even distances; opacities are those of one step.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) low: f32,
    /// Entries per unit of value.
    pub(crate) per_value: f32,
    /// Red, green, blue, opacity of a step.
    pub(crate) entries: Vec<[f32; 4]>,
}

impl Table {
    /// For each entry and one behind the last: how many before it are not fully clear.
    pub(crate) fn opaque_before(&self) -> Vec<u32> {
        let mut count = 0;
        let counts = self.entries.iter().map(|entry| {
            count += u32::from(entry[3] > 0.0);
            count
        });
        std::iter::once(0).chain(counts).collect()
    }

    /// Entries that values of this range may read.
    pub(crate) fn entries_of(&self, values: RangeInclusive<i16>) -> RangeInclusive<usize> {
        let at = |value: i16| ((f32::from(value) - self.low) * self.per_value).clamp(0.0, self.last());
        at(*values.start()).floor() as usize..=at(*values.end()).ceil() as usize
    }

    pub(crate) fn last(&self) -> f32 {
        (self.entries.len() - 1) as f32
    }
}

/// Ready-made looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    Bone,
    Angiography,
    SoftTissue,
    Lung,
    Mr,
}

const SHADOW_RED: [f32; 3] = [0.42, 0.12, 0.08];
const BLOOD: [f32; 3] = [0.82, 0.24, 0.16];
const IVORY: [f32; 3] = [0.93, 0.84, 0.70];
const WHITE: [f32; 3] = [1.0, 0.98, 0.94];

impl Preset {
    pub const ALL: [Self; 5] = [Self::Bone, Self::Angiography, Self::SoftTissue, Self::Lung, Self::Mr];

    /// Its name in addresses and in the viewer's messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bone => "bone",
            Self::Angiography => "angiography",
            Self::SoftTissue => "soft_tissue",
            Self::Lung => "lung",
            Self::Mr => "mr",
        }
    }

    /// For CT these are Hounsfield units; magnetic resonance has no unit, so its look is stretched over `tissue`,
    /// the values that are neither air nor outliers.
    pub fn function(self, tissue: RangeInclusive<i16>) -> TransferFunction {
        let points = match self {
            Self::Bone => vec![
                Point::new(140, SHADOW_RED, 0.0),
                Point::new(220, [0.72, 0.42, 0.28], 0.10),
                Point::new(380, IVORY, 0.45),
                Point::new(900, WHITE, 0.80),
                Point::new(3000, WHITE, 0.95),
            ],
            Self::Angiography => vec![
                Point::new(110, SHADOW_RED, 0.0),
                Point::new(170, SHADOW_RED, 0.06),
                Point::new(280, BLOOD, 0.40),
                Point::new(450, [0.94, 0.58, 0.40], 0.55),
                Point::new(750, IVORY, 0.65),
                Point::new(3000, WHITE, 0.95),
            ],
            Self::SoftTissue => vec![
                Point::new(-240, [0.60, 0.38, 0.26], 0.0),
                Point::new(-120, [0.88, 0.68, 0.46], 0.03),
                Point::new(-20, [0.84, 0.52, 0.40], 0.10),
                Point::new(60, [0.80, 0.40, 0.33], 0.40),
                Point::new(180, [0.88, 0.55, 0.42], 0.50),
                Point::new(380, IVORY, 0.70),
                Point::new(3000, WHITE, 0.95),
            ],
            Self::Lung => vec![
                Point::new(-980, [0.30, 0.45, 0.62], 0.0),
                Point::new(-880, [0.42, 0.58, 0.74], 0.012),
                Point::new(-720, [0.62, 0.74, 0.84], 0.035),
                Point::new(-560, [0.86, 0.78, 0.74], 0.05),
                Point::new(-380, [0.90, 0.60, 0.52], 0.0),
            ],
            Self::Mr => return mr(tissue),
        };
        TransferFunction::new(points).expect("the points above rise and are in range")
    }
}

fn mr(tissue: RangeInclusive<i16>) -> TransferFunction {
    let (low, high) = (f32::from(*tissue.start()), f32::from(*tissue.end()));
    let shape = [
        (0.15, [0.10, 0.08, 0.08], 0.0),
        (0.35, [0.52, 0.40, 0.34], 0.05),
        (0.60, [0.82, 0.72, 0.62], 0.25),
        (1.00, WHITE, 0.70),
    ];
    let mut points: Vec<Point> = Vec::new();
    for (part, colour, opacity) in shape {
        let value = (low + (high - low) * part).round() as i16;
        // A picture of hardly any values still makes a rising function.
        let after = points.last().map_or(i16::MIN, |last| last.value.saturating_add(1));
        points.push(Point::new(value.max(after), colour, opacity));
    }
    // Values at the very top of what 16 bits hold leave no room above.
    points.dedup_by_key(|point| point.value);
    TransferFunction::new(points).unwrap_or_else(|_| Preset::Bone.function(tissue))
}
