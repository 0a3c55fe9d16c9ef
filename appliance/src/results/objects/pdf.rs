//! The one-page report, as an Encapsulated PDF (PS3.3 A.45.1).
//!
//! It says whose study it is, what was measured, shows the slice with most of the score, lists the largest lesions,
//! and says how it was measured and where that ends. Letters Helvetica lacks show as question marks; the patient's
//! number stands beside the name for that reason.

use dicom_dictionary_std::{tags, uids};

use super::ObjectError;
use super::dataset::{Code, DataSet};
use super::page::{AMBER, BAND, INK, PAPER, Page, QUIET, RULE, TINT, Type, WIDTH_PT};
use super::picture::slice as picture;
use super::secondary_capture::telling_slice;
use super::structures::Labels;
use super::subject::{Subject, cut, program_sha256};
use super::voxels::Voxels;
use super::{pdf_cardiac, pdf_marks, pdf_perfusion, pdf_structures};
use crate::store::calcium::{AGATSTON, LESIONS, MASS, VOLUME, Vessel, is_assigned};
use crate::store::finding::{Finding, FindingKind, FindingState, Lesion, Scope};
use crate::store::own_objects::{ResultKind, stating};

pub(super) const LEFT: f32 = 42.0;
pub(super) const RIGHT: f32 = WIDTH_PT - 42.0;
const PICTURE_PT: f32 = 232.0;
/// More rows do not fit the page; the SR and the screen list every lesion.
const ROWS_MAX: usize = 7;
const ROW_PT: f32 = 13.5;

/// What a page needs that does not stand in the finding's document.
#[derive(Clone, Copy)]
pub(super) enum Extra<'a, 'b> {
    None,
    Voxels(&'a Voxels<'b>),
    Labels(&'a Labels<'b>),
}

pub(super) fn encapsulated(
    subject: &Subject<'_>,
    number: u32,
    extra: Extra<'_, '_>,
) -> Result<DataSet, ObjectError> {
    let finding = subject.finding;
    let state = if finding.state == FindingState::Confirmed { "confirmed" } else { "preliminary" };
    let class = uids::ENCAPSULATED_PDF_STORAGE;
    let part = stating(finding.state, finding.revision);
    let mut set = subject.begin(class, ResultKind::EncapsulatedPdf, &part, number);
    set.set(tags::CONVERSION_TYPE, "WSD").set(tags::BURNED_IN_ANNOTATION, "YES");
    set.empty(tags::ACQUISITION_DATE_TIME);
    set.set(tags::DOCUMENT_TITLE, format!("{}, {state}, not for diagnosis", title(finding.kind)));
    let name = match finding.kind {
        FindingKind::Calcium | FindingKind::Cardiac => {
            Code("122600", "DCM", "Cardiovascular Analysis Report")
        }
        FindingKind::Perfusion
        | FindingKind::Mammography
        | FindingKind::Nodules
        | FindingKind::Structures
        | FindingKind::Segmentation => Code("126000", "DCM", "Imaging Measurement Report"),
    };
    set.code(tags::CONCEPT_NAME_CODE_SEQUENCE, name);
    let verified = finding.state == FindingState::Confirmed;
    set.set(tags::VERIFICATION_FLAG, if verified { "VERIFIED" } else { "UNVERIFIED" });
    let sources = subject.source_instances().into_iter().map(|uid| subject.sop_item(uid));
    set.sequence(tags::SOURCE_INSTANCE_SEQUENCE, sources.collect());
    set.set(tags::MIME_TYPE_OF_ENCAPSULATED_DOCUMENT, "application/pdf");
    let document = document(subject, extra)?;
    let length = u32::try_from(document.len()).map_err(|_| ObjectError::TooLarge)?;
    set.ul(tags::ENCAPSULATED_DOCUMENT_LENGTH, &[length]);
    set.bytes(tags::ENCAPSULATED_DOCUMENT, document);
    Ok(set)
}

fn document(subject: &Subject<'_>, extra: Extra<'_, '_>) -> Result<Vec<u8>, ObjectError> {
    let mut page = Page::new();
    heading(&mut page, subject);
    patient(&mut page, subject);
    match (extra, &subject.finding.cardiac) {
        (Extra::Voxels(voxels), _) => pdf_perfusion::body(&mut page, subject, voxels)?,
        (Extra::Labels(labels), _) => pdf_structures::body(&mut page, subject.finding, labels)?,
        (Extra::None, Some(part)) => pdf_cardiac::body(&mut page, subject, part)?,
        (Extra::None, None) => match &subject.finding.marks {
            Some(part) => pdf_marks::body(&mut page, subject, part),
            None => calcium(&mut page, subject)?,
        },
    }
    footer(&mut page, subject);
    Ok(page.finish(title(subject.finding.kind)))
}

