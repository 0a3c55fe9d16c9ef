//! What is refused, and what is withheld.

use std::ops::ControlFlow;

use sidelight_kernels::perfusion::{
    Choice, Dynamic, DynamicError, Guard, Method, Parameters, PerfusionError, Reference, SliceSeries, analyse,
};
use sidelight_kernels::{Geometry, Region};

use super::{Row, run, run_on, twin};
use crate::volumes::{dimensions, geometry};

fn slice(times_s: &[f64]) -> SliceSeries {
    SliceSeries { times_s: times_s.to_vec(), hounsfield: vec![30; 4 * times_s.len()] }
}

fn seconds(count: u32) -> Vec<f64> {
    (0..count).map(f64::from).collect()
}

#[test]
fn numbers_that_make_no_series_are_refused_by_name() {
    let size = dimensions(2, 2, 1);
    let refused = |slices: Vec<SliceSeries>| Dynamic::new(size, geometry(), slices).unwrap_err();
    assert!(Dynamic::new(size, geometry(), vec![slice(&seconds(10))]).is_ok());
    assert_eq!(refused(vec![slice(&seconds(9))]), DynamicError::TooFewTimePoints { slice: 0, found: 9 });
    assert_eq!(refused(vec![slice(&seconds(257))]), DynamicError::TooManyTimePoints { slice: 0, found: 257 });
    assert_eq!(refused(Vec::new()), DynamicError::Slices { expected: 1, found: 0 });
    for (time_point, time_s) in [(3, 2.0), (5, 1.0), (4, f64::NAN), (9, f64::INFINITY)] {
        let mut times_s = seconds(12);
        times_s[time_point] = time_s;
        let error = refused(vec![slice(&times_s)]);
        assert_eq!(error, DynamicError::TimesNotAscending { slice: 0, time_point }, "{time_s}");
    }
    let short = SliceSeries { hounsfield: vec![0; 47], ..slice(&seconds(12)) };
    assert!(matches!(refused(vec![short]), DynamicError::Length { expected: 48, found: 47, .. }));
    let empty = Dynamic::new(dimensions(0, 2, 1), geometry(), vec![]).unwrap_err();
    assert_eq!(empty, DynamicError::Empty);
    let flat = Geometry { row_spacing_mm: 0.0, ..geometry() };
    assert_eq!(Dynamic::new(size, flat, vec![slice(&seconds(12))]).unwrap_err(), DynamicError::Spacing);
    let later: Vec<f64> = seconds(12).iter().map(|time_s| time_s + 9.0).collect();
    let apart = Dynamic::new(dimensions(2, 2, 2), geometry(), vec![slice(&seconds(12)), slice(&later)]);
    assert_eq!(apart.unwrap_err(), DynamicError::NoTimeInCommon { first: 1, second: 0 });
}

#[test]
fn parameters_that_are_not_in_range_are_refused_by_name() {
    let row = Row::of_tissue(40, 1.0, &[(0.04, 4.0, 0.0)]);
    let good = row.parameters(Method::OSVD);
    let bad = [
        Parameters { k_h: f64::NAN, ..good.clone() },
        Parameters { rho_g_per_ml: 0.0, ..good.clone() },
        Parameters { step_s: 1.5, ..good.clone() },
        Parameters { smoothing_mm: -1.0, ..good.clone() },
        Parameters { vein_scale_max: f64::INFINITY, ..good.clone() },
        Parameters { core_below: 1.5, ..good.clone() },
        Parameters { hypoperfused_over_s: f64::NAN, ..good.clone() },
        Parameters { reference: Reference::NormalTissue { tmax_below_s: 0.0 }, ..good.clone() },
        Parameters { method: Method::Osvd { oscillation_max: 0.0 }, ..good.clone() },
        Parameters { method: Method::Csvd { cut: 1.0 }, ..good.clone() },
        Parameters { method: Method::Tikhonov { lambda: f64::NAN }, ..good.clone() },
        Parameters { method: Method::RichardsonLucy { iterations: 0 }, ..good },
    ];
    for parameters in bad {
        let error = run_on(&mut twin(), &row.dynamic(), &parameters).unwrap_err();
        assert!(matches!(error, PerfusionError::Parameter { .. }), "{error}");
    }
}

