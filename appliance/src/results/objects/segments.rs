//! What becomes a segment: lesions, kinds of tissue, the parts of a ventricle.

use std::collections::BTreeMap;

use super::dataset::Code;
use super::subject::{Moment, Subject};
use super::voxels::Voxels;
use crate::store::cardiac::{CardiacPart, SliceMasks};
use crate::store::finding::{Finding, Lesion};
use crate::store::marks::{FoundMark, MarksPart};
use crate::store::own_objects::derived_uid;
use crate::store::perfusion::TissueBit;
use crate::store::structures::{self, FoundStructure, StructuresPart};

/// A recommended colour for every lesion: amber, as on the screen, in CIELab scaled to 16 bits (PS3.3 C.10.7.1.1).
const AMBER_CIELAB: [u16; 3] = [51_900, 36_200, 50_000];
const HEART: Code = Code("80891009", "SCT", "Heart");
pub(super) const LUNG: Code = Code("39607008", "SCT", "Lung");
pub(super) const NODULE: Code = Code("27925004", "SCT", "Nodule");
pub(super) const BRAIN: Code = Code("12738006", "SCT", "Brain");

/// One segment to be.
pub(super) struct Segment<'a> {
    pub label: String,
    pub description: String,
    /// Algorithm family (PS3.16 CID 7162).
    pub family: Code<'static>,
    pub category: Code<'static>,
    pub property: Code<'a>,
    /// Right or left, of what there are two.
    pub laterality: Option<Code<'static>>,
    pub anatomy: Code<'a>,
    pub cie_lab: [u16; 3],
    pub tracking_uid: String,
    /// Which images of the slices it was found on.
    pub moment: Moment,
    /// Row, first column and length, by slice.
    pub runs: BTreeMap<u32, Vec<[u32; 3]>>,
}

/// Lesions by their number: segment 1 is lesion 1.
pub(super) fn of_lesions(finding: &Finding) -> Vec<Segment<'static>> {
    finding.lesions.iter().map(|lesion| of_lesion(&finding.id, lesion)).collect()
}

fn of_lesion(id: &str, lesion: &Lesion) -> Segment<'static> {
    let mut runs: BTreeMap<u32, Vec<[u32; 3]>> = BTreeMap::new();
    for part in &lesion.slices {
        runs.entry(part.slice).or_default().extend(&part.runs);
    }
    Segment {
        label: format!("Lesion {}", lesion.number),
        description: format!("Agatston {:.1}, {:.1} mm3", lesion.agatston, lesion.volume_mm3),
        family: Code("123101", "DCM", "Neighborhood Analysis"),
        category: Code("49755003", "SCT", "Morphologically Abnormal Structure"),
        property: Code("18115005", "SCT", "Pathologic calcification, calcified structure"),
        laterality: None,
        anatomy: HEART,
        cie_lab: AMBER_CIELAB,
        tracking_uid: derived_uid(&["lesion", id, &lesion.number.to_string()]),
        moment: Moment::First,
        runs,
    }
}

/// A kind of tissue as a segment.
pub(super) struct TissueSegment {
    pub bit: TissueBit,
    label: &'static str,
    category: Code<'static>,
    property: Code<'static>,
    cie_lab: [u16; 3],
}

const TISSUE: Code = Code("85756007", "SCT", "Tissue");

/// In the order of segment numbers. Core and hypoperfused tissue are thresholds, not diagnoses: the property is the brain.
pub(super) const PERFUSION_SEGMENTS: [TissueSegment; 5] = [
    TissueSegment {
        bit: TissueBit::Core,
        label: "Low CBF (core)",
        category: TISSUE,
        property: BRAIN,
        cie_lab: [35_600, 48_900, 38_900],
    },
    TissueSegment {
        bit: TissueBit::Hypoperfused,
        label: "Long Tmax (hypoperfused)",
        category: TISSUE,
        property: BRAIN,
        cie_lab: [46_800, 20_900, 41_000],
    },
    TissueSegment {
        bit: TissueBit::Brain,
        label: "Analysed brain",
        category: TISSUE,
        property: BRAIN,
        cie_lab: [45_000, 32_900, 32_900],
    },
    TissueSegment {
        bit: TissueBit::Vessel,
        label: "Vessels, left out",
        category: Code("123037004", "SCT", "Body structure"),
        property: Code("59820001", "SCT", "Blood vessel"),
        cie_lab: [30_000, 45_000, 20_000],
    },
    TissueSegment {
        bit: TissueBit::Csf,
        label: "CSF, left out",
        category: Code("91720002", "SCT", "Body Substance"),
        property: Code("65216001", "SCT", "Cerebrospinal fluid"),
        cie_lab: [40_000, 30_000, 20_000],
    },
];

