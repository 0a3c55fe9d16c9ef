//! How a series is cut for a device, and the structures that its kernels are given.

use std::ops::Range;

use super::{lanes, room_bytes};
use crate::engine::EngineError;
use crate::perfusion::axis::Tap;
use crate::perfusion::{MINIMUM_COMPONENTS, Series, Warp, Work};
use crate::{Dimensions, Region};

/// Most bytes of a slab. With planes and room it stays under the 2 GiB of an operation.
const SLAB_BYTES_MAX: u64 = 1 << 30;

/// Most bytes of the planes of a turn, of which there are two.
const PLANES_BYTES_MAX: u64 = 256 << 20;

/// Beginning of the kernels' view of the series.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct SlabUniform {
    pub(crate) columns: u32,
    pub(crate) rows: u32,
    pub(crate) slices: u32,
    pub(crate) passes: u32,
    pub(crate) samples: u32,
    pub(crate) baseline_samples: u32,
    pub(crate) frame: u32,
    pub(crate) slab_first: u32,
    pub(crate) slab_slices: u32,
    pub(crate) turn_first: u32,
    pub(crate) turn_slices: u32,
    pub(crate) slice_stride: u32,
}

/// Where a voxel of the reference lies in a pass.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct Place {
    pub(crate) x: [f32; 4],
    pub(crate) y: [f32; 4],
    pub(crate) z: [f32; 4],
    pub(crate) moved: u32,
    padding: [u32; 3],
}

impl Place {
    pub(super) fn new(warp: &Option<Warp>) -> Self {
        let [x, y, z] = warp.unwrap_or_default();
        Self { x, y, z, moved: u32::from(warp.is_some()), padding: [0; 3] }
    }
}

/// What is smoothed along.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct Line {
    pub(crate) columns: u32,
    pub(crate) rows: u32,
    pub(crate) values: u32,
    pub(crate) down: u32,
    pub(crate) reach: u32,
}

/// One dispatch of the deconvolution.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct Deconvolution {
    pub(crate) count: u32,
    pub(crate) first: u32,
    pub(crate) capacity: u32,
    pub(crate) listed: u32,
    pub(crate) turn_voxels: u32,
    pub(crate) slice_len: u32,
    pub(crate) passes: u32,
    pub(crate) samples: u32,
    pub(crate) baseline_samples: u32,
    pub(crate) components: u32,
    pub(crate) minimum_components: u32,
    pub(crate) oscillation_max: f32,
    pub(crate) step_s: f32,
    pub(crate) cbf_scale: f32,
    pub(crate) cbv_scale: f32,
    pub(crate) arrival: f32,
    pub(crate) iterations: u32,
}

impl Deconvolution {
    pub(super) fn new(work: &Work<'_>, turn: &Turn, [count, first, capacity, listed]: [u32; 4]) -> Self {
        let plan = work.plan;
        let components = small(plan.components.len());
        Self {
            count,
            first,
            capacity,
            listed,
            turn_voxels: turn.invocations(1),
            slice_len: small(turn.dimensions.slice_len()),
            passes: small(work.series.dynamic.passes()),
            samples: small(plan.samples),
            baseline_samples: small(work.series.baseline_samples),
            components,
            minimum_components: plan.oscillation_max.map_or(components, |_| small(MINIMUM_COMPONENTS)),
            oscillation_max: plan.oscillation_max.unwrap_or(0.0),
            step_s: plan.step_s,
            cbf_scale: plan.cbf_scale,
            cbv_scale: plan.cbv_scale,
            arrival: plan.arrival,
            iterations: plan.richardson_lucy.as_ref().map_or(0, |method| method.iterations),
        }
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a slab has fewer than 2^32 values")
}

/// How a series is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    dimensions: Dimensions,
    /// Values of a slice on the device.
    slice_stride: u64,
    /// Slices that belong to a slab, and those beside them that motion may reach.
    slab_slices: u32,
    margin: u32,
    turn_slices: u32,
    /// Voxels that are worked on between two pauses, where a test has set them.
    pub(super) most_voxels: Option<usize>,
}

impl Plan {
    pub(super) fn new(
        series: &Series<'_>,
        binding_limit_bytes: u64,
        most_voxels: Option<usize>,
    ) -> Result<Self, EngineError> {
        let dimensions = series.dimensions();
        let passes = series.dynamic.passes() as u64;
        let slice_stride = (passes * dimensions.slice_len() as u64).next_multiple_of(2);
        let too_large =
            |buffer, bytes, limit_bytes| Err(EngineError::TooLarge { buffer, bytes, limit_bytes });
        let fitting = |limit: u64, bytes: u64| {
            u32::try_from(limit.min(binding_limit_bytes) / bytes).unwrap_or(u32::MAX)
        };
        let plane_bytes = (passes + 1) * dimensions.slice_len() as u64 * 4;
        let turn_slices = fitting(PLANES_BYTES_MAX, plane_bytes);
        if turn_slices == 0 {
            return too_large("perfusion planes", plane_bytes, PLANES_BYTES_MAX.min(binding_limit_bytes));
        }
        let margin = margin(series);
        let wanted = most_voxels.map_or(u32::MAX, |voxels| {
            u32::try_from(voxels / dimensions.slice_len()).unwrap_or(u32::MAX).max(1)
        });
        let held = fitting(SLAB_BYTES_MAX, slice_stride * 2);
        let slab_slices =
            if held >= dimensions.slices { dimensions.slices } else { held.saturating_sub(2 * margin) };
        if slab_slices == 0 {
            let bytes = slice_stride * 2 * u64::from(2 * margin + 1);
            return too_large("perfusion series", bytes, SLAB_BYTES_MAX.min(binding_limit_bytes));
        }
        let slab_slices = slab_slices.min(wanted);
        let turn_slices = turn_slices.min(slab_slices);
        Ok(Self { dimensions, slice_stride, slab_slices, margin, turn_slices, most_voxels })
    }