fn title(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Calcium => "Coronary calcium",
        FindingKind::Perfusion => "CT perfusion",
        FindingKind::Cardiac => "Left ventricle",
        FindingKind::Mammography => "Mammogram, marks of a network",
        FindingKind::Nodules => "Lung nodules, marks of a network",
        FindingKind::Structures => "Structures",
        FindingKind::Segmentation => "Structures, labels of a network",
    }
}

fn calcium(page: &mut Page, subject: &Subject<'_>) -> Result<(), ObjectError> {
    numbers(page, subject);
    show(page, subject)?;
    let below = vessels(page, subject.finding);
    let below = table(page, &subject.finding.lesions, below);
    explanations(page, subject, below);
    Ok(())
}

fn heading(page: &mut Page, subject: &Subject<'_>) {
    page.fill([0.0, 0.0], [WIDTH_PT, 54.0], BAND);
    page.text(title(subject.finding.kind), LEFT, 34.0, Type::new(19.0, true, PAPER));
    page.text_to("Sidelight", RIGHT, 27.0, Type::new(11.0, true, PAPER));
    let site = format!("{} / {}", subject.maker.site, subject.maker.device);
    page.text_to(&site, RIGHT, 41.0, Type::new(8.0, false, RULE));
    page.fill([0.0, 54.0], [WIDTH_PT, 24.0], AMBER);
    let finding = subject.finding;
    // What is longer (perfusion says what it was validated on) stands in full below.
    let label = finding.label.split(';').next().unwrap_or_default();
    page.text(&format!("{label} – not for diagnosis"), LEFT, 70.0, Type::new(10.0, true, INK));
    if let (Some(reader), FindingState::Confirmed) = (&finding.reviewer, finding.state) {
        let when = cut(finding.reviewed_at.as_deref().unwrap_or_default(), 10);
        let words = format!("{} {when}", cut(reader, 40));
        page.text_to(&words, RIGHT, 70.0, Type::new(9.0, false, INK));
    }
}

fn patient(page: &mut Page, subject: &Subject<'_>) {
    let about = &subject.facts.patient_study;
    let name = about.patient_name.split('=').next().unwrap_or_default();
    let parts: Vec<&str> = name.split('^').map(str::trim).filter(|part| !part.is_empty()).collect();
    let born = [day(&about.birth_date), about.sex.clone()];
    let born: Vec<String> = born.into_iter().filter(|text| !text.is_empty()).collect();
    let series = [subject.facts.modality.as_str(), subject.facts.series_description.as_str()].join(" ");
    let fields = [
        ("Patient", parts.join(", ")),
        ("Patient ID", about.patient_id.clone()),
        ("Born, sex", born.join(", ")),
        ("Study", format!("{} {}", day(&about.study_date), about.study_description)),
        ("Accession", about.accession_number.clone()),
        ("Series", series),
    ];
    let column = (RIGHT - LEFT) / 3.0;
    for (place, (name, value)) in fields.iter().enumerate() {
        let (x, y) = if place < 3 { (place, 98.0) } else { (place - 3, 128.0) };
        #[expect(clippy::cast_precision_loss, reason = "0, 1 or 2")]
        let x = LEFT + column * x as f32;
        page.text(name, x, y, Type::new(7.5, false, QUIET));
        let value = if value.trim().is_empty() { "–" } else { value.trim() };
        page.text(&cut(value, 34), x, y + 12.0, Type::new(10.0, true, INK));
    }
    page.fill([LEFT, 152.0], [RIGHT - LEFT, 0.7], RULE);
}

/// `20261123` as `2026-11-23`; anything else as it is.
fn day(text: &str) -> String {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]);
    }
    text.to_owned()
}

