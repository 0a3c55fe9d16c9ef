//! One perfusion map as a Parametric Map (PS3.3 A.75): 32-bit floats with the quantity and unit they stand for.
//!
//! Values are those of the finding, bit for bit; where there is none (outside the brain) stands the padding value,
//! because many readers do not know NaN.

use dicom_dictionary_std::{tags, uids};

use super::dataset::{Code, DataSet};
use super::segmentation::{place_of, shared_geometry, source_of};
use super::segments::BRAIN;
use super::subject::{Subject, cut};
use super::voxels::Voxels;
use crate::store::own_objects::{ResultKind, derived_uid};
use crate::store::perfusion::{MapKind, STATEMENT};

/// Far outside what any map holds.
const PADDING: f32 = -4096.0;
const IMAGE_TYPE: &str = "DERIVED\\PRIMARY\\VOLUME\\QUANTITY";

/// `None` where the images have no frame of reference.
pub(super) fn parametric_map(subject: &Subject<'_>, voxels: &Voxels<'_>, index: usize) -> Option<DataSet> {
    let map = voxels.part.maps.get(index)?;
    let geometry = subject.stack.geometry.as_ref().ok()?;
    let frame_of_reference = subject.frame_of_reference()?;
    let spacing = subject.stack.pixel_spacing_mm?;
    let number = u32::try_from(index).ok()? + 1;
    let mut set =
        subject.begin(uids::PARAMETRIC_MAP_STORAGE, ResultKind::ParametricMap, map.kind.name(), number);
    set.set(tags::FRAME_OF_REFERENCE_UID, frame_of_reference).empty(tags::POSITION_REFERENCE_INDICATOR);
    set.set(tags::IMAGE_TYPE, IMAGE_TYPE).set(tags::CONTENT_QUALIFICATION, "RESEARCH");
    set.set(tags::CONTENT_LABEL, map.kind.name().to_uppercase());
    set.set(
        tags::CONTENT_DESCRIPTION,
        cut(&format!("{} in {}; not for treatment selection", map.title, map.unit_text), 64),
    );
    set.set(tags::IMAGE_COMMENTS, STATEMENT).empty(tags::CONTENT_CREATOR_NAME);
    set.set(tags::BURNED_IN_ANNOTATION, "NO").set(tags::RECOGNIZABLE_VISUAL_FEATURES, "NO");
    set.set(tags::LOSSY_IMAGE_COMPRESSION, "00").set(tags::PRESENTATION_LUT_SHAPE, "IDENTITY");
    set.empty(tags::ACQUISITION_CONTEXT_SEQUENCE);
    set.us(tags::SAMPLES_PER_PIXEL, &[1]).set(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2");
    set.us(tags::ROWS, &[subject.stack.rows]).us(tags::COLUMNS, &[subject.stack.columns]);
    set.us(tags::BITS_ALLOCATED, &[32]).number(tags::NUMBER_OF_FRAMES, voxels.part.grid.slices);
    // A range of one value: the standard wants both where there is one.
    set.floats(tags::FLOAT_PIXEL_PADDING_VALUE, vec![PADDING]);
    set.floats(tags::FLOAT_PIXEL_PADDING_RANGE_LIMIT, vec![PADDING]);
    dimensions(&mut set, &subject.finding.id);
    let mut shared = shared_geometry(geometry, spacing);
    values(&mut shared, map.kind, &voxels.maps[index]);
    let mut anatomy = DataSet::new();
    anatomy.set(tags::FRAME_LATERALITY, "U").code(tags::ANATOMIC_REGION_SEQUENCE, BRAIN);
    shared.sequence(tags::FRAME_ANATOMY_SEQUENCE, vec![anatomy]);
    set.sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared]);
    let per_frame = (0..voxels.part.grid.slices).map(|slice| {
        let mut item = DataSet::new();
        let mut content = DataSet::new();
        content.ul(tags::DIMENSION_INDEX_VALUES, &[slice + 1]);
        source_of(
            &mut item,
            subject,
            subject.frame(slice),
            Code("110819", "DCM", "Perfusion image analysis"),
        );
        item.sequence(tags::FRAME_CONTENT_SEQUENCE, vec![content]);
        item.sequence(tags::PLANE_POSITION_SEQUENCE, vec![place_of(geometry, slice)]);
        item
    });
    set.sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, per_frame.collect());
    set.sequence(tags::REFERENCED_SERIES_SEQUENCE, vec![subject.series_of_sources()]);
    let padded = voxels.maps[index].iter().map(|value| if value.is_finite() { *value } else { PADDING });
    set.floats(tags::FLOAT_PIXEL_DATA, padded.collect());
    Some(set)
}

