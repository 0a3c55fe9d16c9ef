//! What the page says about a ventricle: three slices at both ends of the cycle, the curve, the numbers, how.

use super::ObjectError;
use super::page::{INK, Page, QUIET, Type};
use super::pdf::{LEFT, RIGHT};
use super::subject::Subject;
use super::ventricle::summary;
use crate::store::cardiac::{CardiacPart, ModelUsed};
use crate::store::finding::{Finding, Scope};

const WARNING: [f32; 3] = [0.6, 0.3, 0.0];
const PICTURE_PT_MAX: f32 = 360.0;
const COLUMN_PT: f32 = 170.0;

pub(super) fn body(page: &mut Page, subject: &Subject<'_>, part: &CardiacPart) -> Result<(), ObjectError> {
    let canvas = summary(subject, part)?;
    #[expect(clippy::cast_precision_loss, reason = "picture sides are below 65536")]
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    let scale = ((RIGHT - LEFT - COLUMN_PT - 16.0) / width).min(PICTURE_PT_MAX / height);
    let size = [width * scale, height * scale];
    page.picture(canvas, [RIGHT - size[0], 166.0], size);
    // Beside the picture; many of them reach further down.
    let below = numbers(page, subject.finding);
    let mut y = (166.0 + size[1]).max(below) + 22.0;
    let (width, bold) = (RIGHT - LEFT, Type::new(10.0, true, WARNING));
    if let Some(model) = &part.model {
        y = page.paragraph(&model.statement, [LEFT, y], width, bold) + 4.0;
    }
    for warning in subject.finding.warnings.iter().filter(|warning| warning.code != "model") {
        y = page.paragraph(&warning.text, [LEFT, y], width, Type::new(8.5, true, WARNING)) + 2.0;
    }
    page.text("How this was measured", LEFT, y + 8.0, Type::new(9.5, true, INK));
    page.paragraph(&method(subject.finding, part), [LEFT, y + 20.0], width, Type::new(8.0, false, INK));
    Ok(())
}

/// Returns where the next text may begin.
fn numbers(page: &mut Page, finding: &Finding) -> f32 {
    let ef = finding.measurement("Ejection fraction").unwrap_or(0.0);
    page.text("Ejection fraction", LEFT, 178.0, Type::new(10.0, false, QUIET));
    page.text(&format!("{ef:.0} %"), LEFT, 224.0, Type::new(44.0, true, INK));
    let mut y = 252.0;
    for one in finding.measurements.iter().filter(|one| one.name != "Ejection fraction") {
        page.text(&one.name, LEFT, y, Type::new(8.5, false, QUIET));
        let value = format!("{:.*} {}", decimals(one.value), one.value, unit(&one.unit));
        page.text(&value, LEFT, y + 12.0, Type::new(10.5, true, INK));
        y += 27.0;
    }
    y
}

fn decimals(value: f64) -> usize {
    if value.abs() < 20.0 { 2 } else { 0 }
}

fn unit(ucum: &str) -> String {
    ucum.replace("m2", "m²")
}

fn method(finding: &Finding, part: &CardiacPart) -> String {
    let how = match (&finding.scope, &part.model) {
        (Scope::Automatic { rule }, Some(model)) => format!("{}. {rule}", network(model)),
        (Scope::Edited { reader, .. }, Some(model)) => {
            format!("{}, then contours changed by {reader}", network(model))
        }
        (Scope::Edited { reader, .. }, None) => format!("Contours drawn by {reader}, no network"),
        _ => "A reader's contours".into(),
    };
    format!(
        "{how}. End diastole is phase {} and end systole phase {} of {}; {} slices, {:.2} mm from centre to centre; volume \
         is the sum of areas times that distance. Mass: muscle at end diastole times 1.05 g/mL. Every contour must be \
         looked at on the original images.",
        part.ed_phase + 1,
        part.es_phase + 1,
        part.cavity_ml.len(),
        part.slices.len(),
        part.slice_distance_mm
    )
}

fn network(model: &ModelUsed) -> String {
    format!("{} {} (SHA-256 {}), run by {}", model.name, model.version, model.sha256, model.provider)
}
