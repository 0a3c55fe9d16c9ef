//! Gauss-Newton on a pyramid, inverse compositional: the steepness of the reference is taken once, and each step only
//! reads the pass where the pose of the moment says the points are.

use super::search::{Differences, Search};
use super::{Pass, Pose, matrix, rotation_vector};
use crate::perfusion::coarse::{Coarse, CoarseGrid};

/// Levels of the pyramid: 8, 4 and 2 mm where the matrix is large enough.
const LEVELS: usize = 3;

/// Most steps on a level.
pub(crate) const STEPS: usize = 15;

/// A step that moves no point of the head by more has arrived.
const ARRIVED_MM: f64 = 0.01;

/// Most points of a level: the steepest.
const POINTS: usize = 32_768;

/// A point must be steeper than noise, HU/mm.
const STEEP_HU_PER_MM: f32 = 4.0;

/// Below so many slices nothing is known about motion across them.
const SLICES_FOR_SPACE: usize = 4;

/// A point of the reference.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct Point {
    /// From the centre of the series.
    pub(crate) mm: [f32; 3],
    pub(crate) hu: f32,
    /// Change of the reference with each of the six numbers: turns about three axes, shifts along them.
    pub(crate) slopes: [f32; 6],
}

/// One level of the reference.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) grid: CoarseGrid,
    pub(crate) points: Vec<Point>,
}

/// The pyramid of the reference, coarsest first.
#[derive(Debug)]
pub(crate) struct Levels {
    pub(crate) levels: Vec<Level>,
    in_plane_only: bool,
}

/// What the points say about a pose.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    /// Upper triangle of the normal matrix, row by row.
    pub(crate) normal: [f64; 21],
    pub(crate) right: [f64; 6],
}

/// A pose while it is being found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rigid {
    pub(crate) rotation: [[f64; 3]; 3],
    pub(crate) translation_mm: [f64; 3],
}

impl Levels {
    pub(crate) fn new(coarse: &Coarse, reference: usize) -> Self {
        let in_plane_only = coarse.grid.size[2] < SLICES_FOR_SPACE;
        let mut levels = Vec::new();
        let (mut grid, mut values) = (coarse.grid, coarse.grid.softened(&coarse.passes[reference]));
        for _ in 0..LEVELS {
            levels.push(Level { grid, points: points(&grid, &values, in_plane_only) });
            let halved = grid.halved();
            values = grid.halve(&values, &halved);
            grid = halved;
        }
        levels.reverse();
        Self { levels, in_plane_only }
    }

    /// The pyramid of another pass, coarsest first.
    pub(crate) fn pyramid(&self, finest: &[f32]) -> Vec<Vec<f32>> {
        let finest_grid = &self.levels[self.levels.len() - 1].grid;
        let mut values = vec![finest_grid.softened(finest)];
        for pair in self.levels.windows(2).rev() {
            let next = pair[1].grid.halve(values.last().expect("the finest is there"), &pair[0].grid);
            values.push(next);
        }
        values.reverse();
        values
    }

    /// Middle distance of the finest level's points from their middle value.
    pub(crate) fn contrast_hu(&self) -> f64 {
        let finest = &self.levels[self.levels.len() - 1];
        let mut values: Vec<f32> = finest.points.iter().map(|point| point.hu).collect();
        let middle = median(&mut values);
        values.iter_mut().for_each(|value| *value = (*value - middle).abs());
        f64::from(median(&mut values))
    }

    /// The better pose that the sums ask for, and how far it moves the head; `None` where they ask for nothing.
    pub(crate) fn step(&self, rigid: &Rigid, sums: &Sums) -> Option<(Rigid, f64)> {
        let delta = solve(sums, self.in_plane_only)?;
        let turned = matrix([delta[0], delta[1], delta[2]]);
        let moved = Pose {
            rotation_rad: [delta[0], delta[1], delta[2]],
            translation_mm: [delta[3], delta[4], delta[5]],
        };
        // W becomes W after the inverse of the step: R * D^T, t - R * D^T * d.
        let rotation = std::array::from_fn(|row: usize| {
            std::array::from_fn(|column: usize| {
                (0..3).map(|i| rigid.rotation[row][i] * turned[column][i]).sum()
            })
        });
        let rotation: [[f64; 3]; 3] = rotation;
        let translation_mm = std::array::from_fn(|row| {
            rigid.translation_mm[row] - (0..3).map(|i| rotation[row][i] * delta[3 + i]).sum::<f64>()
        });
        Some((Rigid { rotation, translation_mm }, moved.displacement_mm()))
    }
}

