//! A head whose blood flow is known, for CT perfusion, after the plan of Kudo's phantom (Radiology 2013;267:201):
//! tiles of brain that differ in blood volume and transit time, slices that differ in delay, an artery and a vein
//! that are blood and nothing else, in a ring of CSF and a skull.
//!
//! What a voxel shows is worked out where the head is at that moment, so a moved head is moved exactly. Tissue is
//! `c_t = rho / k_H * CBF / 6000 * (c_a (*) exp(-t / MTT))`, integrated in steps far below those of any scanner.

mod curves;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use sidelight_kernels::perfusion::{Dynamic, Pose, SliceSeries};
use sidelight_kernels::{Dimensions, Geometry, Region};

use super::random::Random;
use curves::Bolus;

/// When slices are scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquisition {
    /// All at once.
    Continuous,
    /// The lower half, then, half an interval later, the upper half.
    Shuttle,
    /// Even slices, then, half an interval later, odd ones.
    Interleaved,
}

/// What the brain is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Blood volume grows from row to row of tiles, transit time from column to column, delay from slice to slice.
    Tiles,
    /// Healthy tissue with a sphere of late, slow tissue in the right hemisphere, and a smaller one of dead tissue in it.
    Stroke,
}

/// Blood in tissue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// mL/100 g/min.
    pub cbf: f64,
    /// mL/100 g.
    pub cbv: f64,
    /// Behind the artery.
    pub delay_s: f64,
}

impl Flow {
    pub fn mtt_s(&self) -> f64 {
        60.0 * self.cbv / self.cbf
    }
}

/// Blood volumes and transit times of the tiles, delays of the slices.
const CBV: [f64; 4] = [1.5, 2.5, 3.5, 4.5];
const MTT_S: [f64; 5] = [3.4, 4.8, 8.0, 12.0, 18.0];
const DELAY_S: [f64; 4] = [0.0, 1.0, 2.0, 3.0];

const HEALTHY: Flow = Flow { cbf: 50.0, cbv: 3.5, delay_s: 1.0 };
const LATE: Flow = Flow { cbf: 22.0, cbv: 4.4, delay_s: 7.0 };
const DEAD: Flow = Flow { cbf: 4.0, cbv: 0.8, delay_s: 7.0 };

/// The sphere of late tissue and the dead one in it: centre from the middle of the brain, radius.
const LATE_CENTER_MM: [f64; 3] = [-32.0, 0.0, 0.0];
const LATE_RADIUS_MM: f64 = 28.0;
const DEAD_RADIUS_MM: f64 = 17.0;

/// Half axes of the outside of the skull, and what follows inwards from it.
const HEAD_MM: [f64; 2] = [72.0, 88.0];
const SKULL_MM: f64 = 7.0;
const CSF_MM: f64 = 5.0;

/// Middle (from the middle of the brain) and radius of the middle cerebral arteries and the sagittal sinus, which run
/// straight through the slices.
const ARTERIES_MM: [([f64; 2], f64); 2] = [([-28.0, -40.0], 2.2), ([28.0, -40.0], 2.2)];
const VEIN_MM: ([f64; 2], f64) = ([0.0, 70.0], 4.5);

/// What fills a place.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Material {
    Air,
    Bone,
    Csf,
    Artery,
    Vein,
    Tissue(Flow),
}

/// A patient in a perfusion scan.
#[derive(Clone, Debug)]
pub struct BrainPatient {
    pub seed: u64,
    pub dimensions: Dimensions,
    /// Columns, rows, slices.
    pub spacing_mm: [f64; 3],
    pub pattern: Pattern,
    pub acquisition: Acquisition,
    pub passes: usize,
    pub interval_s: f64,
    /// Standard deviation.
    pub noise_hu: f64,
    /// Where the head lay in passes in which it had moved, as [`Pose`] counts: columns, rows, slices from the middle.
    pub moves: Vec<(usize, Pose)>,
}

