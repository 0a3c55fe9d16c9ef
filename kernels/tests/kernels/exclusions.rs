//! A calibration phantom under a patient is found and named, and nothing in the patient is taken for one.

use sidelight_kernels::heart::{Excluded, Exclusion, exclusions};
use sidelight_kernels::{Dimensions, Geometry, Region, Volume};

const SIZE: Dimensions = Dimensions { columns: 160, rows: 160, slices: 40 };

/// 2 x 2 x 3 mm.
fn geometry() -> Geometry {
    Geometry {
        column_spacing_mm: 2.0,
        row_spacing_mm: 2.0,
        slice_increment_mm: 3.0,
        patient_mm_from_voxel: [[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]],
    }
}

fn disc(column: u32, row: u32, center: [f64; 2], radius: f64) -> bool {
    (f64::from(column) - center[0]).hypot(f64::from(row) - center[1]) <= radius
}

/// A round trunk of soft tissue with a spine of vertebrae and discs; what `more` says instead where it says something.
fn trunk(more: impl Fn(u32, u32, u32) -> Option<i16>) -> Volume {
    let mut hounsfield = Vec::with_capacity(SIZE.len());
    for slice in 0..SIZE.slices {
        for row in 0..SIZE.rows {
            for column in 0..SIZE.columns {
                let spine = disc(column, row, [80.0, 95.0], 9.0);
                let own = match () {
                    () if spine && slice % 10 < 7 => 260,
                    () if spine => 90,
                    () if disc(column, row, [80.0, 70.0], 55.0) => 40,
                    () => -1000,
                };
                hounsfield.push(more(column, row, slice).unwrap_or(own));
            }
        }
    }
    Volume::new(SIZE, geometry(), hounsfield).unwrap()
}

const RODS: [[f64; 2]; 3] = [[50.0, 131.0], [80.0, 131.0], [110.0, 131.0]];

/// Three rods in a flat pad under the trunk.
fn phantom(column: u32, row: u32) -> Option<i16> {
    let rod = RODS.iter().any(|center| disc(column, row, *center, 4.0));
    let pad = (126..137).contains(&row) && (30..130).contains(&column);
    if rod { Some(240) } else { pad.then_some(10) }
}

fn found(volume: &Volume, what: Excluded) -> Option<Exclusion> {
    exclusions(volume).unwrap().into_iter().find(|exclusion| exclusion.what == what)
}

#[test]
fn the_rods_under_the_patient_are_excluded_whole_and_nothing_else_with_them() {
    let volume = trunk(|column, row, _| phantom(column, row));
    let rods = found(&volume, Excluded::CalibrationRod).expect("three rods");
    assert_eq!(rods.pieces, 3);
    let bright = Region::from_fn(SIZE, |column, row, _| phantom(column, row) == Some(240));
    for slice in 0..SIZE.slices {
        for row in 0..SIZE.rows {
            for column in 0..SIZE.columns {
                let inside = rods.region.contains(column, row, slice);
                assert!(inside || !bright.contains(column, row, slice), "{column} {row} {slice} is a rod");
                assert!(!inside || row > 115, "{column} {row} {slice} is the patient");
            }
        }
    }
    let bone = found(&volume, Excluded::Bone).expect("a spine");
    assert!(bone.region.contains(80, 95, 3), "vertebrae are bone");
    assert!(!bone.region.contains(80, 131, 3), "a rod is no bone");
}

#[test]
fn turned_pictures_give_the_same_rods() {
    let volume = trunk(|column, row, _| phantom(column, row));
    let mut upside_down: Vec<i16> = Vec::with_capacity(SIZE.len());
    for slice in 0..SIZE.slices {
        for row in (0..SIZE.rows as usize).rev() {
            upside_down.extend(&volume.slice(slice)[row * 160..][..160]);
        }
    }
    let mut geometry = geometry();
    geometry.patient_mm_from_voxel[1] = [0.0, -2.0, 0.0, 318.0];
    let turned = Volume::new(SIZE, geometry, upside_down).unwrap();
    let rods = found(&turned, Excluded::CalibrationRod).expect("three rods");
    assert_eq!(rods.pieces, 3);
    assert!(rods.region.contains(80, 159 - 131, 20));
}

#[test]
fn a_patient_without_a_phantom_has_no_rods() {
    assert_eq!(found(&trunk(|_, _, _| None), Excluded::CalibrationRod), None);
    // A vessel full of contrast: straight and even, too, but with a back behind it.
    let aorta = |column, row, _| disc(column, row, [95.0, 85.0], 6.0).then_some(300);
    assert_eq!(found(&trunk(aorta), Excluded::CalibrationRod), None);
    // A rod that ends half way is none we know.
    let short = |column, row, slice| (slice < 20).then(|| phantom(column, row)).flatten();
    assert_eq!(found(&trunk(short), Excluded::CalibrationRod), None);
}