/// Every kind of tissue, those that are withheld or absent without a frame: numbers stay the same.
pub(super) fn of_tissue(finding: &Finding, voxels: &Voxels<'_>) -> Vec<Segment<'static>> {
    let volumes = voxels.part.volumes.as_ref();
    let rule = |bit| match (bit, volumes) {
        (TissueBit::Core, Some(volumes)) => format!("{}, {:.1} mL", volumes.core_rule, volumes.core_ml),
        (TissueBit::Hypoperfused, Some(volumes)) => {
            format!("{}, {:.1} mL", volumes.hypoperfused_rule, volumes.hypoperfused_ml)
        }
        (TissueBit::Core | TissueBit::Hypoperfused, None) => "withheld: a guard failed".into(),
        (TissueBit::Brain, _) => "where maps were made".into(),
        (TissueBit::Vessel | TissueBit::Csf, _) => "not counted in any volume".into(),
    };
    let segment = |tissue: &TissueSegment| Segment {
        label: tissue.label.into(),
        description: format!("{}; not for treatment selection", rule(tissue.bit)),
        family: Code("123105", "DCM", "Histogram Analysis"),
        category: tissue.category,
        property: tissue.property,
        laterality: None,
        anatomy: BRAIN,
        cie_lab: tissue.cie_lab,
        tracking_uid: derived_uid(&["tissue", &finding.id, tissue.label]),
        moment: Moment::First,
        runs: voxels.runs(tissue.bit),
    };
    PERFUSION_SEGMENTS.iter().map(segment).collect()
}

pub(super) const LEFT_VENTRICLE: Code = Code("87878005", "SCT", "Left ventricle");
pub(super) const MYOCARDIUM: Code = Code("49848007", "SCT", "Left Ventricle Myocardium");

/// A part of the ventricle at one moment as a segment.
pub(super) struct VentricleSegment {
    pub label: &'static str,
    pub moment: Moment,
    pub property: Code<'static>,
    cie_lab: [u16; 3],
    masks: fn(&SliceMasks) -> &[[u32; 3]],
}

const CAVITY_CIELAB: [u16; 3] = [41_800, 47_400, 40_600];
const MUSCLE_CIELAB: [u16; 3] = [49_900, 23_400, 40_000];

/// In the order of segment numbers.
pub(super) const VENTRICLE_SEGMENTS: [VentricleSegment; 4] = [
    VentricleSegment {
        label: "Left ventricular cavity, end diastole",
        moment: Moment::First,
        property: LEFT_VENTRICLE,
        cie_lab: CAVITY_CIELAB,
        masks: |slice| &slice.cavity,
    },
    VentricleSegment {
        label: "Left ventricular myocardium, end diastole",
        moment: Moment::First,
        property: MYOCARDIUM,
        cie_lab: MUSCLE_CIELAB,
        masks: |slice| &slice.muscle,
    },
    VentricleSegment {
        label: "Left ventricular cavity, end systole",
        moment: Moment::EndSystole,
        property: LEFT_VENTRICLE,
        cie_lab: CAVITY_CIELAB,
        masks: |slice| &slice.cavity,
    },
    VentricleSegment {
        label: "Left ventricular myocardium, end systole",
        moment: Moment::EndSystole,
        property: MYOCARDIUM,
        cie_lab: MUSCLE_CIELAB,
        masks: |slice| &slice.muscle,
    },
];

/// Cavity and muscle at both ends of the cycle; what is absent has no frame.
pub(super) fn of_ventricle(finding: &Finding, part: &CardiacPart) -> Vec<Segment<'static>> {
    let runs = |one: &VentricleSegment| {
        let slices = part.slices.iter().map(|slice| match one.moment {
            Moment::First => (one.masks)(&slice.ed),
            Moment::EndSystole => (one.masks)(&slice.es),
        });
        (0..)
            .zip(slices)
            .filter(|(_, runs)| !runs.is_empty())
            .map(|(slice, runs)| (slice, runs.to_vec()))
            .collect()
    };
    let segment = |one: &VentricleSegment| Segment {
        label: one.label.into(),
        description: finding.label.clone(),
        family: match finding.model() {
            Some(_) => Code("123110", "DCM", "Artificial Intelligence"),
            None => Code("123109", "DCM", "Manual Processing"),
        },
        category: Code("123037004", "SCT", "Body structure"),
        property: one.property,
        laterality: None,
        anatomy: HEART,
        cie_lab: one.cie_lab,
        tracking_uid: derived_uid(&["ventricle", &finding.id, one.label]),
        moment: one.moment,
        runs: runs(one),
    };
    VENTRICLE_SEGMENTS.iter().map(segment).collect()
}

