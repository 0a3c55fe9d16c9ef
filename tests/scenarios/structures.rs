//! Structures on CT without a network: against labels that others drew.

use std::ops::ControlFlow;

use sidelight_kernels::structures::{Conditions, Structure, structures};
use sidelight_kernels::{Processor, Volume, Wish};

use crate::heart_region::nifti;
use crate::heart_region::real_data;
use crate::studies::report;

/// `TotalSegmentator` v2: five lobes (left: 10, 11), vertebrae and sacrum, arms to hips, skull, ribs and sternum. Costal
/// cartilage (117) is none of them.
fn is_lung(label: i16) -> bool {
    (10..=14).contains(&label)
}

fn is_left(label: i16) -> bool {
    (10..=11).contains(&label)
}

fn is_bone(label: i16) -> bool {
    matches!(label, 25..=50 | 69..=78 | 91 | 92..=116)
}

fn dice(found: impl Iterator<Item = bool>, truth: impl Iterator<Item = bool>) -> f64 {
    let (mut both, mut sum) = (0_u32, 0_u32);
    for (found, truth) in found.zip(truth) {
        both += u32::from(found && truth);
        sum += u32::from(found) + u32::from(truth);
    }
    2.0 * f64::from(both) / f64::from(sum)
}

#[test]
fn lungs_and_bone_are_where_others_drew_them_real_data() {
    // The labels belong to the small CT, voxel by voxel.
    let (Some(ct), Some(labels)) = (real_data("ct/example_ct_sm.nii.gz"), real_data("ct/example_seg.nii.gz"))
    else {
        return;
    };
    let (ct, labels) = (nifti::read(&ct).unwrap(), nifti::read(&labels).unwrap());
    assert_eq!(ct.dimensions, labels.dimensions);
    let volume = Volume::new(ct.dimensions, ct.geometry, ct.values).unwrap();
    let mut twin = Processor::open(Wish::Twin).unwrap();
    let found = structures(&mut twin, &volume, Conditions::default(), &mut |_| ControlFlow::Continue(()));
    let found = found.unwrap();
    let of = |wanted: &'static [Structure]| {
        found.labels.iter().map(move |label| wanted.iter().any(|structure| *structure as u8 == *label))
    };
    let truth = |is: fn(i16) -> bool| labels.values.iter().map(move |label| is(*label));
    let lungs = dice(of(&[Structure::RightLung, Structure::LeftLung]), truth(is_lung));
    let left = dice(of(&[Structure::LeftLung]), truth(is_left));
    let bone = dice(of(&[Structure::Bone]), truth(is_bone));
    report(&format!("structures: Dice of lungs {lungs:.3} (left {left:.3}), of bone {bone:.3}"));
    assert!(lungs >= 0.95 && left >= 0.95, "lungs {lungs:.3}, left {left:.3}");
    assert!(bone >= 0.80, "bone {bone:.3}");
}
