//! Inference after inference in flat memory: 100 in `make test`, 1000 in `make soak`. Alone in its process.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use std::ops::ControlFlow;
use std::path::Path;

use sidelight_models::{Bundle, Plane, Provider, Runtime, Segmenter};

/// What the allocators may still take once everything has run a few times.
const GROWTH_BYTES_MAX: u64 = 16 << 20;
const SETTLED_AFTER: usize = 20;

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn many_inferences_hold_no_more_memory_than_a_few() {
    let inferences = if std::env::var_os("SIDELIGHT_SOAK").is_some() { 1000 } else { 100 };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let runtime = Runtime::open(&root.join("target/tools/onnxruntime"), &[Provider::Cpu], 2).unwrap();
    let bundle = Bundle::open(&root.join("models/bundles/cardiac_seg")).unwrap();
    let mut model = bundle.verify(&runtime).unwrap();
    let mut segmenter = Segmenter::new(&mut model).unwrap();
    let mut settled = 0;
    for inference in 0..inferences {
        // Images of changing sizes, as patients come.
        let side = 96 + inference % 7 * 16;
        let images = vec![(0..side * side).map(|at| (at % 251) as f32).collect::<Vec<f32>>()];
        let stack = Plane { rows: side, columns: side, pixel_mm: [1.4; 2], images: &images };
        segmenter.segment(&stack, &mut |_| ControlFlow::Continue(())).unwrap();
        if inference == SETTLED_AFTER {
            settled = resident_bytes();
        }
    }
    let grown = resident_bytes().saturating_sub(settled);
    println!("{inferences} inferences: {settled} bytes after {SETTLED_AFTER}, {grown} more at the end");
    assert!(grown < GROWTH_BYTES_MAX, "grew by {grown} bytes from {settled}");
}
