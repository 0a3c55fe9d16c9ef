//! A large plane made small without losing what is fine: averages for shape, and beside them how far the brightest fine
//! cell of each block stands out of its surroundings, where a grain of calcium is.
//!
//! The fine grid averages by area, whatever the detector's pixels; it is never held as a whole.

use rayon::prelude::*;

use crate::manifest::Reduction;

/// Percentiles of the whole plane between which air and body are told apart.
const WHOLE: [f64; 2] = [1.0, 99.5];
/// What lies lower than this share between them is air.
const AIR_SHARE: f32 = 0.12;
/// Where the upper percentile of the body lands: brighter things keep a quarter of the range.
const UPPER: f32 = 0.75;

/// Two channels at the network's pixel distance.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduced {
    pub rows: usize,
    pub columns: usize,
    /// Averages, 0 to 1.
    pub mean: Vec<f32>,
    /// What stands out, 0 to 1.
    pub detail: Vec<f32>,
}

/// Which source cells a target cell covers, and how much of each.
#[derive(Clone, Debug)]
struct Cover {
    first: usize,
    shares: Vec<f32>,
}

/// Cells of `to_mm` over `from` cells of `from_mm`, as many as asked for; beyond the last source cell it repeats.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "sides of images"
)]
fn covers(count: usize, to_mm: f64, from: usize, from_mm: f64) -> Vec<Cover> {
    let ratio = to_mm / from_mm;
    let cover = |index: usize| {
        let [low, high] = [index, index + 1].map(|edge| (edge as f64 * ratio).min(from as f64 - 1e-9));
        let [first, last] = [low, high].map(|edge| edge as usize);
        let width = high - low;
        let share = |cell: usize| {
            let inside = (high.min(cell as f64 + 1.0) - low.max(cell as f64)).max(0.0);
            if width > 1e-9 { (inside / width) as f32 } else { 1.0 }
        };
        let shares: Vec<f32> = (first..=last).map(share).collect();
        Cover { first, shares }
    };
    (0..count).map(cover).collect()
}

/// Reduces a plane whose dense parts are bright. Spacings are of rows, then of columns.
pub fn reduce(image: &[f32], size: [usize; 2], pixel_mm: [f64; 2], reduction: &Reduction) -> Reduced {
    let block = reduction.block;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "sides of images"
    )]
    let [rows, columns] = [0, 1].map(|axis| {
        (size[axis] as f64 * pixel_mm[axis] / reduction.fine_mm / block as f64 - 1e-6).ceil().max(1.0)
            as usize
    });
    let down = covers(rows * block, reduction.fine_mm, size[0], pixel_mm[0]);
    let across = covers(columns * block, reduction.fine_mm, size[1], pixel_mm[1]);
    let mut mean = vec![0.0; rows * columns];
    let mut peak = vec![0.0; rows * columns];
    let lines = mean.par_chunks_mut(columns).zip(peak.par_chunks_mut(columns)).enumerate();
    lines.for_each(|(row, (mean, peak))| {
        block_row(image, size[1], &down[row * block..(row + 1) * block], &across, block, mean, peak);
    });
    let (low, high) = body_range(&mean, reduction.percentiles);
    let scale = UPPER / (high - low).max(1e-6);
    let detail = stand_out(&mean, &peak, rows, columns, scale * reduction.detail_gain);
    mean.par_iter_mut().for_each(|value| *value = ((*value - low) * scale).clamp(0.0, 1.0));
    Reduced { rows, columns, mean, detail }
}

