//! Slabs across a volume: bit for bit where they fall on voxels, and the same along a straight line as on a plane.

use std::ops::ControlFlow;

use sidelight_kernels::rendering::{OUTSIDE, PlanePlace, Projection, Reformat, RenderError, Slice, reformat};
use sidelight_kernels::{Processor, Volume, Wish};

use crate::rendering::centred;
use crate::volumes::{Noise, dimensions};

pub(crate) fn noise() -> Volume {
    let mut noise = Noise(3);
    centred(dimensions(19, 23, 17), [0.7, 0.9, 1.3], |_| (noise.below(65_535) as i32 - 32_767) as i16)
}

pub(crate) fn cut(processor: &mut Processor, volume: &Volume, request: &Reformat) -> Slice {
    reformat(processor, volume, request, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// The plane through voxel `index` of `axis`, pixels on voxels.
pub(crate) fn on_voxels(volume: &Volume, axis: usize, index: u32) -> (PlanePlace, [usize; 2]) {
    let geometry = volume.geometry();
    let [across, down] = [[1, 2], [0, 2], [0, 1]][axis];
    let mut first = [0.0; 3];
    first[axis] = f64::from(index);
    let edge = |axis: usize| [0, 1, 2].map(|row| geometry.patient_mm_from_voxel[row][axis]);
    let size = volume.dimensions();
    let counts = [size.columns, size.rows, size.slices];
    let place = PlanePlace {
        origin_mm: geometry.patient_mm(first),
        right_mm: edge(across),
        down_mm: edge(down),
        columns: counts[across],
        rows: counts[down],
    };
    (place, [across, down])
}

fn twin() -> Processor {
    Processor::open(Wish::Twin).unwrap()
}

fn voxel(volume: &Volume, at: [usize; 3]) -> i16 {
    let size = volume.dimensions();
    volume.hounsfield()[(at[2] * size.rows as usize + at[1]) * size.columns as usize + at[0]]
}

#[test]
fn a_plane_on_voxels_gives_them_back_bit_by_bit() {
    let volume = noise();
    for axis in 0..3 {
        let (place, [across, down]) = on_voxels(&volume, axis, 5);
        for projection in [Projection::Maximum, Projection::Minimum, Projection::Average] {
            let slice = cut(&mut twin(), &volume, &Reformat::plane(&place, 0.0, projection).unwrap());
            for (index, value) in slice.values.iter().enumerate() {
                let mut at = [5; 3];
                at[across] = index % place.columns as usize;
                at[down] = index / place.columns as usize;
                assert_eq!(*value, voxel(&volume, at), "{projection:?} {at:?}");
            }
        }
    }
}

#[test]
fn a_slab_is_the_projection_of_its_slices() {
    let volume = noise();
    let (place, _) = on_voxels(&volume, 0, 9);
    // Columns are the finest: 6 of them make 7 samples, 3 to either side of the ninth.
    for projection in [Projection::Maximum, Projection::Minimum, Projection::Average] {
        let slab = cut(&mut twin(), &volume, &Reformat::plane(&place, 6.0 * 0.7, projection).unwrap());
        for (index, value) in slab.values.iter().enumerate() {
            let line = (6..=12).map(|column| f64::from(voxel(&volume, [column, index % 23, index / 23])));
            let expected = match projection {
                Projection::Maximum => line.fold(f64::MIN, f64::max),
                Projection::Minimum => line.fold(f64::MAX, f64::min),
                Projection::Average => line.sum::<f64>() / 7.0,
            };
            let bound = if projection == Projection::Average { 0.51 } else { 0.0 };
            assert!(
                (f64::from(*value) - expected).abs() <= bound,
                "{projection:?} {index}: {value}, not {expected}"
            );
        }
    }
}

#[test]
fn a_straight_centreline_gives_the_plane_it_lies_in() {
    let volume = noise();
    let (start, direction) = ([-3.0, -5.0, -6.0], [0.36, 0.48, 0.8]);
    let pixel_mm = 0.5;
    let line: Vec<[f64; 3]> =
        [0.0, 1.7, 4.4, 6.0].map(|mm| [0, 1, 2].map(|axis| start[axis] + direction[axis] * mm)).into();
    let across = [0.8, -0.6, 0.0];
    for slab_mm in [0.0, 3.0] {
        let curved = Reformat::along(&line, across, pixel_mm, 21, slab_mm, Projection::Maximum).unwrap();
        let curved = cut(&mut twin(), &volume, &curved);
        let place = PlanePlace {
            origin_mm: [0, 1, 2].map(|axis| start[axis] - 10.0 * pixel_mm * across[axis]),
            right_mm: across.map(|part| part * pixel_mm),
            down_mm: direction.map(|part| part * pixel_mm),
            columns: 21,
            rows: curved.rows,
        };
        let plane =
            cut(&mut twin(), &volume, &Reformat::plane(&place, slab_mm, Projection::Maximum).unwrap());
        assert_eq!(curved.rows, 13, "6 mm at half a millimetre");
        // Positions agree to rounding; between random voxels 1/256 of a voxel is up to 256 values.
        let worst = curved.values.iter().zip(&plane.values).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst.is_some_and(|worst| worst <= 256), "{worst:?}");
    }
}

#[test]
fn a_bent_centreline_follows_the_bend() {
    // A tube along a quarter of a circle of 20 mm radius.
    let inside = |[x, y, z]: [f64; 3]| ((x + 15.0).hypot(y + 15.0) - 20.0).hypot(z) < 3.0;
    let volume = centred(dimensions(60, 60, 20), [0.6; 3], |mm| if inside(mm) { 400 } else { 0 });
    let line: Vec<[f64; 3]> = (0..=30)
        .map(|step| f64::from(step) / 30.0 * std::f64::consts::FRAC_PI_2)
        .map(|angle| [20.0 * angle.cos() - 15.0, 20.0 * angle.sin() - 15.0, 0.0])
        .collect();
    let request = Reformat::along(&line, [1.0, 0.0, 0.0], 0.25, 61, 0.0, Projection::Average).unwrap();
    let slice = cut(&mut twin(), &volume, &request);
    let vessel = 20.0 * std::f64::consts::FRAC_PI_2;
    assert!((f64::from(slice.rows) * 0.25 - vessel).abs() < 0.5, "{} rows", slice.rows);
    for (row, values) in slice.values.chunks(61).enumerate() {
        let wide = values.iter().filter(|value| **value > 200).count();
        assert!((22..=26).contains(&wide), "row {row}: the tube is {wide} pixels wide, 24 are 6 mm");
    }
}

#[test]
fn outside_the_volume_is_said_to_be_outside() {
    let volume = noise();
    let (mut place, _) = on_voxels(&volume, 2, 4);
    place.origin_mm[0] -= 100.0;
    let slice = cut(&mut twin(), &volume, &Reformat::plane(&place, 0.0, Projection::Average).unwrap());
    assert!(slice.values.iter().all(|value| *value == OUTSIDE));
}

#[test]
fn what_is_no_slab_is_refused() {
    let volume = noise();
    let (place, _) = on_voxels(&volume, 2, 4);
    let flat = |place: &PlanePlace, slab_mm| Reformat::plane(place, slab_mm, Projection::Average);
    assert!(flat(&PlanePlace { down_mm: place.right_mm, ..place }, 0.0).is_err(), "one direction twice");
    assert!(flat(&PlanePlace { columns: 0, ..place }, 0.0).is_err(), "no columns");
    assert!(flat(&PlanePlace { origin_mm: [f64::NAN; 3], ..place }, 0.0).is_err(), "no place");
    assert!(flat(&place, -1.0).is_err() && flat(&place, f64::NAN).is_err(), "no thickness");
    let line =
        |points: &[[f64; 3]]| Reformat::along(points, [1.0, 0.0, 0.0], 0.5, 9, 0.0, Projection::Average);
    assert!(line(&[[0.0; 3]]).is_err() && line(&[[0.0; 3]; 5]).is_err(), "no line");
    assert!(line(&[[0.0; 3], [9.0, 0.0, 0.0]]).is_err(), "a line along its own rows");
    assert!(line(&[[0.0; 3], [0.0, 0.0, 9000.0]]).is_err(), "a line of nine metres");
    let request = flat(&place, 3.0).unwrap();
    let answer = reformat(&mut twin(), &volume, &request, &mut |_| ControlFlow::Break(()));
    assert!(matches!(answer, Err(RenderError::Cancelled)), "{answer:?}");
}
