//! Networks end to end: loaded from bundles, verified, run, refused.

#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod bundles;
mod detection;
mod graph;
mod graphs;
mod refusals;
mod scans;
mod segmentation;
mod silero;

use std::path::{Path, PathBuf};

use sidelight_models::{Provider, Runtime};

/// Two threads, as the smallest box has.
const THREADS: usize = 2;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The runtime that `make` unpacks.
fn runtime() -> Runtime {
    let folder = root().join("target/tools/onnxruntime");
    Runtime::open(&folder, &Provider::ORDER, THREADS).unwrap_or_else(|why| panic!("{why}"))
}
