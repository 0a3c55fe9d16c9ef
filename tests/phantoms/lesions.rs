//! Calcified lesions as sets of whole voxels, and the score they must give.
//!
//! The truth is added up where a lesion is written, from pixels, area and peak alone (Agatston 1990, slice
//! increment scaled to 3 mm). Nothing here thresholds a picture or searches for components, so no scorer can
//! share a mistake with it.

use sidelight_kernels::Geometry;

use super::random::Random;

/// Pixels of one Hounsfield value, as (column, row) offsets from the lesion's centre.
#[derive(Clone, Debug)]
pub(super) struct Patch {
    pub(super) hounsfield: i16,
    pub(super) pixels: Vec<[i32; 2]>,
}

/// What one lesion looks like: patches per slice, from the lowest slice up.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) artery: &'static str,
    /// How far along the artery it sits, 0 to 1.
    pub(super) fraction: f32,
    pub(super) slices: Vec<Vec<Patch>>,
}

/// One slice of a written lesion.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueSlice {
    pub slice: u32,
    pub pixels: u32,
    pub area_mm2: f64,
    pub peak_hu: i16,
    /// Agatston weight, 0 when the slice's part is too small or too faint to count.
    pub weight: u32,
    pub agatston: f64,
}

/// One written lesion.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueLesion {
    pub artery: &'static str,
    /// Column, row and slice of the centre it was drawn around.
    pub center: [u32; 3],
    pub slices: Vec<TrueSlice>,
    pub agatston: f64,
    pub volume_mm3: f64,
}

/// The whole patient's truth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Truth {
    pub agatston: f64,
    pub volume_mm3: f64,
    /// Lesions that count, in at least one slice.
    pub lesions: Vec<TrueLesion>,
    /// Specks above the threshold but below 1 mm2, which must not count.
    pub fragments: u32,
}

impl Plan {
    /// The same lesion seen through a scanner that blurs: each slice's pixels keep their value, those beside them are
    /// filled to a quarter, and so are they all in one more slice above.
    pub(super) fn blurred(mut self) -> Self {
        let slices = self.slices.clone();
        for (below, patches) in slices.iter().enumerate() {
            let peak = patches.iter().map(|patch| patch.hounsfield).max().unwrap_or(0);
            let core: Vec<[i32; 2]> = patches.iter().flat_map(|patch| patch.pixels.iter().copied()).collect();
            let mut rim: Vec<[i32; 2]> =
                core.iter().flat_map(|[x, y]| [[x - 1, *y], [x + 1, *y], [*x, y - 1], [*x, y + 1]]).collect();
            rim.sort_unstable();
            rim.dedup();
            rim.retain(|pixel| !core.contains(pixel));
            self.slices[below].push(Patch { hounsfield: quarter(peak), pixels: rim });
        }
        let Some(top) = slices.last() else { return self };
        let faint = top.iter().map(|patch| Patch { hounsfield: quarter(patch.hounsfield), ..patch.clone() });
        self.slices.push(faint.collect());
        self
    }
}

/// A voxel that calcium fills to a quarter; blood fills the rest.
fn quarter(hounsfield: i16) -> i16 {
    const BLOOD_HU: i16 = 40;
    BLOOD_HU + (hounsfield - BLOOD_HU) / 4
}

impl Truth {
    /// Adds up one lesion from what was drawn.
    pub(super) fn record(&mut self, plan: &Plan, center: [u32; 3], geometry: &Geometry) {
        let slices: Vec<TrueSlice> = (center[2]..)
            .zip(&plan.slices)
            .filter_map(|(slice, patches)| true_slice(slice, patches, geometry))
            .collect();
        self.fragments += slices.iter().map(|part| u32::from(part.weight == 0)).sum::<u32>();
        let counted = slices.iter().filter(|part| part.weight > 0);
        let voxel_mm3 = geometry.pixel_area_mm2() * geometry.slice_increment_mm;
        let volume_mm3 = counted.clone().map(|part| f64::from(part.pixels) * voxel_mm3).sum::<f64>();
        let agatston = counted.clone().map(|part| part.agatston).sum::<f64>();
        if counted.count() > 0 {
            self.agatston += agatston;
            self.volume_mm3 += volume_mm3;
            self.lesions.push(TrueLesion { artery: plan.artery, center, slices, agatston, volume_mm3 });
        }
    }
}

/// None when nothing in the slice reaches 130 HU. All patches of one slice touch, if only by a corner.
fn true_slice(slice: u32, patches: &[Patch], geometry: &Geometry) -> Option<TrueSlice> {
    let bright = patches.iter().filter(|patch| patch.hounsfield >= 130);
    let peak_hu = bright.clone().map(|patch| patch.hounsfield).max()?;
    let pixels =
        u32::try_from(bright.map(|patch| patch.pixels.len()).sum::<usize>()).expect("a small lesion");
    let area_mm2 = f64::from(pixels) * geometry.pixel_area_mm2();
    let weight = match peak_hu {
        _ if area_mm2 < 1.0 => 0,
        ..200 => 1,
        200..300 => 2,
        300..400 => 3,
        400.. => 4,
    };
    let agatston = f64::from(weight) * area_mm2 * geometry.slice_increment_mm / 3.0;
    Some(TrueSlice { slice, pixels, area_mm2, peak_hu, weight, agatston })
}

