//! Finding things: images made into what a detection network reads, its heat made into marks on the images as they were.
//!
//! The same code prepares what the networks learn from (`tests/arrays`) and what the box shows them.
//! `models/training/marks.py` is the twin that judged the networks.

mod detector;
mod peaks;
mod reduce;
mod regrid;

pub use detector::{DetectError, Detector, Found};
pub use peaks::{Heat, Mark};
pub use reduce::{Reduced, reduce};
pub use regrid::{Regridded, regrid};

/// Sides of an input are multiples of this: networks halve them five times.
pub(crate) const MULTIPLE: usize = 32;

/// The value of the nearest rank.
pub(crate) fn percentile(values: &mut [f32], percent: f64) -> f32 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an image has far fewer than 2^52 pixels"
    )]
    let rank = (percent / 100.0 * (values.len() - 1) as f64).round() as usize;
    *values.select_nth_unstable_by(rank, f32::total_cmp).1
}
