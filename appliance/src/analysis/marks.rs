//! What every detection network's findings share: the network's name, its marks as numbers and words.

use serde::{Deserialize, Serialize};
use sidelight_models::manifest::Detection;
use sidelight_models::{Found, Manifest, Mark, Model};

use crate::store::cardiac::ModelUsed;
use crate::store::finding::{Finding, Measurement, Warning};
use crate::store::marks::{FoundMark, HIGHEST, HeatGrid, LEVELS, MARKS, MarksPart};

pub(super) fn used(model: &Model) -> ModelUsed {
    let manifest = model.manifest();
    ModelUsed {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        sha256: manifest.network.sha256.clone(),
        provider: model.provider().name().to_owned(),
        statement: manifest.statement.clone(),
        manifest_sha256: manifest.sha256.clone(),
        from_cache: false,
    }
}

/// What a detection network said of one plane or volume, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptMarks {
    marks: Vec<KeptMark>,
    /// Of the hottest place, a mark or not; 0 to 1.
    pub highest: f32,
    pub heat: Option<HeatGrid>,
}

/// A mark whose lengths are kept as the bits they are: decimal text would move them by a hair.
#[derive(Debug, Serialize, Deserialize)]
struct KeptMark {
    suspicion: f32,
    class: u8,
    at: [u64; 3],
    radius_mm: u64,
}

impl KeptMarks {
    pub(super) fn of(found: &Found, heat: Option<HeatGrid>) -> Self {
        let marks = found.marks.iter().map(|mark| KeptMark {
            suspicion: mark.suspicion,
            class: mark.class,
            at: mark.at.map(f64::to_bits),
            radius_mm: mark.radius_mm.to_bits(),
        });
        Self { marks: marks.collect(), highest: found.highest, heat }
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = Mark> {
        self.marks.iter().map(|kept| Mark {
            suspicion: kept.suspicion,
            class: kept.class,
            at: kept.at.map(f64::from_bits),
            radius_mm: f64::from_bits(kept.radius_mm),
        })
    }
}

pub(super) fn percent(share: f32) -> f64 {
    (f64::from(share) * 1000.0).round() / 10.0
}

/// One mark on the image it stands on; numbered later.
pub(super) fn found(mark: &Mark, manifest: &Manifest, on: &str, pixel_mm: [f64; 2]) -> Option<FoundMark> {
    let (label, detection) = (manifest.label(mark.class)?, manifest.detection.as_ref()?);
    Some(FoundMark {
        number: 0,
        what: label.name.clone(),
        snomed: label.snomed.clone(),
        sop_instance_uid: on.to_owned(),
        center_px: mark.at,
        radius_px: [mark.radius_mm / pixel_mm[1], mark.radius_mm / pixel_mm[0]],
        diameter_mm: 2.0 * mark.radius_mm,
        suspicion_percent: percent(mark.suspicion),
        level: detection.level(mark.suspicion),
        reader_level: None,
        levelled_by: None,
        levelled_at: None,
    })
}

/// What a network marks and from where on, without marks yet.
pub(super) fn part(model: ModelUsed, detection: &Detection) -> MarksPart {
    MarksPart {
        model,
        threshold_percent: percent(detection.threshold),
        levels_percent: detection.levels.map(percent),
        views: Vec::new(),
        marks: Vec::new(),
    }
}

/// Writes marks into a finding, the most suspicious first. `highest` is of the hottest place, a mark or not.
pub(super) fn fill(
    finding: &mut Finding,
    mut part: MarksPart,
    highest_percent: f64,
    fell_back: Option<String>,
) {
    part.marks.sort_by(|a, b| b.suspicion_percent.total_cmp(&a.suspicion_percent));
    for (mark, number) in part.marks.iter_mut().zip(1..) {
        mark.number = number;
    }
    let model = &part.model;
    finding.label = part.candidate_label();
    finding.algorithm.processor = model.processor();
    let mut warn = |code: &str, text: String| finding.warnings.push(Warning { code: code.into(), text });
    warn("model", format!("{} {}: {}", model.name, model.version, model.statement));
    warn("levels", format!("{LEVELS}: thresholds on the network's own number, a suggestion for each mark"));
    if let Some(why) = fell_back {
        warn("provider", why);
    }
    #[expect(clippy::cast_precision_loss, reason = "a few marks")]
    let count = part.marks.len() as f64;
    finding.measurements = vec![
        Measurement { name: MARKS.into(), value: count, unit: "1".into() },
        Measurement { name: HIGHEST.into(), value: highest_percent, unit: "%".into() },
    ];
    finding.marks = Some(part);
}
