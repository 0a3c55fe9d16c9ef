//! A stack whose positions were taken at the same phases of the heart's cycle: cine MR, multi-phase CT.
//!
//! Phases are counted within each position in the order of their trigger times: the heart beats a little faster or slower
//! from one breath-hold to the next, so that equal phases have unequal times. Distances come from positions; Slice Location
//! is not looked at. Nothing is guessed: images without trigger times, or a position that lacks a phase, are refused.

use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};
use sidelight_kernels::{Geometry, Volume};

use super::frames::{Decoder, FrameSource};
use super::geometry::{StackGeometry, Unusable, judge};
use super::pixels::Meaning;
use super::stack::{Stack, StackError, assembled, kernel_geometry};
use super::time_points::{by_position, places};

/// Trigger times closer than this are one moment: two reconstructions of one phase.
const SAME_PHASE_S: f64 = 1e-3;

/// No heart in a scanner beats slower than 24 times a minute: what lasts longer is a time series, such as a perfusion scan
/// whose times were stored as trigger times.
const CYCLE_S_MAX: f64 = 2.5;

/// Frames by position and phase.
#[derive(Clone, Debug)]
pub struct PhasedStack {
    pub columns: u16,
    pub rows: u16,
    /// Between rows, between columns.
    pub pixel_spacing_mm: [f64; 2],
    pub geometry: StackGeometry,
    meaning: Meaning,
    /// In the order of the stack; each has its phases in the order of the cycle.
    slices: Vec<Vec<FrameSource>>,
}

/// Why a stack has no phases, in words a person can act on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoPhases {
    #[error("every position was taken once: there is no cycle")]
    Single,
    #[error("the images do not say when in the heart's cycle they were taken (Trigger Time)")]
    NoTriggers,
    #[error("slice {slice} has {here} phases, others have {usual}: images are missing")]
    Missing { slice: usize, here: usize, usual: usize },
    #[error("slice {slice} has two images of one phase: several reconstructions in one series")]
    SamePhase { slice: usize },
    #[error(
        "slice {slice} was taken over {seconds:.1} s: longer than a heart's cycle, so these are no phases of one"
    )]
    TooLong { slice: usize, seconds: f64 },
    #[error("the images do not say how large a pixel is")]
    NoSpacing,
    #[error("{0}")]
    Unusable(#[from] Unusable),
}

/// Puts the frames of a stack in order of position and phase.
pub fn phases(stack: &Stack) -> Result<PhasedStack, NoPhases> {
    let Some(groups) = by_position(stack) else {
        return Err(stack.geometry.clone().err().unwrap_or(Unusable::NoPlace).into());
    };
    let usual = groups.iter().map(|group| group.len()).max().unwrap_or(0);
    if usual < 2 {
        return Err(NoPhases::Single);
    }
    let pixel_spacing_mm = stack.pixel_spacing_mm.ok_or(NoPhases::NoSpacing)?;
    let mut slices = Vec::with_capacity(groups.len());
    for (group, slice) in groups.iter().zip(1..) {
        if group.len() != usual {
            return Err(NoPhases::Missing { slice, here: group.len(), usual });
        }
        slices.push(in_cycle(group, slice)?);
    }
    let geometry = judge(&places(&groups))?;
    let (columns, rows, meaning) = (stack.columns, stack.rows, stack.meaning);
    Ok(PhasedStack { columns, rows, pixel_spacing_mm, geometry, meaning, slices })
}

fn in_cycle(group: &[FrameSource], slice: usize) -> Result<Vec<FrameSource>, NoPhases> {
    let mut timed = Vec::with_capacity(group.len());
    for frame in group {
        timed.push((frame.timing.trigger_s.ok_or(NoPhases::NoTriggers)?, frame));
    }
    timed.sort_by(|a, b| a.0.total_cmp(&b.0));
    if timed.windows(2).any(|pair| pair[1].0 - pair[0].0 < SAME_PHASE_S) {
        return Err(NoPhases::SamePhase { slice });
    }
    let seconds = timed.last().map_or(0.0, |last| last.0) - timed.first().map_or(0.0, |first| first.0);
    if seconds > CYCLE_S_MAX {
        return Err(NoPhases::TooLong { slice, seconds });
    }
    Ok(timed.into_iter().map(|(_, frame)| frame.clone()).collect())
}

impl PhasedStack {
    /// Phases of the cycle, the same for every slice.
    pub fn phases(&self) -> usize {
        self.slices.first().map_or(0, Vec::len)
    }

    pub fn slices(&self) -> usize {
        self.slices.len()
    }

    /// When each phase of a slice was taken after the R wave, seconds.
    pub fn triggers_s(&self, slice: usize) -> Vec<f64> {
        self.slices[slice].iter().filter_map(|frame| frame.timing.trigger_s).collect()
    }

