//! Everything the box does on a GPU, measured in one go and printed as one table: our figure, the bar, and the same work
//! by the field's usual tools on the same input in the same run.
//!
//! `benches/gpu.sh` runs it on a machine that has a GPU but neither cargo nor a network. Device times are the device's
//! own timestamps; host times are medians of the whole call. Under `cargo test` it runs once, small, on software Vulkan.
//!
//! To add work: one function that returns rows, and its name in [`WORK`]. A word on the command line measures only the work
//! whose name holds it.

#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::print_stdout, reason = "its output is a table")]

mod inputs;
mod peers;
mod perfusion;
mod pictures;
mod scenes;
mod structures;
mod turns;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use sidelight_kernels::calcium::{Protocol, Score, score};
use sidelight_kernels::{DeviceTime, Dimensions, Processor, Region, Volume, Wish, bandwidth};

use crate::inputs::chest;
use crate::peers::Peer;

/// One line of the table.
struct Row {
    work: String,
    figure: String,
    bar: &'static str,
    peer: String,
}

/// What the measurements share.
struct Bench {
    gpu: Processor,
    twin: Processor,
    copy_bytes_per_s: f64,
    /// Full sizes and many repetitions, or small ones and one.
    measured: bool,
}

type Work = fn(&mut Bench) -> Vec<Row>;

/// Everything that is measured.
const WORK: [(&str, Work); 9] = [
    ("calcium on the GPU", calcium_gpu),
    ("calcium on the twin", calcium_twin),
    ("perfusion on the GPU", perfusion::on_gpu),
    ("perfusion on the twin", perfusion::on_twin),
    ("pictures on the GPU", pictures::on_gpu),
    ("pictures on the twin", pictures::on_twin),
    ("structures on the GPU", structures::on_gpu),
    ("turns on the twin", turns::on_twin),
    ("streamed on the GPU", perfusion::streamed),
];

fn main() {
    let measured = std::env::args().any(|argument| argument == "--bench")
        && !std::env::args().any(|argument| argument == "--test");
    let open = |wish| Processor::open(wish).unwrap_or_else(|error| panic!("{error}"));
    let mut bench = Bench { gpu: open(Wish::Gpu), twin: open(Wish::Twin), copy_bytes_per_s: 0.0, measured };
    let copy = bandwidth::copy_bytes_per_s(&mut bench.gpu).expect("the copy fits");
    bench.copy_bytes_per_s = copy.unwrap_or(f64::NAN);

    println!("device: {}; {}", bench.gpu.name(), bench.gpu.reason());
    let twin_copy = bandwidth::copy_bytes_per_s(&mut bench.twin).expect("the copy fits").unwrap_or(f64::NAN);
    println!("twin: {}; copy, read + written: {:.0} GB/s", bench.twin.name(), twin_copy / 1e9);
    println!("device copy, read + written: {:.0} GB/s\n", bench.copy_bytes_per_s / 1e9);
    println!("| work | here | bar | peer |\n|---|---|---|---|");
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (name, work) in WORK {
        if wanted.is_empty() || wanted.iter().any(|word| name.contains(word)) {
            for Row { work, figure, bar, peer } in work(&mut bench) {
                println!("| {work} | {figure} | {bar} | {peer} |");
            }
        }
    }
}

impl Bench {
    fn repetitions(&self) -> usize {
        if self.measured { 15 } else { 1 }
    }

    /// Bytes over time, and how much of the copy's rate that is.
    #[expect(clippy::cast_precision_loss, reason = "a rate to print")]
    fn rate(&self, bytes: usize, time: Duration) -> String {
        let rate = bytes as f64 / time.as_secs_f64();
        format!("{:.0} GB/s, {:.0} % of copying", rate / 1e9, rate / self.copy_bytes_per_s * 100.0)
    }
}

/// An idle card sleeps at a fifth of its clock, and what takes a millisecond does not wake it: the work is done over and over
/// for so long before it is measured.
const WAKING: Duration = Duration::from_millis(1500);

