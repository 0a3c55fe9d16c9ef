//! A multi-phase CT cut across the heart's long axis, phase by phase, as a series of its own: what a reader asks for after
//! showing where the mitral valve and the apex are.
//!
//! Not a room: the viewer asks, the kernels cut, the store files. The series counts as an arrival, as if a workstation had
//! sent it: it is looked at by every analysis, forwarded and kept like any other, so the ventricle is measured on it in
//! the one way there is. Its UIDs follow from the source and the axis: the same wish again makes the same objects.
//!
//! Everything that is true of the source stays in its objects (patient, study, contrast, trigger times, frame of
//! reference); geometry, pixels and what they are called are new. Sources with several frames in one object are refused.

mod object;

use std::ops::ControlFlow;
use std::sync::Arc;

use sidelight_kernels::Volume;
use sidelight_kernels::rendering::{OUTSIDE, PlanePlace, Projection, Reformat, RenderError, reformat};

use crate::clock::Timestamp;
use crate::compute::{Compute, NoProcessor, Rank};
use crate::imaging::{NoPhases, PhasedStack, StackError, dot, phases, stack};
use crate::store::own_objects::derived_uid;
use crate::store::{Store, StoreError};
use crate::uid::{SeriesUid, StudyUid};

/// Distance and thickness of the slices: what cine MR has (SCMR 2020 protocols, 8 to 10 mm with the gap).
const SLICE_MM: f64 = 8.0;
/// Pixels of a millimetre over a field that holds every heart.
const PIXEL_MM: f64 = 1.0;
const SIDE: u32 = 200;
/// From the mitral valve to the apex; hearts of small children and the largest there are.
const AXIS_MM: std::ops::RangeInclusive<f64> = 30.0..=180.0;
/// Air, where a slice leaves the volume.
const AIR_HU: i16 = -1024;

