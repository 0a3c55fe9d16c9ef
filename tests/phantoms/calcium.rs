//! A calcium-scoring CT of a synthetic patient whose Agatston score is known without measuring it.
//!
//! Everything varies with the seed and with nothing else: where the chest lies, how it is turned (up to 15
//! degrees), its size, pixel spacing, slice increment and count, where the aorta runs, the lesions.

#![expect(clippy::cast_possible_truncation, reason = "pictures are small; every value was made here")]

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sidelight_kernels::{Dimensions, Geometry, Region, Volume};

use super::chest::{AIR_HU, BODY_HALF_DEPTH_MM, BODY_HALF_WIDTH_MM, Chest, Sample, Twig};
use super::lesions::{Plan, Truth, plans};
use super::random::{Grain, Random};
use super::series::{self, Encoding, Series};
use super::shape::{Point, capsule};

/// What a reconstruction circle leaves outside itself.
const PADDING_HU: i16 = -2048;
const PLAQUE_HU: i16 = 480;
/// How bright the blur around a lesion is drawn: visible, and safely below 130 HU.
const HALO_HU: i16 = 98;

/// The patient: pictures, truth, and where each kind of calcium lies.
#[derive(Debug)]
pub struct CalciumPatient {
    pub seed: u64,
    pub volume: Volume,
    pub truth: Truth,
    /// Every voxel of bone, its blurred rim above 130 HU included.
    pub bone: Region,
    /// A plaque in the wall of the descending aorta, beside the spine.
    pub aortic_plaque: Region,
    /// The coronary arteries and all their lesions.
    pub coronary: Region,
}

/// How the scanner was set.
#[derive(Clone, Copy, Debug)]
struct Scan {
    matrix: u32,
    /// Side of the picture; None shows the whole chest.
    field_mm: Option<f64>,
}

/// Where the chest stands: patient millimetres from local ones.
#[derive(Clone, Copy, Debug)]
struct Pose {
    center_mm: [f64; 3],
    cosine: f64,
    sine: f64,
    scale: f64,
}

impl Pose {
    fn local(&self, patient_mm: [f64; 3]) -> Point {
        let [x, y, z] = [0, 1, 2].map(|axis| (patient_mm[axis] - self.center_mm[axis]) / self.scale);
        [self.cosine * x + self.sine * y, self.cosine * y - self.sine * x, z].map(|mm| mm as f32)
    }

    fn patient_mm(&self, local: Point) -> [f64; 3] {
        let [x, y, z] = local.map(f64::from);
        let turned = [self.cosine * x - self.sine * y, self.sine * x + self.cosine * y, z];
        [0, 1, 2].map(|axis| turned[axis] * self.scale + self.center_mm[axis])
    }
}

impl CalciumPatient {
    /// The whole chest, 512 x 512.
    pub fn new(seed: u64) -> Self {
        Self::scanned(seed, Scan { matrix: 512, field_mm: None })
    }

    /// The whole chest, 256 x 256: a quarter of the work, and pixels so large that no speck is below 1 mm2.
    pub fn small(seed: u64) -> Self {
        Self::scanned(seed, Scan { matrix: 256, field_mm: None })
    }

    /// A cardiac field of view: 512 x 512 over 230 mm, only the reconstruction circle filled, lungs cut by it.
    pub fn narrow(seed: u64) -> Self {
        Self::scanned(seed, Scan { matrix: 512, field_mm: Some(230.0) })
    }

