//! The Comprehensive SR: content in the manner of TID 3900 (report), 3905 (calcium scoring) and 4019 (algorithm).
//!
//! No template is claimed in the object: rows a reader must fill (history, procedure) are not there. The scored
//! numbers come with their method, threshold and unit; each lesion names the slices it lies on and its segment. A
//! report of a rejected or superseded finding says so, names the report it takes back, and carries no number.

use dicom_dictionary_std::{tags, uids};

use super::dataset::{Code, DataSet};
use super::sr_items::{Node, Relation, code, container, image, number, segment, text, uid};
use super::subject::{MANUFACTURER, MODEL, Subject, cut, date_time};
use crate::store::finding::{Finding, FindingState, Lesion};
use crate::store::own_objects::{ResultKind, derived_uid};

const REPORT: Code = Code("122600", "DCM", "Cardiovascular Analysis Report");
const CALCIUM: Code = Code("122603", "DCM", "Calcium Scoring Analysis");
const SCORE: Code = Code("450360000", "SCT", "Coronary artery calcium score");
const VOLUME: Code = Code("122660", "DCM", "Calcium Volume");
const THRESHOLD: Code = Code("122657", "DCM", "Agatston Score Threshold");
const METHOD: Code = Code("370129005", "SCT", "Measurement Method");
const AGATSTON: Code = Code("112055", "DCM", "Agatston scoring method");
const VOLUME_METHOD: Code = Code("112056", "DCM", "Volume scoring method");
const COMMENT: Code = Code("121106", "DCM", "Comment");
const ONE: Code = Code("1", "UCUM", "no units");
const CUBIC_MM: Code = Code("mm3", "UCUM", "cubic millimeter");
const HOUNSFIELD: Code = Code("[hnsf'U]", "UCUM", "Hounsfield unit");

/// What a report stands on besides its images.
#[derive(Clone, Debug, Default)]
pub(super) struct Basis {
    /// SOP Instance UID of the segmentation, where there are lesions.
    pub segmentation: Option<String>,
    /// SOP Instance UID of the report this one takes the place of.
    pub predecessor: Option<String>,
}

pub(super) fn report(subject: &Subject<'_>, basis: &Basis) -> DataSet {
    let finding = subject.finding;
    let (part, number) = part(finding.state);
    let mut set = subject.begin(uids::COMPREHENSIVE_SR_STORAGE, ResultKind::StructuredReport, part, number);
    set.empty(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE);
    set.empty(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE);
    if finding.lesions_truncated {
        set.set(tags::COMPLETION_FLAG, "PARTIAL");
        let reason = "the list of lesions was cut; the sums count every lesion";
        set.set(tags::COMPLETION_FLAG_DESCRIPTION, reason);
    } else {
        set.set(tags::COMPLETION_FLAG, "COMPLETE");
    }
    verification(&mut set, subject);
    let items = basis.segmentation.iter().map(|uid| {
        let mut item = DataSet::new();
        item.set(tags::REFERENCED_SOP_CLASS_UID, uids::SEGMENTATION_STORAGE);
        item.set(tags::REFERENCED_SOP_INSTANCE_UID, uid.as_str());
        item
    });
    let sources = subject.source_instances().into_iter().map(|uid| subject.sop_item(uid));
    let mut series = vec![series_item(finding.series_uid.as_str(), sources.collect())];
    let own: Vec<DataSet> = items.collect();
    if !own.is_empty() {
        series.push(series_item(ResultKind::Segmentation.series(&finding.id).as_str(), own));
    }
    set.sequence(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, vec![study_item(finding, series)]);
    if let Some(predecessor) = &basis.predecessor {
        let mut item = DataSet::new();
        item.set(tags::REFERENCED_SOP_CLASS_UID, uids::COMPREHENSIVE_SR_STORAGE);
        item.set(tags::REFERENCED_SOP_INSTANCE_UID, predecessor.as_str());
        let series = series_item(ResultKind::StructuredReport.series(&finding.id).as_str(), vec![item]);
        set.sequence(tags::PREDECESSOR_DOCUMENTS_SEQUENCE, vec![study_item(finding, vec![series])]);
    }
    root(subject, basis).write_root(&mut set);
    set
}

