//! How long the device itself took, by its own clock.

use std::time::Duration;

use super::program::Step;

/// Timestamps of a program. Of a longer program the last of them closes all the rest.
pub(super) const STAMPS_MAX: u32 = 512;

/// Time on the device, without the way there and back.
#[derive(Clone, Debug, Default)]
pub struct DeviceTime {
    pub total: Duration,
    /// By kernel, in the order of their first dispatch; what is not a kernel is named after its step.
    pub by_label: Vec<(&'static str, Duration)>,
}

impl DeviceTime {
    pub(crate) fn add(&mut self, other: &Self) {
        self.total += other.total;
        for (label, time) in &other.by_label {
            self.enter(label, *time);
        }
    }

    fn enter(&mut self, label: &'static str, time: Duration) {
        match self.by_label.iter_mut().find(|(known, _)| *known == label) {
            Some((_, sum)) => *sum += time,
            None => self.by_label.push((label, time)),
        }
    }

    /// From the stamps written before the first step and by [`stamp_after`].
    pub(super) fn new(steps: &[Step], stamps: &[u64], tick: f32) -> Self {
        let between = |from: u64, to: u64| {
            #[expect(clippy::cast_precision_loss, reason = "a turn has far fewer than 2^53 ticks")]
            let ticks = to.saturating_sub(from) as f64;
            Duration::from_secs_f64(ticks * f64::from(tick) * 1e-9)
        };
        let mut time = Self::default();
        for (index, pair) in stamps.windows(2).enumerate() {
            let rest = index + 2 == stamps.len() && stamps.len() <= steps.len();
            let label = if rest { "the rest" } else { steps[index].label() };
            time.enter(label, between(pair[0], pair[1]));
        }
        if let [first, .., last] = stamps {
            time.total = between(*first, *last);
        }
        time
    }
}

/// How many stamps a program of so many steps gets.
pub(super) fn stamps(steps: usize) -> u32 {
    u32::try_from(steps + 1).unwrap_or(STAMPS_MAX).min(STAMPS_MAX)
}

/// Which stamp is written after a step, if one is.
pub(super) fn stamp_after(step: usize, steps: usize) -> Option<u32> {
    let last = stamps(steps) - 1;
    let index = u32::try_from(step + 1).unwrap_or(STAMPS_MAX);
    if step + 1 == steps { Some(last) } else { (index < last).then_some(index) }
}

impl Step {
    fn label(&self) -> &'static str {
        match self {
            Self::Clear(_) => "clear",
            Self::Fill { .. } => "fill",
            Self::Dispatch { kernel, .. } => kernel.name,
            Self::Read { .. } => "read",
        }
    }
}
