//! A calcium-scoring CT of a synthetic patient whose Agatston score is known without measuring it.
//!
//! Everything varies with the seed and with nothing else: where the chest lies, how it is turned (up to 15
//! degrees), its size, pixel spacing, slice increment and count, where the aorta runs, the lesions.

#![expect(clippy::cast_possible_truncation, reason = "pictures are small; every value was made here")]

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sidelight_kernels::{Dimensions, Geometry, Region, Volume};

use super::acquisition::{Pose, Scan, Turn, add_noise, set_up};
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
    thickness_mm: f64,
}

impl CalciumPatient {
    /// The whole chest, 512 x 512.
    pub fn new(seed: u64) -> Self {
        Self::scanned(seed, Scan::default())
    }

    /// The whole chest, 256 x 256: a quarter of the work, and pixels so large that no speck is below 1 mm2.
    pub fn small(seed: u64) -> Self {
        Self::scanned(seed, Scan::SMALL)
    }

    /// A cardiac field of view: 512 x 512 over 230 mm, only the reconstruction circle filled, lungs cut by it.
    pub fn narrow(seed: u64) -> Self {
        Self::scanned(seed, Scan { field_mm: Some(230.0), ..Scan::default() })
    }

    /// As the scanner was set. Whatever that is, the truth is the one of the lesions as they were written.
    pub fn scanned(seed: u64, scan: Scan) -> Self {
        let mut random = Random::new(seed);
        let chest = Chest::new(&mut random);
        let (pose, dimensions, geometry) = set_up(&mut random, scan);
        let drawing = Drawing { chest: &chest, pose, dimensions, geometry, grain: Grain::new(seed), scan };
        let mut canvas = drawing.canvas();
        let aortic_plaque = drawing.plaque(&mut canvas);
        let mut truth = Truth::default();
        for plan in
            plans(&mut random).into_iter().map(|plan| if scan.blurred { plan.blurred() } else { plan })
        {
            let center = drawing.place(&plan, &canvas);
            canvas.draw(&plan, center);
            truth.record(&plan, center, &geometry);
        }
        if scan.noisy {
            add_noise(&mut canvas.hounsfield, dimensions, seed);
        }
        let volume = Volume::new(dimensions, geometry, canvas.hounsfield).expect("one value a voxel");
        let thickness_mm = scan.thickness_mm.unwrap_or(geometry.slice_increment_mm);
        let (bone, coronary) = (canvas.bone, canvas.coronary);
        let patient = Self { seed, volume, truth, bone, aortic_plaque, coronary, thickness_mm };
        patient.turned(scan.turn)
    }

    /// The same patient, stored the other way round.
    fn turned(mut self, turn: Turn) -> Self {
        let dimensions = self.volume.dimensions();
        self.volume = turn.volume(&self.volume);
        for region in [&mut self.bone, &mut self.aortic_plaque, &mut self.coronary] {
            *region = turn.region(region);
        }
        for lesion in &mut self.truth.lesions {
            lesion.center = turn.place(dimensions, lesion.center);
            lesion
                .slices
                .iter_mut()
                .for_each(|part| part.slice = turn.place(dimensions, [0, 0, part.slice])[2]);
        }
        self
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
        let mut series = Series::calcium(self.seed, self.volume.clone());
        series.ct.slice_thickness_mm = Some(self.thickness_mm);
        series
    }
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
    /// The chest without a lesion.
    fn canvas(&self) -> Canvas {
        let dimensions = self.dimensions;
        let slices: Vec<Vec<Voxel>> =
            (0..dimensions.slices).into_par_iter().map(|slice| self.slice(slice)).collect();
        let voxels: Vec<Voxel> = slices.into_iter().flatten().collect();
        let mark = |wanted: fn(&Voxel) -> bool| {
            Region::from_fn(dimensions, |column, row, slice| {
                wanted(&voxels[index(dimensions, [column, row, slice])])
            })
        };
        Canvas {
            dimensions,
            bone: mark(|voxel| voxel.bone),
            coronary: mark(|voxel| voxel.artery),
            lesions: Region::nothing(dimensions),
            hounsfield: voxels.iter().map(|voxel| voxel.hounsfield).collect(),
        }
    }

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
        // Two pixels still keep lesions apart, where three are not to be had.
        for margin in [3, 2] {
            for step in 0..120_u16 {
                let fraction = (plan.fraction + f32::from(step) * 0.01).rem_euclid(1.0);
                let center = self.voxel(artery.at(fraction)).map(|value| value.round() as u32);
                if canvas.is_free(plan, center, margin) {
                    return center;
                }
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
    /// No other lesion within so many pixels, in these slices and the two beside them; no bone; inside the picture.
    fn is_free(&self, plan: &Plan, center: [u32; 3], margin: u32) -> bool {
        let last = center[2] as usize + plan.slices.len();
        if center[2] == 0 || last >= self.dimensions.slices as usize {
            return false;
        }
        let reach = margin
            + plan
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
