//! From records to documents.

use super::error::ApiError;
use super::shapes::{
    ActivityState, EdgeLetters, Headline, PixelUnit, SeriesSummary, StackShape, StudyActivity, StudyDetail,
    StudySummary, Window,
};
use crate::imaging::{Meaning, Stack, StackError, edge_letters, stack};
use crate::store::finding::{FindingKind, FindingState};
use crate::store::records::{FindingCard, SeriesRecord, StudyRecord};
use crate::store::{ProgressState, Sending, Store, StoreError};
use crate::uid::{SeriesUid, StudyUid};

/// One line of the work list.
pub(super) fn study(store: &Store, uid: &StudyUid) -> Result<StudySummary, StoreError> {
    let (record, series, cards) = (store.study(uid)?, arrived_series(store, uid)?, store.finding_cards(uid)?);
    Ok(summarize(store, uid, record, &series, &cards))
}

/// A study with its series in their order.
pub(super) fn detail(store: &Store, uid: &StudyUid) -> Result<StudyDetail, ApiError> {
    let (record, mut series, cards) =
        (store.study(uid)?, arrived_series(store, uid)?, store.finding_cards(uid)?);
    let summary = summarize(store, uid, record, &series, &cards);
    series.sort_by(|a, b| (a.1.number, &a.0).cmp(&(b.1.number, &b.0)));
    let series = series.iter().map(|(series, record)| series_summary(store, uid, series, record));
    Ok(StudyDetail { summary, series: series.collect::<Result<_, _>>()? })
}

/// What the scanner sent. The box's own objects are shown as findings, not as images beside them.
fn arrived_series(store: &Store, uid: &StudyUid) -> Result<Vec<(SeriesUid, SeriesRecord)>, StoreError> {
    let mut series = store.series(uid)?;
    series.retain(|(_, record)| !record.own);
    Ok(series)
}

fn summarize(
    store: &Store,
    uid: &StudyUid,
    record: StudyRecord,
    series: &[(SeriesUid, SeriesRecord)],
    cards: &[FindingCard],
) -> StudySummary {
    let about = record.patient_study;
    let mut modalities: Vec<String> =
        series.iter().map(|(_, record)| record.modality.clone()).filter(|m| !m.is_empty()).collect();
    modalities.sort();
    modalities.dedup();
    StudySummary {
        uid: uid.as_str().to_owned(),
        patient_name: about.patient_name,
        patient_id: about.patient_id,
        birth_date: date(about.birth_date),
        sex: Some(about.sex).filter(|sex| !sex.is_empty()),
        study_date: date(about.study_date),
        study_time: time(about.study_time),
        description: about.study_description,
        accession_number: about.accession_number,
        modalities,
        series_count: series.len(),
        instance_count: record.instances,
        conflict_count: record.conflicts,
        first_arrival_at: record.first_arrival.rfc3339(),
        last_arrival_at: record.last_arrival.rfc3339(),
        activity: activity(store, uid, record.instances, cards),
        headline: headline(cards),
    }
}

fn activity(store: &Store, uid: &StudyUid, instances: u64, cards: &[FindingCard]) -> StudyActivity {
    if store.live().sending(uid) == Sending::Now {
        let stage = format!("receiving, {instances} images so far");
        return StudyActivity { state: ActivityState::Receiving, stage, percent: None };
    }
    if let Some(progress) = store.live().progress(uid) {
        let state = match progress.state {
            ProgressState::Waiting => ActivityState::Waiting,
            ProgressState::Queued => ActivityState::Queued,
            ProgressState::Running => ActivityState::Running,
        };
        return StudyActivity { state, stage: progress.stage, percent: progress.percent };
    }
    let failed = cards.iter().any(|card| card.state == FindingState::Failed);
    let state = if failed { ActivityState::Failed } else { ActivityState::Idle };
    StudyActivity { state, stage: String::new(), percent: None }
}

fn is_of_organs(kind: FindingKind) -> bool {
    matches!(kind, FindingKind::Structures | FindingKind::Segmentation)
}

