//! Images in, one label a pixel out, as the bundle's manifest says: intensities mapped, placed at the network's pixel
//! distance, cut into patches that overlap under Gaussian weights, class scores blended, placed back on the original grid,
//! and there the best class taken and stray pieces removed.
//!
//! Scores live for a few planes at a time at the network's resolution; what remains of a whole stack is a byte a pixel.
//! `models/training/volumes.py` is the twin that judged the network while it was trained.

mod orientation;
mod scan;

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::bundle::Model;
use crate::components::keep_largest;
use crate::detect::percentile;
use crate::manifest::{Images, Intensity, Pieces, Task};
use crate::onnx::OnnxError;
use crate::plane::{Between, between, positions, sample};
use crate::tensor::Tensor;

pub use scan::Scan;

/// Patches run together: enough to keep a GPU busy, few enough that a batch of large patches stays small.
const BATCH: usize = 8;
/// The Gaussian's width as a share of the patch (nnU-Net's choice).
const SIGMA_SHARE: f64 = 1.0 / 8.0;
/// Far corners keep a little weight, so that no pixel divides by nothing.
const WEIGHT_MIN: f32 = 1e-3;

/// One stack of images of equal size; spacings are of rows, then of columns.
#[derive(Clone, Debug)]
pub struct Plane<'a> {
    pub rows: usize,
    pub columns: usize,
    pub pixel_mm: [f64; 2],
    /// `rows * columns` values each.
    pub images: &'a [Vec<f32>],
}

/// Why there are no labels.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    #[error("{0} is no segmentation network")]
    NotASegmentation(String),
    #[error("{name} does not read {what}")]
    Reads { name: String, what: &'static str },
    #[error("the images are not what they claim: {0}")]
    Images(&'static str),
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error("stopped")]
    Stopped,
}

/// A verified segmentation network at work.
#[derive(Debug)]
pub struct Segmenter<'a> {
    model: &'a mut Model,
    images: Images,
    classes: usize,
    pieces: Pieces,
}

impl<'a> Segmenter<'a> {
    pub fn new(model: &'a mut Model) -> Result<Self, SegmentError> {
        let manifest = model.manifest();
        let name = || SegmentError::NotASegmentation(manifest.name.clone());
        if manifest.task != Task::Segmentation {
            return Err(name());
        }
        let images = manifest.images.clone().ok_or_else(name)?;
        let (classes, pieces) = (manifest.labels.len() + 1, manifest.pieces);
        Ok(Self { model, images, classes, pieces })
    }

    /// Labels of a stack, image by image. `checkpoint` hears the share done after every batch and may stop the work.
    pub fn segment(
        &mut self,
        stack: &Plane<'_>,
        checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
    ) -> Result<Vec<u8>, SegmentError> {
        if self.images.depth.is_some() {
            return Err(self.other("single planes"));
        }
        stack.check()?;
        let layout = Layout::new(&self.images, stack);
        let pixels = stack.rows * stack.columns;
        let mut labels = vec![0; pixels * stack.images.len()];
        let together = (BATCH / layout.corners.len()).max(1);
        let groups = stack.images.chunks(together).zip(labels.chunks_mut(pixels * together));
        for (number, (images, labels)) in groups.enumerate() {
            let scores = self.scores(images, &layout, stack)?;
            let each = labels.par_chunks_mut(pixels).zip(scores.par_chunks(layout.pixels() * self.classes));
            each.for_each(|(labels, scores)| layout.label(scores, self.classes, labels));
            #[expect(clippy::cast_precision_loss, reason = "a share for people")]
            let done = ((number + 1) * together) as f32 / stack.images.len() as f32;
            if checkpoint(done.min(1.0)).is_break() {
                return Err(SegmentError::Stopped);
            }
        }
        if self.pieces == Pieces::Largest {
            keep_largest(&mut labels, [stack.images.len(), stack.rows, stack.columns]);
        }
        Ok(labels)
    }

