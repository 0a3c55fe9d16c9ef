//! The product on the digital brain: what it finds against what is there. Accuracy of perfusion lives here, since only
//! the phantom knows the truth.

use std::ops::ControlFlow;

use sidelight_kernels::perfusion::{Dynamic, Parameters, Perfusion, Pose, analyse};
use sidelight_kernels::{Processor, Region, Wish};

use super::{Acquisition, BrainPatient, Flow, Pattern};

fn run(dynamic: &Dynamic, parameters: &Parameters) -> Perfusion {
    let mut twin = Processor::open(Wish::Twin).expect("the twin always opens");
    analyse(&mut twin, dynamic, parameters, &mut |_, _| ControlFlow::Continue(()))
        .expect("a whole head is analysed")
}

/// Tiles by what is in them, each with the mean of a map over voxels that lie wholly inside (their neighbours are
/// the same tissue).
fn tiles(patient: &BrainPatient, perfusion: &Perfusion, map: &[f32]) -> Vec<(Flow, f64)> {
    let mut tiles: Vec<(Flow, f64, u32)> = Vec::new();
    let size = patient.dimensions;
    for (voxel, at @ [column, row, slice]) in perfusion.tissue.brain.voxels() {
        let Some(flow) = patient.truth(at) else { continue };
        let edge = column < 2 || row < 2 || column + 2 >= size.columns || row + 2 >= size.rows;
        let mut near =
            [[column + 2, row], [column - 2, row], [column, row + 2], [column, row - 2]].into_iter();
        if edge || !near.all(|[column, row]| patient.truth([column, row, slice]) == Some(flow)) {
            continue;
        }
        match tiles.iter_mut().find(|tile| tile.0 == flow) {
            Some((_, sum, count)) => (*sum, *count) = (*sum + f64::from(map[voxel]), *count + 1),
            None => tiles.push((flow, f64::from(map[voxel]), 1)),
        }
    }
    tiles
        .into_iter()
        .filter(|tile| tile.2 >= 10)
        .map(|(flow, sum, count)| (flow, sum / f64::from(count)))
        .collect()
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let count = pairs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let product = |f: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(f).sum::<f64>();
    let xy = product(&|pair| (pair.0 - x) * (pair.1 - y));
    xy / (product(&|pair| (pair.0 - x).powi(2)) * product(&|pair| (pair.1 - y).powi(2))).sqrt()
}

/// A map by name, and what it should show.
type Checked<'a> = (&'static str, &'a [f32], fn(&Flow) -> f64);

/// r over all tiles, and the means of the tiles of one delay over those of no delay.
fn assert_accurate(patient: &BrainPatient, perfusion: &Perfusion) {
    let maps = &perfusion.maps;
    let truths: [Checked<'_>; 3] = [
        ("CBF", &maps.cbf, |flow| flow.cbf),
        ("CBV", &maps.cbv, |flow| flow.cbv),
        ("MTT", &maps.mtt, Flow::mtt_s),
    ];
    for (name, map, truth) in truths {
        let tiles = tiles(patient, perfusion, map);
        assert!(tiles.len() >= 40, "only {} tiles", tiles.len());
        let pairs: Vec<(f64, f64)> = tiles.iter().map(|(flow, found)| (truth(flow), *found)).collect();
        let r = correlation(&pairs);
        let of_delay = |delay_s: f64| {
            let tiles: Vec<f64> = tiles
                .iter()
                .filter(|(flow, _)| (flow.delay_s - delay_s).abs() < 0.1)
                .map(|(flow, found)| found / truth(flow))
                .collect();
            tiles.iter().sum::<f64>() / tiles.len() as f64
        };
        let gradient: Vec<f64> =
            [0.0, 1.0, 2.0, 3.0].map(|delay_s| of_delay(delay_s) / of_delay(0.0)).to_vec();
        println!("{name}: r {r:.3}, found / true by delay {:.3} * {gradient:.3?}", of_delay(0.0));
        assert!(r > 0.95, "{name}: r = {r}: {pairs:?}");
        assert!(
            gradient.iter().all(|ratio| (ratio - 1.0).abs() < 0.06),
            "{name} follows the delay: {gradient:?}"
        );
    }
    let tmax = tiles(patient, perfusion, &maps.tmax);
    let of_delay = |delay_s: f64| {
        let tiles: Vec<f64> =
            tmax.iter().filter(|tile| tile.0.delay_s == delay_s).map(|tile| tile.1).collect();
        tiles.iter().sum::<f64>() / tiles.len() as f64
    };
    let steps_s = [1.0, 2.0, 3.0].map(|delay_s| of_delay(delay_s) - of_delay(delay_s - 1.0));
    assert!(steps_s.iter().all(|step_s| (step_s - 1.0).abs() < 0.5), "Tmax by delay: {steps_s:?}");
}

fn parameters() -> Parameters {
    Parameters { smoothing_mm: 3.0, ..Parameters::default() }
}

#[test]
fn flow_volume_and_transit_time_follow_the_truth_and_not_the_delay() {
    let patient = BrainPatient::small(1, Pattern::Tiles);
    let perfusion = run(&patient.dynamic(), &parameters());
    assert_eq!(perfusion.guards, []);
    assert_accurate(&patient, &perfusion);
}

