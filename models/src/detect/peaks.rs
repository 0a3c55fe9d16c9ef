//! Marks from heat: a mark is a local maximum; of two marks too close together the weaker goes.

/// Marks of one image or volume beyond this are noise; a reader would not look at more.
const MARKS_MAX: usize = 50;

/// What a network says of every cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// Columns, rows, slices of cells.
    pub size: [usize; 3],
    /// Of the strongest class, 0 to 1.
    pub suspicion: Vec<f32>,
    /// The strongest class, from 1.
    pub class: Vec<u8>,
    pub radius_mm: Vec<f32>,
}

/// A place that looks like a lesion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// 0 to 1.
    pub suspicion: f32,
    /// Of the manifest's labels.
    pub class: u8,
    /// Column, row, slice; whole numbers are centres.
    pub at: [f64; 3],
    pub radius_mm: f64,
}

impl Heat {
    /// Peaks of at least `threshold`, strongest first, in cells. `cell_mm` are distances of columns, rows, slices.
    pub fn marks(&self, threshold: f32, apart_mm: f64, cell_mm: [f64; 3]) -> Vec<Mark> {
        let mut peaks: Vec<usize> = (0..self.suspicion.len())
            .filter(|at| self.suspicion[*at] >= threshold && self.is_peak(*at))
            .collect();
        peaks.sort_by(|a, b| self.suspicion[*b].total_cmp(&self.suspicion[*a]));
        let mut kept: Vec<Mark> = Vec::new();
        for mark in peaks.into_iter().map(|at| self.mark(at)) {
            let near = |other: &Mark| {
                let squared =
                    [0, 1, 2].map(|axis| ((mark.at[axis] - other.at[axis]) * cell_mm[axis]).powi(2));
                let reach = apart_mm.max(mark.radius_mm).max(other.radius_mm);
                squared.iter().sum::<f64>().sqrt() < reach
            };
            if !kept.iter().any(near) {
                kept.push(mark);
            }
            if kept.len() == MARKS_MAX {
                break;
            }
        }
        kept
    }

    fn mark(&self, at: usize) -> Mark {
        let [columns, rows, _] = self.size;
        #[expect(clippy::cast_precision_loss, reason = "a grid of cells")]
        let place = [at % columns, at / columns % rows, at / (columns * rows)].map(|index| index as f64);
        Mark {
            suspicion: self.suspicion[at],
            class: self.class[at],
            at: place,
            radius_mm: self.radius_mm[at].into(),
        }
    }

    /// Whether none of the 26 cells around is hotter.
    fn is_peak(&self, at: usize) -> bool {
        let [columns, rows, slices] = self.size;
        let near = |index: usize, count: usize| index.saturating_sub(1)..(index + 2).min(count);
        near(at / (columns * rows), slices).all(|slice| {
            near(at / columns % rows, rows).all(|row| {
                let line = (slice * rows + row) * columns;
                let beside = near(at % columns, columns);
                self.suspicion[line + beside.start..line + beside.end]
                    .iter()
                    .all(|other| *other <= self.suspicion[at])
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heat(hot: &[([usize; 3], f32, f32)]) -> Heat {
        let size = [20, 10, 3];
        let cells = 600;
        let mut heat =
            Heat { size, suspicion: vec![0.01; cells], class: vec![1; cells], radius_mm: vec![2.0; cells] };
        for ([column, row, slice], suspicion, radius_mm) in hot {
            let at = (slice * 10 + row) * 20 + column;
            (heat.suspicion[at], heat.radius_mm[at]) = (*suspicion, *radius_mm);
        }
        heat
    }

    #[test]
    fn peaks_become_marks_strongest_first() {
        let heat = heat(&[
            ([3, 4, 0], 0.5, 2.0),
            ([15, 5, 2], 0.9, 2.0),
            ([16, 5, 2], 0.8, 2.0),
            ([9, 1, 1], 0.2, 2.0),
        ]);
        let marks = heat.marks(0.3, 1.0, [2.0, 2.0, 1.5]);
        // The neighbour of the strongest is no peak, and one lies below the threshold.
        let said: Vec<_> = marks.iter().map(|mark| (mark.at, mark.suspicion)).collect();
        assert_eq!(said, [([15.0, 5.0, 2.0], 0.9), ([3.0, 4.0, 0.0], 0.5)]);
    }

    #[test]
    fn of_two_marks_within_the_larger_radius_the_weaker_goes() {
        // 4 cells of 2 mm apart.
        for (radius_mm, left) in [(7.0, 2), (9.0, 1)] {
            let heat = heat(&[([4, 4, 1], 0.6, radius_mm), ([8, 4, 1], 0.7, 3.0)]);
            let marks = heat.marks(0.3, 5.0, [2.0, 2.0, 1.5]);
            assert_eq!((marks.len(), marks[0].suspicion), (left, 0.7), "{radius_mm}");
        }
        // Across slices distances are the slices' own.
        let heat = heat(&[([4, 4, 0], 0.6, 1.0), ([4, 4, 2], 0.7, 1.0)]);
        assert_eq!(heat.marks(0.3, 5.0, [2.0, 2.0, 2.4]).len(), 1);
        assert_eq!(heat.marks(0.3, 5.0, [2.0, 2.0, 2.6]).len(), 2);
    }
}
