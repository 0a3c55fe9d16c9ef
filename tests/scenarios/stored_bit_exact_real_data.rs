//! 47 real slices in random order: stored bit for bit as they were sent, ordered by position, every frame readable,
//! and a circle around a dense insert scores what a naive scorer scores.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use dicom_dictionary_std::tags;
use serde_json::json;
use sidelight_tests::peers::api::{Api, measurement};
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::dcmtk::{Witness, dcmsend, storescu};
use sidelight_tests::peers::part10::Part10;
use sidelight_tests::peers::patience::eventually;

use crate::patients::{by_position, opened};
use crate::studies::{only_study, reference_series, shuffled, stack_order};

/// Centres (column, row) of two dense inserts, found by looking at the pictures; both lie around slice 22.
const INSERTS: [(u32, u32); 2] = [(180, 220), (291, 151)];
const RADIUS_PX: u32 = 20;
const SLICES: std::ops::RangeInclusive<usize> = 18..=26;

const IMPLICIT_VR: &str = "1.2.840.10008.1.2";

#[test]
fn by_storescu_real_data() {
    let Some(files) = reference_series("stored_bit_exact: by_storescu_real_data") else { return };
    let files = shuffled(files);
    let sidelight = appliance().start().unwrap();
    // The files are in implicit VR; proposing nothing else keeps storescu from converting them.
    storescu(sidelight.dicom_port(), &files, &["-xi"]).unwrap().succeeded();
    let sent: Vec<Part10> = files.iter().filter_map(|file| Part10::read(file)).collect();
    is_stored_as_sent(&sidelight, &sent);
    is_readable_in_order(&sidelight, files);
}

#[test]
fn by_dcmsend_real_data() {
    let Some(files) = reference_series("stored_bit_exact: by_dcmsend_real_data") else { return };
    let files = shuffled(files);
    let sidelight = appliance().start().unwrap();
    dcmsend(sidelight.dicom_port(), &files, &[]).unwrap().succeeded();
    // dcmsend converts as it likes; what it sends in the syntax the box chose, dcmtk's own receiver tells.
    let stored = Part10::below(&sidelight.data_folder());
    let implicit = stored.iter().all(|file| file.transfer_syntax == IMPLICIT_VR);
    let witness = Witness::start(if implicit { "+xi" } else { "+xe" }).unwrap();
    dcmsend(witness.port(), &files, &[]).unwrap().succeeded();
    is_stored_as_sent(&sidelight, &Part10::below(&witness.received()));
    is_readable_in_order(&sidelight, files);
}

fn is_stored_as_sent(sidelight: &Appliance, sent: &[Part10]) {
    assert_eq!(sent.len(), 47);
    let stored = Part10::below(&sidelight.data_folder());
    assert_eq!(stored.len(), 47, "{:?}", stored.iter().map(|file| &file.path).collect::<Vec<_>>());
    let stored: BTreeMap<&str, &Part10> =
        stored.iter().map(|file| (file.sop_instance_uid.as_str(), file)).collect();
    for original in sent {
        let kept = stored.get(original.sop_instance_uid.as_str());
        let kept = kept.unwrap_or_else(|| panic!("{} is missing", original.sop_instance_uid));
        assert_eq!(kept.transfer_syntax, original.transfer_syntax, "{}", kept.path.display());
        assert!(kept.data_set == original.data_set, "{} is not what was sent", kept.path.display());
    }
}

/// Slices as an independent decoder (dicom-object, not the box) reads them, from the feet to the head.
struct Reference {
    uids: Vec<String>,
    slices: Vec<Vec<i16>>,
    columns: usize,
    pixel_area_mm2: f64,
    increment_mm: f64,
}

fn reference(files: Vec<PathBuf>) -> Reference {
    let objects: Vec<_> = by_position(files).iter().map(|file| opened(file)).collect();
    let number = |object: &dicom_object::DefaultDicomObject, tag, index: usize| -> f64 {
        let values = object.element(tag).expect("present").to_multi_float64().expect("numbers");
        values[index]
    };
    let first = &objects[0];
    let increment_mm =
        number(&objects[1], tags::IMAGE_POSITION_PATIENT, 2) - number(first, tags::IMAGE_POSITION_PATIENT, 2);
    let slices = objects.iter().map(|object| {
        let slope = number(object, tags::RESCALE_SLOPE, 0);
        let intercept = number(object, tags::RESCALE_INTERCEPT, 0);
        assert_eq!((slope, intercept), (1.0, 0.0), "the naive reader below needs stored values to be HU");
        let bytes = object.element(tags::PIXEL_DATA).expect("pixels").to_bytes().expect("bytes");
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    });
    Reference {
        uids: objects
            .iter()
            .map(|object| object.meta().media_storage_sop_instance_uid().to_owned())
            .collect(),
        slices: slices.collect(),
        columns: first.element(tags::COLUMNS).expect("present").to_int().expect("a number"),
        pixel_area_mm2: number(first, tags::PIXEL_SPACING, 0) * number(first, tags::PIXEL_SPACING, 1),
        increment_mm,
    }
}

