//! The detection path: a hand-written network for which darkness is heat, whatever the grid of the volume.

use std::ops::ControlFlow;

use sidelight_models::{Bundle, DetectError, Detector, Found, Model};

use crate::bundles::write;
use crate::graph::THRESHOLD;
use crate::{root, runtime};

/// The first score of the threshold network is 1 - x.
fn model() -> Model {
    let folder = tempfile::tempdir().unwrap();
    let bundle = write(folder.path(), "1", THRESHOLD, |manifest| {
        let (head, _) = manifest.split_once("[images]").unwrap();
        head.replace("task = \"segmentation\"", "task = \"detection\"")
            + r#"[detection]
modality = "CT"
shows = "darkness"
stride = 1
radius_mm_max = 8.0
apart_mm = 5.0
threshold = 0.5
reads = { volumes = { pixel_mm = 1.0, slice_mm = 1.5, slices = 1, window = [0.0, 1000.0] } }
"#
    });
    Bundle::open(&bundle).unwrap().verify(&runtime()).unwrap()
}

/// Bright, with a dark dip some millimetres wide at each place.
fn volume(size: [usize; 3], step_mm: [f64; 3], dips: &[[f64; 3]]) -> Vec<i16> {
    let value = |at: usize| {
        let voxel = [at % size[0], at / size[0] % size[1], at / (size[0] * size[1])];
        let depth = dips.iter().map(|dip| {
            let squared = [0, 1, 2].map(|axis| ((voxel[axis] as f64 - dip[axis]) * step_mm[axis]).powi(2));
            (-squared.iter().sum::<f64>() / 18.0).exp()
        });
        1000.0 - 1000.0 * depth.fold(0.0, f64::max)
    };
    #[expect(clippy::cast_possible_truncation, reason = "0 to 1000")]
    (0..size.iter().product()).map(|at| value(at) as i16).collect()
}

fn detect(size: [usize; 3], step_mm: [f64; 3], dips: &[[f64; 3]]) -> Found {
    let mut model = model();
    let values = volume(size, step_mm, dips);
    Detector::new(&mut model)
        .unwrap()
        .volume(&values, size, step_mm, &mut |_| ControlFlow::Continue(()))
        .unwrap()
}

#[test]
fn marks_stand_where_the_dips_are_on_every_grid() {
    for (size, step_mm) in
        [([50, 40, 12], [1.4, 0.8, 2.5]), ([64, 64, 20], [1.0, 1.0, 1.5]), ([90, 100, 40], [0.6, 0.7, 0.9])]
    {
        let share = |shares: [f64; 3]| [0, 1, 2].map(|axis| (size[axis] as f64 * shares[axis]).round());
        let dips = [share([0.25, 0.3, 0.4]), share([0.75, 0.6, 0.7])];
        let found = detect(size, step_mm, &dips);
        assert_eq!(found.marks.len(), 2, "{size:?}: {:?}", found.marks);
        for dip in dips {
            let away = |mark: &sidelight_models::Mark| {
                let squared = [0, 1, 2].map(|axis| ((mark.at[axis] - dip[axis]) * step_mm[axis]).powi(2));
                squared.iter().sum::<f64>().sqrt()
            };
            let nearest = found.marks.iter().map(away).fold(f64::INFINITY, f64::min);
            assert!(nearest < 1.5, "{size:?}: {nearest} mm from {dip:?}");
        }
        assert!(found.highest > 0.8 && found.marks.iter().all(|mark| mark.class == 1));
    }
}

#[test]
fn nothing_hot_is_no_mark_and_what_cannot_be_a_volume_is_refused() {
    let found = detect([40, 40, 9], [1.0, 1.0, 3.0], &[]);
    assert!(found.marks.is_empty() && found.highest < 0.01, "{:?}", found.marks);
    let mut model = model();
    let mut detector = Detector::new(&mut model).unwrap();
    let mut go = |_| ControlFlow::Continue(());
    for outcome in [
        detector.volume(&[0; 7], [2, 2, 2], [1.0; 3], &mut go),
        detector.volume(&[0; 8], [2, 2, 2], [1.0, 1.0, 0.0], &mut go),
    ] {
        assert!(matches!(outcome, Err(DetectError::Images(_))), "{outcome:?}");
    }
    let plane = detector.plane(&[0.0; 4], [2, 2], [1.0; 2]);
    assert!(matches!(plane, Err(DetectError::NotADetection(_))), "{plane:?}");
    let mut heard = 0;
    let stopped = detector.volume(&[0; 1800], [10, 10, 18], [1.0; 3], &mut |_| {
        heard += 1;
        ControlFlow::Break(())
    });
    assert!(matches!(stopped, Err(DetectError::Stopped)) && heard == 1, "{heard}");
}

#[test]
fn our_mammography_network_judges_a_whole_detector() {
    let bundle = root().join("models/bundles/mammography_cad");
    let mut model = Bundle::open(&bundle).unwrap().verify(&runtime()).unwrap();
    let size = [4096, 3328];
    #[expect(clippy::cast_precision_loss, reason = "a picture")]
    let value = |at: usize| {
        let (row, column) = ((at / size[1]) as f32 - 2048.0, (at % size[1]) as f32);
        (1500.0 - row.hypot(column)).max(0.0)
    };
    let image: Vec<f32> = (0..size[0] * size[1]).map(value).collect();
    #[expect(clippy::disallowed_methods, reason = "a figure for people; nothing is asserted of it")]
    let begun = std::time::Instant::now();
    let found = Detector::new(&mut model).unwrap().plane(&image, size, [0.07; 2]).unwrap();
    let mut stderr = std::io::stderr();
    let _lost = std::io::Write::write_fmt(
        &mut stderr,
        format_args!("4096 x 3328: {:.2} s on {:?}\n", begun.elapsed().as_secs_f64(), model.provider()),
    );
    // 0.4 mm a pixel, four of them a cell.
    assert_eq!(found.heat.size, [583_usize.div_ceil(4), 717_usize.div_ceil(4), 1]);
    assert!(found.highest < 1.0);
}
