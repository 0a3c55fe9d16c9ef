//! Twin of the `rendering` kernel: one ray a pixel, blocks of rows shared among threads.

#![expect(clippy::cast_possible_truncation, reason = "positions and levels; `as` saturates")]

use std::ops::ControlFlow;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::sampling::{Sampler, Spot};
use super::within;
use crate::rendering::{
    CELL, Frame, MODE_AVERAGE, MODE_MAXIMUM, MODE_MINIMUM, MODE_VOLUME, Macrocells, Planned, RenderError,
    Scene,
};

/// Rows of a turn: about 30 ms of a shaded 512 x 512 picture on two cores.
const ROWS_PER_TURN: usize = 64;
/// Rows and columns of a block whose rays a thread follows one after the other, so that they share cache lines.
const BLOCK: usize = 8;

/// A ray ends when what is behind could change no 8-bit level.
const OPAQUE: f32 = 0.996;
/// A step that adds less than this is not lit: nobody could see it.
const FAINT: f32 = 0.002;
/// A leap stops short of its end by this part of a step, so that rounding never skips a sample behind it.
const SHORT: f32 = 0.01;
const AMBIENT: f32 = 0.25;
const DIFFUSE: f32 = 0.75;
const SPECULAR: f32 = 0.25;

/// The whole picture, in turns of some rows.
pub(crate) fn render(
    pool: Option<&ThreadPool>,
    scene: &Scene,
    planned: &Planned,
    distances: &[u8],
    checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Vec<[u8; 4]>, RenderError> {
    let marcher = Marcher::new(scene, planned, distances);
    let (width, height) = (planned.frame.width as usize, planned.frame.height as usize);
    let mut picture = vec![[0; 4]; width * height];
    for (turn, band) in picture.chunks_mut(width * ROWS_PER_TURN).enumerate() {
        let first_row = turn * ROWS_PER_TURN;
        let rows = band.len() / width;
        within(pool, || {
            band.par_chunks_mut(width * BLOCK)
                .enumerate()
                .for_each(|(block, pixels)| marcher.block(pixels, width, first_row + block * BLOCK));
        });
        if checkpoint((first_row + rows) as f32 / height as f32).is_break() {
            return Err(RenderError::Cancelled);
        }
    }
    Ok(picture)
}

/// What every ray needs.
struct Marcher<'a> {
    frame: &'a Frame,
    table: &'a [[f32; 4]],
    distances: &'a [u8],
    cells: &'a Macrocells,
    sampler: Sampler<'a>,
    labels: Option<&'a [u8]>,
    label_table: [[f32; 4]; 256],
}

/// One ray inside what is shown of the volume.
struct Ray {
    origin: [f32; 3],
    /// Voxels in a millimetre.
    direction: [f32; 3],
    /// Millimetres in a voxel; large where the ray never crosses one.
    inverse: [f32; 3],
    start: f32,
    end: f32,
    /// Where in each step the sample is taken.
    offset: f32,
    steps: u32,
}

impl<'a> Marcher<'a> {
    fn new(scene: &'a Scene, planned: &'a Planned, distances: &'a [u8]) -> Self {
        Self {
            frame: &planned.frame,
            table: &planned.table.entries,
            distances,
            cells: scene.cells(),
            sampler: Sampler::new(scene.volume()),
            labels: scene.labels().map(crate::rendering::Labels::values),
            label_table: planned.label_table,
        }
    }

    fn block(&self, pixels: &mut [[u8; 4]], width: usize, first_row: usize) {
        let rows = pixels.len() / width;
        for first_column in (0..width).step_by(BLOCK) {
            for row in 0..rows {
                for column in first_column..(first_column + BLOCK).min(width) {
                    pixels[row * width + column] = self.pixel(column as u32, (first_row + row) as u32);
                }
            }
        }
    }

    fn pixel(&self, x: u32, y: u32) -> [u8; 4] {
        let Some(ray) = self.ray(x, y) else { return [0; 4] };
        let colour = match self.frame.mode {
            MODE_VOLUME => self.gather(&ray),
            MODE_MAXIMUM => self.over_grey(&ray, Self::maximum),
            MODE_MINIMUM => self.over_grey(&ray, Self::minimum),
            MODE_AVERAGE => self.over_grey(&ray, Self::average),
            mode => unreachable!("no frame is planned with mode {mode}"),
        };
        colour.map(|part| (part * 255.0 + 0.5) as u8)
    }

    fn ray(&self, x: u32, y: u32) -> Option<Ray> {
        let frame = self.frame;
        let at = |start: &[f32; 4], right: &[f32; 4], down: &[f32; 4]| {
            [0, 1, 2].map(|axis| start[axis] + x as f32 * right[axis] + y as f32 * down[axis])
        };
        let origin = at(&frame.origin, &frame.origin_right, &frame.origin_down);
        let toward = at(&frame.toward, &frame.toward_right, &frame.toward_down);
        let unit = 1.0 / dot(toward, toward).sqrt();
        let direction = frame.voxel_from_mm.map(|row| dot([row[0], row[1], row[2]], toward) * unit);
        let inverse = direction.map(|part| if part.abs() < 1e-9 { 1e9 } else { 1.0 / part });
        let (start, end) = self.interval(origin, direction, inverse)?;
        let steps = ((end - start) / frame.step_mm).ceil() as u32;
        let offset = if frame.jittered == 0 { 0.5 } else { jitter(x, y) };
        Some(Ray { origin, direction, inverse, start, end, offset, steps })
    }

