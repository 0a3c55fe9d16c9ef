//! Pictures against closed forms and against rays followed here, one by one, in double precision.

use std::f64::consts::PI;
use std::ops::ControlFlow;
use std::sync::Arc;

use sidelight_kernels::rendering::{
    Camera, Clip, Image, Labels, Lens, Plane, Point, Preset, Projection, Quality, RenderError, Scene, Style,
    TransferFunction, View, Window, render,
};
use sidelight_kernels::{Dimensions, Geometry, Processor, Volume, Wish};

use crate::ray_oracle;
use crate::volumes::{Noise, dimensions};

/// A volume centred at the patient's origin, axes along the patient's.
pub(crate) fn centred(
    dimensions: Dimensions,
    spacing_mm: [f64; 3],
    mut value: impl FnMut([f64; 3]) -> i16,
) -> Volume {
    let counts = [dimensions.columns, dimensions.rows, dimensions.slices].map(f64::from);
    let first = [0, 1, 2].map(|axis: usize| -(counts[axis] - 1.0) / 2.0 * spacing_mm[axis]);
    let [x, y, z] = spacing_mm;
    let geometry = Geometry {
        column_spacing_mm: x,
        row_spacing_mm: y,
        slice_increment_mm: z,
        patient_mm_from_voxel: [[x, 0.0, 0.0, first[0]], [0.0, y, 0.0, first[1]], [0.0, 0.0, z, first[2]]],
    };
    let mut values = Vec::with_capacity(dimensions.len());
    for slice in 0..dimensions.slices {
        for row in 0..dimensions.rows {
            for column in 0..dimensions.columns {
                values.push(value(geometry.patient_mm([column, row, slice].map(f64::from))));
            }
        }
    }
    Volume::new(dimensions, geometry, values).unwrap()
}

/// A ball of so many millimetres in air, with a blurred edge of one millimetre.
pub(crate) fn ball(radius_mm: f64) -> Volume {
    centred(dimensions(48, 44, 40), [0.9, 1.0, 1.1], |mm| {
        let distance = mm.iter().map(|part| part * part).sum::<f64>().sqrt() - radius_mm;
        (-1000.0 + 1400.0 * (0.5 - distance).clamp(0.0, 1.0)) as i16
    })
}

/// Shapes of several densities with noise: something for every part of a transfer function.
pub(crate) fn body(noise: &mut Noise) -> Volume {
    centred(dimensions(40, 37, 45), [0.8, 0.8, 1.0], |[x, y, z]| {
        let grain = noise.below(40) as i16;
        let bone = (x - 4.0).hypot(y + 3.0) < 3.0;
        let vessel = (y - 3.0).hypot(z + 2.0) < 2.0;
        let skin = x.hypot(y) < 13.0 && z.abs() < 18.0;
        grain
            + if bone {
                700
            } else if vessel {
                330
            } else if skin {
                20
            } else {
                -1000
            }
    })
}

fn twin() -> Processor {
    Processor::open(Wish::Twin).unwrap()
}

