//! A plane of values in millimetres that is drawn coarsely, read between its points, and textured with noise.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a plane of a few hundred mm")]

use crate::phantoms::random::Random;

/// Values at the crossings of a square grid; point (0, 0) lies at the origin.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) pitch_mm: f32,
    pub(super) values: Vec<f32>,
}

impl Field {
    pub(super) fn new([width_mm, height_mm]: [f32; 2], pitch_mm: f32) -> Self {
        let [columns, rows] = [width_mm, height_mm].map(|mm| (mm / pitch_mm).ceil() as usize + 2);
        Self { columns, rows, pitch_mm, values: vec![0.0; columns * rows] }
    }

    /// Changes every value within `reach_mm` of a point, given its distance from there.
    pub(super) fn around(
        &mut self,
        [x, y]: [f32; 2],
        reach_mm: f32,
        mut change: impl FnMut(f32, f32, &mut f32),
    ) {
        let span = |at: f32, size: usize| {
            let low = ((at - reach_mm) / self.pitch_mm).max(0.0) as usize;
            let high = ((at + reach_mm) / self.pitch_mm).max(0.0) as usize + 1;
            low.min(size)..high.min(size)
        };
        let (across, down) = (span(x, self.columns), span(y, self.rows));
        for row in down {
            for column in across.clone() {
                let here = [column as f32 * self.pitch_mm - x, row as f32 * self.pitch_mm - y];
                change(here[0], here[1], &mut self.values[row * self.columns + column]);
            }
        }
    }

    /// The values along one row of a finer grid: `count` points `step_mm` apart, from `x_mm` at height `y_mm`.
    pub(super) fn read(&self, y_mm: f32, x_mm: f32, step_mm: f32, line: &mut [f32]) {
        let y = (y_mm / self.pitch_mm).clamp(0.0, self.rows as f32 - 1.001);
        let (row, down) = (y as usize, y.fract());
        let upper = &self.values[row * self.columns..][..self.columns];
        let lower = &self.values[(row + 1) * self.columns..][..self.columns];
        for (index, value) in line.iter_mut().enumerate() {
            let x = ((x_mm + index as f32 * step_mm) / self.pitch_mm).clamp(0.0, self.columns as f32 - 1.001);
            let (column, across) = (x as usize, x.fract());
            let [a, b] = [upper, lower].map(|l| l[column] + (l[column + 1] - l[column]) * across);
            *value = a + (b - a) * down;
        }
    }
}

/// Side of the lattice of random values; a power of two so that wrapping is a mask.
const LATTICE: usize = 64;

/// Smooth random values (value noise), mean one half.
#[derive(Clone, Debug)]
pub(super) struct Noise {
    lattice: Vec<f32>,
}

impl Noise {
    pub(super) fn new(random: &mut Random) -> Self {
        Self { lattice: (0..LATTICE * LATTICE).map(|_| random.between(0.0, 1.0) as f32).collect() }
    }

    /// One octave; the lattice's points are one apart.
    pub(super) fn at(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (across, down) = (ease(x - left), ease(y - top));
        let wrap = |value: f32| value as i32 as usize & (LATTICE - 1);
        let (column, row) = (wrap(left), wrap(top));
        let next = |at: usize| (at + 1) & (LATTICE - 1);
        let value = |row: usize, column: usize| self.lattice[row * LATTICE + column];
        let line = |row: usize| value(row, column) + (value(row, next(column)) - value(row, column)) * across;
        line(row) + (line(next(row)) - line(row)) * down
    }

    /// Octaves from `wave_mm` downwards, each turned against the one before and `gain` times as strong.
    pub(super) fn octaves(&self, [x, y]: [f32; 2], wave_mm: f32, count: u8, gain: f32) -> f32 {
        let (mut sum, mut weight, mut total) = (0.0, 1.0, 0.0);
        let mut place = [x / wave_mm + 7.3, y / wave_mm + 3.1];
        for _ in 0..count {
            sum += weight * self.at(place[0], place[1]);
            total += weight;
            weight *= gain;
            // Twice as fine, turned by 37 degrees, elsewhere.
            let [a, b] = place;
            place = [1.6 * a - 1.2 * b + 11.7, 1.2 * a + 1.6 * b + 5.9];
        }
        sum / total
    }
}

/// From 0 to 1 between two bounds, level at both.
pub(super) fn smooth(low: f32, high: f32, value: f32) -> f32 {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}
