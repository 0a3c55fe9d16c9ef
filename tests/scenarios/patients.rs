//! The synthetic calcium patient of the scenarios, drawn once for all of them.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, open_file};
use sidelight_tests::phantoms::{CalciumPatient, Encoding, write};

/// Any seed will do; this one's lesions lie in both halves of the stack.
static PATIENT: LazyLock<CalciumPatient> = LazyLock::new(|| CalciumPatient::small(7));

pub(crate) fn patient() -> &'static CalciumPatient {
    &PATIENT
}

/// Writes the patient's slices into a folder of the test.
pub(crate) fn written_to(folder: &Path) -> Vec<PathBuf> {
    let study = folder.join("study");
    std::fs::create_dir_all(&study).expect("a folder for the study");
    let mut series = patient().series();
    // A name with no word that a result may rightly contain, such as "calcium".
    series.patient_name = "Quillfeather^Ottoline".into();
    write(&series, Encoding::ExplicitLittleEndian, &study).expect("the study is written")
}

/// The files from the feet to the head.
pub(crate) fn by_position(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.sort_by(|a, b| position_mm(a).total_cmp(&position_mm(b)));
    files
}

/// z of Image Position (Patient).
pub(crate) fn position_mm(file: &Path) -> f64 {
    let object = opened(file);
    let position = object.element(tags::IMAGE_POSITION_PATIENT).expect("a position");
    position.to_multi_float64().expect("three numbers")[2]
}

pub(crate) fn opened(file: &Path) -> DefaultDicomObject {
    open_file(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

/// Everything in the files that tells who the patient is or leads to the study: names, numbers, dates, UIDs.
pub(crate) fn identifying_values(files: &[PathBuf]) -> Vec<String> {
    let mut values = Vec::new();
    for file in files {
        for element in opened(file).iter() {
            let telling = matches!(element.vr(), VR::UI | VR::PN | VR::DA | VR::TM)
                || [tags::PATIENT_ID, tags::ACCESSION_NUMBER, tags::STUDY_ID].contains(&element.header().tag);
            let Ok(text) = element.to_str() else { continue };
            // Class UIDs are the same for everybody, and three letters are found anywhere.
            let text = text.trim_matches(['\0', ' ']);
            if telling && text.len() > 3 && !text.starts_with("1.2.840.10008.") {
                values.push(text.to_owned());
                values.extend(text.split(['^', '=']).filter(|part| part.len() > 3).map(str::to_owned));
                if element.vr() == VR::DA && text.len() == 8 {
                    values.push(format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]));
                }
            }
        }
    }
    values.sort();
    values.dedup();
    assert!(values.len() > files.len(), "found hardly anything to look for: {values:?}");
    values
}