    fn other(&self, what: &'static str) -> SegmentError {
        SegmentError::Reads { name: self.model.manifest().name.clone(), what }
    }

    /// Blended class scores of some images, class by class, at the network's resolution.
    fn scores(
        &mut self,
        images: &[Vec<f32>],
        layout: &Layout,
        stack: &Plane<'_>,
    ) -> Result<Vec<f32>, SegmentError> {
        let size = [stack.rows, stack.columns];
        let intensity = self.images.intensity;
        let placed: Vec<Vec<f32>> =
            images.par_iter().map(|image| layout.place(&normalise(image, intensity), size)).collect();
        let mut scores = vec![0.0; layout.pixels() * self.classes * images.len()];
        let work: Vec<(usize, [usize; 2])> = (0..images.len())
            .flat_map(|image| layout.corners.iter().map(move |corner| (image, *corner)))
            .collect();
        for batch in work.chunks(BATCH) {
            let answer = self.infer(batch, &placed, layout)?;
            for ((image, corner), patch) in
                batch.iter().zip(answer.chunks(layout.patch_pixels() * self.classes))
            {
                let all = layout.pixels() * self.classes;
                layout.blend(&mut scores[image * all..(image + 1) * all], patch, *corner, self.classes);
            }
        }
        Ok(scores)
    }

    fn infer(
        &mut self,
        batch: &[(usize, [usize; 2])],
        placed: &[Vec<f32>],
        layout: &Layout,
    ) -> Result<Vec<f32>, SegmentError> {
        let [height, width] = layout.patch;
        let mut values = Vec::with_capacity(batch.len() * layout.patch_pixels());
        for (image, [top, left]) in batch {
            for row in 0..height {
                let from = (top + row) * layout.size[1] + left;
                values.extend_from_slice(&placed[*image][from..from + width]);
            }
        }
        let input = Tensor::f32(&[batch.len(), 1, height, width], values).expect("built to this shape");
        let port = |ports: &[crate::manifest::DeclaredPort]| ports[0].name.clone();
        let (network, file) = self.model.network_and_file();
        let (name, wanted) = (port(&file.inputs), port(&file.outputs));
        let answers = network.run(&[(&name, &input)])?;
        let answer = answers.into_iter().find(|(name, _)| *name == wanted).map(|(_, tensor)| tensor);
        let expected = [batch.len(), self.classes, height, width];
        let values = answer.filter(|tensor| tensor.shape() == expected);
        let values = values.as_ref().and_then(Tensor::as_f32).ok_or_else(|| OnnxError::Mismatch {
            what: format!("output {wanted:?} is not of shape {expected:?}"),
        })?;
        Ok(values.to_vec())
    }
}

impl Plane<'_> {
    fn check(&self) -> Result<(), SegmentError> {
        if self.rows == 0 || self.columns == 0 || self.images.is_empty() {
            return Err(SegmentError::Images("there are none"));
        }
        if self.images.iter().any(|image| image.len() != self.rows * self.columns) {
            return Err(SegmentError::Images("their sizes differ"));
        }
        if !self.pixel_mm.iter().all(|mm| *mm > 0.01 && *mm < 100.0) {
            return Err(SegmentError::Images("their pixels have no size"));
        }
        Ok(())
    }
}

/// Maps the manifest's two values to 0 and 1.
fn normalise(image: &[f32], intensity: Intensity) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "intensities are single precision")]
    let (low, high) = match intensity {
        Intensity::Window([low, high]) => (low as f32, high as f32),
        Intensity::Percentiles([low, high]) => {
            let mut ordered = image.to_vec();
            (percentile(&mut ordered, low), percentile(&mut ordered, high))
        }
    };
    let range = (high - low).max(1e-6);
    image.iter().map(|value| ((value - low) / range).clamp(0.0, 1.0)).collect()
}