/// Marks in a chest by their number: balls of the network's estimate, not outlines.
pub(super) fn of_marks(subject: &Subject<'_>, part: &MarksPart) -> Vec<Segment<'static>> {
    let geometry = subject.stack.geometry.as_ref().ok();
    let increment_mm = geometry.map_or(f64::INFINITY, |geometry| geometry.slice_increment_mm);
    let size = [subject.stack.columns.into(), subject.stack.rows.into(), subject.stack.frames.len() as u64];
    let segment = |mark: &FoundMark| Segment {
        label: format!("Mark {}", mark.number),
        description: "a ball of the network's estimate, not an outline".into(),
        family: Code("123110", "DCM", "Artificial Intelligence"),
        category: Code("49755003", "SCT", "Morphologically Abnormal Structure"),
        property: NODULE,
        laterality: None,
        anatomy: LUNG,
        cie_lab: AMBER_CIELAB,
        tracking_uid: derived_uid(&["mark", &subject.finding.id, &mark.number.to_string()]),
        moment: Moment::First,
        runs: mark.ball(increment_mm, size),
    };
    part.marks.iter().map(segment).collect()
}

const AIRWAY: Code = Code("89187006", "SCT", "Airway structure");
const BONE: Code = Code("272673000", "SCT", "Bone");

/// A structure that becomes a segment.
#[derive(Clone, Copy)]
pub(super) struct StructureSegment<'a> {
    /// In the finding's file.
    pub label: u8,
    pub name: &'a str,
    pub property: Code<'a>,
    pub laterality: Option<Code<'static>>,
    pub colour: [u8; 3],
}

/// In the order of segment numbers. Of what density and shape tell apart those that end somewhere, found or not: the body,
/// fat and lean tissue fill every slice. Of a network every label that has a voxel.
pub(super) fn structure_segments<'a>(part: &'a StructuresPart) -> Vec<StructureSegment<'a>> {
    let one = |label, name, property, laterality| {
        let colour = structures::colour(label)?;
        Some(StructureSegment { label, name, property, laterality, colour })
    };
    if part.model.is_none() {
        let (right, left) = (Code("24028007", "SCT", "Right"), Code("7771000", "SCT", "Left"));
        let all = [
            one(2, "Right lung", LUNG, Some(right)),
            one(3, "Left lung", LUNG, Some(left)),
            one(4, "Airway", AIRWAY, None),
            one(5, "Bone", BONE, None),
        ];
        return all.into_iter().flatten().collect();
    }
    let with_voxels = part.found.iter().filter(|found| found.voxels > 0);
    let segment = |found: &'a FoundStructure| StructureSegment {
        label: found.label,
        name: &found.name,
        property: structure_code(found),
        laterality: None,
        colour: found.colour.unwrap_or(structures::network_colour(found.label)),
    };
    with_voxels.map(segment).collect()
}

/// What a label of the finding's file is.
pub(super) fn structure_code(found: &FoundStructure) -> Code<'_> {
    if let Some(code) = &found.code {
        return Code(&code.identifier, "SCT", &code.meaning);
    }
    match found.label {
        2 | 3 => LUNG,
        4 => AIRWAY,
        5 => BONE,
        6 => Code("55603005", "SCT", "Fat"),
        7 => Code("87784001", "SCT", "Soft tissue"),
        _ => Code("38266002", "SCT", "Entire body"),
    }
}

/// A colour of the screen (sRGB, IEC 61966-2-1) in CIELab under D65, scaled to 16 bits as PS3.3 C.10.7.1.1 has it.
pub(super) fn cie_lab(colour: [u8; 3]) -> [u16; 3] {
    let linear = colour.map(|channel| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    });
    let sum = |weights: [f64; 3]| weights.iter().zip(linear).map(|(weight, of)| weight * of).sum::<f64>();
    let root = |share: f64| {
        if share > 216.0 / 24389.0 { share.cbrt() } else { (24389.0 / 27.0 * share + 16.0) / 116.0 }
    };
    let x = root(sum([0.4124, 0.3576, 0.1805]) / 0.9505);
    let y = root(sum([0.2126, 0.7152, 0.0722]));
    let z = root(sum([0.0193, 0.1192, 0.9505]) / 1.089);
    let (lightness, a, b) = (116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let scaled = |share: f64| (share.clamp(0.0, 1.0) * 65535.0).round() as u16;
    [scaled(lightness / 100.0), scaled((a + 128.0) / 255.0), scaled((b + 128.0) / 255.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_cie_lab_as_others_have_them() {
        // White, and pure red and blue of sRGB: L*a*b* (100, 0, 0), (53.2, 80.1, 67.2), (32.3, 79.2, -107.9).
        for (colour, lab) in [
            ([255, 255, 255], [100.0, 0.0, 0.0]),
            ([255, 0, 0], [53.2, 80.1, 67.2]),
            ([0, 0, 255], [32.3, 79.2, -107.9]),
        ] {
            let [lightness, a, b] = cie_lab(colour).map(f64::from);
            let back = [lightness / 655.35, a / 257.0 - 128.0, b / 257.0 - 128.0];
            let near = back.iter().zip(lab).all(|(found, wanted): (&f64, f64)| (found - wanted).abs() < 0.2);
            assert!(near, "{colour:?}: {back:?}");
        }
    }
}
