//! A head that moves is put back; one that moves too far is left out.

use sidelight_kernels::perfusion::{Choice, Dynamic, Guard, Parameters, Pose, SliceSeries};
use sidelight_kernels::{Dimensions, Geometry, Region};

use super::gpu::on_gpu;
use super::{bolus, run};
use crate::volumes::Noise;

const SIZE: Dimensions = Dimensions { columns: 72, rows: 84, slices: 16 };
const SPACING_MM: [f64; 3] = [2.0, 2.0, 4.0];
const PASSES: usize = 30;

fn spaced() -> Geometry {
    let [x, y, z] = SPACING_MM;
    Geometry {
        column_spacing_mm: x,
        row_spacing_mm: y,
        slice_increment_mm: z,
        patient_mm_from_voxel: [[x, 0.0, 0.0, 0.0], [0.0, y, 0.0, 0.0], [0.0, 0.0, z, 0.0]],
    }
}

/// HU at a place of the head that lies still: an egg of bone filled with brain, with a bony ridge inside, an artery
/// and a vein.
fn head(place_mm: [f64; 3], time_s: f64) -> f64 {
    let [x, y, z] = place_mm;
    let egg = |inwards: f64| {
        let half = [56.0, 68.0, 46.0].map(|half| half - inwards);
        (x / half[0]).powi(2) + (y / half[1]).powi(2) + (z / half[2]).powi(2) * (1.0 + y / 400.0)
    };
    let enhanced = |height: f64, late_s: f64| height * bolus(time_s, 6.0 + late_s, 6.0);
    // Edges are as soft as a scanner's, about 3 mm, so that shifts below a voxel show.
    let inside = |value: f64, half_mm: f64| ((1.0 - value.sqrt()) * half_mm / 1.5 + 0.5).clamp(0.0, 1.0);
    let outer = inside(egg(0.0), 56.0);
    let inner = inside(egg(7.0), 49.0);
    let vessel = |cx: f64, cy: f64| (x - cx).powi(2) + (y - cy).powi(2) <= 16.0;
    let brain = match () {
        () if vessel(20.0, -20.0) => 40.0 + enhanced(300.0, 0.0),
        () if vessel(0.0, 50.0) => 40.0 + enhanced(350.0, 5.0),
        () if (x - 15.0).abs() < 6.0 && (y - 25.0).abs() < 9.0 && z < -10.0 => 700.0,
        () => 35.0 + enhanced(12.0, 2.0),
    };
    -1000.0 + outer * (1900.0 - inner * (900.0 - brain))
}

fn series(poses: &[(usize, Pose)], noise_hu: u32) -> Dynamic {
    series_of(SIZE, poses, noise_hu)
}

fn series_of(size: Dimensions, poses: &[(usize, Pose)], noise_hu: u32) -> Dynamic {
    let mut noise = Noise(5);
    let middle = [size.columns, size.rows, size.slices].map(|voxels| (f64::from(voxels) - 1.0) / 2.0);
    let slices = (0..size.slices).map(|slice| {
        let times_s: Vec<f64> = (0..PASSES).map(|pass| 1.5 * pass as f64).collect();
        let mut hounsfield = Vec::new();
        for (pass, &time_s) in times_s.iter().enumerate() {
            let pose =
                poses.iter().find(|(moved, _)| *moved == pass).map(|(_, pose)| *pose).unwrap_or_default();
            for row in 0..size.rows {
                for column in 0..size.columns {
                    let voxel = [column, row, slice].map(f64::from);
                    let seen_mm: [f64; 3] =
                        std::array::from_fn(|axis| (voxel[axis] - middle[axis]) * SPACING_MM[axis]);
                    let grain = f64::from(noise.below(2 * noise_hu + 1)) - f64::from(noise_hu);
                    hounsfield.push((head(put_back(&pose, seen_mm), time_s) + grain).round() as i16);
                }
            }
        }
        SliceSeries { times_s, hounsfield }
    });
    let slices = slices.collect();
    Dynamic::new(size, spaced(), slices).unwrap()
}

/// `R^T (seen - t)`, the rotation by Rodrigues' formula.
fn put_back(pose: &Pose, seen_mm: [f64; 3]) -> [f64; 3] {
    let [x, y, z]: [f64; 3] = std::array::from_fn(|axis| seen_mm[axis] - pose.translation_mm[axis]);
    let angle = pose.rotation_rad.iter().map(|part| part * part).sum::<f64>().sqrt();
    if angle == 0.0 {
        return [x, y, z];
    }
    let [u, v, w] = pose.rotation_rad.map(|part| -part / angle);
    let along = (u * x + v * y + w * z) * (1.0 - angle.cos());
    let cross = [v * z - w * y, w * x - u * z, u * y - v * x];
    let turned = [x * angle.cos() + u * along, y * angle.cos() + v * along, z * angle.cos() + w * along];
    std::array::from_fn(|axis| turned[axis] + cross[axis] * angle.sin())
}

