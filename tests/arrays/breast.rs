//! Mammograms, one view a case, chest wall to the left.

use serde_json::json;
use sidelight_models::detect::{Reduced, reduce};
use sidelight_models::manifest::Reduction;
use sidelight_tests::phantoms::{BreastPatient, Intent, LesionKind, Projection, Side};

use crate::{Case, Purpose, byte};

/// Channels, rows, columns: breasts fill the left part of the detector.
pub(crate) const SHAPE: [usize; 3] = [2, 720, 336];

/// As `models/bundles/mammography_cad/model.toml` says.
const REDUCTION: Reduction = Reduction { fine_mm: 0.1, block: 4, detail_gain: 3.0, percentiles: [1.0, 99.0] };

pub(crate) fn case(seed: u64, number: usize, purpose: Purpose) -> Case {
    let lesions = match purpose {
        Purpose::Training => [1, 0, 2, 1, 0][number % 5],
        Purpose::Validation | Purpose::Cases => [1, 0, 2, 0][number % 4],
    };
    let patient = BreastPatient::new(seed, purpose.family(), lesions);
    let projection = if (number / 4).is_multiple_of(2) { Projection::Cc } else { Projection::Mlo };
    let intent = if (number / 8).is_multiple_of(2) { Intent::Presentation } else { Intent::Processing };
    let view = patient.view(Side::Left, projection, intent, None);
    let picture = &view.picture;
    let brightness: Vec<f32> = match intent {
        Intent::Presentation => (0..=u16::MAX).map(f32::from).collect(),
        Intent::Processing => (0..=u16::MAX).map(|value| -f32::from(value.max(1)).ln()).collect(),
    };
    let dense_is_bright: Vec<f32> =
        picture.values.iter().map(|value| brightness[usize::from(*value)]).collect();
    let size = [picture.rows, picture.columns];
    let reduced = reduce(&dense_is_bright, size, [picture.pixel_mm; 2], &REDUCTION);
    let pitch_mm = REDUCTION.pixel_mm();
    let truth: Vec<_> = view
        .lesions
        .iter()
        .map(|lesion| {
            let [x, y] = lesion.at_px.map(|px| (px + 0.5) * picture.pixel_mm / pitch_mm - 0.5);
            let class = usize::from(lesion.kind == LesionKind::Cluster);
            json!({ "class": class, "x": x, "y": y, "radius_mm": lesion.radius_mm, "margin": format!("{:?}", lesion.margin) })
        })
        .collect();
    let about =
        json!({ "projection": format!("{projection:?}"), "intent": format!("{intent:?}"), "lesions": truth });
    Case { bytes: cut(&reduced), truth: about }
}

fn cut(reduced: &Reduced) -> Vec<u8> {
    let [_, rows, columns] = SHAPE;
    let mut bytes = Vec::with_capacity(2 * rows * columns);
    for channel in [&reduced.mean, &reduced.detail] {
        for row in 0..rows {
            for column in 0..columns {
                let inside = row < reduced.rows && column < reduced.columns;
                bytes.push(if inside { byte(channel[row * reduced.columns + column]) } else { 0 });
            }
        }
    }
    bytes
}
