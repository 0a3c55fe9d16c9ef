//! The file meta information (PS3.10 7.1): preamble, `DICM`, group 0002 in explicit VR little endian.

use std::io::{Read, Write};

/// Our Implementation Class UID, derived from a UUID (PS3.5 B.2).
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.137438691328374652901736450912837465";
/// At most 16 characters (PS3.7 D.3.3.2).
pub const IMPLEMENTATION_VERSION_NAME: &str = "SIDELIGHT_0";

/// A file meta group is a few hundred bytes; a longer one is not ours and not sane.
const META_BYTES_MAX: u32 = 64 * 1024;
const PREAMBLE_BYTES: usize = 128;

/// What a Part-10 file says about itself before the data set begins.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    pub sop_class: String,
    pub sop_instance: String,
    pub transfer_syntax: String,
    /// AE title the object came from (0002,0016); empty where unknown.
    pub source_ae_title: String,
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Header").field("transfer_syntax", &self.transfer_syntax).finish_non_exhaustive()
    }
}

impl Header {
    /// Preamble, magic and group 0002, ready to be followed by the data set as it came.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut group = Vec::with_capacity(320);
        element(&mut group, 0x0001, *b"OB", &[0, 1]);
        element(&mut group, 0x0002, *b"UI", &padded(&self.sop_class, 0));
        element(&mut group, 0x0003, *b"UI", &padded(&self.sop_instance, 0));
        element(&mut group, 0x0010, *b"UI", &padded(&self.transfer_syntax, 0));
        element(&mut group, 0x0012, *b"UI", &padded(IMPLEMENTATION_CLASS_UID, 0));
        element(&mut group, 0x0013, *b"SH", &padded(IMPLEMENTATION_VERSION_NAME, b' '));
        if !self.source_ae_title.is_empty() {
            element(&mut group, 0x0016, *b"AE", &padded(&self.source_ae_title, b' '));
        }
        let mut bytes = vec![0u8; PREAMBLE_BYTES];
        bytes.extend_from_slice(b"DICM");
        let length = u32::try_from(group.len()).expect("six short elements");
        element(&mut bytes, 0x0000, *b"UL", &length.to_le_bytes());
        bytes.extend_from_slice(&group);
        bytes
    }
}

/// Text as an element's value: an even number of bytes (PS3.5 6.2).
pub(crate) fn padded(text: &str, pad: u8) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    if bytes.len() % 2 == 1 {
        bytes.push(pad);
    }
    bytes
}

fn element(out: &mut Vec<u8>, number: u16, vr: [u8; 2], value: &[u8]) {
    out.extend_from_slice(&0x0002u16.to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&vr);
    if &vr == b"OB" {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&u32::try_from(value.len()).expect("a meta value is short").to_le_bytes());
    } else {
        out.extend_from_slice(&u16::try_from(value.len()).expect("a meta value is short").to_le_bytes());
    }
    out.write_all(value).expect("writing to memory cannot fail");
}

/// Reads the header; afterwards `reader` stands at the first byte of the data set.
///
/// `Ok(None)` where the bytes are no Part-10 file.
pub fn read_header(reader: &mut impl Read) -> std::io::Result<Option<Header>> {
    let mut start = [0u8; PREAMBLE_BYTES + 4 + 12];
    reader.read_exact(&mut start)?;
    let length = u32::from_le_bytes([start[140], start[141], start[142], start[143]]);
    let group_length = &start[132..140] == b"\x02\x00\x00\x00UL\x04\x00";
    if &start[128..132] != b"DICM" || !group_length || length > META_BYTES_MAX {
        return Ok(None);
    }
    let mut group = vec![0u8; length as usize];
    reader.read_exact(&mut group)?;
    Ok(parse_group(&group))
}

fn parse_group(mut group: &[u8]) -> Option<Header> {
    let mut header = Header {
        sop_class: String::new(),
        sop_instance: String::new(),
        transfer_syntax: String::new(),
        source_ae_title: String::new(),
    };
    while group.len() >= 8 {
        let number = u16::from_le_bytes([group[2], group[3]]);
        let (value_at, length): (usize, usize) = match &group[4..6] {
            b"OB" | b"UN" | b"OW" => (12, u32::from_le_bytes(group.get(8..12)?.try_into().ok()?) as usize),
            _ => (8, usize::from(u16::from_le_bytes([group[6], group[7]]))),
        };
        let value = group.get(value_at..value_at.checked_add(length)?)?;
        let text = || String::from_utf8_lossy(value).trim_end_matches(['\0', ' ']).to_owned();
        match number {
            0x0002 => header.sop_class = text(),
            0x0003 => header.sop_instance = text(),
            0x0010 => header.transfer_syntax = text(),
            0x0016 => header.source_ae_title = text(),
            _ => {}
        }
        group = &group[value_at + length..];
    }
    (!header.transfer_syntax.is_empty()).then_some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_dicom_object_agrees() {
        let header = Header {
            sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
            sop_instance: "1.2.3".into(),
            transfer_syntax: "1.2.840.10008.1.2.1".into(),
            source_ae_title: "CT1".into(),
        };
        let bytes = header.to_bytes();
        assert_eq!(bytes.len() % 2, 0);
        assert_eq!(read_header(&mut bytes.as_slice()).unwrap().unwrap(), header);
        let table = dicom_object::FileMetaTable::from_reader(&bytes[128..]).unwrap();
        assert_eq!(table.media_storage_sop_instance_uid(), "1.2.3");
        assert_eq!(table.implementation_class_uid(), IMPLEMENTATION_CLASS_UID);
    }

    #[test]
    fn noise_is_no_header_and_a_claimed_length_allocates_nothing() {
        assert_eq!(read_header(&mut [7u8; 400].as_slice()).unwrap(), None);
        let mut bytes = vec![0u8; 128];
        bytes.extend_from_slice(b"DICM\x02\x00\x00\x00UL\x04\x00\xff\xff\xff\xff");
        assert_eq!(read_header(&mut bytes.as_slice()).unwrap(), None);
    }
}
