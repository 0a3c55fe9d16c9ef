//! Twin of the `rendering` kernel: one ray a pixel, tiles of rays shared among threads, four rays at once.
//!
//! The rays of two by two pixels go together, one a lane: each by its own steps and leaps, until the last has arrived.

#![expect(clippy::cast_possible_truncation, reason = "positions and levels; `as` saturates")]

mod gather;
mod project;

use std::ops::ControlFlow;

use rayon::ThreadPool;
use rayon::prelude::*;
use wide::{CmpGt, CmpLt, f32x4};

use super::bricks::Bricks;
use super::four::{Fours, Spots, whole};
use super::sampling::Sampler;
use crate::rendering::{
    CELL, Frame, MODE_AVERAGE, MODE_MAXIMUM, MODE_MINIMUM, MODE_VOLUME, Macrocells, Planned, RenderError,
    Scene,
};

/// Rows and columns of a tile, whose rays a thread follows one after the other, so that they share cache lines.
const TILE: usize = 16;
/// Rows of a turn: about 30 ms of a shaded 512 x 512 picture on two cores.
const ROWS_PER_TURN: usize = 4 * TILE;

/// A leap stops short of its end by this part of a step, so that rounding never skips a sample behind it.
const SHORT: f32 = 0.01;
/// A direction that changes an axis by less is none along it.
const LEVEL: f32 = 1e-9;
/// Farther than any volume is deep.
const NEVER_MM: f32 = 1e9;

/// The whole picture, in turns of some rows.
pub(crate) fn render(
    pool: &ThreadPool,
    scene: &Scene,
    planned: &Planned,
    distances: &[u8],
    checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
) -> Result<Vec<[u8; 4]>, RenderError> {
    let bricks = pool.install(|| scene.bricks());
    let marcher = Marcher::new(scene, bricks, planned, distances);
    let (width, height) = (planned.frame.width as usize, planned.frame.height as usize);
    let mut picture = vec![[0; 4]; width * height];
    for (turn, band) in picture.chunks_mut(width * ROWS_PER_TURN).enumerate() {
        let first_row = turn * ROWS_PER_TURN;
        let rows = band.len() / width;
        pool.install(|| marcher.band(band, width, first_row));
        if checkpoint((first_row + rows) as f32 / height as f32).is_break() {
            return Err(RenderError::Cancelled);
        }
    }
    Ok(picture)
}

/// What every ray needs.
struct Marcher<'a> {
    frame: &'a Frame,
    /// By value: red, green, blue and the opacity of a step; and that alone, to look at first.
    table: Vec<f32x4>,
    opacities: Vec<f32>,
    distances: &'a [u8],
    cells: &'a Macrocells,
    values: Fours<'a>,
    steps_per_mm: f32,
    /// Where labels lie.
    sampler: Sampler<'a>,
    labels: Option<&'a [u8]>,
    label_table: &'a [[f32; 4]; 256],
}

/// One ray inside what is shown of the volume.
#[derive(Clone, Copy, Default)]
struct Ray {
    origin: [f32; 3],
    /// Voxels in a millimetre.
    direction: [f32; 3],
    start: f32,
    end: f32,
    /// Where in each step the sample is taken.
    offset: f32,
    /// None where it never is inside.
    steps: f32,
}

/// Four rays, one a lane.
struct Rays {
    origin: [f32x4; 3],
    direction: [f32x4; 3],
    /// Millimetres in a voxel; zero where the ray never crosses one, and there `never` is far away.
    inverse: [f32x4; 3],
    never: [f32x4; 3],
    /// 1 where the ray rises, else 0.
    rises: [f32x4; 3],
    start: f32x4,
    end: f32x4,
    offset: f32x4,
    steps: f32x4,
}

