//! Where a stack's slices stand, and whether they make a volume.

/// Increments may differ by this fraction of their median: positions are written with few decimals.
const INCREMENT_TOLERANCE: f64 = 0.02;
/// Two directions are one when no component differs by more (PS3.3 C.7.6.2 gives no bound; vendors round to 1e-5).
const DIRECTION_TOLERANCE: f64 = 1e-3;
/// Slices may drift sideways against their normal by this much over one increment before the gantry counts as tilted.
const DRIFT_TOLERANCE: f64 = 0.02;

/// Place of one frame: Image Position and Orientation (Patient), mm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub position_mm: [f64; 3],
    pub orientation: [f64; 6],
}

/// A stack whose slices are parallel, evenly spaced and complete.
#[derive(Clone, Debug, PartialEq)]
pub struct StackGeometry {
    pub slice_increment_mm: f64,
    /// Columns of the patient-from-voxel matrix before the in-plane spacings: along a row, along a column, to the next
    /// slice (the last one in mm).
    pub row_direction: [f64; 3],
    pub column_direction: [f64; 3],
    pub slice_step_mm: [f64; 3],
    pub origin_mm: [f64; 3],
}

/// Why slices make no volume, in words a person can act on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unusable {
    #[error("the images do not say where they stand in the patient")]
    NoPlace,
    #[error("a single slice has no slice distance")]
    SingleSlice,
    #[error("the slices do not share one orientation")]
    Orientations,
    #[error(
        "{count} slices share a position with another one: several phases or reconstructions in one series"
    )]
    SharedPositions { count: usize },
    #[error("slices are missing: {gap_mm:.2} mm lie between slices {after} and {next}, {usual_mm:.2} mm elsewhere", next = after + 1)]
    Gap { after: usize, gap_mm: f64, usual_mm: f64 },
    #[error("the slice distance is uneven: {low_mm:.2} to {high_mm:.2} mm")]
    Uneven { low_mm: f64, high_mm: f64 },
    #[error("the gantry was tilted: slices shift {drift_mm:.2} mm sideways from one to the next")]
    Tilted { drift_mm: f64 },
}

/// Order of frames along their common normal, head-most last for axial slices, with their positions along it (mm).
pub(super) fn order(places: &[Place]) -> Result<Vec<(usize, f64)>, Unusable> {
    let first = places.first().ok_or(Unusable::NoPlace)?;
    let apart = |place: &Place| {
        place.orientation.iter().zip(first.orientation).any(|(a, b)| (a - b).abs() > DIRECTION_TOLERANCE)
    };
    if places.iter().any(apart) {
        return Err(Unusable::Orientations);
    }
    let normal = upward(normal(&first.orientation));
    let mut order: Vec<(usize, f64)> =
        places.iter().enumerate().map(|(index, place)| (index, dot(normal, place.position_mm))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    Ok(order)
}

/// Judges ordered places: whole, or why not.
pub(super) fn judge(ordered: &[Place]) -> Result<StackGeometry, Unusable> {
    let (first, last) = match ordered {
        [] => return Err(Unusable::NoPlace),
        [_] => return Err(Unusable::SingleSlice),
        [first, .., last] => (first, last),
    };
    let normal = upward(normal(&first.orientation));
    let steps: Vec<f64> =
        ordered.windows(2).map(|pair| dot(normal, sub(pair[1].position_mm, pair[0].position_mm))).collect();
    even(&steps)?;
    #[expect(clippy::cast_precision_loss, reason = "a stack has far fewer than 2^52 slices")]
    let count = steps.len() as f64;
    let slice_step_mm = sub(last.position_mm, first.position_mm).map(|mm| mm / count);
    let increment = dot(normal, slice_step_mm);
    let sideways = sub(slice_step_mm, normal.map(|n| n * increment));
    let drift_mm = dot(sideways, sideways).sqrt();
    if drift_mm > DRIFT_TOLERANCE * increment {
        return Err(Unusable::Tilted { drift_mm });
    }
    let [a, b, c, d, e, f] = first.orientation;
    Ok(StackGeometry {
        slice_increment_mm: increment,
        row_direction: [a, b, c],
        column_direction: [d, e, f],
        slice_step_mm,
        origin_mm: first.position_mm,
    })
}

fn even(steps: &[f64]) -> Result<(), Unusable> {
    let mut sorted = steps.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low_mm, high_mm) = (sorted[0], sorted[sorted.len() - 1]);
    let usual_mm = sorted[sorted.len() / 2];
    let shared = sorted.iter().filter(|step| step.abs() < 1e-3).count();
    if shared > 0 {
        return Err(Unusable::SharedPositions { count: shared });
    }
    if high_mm - low_mm <= 2.0 * INCREMENT_TOLERANCE * usual_mm {
        return Ok(());
    }
    let whole_gap = |step: f64| step > 1.5 * usual_mm && low_mm > (1.0 - INCREMENT_TOLERANCE) * usual_mm;
    match steps.iter().position(|step| whole_gap(*step)) {
        Some(index) => Err(Unusable::Gap { after: index + 1, gap_mm: steps[index], usual_mm }),
        None => Err(Unusable::Uneven { low_mm, high_mm }),
    }
}

