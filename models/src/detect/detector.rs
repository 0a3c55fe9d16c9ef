//! A verified detection network at work on one plane or one volume.

use std::ops::ControlFlow;

use super::{Heat, MULTIPLE, Mark, reduce, regrid};
use crate::bundle::Model;
use crate::manifest::{Detection, Reads, Task};
use crate::onnx::OnnxError;
use crate::tensor::Tensor;

/// Slices judged together: enough to keep a GPU busy, few enough that their features stay small.
const BATCH: usize = 4;

/// Why there are no marks.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    #[error("{0} is no detection network for such images")]
    NotADetection(String),
    #[error("the images are not what they claim: {0}")]
    Images(&'static str),
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error("stopped")]
    Stopped,
}

/// Marks, on the pixels that were given, and the heat they come from.
#[derive(Clone, Debug)]
pub struct Found {
    pub marks: Vec<Mark>,
    pub heat: Heat,
    /// The hottest cell, whether it is a mark or not; 0 to 1.
    pub highest: f32,
    /// Side of a cell: columns, rows, slices.
    pub cell_mm: [f64; 3],
}

#[derive(Debug)]
pub struct Detector<'a> {
    model: &'a mut Model,
    detection: Detection,
    classes: usize,
}

/// Input images of equal size, sides padded to what the network halves.
struct Inputs {
    size: [usize; 2],
    padded: [usize; 2],
}

impl Inputs {
    fn new(rows: usize, columns: usize) -> Self {
        Self { size: [rows, columns], padded: [rows, columns].map(|side| side.next_multiple_of(MULTIPLE)) }
    }

    /// Appends one channel; beyond its own size there is nothing.
    fn add(&self, channel: &[f32], values: &mut Vec<f32>) {
        let ([rows, columns], [padded_rows, padded_columns]) = (self.size, self.padded);
        for line in channel.chunks_exact(columns) {
            values.extend_from_slice(line);
            values.resize(values.len() + padded_columns - columns, 0.0);
        }
        values.resize(values.len() + (padded_rows - rows) * padded_columns, 0.0);
    }
}

impl<'a> Detector<'a> {
    pub fn new(model: &'a mut Model) -> Result<Self, DetectError> {
        let manifest = model.manifest();
        let detection = manifest.detection.clone().filter(|_| manifest.task == Task::Detection);
        let detection = detection.ok_or_else(|| DetectError::NotADetection(manifest.name.clone()))?;
        let classes = manifest.labels.len();
        Ok(Self { model, detection, classes })
    }

    /// Marks on a plane whose dense parts are bright: rows and columns, spacings of rows, then of columns.
    pub fn plane(
        &mut self,
        image: &[f32],
        size: [usize; 2],
        pixel_mm: [f64; 2],
    ) -> Result<Found, DetectError> {
        let Reads::Planes(reduction) = self.detection.reads else { return Err(self.foreign()) };
        check(image.len(), &size, &pixel_mm)?;
        let reduced = reduce(image, size, pixel_mm, &reduction);
        let inputs = Inputs::new(reduced.rows, reduced.columns);
        let mut values = Vec::new();
        inputs.add(&reduced.mean, &mut values);
        inputs.add(&reduced.detail, &mut values);
        let mut heat = self.empty(&inputs);
        self.judge(values, 1, &inputs, &mut heat)?;
        let pitch_mm = reduction.pixel_mm();
        let to_image = |cell: [f64; 3]| {
            let place = |cells: f64, mm: f64| (cells + 0.5) * self.stride() * pitch_mm / mm - 0.5;
            [place(cell[0], pixel_mm[1]), place(cell[1], pixel_mm[0]), 0.0]
        };
        let cell_mm = [pitch_mm * self.stride(), pitch_mm * self.stride(), 1.0];
        Ok(self.found(heat, cell_mm, to_image))
    }

