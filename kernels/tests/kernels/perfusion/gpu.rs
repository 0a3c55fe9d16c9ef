//! Ring 1: the GPU path (software Vulkan will do) against the twin. At least 99.9 % of the voxels agree within a
//! thousandth; the others are ties: with a limit of the oscillation index that differs by rounding, the twin says what
//! the GPU said.

use sidelight_kernels::perfusion::{Choice, Dynamic, Maps, Method, Parameters, Perfusion, SliceSeries};
use sidelight_kernels::{Dimensions, Processor, Region};

use super::{bolus, run, run_on};
use crate::gpu::gpu;
use crate::volumes::{Noise, dimensions, geometry};

/// Noisy tissue whose flow and delay differ from place to place, an artery in one corner, a vein in another; the
/// slices are scanned at times of their own, and one has a frame less.
fn tissue(size: Dimensions, passes: u32, interval_s: f64) -> Dynamic {
    let mut noise = Noise(u64::from(size.columns) + 7);
    let slice = |slice: u32| {
        let own = passes - u32::from(slice + 1 == size.slices && size.slices > 1);
        let times_s: Vec<f64> =
            (0..own).map(|pass| interval_s * (f64::from(pass) + 0.2 * f64::from(slice % 3))).collect();
        let mut hounsfield = Vec::new();
        for &time_s in &times_s {
            for row in 0..size.rows {
                for column in 0..size.columns {
                    let hu = match (column, row) {
                        (0..=1, 0..=1) => 400.0 * bolus(time_s, 8.0, 5.0),
                        (2..=3, 0..=1) => 420.0 * bolus(time_s, 11.0, 8.0),
                        _ => {
                            let late = 8.0 + f64::from(column % 7);
                            f64::from(20 + row % 11) * bolus(time_s, late, 5.0 + f64::from(row % 5))
                        }
                    };
                    hounsfield.push((35.0 + hu + f64::from(noise.below(9)) - 4.0).round() as i16);
                }
            }
        }
        SliceSeries { times_s, hounsfield }
    };
    Dynamic::new(size, geometry(), (0..size.slices).map(slice).collect()).unwrap()
}

fn parameters(size: Dimensions, method: Method) -> Parameters {
    let at = |columns: std::ops::RangeInclusive<u32>| {
        Choice::Drawn(Region::from_fn(size, move |column, row, _| columns.contains(&column) && row < 2))
    };
    Parameters {
        method,
        artery: at(0..=1),
        vein: at(2..=3),
        brain: Choice::Drawn(Region::from_fn(size, |column, row, slice| {
            row > 2 && (column + row + slice) % 13 != 0
        })),
        correct_motion: false,
        smoothing_mm: 0.7,
        ..Parameters::default()
    }
}

pub(super) fn on_gpu(dynamic: &Dynamic, parameters: &Parameters, turn_voxels: Option<usize>) -> Perfusion {
    let mut shared = gpu();
    let processor = shared.take().expect("a test before this one failed while it used the GPU");
    let mut processor: Processor = match turn_voxels {
        Some(voxels) => processor.with_turn_voxels(voxels),
        None => processor.with_turn_voxels(usize::MAX),
    };
    let found = run_on(&mut processor, dynamic, parameters).unwrap();
    *shared = Some(processor);
    found
}

fn all(maps: &Maps) -> [(&'static str, &[f32]); 5] {
    [("CBF", &maps.cbf), ("CBV", &maps.cbv), ("MTT", &maps.mtt), ("TTP", &maps.ttp), ("Tmax", &maps.tmax)]
}

fn agree(a: f32, b: f32) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-3 * (1.0 + a.abs().max(b.abs()))
}

/// Whether all five maps agree in each voxel.
fn agreement(a: &Maps, b: &Maps) -> Vec<bool> {
    (0..a.cbf.len())
        .map(|voxel| all(a).iter().zip(all(b)).all(|(a, b)| agree(a.1[voxel], b.1[voxel])))
        .collect()
}

