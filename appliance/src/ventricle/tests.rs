//! Volumes against experts' contours, and against hearts whose volume is known.

use std::f64::consts::PI;
use std::path::{Path, PathBuf};

use super::borders::{BadOutline, Classes, Image, edited, found};
use super::function::{Areas, Body, Function, function};
use super::outline::{area_px, crosses_itself, filled, runs, traced};
use super::{Unmeasurable, areas};
use crate::imaging::{FrameSource, Meaning, Place, Stack, Unusable, phases};
use crate::part10::{Timing, read_facts};
use crate::store::cardiac::{ChosenPhases, Contours, SliceContours};

/// Function of areas that were all measured.
fn of_areas(cavity: Vec<Vec<f64>>, distance_mm: f64) -> Result<Function, Unmeasurable> {
    let cavity = cavity.into_iter().map(Some).collect();
    function(&Areas { cavity, muscle: Vec::new() }, distance_mm, ChosenPhases::default())
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
        area_px(&(0..64).map(point).collect::<Vec<_>>())
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
        let found = of_areas(cavity, 8.0).unwrap();
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
    let found = of_areas(cavity, 10.0).unwrap();
    assert_eq!((found.ed_phase, found.es_phase), (0, 5));
    assert!((found.ef_percent - (200.0 - 141.0) / 2.0).abs() < 1e-9);
}

#[test]
fn nothing_found_is_no_function_and_a_body_is_plausible_or_none() {
    assert_eq!(of_areas(vec![vec![0.0; 9]; 20], 8.0), Err(Unmeasurable::NoCavity));
    assert_eq!(of_areas(Vec::new(), 8.0), Err(Unmeasurable::NoCavity));
    assert_eq!(Body::of(Some(178.0), Some(80.0)), None, "centimetres where metres belong");
    let surface = Body::of(Some(1.80), Some(80.0)).unwrap().surface_m2();
    assert!((surface - 2.0).abs() < 1e-9, "Mosteller: {surface}");
}

#[test]
fn of_a_cycle_drawn_in_parts_the_drawn_phases_are_compared_and_chosen_ones_count() {
    let of = |volumes: [Option<f64>; 5], chosen: ChosenPhases| {
        let cavity = volumes.map(|ml| ml.map(|ml| vec![ml * 100.0])).to_vec();
        function(&Areas { cavity, muscle: Vec::new() }, 10.0, chosen)
    };
    let free = ChosenPhases::default();
    let drawn = of([None, Some(120.0), None, Some(60.0), Some(90.0)], free).unwrap();
    assert_eq!((drawn.ed_phase, drawn.es_phase, drawn.ef_percent), (1, 3, 50.0));
    assert_eq!(drawn.cavity_ml, [None, Some(120.0), None, Some(60.0), Some(90.0)]);
    assert_eq!(of([None, Some(120.0), None, None, None], free), Err(Unmeasurable::OnePhase));
    let es = |es| ChosenPhases { ed: None, es: Some(es) };
    let chosen = of([None, Some(120.0), None, Some(60.0), Some(90.0)], es(4)).unwrap();
    assert_eq!((chosen.es_phase, chosen.ef_percent), (4, 25.0));
    assert_eq!(of([None, Some(120.0), None, Some(60.0), Some(90.0)], es(2)), Err(Unmeasurable::Phases));
    assert_eq!(of([None, Some(120.0), None, Some(60.0), Some(90.0)], es(1)), Err(Unmeasurable::Phases));
    assert_eq!(of([None, Some(120.0), None, Some(60.0), Some(90.0)], es(7)), Err(Unmeasurable::Phases));
}

const COLUMNS: usize = 48;
const IMAGE: Image = Image { columns: 48, rows: 40, pixel_mm2: 2.0 };

/// Points on an ellipse.
fn ellipse([x, y]: [f64; 2], [a, b]: [f64; 2], count: u32) -> Vec<[f64; 2]> {
    let point = |step: u32| {
        let angle = f64::from(step) / f64::from(count) * 2.0 * PI;
        [x + a * angle.cos(), y + b * angle.sin()]
    };
    (0..count).map(point).collect()
}

fn pixels(mask: &[bool]) -> f64 {
    mask.iter().map(|inside| f64::from(u8::from(*inside))).sum()
}

