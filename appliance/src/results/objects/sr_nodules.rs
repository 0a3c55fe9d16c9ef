//! Marks in a chest as an Imaging Measurement Report (TID 1500): a measurement group for each, with the segment that shows
//! where it is. The segment is a ball of the network's estimate, not an outline.

use super::dataset::Code;
use super::segments::{LUNG, NODULE};
use super::sr::{Basis, statements};
use super::sr_calcium::{COMMENT, algorithm};
use super::sr_items::{Node, Relation, code, container, image, number, segment, text, uid};
use super::subject::Subject;
use crate::store::finding::FindingState;
use crate::store::marks::{FoundMark, LEVELS, NO_MARK};
use crate::store::own_objects::derived_uid;

const REPORT: Code = Code("126000", "DCM", "Imaging Measurement Report");

/// The root, after the nodes that every report begins with.
pub(super) fn root(subject: &Subject<'_>, basis: &Basis, mut nodes: Vec<Node>) -> Node {
    let finding = subject.finding;
    let procedure = Code("169069000", "SCT", "CT of chest");
    nodes.push(code(Relation::Concept, Code("121058", "DCM", "Procedure Reported"), procedure));
    let marks = finding.marks.iter().flat_map(|part| &part.marks);
    let mut said = statements(finding);
    said.extend(finding.model().map(|model| model.statement.clone()));
    // Whoever reads marks by machine must find none in a report that takes them back.
    if !matches!(finding.state, FindingState::Rejected | FindingState::Superseded) {
        let groups: Vec<Node> = marks.map(|mark| group(subject, basis, mark)).collect();
        if groups.is_empty() {
            said.push(format!("{NO_MARK}: this says nothing about the lungs"));
        } else {
            nodes.push(container(Relation::Contains, Code("126010", "DCM", "Imaging Measurements"), groups));
        }
    }
    let said = said.into_iter().map(|words| text(Relation::Contains, COMMENT, words)).collect();
    nodes.push(container(Relation::Contains, Code("C0034375", "UMLS", "Qualitative Evaluations"), said));
    container(Relation::Contains, REPORT, nodes)
}

fn group(subject: &Subject<'_>, basis: &Basis, mark: &FoundMark) -> Node {
    let tracking = derived_uid(&["mark", &subject.finding.id, &mark.number.to_string()]);
    let (concept, context, contains) = (Relation::Concept, Relation::Context, Relation::Contains);
    let mut nodes = vec![
        text(context, Code("112039", "DCM", "Tracking Identifier"), format!("Mark {}", mark.number)),
        uid(context, Code("112040", "DCM", "Tracking Unique Identifier"), tracking),
        code(contains, Code("121071", "DCM", "Finding"), NODULE),
        code(concept, Code("363698007", "SCT", "Finding Site"), LUNG),
    ];
    nodes.extend(algorithm(subject));
    match &basis.segmentation {
        Some(uid) => nodes.push(segment(uid, mark.number)),
        None => {
            let frames = &subject.stack.frames;
            let frame = frames.iter().find(|frame| frame.sop_instance_uid == mark.sop_instance_uid);
            nodes.extend(frame.map(|frame| image(contains, subject.image_item(frame))));
        }
    }
    let millimetre = Code("mm", "UCUM", "millimeter");
    nodes.push(number(Code("81827009", "SCT", "Diameter"), mark.diameter_mm, millimetre, Vec::new()));
    let certainty = Code("111012", "DCM", "Certainty of Finding");
    nodes.push(number(certainty, mark.suspicion_percent, Code("%", "UCUM", "Percent"), Vec::new()));
    nodes.push(text(contains, COMMENT, format!("{}: {LEVELS}", mark.level_words())));
    container(contains, Code("125007", "DCM", "Measurement Group"), nodes)
}
