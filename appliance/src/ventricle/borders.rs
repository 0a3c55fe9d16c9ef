//! The borders of one image: as a network's labels give them, as a reader draws them, or not there yet.

use super::outline::{area_px, crosses_itself, filled, runs, traced};
use crate::store::cardiac::{SliceContours, SliceMasks};

/// A hand needs fewer, a drawing program may send more.
const POINTS_MAX: usize = 500;
/// An outline may leave the image by less than a pixel, no further.
const BEYOND_PX: f64 = 1.0;

/// What a network calls the parts of a ventricle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classes {
    pub cavity: Option<u8>,
    pub muscle: Option<u8>,
}

/// The size of an image and of its pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Image {
    pub columns: u32,
    pub rows: u32,
    pub pixel_mm2: f64,
}

/// Why an outline is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOutline {
    #[error("an outline needs 3 to {POINTS_MAX} points on the image")]
    Points,
    #[error("an outline crosses itself")]
    Crosses,
    #[error("the inner border encloses more than the outer one")]
    Order,
}

/// An image that nobody has looked at.
pub fn undrawn(sop_instance_uid: &str) -> SliceContours {
    let masks = SliceMasks { sop_instance_uid: sop_instance_uid.to_owned(), ..SliceMasks::default() };
    SliceContours { masks, ..SliceContours::default() }
}

/// What a network found on an image: areas by pixels, borders traced around them.
pub fn found(sop_instance_uid: &str, labels: &[u8], image: Image, classes: Classes) -> SliceContours {
    let columns = image.columns as usize;
    let of = |class: Option<u8>| -> Vec<bool> { labels.iter().map(|label| Some(*label) == class).collect() };
    let (cavity, muscle) = (of(classes.cavity), of(classes.muscle));
    let (cavity_px, muscle_px) = (count(&cavity), count(&muscle));
    let both: Vec<bool> = cavity.iter().zip(&muscle).map(|(a, b)| *a || *b).collect();
    SliceContours {
        cavity_mm2: cavity_px * image.pixel_mm2,
        muscle_mm2: muscle_px * image.pixel_mm2,
        endocardium: traced(&cavity, columns, cavity_px),
        epicardium: if muscle_px > 0.0 { traced(&both, columns, cavity_px + muscle_px) } else { Vec::new() },
        masks: SliceMasks {
            sop_instance_uid: sop_instance_uid.to_owned(),
            cavity: runs(&cavity, columns),
            muscle: runs(&muscle, columns),
        },
        edited: false,
    }
}

/// What a reader drew on an image: areas by the polygons, pixels whose centre lies inside.
pub fn edited(
    sop_instance_uid: &str,
    endocardium: Vec<[f64; 2]>,
    epicardium: Vec<[f64; 2]>,
    image: Image,
) -> Result<SliceContours, BadOutline> {
    check(&endocardium, image)?;
    check(&epicardium, image)?;
    let (columns, rows) = (image.columns as usize, image.rows as usize);
    let (inner_px, outer_px) = (area_px(&endocardium), area_px(&epicardium));
    if !epicardium.is_empty() && inner_px > outer_px {
        return Err(BadOutline::Order);
    }
    let cavity = filled(&endocardium, columns, rows);
    let mut muscle = filled(&epicardium, columns, rows);
    muscle.iter_mut().zip(&cavity).for_each(|(muscle, cavity)| *muscle &= !cavity);
    Ok(SliceContours {
        cavity_mm2: inner_px * image.pixel_mm2,
        muscle_mm2: (outer_px - inner_px).max(0.0) * image.pixel_mm2,
        masks: SliceMasks {
            sop_instance_uid: sop_instance_uid.to_owned(),
            cavity: runs(&cavity, columns),
            muscle: runs(&muscle, columns),
        },
        endocardium,
        epicardium,
        edited: true,
    })
}

/// No border is one, too.
fn check(points: &[[f64; 2]], image: Image) -> Result<(), BadOutline> {
    let limits = [image.columns, image.rows].map(|side| f64::from(side) - 1.0 + BEYOND_PX);
    let on = |point: &[f64; 2]| {
        let axes = point.iter().zip(limits);
        axes.into_iter().all(|(value, limit)| value.is_finite() && (-BEYOND_PX..=limit).contains(value))
    };
    if points.is_empty() {
        return Ok(());
    }
    if !(3..=POINTS_MAX).contains(&points.len()) || !points.iter().all(on) {
        return Err(BadOutline::Points);
    }
    if crosses_itself(points) { Err(BadOutline::Crosses) } else { Ok(()) }
}

fn count(mask: &[bool]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "pixels of one image")]
    let count = mask.iter().filter(|inside| **inside).count() as f64;
    count
}
