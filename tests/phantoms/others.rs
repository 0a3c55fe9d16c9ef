//! Small series that no analysis should score, and objects that no receiver should trust.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use sidelight_kernels::{Dimensions, Geometry, Volume};

use super::calcium::CalciumPatient;
use super::series::{self, Encoding, Modality, Series};

/// A head by magnetic resonance: 64 x 64 x 8, stored values without a unit.
pub fn plain_mr(seed: u64) -> Series {
    Series {
        modality: Modality::Mr,
        patient_name: "Phantom^Head".to_owned(),
        study_description: "MR head, synthetic".to_owned(),
        series_description: "T1 SE axial, synthetic phantom".to_owned(),
        ..Series::calcium(seed, ball(64, 8, [0, 620, 240]))
    }
}

/// A calcium patient with one slice missing in the middle.
pub fn ct_with_a_gap(seed: u64) -> Series {
    let mut series = CalciumPatient::small(seed).series();
    series.missing_slices = vec![series.volume.dimensions().slices / 2];
    series
}

/// A calcium patient whose header says that contrast was given.
pub fn contrast_ct(seed: u64) -> Series {
    let mut series = CalciumPatient::small(seed).series();
    series.contrast_agent = Some("IOHEXOL 350".to_owned());
    series.series_description = "CTA 0.6 Bv40, synthetic phantom".to_owned();
    series
}

/// A CT series so small that a test may send it hundreds of times: 32 x 32 pixels, `slices` slices.
pub fn tiny_ct(seed: u64, slices: u32) -> Series {
    Series::calcium(seed, ball(32, slices, [-1000, 40, -90]))
}

/// One way to break an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The file ends in the middle of its pixels.
    Truncated,
    /// Rows and Columns claim 65535 pixels each; the pixels are few.
    AbsurdRows,
    /// A value representation that does not exist.
    GarbageVr,
}

impl Defect {
    pub const ALL: [Self; 3] = [Self::Truncated, Self::AbsurdRows, Self::GarbageVr];
}

/// Writes one CT object and breaks it on disk; its file meta group stays whole, so any sender will send it.
pub fn broken_ct(seed: u64, defect: Defect, folder: &Path) -> anyhow::Result<PathBuf> {
    let path = series::write(&tiny_ct(seed, 1), Encoding::ExplicitLittleEndian, folder)?.remove(0);
    let mut bytes = std::fs::read(&path)?;
    match defect {
        Defect::Truncated => bytes.truncate(bytes.len() - 700),
        Defect::AbsurdRows => {
            for element in [0x10, 0x11] {
                overwrite(&mut bytes, &[0x28, 0, element, 0, b'U', b'S', 2, 0], 8, &[0xFF, 0xFF])?;
            }
        }
        Defect::GarbageVr => overwrite(&mut bytes, &[0x08, 0, 0x60, 0, b'C', b'S'], 4, b"?!")?,
    }
    let name = format!("{defect:?}.dcm");
    let broken = folder.join(name);
    std::fs::write(&broken, bytes).with_context(|| format!("cannot write {}", broken.display()))?;
    std::fs::remove_file(path)?;
    Ok(broken)
}

/// Replaces bytes `skip` behind the only place where `header` stands.
fn overwrite(bytes: &mut [u8], header: &[u8], skip: usize, with: &[u8]) -> anyhow::Result<()> {
    let found: Vec<usize> =
        (0..bytes.len() - header.len()).filter(|at| bytes[*at..].starts_with(header)).collect();
    ensure!(found.len() == 1, "the element to break stands {} times in the file, not once", found.len());
    bytes[found[0] + skip..][..with.len()].copy_from_slice(with);
    Ok(())
}

/// A ball with a core: values outside, in the shell and in the core.
fn ball(side: u32, slices: u32, [outside, shell, core]: [i16; 3]) -> Volume {
    let dimensions = Dimensions { columns: side, rows: side, slices };
    let spacing = 220.0 / f64::from(side);
    let half = f64::from(side - 1) / 2.0;
    let edge = -half * spacing;
    let geometry = Geometry {
        column_spacing_mm: spacing,
        row_spacing_mm: spacing,
        slice_increment_mm: 5.0,
        patient_mm_from_voxel: [[spacing, 0.0, 0.0, edge], [0.0, spacing, 0.0, edge], [0.0, 0.0, 5.0, 0.0]],
    };
    let middle = f64::from(slices.saturating_sub(1)) / 2.0;
    let mut values = Vec::with_capacity(dimensions.len());
    for slice in 0..slices {
        for row in 0..side {
            for column in 0..side {
                let [x, y, z] = [f64::from(column) - half, f64::from(row) - half, f64::from(slice) - middle];
                let radius = (x * x + y * y + z * z).sqrt() / half;
                values.push(if radius > 0.8 {
                    outside
                } else if radius > 0.35 {
                    shell
                } else {
                    core
                });
            }
        }
    }
    Volume::new(dimensions, geometry, values).expect("the loops fill every voxel")
}
