//! Nobody has to draw a region: the box looks for coronary calcium around the heart and nowhere in bone.

pub(crate) mod nifti;

use std::ops::RangeInclusive;
use std::path::PathBuf;

use sidelight_kernels::heart::vessels::{Atlas, Vessel};
use sidelight_kernels::heart::{self, NoHeart};
use sidelight_kernels::{Dimensions, Geometry, Region, Volume};
use sidelight_tests::phantoms::CalciumPatient;

use crate::sources::root;
use crate::studies::{note, report};

const CALCIUM_HU: i16 = 130;

/// Voxels of `set`, as (column, row, slice).
fn voxels(dimensions: Dimensions, set: impl Fn(u32, u32, u32) -> bool) -> Vec<[u32; 3]> {
    let mut found = Vec::new();
    for slice in 0..dimensions.slices {
        for row in 0..dimensions.rows {
            found.extend(
                (0..dimensions.columns)
                    .filter(|column| set(*column, row, slice))
                    .map(|column| [column, row, slice]),
            );
        }
    }
    found
}

fn hounsfield(volume: &Volume, [column, row, slice]: [u32; 3]) -> i16 {
    volume.slice(slice)[(row * volume.dimensions().columns + column) as usize]
}

/// What must hold for every patient, however he lies.
fn assert_only_the_heart(patient: &CalciumPatient, what: &str) {
    let seed = patient.seed;
    let dimensions = patient.volume.dimensions();
    let region =
        heart::surroundings(&patient.volume).unwrap_or_else(|reason| panic!("{what} {seed}: {reason}"));
    let coronary = voxels(dimensions, |c, r, s| patient.coronary.contains(c, r, s));
    let lost = coronary.iter().filter(|[c, r, s]| !region.contains(*c, *r, *s)).count();
    assert!(coronary.len() > 500, "{what} {seed}: a patient without coronary arteries proves nothing");
    assert_eq!(lost, 0, "{what} {seed}: coronary voxels outside the region, of {}", coronary.len());
    let inside = voxels(dimensions, |c, r, s| region.contains(c, r, s));
    let calcium = inside.iter().filter(|voxel| hounsfield(&patient.volume, **voxel) >= CALCIUM_HU);
    let (mut coronary, mut other) = (0, 0);
    for [c, r, s] in calcium {
        assert!(!patient.bone.contains(*c, *r, *s), "{what} {seed}: bone at {c},{r},{s} is inside");
        assert!(
            !patient.aortic_plaque.contains(*c, *r, *s),
            "{what} {seed}: aortic plaque at {c},{r},{s} is inside"
        );
        if patient.coronary.contains(*c, *r, *s) { coronary += 1 } else { other += 1 }
    }
    assert!(coronary > 100, "{what} {seed}: only {coronary} voxels of coronary calcium");
    assert_eq!(other, 0, "{what} {seed}: calcium inside that is no lesion");
}

#[test]
fn the_region_holds_all_coronary_calcium_and_no_other() {
    for seed in 1..=4 {
        assert_only_the_heart(&CalciumPatient::new(seed), "whole chest");
    }
}

#[test]
fn a_cardiac_field_of_view_that_cuts_the_lungs_gives_a_region_too() {
    for seed in 7..=10 {
        assert_only_the_heart(&CalciumPatient::narrow(seed), "narrow field");
    }
}

#[test]
fn coarse_pixels_give_a_region_too() {
    for seed in 11..=14 {
        assert_only_the_heart(&CalciumPatient::small(seed), "small matrix");
    }
}

/// What the phantom calls its arteries.
fn artery(vessel: Vessel) -> &'static str {
    match vessel {
        Vessel::LeftMain => "LM",
        Vessel::LeftAnteriorDescending => "LAD",
        Vessel::LeftCircumflex => "LCX",
        Vessel::RightCoronary => "RCA",
        Vessel::Aorta | Vessel::Valve | Vessel::Other => "",
    }
}

