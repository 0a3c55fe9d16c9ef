//! A beating left ventricle whose volume is known at every phase: an ellipsoid in a wall of muscle, cut across its long
//! axis, as cine MR or as CT with contrast.

use std::f64::consts::PI;
use std::path::{Path, PathBuf};

use dicom_core::VR;
use dicom_dictionary_std::tags;
use sidelight_kernels::{Dimensions, Geometry, Volume};

use super::random::Random;
use super::series::{Encoding, Modality, Series, write};
use super::time_points::TimePoint;

/// The heart and how it is imaged.
#[derive(Clone, Debug)]
pub struct CineHeart {
    pub seed: u64,
    pub modality: Modality,
    pub dimensions: Dimensions,
    pub phases: u32,
    pub pixel_mm: f64,
    pub slice_distance_mm: f64,
    /// Half axes of the cavity, the long one last.
    pub diastole_mm: [f64; 3],
    pub systole_mm: [f64; 3],
    pub wall_mm: f64,
    pub heart_rate_per_min: f64,
    /// How far the heart leans to the left of the patient's long axis, radians. Its borders are known on slices across its own
    /// axis only.
    pub lean_rad: f64,
}

/// The true borders on one slice at one phase, in pixels: column, row; pixel centres at whole numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlines {
    pub endocardium: Vec<[f64; 2]>,
    pub epicardium: Vec<[f64; 2]>,
}

/// Points of an outline: its polygon lacks 2 per mille of the ellipse's area.
const POINTS: u32 = 64;
/// What surrounds the heart: half axes of the chest.
const CHEST_MM: [f64; 2] = [118.0, 92.0];

impl CineHeart {
    pub fn mr(seed: u64) -> Self {
        Self {
            seed,
            modality: Modality::Mr,
            dimensions: Dimensions { columns: 144, rows: 144, slices: 13 },
            phases: 16,
            pixel_mm: 1.8,
            slice_distance_mm: 8.0,
            diastole_mm: [27.0, 25.0, 44.0],
            systole_mm: [19.0, 17.5, 38.0],
            wall_mm: 10.0,
            heart_rate_per_min: 60.0,
            lean_rad: 0.0,
        }
    }

    pub fn ct(seed: u64) -> Self {
        let dimensions = Dimensions { columns: 96, rows: 96, slices: 26 };
        let (pixel_mm, slice_distance_mm) = (2.0, 4.0);
        Self { modality: Modality::Ct, dimensions, phases: 10, pixel_mm, slice_distance_mm, ..Self::mr(seed) }
    }

    /// How far the heart has contracted: 0 at end diastole (phase 0), 1 at end systole.
    fn contraction(&self, phase: u32) -> f64 {
        (1.0 - (2.0 * PI * f64::from(phase) / f64::from(self.phases)).cos()) / 2.0
    }

    fn radii_mm(&self, phase: u32) -> [f64; 3] {
        let by = self.contraction(phase);
        [0, 1, 2].map(|axis| self.diastole_mm[axis] + by * (self.systole_mm[axis] - self.diastole_mm[axis]))
    }

    /// Of the ellipsoid, mL.
    pub fn cavity_ml(&self, phase: u32) -> f64 {
        4.0 / 3.0 * PI * self.radii_mm(phase).iter().product::<f64>() / 1000.0
    }

    pub fn end_systole(&self) -> u32 {
        self.phases / 2
    }

    fn height_mm(&self, slice: u32) -> f64 {
        (f64::from(slice) - f64::from(self.dimensions.slices - 1) / 2.0) * self.slice_distance_mm
    }

    /// The true borders; `None` where the slice does not meet the cavity.
    pub fn outlines(&self, slice: u32, phase: u32) -> Option<Outlines> {
        let middle = |count: u32| f64::from(count - 1) / 2.0;
        let middle = [middle(self.dimensions.columns), middle(self.dimensions.rows)];
        self.outlines_at(self.height_mm(slice), phase, middle, self.pixel_mm)
    }

    /// The true borders on a slice across the heart's axis, so far from its middle; the axis meets the slice at `middle`.
    pub fn outlines_at(
        &self,
        height_mm: f64,
        phase: u32,
        middle: [f64; 2],
        pixel_mm: f64,
    ) -> Option<Outlines> {
        let cut = |[a, b, c]: [f64; 3]| {
            let scale = 1.0 - (height_mm / c).powi(2);
            (scale > 0.0).then(|| [a * scale.sqrt(), b * scale.sqrt()])
        };
        let radii = self.radii_mm(phase);
        let [a, b] = cut(radii)?;
        let [outer_a, outer_b] = cut(radii.map(|mm| mm + self.wall_mm))?;
        let ellipse = |radii_mm| ellipse(radii_mm, middle, pixel_mm);
        Some(Outlines { endocardium: ellipse([a, b]), epicardium: ellipse([outer_a, outer_b]) })
    }

    /// Writes one file a slice and phase.
    pub fn write(&self, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for phase in 0..self.phases {
            let folder = folder.join(format!("P{phase:02}"));
            files.extend(write(&self.series(phase)?, Encoding::ExplicitLittleEndian, &folder)?);
        }
        Ok(files)
    }

