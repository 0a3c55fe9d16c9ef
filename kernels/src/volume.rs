//! A stack of slices in Hounsfield units with its place in the patient.
//!
//! Voxels are `i16`, the floor of the modality-LUT value: for an integer threshold `T`,
//! `floor(HU) >= T` holds exactly when `HU >= T`, so no lesion is won or lost by rounding
//! (Agatston's bounds are half-open on the real value, research/analyses.md 2.1).

use crate::identity::Identity;

/// Size of a volume in voxels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    pub columns: u32,
    pub rows: u32,
    pub slices: u32,
}

impl Dimensions {
    /// Voxels in one slice.
    pub fn slice_len(self) -> usize {
        self.columns as usize * self.rows as usize
    }

    /// Voxels in the whole volume.
    pub fn len(self) -> usize {
        self.slice_len() * self.slices as usize
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// Where the voxels stand. Lengths in millimetres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Geometry {
    /// Distance between the centres of neighbouring columns (DICOM Pixel Spacing, second value).
    pub column_spacing_mm: f64,
    /// Distance between the centres of neighbouring rows (DICOM Pixel Spacing, first value).
    pub row_spacing_mm: f64,
    /// Distance between slice centres along the normal, from Image Position (Patient); never Slice Thickness.
    pub slice_increment_mm: f64,
    /// Three rows of a 3x4 matrix: patient (x to the left, y to the back, z to the head, mm) from
    /// (column, row, slice, 1).
    pub patient_mm_from_voxel: [[f64; 4]; 3],
}

impl Geometry {
    /// Area of one pixel in its slice, mm2.
    pub fn pixel_area_mm2(&self) -> f64 {
        self.column_spacing_mm * self.row_spacing_mm
    }

    /// Patient coordinates (mm) of a voxel centre; fractions are allowed.
    pub fn patient_mm(&self, voxel: [f64; 3]) -> [f64; 3] {
        self.patient_mm_from_voxel
            .map(|row| row[0] * voxel[0] + row[1] * voxel[1] + row[2] * voxel[2] + row[3])
    }
}

/// Why numbers do not make a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VolumeError {
    #[error("a volume needs at least one voxel in every direction")]
    Empty,
    #[error("{found} voxels were given where the dimensions ask for {expected}")]
    Length { expected: usize, found: usize },
    #[error("spacings must be finite and larger than zero")]
    Spacing,
}

/// Hounsfield units, slice by slice, row by row, column fastest. Clones share one identity, so a processor that holds
/// the voxels of one holds those of all.
#[derive(Clone, Debug)]
pub struct Volume {
    identity: Identity,
    dimensions: Dimensions,
    geometry: Geometry,
    hounsfield: Vec<i16>,
}

impl Volume {
    /// Checks lengths and spacings once, so that nothing later has to.
    pub fn new(
        dimensions: Dimensions,
        geometry: Geometry,
        hounsfield: Vec<i16>,
    ) -> Result<Self, VolumeError> {
        if dimensions.is_empty() {
            return Err(VolumeError::Empty);
        }
        if hounsfield.len() != dimensions.len() {
            return Err(VolumeError::Length { expected: dimensions.len(), found: hounsfield.len() });
        }
        let spacings = [geometry.column_spacing_mm, geometry.row_spacing_mm, geometry.slice_increment_mm];
        if !spacings.iter().all(|mm| mm.is_finite() && *mm > 0.0) {
            return Err(VolumeError::Spacing);
        }
        Ok(Self { identity: Identity::fresh(), dimensions, geometry, hounsfield })
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    pub fn dimensions(&self) -> Dimensions {
        self.dimensions
    }

    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// All voxels, slice by slice.
    pub fn hounsfield(&self) -> &[i16] {
        &self.hounsfield
    }

    /// The voxels of one slice, row by row.
    pub fn slice(&self, slice: u32) -> &[i16] {
        let len = self.dimensions.slice_len();
        &self.hounsfield[slice as usize * len..][..len]
    }
}
