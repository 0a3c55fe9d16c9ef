//! What the page says about marks of a detection network: how many, each in a line, how they were made.

use super::page::{INK, Page, QUIET, Type};
use super::pdf::{LEFT, RIGHT};
use super::subject::Subject;
use crate::store::finding::{Finding, Scope};
use crate::store::marks::{LEVELS, MarksPart, NO_MARK};

const WARNING: [f32; 3] = [0.6, 0.3, 0.0];
/// More do not fit the page; the SR and the screen list every mark.
const ROWS_MAX: usize = 18;
const COLUMNS: [f32; 6] = [0.0, 40.0, 170.0, 260.0, 340.0, 410.0];

pub(super) fn body(page: &mut Page, subject: &Subject<'_>, part: &MarksPart) {
    let count = match part.marks.len() {
        0 => NO_MARK.to_owned(),
        1 => "1 mark".to_owned(),
        count => format!("{count} marks"),
    };
    page.text(&count, LEFT, 188.0, Type::new(26.0, true, INK));
    let mut y = 216.0;
    line(page, ["Mark", "Like", "On", "Suspicion", "Level", "Diameter"], y, Type::new(8.5, false, QUIET));
    for mark in part.marks.iter().take(ROWS_MAX) {
        y += 15.0;
        let view = part.views.iter().find(|view| view.sop_instance_uid == mark.sop_instance_uid);
        let on =
            view.map_or_else(|| format!("slice {:.0}", mark.center_px[2] + 1.0), |view| view.view.clone());
        let (number, suspicion) = (mark.number.to_string(), format!("{:.0} of 100", mark.suspicion_percent));
        let (level, diameter) =
            (mark.reader_level.unwrap_or(mark.level).to_string(), format!("{:.0} mm", mark.diameter_mm));
        line(page, [&number, &mark.what, &on, &suspicion, &level, &diameter], y, Type::new(10.0, false, INK));
    }
    let (width, bold) = (RIGHT - LEFT, Type::new(8.5, true, WARNING));
    y += 24.0;
    if part.marks.len() > ROWS_MAX {
        let more =
            format!("and {} more, listed in the report and on the screen", part.marks.len() - ROWS_MAX);
        y = page.paragraph(&more, [LEFT, y], width, bold) + 2.0;
    }
    y = page.paragraph(&part.model.statement, [LEFT, y], width, Type::new(10.0, true, WARNING)) + 4.0;
    for warning in subject.finding.warnings.iter().filter(|warning| warning.code != "model") {
        y = page.paragraph(&warning.text, [LEFT, y], width, bold) + 2.0;
    }
    page.text("How this was made", LEFT, y + 8.0, Type::new(9.5, true, INK));
    page.paragraph(&method(subject.finding, part), [LEFT, y + 20.0], width, Type::new(8.0, false, INK));
}

fn line(page: &mut Page, words: [&str; 6], y: f32, style: Type) {
    for (word, x) in words.into_iter().zip(COLUMNS) {
        page.text(word, LEFT + x, y, style);
    }
}

fn method(finding: &Finding, part: &MarksPart) -> String {
    let rule = match &finding.scope {
        Scope::Automatic { rule } => rule.as_str(),
        Scope::Region { .. } | Scope::Chosen { .. } | Scope::Edited { .. } => "a reader chose",
    };
    let model = &part.model;
    format!(
        "{} {} (SHA-256 {}), run by {}. {rule}. Marks from {:.0} of 100. {LEVELS}. Every mark, and every image without one, must \
         be looked at.",
        model.name, model.version, model.sha256, model.provider, part.threshold_percent
    )
}
