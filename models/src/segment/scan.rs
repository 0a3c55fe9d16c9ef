//! A whole scan segmented in blocks: turned as the network learnt it, placed at its distances, cut into blocks that
//! overlap under Gaussian weights, class scores blended, placed back on the original grid and there the best class taken.
//!
//! Scores are held for one block's depth at a time: slices that no later block reaches are settled and forgotten. What
//! remains is a byte a voxel.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::orientation::Turn;
use super::{SIGMA_SHARE, SegmentError, Segmenter, WEIGHT_MIN, range, side, starts};
use crate::components::keep_largest;
use crate::manifest::{Depth, Pieces};
use crate::onnx::OnnxError;
use crate::plane::{Between, between, positions, sample};
use crate::tensor::Tensor;

/// A scan; triples are of slices, rows, columns.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    pub size: [usize; 3],
    pub step_mm: [f64; 3],
    /// Where each axis leads in the patient: x to the left, y to the back, z to the head.
    pub directions: [[f64; 3]; 3],
    /// Slice by slice, row by row.
    pub values: &'a [i16],
}

impl Segmenter<'_> {
    /// Labels of a scan, in its own order. `checkpoint` hears the share done after every block and may stop the work.
    pub fn segment_scan(
        &mut self,
        scan: &Scan<'_>,
        checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
    ) -> Result<Vec<u8>, SegmentError> {
        let depth = self.images.depth.ok_or_else(|| self.other("whole scans"))?;
        scan.check()?;
        let turn = Turn::to(self.images.orientation, &scan.directions);
        let layout = Layout::new(self, depth, turn.of(scan.size), turn.of(scan.step_mm));
        let placed = layout.place(scan, turn, range(scan.values, self.images.intensity));
        let mut labels = vec![0; scan.values.len()];
        let mut settled = Settled::new(self.classes);
        let mut open = Open::new(&layout, self.classes);
        let corners = layout.corners();
        let blocks = layout.starts[0].len() * corners.len();
        for (number, front) in layout.starts[0].iter().enumerate() {
            for (place, [top, left]) in corners.iter().enumerate() {
                let answer = self.block(&placed, &layout, [*front, *top, *left])?;
                open.add(&layout, &answer, [*top, *left]);
                #[expect(clippy::cast_precision_loss, reason = "a share for people")]
                let done = (number * corners.len() + place + 1) as f32 / blocks as f32;
                if checkpoint(done).is_break() {
                    return Err(SegmentError::Stopped);
                }
            }
            let next = layout.starts[0].get(number + 1).copied().unwrap_or(front + layout.block[0]);
            for _ in *front..next {
                let ready = settled.take(open.shift(), &layout);
                for (slice, best) in ready {
                    turn.slice(scan.size, slice).zip(best).for_each(|(at, label)| labels[at] = label);
                }
            }
        }
        if self.pieces == Pieces::Largest {
            keep_largest(&mut labels, scan.size);
        }
        Ok(labels)
    }

    /// Class scores of one block. One at a time: a block fills a processor by itself.
    fn block(
        &mut self,
        placed: &[f32],
        layout: &Layout,
        [front, top, left]: [usize; 3],
    ) -> Result<Vec<f32>, SegmentError> {
        let [_, rows, columns] = layout.size;
        let [depth, height, width] = layout.block;
        let mut values = Vec::with_capacity(depth * height * width);
        for slice in front..front + depth {
            for row in top..top + height {
                values.extend_from_slice(&placed[(slice * rows + row) * columns + left..][..width]);
            }
        }
        let input = Tensor::f32(&[1, 1, depth, height, width], values).expect("built to this shape");
        let (classes, (network, file)) = (self.classes, self.model.network_and_file());
        let (name, wanted) = (file.inputs[0].name.clone(), file.outputs[0].name.clone());
        let answers = network.run(&[(&name, &input)])?;
        let answer = answers.into_iter().find(|(name, _)| *name == wanted).map(|(_, tensor)| tensor);
        let expected = [1, classes, depth, height, width];
        let values = answer.filter(|tensor| tensor.shape() == expected);
        let values = values.as_ref().and_then(Tensor::as_f32).ok_or_else(|| OnnxError::Mismatch {
            what: format!("output {wanted:?} is not of shape {expected:?}"),
        })?;
        Ok(values.to_vec())
    }
}