impl Rigid {
    pub(crate) const STILL: Self =
        Self { rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], translation_mm: [0.0; 3] };

    pub(crate) fn pose(&self) -> Pose {
        Pose { rotation_rad: rotation_vector(&self.rotation), translation_mm: self.translation_mm }
    }

    pub(crate) fn arrived(displacement_mm: f64) -> bool {
        displacement_mm < ARRIVED_MM
    }
}

/// Aligns one pass with the reference.
pub(crate) fn pass(levels: &Levels, finest: &[f32]) -> Pass {
    let mut search = Search::default();
    for (level, values) in levels.levels.iter().zip(levels.pyramid(finest)) {
        search.enter_level();
        for _ in 0..STEPS {
            let (sums, differences) = sums(level, &values, &search);
            search.hear(levels, level, &sums, &differences);
            if search.arrived {
                break;
            }
        }
    }
    search.pass()
}

/// Sums over the points that the pass saw, and how large the differences there were.
fn sums(level: &Level, values: &[f32], search: &Search) -> (Sums, Differences) {
    let mut differences = Differences::none();
    let place = Placed::new(&level.grid, &search.rigid);
    let mut sums = Sums::default();
    for point in &level.points {
        let Some(hu) = place.read(values, point.mm) else { continue };
        let difference = hu - point.hu;
        differences.count(difference.abs());
        let weight = search.weight(difference.abs());
        let mut at = 0;
        for (row, &slope) in point.slopes.iter().enumerate() {
            let weighted = weight * slope;
            sums.right[row] += f64::from(weighted * difference);
            for &other in &point.slopes[row..] {
                sums.normal[at] += f64::from(weighted * other);
                at += 1;
            }
        }
    }
    (sums, differences)
}

/// Voxels of a level from mm of the reference: three rows over (x, y, z, 1).
#[expect(clippy::cast_possible_truncation, reason = "a thousandth of a voxel is enough")]
pub(crate) fn voxels_from_mm(grid: &CoarseGrid, rigid: &Rigid) -> [[f32; 4]; 3] {
    std::array::from_fn(|axis| {
        let spacing = grid.spacing_mm[axis];
        let [x, y, z] = rigid.rotation[axis].map(|part| (part / spacing) as f32);
        [x, y, z, ((rigid.translation_mm[axis] - grid.first_mm[axis]) / spacing) as f32]
    })
}

/// The middle difference; infinite when there is none.
fn median(differences: &mut [f32]) -> f32 {
    if differences.is_empty() {
        return f32::INFINITY;
    }
    let middle = differences.len() / 2;
    *differences.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// Reads a level where a pose says that points of the reference are.
struct Placed<'a> {
    grid: &'a CoarseGrid,
    /// Voxels of the level from mm of the reference.
    from_mm: [[f32; 4]; 3],
}

