//! Jobs that are interrupted at every turn by pictures of another volume say to the bit what they say undisturbed.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::tests::{bits, body, bolus_in_a_head, gpu, narrowed, volume};
use crate::calcium::{Protocol, score};
use crate::engine::BUDGET_BYTES_MAX;
use crate::perfusion::{self, Method, Parameters};
use crate::processor::{Checkpoint, Place};
use crate::rendering::{PlanePlace, Preset, Projection, Reformat, Scene, Style, View, reformat, render};
use crate::structures::{Conditions, structures};
use crate::{Processor, ProcessorKind, Region, Wish};

/// What a job says, whatever it is.
type Job<'a> = &'a dyn Fn(&mut Processor, Checkpoint<'_>) -> String;

/// Every kind of job, on inputs that it has something to say about.
fn with_every_job(mut then: impl FnMut(&'static str, Job<'_>)) {
    let (chest, body) = (volume(), body());
    let everywhere = Region::from_fn(chest.dimensions(), |_, _, _| true);
    then("calcium", &|processor, checkpoint| {
        format!("{:?}", score(processor, &chest, &everywhere, &Protocol::AGATSTON, checkpoint).unwrap())
    });
    then("structures", &|processor, checkpoint| {
        format!("{:?}", structures(processor, &body, Conditions::default(), checkpoint))
    });
    let (head, parameters) = bolus_in_a_head();
    for (name, method) in [
        ("perfusion", Method::OSVD),
        ("perfusion by Richardson-Lucy", Method::RichardsonLucy { iterations: 5 }),
    ] {
        let parameters = Parameters { method, correct_motion: true, ..parameters.clone() };
        then(name, &|processor, checkpoint| {
            let found = perfusion::analyse(processor, &head, &parameters, checkpoint).unwrap();
            format!("{:?} {:?}", bits(&found.maps), found.motion)
        });
    }
}

/// Draws another volume, and cuts through it: both kinds of what a picture keeps.
fn pictures() -> impl FnMut(&mut Processor) -> (Vec<[u8; 4]>, Vec<i16>) {
    let other = Arc::new(volume());
    let scene = Scene::new(other.clone(), None).unwrap();
    let style = Style::Volume { transfer: scene.preset(Preset::ALL[0]), shaded: true };
    let view = View::new(scene.camera([0.0, 1.0, 0.2], [0.0, 0.0, 1.0]), 48, 32, style);
    let place = PlanePlace {
        origin_mm: [1.0, 2.0, 6.0],
        right_mm: [0.5, 0.0, 0.1],
        down_mm: [0.0, 0.5, 0.0],
        columns: 40,
        rows: 30,
    };
    let request = Reformat::plane(&place, 2.0, Projection::Average).unwrap();
    move |processor| {
        let picture = render(processor, &scene, &view, &mut |_| ControlFlow::Continue(())).unwrap();
        let slice = reformat(processor, &other, &request, &mut |_| ControlFlow::Continue(())).unwrap();
        (picture.rgba, slice.values)
    }
}

/// Turns of one slice, so that there are many of them.
fn small_turns(processor: Processor) -> Processor {
    processor.with_turn_voxels(1)
}

fn undisturbed(processor: &mut Processor, job: Job<'_>) -> String {
    job(processor, &mut |_, _| ControlFlow::Continue(()))
}

/// Runs the job with `between` at every checkpoint; how often that was, and what the job said.
fn interrupted(
    processor: &mut Processor,
    job: Job<'_>,
    mut between: impl FnMut(&mut Processor, usize),
) -> (usize, String) {
    let mut turns = 0;
    let said = job(processor, &mut |processor, _| {
        between(processor, turns);
        turns += 1;
        ControlFlow::Continue(())
    });
    (turns, said)
}

#[test]
fn pictures_between_its_turns_change_nothing_of_what_a_job_says_nor_the_job_of_the_pictures() {
    for wish in [Wish::Gpu, Wish::Twin] {
        let mut processor =
            small_turns(if wish == Wish::Gpu { gpu() } else { Processor::open(wish).unwrap() });
        let mut draw = pictures();
        let drawn = draw(&mut processor);
        with_every_job(|name, job| {
            let expected = undisturbed(&mut processor, job);
            let (turns, said) = interrupted(&mut processor, job, |processor, _| {
                assert_eq!(draw(processor), drawn, "{name} on {wish:?}");
            });
            assert!(turns > 3, "{name} on {wish:?} has {turns} turns");
            assert_eq!(said, expected, "{name} on {wish:?}");
            assert_eq!((processor.take_passed_over(), processor.degraded()), (None, None), "{name}");
        });
    }
}

#[test]
fn everything_that_is_kept_may_go_between_two_turns() {
    let mut processor = small_turns(gpu());
    with_every_job(|name, job| {
        let expected = undisturbed(&mut processor, job);
        let (_, said) = interrupted(&mut processor, job, |processor, _| processor.device().unwrap().evict());
        assert_eq!(said, expected, "{name}");
    });
}

#[test]
fn where_a_job_and_a_picture_have_no_room_beside_each_other_the_picture_gives_way() {
    let mut draw = pictures();
    let drawn = draw(&mut gpu());
    with_every_job(|name, job| {
        let mut stated_bytes = 0;
        let (_, expected) = interrupted(&mut small_turns(gpu()), job, |processor, _| {
            let ledger = processor.device().unwrap().engine.ledger();
            stated_bytes = stated_bytes.max(ledger.current_bytes() + ledger.suspend().owed_bytes);
        });
        let mut processor = small_turns(gpu());
        narrowed(&mut processor, stated_bytes);
        let (_, said) = interrupted(&mut processor, job, |processor, _| {
            // On the twin, where it has no room: as a picture it looks the same.
            let (picture, slice) = draw(processor);
            assert_eq!((picture.len(), &slice), (drawn.0.len(), &drawn.1), "{name}");
            processor.take_passed_over();
        });
        assert_eq!(said, expected, "{name}");
        assert_eq!(processor.take_passed_over(), None, "{name} lacked room after a picture");
        assert_eq!(processor.kind(), ProcessorKind::Gpu);
    });
}

#[test]
fn a_device_that_a_picture_loses_is_opened_again_and_the_job_begun_again() {
    let mut draw = pictures();
    let drawn = draw(&mut gpu());
    with_every_job(|name, job| {
        let mut processor = small_turns(gpu());
        let expected = undisturbed(&mut processor, job);
        let (turns, _) = interrupted(&mut processor, job, |_, _| {});
        let lost_at = turns / 2;
        let (all, said) = interrupted(&mut processor, job, |processor, turn| {
            if turn == lost_at {
                processor.lose_device();
            }
            assert_eq!(draw(processor), drawn, "{name}");
        });
        assert_eq!(said, expected, "{name}");
        assert_eq!(all, lost_at + 1 + turns, "{name} was begun again once");
        let note = processor.degraded().expect("it was lost");
        assert!(
            processor.kind() == ProcessorKind::Gpu && note.contains("was opened again"),
            "{name}: {note}"
        );
    });
}

#[test]
fn what_a_picture_had_no_room_for_is_not_the_jobs_to_tell() {
    let mut processor = small_turns(gpu());
    let mut draw = pictures();
    let ceiling = |processor: &mut Processor, bytes: u64| {
        let Place::Gpu(gpu) = processor.place() else { panic!("it was not lost") };
        gpu.engine.ledger().lower_ceiling(bytes);
    };
    with_every_job(|name, job| {
        let own = format!("{name}: what another kernel of the same job had to tell");
        processor.passed_over = Some(own.clone());
        interrupted(&mut processor, job, |processor, _| {
            assert_eq!(processor.passed_over, None, "{name}: the picture's to fill");
            ceiling(processor, 1 << 16);
            draw(processor);
            ceiling(processor, BUDGET_BYTES_MAX);
            assert!(processor.passed_over.is_some(), "{name}: the picture found room");
        });
        assert_eq!(processor.take_passed_over(), Some(own));
    });
}