impl Scan<'_> {
    fn check(&self) -> Result<(), SegmentError> {
        let voxels = self.size.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
        if self.values.is_empty() || voxels != Some(self.values.len()) {
            return Err(SegmentError::Images("their size is not what they say"));
        }
        if !self.step_mm.iter().all(|mm| *mm > 0.01 && *mm < 100.0) {
            return Err(SegmentError::Images("their voxels have no size"));
        }
        let length = |direction: &[f64; 3]| direction.iter().map(|part| part * part).sum::<f64>();
        if !self.directions.iter().all(|direction| (length(direction) - 1.0).abs() < 0.01) {
            return Err(SegmentError::Images("their axes lead nowhere"));
        }
        Ok(())
    }
}

/// How a turned scan lies on the network's grid.
#[derive(Debug)]
struct Layout {
    /// Of the working grid.
    size: [usize; 3],
    block: [usize; 3],
    starts: [Vec<usize>; 3],
    /// Of one block, axis by axis.
    weights: [Vec<f32>; 3],
    /// The turned scan's own sides.
    turned: [usize; 3],
    in_scan: [Vec<Between>; 3],
    in_grid: [Vec<Between>; 3],
}

impl Layout {
    fn new(segmenter: &Segmenter<'_>, depth: Depth, turned: [usize; 3], step_mm: [f64; 3]) -> Self {
        let images = &segmenter.images;
        let target_mm = [depth.slice_mm, images.pixel_mm, images.pixel_mm];
        let block = [depth.slices, images.patch[0], images.patch[1]];
        let size = [0, 1, 2].map(|axis| side(turned[axis], step_mm[axis], target_mm[axis]).max(block[axis]));
        let on = |to, to_mm, from, from_mm| -> Vec<Between> {
            positions(to, to_mm, from, from_mm).into_iter().map(between).collect()
        };
        Self {
            size,
            block,
            starts: [0, 1, 2].map(|axis| starts(size[axis], block[axis], images.overlap)),
            weights: block.map(line),
            turned,
            in_scan: [0, 1, 2].map(|a| on(size[a], target_mm[a], turned[a], step_mm[a])),
            in_grid: [0, 1, 2].map(|a| on(turned[a], step_mm[a], size[a], target_mm[a])),
        }
    }

    fn plane(&self) -> usize {
        self.size[1] * self.size[2]
    }

    fn corners(&self) -> Vec<[usize; 2]> {
        let lefts = |top: &usize| self.starts[2].iter().map(|left| [*top, *left]).collect::<Vec<_>>();
        self.starts[1].iter().flat_map(lefts).collect()
    }

    /// The scan at the network's distances, the manifest's two values at 0 and 1; outside there is 0.
    fn place(&self, scan: &Scan<'_>, turn: Turn, (low, high): (f32, f32)) -> Vec<f32> {
        let range = (high - low).max(1e-6);
        let slice = |number: isize| -> Option<Vec<f32>> {
            let number = usize::try_from(number).ok().filter(|number| *number < self.turned[0])?;
            let values = turn.slice(scan.size, number).map(|at| f32::from(scan.values[at]));
            let own: Vec<f32> = values.map(|value| ((value - low) / range).clamp(0.0, 1.0)).collect();
            let mut placed = vec![0.0; self.plane()];
            let own_size = [self.turned[1], self.turned[2]];
            sample(&own, own_size, &self.in_scan[1], &self.in_scan[2], &mut placed);
            Some(placed)
        };
        let mut grid = vec![0.0; self.size[0] * self.plane()];
        grid.par_chunks_mut(self.plane()).zip(&self.in_scan[0]).for_each(|(plane, at)| {
            for (placed, share) in [(slice(at.first), 1.0 - at.share), (slice(at.first + 1), at.share)] {
                let Some(placed) = placed.filter(|_| share > 0.0) else { continue };
                plane.iter_mut().zip(placed).for_each(|(sum, value)| *sum += share * value);
            }
        });
        grid
    }
}

/// Blended scores of the slices that blocks still reach, the frontmost first.
struct Open {
    classes: usize,
    /// Slice by slice, class by class; behind the classes the sum of the weights.
    scores: Vec<f32>,
    slice: usize,
}

impl Open {
    fn new(layout: &Layout, classes: usize) -> Self {
        let slice = (classes + 1) * layout.plane();
        Self { classes, scores: vec![0.0; layout.block[0] * slice], slice }
    }

