//! What the kernels promise, through their public door. One target, so that wgpu is linked once and one GPU serves
//! every test.

#![expect(clippy::unwrap_used, reason = "test code")]
#![expect(clippy::cast_possible_truncation, reason = "test volumes are small")]

mod blending;
mod calcium;
mod exclusions;
mod gpu;
mod oracle;
mod perfusion;
mod ray_oracle;
mod reformats;
mod region;
mod rendering;
mod rendering_gpu;
mod structures;
mod volumes;