fn numbers(page: &mut Page, subject: &Subject<'_>) {
    let finding = subject.finding;
    let value = |name| finding.measurement(name).unwrap_or(0.0);
    page.text("Agatston score", LEFT, 178.0, Type::new(10.0, false, QUIET));
    page.text(&format!("{:.0}", value(AGATSTON)), LEFT, 228.0, Type::new(52.0, true, INK));
    let provisional = |provisional| if provisional { " (provisional)" } else { "" };
    let given = |words: Option<String>| words.unwrap_or_else(|| "not given, see the limits".into());
    let category = finding.category.as_ref();
    let category = category.map(|given| format!("{}{}", given.text, provisional(given.provisional)));
    let calcium = finding.calcium.as_ref();
    let drs = calcium.and_then(|calcium| calcium.cac_drs.as_ref());
    let drs = drs.map(|drs| format!("{}{}", drs.words(), provisional(drs.provisional)));
    let mass = finding.measurement(MASS).map(|mg| format!("{mg:.1} mg"));
    let rows = [
        ("Category", given(category)),
        ("CAC-DRS", given(drs)),
        ("Volume", format!("{:.1} mm³", value(VOLUME))),
        ("Mass", mass.unwrap_or_else(|| "not calibrated".into())),
        ("Lesions", format!("{:.0}, exact score {:.2}", value(LESIONS), value(AGATSTON))),
    ];
    let mut y = 254.0;
    for (name, value) in rows {
        page.text(name, LEFT, y, Type::new(9.0, false, QUIET));
        page.text(&value, LEFT + 74.0, y, Type::new(10.0, true, INK));
        y += 16.0;
    }
    let mut y = y + 4.0;
    for warning in &finding.warnings {
        y = page.paragraph(&warning.text, [LEFT, y], 240.0, Type::new(8.5, true, [0.6, 0.3, 0.0])) + 3.0;
    }
}

fn show(page: &mut Page, subject: &Subject<'_>) -> Result<(), ObjectError> {
    let slice = telling_slice(subject);
    let mut canvas = picture(subject, slice)?.around(&centers(subject));
    canvas.edges(subject.stack.orientation);
    #[expect(clippy::cast_precision_loss, reason = "picture sides are below 65536")]
    let (width, height) = (canvas.width as f32, canvas.height as f32);
    let scale = PICTURE_PT / width.max(height);
    let size = [width * scale, height * scale];
    page.picture(canvas, [RIGHT - size[0], 166.0], size);
    let what = if subject.finding.lesions.is_empty() { "" } else { ": the largest part of the score" };
    let words = format!("Slice {} of {}{what}", slice + 1, subject.stack.frames.len());
    page.text_to(&words, RIGHT, 166.0 + size[1] + 11.0, Type::new(7.5, false, QUIET));
    Ok(())
}

/// Where the lesions lie, in fractions of the image's width and height.
fn centers(subject: &Subject<'_>) -> Vec<[f64; 2]> {
    let (columns, rows) = (f64::from(subject.stack.columns), f64::from(subject.stack.rows));
    let lesions = subject.finding.lesions.iter();
    lesions.map(|lesion| [lesion.center_px[0] / columns, lesion.center_px[1] / rows]).collect()
}

/// The four arteries side by side, and what counts for nothing. Returns where the next text may begin.
fn vessels(page: &mut Page, finding: &Finding) -> f32 {
    let Some(calcium) = &finding.calcium else { return 430.0 };
    let quiet = Type::new(8.0, false, QUIET);
    let column = (RIGHT - LEFT) / 5.0;
    page.fill([LEFT, 418.0], [RIGHT - LEFT, 32.0], TINT);
    let sum = |vessel| calcium.vessels.iter().find(|part| part.vessel == vessel).map(|part| part.sum);
    let mut x = LEFT + 8.0;
    for vessel in Vessel::ALL.into_iter().filter(|vessel| vessel.is_coronary()) {
        page.text(vessel.name(), x, 429.0, quiet);
        let score = match sum(vessel) {
            Some(sum) => format!("{:.1}", sum.agatston),
            None if is_assigned(finding) && !finding.lesions.is_empty() => "0".to_owned(),
            None => "–".to_owned(),
        };
        page.text(&score, x, 444.0, Type::new(12.0, true, INK));
        x += column;
    }
    let others = calcium.vessels.iter().filter(|part| !part.vessel.is_coronary());
    let others: Vec<String> =
        others.map(|part| format!("{} {}", part.vessel.name(), part.sum.lesions)).collect();
    page.text("Not counted (lesions)", x, 429.0, quiet);
    page.text(
        &if others.is_empty() { "–".into() } else { others.join(", ") },
        x,
        443.0,
        Type::new(9.0, true, INK),
    );
    if calcium.unassigned == 0 {
        return 468.0;
    }
    let words = format!(
        "{} of {} lesions are not assigned to a vessel by a reader; they are in the total only.",
        calcium.unassigned,
        finding.lesions.len()
    );
    page.text(&words, LEFT, 462.0, quiet);
    480.0
}

