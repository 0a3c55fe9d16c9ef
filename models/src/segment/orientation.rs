//! A scan turned so that its axes run as the network learnt them, and labels turned back. Axes are swapped and reversed,
//! never interpolated: a tilted scan keeps its tilt.

use crate::manifest::Orientation;

/// Which axis of the scan each axis of the network (slices, rows, columns) is, and whether it runs backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    axes: [usize; 3],
    backwards: [bool; 3],
}

impl Turn {
    /// `directions`: of slices, rows, columns, in the patient (x to the left, y to the back, z to the head).
    pub(super) fn to(orientation: Orientation, directions: &[[f64; 3]; 3]) -> Self {
        // Where the network's slices, rows and columns lead.
        let wanted: [(usize, f64); 3] = match orientation {
            Orientation::Any | Orientation::AsStored => {
                return Self { axes: [0, 1, 2], backwards: [false; 3] };
            }
            Orientation::Lps => [(2, 1.0), (1, 1.0), (0, 1.0)],
            Orientation::Ras => [(2, 1.0), (1, -1.0), (0, -1.0)],
        };
        let mut turn = Self { axes: [0; 3], backwards: [false; 3] };
        let (mut open, mut free) = ([true; 3], [true; 3]);
        // The best pair first: of a tilted scan two axes may lie nearest to the same direction.
        for _ in 0..3 {
            let pairs = (0..3).flat_map(|axis| (0..3).map(move |from| (axis, from)));
            let left = pairs.filter(|(axis, from)| open[*axis] && free[*from]);
            let along = |(axis, from): &(usize, usize)| directions[*from][wanted[*axis].0].abs();
            let Some((axis, from)) = left.max_by(|a, b| along(a).total_cmp(&along(b))) else { break };
            (open[axis], free[from]) = (false, false);
            turn.backwards[axis] = directions[from][wanted[axis].0] * wanted[axis].1 < 0.0;
            turn.axes[axis] = from;
        }
        turn
    }

    /// Lengths of the scan's axes in the order of the network's.
    pub(super) fn of<T: Copy>(&self, scan: [T; 3]) -> [T; 3] {
        self.axes.map(|from| scan[from])
    }

    /// Where in the scan each voxel of one of the network's slices lies, row by row. `size`: of the scan.
    pub(super) fn slice(&self, size: [usize; 3], slice: usize) -> impl Iterator<Item = usize> + use<> {
        let steps = [size[1] * size[2], size[2], 1];
        let (axes, backwards) = (self.axes, self.backwards);
        let turned = axes.map(|from| size[from]);
        let along = move |axis: usize, at: usize| {
            let at = if backwards[axis] { turned[axis] - 1 - at } else { at };
            at * steps[axes[axis]]
        };
        let start = along(0, slice);
        (0..turned[1])
            .flat_map(move |row| (0..turned[2]).map(move |column| start + along(1, row) + along(2, column)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const L: [f64; 3] = [1.0, 0.0, 0.0];
    const P: [f64; 3] = [0.0, 1.0, 0.0];
    const S: [f64; 3] = [0.0, 0.0, 1.0];

    fn not(direction: [f64; 3]) -> [f64; 3] {
        direction.map(|part| -part)
    }

    #[test]
    fn axes_are_found_whichever_way_a_scan_was_stored() {
        let plain = Turn { axes: [0, 1, 2], backwards: [false; 3] };
        assert_eq!(Turn::to(Orientation::Lps, &[S, P, L]), plain);
        assert_eq!(Turn::to(Orientation::Any, &[not(S), L, P]), plain);
        assert_eq!(
            Turn::to(Orientation::Ras, &[S, P, L]),
            Turn { axes: [0, 1, 2], backwards: [false, true, true] }
        );
        // A sagittal stack from right to left, rows to the feet, columns to the back.
        let sagittal = Turn::to(Orientation::Lps, &[L, not(S), P]);
        assert_eq!(sagittal, Turn { axes: [1, 2, 0], backwards: [true, false, false] });
        // Tilted by a little less than half a right angle.
        let tilted = [[0.0, -0.69, 0.724], [0.0, 0.724, 0.69], L];
        assert_eq!(Turn::to(Orientation::Lps, &tilted), plain);
    }

    #[test]
    fn every_voxel_has_one_place() {
        let size = [2, 3, 4];
        let turn = Turn::to(Orientation::Lps, &[not(L), not(S), P]);
        let turned = turn.of(size);
        assert_eq!(turned, [3, 4, 2]);
        let mut places: Vec<usize> = (0..turned[0]).flat_map(|slice| turn.slice(size, slice)).collect();
        // The first voxel is the lowest, foremost, rightmost: last slice, last row, first column of the scan.
        assert_eq!(places[0], (size[0] - 1) * 12 + (size[1] - 1) * 4);
        places.sort_unstable();
        assert_eq!(places, (0..24).collect::<Vec<_>>());
    }
}
