//! Perfusion as an Imaging Measurement Report (TID 1500): a measurement group for each volume, in the manner of TID
//! 1411, with the segment it was measured in.

use super::dataset::Code;
use super::segments::{BRAIN, PERFUSION_SEGMENTS};
use super::sr::{Basis, statements};
use super::sr_calcium::{COMMENT, ONE, algorithm};
use super::sr_items::{Node, Relation, code, container, number, segment, text, uid};
use super::subject::Subject;
use crate::store::finding::FindingState;
use crate::store::own_objects::derived_uid;
use crate::store::perfusion::{PerfusionPart, STATEMENT, TissueBit};

const REPORT: Code = Code("126000", "DCM", "Imaging Measurement Report");
const VOLUME: Code = Code("118565006", "SCT", "Volume");
const RATIO: Code = Code("118586006", "SCT", "Ratio");
const MILLILITRE: Code = Code("mL", "UCUM", "milliliter");

/// The root, after the nodes that every report begins with.
pub(super) fn root(subject: &Subject<'_>, basis: &Basis, mut nodes: Vec<Node>) -> Node {
    let procedure = Code("77477000", "SCT", "Computed tomography");
    nodes.push(code(Relation::Concept, Code("121058", "DCM", "Procedure Reported"), procedure));
    let groups = match &subject.finding.perfusion {
        // Whoever reads numbers by machine must find none in a report that takes them back.
        Some(part) if !matches!(subject.finding.state, FindingState::Rejected | FindingState::Superseded) => {
            groups(subject, basis, part)
        }
        _ => Vec::new(),
    };
    if !groups.is_empty() {
        nodes.push(container(Relation::Contains, Code("126010", "DCM", "Imaging Measurements"), groups));
    }
    let mut said = statements(subject.finding);
    if !said.iter().any(|words| words.contains(STATEMENT)) {
        said.push(STATEMENT.into());
    }
    said.extend(subject.finding.perfusion.iter().flat_map(|part| part.parameters.iter().cloned()));
    let said = said.into_iter().map(|words| text(Relation::Contains, COMMENT, words)).collect();
    nodes.push(container(Relation::Contains, Code("C0034375", "UMLS", "Qualitative Evaluations"), said));
    container(Relation::Contains, REPORT, nodes)
}

fn groups(subject: &Subject<'_>, basis: &Basis, part: &PerfusionPart) -> Vec<Node> {
    let Some(volumes) = &part.volumes else { return Vec::new() };
    let reference = format!("{}; {}", volumes.core_rule, volumes.reference);
    let core = vec![number(VOLUME, volumes.core_ml, MILLILITRE, Vec::new())];
    let late = vec![number(VOLUME, volumes.hypoperfused_ml, MILLILITRE, Vec::new())];
    let mut mismatch = vec![number(VOLUME, volumes.mismatch_ml, MILLILITRE, Vec::new())];
    mismatch.extend(volumes.ratio.map(|ratio| number(RATIO, ratio, ONE, Vec::new())));
    let difference = "Hypoperfused volume less core volume; ratio of hypoperfused to core".to_owned();
    vec![
        group(subject, basis, "Core", Some(TissueBit::Core), reference, core),
        group(
            subject,
            basis,
            "Hypoperfused",
            Some(TissueBit::Hypoperfused),
            volumes.hypoperfused_rule.clone(),
            late,
        ),
        group(subject, basis, "Mismatch", None, difference, mismatch),
    ]
}

fn group(
    subject: &Subject<'_>,
    basis: &Basis,
    name: &str,
    bit: Option<TissueBit>,
    rule: String,
    measured: Vec<Node>,
) -> Node {
    let tracking = derived_uid(&["perfusion", &subject.finding.id, name]);
    let concept = Relation::Concept;
    let context = Relation::Context;
    let mut nodes = vec![
        text(context, Code("112039", "DCM", "Tracking Identifier"), name.to_owned()),
        uid(context, Code("112040", "DCM", "Tracking Unique Identifier"), tracking),
        code(concept, Code("363698007", "SCT", "Finding Site"), BRAIN),
    ];
    nodes.extend(algorithm(subject));
    let number = bit.and_then(|bit| PERFUSION_SEGMENTS.iter().position(|segment| segment.bit == bit));
    let number = number.and_then(|index| u32::try_from(index + 1).ok());
    nodes.extend(basis.segmentation.as_ref().zip(number).map(|(uid, number)| segment(uid, number)));
    nodes.extend(measured);
    nodes.push(text(Relation::Contains, COMMENT, rule));
    container(Relation::Contains, Code("125007", "DCM", "Measurement Group"), nodes)
}
