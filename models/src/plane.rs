//! Planes in millimetres: an image placed into patches at the network's pixel distance, and the answer placed back.
//!
//! Both grids share their centre. Pixel `i` of `n` at distance `d` lies at `(i + 0.5 - n / 2) * d`.

/// Row and column positions of one grid, in fractional pixels of another.
pub(crate) fn positions(to: usize, to_mm: f64, from: usize, from_mm: f64) -> Vec<f64> {
    let centre = |n: usize| n as f64 / 2.0;
    (0..to).map(|i| (i as f64 + 0.5 - centre(to)) * to_mm / from_mm + centre(from) - 0.5).collect()
}

/// The two neighbours of a position and the share of the second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Between {
    pub first: isize,
    pub share: f32,
}

pub(crate) fn between(position: f64) -> Between {
    let first = position.floor();
    #[expect(clippy::cast_possible_truncation, reason = "positions lie near an image's pixels")]
    Between { first: first as isize, share: (position - first) as f32 }
}

/// Bilinear sampling of a plane at the crossings of `rows` and `columns`; outside there is `outside`.
pub(crate) fn sample(
    values: &[f32],
    size: [usize; 2],
    rows: &[Between],
    columns: &[Between],
    into: &mut [f32],
) {
    let [height, width] = size;
    for (row, line) in rows.iter().zip(into.chunks_exact_mut(columns.len())) {
        let upper = line_of(values, width, height, row.first);
        let lower = line_of(values, width, height, row.first + 1);
        for (column, value) in columns.iter().zip(line) {
            let along = |line: Option<&[f32]>| {
                let Some(line) = line else { return 0.0 };
                let at = |index: isize| {
                    usize::try_from(index).ok().and_then(|index| line.get(index)).copied().unwrap_or(0.0)
                };
                let (a, b) = (at(column.first), at(column.first + 1));
                a + (b - a) * column.share
            };
            let (a, b) = (along(upper), along(lower));
            *value = a + (b - a) * row.share;
        }
    }
}

fn line_of(values: &[f32], width: usize, height: usize, row: isize) -> Option<&[f32]> {
    let row = usize::try_from(row).ok().filter(|row| *row < height)?;
    values.get(row * width..(row + 1) * width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resample(values: &[f32], size: [usize; 2], from_mm: f64, to: [usize; 2], to_mm: f64) -> Vec<f32> {
        let axis = |a: usize| -> Vec<Between> {
            positions(to[a], to_mm, size[a], from_mm).into_iter().map(between).collect()
        };
        let mut out = vec![f32::NAN; to[0] * to[1]];
        sample(values, size, &axis(0), &axis(1), &mut out);
        out
    }

    #[test]
    fn the_same_grid_gives_the_same_plane() {
        let values: Vec<f32> = (0_u8..35).map(f32::from).collect();
        assert_eq!(resample(&values, [5, 7], 1.3, [5, 7], 1.3), values);
    }

    #[test]
    fn a_slope_keeps_its_place_in_millimetres() {
        // Value = millimetres right of the centre.
        let (n, mm) = (40_usize, 1.5_f64);
        let place = |i: usize, n: usize, mm: f64| (i as f64 + 0.5 - n as f64 / 2.0) * mm;
        #[expect(clippy::cast_possible_truncation, reason = "millimetres of a small image")]
        let values: Vec<f32> = (0..n * n).map(|at| place(at % n, n, mm) as f32).collect();
        let out = resample(&values, [n, n], mm, [20, 20], 2.0);
        for (at, value) in out.iter().enumerate() {
            let expected = place(at % 20, 20, 2.0);
            assert!((f64::from(*value) - expected).abs() < 1e-4, "{at}: {value}, {expected}");
        }
    }

    #[test]
    fn outside_is_dark() {
        let out = resample(&[1.0; 16], [4, 4], 1.0, [8, 8], 1.0);
        assert_eq!(out.iter().sum::<f32>(), 16.0);
        assert_eq!((out[0], out[3 * 8 + 3]), (0.0, 1.0));
    }
}
