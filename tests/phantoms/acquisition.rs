//! How a phantom was scanned: field of view, slices, noise, blur, and which way round it is stored.
//!
//! None of it changes what is true: noise never moves a voxel over a bound of the score, blur is drawn as whole voxels
//! whose values are known, and a turned volume holds the same voxels at the same places of the patient.

#![expect(clippy::cast_possible_truncation, reason = "pictures are small; every value was made here")]

use sidelight_kernels::{Dimensions, Geometry, Region, Volume};

use super::chest::{BODY_HALF_DEPTH_MM, BODY_HALF_WIDTH_MM};
use super::random::{Grain, Random};
use super::shape::Point;

/// How the scanner was set.
#[derive(Clone, Copy, Debug)]
pub struct Scan {
    pub matrix: u32,
    /// Side of the picture; None shows the whole chest.
    pub field_mm: Option<f64>,
    /// Distance of slices; None is 2.5 or 3 mm, by the seed.
    pub increment_mm: Option<f64>,
    /// Slice Thickness; None is the distance, more overlaps.
    pub thickness_mm: Option<f64>,
    /// Three times the noise of an ordinary scan.
    pub noisy: bool,
    /// Lesions with edges that fill a voxel in part.
    pub blurred: bool,
    pub turn: Turn,
}

impl Scan {
    pub const SMALL: Self = Self {
        matrix: 256,
        field_mm: None,
        increment_mm: None,
        thickness_mm: None,
        noisy: false,
        blurred: false,
        turn: Turn::None,
    };
}

impl Default for Scan {
    fn default() -> Self {
        Self { matrix: 512, ..Self::SMALL }
    }
}

/// Which way round the voxels are stored; positions and directions say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    None,
    /// Rows run from the patient's left to the right, as on a patient who lay prone or was reconstructed so.
    FlippedColumns,
    /// Columns run from the back to the front.
    FlippedRows,
    /// Rows and columns change places.
    Quarter,
}

impl Turn {
    /// Where a voxel of the straight volume is stored.
    pub(super) fn place(self, straight: Dimensions, [column, row, slice]: [u32; 3]) -> [u32; 3] {
        match self {
            Self::None => [column, row, slice],
            Self::FlippedColumns => [straight.columns - 1 - column, row, slice],
            Self::FlippedRows => [column, straight.rows - 1 - row, slice],
            Self::Quarter => [row, column, slice],
        }
    }

    fn dimensions(self, straight: Dimensions) -> Dimensions {
        match self {
            Self::Quarter => Dimensions { columns: straight.rows, rows: straight.columns, ..straight },
            _ => straight,
        }
    }

    pub(super) fn region(self, straight: &Region) -> Region {
        let from = straight.dimensions();
        let mut turned = Region::nothing(self.dimensions(from));
        for slice in 0..from.slices {
            for row in 0..from.rows {
                for column in 0..from.columns {
                    if straight.contains(column, row, slice) {
                        let [column, row, slice] = self.place(from, [column, row, slice]);
                        turned.insert(column, row, slice);
                    }
                }
            }
        }
        turned
    }

    pub(super) fn volume(self, straight: &Volume) -> Volume {
        let (from, to) = (straight.dimensions(), self.dimensions(straight.dimensions()));
        let mut hounsfield = vec![0; to.len()];
        for slice in 0..from.slices {
            for (at, value) in straight.slice(slice).iter().enumerate() {
                let (column, row) = (at as u32 % from.columns, at as u32 / from.columns);
                let [column, row, slice] = self.place(from, [column, row, slice]);
                hounsfield[((slice * to.rows + row) * to.columns + column) as usize] = *value;
            }
        }
        Volume::new(to, self.geometry(straight), hounsfield).expect("as many voxels as before")
    }

    /// The matrix whose voxels stand where the straight one's do.
    fn geometry(self, straight: &Volume) -> Geometry {
        let (mut geometry, size) = (*straight.geometry(), straight.dimensions());
        for line in &mut geometry.patient_mm_from_voxel {
            match self {
                Self::None => {}
                Self::FlippedColumns => {
                    line[3] += line[0] * f64::from(size.columns - 1);
                    line[0] = -line[0];
                }
                Self::FlippedRows => {
                    line[3] += line[1] * f64::from(size.rows - 1);
                    line[1] = -line[1];
                }
                Self::Quarter => line.swap(0, 1),
            }
        }
        if self == Self::Quarter {
            std::mem::swap(&mut geometry.column_spacing_mm, &mut geometry.row_spacing_mm);
        }
        geometry
    }
}