    /// Marks in a volume of Hounsfield units; sizes and distances of columns, rows, slices.
    pub fn volume(
        &mut self,
        hounsfield: &[i16],
        size: [usize; 3],
        step_mm: [f64; 3],
        checkpoint: &mut dyn FnMut(f32) -> ControlFlow<()>,
    ) -> Result<Found, DetectError> {
        let Reads::Volumes(volumes) = self.detection.reads else { return Err(self.foreign()) };
        check(hounsfield.len(), &size, &step_mm)?;
        let grid = regrid(hounsfield, size, step_mm, &volumes);
        let [columns, rows, slices] = grid.size;
        let inputs = Inputs::new(rows, columns);
        let mut heat = self.empty(&inputs);
        let half = volumes.slices / 2;
        for first in (0..slices).step_by(BATCH) {
            let count = BATCH.min(slices - first);
            let mut values =
                Vec::with_capacity(count * volumes.slices * inputs.padded.iter().product::<usize>());
            for around in (first..first + count).flat_map(|middle| middle..middle + volumes.slices) {
                // Beyond the ends the last slice repeats.
                let slice = around.saturating_sub(half).min(slices - 1);
                inputs.add(&grid.values[slice * rows * columns..(slice + 1) * rows * columns], &mut values);
            }
            self.judge(values, count, &inputs, &mut heat)?;
            #[expect(clippy::cast_precision_loss, reason = "a share for people")]
            let done = (first + count) as f32 / slices as f32;
            if checkpoint(done).is_break() {
                return Err(DetectError::Stopped);
            }
        }
        let target_mm = [volumes.pixel_mm, volumes.pixel_mm, volumes.slice_mm];
        let stride = [self.stride(), self.stride(), 1.0];
        let to_volume = |cell: [f64; 3]| {
            [0, 1, 2].map(|axis| {
                // Both grids share their centre.
                #[expect(clippy::cast_precision_loss, reason = "sides of a volume")]
                let [to, from] = [grid.size[axis], size[axis]].map(|side| side as f64 / 2.0);
                ((cell[axis] + 0.5) * stride[axis] - to) * target_mm[axis] / step_mm[axis] + from - 0.5
            })
        };
        let cell_mm = [0, 1, 2].map(|axis| target_mm[axis] * stride[axis]);
        Ok(self.found(heat, cell_mm, to_volume))
    }

    fn stride(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "at most 16")]
        {
            self.detection.stride as f64
        }
    }

    fn foreign(&self) -> DetectError {
        DetectError::NotADetection(self.model.manifest().name.clone())
    }

    /// Heat without slices yet.
    fn empty(&self, inputs: &Inputs) -> Heat {
        let [rows, columns] = inputs.size.map(|side| side.div_ceil(self.detection.stride));
        Heat { size: [columns, rows, 0], suspicion: Vec::new(), class: Vec::new(), radius_mm: Vec::new() }
    }

    /// Runs the network on some images and appends what it says, without the padding.
    fn judge(
        &mut self,
        values: Vec<f32>,
        count: usize,
        inputs: &Inputs,
        heat: &mut Heat,
    ) -> Result<(), DetectError> {
        let [height, width] = inputs.padded;
        let shape = [count, self.detection.channels(), height, width];
        let input = Tensor::f32(&shape, values).expect("built to this shape");
        let (network, file) = self.model.network_and_file();
        let (name, wanted) = (file.inputs[0].name.clone(), file.outputs[0].name.clone());
        let answers = network.run(&[(&name, &input)])?;
        let answer = answers.into_iter().find(|(name, _)| *name == wanted).map(|(_, tensor)| tensor);
        let [rows, columns] = inputs.padded.map(|side| side / self.detection.stride);
        let expected = [count, self.classes + 1, rows, columns];
        let answer = answer.filter(|tensor| tensor.shape() == expected);
        let values = answer.as_ref().and_then(Tensor::as_f32).ok_or_else(|| OnnxError::Mismatch {
            what: format!("output {wanted:?} is not of shape {expected:?}"),
        })?;
        for image in values.chunks_exact((self.classes + 1) * rows * columns) {
            self.append(image, [rows, columns], heat);
        }
        Ok(())
    }

    fn append(&self, channels: &[f32], [rows, columns]: [usize; 2], heat: &mut Heat) {
        #[expect(clippy::cast_possible_truncation, reason = "millimetres")]
        let radius_mm_max = self.detection.radius_mm_max as f32;
        let plane = rows * columns;
        for row in 0..heat.size[1] {
            for column in 0..heat.size[0] {
                let at = row * columns + column;
                let classes = (1_u8..).zip(channels.chunks_exact(plane).map(|channel| channel[at]));
                let first_best = |best: (u8, f32), next: (u8, f32)| if next.1 > best.1 { next } else { best };
                let (class, suspicion) = classes.take(self.classes).fold((1, f32::NEG_INFINITY), first_best);
                heat.suspicion.push(suspicion);
                heat.class.push(class);
                heat.radius_mm.push(channels[self.classes * plane + at] * radius_mm_max);
            }
        }
        heat.size[2] += 1;
    }

    fn found(&self, heat: Heat, cell_mm: [f64; 3], to_image: impl Fn([f64; 3]) -> [f64; 3]) -> Found {
        let mut marks = heat.marks(self.detection.threshold, self.detection.apart_mm, cell_mm);
        for mark in &mut marks {
            mark.at = to_image(mark.at);
        }
        let highest = heat.suspicion.iter().copied().fold(0.0, f32::max);
        Found { marks, heat, highest, cell_mm }
    }
}

/// Whether there are as many values as the sides say, and distances are distances.
fn check(values: usize, size: &[usize], step_mm: &[f64]) -> Result<(), DetectError> {
    if values == 0 || size.iter().product::<usize>() != values {
        return Err(DetectError::Images("their size is not what they say"));
    }
    if !step_mm.iter().all(|mm| *mm > 0.01 && *mm < 100.0) {
        return Err(DetectError::Images("their pixels have no size"));
    }
    Ok(())
}
