//! A ventricle as an Imaging Measurement Report (TID 1500): a measurement group for each part of it, with the segment it
//! was measured in, and one for its function. Numbers that are indexed by the body's surface say so by a modifier.

use super::dataset::Code;
use super::segments::{LEFT_VENTRICLE, MYOCARDIUM};
use super::sr::{Basis, statements};
use super::sr_calcium::{COMMENT, algorithm};
use super::sr_items::{Node, Relation, code, container, number, segment, text, uid};
use super::subject::Subject;
use crate::store::finding::FindingState;
use crate::store::own_objects::derived_uid;

const REPORT: Code = Code("126000", "DCM", "Imaging Measurement Report");
const MILLILITRE: Code = Code("mL", "UCUM", "milliliter");
const MILLILITRE_PER_M2: Code = Code("mL/m2", "UCUM", "milliliter per square meter");
const GRAM: Code = Code("g", "UCUM", "gram");
const GRAM_PER_M2: Code = Code("g/m2", "UCUM", "gram per square meter");
const MASS: Code = Code("118538004", "SCT", "Mass");
const EDV: Code = Code("8821-1", "LN", "Left Ventricular ED Volume");
const ESV: Code = Code("8823-7", "LN", "Left Ventricular ES Volume");

/// One measurement of the finding as the report codes it.
struct Coded {
    /// As the finding calls it.
    name: &'static str,
    concept: Code<'static>,
    unit: Code<'static>,
    indexed: bool,
}

const fn plain(name: &'static str, concept: Code<'static>, unit: Code<'static>) -> Coded {
    Coded { name, concept, unit, indexed: false }
}

const fn indexed(name: &'static str, concept: Code<'static>, unit: Code<'static>) -> Coded {
    Coded { name, concept, unit, indexed: true }
}

/// One measurement group.
struct Group {
    tracking: &'static str,
    site: Code<'static>,
    /// Number of the segment it was measured in.
    segment: Option<u32>,
    measured: &'static [Coded],
}

const GROUPS: [Group; 4] = [
    Group {
        tracking: "Cavity at end diastole",
        site: LEFT_VENTRICLE,
        segment: Some(1),
        measured: &[
            plain("End-diastolic volume", EDV, MILLILITRE),
            indexed("End-diastolic volume index", EDV, MILLILITRE_PER_M2),
        ],
    },
    Group {
        tracking: "Cavity at end systole",
        site: LEFT_VENTRICLE,
        segment: Some(3),
        measured: &[
            plain("End-systolic volume", ESV, MILLILITRE),
            indexed("End-systolic volume index", ESV, MILLILITRE_PER_M2),
        ],
    },
    Group {
        tracking: "Myocardium at end diastole",
        site: MYOCARDIUM,
        segment: Some(2),
        measured: &[
            plain("Myocardial mass", MASS, GRAM),
            indexed("Myocardial mass index", MASS, GRAM_PER_M2),
        ],
    },
    Group {
        tracking: "Function",
        site: LEFT_VENTRICLE,
        segment: None,
        measured: &[
            plain("Stroke volume", Code("90096001", "SCT", "Stroke Volume"), MILLILITRE),
            plain("Heart rate", Code("8867-4", "LN", "Heart rate"), Code("/min", "UCUM", "per minute")),
            plain(
                "Cardiac output",
                Code("82799009", "SCT", "Cardiac Output"),
                Code("L/min", "UCUM", "liter per minute"),
            ),
            plain(
                "Body surface (Mosteller)",
                Code("8277-6", "LN", "BSA"),
                Code("m2", "UCUM", "square meter"),
            ),
        ],
    },
];

/// The root, after the nodes that every report begins with.
pub(super) fn root(subject: &Subject<'_>, basis: &Basis, mut nodes: Vec<Node>) -> Node {
    nodes.push(code(Relation::Concept, Code("121058", "DCM", "Procedure Reported"), procedure(subject)));
    let finding = subject.finding;
    // Whoever reads numbers by machine must find none in a report that takes them back.
    if !matches!(finding.state, FindingState::Rejected | FindingState::Superseded) {
        let groups: Vec<Node> = GROUPS.iter().filter_map(|one| group(subject, basis, one)).collect();
        nodes.push(container(Relation::Contains, Code("126010", "DCM", "Imaging Measurements"), groups));
    }
    let said = statements(finding).into_iter().chain(finding.model().map(|model| model.statement.clone()));
    let said = said.map(|words| text(Relation::Contains, COMMENT, words)).collect();
    nodes.push(container(Relation::Contains, Code("C0034375", "UMLS", "Qualitative Evaluations"), said));
    container(Relation::Contains, REPORT, nodes)
}

fn is_mr(subject: &Subject<'_>) -> bool {
    subject.facts.modality == "MR"
}

fn procedure(subject: &Subject<'_>) -> Code<'static> {
    if is_mr(subject) {
        Code("241620005", "SCT", "Magnetic resonance imaging of heart")
    } else {
        Code("241547009", "SCT", "Cardiac CT")
    }
}

/// CID 3833: the code names the modality.
fn ejection_fraction(subject: &Subject<'_>) -> Coded {
    let concept = if is_mr(subject) {
        Code("8811-2", "LN", "Left ventricular ejection fraction by MR")
    } else {
        Code("8810-4", "LN", "Left ventricular ejection fraction by CT")
    };
    plain("Ejection fraction", concept, Code("%", "UCUM", "percent"))
}

/// `None` where nothing of it was measured.
fn group(subject: &Subject<'_>, basis: &Basis, group: &Group) -> Option<Node> {
    let mut measured: Vec<Node> = Vec::new();
    if group.segment.is_none() {
        measured.extend(measurement(subject, &ejection_fraction(subject)));
    }
    measured.extend(group.measured.iter().filter_map(|coded| measurement(subject, coded)));
    if measured.is_empty() {
        return None;
    }
    let tracking = derived_uid(&["ventricle group", &subject.finding.id, group.tracking]);
    let (concept, context) = (Relation::Concept, Relation::Context);
    let mut nodes = vec![
        text(context, Code("112039", "DCM", "Tracking Identifier"), group.tracking.to_owned()),
        uid(context, Code("112040", "DCM", "Tracking Unique Identifier"), tracking),
        code(concept, Code("363698007", "SCT", "Finding Site"), group.site),
    ];
    nodes.extend(algorithm(subject));
    nodes.extend(basis.segmentation.as_ref().zip(group.segment).map(|(uid, number)| segment(uid, number)));
    nodes.extend(measured);
    Some(container(Relation::Contains, Code("125007", "DCM", "Measurement Group"), nodes))
}

fn measurement(subject: &Subject<'_>, coded: &Coded) -> Option<Node> {
    let value = subject.finding.measurement(coded.name)?;
    let mut modifiers = Vec::new();
    if coded.indexed {
        let by = Code("8277-6", "LN", "BSA");
        modifiers.push(code(Relation::Concept, Code("121425", "DCM", "Index"), by));
    }
    Some(number(coded.concept, value, coded.unit, modifiers))
}
