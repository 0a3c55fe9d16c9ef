//! What is offered at the DICOM door: SOP classes and, for each, transfer syntaxes in our order of preference.
//!
//! The one place that says so; CONFORMANCE.md is written from it.

use std::collections::BTreeSet;

use super::storage_classes::{CURRENT, RETIRED};

pub const VERIFICATION: &str = "1.2.840.10008.1.1";
/// Storage Commitment Push Model (PS3.4 J.3) and its well-known instance.
pub const STORAGE_COMMITMENT: &str = "1.2.840.10008.1.20.1";
pub const STORAGE_COMMITMENT_INSTANCE: &str = "1.2.840.10008.1.20.1.1";
/// Modality Performed Procedure Step (PS3.4 F.7).
pub const PROCEDURE_STEP: &str = "1.2.840.10008.3.1.2.3.3";

pub const IMPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";
pub const EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// What every service but storage is spoken in.
pub const MESSAGE_SYNTAXES: [&str; 2] = [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN];

/// Transfer syntaxes kept where the site file names none, best first: what every client reads without a codec, then
/// lossless, then the rest, then what the standard has retired. Not here: real-time video (never stored) and the two
/// retired ones that were no encoding of a data set (MIME, XML).
pub const TRANSFER_SYNTAXES: [&str; 58] = [
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    "1.2.840.10008.1.2.1.99",    // deflated explicit VR little endian
    "1.2.840.10008.1.2.1.98",    // encapsulated uncompressed
    "1.2.840.10008.1.2.8.1",     // deflated image frames
    "1.2.840.10008.1.2.2",       // explicit VR big endian
    "1.2.840.10008.1.2.4.70",    // JPEG lossless, selection value 1
    "1.2.840.10008.1.2.4.57",    // JPEG lossless
    "1.2.840.10008.1.2.5",       // RLE
    "1.2.840.10008.1.2.4.90",    // JPEG 2000 lossless
    "1.2.840.10008.1.2.4.201",   // HTJ2K lossless
    "1.2.840.10008.1.2.4.202",   // HTJ2K lossless RPCL
    "1.2.840.10008.1.2.4.80",    // JPEG-LS lossless
    "1.2.840.10008.1.2.4.110",   // JPEG XL lossless
    "1.2.840.10008.1.2.4.111",   // JPEG XL JPEG recompression
    "1.2.840.10008.1.2.4.92",    // JPEG 2000 part 2 lossless
    "1.2.840.10008.1.2.4.50",    // JPEG baseline
    "1.2.840.10008.1.2.4.51",    // JPEG extended
    "1.2.840.10008.1.2.4.91",    // JPEG 2000
    "1.2.840.10008.1.2.4.203",   // HTJ2K
    "1.2.840.10008.1.2.4.81",    // JPEG-LS near lossless
    "1.2.840.10008.1.2.4.112",   // JPEG XL
    "1.2.840.10008.1.2.4.93",    // JPEG 2000 part 2
    "1.2.840.10008.1.2.4.94",    // JPIP referenced
    "1.2.840.10008.1.2.4.95",    // JPIP referenced, deflated
    "1.2.840.10008.1.2.4.204",   // JPIP HTJ2K referenced
    "1.2.840.10008.1.2.4.205",   // JPIP HTJ2K referenced, deflated
    "1.2.840.10008.1.2.4.100",   // MPEG-2 main profile main level
    "1.2.840.10008.1.2.4.100.1", // the same, in fragments
    "1.2.840.10008.1.2.4.101",   // MPEG-2 main profile high level
    "1.2.840.10008.1.2.4.101.1",
    "1.2.840.10008.1.2.4.102", // MPEG-4 AVC high profile 4.1
    "1.2.840.10008.1.2.4.102.1",
    "1.2.840.10008.1.2.4.103", // MPEG-4 AVC BD-compatible
    "1.2.840.10008.1.2.4.103.1",
    "1.2.840.10008.1.2.4.104", // MPEG-4 AVC 4.2 2-D
    "1.2.840.10008.1.2.4.104.1",
    "1.2.840.10008.1.2.4.105", // MPEG-4 AVC 4.2 3-D
    "1.2.840.10008.1.2.4.105.1",
    "1.2.840.10008.1.2.4.106", // MPEG-4 AVC stereo
    "1.2.840.10008.1.2.4.106.1",
    "1.2.840.10008.1.2.4.107", // HEVC main
    "1.2.840.10008.1.2.4.108", // HEVC main 10
    "1.2.840.10008.1.2.4.52",  // from here on: retired
    "1.2.840.10008.1.2.4.53",
    "1.2.840.10008.1.2.4.54",
    "1.2.840.10008.1.2.4.55",
    "1.2.840.10008.1.2.4.56",
    "1.2.840.10008.1.2.4.58",
    "1.2.840.10008.1.2.4.59",
    "1.2.840.10008.1.2.4.60",
    "1.2.840.10008.1.2.4.61",
    "1.2.840.10008.1.2.4.62",
    "1.2.840.10008.1.2.4.63",
    "1.2.840.10008.1.2.4.64",
    "1.2.840.10008.1.2.4.65",
    "1.2.840.10008.1.2.4.66",
    "1.2.840.10008.1.20", // Papyrus 3
];

/// What this door offers.
#[derive(Clone, Debug)]
pub struct Services {
    storage: BTreeSet<String>,
    transfer_syntaxes: Vec<String>,
    message_syntaxes: Vec<String>,
}

impl Services {
    /// Everything of the standard, in our order.
    pub fn standard() -> Self {
        Self::new(&[], &[])
    }

    /// `transfer_syntaxes` empty: all of the standard. `extra_sop_classes` come on top of the standard's.
    pub fn new(transfer_syntaxes: &[String], extra_sop_classes: &[String]) -> Self {
        let owned = |uids: &[&str]| uids.iter().map(|uid| (*uid).to_owned()).collect::<Vec<_>>();
        let mut storage: BTreeSet<String> =
            CURRENT.iter().chain(&RETIRED).map(|uid| (*uid).to_owned()).collect();
        storage.extend(extra_sop_classes.iter().cloned());
        let transfer_syntaxes =
            if transfer_syntaxes.is_empty() { owned(&TRANSFER_SYNTAXES) } else { transfer_syntaxes.to_vec() };
        Self { storage, transfer_syntaxes, message_syntaxes: owned(&MESSAGE_SYNTAXES) }
    }

    /// Storage SOP classes, in order of their UIDs.
    pub fn storage(&self) -> impl Iterator<Item = &str> {
        self.storage.iter().map(String::as_str)
    }

    /// Whether the class is offered, and the syntaxes for it, best first.
    pub(super) fn transfer_syntaxes(&self, abstract_syntax: &str) -> (bool, &[String]) {
        match abstract_syntax {
            VERIFICATION | STORAGE_COMMITMENT | PROCEDURE_STEP => (true, &self.message_syntaxes),
            class if self.storage.contains(class) => (true, &self.transfer_syntaxes),
            _ => (false, &self.transfer_syntaxes),
        }
    }
}