    fn series(&self, phase: u32) -> anyhow::Result<Series> {
        let trigger_ms = f64::from(phase) * 60_000.0 / self.heart_rate_per_min / f64::from(self.phases);
        let text = |value: f64| format!("{value:.3}");
        let mut series = Series {
            modality: self.modality,
            patient_name: "Phantom^Heart".into(),
            study_description: "Beating heart, synthetic".into(),
            series_description: "Short-axis cine, synthetic phantom".into(),
            ..Series::calcium(self.seed, self.volume(phase)?)
        };
        series.also = vec![
            (tags::TRIGGER_TIME, VR::DS, text(trigger_ms)),
            (tags::HEART_RATE, VR::IS, format!("{:.0}", self.heart_rate_per_min)),
            (tags::PATIENT_SIZE, VR::DS, "1.80".into()),
            (tags::PATIENT_WEIGHT, VR::DS, "80".into()),
            (tags::BODY_PART_EXAMINED, VR::CS, "HEART".into()),
        ];
        if self.modality == Modality::Ct {
            series.contrast_agent = Some("IOHEXOL 350".into());
        }
        // Slice after slice: every one was taken over the whole cycle.
        let seconds = (0..self.dimensions.slices).map(|slice| f64::from(slice) * 10.0 + trigger_ms / 1000.0);
        series.time_point = Some(TimePoint { number: phase, of: self.phases, seconds: seconds.collect() });
        Ok(series)
    }

    fn volume(&self, phase: u32) -> anyhow::Result<Volume> {
        let Dimensions { columns, rows, slices } = self.dimensions;
        let (mm, step) = (self.pixel_mm, self.slice_distance_mm);
        let first = |count: u32, mm: f64| -f64::from(count - 1) / 2.0 * mm;
        let (x, y, z) = (first(columns, mm), first(rows, mm), first(slices, step));
        let geometry = Geometry {
            column_spacing_mm: mm,
            row_spacing_mm: mm,
            slice_increment_mm: step,
            patient_mm_from_voxel: [[mm, 0.0, 0.0, x], [0.0, mm, 0.0, y], [0.0, 0.0, step, z]],
        };
        let mut random = Random::new(self.seed ^ u64::from(phase));
        let mut values = Vec::with_capacity(self.dimensions.len());
        for slice in 0..slices {
            for row in 0..rows {
                for column in 0..columns {
                    let [x, y, z] = geometry.patient_mm([column, row, slice].map(f64::from));
                    let (sine, cosine) = self.lean_rad.sin_cos();
                    let at = [x * cosine - z * sine, y, x * sine + z * cosine];
                    let noise = random.between(-1.0, 1.0) * self.noise();
                    // MR has no values below zero.
                    let low = if self.modality == Modality::Mr { 0.0 } else { f64::MIN };
                    #[expect(clippy::cast_possible_truncation, reason = "a grey value")]
                    values.push((self.value(at, phase) + noise).max(low) as i16);
                }
            }
        }
        Ok(Volume::new(self.dimensions, geometry, values)?)
    }

    fn noise(&self) -> f64 {
        if self.modality == Modality::Mr { 18.0 } else { 12.0 }
    }

    /// Bright blood, dark muscle; edges blurred over a pixel.
    fn value(&self, [x, y, z]: [f64; 3], phase: u32) -> f64 {
        let [air, tissue, muscle, blood] = match self.modality {
            Modality::Mr => [15.0, 300.0, 190.0, 640.0],
            Modality::Ct => [-1000.0, -80.0, 90.0, 380.0],
        };
        let radii = self.radii_mm(phase);
        let away = |grown: f64| {
            let scaled = [0, 1, 2].map(|axis: usize| ([x, y, z][axis] / (radii[axis] + grown)).powi(2));
            // About how far outside of the ellipsoid, mm.
            (scaled.iter().sum::<f64>().sqrt() - 1.0) * (radii[0] + grown)
        };
        let mix = |inner: f64, outer: f64, away_mm: f64| {
            let inside = (0.5 - away_mm / self.pixel_mm).clamp(0.0, 1.0);
            inner * inside + outer * (1.0 - inside)
        };
        let chest = ((x / CHEST_MM[0]).powi(2) + (y / CHEST_MM[1]).powi(2)).sqrt() - 1.0;
        let around = mix(tissue, air, chest * CHEST_MM[1]);
        // The right ventricle leans against the wall, a crescent of blood.
        let right =
            ((x + radii[0] + self.wall_mm + 4.0) / 22.0).powi(2) + (y / 30.0).powi(2) + (z / 40.0).powi(2);
        let around = mix(blood * 0.95, around, (right.sqrt() - 1.0) * 22.0);
        mix(blood, mix(muscle, around, away(self.wall_mm)), away(0.0))
    }
}

fn ellipse([a, b]: [f64; 2], [x, y]: [f64; 2], pixel_mm: f64) -> Vec<[f64; 2]> {
    let point = |step: u32| {
        let angle = f64::from(step) / f64::from(POINTS) * 2.0 * PI;
        [x + a * angle.cos() / pixel_mm, y + b * angle.sin() / pixel_mm]
    };
    (0..POINTS).map(point).collect()
}
