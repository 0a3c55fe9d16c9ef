//! Chests: slabs around something worth looking at to learn from, whole scans to be judged on.

use serde_json::json;
use sidelight_models::detect::regrid;
use sidelight_models::manifest::Volumes;
use sidelight_tests::phantoms::{Grid, NodulePatient};

use crate::{Case, Purpose, byte};

/// As `models/bundles/lesion_det/model.toml` says.
const VOLUMES: Volumes = Volumes { pixel_mm: 1.0, slice_mm: 1.5, slices: 7, window: [-1000.0, 400.0] };

const ROWS: usize = 232;
const COLUMNS: usize = 340;
/// Of a slab to learn from: the slices of one input, and six more to choose its middle among.
const SLAB: usize = 13;
const WHOLE: usize = 102;

/// Slices, rows, columns.
pub(crate) fn shape(purpose: Purpose) -> [usize; 3] {
    [if purpose == Purpose::Training { SLAB } else { WHOLE }, ROWS, COLUMNS]
}

pub(crate) fn case(seed: u64, number: usize, purpose: Purpose) -> Case {
    let nodules = match purpose {
        Purpose::Training => [2, 0, 3, 1, 4][number % 5],
        Purpose::Validation | Purpose::Cases => [1, 0, 2, 0, 3, 0][number % 6],
    };
    let patient = NodulePatient::new(seed, purpose.family(), nodules);
    let mut dice = fastrand::Rng::with_seed(seed ^ 0x6772_6964);
    let mut share = move || dice.f32();
    let grid = match purpose {
        Purpose::Training => {
            let increment = 1.0 + 1.5 * share();
            slab(&patient, increment, &mut share)
        }
        Purpose::Validation => patient.grid(1.0, 1.0 + 1.5 * share()),
        // Neither pixels nor slice distances are those of training.
        Purpose::Cases => patient.grid(0.74 + 0.1 * share(), [2.6, 3.0][number / 6 % 2]),
    };
    let hounsfield = patient.scan(&grid);
    let step_mm = grid.step_mm.map(f64::from);
    let out = regrid(&hounsfield, grid.size, step_mm, &VOLUMES);
    let truth: Vec<_> = patient
        .nodules(&grid)
        .into_iter()
        .map(|nodule| {
            let target_mm = [VOLUMES.pixel_mm, VOLUMES.pixel_mm, VOLUMES.slice_mm];
            let [x, y, z] = [0, 1, 2].map(|axis| {
                let [from, to] = [grid.size[axis], out.size[axis]].map(|size| f64::from(u32::try_from(size).unwrap_or(0)));
                let from_centre = (nodule.at_voxel[axis] + 0.5 - from / 2.0) * step_mm[axis];
                from_centre / target_mm[axis] + to / 2.0 - 0.5
            });
            json!({ "x": x, "y": y, "z": z, "radius_mm": nodule.diameter_mm / 2.0, "ground_glass": nodule.ground_glass })
        })
        .collect();
    Case {
        bytes: cut(&out.values, out.size, shape(purpose)),
        truth: json!({ "lesions": truth, "slices": out.size[2] }),
    }
}

fn slab(patient: &NodulePatient, increment: f32, share: &mut impl FnMut() -> f32) -> Grid {
    let middle = patient.interesting_z(share) + 6.0 * (share() - 0.5);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few slices")]
    let slices = (19.5 / increment).round() as usize;
    let step_mm = [1.0, 1.0, 19.5 / f32::from(u16::try_from(slices).unwrap_or(1))];
    let mut grid = patient.grid(1.0, increment);
    grid.size[2] = slices;
    grid.first_mm[0] += share() - 0.5;
    grid.first_mm[1] += share() - 0.5;
    grid.first_mm[2] = middle - 9.75;
    Grid { step_mm, ..grid }
}

/// Exactly `shape`: what is missing is air, what is too much is left out.
fn cut(values: &[f32], [columns, rows, slices]: [usize; 3], shape: [usize; 3]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(shape.iter().product());
    for slice in 0..shape[0] {
        for row in 0..shape[1] {
            for column in 0..shape[2] {
                let inside = slice < slices && row < rows && column < columns;
                bytes.push(if inside { byte(values[(slice * rows + row) * columns + column]) } else { 0 });
            }
        }
    }
    bytes
}
