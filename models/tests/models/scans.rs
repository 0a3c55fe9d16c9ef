//! Whole scans in blocks: a hand-written network that moves everything above a half one voxel to the patient's left,
//! whatever the grid and however the scan was stored.

use std::ops::ControlFlow;
use std::path::Path;

use sidelight_models::{Bundle, Model, Plane, Scan, SegmentError, Segmenter};

use crate::bundles::{npy, write};
use crate::graph::{Oddity, THRESHOLD};
use crate::runtime;

const LEFT: [f64; 3] = [1.0, 0.0, 0.0];
const BACK: [f64; 3] = [0.0, 1.0, 0.0];
const HEAD: [f64; 3] = [0.0, 0.0, 1.0];
/// The network's own voxel, along its columns.
const MOVED_MM: f64 = 2.0;
/// Of the ball, patient millimetres from the scan's middle.
const CENTRE_MM: [f64; 3] = [-7.0, 5.0, 4.0];

fn model(parent: &Path) -> Model {
    let network = Oddity { moves_scans: true, ..THRESHOLD };
    let bundle = write(parent, "1", network, |manifest| {
        manifest
            .replace("shape = [-1, 1, -1, -1]", "shape = [-1, 1, -1, -1, -1]")
            .replace("shape = [-1, 2, -1, -1]", "shape = [-1, 2, -1, -1, -1]")
            .replace("orientation = \"any\"", "orientation = \"lps\"")
            .replace("pixel_mm = 1.0", "pixel_mm = 2.0\ndepth = { slice_mm = 3.0, slices = 8 }")
            .replace("patch = [32, 32]", "patch = [16, 20]")
            .replace("intensity = { window = [0.0, 1.0] }", "intensity = { window = [0.0, 1000.0] }")
    });
    npy(&bundle.join("image.npy"), &[1, 1, 1, 1, 2], &[0.25, 0.75]);
    // The second stands where the first one was; before the first there is nothing.
    npy(&bundle.join("scores.npy"), &[1, 2, 1, 1, 2], &[1.0, 0.75, 0.0, 0.25]);
    Bundle::open(&bundle).unwrap().verify(&runtime()).unwrap()
}

fn negative(direction: [f64; 3]) -> [f64; 3] {
    direction.map(|part| -part)
}

/// Whether each voxel lies in a ball, `centre_mm` from the middle of the scan.
fn ball(
    size: [usize; 3],
    step_mm: [f64; 3],
    directions: &[[f64; 3]; 3],
    centre_mm: [f64; 3],
    radius_mm: f64,
) -> Vec<bool> {
    let inside = |at: usize| {
        let voxel = [at / (size[1] * size[2]), at / size[2] % size[1], at % size[2]];
        let mut away = [0, 1, 2].map(|axis| -centre_mm[axis]);
        for (axis, direction) in directions.iter().enumerate() {
            let along = (voxel[axis] as f64 + 0.5 - size[axis] as f64 / 2.0) * step_mm[axis];
            away.iter_mut().zip(direction).for_each(|(away, part)| *away += along * part);
        }
        away.iter().map(|mm| mm * mm).sum::<f64>().sqrt() < radius_mm
    };
    (0..size.iter().product()).map(inside).collect()
}

fn values(inside: &[bool]) -> Vec<i16> {
    inside.iter().map(|inside| if *inside { 1000 } else { 0 }).collect()
}

