//! Circles and polygons take the pixels that the contract names.

use sidelight_kernels::{Dimensions, Region};

use crate::volumes::{Noise, dimensions};

const SIZE: Dimensions = Dimensions { columns: 45, rows: 33, slices: 5 };

fn pixels_of_slice(region: &Region, slice: u32) -> Vec<(u32, u32)> {
    let Dimensions { columns, rows, .. } = region.dimensions();
    (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (column, row)))
        .filter(|&(column, row)| region.contains(column, row, slice))
        .collect()
}

#[test]
fn a_circle_takes_centres_at_most_a_radius_away_in_its_slices() {
    let circle = Region::circle(SIZE, [10.0, 12.0], 5.0, 1..=3);
    let expected: Vec<(u32, u32)> = (0..33_u32)
        .flat_map(|row| (0..45_u32).map(move |column| (column, row)))
        .filter(|&(column, row)| column.abs_diff(10).pow(2) + row.abs_diff(12).pow(2) <= 25)
        .collect();
    assert_eq!(expected.len(), 81, "the lattice points of a circle of radius 5");
    for slice in 0..5 {
        let found = pixels_of_slice(&circle, slice);
        assert_eq!(
            found,
            if (1..=3).contains(&slice) { expected.clone() } else { Vec::new() },
            "slice {slice}"
        );
    }
}

#[test]
fn circles_may_be_points_or_hang_over_the_edge_but_not_be_less_than_nothing() {
    assert_eq!(pixels_of_slice(&Region::circle(SIZE, [3.0, 4.0], 0.0, 0..=0), 0), [(3, 4)]);
    assert_eq!(Region::circle(SIZE, [3.5, 4.0], 0.0, 0..=0).count(), 0);
    assert_eq!(Region::circle(SIZE, [-1.0, -1.0], 1.5, 0..=9).count(), 5);
    assert_eq!(Region::circle(SIZE, [22.0, 16.0], 100.0, 0..=4).count(), 45 * 33 * 5);
    assert_eq!(Region::circle(SIZE, [22.0, 16.0], -3.0, 0..=4).count(), 0);
    assert_eq!(Region::circle(SIZE, [22.0, 16.0], f64::NAN, 0..=4).count(), 0);
    #[expect(clippy::reversed_empty_ranges, reason = "what a person may send")]
    let backwards = Region::circle(SIZE, [22.0, 16.0], 9.0, 3..=1);
    assert_eq!(backwards.count(), 0);
    assert_eq!(Region::circle(SIZE, [22.0, 16.0], 9.0, 7..=u32::MAX).count(), 0);
}

#[test]
fn a_square_owns_its_upper_and_left_edge() {
    let square = Region::polygon(SIZE, &[[2.0, 3.0], [5.0, 3.0], [5.0, 6.0], [2.0, 6.0]], 0..=0);
    let expected: Vec<(u32, u32)> = (3..6).flat_map(|row| (2..5).map(move |column| (column, row))).collect();
    assert_eq!(pixels_of_slice(&square, 0), expected);
}

#[test]
fn triangles_that_share_an_edge_share_no_pixel_and_leave_none_out() {
    let mut noise = Noise(7);
    for _ in 0..50 {
        let corner = [f64::from(noise.below(45)), f64::from(noise.below(33))];
        let corners = [[-1.0, -1.0], [45.0, -1.0], [45.0, 33.0], [-1.0, 33.0]];
        let mut times = vec![0; 45 * 33];
        for side in 0..4 {
            let triangle = Region::polygon(SIZE, &[corner, corners[side], corners[(side + 1) % 4]], 2..=2);
            for (column, row) in pixels_of_slice(&triangle, 2) {
                times[(row * 45 + column) as usize] += 1;
            }
        }
        assert!(times.iter().all(|&times| times == 1), "around {corner:?}");
    }
}

#[test]
fn a_polygon_is_the_same_from_any_corner_and_in_both_directions() {
    let mut points = [[4.2, 3.1], [30.7, 1.4], [22.0, 15.5], [40.3, 29.9], [9.6, 25.0], [15.0, 12.0]];
    let first = Region::polygon(SIZE, &points, 0..=4);
    assert!(first.count() > 0);
    points.rotate_left(2);
    assert_eq!(Region::polygon(SIZE, &points, 0..=4), first);
    points.reverse();
    assert_eq!(Region::polygon(SIZE, &points, 0..=4), first);
}

#[test]
fn where_a_polygon_covers_itself_twice_it_is_outside() {
    let outer = [[0.5, 0.5], [20.5, 0.5], [20.5, 20.5], [0.5, 20.5]];
    let inner = [[5.5, 5.5], [10.5, 5.5], [10.5, 10.5], [5.5, 10.5]];
    let points: Vec<[f64; 2]> = outer.into_iter().chain([outer[0]]).chain(inner).chain([inner[0]]).collect();
    let ring = Region::polygon(SIZE, &points, 0..=0);
    assert!(ring.contains(3, 3, 0) && !ring.contains(7, 7, 0));
    assert_eq!(ring.count(), 20 * 20 - 5 * 5);
}

#[test]
fn fewer_than_three_points_and_nonsense_enclose_nothing() {
    for points in
        [&[][..], &[[3.0, 3.0]], &[[3.0, 3.0], [9.0, 9.0]], &[[f64::NAN, 1.0], [9.0, f64::NAN], [3.0, 3.0]]]
    {
        assert_eq!(Region::polygon(SIZE, points, 0..=4).count(), 0, "{points:?}");
    }
}

#[test]
fn bits_behind_the_last_column_stay_clear() {
    for columns in [1, 31, 32, 33, 64, 65] {
        let region = Region::circle(dimensions(columns, 3, 2), [0.0, 0.0], 1e6, 0..=1);
        let set: u32 = region.words().iter().map(|word| word.count_ones()).sum();
        assert_eq!(set, columns * 3 * 2);
    }
}
