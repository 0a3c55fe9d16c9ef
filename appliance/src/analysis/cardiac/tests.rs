//! Volumes against experts' contours, and against hearts whose volume is known.

use std::f64::consts::PI;
use std::path::{Path, PathBuf};

use super::function::{Areas, Body, function};
use super::{fits, judge, runs};
use crate::imaging::{FrameSource, Meaning, Place, Stack, Unusable, phases};
use crate::part10::{Timing, read_facts};

/// Area inside an outline, in the outline's unit squared (shoelace).
fn area(points: &[[f64; 2]]) -> f64 {
    let next = points.iter().cycle().skip(1);
    points.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>().abs() / 2.0
}

/// An ellipsoid cut by slices `distance_mm` apart that begin anywhere: areas of outlines of 64 points.
fn ellipsoid(radii_mm: [f64; 3], distance_mm: f64, offset_mm: f64, slices: usize) -> Vec<f64> {
    let [a, b, c] = radii_mm;
    let area_at = |slice: usize| {
        let z = (slice as f64 - (slices as f64 - 1.0) / 2.0) * distance_mm + offset_mm;
        let scale = (1.0 - (z / c) * (z / c)).max(0.0).sqrt();
        let point = |step: usize| {
            let angle = step as f64 / 64.0 * 2.0 * PI;
            [a * scale * angle.cos(), b * scale * angle.sin()]
        };
        area(&(0..64).map(point).collect::<Vec<_>>())
    };
    (0..slices).map(area_at).collect()
}

#[test]
fn a_heart_of_known_volume_is_measured_within_two_percent() {
    for offset_mm in [0.0, 1.0, 2.5, 3.9] {
        let (ed, es) = ([27.0, 25.0, 46.0], [20.0, 18.0, 40.0]);
        let volume = |[a, b, c]: [f64; 3]| 4.0 / 3.0 * PI * a * b * c / 1000.0;
        let between = [24.0, 22.0, 43.0];
        let phases = [between, ed, between, es];
        let cavity = phases.map(|radii| ellipsoid(radii, 8.0, offset_mm, 13)).to_vec();
        let found = function(&Areas { cavity, muscle: Vec::new() }, 8.0).unwrap();
        assert_eq!((found.ed_phase, found.es_phase), (1, 3));
        let close = |measured: f64, truth: f64| (measured / truth - 1.0).abs() < 0.02;
        assert!(close(found.edv_ml, volume(ed)), "{offset_mm}: {} of {} mL", found.edv_ml, volume(ed));
        assert!(close(found.esv_ml, volume(es)), "{offset_mm}: {} of {} mL", found.esv_ml, volume(es));
        let ef = (volume(ed) - volume(es)) / volume(ed) * 100.0;
        assert!((found.ef_percent - ef).abs() < 2.0, "{} of {ef} %", found.ef_percent);
        assert_eq!(found.mass_g, None);
    }
}

#[test]
fn one_noisy_phase_does_not_become_end_systole() {
    let curve = [200.0, 190.0, 170.0, 150.0, 142.0, 141.0, 143.0, 160.0, 180.0, 130.0, 195.0];
    let cavity = curve.iter().map(|ml| vec![ml * 100.0]).collect();
    let found = function(&Areas { cavity, muscle: Vec::new() }, 10.0).unwrap();
    assert_eq!((found.ed_phase, found.es_phase), (0, 5));
    assert!((found.ef_percent - (200.0 - 141.0) / 2.0).abs() < 1e-9);
}

#[test]
fn nothing_found_is_no_function_and_a_body_is_plausible_or_none() {
    assert_eq!(function(&Areas { cavity: vec![vec![0.0; 9]; 20], muscle: Vec::new() }, 8.0), None);
    assert_eq!(function(&Areas::default(), 8.0), None);
    assert_eq!(Body::of(Some(178.0), Some(80.0)), None, "centimetres where metres belong");
    let surface = Body::of(Some(1.80), Some(80.0)).unwrap().surface_m2();
    assert!((surface - 2.0).abs() < 1e-9, "Mosteller: {surface}");
}

#[test]
fn runs_are_the_pixels_of_a_class() {
    let labels = [0, 1, 1, 2, 1, 1, 0, 0, 0, 0, 2, 1];
    assert_eq!(runs(&labels, 4, 1), [[0, 1, 2], [1, 0, 2], [2, 3, 1]]);
    assert_eq!(runs(&labels, 4, 3), Vec::<[u32; 3]>::new());
}

#[test]
fn our_own_network_fits_this_analysis() {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/bundles/cardiac_seg/model.toml");
    assert!(fits(&sidelight_models::Manifest::read(&bundle).unwrap()));
}

/// Patients of the Sunnybrook data: folder of images, of contours, slice distance, and how many slices have contours.
const PATIENTS: [(&str, &str, f64, usize); 3] = [
    ("SCD0000101", "SC-HF-I-1", 10.0, 9),
    ("SCD0000201", "SC-HF-I-2", 10.0, 9),
    ("SCD0000301", "SC-HF-I-4", 8.0, 10),
];
const PHASES: usize = 20;

