//! What the images themselves say against a calcium score: enhanced blood, metal, a heart that is not whole.
//!
//! Tags are judged before anything is read (`applicability.rs`); this looks at the voxels. Blood is looked at in a ball
//! around the middle of the region, not in the region: what is as bright as bone was left out of it. A heart that is
//! mostly calcium-bright is no calcium series, whatever its header says.

use rayon::prelude::{IntoParallelIterator, ParallelIterator};
use sidelight_kernels::{Region, Volume};

use crate::store::finding::{Finding, Warning};

/// Stents, clips and wires are brighter than the densest plaque, which stays below about 1500 HU.
const METAL_HU: i16 = 2000;
/// One voxel of 0.5 x 0.5 x 3 mm can be an artefact; this much is an object.
const METAL_MM3: f64 = 3.0;
/// Around the middle of the heart there are chambers and muscle. Much calcium is 3 ml there; enhanced chambers fill half.
const MIDDLE_MM: f64 = 35.0;
const BRIGHT_SHARE_MAX: f64 = 0.04;
/// Unenhanced blood has 35 to 60 HU, anaemia less; above this contrast is still in it.
const BLOOD_HU_MAX: u32 = 90;
/// Soft tissue whose middle is taken for the blood's level; fat and calcium stay out.
const SOFT_TISSUE_HU: std::ops::Range<i16> = -20..400;

/// What the region's voxels say.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    inside: u64,
    bright: u64,
    metal: u64,
}