/// Instance number and name of the report that states a finding in this state.
fn part(state: FindingState) -> (&'static str, u32) {
    match state {
        FindingState::Confirmed => ("confirmed", 2),
        FindingState::Rejected => ("rejected", 3),
        FindingState::Superseded => ("superseded", 4),
        _ => ("preliminary", 1),
    }
}

/// Only a reader's own verdict is verified; what the box says by itself is not.
fn verification(set: &mut DataSet, subject: &Subject<'_>) {
    let finding = subject.finding;
    let reviewed = matches!(finding.state, FindingState::Confirmed | FindingState::Rejected);
    set.set(tags::PRELIMINARY_FLAG, if reviewed { "FINAL" } else { "PRELIMINARY" });
    let (Some(reader), true) = (&finding.reviewer, reviewed) else {
        set.set(tags::VERIFICATION_FLAG, "UNVERIFIED");
        return;
    };
    set.set(tags::VERIFICATION_FLAG, "VERIFIED");
    let (date, time) = date_time(&subject.said_at);
    let mut observer = DataSet::new();
    observer.set(tags::VERIFYING_OBSERVER_NAME, cut(reader, 64));
    observer.empty(tags::VERIFYING_OBSERVER_IDENTIFICATION_CODE_SEQUENCE);
    observer.set(tags::VERIFYING_ORGANIZATION, cut(&subject.maker.site, 64));
    observer.set(tags::VERIFICATION_DATE_TIME, format!("{date}{time}+0000"));
    set.sequence(tags::VERIFYING_OBSERVER_SEQUENCE, vec![observer]);
}

fn study_item(finding: &Finding, series: Vec<DataSet>) -> DataSet {
    let mut item = DataSet::new();
    item.set(tags::STUDY_INSTANCE_UID, finding.study_uid.as_str());
    item.sequence(tags::REFERENCED_SERIES_SEQUENCE, series);
    item
}

fn series_item(series: &str, instances: Vec<DataSet>) -> DataSet {
    let mut item = DataSet::new();
    item.set(tags::SERIES_INSTANCE_UID, series);
    item.sequence(tags::REFERENCED_SOP_SEQUENCE, instances);
    item
}

fn root(subject: &Subject<'_>, basis: &Basis) -> Node {
    let english = Code("en", "RFC5646", "English");
    let mut nodes = vec![code(
        Relation::Concept,
        Code("121049", "DCM", "Language of Content Item and Descendants"),
        english,
    )];
    nodes.extend(observer(subject));
    nodes.push(calcium(subject, basis));
    container(Relation::Contains, REPORT, nodes)
}

/// TID 1004, the device as observer.
fn observer(subject: &Subject<'_>) -> [Node; 6] {
    let context = Relation::Context;
    [
        code(context, Code("121005", "DCM", "Observer Type"), Code("121007", "DCM", "Device")),
        uid(context, Code("121012", "DCM", "Device Observer UID"), subject.device_uid()),
        text(context, Code("121013", "DCM", "Device Observer Name"), subject.maker.device.clone()),
        text(context, Code("121014", "DCM", "Device Observer Manufacturer"), MANUFACTURER.into()),
        text(context, Code("121015", "DCM", "Device Observer Model Name"), MODEL.into()),
        text(context, Code("121016", "DCM", "Device Observer Serial Number"), subject.maker.device.clone()),
    ]
}

