//! Ring 1: the GPU path (software Vulkan will do) against the CPU twin against an oracle written here.
//!
//! One engine for all tests: software Vulkan compiles its shaders once and the tests take turns.

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use sidelight_kernels::calcium::{CalciumError, Protocol, Score, score};
use sidelight_kernels::{Dimensions, Processor, ProcessorKind, Region, Volume, Wish};

use crate::oracle;
use crate::volumes::{self, Noise, dimensions, everywhere, volume};

pub(crate) fn gpu() -> MutexGuard<'static, Option<Processor>> {
    static GPU: OnceLock<Mutex<Option<Processor>>> = OnceLock::new();
    let open = || {
        let processor = Processor::open(Wish::Gpu);
        Mutex::new(Some(
            processor.unwrap_or_else(|error| panic!("{error}: apt-get install mesa-vulkan-drivers")),
        ))
    };
    GPU.get_or_init(open).lock().unwrap_or_else(PoisonError::into_inner)
}

fn twin() -> Processor {
    Processor::open(Wish::Twin).unwrap()
}

fn run(processor: &mut Processor, volume: &Volume, region: &Region, protocol: &Protocol) -> Score {
    score(processor, volume, region, protocol, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

/// Something else on the same GPU, in turns of its own.
pub(crate) fn on_gpu<T>(work: impl FnOnce(&mut Processor) -> T) -> T {
    work(gpu().as_mut().expect("a test before this one failed while it scored"))
}

/// Scores on the GPU in turns of so many voxels.
fn run_on_gpu(volume: &Volume, region: &Region, protocol: &Protocol, turn_voxels: usize) -> Score {
    let mut shared = gpu();
    let mut processor =
        shared.take().expect("a test before this one failed while it scored").with_turn_voxels(turn_voxels);
    let score = run(&mut processor, volume, region, protocol);
    *shared = Some(processor);
    score
}

/// GPU, twin and oracle agree: the first two to the bit, the third to rounding.
fn assert_agreement(what: &str, volume: &Volume, region: &Region, protocol: &Protocol) -> Score {
    let from_twin = run(&mut twin(), volume, region, protocol);
    // One slice a turn, an uneven number, and all at once.
    let slice = volume.dimensions().slice_len();
    for turn_voxels in [1, 3 * slice, volume.dimensions().len()] {
        let from_gpu = run_on_gpu(volume, region, protocol, turn_voxels);
        assert_eq!(
            from_gpu, from_twin,
            "{what}: GPU (left) and twin differ in turns of {turn_voxels} voxels"
        );
    }
    oracle::assert_score(what, &from_twin, volume, region, protocol);
    from_twin
}

#[test]
fn the_gpu_says_what_it_is() {
    let shared = gpu();
    let processor = shared.as_ref().unwrap();
    assert_eq!(processor.kind(), ProcessorKind::Gpu);
    assert!(processor.name().contains("driver"), "{}", processor.name());
    assert!(processor.reason().contains("boot probe passed"), "{}", processor.reason());
}

#[test]
fn gpu_twin_and_oracle_agree_on_noise_of_many_shapes_and_densities() {
    let mut noise = Noise(1);
    for [columns, rows, slices] in [
        [1, 1, 1],
        [7, 5, 4],
        [31, 9, 3],
        [32, 8, 2],
        [33, 17, 5],
        [64, 64, 7],
        [65, 31, 6],
        [129, 70, 3],
        [1, 200, 3],
        [200, 1, 3],
    ] {
        for percent in [1, 10, 30, 50, 90, 100] {
            let dimensions = dimensions(columns, rows, slices);
            let volume = volumes::noisy(dimensions, percent, &mut noise);
            let what = format!("{columns} x {rows} x {slices}, {percent} % foreground");
            assert_agreement(&what, &volume, &everywhere(dimensions), &Protocol::AGATSTON);
            let region = Region::from_fn(dimensions, |_, _, _| noise.below(100) < 80);
            assert_agreement(&format!("{what}, ragged region"), &volume, &region, &Protocol::AGATSTON);
        }
    }
}

#[test]
fn gpu_twin_and_oracle_agree_on_shapes_that_join_late() {
    for [columns, rows] in [[67, 45], [128, 64], [96, 97]] {
        for (name, inside) in volumes::SHAPES {
            let dimensions = dimensions(columns, rows, 2);
            let volume = volume(dimensions, |column, row, slice| {
                if inside(column, row, columns, rows) { 150 + 100 * slice as i16 } else { 129 }
            });
            assert_agreement(name, &volume, &everywhere(dimensions), &Protocol::AGATSTON);
        }
    }
}

#[test]
fn a_spiral_is_one_lesion_and_a_checkerboard_too() {
    let dimensions = dimensions(101, 101, 1);
    for name in ["spiral", "checkerboard", "comb", "serpentine"] {
        let inside = volumes::SHAPES.iter().find(|(shape, _)| *shape == name).unwrap().1;
        let volume = volume(dimensions, |column, row, _| if inside(column, row, 101, 101) { 200 } else { 0 });
        let score = assert_agreement(name, &volume, &everywhere(dimensions), &Protocol::AGATSTON);
        assert_eq!((score.lesions.len(), score.fragments), (1, 0), "{name}");
    }
}

#[test]
fn the_extremes_of_the_value_range_add_up() {
    let dimensions = dimensions(300, 200, 2);
    let volume = volume(dimensions, |_, _, slice| if slice == 0 { i16::MAX } else { i16::MIN });
    let protocol = Protocol { threshold_hu: i16::MIN, ..Protocol::AGATSTON };
    let score = assert_agreement("extremes", &volume, &everywhere(dimensions), &protocol);
    let sums: Vec<i64> = score.lesions[0].slices.iter().map(|slice| slice.hounsfield_sum).collect();
    assert_eq!(sums, [60_000 * 32_767, 60_000 * -32_768]);
}

#[test]
fn a_slice_with_more_fragments_than_the_first_read_holds_is_read_to_the_end() {
    let dimensions = dimensions(256, 256, 2);
    let volume = volume(dimensions, |column, row, _| if column % 2 + row % 2 == 0 { 130 } else { 0 });
    let score = assert_agreement(
        "dots",
        &volume,
        &everywhere(dimensions),
        &Protocol { minimum_area_mm2: 0.3, ..Protocol::AGATSTON },
    );
    assert_eq!(score.fragments, 2 * 128 * 128);
}

#[test]
fn other_thresholds_agree_too() {
    let mut noise = Noise(2);
    let dimensions = dimensions(75, 50, 4);
    let volume = volumes::noisy(dimensions, 40, &mut noise);
    for threshold_hu in [i16::MIN, -1000, -1, 0, 1, 207, i16::MAX] {
        let protocol = Protocol { threshold_hu, ..Protocol::AGATSTON };
        assert_agreement(&format!("threshold {threshold_hu}"), &volume, &everywhere(dimensions), &protocol);
    }
}

#[test]
fn a_slab_larger_than_a_binding_is_cut_and_gives_the_same() {
    // Rows of 33 pixels are padded to 64, so the forest of a slice takes 1 MiB: 130 are over llvmpipe's 128 MiB.
    let dimensions = dimensions(33, 4096, 130);
    let volume = volume(dimensions, |column, row, _| if (column / 9 + row / 7) % 4 == 0 { 250 } else { -50 });
    let region = Region::circle(dimensions, [10.0, 2000.0], 600.0, 0..=129);
    let from_gpu = run_on_gpu(&volume, &region, &Protocol::AGATSTON, usize::MAX);
    assert_eq!(from_gpu, run(&mut twin(), &volume, &region, &Protocol::AGATSTON));
}

#[test]
fn the_gpu_stops_between_two_turns_when_told() {
    let dimensions = dimensions(64, 64, 4);
    let volume = volumes::noisy(dimensions, 10, &mut Noise(3));
    let mut shared = gpu();
    let mut processor = shared.take().expect("a test before this one failed").with_turn_voxels(1);
    let mut calls = 0;
    let answer = score(&mut processor, &volume, &everywhere(dimensions), &Protocol::AGATSTON, &mut |_, _| {
        calls += 1;
        if calls == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    *shared = Some(processor);
    assert!(matches!(answer, Err(CalciumError::Cancelled)), "{answer:?}");
    assert_eq!(calls, 3);
}

#[test]
fn the_survey_finds_the_device_with_its_memory_and_its_verdict() {
    let reports = sidelight_kernels::survey(&[]);
    assert!(!reports.is_empty(), "no Vulkan device: apt-get install mesa-vulkan-drivers");
    assert!(reports.iter().any(|report| report.probe.is_ok()), "{reports:?}");
    assert!(
        reports.iter().all(|report| report.memory_budget_bytes.is_some_and(|bytes| bytes > 0)),
        "{reports:?}"
    );
}

#[test]
fn auto_takes_hardware_or_the_twin_with_a_reason() {
    let processor = Processor::open(Wish::Auto).unwrap();
    let hardware = sidelight_kernels::survey(&[])
        .iter()
        .any(|report| report.kind != "software Vulkan" && report.probe.is_ok());
    assert_eq!(processor.kind(), if hardware { ProcessorKind::Gpu } else { ProcessorKind::Twin });
    assert!(processor.reason().len() > 20, "{}", processor.reason());
}

#[test]
fn an_empty_region_scores_nothing() {
    let dimensions: Dimensions = dimensions(40, 40, 3);
    let volume = volume(dimensions, |_, _, _| 500);
    let score = assert_agreement("empty region", &volume, &Region::nothing(dimensions), &Protocol::AGATSTON);
    assert_eq!((score.agatston, score.lesions.len()), (0.0, 0));
}
