// What a detection network reads.

use serde::Deserialize;

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

impl Reduction {
    /// The network's pixel distance.
    pub fn pixel_mm(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a block has few cells")]
        let block = self.block as f64;
        self.fine_mm * block
    }
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
