//! Finding things: images made into what a detection network reads, its heat made into marks.
//!
//! The same code prepares what the networks learn from (`tests/arrays`) and what the box shows them.

pub mod peaks;
mod reduce;
mod regrid;

pub use reduce::{Reduced, reduce};
pub use regrid::{Regridded, regrid};

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
