//! Hostile and honest bytes for the walk.

use std::io::Write;
use std::path::PathBuf;

use super::*;

fn header(transfer_syntax: &str) -> Header {
    Header {
        sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
        sop_instance: "1.2.3.4".into(),
        transfer_syntax: transfer_syntax.into(),
        source_ae_title: String::new(),
    }
}

/// Explicit VR little endian elements.
#[derive(Default)]
struct DataSet(Vec<u8>);

impl DataSet {
    fn short(mut self, tag: (u16, u16), vr: &[u8; 2], value: &[u8]) -> Self {
        self.tag(tag);
        self.0.extend_from_slice(vr);
        self.0.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
        self.0.extend_from_slice(value);
        self
    }

    fn long(mut self, tag: (u16, u16), vr: &[u8; 2], length: u32, value: &[u8]) -> Self {
        self.tag(tag);
        self.0.extend_from_slice(vr);
        self.0.extend_from_slice(&[0, 0]);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(value);
        self
    }

    fn tag(&mut self, (group, element): (u16, u16)) {
        self.0.extend_from_slice(&group.to_le_bytes());
        self.0.extend_from_slice(&element.to_le_bytes());
    }

    fn identified() -> Self {
        Self::default()
            .short((0x0008, 0x0016), b"UI", b"1.2.840.10008.5.1.4.1.1.2\0")
            .short((0x0008, 0x0018), b"UI", b"1.2.3.4\0")
            .short((0x0020, 0x000D), b"UI", b"1.2\0")
            .short((0x0020, 0x000E), b"UI", b"1.2.3\0")
    }

    fn image(rows: u16) -> Self {
        Self::identified()
            .short((0x0028, 0x0010), b"US", &rows.to_le_bytes())
            .short((0x0028, 0x0011), b"US", &2u16.to_le_bytes())
            .short((0x0028, 0x0100), b"US", &16u16.to_le_bytes())
            .long((0x7FE0, 0x0010), b"OW", 8, &[0; 8])
    }
}

fn read(transfer_syntax: &str, data_set: &[u8]) -> Result<InstanceFacts, FactsError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&header(transfer_syntax).to_bytes()).unwrap();
    file.write_all(data_set).unwrap();
    read_facts(file.path())
}

const EXPLICIT: &str = "1.2.840.10008.1.2.1";

#[test]
fn an_honest_image_gives_its_facts() {
    let facts = read(EXPLICIT, &DataSet::image(2).0).unwrap();
    let picture = facts.picture.unwrap();
    assert_eq!((picture.rows, picture.columns, picture.frames), (2, 2, 1));
    assert_eq!(facts.study.as_str(), "1.2");
}

#[test]
fn an_image_cut_at_any_byte_is_never_taken_for_whole() {
    let whole = DataSet::image(2).0;
    for length in 1..whole.len() {
        // Cut between two elements, what is left is a well-formed object; but never one with pixels.
        let picture = read(EXPLICIT, &whole[..length]).ok().and_then(|facts| facts.picture);
        assert_eq!(picture, None, "cut at byte {length} of {}", whole.len());
    }
}

#[test]
fn absurd_rows_are_caught_by_the_length_of_the_pixels() {
    let found = read(EXPLICIT, &DataSet::image(60_000).0).unwrap_err();
    assert!(matches!(found, FactsError::PixelLength { expected: 240_000, found: 8 }), "{found}");
}

#[test]
fn claimed_lengths_are_not_believed() {
    for length in [9, 1 << 30, 0xFFFF_FFFE] {
        let data = DataSet::identified().long((0x7FE0, 0x0010), b"OW", length, &[0; 8]).0;
        let found = read(EXPLICIT, &data).unwrap_err();
        assert!(matches!(found, FactsError::Malformed(Malformed::EndsInside { .. })), "{found}");
    }
}