#[test]
fn proposed_vessels_are_mostly_right_and_name_the_right_one_nearly_always() {
    let (mut all, mut right, mut named) = (0, 0, 0);
    for seed in 1..=6 {
        let patient = CalciumPatient::small(seed);
        let region = heart::surroundings(&patient.volume).expect("a region");
        let atlas = Atlas::new(&region, patient.volume.geometry()).expect("a middle");
        for lesion in &patient.truth.lesions {
            let proposal = atlas.propose(lesion.center.map(f64::from));
            let is_right = artery(proposal.vessel) == lesion.artery;
            let is_named = is_right || proposal.or.iter().any(|vessel| artery(*vessel) == lesion.artery);
            note(&format!("{} of patient {seed} at {:?}: {proposal:?}", lesion.artery, lesion.center));
            all += 1;
            right += usize::from(is_right);
            named += usize::from(is_named);
        }
    }
    note(&format!("{all} lesions, {right} proposed right, {named} named"));
    assert!(all >= 50, "only {all} lesions");
    assert!(right * 100 >= all * 75, "{right} of {all} are right");
    assert!(named * 100 >= all * 95, "{named} of {all} are named");
}

/// The same patient, with columns, rows and slices each counted from the other end where `turned` says so.
fn recounted(volume: &Volume, turned: [bool; 3]) -> Volume {
    let dimensions = volume.dimensions();
    let from = |[column, row, slice]: [u32; 3]| {
        let flip = |value: u32, size: u32, turned: bool| if turned { size - 1 - value } else { value };
        [
            flip(column, dimensions.columns, turned[0]),
            flip(row, dimensions.rows, turned[1]),
            flip(slice, dimensions.slices, turned[2]),
        ]
    };
    let values = voxels(dimensions, |_, _, _| true).into_iter().map(|voxel| hounsfield(volume, from(voxel)));
    let mut geometry = *volume.geometry();
    let ends = [dimensions.columns, dimensions.rows, dimensions.slices];
    for line in &mut geometry.patient_mm_from_voxel {
        for axis in (0..3).filter(|axis| turned[*axis]) {
            line[3] += line[axis] * f64::from(ends[axis] - 1);
            line[axis] = -line[axis];
        }
    }
    Volume::new(dimensions, geometry, values.collect()).expect("as many voxels as before")
}

#[test]
fn the_region_follows_the_patient_and_not_the_picture() {
    let patient = CalciumPatient::small(21);
    let upright = heart::surroundings(&patient.volume).expect("a region");
    let dimensions = patient.volume.dimensions();
    // Slices from the head down; prone, head first; supine, feet first.
    for turned in [[false, false, true], [true, true, false], [true, false, true]] {
        let region = heart::surroundings(&recounted(&patient.volume, turned)).expect("a region");
        let flip = |value: u32, size: u32, turned: bool| if turned { size - 1 - value } else { value };
        let back = Region::from_fn(dimensions, |column, row, slice| {
            region.contains(
                flip(column, dimensions.columns, turned[0]),
                flip(row, dimensions.rows, turned[1]),
                flip(slice, dimensions.slices, turned[2]),
            )
        });
        assert!(back == upright, "counted {turned:?}, the region moved in the patient");
    }
}

#[test]
fn pictures_lying_on_their_side_give_the_same_region() {
    let patient = CalciumPatient::small(22);
    let upright = heart::surroundings(&patient.volume).expect("a region");
    let dimensions = patient.volume.dimensions();
    let values = voxels(dimensions, |_, _, _| true)
        .into_iter()
        .map(|[c, r, s]| hounsfield(&patient.volume, [r, c, s]));
    let mut geometry = *patient.volume.geometry();
    geometry.patient_mm_from_voxel.iter_mut().for_each(|line| line.swap(0, 1));
    let volume = Volume::new(dimensions, geometry, values.collect()).expect("a square matrix");
    let region = heart::surroundings(&volume).expect("a region");
    let back = Region::from_fn(dimensions, |column, row, slice| region.contains(row, column, slice));
    assert!(back == upright, "rows and columns changed places, and the region with them");
}

#[test]
fn the_same_volume_gives_the_same_region_every_time() {
    let patient = CalciumPatient::small(23);
    let first = heart::surroundings(&patient.volume).expect("a region");
    for _ in 0..5 {
        assert!(
            heart::surroundings(&patient.volume).as_ref() == Ok(&first),
            "a region that changes is no measurement"
        );
    }
}

/// Every voxel replaced.
fn repainted(volume: &Volume, paint: impl Fn(i16) -> i16) -> Volume {
    let values = volume.hounsfield().iter().map(|value| paint(*value)).collect();
    Volume::new(volume.dimensions(), *volume.geometry(), values).expect("as many voxels as before")
}