/// The values of a whole scan that become 0 and 1.
#[expect(clippy::cast_possible_truncation, reason = "intensities are single precision")]
fn range(values: &[i16], intensity: Intensity) -> (f32, f32) {
    match intensity {
        Intensity::Window([low, high]) => (low as f32, high as f32),
        Intensity::Percentiles([low, high]) => {
            let mut ordered: Vec<f32> = values.iter().copied().map(f32::from).collect();
            (percentile(&mut ordered, low), percentile(&mut ordered, high))
        }
    }
}

/// How many steps of the network cover a side of the images. A spacing that was computed from positions is off by a few
/// bits; a step more for them would move everything by half of one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sides of a scan"
)]
fn side(steps: usize, step_mm: f64, target_mm: f64) -> usize {
    (steps as f64 * step_mm / target_mm - 1e-6).ceil() as usize
}

/// How images of one size lie on the network's grid.
#[derive(Debug)]
struct Layout {
    /// Of the working grid: the image's extent at the network's pixel distance, at least one patch.
    size: [usize; 2],
    patch: [usize; 2],
    /// Upper left corners of the patches.
    corners: Vec<[usize; 2]>,
    /// Of one patch.
    weights: Vec<f32>,
    /// Sum of the weights over the grid.
    total: Vec<f32>,
    rows_in_image: Vec<Between>,
    columns_in_image: Vec<Between>,
    rows_in_grid: Vec<Between>,
    columns_in_grid: Vec<Between>,
}

impl Layout {
    fn new(images: &Images, stack: &Plane<'_>) -> Self {
        let (image, patch) = ([stack.rows, stack.columns], images.patch);
        let size =
            [0, 1].map(|axis| side(image[axis], stack.pixel_mm[axis], images.pixel_mm).max(patch[axis]));
        let axis = |axis: usize| {
            let on = |to, to_mm, from, from_mm| -> Vec<Between> {
                positions(to, to_mm, from, from_mm).into_iter().map(between).collect()
            };
            let (mm, image_mm) = (images.pixel_mm, stack.pixel_mm[axis]);
            (on(size[axis], mm, image[axis], image_mm), on(image[axis], image_mm, size[axis], mm))
        };
        let ((rows_in_image, rows_in_grid), (columns_in_image, columns_in_grid)) = (axis(0), axis(1));
        let starts = [0, 1].map(|axis| starts(size[axis], patch[axis], images.overlap));
        let corners: Vec<[usize; 2]> =
            starts[0].iter().flat_map(|top| starts[1].iter().map(move |left| [*top, *left])).collect();
        let weights = gaussian(patch);
        let mut total = vec![0.0; size[0] * size[1]];
        for corner in &corners {
            add(&mut total, size[1], &weights, patch, *corner, |weight, _| weight);
        }
        Self {
            size,
            patch,
            corners,
            weights,
            total,
            rows_in_image,
            columns_in_image,
            rows_in_grid,
            columns_in_grid,
        }
    }

    fn pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    fn patch_pixels(&self) -> usize {
        self.patch[0] * self.patch[1]
    }

    fn place(&self, image: &[f32], size: [usize; 2]) -> Vec<f32> {
        let mut grid = vec![0.0; self.pixels()];
        sample(image, size, &self.rows_in_image, &self.columns_in_image, &mut grid);
        grid
    }

    /// Adds a patch's class scores under their weights.
    fn blend(&self, scores: &mut [f32], patch: &[f32], corner: [usize; 2], classes: usize) {
        let planes = scores.chunks_mut(self.pixels()).zip(patch.chunks(self.patch_pixels())).take(classes);
        for (plane, patch) in planes {
            add(plane, self.size[1], patch, self.patch, corner, |value, at| value * self.weights[at]);
        }
    }