fn assert_like_twin(what: &str, dynamic: &Dynamic, parameters: &Parameters, turn_voxels: Option<usize>) {
    let found = on_gpu(dynamic, parameters, turn_voxels).maps;
    let twin = run(dynamic, parameters).maps;
    let agrees = agreement(&found, &twin);
    let others: Vec<usize> = (0..agrees.len()).filter(|&voxel| !agrees[voxel]).collect();
    assert!(
        others.len() * 1000 <= agrees.len().max(1000),
        "{what}: {} of {} voxels differ",
        others.len(),
        agrees.len()
    );
    if others.is_empty() {
        return;
    }
    let Method::Osvd { oscillation_max } = parameters.method else {
        let of = |voxel: usize| all(&found).map(|map| map.1[voxel]);
        let first = others[0];
        panic!(
            "{what}: {others:?} differ without a tie: {:?}, twin {:?}",
            of(first),
            all(&twin).map(|m| m.1[first])
        )
    };
    let nearly = [1.0 - 1e-4, 1.0 + 1e-4].map(|rounding| {
        let method = Method::Osvd { oscillation_max: oscillation_max * rounding };
        agreement(&found, &run(dynamic, &Parameters { method, ..parameters.clone() }).maps)
    });
    for voxel in others {
        assert!(nearly.iter().any(|agrees| agrees[voxel]), "{what}: voxel {voxel} differs and is no tie");
    }
}

#[test]
fn maps_are_those_of_the_twin_by_every_method_and_in_every_shape() {
    for (size, passes, interval_s) in
        [(dimensions(33, 17, 3), 41, 1.0), (dimensions(16, 12, 1), 45, 1.0), (dimensions(7, 45, 4), 30, 1.7)]
    {
        let dynamic = tissue(size, passes, interval_s);
        for method in [
            Method::OSVD,
            Method::Osvd { oscillation_max: 0.02 },
            Method::CSVD,
            Method::TIKHONOV,
            Method::RICHARDSON_LUCY,
            Method::RichardsonLucy { iterations: 60 },
        ] {
            let what = format!("{size:?}, {passes} passes, {method:?}");
            assert_like_twin(&what, &dynamic, &parameters(size, method), None);
        }
    }
}

#[test]
fn slabs_on_the_device_change_nothing() {
    let size = dimensions(21, 19, 7);
    let dynamic = tissue(size, 40, 1.0);
    for method in [Method::OSVD, Method::RICHARDSON_LUCY] {
        let parameters = parameters(size, method);
        let expected = on_gpu(&dynamic, &parameters, None).maps;
        // Less than a slice, whose voxels Richardson and Lucy's method then takes in pieces, and more.
        for turn_voxels in [100, 2 * 21 * 19, 3 * 21 * 19] {
            let found = on_gpu(&dynamic, &parameters, Some(turn_voxels)).maps;
            for (a, b) in all(&found).iter().zip(all(&expected)) {
                let same =
                    a.1.iter()
                        .zip(b.1)
                        .all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()));
                assert!(same, "{} in slabs of {turn_voxels} voxels, {method:?}", a.0);
            }
        }
    }
}

#[test]
fn a_head_that_moved_has_the_same_maps_on_the_device_whole_and_in_slabs() {
    let (dynamic, parameters) = super::motion::a_moving_head();
    for turn_voxels in [None, Some(4 * 72 * 84)] {
        assert_like_twin("moving head", &dynamic, &parameters, turn_voxels);
    }
}

#[test]
fn the_ledger_holds_perfusion_under_its_peak() {
    let size = dimensions(64, 64, 4);
    on_gpu(&tissue(size, 40, 1.0), &parameters(size, Method::OSVD), None);
    let shared = gpu();
    let memory = shared.as_ref().unwrap().device_memory().unwrap();
    assert!(memory.peak_bytes > 64 * 64 * 4 * 40 * 2 && memory.peak_bytes < 2 << 30, "{memory:?}");
}