/// Only some slices.
fn shortened(volume: &Volume, slices: std::ops::Range<u32>) -> Volume {
    let dimensions = Dimensions { slices: slices.end - slices.start, ..volume.dimensions() };
    let values = slices.flat_map(|slice| volume.slice(slice)).copied().collect();
    Volume::new(dimensions, *volume.geometry(), values).expect("whole slices")
}

#[test]
fn pictures_without_a_heart_give_a_reason_and_no_region() {
    let volume = CalciumPatient::small(24).volume;
    let reason = |volume: &Volume| heart::surroundings(volume).expect_err("there is no heart to find");
    assert!(matches!(reason(&shortened(&volume, 0..8)), NoHeart::TooShort { .. }), "eight slices");
    assert_eq!(reason(&repainted(&volume, |_| -1000)), NoHeart::NoBody, "air");
    let solid = repainted(&volume, |value| if (-950..-400).contains(&value) { 40 } else { value });
    assert_eq!(reason(&solid), NoHeart::NoLungs, "consolidated lungs");
    let boneless = repainted(&volume, |value| value.min(90));
    assert_eq!(reason(&boneless), NoHeart::NoSpine, "no bone at all");
    let geometry = Geometry { column_spacing_mm: 0.4, row_spacing_mm: 0.4, ..*volume.geometry() };
    let narrow = Volume::new(volume.dimensions(), geometry, volume.hounsfield().to_vec()).expect("a volume");
    assert!(matches!(reason(&narrow), NoHeart::NarrowField { .. }), "a field of 100 mm");
    let mut upright = *volume.geometry();
    upright.patient_mm_from_voxel.swap(1, 2);
    let coronal = Volume::new(volume.dimensions(), upright, volume.hounsfield().to_vec()).expect("a volume");
    assert_eq!(reason(&coronal), NoHeart::NotAxial, "coronal slices");
}

pub(crate) fn real_data(name: &str) -> Option<PathBuf> {
    let path = root().join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    report(&format!("skipped: no reference data at {}", path.display()));
    None
}

/// TotalSegmentator v2: vertebrae and sacrum, arms to hips, skull, ribs and sternum.
const BONE_LABELS: [RangeInclusive<i16>; 4] = [25..=50, 69..=78, 91..=91, 92..=116];
const CARTILAGE_LABEL: i16 = 117;

#[test]
fn no_labelled_bone_lies_inside_the_region_real_data() {
    let (Some(ct), Some(labels)) = (real_data("ct/example_ct_sm.nii.gz"), real_data("ct/example_seg.nii.gz"))
    else {
        return;
    };
    let (ct, labels) = (nifti::read(&ct).expect("the CT"), nifti::read(&labels).expect("its labels"));
    assert_eq!(ct.dimensions, labels.dimensions, "labels belong to the CT voxel by voxel");
    let volume = Volume::new(ct.dimensions, ct.geometry, ct.values).expect("a volume");
    let label = |at: [u32; 3]| {
        labels.values
            [(at[2] * ct.dimensions.rows + at[1]) as usize * ct.dimensions.columns as usize + at[0] as usize]
    };
    let bone =
        voxels(ct.dimensions, |c, r, s| BONE_LABELS.iter().any(|range| range.contains(&label([c, r, s]))));
    let cartilage = voxels(ct.dimensions, |c, r, s| label([c, r, s]) == CARTILAGE_LABEL);
    assert!(bone.len() > 7000, "only {} labelled bone voxels: these are not the labels we know", bone.len());

    // The picture shows belly and the bases of the lungs, no heart: a region here would be an invention.
    let region = heart::surroundings(&volume);
    assert!(matches!(region, Err(NoHeart::LittleHeart { .. })), "belly and lung bases gave {region:?}");

    // So the step that leaves out bone has to stand alone: nothing labelled bone may survive it.
    let left_out = heart::bone(&volume).expect("axial slices");
    let survives = |set: &[[u32; 3]]| set.iter().filter(|[c, r, s]| !left_out.contains(*c, *r, *s)).count();
    let share = left_out.count() as f64 / ct.dimensions.len() as f64;
    note(&format!("bone: {} labelled, {} survive", bone.len(), survives(&bone)));
    note(&format!("costal cartilage: {} labelled, {} survive", cartilage.len(), survives(&cartilage)));
    note(&format!("left out as bone: {:.1} % of the picture", 100.0 * share));
    assert_eq!(survives(&bone), 0, "labelled bone voxels that the rule would not leave out");
    assert!(
        share < 0.2,
        "leaving out everything would pass the line above; {share} of the picture is too much"
    );
}