pub(crate) fn picture(processor: &mut Processor, scene: &Scene, view: &View) -> Image {
    render(processor, scene, view, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn scene(volume: Volume) -> Scene {
    Scene::new(Arc::new(volume), None).unwrap()
}

/// The same of everything.
fn fog(opacity_per_mm: f32) -> Style {
    let grey = [0.5; 3];
    let transfer = TransferFunction::new(vec![
        Point::new(-100, grey, opacity_per_mm),
        Point::new(100, grey, opacity_per_mm),
    ]);
    Style::Volume { transfer: transfer.unwrap(), shaded: false }
}

/// A camera whose pixels are the voxels of a cube, looking along an axis.
fn onto(side_mm: f64, direction: [f64; 3]) -> Camera {
    let up = if direction[2] == 0.0 { [0.0, 0.0, 1.0] } else { [0.0, -1.0, 0.0] };
    let camera = Camera::outside([0.0; 3], side_mm, direction, up);
    Camera { lens: Lens::Orthographic { height_mm: side_mm }, ..camera }
}

const ALONG: [[f64; 3]; 6] =
    [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]];

#[test]
fn a_cube_swallows_light_by_its_depth_whatever_the_step() {
    let side_mm = 32.0 * 0.5;
    let scene = scene(centred(dimensions(32, 32, 32), [0.5; 3], |_| 40));
    // 1 - exp(-mu * 1 mm).
    let mu: f64 = 0.06;
    let style = fog((1.0 - (-mu).exp()) as f32);
    let expected = 255.0 * (1.0 - (-mu * side_mm).exp());
    for direction in ALONG {
        for step_mm in [0.13, 0.5, 0.77, 1.0, 3.0, 40.0] {
            for jittered in [false, true] {
                let view = View::new(onto(side_mm, direction), 8, 8, style.clone());
                let view = View { step_mm: Some(step_mm), jittered, ..view };
                let image = picture(&mut twin(), &scene, &view);
                for [red, _, _, alpha] in image.rgba {
                    assert!(
                        (f64::from(alpha) - expected).abs() < 1.0,
                        "{direction:?} {step_mm}: {alpha}, not {expected}"
                    );
                    assert!((f64::from(red) - expected / 2.0).abs() < 1.0, "colour {red}");
                }
            }
        }
    }
}

#[test]
fn a_ball_casts_the_shadow_of_a_ball() {
    let scene = scene(ball(15.0));
    let transfer =
        TransferFunction::new(vec![Point::new(-301, [1.0; 3], 0.0), Point::new(-299, [1.0; 3], 0.9)]);
    let style = Style::Volume { transfer: transfer.unwrap(), shaded: true };
    for direction in [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, -2.0, 0.7], [-0.3, 0.2, 1.0]] {
        let camera = Camera {
            lens: Lens::Orthographic { height_mm: 40.0 },
            ..scene.camera(direction, [0.1, 0.0, 1.0])
        };
        let image = picture(&mut twin(), &scene, &View::new(camera, 400, 400, style.clone()));
        let shadow = image.rgba.iter().filter(|pixel| pixel[3] > 127).count();
        let area_mm2 = shadow as f64 * 0.1 * 0.1;
        let expected = PI * 15.0 * 15.0;
        assert!((area_mm2 / expected - 1.0).abs() < 0.01, "{direction:?}: {area_mm2} mm2, not {expected}");
        let centre = image.rgba[200 * 400 + 200];
        let limb = image.rgba[200 * 400 + 55];
        assert!(
            centre[0] > limb[0] + 40,
            "a ball lit from the eye is brighter in its middle: {centre:?}, {limb:?}"
        );
    }
}

#[test]
fn projections_along_an_axis_are_those_of_the_voxels() {
    let mut noise = Noise(11);
    let volume = centred(dimensions(24, 24, 24), [0.7; 3], |_| noise.below(256) as i16);
    let side_mm = 24.0 * 0.7;
    let scene = scene(volume.clone());
    let window = Window { center: 127.5, width: 255.0 };
    for direction in ALONG {
        let camera = onto(side_mm, direction);
        let [right, down, into] = camera.axes().unwrap();
        for projection in [Projection::Maximum, Projection::Minimum, Projection::Average] {
            let view = View::new(camera, 24, 24, Style::Projection { projection, window });
            let image = picture(&mut twin(), &scene, &view);
            for (index, pixel) in image.rgba.iter().enumerate() {
                let (x, y) = ((index % 24) as f64 - 11.5, (index / 24) as f64 - 11.5);
                let line = (0..24).map(|depth| {
                    let depth = f64::from(depth) - 11.5;
                    let voxel = [0, 1, 2].map(|axis| {
                        (x * right[axis] + y * down[axis] + depth * into[axis] + 11.5).round() as usize
                    });
                    f64::from(volume.hounsfield()[(voxel[2] * 24 + voxel[1]) * 24 + voxel[0]])
                });
                let expected = match projection {
                    Projection::Maximum => line.fold(f64::MIN, f64::max),
                    Projection::Minimum => line.fold(f64::MAX, f64::min),
                    Projection::Average => line.sum::<f64>() / 24.0,
                };
                let error = (f64::from(pixel[0]) - expected).abs();
                let bound = if projection == Projection::Average { 0.51 } else { 0.0 };
                assert!(error <= bound, "{projection:?} along {direction:?}: {pixel:?}, not {expected}");
            }
        }
    }
}

