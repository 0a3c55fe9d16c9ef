//! Structures told apart on a trunk: the bar is a volume of 512^3 within a second.

use std::ops::ControlFlow;

use sidelight_kernels::structures::{Conditions, Structure, structures};
use sidelight_kernels::{Processor, Volume};

use crate::scenes::trunk;
use crate::{Bench, Row, median, milliseconds, timed};

pub(crate) fn on_gpu(bench: &mut Bench) -> Vec<Row> {
    let volume = trunk(if bench.measured { 512 } else { 128 });
    let on_gpu = labels(&mut bench.gpu, &volume);
    assert_eq!(on_gpu, labels(&mut bench.twin, &volume), "GPU and twin differ");
    assert!(on_gpu.contains(&(Structure::Bone as u8)), "the trunk has a spine");
    let repetitions = bench.repetitions().min(5);
    let times = (0..repetitions).map(|_| timed(|| labels(&mut bench.gpu, &volume)).1).collect();
    let twin = timed(|| labels(&mut bench.twin, &volume)).1;
    let side = volume.dimensions().columns;
    let row = |what: &str, figure: String, bar| {
        let work = format!("structures/{side}x{side}x{side} {what}");
        Row { work, figure, bar, peer: String::from("-") }
    };
    vec![
        row("to the host", milliseconds(median(times)), "1000 ms"),
        row("twin of this machine", milliseconds(twin), "-"),
    ]
}

fn labels(processor: &mut Processor, volume: &Volume) -> Vec<u8> {
    structures(processor, volume, Conditions::default(), &mut |_, _| ControlFlow::Continue(()))
        .unwrap_or_else(|error| panic!("{error}"))
        .labels
}