#[test]
fn a_traced_outline_is_smooth_and_encloses_the_area_it_was_traced_around() {
    for radii in [[12.0, 9.0], [5.3, 4.1], [2.2, 3.1]] {
        let mask = filled(&ellipse([20.3, 18.1], radii, 64), COLUMNS, 40);
        let points = traced(&mask, COLUMNS, pixels(&mask));
        assert!((8..=40).contains(&points.len()), "{} points", points.len());
        assert!((area_px(&points) / pixels(&mask) - 1.0).abs() < 1e-9, "{radii:?}");
        assert!(!crosses_itself(&points));
        // Within a pixel of the truth everywhere.
        let away = |[x, y]: [f64; 2]| {
            let ([x, y], [a, b]) = ([x - 20.3, y - 18.1], radii);
            (((x / a).powi(2) + (y / b).powi(2)).sqrt() - 1.0).abs() * a.min(b)
        };
        assert!(points.iter().all(|point| away(*point) < 1.0), "{radii:?}: {points:?}");
        // Filled again it is the mask but for pixels on the border.
        let again = filled(&points, COLUMNS, 40);
        let other = mask.iter().zip(&again).filter(|(a, b)| a != b).count();
        assert!(f64::from(u32::try_from(other).unwrap()) <= 0.1 * pixels(&mask) + 4.0, "{radii:?}: {other}");
    }
    assert_eq!(traced(&[false; 48 * 40], COLUMNS, 0.0), Vec::<[f64; 2]>::new());
}

#[test]
fn the_largest_piece_is_traced_and_corners_that_touch_are_two_pieces() {
    let mut mask = vec![false; COLUMNS * 40];
    for at in [0, 1, COLUMNS, COLUMNS + 1, 2 * COLUMNS + 2, COLUMNS * 40 - 1] {
        mask[at] = true;
    }
    let points = traced(&mask, COLUMNS, 4.0);
    assert!(points.iter().flatten().all(|value| (-0.6..1.7).contains(value)), "{points:?}");
}

#[test]
fn filling_takes_pixels_whose_centre_lies_inside_whatever_the_direction() {
    let square = [[0.5, 0.5], [3.5, 0.5], [3.5, 2.5], [0.5, 2.5]];
    let backwards: Vec<[f64; 2]> = square.iter().rev().copied().collect();
    for points in [square.to_vec(), backwards] {
        assert_eq!(runs(&filled(&points, 6, 4), 6), [[1, 1, 3], [2, 1, 3]]);
        assert!((area_px(&points) - 6.0).abs() < 1e-12);
    }
    // What lies beyond the image is cut off.
    let large = [[-5.0, -5.0], [50.0, -5.0], [50.0, 50.0], [-5.0, 50.0]];
    assert!(filled(&large, 6, 4).iter().all(|inside| *inside));
    assert_eq!(runs(&[], 6), Vec::<[u32; 3]>::new());
}

#[test]
fn outlines_that_cannot_be_are_refused() {
    let draw = |inner: Vec<[f64; 2]>, outer: Vec<[f64; 2]>| edited("1.2", inner, outer, IMAGE);
    let (inner, outer) = (ellipse([20.0, 18.0], [6.03; 2], 32), ellipse([20.0, 18.0], [9.0; 2], 32));
    let drawn = draw(inner.clone(), outer.clone()).unwrap();
    assert!((drawn.cavity_mm2 - 2.0 * area_px(&inner)).abs() < 1e-9);
    assert!((drawn.muscle_mm2 - 2.0 * (area_px(&outer) - area_px(&inner))).abs() < 1e-9);
    let counted = |runs: &[[u32; 3]]| runs.iter().map(|run| run[2]).sum::<u32>();
    assert_eq!(counted(&drawn.masks.cavity), 113, "a disc of radius 6");
    assert_eq!(draw(Vec::new(), Vec::new()).unwrap().cavity_mm2, 0.0, "no border is one, too");
    let eight = vec![[5.0, 5.0], [15.0, 15.0], [15.0, 5.0], [5.0, 15.0]];
    assert_eq!(draw(eight, Vec::new()), Err(BadOutline::Crosses));
    assert_eq!(draw(outer, inner.clone()), Err(BadOutline::Order));
    assert_eq!(draw(inner[..2].to_vec(), Vec::new()), Err(BadOutline::Points));
    assert_eq!(draw(ellipse([45.0, 18.0], [6.0, 6.0], 16), Vec::new()), Err(BadOutline::Points));
    assert_eq!(draw(vec![[f64::NAN, 1.0]; 4], Vec::new()), Err(BadOutline::Points));
    assert_eq!(draw(ellipse([20.0, 18.0], [6.0, 6.0], 501), Vec::new()), Err(BadOutline::Points));
}

