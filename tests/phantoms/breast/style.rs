//! How a breast and its picture may look. Training and the held-out cases draw from intervals that do not touch, so that
//! a network is judged on textures, margins, tones, noise and pixels it has never met, not only on other seeds.

#![expect(clippy::cast_possible_truncation, reason = "settings are small numbers")]

use crate::phantoms::random::Random;

/// Which of the two families of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Training,
    HeldOut,
}

/// One setting of the generator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Longest wave of the parenchyma.
    pub(super) wave_mm: f32,
    /// How much of one octave the next keeps: more is finer texture.
    pub(super) gain: f32,
    /// Of strands of connective tissue.
    pub(super) strand: f32,
    /// Quantum noise of one 0.1 mm pixel.
    pub(super) noise: f32,
    /// Side of a detector pixel.
    pub(super) pixel_mm: f64,
    /// Exponent of the tone curve of pictures for presentation.
    pub(super) gamma: f32,
    /// Rays of a spiculated mass.
    pub(super) rays: usize,
    /// Bulges around a lobulated mass.
    pub(super) bulges: f32,
    /// Specks of a cluster.
    pub(super) specks: usize,
    /// Contrast of masses, and of specks.
    pub(super) mass_contrast: f32,
    pub(super) speck_contrast: f32,
}

impl Style {
    pub(super) fn new(family: Family, random: &mut Random) -> Self {
        let held_out = family == Family::HeldOut;
        let choose = |training: [f64; 2], other: [f64; 2]| if held_out { other } else { training };
        let mut draw = |training, other| {
            let [low, high] = choose(training, other);
            random.between(low, high) as f32
        };
        Self {
            wave_mm: draw([16.0, 28.0], [28.5, 34.0]),
            gain: draw([0.42, 0.60], [0.61, 0.66]),
            strand: draw([0.02, 0.10], [0.105, 0.125]),
            noise: draw([0.006, 0.020], [0.0205, 0.024]),
            gamma: draw([0.80, 1.15], [1.16, 1.25]),
            mass_contrast: draw([0.17, 0.32], [0.165, 0.30]),
            speck_contrast: draw([0.20, 0.45], [0.19, 0.40]),
            rays: draw([7.0, 19.0], [20.0, 26.0]) as usize,
            bulges: draw([2.0, 5.0], [5.5, 7.0]),
            specks: draw([6.0, 15.0], [16.0, 20.0]) as usize,
            pixel_mm: f64::from(draw([0.094, 0.1], [0.084, 0.09])),
        }
    }
}