/// Adds noise that leaves every voxel between the bounds of the score it lies between.
pub(super) fn add_noise(hounsfield: &mut [i16], dimensions: Dimensions, seed: u64) {
    const BOUNDS_HU: [i16; 4] = [130, 200, 300, 400];
    let grain = Grain::new(seed ^ 0x6E6F_6973_6500_0000);
    let columns = dimensions.columns as usize;
    for (at, value) in hounsfield.iter_mut().enumerate() {
        let (row_of_all, column) = (at / columns, at % columns);
        let (row, slice) = (row_of_all % dimensions.rows as usize, row_of_all / dimensions.rows as usize);
        let noise = 3 * grain.at(column, row, slice);
        let low = BOUNDS_HU.into_iter().rev().find(|bound| *bound <= *value).unwrap_or(i16::MIN);
        let high = BOUNDS_HU.into_iter().find(|bound| *bound > *value).map_or(i16::MAX, |bound| bound - 1);
        // What lies outside of the circle of reconstruction holds no signal and no noise.
        if *value > -2000 {
            *value = value.saturating_add(noise).clamp(low.max(-1024), high);
        }
    }
}

/// Where the chest stands: patient millimetres from local ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pose {
    pub(super) center_mm: [f64; 3],
    cosine: f64,
    pub(super) sine: f64,
    pub(super) scale: f64,
}

impl Pose {
    pub(super) fn local(&self, patient_mm: [f64; 3]) -> Point {
        let [x, y, z] = [0, 1, 2].map(|axis| (patient_mm[axis] - self.center_mm[axis]) / self.scale);
        [self.cosine * x + self.sine * y, self.cosine * y - self.sine * x, z].map(|mm| mm as f32)
    }

    pub(super) fn patient_mm(&self, local: Point) -> [f64; 3] {
        let [x, y, z] = local.map(f64::from);
        let turned = [self.cosine * x - self.sine * y, self.sine * x + self.cosine * y, z];
        [0, 1, 2].map(|axis| turned[axis] * self.scale + self.center_mm[axis])
    }
}

/// Chooses where the patient lies and how the scanner covers him.
pub(super) fn set_up(random: &mut Random, scan: Scan) -> (Pose, Dimensions, Geometry) {
    let degrees = random.between(-15.0, 15.0);
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let scale = random.between(0.90, 1.06);
    let center_mm =
        [random.between(-20.0, 20.0), random.between(-160.0, -120.0), random.between(-300.0, 300.0)];
    let pose = Pose { center_mm, cosine, sine, scale };
    let half_width = f64::from(BODY_HALF_WIDTH_MM).hypot(f64::from(BODY_HALF_DEPTH_MM) * sine * 0.5) * scale;
    let whole_mm = 2.0 * half_width + random.between(8.0, 26.0);
    let field_mm = scan.field_mm.unwrap_or(whole_mm);
    // Scanners print spacings with a few digits; so do we, to the micrometre.
    let spacing_mm = (field_mm / f64::from(scan.matrix) * 1000.0).round() / 1000.0;
    let usual_mm = if random.below(2) == 0 { 2.5 } else { 3.0 };
    let slice_increment_mm = scan.increment_mm.unwrap_or(usual_mm);
    let cover_mm = 124.0 * scale;
    let slices = (cover_mm / slice_increment_mm).ceil() as u32 + random.below(4) as u32;
    let middle = if scan.field_mm.is_some() {
        pose.patient_mm([8.0, 4.0, 0.0])
    } else {
        pose.patient_mm([0.0, 6.0, 0.0])
    };
    let half = f64::from(scan.matrix - 1) / 2.0 * spacing_mm;
    // Positions with one digit, as scanners write them.
    let tenths = |mm: f64| (mm * 10.0).round() / 10.0;
    let bottom_mm = tenths(center_mm[2] - 65.0 * scale);
    let left = tenths(middle[0] - half + random.between(-3.0, 3.0));
    let top = tenths(middle[1] - half);
    let geometry = Geometry {
        column_spacing_mm: spacing_mm,
        row_spacing_mm: spacing_mm,
        slice_increment_mm,
        patient_mm_from_voxel: [
            [spacing_mm, 0.0, 0.0, left],
            [0.0, spacing_mm, 0.0, top],
            [0.0, 0.0, slice_increment_mm, bottom_mm],
        ],
    };
    (pose, Dimensions { columns: scan.matrix, rows: scan.matrix, slices }, geometry)
}