    /// The part of the ray inside the clipping box and on the right side of the plane.
    fn interval(&self, origin: [f32; 3], direction: [f32; 3], inverse: [f32; 3]) -> Option<(f32, f32)> {
        let frame = self.frame;
        let (mut start, mut end) = (frame.near, 1e9_f32);
        for axis in 0..3 {
            if direction[axis].abs() < 1e-9 {
                if origin[axis] < frame.low[axis] || origin[axis] > frame.high[axis] {
                    return None;
                }
                continue;
            }
            let (a, b) = (
                (frame.low[axis] - origin[axis]) * inverse[axis],
                (frame.high[axis] - origin[axis]) * inverse[axis],
            );
            start = start.max(a.min(b));
            end = end.min(a.max(b));
        }
        let normal = [frame.plane[0], frame.plane[1], frame.plane[2]];
        let (rise, lack) = (dot(normal, direction), frame.plane[3] - dot(normal, origin));
        if rise > 1e-9 {
            start = start.max(lack / rise);
        } else if rise < -1e-9 {
            end = end.min(lack / rise);
        } else if lack > 0.0 {
            return None;
        }
        (end > start).then_some((start, end))
    }

    fn spot(&self, ray: &Ray, step: u32) -> Spot {
        let along = (ray.start + (step as f32 + ray.offset) * self.frame.step_mm).min(ray.end);
        Spot::at([0, 1, 2].map(|axis| ray.origin[axis] + along * ray.direction[axis]))
    }

    /// Macrocell of a sample, and its index.
    fn cell(&self, spot: &Spot) -> ([i32; 3], usize) {
        let last = self.frame.dimensions;
        let cell = [0, 1, 2].map(|axis| spot.base[axis].clamp(0, last[axis] as i32 - 1) / CELL as i32);
        let [columns, rows, _, _] = self.frame.cells;
        let index =
            (cell[2] as usize * rows as usize + cell[1] as usize) * columns as usize + cell[0] as usize;
        (cell, index)
    }

    /// The first step behind the cube of cells that are less than `distance` away from `cell`.
    fn leap(&self, ray: &Ray, step: u32, cell: [i32; 3], distance: i32) -> u32 {
        let exits = [0, 1, 2].map(|axis| {
            let ahead =
                if ray.direction[axis] > 0.0 { cell[axis] + distance } else { cell[axis] - distance + 1 };
            // A ray along a face of cells leaves through another face.
            if ray.direction[axis].abs() < 1e-9 {
                1e9
            } else {
                ((ahead * CELL as i32) as f32 - ray.origin[axis]) * ray.inverse[axis]
            }
        });
        let exit = exits[0].min(exits[1]).min(exits[2]);
        let next = (exit - ray.start) / self.frame.step_mm - ray.offset - SHORT;
        (step + 1).max(next.ceil() as u32)
    }

    /// How much of a whole step lies before the ray's end.
    fn part_of_step(&self, ray: &Ray, step: u32) -> f32 {
        (((ray.end - ray.start) - step as f32 * self.frame.step_mm) / self.frame.step_mm).min(1.0)
    }

    /// Colour and opacity from front to back.
    fn gather(&self, ray: &Ray) -> [f32; 4] {
        let mut gathered = [0.0_f32; 4];
        let mut step = 0;
        while step < ray.steps && gathered[3] < OPAQUE {
            let spot = self.spot(ray, step);
            let (cell, index) = self.cell(&spot);
            let distance = self.distances[index];
            if distance > 0 {
                step = self.leap(ray, step, cell, distance.into());
                continue;
            }
            let value = self.sampler.value(&spot);
            let entry = (value - self.frame.table_low) * self.frame.table_per_value + 0.5;
            let [red, green, blue, opacity] = self.table[entry.clamp(0.0, self.frame.table_last) as usize];
            let mut seen = [red, green, blue, opacity];
            if self.labels.is_some() {
                seen = self.labelled(&spot, seen);
            }
            if seen[3] > 0.0 {
                let part = self.part_of_step(ray, step);
                if part < 1.0 {
                    seen[3] = 1.0 - (1.0 - seen[3]).powf(part);
                }
                let weight = (1.0 - gathered[3]) * seen[3];
                if self.frame.shaded != 0 && weight > FAINT {
                    self.light(&spot, &mut seen);
                }
                for (sum, part) in gathered.iter_mut().zip(seen) {
                    *sum += weight * part;
                }
                gathered[3] += weight * (1.0 - seen[3]);
            }
            step += 1;
        }
        gathered
    }

