//! Calcium in the report (TID 3905): the sums, the coronary arteries, each lesion.
//!
//! Every score, volume and mass names its method and its place: the sum the coronary arteries, a part one of them (CID
//! 3015). Calcium of the aorta, a valve or elsewhere is listed with volume and peak, and is never called a coronary
//! score. Each lesion names the slices it lies on, its segment, and who said where it lies.

use super::dataset::Code;
use super::sr::{Basis, statements};
use super::sr_items::{Node, Relation, code, container, image, number, segment, text, uid};
use super::subject::Subject;
use crate::store::calcium::{Calcium, MASS, Sum, VOLUME, Vessel};
use crate::store::finding::{FindingState, Lesion};
use crate::store::own_objects::derived_uid;

const CALCIUM: Code = Code("122603", "DCM", "Calcium Scoring Analysis");
const SCORE: Code = Code("450360000", "SCT", "Coronary artery calcium score");
const CALCIUM_VOLUME: Code = Code("122660", "DCM", "Calcium Volume");
const CALCIUM_MASS: Code = Code("122661", "DCM", "Calcium Mass");
const THRESHOLD: Code = Code("122657", "DCM", "Agatston Score Threshold");
const MASS_THRESHOLD: Code = Code("122658", "DCM", "Calcium Mass Threshold");
const CALIBRATION: Code = Code("122659", "DCM", "Calcium Scoring Calibration");
const METHOD: Code = Code("370129005", "SCT", "Measurement Method");
const AGATSTON: Code = Code("112055", "DCM", "Agatston scoring method");
const VOLUME_METHOD: Code = Code("112056", "DCM", "Volume scoring method");
const MASS_METHOD: Code = Code("112057", "DCM", "Mass scoring method");
const FINDING_SITE: Code = Code("363698007", "SCT", "Finding Site");
const CORONARY: Code = Code("41801008", "SCT", "Coronary artery");
pub(super) const COMMENT: Code = Code("121106", "DCM", "Comment");
pub(super) const ONE: Code = Code("1", "UCUM", "no units");
const CUBIC_MM: Code = Code("mm3", "UCUM", "cubic millimeter");
const MILLIGRAM: Code = Code("mg", "UCUM", "milligram");
const HOUNSFIELD: Code = Code("[hnsf'U]", "UCUM", "Hounsfield unit");

pub(super) fn calcium(subject: &Subject<'_>, basis: &Basis) -> Node {
    let finding = subject.finding;
    let mut nodes = algorithm(subject);
    nodes.extend(statements(finding).into_iter().map(comment));
    if matches!(finding.state, FindingState::Rejected | FindingState::Superseded) {
        // Whoever reads numbers by machine must find none in a report that takes them back.
        return container(Relation::Contains, CALCIUM, nodes).by_template("3905");
    }
    if let Some(calcium) = &finding.calcium {
        nodes.extend(conditions(calcium));
        let total = Sum {
            lesions: 0,
            agatston: finding.measurement(crate::store::calcium::AGATSTON).unwrap_or_default(),
            volume_mm3: finding.measurement(VOLUME).unwrap_or_default(),
            mass_mg: finding.measurement(MASS),
        };
        nodes.extend(sum(&total, CORONARY));
        for part in calcium.vessels.iter().filter(|part| part.vessel.is_coronary()) {
            nodes.extend(sum(&part.sum, site(part.vessel)));
        }
    }
    nodes.extend(finding.lesions.iter().map(|found| lesion(subject, basis, found)));
    container(Relation::Contains, CALCIUM, nodes).by_template("3905")
}

fn comment(words: String) -> Node {
    text(Relation::Contains, COMMENT, words)
}

/// Thresholds and calibration, with where they come from.
fn conditions(calcium: &Calcium) -> Vec<Node> {
    let threshold = f64::from(calcium.scoring.starts_hu[0]);
    let mut nodes = vec![
        comment(calcium.scoring.method.clone()),
        number(THRESHOLD, threshold, HOUNSFIELD, Vec::new()),
        text(Relation::Contains, CALIBRATION, calcium.mass.source.clone()),
    ];
    if calcium.mass.mg_per_cm3_hu.is_some() {
        nodes.push(number(MASS_THRESHOLD, threshold, HOUNSFIELD, Vec::new()));
    }
    nodes
}

/// Score, volume and, where calibrated, mass of one place.
fn sum(sum: &Sum, place: Code) -> Vec<Node> {
    let mut nodes = vec![
        number(SCORE, sum.agatston, ONE, by(AGATSTON, place)),
        number(CALCIUM_VOLUME, sum.volume_mm3, CUBIC_MM, by(VOLUME_METHOD, place)),
    ];
    nodes.extend(sum.mass_mg.map(|mg| number(CALCIUM_MASS, mg, MILLIGRAM, by(MASS_METHOD, place))));
    nodes
}

