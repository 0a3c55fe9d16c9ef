//! Where to look for coronary calcium when nobody has drawn a region: the heart's surroundings on a
//! non-contrast CT of the chest or the heart.
//!
//! ```text
//! volume -> grid (2 to 4 mm cells, patient directions) -> body -> lungs -> hull around the lungs, slice by slice
//!        -> bone (large, or reaching out of the hull), with a margin
//!        -> spine and the way the patient faces -> everything behind the vertebrae's front, and the aorta's place
//!        -> heart = the thickest 90 mm of what is left -> what is left within reach of its middle
//! ```
//! Invariants: integer arithmetic, so the same volume gives the same region on every machine; distances are
//! millimetres and directions the patient's, never rows and columns. It segments nothing: vessels and chambers
//! have no names here, and [`RULE`] says to the reader what that costs.

mod bone;
mod exclusions;
mod grid;
mod lungs;
mod thorax;
pub mod vessels;

pub use exclusions::{Excluded, Exclusion, exclusions};
use grid::Grid;
use lungs::Hull;
use thorax::Thorax;

use crate::mask::Mask;
use crate::region::Region;
use crate::volume::Volume;

/// What the automatic region leaves out and where it fails, for the reader of a finding.
pub const RULE: &str = "Automatic region: the soft tissue between the lungs, within 95 mm of the middle of the heart, \
from 80 mm below it to 65 mm above it. Left out: bone with its marrow and a margin of 5 mm, everything behind the front of the \
vertebrae plus 5 mm, a disc of 20 mm radius to the left before the vertebrae where the descending aorta runs, the \
lungs but for a rim of 2 to 8 mm, and the chest wall. It does not know vessels: calcium of the aortic root, the \
ascending aorta, the valves, the mitral ring, the pericardium or hilar lymph nodes is inside and is counted, so read \
the marks. It can lose coronary calcium where the far circumflex artery passes close to the descending aorta, where \
the heart lies against the chest wall with no lung before it, below the last slice that shows both lungs, and where \
calcium touches bone. A winding or wide aorta may lie partly inside. It is not reliable, and usually gives no region, after \
removal of a lung, with consolidated lungs or large effusions, with a deep funnel chest, in children, or in \
pictures so noisy that noise reaches 130 HU.";

/// Why no region is offered. The reader can still draw one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHeart {
    #[error("the slices are not axial")]
    NotAxial,
    #[error("the slices cover {covered_mm} mm; a heart needs at least {needed_mm} mm")]
    TooShort { covered_mm: u32, needed_mm: u32 },
    #[error("the field of view is {field_mm} mm; both lungs beside the heart need at least {needed_mm} mm")]
    NarrowField { field_mm: u32, needed_mm: u32 },
    #[error("no body was found in the pictures")]
    NoBody,
    #[error("no aerated lungs were found in the pictures")]
    NoLungs,
    #[error("only one lung was found; the rule needs one on either side of the heart")]
    OneLung,
    #[error("no spine was found behind the lungs")]
    NoSpine,
    #[error(
        "only {found_mm} mm of the chest show both lungs beside a heart; at least {needed_mm} mm are needed"
    )]
    LittleHeart { found_mm: u32, needed_mm: u32 },
    #[error("the tissue between the lungs measures {found_ml} ml, which is no heart")]
    Implausible { found_ml: u32 },
}

const COVER_AT_LEAST_UM: i64 = 45_000;
const FIELD_AT_LEAST_UM: i64 = 150_000;
/// A slice shows the heart when each side has this much lung,
const SIDE_AT_LEAST_MM2: i64 = 1200;
/// each lung reaches this far before the vertebrae,
const LUNG_BEFORE_SPINE_UM: i64 = 35_000;
/// and no more than this share of the hull is tissue: below, liver and bowel fill it.
const TISSUE_AT_MOST_PERCENT: usize = 72;
/// In other slices this much lung on each side still bounds something.
const EDGE_SIDE_AT_LEAST_MM2: i64 = 300;
/// About the height of a heart.
const HEART_UM: i64 = 90_000;
const BEFORE_SPINE_UM: i64 = 5_000;
/// The descending aorta: centre to the left and before the vertebra's front, radius around it.
const AORTA_LEFT_UM: i64 = 22_000;
const AORTA_BEFORE_UM: i64 = 3_000;
const AORTA_RADIUS_UM: i64 = 20_000;
/// From the heart's middle: in the plane, towards the feet, towards the head.
const REACH_UM: i64 = 95_000;
const REACH_BELOW_UM: i64 = 80_000;
const REACH_ABOVE_UM: i64 = 65_000;
const HEART_ML: std::ops::RangeInclusive<i64> = 150..=2500;

