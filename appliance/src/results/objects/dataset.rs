//! A data set under construction: elements by tag with the dictionary's value representation, codes, sequences.
//!
//! Text is UTF-8 in memory and on disk (ISO_IR 192). Decimal strings are cut to the 16 characters DICOM allows.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::{DataSetSequence, PrimitiveValue, Value};
use dicom_core::{DataElement, Length, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_encoding::text::SpecificCharacterSet;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use dicom_transfer_syntax_registry::entries::EXPLICIT_VR_LITTLE_ENDIAN;

use crate::part10::Header;

pub(super) const TRANSFER_SYNTAX: &str = "1.2.840.10008.1.2.1";

/// A coded concept: value, scheme, meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code<'a>(pub &'a str, pub &'a str, pub &'a str);

#[derive(Clone, Debug)]
pub(super) struct DataSet(InMemDicomObject);

impl DataSet {
    pub(super) fn new() -> Self {
        Self(InMemDicomObject::new_empty())
    }

    /// One value, or several joined by a backslash.
    pub(super) fn set(&mut self, tag: Tag, value: impl Into<String>) -> &mut Self {
        let value: String = value.into();
        self.put(tag, vr(tag), if value.is_empty() { PrimitiveValue::Empty } else { value.into() })
    }

    /// An element without a value, where the standard wants it to be there (type 2).
    pub(super) fn empty(&mut self, tag: Tag) -> &mut Self {
        match vr(tag) {
            VR::SQ => self.sequence(tag, Vec::new()),
            vr => self.put(tag, vr, PrimitiveValue::Empty),
        }
    }

    pub(super) fn us(&mut self, tag: Tag, values: &[u16]) -> &mut Self {
        self.put(tag, VR::US, PrimitiveValue::U16(values.iter().copied().collect()))
    }

    pub(super) fn ul(&mut self, tag: Tag, values: &[u32]) -> &mut Self {
        self.put(tag, VR::UL, PrimitiveValue::U32(values.iter().copied().collect()))
    }

    /// Pointers to attributes.
    pub(super) fn at(&mut self, tag: Tag, value: Tag) -> &mut Self {
        self.put(tag, VR::AT, PrimitiveValue::Tags([value].into_iter().collect()))
    }

    /// Decimal strings.
    pub(super) fn ds(&mut self, tag: Tag, values: &[f64]) -> &mut Self {
        let texts: Vec<String> = values.iter().map(|value| decimal(*value)).collect();
        self.put(tag, VR::DS, PrimitiveValue::Strs(texts.into_iter().collect()))
    }

    pub(super) fn fd(&mut self, tag: Tag, value: f64) -> &mut Self {
        self.put(tag, VR::FD, PrimitiveValue::F64([value].into_iter().collect()))
    }

    /// Floats of 32 bits, pixels or a single value.
    pub(super) fn floats(&mut self, tag: Tag, values: Vec<f32>) -> &mut Self {
        self.put(tag, vr(tag), PrimitiveValue::F32(values.into_iter().collect()))
    }

    pub(super) fn merge(&mut self, other: Self) {
        for element in other.0 {
            self.0.put(element);
        }
    }

    pub(super) fn number(&mut self, tag: Tag, value: impl std::fmt::Display) -> &mut Self {
        self.set(tag, value.to_string())
    }

    pub(super) fn bytes(&mut self, tag: Tag, mut bytes: Vec<u8>) -> &mut Self {
        if bytes.len() % 2 == 1 {
            bytes.push(0);
        }
        self.put(tag, VR::OB, PrimitiveValue::U8(bytes.into_iter().collect()))
    }

    pub(super) fn sequence(&mut self, tag: Tag, items: Vec<Self>) -> &mut Self {
        let items: Vec<InMemDicomObject> = items.into_iter().map(|item| item.0).collect();
        let value = Value::from(DataSetSequence::new(items, Length::UNDEFINED));
        self.0.put(DataElement::new(tag, VR::SQ, value));
        self
    }

    pub(super) fn code(&mut self, tag: Tag, code: Code<'_>) -> &mut Self {
        self.sequence(tag, vec![code.into()])
    }

    pub(super) fn object(&self) -> &InMemDicomObject {
        &self.0
    }

    pub(super) fn text_of(&self, tag: Tag) -> String {
        let element = self.0.element(tag).ok();
        element.and_then(|element| Some(element.to_str().ok()?.trim().to_owned())).unwrap_or_default()
    }

    /// The whole object: our header, and the data set in explicit VR little endian.
    pub(super) fn encode(&self) -> Result<(Header, Vec<u8>), Box<dicom_object::WriteError>> {
        let header = Header {
            sop_class: self.text_of(tags::SOP_CLASS_UID),
            sop_instance: self.text_of(tags::SOP_INSTANCE_UID),
            transfer_syntax: TRANSFER_SYNTAX.into(),
            source_ae_title: String::new(),
        };
        let mut bytes = Vec::new();
        let (syntax, text) = (EXPLICIT_VR_LITTLE_ENDIAN.erased(), SpecificCharacterSet::ISO_IR_192);
        self.0.write_dataset_with_ts_cs(&mut bytes, &syntax, text).map_err(Box::new)?;
        Ok((header, bytes))
    }

    fn put(&mut self, tag: Tag, vr: VR, value: PrimitiveValue) -> &mut Self {
        let element: InMemElement = DataElement::new(tag, vr, value);
        self.0.put(element);
        self
    }
}

impl From<Code<'_>> for DataSet {
    fn from(Code(value, scheme, meaning): Code<'_>) -> Self {
        let mut item = Self::new();
        // A code value is a short string of 16 characters; SNOMED CT has identifiers of 18 (PS3.3 8.1).
        let tag = if value.len() <= 16 { tags::CODE_VALUE } else { tags::LONG_CODE_VALUE };
        item.set(tag, value);
        item.set(tags::CODING_SCHEME_DESIGNATOR, scheme).set(tags::CODE_MEANING, meaning);
        item
    }
}

