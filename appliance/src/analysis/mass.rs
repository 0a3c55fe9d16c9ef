//! What a Hounsfield unit weighs, and who says so: the images' own factor for this patient, the scanner's factor for
//! this patient's size, the site's table. Without one of them there is no mass.
//!
//! The patient's size is the chest's width from left to right through the middle of the scored region, measured in the
//! images and only where both sides of the body are in them.

use sidelight_kernels::{Region, Volume};
use sidelight_provisioning::calcium::{Calcium as CalciumSite, PatientSize, is_plausible_mass_factor};

use crate::part10::CtFacts;
use crate::store::calcium::MassCalibration;

/// Skin and fat are above this, air and padding far below.
const BODY_HU: i16 = -300;
const SIZES: [&str; 3] = ["small", "medium", "large"];

/// `width_mm`: the chest's width, where it could be measured.
pub(super) fn calibration(
    ct: &CtFacts,
    kvp: Option<f64>,
    site: &CalciumSite,
    width_mm: Option<f64>,
) -> MassCalibration {
    if let Some(factor) = plausible(ct.mass_factor_patient) {
        return calibrated(factor, "Calcium Scoring Mass Factor Patient (0018,9351) of the images");
    }
    let device = ct.mass_factor_device;
    if let (Some(factors), Some(rule), Some(width_mm)) = (device, &site.patient_size, width_mm) {
        let size = size(rule, width_mm);
        if let Some(factor) = plausible(Some(factors[size])) {
            let source = format!(
                "Calcium Scoring Mass Factor Device (0018,9352) for a {} patient, chest {width_mm:.0} mm wide ({})",
                SIZES[size], rule.provenance
            );
            return calibrated(factor, &source);
        }
    }
    if let Some(row) = kvp.and_then(|kvp| site.mass_factor(kvp)) {
        return calibrated(row.mg_per_cm3_hu, &format!("the site's table ({})", row.provenance));
    }
    MassCalibration { mg_per_cm3_hu: None, source: why_not(ct, site, width_mm) }
}

fn calibrated(factor: f64, source: &str) -> MassCalibration {
    MassCalibration { mg_per_cm3_hu: Some(factor), source: format!("{factor:.4} mg/(cm³ HU), {source}") }
}

fn plausible(factor: Option<f64>) -> Option<f64> {
    factor.filter(|factor| is_plausible_mass_factor(*factor))
}

fn why_not(ct: &CtFacts, site: &CalciumSite, width_mm: Option<f64>) -> String {
    let why = match (ct.mass_factor_patient, ct.mass_factor_device) {
        (None, None) => "neither the images nor the site file carry a factor",
        (_, Some(_)) if site.patient_size.is_none() => {
            "the scanner's factors depend on the patient's size, for which the site file has no rule"
        }
        (_, Some(_)) if width_mm.is_none() => {
            "the scanner's factors depend on the patient's size, and the images do not show the whole chest"
        }
        _ => "the images' factor is not in mg/(cm³ HU)",
    };
    format!("not calibrated: {why}")
}

fn size(rule: &PatientSize, width_mm: f64) -> usize {
    usize::from(width_mm >= rule.medium_from_mm) + usize::from(width_mm >= rule.large_from_mm)
}

/// Width of the body through the middle of the region, the median over its slices; `None` where a side is cut off.
pub(super) fn chest_width_mm(volume: &Volume, region: &Region) -> Option<f64> {
    let (slices, row) = middle(region)?;
    let mut widths: Vec<usize> = Vec::new();
    for slice in slices {
        let columns = volume.dimensions().columns as usize;
        let line = &volume.slice(slice)[row as usize * columns..][..columns];
        let first = line.iter().position(|&hounsfield| hounsfield >= BODY_HU)?;
        let last = line.iter().rposition(|&hounsfield| hounsfield >= BODY_HU)?;
        // A circle of reconstruction ends in padding, not in air: there the side is cut off, too.
        let beside = |column: Option<&i16>| column.is_some_and(|&hounsfield| hounsfield > -1200);
        if !beside(first.checked_sub(1).and_then(|column| line.get(column))) || !beside(line.get(last + 1)) {
            return None;
        }
        widths.push(last - first + 1);
    }
    widths.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "a row has fewer than 2^16 columns")]
    let columns = *widths.get(widths.len() / 2)? as f64;
    Some(columns * volume.geometry().column_spacing_mm)
}

/// The region's slices and its middle row.
fn middle(region: &Region) -> Option<(std::ops::RangeInclusive<u32>, u32)> {
    let dimensions = region.dimensions();
    let words = region.words_per_row() as usize;
    let rows = region.words().chunks_exact(words).enumerate();
    let filled: Vec<(u32, u32)> = rows
        .filter(|(_, words)| words.iter().any(|word| *word != 0))
        .filter_map(|(at, _)| u32::try_from(at).ok())
        .map(|at| (at / dimensions.rows, at % dimensions.rows))
        .collect();
    let (first, last) = (filled.first()?.0, filled.last()?.0);
    let top = filled.iter().map(|(_, row)| *row).min()?;
    let bottom = filled.iter().map(|(_, row)| *row).max()?;
    Some((first..=last, top.midpoint(bottom)))
}

