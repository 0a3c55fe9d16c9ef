//! The phantoms are themselves measured: by a scorer that shares nothing with them or with the product, and by
//! reading back what was written.

#![expect(clippy::cast_possible_truncation, reason = "values written here are read back")]

use std::collections::BTreeSet;

use dicom_dictionary_std::tags;
use dicom_object::open_file;

use super::{CalciumPatient, Defect, Encoding, Scan, Turn, broken_ct, ct_with_a_gap, plain_mr, write};

/// Agatston by the book on everything at or above 130 HU in the coronary arteries: one slice at a time, 8-connected.
fn naive_score(patient: &CalciumPatient) -> (f64, u32) {
    let dimensions = patient.volume.dimensions();
    let geometry = patient.volume.geometry();
    let (mut score, mut fragments) = (0.0, 0);
    for slice in 0..dimensions.slices {
        let value = |(column, row): (u32, u32)| {
            patient.volume.slice(slice)[(row * dimensions.columns + column) as usize]
        };
        let mut left: BTreeSet<(u32, u32)> = (0..dimensions.rows)
            .flat_map(|row| (0..dimensions.columns).map(move |column| (column, row)))
            .filter(|at| patient.coronary.contains(at.0, at.1, slice) && value(*at) >= 130)
            .collect();
        while let Some(first) = left.pop_first() {
            let mut lesion = vec![first];
            let mut next = 0;
            while let Some((column, row)) = lesion.get(next).copied() {
                next += 1;
                let around = (row - 1..=row + 1)
                    .flat_map(|row| (column - 1..=column + 1).map(move |column| (column, row)));
                lesion.extend(around.filter(|at| left.remove(at)));
            }
            let peak = lesion.iter().map(|at| value(*at)).max().expect("at least one pixel");
            let area = lesion.len() as f64 * geometry.pixel_area_mm2();
            let weight = [130, 200, 300, 400].iter().filter(|bound| peak >= **bound).count() as f64;
            if area < 1.0 {
                fragments += 1;
            } else {
                score += weight * area * geometry.slice_increment_mm / 3.0;
            }
        }
    }
    (score, fragments)
}

#[test]
fn an_independent_scorer_finds_the_closed_form_truth() {
    for patient in [
        CalciumPatient::small(31),
        CalciumPatient::small(32),
        CalciumPatient::new(33),
        CalciumPatient::narrow(34),
    ] {
        let (score, fragments) = naive_score(&patient);
        let truth = &patient.truth;
        assert!(
            (score - truth.agatston).abs() < 1e-6,
            "seed {}: {score} is not {}",
            patient.seed,
            truth.agatston
        );
        assert_eq!(fragments, truth.fragments, "seed {}: specks below 1 mm2", patient.seed);
        assert!(truth.agatston > 50.0 && truth.lesions.len() >= 6, "seed {}: too easy", patient.seed);
    }
    assert!(CalciumPatient::new(33).truth.fragments >= 2, "a normal matrix has specks that must not count");
}

/// However a patient was scanned: the scorer that shares nothing with the phantom still finds the written truth.
#[test]
fn noise_blur_thin_slices_and_turned_pictures_leave_the_truth_exact() {
    let scans = [
        Scan { noisy: true, ..Scan::SMALL },
        Scan { blurred: true, noisy: true, increment_mm: Some(1.5), ..Scan::SMALL },
        Scan { increment_mm: Some(3.0), ..Scan::SMALL },
        Scan { increment_mm: Some(1.5), thickness_mm: Some(3.0), ..Scan::SMALL },
        Scan { turn: Turn::FlippedColumns, ..Scan::SMALL },
        Scan { turn: Turn::FlippedRows, ..Scan::SMALL },
        Scan { turn: Turn::Quarter, noisy: true, ..Scan::SMALL },
    ];
    for scan in scans {
        let patient = CalciumPatient::scanned(41, scan);
        let (score, fragments) = naive_score(&patient);
        let truth = &patient.truth;
        assert!((score - truth.agatston).abs() < 1e-6, "{scan:?}: {score} is not {}", truth.agatston);
        assert_eq!(fragments, truth.fragments, "{scan:?}: specks below 1 mm2");
        assert!(truth.lesions.len() >= 6, "{scan:?}: too easy");
    }
}

#[test]
fn a_turned_patient_is_the_same_patient_at_the_same_places() {
    let straight = CalciumPatient::small(42);
    for turn in [Turn::FlippedColumns, Turn::FlippedRows, Turn::Quarter] {
        let turned = CalciumPatient::scanned(42, Scan { turn, ..Scan::SMALL });
        assert_eq!(turned.truth.agatston, straight.truth.agatston);
        for (one, other) in straight.truth.lesions.iter().zip(&turned.truth.lesions) {
            let place = |patient: &CalciumPatient, center: [u32; 3]| {
                patient.volume.geometry().patient_mm(center.map(f64::from))
            };
            let (one, other) = (place(&straight, one.center), place(&turned, other.center));
            assert!(one.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-6), "{turn:?}: {one:?} {other:?}");
        }
    }
}