#[test]
fn pictures_are_those_of_rays_followed_one_by_one() {
    let volume = body(&mut Noise(5));
    let scene = scene(volume.clone());
    let window = Window { center: 0.0, width: 1600.0 };
    let styles = [
        Style::Volume { transfer: Preset::SoftTissue.function(0..=1), shaded: false },
        Style::Volume { transfer: Preset::Angiography.function(0..=1), shaded: false },
        Style::Projection { projection: Projection::Maximum, window },
        Style::Projection { projection: Projection::Minimum, window },
        Style::Projection { projection: Projection::Average, window },
    ];
    let clip = Clip {
        box_voxels: Some([[3.0, 40.0], [0.0, 30.5], [5.0, 45.0]]),
        plane: Some(Plane { point_mm: [0.0, 0.0, 3.0], normal: [0.2, 0.1, -1.0] }),
    };
    let flat = scene.camera([1.0, 2.0, -0.5], [0.0, 0.0, 1.0]);
    let deep = Camera {
        position_mm: [60.0, -20.0, 10.0],
        lens: Lens::Perspective { field_of_view_deg: 40.0 },
        ..flat
    };
    for style in styles {
        for (camera, clip) in [(flat, Clip::default()), (deep, Clip::default()), (flat, clip), (deep, clip)] {
            let view = View { clip, jittered: false, ..View::new(camera, 41, 33, style.clone()) };
            let image = picture(&mut twin(), &scene, &view);
            let expected = ray_oracle::picture(&volume, &view);
            assert_alike("twin and oracle", &image, &expected, 2);
        }
    }
}

/// At least 99.9 % of the pixels differ by no more than so many levels.
pub(crate) fn assert_alike(what: &str, image: &Image, expected: &Image, levels: u8) {
    assert_eq!((image.width, image.height), (expected.width, expected.height), "{what}");
    let apart = |(a, b): &(&[u8; 4], &[u8; 4])| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > levels);
    let pairs = || image.rgba.iter().zip(&expected.rgba);
    let count = pairs().filter(apart).count();
    let allowed = image.rgba.len() / 1000;
    let first =
        pairs().position(|pair| apart(&pair)).map(|index| (index, image.rgba[index], expected.rgba[index]));
    assert!(count <= allowed, "{what}: {count} of {} pixels differ, {first:?}", image.rgba.len());
    assert!(expected.rgba.iter().any(|pixel| pixel != &expected.rgba[0]), "{what}: the picture is empty");
}

#[test]
fn what_is_clipped_is_gone() {
    let scene = scene(centred(dimensions(32, 32, 32), [1.0; 3], |_| 40));
    let mu: f64 = 0.05;
    let style = fog((1.0 - (-mu).exp()) as f32);
    let view = View::new(onto(32.0, [0.0, 1.0, 0.0]), 32, 32, style);
    let expected = |depth_mm: f64| (255.0 * (1.0 - (-mu * depth_mm).exp())).round() as u8;
    // Columns 8 to 24, rows from 16, everything along z.
    let box_voxels = Some([[8.0, 24.0], [16.0, 32.0], [0.0, 32.0]]);
    let clipped = View { clip: Clip { box_voxels, plane: None }, ..view.clone() };
    let image = picture(&mut twin(), &scene, &clipped);
    for (index, pixel) in image.rgba.iter().enumerate() {
        let inside = (8..24).contains(&(index % 32));
        assert_eq!(pixel[3], if inside { expected(16.0) } else { 0 }, "pixel {index}");
    }
    let plane = Some(Plane { point_mm: [0.0, 6.0, 0.0], normal: [0.0, -1.0, 0.0] });
    let image = picture(&mut twin(), &scene, &View { clip: Clip { box_voxels: None, plane }, ..view });
    assert!(image.rgba.iter().all(|pixel| pixel[3] == expected(22.0)), "{:?}", image.rgba[0]);
}