impl BrainPatient {
    /// Small enough for a test: 2 mm pixels, 5 mm slices, 45 time points in 66 s, no noise, no motion.
    pub fn small(seed: u64, pattern: Pattern) -> Self {
        Self {
            seed,
            dimensions: Dimensions { columns: 96, rows: 96, slices: 8 },
            spacing_mm: [2.0, 2.0, 5.0],
            pattern,
            acquisition: Acquisition::Continuous,
            passes: 45,
            interval_s: 1.5,
            noise_hu: 0.0,
            moves: Vec::new(),
        }
    }

    /// The matrix of a scanner: 0.45 mm pixels.
    pub fn full_size(seed: u64, pattern: Pattern, slices: u32, passes: usize, interval_s: f64) -> Self {
        Self {
            dimensions: Dimensions { columns: 512, rows: 512, slices },
            spacing_mm: [0.45, 0.45, 5.0],
            passes,
            interval_s,
            noise_hu: 8.0,
            ..Self::small(seed, pattern)
        }
    }

    pub fn geometry(&self) -> Geometry {
        let [x, y, z] = self.spacing_mm;
        let middle = self.middle();
        Geometry {
            column_spacing_mm: x,
            row_spacing_mm: y,
            slice_increment_mm: z,
            patient_mm_from_voxel: [
                [x, 0.0, 0.0, -x * middle[0]],
                [0.0, y, 0.0, -y * middle[1]],
                [0.0, 0.0, z, -z * middle[2]],
            ],
        }
    }

    /// What is known about the tissue of a voxel; `None` where there is none.
    pub fn truth(&self, voxel: [u32; 3]) -> Option<Flow> {
        match self.material(self.place_mm(voxel), voxel[2]) {
            Material::Tissue(flow) => Some(flow),
            _ => None,
        }
    }

    /// Late tissue, dead or not, and dead tissue, mL, counted in voxels.
    pub fn late_and_dead_ml(&self) -> [f64; 2] {
        let voxel_ml = self.spacing_mm.iter().product::<f64>() / 1000.0;
        [[LATE, DEAD].as_slice(), &[DEAD]].map(|flows| {
            self.region(|material| matches!(material, Material::Tissue(flow) if flows.contains(&flow)))
                .count() as f64
                * voxel_ml
        })
    }

    pub fn artery(&self) -> Region {
        self.region(|material| material == Material::Artery)
    }

    pub fn vein(&self) -> Region {
        self.region(|material| material == Material::Vein)
    }

    fn region(&self, wanted: impl Fn(Material) -> bool) -> Region {
        Region::from_fn(self.dimensions, |column, row, slice| {
            let voxel = [column, row, slice];
            wanted(self.material(self.place_mm(voxel), slice))
        })
    }

    /// When a slice is scanned in a pass, seconds from the start of the scan.
    pub fn time_s(&self, pass: usize, slice: u32) -> f64 {
        let later = match self.acquisition {
            Acquisition::Continuous => false,
            Acquisition::Shuttle => slice >= self.dimensions.slices / 2,
            Acquisition::Interleaved => slice % 2 == 1,
        };
        self.interval_s * (pass as f64 + if later { 0.5 } else { 0.0 })
    }

    /// Every frame of every slice.
    pub fn dynamic(&self) -> Dynamic {
        let noise = Noise::new(self.seed, self.noise_hu);
        let slices = (0..self.dimensions.slices).map(|slice| self.slice(slice, &noise)).collect();
        Dynamic::new(self.dimensions, self.geometry(), slices).expect("a patient is a series")
    }

