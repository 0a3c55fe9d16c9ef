//! Files as PS3.10 lays them out, read without any DICOM library: what the box stored is judged by bytes.

use std::path::{Path, PathBuf};

/// One Part-10 file, split where its data set begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part10 {
    pub path: PathBuf,
    pub sop_class_uid: String,
    pub sop_instance_uid: String,
    pub transfer_syntax: String,
    /// Everything behind the file meta information, exactly as it lies in the file.
    pub data_set: Vec<u8>,
}

impl Part10 {
    /// `None` for what is no Part-10 file, or ends within its header.
    pub fn read(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        if bytes.get(128..132)? != b"DICM" {
            return None;
        }
        // (0002,0000) UL, explicit VR little endian: 8 bytes of header, 4 of value (PS3.10 7.1).
        let length = u32::from_le_bytes(bytes.get(140..144)?.try_into().ok()?);
        let end = 144 + length as usize;
        let mut meta = bytes.get(144..end)?;
        let mut uids = [String::new(), String::new(), String::new()];
        while let Some((element, value, rest)) = next_element(meta) {
            if let Some(slot) = [0x02, 0x03, 0x10].iter().position(|wanted| *wanted == element) {
                let text = String::from_utf8_lossy(value);
                uids[slot] = text.trim_end_matches(['\0', ' ']).to_owned();
            }
            meta = rest;
        }
        let [sop_class_uid, sop_instance_uid, transfer_syntax] = uids;
        let data_set = bytes.get(end..)?.to_vec();
        Some(Self { path: path.into(), sop_class_uid, sop_instance_uid, transfer_syntax, data_set })
    }

    /// All Part-10 files anywhere below a folder, sorted by path.
    pub fn below(folder: &Path) -> Vec<Self> {
        files_below(folder).iter().filter_map(|path| Self::read(path)).collect()
    }
}

/// Every file anywhere below a folder, sorted. Files that vanish meanwhile are left out.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => found.push(entry.path()),
                Err(_) => {}
            }
        }
    }
    found.sort();
    found
}

/// Element number, value and rest of a group-2 element in explicit VR little endian.
fn next_element(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let element = u16::from_le_bytes(bytes.get(2..4)?.try_into().ok()?);
    let long = matches!(bytes.get(4..6)?, b"OB" | b"UN" | b"OW" | b"UT" | b"SQ");
    let (length, start) = if long {
        (u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?) as usize, 12)
    } else {
        (usize::from(u16::from_le_bytes(bytes.get(6..8)?.try_into().ok()?)), 8)
    };
    let value = bytes.get(start..start + length)?;
    Some((element, value, &bytes[start + length..]))
}