/// What the page shows is what counts: borders that were traced or drawn, summed as disks, are the finding's volumes.
#[test]
fn borders_sum_to_the_volumes_that_are_measured() {
    let classes = Classes { cavity: Some(1), muscle: Some(2) };
    let image = |radius: f64| {
        let mask =
            |grow: f64| filled(&ellipse([22.4, 19.2], [radius + grow, radius * 0.9 + grow], 64), COLUMNS, 40);
        let (inner, outer) = (mask(0.0), mask(4.0));
        let label = |(inner, outer): (&bool, &bool)| if *inner { 1 } else { u8::from(*outer) * 2 };
        let labels: Vec<u8> = inner.iter().zip(&outer).map(label).collect();
        found("1.2", &labels, IMAGE, classes)
    };
    let phases: Vec<Vec<SliceContours>> = [11.0, 9.0, 7.0, 9.5]
        .map(|largest| [0.4, 0.8, 1.0, 0.9, 0.5].map(|part| image(largest * part)).to_vec())
        .to_vec();
    let contours = Contours {
        columns: IMAGE.columns,
        rows: IMAGE.rows,
        pixel_mm: [1.0, 2.0],
        heart_rates_per_min: None,
        body_surface_m2: None,
        phases,
    };
    let measured = function(&areas(&contours, true), 8.0, ChosenPhases::default()).unwrap();
    for (slices, ml) in contours.phases.iter().zip(&measured.cavity_ml) {
        let sum: f64 = slices.iter().map(|one| area_px(&one.endocardium) * 2.0 * 8.0 / 1000.0).sum();
        assert!((sum - ml.unwrap()).abs() < 0.1, "{sum} mL of borders, {ml:?} measured");
    }
    let outer: f64 = contours.phases[measured.ed_phase].iter().map(|one| area_px(&one.epicardium)).sum();
    let inner: f64 = contours.phases[measured.ed_phase].iter().map(|one| area_px(&one.endocardium)).sum();
    let mass = (outer - inner) * 2.0 * 8.0 / 1000.0 * 1.05;
    assert!(
        (mass - measured.mass_g.unwrap()).abs() < 0.1,
        "{mass} g of borders, {:?} measured",
        measured.mass_g
    );
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
        assert_eq!(facts.modality, "MR");
        let [row_mm, column_mm] = phased.pixel_spacing_mm;
        let outlines = outlines(&data.join("contours").join(contours).join("i-contours"));
        let mut cavity = vec![vec![0.0; phased.slices()]; PHASES];
        for (slice, phase, points) in &outlines {
            cavity[*phase][*slice] = area_px(points) * row_mm * column_mm;
        }
        assert_eq!(outlines.len(), 2 * drawn, "{contours}: end diastole and end systole");
        // Experts drew two phases of twenty.
        let drawn = |slices: &Vec<f64>| slices.iter().any(|area| *area > 0.0).then(|| slices.clone());
        let areas = Areas { cavity: cavity.iter().map(drawn).collect(), muscle: Vec::new() };
        let found = function(&areas, phased.geometry.slice_increment_mm, ChosenPhases::default()).unwrap();
        // The contours' own sum: their areas times the distance that the trial's protocol states.
        let sums: Vec<f64> =
            cavity.iter().map(|slices| slices.iter().sum::<f64>() * distance_mm / 1000.0).collect();
        let largest = sums.iter().copied().fold(0.0, f64::max);
        let smallest = sums.iter().copied().filter(|ml| *ml > 0.0).fold(f64::INFINITY, f64::min);
        println!("{contours}: EDV {:.2} mL, ESV {:.2} mL by disks", found.edv_ml, found.esv_ml);
        let close = (found.edv_ml - largest).abs() < 0.1 && (found.esv_ml - smallest).abs() < 0.1;
        assert!(close, "{largest} {smallest}");
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
