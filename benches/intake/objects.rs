//! Part-10 files of nobody: CT slices as plain as a scanner's, and one multi-frame object of any size.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sidelight::part10::Header;

pub(crate) const CT_IMAGE_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.2";
const MULTI_FRAME_WORD_SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7.3";
const EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// Side of a frame of the multi-frame object: 512 KiB of pixels.
const FRAME_SIDE: u16 = 512;

/// A UID of nobody else (PS3.5 B.2).
pub(crate) fn new_uid() -> String {
    format!("2.25.{}", fastrand::u128(..))
}

/// Explicit VR little endian elements, in the order they are put.
#[derive(Default)]
struct DataSet(Vec<u8>);

impl DataSet {
    fn put(&mut self, group: u16, element: u16, vr: &[u8; 2], value: &[u8]) {
        let pad = value.len() % 2;
        self.0.extend_from_slice(&group.to_le_bytes());
        self.0.extend_from_slice(&element.to_le_bytes());
        self.0.extend_from_slice(vr);
        let length = u16::try_from(value.len() + pad).expect("the values here are short");
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(value);
        self.0.extend(std::iter::repeat_n(if vr == b"UI" { 0 } else { b' ' }, pad));
    }

    fn number(&mut self, element: u16, value: u16) {
        self.put(0x0028, element, b"US", &value.to_le_bytes());
    }

    fn pixel_data(&mut self, bytes: u32) {
        self.0.extend_from_slice(&[0xE0, 0x7F, 0x10, 0x00, b'O', b'W', 0, 0]);
        self.0.extend_from_slice(&bytes.to_le_bytes());
    }
}

/// Who an object belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) study: String,
    pub(crate) series: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { study: new_uid(), series: new_uid() }
    }
}

/// The elements of one image up to its pixel data.
fn head(
    class: &str,
    instance: &str,
    place: &Place,
    number: usize,
    side: u16,
    frames: Option<u32>,
) -> DataSet {
    let mut set = DataSet::default();
    set.put(0x0008, 0x0016, b"UI", class.as_bytes());
    set.put(0x0008, 0x0018, b"UI", instance.as_bytes());
    set.put(0x0008, 0x0020, b"DA", b"20250314");
    set.put(0x0008, 0x0060, b"CS", b"CT");
    set.put(0x0010, 0x0010, b"PN", b"Bench^Nobody");
    set.put(0x0010, 0x0020, b"LO", b"BENCH");
    set.put(0x0018, 0x0060, b"DS", b"120");
    set.put(0x0020, 0x000D, b"UI", place.study.as_bytes());
    set.put(0x0020, 0x000E, b"UI", place.series.as_bytes());
    set.put(0x0020, 0x0013, b"IS", number.to_string().as_bytes());
    set.put(0x0020, 0x0032, b"DS", format!("0\\0\\{number}").as_bytes());
    set.put(0x0020, 0x0037, b"DS", b"1\\0\\0\\0\\1\\0");
    set.number(0x0002, 1);
    set.put(0x0028, 0x0004, b"CS", b"MONOCHROME2");
    if let Some(frames) = frames {
        set.put(0x0028, 0x0008, b"IS", frames.to_string().as_bytes());
    }
    set.number(0x0010, side);
    set.number(0x0011, side);
    set.put(0x0028, 0x0030, b"DS", b"0.5\\0.5");
    set.number(0x0100, 16);
    set.number(0x0101, 12);
    set.number(0x0102, 11);
    set.number(0x0103, 0);
    set.put(0x0028, 0x1052, b"DS", b"-1024");
    set.put(0x0028, 0x1053, b"DS", b"1");
    set
}

pub(crate) fn header(class: &str, instance: &str) -> Header {
    Header {
        sop_class: class.to_owned(),
        sop_instance: instance.to_owned(),
        transfer_syntax: EXPLICIT_VR_LITTLE_ENDIAN.to_owned(),
        source_ae_title: "BENCH".to_owned(),
    }
}

/// A slice as its own UID and data set; pixels of noise.
pub(crate) fn slice(place: &Place, number: usize, side: u16) -> (String, Vec<u8>) {
    let instance = new_uid();
    let mut set = head(CT_IMAGE_STORAGE, &instance, place, number, side, None);
    let pixels = usize::from(side) * usize::from(side);
    set.pixel_data(u32::try_from(pixels * 2).expect("a slice is small"));
    set.0.extend((0..pixels).flat_map(|_| fastrand::u16(900..1100).to_le_bytes()));
    (instance, set.0)
}

/// Writes a series of slices; the files in order.
pub(crate) fn series(folder: &Path, slices: usize, side: u16) -> io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let place = Place::new();
    let one = |number: usize| {
        let path = folder.join(format!("IM{number:05}.dcm"));
        let (instance, data_set) = slice(&place, number, side);
        let mut file = File::create(&path)?;
        file.write_all(&header(CT_IMAGE_STORAGE, &instance).to_bytes())?;
        file.write_all(&data_set)?;
        Ok(path)
    };
    (0..slices).map(one).collect()
}

/// A multi-frame object whose pixels are a hole in its file: nothing of it has to be written first.
pub(crate) fn multi_frame(path: &Path, frames: u32) -> io::Result<u64> {
    let (instance, class) = (new_uid(), MULTI_FRAME_WORD_SECONDARY_CAPTURE);
    let mut set = head(class, &instance, &Place::new(), 1, FRAME_SIDE, Some(frames));
    let pixels = frames * u32::from(FRAME_SIDE) * u32::from(FRAME_SIDE) * 2;
    set.pixel_data(pixels);
    let head = [header(class, &instance).to_bytes(), set.0].concat();
    let mut file = File::create(path)?;
    file.write_all(&head)?;
    let bytes = head.len() as u64 + u64::from(pixels);
    file.set_len(bytes)?;
    Ok(bytes)
}
