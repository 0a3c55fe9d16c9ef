//! Connected pieces of a labelled volume, 6-connected.

/// Keeps the largest piece of all that is labelled; among equals the first in memory.
pub(crate) fn keep_largest(labels: &mut [u8], size: [usize; 3]) {
    let mut piece_of = vec![0_u32; labels.len()];
    let mut sizes = vec![0_usize];
    let mut open = Vec::new();
    for start in 0..labels.len() {
        if labels[start] == 0 || piece_of[start] != 0 {
            continue;
        }
        let piece = u32::try_from(sizes.len()).expect("fewer pieces than voxels of a volume");
        sizes.push(0);
        piece_of[start] = piece;
        open.push(start);
        while let Some(at) = open.pop() {
            sizes[piece as usize] += 1;
            for next in neighbours(at, size).into_iter().flatten() {
                if labels[next] != 0 && piece_of[next] == 0 {
                    piece_of[next] = piece;
                    open.push(next);
                }
            }
        }
    }
    let largest = (1..sizes.len()).rev().max_by_key(|piece| sizes[*piece]).unwrap_or(0);
    for (label, piece) in labels.iter_mut().zip(&piece_of) {
        if *piece as usize != largest {
            *label = 0;
        }
    }
}

fn neighbours(at: usize, [depth, height, width]: [usize; 3]) -> [Option<usize>; 6] {
    let (x, y, z) = (at % width, at / width % height, at / width / height);
    [
        (x > 0).then(|| at - 1),
        (x + 1 < width).then(|| at + 1),
        (y > 0).then(|| at - width),
        (y + 1 < height).then(|| at + width),
        (z > 0).then(|| at - width * height),
        (z + 1 < depth).then(|| at + width * height),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_piece_stays_across_slices_and_labels() {
        // Two slices of 3 x 4: a piece of labels 1 and 2 through both, and a speck.
        let mut labels =
            vec![1, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, /**/ 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        keep_largest(&mut labels, [2, 3, 4]);
        assert_eq!(labels, [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /**/ 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn diagonals_do_not_connect_and_nothing_stays_nothing() {
        let mut labels = vec![1, 1, 0, 0, 0, 1];
        keep_largest(&mut labels, [1, 2, 3]);
        assert_eq!(labels, [1, 1, 0, 0, 0, 0]);
        let mut nothing = vec![0; 6];
        keep_largest(&mut nothing, [1, 2, 3]);
        assert_eq!(nothing, [0; 6]);
    }
}