fn calcium(subject: &Subject<'_>, basis: &Basis) -> Node {
    let finding = subject.finding;
    let mut nodes = algorithm(subject);
    nodes.extend(statements(finding).into_iter().map(|words| text(Relation::Contains, COMMENT, words)));
    if withdrawn(finding.state) {
        // Whoever reads numbers by machine must find none in a report that takes them back.
        return container(Relation::Contains, CALCIUM, nodes);
    }
    // The threshold and weights are Agatston's own (kernels, Protocol::AGATSTON); no other is offered.
    nodes.push(number(THRESHOLD, 130.0, HOUNSFIELD, Vec::new()));
    let method = |method| vec![code(Relation::Concept, METHOD, method)];
    if let Some(score) = finding.measurement("Agatston score") {
        nodes.push(number(SCORE, score, ONE, method(AGATSTON)));
    }
    if let Some(volume) = finding.measurement("Volume") {
        nodes.push(number(VOLUME, volume, CUBIC_MM, method(VOLUME_METHOD)));
    }
    nodes.extend(finding.lesions.iter().map(|found| lesion(subject, basis, found)));
    container(Relation::Contains, CALCIUM, nodes)
}

fn withdrawn(state: FindingState) -> bool {
    matches!(state, FindingState::Rejected | FindingState::Superseded)
}

/// TID 4019.
fn algorithm(subject: &Subject<'_>) -> Vec<Node> {
    let algorithm = &subject.finding.algorithm;
    let concept = Relation::Concept;
    vec![
        text(concept, Code("111001", "DCM", "Algorithm Name"), algorithm.name.clone()),
        text(concept, Code("111003", "DCM", "Algorithm Version"), algorithm.version.clone()),
        text(concept, Code("111002", "DCM", "Algorithm Parameters"), subject.provenance()),
    ]
}

/// Everything a person must know before using the numbers, a sentence each.
pub(super) fn statements(finding: &Finding) -> Vec<String> {
    let mut said = vec![finding.label.clone()];
    match finding.state {
        FindingState::Confirmed => said.push("A reader has confirmed this result.".into()),
        FindingState::Rejected => {
            said.push("REJECTED by a reader: do not use the numbers of the report before.".into());
        }
        FindingState::Superseded => {
            let reason = finding.superseded_reason.as_deref().unwrap_or("a newer result took its place");
            said.push(format!("SUPERSEDED: do not use the numbers of the report before. {reason}"));
        }
        _ => said.push("Computed without a person and not reviewed; not for diagnosis.".into()),
    }
    if let Some(category) = &finding.category {
        let provisional = if category.provisional { " (provisional)" } else { "" };
        said.push(format!("{} {}{provisional}", category.scheme, category.text));
    }
    said.extend(finding.warnings.iter().map(|warning| format!("Warning: {}", warning.text)));
    said.extend(finding.reason.clone());
    said
}

fn lesion(subject: &Subject<'_>, basis: &Basis, lesion: &Lesion) -> Node {
    let tracking = derived_uid(&["lesion", &subject.finding.id, &lesion.number.to_string()]);
    let concept = Relation::Concept;
    let name = Code("112039", "DCM", "Tracking Identifier");
    let mut nodes = vec![
        text(concept, name, format!("Lesion {}", lesion.number)),
        uid(concept, Code("112040", "DCM", "Tracking Unique Identifier"), tracking),
        code(
            Relation::Contains,
            Code("121071", "DCM", "Finding"),
            Code("18115005", "SCT", "Pathologic calcification, calcified structure"),
        ),
    ];
    nodes.extend(basis.segmentation.iter().map(|uid| segment(uid, lesion.number)));
    let mut slices: Vec<u32> = lesion.slices.iter().map(|slice| slice.slice).collect();
    slices.dedup();
    let images = || slices.iter().filter_map(|slice| subject.frame(*slice));
    nodes.extend(images().map(|frame| image(Relation::Contains, subject.image_item(frame))));
    let method = |method| vec![code(concept, METHOD, method)];
    nodes.push(number(SCORE, lesion.agatston, ONE, method(AGATSTON)));
    nodes.push(number(VOLUME, lesion.volume_mm3, CUBIC_MM, method(VOLUME_METHOD)));
    let maximum = Code("56851009", "SCT", "Maximum");
    let peak = vec![code(concept, Code("121401", "DCM", "Derivation"), maximum)];
    let attenuation = Code("112031", "DCM", "Attenuation Coefficient");
    nodes.push(number(attenuation, f64::from(lesion.peak_hu), HOUNSFIELD, peak));
    container(Relation::Contains, Code("125007", "DCM", "Measurement Group"), nodes)
}