fn parameters() -> Parameters {
    parameters_of(SIZE)
}

fn parameters_of(size: Dimensions) -> Parameters {
    let middle = size.slices / 2;
    let at = move |x: u32, y: u32| {
        Region::from_fn(size, move |column, row, slice| (column, row, slice) == (x, y, middle))
    };
    Parameters { artery: Choice::Drawn(at(46, 31)), vein: Choice::Drawn(at(35, 66)), ..Parameters::default() }
}

/// For the device: moved in every direction.
pub(crate) fn a_moving_head() -> (Dynamic, Parameters) {
    let moves = [(3, pose([1.0, -2.0, 3.0], [2.0, -1.0, 3.0])), (9, pose([0.0, 0.0, -4.0], [0.0, 2.0, 0.0]))];
    (series(&moves, 6), parameters())
}

fn pose(rotation_degrees: [f64; 3], translation_mm: [f64; 3]) -> Pose {
    Pose { rotation_rad: rotation_degrees.map(f64::to_radians), translation_mm }
}

/// Largest difference that two poses make at the surface of a head.
fn apart_mm(a: &Pose, b: &Pose) -> f64 {
    let corners = [
        [50.0, 0.0, 0.0],
        [-50.0, 0.0, 0.0],
        [0.0, 60.0, 0.0],
        [0.0, -60.0, 0.0],
        [0.0, 0.0, 40.0],
        [0.0, 0.0, -40.0],
    ];
    let distances = corners.map(|corner| {
        let (a, b) = (put_back(a, corner), put_back(b, corner));
        (0..3).map(|axis| (a[axis] - b[axis]).powi(2)).sum::<f64>().sqrt()
    });
    distances.into_iter().fold(0.0, f64::max)
}

#[test]
fn a_head_that_moved_is_found_where_it_lay_and_the_curves_are_those_of_the_still_head() {
    let moves = [
        (4, pose([0.0, 0.0, 0.0], [0.7, 0.0, 0.0])),
        (9, pose([0.0, 0.0, 4.0], [2.0, -3.0, 0.0])),
        (10, pose([3.0, -2.0, 5.0], [1.0, 2.0, -4.0])),
        (11, pose([-2.0, 1.0, -6.0], [-4.0, 3.0, 5.0])),
        (12, pose([1.0, 1.0, 1.0], [-1.0, 0.5, 1.5])),
        (20, pose([0.0, 5.0, 0.0], [0.0, 0.0, 3.0])),
    ];
    let dynamic = series(&moves, 6);
    let found = run(&dynamic, &parameters());
    assert_eq!(found.motion.rejected().collect::<Vec<_>>(), [] as [usize; 0], "{:?}", found.motion);
    for (pass, of_pass) in found.motion.passes.iter().enumerate() {
        let truth = moves.iter().find(|(moved, _)| *moved == pass).map(|(_, pose)| *pose).unwrap_or_default();
        let apart = apart_mm(&of_pass.pose, &truth);
        assert!(apart < 0.5, "pass {pass} is {apart:.2} mm off: {:?}, true {truth:?}", of_pass.pose);
    }
    let still = run(&series(&[], 6), &parameters());
    let brain = Region::circle(SIZE, [30.0, 35.0], 9.0, 5..=10);
    let curve = |dynamic, perfusion: &sidelight_kernels::perfusion::Perfusion| {
        perfusion.curve(dynamic, &brain).unwrap().enhancement_hu
    };
    let (moved, expected) = (curve(&dynamic, &found), curve(&series(&[], 6), &still));
    for (a, b) in moved.iter().zip(&expected) {
        assert!((a - b).abs() < 0.6, "moved {moved:?}\nstill {expected:?}");
    }
}

