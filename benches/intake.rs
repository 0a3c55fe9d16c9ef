//! What receiving a series costs, durable, beside dcmtk's storescp, which syncs nothing: the same files, the same
//! sender (dcmtk's storescu), loopback, in one run.
//!
//! `cargo bench --profile dev -p sidelight-benches --bench intake`; with `-- --test` each runs once on small slices.
//! Needs the binaries (`cargo build --workspace --bins`) and the package dcmtk.

use std::path::PathBuf;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::dcmtk::{Witness, storescu};
use sidelight_tests::peers::scratch::Scratch;
use sidelight_tests::phantoms::CalciumPatient;

/// A calcium scan, or what a test has time for.
fn patient() -> CalciumPatient {
    let measured = std::env::args().any(|argument| argument == "--bench")
        && !std::env::args().any(|argument| argument == "--test");
    if measured { CalciumPatient::new(1) } else { CalciumPatient::small(1) }
}

fn intake(criterion: &mut Criterion) {
    let patient = patient();
    let folder = Scratch::new("bench-study").expect("a folder for the study");
    let files = patient.write_dicom(folder.path()).expect("the study is written");
    let size = patient.volume.dimensions();
    let id = |who: &str| format!("{who}/{}x{}x{}", size.columns, size.rows, size.slices);
    let mut group = criterion.benchmark_group("intake");
    group.sample_size(10);
    // A fresh receiver each time: a study that is there already takes another way.
    group.bench_function(id("sidelight, durable before each answer"), |bencher| {
        bencher.iter_batched(
            || appliance().start().expect("the box starts"),
            |receiver| {
                send(receiver.dicom_port(), &files);
                receiver
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function(id("dcmtk storescp, nothing synced"), |bencher| {
        bencher.iter_batched(
            || Witness::start("+xe").expect("storescp starts"),
            |receiver| {
                send(receiver.port(), &files);
                receiver
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn send(port: u16, files: &[PathBuf]) {
    let sent = storescu(port, files, &[]).expect("storescu runs");
    assert!(sent.status.success(), "{}", sent.evidence());
}

criterion_group!(benches, intake);
criterion_main!(benches);
