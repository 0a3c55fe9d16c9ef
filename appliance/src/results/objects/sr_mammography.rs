//! Marks on mammograms as a Mammography CAD report (PS3.16 TID 4000): images by their place in the report's own library, a
//! summary, an impression for each mark (4003 with a single image finding, 4006), and which detections ran on which images
//! and on which they failed (4015).
//!
//! Suspicion is the Certainty of Finding; the suggested level stands in a comment. The assessment category is a reader's
//! and never written; neither is a probability of cancer.

use dicom_dictionary_std::tags;

use super::dataset::{Code, DataSet};
use super::sr::statements;
use super::sr_items::{Node, Relation, circle, code, container, image_of, number, point, reference, text};
use super::subject::Subject;
use crate::store::finding::{Finding, FindingState};
use crate::store::marks::{FoundMark, LEVELS, MarkedView, MarksPart, NO_MARK};

const RENDERING: Code = Code("111056", "DCM", "Rendering Intent");
const REQUIRED: Code =
    Code("111150", "DCM", "Presentation Required: Rendering device is expected to present");
const COMMENT: Code = Code("121106", "DCM", "Comment");
const PERFORMED: Code = Code("111022", "DCM", "Detection Performed");
const CLUSTER: Code = Code("129769006", "SCT", "Calcification Cluster");
/// What CID 6014 calls a mass as long as one image alone has shown it.
const DENSITY: Code = Code("129793001", "SCT", "Mammography breast density");

/// The report of an examination. `nodes` are what every report begins with.
pub(super) fn root(subject: &Subject<'_>, mut nodes: Vec<Node>) -> Node {
    let finding = subject.finding;
    let report = Code("111036", "DCM", "Mammography CAD Report");
    let taken_back = matches!(finding.state, FindingState::Rejected | FindingState::Superseded);
    let Some(part) = &finding.marks else {
        return container(Relation::Contains, report, nodes);
    };
    // Content items are counted from 1 (PS3.3 C.17.3.2.5): the root is 1, the library the next child.
    let library = Library { at: u32::try_from(nodes.len() + 1).unwrap_or(0), part };
    nodes.push(library.container());
    nodes.push(overall(subject, &library, taken_back));
    nodes.push(detections(finding, &library, taken_back));
    let analyses = Code("111065", "DCM", "Summary of Analyses");
    nodes.push(code(Relation::Contains, analyses, Code("111225", "DCM", "Not Attempted")));
    container(Relation::Contains, report, nodes).by_template("4000")
}

/// Every image of the examination, in the order of the finding's views.
struct Library<'a> {
    /// Number of the library among the root's children.
    at: u32,
    part: &'a MarksPart,
}

impl Library<'_> {
    fn container(&self) -> Node {
        let entries = self.part.views.iter().map(entry).collect();
        container(Relation::Contains, Code("111028", "DCM", "Image Library"), entries)
    }

    /// Where an image's entry stands.
    fn place(&self, sop_instance: &str) -> Option<Vec<u32>> {
        let position = self.part.views.iter().position(|view| view.sop_instance_uid == sop_instance)?;
        Some(vec![1, self.at, u32::try_from(position + 1).ok()?])
    }

    /// References to the images that were judged, or to those that were not.
    fn images(&self, judged: bool) -> Vec<Node> {
        let chosen = self.part.views.iter().filter(|view| view.not_judged.is_none() == judged);
        let places = chosen.filter_map(|view| self.place(&view.sop_instance_uid));
        places.map(|place| reference(Relation::Properties, &place)).collect()
    }
}

/// TID 4020.
fn entry(view: &MarkedView) -> Node {
    let mut item = DataSet::new();
    item.set(tags::REFERENCED_SOP_CLASS_UID, view.sop_class_uid.as_str());
    item.set(tags::REFERENCED_SOP_INSTANCE_UID, view.sop_instance_uid.as_str());
    let acquired = Relation::Acquisition;
    let mut nodes = Vec::new();
    let mut words = view.view.split(' ');
    let side = match words.next() {
        Some("R") => Some(Code("73056007", "SCT", "Right breast")),
        Some("L") => Some(Code("80248007", "SCT", "Left breast")),
        _ => None,
    };
    let projection = match words.next() {
        Some("CC") => Some(Code("399162004", "SCT", "cranio-caudal")),
        Some("MLO") => Some(Code("399368009", "SCT", "medio-lateral oblique")),
        _ => None,
    };
    nodes.extend(side.map(|side| code(acquired, Code("111027", "DCM", "Image Laterality"), side)));
    nodes.extend(projection.map(|view| code(acquired, Code("111031", "DCM", "Image View"), view)));
    let names = [
        Code("111044", "DCM", "Patient Orientation Row"),
        Code("111043", "DCM", "Patient Orientation Column"),
    ];
    for (name, letters) in names.into_iter().zip(&view.patient_orientation) {
        if !letters.is_empty() {
            nodes.push(text(acquired, name, letters.clone()));
        }
    }
    image_of(item, nodes)
}