    fn scanned(seed: u64, scan: Scan) -> Self {
        let mut random = Random::new(seed);
        let chest = Chest::new(&mut random);
        let (pose, dimensions, geometry) = set_up(&mut random, scan);
        let drawing = Drawing { chest: &chest, pose, dimensions, geometry, grain: Grain::new(seed), scan };
        let slices: Vec<Vec<Voxel>> =
            (0..dimensions.slices).into_par_iter().map(|slice| drawing.slice(slice)).collect();
        let voxels: Vec<Voxel> = slices.into_iter().flatten().collect();
        let mark = |wanted: fn(&Voxel) -> bool| {
            Region::from_fn(dimensions, |column, row, slice| {
                wanted(&voxels[index(dimensions, [column, row, slice])])
            })
        };
        let mut canvas = Canvas {
            dimensions,
            bone: mark(|voxel| voxel.bone),
            coronary: mark(|voxel| voxel.artery),
            lesions: Region::nothing(dimensions),
            hounsfield: voxels.iter().map(|voxel| voxel.hounsfield).collect(),
        };
        let aortic_plaque = drawing.plaque(&mut canvas);
        let mut truth = Truth::default();
        for plan in plans(&mut random) {
            let center = drawing.place(&plan, &canvas);
            canvas.draw(&plan, center);
            truth.record(&plan, center, &geometry);
        }
        let volume = Volume::new(dimensions, geometry, canvas.hounsfield).expect("one value a voxel");
        Self { seed, volume, truth, bone: canvas.bone, aortic_plaque, coronary: canvas.coronary }
    }

    /// One CT Image Storage file a slice, named in an order that says nothing about position.
    pub fn write_dicom(&self, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        self.write_dicom_as(folder, Encoding::ExplicitLittleEndian)
    }

    pub fn write_dicom_as(&self, folder: &Path, encoding: Encoding) -> anyhow::Result<Vec<PathBuf>> {
        series::write(&self.series(), encoding, folder)
    }

    /// The series as it would be written; change it to make a defective or enhanced one.
    pub fn series(&self) -> Series {
        Series::calcium(self.seed, self.volume.clone())
    }
}

/// Chooses where the patient lies and how the scanner covers him.
fn set_up(random: &mut Random, scan: Scan) -> (Pose, Dimensions, Geometry) {
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
    let slice_increment_mm = if random.below(2) == 0 { 2.5 } else { 3.0 };
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

fn index(dimensions: Dimensions, [column, row, slice]: [u32; 3]) -> usize {
    (slice as usize * dimensions.rows as usize + row as usize) * dimensions.columns as usize + column as usize
}

/// One finished voxel without lesions.
#[derive(Clone, Copy, Debug)]
struct Voxel {
    hounsfield: i16,
    bone: bool,
    artery: bool,
}

/// The background of all slices.
struct Drawing<'a> {
    chest: &'a Chest,
    pose: Pose,
    dimensions: Dimensions,
    geometry: Geometry,
    grain: Grain,
    scan: Scan,
}

