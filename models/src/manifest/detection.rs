//! What a detection network reads, and how its heat becomes marks.

use serde::Deserialize;

/// Cells of an answer are 1 to this many pixels wide.
const STRIDE_MAX: usize = 16;
/// More slices than this around a slice are no neighbourhood.
const SLICES_MAX: usize = 63;

/// How images become input and heat becomes marks. The network's channels are one heat a label, and last the radius.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detection {
    /// As DICOM writes it (`MG`, `CT`).
    pub modality: String,
    /// What the images show (`breast`, `lungs`); for the analyses that choose a bundle.
    pub shows: String,
    pub reads: Reads,
    /// Pixels of the input along a cell of the answer.
    pub stride: usize,
    /// The radius that the last channel calls 1.
    pub radius_mm_max: f64,
    /// Of two marks closer than this, or than the larger one's radius, the weaker goes.
    pub apart_mm: f64,
    /// The working point: suspicion from which a peak is a mark.
    pub threshold: f32,
    /// Suspicion at which levels 2 to 5 begin. Not calibrated against anything.
    #[serde(default = "levels")]
    pub levels: [f32; 4],
}

fn levels() -> [f32; 4] {
    [0.30, 0.60, 0.75, 0.90]
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reads {
    Planes(Reduction),
    Volumes(Volumes),
}

/// How a large plane is made small: blocks of fine cells, each with its average and its brightest cell.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reduction {
    /// Side of a fine cell.
    pub fine_mm: f64,
    /// Fine cells along the side of a block, which is the network's pixel.
    pub block: usize,
    /// What stands out of its surroundings counts so much more than an average.
    pub detail_gain: f32,
    /// Of the body's averages: the first becomes 0, the second three quarters.
    pub percentiles: [f64; 2],
}

/// How a volume becomes input: slices around each slice, as channels.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volumes {
    pub pixel_mm: f64,
    pub slice_mm: f64,
    /// An odd number; the middle one is the slice that is judged.
    pub slices: usize,
    /// Hounsfield units that become 0 and 1.
    pub window: [f64; 2],
}

impl Reduction {
    /// The network's pixel distance.
    pub fn pixel_mm(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a block has few cells")]
        let block = self.block as f64;
        self.fine_mm * block
    }
}

impl Detection {
    /// Suspicion as a level from 1 to 5.
    pub fn level(&self, suspicion: f32) -> u8 {
        let reached = self.levels.iter().filter(|begins| suspicion >= **begins).count();
        1 + u8::try_from(reached).expect("of four")
    }

    /// Channels of the network's input.
    pub fn channels(&self) -> usize {
        match self.reads {
            Reads::Planes(_) => 2,
            Reads::Volumes(volumes) => volumes.slices,
        }
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let length = |mm: f64| mm > 0.01 && mm < 100.0;
        if !(self.stride.is_power_of_two() && self.stride <= STRIDE_MAX) {
            return Err(("detection.stride", format!("must be 1, 2, 4, ... {STRIDE_MAX}")));
        }
        if !(length(self.radius_mm_max) && length(self.apart_mm)) {
            return Err(("detection", "lengths must lie between 0.01 and 100 mm".into()));
        }
        if !(self.threshold > 0.0 && self.threshold < 1.0) {
            return Err(("detection.threshold", "must lie between 0 and 1".into()));
        }
        let bounds = [&[0.0][..], &self.levels, &[1.0]].concat();
        if !bounds.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(("detection.levels", "must rise between 0 and 1".into()));
        }
        let right = match self.reads {
            Reads::Planes(planes) => {
                let [low, high] = planes.percentiles;
                length(planes.fine_mm)
                    && (1..=64).contains(&planes.block)
                    && planes.detail_gain > 0.0
                    && (0.0 <= low && low < high && high <= 100.0)
            }
            Reads::Volumes(volumes) => {
                let around = volumes.slices % 2 == 1 && volumes.slices <= SLICES_MAX;
                length(volumes.pixel_mm)
                    && length(volumes.slice_mm)
                    && around
                    && volumes.window[0] < volumes.window[1]
            }
        };
        if right { Ok(()) } else { Err(("detection.reads", "holds a value that cannot be right".into())) }
    }
}
