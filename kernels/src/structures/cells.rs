//! The volume made small: cells of at most 3 mm, each with the mean and the highest Hounsfield value of its voxels.

#![expect(clippy::cast_possible_truncation, reason = "sizes of pictures fit every integer used here")]

use super::StructuresError;
use crate::mask::Mask;
use crate::{Dimensions, Geometry, Volume};

/// A cell is the largest power of two of voxels along each axis that is no longer than this.
const CELL_AT_MOST_UM: i64 = 3000;
/// Nothing is darker than air: what is lies outside of the reconstruction circle.
pub(crate) const LOWEST_HU: i16 = -1024;
/// Slices stand upright enough to be called axial: the cosine of 26 degrees.
const UPRIGHT: f64 = 0.9;

/// How voxels are gathered into cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Cells along columns, rows, slices.
    pub(crate) size: [usize; 3],
    /// Voxels of a cell along each.
    pub(crate) factor: [u32; 3],
    pub(crate) um: [i64; 3],
    /// The in-plane axis that runs across the patient, and whether it runs to the left.
    across: usize,
    to_the_left: bool,
    /// Whether slices are counted towards the head.
    to_the_head: bool,
}

impl Layout {
    fn new(dimensions: Dimensions, geometry: &Geometry) -> Result<Self, StructuresError> {
        let spacing = [geometry.column_spacing_mm, geometry.row_spacing_mm, geometry.slice_increment_mm];
        let um = spacing.map(|mm| ((mm * 1000.0).round() as i64).max(1));
        let factor = um.map(|um| {
            (0..6)
                .map(|power| 1_u32 << power)
                .take_while(|voxels| i64::from(*voxels) * um <= CELL_AT_MOST_UM)
                .last()
                .unwrap_or(1)
        });
        let voxels = [dimensions.columns, dimensions.rows, dimensions.slices];
        let size = [0, 1, 2].map(|axis| voxels[axis].div_ceil(factor[axis]) as usize);
        let toward = |axis: usize| geometry.patient_mm_from_voxel.map(|line| line[axis]);
        let along = toward(2);
        let length = along.iter().map(|mm| mm * mm).sum::<f64>().sqrt();
        if along[2].abs() < length * UPRIGHT {
            return Err(StructuresError::NotAxial);
        }
        let across = usize::from(toward(0)[0].abs() < toward(1)[0].abs());
        Ok(Self {
            size,
            factor,
            um: [0, 1, 2].map(|axis| um[axis] * i64::from(factor[axis])),
            across,
            to_the_left: toward(across)[0] > 0.0,
            to_the_head: along[2] > 0.0,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.size.iter().product()
    }
}

/// Sums of voxels by cell, as far as turns have added to them.
#[derive(Clone, Debug)]
pub(crate) struct Reduction {
    pub(crate) layout: Layout,
    dimensions: Dimensions,
    pub(crate) sums: Vec<i32>,
    pub(crate) peaks: Vec<i16>,
}

impl Reduction {
    pub(crate) fn new(volume: &Volume) -> Result<Self, StructuresError> {
        let layout = Layout::new(volume.dimensions(), volume.geometry())?;
        let cells = layout.len();
        Ok(Self {
            layout,
            dimensions: volume.dimensions(),
            sums: vec![0; cells],
            peaks: vec![i16::MIN; cells],
        })
    }

    /// Means, rounded down.
    pub(crate) fn finish(self) -> Cells {
        let layout = self.layout;
        let voxels = [self.dimensions.columns, self.dimensions.rows, self.dimensions.slices];
        // Cells at the far ends have fewer voxels.
        let there = |axis: usize, cell: usize| {
            let first = cell as u32 * layout.factor[axis];
            (voxels[axis] - first).min(layout.factor[axis]) as i32
        };
        let [columns, rows, _] = layout.size;
        let mean = |(index, sum): (usize, &i32)| {
            let place = [index % columns, index / columns % rows, index / columns / rows];
            let count = (0..3).map(|axis| there(axis, place[axis])).product::<i32>();
            sum.div_euclid(count) as i16
        };
        Cells { layout, mean: self.sums.iter().enumerate().map(mean).collect(), peak: self.peaks }
    }
}

/// What the rules look at.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    pub(crate) layout: Layout,
    pub(crate) mean: Vec<i16>,
    pub(crate) peak: Vec<i16>,
}

impl Cells {
    pub(super) fn mask(&self, inside: impl Fn(usize) -> bool + Sync) -> Mask {
        Mask::from_cells(self.layout.size, (0..self.mean.len()).map(inside).collect())
    }

    /// How many whole cells fit into a distance along each axis; at least one.
    pub(super) fn reach(&self, distance_um: i64) -> [usize; 3] {
        self.layout.um.map(|um| usize::try_from(distance_um / um).unwrap_or(1).max(1))
    }

    /// The same within a slice.
    pub(super) fn reach_in_plane(&self, distance_um: i64) -> [usize; 3] {
        let [x, y, _] = self.reach(distance_um);
        [x, y, 0]
    }

    /// Whether cells hold several voxels, so that their borders are coarser than the picture.
    pub(super) fn are_coarse(&self) -> bool {
        self.layout.factor.iter().any(|voxels| *voxels > 1)
    }

    pub(super) fn cubic_mm(&self, cells: usize) -> i64 {
        let [x, y, z] = self.layout.um;
        // Micrometres squared to thousandths of square millimetres first: the product of all three would not fit.
        cells as i64 * (x * y / 1000) / 1000 * z / 1000
    }

    pub(super) fn square_mm(&self, cells: usize) -> i64 {
        cells as i64 * self.layout.um[0] * self.layout.um[1] / 1_000_000
    }

    pub(super) fn place(&self, cell: usize) -> [usize; 3] {
        let [columns, rows, _] = self.layout.size;
        [cell % columns, cell / columns % rows, cell / columns / rows]
    }

    /// Towards the patient's left, micrometres from one side of the picture.
    pub(super) fn left_um(&self, cell: usize) -> i64 {
        let Layout { across, to_the_left, um, .. } = self.layout;
        let along = self.place(cell)[across] as i64 * um[across];
        if to_the_left { along } else { -along }
    }

    /// The in-plane axis that runs from front to back.
    pub(super) fn deep(&self) -> usize {
        1 - self.layout.across
    }

    /// Slices of cells from the head down.
    pub(super) fn slices_head_first(&self) -> Box<dyn Iterator<Item = usize>> {
        let slices = 0..self.layout.size[2];
        if self.layout.to_the_head { Box::new(slices.rev()) } else { Box::new(slices) }
    }
}
