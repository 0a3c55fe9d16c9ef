//! Connected pieces of a set of cells, by runs of each row: a tenth of the steps of a flood.

#![expect(clippy::cast_possible_truncation, reason = "a grid of cells has far fewer than 2^32")]

use crate::mask::{Mask, Neighbours};

/// One run of a row: cells `first..end`.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u32,
    end: u32,
    cell: u32,
}

/// Pieces in the order of their first cells, with their sizes.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    size: [usize; 3],
    runs: Vec<Run>,
    /// By run.
    piece_of: Vec<u32>,
    /// Cells by piece.
    pub(super) cells: Vec<usize>,
}

impl Pieces {
    pub(super) fn of(mask: &Mask, neighbours: Neighbours) -> Self {
        let size = mask.size();
        let (runs, rows) = runs(mask);
        let mut forest: Vec<u32> = (0..runs.len() as u32).collect();
        let before: &[[i64; 2]] = match neighbours {
            Neighbours::Faces => &[[-1, 0], [0, -1]],
            Neighbours::Corners => &[[-1, 0], [-1, -1], [0, -1], [1, -1]],
        };
        let slack = u32::from(neighbours == Neighbours::Corners);
        for row in 0..size[1] * size[2] {
            let (y, z) = ((row % size[1]) as i64, (row / size[1]) as i64);
            for [dy, dz] in before {
                let (y, z) = (y + dy, z + dz);
                if (0..size[1] as i64).contains(&y) && z >= 0 {
                    let other = z as usize * size[1] + y as usize;
                    join(&runs, &rows[row..row + 2], &rows[other..other + 2], slack, &mut forest);
                }
            }
        }
        numbered(size, runs, &mut forest)
    }

    /// The cells of every piece for which `keep(piece)` holds.
    pub(super) fn mask(&self, keep: impl Fn(usize) -> bool) -> Mask {
        let mut mask = Mask::new(self.size);
        for (run, piece) in self.runs.iter().zip(&self.piece_of) {
            if keep(*piece as usize) {
                mask.fill(run.cell as usize..(run.cell + run.end - run.first) as usize);
            }
        }
        mask
    }

    /// Every cell with its piece.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let runs = self.runs.iter().zip(&self.piece_of);
        runs.flat_map(|(run, piece)| {
            (run.cell..run.cell + run.end - run.first).map(move |cell| (cell as usize, *piece as usize))
        })
    }

    /// The piece that a cell belongs to.
    pub(super) fn piece_at(&self, cell: usize) -> Option<usize> {
        let after = self.runs.partition_point(|run| run.cell as usize <= cell);
        let run = self.runs.get(after.checked_sub(1)?)?;
        (cell < (run.cell + run.end - run.first) as usize).then(|| self.piece_of[after - 1] as usize)
    }

    /// The largest piece; the first of equals.
    pub(super) fn largest(&self) -> Option<usize> {
        (0..self.cells.len()).rev().max_by_key(|piece| self.cells[*piece])
    }
}

/// All runs, and where those of each row begin (one more than there are rows).
fn runs(mask: &Mask) -> (Vec<Run>, Vec<usize>) {
    let [columns, _, _] = mask.size();
    let (mut runs, mut rows) = (Vec::new(), vec![0]);
    for (row, line) in mask.cells().chunks_exact(columns).enumerate() {
        let mut at = 0;
        while let Some(first) = line[at..].iter().position(|inside| *inside).map(|ahead| at + ahead) {
            at = line[first..].iter().position(|inside| !inside).map_or(columns, |ahead| first + ahead);
            runs.push(Run { first: first as u32, end: at as u32, cell: (row * columns + first) as u32 });
        }
        rows.push(runs.len());
    }
    (runs, rows)
}

/// Joins runs of two rows that touch, corners with a slack of one.
fn join(runs: &[Run], here: &[usize], there: &[usize], slack: u32, forest: &mut [u32]) {
    let (mut a, mut b) = (here[0], there[0]);
    while a < here[1] && b < there[1] {
        let (one, other) = (runs[a], runs[b]);
        if one.first < other.end + slack && other.first < one.end + slack {
            let (one, other) = (root(forest, a as u32), root(forest, b as u32));
            // A parent never comes after its child, so pieces are numbered by their first cells.
            forest[one.max(other) as usize] = one.min(other);
        }
        if one.end < other.end { a += 1 } else { b += 1 }
    }
}

fn root(forest: &mut [u32], mut node: u32) -> u32 {
    while forest[node as usize] != node {
        let up = forest[forest[node as usize] as usize];
        forest[node as usize] = up;
        node = up;
    }
    node
}

fn numbered(size: [usize; 3], runs: Vec<Run>, forest: &mut [u32]) -> Pieces {
    let (mut piece_of, mut cells): (Vec<u32>, Vec<usize>) = (Vec::with_capacity(runs.len()), Vec::new());
    for (node, run) in runs.iter().enumerate() {
        let root = root(forest, node as u32) as usize;
        let piece = if root == node { cells.len() as u32 } else { piece_of[root] };
        if root == node {
            cells.push(0);
        }
        piece_of.push(piece);
        cells[piece as usize] += (run.end - run.first) as usize;
    }
    Pieces { size, runs, piece_of, cells }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the flood that the heart's rule uses.
    #[test]
    fn runs_and_a_flood_find_the_same_pieces() {
        let size = [13, 9, 7];
        let mut state = 7_u32;
        for share in [20, 35, 60] {
            let cells = (0..size.iter().product::<usize>()).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) % 100 < share
            });
            let mask = Mask::from_cells(size, cells.collect());
            for neighbours in [Neighbours::Faces, Neighbours::Corners] {
                let flooded = mask.components(neighbours);
                let pieces = Pieces::of(&mask, neighbours);
                let sizes: Vec<usize> = flooded.iter().map(Vec::len).collect();
                assert_eq!(pieces.cells, sizes, "{neighbours:?} at {share} percent");
                for (number, piece) in flooded.iter().enumerate() {
                    assert!(pieces.mask(|one| one == number) == Mask::of(size, piece));
                }
                assert_eq!(pieces.each().count(), mask.count());
            }
        }
    }
}