#[test]
fn everything_moves_to_the_patients_left_however_the_scan_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = model(folder.path());
    let mut segmenter = Segmenter::new(&mut model).unwrap();
    for (size, step_mm, directions) in [
        // Axial from the feet up and from the head down, finer and coarser than the network, several blocks each way.
        ([30, 60, 70], [2.5, 0.9, 0.8], [HEAD, BACK, LEFT]),
        ([14, 44, 40], [5.0, 1.3, 1.6], [negative(HEAD), BACK, LEFT]),
        // Turned over; sagittal from left to right; coronal from the back with the head down.
        ([20, 40, 40], [3.0, 1.5, 1.5], [HEAD, negative(BACK), negative(LEFT)]),
        ([40, 40, 50], [1.5, 1.6, 1.2], [negative(LEFT), negative(HEAD), BACK]),
        ([24, 36, 36], [2.4, 1.7, 1.7], [negative(BACK), HEAD, LEFT]),
    ] {
        let radius_mm = 12.0;
        let scan = values(&ball(size, step_mm, &directions, CENTRE_MM, radius_mm));
        let scan = Scan { size, step_mm, directions, values: &scan };
        let labels = segmenter.segment_scan(&scan, &mut |_| ControlFlow::Continue(())).unwrap();
        let moved = [CENTRE_MM[0] + MOVED_MM, CENTRE_MM[1], CENTRE_MM[2]];
        // Interpolation there and back moves an edge by less than a voxel of the coarser grid.
        let edge_mm = step_mm.iter().copied().fold(3.0, f64::max);
        let inner = ball(size, step_mm, &directions, moved, radius_mm - edge_mm);
        let outer = ball(size, step_mm, &directions, moved, radius_mm + edge_mm);
        for (at, label) in labels.iter().enumerate() {
            assert!(*label == 1 || !inner[at], "{size:?} {directions:?}: a hole at {at}");
            assert!(*label == 0 || outer[at], "{size:?} {directions:?}: too far out at {at}");
        }
        assert!(
            middle_is_off_by(&labels, size, step_mm, &directions, moved) < 0.35,
            "{size:?} {directions:?}"
        );
        let voxel_mm3: f64 = step_mm.iter().product();
        let ml = labels.iter().filter(|label| **label == 1).count() as f64 * voxel_mm3 / 1000.0;
        let true_ml = 4.0 / 3.0 * std::f64::consts::PI * radius_mm.powi(3) / 1000.0;
        assert!((ml / true_ml - 1.0).abs() < 0.06, "{size:?}: {ml} of {true_ml} mL");
    }
}

/// Millimetres between the middle of what is labelled and where it should be: an unmoved ball is 2 off.
fn middle_is_off_by(
    labels: &[u8],
    size: [usize; 3],
    step_mm: [f64; 3],
    directions: &[[f64; 3]; 3],
    wanted: [f64; 3],
) -> f64 {
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for (at, _) in labels.iter().enumerate().filter(|(_, label)| **label == 1) {
        let voxel = [at / (size[1] * size[2]), at / size[2] % size[1], at % size[2]];
        for (axis, direction) in directions.iter().enumerate() {
            let along = (voxel[axis] as f64 + 0.5 - size[axis] as f64 / 2.0) * step_mm[axis];
            sum.iter_mut().zip(direction).for_each(|(sum, part)| *sum += along * part);
        }
        count += 1.0;
    }
    [0, 1, 2].map(|part| (sum[part] / count - wanted[part]).powi(2)).iter().sum::<f64>().sqrt()
}

#[test]
fn a_scan_can_be_stopped_between_blocks_and_nonsense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = model(folder.path());
    let mut segmenter = Segmenter::new(&mut model).unwrap();
    let scan = Scan {
        size: [20, 40, 40],
        step_mm: [3.0, 2.0, 2.0],
        directions: [HEAD, BACK, LEFT],
        values: &vec![0; 32_000],
    };
    let mut heard = Vec::new();
    let stopped = segmenter.segment_scan(&scan, &mut |share| {
        heard.push(share);
        if heard.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(SegmentError::Stopped)) && heard.len() == 3, "{stopped:?} after {heard:?}");
    assert!(heard.windows(2).all(|pair| pair[0] < pair[1]) && heard[2] < 1.0, "{heard:?}");
    for wrong in [
        Scan { size: [20, 40, 41], ..scan },
        Scan { size: [usize::MAX, 2, 2], ..scan },
        Scan { step_mm: [3.0, f64::NAN, 2.0], ..scan },
        Scan { directions: [HEAD, BACK, [0.0; 3]], ..scan },
    ] {
        let outcome = segmenter.segment_scan(&wrong, &mut |_| ControlFlow::Continue(()));
        assert!(matches!(outcome, Err(SegmentError::Images(_))), "{outcome:?}");
    }
    let plane = Plane { rows: 4, columns: 4, pixel_mm: [1.0; 2], images: &[vec![0.0; 16]] };
    let outcome = segmenter.segment(&plane, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(outcome, Err(SegmentError::Reads { .. })), "{outcome:?}");
}
