//! A stack whose positions were taken again and again: one series of frames for each position, each frame with its
//! time.
//!
//! Wide detectors take all positions at once (*continuous*), a table that goes to and fro takes blocks of them in
//! turn (*shuttle*), and some take every other one (*interleaved*). Nothing here resamples: each position keeps its
//! own times. Nothing is guessed either: images that do not say when they were taken have no time axis.

use super::frames::FrameSource;
use super::geometry::{Place, StackGeometry, Unusable, judge};
use super::pixels::Meaning;
use super::stack::Stack;
use crate::part10::{DAY_US, Timing};

/// Positions closer than this are one position: a table comes back to within a few hundredths of a millimetre.
const SAME_POSITION_MM: f64 = 0.1;
/// Moments closer than this are one moment: two reconstructions of the same rays.
const SAME_MOMENT_US: i64 = 1000;
/// No perfusion scan lasts so long: a larger span is a clock that passed midnight without its date.
const HALF_A_DAY_US: i64 = DAY_US / 2;
/// Positions whose first moments differ by less than this share of the interval were taken together.
const TOGETHER: f64 = 0.1;

/// Frames by position and time.
#[derive(Clone, Debug)]
pub struct TimedStack {
    pub columns: u16,
    pub rows: u16,
    pub pixel_spacing_mm: Option<[f64; 2]>,
    pub meaning: Meaning,
    pub geometry: StackGeometry,
    /// In the order of the stack.
    pub positions: Vec<TimedPosition>,
    pub clock: TimeSource,
    pub mode: ScanMode,
}

/// The frames of one position.
#[derive(Clone, Debug)]
pub struct TimedPosition {
    /// From the first frame of the whole stack, ascending.
    pub times_s: Vec<f64>,
    pub frames: Vec<FrameSource>,
}

/// What the times are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSource {
    Acquired,
    /// When the images were made: close to when they were taken only where a scanner reconstructs as it scans.
    Made,
    /// Temporal positions, evenly spaced by the Temporal Resolution that the object states.
    Numbered,
}

impl TimeSource {
    /// The most trustworthy first.
    const ALL: [Self; 3] = [Self::Acquired, Self::Made, Self::Numbered];

    fn read(self, timing: &Timing) -> Option<i64> {
        match self {
            Self::Acquired => timing.acquired_us,
            Self::Made => timing.content_us,
            Self::Numbered => {
                let interval_us = timing.resolution_us.filter(|interval| *interval > 0)?;
                interval_us.checked_mul(timing.position?.into())
            }
        }
    }
}

/// The order in which positions were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanMode {
    Continuous,
    Shuttle,
    Interleaved,
}

/// Why a stack has no time points, in words a person can act on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoTimePoints {
    #[error("every position was taken once: there is one time point")]
    Single,
    #[error("the images do not say when they were taken, nor how far apart their time points are")]
    NoTimeAxis,
    #[error(
        "two images of one position were taken at the same moment: several reconstructions in one series"
    )]
    SameMoment,
    #[error("images of one position differ in where they lie in their plane")]
    MixedPlaces,
    #[error("this series is one time point of a scan that is answered for under its first series")]
    PartOfAnother,
    #[error("{0}")]
    Unusable(#[from] Unusable),
}

/// How often the positions of a stack are there, as a signal of completeness: time points and phases alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeats {
    pub positions: usize,
    /// The positions themselves are evenly spaced, none missing between the first and the last.
    pub even: bool,
    pub fewest: usize,
    pub most: usize,
    /// Number of Temporal Positions, where the sender says it.
    pub announced: Option<u32>,
}

/// `None` where no position is there twice.
pub fn repeats(stack: &Stack) -> Option<Repeats> {
    let groups = by_position(stack)?;
    let counts = || groups.iter().map(|group| group.len());
    let most = counts().max().filter(|most| *most > 1)?;
    let announced = stack.frames.iter().find_map(|frame| frame.timing.positions);
    let even = judge(&places(&groups)).is_ok();
    Some(Repeats { positions: groups.len(), even, fewest: counts().min()?, most, announced })
}

/// Puts the frames of a stack in order of position and time.
pub fn time_points(stack: &Stack) -> Result<TimedStack, NoTimePoints> {
    let Some(groups) = by_position(stack) else {
        return Err(stack.geometry.clone().err().unwrap_or(Unusable::NoPlace).into());
    };
    if groups.iter().all(|group| group.len() == 1) {
        return Err(NoTimePoints::Single);
    }
    let places = places(&groups);
    let pixel_mm = stack.pixel_spacing_mm.map_or(1.0, |[a, b]| a.min(b));
    if groups
        .iter()
        .zip(&places)
        .any(|(group, first)| group.iter().any(|frame| astray(frame, first, pixel_mm)))
    {
        return Err(NoTimePoints::MixedPlaces);
    }
    let geometry = judge(&places)?;
    let (clock, moments) = clock(&groups)?;
    let positions: Vec<TimedPosition> =
        groups.iter().zip(moments).map(|(group, moments)| in_time(group, &moments)).collect();
    Ok(TimedStack {
        columns: stack.columns,
        rows: stack.rows,
        pixel_spacing_mm: stack.pixel_spacing_mm,
        meaning: stack.meaning,
        geometry,
        mode: mode(&positions),
        positions,
        clock,
    })
}

