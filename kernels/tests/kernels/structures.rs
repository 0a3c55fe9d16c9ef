//! A trunk whose organs are known: every structure is found, the couch and the bowel are not mistaken for any, and the GPU,
//! the twin and the patient's turning round change nothing.

use std::ops::ControlFlow;

use sidelight_kernels::structures::{Conditions, Structure, Structures, StructuresError, structures};
use sidelight_kernels::{Dimensions, Geometry, Processor, Volume, Wish};

use crate::gpu::on_gpu;
use crate::volumes::Noise;

/// What fills a point, and what it is called: Hounsfield units, label.
type Tissue = (f64, Option<Structure>);

/// x to the left, y to the back, z to the head, millimetres from the middle.
type Point = [f64; 3];

fn ellipsoid(point: Point, middle: Point, half: Point) -> bool {
    (0..3).map(|axis| ((point[axis] - middle[axis]) / half[axis]).powi(2)).sum::<f64>() <= 1.0
}

/// Inside a tube along z, or along the way from one point to another.
fn tube(point: Point, from: Point, to: Point, radius: f64) -> bool {
    let along = [0, 1, 2].map(|axis| to[axis] - from[axis]);
    let away = [0, 1, 2].map(|axis| point[axis] - from[axis]);
    let length = along.iter().map(|mm| mm * mm).sum::<f64>();
    let share = (0..3).map(|axis| along[axis] * away[axis]).sum::<f64>() / length;
    let nearest = [0, 1, 2].map(|axis| from[axis] + along[axis] * share.clamp(0.0, 1.0));
    (0..3).map(|axis| (point[axis] - nearest[axis]).powi(2)).sum::<f64>() <= radius * radius
}

const CARINA: Point = [0.0, -5.0, 30.0];

/// Windpipe and main bronchi, which open into the lungs.
fn airway(point: Point, wall: f64) -> bool {
    let bronchus = |side: f64| tube(point, CARINA, [side * 40.0, 0.0, 5.0], 6.0 + wall);
    tube(point, CARINA, [0.0, -5.0, 200.0], 9.0 + wall) || bronchus(-1.0) || bronchus(1.0)
}

fn tissue(point: Point) -> Tissue {
    let [x, y, _] = point;
    let within = |half: [f64; 2]| ((x / half[0]).powi(2) + (y / half[1]).powi(2)) <= 1.0;
    if !within([140.0, 98.0]) {
        // A couch of two thin sheets.
        let couch = x.abs() < 130.0 && ((104.0..106.5).contains(&y) || (116.0..118.5).contains(&y));
        return (if couch { 90.0 } else { -1000.0 }, None);
    }
    if airway(point, 0.0) {
        return (-985.0, Some(Structure::Airway));
    }
    let vertebra = |radius: f64| tube(point, [0.0, 58.0, -300.0], [0.0, 58.0, 300.0], radius);
    let rib = [-1.0, 1.0].into_iter().any(|side| {
        tube(point, [side * 118.0, 30.0, -20.0], [side * 60.0, 80.0, -20.0], 6.0)
            || tube(point, [side * 118.0, 30.0, 60.0], [side * 60.0, 80.0, 60.0], 6.0)
    });
    match () {
        () if vertebra(12.0) => (90.0, Some(Structure::Bone)),
        () if vertebra(17.0) || rib => (480.0, Some(Structure::Bone)),
        () if airway(point, 2.5) => (40.0, Some(Structure::Lean)),
        () if ellipsoid(point, [-62.0, 0.0, 30.0], [44.0, 62.0, 80.0]) => {
            (-820.0, Some(Structure::RightLung))
        }
        () if ellipsoid(point, [62.0, 0.0, 30.0], [44.0, 62.0, 80.0]) => (-820.0, Some(Structure::LeftLung)),
        // The lungs touch before the heart.
        () if tube(point, [-30.0, -40.0, 40.0], [30.0, -40.0, 40.0], 5.0) => {
            (-820.0, Some(if x < 0.0 { Structure::RightLung } else { Structure::LeftLung }))
        }
        () if ellipsoid(point, [30.0, -30.0, -90.0], [40.0, 25.0, 22.0]) => (-990.0, Some(Structure::Body)),
        () if within([126.0, 84.0]) => (48.0, Some(Structure::Lean)),
        () => (-100.0, Some(Structure::Fat)),
    }
}

