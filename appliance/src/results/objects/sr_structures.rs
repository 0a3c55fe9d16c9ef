//! Structures as an Imaging Measurement Report (TID 1500): a measurement group with the volume of each, and its segment
//! where it has one.

use super::dataset::Code;
use super::segments::{structure_code, structure_segments};
use super::sr::{Basis, statements};
use super::sr_calcium::{COMMENT, algorithm};
use super::sr_items::{Node, Relation, code, container, number, segment, text, uid};
use super::subject::Subject;
use crate::store::finding::{FindingState, Scope};
use crate::store::own_objects::derived_uid;
use crate::store::structures::{FoundStructure, StructuresPart};

const REPORT: Code = Code("126000", "DCM", "Imaging Measurement Report");
const VOLUME: Code = Code("118565006", "SCT", "Volume");
const MILLILITRE: Code = Code("mL", "UCUM", "milliliter");

/// The root, after the nodes that every report begins with.
pub(super) fn root(subject: &Subject<'_>, basis: &Basis, mut nodes: Vec<Node>) -> Node {
    let finding = subject.finding;
    let procedure = match subject.facts.modality.as_str() {
        "MR" => Code("113091000", "SCT", "Magnetic resonance imaging"),
        _ => Code("77477000", "SCT", "Computed tomography"),
    };
    nodes.push(code(Relation::Concept, Code("121058", "DCM", "Procedure Reported"), procedure));
    // Whoever reads numbers by machine must find none in a report that takes them back.
    let holds = !matches!(finding.state, FindingState::Rejected | FindingState::Superseded);
    if let (Some(part), true) = (&finding.structures, holds) {
        let groups = part.found.iter().map(|found| group(subject, basis, part, found)).collect();
        nodes.push(container(Relation::Contains, Code("126010", "DCM", "Imaging Measurements"), groups));
    }
    let mut said = statements(finding);
    said.extend(finding.model().map(|model| model.statement.clone()));
    if let Scope::Automatic { rule } = &finding.scope {
        said.push(rule.clone());
    }
    let said = said.into_iter().map(|words| text(Relation::Contains, COMMENT, words)).collect();
    nodes.push(container(Relation::Contains, Code("C0034375", "UMLS", "Qualitative Evaluations"), said));
    container(Relation::Contains, REPORT, nodes)
}

fn group(subject: &Subject<'_>, basis: &Basis, part: &StructuresPart, found: &FoundStructure) -> Node {
    let tracking = derived_uid(&["structure group", &subject.finding.id, &found.name]);
    let (concept, context) = (Relation::Concept, Relation::Context);
    let mut nodes = vec![
        text(context, Code("112039", "DCM", "Tracking Identifier"), found.name.clone()),
        uid(context, Code("112040", "DCM", "Tracking Unique Identifier"), tracking),
        code(concept, Code("363698007", "SCT", "Finding Site"), structure_code(found)),
    ];
    nodes.extend(algorithm(subject));
    let number_of = structure_segments(part).iter().position(|segment| segment.label == found.label);
    let number_of = number_of.and_then(|index| u32::try_from(index + 1).ok());
    nodes.extend(basis.segmentation.as_ref().zip(number_of).map(|(uid, number)| segment(uid, number)));
    nodes.push(number(VOLUME, found.volume_ml, MILLILITRE, Vec::new()));
    container(Relation::Contains, Code("125007", "DCM", "Measurement Group"), nodes)
}