/// Finds the poses on the device in groups of so many voxels, and holds them against the twin's.
fn assert_poses_like_twin(
    what: &str,
    dynamic: &Dynamic,
    parameters: &Parameters,
    turn_voxels: Option<usize>,
) {
    let (twin, found) = (run(dynamic, parameters), on_gpu(dynamic, parameters, turn_voxels));
    assert_eq!(found.motion.reference, twin.motion.reference, "{what}");
    for (number, (a, b)) in found.motion.passes.iter().zip(&twin.motion.passes).enumerate() {
        assert_eq!(a.rejected, b.rejected, "{what}, pass {number}: {a:?}, twin {b:?}");
        // Where a pass does not fit, the way to nowhere is a matter of rounding.
        if a.rejected {
            continue;
        }
        let apart =
            |a: [f64; 3], b: [f64; 3]| (0..3).map(|axis| (a[axis] - b[axis]).abs()).fold(0.0, f64::max);
        let mm = apart(a.pose.translation_mm, b.pose.translation_mm);
        let degrees = apart(a.pose.rotation_rad, b.pose.rotation_rad).to_degrees();
        assert!(
            mm < 0.01 && degrees < 0.01,
            "{what}, pass {number}: {mm} mm, {degrees} degrees: {a:?}, twin {b:?}"
        );
        assert!((a.misfit_hu - b.misfit_hu).abs() < 0.1, "{what}, pass {number}: {a:?}, twin {b:?}");
    }
}

#[test]
fn the_device_finds_the_head_where_the_twin_does_whether_it_moved_a_little_or_wildly() {
    let moves = [
        (4, pose([0.0, 0.0, 0.0], [0.7, 0.0, 0.0])),
        (9, pose([0.0, 0.0, 4.0], [2.0, -3.0, 0.0])),
        (10, pose([3.0, -2.0, 5.0], [1.0, 2.0, -4.0])),
        (17, pose([0.0, 0.0, 50.0], [25.0, 0.0, 12.0])),
        (20, pose([0.0, 5.0, 0.0], [0.0, 0.0, 3.0])),
    ];
    let dynamic = series(&moves, 6);
    let all_at_once = None;
    let seven_passes = Some(7 * 72 * 84 * 16);
    for turn_voxels in [all_at_once, seven_passes] {
        assert_poses_like_twin("whole head", &dynamic, &parameters(), turn_voxels);
    }
    let found = on_gpu(&dynamic, &parameters(), None);
    assert_eq!(found.motion.rejected().collect::<Vec<_>>(), [17]);
    for (pass, truth) in moves.into_iter().filter(|(pass, _)| *pass != 17) {
        let apart = apart_mm(&found.motion.passes[pass].pose, &truth);
        assert!(apart < 0.5, "pass {pass} is {apart:.2} mm off");
    }
}

#[test]
fn a_few_slices_are_aligned_in_plane_on_the_device_too() {
    let size = Dimensions { slices: 3, ..SIZE };
    let moves = [(5, pose([0.0, 0.0, 3.0], [2.0, -1.5, 0.0])), (12, pose([0.0, 0.0, -2.0], [0.0, 2.0, 0.0]))];
    let dynamic = series_of(size, &moves, 6);
    assert_poses_like_twin("three slices", &dynamic, &parameters_of(size), None);
    let found = on_gpu(&dynamic, &parameters_of(size), None);
    for (pass, truth) in moves {
        let apart = apart_mm(&found.motion.passes[pass].pose, &truth);
        // A fifth of the points of a whole head.
        assert!(apart < 0.7, "pass {pass} is {apart:.2} mm off");
    }
}

#[test]
fn a_pass_that_moved_wildly_is_rejected_and_the_maps_do_without_it() {
    let wild = pose([0.0, 0.0, 50.0], [25.0, 0.0, 12.0]);
    let dynamic = series(&[(0, wild), (17, wild)], 6);
    let found = run(&dynamic, &parameters());
    assert_eq!(found.motion.rejected().collect::<Vec<_>>(), [0, 17], "{:?}", found.motion);
    assert!(!found.guards.iter().any(|guard| matches!(guard, Guard::Motion { .. })), "{:?}", found.guards);
    let brain = Region::circle(SIZE, [30.0, 35.0], 9.0, 5..=10);
    let curve = found.curve(&dynamic, &brain).unwrap().enhancement_hu;
    let peak = curve.iter().copied().fold(0.0, f32::max);
    assert!((10.0..14.0).contains(&peak) && curve.iter().all(|&hu| hu > -2.0), "{curve:?}");
}

#[test]
fn too_many_rejected_passes_withhold_core_and_mismatch() {
    let wild = |degrees: f64| pose([0.0, 0.0, degrees], [25.0, -12.0, 12.0]);
    let moves: Vec<_> =
        [2, 5, 9, 13, 17, 21, 25].into_iter().map(|pass| (pass, wild(40.0 + pass as f64))).collect();
    let found = run(&series(&moves, 6), &parameters());
    assert!(
        found.guards.contains(&Guard::Motion { rejected: 7, passes: 30 }),
        "{:?} {:?}",
        found.guards,
        found.motion
    );
    assert_eq!(found.mismatch, None);
}
