//! The boot probe: a small fixed input through every kernel, compared bit by bit with what is known to be right.
//!
//! Drivers miscompile. A GPU that fails here is not used, and the message says which quantity was wrong first.

use crate::calcium::{Component, Criteria, Found, Turn};
use crate::{Dimensions, Geometry, Region, Volume};

/// Odd in every direction, wider than two words, so that every branch of the kernels is taken.
const DIMENSIONS: Dimensions = Dimensions { columns: 71, rows: 37, slices: 3 };

const THRESHOLD_HU: i16 = 130;

/// About half of the components have fewer.
const MINIMUM_PIXELS: u32 = 3;

/// What the components of the input add up to. The digest covers every field of every component.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    components: usize,
    pixels: u64,
    peak_sum: i64,
    hounsfield_sum: i64,
    digest: u64,
}

/// Confirmed by an oracle that shares no code with either path (the test of this file).
const EXPECTED: Summary = Summary {
    components: 191,
    pixels: 2_888,
    peak_sum: 1_640_750,
    hounsfield_sum: 25_551_008,
    digest: 2_534_111_759_234_904_069,
};

/// The input: dense noise, a comb whose teeth join late, and sparse noise.
fn input() -> (Volume, Region) {
    let Dimensions { columns, rows, slices } = DIMENSIONS;
    let mut hounsfield = Vec::with_capacity(DIMENSIONS.len());
    for slice in 0..slices {
        for row in 0..rows {
            for column in 0..columns {
                hounsfield.push(voxel(column, row, slice));
            }
        }
    }
    let geometry = Geometry {
        column_spacing_mm: 1.0,
        row_spacing_mm: 1.0,
        slice_increment_mm: 3.0,
        patient_mm_from_voxel: [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]],
    };
    let volume = Volume::new(DIMENSIONS, geometry, hounsfield).expect("the probe's numbers make a volume");
    let region = Region::circle(DIMENSIONS, [35.0, 18.0], 34.0, 0..=slices - 1);
    (volume, region)
}

fn voxel(column: u32, row: u32, slice: u32) -> i16 {
    // Knuth's multiplicative hash, twice, for noise that is the same everywhere.
    let hash = (column + 71 * row + 71 * 37 * slice).wrapping_mul(2_654_435_761);
    let hash = (hash ^ (hash >> 15)).wrapping_mul(2_246_822_519) >> 16;
    let noise = u16::try_from(hash).expect("sixteen bits are left");
    let small = i16::try_from(noise >> 4).expect("twelve bits are left");
    let tooth = column.is_multiple_of(2) || row == 30;
    match (slice, tooth) {
        (1, true) => THRESHOLD_HU + small,
        (1, false) => THRESHOLD_HU - 1 - small,
        (0, _) => noise.cast_signed(),
        _ => noise.cast_signed().saturating_sub(20_000),
    }
}

