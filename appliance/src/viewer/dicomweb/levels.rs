//! Attributes that are the same in every instance of a study or a series, so that a search at that level may answer
//! with the first instance's (PS3.3 tables of the Patient, General Study, Patient Study and General Series modules and
//! their siblings of the same entities). The attributes that every answer has are not among them.

/// Patient and study.
pub(super) const STUDY: [&str; 40] = [
    "00080051", // Issuer of Accession Number Sequence
    "00080096", // Referring Physician Identification Sequence
    "0008009C", // Consulting Physician's Name
    "00080201", // Timezone Offset From UTC
    "00081032", // Procedure Code Sequence
    "00081048", // Physician(s) of Record
    "00081060", // Name of Physician(s) Reading Study
    "00081080", // Admitting Diagnoses Description
    "00081084", // Admitting Diagnoses Code Sequence
    "00081110", // Referenced Study Sequence
    "00081120", // Referenced Patient Sequence
    "00100021", // Issuer of Patient ID
    "00100022", // Type of Patient ID
    "00100024", // Issuer of Patient ID Qualifiers Sequence
    "00100026", // Source Patient Group Identification Sequence
    "00100032", // Patient's Birth Time
    "00101000", // Other Patient IDs
    "00101001", // Other Patient Names
    "00101002", // Other Patient IDs Sequence
    "00101010", // Patient's Age
    "00101020", // Patient's Size
    "00101030", // Patient's Weight
    "00102000", // Medical Alerts
    "00102110", // Allergies
    "00102160", // Ethnic Group
    "00102180", // Occupation
    "001021A0", // Smoking Status
    "001021B0", // Additional Patient History
    "001021C0", // Pregnancy Status
    "00102201", // Patient Species Description
    "00102203", // Patient's Sex Neutered
    "00104000", // Patient Comments
    "00120020", // Clinical Trial Protocol ID
    "00120040", // Clinical Trial Subject ID
    "00120062", // Patient Identity Removed
    "00120063", // De-identification Method
    "00321032", // Requesting Physician
    "00321033", // Requesting Service
    "00321060", // Requested Procedure Description
    "00380010", // Admission ID
];

/// Series and equipment.
pub(super) const SERIES: [&str; 31] = [
    "00080070", // Manufacturer
    "00080080", // Institution Name
    "00080081", // Institution Address
    "00080201", // Timezone Offset From UTC
    "00081010", // Station Name
    "0008103F", // Series Description Code Sequence
    "00081040", // Institutional Department Name
    "00081050", // Performing Physician's Name
    "00081070", // Operators' Name
    "00081090", // Manufacturer's Model Name
    "00081111", // Referenced Performed Procedure Step Sequence
    "00081250", // Related Series Sequence
    "00180010", // Contrast/Bolus Agent
    "00180050", // Slice Thickness
    "00180060", // KVP
    "00181000", // Device Serial Number
    "00181020", // Software Versions
    "00181030", // Protocol Name
    "00181210", // Convolution Kernel
    "00185100", // Patient Position
    "00200052", // Frame of Reference UID
    "00200060", // Laterality
    "00201040", // Position Reference Indicator
    "00400244", // Performed Procedure Step Start Date
    "00400245", // Performed Procedure Step Start Time
    "00400250", // Performed Procedure Step End Date
    "00400251", // Performed Procedure Step End Time
    "00400253", // Performed Procedure Step ID
    "00400254", // Performed Procedure Step Description
    "00400260", // Performed Protocol Code Sequence
    "00400275", // Request Attributes Sequence
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_is_one_of_the_standard_and_stands_once() {
        use dicom_core::dictionary::DataDictionary as _;
        for level in [&STUDY[..], &SERIES[..]] {
            for (position, tag) in level.iter().enumerate() {
                let number = u32::from_str_radix(tag, 16).unwrap();
                let parsed = dicom_core::Tag::from([(number >> 16) as u16, (number & 0xFFFF) as u16]);
                assert!(dicom_dictionary_std::StandardDataDictionary.by_tag(parsed).is_some(), "{tag}");
                assert!(!level[..position].contains(tag), "{tag} stands there twice");
                assert_eq!(*tag, tag.to_uppercase());
            }
        }
    }
}
