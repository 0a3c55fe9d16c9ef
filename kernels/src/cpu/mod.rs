//! The twins: every kernel's result computed on the CPU, by threads. The product path where there is no GPU.
//!
//! A twin promises the same integers as its kernels, not the same steps.

pub(crate) mod calcium;
pub(crate) mod perfusion;
