//! Lesions as a binary Segmentation (PS3.3 A.51): one segment a lesion, one frame for each slice a lesion lies on.
//!
//! Pixels are exactly the finding's runs. Frames stand in the order of segments, then slices, packed bit by bit
//! without padding between frames (PS3.5 8.1.1).

use dicom_dictionary_std::{tags, uids};

use super::dataset::{Code, DataSet};
use super::subject::{Subject, cut};
use crate::imaging::StackGeometry;
use crate::store::finding::{Lesion, LesionSlice};
use crate::store::own_objects::{ResultKind, derived_uid};

/// A recommended colour for every lesion: amber, as on the screen, in CIELab scaled to 16 bits (PS3.3 C.10.7.1.1).
const AMBER_CIELAB: [u16; 3] = [51_900, 36_200, 50_000];
const HEART: Code = Code("80891009", "SCT", "Heart");

/// One frame to be: its segment, its slice, and the runs of all parts of the lesion on it.
struct Frame<'a> {
    segment: u16,
    slice: u32,
    parts: Vec<&'a LesionSlice>,
}

/// `None` where there is nothing to draw, or the images have no frame of reference to draw it in.
pub(super) fn segmentation(subject: &Subject<'_>) -> Option<DataSet> {
    let frames = frames(&subject.finding.lesions);
    let geometry = subject.stack.geometry.as_ref().ok()?;
    let frame_of_reference = subject.frame_of_reference()?;
    let [row_spacing_mm, column_spacing_mm] = subject.stack.pixel_spacing_mm?;
    if frames.is_empty() {
        return None;
    }
    let mut set = subject.begin(uids::SEGMENTATION_STORAGE, ResultKind::Segmentation, "1", 1);
    set.set(tags::FRAME_OF_REFERENCE_UID, frame_of_reference).empty(tags::POSITION_REFERENCE_INDICATOR);
    set.set(tags::IMAGE_TYPE, "DERIVED\\PRIMARY").set(tags::SEGMENTATION_TYPE, "BINARY");
    set.set(tags::CONTENT_LABEL, "CALCIUM").set(tags::CONTENT_DESCRIPTION, cut(&subject.finding.label, 64));
    set.empty(tags::CONTENT_CREATOR_NAME);
    set.set(tags::LOSSY_IMAGE_COMPRESSION, "00").set(tags::SEGMENTS_OVERLAP, "NO");
    set.us(tags::SAMPLES_PER_PIXEL, &[1]).set(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2");
    set.us(tags::ROWS, &[subject.stack.rows]).us(tags::COLUMNS, &[subject.stack.columns]);
    set.us(tags::BITS_ALLOCATED, &[1]).us(tags::BITS_STORED, &[1]).us(tags::HIGH_BIT, &[0]);
    set.us(tags::PIXEL_REPRESENTATION, &[0]).number(tags::NUMBER_OF_FRAMES, frames.len());
    let segments = subject.finding.lesions.iter().map(|lesion| segment(subject, lesion));
    set.sequence(tags::SEGMENT_SEQUENCE, segments.collect());
    dimensions(&mut set, &subject.finding.id);
    let spacing = [row_spacing_mm, column_spacing_mm];
    set.sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared(geometry, spacing)]);
    let per_frame = frames.iter().map(|frame| per_frame(subject, geometry, frame));
    set.sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, per_frame.collect());
    references(&mut set, subject);
    set.bytes(tags::PIXEL_DATA, pixels(&frames, subject.stack.rows, subject.stack.columns));
    Some(set)
}

fn frames(lesions: &[Lesion]) -> Vec<Frame<'_>> {
    let mut frames: Vec<Frame<'_>> = Vec::new();
    for lesion in lesions {
        // At most LESIONS_MAX (400) lesions are listed.
        let segment = u16::try_from(lesion.number).unwrap_or(u16::MAX);
        for part in &lesion.slices {
            match frames.last_mut() {
                Some(frame) if (frame.segment, frame.slice) == (segment, part.slice) => {
                    frame.parts.push(part);
                }
                _ => frames.push(Frame { segment, slice: part.slice, parts: vec![part] }),
            }
        }
    }
    frames
}

