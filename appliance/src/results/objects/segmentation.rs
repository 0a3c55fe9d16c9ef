//! Sets of voxels as a binary Segmentation (PS3.3 A.51): calcified lesions, the tissue of a perfusion analysis, a
//! ventricle at end diastole and end systole, structures.
//!
//! Pixels are exactly the finding's runs. Frames stand in the order of segments, then slices, packed bit by bit
//! without padding between frames (PS3.5 8.1.1).

use dicom_dictionary_std::{tags, uids};

use super::dataset::{Code, DataSet};
use super::segments::Segment;
use super::subject::{Moment, Subject};
use crate::imaging::{FrameSource, StackGeometry};
use crate::store::finding::FindingKind;
use crate::store::own_objects::{ResultKind, derived_uid};

/// One frame to be.
struct Frame<'a> {
    segment: u16,
    moment: Moment,
    slice: u32,
    runs: &'a [[u32; 3]],
}

/// `None` where there is nothing to draw, or the images have no frame of reference to draw it in.
pub(super) fn segmentation(subject: &Subject<'_>, label: &str, segments: &[Segment<'_>]) -> Option<DataSet> {
    let frames = frames(segments);
    let geometry = subject.stack.geometry.as_ref().ok()?;
    let frame_of_reference = subject.frame_of_reference()?;
    let spacing_mm = subject.stack.pixel_spacing_mm?;
    if frames.is_empty() {
        return None;
    }
    let mut set = subject.begin(uids::SEGMENTATION_STORAGE, ResultKind::Segmentation, "1", 1);
    set.set(tags::FRAME_OF_REFERENCE_UID, frame_of_reference).empty(tags::POSITION_REFERENCE_INDICATOR);
    set.set(tags::IMAGE_TYPE, "DERIVED\\PRIMARY").set(tags::SEGMENTATION_TYPE, "BINARY");
    set.set(tags::CONTENT_LABEL, label);
    // What a network rests on is said before how its contours came about.
    let finding = subject.finding;
    let description = finding.model().map_or(&finding.label, |model| &model.statement);
    set.set(tags::CONTENT_DESCRIPTION, super::subject::cut(description, 64));
    set.empty(tags::CONTENT_CREATOR_NAME);
    set.set(tags::LOSSY_IMAGE_COMPRESSION, "00").set(tags::SEGMENTS_OVERLAP, overlap(subject));
    set.us(tags::SAMPLES_PER_PIXEL, &[1]).set(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2");
    set.us(tags::ROWS, &[subject.stack.rows]).us(tags::COLUMNS, &[subject.stack.columns]);
    set.us(tags::BITS_ALLOCATED, &[1]).us(tags::BITS_STORED, &[1]).us(tags::HIGH_BIT, &[0]);
    set.us(tags::PIXEL_REPRESENTATION, &[0]).number(tags::NUMBER_OF_FRAMES, frames.len());
    let items = segments.iter().zip(1..).map(|(segment, number)| item(subject, segment, number));
    set.sequence(tags::SEGMENT_SEQUENCE, items.collect());
    dimensions(&mut set, &finding.id);
    set.sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared_geometry(geometry, spacing_mm)]);
    let per_frame = frames.iter().map(|frame| per_frame(subject, geometry, frame));
    set.sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, per_frame.collect());
    set.sequence(tags::REFERENCED_SERIES_SEQUENCE, vec![subject.series_of_sources()]);
    set.bytes(tags::PIXEL_DATA, pixels(&frames, subject.stack.rows, subject.stack.columns));
    Some(set)
}

