//! CT perfusion: upload, alignment and maps apart, on a head of tiles in a skull.

use std::ops::ControlFlow;
use std::time::Duration;

use sidelight_kernels::perfusion::{Dynamic, Maps, Method, Parameters, Perfusion, SliceSeries, analyse};
use sidelight_kernels::{DeviceTime, Dimensions, Geometry, Processor};

use crate::{Bench, Row, median, milliseconds, timed};

pub(crate) fn on_gpu(bench: &mut Bench) -> Vec<Row> {
    let Scan { dimensions, passes, size } = Scan::new(bench);
    let dynamic = head(dimensions, passes);
    let still = Parameters { correct_motion: false, ..Parameters::default() };
    let unseen = head(dimensions, passes);
    let first = timed(|| run(&mut bench.gpu, &unseen, &still)).1;
    run(&mut bench.gpu, &dynamic, &still);
    let slow = Parameters { method: Method::RICHARDSON_LUCY, ..still.clone() };
    let (_, richardson_lucy, richardson_lucy_device) = resident(bench, &dynamic, &slow);
    let (found, resident, device) = resident(bench, &dynamic, &still);
    let peak_bytes = bench.gpu.device_memory().map_or(0, |memory| memory.peak_bytes);
    let aligned = timed(|| run(&mut bench.gpu, &dynamic, &Parameters::default())).1;
    let agreeing = agreement(&found.maps, &run(&mut bench.twin, &dynamic, &still).maps);
    assert!(agreeing >= 0.999, "GPU and twin agree in {agreeing} of the brain only");

    let row = |what: &str, figure: String, bar| line(&size, what, figure, bar);
    let mut rows = vec![
        row("all maps resident, device time", milliseconds(device.total), "150 ms"),
        row("all maps resident, host, curves and regions too", milliseconds(resident), "-"),
        row("a first time less resident: upload", milliseconds(first.saturating_sub(resident)), "-"),
        row("alignment more", milliseconds(aligned.saturating_sub(resident)), "2000 ms"),
        row("Richardson-Lucy, device time", milliseconds(richardson_lucy_device.total), "-"),
        row("Richardson-Lucy, host", milliseconds(richardson_lucy), "-"),
        row("GPU and twin agree", format!("{:.4} % of the brain", 100.0 * agreeing), "99.9 %"),
        row("peak device memory", format!("{} MiB", peak_bytes >> 20), "2048 MiB"),
    ];
    rows.extend(
        device
            .by_label
            .iter()
            .map(|(kernel, time)| row(&format!("device time of {kernel}"), milliseconds(*time), "-")),
    );
    rows
}

/// A scan that the device cannot hold is sent slab by slab.
pub(crate) fn streamed(bench: &mut Bench) -> Vec<Row> {
    let (dimensions, passes) = if bench.measured {
        (Dimensions { columns: 512, rows: 512, slices: 320 }, 20)
    } else {
        (Dimensions { columns: 96, rows: 96, slices: 4 }, 20)
    };
    let dynamic = head(dimensions, passes);
    let size = format!("{}x{passes}", crate::size(dimensions));
    let still = Parameters { correct_motion: false, ..Parameters::default() };
    let mut rows = Vec::new();
    for (what, parameters) in [("still", still), ("with motion", Parameters::default())] {
        bench.gpu.take_device_time();
        let all = timed(|| run(&mut bench.gpu, &dynamic, &parameters)).1;
        let device = bench.gpu.take_device_time().unwrap_or_default().total;
        let peak_bytes = bench.gpu.device_memory().map_or(0, |memory| memory.peak_bytes);
        assert_eq!(bench.gpu.take_passed_over(), None, "the device did not do it");
        let figure = format!("{} host, {} device", milliseconds(all), milliseconds(device));
        rows.push(line(&size, &format!("streamed, {what}"), figure, "-"));
        let peak = format!("{} MiB", peak_bytes >> 20);
        rows.push(line(&size, &format!("streamed, {what}, peak device memory"), peak, "2048 MiB"));
    }
    rows
}

pub(crate) fn on_twin(bench: &mut Bench) -> Vec<Row> {
    let Scan { dimensions, passes, size } = Scan::new(bench);
    let dynamic = head(dimensions, passes);
    let still = Parameters { correct_motion: false, ..Parameters::default() };
    let maps = timed(|| run(&mut bench.twin, &dynamic, &still)).1;
    let aligned = timed(|| run(&mut bench.twin, &dynamic, &Parameters::default())).1;
    vec![
        line(&size, "twin, all maps", milliseconds(maps), "25000 ms"),
        line(&size, "twin, alignment more", milliseconds(aligned.saturating_sub(maps)), "-"),
    ]
}

/// The scan, or what a test has time for.
struct Scan {
    dimensions: Dimensions,
    passes: u32,
    size: String,
}

impl Scan {
    fn new(bench: &Bench) -> Self {
        let (dimensions, passes) = if bench.measured {
            (Dimensions { columns: 512, rows: 512, slices: 32 }, 45)
        } else {
            (Dimensions { columns: 96, rows: 96, slices: 2 }, 30)
        };
        let size = format!("{}x{}x{}x{passes}", dimensions.columns, dimensions.rows, dimensions.slices);
        Self { dimensions, passes, size }
    }
}

fn line(size: &str, what: &str, figure: String, bar: &'static str) -> Row {
    Row { work: format!("perfusion/{size} {what}"), figure, bar, peer: String::from("-") }
}

fn run(processor: &mut Processor, dynamic: &Dynamic, parameters: &Parameters) -> Perfusion {
    analyse(processor, dynamic, parameters, &mut |_, _| ControlFlow::Continue(()))
        .unwrap_or_else(|error| panic!("{error}"))
}