    pub(super) fn slice_bytes(&self) -> u64 {
        self.slice_stride * 2
    }

    pub(super) fn slabs(&self) -> impl Iterator<Item = Range<u32>> + use<> {
        pieces(0..self.dimensions.slices, self.slab_slices)
    }

    pub(super) fn turns(&self, slab: &Range<u32>) -> impl Iterator<Item = Range<u32>> + use<> {
        pieces(slab.clone(), self.turn_slices)
    }

    pub(super) fn with_margin(&self, own: &Range<u32>) -> Range<u32> {
        own.start.saturating_sub(self.margin)..(own.end + self.margin).min(self.dimensions.slices)
    }

    /// Everything that survey and maps hold at once.
    pub(super) fn peak_bytes(&self, series: &Series<'_>) -> u64 {
        let slab =
            u64::from((self.slab_slices + 2 * self.margin).min(self.dimensions.slices)) * self.slice_bytes();
        let voxels = self.dimensions.slice_len() as u64 * u64::from(self.turn_slices);
        let planes = 2 * 4 * voxels * (series.dynamic.passes() as u64 + 1);
        let room = lanes(series).min(voxels) * room_bytes(series);
        // The list of voxels and their four maps, the bits of the brain; tables of places, taps and components.
        let lists = voxels * 21;
        let tables = series.axis.samples() as u64 * (u64::from(self.turn_slices) * 32 + 64) + (1 << 20);
        slab + planes + room + lists + tables
    }

    pub(super) fn uniform(&self, series: &Series<'_>, slab: &Range<u32>, turn: &Range<u32>) -> SlabUniform {
        SlabUniform {
            columns: self.dimensions.columns,
            rows: self.dimensions.rows,
            slices: self.dimensions.slices,
            passes: small(series.dynamic.passes()),
            samples: small(series.axis.samples()),
            baseline_samples: small(series.baseline_samples),
            frame: small(series.axis.steps_per_frame()),
            slab_first: slab.start,
            slab_slices: slab.end - slab.start,
            turn_first: turn.start,
            turn_slices: turn.end - turn.start,
            slice_stride: u32::try_from(self.slice_stride).expect("a slab has fewer than 2^32 values"),
        }
    }
}

fn pieces(all: Range<u32>, length: u32) -> impl Iterator<Item = Range<u32>> {
    let end = all.end;
    all.step_by(length as usize).map(move |first| first..first.saturating_add(length).min(end))
}

/// Slices that the head's motion reaches beyond a slice: by the corners, since a pose is linear.
fn margin(series: &Series<'_>) -> u32 {
    let Dimensions { columns, rows, slices } = series.dimensions();
    let ends = [columns, rows, slices].map(|size| [0.0, (size - 1) as f32]);
    let corners = (0..8_usize).map(|corner| [0, 1, 2].map(|axis| ends[axis][corner >> axis & 1]));
    let mut most = 0.0_f32;
    for [x, y, z] in corners {
        for warp in series.warps.iter().flatten() {
            let [a, b, c, d] = warp[2];
            most = most.max((a * x + b * y + c * z + d - z).abs());
        }
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
    let reach = most.ceil() as u32;
    // The slice behind an interpolated place is read too.
    if most > 0.0 { reach.saturating_add(1).min(slices) } else { 0 }
}

/// The slices of one turn.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) slices: Range<u32>,
    pub(super) voxels: u64,
    dimensions: Dimensions,
}

impl Turn {
    pub(super) fn new(series: &Series<'_>, slices: &Range<u32>) -> Self {
        let dimensions = series.dimensions();
        let voxels = dimensions.slice_len() as u64 * slices.len() as u64;
        Self { slices: slices.clone(), voxels, dimensions }
    }

    /// One for each voxel, so many times.
    pub(super) fn invocations(&self, times: u32) -> u32 {
        u32::try_from(self.voxels * u64::from(times))
            .expect("the planes of a turn have fewer than 2^32 values")
    }

    pub(super) fn plane_values(&self, series: &Series<'_>) -> u64 {
        self.voxels * (series.dynamic.passes() as u64 + 1)
    }

    pub(super) fn taps<'a>(&self, series: &Series<'a>) -> &'a [Tap] {
        series.axis.taps_of(&self.slices).as_flattened()
    }

    pub(super) fn words<'a>(&self, region: &'a Region) -> &'a [u32] {
        let of_slice = region.words_per_row() as usize * self.dimensions.rows as usize;
        &region.words()[self.slices.start as usize * of_slice..self.slices.end as usize * of_slice]
    }

    /// Voxels of a region, counted within the turn.
    pub(super) fn voxels_of(&self, region: &Region) -> Vec<u32> {
        let Dimensions { columns, rows, .. } = self.dimensions;
        let mut voxels = Vec::new();
        for slice in self.slices.clone() {
            for row in 0..rows {
                let first = ((slice - self.slices.start) * rows + row) * columns;
                voxels.extend(region.columns(row, slice).map(|column| first + column));
            }
        }
        voxels
    }
}