/// What speaks against the score but does not forbid it; or, in words, what forbids it. `whole`: the region is the heart's
/// surroundings, so its share of bright voxels means something.
pub(super) fn look(
    volume: &Volume,
    region: &Region,
    threshold_hu: i16,
    whole: bool,
) -> Result<Vec<Warning>, String> {
    let Some(center) = region.middle_voxel() else {
        return Err("the region holds no voxel of the images".into());
    };
    let mut warnings = Vec::new();
    if whole {
        let ball = ball(volume, center);
        let (count, soft) = count(volume, &ball, threshold_hu);
        #[expect(clippy::cast_precision_loss, reason = "no volume has 2^52 voxels")]
        let share = count.bright as f64 / count.inside.max(1) as f64;
        let blood_hu = middle(&soft);
        if share > BRIGHT_SHARE_MAX {
            return Err(format!(
                "{:.0} % of the middle of the heart have {threshold_hu} HU or more: contrast was given, or noise is too \
                 high, and calcium cannot be told from it",
                share * 100.0
            ));
        }
        if blood_hu > BLOOD_HU_MAX {
            let text =
                format!("soft tissue around the heart has {blood_hu} HU: contrast may be in the blood");
            warnings.push(warning("contrast", text));
        }
    }
    let (count, _) = count(volume, region, threshold_hu);
    #[expect(clippy::cast_precision_loss, reason = "no volume has 2^52 voxels")]
    let metal_mm3 =
        count.metal as f64 * volume.geometry().pixel_area_mm2() * volume.geometry().slice_increment_mm;
    if metal_mm3 >= METAL_MM3 {
        let text = format!(
            "{metal_mm3:.0} mm³ have {METAL_HU} HU or more: a stent, clip or wire is inside, and it counts as calcium; no \
             category"
        );
        warnings.push(warning("metal", text));
    }
    Ok(warnings)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the volume")]
fn ball(volume: &Volume, center: [f64; 3]) -> Region {
    let (size, geometry) = (volume.dimensions(), volume.geometry());
    let steps_mm = [geometry.column_spacing_mm, geometry.row_spacing_mm, geometry.slice_increment_mm];
    let span = |axis: usize, size: u32| {
        let reach = MIDDLE_MM / steps_mm[axis];
        let last = f64::from(size - 1);
        (center[axis] - reach).clamp(0.0, last) as u32..=(center[axis] + reach).clamp(0.0, last) as u32
    };
    let mut ball = Region::nothing(size);
    for slice in span(2, size.slices) {
        for row in span(1, size.rows) {
            for column in span(0, size.columns) {
                let at = [column, row, slice].map(f64::from);
                let off = |axis: usize| ((at[axis] - center[axis]) * steps_mm[axis]).powi(2);
                if off(0) + off(1) + off(2) <= MIDDLE_MM * MIDDLE_MM {
                    ball.insert(column, row, slice);
                }
            }
        }
    }
    ball
}

/// Whether a warning takes the category away.
pub(super) fn forbids_category(warning: &Warning) -> bool {
    ["metal", "contrast", "lesion_at_edge"].contains(&warning.code.as_str())
}

/// A lesion on the first or last slice may go on outside of the stack.
pub(super) fn cut_off(finding: &Finding, slices: u32) -> Option<Warning> {
    let at_edge = finding
        .lesions
        .iter()
        .filter(|lesion| lesion.slices.iter().any(|part| part.slice == 0 || part.slice + 1 == slices));
    let numbers: Vec<String> = at_edge.map(|lesion| lesion.number.to_string()).collect();
    (!numbers.is_empty()).then(|| {
        let text = format!(
            "the first or last slice cuts through lesion {}: the heart may not be whole; no category",
            numbers.join(", ")
        );
        warning("lesion_at_edge", text)
    })
}

fn warning(code: &str, text: String) -> Warning {
    Warning { code: code.into(), text }
}

/// Counts, and a histogram of soft tissue by Hounsfield unit.
fn count(volume: &Volume, region: &Region, threshold_hu: i16) -> (Count, Vec<u32>) {
    let dimensions = volume.dimensions();
    let bins = usize::from(SOFT_TISSUE_HU.end.abs_diff(SOFT_TISSUE_HU.start));
    let of_slice = |slice: u32| {
        let (mut count, mut soft) = (Count::default(), vec![0_u32; bins]);
        let words_per_slice = region.words_per_row() as usize * dimensions.rows as usize;
        let words = &region.words()[slice as usize * words_per_slice..][..words_per_slice];
        let rows = volume.slice(slice).chunks_exact(dimensions.columns as usize);
        for (row, words) in rows.zip(words.chunks_exact(region.words_per_row() as usize)) {
            for (voxels, word) in row.chunks(32).zip(words).filter(|(_, word)| **word != 0) {
                for (_, &hounsfield) in voxels.iter().enumerate().filter(|(bit, _)| word >> bit & 1 == 1) {
                    count.inside += 1;
                    count.bright += u64::from(hounsfield >= threshold_hu);
                    count.metal += u64::from(hounsfield >= METAL_HU);
                    if SOFT_TISSUE_HU.contains(&hounsfield) {
                        soft[usize::from(hounsfield.abs_diff(SOFT_TISSUE_HU.start))] += 1;
                    }
                }
            }
        }
        (count, soft)
    };
    let join = |(a, mut soft): (Count, Vec<u32>), (b, other): (Count, Vec<u32>)| {
        soft.iter_mut().zip(other).for_each(|(sum, more)| *sum += more);
        let count =
            Count { inside: a.inside + b.inside, bright: a.bright + b.bright, metal: a.metal + b.metal };
        (count, soft)
    };
    let nothing = || (Count::default(), vec![0_u32; bins]);
    (0..dimensions.slices).into_par_iter().map(of_slice).reduce(nothing, join)
}

/// The median of the histogram, in Hounsfield units; 0 where it is empty or below.
fn middle(soft: &[u32]) -> u32 {
    let all: u64 = soft.iter().map(|count| u64::from(*count)).sum();
    let mut below = 0;
    for (bin, count) in soft.iter().enumerate() {
        below += u64::from(*count);
        if below * 2 >= all {
            let hounsfield = i64::try_from(bin).unwrap_or(0) + i64::from(SOFT_TISSUE_HU.start);
            return u32::try_from(hounsfield).unwrap_or(0);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use sidelight_kernels::{Dimensions, Geometry};

    use super::*;

    const SIZE: Dimensions = Dimensions { columns: 40, rows: 25, slices: 4 };

    fn codes(change: impl Fn(usize) -> i16, whole: bool) -> Result<Vec<String>, String> {
        let geometry = Geometry {
            column_spacing_mm: 0.5,
            row_spacing_mm: 0.5,
            slice_increment_mm: 3.0,
            patient_mm_from_voxel: [[0.5, 0.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]],
        };
        let volume = Volume::new(SIZE, geometry, (0..SIZE.len()).map(change).collect()).unwrap();
        // Three columns of every row stay outside: a word that is not full.
        let region = Region::from_fn(SIZE, |column, _, _| column < 37);
        let found = look(&volume, &region, 130, whole)?;
        Ok(found.into_iter().map(|warning| warning.code).collect())
    }

    #[test]
    fn a_plain_heart_raises_nothing() {
        assert_eq!(codes(|at| if at % 100 == 0 { 700 } else { 45 }, true).unwrap(), [] as [String; 0]);
    }

    #[test]
    fn enhanced_blood_is_refused_and_a_little_contrast_is_warned_of() {
        let refusal = codes(|at| if at % 3 == 0 { 350 } else { 60 }, true).unwrap_err();
        assert!(refusal.contains("contrast") && refusal.contains("130 HU"), "{refusal}");
        assert_eq!(codes(|_| 110, true).unwrap(), ["contrast"]);
        assert!(
            codes(|at| if at % 3 == 0 { 350 } else { 60 }, false).unwrap().is_empty(),
            "a circle on a plaque"
        );
    }

    #[test]
    fn metal_is_told_from_one_bright_voxel() {
        assert_eq!(codes(|at| if at == 41 { 3000 } else { 40 }, true).unwrap(), [] as [String; 0]);
        assert_eq!(codes(|at| if (40..46).contains(&at) { 3000 } else { 40 }, true).unwrap(), ["metal"]);
        let outside = |at: usize| if at % 40 >= 37 { 3000 } else { 40 };
        assert_eq!(codes(outside, false).unwrap(), [] as [String; 0], "outside of the region");
    }

    #[test]
    fn an_empty_region_is_refused() {
        let geometry = Geometry {
            column_spacing_mm: 0.5,
            row_spacing_mm: 0.5,
            slice_increment_mm: 3.0,
            patient_mm_from_voxel: [[0.5, 0.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]],
        };
        let volume = Volume::new(SIZE, geometry, vec![40; SIZE.len()]).unwrap();
        assert!(look(&volume, &Region::nothing(SIZE), 130, false).unwrap_err().contains("no voxel"));
    }
}
