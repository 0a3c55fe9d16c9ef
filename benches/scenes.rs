//! What pictures are measured on: a trunk to look through, and a mammogram with findings over it.

#![expect(clippy::cast_possible_truncation, reason = "millimetres and bytes")]

use sidelight_kernels::rendering::{
    Camera, Flat, GreyTable, Layer, Lens, Palette, Preset, Projection, Scene, Style, View, Window,
};
use sidelight_kernels::{Dimensions, Geometry, Volume};

/// A trunk of half a metre: skin, lungs, a spine with ribs, vessels with contrast; noise on all of it.
pub(crate) fn trunk(side: u32) -> Volume {
    let dimensions = Dimensions { columns: side, rows: side, slices: side };
    let spacing = 500.0 / f64::from(side);
    let first = -250.0 + spacing / 2.0;
    let mut hounsfield = Vec::with_capacity(dimensions.len());
    let mut noise = 1_u32;
    let at = |index: u32| (first + f64::from(index) * spacing) as f32;
    for z in (0..side).map(at) {
        for y in (0..side).map(at) {
            for x in (0..side).map(at) {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let grain = i16::try_from(noise >> 27).expect("five bits") - 16;
                hounsfield.push(tissue(x, y, z) + grain);
            }
        }
    }
    let geometry = Geometry {
        column_spacing_mm: spacing,
        row_spacing_mm: spacing,
        slice_increment_mm: spacing,
        patient_mm_from_voxel: [
            [spacing, 0.0, 0.0, first],
            [0.0, spacing, 0.0, first],
            [0.0, 0.0, spacing, first],
        ],
    };
    Volume::new(dimensions, geometry, hounsfield).expect("the loops fill every voxel")
}

fn tissue(x: f32, y: f32, z: f32) -> i16 {
    let round = |x: f32, y: f32| (x * x + y * y).sqrt();
    let body = round(x / 190.0, y / 125.0);
    if body > 1.0 {
        return -1000;
    }
    let spine = round(x, y - 75.0) < 18.0 && (z / 30.0).fract().abs() < 0.8;
    let rib = (round(x / 165.0, y / 105.0) - 1.0).abs() < 0.035 && ((z + y * 0.4) / 28.0).fract().abs() < 0.4;
    if spine || rib {
        return 600;
    }
    let vessel = round(x - 18.0, y - 45.0) < 12.0 || round(x + 20.0 * (z / 40.0).sin(), y + 10.0) < 9.0;
    if vessel {
        return 320;
    }
    let lung = round((x.abs() - 80.0) / 62.0, y / 85.0) < 1.0 && z > -60.0;
    if lung {
        return -850;
    }
    if body > 0.92 { -90 } else { 45 }
}

/// What the trunk is looked at as.
pub(crate) fn looks(scene: &Scene) -> [(&'static str, Style); 5] {
    let preset = |preset| Style::Volume { transfer: scene.preset(preset), shaded: true };
    let window = Window { center: 200.0, width: 800.0 };
    [
        ("bone", preset(Preset::Bone)),
        ("angiography", preset(Preset::Angiography)),
        ("soft tissue", preset(Preset::SoftTissue)),
        ("lung", preset(Preset::Lung)),
        ("maximum", Style::Projection { projection: Projection::Maximum, window }),
    ]
}

/// From the front, a little from the side and above, so that no axis is favoured; the body fills the picture.
pub(crate) fn view(scene: &Scene, [width, height]: [u32; 2], style: Style) -> View {
    let camera = scene.camera([0.35, 0.9, -0.25], [0.0, 0.0, 1.0]);
    View::new(Camera { lens: Lens::Orthographic { height_mm: 480.0 }, ..camera }, width, height, style)
}

/// A frame with a heatmap over a quarter of it and labels over another one, as findings have them.
pub(crate) struct Mammogram {
    columns: u32,
    rows: u32,
    values: Vec<i16>,
    heat: Vec<u8>,
    labels: Vec<u8>,
    palettes: [Palette; 2],
    pub(crate) grey: GreyTable,
}

impl Mammogram {
    pub(crate) fn new(columns: u32, rows: u32) -> Self {
        let pixels = (columns * rows) as usize;
        let of = |at: usize| (at % columns as usize, at / columns as usize);
        let inside = |(x, y): (usize, usize), left: usize| {
            (left..left + columns as usize / 2).contains(&x) && y < rows as usize / 2
        };
        let label = |at: usize| if inside(of(at), columns as usize / 3) { (at / 64 % 4) as u8 } else { 0 };
        let colours = [[255, 60, 60, 110], [60, 255, 60, 110], [90, 90, 255, 110]];
        Self {
            columns,
            rows,
            values: (0..pixels).map(|at| (at * 7 % 4096) as i16).collect(),
            heat: (0..pixels).map(|at| if inside(of(at), 0) { (at % 256) as u8 } else { 0 }).collect(),
            labels: (0..pixels).map(label).collect(),
            palettes: [Palette::heat(160), Palette::labels(&colours)],
            grey: GreyTable::window(Window { center: 2000.0, width: 3000.0 }, false),
        }
    }

    pub(crate) fn frame(&self) -> Flat<'_> {
        Flat { columns: self.columns, rows: self.rows, values: &self.values }
    }

    pub(crate) fn layers(&self) -> [Layer<'_>; 2] {
        let [heat, labels] = &self.palettes;
        [Layer { values: &self.heat, palette: heat }, Layer { values: &self.labels, palette: labels }]
    }
}