/// The lesions every patient has, then one to four that only this one has.
pub(super) fn plans(random: &mut Random) -> Vec<Plan> {
    let mut plans = vec![
        plan("LAD", 0.12, &[(9, 180), (21, 320), (25, 455), (13, 250)]),
        plan("LAD", 0.45, &[(13, 200)]),
        plan("RCA", 0.22, &[(13, 300), (9, 299)]),
        plan("LCX", 0.30, &[(9, 399), (21, 400)]),
        plan("RCA", 0.62, &[(5, 130), (13, 199), (9, 131)]),
        // One below the threshold: part of the picture, not of the score.
        plan("LCX", 0.80, &[(21, 129)]),
        corner_touch(),
        speck("LAD", 0.75, 1),
        speck("RCA", 0.85, 2),
        speck("LCX", 0.60, 1),
    ];
    for _ in 0..=random.below(4) {
        let artery = ["LAD", "RCA", "LCX"][random.below(3)];
        let heights: Vec<(usize, i16)> = (0..=random.below(3))
            .map(|_| {
                let peak = i16::try_from(140 + random.below(760)).expect("below 900");
                ([5, 9, 13, 21, 25, 29][random.below(6)], peak)
            })
            .collect();
        plans.push(plan(
            artery,
            0.1 + 0.01 * f32::from(u8::try_from(random.below(80)).expect("below 80")),
            &heights,
        ));
    }
    plans
}

fn plan(artery: &'static str, fraction: f32, heights: &[(usize, i16)]) -> Plan {
    let slices =
        heights.iter().map(|(size, hounsfield)| vec![Patch { hounsfield: *hounsfield, pixels: disc(*size) }]);
    Plan { artery, fraction, slices: slices.collect() }
}

/// Two patches that share one corner: one lesion for 8-connectivity, two lower scores for 4-connectivity.
fn corner_touch() -> Plan {
    let dense = Patch { hounsfield: 420, pixels: vec![[1, 1], [2, 1], [1, 2], [2, 2]] };
    let faint = Patch { hounsfield: 240, pixels: vec![[0, 0], [-1, 0], [0, -1], [-1, -1]] };
    Plan { artery: "LM", fraction: 0.5, slices: vec![vec![faint, dense]] }
}

/// A few very bright pixels in a row: below 1 mm2 at any clinical pixel size when it is one pixel.
fn speck(artery: &'static str, fraction: f32, pixels: i32) -> Plan {
    let row = (0..pixels).map(|column| [column, 0]).collect();
    Plan { artery, fraction, slices: vec![vec![Patch { hounsfield: 900, pixels: row }]] }
}

/// The `size` pixels nearest to the centre, ties by row then column.
fn disc(size: usize) -> Vec<[i32; 2]> {
    let mut pixels: Vec<[i32; 2]> =
        (-4..=4).flat_map(|row| (-4..=4).map(move |column| [column, row])).collect();
    pixels.sort_by_key(|[column, row]| (column * column + row * row, *row, *column));
    pixels.truncate(size);
    pixels
}

#[cfg(test)]
mod tests {
    use sidelight_kernels::Geometry;

    use super::{Truth, corner_touch, plan, speck};

    fn geometry(spacing_mm: f64, slice_increment_mm: f64) -> Geometry {
        let patient_mm_from_voxel =
            [[spacing_mm, 0.0, 0.0, 0.0], [0.0, spacing_mm, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        Geometry {
            column_spacing_mm: spacing_mm,
            row_spacing_mm: spacing_mm,
            slice_increment_mm,
            patient_mm_from_voxel,
        }
    }

    fn score(plan: &super::Plan, geometry: &Geometry) -> f64 {
        let mut truth = Truth::default();
        truth.record(plan, [10, 10, 0], geometry);
        truth.agatston
    }

    #[test]
    fn the_closed_form_agrees_with_scores_worked_by_hand() {
        let half = geometry(0.5, 3.0);
        assert_eq!(
            score(&plan("LAD", 0.0, &[(13, 200)]), &half),
            2.0 * 13.0 * 0.25,
            "a peak of exactly 200 weighs 2"
        );
        assert_eq!(
            score(&plan("LAD", 0.0, &[(8, 199), (8, 400)]), &half),
            2.0 + 8.0,
            "each slice has its own weight"
        );
        assert_eq!(score(&corner_touch(), &half), 4.0 * 8.0 * 0.25, "a corner joins two patches");
        assert_eq!(
            score(&plan("LAD", 0.0, &[(8, 150)]), &geometry(0.5, 1.5)),
            1.0,
            "half the increment, half the score"
        );
        assert_eq!(score(&plan("LAD", 0.0, &[(21, 129)]), &half), 0.0, "below the threshold");
        assert_eq!(score(&speck("LAD", 0.0, 3), &half), 0.0, "0.75 mm2 is too small");
        assert_eq!(score(&plan("LAD", 0.0, &[(4, 900)]), &half), 4.0, "exactly 1 mm2 counts");
    }
}
