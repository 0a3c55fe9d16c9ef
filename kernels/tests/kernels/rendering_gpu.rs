//! Pictures by the GPU (software Vulkan will do) against the twin's.

use std::sync::Arc;

use sidelight_kernels::rendering::{
    Camera, Clip, GreyTable, Labels, Lens, Plane, Preset, Projection, Quality, Reformat, Scene, Style, View,
    Window,
};
use sidelight_kernels::{Processor, Wish};

use crate::gpu::on_gpu;
use crate::rendering::{assert_alike, ball, body, picture};
use crate::volumes::Noise;
use crate::{blending, reformats};

fn twin() -> Processor {
    Processor::open(Wish::Twin).unwrap()
}

/// What the module's documentation promises of two processors.
const LEVELS: u8 = 2;

#[test]
fn pictures_are_those_of_the_twin() {
    let volume = Arc::new(body(&mut Noise(21)));
    let size = volume.dimensions();
    let labels = (0..size.len()).map(|at| u8::from(at % 40 > 30 && at / 40 % 37 > 20)).collect();
    let labels = Labels::new(size, labels, &[[20, 200, 90, 120]]).unwrap();
    let plain = Scene::new(volume.clone(), None).unwrap();
    let labelled = Scene::new(volume, Some(labels)).unwrap();
    let window = Window { center: 100.0, width: 1400.0 };
    let projection = |projection| Style::Projection { projection, window };
    let clip = Clip {
        box_voxels: Some([[2.0, 39.0], [0.0, 33.5], [4.0, 45.0]]),
        plane: Some(Plane { point_mm: [0.0, 0.0, 4.0], normal: [0.1, 0.2, -1.0] }),
    };
    let flat = plain.camera([1.0, 2.0, -0.5], [0.0, 0.0, 1.0]);
    let deep = Camera {
        position_mm: [55.0, -25.0, 12.0],
        lens: Lens::Perspective { field_of_view_deg: 45.0 },
        ..flat
    };
    let mut styles: Vec<Style> =
        [Projection::Maximum, Projection::Minimum, Projection::Average].map(projection).into();
    for preset in Preset::ALL {
        let transfer = plain.preset(preset);
        styles.extend([true, false].map(|shaded| Style::Volume { transfer: transfer.clone(), shaded }));
    }
    for style in styles {
        for (camera, clip, quality) in [
            (flat, Clip::default(), Quality::Still),
            (deep, Clip::default(), Quality::Moving),
            (deep, clip, Quality::Still),
        ] {
            let view = View { clip, quality, ..View::new(camera, 75, 61, style.clone()) };
            for (what, scene) in [("plain", &plain), ("labelled", &labelled)] {
                let by_gpu = on_gpu(|gpu| picture(gpu, scene, &view));
                let by_twin = picture(&mut twin(), scene, &view);
                assert_alike(&format!("{what} {view:?}"), &by_gpu, &by_twin, LEVELS);
            }
        }
    }
}

#[test]
fn a_volume_that_stays_on_the_device_is_the_right_one() {
    let scenes = [ball(15.0), ball(9.0)].map(|volume| Scene::new(Arc::new(volume), None).unwrap());
    // There and back: what is kept of one must not be shown as the other.
    for scene in [&scenes[0], &scenes[1], &scenes[0], &scenes[0], &scenes[1]] {
        let style = Style::Volume { transfer: scene.preset(Preset::Bone), shaded: true };
        let view = View::new(scene.camera([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]), 60, 60, style);
        let by_gpu = on_gpu(|gpu| {
            let image = picture(gpu, scene, &view);
            let memory = gpu.device_memory().unwrap();
            assert!(memory.peak_bytes < 2 << 30, "{memory:?}");
            image
        });
        assert_alike("kept", &by_gpu, &picture(&mut twin(), scene, &view), LEVELS);
    }
}

#[test]
fn slabs_are_those_of_the_twin_and_planes_the_voxels() {
    let volume = reformats::noise();
    for axis in 0..3 {
        let (place, _) = reformats::on_voxels(&volume, axis, 7);
        let plane = Reformat::plane(&place, 0.0, Projection::Average).unwrap();
        let by_gpu = on_gpu(|gpu| reformats::cut(gpu, &volume, &plane));
        assert_eq!(by_gpu, reformats::cut(&mut twin(), &volume, &plane), "axis {axis}: voxels, bit by bit");
    }
    let body = body(&mut Noise(4));
    let line = [[-9.0, -8.0, -7.0], [0.0, 1.0, 2.0], [9.0, 3.0, 8.0]];
    for (projection, slab_mm) in
        [(Projection::Maximum, 6.0), (Projection::Minimum, 0.0), (Projection::Average, 3.0)]
    {
        let curved = Reformat::along(&line, [1.0, 0.0, 0.0], 0.4, 51, slab_mm, projection).unwrap();
        let by_gpu = on_gpu(|gpu| reformats::cut(gpu, &body, &curved));
        let by_twin = reformats::cut(&mut twin(), &body, &curved);
        let apart = by_gpu.values.iter().zip(&by_twin.values).filter(|(a, b)| a.abs_diff(**b) > 1).count();
        // A position on the edge of 1/256 of a voxel may fall to either side of it.
        assert!(
            apart <= by_twin.values.len() / 100,
            "{projection:?}: {apart} of {} differ",
            by_twin.values.len()
        );
    }
}

#[test]
fn blended_frames_are_those_of_the_twin_bit_by_bit() {
    let frame = blending::frame(31);
    let grey = GreyTable::window(Window { center: 300.0, width: 900.0 }, true);
    for layers in 0..=2 {
        let by_gpu = on_gpu(|gpu| blending::blended(gpu, &frame, &grey, layers));
        assert!(by_gpu == blending::blended(&mut twin(), &frame, &grey, layers), "{layers} layers");
    }
}