/// Where a reader points at: a pixel of one image of the series.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixel {
    pub sop_instance_uid: String,
    pub column: f64,
    pub row: f64,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortAxis {
    pub series: SeriesUid,
    pub slices: usize,
    pub phases: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum ShortAxisError {
    #[error("the short axis is cut from multi-phase CT; this series is {0}")]
    NotCt(String),
    #[error("the short axis needs the phases of a heartbeat: {0}")]
    NoPhases(#[from] NoPhases),
    #[error("there is no image {0} in this series")]
    NoSuchImage(String),
    #[error("from the mitral valve to the apex it is {mm:.0} mm; 30 to 180 mm are a heart's")]
    Length { mm: f64 },
    #[error(
        "enhanced objects, several frames in one, are not cut; send the series as one object a slice and phase"
    )]
    MultiFrame,
    #[error(transparent)]
    Images(#[from] StackError),
    #[error(transparent)]
    Kernel(#[from] RenderError),
    #[error(transparent)]
    Processor(#[from] NoProcessor),
    #[error(transparent)]
    Object(#[from] object::ObjectError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the box's blocking threads are gone")]
    Threads,
}

/// Cuts every phase and files the slices. `base` and `apex` may lie on images of any phase.
pub async fn make(
    store: &Store,
    compute: &Compute,
    (study, source): (&StudyUid, &SeriesUid),
    (base, apex): (&Pixel, &Pixel),
    at: Timestamp,
) -> Result<ShortAxis, ShortAxisError> {
    let phased = Arc::new(read(store, study, source).await?);
    let places = planes(patient_mm(&phased, base)?, patient_mm(&phased, apex)?)?;
    let words = places.iter().flat_map(|place| place.origin_mm).map(|mm| format!("{mm:.2}"));
    let name = derived_uid(&["short axis", source.as_str(), &words.collect::<Vec<_>>().join(" ")]);
    let series = SeriesUid::parse(&name).expect("derived UIDs are legal");
    for phase in 0..phased.phases() {
        let slices = cut(compute, &phased, phase, &places).await?;
        let (store, phased, places, series) = (store.clone(), phased.clone(), places.clone(), series.clone());
        let file = move || {
            for (slice, (place, values)) in places.iter().zip(&slices).enumerate() {
                let frame = phased.frame(phased.slices() / 2, phase).expect("every slice has every phase");
                let number = phase * places.len() + slice + 1;
                let (header, data_set) = object::object(frame, &series, number, (place, SLICE_MM), values)?;
                store.admit_made(&header, &data_set, at)?;
            }
            Ok::<_, ShortAxisError>(())
        };
        blocking(file).await??;
    }
    Ok(ShortAxis { series, slices: places.len(), phases: phased.phases() })
}

async fn read(store: &Store, study: &StudyUid, source: &SeriesUid) -> Result<PhasedStack, ShortAxisError> {
    let (store, study, source) = (store.clone(), study.clone(), source.clone());
    let read = move || {
        let stack = stack(&store, &study, &source)?;
        let series = store.series(&study)?.into_iter().find(|(known, _)| *known == source);
        let modality = series.map_or_else(String::new, |(_, record)| record.modality);
        if modality != "CT" {
            return Err(ShortAxisError::NotCt(modality));
        }
        let phased = phases(&stack)?;
        if stack.frames.iter().any(|frame| frame.frame > 0) {
            return Err(ShortAxisError::MultiFrame);
        }
        Ok(phased)
    };
    blocking(read).await?
}

/// The slices of one phase, in Hounsfield units.
async fn cut(
    compute: &Compute,
    phased: &Arc<PhasedStack>,
    phase: usize,
    places: &[PlanePlace],
) -> Result<Vec<Vec<i16>>, ShortAxisError> {
    let read = phased.clone();
    let volume: Volume = blocking(move || read.volume(phase)).await??;
    let volume = Arc::new(volume);
    let places = places.to_vec();
    let cut = compute.run(Rank::Ordinary, move |processor, turns| {
        let slice = |place: &PlanePlace| {
            turns.between(processor);
            let slab = Reformat::plane(place, SLICE_MM, Projection::Average)?;
            let mut slice = reformat(processor, &volume, &slab, &mut |_| ControlFlow::Continue(()))?;
            slice.values.iter_mut().filter(|value| **value == OUTSIDE).for_each(|value| *value = AIR_HU);
            Ok::<_, RenderError>(slice.values)
        };
        places.iter().map(slice).collect::<Result<Vec<_>, _>>()
    });
    Ok(cut.await?.answer?)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ShortAxisError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ShortAxisError::Threads)
}

fn patient_mm(phased: &PhasedStack, pixel: &Pixel) -> Result<[f64; 3], ShortAxisError> {
    let is_here = |slice: &usize| {
        (0..phased.phases()).any(|phase| phased.sop_instance_uid(*slice, phase) == pixel.sop_instance_uid)
    };
    let found = (0..phased.slices()).find(is_here);
    let slice = found.ok_or_else(|| ShortAxisError::NoSuchImage(pixel.sop_instance_uid.clone()))?;
    #[expect(clippy::cast_precision_loss, reason = "slices of a stack")]
    Ok(phased.placed()?.patient_mm([pixel.column, pixel.row, slice as f64]))
}

/// Slices square to the axis, from one before the mitral valve to one behind the apex.
fn planes(base: [f64; 3], apex: [f64; 3]) -> Result<Vec<PlanePlace>, ShortAxisError> {
    let along = [0, 1, 2].map(|axis| apex[axis] - base[axis]);
    let mm = dot(along, along).sqrt();
    if !AXIS_MM.contains(&mm) {
        return Err(ShortAxisError::Length { mm });
    }
    let normal = along.map(|part| part / mm);
    // Rows towards the patient's left, as far as the axis allows.
    let towards = if normal[0].abs() < 0.9 { [1.0, 0.0, 0.0] } else { [0.0, 1.0, 0.0] };
    let square = [0, 1, 2].map(|axis| towards[axis] - dot(towards, normal) * normal[axis]);
    let right = square.map(|part| part / dot(square, square).sqrt());
    let down = cross(normal, right);
    let half = f64::from(SIDE - 1) / 2.0 * PIXEL_MM;
    #[expect(clippy::cast_possible_truncation, reason = "at most 23")]
    let inside = (mm / SLICE_MM).ceil() as i32;
    let place = |number: i32| {
        let depth = (f64::from(number) + 0.5) * SLICE_MM;
        let origin_mm =
            [0, 1, 2].map(|axis| base[axis] + depth * normal[axis] - half * (right[axis] + down[axis]));
        PlanePlace {
            origin_mm,
            right_mm: right.map(|part| part * PIXEL_MM),
            down_mm: down.map(|part| part * PIXEL_MM),
            columns: SIDE,
            rows: SIDE,
        }
    };
    Ok((-1..=inside).map(place).collect())
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_square_to_the_axis_which_goes_through_their_middle() {
        let (base, apex) = ([10.0, -20.0, 30.0], [58.0, -56.0, -15.0]);
        let places = planes(base, apex).unwrap();
        let along = [0, 1, 2].map(|axis| apex[axis] - base[axis]);
        let mm = dot(along, along).sqrt();
        assert_eq!(places.len(), 12, "75 mm by 8 mm, and one more at each end");
        let middle = |place: &PlanePlace| {
            [0, 1, 2].map(|axis| place.origin_mm[axis] + 99.5 * (place.right_mm[axis] + place.down_mm[axis]))
        };
        for (number, place) in (-1..).zip(&places) {
            assert!(dot(place.right_mm, along).abs() + dot(place.down_mm, along).abs() < 1e-9);
            let depth = (f64::from(number) + 0.5) * SLICE_MM / mm;
            for axis in 0..3 {
                assert!((middle(place)[axis] - base[axis] - depth * along[axis]).abs() < 1e-9);
            }
            // Right, down and into the picture are a right-handed system, as DICOM's are.
            assert!(dot(cross(place.right_mm, place.down_mm), along) > 0.0);
        }
    }

    #[test]
    fn what_is_no_hearts_axis_is_refused() {
        for apex in [[0.0; 3], [0.0, 0.0, 20.0], [0.0, 300.0, 0.0], [f64::NAN; 3]] {
            assert!(matches!(planes([0.0; 3], apex), Err(ShortAxisError::Length { .. })));
        }
    }
}