/// TID 4001: whether algorithms succeeded and found something, and all that a person must know before using it.
fn overall(subject: &Subject<'_>, library: &Library<'_>, taken_back: bool) -> Node {
    let part = library.part;
    let all = part.views.iter().all(|view| view.not_judged.is_none());
    let summary = match (taken_back, all, part.marks.is_empty()) {
        // Whoever reads marks by machine must find none in a report that takes them back.
        (true, ..) => Code("111245", "DCM", "No algorithms succeeded; without findings"),
        (false, true, false) => Code("111242", "DCM", "All algorithms succeeded; with findings"),
        (false, true, true) => Code("111241", "DCM", "All algorithms succeeded; without findings"),
        (false, false, false) => Code("111244", "DCM", "Not all algorithms succeeded; with findings"),
        (false, false, true) => Code("111243", "DCM", "Not all algorithms succeeded; without findings"),
    };
    let mut below: Vec<Node> = Vec::new();
    if !taken_back {
        below.extend(part.marks.iter().filter_map(|mark| impression(subject, library, mark)));
    }
    let mut said = statements(subject.finding);
    said.push(part.model.statement.clone());
    if part.marks.is_empty() && !taken_back {
        said.push(format!("{NO_MARK}: this says nothing about the examination"));
    }
    below.extend(said.into_iter().map(|words| text(Relation::Properties, COMMENT, words)));
    code(Relation::Contains, Code("111017", "DCM", "CAD Processing and Findings Summary"), summary)
        .with(below)
}

/// TID 4003: one mark, to be shown.
fn impression(subject: &Subject<'_>, library: &Library<'_>, mark: &FoundMark) -> Option<Node> {
    let place = library.place(&mark.sop_instance_uid)?;
    let nodes =
        vec![code(Relation::Concept, RENDERING, REQUIRED), single_image_finding(subject, mark, &place)];
    let name = Code("111034", "DCM", "Individual Impression/Recommendation");
    Some(container(Relation::Inferred, name, nodes))
}

/// TID 4006 with the geometry of TID 4021.
fn single_image_finding(subject: &Subject<'_>, mark: &FoundMark, place: &[u32]) -> Node {
    let properties = Relation::Properties;
    let mut nodes = vec![code(Relation::Concept, RENDERING, REQUIRED)];
    nodes.extend(algorithm(subject, Relation::Concept));
    let percent = Code("%", "UCUM", "Percent");
    let certainty =
        number(Code("111012", "DCM", "Certainty of Finding"), mark.suspicion_percent, percent, Vec::new());
    nodes.push(certainty.related(properties));
    let [column, row, _] = mark.center_px;
    nodes.push(point(Code("111010", "DCM", "Center"), [column, row], place));
    let rim = [column + mark.radius_px[0], row];
    nodes.push(circle(Code("111041", "DCM", "Outline"), [column, row], rim, place));
    let words = format!("mark {}, like a {}, {}: {LEVELS}", mark.number, mark.what, mark.level_words());
    nodes.push(text(properties, COMMENT, words));
    code(Relation::Contains, Code("111059", "DCM", "Single Image Finding"), kind(&mark.snomed)).with(nodes)
}

fn kind(snomed: &str) -> Code<'static> {
    match snomed {
        "129769006" => CLUSTER,
        "129788004" => DENSITY,
        _ => Code("111099", "DCM", "Selected region"),
    }
}

/// TID 4019: the program and the network, with the network's own words.
fn algorithm(subject: &Subject<'_>, relation: Relation) -> [Node; 3] {
    let algorithm = &subject.finding.algorithm;
    [
        text(relation, Code("111001", "DCM", "Algorithm Name"), algorithm.name.clone()),
        text(relation, Code("111003", "DCM", "Algorithm Version"), algorithm.version.clone()),
        text(relation, Code("111002", "DCM", "Algorithm Parameters"), subject.provenance()),
    ]
}

/// Which detections ran and on which images they did not (TID 4015, 4017).
fn detections(finding: &Finding, library: &Library<'_>, taken_back: bool) -> Node {
    let failed = library.part.views.iter().any(|view| view.not_judged.is_some());
    let status = match (taken_back, failed) {
        (true, _) => Code("111225", "DCM", "Not Attempted"),
        (false, true) => Code("111223", "DCM", "Partially Succeeded"),
        (false, false) => Code("111222", "DCM", "Succeeded"),
    };
    let mut below = Vec::new();
    if !taken_back {
        let groups = [
            (true, Code("111063", "DCM", "Successful Detections")),
            (false, Code("111025", "DCM", "Failed Detections")),
        ];
        for (judged, name) in groups {
            let images = library.images(judged);
            if !images.is_empty() {
                let each = [DENSITY, CLUSTER].map(|kind| performed(finding, kind, images.clone()));
                below.push(container(Relation::Inferred, name, each.to_vec()));
            }
        }
    }
    code(Relation::Contains, Code("111064", "DCM", "Summary of Detections"), status).with(below)
}

fn performed(finding: &Finding, kind: Code, images: Vec<Node>) -> Node {
    let algorithm = &finding.algorithm;
    let properties = Relation::Properties;
    let mut nodes = vec![
        text(properties, Code("111001", "DCM", "Algorithm Name"), algorithm.name.clone()),
        text(properties, Code("111003", "DCM", "Algorithm Version"), algorithm.version.clone()),
    ];
    nodes.extend(images);
    code(Relation::Contains, PERFORMED, kind).with(nodes)
}
