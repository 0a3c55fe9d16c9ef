//! Time points told from times alone: no pixel is read.

use super::frames::FrameSource;
use super::geometry::{Place, Unusable};
use super::pixels::Meaning;
use super::stack::Stack;
use super::time_points::{
    NoTimePoints, Repeats, ScanMode, TimeSource, join, repeats, same_places, time_points,
};
use crate::part10::Timing;

const SPACING_MM: f64 = 5.0;

fn frame(slice: u32, timing: Timing) -> FrameSource {
    let position_mm = [0.0, 0.0, f64::from(slice) * SPACING_MM];
    FrameSource {
        path: "x".into(),
        frame: 0,
        sop_instance_uid: format!("{slice}"),
        tag: String::new(),
        place: Some(Place { position_mm, orientation: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0] }),
        timing,
    }
}

/// Slices in order, each with its own times, the last time first.
fn stack(slices: u32, times: u32, timing: impl Fn(u32, u32) -> Timing) -> Stack {
    let frames = (0..slices).flat_map(|slice| {
        let timing = &timing;
        (0..times).rev().map(move |time| frame(slice, timing(slice, time)))
    });
    let frames: Vec<FrameSource> = frames.collect();
    Stack {
        columns: 8,
        rows: 8,
        positions_mm: Some(frames.iter().map(|f| f.place.unwrap().position_mm[2]).collect()),
        frames,
        orientation: None,
        pixel_spacing_mm: Some([1.0, 1.0]),
        window: None,
        photometric: "MONOCHROME2".into(),
        meaning: Meaning::Hounsfield,
        geometry: Err(Unusable::SharedPositions { count: 1 }),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
fn us(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}

fn acquired(seconds: f64) -> Timing {
    Timing { acquired_us: Some(us(seconds)), ..Timing::default() }
}

fn times(stack: &Stack) -> Vec<Vec<f64>> {
    time_points(stack).unwrap().positions.into_iter().map(|position| position.times_s).collect()
}

#[test]
fn frames_come_in_order_of_position_and_time_from_the_first_one() {
    let stack = stack(3, 4, |_, time| acquired(1000.0 + 2.0 * f64::from(time)));
    let timed = time_points(&stack).unwrap();
    assert_eq!(timed.positions.len(), 3);
    assert!(timed.positions.iter().all(|p| p.times_s == [0.0, 2.0, 4.0, 6.0] && p.frames.len() == 4));
    assert_eq!(timed.geometry.slice_increment_mm, SPACING_MM);
    assert_eq!((timed.mode, timed.clock), (ScanMode::Continuous, TimeSource::Acquired));
    assert_eq!(
        repeats(&stack),
        Some(Repeats { positions: 3, even: true, fewest: 4, most: 4, announced: None })
    );
}

#[test]
fn a_table_that_shuttles_and_slices_taken_in_turns_keep_their_own_times() {
    let shuttle =
        stack(8, 5, |slice, time| acquired(3.0 * f64::from(time) + if slice < 4 { 0.0 } else { 1.5 }));
    assert_eq!(time_points(&shuttle).unwrap().mode, ScanMode::Shuttle);
    assert_eq!(times(&shuttle)[7], [1.5, 4.5, 7.5, 10.5, 13.5]);
    let interleaved = stack(8, 5, |slice, time| acquired(2.0 * f64::from(time) + f64::from(slice % 2)));
    assert_eq!(time_points(&interleaved).unwrap().mode, ScanMode::Interleaved);
    assert_eq!(times(&interleaved)[1], [1.0, 3.0, 5.0, 7.0, 9.0]);
}

#[test]
fn a_clock_without_a_date_goes_on_past_midnight() {
    let stack = stack(2, 4, |_, time| acquired((86_398.0 + f64::from(time)) % 86_400.0));
    assert_eq!(times(&stack)[0], [0.0, 1.0, 2.0, 3.0]);
}

#[test]
fn another_clock_is_used_only_where_the_first_is_missing_or_stands_still() {
    let made = |time: u32| Some(us(f64::from(time) * 2.0));
    let missing = stack(2, 3, |_, time| Timing { content_us: made(time), ..Timing::default() });
    assert_eq!(time_points(&missing).unwrap().clock, TimeSource::Made);
    let still = stack(2, 3, |_, time| Timing { content_us: made(time), ..acquired(7.0) });
    assert_eq!(time_points(&still).unwrap().clock, TimeSource::Made);
    let numbered = |resolution_us| {
        stack(2, 3, move |_, time| Timing { position: Some(time + 1), resolution_us, ..Timing::default() })
    };
    assert_eq!(time_points(&numbered(Some(1_500_000))).unwrap().clock, TimeSource::Numbered);
    assert_eq!(times(&numbered(Some(1_500_000)))[0], [0.0, 1.5, 3.0]);
    assert_eq!(time_points(&numbered(None)).unwrap_err(), NoTimePoints::NoTimeAxis);
}

#[test]
fn time_points_that_came_as_a_series_each_are_joined_and_other_stacks_left_out() {
    let series: Vec<Stack> = (0..5).map(|time| stack(3, 1, |_, _| acquired(f64::from(time) * 2.0))).collect();
    let other = Stack { pixel_spacing_mm: Some([0.5, 0.5]), ..stack(3, 1, |_, _| acquired(99.0)) };
    let shorter = stack(2, 1, |_, _| acquired(98.0));
    let all = [series.as_slice(), &[other, shorter]].concat();
    let alike: Vec<Stack> = all.into_iter().filter(|stack| same_places(&series[0], stack)).collect();
    let joined = join(&alike).unwrap();
    assert_eq!(joined.positions.len(), 3);
    assert!(joined.positions.iter().all(|position| position.times_s == [0.0, 2.0, 4.0, 6.0, 8.0]));
    assert_eq!(join(&series[..1]).unwrap_err(), NoTimePoints::Single);
}

#[test]
fn every_refusal_says_why() {
    let refusal = |stack: &Stack| time_points(stack).unwrap_err().to_string();
    assert!(refusal(&stack(4, 1, |_, _| acquired(0.0))).contains("one time point"));
    assert!(refusal(&stack(4, 3, |_, _| Timing::default())).contains("when they were taken"));
    assert!(refusal(&stack(4, 3, |_, _| acquired(5.0))).contains("reconstructions"));
    assert!(refusal(&stack(1, 3, |_, time| acquired(f64::from(time)))).contains("single slice"));
    let mut astray = stack(4, 3, |_, time| acquired(f64::from(time)));
    astray.frames[1].place.as_mut().unwrap().position_mm[0] = 20.0;
    assert!(refusal(&astray).contains("where they lie"));
    let mut gap = stack(6, 3, |_, time| acquired(f64::from(time)));
    gap.frames.drain(6..9);
    gap.positions_mm.as_mut().unwrap().drain(6..9);
    assert!(refusal(&gap).contains("missing"));
    let mut placeless = stack(4, 3, |_, time| acquired(f64::from(time)));
    placeless.positions_mm = None;
    placeless.geometry = Err(Unusable::NoPlace);
    assert!(refusal(&placeless).contains("where they stand"));
}

#[test]
fn positions_that_lack_time_points_are_counted() {
    let mut short = stack(3, 4, |_, time| Timing { positions: Some(6), ..acquired(f64::from(time)) });
    short.frames.pop();
    short.positions_mm.as_mut().unwrap().pop();
    let counted = repeats(&short).unwrap();
    assert_eq!((counted.fewest, counted.most, counted.announced), (3, 4, Some(6)));
    assert_eq!(repeats(&stack(3, 1, |_, _| acquired(0.0))), None);
}
