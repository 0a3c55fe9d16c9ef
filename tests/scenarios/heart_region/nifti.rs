//! Just enough NIfTI-1 to read the labelled CT: gzip, little-endian, three dimensions, integer voxels.

#![expect(clippy::cast_possible_truncation, reason = "CT values fit 16 bits; the file is one we know")]

use std::io::Read;
use std::path::Path;

use anyhow::{Context, ensure};
use sidelight_kernels::{Dimensions, Geometry};

const HEADER_BYTES: usize = 348;
/// No test file is larger; a claimed size never decides how much is read.
const BYTES_AT_MOST: u64 = 256 << 20;

pub(crate) struct Nifti {
    pub(crate) dimensions: Dimensions,
    /// Patient coordinates as DICOM counts them: NIfTI's x and y turned round (RAS to LPS).
    pub(crate) geometry: Geometry,
    /// Values after the header's slope and intercept, rounded down.
    pub(crate) values: Vec<i16>,
}

pub(crate) fn read(path: &Path) -> anyhow::Result<Nifti> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).take(BYTES_AT_MOST).read_to_end(&mut bytes)?;
    ensure!(
        bytes.len() > HEADER_BYTES && bytes[344..347] == *b"n+1",
        "{} is no NIfTI-1 file",
        path.display()
    );
    let short = |at: usize| i16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let float = |at: usize| f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let size = |axis: usize| u32::try_from(short(40 + 2 * axis)).context("a negative size");
    let dimensions = Dimensions { columns: size(1)?, rows: size(2)?, slices: size(3)? };
    ensure!(short(254) > 0, "only the sform matrix is read");
    let line = |at: usize, sign: f64| [0, 4, 8, 12].map(|entry| sign * f64::from(float(at + entry)));
    let matrix = [line(280, -1.0), line(296, -1.0), line(312, 1.0)];
    let length = |axis: usize| matrix.iter().map(|line| line[axis] * line[axis]).sum::<f64>().sqrt();
    let geometry = Geometry {
        column_spacing_mm: length(0),
        row_spacing_mm: length(1),
        slice_increment_mm: length(2),
        patient_mm_from_voxel: matrix,
    };
    // A slope of zero or NaN means: none.
    let (slope, intercept) = match (float(112), float(116)) {
        (slope, intercept) if slope.is_finite() && slope != 0.0 => (slope, intercept),
        _ => (1.0, 0.0),
    };
    let start = float(108) as usize;
    let data = bytes.get(start..).context("the data begins behind the end of the file")?;
    let stored: Vec<f32> = match short(70) {
        2 => data.iter().map(|value| f32::from(*value)).collect(),
        4 => data.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]]))).collect(),
        8 => data
            .chunks_exact(4)
            .map(|four| i32::from_le_bytes([four[0], four[1], four[2], four[3]]) as f32)
            .collect(),
        other => anyhow::bail!("voxels of NIfTI type {other} are not read here"),
    };
    ensure!(stored.len() >= dimensions.len(), "the file ends before its last voxel");
    let values =
        stored[..dimensions.len()].iter().map(|value| (value * slope + intercept).floor() as i16).collect();
    Ok(Nifti { dimensions, geometry, values })
}