fn by(method: Code, place: Code) -> Vec<Node> {
    vec![code(Relation::Concept, METHOD, method), code(Relation::Concept, FINDING_SITE, place)]
}

/// CID 3015 for the arteries. No code of the standard means "a valve, whichever" or "elsewhere": there the heart it
/// is, and the words beside say which.
fn site(vessel: Vessel) -> Code<'static> {
    match vessel {
        Vessel::Lm => Code("3227004", "SCT", "Left Main Coronary Artery"),
        Vessel::Lad => Code("59438005", "SCT", "Left Anterior Descending Coronary Artery"),
        Vessel::Lcx => Code("57396003", "SCT", "Circumflex Coronary Artery"),
        Vessel::Rca => Code("13647002", "SCT", "Right Coronary Artery"),
        Vessel::Aorta => Code("15825003", "SCT", "Aorta"),
        Vessel::Valve | Vessel::Other => Code("80891009", "SCT", "Heart"),
    }
}

/// TID 4019.
pub(super) fn algorithm(subject: &Subject<'_>) -> Vec<Node> {
    let algorithm = &subject.finding.algorithm;
    let concept = Relation::Concept;
    vec![
        text(concept, Code("111001", "DCM", "Algorithm Name"), algorithm.name.clone()),
        text(concept, Code("111003", "DCM", "Algorithm Version"), algorithm.version.clone()),
        text(concept, Code("111002", "DCM", "Algorithm Parameters"), subject.provenance()),
    ]
}

fn lesion(subject: &Subject<'_>, basis: &Basis, lesion: &Lesion) -> Node {
    let tracking = derived_uid(&["lesion", &subject.finding.id, &lesion.number.to_string()]);
    let concept = Relation::Concept;
    let name = Code("112039", "DCM", "Tracking Identifier");
    let mut nodes = vec![
        text(concept, name, format!("Lesion {}", lesion.number)),
        uid(concept, Code("112040", "DCM", "Tracking Unique Identifier"), tracking),
    ];
    nodes.extend(lesion.vessel.map(|vessel| code(concept, FINDING_SITE, site(vessel))));
    nodes.push(code(
        Relation::Contains,
        Code("121071", "DCM", "Finding"),
        Code("18115005", "SCT", "Pathologic calcification, calcified structure"),
    ));
    nodes.extend(place_words(lesion).map(comment));
    nodes.extend(basis.segmentation.iter().map(|uid| segment(uid, lesion.number)));
    let mut slices: Vec<u32> = lesion.slices.iter().map(|slice| slice.slice).collect();
    slices.dedup();
    let images = || slices.iter().filter_map(|slice| subject.frame(*slice));
    nodes.extend(images().map(|frame| image(Relation::Contains, subject.image_item(frame))));
    nodes.extend(lesion_numbers(lesion));
    container(Relation::Contains, Code("125007", "DCM", "Measurement Group"), nodes)
}

fn lesion_numbers(lesion: &Lesion) -> Vec<Node> {
    let method = |method| vec![code(Relation::Concept, METHOD, method)];
    let mut nodes = Vec::new();
    if lesion.vessel.is_none_or(Vessel::is_coronary) {
        nodes.push(number(SCORE, lesion.agatston, ONE, method(AGATSTON)));
    }
    nodes.push(number(CALCIUM_VOLUME, lesion.volume_mm3, CUBIC_MM, method(VOLUME_METHOD)));
    nodes.extend(lesion.mass_mg.map(|mg| number(CALCIUM_MASS, mg, MILLIGRAM, method(MASS_METHOD))));
    let maximum = Code("56851009", "SCT", "Maximum");
    let peak = vec![code(Relation::Concept, Code("121401", "DCM", "Derivation"), maximum)];
    let attenuation = Code("112031", "DCM", "Attenuation Coefficient");
    nodes.push(number(attenuation, f64::from(lesion.peak_hu), HOUNSFIELD, peak));
    nodes
}

/// Who says where it lies, or that nobody does.
fn place_words(lesion: &Lesion) -> Option<String> {
    let not_counted = |vessel: Vessel| if vessel.is_coronary() { "" } else { ", not counted" };
    match (lesion.vessel, &lesion.assigned_by, lesion.proposed) {
        (Some(vessel), Some(reader), _) => {
            let at = lesion.assigned_at.as_deref().unwrap_or_default();
            Some(format!("Assigned to {}{} by {reader}, {at}", vessel.name(), not_counted(vessel)))
        }
        (None, _, Some(vessel)) => {
            let or: Vec<&str> = lesion.proposed_or.iter().map(|vessel| vessel.name()).collect();
            let or = if or.is_empty() { String::new() } else { format!(" (or {})", or.join(", ")) };
            Some(format!("Proposed by its position alone: {}{or}. No reader has assigned it.", vessel.name()))
        }
        _ => None,
    }
}
