//! Layers over frames, against the definition in whole numbers and in fractions.

use sidelight_kernels::rendering::{Flat, GreyTable, Layer, Palette, Window, blend};
use sidelight_kernels::{Processor, Wish};

use crate::volumes::Noise;

pub(crate) struct Frame {
    pub(crate) values: Vec<i16>,
    pub(crate) heat: Vec<u8>,
    pub(crate) labels: Vec<u8>,
}

pub(crate) const COLUMNS: u32 = 301;
pub(crate) const ROWS: u32 = 217;

pub(crate) fn frame(seed: u64) -> Frame {
    let mut noise = Noise(seed);
    let pixels = (COLUMNS * ROWS) as usize;
    Frame {
        values: (0..pixels).map(|_| (noise.below(4000) as i16) - 1000).collect(),
        // Long stretches of nothing, as heatmaps have.
        heat: (0..pixels).map(|at| if at / 700 % 2 == 0 { noise.below(256) as u8 } else { 0 }).collect(),
        labels: (0..pixels).map(|at| (at / 50 % 4) as u8).collect(),
    }
}

pub(crate) fn palettes() -> [Palette; 2] {
    [Palette::heat(200), Palette::labels(&[[255, 0, 0, 90], [0, 255, 0, 255], [10, 20, 250, 128]])]
}

pub(crate) fn blended(
    processor: &mut Processor,
    frame: &Frame,
    grey: &GreyTable,
    layers: usize,
) -> Vec<[u8; 4]> {
    let [heat, labels] = palettes();
    let flat = Flat { columns: COLUMNS, rows: ROWS, values: &frame.values };
    let layers =
        &[Layer { values: &frame.heat, palette: &heat }, Layer { values: &frame.labels, palette: &labels }]
            [..layers];
    blend(processor, &flat, grey, layers).unwrap().rgba
}

#[test]
fn layers_cover_what_is_below_by_their_opacity() {
    let frame = frame(8);
    let grey = GreyTable::window(Window { center: 500.0, width: 1500.0 }, false);
    let picture = blended(&mut Processor::open(Wish::Twin).unwrap(), &frame, &grey, 2);
    let colours = [[0, 0, 0, 0], [255, 0, 0, 90], [0, 255, 0, 255], [10, 20, 250, 128]];
    for (at, pixel) in picture.iter().enumerate() {
        let level = ((f64::from(frame.values[at]) + 250.0) / 1500.0).clamp(0.0, 1.0) * 255.0;
        let heat = f64::from(frame.heat[at]);
        let hot = [0.0, 255.0, 510.0].map(|start| (heat * 3.0 - start).clamp(0.0, 255.0));
        let opacity = (heat * 200.0 / 255.0).floor() / 255.0;
        let label: [u8; 4] = colours[usize::from(frame.labels[at])];
        let covered = f64::from(label[3]) / 255.0;
        for channel in 0..3 {
            let below = level * (1.0 - opacity) + hot[channel] * opacity;
            let expected = below * (1.0 - covered) + f64::from(label[channel]) * covered;
            let found = f64::from(pixel[channel]);
            // Rounded once for the level and twice for each layer.
            assert!((found - expected).abs() <= 2.5, "pixel {at}: {pixel:?}, channel {channel} {expected}");
        }
        assert_eq!(pixel[3], 255);
    }
}

#[test]
fn without_layers_a_frame_is_its_grey_levels() {
    let frame = frame(9);
    let window = Window { center: 500.0, width: 1500.0 };
    let mut twin = Processor::open(Wish::Twin).unwrap();
    let upright = blended(&mut twin, &frame, &GreyTable::window(window, false), 0);
    let inverted = blended(&mut twin, &frame, &GreyTable::window(window, true), 0);
    for ((at, up), down) in upright.iter().enumerate().zip(&inverted) {
        let level = ((f64::from(frame.values[at]) + 250.0) / 1500.0).clamp(0.0, 1.0) * 255.0;
        assert!(
            (f64::from(up[0]) - level).abs() <= 0.51 && up[0] == up[1] && up[1] == up[2],
            "{up:?} {level}"
        );
        assert!((i32::from(up[0]) + i32::from(down[0]) - 255).abs() <= 1, "{up:?} {down:?}");
    }
}

#[test]
fn frames_and_layers_that_do_not_fit_are_refused() {
    let mut twin = Processor::open(Wish::Twin).unwrap();
    let grey = GreyTable::window(Window { center: 0.0, width: 100.0 }, false);
    let palette = Palette::heat(255);
    let values = [0_i16; 6];
    let flat = Flat { columns: 3, rows: 2, values: &values };
    let layer = |values| Layer { values, palette: &palette };
    assert!(blend(&mut twin, &Flat { rows: 3, ..flat }, &grey, &[]).is_err(), "too few values");
    assert!(blend(&mut twin, &Flat { columns: 0, ..flat }, &grey, &[]).is_err(), "no pixels");
    assert!(blend(&mut twin, &flat, &grey, &[layer(&[0; 5])]).is_err(), "a layer that is too small");
    assert!(blend(&mut twin, &flat, &grey, &[layer(&[0; 6]); 3]).is_err(), "three layers");
}
