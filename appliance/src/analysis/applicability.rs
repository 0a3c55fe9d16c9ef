//! Whether an analysis applies to a series: yes with a plan, or no with a reason a person can read.

use sidelight_kernels::perfusion::MIN_TIME_POINTS;
use sidelight_provisioning::calcium::Calcium as CalciumSite;

use super::scoring::{Thresholds, thresholds};
use crate::imaging::{Meaning, NoTimePoints, Repeats, Stack, TimedStack, repeats};
use crate::part10::{CtFacts, InstanceFacts};
use crate::store::finding::Warning;

/// A typed answer: yes with a plan, or no with the reason.
#[derive(Clone, Debug)]
pub(super) enum Applicability<Plan> {
    Yes(Plan),
    No(String),
}

/// How calcium is to be scored in a series that qualifies.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CalciumPlan {
    pub thresholds: Thresholds,
    pub kvp: Option<f64>,
    pub ct: CtFacts,
    /// Whether the score may carry a category: only under the conditions the categories were made for.
    pub category: bool,
    pub warnings: Vec<Warning>,
}

/// Agatston's method was made for contiguous 3 mm slices; beyond this the score is not comparable (research notes,
/// analyses.md 2.1, "guards").
const INCREMENT_MM_MAX: f64 = 3.2;
/// A heart is 100 to 140 mm high; a stack shorter than this cannot hold one.
const COVERAGE_MM_MIN: f64 = 80.0;
/// Thickness over increment of slices that neither overlap nor leave gaps.
const THICKNESS_RATIO: (f64, f64) = (0.97, 1.03);
/// Spacings of square pixels differ by rounding only.
const SQUARE_TOLERANCE: f64 = 0.01;

/// Judges a series by its first instance and its stack. The guards are those of Agatston 1990 as collected in the
/// research notes: non-contrast CT, even slices, thresholds that belong to the tube voltage.
pub(super) fn calcium(
    facts: &InstanceFacts,
    stack: &Stack,
    site: &CalciumSite,
) -> Applicability<CalciumPlan> {
    if facts.modality != "CT" || stack.meaning != Meaning::Hounsfield {
        let modality = if facts.modality.is_empty() { "unknown" } else { &facts.modality };
        return no(format!("calcium scoring needs CT; the modality of this series is {modality}"));
    }
    if facts.image_type.iter().any(|part| part == "LOCALIZER") {
        return no("this series is a localizer, not a stack of slices");
    }
    if let Some(Repeats { most, .. }) = repeats(stack) {
        return no(format!(
            "every position was taken up to {most} times: time points or phases, no single volume"
        ));
    }
    if facts.contrast_agent {
        return no(
            "contrast was given: enhanced blood is brighter than 130 HU, so calcium cannot be told from it",
        );
    }
    let geometry = match &stack.geometry {
        Ok(geometry) => geometry,
        Err(unusable) => return no(unusable.to_string()),
    };
    if stack.pixel_spacing_mm.is_none() {
        return no("the images do not say how large a pixel is");
    }
    let thresholds = thresholds(facts, site);
    let mut plan = CalciumPlan {
        category: thresholds.warning.is_none(),
        warnings: thresholds.warning.clone().into_iter().collect(),
        thresholds,
        kvp: facts.kvp,
        ct: facts.ct.clone(),
    };
    thickness(&mut plan, facts.ct.slice_thickness_mm, geometry.slice_increment_mm);
    if let Some([row_mm, column_mm]) = stack.pixel_spacing_mm
        && (row_mm / column_mm - 1.0).abs() > SQUARE_TOLERANCE
    {
        let text =
            format!("pixels are {column_mm:.3} x {row_mm:.3} mm: areas are right, outlines look squeezed");
        plan.warn("pixel_shape", text);
    }
    if geometry.slice_increment_mm > INCREMENT_MM_MAX {
        plan.category = false;
        let text = format!(
            "slices are {:.2} mm apart; the Agatston score is defined for 3 mm, so no category is given",
            geometry.slice_increment_mm
        );
        plan.warn("slice_increment", text);
    }
    #[expect(clippy::cast_precision_loss, reason = "a stack has far fewer than 2^52 slices")]
    let coverage_mm = geometry.slice_increment_mm * stack.frames.len() as f64;
    if coverage_mm < COVERAGE_MM_MIN {
        plan.category = false;
        plan.warn(
            "coverage",
            format!("the stack is {coverage_mm:.0} mm high and may not hold the whole heart"),
        );
    }
    Applicability::Yes(plan)
}