impl Bench {
    fn wake(&mut self, work: &dyn Fn(&mut Processor)) {
        let begun = Instant::now();
        while self.measured && begun.elapsed() < WAKING {
            work(&mut self.gpu);
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

fn scored(processor: &mut Processor, volume: &Volume, region: &Region, threshold_hu: i16) -> Score {
    let protocol = Protocol { threshold_hu, ..Protocol::AGATSTON };
    score(processor, volume, region, &protocol, &mut |_, _| ControlFlow::Continue(()))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A calcium scan, and the volume that the bars are about.
fn calcium_sizes(bench: &Bench) -> Vec<Dimensions> {
    let (columns, slices): (u32, &[u32]) = if bench.measured { (512, &[48, 512]) } else { (128, &[16]) };
    slices.iter().map(|&slices| Dimensions { columns, rows: columns, slices }).collect()
}

fn size(dimensions: Dimensions) -> String {
    format!("{}x{}x{}", dimensions.columns, dimensions.rows, dimensions.slices)
}

fn calcium_twin(bench: &mut Bench) -> Vec<Row> {
    let mut rows = Vec::new();
    for dimensions in calcium_sizes(bench) {
        let volume = chest(dimensions);
        let region = Region::from_fn(dimensions, |_, _, _| true);
        let agatston = scored(&mut bench.twin, &volume, &region, 130).agatston;
        let repetitions = bench.repetitions().min(5);
        let times = (0..repetitions).map(|_| timed(|| scored(&mut bench.twin, &volume, &region, 130)).1);
        let peer = peers::calcium(Peer::Cc3d, &volume, bench.measured, agatston);
        rows.push(Row {
            work: format!("calcium/{} twin", size(dimensions)),
            figure: milliseconds(median(times.collect())),
            bar: "a third of the peer",
            peer: peer.figure("compute_ms"),
        });
    }
    rows
}

fn calcium_gpu(bench: &mut Bench) -> Vec<Row> {
    calcium_sizes(bench).into_iter().flat_map(|dimensions| calcium_of_size(bench, dimensions)).collect()
}

fn calcium_of_size(bench: &mut Bench, dimensions: Dimensions) -> Vec<Row> {
    let full = dimensions.slices == 512;
    let volume = chest(dimensions);
    let region = Region::from_fn(dimensions, |_, _, _| true);
    let bytes = size_of_val(volume.hounsfield());

    let with_upload = calcium_with_upload(bench, &volume, &region);
    let (resident, device) = calcium_resident(bench, &volume, &region, 130);
    let from_gpu = scored(&mut bench.gpu, &volume, &region, 130);
    assert_eq!(from_gpu, scored(&mut bench.twin, &volume, &region, 130), "GPU and twin differ");
    let peak_bytes = bench.gpu.device_memory().map_or(0, |memory| memory.peak_bytes);
    let cupy = peers::calcium(Peer::Cupy, &volume, bench.measured, from_gpu.agatston);

    let row = |what: &str, figure: String, bar, peer: String| {
        let (work, bar) = (format!("calcium/{} {what}", size(dimensions)), if full { bar } else { "-" });
        Row { work, figure, bar, peer }
    };
    let mut rows = vec![
        row(
            "resident, device time",
            format!("{} ({})", milliseconds(device.total), bench.rate(bytes, device.total)),
            "1 ms",
            cupy.figure("compute_ms"),
        ),
        row("resident, host, lesions outlined", milliseconds(resident), "2 ms", cupy.figure("compute_ms")),
        row(
            "upload alone",
            milliseconds(with_upload.saturating_sub(resident)),
            "-",
            cupy.figure("upload_ms"),
        ),
        row("upload and score", milliseconds(with_upload), "15 ms", cupy.figure("total_ms")),
        row("peak device memory", format!("{} MiB", peak_bytes >> 20), "2048 MiB", String::from("-")),
    ];
    rows.extend(device.by_label.iter().map(|(kernel, time)| {
        row(&format!("device time of {kernel}"), milliseconds(*time), "-", String::from("-"))
    }));
    for threshold_hu in [50, 90, 200, 300] {
        let (resident, device) = calcium_resident(bench, &volume, &region, threshold_hu);
        let figure = format!("{} host, {} device", milliseconds(resident), milliseconds(device.total));
        rows.push(row(&format!("resident at {threshold_hu} HU"), figure, "-", String::from("-")));
    }
    rows
}

/// A volume the device has not seen, each time.
fn calcium_with_upload(bench: &mut Bench, volume: &Volume, region: &Region) -> Duration {
    let mut times = Vec::new();
    bench.wake(&|gpu| drop(scored(gpu, volume, region, 130)));
    for _ in 0..bench.repetitions().min(7) + 1 {
        let unseen = Volume::new(volume.dimensions(), *volume.geometry(), volume.hounsfield().to_vec())
            .expect("it was one before");
        times.push(timed(|| scored(&mut bench.gpu, &unseen, region, 130)).1);
    }
    // The first makes the buffers.
    median(times.split_off(1))
}

/// Host and device time of a volume that is there already.
fn calcium_resident(
    bench: &mut Bench,
    volume: &Volume,
    region: &Region,
    threshold_hu: i16,
) -> (Duration, DeviceTime) {
    scored(&mut bench.gpu, volume, region, threshold_hu);
    bench.wake(&|gpu| drop(scored(gpu, volume, region, threshold_hu)));
    bench.gpu.take_device_time();
    let mut host = Vec::new();
    let mut device: Vec<DeviceTime> = Vec::new();
    for _ in 0..bench.repetitions() {
        host.push(timed(|| scored(&mut bench.gpu, volume, region, threshold_hu)).1);
        device.extend(bench.gpu.take_device_time());
    }
    device.sort_unstable_by_key(|time| time.total);
    let middle = device.len() / 2;
    (median(host), device.into_iter().nth(middle).unwrap_or_default())
}
