//! Synthetic patients with known truth, written as real DICOM files.
//!
//! Truth never comes from measuring the picture: lesions are sets of whole voxels whose score is added up where
//! they are drawn (`lesions`). Every number follows from a seed. Nothing here resembles a living person.

mod acquisition;
mod brain;
mod breast;
mod calcium;
mod chest;
mod cine;
mod heart;
mod lesions;
mod lungs;
mod mammography;
mod others;
mod random;
mod series;
mod shape;
mod skeleton;
pub mod sphere;
#[cfg(test)]
mod tests;
mod time_points;

pub use acquisition::{Scan, Turn};
pub use brain::{Acquisition, BrainPatient, Flow, Pattern};
pub use breast::{
    BreastLesion, BreastPatient, Family, Intent, LesionKind, Mammogram, Margin, Picture, Projection, Side,
};
pub use calcium::CalciumPatient;
pub use cine::{CineHeart, Outlines};
pub use lesions::{TrueLesion, TrueSlice, Truth};
pub use lungs::{Grid, NodulePatient, TrueNodule};
pub use mammography::{Examination, Oddity, Shot, WrittenView};
pub use others::{Defect, broken_ct, contrast_ct, ct_with_a_gap, plain_mr, tiny_ct};
pub use series::{CtSettings, Encoding, Modality, Series, SeriesUids, write};
pub use time_points::{TimePoint, write_enhanced, write_time_points};
