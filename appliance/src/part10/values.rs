//! Values of elements: their representation where the file does not say it, their byte order, their JSON.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_dictionary_std::StandardDataDictionary;
use serde_json::{Map, Value};

use super::elements::ElementHead;

/// The value representation of an element: the file's own, or the dictionary's where the file has none or `UN`.
pub(super) fn vr_of(head: &ElementHead, signed: bool) -> [u8; 2] {
    match head.vr {
        Some(vr) if vr != *b"UN" => vr,
        unknown => {
            let found = dictionary_vr(head, signed);
            // A sequence inside UN was handled as one of undefined length; of known length it stays closed.
            if unknown.is_some() && found == *b"SQ" { *b"UN" } else { found }
        }
    }
}

fn dictionary_vr(head: &ElementHead, signed: bool) -> [u8; 2] {
    let (group, element) = head.tag;
    if group % 2 == 1 {
        return if (0x0010..=0x00FF).contains(&element) { *b"LO" } else { *b"UN" };
    }
    let entry = StandardDataDictionary.by_tag(dicom_core::Tag(group, element));
    let vr = match entry.map(DataDictionaryEntry::vr) {
        None => return *b"UN",
        Some(VirtualVr::Exact(vr)) => vr.to_string(),
        Some(VirtualVr::Xs) if signed => "SS",
        Some(VirtualVr::Xs) => "US",
        Some(_) => "OW",
    };
    vr.as_bytes().try_into().unwrap_or(*b"UN")
}

/// Bytes of one number in a value representation; 1 where there is nothing to swap.
pub(super) fn unit_bytes(vr: [u8; 2]) -> usize {
    match &vr {
        b"AT" | b"OW" | b"SS" | b"US" => 2,
        b"FL" | b"OF" | b"OL" | b"SL" | b"UL" => 4,
        b"FD" | b"OD" | b"OV" | b"SV" | b"UV" => 8,
        _ => 1,
    }
}

/// The value in little endian.
pub(super) fn swapped(mut value: Vec<u8>, vr: [u8; 2], big_endian: bool) -> Vec<u8> {
    let unit = unit_bytes(vr);
    if big_endian && unit > 1 {
        for number in value.chunks_exact_mut(unit) {
            number.reverse();
        }
    }
    value
}

/// Numbers of a little-endian value.
pub(super) fn binary_values(vr: [u8; 2], value: &[u8]) -> Vec<Value> {
    match &vr {
        b"AT" => chunks(value).map(|tag: [u8; 4]| Value::from(tag_text(tag))).collect(),
        b"US" => chunks(value).map(|v| Value::from(u16::from_le_bytes(v))).collect(),
        b"SS" => chunks(value).map(|v| Value::from(i16::from_le_bytes(v))).collect(),
        b"UL" => chunks(value).map(|v| Value::from(u32::from_le_bytes(v))).collect(),
        b"SL" => chunks(value).map(|v| Value::from(i32::from_le_bytes(v))).collect(),
        b"UV" => chunks(value).map(|v| Value::from(u64::from_le_bytes(v))).collect(),
        b"SV" => chunks(value).map(|v| Value::from(i64::from_le_bytes(v))).collect(),
        b"FL" => chunks(value).map(|v| real(f64::from(f32::from_le_bytes(v)))).collect(),
        _ => chunks(value).map(|v| real(f64::from_le_bytes(v))).collect(),
    }
}

fn chunks<const N: usize>(value: &[u8]) -> impl Iterator<Item = [u8; N]> {
    value.chunks_exact(N).filter_map(|chunk| chunk.try_into().ok())
}

fn tag_text(tag: [u8; 4]) -> String {
    let [group, element] = [[tag[0], tag[1]], [tag[2], tag[3]]].map(u16::from_le_bytes);
    format!("{group:04X}{element:04X}")
}

/// JSON has no infinity; PS3.18 F.2.3 spells it.
fn real(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| Value::from(value.to_string()), Value::Number)
}

/// Decimal and Integer Strings as numbers; a part that is none stays text (PS3.18 F.2.3).
pub(super) fn numbers_of_text(text: &str) -> Vec<Value> {
    let number = |part: &str| {
        let part = part.trim_matches(['\0', ' ']);
        if part.is_empty() {
            return Value::Null;
        }
        if let Ok(whole) = part.parse::<i64>() {
            return Value::from(whole);
        }
        let parsed = part.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
        parsed.map_or_else(|| Value::from(part), Value::Number)
    };
    text.split('\\').map(number).collect()
}

/// Person Names with their component groups (PS3.18 F.2.2).
pub fn person_names(text: &str) -> Vec<Value> {
    let name = |part: &str| {
        let groups = ["Alphabetic", "Ideographic", "Phonetic"].iter().zip(part.split('='));
        let filled =
            groups.map(|(group, name)| (*group, name.trim_matches(['\0', ' ']).trim_end_matches('^')));
        let filled: Map<String, Value> = filled
            .filter(|(_, name)| !name.is_empty())
            .map(|(group, name)| (group.to_owned(), Value::from(name)))
            .collect();
        if filled.is_empty() { Value::Null } else { Value::Object(filled) }
    };
    text.split('\\').map(name).collect()
}