    /// The best class of every pixel of the original image; the first among equals.
    fn label(&self, scores: &[f32], classes: usize, labels: &mut [u8]) {
        let mut best = vec![f32::NEG_INFINITY; labels.len()];
        let mut here = vec![0.0; labels.len()];
        for (class, scores) in (0_u8..).zip(scores.chunks(self.pixels()).take(classes)) {
            let mean: Vec<f32> = scores.iter().zip(&self.total).map(|(score, total)| score / total).collect();
            sample(&mean, self.size, &self.rows_in_grid, &self.columns_in_grid, &mut here);
            for ((label, best), score) in labels.iter_mut().zip(&mut best).zip(&here) {
                if *score > *best {
                    (*best, *label) = (*score, class);
                }
            }
        }
    }
}

fn add(
    plane: &mut [f32],
    width: usize,
    patch: &[f32],
    [height, patch_width]: [usize; 2],
    [top, left]: [usize; 2],
    value: impl Fn(f32, usize) -> f32,
) {
    for row in 0..height {
        let line = &mut plane[(top + row) * width + left..][..patch_width];
        for (column, sum) in line.iter_mut().enumerate() {
            let at = row * patch_width + column;
            *sum += value(patch[at], at);
        }
    }
}

/// Where patches begin so that they cover `size` with at least the wished overlap, evenly spread.
fn starts(size: usize, patch: usize, overlap: f64) -> Vec<usize> {
    if size <= patch {
        return vec![0];
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sides of images"
    )]
    let stride = ((patch as f64 * (1.0 - overlap)) as usize).max(1);
    let steps = (size - patch).div_ceil(stride);
    (0..=steps).map(|step| step * (size - patch) / steps).collect()
}

fn gaussian([height, width]: [usize; 2]) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "sides of a patch")]
    let line = |n: usize| -> Vec<f32> {
        let (centre, sigma) = ((n as f64 - 1.0) / 2.0, n as f64 * SIGMA_SHARE);
        (0..n).map(|i| (-0.5 * ((i as f64 - centre) / sigma).powi(2)).exp() as f32).collect()
    };
    let (rows, columns) = (line(height), line(width));
    rows.iter().flat_map(|row| columns.iter().map(move |column| (row * column).max(WEIGHT_MIN))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_cover_everything_and_overlap() {
        assert_eq!(starts(100, 208, 0.5), [0]);
        assert_eq!(starts(208, 208, 0.5), [0]);
        let starts = starts(300, 128, 0.5);
        assert_eq!((starts[0], *starts.last().unwrap()), (0, 300 - 128));
        assert!(starts.windows(2).all(|pair| pair[1] > pair[0] && pair[1] - pair[0] <= 64), "{starts:?}");
    }

    #[test]
    fn a_few_bits_of_a_spacing_are_no_step_more() {
        assert_eq!([3.0, 3.000_000_000_4, 2.999_999_999_6].map(|mm| side(40, mm, 3.0)), [40; 3]);
        assert_eq!((side(40, 3.01, 3.0), side(40, 1.5, 3.0), side(41, 1.5, 3.0)), (41, 20, 21));
    }

    #[test]
    fn percentiles_and_windows_become_zero_and_one() {
        let image: Vec<f32> = (0_u8..=100).map(f32::from).collect();
        let out = normalise(&image, Intensity::Percentiles([10.0, 90.0]));
        assert_eq!((out[0], out[10], out[50], out[90], out[100]), (0.0, 0.0, 0.5, 1.0, 1.0));
        let out = normalise(&image, Intensity::Window([0.0, 50.0]));
        assert_eq!((out[25], out[100]), (0.5, 1.0));
        assert!(normalise(&[7.0; 9], Intensity::Percentiles([0.5, 99.5])).iter().all(|value| *value == 0.0));
    }

    #[test]
    fn weights_are_largest_in_the_middle_and_never_nothing() {
        let weights = gaussian([9, 9]);
        let largest = weights.iter().copied().fold(0.0, f32::max);
        assert_eq!(weights[4 * 9 + 4], largest);
        assert!(weights.iter().all(|weight| *weight >= WEIGHT_MIN));
    }
}
