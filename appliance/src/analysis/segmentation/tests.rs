//! Which networks are asked about which series.

use std::path::Path;

use sidelight_models::manifest::{Depth, Orientation};

use super::super::applicability::tests::{facts, stack};
use super::*;

fn manifest() -> Manifest {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/bundles/cardiac_seg/model.toml");
    Manifest::read(&bundle).unwrap()
}

fn wanted() -> Wanted {
    Wanted {
        modality: "CT".into(),
        plane: "axial".into(),
        sequence: "non-contrast".into(),
        orientation: Orientation::Any,
        pixel_mm: 0.8,
        ..manifest().images.unwrap()
    }
}

fn axial(increment_mm: f64) -> Stack {
    Stack { orientation: Some([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]), ..stack(increment_mm, 40) }
}

#[test]
fn the_heart_network_is_another_analysis_own_and_every_other_one_is_asked_here() {
    let ours = manifest();
    assert!(!fits(&ours));
    let mut four_chamber = ours.clone();
    four_chamber.images.as_mut().unwrap().plane = "four chamber".into();
    assert!(fits(&four_chamber));
    let mut whole_body = ours.clone();
    let images = whole_body.images.as_mut().unwrap();
    (images.modality, images.depth) = ("CT".into(), Some(Depth { slice_mm: 3.0, slices: 32 }));
    assert!(fits(&whole_body), "blocks are nothing for the ventricle's planes");
    let mut mammogram = ours;
    mammogram.images.as_mut().unwrap().modality = "MG".into();
    assert!(!fits(&mammogram));
}

#[test]
fn what_the_manifest_does_not_name_is_refused_with_the_reason() {
    let judged =
        |wanted: &Wanted, facts: &InstanceFacts, stack: &Stack| match judge("organs", wanted, facts, stack) {
            Applicability::Yes(()) => None,
            Applicability::No(reason) => Some(reason),
        };
    assert_eq!(judged(&wanted(), &facts(), &axial(3.0)), None);
    let coronal = Stack { orientation: Some([1.0, 0.0, 0.0, 0.0, 0.0, -1.0]), ..axial(3.0) };
    let oblique = Stack { orientation: Some([1.0, 0.0, 0.0, 0.0, 0.6, 0.8]), ..axial(3.0) };
    let coarse = Stack { pixel_spacing_mm: Some([0.7, 1.7]), ..axial(3.0) };
    for (facts, stack, word) in [
        (
            InstanceFacts { modality: "MR".into(), ..facts() },
            axial(3.0),
            "reads CT; the modality of this series is MR",
        ),
        (InstanceFacts { contrast_agent: true, ..facts() }, axial(3.0), "without contrast"),
        (InstanceFacts { image_type: vec!["LOCALIZER".into()], ..facts() }, axial(3.0), "localizer"),
        (facts(), coronal, "those of this series are coronal"),
        (facts(), oblique, "oblique"),
        (facts(), coarse, "pixels 0.80 mm apart; those of this series are 1.70"),
    ] {
        let reason = judged(&wanted(), &facts, &stack).unwrap_or_else(|| panic!("{word}: let through"));
        assert!(reason.starts_with("organs ") && reason.contains(word), "{reason}");
    }
    let blocks = Wanted { depth: Some(Depth { slice_mm: 1.0, slices: 16 }), ..wanted() };
    assert!(judged(&blocks, &facts(), &axial(3.0)).unwrap().contains("slices 1.00 mm apart"));
    assert_eq!(judged(&blocks, &facts(), &axial(2.0)), None);
}

#[test]
fn a_sequence_is_what_the_series_says_it_is() {
    let of = |description: &str, sequence: &str| {
        let facts = InstanceFacts { series_description: description.into(), ..facts() };
        let wanted = Wanted { sequence: sequence.into(), ..wanted() };
        matches!(judge("organs", &wanted, &facts, &axial(3.0)), Applicability::Yes(()))
    };
    assert!(of("t2_HASTE_tra", "T2 HASTE") && of("", "any") && of("x", "non-contrast"));
    assert!(!of("t1_vibe", "T2 HASTE") && !of("", "T2 HASTE") && !of("x", "contrast"));
}

#[test]
fn axes_lead_where_the_images_say() {
    let turned = [[0.0, 0.5, 0.0, 9.0], [0.7, 0.0, 0.0, 9.0], [0.0, 0.0, -3.0, 9.0]];
    assert_eq!(directions(&turned), [[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
}