#[test]
fn regions_that_are_empty_or_foreign_are_refused() {
    let row = Row::of_tissue(40, 1.0, &[(0.04, 4.0, 0.0)]);
    let good = row.parameters(Method::OSVD);
    let empty = Parameters { artery: Choice::Drawn(Region::nothing(row.dimensions())), ..good.clone() };
    let error = run_on(&mut twin(), &row.dynamic(), &empty).unwrap_err();
    assert!(matches!(error, PerfusionError::EmptyRegion("artery")), "{error}");
    let foreign = Region::from_fn(dimensions(9, 9, 9), |_, _, _| true);
    let error = run_on(
        &mut twin(),
        &row.dynamic(),
        &Parameters { brain: Choice::Drawn(foreign.clone()), ..good.clone() },
    );
    assert!(matches!(error, Err(PerfusionError::RegionMismatch { .. })));
    let found = run(&row.dynamic(), &good);
    assert!(matches!(found.curve(&row.dynamic(), &foreign), Err(PerfusionError::RegionMismatch { .. })));
}

#[test]
fn a_series_without_a_bolus_is_refused() {
    let mut row = Row::of_tissue(40, 1.0, &[(0.04, 4.0, 0.0)]);
    row.curves.iter_mut().flatten().for_each(|value| *value *= 0.001);
    let error = run_on(&mut twin(), &row.dynamic(), &row.parameters(Method::OSVD)).unwrap_err();
    assert!(matches!(error, PerfusionError::NoBolus { .. }), "{error}");
}

#[test]
fn a_truncated_bolus_withholds_core_and_mismatch() {
    let tissue = [(0.04, 4.0, 0.0), (0.02, 6.0, 7.0), (0.04, 4.5, 0.5)];
    let whole = Row::of_tissue(60, 1.0, &tissue);
    let found = run(&whole.dynamic(), &whole.parameters(Method::OSVD));
    assert_eq!(found.guards, []);
    let mismatch = found.mismatch.unwrap();
    assert!(mismatch.hypoperfused.contains(2, 0, 0) && mismatch.hypoperfused.count() == 1, "{mismatch:?}");
    // The vein of this bolus peaks at 20 s.
    let cut = Row::of_tissue(21, 1.0, &tissue);
    let found = run(&cut.dynamic(), &cut.parameters(Method::OSVD));
    assert!(
        found.guards.iter().any(|guard| matches!(guard, Guard::TruncatedBolus { .. })),
        "{:?}",
        found.guards
    );
    assert_eq!(found.mismatch, None);
    assert!(found.maps.cbf[1].is_finite());
}

#[test]
fn a_bolus_that_was_there_before_the_scan_withholds_core_and_mismatch() {
    let mut row = Row::of_tissue(60, 1.0, &[(0.04, 4.0, 0.0)]);
    row.curves.iter_mut().for_each(|curve| drop(curve.drain(..7)));
    let found = run(&row.dynamic(), &row.parameters(Method::OSVD));
    assert!(found.guards.contains(&Guard::NoBaseline), "{:?}", found.guards);
    assert_eq!(found.mismatch, None);
}

#[test]
fn a_weak_artery_and_a_gap_withhold_core_and_mismatch() {
    let mut row = Row::of_tissue(60, 1.0, &[(0.04, 4.0, 0.0)]);
    row.curves[0].iter_mut().for_each(|value| *value *= 0.015);
    let found = run(&row.dynamic(), &row.parameters(Method::OSVD));
    assert!(matches!(found.guards[..], [Guard::WeakArtery { .. }]), "{:?}", found.guards);
    assert_eq!(found.mismatch, None);
    let row = Row::of_tissue(20, 3.0, &[(0.04, 4.0, 0.0)]);
    let mut slices = row.dynamic().slices().to_vec();
    let voxels = row.curves.len();
    slices[0].times_s.drain(4..7);
    slices[0].hounsfield.drain(4 * voxels..7 * voxels);
    let sparse = Dynamic::new(row.dimensions(), geometry(), slices).unwrap();
    let found = run(&sparse, &row.parameters(Method::OSVD));
    assert!(found.guards.contains(&Guard::Gap { seconds: 12.0 }), "{:?}", found.guards);
    assert_eq!(found.mismatch, None);
}

#[test]
fn the_checkpoint_can_stop_the_work_at_every_turn() {
    let row = Row::of_tissue(40, 1.0, &[(0.04, 4.0, 0.0)]);
    let parameters = Parameters { correct_motion: true, ..row.parameters(Method::OSVD) };
    let stopped_at = |turn: usize| {
        let mut heard = Vec::new();
        let answer = analyse(&mut twin(), &row.dynamic(), &parameters, &mut |_, part| {
            heard.push(part);
            if heard.len() == turn { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        (answer.map(drop), heard)
    };
    let (answer, all) = stopped_at(usize::MAX);
    assert!(answer.is_ok() && all.is_sorted() && all[0] == 0.0 && all[all.len() - 1] == 1.0, "{all:?}");
    for turn in 1..=all.len() {
        let (answer, heard) = stopped_at(turn);
        assert!(matches!(answer, Err(PerfusionError::Cancelled)), "turn {turn}: {answer:?}");
        assert_eq!(heard.len(), turn);
    }
}