/// Lesions share no voxel, nor do structures; the core lies within what is hypoperfused, and both in the brain; a ventricle fills the same
/// places at both ends of the cycle.
fn overlap(subject: &Subject<'_>) -> &'static str {
    let apart = matches!(
        subject.finding.kind,
        FindingKind::Calcium | FindingKind::Structures | FindingKind::Segmentation
    );
    if apart { "NO" } else { "YES" }
}

fn frames<'a>(segments: &'a [Segment<'_>]) -> Vec<Frame<'a>> {
    // At most LESIONS_MAX (400) lesions are listed.
    let numbered = segments.iter().zip(1u16..);
    numbered
        .flat_map(|(segment, number)| {
            let moment = segment.moment;
            segment.runs.iter().map(move |(slice, runs)| Frame {
                segment: number,
                moment,
                slice: *slice,
                runs,
            })
        })
        .collect()
}

fn item(subject: &Subject<'_>, segment: &Segment<'_>, number: u16) -> DataSet {
    let algorithm = &subject.finding.algorithm;
    let mut family = DataSet::new();
    family.code(tags::ALGORITHM_FAMILY_CODE_SEQUENCE, segment.family);
    family.set(tags::ALGORITHM_NAME, &*algorithm.name).set(tags::ALGORITHM_VERSION, &*algorithm.version);
    family.set(tags::ALGORITHM_PARAMETERS, subject.provenance());
    let mut item = DataSet::new();
    item.us(tags::SEGMENT_NUMBER, &[number]);
    item.set(tags::SEGMENT_LABEL, &*segment.label).set(tags::SEGMENT_DESCRIPTION, &*segment.description);
    let how = if subject.finding.is_edited() { "SEMIAUTOMATIC" } else { "AUTOMATIC" };
    item.set(tags::SEGMENT_ALGORITHM_TYPE, how).set(tags::SEGMENT_ALGORITHM_NAME, &*algorithm.name);
    item.sequence(tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE, vec![family]);
    item.code(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, segment.category);
    let mut property: DataSet = segment.property.into();
    if let Some(side) = segment.laterality {
        property.code(tags::SEGMENTED_PROPERTY_TYPE_MODIFIER_CODE_SEQUENCE, side);
    }
    item.sequence(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, vec![property]);
    item.code(tags::ANATOMIC_REGION_SEQUENCE, segment.anatomy);
    item.us(tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE, &segment.cie_lab);
    item.set(tags::TRACKING_ID, &*segment.label).set(tags::TRACKING_UID, &*segment.tracking_uid);
    item
}

/// Frames are told apart by segment, then by place.
fn dimensions(set: &mut DataSet, id: &str) {
    let organization = derived_uid(&["dimensions", id]);
    let mut named = DataSet::new();
    named.set(tags::DIMENSION_ORGANIZATION_UID, &*organization);
    set.sequence(tags::DIMENSION_ORGANIZATION_SEQUENCE, vec![named]);
    let index = |pointer, group, label: &str| {
        let mut item = DataSet::new();
        item.set(tags::DIMENSION_ORGANIZATION_UID, &*organization);
        item.at(tags::DIMENSION_INDEX_POINTER, pointer).at(tags::FUNCTIONAL_GROUP_POINTER, group);
        item.set(tags::DIMENSION_DESCRIPTION_LABEL, label);
        item
    };
    let segment =
        index(tags::REFERENCED_SEGMENT_NUMBER, tags::SEGMENT_IDENTIFICATION_SEQUENCE, "Segment Number");
    let place = index(tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE, "Image Position");
    set.sequence(tags::DIMENSION_INDEX_SEQUENCE, vec![segment, place]);
}

/// Pixel Measures and Plane Orientation: what all frames share.
pub(super) fn shared_geometry(geometry: &StackGeometry, spacing_mm: [f64; 2]) -> DataSet {
    let mut measures = DataSet::new();
    measures.ds(tags::PIXEL_SPACING, &spacing_mm);
    measures.ds(tags::SLICE_THICKNESS, &[geometry.slice_increment_mm]);
    measures.ds(tags::SPACING_BETWEEN_SLICES, &[geometry.slice_increment_mm]);
    let mut orientation = DataSet::new();
    let directions = [geometry.row_direction, geometry.column_direction].concat();
    orientation.ds(tags::IMAGE_ORIENTATION_PATIENT, &directions);
    let mut item = DataSet::new();
    item.sequence(tags::PIXEL_MEASURES_SEQUENCE, vec![measures]);
    item.sequence(tags::PLANE_ORIENTATION_SEQUENCE, vec![orientation]);
    item
}

/// Where a slice stands.
pub(super) fn place_of(geometry: &StackGeometry, slice: u32) -> DataSet {
    let step = f64::from(slice);
    let position = [0, 1, 2].map(|axis| geometry.origin_mm[axis] + step * geometry.slice_step_mm[axis]);
    let mut place = DataSet::new();
    place.ds(tags::IMAGE_POSITION_PATIENT, &position);
    place
}

/// Names the image that a frame was derived from.
pub(super) fn source_of(
    item: &mut DataSet,
    subject: &Subject<'_>,
    source: Option<&FrameSource>,
    derivation_code: Code<'static>,
) {
    let Some(source) = source else { return };
    let mut image = subject.image_item(source);
    let purpose = Code("121322", "DCM", "Source image for image processing operation");
    image.code(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, purpose);
    // Same rows, same columns: a reader may lay the frame on its source without resampling.
    image.set(tags::SPATIAL_LOCATIONS_PRESERVED, "YES");
    let mut derivation = DataSet::new();
    derivation.sequence(tags::SOURCE_IMAGE_SEQUENCE, vec![image]);
    derivation.code(tags::DERIVATION_CODE_SEQUENCE, derivation_code);
    item.sequence(tags::DERIVATION_IMAGE_SEQUENCE, vec![derivation]);
}

fn per_frame(subject: &Subject<'_>, geometry: &StackGeometry, frame: &Frame<'_>) -> DataSet {
    let mut content = DataSet::new();
    // Slices count from the feet, as positions do: the index of a place is its slice, from 1.
    content.ul(tags::DIMENSION_INDEX_VALUES, &[frame.segment.into(), frame.slice + 1]);
    let mut segment = DataSet::new();
    segment.us(tags::REFERENCED_SEGMENT_NUMBER, &[frame.segment]);
    let mut item = DataSet::new();
    let source = subject.image(frame.moment, frame.slice);
    source_of(&mut item, subject, source, Code("113076", "DCM", "Segmentation"));
    item.sequence(tags::FRAME_CONTENT_SEQUENCE, vec![content]);
    item.sequence(tags::PLANE_POSITION_SEQUENCE, vec![place_of(geometry, frame.slice)]);
    item.sequence(tags::SEGMENT_IDENTIFICATION_SEQUENCE, vec![segment]);
    item
}

fn pixels(frames: &[Frame<'_>], rows: u16, columns: u16) -> Vec<u8> {
    let (rows, columns) = (usize::from(rows), usize::from(columns));
    let mut bytes = vec![0u8; (frames.len() * rows * columns).div_ceil(8)];
    for (number, frame) in frames.iter().enumerate() {
        for [row, first, length] in frame.runs {
            let start = (number * rows + *row as usize) * columns + *first as usize;
            for bit in start..start + *length as usize {
                bytes[bit / 8] |= 1 << (bit % 8);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_are_no_whole_bytes_follow_each_other_bit_by_bit() {
        let frame = |segment, runs| Frame { segment, moment: Moment::First, slice: 0, runs };
        // Three rows of three pixels: the second frame begins at bit 9.
        let bytes = pixels(&[frame(1, &[[0, 1, 2]]), frame(2, &[[2, 0, 1]])], 3, 3);
        let set: Vec<usize> = (0..18).filter(|bit| bytes[bit / 8] >> (bit % 8) & 1 == 1).collect();
        assert_eq!(set, [1, 2, 15]);
        assert_eq!(bytes.len(), 3);
    }
}
