//! How long a job works between two checkpoints, at most: as long as a hand waits for its picture.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use sidelight_kernels::calcium::{Protocol, score};
use sidelight_kernels::perfusion::{Parameters, analyse};
use sidelight_kernels::structures::{Conditions, structures};
use sidelight_kernels::{Checkpoint, Dimensions, Processor, Region};

use crate::inputs::chest;
use crate::{Bench, Row, milliseconds, perfusion, size};

/// The longest time between two checkpoints, with the part of the work done at its end, and all of the time.
struct Turns {
    longest: Duration,
    at: f32,
    all: Duration,
    count: usize,
}

pub(crate) fn on_twin(bench: &mut Bench) -> Vec<Row> {
    let side = if bench.measured { 512 } else { 64 };
    let dimensions = |slices| Dimensions { columns: side, rows: side, slices };
    let of_chest = dimensions(if bench.measured { 320 } else { 16 });
    let volume = chest(of_chest);
    let region = Region::from_fn(of_chest, |_, _, _| true);
    let (slices, passes) = if bench.measured { (32, 45) } else { (2, 30) };
    let head = perfusion::head(dimensions(slices), passes);
    let twin = &mut bench.twin;
    let mut row = |what: &str, size: String, job: &mut dyn FnMut(&mut Processor, Checkpoint<'_>)| {
        let Turns { longest, at, all, count } = measured(twin, job);
        let figure = format!(
            "{} before {:.0} %, {count} turns in {}",
            milliseconds(longest),
            at * 100.0,
            milliseconds(all)
        );
        Row {
            work: format!("longest turn/{size} {what} twin"),
            figure,
            bar: "30 ms",
            peer: String::from("-"),
        }
    };
    vec![
        row("calcium", size(of_chest), &mut |processor, checkpoint| {
            score(processor, &volume, &region, &Protocol::AGATSTON, checkpoint).expect("it is scored");
        }),
        row("structures", size(of_chest), &mut |processor, checkpoint| {
            // The chest of a bench may have no body in it that is large enough; the turns are the same.
            let _ = structures(processor, &volume, Conditions::default(), checkpoint);
        }),
        row(
            "perfusion with motion",
            format!("{}x{passes}", size(dimensions(slices))),
            &mut |processor, checkpoint| {
                analyse(processor, &head, &Parameters::default(), checkpoint).expect("a head");
            },
        ),
    ]
}

fn measured(processor: &mut Processor, job: &mut dyn FnMut(&mut Processor, Checkpoint<'_>)) -> Turns {
    let begun = Instant::now();
    let mut turns = Turns { longest: Duration::ZERO, at: 0.0, all: Duration::ZERO, count: 0 };
    let mut last = begun;
    job(processor, &mut |_, done| {
        let took = last.elapsed();
        if took > turns.longest {
            (turns.longest, turns.at) = (took, done);
        }
        turns.count += 1;
        last = Instant::now();
        ControlFlow::Continue(())
    });
    turns.all = begun.elapsed();
    turns
}
