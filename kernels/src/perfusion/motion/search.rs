//! One pass on its way to its pose: what GPU and twin do alike with the sums of a step.

use super::Pass;
use super::align::{Level, Levels, Rigid, Sums};

/// Differences are counted in bins of so many to a Hounsfield unit, not sorted: threads of a device count together, and
/// both sides then mean the same by the middle one.
const BINS_PER_HU: f32 = 4.0;

/// Up to 256 HU, well over half of what the clipped window can differ by; the last bin takes what is larger.
pub(crate) const BINS: usize = 1024;

/// More than any difference: points are trusted alike.
const TRUSTING_HU: f32 = 1e30;

/// How many points differ from the reference by how much.
#[derive(Clone, Debug)]
pub(crate) struct Differences(Vec<u32>);

impl Differences {
    pub(crate) fn none() -> Self {
        Self(vec![0; BINS])
    }

    /// As counted elsewhere, [`BINS`] of them.
    pub(crate) fn counted(bins: &[u32]) -> Self {
        Self(bins.to_vec())
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    pub(crate) fn count(&mut self, difference_hu: f32) {
        self.0[((difference_hu * BINS_PER_HU) as usize).min(BINS - 1)] += 1;
    }

    fn points(&self) -> usize {
        self.0.iter().map(|&count| count as usize).sum()
    }

    /// The middle difference, as if those of a bin were spread evenly over it; infinite when there is none.
    fn median_hu(&self) -> f32 {
        let middle = self.points() / 2;
        let mut before = 0;
        for (bin, count) in self.0.iter().map(|&count| count as usize).enumerate() {
            if before + count > middle {
                let within = ((middle - before) as f32 + 0.5) / count as f32;
                return (bin as f32 + within) / BINS_PER_HU;
            }
            before += count;
        }
        f32::INFINITY
    }
}

/// A pose that is being found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    pub(crate) rigid: Rigid,
    /// The middle difference of the step before.
    pub(crate) usual_hu: f32,
    /// Nothing more to find on this level.
    pub(crate) arrived: bool,
}

impl Default for Search {
    fn default() -> Self {
        Self { rigid: Rigid::STILL, usual_hu: TRUSTING_HU, arrived: false }
    }
}

impl Search {
    /// Weights come from the differences of the step before; the first step on a level trusts all points alike.
    pub(crate) fn enter_level(&mut self) {
        (self.usual_hu, self.arrived) = (TRUSTING_HU, false);
    }

    /// What a point counts whose difference is this large.
    pub(super) fn weight(&self, difference_hu: f32) -> f32 {
        let full = 2.0 * self.usual_hu;
        if difference_hu > full { full / difference_hu } else { 1.0 }
    }

    /// Takes the step that the points of a level ask for.
    pub(crate) fn hear(&mut self, levels: &Levels, level: &Level, sums: &Sums, differences: &Differences) {
        // A head of which half has left the picture is not aligned by the rest.
        if differences.points() * 2 < level.points.len() {
            (self.usual_hu, self.arrived) = (f32::INFINITY, true);
            return;
        }
        self.usual_hu = differences.median_hu();
        match levels.step(&self.rigid, sums) {
            Some((better, displacement_mm)) => {
                self.rigid = better;
                self.arrived = Rigid::arrived(displacement_mm);
            }
            None => self.arrived = true,
        }
    }

    pub(crate) fn pass(&self) -> Pass {
        Pass { pose: self.rigid.pose(), misfit_hu: f64::from(self.usual_hu), rejected: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median_of(differences_hu: &[f32]) -> f32 {
        let mut differences = Differences::none();
        differences_hu.iter().for_each(|&hu| differences.count(hu));
        differences.median_hu()
    }

    #[test]
    fn the_middle_of_counted_differences_is_near_the_middle_of_sorted_ones() {
        let spread: Vec<f32> = (0..4001).map(|at| (at * 617 % 4001) as f32 * 0.02).collect();
        assert!((median_of(&spread) - 40.0).abs() < 1.0 / BINS_PER_HU, "{}", median_of(&spread));
        assert!(median_of(&[]).is_infinite());
        assert!(median_of(&[1e9]) > 255.0 && median_of(&[1e9]).is_finite());
        assert!(median_of(&[0.0, 0.0, 90.0]) < 1.0 / BINS_PER_HU);
    }

    #[test]
    fn a_difference_counts_less_only_beyond_twice_the_usual_one() {
        let search = Search { usual_hu: 3.0, ..Search::default() };
        assert_eq!([0.0, 6.0, 12.0, 60.0].map(|hu| search.weight(hu)), [1.0, 1.0, 0.5, 0.1]);
        assert_eq!(Search::default().weight(400.0), 1.0);
    }
}