fn summary(components: &[Component]) -> Summary {
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for component in components {
        let Component { slice, row, column, pixels, peak_hu, hounsfield_sum } = *component;
        let fields = [
            i64::from(slice),
            i64::from(row),
            i64::from(column),
            i64::from(pixels),
            i64::from(peak_hu),
            hounsfield_sum,
        ];
        // FNV-1a.
        for byte in fields.iter().flat_map(|field| field.to_le_bytes()) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    Summary {
        components: components.len(),
        pixels: components.iter().map(|component| u64::from(component.pixels)).sum(),
        peak_sum: components.iter().map(|component| i64::from(component.peak_hu)).sum(),
        hounsfield_sum: components.iter().map(|component| component.hounsfield_sum).sum(),
        digest,
    }
}

/// Runs the probe on a device; the error is a sentence.
pub(crate) fn run<E: std::fmt::Display>(
    mut components: impl FnMut(&Turn<'_>, Criteria) -> Result<Found, E>,
) -> Result<(), String> {
    let (volume, region) = input();
    let turn = Turn { volume: &volume, region: &region, slices: 0..DIMENSIONS.slices };
    let mut found = |minimum_pixels| {
        components(&turn, Criteria { threshold_hu: THRESHOLD_HU, minimum_pixels })
            .map_err(|error| error.to_string())
    };
    let all = found(1)?;
    compare(&summary(&all.components))?;
    let large: Vec<Component> =
        all.components.iter().copied().filter(|component| component.pixels >= MINIMUM_PIXELS).collect();
    let fragments = all.components.len() - large.len();
    let selected = found(MINIMUM_PIXELS)?;
    if selected.components == large && selected.fragments as usize == fragments && all.fragments == 0 {
        Ok(())
    } else {
        Err("the boot probe failed: calcium_select keeps the wrong components".to_owned())
    }
}

fn compare(found: &Summary) -> Result<(), String> {
    let differs = if found.pixels != EXPECTED.pixels {
        "calcium_mask marks the wrong pixels"
    } else if found.components != EXPECTED.components {
        "calcium_merge joins the wrong pixels"
    } else if found.peak_sum != EXPECTED.peak_sum || found.hounsfield_sum != EXPECTED.hounsfield_sum {
        "calcium_measure adds up wrongly"
    } else if found.digest != EXPECTED.digest {
        "calcium_flatten mixes components up"
    } else {
        return Ok(());
    };
    Err(format!("the boot probe failed: {differs}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole definition in the fewest lines: a flood fill with a stack.
    fn oracle() -> Vec<Component> {
        let (volume, region) = input();
        let free = |column: i64, row: i64, slice: u32| {
            let (Ok(column), Ok(row)) = (u32::try_from(column), u32::try_from(row)) else { return None };
            let inside = column < 71 && row < 37 && region.contains(column, row, slice);
            let hounsfield = inside.then(|| volume.slice(slice)[(row * 71 + column) as usize])?;
            (hounsfield >= THRESHOLD_HU).then_some(hounsfield)
        };
        let mut seen = std::collections::HashSet::new();
        let mut components = Vec::new();
        for (slice, row, column) in
            (0..3).flat_map(|s| (0..37).flat_map(move |r| (0..71).map(move |c| (s, r, c))))
        {
            let mut component =
                Component { slice, row, column, pixels: 0, peak_hu: i16::MIN, hounsfield_sum: 0 };
            let mut stack = vec![(i64::from(column), i64::from(row))];
            while let Some((column, row)) = stack.pop() {
                let Some(hounsfield) = free(column, row, slice) else { continue };
                if seen.insert((slice, column, row)) {
                    component.pixels += 1;
                    component.peak_hu = component.peak_hu.max(hounsfield);
                    component.hounsfield_sum += i64::from(hounsfield);
                    stack.extend((-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (column + dx, row + dy))));
                }
            }
            if component.pixels > 0 {
                components.push(component);
            }
        }
        components
    }

    #[test]
    fn the_embedded_expectation_is_what_a_flood_fill_finds() {
        assert_eq!(summary(&oracle()), EXPECTED);
    }

    fn twin(turn: &Turn<'_>, criteria: Criteria) -> Found {
        crate::cpu::calcium::components(turn, criteria)
    }

    #[test]
    fn the_twin_passes_the_probe() {
        assert_eq!(run(|turn, criteria| Ok::<_, String>(twin(turn, criteria))), Ok(()));
    }

    #[test]
    fn one_wrong_pixel_fails_the_probe() {
        let damaged = |turn: &Turn<'_>, criteria: Criteria| {
            let mut found = twin(turn, criteria);
            found.components[1].pixels += 1;
            found.components[2].pixels -= 1;
            Ok::<_, String>(found)
        };
        assert_eq!(
            run(damaged),
            Err("the boot probe failed: calcium_flatten mixes components up".to_owned())
        );
    }

    #[test]
    fn one_fragment_too_few_fails_the_probe() {
        let damaged = |turn: &Turn<'_>, criteria: Criteria| {
            let mut found = twin(turn, criteria);
            found.fragments = found.fragments.saturating_sub(1);
            Ok::<_, String>(found)
        };
        assert_eq!(
            run(damaged),
            Err("the boot probe failed: calcium_select keeps the wrong components".to_owned())
        );
    }
}