impl Rays {
    fn new(rays: &[Ray; 4]) -> Self {
        let [a, b, c, d] = rays;
        let axis = |of: fn(&Ray) -> [f32; 3], axis: usize| {
            f32x4::from([of(a)[axis], of(b)[axis], of(c)[axis], of(d)[axis]])
        };
        let axes = |of: fn(&Ray) -> [f32; 3]| [axis(of, 0), axis(of, 1), axis(of, 2)];
        let lanes = |of: fn(&Ray) -> f32| f32x4::from([of(a), of(b), of(c), of(d)]);
        let direction = axes(|ray| ray.direction);
        let level = |axis: usize| direction[axis].abs().cmp_lt(f32x4::splat(LEVEL));
        let inverse = |axis: usize| level(axis).blend(f32x4::ZERO, f32x4::ONE / direction[axis]);
        let never = |axis: usize| level(axis) & f32x4::splat(NEVER_MM);
        let rises = |axis: usize| direction[axis].cmp_gt(f32x4::ZERO) & f32x4::ONE;
        Self {
            origin: axes(|ray| ray.origin),
            direction,
            inverse: [inverse(0), inverse(1), inverse(2)],
            never: [never(0), never(1), never(2)],
            rises: [rises(0), rises(1), rises(2)],
            start: lanes(|ray| ray.start),
            end: lanes(|ray| ray.end),
            offset: lanes(|ray| ray.offset),
            steps: lanes(|ray| ray.steps),
        }
    }
}

impl<'a> Marcher<'a> {
    fn new(scene: &'a Scene, bricks: &'a Bricks, planned: &'a Planned, distances: &'a [u8]) -> Self {
        let entries = &planned.table.entries;
        Self {
            frame: &planned.frame,
            table: entries.iter().map(|entry| f32x4::from(*entry)).collect(),
            opacities: entries.iter().map(|entry| entry[3]).collect(),
            distances,
            cells: scene.cells(),
            values: Fours::new(bricks),
            steps_per_mm: 1.0 / planned.frame.step_mm,
            sampler: Sampler::new(scene.volume()),
            labels: scene.labels().map(crate::rendering::Labels::values),
            label_table: &planned.label_table,
        }
    }

    /// Some rows of the picture.
    fn band(&self, band: &mut [[u8; 4]], width: usize, first_row: usize) {
        let rows = band.len() / width;
        let across = width.div_ceil(TILE);
        let tiles = (0..across * rows.div_ceil(TILE)).into_par_iter();
        let places = tiles.map(|tile| [tile % across * TILE, tile / across * TILE]);
        let drawn: Vec<_> = places.map(|place| (place, self.tile(place, [width, rows], first_row))).collect();
        for ([column, row], tile) in drawn {
            for (line, pixels) in tile.chunks_exact(TILE).take(rows - row).enumerate() {
                let count = TILE.min(width - column);
                band[(row + line) * width + column..][..count].copy_from_slice(&pixels[..count]);
            }
        }
    }

    fn tile(
        &self,
        [column, row]: [usize; 2],
        [width, rows]: [usize; 2],
        first_row: usize,
    ) -> [[u8; 4]; TILE * TILE] {
        let mut pixels = [[0; 4]; TILE * TILE];
        let mut guess_mm = f32x4::ZERO;
        for line in (0..TILE.min(rows - row)).step_by(2) {
            for pixel in (0..TILE.min(width - column)).step_by(2) {
                // A pixel beyond the picture's edge is drawn and left out.
                let (x, y) = ((column + pixel) as u32, (first_row + row + line) as u32);
                let drawn = self.four_pixels(x, y, &mut guess_mm);
                for (index, [right, down]) in [[0, 0], [1, 0], [0, 1], [1, 1]].into_iter().enumerate() {
                    pixels[(line + down) * TILE + pixel + right] = drawn[index];
                }
            }
        }
        pixels
    }