/// Frames are told apart by place.
fn dimensions(set: &mut DataSet, id: &str) {
    let organization = derived_uid(&["map dimensions", id]);
    let mut named = DataSet::new();
    named.set(tags::DIMENSION_ORGANIZATION_UID, &*organization);
    set.sequence(tags::DIMENSION_ORGANIZATION_SEQUENCE, vec![named]);
    set.set(tags::DIMENSION_ORGANIZATION_TYPE, "3D");
    let mut place = DataSet::new();
    place.set(tags::DIMENSION_ORGANIZATION_UID, &*organization);
    place.at(tags::DIMENSION_INDEX_POINTER, tags::IMAGE_POSITION_PATIENT);
    place.at(tags::FUNCTIONAL_GROUP_POINTER, tags::PLANE_POSITION_SEQUENCE);
    place.set(tags::DIMENSION_DESCRIPTION_LABEL, "Image Position");
    set.sequence(tags::DIMENSION_INDEX_SEQUENCE, vec![place]);
}

/// What the stored numbers mean, and how to show them.
fn values(shared: &mut DataSet, kind: MapKind, values: &[f32]) {
    let finite = || values.iter().copied().filter(|value| value.is_finite()).map(f64::from);
    let (low, high) = (finite().fold(0.0, f64::min), finite().fold(0.0, f64::max));
    let (quantity, unit) = (quantity(kind), unit(kind));
    let mut meant = DataSet::new();
    meant.set(tags::VALUE_TYPE, "CODE");
    meant.code(tags::CONCEPT_NAME_CODE_SEQUENCE, Code("246205007", "SCT", "Quantity"));
    meant.code(tags::CONCEPT_CODE_SEQUENCE, quantity);
    let mut mapping = DataSet::new();
    mapping.set(tags::LUT_EXPLANATION, quantity.2).set(tags::LUT_LABEL, kind.name().to_uppercase());
    mapping.fd(tags::DOUBLE_FLOAT_REAL_WORLD_VALUE_FIRST_VALUE_MAPPED, low);
    mapping.fd(tags::DOUBLE_FLOAT_REAL_WORLD_VALUE_LAST_VALUE_MAPPED, high);
    mapping.fd(tags::REAL_WORLD_VALUE_INTERCEPT, 0.0).fd(tags::REAL_WORLD_VALUE_SLOPE, 1.0);
    mapping.code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, unit);
    mapping.sequence(tags::QUANTITY_DEFINITION_SEQUENCE, vec![meant]);
    shared.sequence(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, vec![mapping]);
    let [bottom, top] = kind.display_range().map(f64::from);
    let mut window = DataSet::new();
    window.ds(tags::WINDOW_CENTER, &[f64::midpoint(bottom, top)]).ds(tags::WINDOW_WIDTH, &[top - bottom]);
    shared.sequence(tags::FRAME_VOILUT_SEQUENCE, vec![window]);
    let mut identity = DataSet::new();
    identity
        .ds(tags::RESCALE_INTERCEPT, &[0.0])
        .ds(tags::RESCALE_SLOPE, &[1.0])
        .set(tags::RESCALE_TYPE, "US");
    shared.sequence(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, vec![identity]);
    let mut frame = DataSet::new();
    frame.set(tags::FRAME_TYPE, IMAGE_TYPE);
    shared.sequence(tags::PARAMETRIC_MAP_FRAME_TYPE_SEQUENCE, vec![frame]);
}

/// PS3.16 CID 4108.
pub(super) fn quantity(kind: MapKind) -> Code<'static> {
    match kind {
        MapKind::Cbf => Code("126390", "DCM", "Absolute Regional Blood Flow"),
        MapKind::Cbv => Code("126391", "DCM", "Absolute Regional Blood Volume"),
        MapKind::Mtt => Code("113052", "DCM", "Mean Transit Time"),
        MapKind::Ttp => Code("113069", "DCM", "Time To Peak"),
        MapKind::Tmax => Code("113084", "DCM", "Tmax"),
    }
}

fn unit(kind: MapKind) -> Code<'static> {
    match kind {
        MapKind::Cbf => Code("mL/(100.g).min-1", "UCUM", "milliliter per 100 gram and minute"),
        MapKind::Cbv => Code("mL/(100.g)", "UCUM", "milliliter per 100 gram"),
        MapKind::Mtt | MapKind::Ttp | MapKind::Tmax => Code("s", "UCUM", "second"),
    }
}