#[test]
fn noise_is_seen_and_blur_adds_to_what_counts() {
    let (quiet, noisy) =
        (CalciumPatient::small(43), CalciumPatient::scanned(43, Scan { noisy: true, ..Scan::SMALL }));
    let differences = quiet.volume.hounsfield().iter().zip(noisy.volume.hounsfield());
    let largest = differences.map(|(a, b)| (a - b).abs()).max().expect("a volume");
    assert!(largest > 60, "noise of at most {largest} HU");
    assert_eq!(noisy.truth, quiet.truth);
    let thin = Scan { increment_mm: Some(1.5), ..Scan::SMALL };
    let (sharp, blurred) =
        (CalciumPatient::scanned(43, thin), CalciumPatient::scanned(43, Scan { blurred: true, ..thin }));
    assert!(blurred.truth.volume_mm3 > sharp.truth.volume_mm3);
}

#[test]
fn a_seed_is_a_patient() {
    let (first, again, other) =
        (CalciumPatient::small(35), CalciumPatient::small(35), CalciumPatient::small(36));
    assert!(
        first.volume.hounsfield() == again.volume.hounsfield() && first.truth == again.truth,
        "same seed"
    );
    assert_ne!(first.truth, other.truth, "other seed");
    assert_ne!(first.volume.geometry(), other.volume.geometry(), "other seed, other place");
}

#[test]
fn files_hold_the_volume_and_say_nothing_by_their_order() {
    let patient = CalciumPatient::small(37);
    for encoding in [Encoding::ExplicitLittleEndian, Encoding::ImplicitLittleEndian] {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = patient.write_dicom_as(folder.path(), encoding).expect("files");
        assert_eq!(paths.len(), patient.volume.dimensions().slices as usize, "one file a slice");
        let mut heights = Vec::new();
        for path in &paths {
            let object = open_file(path).expect("a Part-10 file");
            let position = object
                .element(tags::IMAGE_POSITION_PATIENT)
                .expect("position")
                .to_multi_float64()
                .expect("DS");
            let matrix = &patient.volume.geometry().patient_mm_from_voxel;
            let slice = ((position[2] - matrix[2][3]) / matrix[2][2]).round();
            heights.push(slice as u32);
            let stored =
                object.element(tags::PIXEL_DATA).expect("pixels").to_multi_int::<i32>().expect("words");
            let hounsfield = stored.iter().map(|word| i32::from((*word as u16).cast_signed()) - 1024);
            let expected = patient.volume.slice(slice as u32).iter().copied().map(i32::from);
            assert!(hounsfield.eq(expected), "slice {slice} reads back as it was drawn");
        }
        assert!(
            !heights.is_sorted() && !heights.iter().rev().is_sorted(),
            "file names must not sort the slices"
        );
        assert_eq!(heights.iter().collect::<BTreeSet<_>>().len(), paths.len(), "every slice once");
    }
}

#[test]
fn the_other_series_are_what_they_claim() {
    let folder = tempfile::tempdir().expect("a folder");
    let mr = write(&plain_mr(38), Encoding::ExplicitLittleEndian, &folder.path().join("mr")).expect("files");
    let modality = open_file(&mr[0])
        .expect("an MR file")
        .element(tags::MODALITY)
        .expect("modality")
        .to_str()
        .map(String::from);
    assert_eq!(modality.expect("text").trim(), "MR", "modality");
    let series = ct_with_a_gap(39);
    let gap = write(&series, Encoding::ExplicitLittleEndian, &folder.path().join("gap")).expect("files");
    assert_eq!(gap.len() + 1, series.volume.dimensions().slices as usize, "one slice is missing");
}

#[test]
fn broken_objects_are_broken() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = Defect::ALL.map(|defect| broken_ct(40, defect, folder.path()).expect("a broken file"));
    let [truncated, absurd, garbage] = paths.map(open_file);
    assert!(truncated.is_err(), "a truncated file cannot be read to its end");
    let rows = absurd.expect("the header is whole").element(tags::ROWS).expect("rows").to_int::<u32>();
    assert_eq!(rows.expect("a number"), 65_535, "absurd Rows");
    let modality =
        garbage.ok().and_then(|file| file.element(tags::MODALITY).ok().map(|element| element.header().len.0));
    assert_ne!(modality, Some(2), "a VR that does not exist must not read as an ordinary Modality");
}