    fn slice(&self, slice: u32, noise: &Noise) -> SliceSeries {
        let times_s: Vec<f64> = (0..self.passes).map(|pass| self.time_s(pass, slice)).collect();
        let mut curves = Curves {
            bolus: Bolus::default(),
            times_s: times_s.clone(),
            known: HashMap::new(),
            rows: Vec::new(),
        };
        let still = self.curve_numbers(slice, &Pose::default(), &mut curves);
        let mut hounsfield = Vec::with_capacity(self.passes * self.dimensions.slice_len());
        for pass in 0..self.passes {
            let moved = self.moves.iter().find(|(moved, _)| *moved == pass);
            let numbers = moved.map(|(_, pose)| self.curve_numbers(slice, pose, &mut curves));
            let seed = u64::from(slice) << 32 | pass as u64;
            let values = numbers.as_ref().unwrap_or(&still).iter().map(|&number| curves.rows[number][pass]);
            hounsfield.extend(values.zip(noise.from(seed)).map(|(hu, noise)| hu + noise));
        }
        SliceSeries { times_s, hounsfield }
    }

    /// Which curve each voxel of a slice shows while the head lies so.
    fn curve_numbers(&self, slice: u32, pose: &Pose, curves: &mut Curves) -> Vec<usize> {
        let Dimensions { columns, rows, .. } = self.dimensions;
        let voxels = (0..rows).flat_map(|row| (0..columns).map(move |column| [column, row, slice]));
        let moved = *pose != Pose::default();
        voxels
            .map(|voxel| {
                let seen_mm = self.place_mm(voxel);
                let place_mm = if moved { unmoved(pose, seen_mm) } else { seen_mm };
                let at_slice = (place_mm[2] / self.spacing_mm[2] + self.middle()[2]).round();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "clamped to the slices"
                )]
                let at_slice = at_slice.clamp(0.0, f64::from(self.dimensions.slices - 1)) as u32;
                curves.number(self.material(place_mm, at_slice))
            })
            .collect()
    }

    fn middle(&self) -> [f64; 3] {
        let Dimensions { columns, rows, slices } = self.dimensions;
        [columns, rows, slices].map(|voxels| (f64::from(voxels) - 1.0) / 2.0)
    }

    /// From the middle of the matrix.
    fn place_mm(&self, voxel: [u32; 3]) -> [f64; 3] {
        let middle = self.middle();
        std::array::from_fn(|axis| (f64::from(voxel[axis]) - middle[axis]) * self.spacing_mm[axis])
    }

    fn material(&self, place_mm: [f64; 3], slice: u32) -> Material {
        let [x, y, z] = place_mm;
        // The skull narrows towards the vertex, so that it says where it is in every direction.
        let narrow = 1.0 - (z / 120.0).powi(2).min(0.8) * 0.9 - z / 600.0;
        let depth_mm = |inwards: f64| {
            let [across, along] = HEAD_MM.map(|half| half * narrow - inwards);
            (x / across).powi(2) + (y / along).powi(2)
        };
        let within = |(middle, radius): ([f64; 2], f64)| {
            (x - middle[0]).powi(2) + (y - middle[1]).powi(2) <= radius * radius
        };
        match () {
            () if depth_mm(0.0) > 1.0 => Material::Air,
            () if depth_mm(SKULL_MM) > 1.0 => Material::Bone,
            () if within(VEIN_MM) => Material::Vein,
            () if depth_mm(SKULL_MM + CSF_MM) > 1.0 => Material::Csf,
            () if ARTERIES_MM.into_iter().any(within) => Material::Artery,
            () => Material::Tissue(self.flow(place_mm, slice)),
        }
    }

    fn flow(&self, place_mm: [f64; 3], slice: u32) -> Flow {
        match self.pattern {
            Pattern::Tiles => {
                let tile = |position: f64, half: f64, tiles: usize| {
                    let at = ((position / half + 1.0) / 2.0 * tiles as f64).clamp(0.0, tiles as f64 - 1.0);
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
                    let at = at as usize;
                    at
                };
                let mtt_s = MTT_S[tile(place_mm[0], HEAD_MM[0] * 0.7, MTT_S.len())];
                let cbv = CBV[tile(place_mm[1], HEAD_MM[1] * 0.7, CBV.len())];
                Flow { cbf: 60.0 * cbv / mtt_s, cbv, delay_s: DELAY_S[slice as usize % DELAY_S.len()] }
            }
            Pattern::Stroke => {
                let squares = (0..3).map(|axis| (place_mm[axis] - LATE_CENTER_MM[axis]).powi(2)).sum::<f64>();
                match squares.sqrt() {
                    distance if distance < DEAD_RADIUS_MM => DEAD,
                    distance if distance < LATE_RADIUS_MM => LATE,
                    _ => HEALTHY,
                }
            }
        }
    }
}