    /// Blinn-Phong with a lamp beside the eye, both faces of a surface lit; where there is no surface, no light.
    fn light(&self, spot: &Spot, seen: &mut [f32; 4]) {
        let frame = self.frame;
        let along = self.sampler.gradient(spot);
        let gradient = [0, 1, 2]
            .map(|axis| (0..3).map(|row: usize| along[row] * frame.voxel_from_mm[row][axis]).sum::<f32>());
        let size = dot(gradient, gradient).sqrt();
        let surface = (size / frame.surface_per_mm).min(1.0);
        let over_size = 1.0 / size.max(1e-6);
        let facing = |light: &[f32; 4]| (dot(gradient, [light[0], light[1], light[2]]) * over_size).abs();
        let shine = facing(&frame.halfway);
        let shine = shine * shine * shine * shine;
        let shine = shine * shine * shine * shine;
        let diffuse = 1.0 + surface * (AMBIENT + DIFFUSE * facing(&frame.light) - 1.0);
        let specular = surface * SPECULAR * shine;
        for part in &mut seen[..3] {
            *part = (*part * diffuse + specular).min(1.0);
        }
    }

    /// What is seen of tissue and label together: each swallows its own part of the light.
    fn labelled(&self, spot: &Spot, seen: [f32; 4]) -> [f32; 4] {
        let [red, green, blue, opacity] = self.label(spot);
        if opacity == 0.0 {
            return seen;
        }
        let both = 1.0 - (1.0 - seen[3]) * (1.0 - opacity);
        let tissue = seen[3] * (1.0 - opacity) / both;
        let label = opacity / both;
        [
            seen[0] * tissue + red * label,
            seen[1] * tissue + green * label,
            seen[2] * tissue + blue * label,
            both,
        ]
    }

    /// Colour and opacity of a step through the label of the nearest voxel.
    fn label(&self, spot: &Spot) -> [f32; 4] {
        let Some(labels) = self.labels else { return [0.0; 4] };
        self.label_table[labels[self.sampler.index(spot.nearest())] as usize]
    }

    /// A projected value through the window, with the labels gathered over it.
    fn over_grey(&self, ray: &Ray, project: fn(&Self, &Ray, &mut [f32; 4]) -> f32) -> [f32; 4] {
        let mut over = [0.0; 4];
        let value = project(self, ray, &mut over);
        let grey = self.level(value) / 255.0 * (1.0 - over[3]);
        [over[0] + grey, over[1] + grey, over[2] + grey, 1.0]
    }

    /// Through the window, 0 to 255.
    fn level(&self, value: f32) -> f32 {
        ((value - self.frame.window_low) * self.frame.window_per_value).clamp(0.0, 255.0)
    }

    fn lay_label(&self, spot: &Spot, over: &mut [f32; 4]) {
        let label = self.label(spot);
        let weight = (1.0 - over[3]) * label[3];
        for (sum, part) in over.iter_mut().zip([label[0], label[1], label[2], 1.0]) {
            *sum += weight * part;
        }
    }

    fn maximum(&self, ray: &Ray, over: &mut [f32; 4]) -> f32 {
        self.extreme(ray, over, 1.0)
    }

    fn minimum(&self, ray: &Ray, over: &mut [f32; 4]) -> f32 {
        -self.extreme(ray, over, -1.0)
    }

    /// The largest of the values times `sign`; cells that hold nothing larger are leapt over.
    fn extreme(&self, ray: &Ray, over: &mut [f32; 4], sign: f32) -> f32 {
        let mut best = f32::MIN;
        // Beyond this the window shows one and the same level.
        let enough = if sign > 0.0 { 255.0 } else { 0.0 };
        let mut step = 0;
        while step < ray.steps {
            let spot = self.spot(ray, step);
            let (cell, index) = self.cell(&spot);
            let [least, largest] = self.cells.extremes[index];
            let most = if sign > 0.0 { f32::from(largest) } else { -f32::from(least) };
            if most <= best && self.distances[index] > 0 {
                step = self.leap(ray, step, cell, 1);
                continue;
            }
            best = best.max(sign * self.sampler.value(&spot));
            if self.labels.is_some() {
                self.lay_label(&spot, over);
            } else if self.level(sign * best) == enough {
                break;
            }
            step += 1;
        }
        best
    }

    fn average(&self, ray: &Ray, over: &mut [f32; 4]) -> f32 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for step in 0..ray.steps {
            let spot = self.spot(ray, step);
            let weight = self.part_of_step(ray, step);
            sum += weight * self.sampler.value(&spot);
            weights += weight;
            self.lay_label(&spot, over);
        }
        sum / weights.max(1e-6)
    }
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// A number from 0 to below 1 that pixels beside each other do not share (PCG, Jarzynski and Olano 2020).
fn jitter(x: u32, y: u32) -> f32 {
    let state = x.wrapping_add(y << 16).wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
    ((word >> 22) ^ word) as f32 / 4_294_967_808.0
}