/// Letters at the left, right, top and bottom edge of an image: the patient's side each one looks at (PS3.3
/// C.7.6.1.1.1), the main direction first, a second one where the image is oblique.
pub fn edge_letters(orientation: &[f64; 6]) -> [String; 4] {
    let [a, b, c, d, e, f] = *orientation;
    let (row, column) = ([a, b, c], [d, e, f]);
    [letters(row.map(|v| -v)), letters(row), letters(column.map(|v| -v)), letters(column)]
}

fn letters(direction: [f64; 3]) -> String {
    /// Below about 15 degrees a second letter says nothing a reader needs.
    const OBLIQUE: f64 = 0.26;
    let names = [('L', 'R'), ('P', 'A'), ('H', 'F')];
    let mut axes: Vec<usize> = (0..3).filter(|axis| direction[*axis].abs() > OBLIQUE).collect();
    axes.sort_by(|a, b| direction[*b].abs().total_cmp(&direction[*a].abs()));
    axes.iter().map(|axis| if direction[*axis] > 0.0 { names[*axis].0 } else { names[*axis].1 }).collect()
}

fn normal(orientation: &[f64; 6]) -> [f64; 3] {
    let [a, b, c, d, e, f] = *orientation;
    [b * f - c * e, c * d - a * f, a * e - b * d]
}

/// The same axis, pointing to the patient's head, back or left, whichever it is closest to.
fn upward(normal: [f64; 3]) -> [f64; 3] {
    let main = (0..3).max_by(|a, b| normal[*a].abs().total_cmp(&normal[*b].abs())).expect("three axes");
    if normal[main] < 0.0 { normal.map(|n| -n) } else { normal }
}

pub(crate) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn sub(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXIAL: [f64; 6] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];

    fn at(z: f64) -> Place {
        Place { position_mm: [-100.0, -100.0, z], orientation: AXIAL }
    }

    fn places(zs: &[f64]) -> Vec<Place> {
        zs.iter().map(|z| at(*z)).collect()
    }

    #[test]
    fn order_follows_position_not_arrival() {
        let order = order(&places(&[6.0, 0.0, 3.0])).unwrap();
        assert_eq!(order.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 2, 0]);
    }

    #[test]
    fn feet_first_and_flipped_normals_still_end_at_the_head() {
        let flipped = |z| Place { position_mm: [0.0, 0.0, z], orientation: [1.0, 0.0, 0.0, 0.0, -1.0, 0.0] };
        let order = order(&[flipped(3.0), flipped(0.0)]).unwrap();
        assert_eq!(order[0].0, 1);
    }

    #[test]
    fn rounded_positions_are_even_and_a_missing_slice_is_a_gap() {
        let whole = judge(&places(&[0.0, 2.99, 6.01, 9.0])).unwrap();
        assert!((whole.slice_increment_mm - 3.0).abs() < 1e-9);
        let gap = judge(&places(&[0.0, 3.0, 9.0, 12.0])).unwrap_err();
        assert_eq!(gap, Unusable::Gap { after: 2, gap_mm: 6.0, usual_mm: 3.0 });
        assert!(matches!(judge(&places(&[0.0, 3.0, 5.0, 8.0])), Err(Unusable::Uneven { .. })));
        assert_eq!(judge(&places(&[0.0, 0.0, 3.0])), Err(Unusable::SharedPositions { count: 1 }));
        assert_eq!(judge(&places(&[0.0])), Err(Unusable::SingleSlice));
    }

    #[test]
    fn a_tilted_gantry_is_named() {
        let tilted = |z: f64| Place { position_mm: [0.0, z * 0.3, z], orientation: AXIAL };
        let verdict = judge(&[tilted(0.0), tilted(3.0), tilted(6.0)]);
        assert!(matches!(verdict, Err(Unusable::Tilted { .. })), "{verdict:?}");
    }

    #[test]
    fn an_oblique_stack_keeps_its_slice_step_in_patient_space() {
        let (s, c) = (0.5_f64.sqrt(), 0.5_f64.sqrt());
        let orientation = [1.0, 0.0, 0.0, 0.0, c, s];
        let place = |k: f64| Place { position_mm: [0.0, -s * k * 2.0, c * k * 2.0], orientation };
        let geometry = judge(&[place(0.0), place(1.0), place(2.0)]).unwrap();
        assert!((geometry.slice_increment_mm - 2.0).abs() < 1e-9);
        assert!((geometry.slice_step_mm[1] + s * 2.0).abs() < 1e-9);
    }

    #[test]
    fn edges_are_named_from_the_patients_side() {
        assert_eq!(edge_letters(&AXIAL), ["R", "L", "A", "P"]);
        assert_eq!(edge_letters(&[0.0, 1.0, 0.0, 0.0, 0.0, -1.0]), ["A", "P", "H", "F"]);
        assert_eq!(edge_letters(&[0.8, 0.6, 0.0, 0.0, 0.0, -1.0])[1], "LP");
    }
}