impl Drawing<'_> {
    fn local(&self, column: u32, row: u32, slice: u32) -> Point {
        self.pose.local(self.geometry.patient_mm([column, row, slice].map(f64::from)))
    }

    fn slice(&self, slice: u32) -> Vec<Voxel> {
        let (columns, rows) = (self.dimensions.columns as usize, self.dimensions.rows as usize);
        let mut samples = Vec::with_capacity(columns * rows);
        for row in 0..self.dimensions.rows {
            for column in 0..self.dimensions.columns {
                let sample = self.chest.sample(self.local(column, row, slice));
                let table = (sample.hounsfield == AIR_HU).then(|| self.table(column, row)).flatten();
                samples.push(table.map_or(sample, |hounsfield| Sample {
                    hounsfield,
                    bone: false,
                    lung: false,
                }));
            }
        }
        let inside = |sample: &Sample| sample.hounsfield > -990.0;
        for twig in &self.chest.twigs {
            self.grow(twig, slice, &mut samples);
        }
        let sharp: Vec<f32> = samples.iter().map(|sample| sample.hounsfield).collect();
        let soft = blur(&sharp, columns);
        let voxel = |at: usize| {
            let (column, row) = (at % columns, at / columns);
            if self.outside_circle(column, row) {
                return Voxel { hounsfield: PADDING_HU, bone: false, artery: false };
            }
            let local = self.local(column as u32, row as u32, slice);
            let hounsfield = soft[at].round() as i16 + self.grain.at(column, row, slice as usize);
            let on_patient = inside(&samples[at]) && self.table(column as u32, row as u32).is_none();
            let artery = on_patient && self.chest.heart.in_artery(local);
            Voxel { hounsfield, bone: samples[at].bone || (on_patient && hounsfield >= 130), artery }
        };
        (0..columns * rows).into_par_iter().map(voxel).collect()
    }

    fn outside_circle(&self, column: usize, row: usize) -> bool {
        let half = f64::from(self.scan.matrix - 1) / 2.0;
        self.scan.field_mm.is_some() && (column as f64 - half).hypot(row as f64 - half) > half
    }

    /// The couch does not turn with the patient: two thin shells with foam between, slightly hollow.
    fn table(&self, column: u32, row: u32) -> Option<f32> {
        let [x, y, _] = self.geometry.patient_mm([f64::from(column), f64::from(row), 0.0]);
        let (across, down) = (x - self.pose.center_mm[0], y - self.pose.center_mm[1]);
        let tilt = self.pose.sine.abs() * f64::from(BODY_HALF_WIDTH_MM) * 0.33;
        let lowest = (f64::from(BODY_HALF_DEPTH_MM) + tilt) * self.pose.scale;
        let depth = across.hypot(down - lowest + 620.0) - 620.0;
        match depth {
            _ if down < 0.0 || across.abs() > 205.0 || !(0.0..16.0).contains(&depth) => None,
            depth if !(1.5..14.5).contains(&depth) => Some(210.0),
            _ => Some(-930.0),
        }
    }

    /// Draws one vessel of the lung into a slice.
    fn grow(&self, twig: &Twig, slice: u32, samples: &mut [Sample]) {
        let middle = self.local(0, 0, slice)[2];
        let reach = twig.radius_mm + 1.0;
        if middle < twig.from[2].min(twig.to[2]) - reach || middle > twig.from[2].max(twig.to[2]) + reach {
            return;
        }
        let ends = [twig.from, twig.to].map(|end| self.voxel(end));
        let margin = f64::from(reach) * self.pose.scale / self.geometry.column_spacing_mm + 1.0;
        let range = |axis: usize, size: u32| {
            let low = (ends[0][axis].min(ends[1][axis]) - margin).max(0.0) as u32;
            let high = (ends[0][axis].max(ends[1][axis]) + margin).clamp(0.0, f64::from(size)) as u32;
            low..high
        };
        for row in range(1, self.dimensions.rows) {
            for column in range(0, self.dimensions.columns) {
                let sample = &mut samples[index(self.dimensions, [column, row, 0])];
                let distance = capsule(self.local(column, row, slice), twig.from, twig.to, twig.radius_mm);
                let cover = (0.5 - distance / 0.8).clamp(0.0, 1.0);
                if sample.lung && cover > 0.0 {
                    let drawn = sample.hounsfield + (38.0 - sample.hounsfield) * cover;
                    sample.hounsfield = drawn.max(sample.hounsfield);
                }
            }
        }
    }

    /// Voxel coordinates of a local point; the pictures are straight axial ones.
    fn voxel(&self, local: Point) -> [f64; 3] {
        let patient = self.pose.patient_mm(local);
        let matrix = &self.geometry.patient_mm_from_voxel;
        [0, 1, 2].map(|axis| (patient[axis] - matrix[axis][3]) / matrix[axis][axis])
    }

    /// Writes a curved plaque into the wall of the descending aorta on the side of the spine.
    fn plaque(&self, canvas: &mut Canvas) -> Region {
        let mut plaque = Region::nothing(self.dimensions);
        for slice in 0..self.dimensions.slices {
            for row in 0..self.dimensions.rows {
                for column in 0..self.dimensions.columns {
                    let [x, y, z] = self.local(column, row, slice);
                    let (across, down) = (x - self.chest.aorta[0], y - self.chest.aorta[1]);
                    let depth = across.hypot(down) - self.chest.aorta_radius_mm;
                    let facing_spine = down > across * 0.35 && down > -across * 0.6;
                    if (-18.0..14.0).contains(&z) && (-2.6..-0.4).contains(&depth) && facing_spine {
                        plaque.insert(column, row, slice);
                        canvas.bone.remove(column, row, slice);
                        canvas.hounsfield[index(self.dimensions, [column, row, slice])] = PLAQUE_HU;
                    }
                }
            }
        }
        plaque
    }

    /// Finds a free place for a lesion: as planned, else a little further along its artery.
    fn place(&self, plan: &Plan, canvas: &Canvas) -> [u32; 3] {
        let artery = self.chest.heart.arteries.iter().find(|artery| artery.name == plan.artery);
        let artery = artery.expect("plans name arteries that the heart has");
        for step in 0..120_u16 {
            let fraction = (plan.fraction + f32::from(step) * 0.01).rem_euclid(1.0);
            let center = self.voxel(artery.at(fraction)).map(|value| value.round() as u32);
            if canvas.is_free(plan, center) {
                return center;
            }
        }
        panic!("an artery has room for all its lesions")
    }
}