/// The lesions with the largest scores. Returns where the next text may begin.
fn table(page: &mut Page, lesions: &[Lesion], y: f32) -> f32 {
    let ends = [LEFT + 42.0, LEFT + 104.0, LEFT + 190.0, LEFT + 290.0, LEFT + 400.0, RIGHT - 6.0];
    let mut y = y;
    page.text("Lesions", LEFT, y, Type::new(11.0, true, INK));
    y += 18.0;
    for (name, end) in ["No.", "Vessel", "Slices", "Peak HU", "Volume mm³", "Agatston"].iter().zip(ends) {
        page.text_to(name, end, y, Type::new(8.0, false, QUIET));
    }
    page.fill([LEFT, y + 4.0], [RIGHT - LEFT, 0.7], RULE);
    for (place, lesion) in lesions.iter().take(ROWS_MAX).enumerate() {
        y += ROW_PT;
        if place % 2 == 1 {
            page.fill([LEFT, y - 9.5], [RIGHT - LEFT, ROW_PT], TINT);
        }
        for (value, end) in row(lesion).iter().zip(ends) {
            page.text_to(value, end, y, Type::new(9.0, false, INK));
        }
    }
    let rest = match lesions.len() {
        0 => Some("No lesion above the threshold and of at least 1 mm² was found in the region.".to_owned()),
        count if count > ROWS_MAX => Some(format!("and {} smaller ones", count - ROWS_MAX)),
        _ => None,
    };
    if let Some(words) = rest {
        y += ROW_PT;
        page.text(&words, LEFT + 6.0, y, Type::new(9.0, false, QUIET));
    }
    y + 24.0
}

fn row(lesion: &Lesion) -> [String; 6] {
    let first = lesion.slices.iter().map(|part| part.slice + 1).min().unwrap_or(0);
    let last = lesion.slices.iter().map(|part| part.slice + 1).max().unwrap_or(0);
    let slices = if first == last { first.to_string() } else { format!("{first}–{last}") };
    [
        lesion.number.to_string(),
        lesion.vessel.map_or("–", Vessel::name).to_owned(),
        slices,
        lesion.peak_hu.to_string(),
        format!("{:.1}", lesion.volume_mm3),
        format!("{:.1}", lesion.agatston),
    ]
}

fn explanations(page: &mut Page, subject: &Subject<'_>, y: f32) {
    let width = RIGHT - LEFT;
    let (head, small) = (Type::new(9.5, true, INK), Type::new(8.0, false, INK));
    page.text("How this was measured", LEFT, y, head);
    let increment = subject.stack.geometry.as_ref().map_or(0.0, |geometry| geometry.slice_increment_mm);
    let scoring = subject.finding.calcium.as_ref().map(|calcium| calcium.scoring.method.as_str());
    let calibration = subject.finding.calcium.as_ref().map(|calcium| calcium.mass.source.as_str());
    let method = format!(
        "{} In each slice, 8-connected pixels from the threshold on and together at least 1 mm²: area times weight (1 to \
         4, by the peak of that slice's lesion) times slice increment ({increment:.2} mm) over 3 mm. Volume: the same \
         voxels, not interpolated. Lesions join slices for listing only. Mass: {}.",
        scoring.unwrap_or_default(),
        calibration.unwrap_or("not calibrated")
    );
    let mut at = page.paragraph(&method, [LEFT, y + 12.0], width, small) + 5.0;
    page.text("Where it looked, and limits", LEFT, at, head);
    let rule = match &subject.finding.scope {
        Scope::Automatic { rule } => rule.as_str(),
        Scope::Region { .. } | Scope::Chosen { .. } | Scope::Edited { .. } => "A region drawn by a reader.",
    };
    at = page.paragraph(rule, [LEFT, at + 12.0], width, small) + 2.0;
    let limits = "The total sums LM, LAD, LCX and RCA and what nobody has assigned, never aorta, valve or other. No \
                  percentile is given. Every lesion must be looked at on the original images.";
    page.paragraph(limits, [LEFT, at], width, small);
}

fn footer(page: &mut Page, subject: &Subject<'_>) {
    page.fill([LEFT, 796.0], [RIGHT - LEFT, 0.7], RULE);
    let small = Type::new(7.0, false, QUIET);
    let finding = subject.finding;
    let algorithm = &finding.algorithm;
    let first = format!(
        "{} {} on {}, computed {}",
        algorithm.name, algorithm.version, algorithm.processor, finding.created_at
    );
    page.text(&cut(&first, 130), LEFT, 807.0, small);
    let second = format!("Finding {}. Program SHA-256 {}", finding.id, program_sha256());
    page.text(&cut(&second, 140), LEFT, 817.0, small);
    let last =
        format!("Sidelight {}. Not a diagnosis; for review by a qualified reader.", subject.maker.version);
    page.text(&last, LEFT, 827.0, small);
}