/// Where a point that is seen at `seen_mm` lies in the head that has not moved: `R^T (seen - t)`.
fn unmoved(pose: &Pose, seen_mm: [f64; 3]) -> [f64; 3] {
    let shifted: [f64; 3] = std::array::from_fn(|axis| seen_mm[axis] - pose.translation_mm[axis]);
    let angle = pose.rotation_rad.iter().map(|x| x * x).sum::<f64>().sqrt();
    if angle == 0.0 {
        return shifted;
    }
    // Rodrigues' formula for the opposite turn.
    let [u, v, w] = pose.rotation_rad.map(|x| -x / angle);
    let [x, y, z] = shifted;
    let along = (u * x + v * y + w * z) * (1.0 - angle.cos());
    let cross = [v * z - w * y, w * x - u * z, u * y - v * x];
    std::array::from_fn(|axis| {
        shifted[axis] * angle.cos() + cross[axis] * angle.sin() + [u, v, w][axis] * along
    })
}

/// What each material of a slice shows in each pass, as far as it was asked for.
struct Curves {
    bolus: Bolus,
    times_s: Vec<f64>,
    known: HashMap<[u64; 4], usize>,
    rows: Vec<Vec<i16>>,
}

impl Curves {
    fn number(&mut self, material: Material) -> usize {
        let flow = if let Material::Tissue(flow) = material { flow } else { DEAD };
        let kind = match material {
            Material::Air => 0,
            Material::Bone => 1,
            Material::Csf => 2,
            Material::Artery => 3,
            Material::Vein => 4,
            Material::Tissue(_) => 5,
        };
        let key = [kind, flow.cbf.to_bits(), flow.cbv.to_bits(), flow.delay_s.to_bits()];
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let at = |time_s: f64| match material {
            Material::Air => -1000.0,
            Material::Bone => 900.0,
            Material::Csf => 6.0,
            Material::Artery => 42.0 + self.bolus.artery_hu(time_s),
            Material::Vein => 42.0 + self.bolus.vein_hu(time_s),
            Material::Tissue(flow) => 34.0 + self.bolus.tissue_hu(&flow, time_s),
        };
        #[expect(clippy::cast_possible_truncation, reason = "Hounsfield units")]
        let row = self.times_s.iter().map(|&time_s| at(time_s).round() as i16).collect();
        self.rows.push(row);
        self.known.insert(key, self.rows.len() - 1);
        self.rows.len() - 1
    }
}

/// A long tape of noise that every frame reads from somewhere else.
struct Noise(Vec<i16>);

impl Noise {
    const TAPE: usize = 1 << 16;

    fn new(seed: u64, deviation_hu: f64) -> Self {
        let mut random = Random::new(seed ^ 0x6E6F_6973_6500_0000);
        // Twelve uniform numbers have the variance 1.
        let mut normal = || (0..12).map(|_| random.between(-0.5, 0.5)).sum::<f64>();
        #[expect(clippy::cast_possible_truncation, reason = "a few Hounsfield units")]
        let tape = (0..Self::TAPE).map(|_| (normal() * deviation_hu).round() as i16).collect();
        Self(tape)
    }

    fn from(&self, frame: u64) -> impl Iterator<Item = i16> {
        let start = usize::try_from(Random::new(frame).next() % Self::TAPE as u64).expect("within the tape");
        // A stride that shares no factor with the tape, other in every frame.
        let stride = 2 * usize::try_from(frame % 997).expect("small") + 1;
        (0..).map(move |voxel: usize| self.0[(start + voxel.wrapping_mul(stride)) % Self::TAPE])
    }
}
