//! What only shows from inside: leaping against following every sample.

use super::*;
use crate::volume::{Dimensions, Geometry};

/// Balls of several densities in air.
fn balls() -> Volume {
    let dimensions = Dimensions { columns: 61, rows: 50, slices: 43 };
    let geometry = Geometry {
        column_spacing_mm: 0.7,
        row_spacing_mm: 0.7,
        slice_increment_mm: 1.1,
        patient_mm_from_voxel: [[0.7, 0.0, 0.0, 9.0], [0.0, 0.7, 0.0, -4.0], [0.0, 0.0, 1.1, 2.0]],
    };
    let balls =
        [([15.0, 12.0, 10.0], 7.0, 800), ([40.0, 30.0, 25.0], 9.0, 300), ([20.0, 40.0, 36.0], 4.0, 60)];
    let mut values = Vec::new();
    for index in 0..dimensions.len() {
        let at = [index % 61, index / 61 % 50, index / 3050].map(|voxel| voxel as f64);
        let inside = |(center, radius, _): &&([f64; 3], f64, i16)| {
            camera::length(camera::subtract(at, *center)) < *radius
        };
        values.push(balls.iter().find(inside).map_or(-1000, |ball| ball.2));
    }
    Volume::new(dimensions, geometry, values).expect("one value a voxel")
}

#[test]
fn leaping_over_nothing_changes_no_pixel() {
    let volume = Arc::new(balls());
    let mut values = vec![0_u8; volume.dimensions().len()];
    values[volume.dimensions().slice_len() * 20 + 700] = 1;
    let labels = Labels::new(volume.dimensions(), values, &[[255, 200, 0, 255]]).expect("one label a voxel");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads");
    for labels in [None, Some(labels)] {
        let scene = Scene::new(volume.clone(), labels).expect("labels fit");
        for preset in Preset::ALL {
            let style = Style::Volume { transfer: scene.preset(preset), shaded: true };
            for direction in [[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.7, -0.4]] {
                let view = View::new(scene.camera(direction, [0.1, 0.2, 1.0]), 120, 90, style.clone());
                let planned = frame::plan(&scene, &view).expect("a view");
                let distances = scene.distances(&view.style, &planned.table);
                let nowhere = vec![0; distances.len()];
                let picture = |distances: &[u8]| {
                    cpu::rendering::render(&pool, &scene, &planned, distances, &mut |_| {
                        ControlFlow::Continue(())
                    })
                    .expect("nobody cancels")
                };
                assert!(distances.iter().any(|distance| *distance > 0), "{preset:?} leaps over nothing");
                assert_eq!(picture(&distances), picture(&nowhere), "{preset:?} along {direction:?}");
            }
        }
    }
}

#[test]
fn another_transfer_function_is_another_emptiness() {
    let scene = Scene::new(Arc::new(balls()), None).expect("no labels");
    let lit = |preset| {
        let style = Style::Volume { transfer: scene.preset(preset), shaded: false };
        let view = View::new(scene.camera([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]), 8, 8, style);
        let planned = frame::plan(&scene, &view).expect("a view");
        scene.distances(&view.style, &planned.table).iter().filter(|distance| **distance == 0).count()
    };
    let (bone, soft) = (lit(Preset::Bone), lit(Preset::SoftTissue));
    assert!(0 < bone && bone < soft, "{bone} cells show bone, {soft} soft tissue");
    assert_eq!(lit(Preset::Bone), bone);
}

#[test]
fn presets_differ_and_have_names_of_their_own() {
    let mut words: Vec<&str> = Preset::ALL.iter().map(|preset| preset.word()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Preset::ALL.len());
    // However few values a volume has.
    for tissue in [0..=0, i16::MIN..=i16::MAX, i16::MAX..=i16::MAX, -3..=900] {
        for preset in Preset::ALL {
            assert!(preset.function(tissue.clone()).points().len() >= 2, "{preset:?} {tissue:?}");
        }
    }
}
