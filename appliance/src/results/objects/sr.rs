//! The Comprehensive SR: TID 3900 (report), 3905 (calcium scoring) and 4019 (algorithm), or TID 1500. What it says of
//! calcium, perfusion and a ventricle is in `sr_calcium.rs`, `sr_perfusion.rs` and `sr_cardiac.rs`. A report of a rejected or superseded finding says so, names the report it takes back, and carries
//! no number.

use dicom_dictionary_std::{tags, uids};

use super::dataset::{Code, DataSet};
use super::sr_calcium::calcium;
use super::sr_items::{Node, Relation, code, container, text, uid};
use super::subject::{MANUFACTURER, MODEL, Subject, cut, date_time};
use super::{sr_cardiac, sr_mammography, sr_nodules, sr_perfusion, sr_structures};
use crate::store::finding::{Finding, FindingKind, FindingState, Scope};
use crate::store::own_objects::{ResultKind, stating};

const REPORT: Code = Code("122600", "DCM", "Cardiovascular Analysis Report");

/// What a report stands on besides its images.
#[derive(Clone, Debug, Default)]
pub(super) struct Basis {
    /// SOP Instance UID of the segmentation, where there are lesions.
    pub segmentation: Option<String>,
    /// SOP Instance UID of the report this one takes the place of.
    pub predecessor: Option<String>,
    /// Instance number: grows from report to report.
    pub number: u32,
}

pub(super) fn report(subject: &Subject<'_>, basis: &Basis) -> DataSet {
    let finding = subject.finding;
    let part = stating(finding.state, finding.revision);
    let kind = ResultKind::StructuredReport;
    let mut set = subject.begin(class(finding.kind), kind, &part, basis.number);
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
    let mut series = sources(subject);
    let own: Vec<DataSet> = items.collect();
    if !own.is_empty() {
        series.push(series_item(ResultKind::Segmentation.series(&finding.id).as_str(), own));
    }
    set.sequence(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, vec![study_item(finding, series)]);
    if let Some(predecessor) = &basis.predecessor {
        let mut item = DataSet::new();
        item.set(tags::REFERENCED_SOP_CLASS_UID, class(finding.kind));
        item.set(tags::REFERENCED_SOP_INSTANCE_UID, predecessor.as_str());
        let series = series_item(ResultKind::StructuredReport.series(&finding.id).as_str(), vec![item]);
        set.sequence(tags::PREDECESSOR_DOCUMENTS_SEQUENCE, vec![study_item(finding, vec![series])]);
    }
    root(subject, basis).write_root(&mut set);
    set
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

fn class(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Mammography => uids::MAMMOGRAPHY_CADSR_STORAGE,
        _ => uids::COMPREHENSIVE_SR_STORAGE,
    }
}

/// The images a report rests on, series by series. Views of an examination may lie in several, of two classes.
fn sources(subject: &Subject<'_>) -> Vec<DataSet> {
    let finding = subject.finding;
    let views = match (finding.kind, &finding.marks) {
        (FindingKind::Mammography, Some(part)) => &part.views,
        _ => {
            let items = subject.source_instances().into_iter().map(|uid| subject.sop_item(uid));
            return vec![series_item(finding.series_uid.as_str(), items.collect())];
        }
    };
    let mut series: Vec<(&str, Vec<DataSet>)> = Vec::new();
    for view in views {
        let mut item = DataSet::new();
        item.set(tags::REFERENCED_SOP_CLASS_UID, view.sop_class_uid.as_str());
        item.set(tags::REFERENCED_SOP_INSTANCE_UID, view.sop_instance_uid.as_str());
        match series.iter_mut().find(|(uid, _)| *uid == view.series_uid) {
            Some((_, items)) => items.push(item),
            None => series.push((&view.series_uid, vec![item])),
        }
    }
    series.into_iter().map(|(uid, items)| series_item(uid, items)).collect()
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
    if subject.finding.kind == FindingKind::Calcium {
        let procedure = Code("426005005", "SCT", "Cardiac CT for calcium scoring");
        nodes.push(code(Relation::Concept, Code("121058", "DCM", "Procedure reported"), procedure));
    }
    nodes.extend(observer(subject));
    match subject.finding.kind {
        FindingKind::Perfusion => sr_perfusion::root(subject, basis, nodes).by_template("1500"),
        FindingKind::Structures | FindingKind::Segmentation => {
            sr_structures::root(subject, basis, nodes).by_template("1500")
        }
        FindingKind::Cardiac => sr_cardiac::root(subject, basis, nodes).by_template("1500"),
        FindingKind::Mammography => sr_mammography::root(subject, nodes),
        FindingKind::Nodules => sr_nodules::root(subject, basis, nodes).by_template("1500"),
        FindingKind::Calcium => {
            nodes.push(calcium(subject, basis));
            container(Relation::Contains, REPORT, nodes).by_template("3900")
        }
    }
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
        _ => said.push(origin(finding)),
    }
    if let Some(category) = &finding.category {
        said.push(format!("{} {}{}", category.scheme, category.text, provisional(category.provisional)));
    }
    if let Some(drs) = finding.calcium.as_ref().and_then(|calcium| calcium.cac_drs.as_ref()) {
        said.push(format!("CAC-DRS {}{}", drs.words(), provisional(drs.provisional)));
    }
    said.extend(finding.warnings.iter().map(|warning| format!("Warning: {}", warning.text)));
    said.extend(finding.reason.clone());
    said
}

fn origin(finding: &Finding) -> String {
    match &finding.scope {
        Scope::Automatic { .. } => "Computed without a person and not confirmed; not for diagnosis.".into(),
        Scope::Region { reader, .. } => {
            format!("Measured in a region drawn by {reader} and not confirmed; not for diagnosis.")
        }
        Scope::Edited { reader, .. } => {
            format!("Measured from contours changed by {reader} and not confirmed; not for diagnosis.")
        }
        Scope::Chosen { reader, .. } => {
            format!(
                "Computed with inlets or a method chosen by {reader} and not confirmed; not for diagnosis."
            )
        }
    }
}

fn provisional(provisional: bool) -> &'static str {
    if provisional { " (provisional)" } else { "" }
}