/// Judges a series for perfusion: CT, several time points on a time axis, square pixels.
pub(super) fn perfusion(
    facts: &InstanceFacts,
    stack: &Stack,
    timed: &Result<TimedStack, NoTimePoints>,
) -> Applicability<TimedStack> {
    if facts.modality != "CT" || stack.meaning != Meaning::Hounsfield {
        let modality = if facts.modality.is_empty() { "unknown" } else { &facts.modality };
        return no(format!("CT perfusion needs CT; the modality of this series is {modality}"));
    }
    let timed = match timed {
        Ok(timed) => timed,
        Err(NoTimePoints::Single) => return no("perfusion needs time points; every position was taken once"),
        Err(reason) => return no(format!("perfusion needs time points: {reason}")),
    };
    let fewest = timed.positions.iter().map(|position| position.times_s.len()).min().unwrap_or(0);
    if fewest < MIN_TIME_POINTS {
        return no(format!(
            "a position has {fewest} time points; perfusion needs at least {MIN_TIME_POINTS}"
        ));
    }
    match timed.pixel_spacing_mm {
        None => no("the images do not say how large a pixel is"),
        Some([rows, columns]) if (rows / columns - 1.0).abs() > SQUARE_TOLERANCE => {
            no(format!("the pixels are not square: {rows:.3} x {columns:.3} mm"))
        }
        Some(_) => Applicability::Yes(timed.clone()),
    }
}

/// Thickness against increment: overlap and gaps change what a slice's calcium stands for.
fn thickness(plan: &mut CalciumPlan, thickness_mm: Option<f64>, increment_mm: f64) {
    let Some(thickness_mm) = thickness_mm.filter(|mm| *mm > 0.0) else { return };
    let ratio = thickness_mm / increment_mm;
    if ratio > THICKNESS_RATIO.1 {
        let text = format!(
            "slices of {thickness_mm:.2} mm overlap, {increment_mm:.2} mm apart: each counts for its {increment_mm:.2} mm, so \
             nothing is counted twice"
        );
        plan.warn("overlap", text);
    } else if ratio < THICKNESS_RATIO.0 {
        let text = format!(
            "slices of {thickness_mm:.2} mm stand {increment_mm:.2} mm apart: calcium between them is not seen; no category"
        );
        plan.category = false;
        plan.warn("slice_gap", text);
    }
    if thickness_mm > INCREMENT_MM_MAX {
        let text =
            format!("slices are {thickness_mm:.2} mm thick: small plaques are blurred below the threshold");
        plan.warn("thick_slices", text);
    }
}

impl CalciumPlan {
    fn warn(&mut self, code: &str, text: impl Into<String>) {
        self.warnings.push(Warning { code: code.to_owned(), text: text.into() });
    }
}