/// One row of blocks: averages, and the brightest fine cell of each.
fn block_row(
    image: &[f32],
    width: usize,
    down: &[Cover],
    across: &[Cover],
    block: usize,
    mean: &mut [f32],
    peak: &mut [f32],
) {
    peak.fill(f32::NEG_INFINITY);
    let mut line = vec![0.0_f32; width];
    for cover in down {
        line.fill(0.0);
        for (row, share) in (cover.first..).zip(&cover.shares) {
            for (sum, value) in line.iter_mut().zip(&image[row * width..(row + 1) * width]) {
                *sum += value * share;
            }
        }
        for (cell, covers) in across.chunks_exact(block).enumerate() {
            for cover in covers {
                let values = &line[cover.first..cover.first + cover.shares.len()];
                let fine: f32 = values.iter().zip(&cover.shares).map(|(value, share)| value * share).sum();
                mean[cell] += fine;
                peak[cell] = peak[cell].max(fine);
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a block has few cells")]
    let cells = (block * block) as f32;
    mean.iter_mut().for_each(|value| *value /= cells);
}

/// The values of the body that become 0 and nearly 1.
fn body_range(mean: &[f32], percentiles: [f64; 2]) -> (f32, f32) {
    let mut all = mean.to_vec();
    let [dark, bright] = WHOLE.map(|percent| super::percentile(&mut all, percent));
    let air = dark + AIR_SHARE * (bright - dark);
    let mut body: Vec<f32> = mean.iter().copied().filter(|value| *value > air).collect();
    if body.is_empty() {
        return (dark, bright);
    }
    let [low, high] = percentiles.map(|percent| super::percentile(&mut body, percent));
    (low, high)
}

/// How far the brightest fine cell stands above the average of the nine blocks around it.
fn stand_out(mean: &[f32], peak: &[f32], rows: usize, columns: usize, scale: f32) -> Vec<f32> {
    let mut detail = vec![0.0; mean.len()];
    detail.par_chunks_mut(columns).enumerate().for_each(|(row, line)| {
        let near = row.saturating_sub(1)..(row + 2).min(rows);
        for (column, value) in line.iter_mut().enumerate() {
            let beside = column.saturating_sub(1)..(column + 2).min(columns);
            let (mut sum, mut count) = (0.0, 0.0);
            for row in near.clone() {
                for average in &mean[row * columns..][beside.clone()] {
                    sum += average;
                    count += 1.0;
                }
            }
            *value = ((peak[row * columns + column] - sum / count) * scale).clamp(0.0, 1.0);
        }
    });
    detail
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDUCTION: Reduction =
        Reduction { fine_mm: 0.1, block: 4, detail_gain: 4.0, percentiles: [1.0, 99.0] };

    #[test]
    fn averages_keep_the_total_whatever_the_detector_pixel() {
        for (pixel_mm, side) in [(0.07, 400_usize), (0.1, 280), (0.05, 560)] {
            #[expect(clippy::cast_precision_loss, reason = "a small image")]
            let image: Vec<f32> = (0..side * side).map(|at| (at % side) as f32 / side as f32).collect();
            let down = covers(280, 0.1, side, pixel_mm);
            let total: f32 = down.iter().flat_map(|cover| &cover.shares).sum();
            assert!((total - 280.0).abs() < 0.01, "{pixel_mm}: {total}");
            let out = reduce(&image, [side, side], [pixel_mm; 2], &REDUCTION);
            assert_eq!((out.rows, out.columns), (70, 70), "{pixel_mm}");
            let (left, right) = (out.mean[70 * 30 + 20], out.mean[70 * 30 + 50]);
            assert!(right > left + 0.2, "{pixel_mm}: a slope rises: {left} {right}");
        }
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "a small image")]
    fn a_grain_stands_out_where_it_is_and_nowhere_else() {
        let side = 560;
        let mut image = vec![100.0_f32; side * side];
        for (at, value) in image.iter_mut().enumerate() {
            // Air, and a body that grows denser to the right.
            *value += if at % side < 60 { -100.0 } else { (at % side) as f32 * 0.12 };
        }
        for row in 200..204 {
            for column in 300..304 {
                image[row * side + column] += 50.0;
            }
        }
        let out = reduce(&image, [side, side], [0.07; 2], &REDUCTION);
        let beyond_the_rim = (0..out.detail.len()).filter(|at| at % out.columns > 14);
        let bright: Vec<usize> = beyond_the_rim.filter(|at| out.detail[*at] > 0.5).collect();
        // Row 202 of 0.07 mm lies in block 35 of 0.4 mm, column 302 in block 52 and partly in 53.
        let first = 35 * out.columns + 52;
        assert!(bright == [first, first + 1] || bright == [first], "{bright:?}");
    }
}