#[test]
fn experts_contours_give_the_volumes_that_they_sum_to_real_data() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/cine_mr");
    if !data.exists() {
        return println!("skipped: no reference data at {}", data.display());
    }
    for (images, contours, distance_mm, drawn) in PATIENTS {
        let (stack, facts) = stack_of(&data.join("dicoms").join(images));
        // The trap: SliceLocation steps by 5.3 to 6.7 mm here.
        let phased = phases(&stack).unwrap();
        assert!((phased.geometry.slice_increment_mm - distance_mm).abs() < 0.01, "{images}");
        assert_eq!((phased.phases(), phased.slices() * PHASES), (PHASES, stack.frames.len()));
        assert!(phased.heart_rates_per_min().unwrap().iter().all(|rate| (50.0..100.0).contains(rate)));
        assert!(matches!(judge(&facts, &stack), super::Applicability::Yes(_)));
        let [row_mm, column_mm] = phased.pixel_spacing_mm;
        let outlines = outlines(&data.join("contours").join(contours).join("i-contours"));
        let mut cavity = vec![vec![0.0; phased.slices()]; PHASES];
        for (slice, phase, points) in &outlines {
            cavity[*phase][*slice] = area(points) * row_mm * column_mm;
        }
        assert_eq!(outlines.len(), 2 * drawn, "{contours}: end diastole and end systole");
        let found = function(
            &Areas { cavity: cavity.clone(), muscle: Vec::new() },
            phased.geometry.slice_increment_mm,
        );
        let found = found.unwrap();
        // The contours' own sum: their areas times the distance that the trial's protocol states.
        let sums: Vec<f64> =
            cavity.iter().map(|slices| slices.iter().sum::<f64>() * distance_mm / 1000.0).collect();
        let largest = sums.iter().copied().fold(0.0, f64::max);
        let smallest = sums.iter().copied().filter(|ml| *ml > 0.0).fold(f64::INFINITY, f64::min);
        let es = found.cavity_ml.iter().copied().filter(|ml| *ml > 0.0).fold(f64::INFINITY, f64::min);
        println!("{contours}: EDV {:.2} mL, ESV {es:.2} mL by disks", found.edv_ml);
        assert!((found.edv_ml - largest).abs() < 0.1 && (es - smallest).abs() < 0.1, "{largest} {smallest}");
    }
}

/// All objects of a folder as one stack, in the order of their positions.
fn stack_of(folder: &Path) -> (Stack, crate::part10::InstanceFacts) {
    let mut frames = Vec::new();
    let mut one = None;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let facts = read_facts(&path).unwrap();
        let picture = facts.picture.as_ref().unwrap();
        let place =
            Place { position_mm: picture.position_mm.unwrap(), orientation: picture.orientation.unwrap() };
        let timing: Timing = facts.timing;
        let sop_instance_uid = facts.sop_instance.as_str().to_owned();
        frames.push(FrameSource {
            path,
            frame: 0,
            sop_instance_uid,
            tag: String::new(),
            place: Some(place),
            timing,
        });
        one = Some(facts);
    }
    let facts = one.unwrap();
    let picture = facts.picture.as_ref().unwrap();
    let [a, b, c, d, e, f] = picture.orientation.unwrap();
    let normal = [b * f - c * e, c * d - a * f, a * e - b * d];
    let along = |frame: &FrameSource| {
        let position = frame.place.unwrap().position_mm;
        normal.iter().zip(position).map(|(n, p)| n * p).sum::<f64>()
    };
    frames.sort_by(|a, b| along(a).total_cmp(&along(b)));
    // The box counts along the normal's main direction.
    let main = normal.into_iter().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
    if main < 0.0 {
        frames.reverse();
    }
    let stack = Stack {
        columns: picture.columns,
        rows: picture.rows,
        positions_mm: Some(frames.iter().map(|frame| main.signum() * along(frame)).collect()),
        frames,
        orientation: picture.orientation,
        pixel_spacing_mm: picture.pixel_spacing_mm,
        window: None,
        photometric: "MONOCHROME2".into(),
        meaning: Meaning::Stored,
        geometry: Err(Unusable::SharedPositions { count: 1 }),
    };
    (stack, facts)
}

/// Slice, phase and points of every contour: file n is slice (n - 1) / 20 in the order of acquisition.
fn outlines(folder: &Path) -> Vec<(usize, usize, Vec<[f64; 2]>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let number: usize = name.split('-').nth(2).unwrap().parse().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let points = text.lines().map(|line| {
            let mut numbers = line.split_whitespace().map(|number| number.parse::<f64>().unwrap());
            [numbers.next().unwrap(), numbers.next().unwrap()]
        });
        found.push(((number - 1) / PHASES, (number - 1) % PHASES, points.collect()));
    }
    found
}
