//! From a kernel's score to the lesions a finding lists.

use sidelight_kernels::calcium::{Lesion as Scored, Score, SliceLesion};

use super::calcium::Count;
use super::finding::{Lesion, LesionSlice};

/// Listing more lesions than this helps nobody; the sums count them all.
pub const LESIONS_MAX: usize = 400;

/// The lesions of a score, largest first, and what did not fit the list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    pub lesions: Vec<Lesion>,
    pub unlisted: Count,
}

/// Lists lesions until there are `LESIONS_MAX` of them or their outlines have more than `runs_max` runs together.
pub fn listed(score: &Score, runs_max: usize) -> Listed {
    let (mut listed, mut runs) = (Listed::default(), 0);
    for (scored, number) in score.lesions.iter().zip(1..) {
        runs += scored.slices.iter().map(|slice| slice.runs.len()).sum::<usize>();
        let lesion = lesion(scored, number);
        if listed.lesions.len() < LESIONS_MAX && runs <= runs_max {
            listed.lesions.push(lesion);
        } else {
            listed.unlisted = listed.unlisted.and(Count::of(&lesion));
        }
    }
    listed
}

fn lesion(scored: &Scored, number: u32) -> Lesion {
    Lesion {
        number,
        peak_hu: scored.peak_hu.into(),
        volume_mm3: scored.volume_mm3,
        agatston: scored.agatston,
        center_px: scored.center_voxel,
        bounds_px: [scored.bounds.first, scored.bounds.last],
        slices: scored.slices.iter().map(slice).collect(),
        ..Lesion::default()
    }
}

fn slice(scored: &SliceLesion) -> LesionSlice {
    LesionSlice {
        slice: scored.slice,
        area_mm2: scored.area_mm2,
        peak_hu: scored.peak_hu.into(),
        weight: scored.weight,
        agatston: scored.agatston,
        hounsfield_sum: scored.hounsfield_sum,
        runs: scored.runs.iter().map(|run| [run.row, run.first_column, run.length]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use sidelight_kernels::calcium::{Bounds, Run};

    use super::*;

    fn score(lesions: u32) -> Score {
        let slice = |slice: u32| SliceLesion {
            slice,
            pixels: 7,
            area_mm2: 7.0,
            peak_hu: 210,
            hounsfield_sum: 1400,
            weight: 2,
            agatston: 14.0,
            runs: vec![
                Run { row: 9, first_column: 20, length: 3 },
                Run { row: 10, first_column: 18, length: 4 },
            ],
        };
        let lesion = |number: u32| Scored {
            agatston: 28.0,
            volume_mm3: 42.0,
            peak_hu: 210,
            hounsfield_mm3: 0.0,
            center_voxel: [20.0, 9.5, f64::from(number)],
            bounds: Bounds { first: [18, 9, number], last: [22, 10, number + 1] },
            slices: vec![slice(number), slice(number + 1)],
        };
        Score { agatston: 0.0, volume_mm3: 0.0, lesions: (0..lesions).map(lesion).collect(), fragments: 0 }
    }

    #[test]
    fn a_lesion_keeps_its_numbers_and_gets_its_box() {
        let found = listed(&score(1), usize::MAX);
        let lesion = &found.lesions[0];
        assert_eq!((lesion.number, lesion.bounds_px), (1, [[18, 9, 0], [22, 10, 1]]));
        assert_eq!(
            Count::of(lesion),
            Count { lesions: 1, pixels: 14, weighted_pixels: 28, hounsfield_sum: 2800 }
        );
        assert_eq!(found.unlisted, Count::default());
    }

    #[test]
    fn what_does_not_fit_the_list_is_counted() {
        for (found, kept) in [(listed(&score(402), usize::MAX), 400), (listed(&score(402), 41), 10)] {
            assert_eq!(found.lesions.len(), kept);
            let rest = u32::try_from(402 - kept).unwrap();
            let lesion = Count::of(&found.lesions[0]);
            assert_eq!(found.unlisted.lesions, rest);
            assert_eq!(found.unlisted.pixels, lesion.pixels * u64::from(rest));
        }
    }
}
