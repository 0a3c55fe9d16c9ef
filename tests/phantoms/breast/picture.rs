//! The detector: fine grains, blur and quantum noise at its own pixels, and the two tones a mammogram comes in.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "pixels of a detector"
)]

use super::PICTURE_MM;
use super::field::Field;
use super::lesions::Speck;
use super::style::Style;
use crate::phantoms::random::Random;

/// Presentation Intent Type (0008,0068).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Toned for the eye: 12 bits, dense is bright, air is 0.
    Presentation,
    /// Counts of the detector: 14 bits, dense is low, air is high.
    Processing,
}

/// Counts where nothing weakens the beam, and how fast tissue does.
const AIR_COUNTS: f32 = 14_000.0;
const WEAKENING: f32 = 2.2;
/// Steps of the tone curve: finer than a stored value.
const TONES: usize = 32_768;
const TONES_PER_UNIT: f32 = 16_384.0;
const PRESENTATION_MAX: f32 = 4095.0;
const PROCESSING_MAX: f32 = 16_383.0;

/// Stored values, row by row.
#[derive(Clone, Debug)]
pub struct Picture {
    pub columns: usize,
    pub rows: usize,
    pub pixel_mm: f64,
    pub intent: Intent,
    pub values: Vec<u16>,
}

impl Picture {
    pub(super) fn expose(
        tissue: &Field,
        specks: &[Speck],
        style: &Style,
        intent: Intent,
        pixel_mm: f64,
        mirrored: bool,
        random: &mut Random,
    ) -> Self {
        let [columns, rows] = PICTURE_MM.map(|mm| (f64::from(mm) / pixel_mm).round() as usize);
        let step = pixel_mm as f32;
        let mut values = vec![0_u16; columns * rows];
        let mut grains: Vec<Vec<(usize, f32)>> = vec![Vec::new(); rows];
        for speck in specks {
            scatter(speck, step, [columns, rows], &mut grains);
        }
        // Smaller pixels catch fewer quanta.
        let noise = style.noise * 0.1 / step;
        let tones: Vec<u16> =
            (0..TONES).map(|at| tone(at as f32 / TONES_PER_UNIT, intent, style.gamma)).collect();
        let air = if intent == Intent::Presentation { 0 } else { AIR_COUNTS as u16 };
        let mut line = vec![0.0; columns];
        for (row, out) in values.chunks_exact_mut(columns).enumerate() {
            tissue.read((row as f32 + 0.5) * step, 0.5 * step, step, &mut line);
            for (column, contrast) in &grains[row] {
                line[*column] += contrast;
            }
            for (signal, value) in line.iter().zip(out.iter_mut()) {
                *value = if *signal > 0.0 {
                    let noisy = signal + noise * normal(random.next());
                    tones[((noisy * TONES_PER_UNIT).max(0.0) as usize).min(TONES - 1)]
                } else {
                    air
                };
            }
            if mirrored {
                out.reverse();
            }
        }
        let mut picture = Self { columns, rows, pixel_mm, intent, values };
        picture.dust(random);
        picture.letters(mirrored, random);
        picture
    }

    /// Single pixels that are wrong, as dust and dead elements make them.
    fn dust(&mut self, random: &mut Random) {
        for _ in 0..random.below(6) {
            let at = random.below(self.values.len());
            if self.values[at] > 0 && self.intent == Intent::Presentation {
                self.values[at] = PRESENTATION_MAX as u16;
            }
        }
    }

    /// Lead letters in the air beside the breast: the brightest thing in the picture.
    fn letters(&mut self, mirrored: bool, random: &mut Random) {
        let bright = if self.intent == Intent::Presentation { PRESENTATION_MAX as u16 } else { 120 };
        let [mut left, top] = [0.86, 0.06].map(|share| share + random.between(-0.03, 0.03));
        if mirrored {
            left = 1.0 - left - 0.07;
        }
        let px = |mm: f64| (mm / self.pixel_mm) as usize;
        let (x, y) = ((left * self.columns as f64) as usize, (top * self.rows as f64) as usize);
        for letter in 0..3 {
            for part in 0..5 {
                if random.below(3) == 0 {
                    continue;
                }
                let (dx, dy) =
                    (px(6.0 * f64::from(letter) + 2.0 * f64::from(part % 2)), px(1.6 * f64::from(part)));
                for row in y + dy..y + dy + px(1.4) {
                    let from = row * self.columns + x + dx;
                    self.values[from..from + px(2.4)].fill(bright);
                }
            }
        }
    }
}

/// Adds a grain's share of each pixel it touches; the focal spot and the detector blur its rim.
fn scatter(speck: &Speck, step: f32, [columns, rows]: [usize; 2], grains: &mut [Vec<(usize, f32)>]) {
    let reach = speck.radii_mm[0].max(speck.radii_mm[1]) + 0.15;
    let (sine, cosine) = speck.turn.sin_cos();
    let span = |at: f32, size: usize| {
        let low = ((at - reach) / step).max(0.0) as usize;
        low.min(size)..(((at + reach) / step).max(0.0) as usize + 1).min(size)
    };
    for row in span(speck.at[1], rows) {
        for column in span(speck.at[0], columns) {
            let x = (column as f32 + 0.5) * step - speck.at[0];
            let y = (row as f32 + 0.5) * step - speck.at[1];
            let [along, across] = [cosine * x + sine * y, cosine * y - sine * x];
            let depth = (along / speck.radii_mm[0]).hypot(across / speck.radii_mm[1]);
            let cover = (1.0 - (depth - 1.0) * speck.radii_mm[1] / 0.1).clamp(0.0, 1.0).min(1.0);
            if cover > 0.0 {
                grains[row].push((column, speck.contrast * cover));
            }
        }
    }
}

/// Close to a normal distribution with deviation 1: four bytes of a word.
fn normal(bits: u64) -> f32 {
    let [a, b, c, d, ..] = bits.to_le_bytes();
    (f32::from(a) + f32::from(b) + f32::from(c) + f32::from(d) - 510.0) / 148.0
}

fn tone(signal: f32, intent: Intent, gamma: f32) -> u16 {
    match intent {
        Intent::Presentation => {
            let share = ((signal - 0.05) / 1.25).clamp(0.0, 1.0);
            // The foot and the shoulder of a film.
            let curve = share.powf(gamma);
            (PRESENTATION_MAX * (curve * (1.35 - 0.35 * curve)).min(1.0)) as u16
        }
        Intent::Processing => (AIR_COUNTS * (-WEAKENING * signal).exp()).clamp(1.0, PROCESSING_MAX) as u16,
    }
}