#[cfg(test)]
mod tests {
    use sidelight_kernels::{Dimensions, Geometry};
    use sidelight_provisioning::calcium::MassFactor;

    use super::super::applicability::tests::facts;
    use super::*;
    use crate::part10::InstanceFacts;

    fn site() -> CalciumSite {
        CalciumSite {
            mass_factors: vec![MassFactor {
                kvp: 120.0,
                mg_per_cm3_hu: 0.7,
                provenance: "own phantom".into(),
            }],
            patient_size: Some(PatientSize {
                medium_from_mm: 320.0,
                large_from_mm: 380.0,
                provenance: "McCollough 2007".into(),
            }),
            ..CalciumSite::default()
        }
    }

    fn said(
        change: impl FnOnce(&mut InstanceFacts),
        site: &CalciumSite,
        width_mm: Option<f64>,
    ) -> (Option<f64>, String) {
        let mut facts = facts();
        change(&mut facts);
        let found = calibration(&facts.ct, facts.kvp, site, width_mm);
        (found.mg_per_cm3_hu, found.source)
    }

    #[test]
    fn the_patients_own_factor_comes_before_the_scanners_and_that_before_the_sites() {
        let both = |facts: &mut InstanceFacts| {
            (facts.ct.mass_factor_patient, facts.ct.mass_factor_device) =
                (Some(0.9), Some([0.75, 0.8, 0.85]));
        };
        let (factor, source) = said(both, &site(), Some(300.0));
        assert!(factor == Some(0.9) && source.contains("(0018,9351)"), "{source}");
        for (width_mm, wanted, word) in
            [(319.0, 0.75, "small"), (320.0, 0.8, "medium"), (380.0, 0.85, "large")]
        {
            let device = |facts: &mut InstanceFacts| facts.ct.mass_factor_device = Some([0.75, 0.8, 0.85]);
            let (factor, source) = said(device, &site(), Some(width_mm));
            assert!(
                factor == Some(wanted) && source.contains(word) && source.contains("McCollough"),
                "{source}"
            );
        }
        let (factor, source) = said(|_| (), &site(), None);
        assert!(factor == Some(0.7) && source.contains("own phantom"), "{source}");
    }

    #[test]
    fn without_a_factor_that_applies_nothing_is_weighed_and_the_reason_is_said() {
        let device = |facts: &mut InstanceFacts| facts.ct.mass_factor_device = Some([0.75, 0.8, 0.85]);
        let no_table = CalciumSite { mass_factors: Vec::new(), ..site() };
        let no_rule = CalciumSite::default();
        let thousandth = |facts: &mut InstanceFacts| facts.ct.mass_factor_patient = Some(0.00074);
        for ((factor, source), word) in [
            (said(|_| (), &no_rule, Some(300.0)), "neither"),
            (said(device, &no_rule, Some(300.0)), "no rule"),
            (said(device, &no_table, None), "whole chest"),
            (said(thousandth, &no_rule, None), "mg/(cm³ HU)"),
            (said(|facts| facts.kvp = None, &site(), None), "neither"),
        ] {
            assert!(
                factor.is_none() && source.starts_with("not calibrated") && source.contains(word),
                "{source}"
            );
        }
    }

    /// A body of 20 columns with a couch below it, in air or padding.
    fn chest(beside: i16) -> (Volume, Region) {
        let dimensions = Dimensions { columns: 40, rows: 20, slices: 2 };
        let geometry = Geometry {
            column_spacing_mm: 2.0,
            row_spacing_mm: 2.0,
            slice_increment_mm: 3.0,
            patient_mm_from_voxel: [[2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]],
        };
        let mut hounsfield = vec![beside; dimensions.len()];
        for (at, value) in hounsfield.iter_mut().enumerate() {
            let (column, row) = (at % 40, at / 40 % 20);
            let lung = (12..16).contains(&column);
            if (10..30).contains(&column) && (4..15).contains(&row) {
                *value = if lung { -850 } else { 40 };
            } else if row == 18 {
                *value = 200;
            }
        }
        let volume = Volume::new(dimensions, geometry, hounsfield).unwrap();
        (volume, Region::circle(dimensions, [20.0, 9.0], 3.0, 0..=1))
    }

    #[test]
    fn the_chest_is_measured_from_skin_to_skin_and_not_where_it_is_cut_off() {
        let (volume, region) = chest(-1000);
        assert_eq!(chest_width_mm(&volume, &region), Some(40.0));
        let (padded, region) = chest(-2048);
        assert_eq!(chest_width_mm(&padded, &region), None, "the circle of reconstruction ends at the body");
        assert_eq!(chest_width_mm(&volume, &Region::nothing(volume.dimensions())), None);
    }
}