/// The region in which calcium counts as coronary until a reader says otherwise.
pub fn surroundings(volume: &Volume) -> Result<Region, NoHeart> {
    let grid = Grid::new(volume)?;
    large_enough(&grid)?;
    let body = lungs::body(&grid)?;
    let lungs = lungs::lungs(&grid, &body)?;
    let hulls = hulls(&grid, &lungs);
    let hull = hull(&grid, &hulls);
    let dense = bone::dense(&grid);
    let thorax = Thorax::find(&grid, &hulls, &bone::large(&grid, &dense))?;
    let bone = bone::with_margin(&grid, &bone::reaching_out(&grid, &dense, &hull));
    let chest = Chest { grid: &grid, lungs, hull, bone, thorax };
    let heart = chest.heart()?;
    let cells = chest.around(heart)?;
    Ok(grid.region(&cells))
}

/// The bone that [`surroundings`] would leave out, with its margin, whether or not there is a heart. Where no lung
/// bounds a slice, everything dense is bone.
pub fn bone(volume: &Volume) -> Result<Region, NoHeart> {
    let grid = Grid::new(volume)?;
    Ok(grid.region(&bone_cells(&grid)))
}

fn bone_cells(grid: &Grid) -> Mask {
    let lungs = lungs::body(grid).and_then(|body| lungs::lungs(grid, &body));
    let hull = lungs.map_or_else(|_| Mask::new(grid.size), |lungs| hull(grid, &hulls(grid, &lungs)));
    bone::with_margin(grid, &bone::reaching_out(grid, &bone::dense(grid), &hull))
}

fn hulls(grid: &Grid, lungs: &Mask) -> Vec<Hull> {
    (0..grid.size[2]).map(|z| Hull::around(lungs.plane(z), grid.size[0])).collect()
}

fn hull(grid: &Grid, hulls: &[Hull]) -> Mask {
    let [columns, rows, _] = grid.size;
    Mask::from_cells(grid.size, hulls.iter().flat_map(|hull| hull.fill(columns, rows)).collect())
}

fn large_enough(grid: &Grid) -> Result<(), NoHeart> {
    let extent = |axis: usize| grid.size[axis] as i64 * grid.cell_um[axis];
    if extent(2) < COVER_AT_LEAST_UM {
        return Err(NoHeart::TooShort {
            covered_mm: millimetres(extent(2)),
            needed_mm: millimetres(COVER_AT_LEAST_UM),
        });
    }
    let field = extent(0).min(extent(1));
    if field < FIELD_AT_LEAST_UM {
        return Err(NoHeart::NarrowField {
            field_mm: millimetres(field),
            needed_mm: millimetres(FIELD_AT_LEAST_UM),
        });
    }
    Ok(())
}

/// The heart's middle: left and front in micrometres, slice of the grid.
#[derive(Clone, Copy, Debug)]
struct Middle {
    left_um: i64,
    front_um: i64,
    slice: i64,
}

/// What one slice says about the heart.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    shows_heart: bool,
    /// Enough lung on either side to bound anything.
    bounded: bool,
    /// Cells of mediastinum, and the sums of their places.
    cells: i64,
    left_um: i64,
    front_um: i64,
}

/// Everything the last two steps look at.
struct Chest<'a> {
    grid: &'a Grid,
    lungs: Mask,
    hull: Mask,
    bone: Mask,
    thorax: Thorax,
}