    fn add(&mut self, layout: &Layout, answer: &[f32], [top, left]: [usize; 2]) {
        let [depth, height, width] = layout.block;
        let (plane, columns, classes) = (layout.plane(), layout.size[2], self.classes);
        let weights = &layout.weights;
        self.scores.par_chunks_mut(self.slice).enumerate().for_each(|(slice, scores)| {
            for row in 0..height {
                let lead = weights[0][slice] * weights[1][row];
                for column in 0..width {
                    let weight = (lead * weights[2][column]).max(WEIGHT_MIN);
                    let at = (top + row) * columns + left + column;
                    for class in 0..classes {
                        let said = answer[((class * depth + slice) * height + row) * width + column];
                        scores[class * plane + at] += weight * said;
                    }
                    scores[classes * plane + at] += weight;
                }
            }
        });
    }

    /// Takes the frontmost slice, which no block reaches any more, as means.
    fn shift(&mut self) -> Vec<f32> {
        let mut first: Vec<f32> = self.scores[..self.slice].to_vec();
        self.scores.copy_within(self.slice.., 0);
        let kept = self.scores.len() - self.slice;
        self.scores[kept..].fill(0.0);
        let total = first.split_off(self.slice / (self.classes + 1) * self.classes);
        for class in first.chunks_mut(total.len()) {
            class.iter_mut().zip(&total).for_each(|(score, total)| *score /= total);
        }
        first
    }
}

/// Labels of the turned scan's slices, each once both slices of the grid around it are settled.
struct Settled {
    classes: usize,
    before: Option<Vec<f32>>,
    /// Grid slices settled so far.
    count: usize,
    /// The next slice of the scan.
    next: usize,
}

impl Settled {
    fn new(classes: usize) -> Self {
        Self { classes, before: None, count: 0, next: 0 }
    }

    /// Takes one more slice of the grid; returns the scan's slices that can be labelled now.
    fn take(&mut self, scores: Vec<f32>, layout: &Layout) -> Vec<(usize, Vec<u8>)> {
        let here = isize::try_from(self.count).unwrap_or(isize::MAX);
        self.count += 1;
        let last = self.count == layout.size[0];
        let first = self.next;
        let ready = |at: &Between| last || at.first < here;
        self.next += layout.in_grid[0][first..].iter().take_while(|at| ready(at)).count();
        let (before, classes) = (self.before.as_deref(), self.classes);
        let label = |slice: usize| {
            let at = layout.in_grid[0][slice];
            // Beyond either end there is nothing to blend with.
            let parts = [(at.first, 1.0 - at.share), (at.first + 1, at.share)].map(|(plane, share)| {
                match plane - here {
                    0 => (Some(scores.as_slice()), share),
                    -1 => (before, share),
                    _ => (None, share),
                }
            });
            (slice, best(layout, parts, classes))
        };
        let labelled = (first..self.next).into_par_iter().map(label).collect();
        self.before = Some(scores);
        labelled
    }
}

/// The best class of every pixel of one slice of the turned scan; the first among equals.
fn best(layout: &Layout, parts: [(Option<&[f32]>, f32); 2], classes: usize) -> Vec<u8> {
    let (pixels, plane) = (layout.turned[1] * layout.turned[2], layout.plane());
    let (mut best, mut here) = (vec![f32::NEG_INFINITY; pixels], vec![0.0; pixels]);
    let mut labels = vec![0; pixels];
    let mut mixed = vec![0.0; plane];
    for (class, number) in (0..classes).zip(0_u8..) {
        mixed.fill(0.0);
        for (scores, share) in parts.iter().filter_map(|(scores, share)| Some(((*scores)?, *share))) {
            let of_class = &scores[class * plane..(class + 1) * plane];
            mixed.iter_mut().zip(of_class).for_each(|(sum, score)| *sum += share * score);
        }
        sample(&mixed, [layout.size[1], layout.size[2]], &layout.in_grid[1], &layout.in_grid[2], &mut here);
        for ((label, best), score) in labels.iter_mut().zip(&mut best).zip(&here) {
            if *score > *best {
                (*best, *label) = (*score, number);
            }
        }
    }
    labels
}

/// The Gaussian along one side of a block.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "sides of a block")]
fn line(side: usize) -> Vec<f32> {
    let (centre, sigma) = ((side as f64 - 1.0) / 2.0, side as f64 * SIGMA_SHARE);
    (0..side).map(|at| (-0.5 * ((at as f64 - centre) / sigma).powi(2)).exp() as f32).collect()
}
