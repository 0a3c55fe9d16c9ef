//! Rows for pictures: a shaded volume, and colours over a frame.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use sidelight_kernels::Processor;
use sidelight_kernels::rendering::{Scene, Style, blend, render};

use crate::scenes::{Mammogram, looks, trunk, view};
use crate::{Bench, Row, median, milliseconds, timed};

pub(crate) fn on_gpu(bench: &mut Bench) -> Vec<Row> {
    let size = if bench.measured { [1920, 1080] } else { [48, 27] };
    let scene = scene(bench);
    let mut rows = Vec::new();
    for (look, style) in looks(&scene) {
        let work = format!("{} {look}, {}x{}", named(&scene), size[0], size[1]);
        rows.extend(gpu_rows(bench, &work, "400 frames/s", &|gpu| draw(gpu, &scene, size, &style)));
    }
    let mammogram = mammogram(bench);
    rows.extend(gpu_rows(bench, &coloured(&mammogram), "2000 frames/s", &|gpu| colour(gpu, &mammogram)));
    rows
}

pub(crate) fn on_twin(bench: &mut Bench) -> Vec<Row> {
    let size = if bench.measured { [512, 512] } else { [32, 32] };
    let scene = scene(bench);
    let mut rows = Vec::new();
    for (look, style) in looks(&scene) {
        let work = format!("{} {look}, {}x{}, twin", named(&scene), size[0], size[1]);
        rows.push(twin_row(bench, work, "5 frames/s", &|twin| draw(twin, &scene, size, &style)));
    }
    let mammogram = mammogram(bench);
    let work = format!("{}, twin", coloured(&mammogram));
    rows.push(twin_row(bench, work, "30 frames/s", &|twin| colour(twin, &mammogram)));
    rows
}

fn scene(bench: &Bench) -> Scene {
    Scene::new(Arc::new(trunk(if bench.measured { 512 } else { 32 })), None).expect("no labels")
}

fn named(scene: &Scene) -> String {
    let side = scene.volume().dimensions().columns;
    format!("rendering/{side}x{side}x{side}")
}

fn mammogram(bench: &Bench) -> Mammogram {
    if bench.measured { Mammogram::new(4096, 3328) } else { Mammogram::new(64, 52) }
}

fn coloured(mammogram: &Mammogram) -> String {
    let frame = mammogram.frame();
    format!("blending/{}x{}, heatmap and labels", frame.columns, frame.rows)
}

fn draw(processor: &mut Processor, scene: &Scene, size: [u32; 2], style: &Style) {
    let view = view(scene, size, style.clone());
    render(processor, scene, &view, &mut |_| ControlFlow::Continue(()))
        .unwrap_or_else(|error| panic!("{error}"));
}

fn colour(processor: &mut Processor, mammogram: &Mammogram) {
    blend(processor, &mammogram.frame(), &mammogram.grey, &mammogram.layers())
        .unwrap_or_else(|error| panic!("{error}"));
}

fn per_second(time: Duration) -> String {
    format!("{} = {:.1} frames/s", milliseconds(time), 1.0 / time.as_secs_f64())
}

fn row(work: String, figure: String, bar: &'static str) -> Row {
    Row { work, figure, bar, peer: String::from("-") }
}

/// Device time of the kernel, and host time, which has the picture's way back in it.
fn gpu_rows(bench: &mut Bench, work: &str, bar: &'static str, draw: &dyn Fn(&mut Processor)) -> Vec<Row> {
    // The first sends the volume.
    draw(&mut bench.gpu);
    bench.wake(draw);
    bench.gpu.take_device_time();
    let (mut host, mut device) = (Vec::new(), Vec::new());
    for _ in 0..bench.repetitions() {
        host.push(timed(|| draw(&mut bench.gpu)).1);
        let time = bench.gpu.take_device_time().unwrap_or_default();
        let kernels = time.by_label.iter().filter(|(label, _)| ["rendering", "blending"].contains(label));
        device.push(kernels.map(|(_, time)| *time).sum());
    }
    let peak_bytes = bench.gpu.device_memory().map_or(0, |memory| memory.peak_bytes);
    vec![
        row(format!("{work}, device time"), per_second(median(device)), bar),
        row(format!("{work}, host, picture brought back"), per_second(median(host)), "-"),
        row(format!("{work}, peak device memory"), format!("{} MiB", peak_bytes >> 20), "2048 MiB"),
    ]
}

fn twin_row(bench: &mut Bench, work: String, bar: &'static str, draw: &dyn Fn(&mut Processor)) -> Row {
    draw(&mut bench.twin);
    let times = (0..bench.repetitions().min(5)).map(|_| timed(|| draw(&mut bench.twin)).1).collect();
    row(work, per_second(median(times)), bar)
}