impl<'a> Placed<'a> {
    fn new(grid: &'a CoarseGrid, rigid: &Rigid) -> Self {
        Self { grid, from_mm: voxels_from_mm(grid, rigid) }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the level")]
    fn read(&self, values: &[f32], [x, y, z]: [f32; 3]) -> Option<f32> {
        let size = self.grid.size;
        let at: [f32; 3] = self.from_mm.map(|row| row[0] * x + row[1] * y + row[2] * z + row[3]);
        // Half a voxel beyond the outermost centres is still inside the outermost voxels.
        if !(0..3).all(|axis| at[axis] >= -0.5 && at[axis] <= size[axis] as f32 - 0.5) {
            return None;
        }
        let at: [f32; 3] = std::array::from_fn(|axis| at[axis].clamp(0.0, (size[axis] - 1) as f32));
        let low = at.map(|position| position as usize);
        let [fx, fy, fz]: [f32; 3] = std::array::from_fn(|axis| at[axis] - low[axis] as f32);
        let stride = [1, size[0], size[0] * size[1]];
        let next: [usize; 3] =
            std::array::from_fn(|axis| if low[axis] + 1 < size[axis] { stride[axis] } else { 0 });
        let corner = low[0] + low[1] * stride[1] + low[2] * stride[2];
        let line = |from: usize| values[from] + fx * (values[from + next[0]] - values[from]);
        let plane = |from: usize| line(from) + fy * (line(from + next[1]) - line(from));
        Some(plane(corner) + fz * (plane(corner + next[2]) - plane(corner)))
    }
}

/// The steepest points of a level, in the order of the matrix.
fn points(grid: &CoarseGrid, values: &[f32], in_plane_only: bool) -> Vec<Point> {
    let [columns, rows, slices] = grid.size;
    let inner = |size: usize| if size >= 3 { 1..size - 1 } else { 0..size };
    let mut found = Vec::new();
    let across = if in_plane_only { 0..slices } else { inner(slices) };
    for slice in across {
        for row in inner(rows) {
            for column in inner(columns) {
                let gradient = gradient(grid, values, [column, row, slice], in_plane_only);
                let steepness = gradient.iter().map(|slope| slope * slope).sum::<f32>();
                if steepness > STEEP_HU_PER_MM * STEEP_HU_PER_MM {
                    found.push((steepness, point(grid, values, [column, row, slice], gradient)));
                }
            }
        }
    }
    if found.len() > POINTS {
        let mut steepness: Vec<f32> = found.iter().map(|(steepness, _)| *steepness).collect();
        let bound = *steepness.select_nth_unstable_by(POINTS, |a, b| b.total_cmp(a)).1;
        found.retain(|(steepness, _)| *steepness > bound);
    }
    found.into_iter().map(|(_, point)| point).collect()
}

/// Central differences, HU/mm.
fn gradient(grid: &CoarseGrid, values: &[f32], at: [usize; 3], in_plane_only: bool) -> [f32; 3] {
    let stride = [1, grid.size[0], grid.size[0] * grid.size[1]];
    let here: usize = (0..3).map(|axis| at[axis] * stride[axis]).sum();
    std::array::from_fn(|axis| {
        if grid.size[axis] < 3 || (axis == 2 && in_plane_only) {
            return 0.0;
        }
        #[expect(clippy::cast_possible_truncation, reason = "millimetres")]
        let distance_mm = 2.0 * grid.spacing_mm[axis] as f32;
        (values[here + stride[axis]] - values[here - stride[axis]]) / distance_mm
    })
}

fn point(grid: &CoarseGrid, values: &[f32], at: [usize; 3], [gx, gy, gz]: [f32; 3]) -> Point {
    #[expect(clippy::cast_possible_truncation, reason = "millimetres")]
    let mm: [f32; 3] =
        std::array::from_fn(|axis| (grid.first_mm[axis] + at[axis] as f64 * grid.spacing_mm[axis]) as f32);
    let [x, y, z] = mm;
    let hu = values[(at[2] * grid.size[1] + at[1]) * grid.size[0] + at[0]];
    Point { mm, hu, slopes: [y * gz - z * gy, z * gx - x * gz, x * gy - y * gx, gx, gy, gz] }
}

/// Solves the normal equations by elimination with the largest pivot; `None` where they say nothing.
fn solve(sums: &Sums, in_plane_only: bool) -> Option<[f64; 6]> {
    let mut rows = [[0.0; 7]; 6];
    let pairs = (0..6).flat_map(|row| (row..6).map(move |column| (row, column)));
    for ((row, column), &value) in pairs.zip(&sums.normal) {
        (rows[row][column], rows[column][row]) = (value, value);
    }
    rows.iter_mut().zip(sums.right).for_each(|(row, right)| row[6] = right);
    for fixed in [0, 1, 5].into_iter().filter(|_| in_plane_only) {
        rows[fixed] = [0.0; 7];
        rows[fixed][fixed] = 1.0;
        (0..6).filter(|&row| row != fixed).for_each(|row| rows[row][fixed] = 0.0);
    }
    for pivot in 0..6 {
        let largest = (pivot..6).max_by(|&a, &b| rows[a][pivot].abs().total_cmp(&rows[b][pivot].abs()))?;
        rows.swap(pivot, largest);
        if rows[pivot][pivot].abs() <= 1e-9 {
            return None;
        }
        let above = rows[pivot];
        for row in &mut rows[pivot + 1..] {
            let factor = row[pivot] / above[pivot];
            (pivot..7).for_each(|column| row[column] -= factor * above[column]);
        }
    }
    let mut solution = [0.0; 6];
    for row in (0..6).rev() {
        let known: f64 = (row + 1..6).map(|column| rows[row][column] * solution[column]).sum();
        solution[row] = (rows[row][6] - known) / rows[row][row];
    }
    Some(solution)
}
