//! What the page says about structures: slices in colour, the volumes, how they were told apart.

use super::ObjectError;
use super::page::{INK, Page, QUIET, Type};
use super::pdf::{LEFT, RIGHT};
use super::structures::Labels;
use crate::store::finding::{Finding, Scope};

const WARNING: [f32; 3] = [0.6, 0.3, 0.0];
const SLICES: usize = 8;
/// More do not fit the page; the SR and the screen list every structure.
const ROWS_MAX: usize = 14;

pub(super) fn body(page: &mut Page, finding: &Finding, labels: &Labels<'_>) -> Result<(), ObjectError> {
    let canvas = labels.picture(SLICES)?;
    #[expect(clippy::cast_precision_loss, reason = "picture sides are below 65536")]
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    let scale = (RIGHT - LEFT) / width;
    page.picture(canvas, [LEFT, 166.0], [width * scale, height * scale]);
    let mut y = 166.0 + height * scale + 22.0;
    for warning in &finding.warnings {
        y = page.paragraph(&warning.text, [LEFT, y], RIGHT - LEFT, Type::new(8.5, true, WARNING)) + 2.0;
    }
    for found in labels.part.found.iter().take(ROWS_MAX) {
        page.text(&found.name, LEFT, y, Type::new(9.0, false, QUIET));
        page.text(&format!("{:.0} mL", found.volume_ml), LEFT + 120.0, y, Type::new(9.5, true, INK));
        y += 14.0;
    }
    if let Some(more) = labels.part.found.len().checked_sub(ROWS_MAX).filter(|more| *more > 0) {
        let words = format!("and {more} more, listed in the report and on the screen");
        page.text(&words, LEFT, y, Type::new(9.0, false, QUIET));
        y += 14.0;
    }
    page.text("How this was measured", LEFT, y + 8.0, Type::new(9.5, true, INK));
    if let Scope::Automatic { rule } = &finding.scope {
        page.paragraph(rule, [LEFT, y + 20.0], RIGHT - LEFT, Type::new(8.0, false, INK));
    }
    Ok(())
}
