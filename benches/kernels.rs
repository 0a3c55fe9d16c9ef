//! What scoring calcium costs, on the twin and on the GPU, beside a plain scalar scorer.
//!
//! `cargo bench --profile dev -p sidelight-benches --bench kernels` measures in the profile that everything is built
//! in; with `-- --test` each runs once on a small volume.

mod inputs;

use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sidelight_kernels::calcium::{Protocol, score};
use sidelight_kernels::{Dimensions, Processor, Region, Volume, Wish};

use crate::inputs::chest;

/// A calcium scan, or what a test has time for.
fn dimensions() -> Dimensions {
    if std::env::args().any(|argument| argument == "--bench")
        && !std::env::args().any(|argument| argument == "--test")
    {
        Dimensions { columns: 512, rows: 512, slices: 48 }
    } else {
        Dimensions { columns: 128, rows: 128, slices: 128 }
    }
}

/// The peer: one thread, one flood fill per component, nothing clever.
fn naive(volume: &Volume, region: &Region) -> f64 {
    let Dimensions { columns, rows, slices } = volume.dimensions();
    let geometry = volume.geometry();
    let mut agatston = 0.0;
    for slice in 0..slices {
        let pixels = volume.slice(slice);
        let at = |column: u32, row: u32| pixels[row as usize * columns as usize + column as usize];
        let mut seen = vec![false; pixels.len()];
        for start in (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row))) {
            let (mut count, mut peak) = (0_u32, i16::MIN);
            let mut stack = vec![start];
            while let Some((column, row)) = stack.pop() {
                let index = row as usize * columns as usize + column as usize;
                if seen[index] || at(column, row) < 130 || !region.contains(column, row, slice) {
                    continue;
                }
                seen[index] = true;
                count += 1;
                peak = peak.max(at(column, row));
                for near_row in row.saturating_sub(1)..=(row + 1).min(rows - 1) {
                    for near_column in column.saturating_sub(1)..=(column + 1).min(columns - 1) {
                        stack.push((near_column, near_row));
                    }
                }
            }
            let area_mm2 = f64::from(count) * geometry.pixel_area_mm2();
            if area_mm2 >= 1.0 {
                let weight = f64::from(peak.clamp(130, 400) / 100);
                agatston += weight * area_mm2 * geometry.slice_increment_mm / 3.0;
            }
        }
    }
    agatston
}

#[expect(clippy::print_stdout, reason = "a figure is worth little without the device it was measured on")]
fn calcium(criterion: &mut Criterion) {
    let dimensions = dimensions();
    let Dimensions { columns, rows, slices } = dimensions;
    let size = format!("{columns}x{rows}x{slices}");
    let volume = chest(dimensions);
    let everywhere = Region::from_fn(dimensions, |_, _, _| true);
    let expected = naive(&volume, &everywhere);

    let mut group = criterion.benchmark_group("calcium");
    group.throughput(Throughput::Bytes(size_of_val(volume.hounsfield()) as u64)).sample_size(20);
    for (name, wish) in [("twin", Wish::Twin), ("gpu", Wish::Gpu)] {
        let mut processor = Processor::open(wish).unwrap_or_else(|error| panic!("{error}"));
        println!("{name}: {}; {}", processor.name(), processor.reason());
        let mut run = || {
            score(&mut processor, &volume, &everywhere, &Protocol::AGATSTON, &mut |_, _| {
                ControlFlow::Continue(())
            })
            .expect("nothing cancels it")
            .agatston
        };
        let found = run();
        assert!((found - expected).abs() <= 1e-9 * expected, "{name} scores {found}, its peer {expected}");
        group.bench_function(BenchmarkId::new(name, &size), |bencher| bencher.iter(|| black_box(run())));
    }
    group.bench_function(BenchmarkId::new("naive", &size), |bencher| {
        bencher.iter(|| black_box(naive(&volume, &everywhere)));
    });
    group.finish();
}

criterion_group!(benches, calcium);
criterion_main!(benches);
