//! The generic path: a hand-written network with a known answer, whatever the grid of the images.

use std::ops::ControlFlow;

use sidelight_models::{Bundle, Plane, SegmentError, Segmenter};

use crate::bundles::{PATCH, write};
use crate::graph::THRESHOLD;
use crate::runtime;

/// A bright disc, and optionally a speck far from it, in millimetres from the image's centre.
fn disc(size: [usize; 2], pixel_mm: [f64; 2], radius_mm: f64, speck: bool) -> Vec<f32> {
    let place = |at: usize, axis: usize| (at as f64 + 0.5 - size[axis] as f64 / 2.0) * pixel_mm[axis];
    let value = |row: usize, column: usize| {
        let (y, x) = (place(row, 0) - 3.0, place(column, 1) + 5.0);
        let inside = y.hypot(x) < radius_mm || (speck && (y + 26.0).hypot(x - 24.0) < 3.0);
        if inside { 1.0 } else { 0.0 }
    };
    (0..size[0] * size[1]).map(|at| value(at / size[1], at % size[1])).collect()
}

fn segment(size: [usize; 2], pixel_mm: [f64; 2], images: &[Vec<f32>]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let bundle = write(folder.path(), "1", THRESHOLD, |manifest| manifest);
    let mut model = Bundle::open(&bundle).unwrap().verify(&runtime()).unwrap();
    let stack = Plane { rows: size[0], columns: size[1], pixel_mm, images };
    Segmenter::new(&mut model).unwrap().segment(&stack, &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn a_disc_keeps_its_place_and_size_on_every_grid() {
    // Finer and coarser than the network's millimetre, oblong pixels, one patch and many.
    for (size, pixel_mm) in [
        ([100, 90], [0.7, 0.7]),
        ([40, 50], [1.6, 1.2]),
        ([64, 64], [1.0, 1.0]),
        ([24, 24], [1.25, 1.25]),
        ([90, 30], [0.6, 2.0]),
    ] {
        let radius_mm = 9.0;
        let image = disc(size, pixel_mm, radius_mm, false);
        let labels = segment(size, pixel_mm, std::slice::from_ref(&image));
        // Interpolation there and back moves an edge by less than a pixel of the coarser grid.
        let edge_mm = pixel_mm[0].max(pixel_mm[1]).max(1.0);
        let (inner, outer) = (
            disc(size, pixel_mm, radius_mm - edge_mm, false),
            disc(size, pixel_mm, radius_mm + edge_mm, false),
        );
        for (at, label) in labels.iter().enumerate() {
            assert!(*label == 1 || inner[at] < 0.5, "{size:?} {pixel_mm:?}: a hole at {at}");
            assert!(*label == 0 || outer[at] > 0.5, "{size:?} {pixel_mm:?}: too far out at {at}");
        }
        let area_mm2 = labels.iter().filter(|label| **label == 1).count() as f64 * pixel_mm[0] * pixel_mm[1];
        let true_mm2 = image.iter().sum::<f32>() as f64 * pixel_mm[0] * pixel_mm[1];
        assert!((area_mm2 / true_mm2 - 1.0).abs() < 0.04, "{size:?}: {area_mm2} of {true_mm2} mm2");
    }
}

#[test]
fn a_stack_is_cut_into_batches_and_only_its_largest_piece_stays() {
    let (size, pixel_mm) = ([70, 70], [1.0, 1.0]);
    assert!(size[0] > PATCH, "the test needs several patches");
    let images: Vec<Vec<f32>> =
        (0..11).map(|at| disc(size, pixel_mm, 6.0 + f64::from(at) / 2.0, at == 4)).collect();
    let labels = segment(size, pixel_mm, &images);
    let count =
        |at: usize| labels[at * 4900..(at + 1) * 4900].iter().filter(|label| **label == 1).count() as f64;
    for at in 0..11 {
        let without = disc(size, pixel_mm, 6.0 + at as f64 / 2.0, false).iter().sum::<f32>();
        assert!((count(at) - f64::from(without)).abs() < 1.0, "image {at}: {} of {without}", count(at));
    }
}

#[test]
fn work_can_be_stopped_between_batches_and_nonsense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = write(folder.path(), "1", THRESHOLD, |manifest| manifest);
    let mut model = Bundle::open(&bundle).unwrap().verify(&runtime()).unwrap();
    let mut segmenter = Segmenter::new(&mut model).unwrap();
    let images = vec![vec![0.0; 400]; 40];
    let stack = Plane { rows: 20, columns: 20, pixel_mm: [1.0; 2], images: &images };
    let mut heard = 0;
    let stopped = segmenter.segment(&stack, &mut |_| {
        heard += 1;
        if heard == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(SegmentError::Stopped)) && heard == 2, "{stopped:?} after {heard}");
    for wrong in [
        Plane { rows: 21, ..stack.clone() },
        Plane { pixel_mm: [f64::NAN, 1.0], ..stack.clone() },
        Plane { images: &[], ..stack.clone() },
    ] {
        let outcome = segmenter.segment(&wrong, &mut |_| ControlFlow::Continue(()));
        assert!(matches!(outcome, Err(SegmentError::Images(_))), "{outcome:?}");
    }
}
