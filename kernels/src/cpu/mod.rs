//! The twins: every kernel's result computed on the CPU, by threads. The product path where there is no GPU.
//!
//! A twin promises the same integers as its kernels, not the same steps.

pub(crate) mod blending;
pub(crate) mod bricks;
pub(crate) mod calcium;
pub(crate) mod copying;
mod four;
pub(crate) mod perfusion;
pub(crate) mod reformat;
pub(crate) mod rendering;
mod sampling;
pub(crate) mod structures;