#[test]
fn labels_show_their_colour_where_tissue_shows_nothing() {
    let size = dimensions(24, 24, 24);
    let volume = Arc::new(centred(size, [1.0; 3], |_| -1000));
    let mut values = vec![0; size.len()];
    for slice in 8..16 {
        for row in 8..16 {
            values[(slice * 24 + row) * 24..][8..16].fill(2);
        }
    }
    let labels = Labels::new(size, values, &[[0, 255, 0, 255], [255, 0, 0, 240]]).unwrap();
    let scene = Scene::new(volume, Some(labels)).unwrap();
    let styles = [
        Style::Volume { transfer: Preset::Bone.function(0..=1), shaded: true },
        Style::Projection { projection: Projection::Maximum, window: Window { center: 0.0, width: 400.0 } },
    ];
    for style in styles {
        let image = picture(&mut twin(), &scene, &View::new(onto(24.0, [0.0, 0.0, 1.0]), 24, 24, style));
        for (index, [red, green, blue, _]) in image.rgba.into_iter().enumerate() {
            let inside = (8..16).contains(&(index % 24)) && (8..16).contains(&(index / 24));
            assert_eq!((red > 240, green, blue), (inside, 0, 0), "pixel {index}");
        }
    }
}

#[test]
fn while_moving_a_quarter_of_the_pixels_show_the_same() {
    let scene = scene(ball(15.0));
    let style = Style::Volume { transfer: Preset::Bone.function(0..=1), shaded: true };
    let view = View::new(scene.camera([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]), 101, 80, style);
    let still = picture(&mut twin(), &scene, &view);
    let moving = picture(&mut twin(), &scene, &View { quality: Quality::Moving, ..view });
    assert_eq!((moving.width, moving.height), (51, 40));
    let covered = |image: &Image| image.rgba.iter().map(|pixel| f64::from(pixel[3])).sum::<f64>() / 255.0;
    let ratio = covered(&still) / covered(&moving);
    assert!((ratio / 4.0 - 1.0).abs() < 0.05, "{ratio}");
}

#[test]
fn what_is_no_view_is_refused_in_words() {
    let scene = scene(ball(10.0));
    let good = View::new(scene.camera([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]), 64, 64, fog(0.1));
    let eye = good.camera;
    let bad = [
        View { width: 0, ..good.clone() },
        View { height: 5000, ..good.clone() },
        View { step_mm: Some(0.0), ..good.clone() },
        View { step_mm: Some(1e-6), ..good.clone() },
        View { step_mm: Some(f64::NAN), ..good.clone() },
        View { camera: Camera { up: [0.0, 1.0, 0.0], ..eye }, ..good.clone() },
        View { camera: Camera { position_mm: eye.look_at_mm, ..eye }, ..good.clone() },
        View { camera: Camera { position_mm: [f64::INFINITY; 3], ..eye }, ..good.clone() },
        View { camera: Camera { lens: Lens::Perspective { field_of_view_deg: 0.0 }, ..eye }, ..good.clone() },
        View { clip: Clip { box_voxels: Some([[0.0, f64::NAN]; 3]), plane: None }, ..good.clone() },
    ];
    for view in bad {
        let answer = render(&mut twin(), &scene, &view, &mut |_| ControlFlow::Continue(()));
        assert!(matches!(answer, Err(RenderError::View(_))), "{view:?}: {answer:?}");
    }
    let answer = render(&mut twin(), &scene, &good, &mut |_| ControlFlow::Break(()));
    assert!(matches!(answer, Err(RenderError::Cancelled)), "{answer:?}");
    assert!(TransferFunction::new(vec![Point::new(5, [0.0; 3], 0.1)]).is_err(), "one point");
    assert!(TransferFunction::new(vec![Point::new(5, [0.0; 3], 0.1); 2]).is_err(), "points that do not rise");
    assert!(TransferFunction::new(vec![Point::new(1, [0.0; 3], 1.0), Point::new(2, [0.0; 3], 0.0)]).is_err());
}