/// Whether two stacks show the same places: each may be a time point of one scan.
pub fn same_places(one: &Stack, other: &Stack) -> bool {
    let about = |stack: &Stack| (stack.columns, stack.rows, stack.pixel_spacing_mm, stack.orientation);
    let (Some(ours), Some(theirs)) = (&one.positions_mm, &other.positions_mm) else { return false };
    about(one) == about(other)
        && ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() <= SAME_POSITION_MM)
}

/// Time points that a scanner filed as a series each, as one.
pub fn join(stacks: &[Stack]) -> Result<TimedStack, NoTimePoints> {
    let first = stacks.first().ok_or(NoTimePoints::Single)?;
    let mut frames: Vec<(f64, &FrameSource)> = stacks.iter().flat_map(placed).collect();
    frames.sort_by(|a, b| a.0.total_cmp(&b.0));
    time_points(&Stack {
        positions_mm: Some(frames.iter().map(|(position, _)| *position).collect()),
        frames: frames.into_iter().map(|(_, frame)| frame.clone()).collect(),
        ..first.clone()
    })
}

fn placed(stack: &Stack) -> impl Iterator<Item = (f64, &FrameSource)> {
    stack.positions_mm.iter().flatten().copied().zip(&stack.frames)
}

/// Frames that share a position, positions in the order of the stack. `None` where a frame has no place.
pub(super) fn by_position(stack: &Stack) -> Option<Vec<&[FrameSource]>> {
    let positions = stack.positions_mm.as_ref()?;
    let mut groups = Vec::new();
    let mut first = 0;
    for index in 1..=positions.len() {
        if index == positions.len() || positions[index] - positions[first] > SAME_POSITION_MM {
            groups.push(stack.frames.get(first..index)?);
            first = index;
        }
    }
    Some(groups)
}

/// Where each position is: its first frame.
pub(super) fn places(groups: &[&[FrameSource]]) -> Vec<Place> {
    groups.iter().filter_map(|group| group.first()?.place).collect()
}

/// Whether a frame lies elsewhere in its plane than the first one of its position.
fn astray(frame: &FrameSource, first: &Place, pixel_mm: f64) -> bool {
    let Some(place) = frame.place else { return true };
    let apart = place.position_mm.iter().zip(first.position_mm).map(|(a, b)| (a - b) * (a - b));
    apart.sum::<f64>().sqrt() > SAME_POSITION_MM + pixel_mm / 2.0
}

/// Microseconds, by position.
type Moments = Vec<Vec<i64>>;

/// The first clock that every frame has and that tells the frames of a position apart.
fn clock(groups: &[&[FrameSource]]) -> Result<(TimeSource, Moments), NoTimePoints> {
    let mut stands_still = false;
    for source in TimeSource::ALL {
        let of_group =
            |group: &&[FrameSource]| group.iter().map(|frame| source.read(&frame.timing)).collect();
        let Some(mut moments) = groups.iter().map(of_group).collect::<Option<Moments>>() else { continue };
        past_midnight(&mut moments);
        if moments.iter().all(|group| tells_apart(group)) {
            return Ok((source, moments));
        }
        stands_still = true;
    }
    Err(if stands_still { NoTimePoints::SameMoment } else { NoTimePoints::NoTimeAxis })
}

/// A clock without a date starts again at midnight: what lies before that belongs to the next day. Then all count from
/// the first moment.
fn past_midnight(moments: &mut Moments) {
    let ends = |moments: &Moments| {
        let all = || moments.iter().flatten().copied();
        (all().min().unwrap_or(0), all().max().unwrap_or(0))
    };
    let (low, high) = ends(moments);
    if (HALF_A_DAY_US..DAY_US).contains(&high.saturating_sub(low)) {
        let early = moments.iter_mut().flatten().filter(|at| **at - low < HALF_A_DAY_US);
        early.for_each(|at| *at += DAY_US);
    }
    let (first, _) = ends(moments);
    moments.iter_mut().flatten().for_each(|at| *at = at.saturating_sub(first));
}

fn tells_apart(moments: &[i64]) -> bool {
    let mut sorted = moments.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[1] - pair[0] > SAME_MOMENT_US)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a scan lasts far less than the centuries that f64 counts exactly"
)]
fn seconds(microseconds: i64) -> f64 {
    microseconds as f64 / 1e6
}

fn in_time(group: &[FrameSource], moments: &[i64]) -> TimedPosition {
    let mut order: Vec<usize> = (0..group.len()).collect();
    order.sort_by_key(|index| moments[*index]);
    TimedPosition {
        times_s: order.iter().map(|index| seconds(moments[*index])).collect(),
        frames: order.iter().map(|index| group[*index].clone()).collect(),
    }
}

/// Told by when each position was taken first.
fn mode(positions: &[TimedPosition]) -> ScanMode {
    let interval_s =
        positions.iter().filter_map(|p| Some(p.times_s.get(1)? - p.times_s[0])).fold(0.0, f64::max);
    let together =
        |a: &TimedPosition, b: &TimedPosition| (a.times_s[0] - b.times_s[0]).abs() <= TOGETHER * interval_s;
    let changes = positions.windows(2).filter(|pair| !together(&pair[0], &pair[1])).count();
    match changes {
        0 => ScanMode::Continuous,
        // A table has few stops; slices taken in turns change at every one.
        changes if changes * 2 < positions.len() => ScanMode::Shuttle,
        _ => ScanMode::Interleaved,
    }
}
