//! The runs of one slice's lesions by row, so that a neighbouring slice finds what it touches without a search.

use super::Run;

/// Runs of a slice, each with the place of its lesion.
#[derive(Debug, Default)]
pub(super) struct Rows {
    first_row: u32,
    /// Where the runs of each row begin, and at the end how many there are.
    starts: Vec<u32>,
    /// By row; within a row in the order of their lesions.
    runs: Vec<(Run, u32)>,
}

impl Rows {
    /// `lesions`: the runs of each lesion, row by row.
    pub(super) fn new<'a>(lesions: impl Iterator<Item = &'a [Run]> + Clone) -> Self {
        let rows = lesions.clone().filter_map(|runs| Some((runs.first()?.row, runs.last()?.row)));
        let Some((first_row, last_row)) = rows.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else {
            return Self::default();
        };
        // Counted one row late, so that their sums say where rows begin.
        let mut starts = vec![0_u32; (last_row - first_row) as usize + 2];
        let mut all = 0;
        for run in lesions.clone().flatten() {
            starts[(run.row - first_row) as usize + 1] += 1;
            all += 1;
        }
        for row in 1..starts.len() {
            starts[row] += starts[row - 1];
        }
        let mut next = starts.clone();
        let mut placed = vec![(Run { row: 0, first_column: 0, length: 0 }, 0); all];
        for (lesion, runs) in (0..).zip(lesions) {
            for &run in runs {
                let place = &mut next[(run.row - first_row) as usize];
                placed[*place as usize] = (run, lesion);
                *place += 1;
            }
        }
        Self { first_row, starts, runs: placed }
    }

    /// Places of the lesions that a run of a neighbouring slice overlaps or touches by a corner.
    pub(super) fn touching(&self, run: Run) -> impl Iterator<Item = u32> + '_ {
        let rows = self.starts.len().saturating_sub(1);
        let place = |row: u32| (row.saturating_sub(self.first_row) as usize).min(rows);
        let (from, to) = (place(run.row.saturating_sub(1)), place(run.row + 2));
        let near =
            self.starts.get(from).zip(self.starts.get(to)).map_or(0..0, |(&a, &b)| a as usize..b as usize);
        let end = run.first_column + run.length;
        self.runs[near].iter().filter_map(move |&(other, lesion)| {
            let touches = other.first_column <= end && run.first_column <= other.first_column + other.length;
            touches.then_some(lesion)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(row: u32, first_column: u32, length: u32) -> Run {
        Run { row, first_column, length }
    }

    #[test]
    fn a_run_touches_what_it_overlaps_or_meets_at_a_corner_and_nothing_else() {
        let lesions = [vec![run(5, 10, 3), run(6, 10, 1)], vec![run(6, 20, 2), run(8, 4, 1)]];
        let rows = Rows::new(lesions.iter().map(Vec::as_slice));
        let touched = |other: Run| rows.touching(other).collect::<Vec<_>>();
        assert_eq!(touched(run(4, 13, 1)), [0], "a corner");
        assert_eq!(touched(run(4, 14, 1)), [] as [u32; 0], "one further");
        assert_eq!(touched(run(4, 9, 1)), [0], "the other corner");
        assert_eq!(touched(run(3, 10, 3)), [] as [u32; 0], "two rows above");
        assert_eq!(touched(run(6, 11, 9)), [0, 0, 1], "all that is beside it");
        assert_eq!(touched(run(9, 0, 512)), [1], "below the last row");
        assert_eq!(touched(run(0, 0, 512)), [] as [u32; 0]);
        assert_eq!(Rows::new(std::iter::empty()).touching(run(0, 0, 9)).count(), 0);
    }
}
