//! Chest CT of a synthetic patient whose lung nodules are known, and much beside them that is round, bright or stuck to
//! the pleura and is no nodule.
//!
//! The chest is the one of the calcium phantom; lungs get a tree of vessels of their own, fissures, texture. Settings
//! come from two families that do not touch.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "millimetres and voxels of a chest"
)]
#![expect(clippy::approx_constant, reason = "directions of things; the networks learnt from exactly these")]

mod growths;
mod tree;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use rayon::prelude::*;
use sidelight_kernels::{Dimensions, Geometry, Volume};

use super::breast::Family;
use super::chest::{AIR_HU, Chest, Sample};
use super::random::Random;
use super::series::Series;
use super::shape::Point;
use growths::{Growth, Kind};
use tree::Tube;

/// Along the body, where the phantom has lungs: local millimetres.
const LUNGS_MM: [f32; 2] = [-58.0, 96.0];

/// The largest nodule's radius.
const NEAR_MM: f64 = 10.0;

/// Side of the blocks in which the bare chest is looked at before each pixel is.
const BLOCK: usize = 4;

/// How a scan samples the chest: local millimetres at the first voxel, distances, counts (columns, rows, slices).
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    pub first_mm: [f32; 3],
    pub step_mm: [f32; 3],
    pub size: [usize; 3],
}

/// A nodule, in voxels of the grid it was drawn on.
#[derive(Clone, Copy, Debug)]
pub struct TrueNodule {
    pub at_voxel: [f64; 3],
    pub diameter_mm: f64,
    pub ground_glass: bool,
}

/// One setting of the generator.
#[derive(Clone, Copy, Debug)]
struct Style {
    /// Tubes that leave each hilum.
    trunks: usize,
    /// How fast they thin.
    taper: f32,
    lung_hu: f32,
    noise_hu: f32,
    /// Waves and depth of a nodule's surface.
    bulges: f32,
    rough: f32,
    /// Of solid nodules.
    solid_hu: f32,
    /// Standard deviation of the blur, in mm.
    blur_mm: f32,
}

impl Style {
    fn new(family: Family, random: &mut Random) -> Self {
        let mut draw = |training: [f64; 2], held_out: [f64; 2]| {
            let [low, high] = if family == Family::Training { training } else { held_out };
            random.between(low, high) as f32
        };
        Self {
            trunks: draw([14.0, 30.0], [31.0, 36.0]) as usize,
            taper: draw([0.68, 0.76], [0.765, 0.79]),
            lung_hu: draw([-890.0, -835.0], [-834.0, -815.0]),
            noise_hu: draw([10.0, 34.0], [34.5, 40.0]),
            bulges: draw([2.0, 5.0], [5.5, 7.0]),
            rough: draw([0.03, 0.14], [0.145, 0.17]),
            solid_hu: draw([-10.0, 70.0], [-30.0, -11.0]),
            blur_mm: draw([0.45, 0.80], [0.30, 0.44]),
        }
    }
}

#[derive(Debug)]
pub struct NodulePatient {
    seed: u64,
    chest: Chest,
    style: Style,
    tubes: Vec<Tube>,
    growths: Vec<Growth>,
    phase: [f32; 6],
}

impl NodulePatient {
    pub fn new(seed: u64, family: Family, nodules: usize) -> Self {
        let mut random = Random::new(seed ^ 0x6C75_6E67_7300_0000);
        let style = Style::new(family, &mut random);
        let chest = Chest::new(&mut random);
        let tubes = tree::grow(style.trunks, style.taper, &mut random);
        let inside =
            |point: Point| (LUNGS_MM[0]..LUNGS_MM[1]).contains(&point[2]) && chest.sample(point).lung;
        let growths = growths::place(nodules, &style, &tubes, &inside, &mut random);
        let phase = [0; 6].map(|_| random.between(0.0, 6.28) as f32);
        Self { seed, chest, style, tubes, growths, phase }
    }

    /// A whole scan: every lung slice, pixels and distances as given.
    pub fn grid(&self, pixel_mm: f32, increment_mm: f32) -> Grid {
        let half = [170.0, 116.0];
        let size = [0, 1].map(|axis| (2.0_f32 * half[axis] / pixel_mm) as usize);
        let slices = ((LUNGS_MM[1] - LUNGS_MM[0]) / increment_mm) as usize;
        Grid {
            first_mm: [-half[0], -half[1], LUNGS_MM[0]],
            step_mm: [pixel_mm, pixel_mm, increment_mm],
            size: [size[0], size[1], slices],
        }
    }