    /// `guess_mm` is where along the rays beside these the projected values were found.
    fn four_pixels(&self, x: u32, y: u32, guess_mm: &mut f32x4) -> [[u8; 4]; 4] {
        let rays = [self.ray(x, y), self.ray(x + 1, y), self.ray(x, y + 1), self.ray(x + 1, y + 1)];
        if rays.iter().all(Option::is_none) {
            return [[0; 4]; 4];
        }
        let entered = rays.map(Option::unwrap_or_default);
        let drawn = match self.frame.mode {
            MODE_VOLUME => self.gather(&Rays::new(&entered)),
            MODE_MAXIMUM => self.extreme(&Rays::new(&entered), 1.0, guess_mm),
            MODE_MINIMUM => self.extreme(&Rays::new(&entered), -1.0, guess_mm),
            MODE_AVERAGE => entered.map(|ray| self.average(&ray)),
            mode => unreachable!("no frame is planned with mode {mode}"),
        };
        let mut pixels = drawn.map(|colour| colour.map(|part| (part * 255.0 + 0.5) as u8));
        for (pixel, ray) in pixels.iter_mut().zip(&rays) {
            if ray.is_none() {
                *pixel = [0; 4];
            }
        }
        pixels
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
        let (start, end) = self.interval(origin, direction)?;
        let steps = ((end - start) / frame.step_mm).ceil();
        let offset = if frame.jittered == 0 { 0.5 } else { jitter(x, y) };
        Some(Ray { origin, direction, start, end, offset, steps })
    }

    /// The part of the ray inside the clipping box and on the right side of the plane.
    fn interval(&self, origin: [f32; 3], direction: [f32; 3]) -> Option<(f32, f32)> {
        let frame = self.frame;
        let (mut start, mut end) = (frame.near, 1e9_f32);
        for axis in 0..3 {
            if direction[axis].abs() < LEVEL {
                if origin[axis] < frame.low[axis] || origin[axis] > frame.high[axis] {
                    return None;
                }
                continue;
            }
            let inverse = 1.0 / direction[axis];
            let a = (frame.low[axis] - origin[axis]) * inverse;
            let b = (frame.high[axis] - origin[axis]) * inverse;
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

    /// A sample of each ray. What is behind a ray's end is sampled at its end.
    #[inline(always)]
    fn spots(&self, rays: &Rays, step: f32x4) -> Spots {
        let along = rays.start + (step + rays.offset) * f32x4::splat(self.frame.step_mm);
        let along = along.fast_min(rays.end);
        let at = |axis: usize| rays.origin[axis] + along * rays.direction[axis];
        self.values.spots([at(0), at(1), at(2)])
    }

    /// Index of the macrocell of a sample.
    #[inline(always)]
    fn cell(&self, spots: &Spots, lane: usize) -> usize {
        let [columns, rows, _, _] = self.frame.cells;
        let [x, y, z] = spots.base(lane);
        let cell = |base: i32| base.max(0).cast_unsigned() / CELL;
        ((cell(z) * rows + cell(y)) * columns + cell(x)) as usize
    }

    /// The first step of each ray behind the cube of cells that are less than `distance` away from that of its sample.
    #[inline(always)]
    fn leap(&self, rays: &Rays, step: f32x4, spots: &Spots, distance: f32x4) -> f32x4 {
        let (one, more) = (f32x4::ONE, distance - f32x4::ONE);
        let exit = |axis: usize| {
            // The far face of the cell that is so many cells ahead.
            let rises = rays.rises[axis];
            let face = spots.cells[axis] + rises + (rises + rises - one) * more;
            let far = face * f32x4::splat(CELL as f32) - rays.origin[axis];
            // A ray along a face of cells leaves through another face.
            far * rays.inverse[axis] + rays.never[axis]
        };
        let exit = exit(0).fast_min(exit(1)).fast_min(exit(2));
        let next = (exit - rays.start) * f32x4::splat(self.steps_per_mm) - rays.offset - f32x4::splat(SHORT);
        // Half a step more makes rounding to the nearest one rounding up.
        let next = next.fast_max(f32x4::ZERO).fast_min(rays.steps) + f32x4::HALF;
        whole(next).round_float().fast_max(step + one)
    }

    /// How much of a whole step lies before each ray's end.
    fn part_of_step(&self, rays: &Rays, step: f32x4) -> f32x4 {
        let left = (rays.end - rays.start) * f32x4::splat(self.steps_per_mm) - step;
        left.fast_min(f32x4::ONE).fast_max(f32x4::ZERO)
    }

    /// Colour and opacity of a step through the label of the voxel nearest to one of four samples.
    fn label(&self, spots: &Spots, lane: usize) -> [f32; 4] {
        let Some(labels) = self.labels else { return [0.0; 4] };
        self.label_table[labels[self.sampler.index(spots.one(lane).nearest())] as usize]
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