/// The trunk in voxels of this size, with its truth.
fn trunk(dimensions: Dimensions, spacing_mm: [f64; 3]) -> (Volume, Vec<u8>) {
    let counts = [dimensions.columns, dimensions.rows, dimensions.slices].map(f64::from);
    let first = [0, 1, 2].map(|axis: usize| -(counts[axis] - 1.0) / 2.0 * spacing_mm[axis]);
    let [x, y, z] = spacing_mm;
    let geometry = Geometry {
        column_spacing_mm: x,
        row_spacing_mm: y,
        slice_increment_mm: z,
        patient_mm_from_voxel: [[x, 0.0, 0.0, first[0]], [0.0, y, 0.0, first[1]], [0.0, 0.0, z, first[2]]],
    };
    let mut noise = Noise(5);
    let (mut values, mut truth) = (Vec::new(), Vec::new());
    for slice in 0..dimensions.slices {
        for row in 0..dimensions.rows {
            for column in 0..dimensions.columns {
                let (hounsfield, label) = tissue(geometry.patient_mm([column, row, slice].map(f64::from)));
                values.push((hounsfield + f64::from(noise.below(25)) - 12.0) as i16);
                truth.push(label.map_or(0, |label| label as u8));
            }
        }
    }
    (Volume::new(dimensions, geometry, values).unwrap(), truth)
}

fn coarse() -> (Volume, Vec<u8>) {
    trunk(Dimensions { columns: 104, rows: 88, slices: 80 }, [3.0, 3.0, 3.0])
}

/// Cells of eight voxels; columns that are no multiple of 32, and an odd number of slices.
fn fine() -> (Volume, Vec<u8>) {
    trunk(Dimensions { columns: 204, rows: 176, slices: 161 }, [1.5, 1.5, 1.5])
}

fn label(processor: &mut Processor, volume: &Volume) -> Result<Structures, StructuresError> {
    structures(processor, volume, Conditions::default(), &mut |_, _| ControlFlow::Continue(()))
}

fn on_twin(volume: &Volume) -> Structures {
    label(&mut Processor::open(Wish::Twin).unwrap(), volume).unwrap()
}

fn dice(found: &[u8], truth: &[u8], structure: Structure) -> f64 {
    let is = |label: &u8| *label == structure as u8;
    let both = found.iter().zip(truth).filter(|(a, b)| is(a) && is(b)).count() as f64;
    let [a, b] = [found, truth].map(|labels| labels.iter().filter(|label| is(label)).count() as f64);
    2.0 * both / (a + b)
}

#[test]
fn every_structure_of_a_known_trunk_is_found() {
    for (what, (volume, truth)) in [("cells that are voxels", coarse()), ("cells of eight voxels", fine())] {
        let found = on_twin(&volume);
        for (structure, at_least) in [
            (Structure::RightLung, 0.95),
            (Structure::LeftLung, 0.95),
            (Structure::Airway, 0.85),
            (Structure::Bone, 0.88),
            (Structure::Fat, 0.97),
            (Structure::Lean, 0.95),
        ] {
            let dice = dice(&found.labels, &truth, structure);
            println!("{what}: {structure:?} Dice {dice:.3}");
            assert!(dice >= at_least, "{what}: {structure:?} {dice:.3}, at least {at_least}");
        }
        let outline = |labels: &[u8]| labels.iter().filter(|label| **label != 0).count() as f64;
        let share = outline(&found.labels) / outline(&truth);
        assert!((share - 1.0).abs() < 0.02, "{what}: the body is {share:.3} of what it should be");
        let bowel = truth.iter().zip(&found.labels).filter(|(truth, _)| **truth == Structure::Body as u8);
        let lungs = [Structure::RightLung as u8, Structure::LeftLung as u8];
        assert_eq!(bowel.filter(|(_, label)| lungs.contains(label)).count(), 0, "{what}: bowel became lung");
        let counted = found.voxels.iter().sum::<u64>();
        assert_eq!(counted, truth.len() as u64, "{what}: as many labels as voxels");
        let lungs_ml = found.millilitres(Structure::RightLung, &volume);
        let true_ml = truth.iter().filter(|label| **label == Structure::RightLung as u8).count() as f64
            * volume.geometry().pixel_area_mm2()
            * volume.geometry().slice_increment_mm
            / 1000.0;
        assert!((lungs_ml / true_ml - 1.0).abs() < 0.05, "{what}: {lungs_ml} of {true_ml} mL");
    }
}

