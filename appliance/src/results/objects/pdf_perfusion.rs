//! What the page says about perfusion: one slice with its five maps, the volumes, what stands against them, how.

use super::ObjectError;
use super::montage::montage;
use super::page::{INK, Page, QUIET, Type};
use super::pdf::{LEFT, RIGHT};
use super::subject::Subject;
use super::voxels::Voxels;
use crate::store::perfusion::{PerfusionPart, STATEMENT};

const WARNING: [f32; 3] = [0.6, 0.3, 0.0];
const PICTURE_PT_MAX: f32 = 350.0;

pub(super) fn body(page: &mut Page, subject: &Subject<'_>, voxels: &Voxels<'_>) -> Result<(), ObjectError> {
    let slice = voxels.telling_slice();
    let canvas = montage(subject, voxels, slice)?;
    #[expect(clippy::cast_precision_loss, reason = "picture sides are below 65536")]
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    let scale = ((RIGHT - LEFT) / width).min(PICTURE_PT_MAX / height);
    let size = [width * scale, height * scale];
    page.picture(canvas, [f32::midpoint(LEFT, RIGHT) - size[0] / 2.0, 162.0], size);
    let mut y = 162.0 + size[1] + 18.0;
    y = page.paragraph(STATEMENT, [LEFT, y], RIGHT - LEFT, Type::new(10.0, true, WARNING)) + 4.0;
    for warning in subject.finding.warnings.iter().filter(|warning| warning.text != STATEMENT) {
        y = page.paragraph(&warning.text, [LEFT, y], RIGHT - LEFT, Type::new(8.5, true, WARNING)) + 2.0;
    }
    y = numbers(page, voxels.part, y + 6.0);
    page.text("How this was measured", LEFT, y + 8.0, Type::new(9.5, true, INK));
    page.paragraph(&method(voxels.part), [LEFT, y + 20.0], RIGHT - LEFT, Type::new(7.5, false, INK));
    Ok(())
}

/// Nothing where a guard failed. Returns where the next text may begin.
fn numbers(page: &mut Page, part: &PerfusionPart, y: f32) -> f32 {
    let Some(volumes) = &part.volumes else { return y };
    let ratio = volumes.ratio.map_or("no core".into(), |ratio| format!("{ratio:.2}"));
    let rows = [
        (format!("Core ({})", volumes.core_rule), format!("{:.1} mL", volumes.core_ml)),
        (
            format!("Hypoperfused ({})", volumes.hypoperfused_rule),
            format!("{:.1} mL", volumes.hypoperfused_ml),
        ),
        ("Mismatch".into(), format!("{:.1} mL", volumes.mismatch_ml)),
        ("Mismatch ratio".into(), ratio),
        ("Reference".into(), volumes.reference.clone()),
    ];
    let mut y = y;
    for (name, value) in rows {
        page.text(&name, LEFT, y, Type::new(9.0, false, QUIET));
        page.text(&value, LEFT + 210.0, y, Type::new(9.5, true, INK));
        y += 14.0;
    }
    y
}

fn method(part: &PerfusionPart) -> String {
    let acquisition = &part.acquisition;
    format!(
        "{} scan, {} time points over {:.0} s, timed by {}. {}. TTP counts from the arrival of the bolus in the \
         artery. The head moved by at most {:.1} mm in the time points that were used; {} of {} were left out.",
        acquisition.mode,
        acquisition.time_points,
        acquisition.duration_s,
        acquisition.clock,
        part.parameters.join(". "),
        part.motion.largest_mm,
        part.motion.rejected.len(),
        part.motion.passes
    )
}