fn no<Plan>(reason: impl Into<String>) -> Applicability<Plan> {
    Applicability::No(reason.into())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::imaging::{ScanMode, StackGeometry, TimeSource, TimedPosition, Unusable};
    use crate::part10::PatientStudy;
    use crate::uid::{SeriesUid, SopInstanceUid, StudyUid};

    pub(in crate::analysis) fn facts() -> InstanceFacts {
        InstanceFacts {
            study: StudyUid::parse("1").unwrap(),
            series: SeriesUid::parse("1").unwrap(),
            sop_instance: SopInstanceUid::parse("1").unwrap(),
            sop_class: String::new(),
            transfer_syntax: String::new(),
            source_ae_title: String::new(),
            patient_study: PatientStudy::default(),
            modality: "CT".into(),
            series_number: None,
            series_description: String::new(),
            series_date: String::new(),
            series_time: String::new(),
            body_part: String::new(),
            instance_number: None,
            image_type: vec!["ORIGINAL".into(), "PRIMARY".into(), "AXIAL".into()],
            series_instances: None,
            contrast_agent: false,
            kvp: Some(120.0),
            timing: crate::part10::Timing::default(),
            ct: CtFacts::default(),
            patient_size: crate::part10::PatientSize::default(),
            picture: None,
        }
    }

    pub(in crate::analysis) fn stack(increment_mm: f64, slices: usize) -> Stack {
        let frame = crate::imaging::FrameSource {
            path: "x".into(),
            frame: 0,
            sop_instance_uid: String::new(),
            tag: String::new(),
            place: None,
            timing: crate::part10::Timing::default(),
        };
        Stack {
            columns: 512,
            rows: 512,
            frames: vec![frame; slices],
            positions_mm: None,
            orientation: None,
            pixel_spacing_mm: Some([0.5, 0.5]),
            window: None,
            photometric: "MONOCHROME2".into(),
            meaning: Meaning::Hounsfield,
            geometry: Ok(StackGeometry {
                slice_increment_mm: increment_mm,
                row_direction: [1.0, 0.0, 0.0],
                column_direction: [0.0, 1.0, 0.0],
                slice_step_mm: [0.0, 0.0, increment_mm],
                origin_mm: [0.0; 3],
            }),
        }
    }

    fn plan(facts: &InstanceFacts, stack: &Stack) -> CalciumPlan {
        match calcium(facts, stack, &CalciumSite::default()) {
            Applicability::Yes(plan) => plan,
            Applicability::No(reason) => panic!("refused: {reason}"),
        }
    }

    #[test]
    fn a_standard_series_is_scored_by_agatston_with_a_category() {
        let plan = plan(&facts(), &stack(3.0, 47));
        assert_eq!(
            (plan.thresholds.protocol.threshold_hu, plan.category, plan.warnings.len()),
            (130, true, 0)
        );
    }

    #[test]
    fn what_is_not_agatstons_keeps_its_score_and_loses_its_category() {
        let codes = |facts: &InstanceFacts, stack: &Stack| {
            let plan = plan(facts, stack);
            (plan.category, plan.warnings.into_iter().map(|w| w.code).collect::<Vec<_>>())
        };
        assert_eq!(codes(&facts(), &stack(5.0, 47)), (false, vec!["slice_increment".to_owned()]));
        assert_eq!(codes(&facts(), &stack(3.0, 20)), (false, vec!["coverage".to_owned()]));
        for kvp in [Some(100.0), None] {
            assert_eq!(
                codes(&InstanceFacts { kvp, ..facts() }, &stack(3.0, 47)),
                (false, vec!["tube_voltage".to_owned()])
            );
        }
    }

    #[test]
    fn thick_overlapping_and_gapped_slices_and_oblong_pixels_are_said() {
        let codes = |thickness_mm: f64, increment_mm: f64, pixel_mm: [f64; 2]| {
            let mut facts = facts();
            facts.ct.slice_thickness_mm = Some(thickness_mm);
            let stack = Stack { pixel_spacing_mm: Some(pixel_mm), ..stack(increment_mm, 90) };
            let plan = plan(&facts, &stack);
            (plan.category, plan.warnings.into_iter().map(|w| w.code).collect::<Vec<_>>().join(" "))
        };
        let square = [0.5, 0.5];
        assert_eq!(codes(3.0, 3.0, square), (true, String::new()));
        assert_eq!(codes(3.0, 1.5, square), (true, "overlap".into()));
        assert_eq!(codes(1.5, 3.0, square), (false, "slice_gap".into()));
        assert_eq!(codes(5.0, 3.0, square), (true, "overlap thick_slices".into()));
        assert_eq!(codes(3.0, 3.0, [0.5, 0.6]), (true, "pixel_shape".into()));
    }

    #[test]
    fn every_refusal_says_why() {
        let localizer = InstanceFacts { image_type: vec!["LOCALIZER".into()], ..facts() };
        let gap = Unusable::Gap { after: 3, gap_mm: 6.0, usual_mm: 3.0 };
        for (facts, stack, word) in [
            (InstanceFacts { modality: "MR".into(), ..facts() }, stack(3.0, 47), "MR"),
            (InstanceFacts { contrast_agent: true, ..facts() }, stack(3.0, 47), "contrast"),
            (localizer, stack(3.0, 47), "localizer"),
            (facts(), Stack { geometry: Err(gap), ..stack(3.0, 47) }, "missing"),
            (facts(), Stack { pixel_spacing_mm: None, ..stack(3.0, 47) }, "pixel"),
            (facts(), Stack { positions_mm: Some(vec![0.0; 47]), ..stack(3.0, 47) }, "time points"),
        ] {
            let Applicability::No(reason) = calcium(&facts, &stack, &CalciumSite::default()) else {
                panic!("{word}: let through")
            };
            assert!(reason.contains(word), "{reason}");
        }
    }

    fn timed(time_points: usize, pixel_spacing_mm: [f64; 2]) -> Result<TimedStack, NoTimePoints> {
        let stack = stack(5.0, 1);
        let position = TimedPosition {
            times_s: vec![0.0; time_points],
            frames: vec![stack.frames[0].clone(); time_points],
        };
        Ok(TimedStack {
            columns: 512,
            rows: 512,
            pixel_spacing_mm: Some(pixel_spacing_mm),
            meaning: Meaning::Hounsfield,
            geometry: stack.geometry.expect("the stack is even"),
            positions: vec![position; 8],
            clock: TimeSource::Acquired,
            mode: ScanMode::Continuous,
        })
    }

    #[test]
    fn perfusion_needs_ct_with_enough_time_points_and_square_pixels() {
        let square = [0.45, 0.45];
        let judged = |facts: &InstanceFacts, timed| match perfusion(facts, &stack(5.0, 8), &timed) {
            Applicability::Yes(timed) => Ok(timed.positions.len()),
            Applicability::No(reason) => Err(reason),
        };
        assert_eq!(judged(&facts(), timed(45, square)), Ok(8));
        let mr = InstanceFacts { modality: "MR".into(), ..facts() };
        for (facts, timed, word) in [
            (mr, timed(45, square), "MR"),
            (facts(), timed(9, square), "9 time points"),
            (facts(), timed(45, [0.45, 0.9]), "not square"),
            (facts(), Err(NoTimePoints::Single), "taken once"),
            (facts(), Err(NoTimePoints::NoTimeAxis), "when they were taken"),
        ] {
            let reason = judged(&facts, timed).expect_err(word);
            assert!(reason.contains(word), "{reason}");
        }
    }
}