fn segment(subject: &Subject<'_>, lesion: &Lesion) -> DataSet {
    let algorithm = &subject.finding.algorithm;
    let mut family = DataSet::new();
    let threshold = Code("123101", "DCM", "Neighborhood Analysis");
    family.code(tags::ALGORITHM_FAMILY_CODE_SEQUENCE, threshold);
    family.set(tags::ALGORITHM_NAME, &*algorithm.name).set(tags::ALGORITHM_VERSION, &*algorithm.version);
    family.set(tags::ALGORITHM_PARAMETERS, subject.provenance());
    let mut item = DataSet::new();
    item.us(tags::SEGMENT_NUMBER, &[u16::try_from(lesion.number).unwrap_or(u16::MAX)]);
    item.set(tags::SEGMENT_LABEL, format!("Lesion {}", lesion.number));
    let words = format!("Agatston {:.1}, {:.1} mm3", lesion.agatston, lesion.volume_mm3);
    item.set(tags::SEGMENT_DESCRIPTION, words);
    item.set(tags::SEGMENT_ALGORITHM_TYPE, "AUTOMATIC").set(tags::SEGMENT_ALGORITHM_NAME, &*algorithm.name);
    item.sequence(tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE, vec![family]);
    let category = Code("49755003", "SCT", "Morphologically Abnormal Structure");
    item.code(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, category);
    let calcification = Code("18115005", "SCT", "Pathologic calcification, calcified structure");
    item.code(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, calcification);
    item.code(tags::ANATOMIC_REGION_SEQUENCE, HEART);
    item.us(tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE, &AMBER_CIELAB);
    item.set(tags::TRACKING_ID, format!("Lesion {}", lesion.number));
    let tracking = derived_uid(&["lesion", &subject.finding.id, &lesion.number.to_string()]);
    item.set(tags::TRACKING_UID, tracking);
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

fn shared(geometry: &StackGeometry, spacing_mm: [f64; 2]) -> DataSet {
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

fn per_frame(subject: &Subject<'_>, geometry: &StackGeometry, frame: &Frame<'_>) -> DataSet {
    let mut content = DataSet::new();
    // Slices count from the feet, as positions do: the index of a place is its slice, from 1.
    content.ul(tags::DIMENSION_INDEX_VALUES, &[frame.segment.into(), frame.slice + 1]);
    let mut place = DataSet::new();
    let step = f64::from(frame.slice);
    let position = [0, 1, 2].map(|axis| geometry.origin_mm[axis] + step * geometry.slice_step_mm[axis]);
    place.ds(tags::IMAGE_POSITION_PATIENT, &position);
    let mut segment = DataSet::new();
    segment.us(tags::REFERENCED_SEGMENT_NUMBER, &[frame.segment]);
    let mut item = DataSet::new();
    if let Some(source) = subject.frame(frame.slice) {
        let mut image = subject.image_item(source);
        let purpose = Code("121322", "DCM", "Source image for image processing operation");
        image.code(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, purpose);
        // Same rows, same columns: a reader may lay the frame on its source without resampling.
        image.set(tags::SPATIAL_LOCATIONS_PRESERVED, "YES");
        let mut derivation = DataSet::new();
        derivation.sequence(tags::SOURCE_IMAGE_SEQUENCE, vec![image]);
        derivation.code(tags::DERIVATION_CODE_SEQUENCE, Code("113076", "DCM", "Segmentation"));
        item.sequence(tags::DERIVATION_IMAGE_SEQUENCE, vec![derivation]);
    }
    item.sequence(tags::FRAME_CONTENT_SEQUENCE, vec![content]);
    item.sequence(tags::PLANE_POSITION_SEQUENCE, vec![place]);
    item.sequence(tags::SEGMENT_IDENTIFICATION_SEQUENCE, vec![segment]);
    item
}

/// Common Instance Reference: the images the lesions lie on, in this very study.
fn references(set: &mut DataSet, subject: &Subject<'_>) {
    let mut series = DataSet::new();
    series.set(tags::SERIES_INSTANCE_UID, subject.finding.series_uid.as_str());
    let sources = subject.source_instances().into_iter().map(|uid| subject.sop_item(uid));
    series.sequence(tags::REFERENCED_INSTANCE_SEQUENCE, sources.collect());
    set.sequence(tags::REFERENCED_SERIES_SEQUENCE, vec![series]);
}

fn pixels(frames: &[Frame<'_>], rows: u16, columns: u16) -> Vec<u8> {
    let (rows, columns) = (usize::from(rows), usize::from(columns));
    let mut bytes = vec![0u8; (frames.len() * rows * columns).div_ceil(8)];
    for (number, frame) in frames.iter().enumerate() {
        for [row, first, length] in frame.parts.iter().flat_map(|part| &part.runs) {
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
        let part = |runs| LesionSlice {
            slice: 0,
            area_mm2: 1.0,
            peak_hu: 1,
            weight: 1,
            agatston: 1.0,
            hounsfield_sum: 1,
            runs,
        };
        let (first, second) = (part(vec![[0, 1, 2]]), part(vec![[2, 0, 1]]));
        let frame = |segment, part| Frame { segment, slice: 0, parts: vec![part] };
        // Three rows of three pixels: the second frame begins at bit 9.
        let bytes = pixels(&[frame(1, &first), frame(2, &second)], 3, 3);
        let set: Vec<usize> = (0..18).filter(|bit| bytes[bit / 8] >> (bit % 8) & 1 == 1).collect();
        assert_eq!(set, [1, 2, 15]);
        assert_eq!(bytes.len(), 3);
    }
}
