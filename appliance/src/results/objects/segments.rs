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

/// A recommended colour for every lesion: amber, as on the screen, in CIELab scaled to 16 bits (PS3.3 C.10.7.1.1).
const AMBER_CIELAB: [u16; 3] = [51_900, 36_200, 50_000];
const HEART: Code = Code("80891009", "SCT", "Heart");
pub(super) const LUNG: Code = Code("39607008", "SCT", "Lung");
pub(super) const NODULE: Code = Code("27925004", "SCT", "Nodule");
pub(super) const BRAIN: Code = Code("12738006", "SCT", "Brain");

/// One segment to be.
pub(super) struct Segment {
    pub label: String,
    pub description: String,
    /// Algorithm family (PS3.16 CID 7162).
    pub family: Code,
    pub category: Code,
    pub property: Code,
    /// Right or left, of what there are two.
    pub laterality: Option<Code>,
    pub anatomy: Code,
    pub cie_lab: [u16; 3],
    pub tracking_uid: String,
    /// Which images of the slices it was found on.
    pub moment: Moment,
    /// Row, first column and length, by slice.
    pub runs: BTreeMap<u32, Vec<[u32; 3]>>,
}

/// Lesions by their number: segment 1 is lesion 1.
pub(super) fn of_lesions(finding: &Finding) -> Vec<Segment> {
    finding.lesions.iter().map(|lesion| of_lesion(&finding.id, lesion)).collect()
}

fn of_lesion(id: &str, lesion: &Lesion) -> Segment {
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
    category: Code,
    property: Code,
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
pub(super) fn of_tissue(finding: &Finding, voxels: &Voxels<'_>) -> Vec<Segment> {
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
    pub property: Code,
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
pub(super) fn of_ventricle(finding: &Finding, part: &CardiacPart) -> Vec<Segment> {
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
pub(super) fn of_marks(subject: &Subject<'_>, part: &MarksPart) -> Vec<Segment> {
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

/// A structure on CT that becomes a segment; the body, fat and lean tissue are volumes only, they fill every slice.
pub(super) struct StructureSegment {
    /// In the finding's file.
    pub label: u8,
    pub name: &'static str,
    pub property: Code,
    pub laterality: Option<Code>,
    pub cie_lab: [u16; 3],
}

/// In the order of segment numbers.
pub(super) const STRUCTURE_SEGMENTS: [StructureSegment; 4] = [
    StructureSegment {
        label: 2,
        name: "Right lung",
        property: LUNG,
        laterality: Some(Code("24028007", "SCT", "Right")),
        cie_lab: [43_600, 33_300, 18_900],
    },
    StructureSegment {
        label: 3,
        name: "Left lung",
        property: LUNG,
        laterality: Some(Code("7771000", "SCT", "Left")),
        cie_lab: [54_000, 25_600, 29_300],
    },
    StructureSegment {
        label: 4,
        name: "Airway",
        property: AIRWAY,
        laterality: None,
        cie_lab: [57_000, 33_500, 47_800],
    },
    StructureSegment {
        label: 5,
        name: "Bone",
        property: BONE,
        laterality: None,
        cie_lab: [60_200, 32_600, 36_700],
    },
];

/// What a label of the finding's file is.
pub(super) fn structure_code(label: u8) -> Code {
    match label {
        2 | 3 => LUNG,
        4 => AIRWAY,
        5 => BONE,
        6 => Code("55603005", "SCT", "Fat"),
        7 => Code("87784001", "SCT", "Soft tissue"),
        _ => Code("38266002", "SCT", "Entire body"),
    }
}