#[test]
fn so_they_do_with_noise_and_whatever_way_slices_are_scanned() {
    for acquisition in [Acquisition::Continuous, Acquisition::Shuttle, Acquisition::Interleaved] {
        let patient = BrainPatient { acquisition, noise_hu: 3.0, ..BrainPatient::small(2, Pattern::Tiles) };
        println!("{acquisition:?}");
        let perfusion = run(&patient.dynamic(), &parameters());
        assert_eq!(perfusion.guards, [], "{acquisition:?}");
        assert_accurate(&patient, &perfusion);
    }
}

#[test]
fn artery_vein_brain_and_csf_are_found_where_they_are() {
    let patient = BrainPatient { noise_hu: 3.0, ..BrainPatient::small(3, Pattern::Tiles) };
    let perfusion = run(&patient.dynamic(), &parameters());
    let within = |found: &Region, truth: &Region| {
        let inside =
            found.voxels().filter(|(_, [column, row, slice])| truth.contains(*column, *row, *slice)).count();
        inside as f64 / found.count() as f64
    };
    assert!(
        within(&perfusion.artery.region, &patient.artery()) > 0.99,
        "the arterial input is not in an artery"
    );
    let vein = perfusion.vein.as_ref().expect("there is a vein");
    assert!(within(&vein.region, &patient.vein()) > 0.99, "the venous output is not in the vein");
    let tissue = Region::from_fn(patient.dimensions, |column, row, slice| {
        patient.truth([column, row, slice]).is_some()
    });
    let share = within(&tissue, &perfusion.tissue.brain);
    assert!(share > 0.97, "only {share} of the tissue is in the brain");
    let wrong = perfusion.tissue.csf.voxels().filter(|(_, [c, r, s])| tissue.contains(*c, *r, *s)).count();
    assert!(
        (wrong as f64) < 0.05 * perfusion.tissue.csf.count() as f64,
        "{wrong} voxels of tissue are called CSF"
    );
    assert!((perfusion.arrival_s - 9.5).abs() < 1.5, "the bolus arrived at {} s", perfusion.arrival_s);
}

#[test]
fn the_volumes_of_a_stroke_are_those_that_were_put_there() {
    let patient = BrainPatient { noise_hu: 3.0, ..BrainPatient::small(4, Pattern::Stroke) };
    let perfusion = run(&patient.dynamic(), &parameters());
    assert_eq!(perfusion.guards, []);
    let mismatch = perfusion.mismatch.expect("no guard failed");
    let [late_ml, dead_ml] = patient.late_and_dead_ml();
    println!(
        "core {:.1} mL (true {dead_ml:.1}), hypoperfused {:.1} mL (true {late_ml:.1})",
        mismatch.core_ml, mismatch.hypoperfused_ml
    );
    assert!((mismatch.core_ml / dead_ml - 1.0).abs() < 0.25, "core {} mL, true {dead_ml}", mismatch.core_ml);
    let hypoperfused_ml = mismatch.hypoperfused_ml;
    assert!(
        (hypoperfused_ml / late_ml - 1.0).abs() < 0.15,
        "hypoperfused {hypoperfused_ml} mL, true {late_ml}"
    );
    assert!((mismatch.mismatch_ml - (mismatch.hypoperfused_ml - mismatch.core_ml)).abs() < 1e-9);
}

#[test]
fn a_patient_who_moves_has_the_maps_of_one_who_does_not() {
    let still = BrainPatient { noise_hu: 3.0, ..BrainPatient::small(5, Pattern::Stroke) };
    let turned = |degrees: f64, translation_mm| Pose {
        rotation_rad: [0.0, 0.0, degrees.to_radians()],
        translation_mm,
    };
    let moves = vec![
        (6, turned(2.0, [1.5, 0.0, 0.0])),
        (11, turned(-3.0, [0.0, 2.0, 0.0])),
        (12, turned(-3.0, [1.0, 2.0, 0.0])),
        (13, turned(-2.5, [1.0, 2.5, 0.0])),
        (25, turned(4.0, [-2.0, 1.0, 0.0])),
    ];
    let moving = BrainPatient { moves, ..still.clone() };
    let (found, expected) = (run(&moving.dynamic(), &parameters()), run(&still.dynamic(), &parameters()));
    assert_eq!((&found.guards[..], &expected.guards[..]), (&[][..], &[][..]), "{:?}", found.motion);
    let (found, expected) =
        (found.mismatch.expect("no guard failed"), expected.mismatch.expect("no guard failed"));
    let near = |a: f64, b: f64| (a / b - 1.0).abs() < 0.12;
    assert!(near(found.core_ml, expected.core_ml), "core {} mL, still {}", found.core_ml, expected.core_ml);
    let (found_ml, expected_ml) = (found.hypoperfused_ml, expected.hypoperfused_ml);
    assert!(near(found_ml, expected_ml), "hypoperfused {found_ml} mL, still {expected_ml}");
}

#[test]
fn the_same_patient_is_the_same_series() {
    let patient = BrainPatient { noise_hu: 5.0, ..BrainPatient::small(6, Pattern::Stroke) };
    let same = |a: &Dynamic, b: &Dynamic| {
        a.slices().iter().zip(b.slices()).all(|(a, b)| a.times_s == b.times_s && a.hounsfield == b.hounsfield)
    };
    assert!(same(&patient.dynamic(), &patient.dynamic()));
    assert!(!same(&patient.dynamic(), &BrainPatient { seed: 7, ..patient.clone() }.dynamic()));
}
