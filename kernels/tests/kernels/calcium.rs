//! The definitions of the score, one by one, on the twin. That the GPU says the same is gpu.rs's matter.

use std::ops::ControlFlow;

use sidelight_kernels::calcium::{Bounds, CalciumError, Protocol, Run, Score, category, score};
use sidelight_kernels::{Dimensions, Geometry, Processor, Region, Volume, Wish};

use crate::oracle;
use crate::volumes::{Noise, dimensions, everywhere, geometry, noisy, volume};

fn twin() -> Processor {
    Processor::open(Wish::Twin).unwrap()
}

fn run_in(volume: &Volume, region: &Region) -> Score {
    score(&mut twin(), volume, region, &Protocol::AGATSTON, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

fn run(volume: &Volume) -> Score {
    run_in(volume, &everywhere(volume.dimensions()))
}

/// Air with lesions: (slice, row, first column, pixels in a row, HU).
fn with_lesions(lesions: &[(u32, u32, u32, u32, i16)]) -> Volume {
    volume(dimensions(40, 20, 5), |column, row, slice| {
        lesions
            .iter()
            .find(|(s, r, first, pixels, _)| {
                (*s, *r) == (slice, row) && (*first..first + pixels).contains(&column)
            })
            .map_or(-1000, |(.., hu)| *hu)
    })
}

fn with_geometry(from: &Volume, geometry: Geometry) -> Volume {
    Volume::new(from.dimensions(), geometry, from.hounsfield().to_vec()).unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * (1.0 + a.abs().max(b.abs()))
}

#[test]
fn five_pixels_of_a_fifth_of_a_square_millimetre_count_and_four_do_not() {
    let score = run(&with_lesions(&[(0, 3, 3, 5, 130), (0, 9, 3, 4, 900)]));
    assert!(close(score.agatston, 1.0), "{score:?}");
    assert!(close(score.volume_mm3, 3.0));
    assert_eq!((score.lesions.len(), score.fragments), (1, 1));
}

#[test]
fn the_area_rule_is_inclusive_whatever_the_decimals_of_the_spacing() {
    for (spacing_mm, pixels) in
        [(0.1, 100), (0.2, 25), (0.25, 16), (0.5, 4), (1.0, 1), (1.0 / 3.0, 9), (1.0 / 7.0, 49)]
    {
        let size = dimensions(128, 4, 1);
        let geometry = Geometry { column_spacing_mm: spacing_mm, row_spacing_mm: spacing_mm, ..geometry() };
        for (width, counts) in [(pixels, 1), (pixels - 1, 0)] {
            let exact = volume(size, |column, row, _| if row == 2 && column < width { 130 } else { 0 });
            let score = run(&with_geometry(&exact, geometry));
            assert_eq!(score.lesions.len(), counts, "{width} pixels of {spacing_mm} mm");
        }
    }
    // The usual matrix: four pixels of 0.488 mm are 0.953 mm2.
    let geometry = Geometry { column_spacing_mm: 0.488, row_spacing_mm: 0.488, ..geometry() };
    assert_eq!(run(&with_geometry(&with_lesions(&[(0, 3, 3, 4, 300)]), geometry)).lesions.len(), 0);
    assert_eq!(run(&with_geometry(&with_lesions(&[(0, 3, 3, 5, 300)]), geometry)).lesions.len(), 1);
}

#[test]
fn weights_change_exactly_at_their_bounds() {
    for (peak_hu, weight) in
        [(130, 1), (199, 1), (200, 2), (299, 2), (300, 3), (399, 3), (400, 4), (3071, 4), (i16::MAX, 4)]
    {
        let score = run(&with_lesions(&[(1, 3, 3, 9, 130), (1, 4, 3, 1, peak_hu)]));
        let slice = &score.lesions[0].slices[0];
        assert_eq!((slice.weight, slice.peak_hu, slice.pixels), (weight, peak_hu, 10), "{peak_hu} HU");
        assert!(close(score.agatston, f64::from(weight) * 2.0), "{peak_hu} HU scores {}", score.agatston);
    }
    assert_eq!(run(&with_lesions(&[(1, 3, 3, 9, 129)])).lesions.len(), 0);
}

#[test]
fn the_weight_is_that_of_the_slice_not_of_the_lesion() {
    let score = run(&with_lesions(&[(1, 3, 3, 10, 150), (2, 3, 3, 10, 450)]));
    assert_eq!(score.lesions.len(), 1);
    let weights: Vec<u32> = score.lesions[0].slices.iter().map(|slice| slice.weight).collect();
    assert_eq!(weights, [1, 4]);
    assert!(close(score.agatston, 2.0 * 1.0 + 2.0 * 4.0));
    assert_eq!(score.lesions[0].peak_hu, 450);
}

#[test]
fn corners_connect_within_a_slice_and_across_slices() {
    let within = run(&with_lesions(&[(0, 3, 3, 3, 150), (0, 4, 6, 2, 150)]));
    assert_eq!((within.lesions.len(), within.lesions[0].slices.len()), (1, 1));
    let across = run(&with_lesions(&[(0, 3, 3, 5, 150), (1, 4, 8, 5, 150)]));
    assert_eq!((across.lesions.len(), across.lesions[0].slices.len()), (1, 2));
    let one_further = run(&with_lesions(&[(0, 3, 3, 5, 150), (1, 4, 9, 5, 150)]));
    assert_eq!(one_further.lesions.len(), 2);
    let a_slice_between = run(&with_lesions(&[(0, 3, 3, 5, 150), (2, 3, 3, 5, 150)]));
    assert_eq!(a_slice_between.lesions.len(), 2);
}

#[test]
fn two_branches_that_meet_in_the_next_slice_are_one_lesion() {
    let score = run(&with_lesions(&[(0, 3, 3, 5, 150), (0, 3, 20, 5, 150), (1, 3, 3, 22, 150)]));
    assert_eq!(score.lesions.len(), 1);
    assert_eq!(score.lesions[0].slices.len(), 3);
}

#[test]
fn a_lesion_lists_its_runs_centre_and_sum() {
    let score = run(&with_lesions(&[(2, 4, 10, 4, 150), (2, 5, 9, 6, 250)]));
    let lesion = &score.lesions[0];
    assert_eq!(
        lesion.slices[0].runs,
        [Run { row: 4, first_column: 10, length: 4 }, Run { row: 5, first_column: 9, length: 6 }]
    );
    assert_eq!(lesion.slices[0].hounsfield_sum, 4 * 150 + 6 * 250);
    assert_eq!(lesion.center_voxel, [11.5, 4.6, 2.0]);
    assert!(close(lesion.slices[0].area_mm2, 2.0));
    assert_eq!(lesion.bounds, Bounds { first: [9, 4, 2], last: [14, 5, 2] });
}

#[test]
fn the_bounds_of_a_lesion_hold_all_its_slices_and_its_mass_is_the_calibrated_sum() {
    let score = run(&with_lesions(&[(1, 3, 6, 5, 150), (2, 4, 10, 7, 250), (3, 5, 14, 5, 350)]));
    let lesion = &score.lesions[0];
    assert_eq!(lesion.bounds, Bounds { first: [6, 3, 1], last: [18, 5, 3] });
    let voxel_mm3 = 0.5 * 0.4 * 3.0;
    let sum = (5.0 * 150.0 + 7.0 * 250.0 + 5.0 * 350.0) * voxel_mm3;
    assert!(close(lesion.hounsfield_mm3, sum), "{lesion:?}");
    // 200 mg/cm3 at 250 HU over water.
    assert!(close(lesion.mass_mg(0.2 / 250.0), sum * 0.2 / 250.0), "{lesion:?}");
}

#[test]
fn below_130_the_weights_stay_where_they_are() {
    let volume = with_lesions(&[(0, 3, 8, 2, 129), (0, 3, 3, 10, 90), (2, 9, 6, 1, 130), (2, 9, 3, 10, 90)]);
    let at = |threshold_hu| {
        let protocol = Protocol { threshold_hu, ..Protocol::AGATSTON };
        let all = everywhere(volume.dimensions());
        score(&mut twin(), &volume, &all, &protocol, &mut |_, _| ControlFlow::Continue(())).unwrap()
    };
    let low = at(90);
    assert!(close(low.volume_mm3, 20.0 * 0.6), "both lesions are volume: {low:?}");
    assert!(close(low.agatston, 2.0), "only the one that peaks at 130 scores, with all its pixels: {low:?}");
    assert_eq!(low.lesions[1].slices[0].weight, 0);
    assert_eq!(at(131).lesions.len(), 0);
    for threshold_hu in (50..=300).step_by(10) {
        let score = at(threshold_hu);
        oracle::assert_score(
            "threshold",
            &score,
            &volume,
            &everywhere(volume.dimensions()),
            &Protocol { threshold_hu, ..Protocol::AGATSTON },
        );
    }
}

#[test]
fn lesions_come_largest_first() {
    let score = run(&with_lesions(&[(0, 1, 0, 6, 150), (2, 9, 0, 8, 450), (4, 3, 0, 30, 150)]));
    let slices: Vec<u32> = score.lesions.iter().map(|lesion| lesion.slices[0].slice).collect();
    assert_eq!(slices, [2, 4, 0]);
}

#[test]
fn a_region_cuts_a_lesion_and_what_is_left_must_pass_on_its_own() {
    let volume = with_lesions(&[(0, 3, 0, 20, 150)]);
    let left = |columns: u32| Region::from_fn(volume.dimensions(), move |column, _, _| column < columns);
    assert!(close(run_in(&volume, &left(8)).agatston, 1.6));
    assert_eq!(run_in(&volume, &left(4)).fragments, 1);
    let holes = Region::from_fn(volume.dimensions(), |column, _, _| column % 5 != 4);
    assert_eq!(run_in(&volume, &holes).fragments, 4);
}

#[test]
fn the_score_grows_with_the_slice_increment() {
    let volume = noisy(dimensions(60, 50, 4), 30, &mut Noise(4));
    let at = |slice_increment_mm| run(&with_geometry(&volume, Geometry { slice_increment_mm, ..geometry() }));
    let three = at(3.0);
    for increment_mm in [0.5, 1.5, 2.5, 6.0] {
        let score = at(increment_mm);
        assert!(close(score.agatston, three.agatston * increment_mm / 3.0), "{increment_mm} mm");
        assert!(close(score.volume_mm3, three.volume_mm3 * increment_mm / 3.0), "{increment_mm} mm");
    }
}

#[test]
fn flips_slice_order_and_padding_change_nothing() {
    let size = dimensions(61, 43, 5);
    let original = noisy(size, 25, &mut Noise(5));
    let at = |column: u32, row: u32, slice: u32| original.slice(slice)[(row * 61 + column) as usize];
    let expected = run(&original);
    let same = |what: &str, changed: &Volume| {
        let found = run(changed);
        assert_eq!(
            (found.agatston, found.volume_mm3, found.lesions.len(), found.fragments),
            (expected.agatston, expected.volume_mm3, expected.lesions.len(), expected.fragments),
            "{what}"
        );
    };
    same("columns flipped", &volume(size, |column, row, slice| at(60 - column, row, slice)));
    same("rows flipped", &volume(size, |column, row, slice| at(column, 42 - row, slice)));
    same("slices reversed", &volume(size, |column, row, slice| at(column, row, 4 - slice)));
    same(
        "padded",
        &volume(dimensions(100, 90, 7), |column, row, slice| {
            let inside = (7..68).contains(&column) && (11..54).contains(&row) && (1..6).contains(&slice);
            if inside { at(column - 7, row - 11, slice - 1) } else { i16::MIN }
        }),
    );
    // Lesions in three dimensions depend on who is whose neighbour; the score does not.
    let shuffled = run(&volume(size, |column, row, slice| at(column, row, [3, 0, 4, 1, 2][slice as usize])));
    assert_eq!((shuffled.agatston, shuffled.fragments), (expected.agatston, expected.fragments));
}

#[test]
fn the_twin_agrees_with_the_oracle_in_turns_of_any_size() {
    let volume = noisy(dimensions(70, 41, 6), 35, &mut Noise(6));
    let region = Region::circle(volume.dimensions(), [30.0, 20.0], 25.0, 1..=5);
    let expected = run_in(&volume, &region);
    oracle::assert_score("twin", &expected, &volume, &region, &Protocol::AGATSTON);
    for turn_voxels in [0, 1, 70 * 41, 4 * 70 * 41, usize::MAX] {
        let mut processor = twin().with_turn_voxels(turn_voxels);
        let found = score(&mut processor, &volume, &region, &Protocol::AGATSTON, &mut |_, _| {
            ControlFlow::Continue(())
        });
        assert_eq!(found.unwrap(), expected, "{turn_voxels} voxels a turn");
    }
}

#[test]
fn the_checkpoint_hears_every_turn_and_can_stop_the_work() {
    let volume = noisy(dimensions(30, 30, 8), 20, &mut Noise(8));
    let mut heard = Vec::new();
    let mut run = |break_at: usize| {
        heard.clear();
        let mut processor = twin().with_turn_voxels(2 * 900);
        let result = score(
            &mut processor,
            &volume,
            &everywhere(volume.dimensions()),
            &Protocol::AGATSTON,
            &mut |_, done| {
                heard.push(done);
                if heard.len() == break_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        (result, heard.clone())
    };
    let (result, heard) = run(usize::MAX);
    assert!(result.is_ok());
    assert_eq!(heard, [0.0, 0.25, 0.5, 0.75, 1.0]);
    for break_at in 1..=5 {
        let (result, heard) = run(break_at);
        assert!(matches!(result, Err(CalciumError::Cancelled)));
        assert_eq!(heard.len(), break_at);
    }
}

#[test]
fn what_cannot_be_scored_is_refused_with_a_reason() {
    let volume = with_lesions(&[]);
    let refused = |volume: &Volume, region: &Region, protocol: &Protocol| {
        score(&mut twin(), volume, region, protocol, &mut |_, _| ControlFlow::Continue(())).unwrap_err()
    };
    let all = everywhere(volume.dimensions());
    let other = Region::nothing(Dimensions { columns: 41, ..volume.dimensions() });
    assert!(matches!(refused(&volume, &other, &Protocol::AGATSTON), CalciumError::RegionMismatch { .. }));
    for minimum_area_mm2 in [-1.0, f64::NAN, f64::INFINITY] {
        let protocol = Protocol { minimum_area_mm2, ..Protocol::AGATSTON };
        assert!(matches!(refused(&volume, &all, &protocol), CalciumError::Protocol(_)));
    }
    let descending = Protocol { weight_starts_hu: [400, 300, 200, 130], ..Protocol::AGATSTON };
    assert!(matches!(refused(&volume, &all, &descending), CalciumError::Protocol(_)));
    let large = dimensions(4097, 4096, 1);
    let volume = Volume::new(large, geometry(), vec![0; large.len()]).unwrap();
    let error = refused(&volume, &Region::nothing(large), &Protocol::AGATSTON);
    assert!(matches!(error, CalciumError::SliceTooLarge { columns: 4097, rows: 4096 }));
}

#[test]
fn categories_go_by_the_unrounded_score() {
    for (agatston, text) in [
        (0.0, "0"),
        (0.2, "1-10"),
        (10.0, "1-10"),
        (10.000_001, "11-100"),
        (100.0, "11-100"),
        (100.4, "101-400"),
        (400.0, "101-400"),
        (400.000_1, ">400"),
        (60_711.0, ">400"),
    ] {
        assert_eq!(category(agatston), text, "{agatston}");
    }
}
