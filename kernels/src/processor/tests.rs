use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Processor, ProcessorKind, Wish};
use crate::calcium::{Protocol, Score, score};
use crate::engine::BUDGET_BYTES_MAX;
use crate::perfusion::{self, Choice, Dynamic, Parameters, SliceSeries};
use crate::rendering::{self, RenderError};
use crate::structures::{Conditions, structures};
use crate::{Dimensions, Geometry, Region, Volume};

pub(super) fn gpu() -> Processor {
    Processor::open(Wish::Gpu).unwrap_or_else(|error| panic!("{error}: apt-get install mesa-vulkan-drivers"))
}

/// Stripes of 150 to 349 HU.
pub(super) fn volume() -> Volume {
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
    score(processor, volume, region, &protocol, &mut |_, _| ControlFlow::Continue(())).unwrap()
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
        let mut nothing = |_: &mut Processor, _| ControlFlow::Continue(());
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
    let answer: Result<(), RenderError> = processor.recovering(|_| {
        attempts += 1;
        Err(RenderError::View("a matter of the input"))
    });
    assert!(matches!(answer, Err(RenderError::View(_))) && attempts == 1);
    assert_eq!((processor.take_passed_over(), processor.degraded()), (None, None));
}

/// A device with room for so many bytes.
pub(super) fn narrowed(processor: &mut Processor, bytes: u64) {
    let super::Place::Gpu(gpu) = processor.place() else { panic!("the twin has no device") };
    gpu.evict();
    gpu.engine.ledger().lower_ceiling(bytes);
}

/// Runs a job on a device without room for it, on the twin, and on the device as it is.
fn passes_over<T: PartialEq + std::fmt::Debug>(what: &str, job: impl Fn(&mut Processor) -> T) {
    let mut processor = gpu();
    narrowed(&mut processor, 1 << 20);
    let found = job(&mut processor);
    let note = processor.take_passed_over().unwrap_or_else(|| panic!("{what} found room"));
    assert!(note.contains("device memory") && note.contains("CPU twin"), "{what}: {note}");
    assert_eq!(found, job(&mut Processor::open(Wish::Twin).unwrap()), "{what}: not what the twin says");
    assert_eq!((processor.kind(), processor.degraded()), (ProcessorKind::Gpu, None), "{what}");

    narrowed(&mut processor, BUDGET_BYTES_MAX);
    processor.take_device_time();
    job(&mut processor);
    assert_eq!(processor.take_passed_over(), None, "{what}: the device is used again");
    assert!(processor.take_device_time().is_some(), "{what}: the device did nothing");
}

fn go_on(_: f32) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn a_score_without_room_on_the_device_is_the_twins_for_that_job_alone() {
    let volume = volume();
    passes_over("calcium", |processor| run(processor, &volume));
}

/// A body in air, so that there is something to label.
pub(super) fn body() -> Volume {
    let dimensions = volume().dimensions();
    let Dimensions { columns, rows, .. } = dimensions;
    let body = |at: usize| {
        let (column, row) = (at % columns as usize, at / columns as usize % rows as usize);
        if (10..60).contains(&column) && (5..35).contains(&row) { 40 } else { -1000 }
    };
    let hounsfield = (0..dimensions.len()).map(body).collect();
    Volume::new(dimensions, *volume().geometry(), hounsfield).unwrap()
}

#[test]
fn structures_without_room_on_the_device_are_the_twins() {
    let body = body();
    passes_over("structures", |processor| {
        structures(processor, &body, Conditions::default(), &mut |_, done| go_on(done))
            .map_err(|error| error.to_string())
    });
}

#[test]
fn pictures_without_room_on_the_device_are_the_twins() {
    let volume = Arc::new(volume());
    let scene = rendering::Scene::new(volume.clone(), None).unwrap();
    let camera = scene.camera([0.0, 1.0, 0.2], [0.0, 0.0, 1.0]);
    let style = rendering::Style::Volume { transfer: scene.preset(rendering::Preset::ALL[0]), shaded: true };
    let view = rendering::View::new(camera, 48, 32, style);
    passes_over("rendering", |processor| rendering::render(processor, &scene, &view, &mut go_on).unwrap());
    let place = rendering::PlanePlace {
        origin_mm: [1.0, 2.0, 6.0],
        right_mm: [0.5, 0.0, 0.1],
        down_mm: [0.0, 0.5, 0.0],
        columns: 40,
        rows: 30,
    };
    let request = rendering::Reformat::plane(&place, 2.0, rendering::Projection::Average).unwrap();
    passes_over("reformat", |processor| {
        rendering::reformat(processor, &volume, &request, &mut go_on).unwrap()
    });
    let values: Vec<i16> = (0..40 * 30).map(|at| at % 300).collect();
    let frame = rendering::Flat { columns: 40, rows: 30, values: &values };
    let grey = rendering::GreyTable::window(rendering::Window { center: 150.0, width: 200.0 }, false);
    passes_over("blending", |processor| rendering::blend(processor, &frame, &grey, &[]).unwrap());
}

/// Two slices of forty seconds, and where its inlets and its brain are.
pub(super) fn bolus_in_a_head() -> (Dynamic, Parameters) {
    let dimensions = Dimensions { columns: 20, rows: 12, slices: 2 };
    let bolus = |time: f64, late: f64| {
        let x = (time - late).max(0.0) / 5.0;
        x.powi(3) * (3.0 * (1.0 - x)).exp()
    };
    let slice = |_| {
        let times_s: Vec<f64> = (0..40).map(f64::from).collect();
        let voxel = |time: f64, at: usize| match at {
            0 => 400.0 * bolus(time, 8.0),
            1 => 420.0 * bolus(time, 11.0),
            _ => 20.0 * bolus(time, 8.0 + (at % 5) as f64),
        };
        #[expect(clippy::cast_possible_truncation, reason = "Hounsfield units")]
        let frame = |time: f64| (0..240).map(move |at| (35.0 + voxel(time, at)).round() as i16);
        SliceSeries { hounsfield: times_s.iter().copied().flat_map(frame).collect(), times_s }
    };
    let dynamic = Dynamic::new(dimensions, *volume().geometry(), (0..2).map(slice).collect()).unwrap();
    let at = |first: u32| {
        Choice::Drawn(Region::from_fn(dimensions, move |column, row, _| column == first && row == 0))
    };
    let brain = Choice::Drawn(Region::from_fn(dimensions, |_, row, _| row > 1));
    (dynamic, Parameters { artery: at(0), vein: at(1), brain, ..Parameters::default() })
}

/// To the bit, and so that NaN is itself.
pub(super) fn bits(maps: &perfusion::Maps) -> Vec<u32> {
    [&maps.cbf, &maps.cbv, &maps.mtt, &maps.ttp, &maps.tmax]
        .into_iter()
        .flatten()
        .map(|v| v.to_bits())
        .collect()
}

#[test]
fn maps_without_room_on_the_device_are_the_twins() {
    let (dynamic, parameters) = bolus_in_a_head();
    passes_over("perfusion", |processor| {
        let found = perfusion::analyse(processor, &dynamic, &parameters, &mut |_, done| go_on(done)).unwrap();
        bits(&found.maps)
    });
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