#[test]
fn the_gpu_and_the_twin_give_every_voxel_the_same_label_whatever_the_turns() {
    for (volume, _) in [coarse(), fine()] {
        let expected = on_twin(&volume);
        let slice = volume.dimensions().slice_len();
        for turn_voxels in [3 * slice, 64 * slice, volume.dimensions().len()] {
            let twin = Processor::open(Wish::Twin).unwrap().with_turn_voxels(turn_voxels);
            let mut twin = twin;
            assert!(label(&mut twin, &volume).unwrap() == expected, "the twin in turns of {turn_voxels}");
        }
        let found = on_gpu(|gpu| label(gpu, &volume).unwrap());
        assert_eq!(found.voxels, expected.voxels);
        let other = found.labels.iter().zip(&expected.labels).filter(|(a, b)| a != b).count();
        assert_eq!(other, 0, "voxels that the GPU calls something else");
    }
}

/// The same patient with columns, rows and slices each counted from the other end where `turned` says so.
fn recounted(volume: &Volume, turned: [bool; 3]) -> (Volume, impl Fn([u32; 3]) -> [u32; 3]) {
    let dimensions = volume.dimensions();
    let ends = [dimensions.columns, dimensions.rows, dimensions.slices];
    let flip = move |at: [u32; 3]| {
        [0, 1, 2].map(|axis| if turned[axis] { ends[axis] - 1 - at[axis] } else { at[axis] })
    };
    let mut values = Vec::with_capacity(dimensions.len());
    for slice in 0..dimensions.slices {
        for row in 0..dimensions.rows {
            for column in 0..dimensions.columns {
                let [c, r, s] = flip([column, row, slice]);
                values.push(volume.slice(s)[(r * dimensions.columns + c) as usize]);
            }
        }
    }
    let mut geometry = *volume.geometry();
    for line in &mut geometry.patient_mm_from_voxel {
        for axis in (0..3).filter(|axis| turned[*axis]) {
            line[3] += line[axis] * f64::from(ends[axis] - 1);
            line[axis] = -line[axis];
        }
    }
    (Volume::new(dimensions, geometry, values).unwrap(), flip)
}

#[test]
fn the_labels_follow_the_patient_and_not_the_picture() {
    let (volume, _) = coarse();
    let upright = on_twin(&volume).labels;
    let Dimensions { columns, rows, slices } = volume.dimensions();
    for turned in [[true, false, false], [false, false, true], [true, true, false]] {
        let (other, flip) = recounted(&volume, turned);
        let found = on_twin(&other).labels;
        let mut moved = 0;
        for slice in 0..slices {
            for row in 0..rows {
                for column in 0..columns {
                    let index = |[c, r, s]: [u32; 3]| ((s * rows + r) * columns + c) as usize;
                    moved += usize::from(
                        found[index([column, row, slice])] != upright[index(flip([column, row, slice]))],
                    );
                }
            }
        }
        // Which lung a voxel between two touching lungs falls to may turn round with them.
        assert!(moved * 10_000 < found.len(), "counted {turned:?}, {moved} labels moved in the patient");
    }
}

#[test]
fn with_contrast_no_bone_is_told_and_what_is_no_body_is_refused_in_words() {
    let (volume, _) = coarse();
    let mut twin = Processor::open(Wish::Twin).unwrap();
    let go_on = &mut |_: &mut Processor, _: f32| ControlFlow::Continue(());
    let found = structures(&mut twin, &volume, Conditions { contrast: true }, go_on).unwrap();
    assert_eq!(found.voxels[Structure::Bone as usize], 0);
    assert!(found.voxels[Structure::RightLung as usize] > 1000);
    let air = vec![-1000; volume.dimensions().len()];
    let air = Volume::new(volume.dimensions(), *volume.geometry(), air).unwrap();
    assert!(matches!(label(&mut twin, &air), Err(StructuresError::NoBody)));
    let mut upright = *volume.geometry();
    upright.patient_mm_from_voxel.swap(1, 2);
    let coronal = Volume::new(volume.dimensions(), upright, volume.hounsfield().to_vec()).unwrap();
    assert!(matches!(label(&mut twin, &coronal), Err(StructuresError::NotAxial)));
    let stop = &mut |_: &mut Processor, _: f32| ControlFlow::Break(());
    let stopped = structures(&mut twin, &volume, Conditions::default(), stop);
    assert!(matches!(stopped, Err(StructuresError::Stopped)));
}
