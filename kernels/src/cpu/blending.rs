//! Twin of the `blending` kernel: pieces of the frame shared among threads.

use rayon::prelude::*;

use crate::rendering::{Flat, GreyTable, Layer, over_255};

/// Pixels that a thread takes at a time: values, layers and colours fit into its second cache.
const PIECE: usize = 32 * 1024;
/// Pixels whose layers are looked at together: most of a heatmap is nothing.
const GROUP: usize = 8;

const OPAQUE: u32 = 0xff00_0000;

/// Red, green, blue and full opacity of each pixel.
pub(crate) fn blend(frame: &Flat<'_>, grey: &GreyTable, layers: &[Layer<'_>]) -> Vec<[u8; 4]> {
    let levels = grey.levels();
    let words: Vec<[u32; 256]> = layers.iter().map(|layer| layer.palette.words()).collect();
    let mut picture = vec![[0; 4]; frame.values.len()];
    picture.par_chunks_mut(PIECE).enumerate().for_each(|(piece, pixels)| {
        let from = piece * PIECE;
        let values = &frame.values[from..][..pixels.len()];
        for (pixel, value) in pixels.iter_mut().zip(values) {
            let level = u32::from(levels[usize::from(value.cast_unsigned() ^ 0x8000)]);
            *pixel = ((level * 0x01_0101) | OPAQUE).to_le_bytes();
        }
        for (layer, words) in layers.iter().zip(&words) {
            lay(pixels, &layer.values[from..][..pixels.len()], words);
        }
    });
    picture
}

fn lay(pixels: &mut [[u8; 4]], values: &[u8], words: &[u32; 256]) {
    let clear = words[0] == OPAQUE;
    for (pixels, values) in pixels.chunks_mut(GROUP).zip(values.chunks(GROUP)) {
        if clear && values.iter().all(|value| *value == 0) {
            continue;
        }
        for (pixel, value) in pixels.iter_mut().zip(values) {
            *pixel = over(u32::from_le_bytes(*pixel), words[usize::from(*value)]).to_le_bytes();
        }
    }
}

/// A colour (its opacity already in it) over another one: red and blue in one multiplication, green in another.
fn over(below: u32, colour: u32) -> u32 {
    let through = colour >> 24;
    let twice = (below & 0x00ff_00ff) * through + 0x0080_0080;
    let red_blue = (twice + ((twice >> 8) & 0x00ff_00ff)) >> 8 & 0x00ff_00ff;
    let green = over_255((below >> 8 & 0xff) * through) << 8;
    // No channel overflows: a colour is at most its opacity, what shines through at most the rest.
    ((red_blue | green) + (colour & 0x00ff_ffff)) | OPAQUE
}