/// The picture while lesions are drawn into it.
struct Canvas {
    dimensions: Dimensions,
    hounsfield: Vec<i16>,
    bone: Region,
    coronary: Region,
    lesions: Region,
}

impl Canvas {
    /// No other lesion within three pixels, in these slices and the two beside them; no bone; inside the picture.
    fn is_free(&self, plan: &Plan, center: [u32; 3]) -> bool {
        let last = center[2] as usize + plan.slices.len();
        if center[2] == 0 || last >= self.dimensions.slices as usize {
            return false;
        }
        let reach = 3 + plan
            .slices
            .iter()
            .flatten()
            .flat_map(|patch| &patch.pixels)
            .flatten()
            .map(|o| o.unsigned_abs())
            .max()
            .unwrap_or(0);
        let span = |middle: u32| middle.saturating_sub(reach)..=middle + reach;
        (center[2] - 1..=last as u32).all(|slice| {
            span(center[1]).all(|row| {
                span(center[0]).all(|column| {
                    !self.lesions.contains(column, row, slice) && !self.bone.contains(column, row, slice)
                })
            })
        })
    }

    fn draw(&mut self, plan: &Plan, center: [u32; 3]) {
        for (slice, patches) in (center[2]..).zip(&plan.slices) {
            for patch in patches {
                for [across, down] in &patch.pixels {
                    let column = offset(center[0], *across);
                    let row = offset(center[1], *down);
                    self.halo(column, row, slice);
                    self.hounsfield[index(self.dimensions, [column, row, slice])] = patch.hounsfield;
                    self.lesions.insert(column, row, slice);
                    self.coronary.insert(column, row, slice);
                }
            }
        }
    }

    /// Raises what surrounds a lesion pixel, as a scanner's blur would; never a pixel of the lesion itself.
    fn halo(&mut self, column: u32, row: u32, slice: u32) {
        for row in row - 1..=row + 1 {
            for column in column - 1..=column + 1 {
                if !self.lesions.contains(column, row, slice) {
                    let hounsfield = &mut self.hounsfield[index(self.dimensions, [column, row, slice])];
                    *hounsfield = (*hounsfield).max(HALO_HU);
                }
            }
        }
    }
}

/// Binomial 3 x 3: the softness of a standard kernel. The outermost pixels stay as they are.
fn blur(sharp: &[f32], columns: usize) -> Vec<f32> {
    let mut soft = sharp.to_vec();
    let rows = sharp.len() / columns;
    let across = |at: usize| sharp[at - 1] + 2.0 * sharp[at] + sharp[at + 1];
    for row in 1..rows - 1 {
        for column in 1..columns - 1 {
            let at = row * columns + column;
            soft[at] = (across(at - columns) + 2.0 * across(at) + across(at + columns)) / 16.0;
        }
    }
    soft
}

fn offset(center: u32, by: i32) -> u32 {
    center.checked_add_signed(by).expect("is_free kept the lesion off the border")
}
