//! From stored instances to pictures with a meaning: the order of a series' frames, their place in the patient, and
//! their values in Hounsfield units.
//!
//! Not a room: analysis builds volumes with it, viewer serves frames with it. Bytes come from the store's files and
//! go nowhere. It never guesses: a frame without its own rescale, a stack with a gap or a tilt, is an answer that
//! says so, in words.

mod dynamic;
mod fragments;
mod frames;
mod geometry;
mod image_attributes;
mod lut;
mod mammogram;
mod overlays;
mod phases;
mod pixel_source;
mod pixels;
mod rendering;
mod stack;
mod time_points;
#[cfg(test)]
mod time_points_tests;

pub use dynamic::dynamic;
pub use frames::FrameSource;
pub(crate) use geometry::dot;
pub use geometry::{Place, StackGeometry, Unusable, edge_letters};
pub use image_attributes::{Display, ImageAttributes};
pub use mammogram::{Mammogram, NotJudged, mammogram};
pub use phases::{NoPhases, PhasedStack, phases};
pub use pixel_source::{DecodedFrame, FrameError, PixelSource};
pub use pixels::{FrameReader, Meaning, PixelError};
pub use rendering::{Rendered, Window, WindowFunction, render};
pub use stack::{Stack, StackError, stack, volume};
pub use time_points::{
    NoTimePoints, Repeats, ScanMode, TimeSource, TimedPosition, TimedStack, join, repeats, same_places,
    time_points,
};
