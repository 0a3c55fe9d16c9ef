use std::ops::ControlFlow;

use super::{Processor, ProcessorKind, Wish};
use crate::calcium::{Protocol, Score, score};
use crate::engine::BUDGET_BYTES_MAX;
use crate::{Dimensions, Geometry, Region, Volume};

fn gpu() -> Processor {
    Processor::open(Wish::Gpu).unwrap_or_else(|error| panic!("{error}: apt-get install mesa-vulkan-drivers"))
}

/// Stripes of 150 to 349 HU.
fn volume() -> Volume {
    let dimensions = Dimensions { columns: 70, rows: 40, slices: 6 };
    let geometry = Geometry {
        column_spacing_mm: 0.5,
        row_spacing_mm: 0.5,
        slice_increment_mm: 3.0,
        patient_mm_from_voxel: [[0.5, 0.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]],
    };
    let voxels =
        (0..dimensions.len()).map(|at| if at % 9 < 4 { 150 + i16::try_from(at % 200).unwrap() } else { -50 });
    Volume::new(dimensions, geometry, voxels.collect()).unwrap()
}

fn scored(processor: &mut Processor, volume: &Volume, region: &Region, threshold_hu: i16) -> Score {
    let protocol = Protocol { threshold_hu, ..Protocol::AGATSTON };
    score(processor, volume, region, &protocol, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn run(processor: &mut Processor, volume: &Volume) -> Score {
    scored(processor, volume, &Region::from_fn(volume.dimensions(), |_, _, _| true), 130)
}

fn uploaded(processor: &mut Processor) -> Vec<(&'static str, u64)> {
    let super::Place::Gpu(gpu) = processor.place() else { panic!("the twin has no device") };
    let mut held = gpu.engine.ledger().held();
    held.retain(|(label, _)| ["hounsfield", "region"].contains(label));
    held
}

#[test]
fn a_job_that_loses_its_device_is_done_again_on_a_new_one() {
    let volume = volume();
    let mut processor = gpu();
    let expected = run(&mut processor, &volume);
    assert_eq!(processor.degraded(), None);
    processor.lose_device();
    assert_eq!(run(&mut processor, &volume), expected);
    assert_eq!(processor.kind(), ProcessorKind::Gpu);
    let note = processor.degraded().expect("it was lost");
    assert!(note.contains("was opened again") && note.contains("lost"), "{note}");
}

#[test]
fn a_job_that_loses_two_devices_is_done_on_the_twin_and_the_processor_stays_there() {
    let volume = volume();
    let mut processor = gpu().with_turn_voxels(2 * 70 * 40);
    let mut attempts = 0;
    let answer = processor.recovering(|processor| {
        attempts += 1;
        processor.lose_device();
        let mut nothing = |_| ControlFlow::Continue(());
        let region = Region::from_fn(volume.dimensions(), |_, _, _| true);
        crate::calcium::attempt(processor, &volume, &region, &Protocol::AGATSTON, &mut nothing)
    });
    assert_eq!(attempts, 3);
    assert_eq!(processor.kind(), ProcessorKind::Twin);
    assert!(processor.name().contains("twin"), "{}", processor.name());
    let note = processor.degraded().expect("it was lost twice");
    assert!(note.contains("twice") && note.contains("CPU twin"), "{note}");
    assert_eq!(answer.unwrap(), run(&mut processor, &volume));
}

#[test]
fn an_error_that_is_not_the_devices_is_not_tried_again() {
    let mut processor = gpu();
    let mut attempts = 0;
    let answer: Result<(), &str> = processor.recovering(|_| {
        attempts += 1;
        Err("a matter of the input")
    });
    assert_eq!((answer, attempts), (Err("a matter of the input"), 1));
    assert_eq!(processor.degraded(), None);
}

#[test]
fn a_volume_is_sent_once_and_goes_when_another_comes_or_needs_the_room() {
    let (one, other) = (volume(), volume());
    let everywhere = Region::from_fn(one.dimensions(), |_, _, _| true);
    let mut processor = gpu();
    assert_eq!(uploaded(&mut processor), []);
    scored(&mut processor, &one, &everywhere, 130);
    let slab = |processor: &mut Processor, volume: &Volume| {
        let super::Place::Gpu(gpu) = processor.place() else { panic!("the twin has no device") };
        (gpu.resident.missing_volume_bytes(volume), gpu.resident.missing_region_bytes(&everywhere))
    };
    assert_eq!(slab(&mut processor, &one), (0, 0));
    assert_eq!(slab(&mut processor, &one.clone()), (0, 0), "a clone is the same volume");
    let all = 96 * 40 * 6 * 2;
    assert_eq!(slab(&mut processor, &other), (all, 0), "the same voxels are not the same volume");
    let held = uploaded(&mut processor);
    scored(&mut processor, &one, &everywhere, 200);
    assert_eq!(uploaded(&mut processor), held);
    scored(&mut processor, &other, &everywhere, 130);
    assert_eq!(uploaded(&mut processor), held, "one volume at a time");
    assert_eq!(slab(&mut processor, &other), (0, 0));

    let super::Place::Gpu(gpu) = processor.place() else { panic!("the twin has no device") };
    let free = gpu.engine.ledger().free_bytes();
    gpu.reserve("something that fits beside it", free).unwrap();
    assert_ne!(uploaded(&mut processor), []);
    let super::Place::Gpu(gpu) = processor.place() else { panic!("the twin has no device") };
    gpu.reserve("something larger", free + 4).unwrap();
    assert_eq!(uploaded(&mut processor), []);
}

#[test]
fn a_region_that_changed_is_sent_again() {
    let volume = volume();
    let mut region = Region::from_fn(volume.dimensions(), |column, _, _| column < 50);
    let mut processor = gpu();
    let mut twin = Processor::open(Wish::Twin).unwrap();
    let before = scored(&mut processor, &volume, &region, 130);
    for row in 0..40 {
        for column in 0..30 {
            region.remove(column, row, 3);
        }
    }
    let after = scored(&mut processor, &volume, &region, 130);
    assert_ne!(after, before);
    assert_eq!(after, scored(&mut twin, &volume, &region, 130));
}

#[test]
fn scoring_stays_within_the_peak_it_states() {
    let volume = volume();
    let region = Region::from_fn(volume.dimensions(), |_, _, _| true);
    let mut processor = gpu();
    let before = processor.device_memory().unwrap().current_bytes;
    let stated = crate::calcium::gpu::missing_bytes(
        match processor.place() {
            super::Place::Gpu(gpu) => gpu,
            super::Place::Twin(_) => panic!("the twin has no device"),
        },
        &volume,
        &region,
        6,
    );
    scored(&mut processor, &volume, &region, 130);
    let memory = processor.device_memory().unwrap();
    assert!(memory.peak_bytes <= before + stated, "{memory:?}, stated {stated}");
    assert!(memory.peak_bytes <= BUDGET_BYTES_MAX);
}

#[test]
fn the_peak_of_the_largest_score_is_far_below_the_budget() {
    let dimensions = Dimensions { columns: 512, rows: 512, slices: 512 };
    assert!(crate::calcium::gpu::peak_bytes(dimensions, 512) < BUDGET_BYTES_MAX / 2);
    let large = Dimensions { slices: 4000, ..dimensions };
    assert!(crate::calcium::gpu::peak_bytes(large, 512) < BUDGET_BYTES_MAX);
}