/// The dictionary's value representation; of a choice between US and OW only pixel data is written here, as bytes.
fn vr(tag: Tag) -> VR {
    StandardDataDictionary.by_tag(tag).map_or(VR::UN, |entry| entry.vr().relaxed())
}

/// A number in at most 16 characters (PS3.5 6.2, DS), with as many decimals as fit.
pub(super) fn decimal(value: f64) -> String {
    let plain = value.to_string();
    if plain.len() <= 16 {
        return plain;
    }
    (0..=14)
        .rev()
        .map(|decimals| format!("{value:.decimals$}"))
        .find(|text| text.len() <= 16)
        .map_or_else(|| format!("{value:.8e}"), trimmed)
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_fit_their_sixteen_characters_and_read_back_close() {
        for value in [0.0, -0.1 - 0.2, 1.0 / 3.0, 123_456.789_012_345, -987_654_321.123_456_7, 1e-7 / 3.0] {
            let text = decimal(value);
            assert!(text.len() <= 16, "{text}");
            let back: f64 = text.parse().unwrap();
            assert!((back - value).abs() <= 1e-9 * value.abs().max(1.0), "{value} became {text}");
        }
    }

    #[test]
    fn names_beyond_ascii_are_written_as_utf_8() {
        let mut set = DataSet::new();
        set.set(tags::SPECIFIC_CHARACTER_SET, "ISO_IR 192").set(tags::PATIENT_NAME, "Müller^Jörg=山田^太郎");
        let (_, bytes) = set.encode().unwrap();
        let name = "Müller^Jörg=山田^太郎".as_bytes();
        let at = bytes.windows(name.len()).position(|window| window == name).expect("the name in UTF-8");
        let length = u16::from_le_bytes([bytes[at - 2], bytes[at - 1]]);
        assert_eq!(usize::from(length), name.len().next_multiple_of(2));
    }
}