    pub fn frame(&self, slice: usize, phase: usize) -> Option<&FrameSource> {
        self.slices.get(slice)?.get(phase)
    }

    /// The object of one slice at one phase.
    pub fn sop_instance_uid(&self, slice: usize, phase: usize) -> &str {
        &self.slices[slice][phase].sop_instance_uid
    }

    /// Beats a minute of each slice's own breath-hold; `None` where one does not say.
    pub fn heart_rates_per_min(&self) -> Option<Vec<f64>> {
        self.slices.iter().map(|frames| frames.first()?.timing.heart_rate_per_min).collect()
    }

    /// Values of all slices at one phase.
    pub fn images(&self, phase: usize) -> Result<Vec<Vec<i16>>, StackError> {
        let frames = self.frames_at(phase);
        let pixels = usize::from(self.rows) * usize::from(self.columns);
        let decoder = Decoder::of(frames.iter().copied(), self.meaning, pixels)?;
        frames.par_iter().map(|frame| decoder.frame(frame)).collect()
    }

    /// Where its voxels stand: column, row, slice.
    pub fn placed(&self) -> Result<Geometry, StackError> {
        kernel_geometry(&self.geometry, Some(self.pixel_spacing_mm))
    }

    /// One phase as a volume.
    pub fn volume(&self, phase: usize) -> Result<Volume, StackError> {
        assembled([self.columns, self.rows], self.placed()?, &self.frames_at(phase), self.meaning)
    }

    fn frames_at(&self, phase: usize) -> Vec<&FrameSource> {
        self.slices.iter().map(|slice| &slice[phase]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::geometry::Place;
    use super::*;
    use crate::part10::Timing;

    /// Slices 8 mm apart; `trigger` says when a phase of a slice was taken.
    fn stack(slices: u32, phases: u32, trigger: impl Fn(u32, u32) -> Option<f64>) -> Stack {
        let mut frames = Vec::new();
        let mut positions_mm = Vec::new();
        for slice in 0..slices {
            // Acquired in any order: here the last phase first.
            for phase in (0..phases).rev() {
                let mm = f64::from(slice) * 8.0;
                let place =
                    Place { position_mm: [0.0, 0.0, mm], orientation: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0] };
                let timing = Timing {
                    trigger_s: trigger(slice, phase),
                    heart_rate_per_min: Some(60.0 + f64::from(slice)),
                    ..Timing::default()
                };
                frames.push(FrameSource {
                    path: "x".into(),
                    frame: 0,
                    sop_instance_uid: format!("{slice}.{phase}"),
                    tag: String::new(),
                    place: Some(place),
                    timing,
                });
                positions_mm.push(mm);
            }
        }
        Stack {
            columns: 4,
            rows: 4,
            frames,
            positions_mm: Some(positions_mm),
            orientation: None,
            pixel_spacing_mm: Some([1.0, 1.0]),
            window: None,
            photometric: "MONOCHROME2".into(),
            meaning: Meaning::Stored,
            geometry: Err(Unusable::SharedPositions { count: 1 }),
        }
    }

    #[test]
    fn phases_are_counted_within_a_slice_whatever_its_heart_rate() {
        let stack = stack(6, 20, |slice, phase| Some(f64::from(phase) * (0.04 + f64::from(slice) * 0.001)));
        let phased = phases(&stack).unwrap();
        assert_eq!((phased.slices(), phased.phases()), (6, 20));
        assert!((phased.geometry.slice_increment_mm - 8.0).abs() < 1e-9);
        assert_eq!(phased.sop_instance_uid(3, 7), "3.7");
        assert_eq!(phased.heart_rates_per_min().unwrap(), [60.0, 61.0, 62.0, 63.0, 64.0, 65.0]);
    }

    #[test]
    fn every_refusal_says_why() {
        let all = |slice: u32, phase: u32| Some(f64::from(phase) * 0.04 + f64::from(slice) * 0.0);
        let reason = |stack: &Stack| phases(stack).unwrap_err().to_string();
        assert!(reason(&stack(6, 1, all)).contains("no cycle"));
        assert!(reason(&stack(6, 5, |_, _| None)).contains("Trigger Time"));
        assert!(
            reason(&stack(6, 5, |_, phase| Some(f64::from(phase / 2) * 0.04))).contains("reconstructions")
        );
        assert!(
            reason(&stack(6, 40, |_, phase| Some(f64::from(phase) * 1.5)))
                .contains("longer than a heart's cycle")
        );
        let mut short = stack(6, 5, all);
        short.frames.remove(12);
        short.positions_mm.as_mut().unwrap().remove(12);
        assert!(reason(&short).contains("slice 3 has 4 phases"), "{}", reason(&short));
        let mut gap = stack(6, 5, all);
        gap.frames.drain(10..15);
        gap.positions_mm.as_mut().unwrap().drain(10..15);
        assert!(reason(&gap).contains("missing"), "{}", reason(&gap));
    }
}