/// What was found where something was, the most urgent first; else what a reader drew; else why there is nothing.
fn headline(cards: &[FindingCard]) -> Option<Headline> {
    let current = || cards.iter().rev().filter(|card| card.state.is_current());
    let found = |drawn| {
        // Volumes of organs are no headline where anything else has something to say.
        let telling = FindingKind::ALL.iter().filter(|kind| !is_of_organs(**kind));
        telling.into_iter().find_map(|kind| {
            current().find(|card| card.drawn == drawn && card.kind == *kind && card.in_short.is_some())
        })
    };
    let failed = || current().find(|card| !card.drawn && card.state == FindingState::Failed);
    let rejected = || cards.iter().rev().find(|card| !card.drawn && card.state == FindingState::Rejected);
    let structures = || current().find(|card| is_of_organs(card.kind) && card.in_short.is_some());
    let any = || current().find(|card| !card.drawn);
    let card = found(false)
        .or_else(|| found(true))
        .or_else(failed)
        .or_else(rejected)
        .or_else(structures)
        .or_else(any)?;
    let kind = match card.kind {
        FindingKind::Perfusion => "perfusion",
        FindingKind::Calcium => "calcium",
        FindingKind::Cardiac => "left ventricle",
        FindingKind::Mammography => "mammogram",
        FindingKind::Nodules => "lung nodules",
        FindingKind::Structures => "structures",
        FindingKind::Segmentation => "segmentation",
    };
    let place = if card.drawn && card.kind == FindingKind::Calcium { " in a drawn region" } else { "" };
    let text = match (&card.in_short, card.state) {
        (_, FindingState::Rejected) => format!("{kind}: rejected by a reader"),
        (Some(found), FindingState::Confirmed) => format!("{found}{place} · confirmed"),
        (Some(found), FindingState::Provisional) => format!("{found} · candidate, study may grow"),
        (Some(found), _) if card.assigned && card.revision > 0 => {
            format!("{found}{place} · assigned, not confirmed")
        }
        (Some(found), _) => format!("{found}{place} · candidate, unreviewed"),
        (None, FindingState::Failed) => "analysis failed".into(),
        (None, _) => "no analysis applies".into(),
    };
    Some(Headline { text, state: card.state })
}

fn series_summary(
    store: &Store,
    study: &StudyUid,
    series: &SeriesUid,
    record: &SeriesRecord,
) -> Result<SeriesSummary, ApiError> {
    let (shape, problem) = match stack(store, study, series) {
        Ok(stack) => {
            let problem = stack.geometry.as_ref().err().map(ToString::to_string);
            (Some(stack_shape(&stack)), problem)
        }
        Err(StackError::Store(error)) => return Err(error.into()),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(SeriesSummary {
        uid: series.as_str().to_owned(),
        modality: record.modality.clone(),
        number: record.number,
        description: record.description.clone(),
        instance_count: record.instances,
        frame_count: record.frames,
        stack: shape,
        stack_problem: problem,
    })
}

fn stack_shape(stack: &Stack) -> StackShape {
    let letters = stack.orientation.map(|orientation| {
        let [left, right, top, bottom] = edge_letters(&orientation);
        EdgeLetters { left, right, top, bottom }
    });
    StackShape {
        columns: stack.columns,
        rows: stack.rows,
        frames: stack.frames.len(),
        column_spacing_mm: stack.pixel_spacing_mm.map(|[_, between_columns]| between_columns),
        row_spacing_mm: stack.pixel_spacing_mm.map(|[between_rows, _]| between_rows),
        slice_increment_mm: stack.geometry.as_ref().ok().map(|geometry| geometry.slice_increment_mm),
        digest: stack.digest(),
        unit: match stack.meaning {
            Meaning::Hounsfield => PixelUnit::Hounsfield,
            Meaning::Stored => PixelUnit::Stored,
        },
        window: stack.window.map(|[center, width]| Window { center, width }),
        photometric: stack.photometric.clone(),
        even: stack.geometry.is_ok(),
        sop_instance_uids: stack.frames.iter().map(|frame| frame.sop_instance_uid.clone()).collect(),
        positions_mm: stack.positions_mm.clone(),
        edge_letters: letters,
    }
}

/// `20261123` as `2026-11-23`; anything else as it is.
pub(super) fn date(text: String) -> Option<String> {
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]));
    }
    Some(text).filter(|text| !text.is_empty())
}

/// `183801.000` as `18:38:01`; anything else as it is.
fn time(text: String) -> Option<String> {
    if text.len() >= 6 && text.bytes().take(6).all(|byte| byte.is_ascii_digit()) {
        return Some(format!("{}:{}:{}", &text[..2], &text[2..4], &text[4..6]));
    }
    Some(text).filter(|text| !text.is_empty())
}
