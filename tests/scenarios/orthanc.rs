//! Orthanc as the hospital's PACS: what it receives by C-STORE and by STOW-RS it finds again, unchanged.

use sidelight_tests::peers::association::{Association, CT_IMAGE_STORAGE};
use sidelight_tests::peers::orthanc::Orthanc;

use crate::destinations::{box_with, counted, dicom, stow};
use crate::small_ct::{Slice, SmallCt};

/// The pixel bytes of a slice: Orthanc rewrites headers, never pixels.
fn pixels(slice: &Slice) -> &[u8] {
    let tag = [0xE0, 0x7F, 0x10, 0x00];
    let start = slice.data_set.windows(4).position(|bytes| bytes == tag).expect("pixel data");
    &slice.data_set[start + 12..]
}

#[test]
fn finds_again_what_came_by_c_store_and_by_stow() {
    for by_stow in [false, true] {
        let orthanc = Orthanc::start().unwrap();
        let section = match by_stow {
            true => stow("pacs", &orthanc.dicomweb_url(), true),
            false => dicom("pacs", orthanc.dicom_port(), false),
        };
        let sidelight = box_with(&section).start().unwrap();
        let study = SmallCt::new();
        let mut slices: Vec<Slice> = (0..6).map(|number| study.slice(number, 64)).collect();
        let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
        for slice in &slices {
            let sent = association.store(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set);
            assert_eq!(sent.unwrap(), 0);
        }
        association.release().unwrap();
        counted(&sidelight, &study.study_uid, "pacs", if by_stow { "confirmed" } else { "forwarded" }, 6);
        slices.sort_by(|a, b| a.sop_instance_uid.cmp(&b.sop_instance_uid));
        let expected: Vec<&str> = slices.iter().map(|slice| slice.sop_instance_uid.as_str()).collect();
        assert_eq!(orthanc.instances().unwrap(), expected, "{}", orthanc.evidence());
        for slice in &slices {
            let file = orthanc.file(&slice.sop_instance_uid).unwrap();
            let kept = file.windows(pixels(slice).len()).any(|bytes| bytes == pixels(slice));
            assert!(kept, "the pixels of an object changed on the way (STOW-RS: {by_stow})");
        }
    }
}
