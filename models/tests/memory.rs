//! Inference after inference in flat memory, and none that takes more than the smallest box has: 100 of each network in
//! `make test`, 1000 in `make soak`. Alone in its process.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]
#![expect(clippy::print_stdout, reason = "figures for whoever looks at them")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sidelight_models::{Bundle, Detector, Model, Plane, Provider, Runtime, Segmenter};

/// What the allocators may still take once everything has run a few times.
const GROWTH_BYTES_MAX: u64 = 16 << 20;
const SETTLED_AFTER: usize = 20;
/// Beside a study on the smallest box (issue "Models").
const INFERENCE_BYTES_MAX: u64 = 2 << 30;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn model(name: &str) -> Model {
    let runtime = Runtime::open(&root().join("target/tools/onnxruntime"), &[Provider::Cpu], 2).unwrap();
    Bundle::open(&root().join("models/bundles").join(name)).unwrap().verify(&runtime).unwrap()
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// The most that ever lay in RAM at once since it was last forgotten, in bytes (proc(5): VmHWM, in kB).
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Runs something often, on images of changing sizes, as patients come.
fn stays_flat(name: &str, mut infer: impl FnMut(usize)) {
    let inferences = if std::env::var_os("SIDELIGHT_SOAK").is_some() { 1000 } else { 100 };
    let mut settled = 0;
    for inference in 0..inferences {
        infer(inference % 7);
        if inference == SETTLED_AFTER {
            settled = resident_bytes();
        }
    }
    let grown = resident_bytes().saturating_sub(settled);
    println!(
        "{name}: {inferences} inferences, {settled} bytes after {SETTLED_AFTER}, {grown} more at the end"
    );
    assert!(grown < GROWTH_BYTES_MAX, "{name} grew by {grown} bytes from {settled}");
}

/// Runs something once and measures the most memory that it took, and that the whole process had.
fn fits(name: &str, infer: impl FnOnce()) {
    // proc(5): 5 forgets the peak.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = resident_bytes();
    infer();
    let peak = peak_bytes();
    println!("{name}: {} bytes for one inference at full size, {peak} in all", peak.saturating_sub(before));
    assert!(peak > before && peak < INFERENCE_BYTES_MAX, "{name}: {peak} bytes, {before} before");
}

fn pattern(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at % 251) as f32).collect()
}

fn go(_: f32) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn heart(model: &mut Model, side: usize, slices: usize) {
    let images = vec![pattern(side * side); slices];
    let stack = Plane { rows: side, columns: side, pixel_mm: [1.4; 2], images: &images };
    Segmenter::new(model).unwrap().segment(&stack, &mut go).unwrap();
}

fn breast(model: &mut Model, rows: usize, columns: usize) {
    let image = pattern(rows * columns);
    Detector::new(model).unwrap().plane(&image, [rows, columns], [0.07; 2]).unwrap();
}

fn chest(model: &mut Model, side: usize, slices: usize) {
    let values: Vec<i16> =
        (0..side * side * slices).map(|at| i16::try_from(at % 1400).unwrap() - 1000).collect();
    let step_mm = [330.0 / side as f64, 330.0 / side as f64, 1.5];
    Detector::new(model).unwrap().volume(&values, [side, side, slices], step_mm, &mut go).unwrap();
}

/// One test: two at once would measure each other.
#[test]
fn many_inferences_hold_no_more_memory_than_a_few_and_none_takes_too_much() {
    let (mut cardiac, mut mammography, mut lesions) =
        (model("cardiac_seg"), model("mammography_cad"), model("lesion_det"));
    stays_flat("cardiac_seg", |step| heart(&mut cardiac, 96 + 16 * step, 1));
    stays_flat("mammography_cad", |step| breast(&mut mammography, 700 + 100 * step, 600));
    // Few slices: what counts is how often the network runs.
    stays_flat("lesion_det", |step| chest(&mut lesions, 48 + 8 * step, 3));
    fits("cardiac_seg", || heart(&mut cardiac, 512, 12));
    fits("mammography_cad", || breast(&mut mammography, 4096, 3328));
    fits("lesion_det", || chest(&mut lesions, 512, 64));
}