fn is_readable_in_order(sidelight: &Appliance, files: Vec<PathBuf>) {
    let reference = reference(files);
    let api = sidelight.api();
    let study = only_study(&api);
    let series = eventually("the whole stack", || {
        let series = api.study(&study).ok()?["series"][0].take();
        (series["stack"]["frames"] == 47).then_some(series)
    });
    assert_eq!(stack_order(&series), reference.uids, "the stack is not in the order of positions");
    assert_eq!(series["stack"]["slice_increment_mm"], reference.increment_mm);
    let series_uid = series["uid"].as_str().expect("a UID");
    for (n, slice) in reference.slices.iter().enumerate() {
        assert!(api.frame(&study, series_uid, n).expect("a frame") == *slice, "frame {n} differs");
    }
    for insert in INSERTS {
        scores_like_a_naive_scorer(&api, &study, series_uid, &reference, insert);
    }
}

fn scores_like_a_naive_scorer(
    api: &Api,
    study: &str,
    series_uid: &str,
    reference: &Reference,
    (column, row): (u32, u32),
) {
    let shape = json!({
        "shape": "circle", "center_px": [column, row], "radius_px": RADIUS_PX,
        "first_slice": SLICES.start(), "last_slice": SLICES.end(),
    });
    let id = api.score_region(study, series_uid, &shape).expect("the question is taken");
    let finding = eventually("the score inside the circle", || {
        let findings = api.findings_of(study, "calcium").ok()?;
        findings
            .into_iter()
            .find(|finding| finding["id"] == id.as_str())
            .filter(|finding| finding["state"] != "provisional")
    });
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    assert_eq!(finding["scope"]["kind"], "region", "{finding:#}");
    let (agatston, volume_mm3) = naive_score(reference, f64::from(column), f64::from(row));
    assert!(agatston > 10.0, "there is no dense insert at {column}, {row}: {agatston}");
    let found = measurement(&finding, "agatston").expect("a score");
    assert!((found - agatston).abs() < 1e-6 * agatston, "the box says {found}, the naive scorer {agatston}");
    let found = measurement(&finding, "volume").expect("a volume");
    assert!((found - volume_mm3).abs() < 1e-6 * volume_mm3, "the box says {found} mm3, naively {volume_mm3}");
}

/// Agatston's definition written down as it reads, slice by slice, in f64: threshold 130 HU, 8-connected lesions of
/// at least 1 mm2, weighted by their peak, scaled from 3 mm slices. Returns score and volume in mm3.
fn naive_score(reference: &Reference, center_column: f64, center_row: f64) -> (f64, f64) {
    let (mut agatston, mut volume_mm3) = (0.0, 0.0);
    for slice in &reference.slices[SLICES] {
        let inside = |(column, row): (usize, usize)| {
            let (across, down) = (column as f64 - center_column, row as f64 - center_row);
            across * across + down * down <= f64::from(RADIUS_PX * RADIUS_PX)
        };
        let value = |(column, row): (usize, usize)| slice[row * reference.columns + column];
        let mut left: Vec<(usize, usize)> = (0..slice.len())
            .map(|at| (at % reference.columns, at / reference.columns))
            .filter(|pixel| inside(*pixel) && value(*pixel) >= 130)
            .collect();
        while let Some(seed) = left.pop() {
            let mut lesion = vec![seed];
            let mut edge = VecDeque::from([seed]);
            while let Some((column, row)) = edge.pop_front() {
                let (touching, apart) =
                    left.iter().partition(|(c, r)| c.abs_diff(column) <= 1 && r.abs_diff(row) <= 1);
                left = apart;
                lesion.extend::<Vec<_>>(Vec::clone(&touching));
                edge.extend(touching);
            }
            let area_mm2 = lesion.len() as f64 * reference.pixel_area_mm2;
            if area_mm2 < 1.0 {
                continue;
            }
            let weight = match lesion.iter().map(|pixel| value(*pixel)).max().unwrap_or(0) {
                400.. => 4.0,
                300.. => 3.0,
                200.. => 2.0,
                _ => 1.0,
            };
            agatston += weight * area_mm2 * reference.increment_mm / 3.0;
            volume_mm3 += area_mm2 * reference.increment_mm;
        }
    }
    (agatston, volume_mm3)
}