#[test]
fn a_wrong_value_representation_is_named() {
    let data = DataSet::identified().short((0x0028, 0x0010), b"LO", b"many").0;
    let message = read(EXPLICIT, &data).unwrap_err().to_string();
    assert!(message.contains("(0028,0010)") && message.contains("LO") && message.contains("US"), "{message}");
    let data = DataSet::identified().short((0x0028, 0x0010), b"??", b"many").0;
    assert!(matches!(read(EXPLICIT, &data), Err(FactsError::Malformed(Malformed::NotAVr { .. }))));
}

#[test]
fn implicit_bytes_under_an_explicit_name_are_refused() {
    let mut data = Vec::new();
    data.extend_from_slice(&[0x08, 0, 0x16, 0, 4, 0, 0, 0]);
    data.extend_from_slice(b"1.2\0");
    assert!(matches!(read(EXPLICIT, &data), Err(FactsError::Malformed(Malformed::NotAVr { .. }))));
}

#[test]
fn sequences_without_end_do_not_exhaust_the_stack() {
    let mut data = DataSet::identified();
    for _ in 0..100_000 {
        data = data.long((0x0040, 0xA730), b"SQ", u32::MAX, &[]);
        data.tag((0xFFFE, 0xE000));
        data.0.extend_from_slice(&u32::MAX.to_le_bytes());
    }
    assert!(matches!(read(EXPLICIT, &data.0), Err(FactsError::Malformed(Malformed::TooDeep { .. }))));
}

#[test]
fn a_nested_pixel_data_or_uid_is_not_the_objects_own() {
    let item = DataSet::default().short((0x0008, 0x0018), b"UI", b"9.9.9.9\0").0;
    let mut sequence = DataSet::default().long((0x0008, 0x1140), b"SQ", u32::MAX, &[]);
    sequence.tag((0xFFFE, 0xE000));
    sequence.0.extend_from_slice(&u32::MAX.to_le_bytes());
    sequence.0.extend_from_slice(&item);
    sequence.0.extend_from_slice(&[0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0, 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
    let data = [sequence.0, DataSet::identified().0].concat();
    assert_eq!(read(EXPLICIT, &data).unwrap().sop_instance.as_str(), "1.2.3.4");
}

#[test]
fn an_object_that_contradicts_its_command_is_not_filed_under_either_name() {
    let data = DataSet::default().short((0x0008, 0x0018), b"UI", b"6.6.6.6\0").0;
    assert!(matches!(read(EXPLICIT, &data), Err(FactsError::NotAsAnnounced("Instance"))));
}

#[test]
fn text_is_read_in_its_character_set() {
    let data = DataSet::default().short((0x0008, 0x0005), b"CS", b"ISO_IR 100").0;
    let data = [data, DataSet::identified().short((0x0010, 0x0010), b"PN", b"M\xfcller^J\xf6rg ").0].concat();
    assert_eq!(read(EXPLICIT, &data).unwrap().patient_study.patient_name, "Müller^Jörg");
}

#[test]
fn a_deflated_data_set_is_checked_behind_its_compression() {
    use flate2::write::DeflateEncoder;
    let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&DataSet::image(2).0).unwrap();
    let deflated = encoder.finish().unwrap();
    assert!(read("1.2.840.10008.1.2.1.99", &deflated).unwrap().picture.is_some());
    assert!(read("1.2.840.10008.1.2.1.99", &deflated[..deflated.len() / 2]).is_err());
}

/// Every odd file people collected: none may panic, and whatever dicom-object reads whole must not be refused.
#[test]
fn odd_files_never_panic_and_are_judged_like_dicom_object_does_real_data() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/dicom/data");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    }
    let mut read_by_both = 0;
    let mut waiting = vec![folder];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()));
            continue;
        }
        let ours = read_facts(&path);
        if ours.is_ok() && dicom_object::open_file(&path).is_ok() {
            read_by_both += 1;
        }
    }
    assert!(read_by_both >= 60, "only {read_by_both} files are read by both");
}