impl Chest<'_> {
    fn place(&self, cell: usize) -> (usize, [i64; 2]) {
        let [columns, rows, _] = self.grid.size;
        let z = cell / columns / rows;
        (z, self.thorax.frame.place([(cell % columns) as i64, (cell / columns % rows) as i64]))
    }

    /// Not bone, not behind the front of the vertebrae, not where the descending aorta runs.
    fn allowed(&self, cell: usize) -> bool {
        let (z, place) = self.place(cell);
        let [left, front] = [0, 1].map(|axis| place[axis] - self.thorax.spine[z][axis]);
        let (aside, before) = (left - AORTA_LEFT_UM, front - AORTA_BEFORE_UM);
        let aorta = aside * aside + before * before <= AORTA_RADIUS_UM * AORTA_RADIUS_UM;
        self.hull.cells()[cell] && front >= BEFORE_SPINE_UM && !aorta && !self.bone.cells()[cell]
    }

    fn level(&self, z: usize) -> Level {
        let plane = self.grid.size[0] * self.grid.size[1];
        let mut level = Level::default();
        // Right and left: cells of lung, and how far before the spine it reaches.
        let mut sides = [(0, i64::MIN); 2];
        let (mut lung, mut hull) = (0, 0);
        for cell in (z * plane..(z + 1) * plane).filter(|cell| self.hull.cells()[*cell]) {
            hull += 1;
            let (_, [left, front]) = self.place(cell);
            if self.lungs.cells()[cell] {
                lung += 1;
                let side = &mut sides[usize::from(left > self.thorax.spine[z][0])];
                *side = (side.0 + 1, side.1.max(front - self.thorax.spine[z][1]));
            } else if self.allowed(cell) {
                level.cells += 1;
                level.left_um += left;
                level.front_um += front;
            }
        }
        let area = |mm2: i64| sides.iter().all(|side| side.0 * self.grid.cell_area_mm2_x100() >= mm2 * 100);
        let forward = sides.iter().all(|side| side.1 >= LUNG_BEFORE_SPINE_UM);
        level.bounded = area(EDGE_SIDE_AT_LEAST_MM2);
        level.shows_heart =
            area(SIDE_AT_LEAST_MM2) && forward && (hull - lung) * 100 <= TISSUE_AT_MOST_PERCENT * hull;
        level
    }

    /// The thickest stretch of mediastinum between two lungs.
    fn heart(&self) -> Result<Middle, NoHeart> {
        let levels: Vec<Level> = (0..self.grid.size[2]).map(|z| self.level(z)).collect();
        let height = self.grid.cells(2, HEART_UM).min(levels.len());
        let thickness = |from: usize| -> i64 {
            levels[from..from + height]
                .iter()
                .filter(|level| level.shows_heart)
                .map(|level| level.cells)
                .sum()
        };
        let from = (0..=levels.len() - height).rev().max_by_key(|from| thickness(*from)).unwrap_or(0);
        let shown =
            || levels.iter().enumerate().skip(from).take(height).filter(|(_, level)| level.shows_heart);
        let found_um = shown().count() as i64 * self.grid.cell_um[2];
        let cells = shown().map(|(_, level)| level.cells).sum::<i64>();
        if found_um < COVER_AT_LEAST_UM || cells == 0 {
            let needed_mm = millimetres(COVER_AT_LEAST_UM);
            return Err(NoHeart::LittleHeart { found_mm: millimetres(found_um), needed_mm });
        }
        Ok(Middle {
            left_um: shown().map(|(_, level)| level.left_um).sum::<i64>() / cells,
            front_um: shown().map(|(_, level)| level.front_um).sum::<i64>() / cells,
            slice: shown().map(|(z, level)| z as i64 * level.cells).sum::<i64>() / cells,
        })
    }

    /// What is left around the heart, in one piece, with a thin rim of lung.
    fn around(&self, heart: Middle) -> Result<Mask, NoHeart> {
        let bounded: Vec<bool> = (0..self.grid.size[2]).map(|z| self.level(z).bounded).collect();
        let everywhere = self.hull.filter(|cell| {
            let (z, [left, front]) = self.place(cell);
            let (aside, before) = (left - heart.left_um, front - heart.front_um);
            let above = (z as i64 - heart.slice) * self.grid.cell_um[2];
            let near = aside * aside + before * before <= REACH_UM * REACH_UM;
            bounded[z] && near && (-REACH_BELOW_UM..=REACH_ABOVE_UM).contains(&above) && self.allowed(cell)
        });
        let tissue = everywhere.filter(|cell| !self.lungs.cells()[cell]);
        let piece = tissue.eroded([1, 1, 0]).largest().dilated([2, 2, 0]);
        let cells = piece.filter(|cell| everywhere.cells()[cell]);
        let found = self.grid.millilitres(cells.count());
        if HEART_ML.contains(&found) {
            Ok(cells)
        } else {
            Err(NoHeart::Implausible { found_ml: u32::try_from(found).unwrap_or(u32::MAX) })
        }
    }
}

fn millimetres(micrometres: i64) -> u32 {
    u32::try_from(micrometres / 1000).unwrap_or(u32::MAX)
}