    /// Where something worth looking at lies along the body: a nodule if there are any, else a distractor or anywhere.
    pub fn interesting_z(&self, random: &mut impl FnMut() -> f32) -> f32 {
        let share = random();
        let nodules: Vec<&Growth> =
            self.growths.iter().filter(|growth| growth.kind == Kind::Nodule).collect();
        let others: Vec<&Growth> = self.growths.iter().filter(|growth| growth.kind != Kind::Nodule).collect();
        let from = if !nodules.is_empty() && share < 0.75 { &nodules } else { &others };
        match from.get((random() * from.len() as f32) as usize) {
            Some(growth) if share < 0.9 => growth.at[2],
            _ => LUNGS_MM[0] + (LUNGS_MM[1] - LUNGS_MM[0]) * random(),
        }
    }

    /// Hounsfield units, slice by slice.
    pub fn scan(&self, grid: &Grid) -> Vec<i16> {
        let [columns, rows, slices] = grid.size;
        let sharp: Vec<Vec<f32>> = (0..slices).into_par_iter().map(|slice| self.slice(grid, slice)).collect();
        let mut values = vec![0; columns * rows * slices];
        values.par_chunks_mut(columns * rows).enumerate().for_each(|(slice, out)| {
            let soft = blur(&sharp[slice], columns, self.style.blur_mm / grid.step_mm[0]);
            let mut random = Random::new(self.seed ^ (slice as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let noise = grained(&mut random, columns, rows);
            for ((value, soft), noise) in out.iter_mut().zip(&soft).zip(&noise) {
                *value = (soft + self.style.noise_hu * noise).clamp(-1024.0, 3071.0) as i16;
            }
        });
        values
    }

    /// The scan as a series of CT images, the patient's left at high columns.
    pub fn series(&self, grid: &Grid) -> Series {
        let [columns, rows, slices] = grid.size.map(|side| u32::try_from(side).expect("sides of a scan"));
        let [dx, dy, dz] = grid.step_mm.map(f64::from);
        let [x, y, z] = grid.first_mm.map(f64::from);
        let geometry = Geometry {
            column_spacing_mm: dx,
            row_spacing_mm: dy,
            slice_increment_mm: dz,
            patient_mm_from_voxel: [[dx, 0.0, 0.0, x], [0.0, dy, 0.0, y], [0.0, 0.0, dz, z]],
        };
        let volume = Volume::new(Dimensions { columns, rows, slices }, geometry, self.scan(grid));
        Series {
            patient_name: "Phantom^Lungs".to_owned(),
            study_description: "CT chest, synthetic".to_owned(),
            series_description: "Chest 1.5 Br60, synthetic phantom".to_owned(),
            also: vec![(tags::BODY_PART_EXAMINED, VR::CS, "CHEST".to_owned())],
            ..Series::calcium(self.seed, volume.expect("the scan fills its grid"))
        }
    }

    pub fn nodules(&self, grid: &Grid) -> Vec<TrueNodule> {
        let mut found = Vec::new();
        for growth in self.growths.iter().filter(|growth| growth.kind == Kind::Nodule) {
            let at_voxel =
                [0, 1, 2].map(|axis| f64::from((growth.at[axis] - grid.first_mm[axis]) / grid.step_mm[axis]));
            // A nodule whose middle lies just beyond a short scan still shows in it.
            let near = (0..3).all(|axis| {
                let margin = NEAR_MM / f64::from(grid.step_mm[axis]);
                at_voxel[axis] > -margin && at_voxel[axis] < grid.size[axis] as f64 + margin
            });
            if near {
                found.push(TrueNodule {
                    at_voxel,
                    diameter_mm: 2.0 * f64::from(growth.radius_mm),
                    ground_glass: growth.hounsfield < -300.0,
                });
            }
        }
        found
    }

    fn slice(&self, grid: &Grid, slice: usize) -> Vec<f32> {
        let z = grid.first_mm[2] + grid.step_mm[2] * slice as f32;
        let mut samples = self.chest_slice(grid, z);
        Texture::new(self, grid, z).draw(&mut samples);
        // A slice is as thick as slices are apart: things thinner than that fill it in part.
        let thick = (grid.step_mm[2] / 2.0).max(0.4);
        for tube in &self.tubes {
            tube.draw(grid, z, thick, &mut samples);
        }
        for growth in &self.growths {
            growth.draw(grid, z, thick, &mut samples);
        }
        samples.into_iter().map(|sample| sample.hounsfield).collect()
    }

    /// The bare chest. A block whose corners are all lung, or all air around the body, is that: nothing of the chest is
    /// thin enough to hide in one.
    fn chest_slice(&self, grid: &Grid, z: f32) -> Vec<Sample> {
        let [columns, rows, _] = grid.size;
        let point = |column: usize, row: usize| {
            let [x, y] = [(0, column), (1, row)]
                .map(|(axis, index)| grid.first_mm[axis] + grid.step_mm[axis] * index as f32);
            [x, y, z]
        };
        let lattice_columns = columns.div_ceil(BLOCK) + 1;
        let corners: Vec<Sample> = (0..=rows.div_ceil(BLOCK))
            .flat_map(|row| (0..lattice_columns).map(move |column| (column, row)))
            .map(|(column, row)| self.chest.sample(point(column * BLOCK, row * BLOCK)))
            .collect();
        let mut samples = Vec::with_capacity(columns * rows);
        for row in 0..rows {
            for column in 0..columns {
                let upper = row / BLOCK * lattice_columns + column / BLOCK;
                let four = [upper, upper + 1, upper + lattice_columns, upper + lattice_columns + 1];
                let four = four.map(|at| corners[at]);
                let alike = four.iter().all(|corner| corner.lung)
                    || four.iter().all(|corner| corner.hounsfield == AIR_HU);
                samples.push(if alike { four[0] } else { self.chest.sample(point(column, row)) });
            }
        }
        samples
    }
}

/// What fills a slice of lung between its vessels: clouds of more and less air, two fissures. Each wave depends on one
/// direction only, so that it is computed once a line.
struct Texture {
    columns: Vec<[f32; 3]>,
    rows: Vec<[f32; 3]>,
    slice: [f32; 3],
    hounsfield: f32,
}

impl Texture {
    fn new(patient: &NodulePatient, grid: &Grid, z: f32) -> Self {
        let [a, b, c, d, e, f] = patient.phase;
        let along = |axis: usize| {
            (0..grid.size[axis]).map(move |at| grid.first_mm[axis] + grid.step_mm[axis] * at as f32)
        };
        let column = |x: f32| [(x * 0.11 + a).sin(), (x * 0.31 + d).sin(), 8.0 * (x * 0.05 + a).sin()];
        let row = |y: f32| [(y * 0.13 + b).sin(), (y * 0.27 + e).sin(), 0.8 * y];
        Self {
            columns: along(0).map(column).collect(),
            rows: along(1).map(row).collect(),
            slice: [(z * 0.12 + c).sin(), (z * 0.33 + f).sin(), 12.0 * b.sin() - 0.6 * z],
            hounsfield: patient.style.lung_hu,
        }
    }

    fn draw(&self, samples: &mut [Sample]) {
        for (line, row) in samples.chunks_exact_mut(self.columns.len()).zip(&self.rows) {
            for (sample, column) in line.iter_mut().zip(&self.columns).filter(|(sample, _)| sample.lung) {
                let wave = |number: usize| column[number] * row[number] * self.slice[number];
                let fissure = (column[2] + row[2] + self.slice[2]).abs();
                // Gravity: the back of the lung is denser.
                let hounsfield = self.hounsfield + 0.35 / 0.8 * row[2] + 22.0 * (wave(0) + 0.6 * wave(1));
                sample.hounsfield = hounsfield + 170.0 * (1.0 - fissure / 0.7).max(0.0);
            }
        }
    }
}

/// Gaussian blur by three taps each way, as far as these reach.
fn blur(sharp: &[f32], columns: usize, sigma_px: f32) -> Vec<f32> {
    let side = (-0.5 / (sigma_px * sigma_px).max(0.02)).exp();
    let [centre, side] = [1.0 / (1.0 + 2.0 * side), side / (1.0 + 2.0 * side)];
    let mut across = sharp.to_vec();
    for (out, line) in across.chunks_exact_mut(columns).zip(sharp.chunks_exact(columns)) {
        for column in 1..columns - 1 {
            out[column] = centre * line[column] + side * (line[column - 1] + line[column + 1]);
        }
    }
    let mut both = across.clone();
    for at in columns..across.len() - columns {
        both[at] = centre * across[at] + side * (across[at - columns] + across[at + columns]);
    }
    both
}

/// Noise with a grain of about two pixels, deviation about one.
fn grained(random: &mut Random, columns: usize, rows: usize) -> Vec<f32> {
    let white: Vec<f32> = (0..columns * rows)
        .map(|_| {
            let [a, b, c, d, ..] = random.next().to_le_bytes();
            (f32::from(a) + f32::from(b) + f32::from(c) + f32::from(d) - 510.0) / 148.0
        })
        .collect();
    let mut out = white.clone();
    for at in columns + 1..white.len() - columns - 1 {
        let cross = white[at - 1] + white[at + 1] + white[at - columns] + white[at + columns];
        out[at] = (2.0 * white[at] + cross) / 2.83;
    }
    out
}
