//! What the box can infer: networks, loaded from bundles checked by digest, run on whatever accelerator is there.
//!
//! Synchronous: the caller owns the thread. A network that does not answer as its bundle says serves nobody. Knows
//! tensors, planes and labels; no DICOM, no patients, no tokio.

#![deny(unsafe_code)]

pub mod archive;
pub mod bundle;
pub mod catalogue;
mod components;
pub mod detect;
mod digest;
mod graphs;
pub mod manifest;
pub mod npy;
pub mod onnx;
mod plane;
pub mod segment;
pub mod tensor;
pub mod version;

pub use bundle::{Bundle, BundleError, Model};
pub use catalogue::Catalogue;
pub use detect::{DetectError, Detector, Found, Mark};
pub use manifest::Manifest;
pub use onnx::{Network, OnnxError, Provider, ProviderState, Runtime};
pub use segment::{Plane, Scan, SegmentError, Segmenter};
pub use tensor::{Tensor, Values};