fn resident(
    bench: &mut Bench,
    dynamic: &Dynamic,
    parameters: &Parameters,
) -> (Perfusion, Duration, DeviceTime) {
    bench.gpu.take_device_time();
    let mut host = Vec::new();
    let mut device: Vec<DeviceTime> = Vec::new();
    let mut found = None;
    for _ in 0..bench.repetitions().min(5) {
        let (perfusion, time) = timed(|| run(&mut bench.gpu, dynamic, parameters));
        host.push(time);
        device.extend(bench.gpu.take_device_time());
        found = Some(perfusion);
    }
    device.sort_unstable_by_key(|time| time.total);
    let middle = device.len() / 2;
    let device = device.into_iter().nth(middle).unwrap_or_default();
    (found.expect("at least one repetition"), median(host), device)
}

/// Part of the brain in which all maps agree within a thousandth.
#[expect(clippy::cast_precision_loss, reason = "a share to print")]
fn agreement(a: &Maps, b: &Maps) -> f64 {
    let maps = [(&a.cbf, &b.cbf), (&a.cbv, &b.cbv), (&a.mtt, &b.mtt), (&a.ttp, &b.ttp), (&a.tmax, &b.tmax)];
    let near =
        |a: f32, b: f32| a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-3 * (1.0 + a.abs().max(b.abs()));
    let brain = (0..a.cbf.len()).filter(|&voxel| !a.cbf[voxel].is_nan());
    let (mut agreeing, mut all) = (0_usize, 0_usize);
    for voxel in brain {
        all += 1;
        agreeing += usize::from(maps.iter().all(|(a, b)| near(a[voxel], b[voxel])));
    }
    agreeing as f64 / all.max(1) as f64
}

/// One frame a second: a skull, CSF, sixteen kinds of tissue in squares, arteries, a vein, and noise.
pub(crate) fn head(dimensions: Dimensions, passes: u32) -> Dynamic {
    let Dimensions { columns, rows, slices } = dimensions;
    let spacing_mm = 230.0 / f64::from(columns);
    let kinds: Vec<u8> = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (column, row)))
        .map(|(column, row)| {
            let from_middle = |at: u32, size: u32| (f64::from(at) - f64::from(size) / 2.0) * spacing_mm;
            kind(from_middle(column, columns), from_middle(row, rows))
        })
        .collect();
    let times_s: Vec<f64> = (0..passes).map(f64::from).collect();
    let shown: Vec<[i16; 20]> =
        times_s.iter().map(|&time_s| std::array::from_fn(|kind| hounsfield(kind, time_s))).collect();
    let mut noise = 1_u32;
    let slices = (0..slices).map(|_| {
        let mut hounsfield = Vec::with_capacity(kinds.len() * times_s.len());
        for shown in &shown {
            hounsfield.extend(kinds.iter().map(|&kind| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // The sum of three numbers of four bits: nearly normal, deviation 8.
                let grain = (noise >> 28) + (noise >> 24 & 15) + (noise >> 20 & 15);
                shown[usize::from(kind)] + i16::try_from(grain).expect("six bits") - 22
            }));
        }
        SliceSeries { times_s: times_s.clone(), hounsfield }
    });
    let geometry = Geometry {
        column_spacing_mm: spacing_mm,
        row_spacing_mm: spacing_mm,
        slice_increment_mm: 5.0,
        patient_mm_from_voxel: [
            [spacing_mm, 0.0, 0.0, 0.0],
            [0.0, spacing_mm, 0.0, 0.0],
            [0.0, 0.0, 5.0, 0.0],
        ],
    };
    let slices = slices.collect();
    Dynamic::new(dimensions, geometry, slices).expect("a head is a series")
}

/// 0 to 15 tissue, 16 artery, 17 vein, 18 bone, 19 air.
fn kind(x_mm: f64, y_mm: f64) -> u8 {
    let egg = |inwards: f64| (x_mm / (72.0 - inwards)).powi(2) + (y_mm / (88.0 - inwards)).powi(2);
    let near = |x: f64, y: f64, radius: f64| (x_mm - x).powi(2) + (y_mm - y).powi(2) < radius * radius;
    match () {
        () if egg(0.0) > 1.0 => 19,
        () if egg(7.0) > 1.0 => 18,
        () if near(0.0, 70.0, 5.0) => 17,
        () if near(-28.0, -40.0, 3.0) || near(28.0, -40.0, 3.0) => 16,
        () => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the head")]
            let tile = |mm: f64| ((mm + 88.0) / 12.0) as u8 % 4;
            tile(x_mm) * 4 + tile(y_mm)
        }
    }
}

fn hounsfield(kind: usize, time_s: f64) -> i16 {
    let bolus = |height: f64, start_s: f64, rise_s: f64| {
        let x = ((time_s - start_s) / rise_s).max(0.0);
        height * x.powi(3) * (3.0 * (1.0 - x)).exp()
    };
    let part = |of: usize| f64::from(u8::try_from(of).expect("small"));
    let hu = match kind {
        16 => 42.0 + bolus(320.0, 8.0, 5.0),
        17 => 42.0 + bolus(350.0, 11.0, 8.0),
        18 => 900.0,
        19 => -1000.0,
        tissue => 34.0 + bolus(6.0 + 3.0 * part(tissue % 4), 9.0 + part(tissue / 4), 6.0 + part(tissue % 4)),
    };
    #[expect(clippy::cast_possible_truncation, reason = "Hounsfield units")]
    let hu = hu.round() as i16;
    hu
}
