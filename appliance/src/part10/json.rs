//! A data set in the DICOM JSON Model (PS3.18 annex F), with everything bulky left in the file.
//!
//! Pixel data is never inline; other binary values are up to [`INLINE_BYTES_MAX`], the rest is a `BulkDataURI` that
//! names the element's path. Text comes out as Unicode whatever set the object uses. A sequence that does not read
//! is left in the file as a whole, so one bad private element does not hide a study. Bytes are never changed.

use std::path::Path;

use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::elements::{ElementHead, Elements, ITEM, ITEM_END, SEQUENCE_END, Tag};
use super::text::decode_text;
use super::values::{binary_values, numbers_of_text, person_names, swapped, vr_of};
use super::walk::{Encoding, Malformed};

/// Overlays of a radiograph (32 to 64 kB) are wanted with the metadata; documents and maps are not.
const INLINE_BYTES_MAX: u32 = 64 * 1024;
/// Metadata of the largest enhanced multi-frame objects is a few MiB; beyond this it is an attack on memory.
const METADATA_BYTES_MAX: usize = 48 << 20;
/// What an element costs in memory beside its value.
const ELEMENT_BYTES: usize = 160;
/// The standard's own IODs nest about 8 deep.
const DEPTH_MAX: usize = 24;

/// Why an object has no metadata.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the object's metadata is larger than {METADATA_BYTES_MAX} bytes")]
    TooLarge,
}

/// Everything but the bulk of a file's data set. `bulk_prefix` is where bulk data is served, without a last slash.
pub fn data_set_json(path: &Path, bulk_prefix: &str) -> Result<Map<String, Value>, JsonError> {
    let (_, elements) = Elements::open(path)?;
    let mut writer = JsonWriter { encoding: elements.encoding, elements, left: METADATA_BYTES_MAX };
    let mut context = Context { set: String::new(), signed: false, at: bulk_prefix.to_owned(), depth: 0 };
    let mut object = Map::new();
    while let Some(head) = writer.elements.next_head()? {
        writer.element(&head, &mut context, &mut object)?;
    }
    // What follows is Unicode.
    object.insert("00080005".into(), json!({ "vr": "CS", "Value": ["ISO_IR 192"] }));
    Ok(object)
}

/// What an element's meaning depends on.
#[derive(Clone)]
struct Context {
    /// Specific Character Set (0008,0005).
    set: String,
    /// Pixel Representation (0028,0103).
    signed: bool,
    /// Path of the enclosing item, for `BulkDataURI`.
    at: String,
    depth: usize,
}

struct JsonWriter {
    elements: Elements,
    /// Of the level being read: items of a UN sequence are in implicit VR.
    encoding: Encoding,
    left: usize,
}

impl JsonWriter {
    fn element(
        &mut self,
        head: &ElementHead,
        context: &mut Context,
        object: &mut Map<String, Value>,
    ) -> Result<(), JsonError> {
        self.spend(ELEMENT_BYTES)?;
        if head.tag.1 == 0 {
            // Group lengths are not part of the model.
            return Ok(self.elements.pass(head, self.encoding)?);
        }
        let vr = vr_of(head, context.signed);
        let name = tag_name(head.tag);
        let value = if is_pixel_data(head.tag) {
            self.left_in_file(head, vr, context)?
        } else if vr == *b"SQ" || head.length.is_none() {
            self.sequence_or_bulk(head, context)?
        } else if head.length.is_some_and(|length| length > INLINE_BYTES_MAX) {
            self.left_in_file(head, vr, context)?
        } else {
            let value = self.elements.value(head)?;
            self.spend(value.len() * 3)?;
            let value = swapped(value, vr, self.encoding.big_endian);
            remember(head.tag, &value, context);
            primitive(vr, &value, &context.set)
        };
        object.insert(name, value);
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), JsonError> {
        self.left = self.left.checked_sub(bytes).ok_or(JsonError::TooLarge)?;
        Ok(())
    }

    fn left_in_file(
        &mut self,
        head: &ElementHead,
        vr: [u8; 2],
        context: &Context,
    ) -> Result<Value, JsonError> {
        self.elements.pass(head, self.encoding)?;
        let uri = format!("{}/{}", context.at, tag_name(head.tag));
        Ok(json!({ "vr": vr_text(vr), "BulkDataURI": uri }))
    }

    /// A sequence whose length is known and whose items do not read is left in the file.
    fn sequence_or_bulk(&mut self, head: &ElementHead, context: &Context) -> Result<Value, JsonError> {
        let outer = self.encoding;
        if head.vr == Some(*b"UN") {
            self.encoding = Encoding::IMPLICIT;
        }
        let items = self.items(head, context);
        self.encoding = outer;
        match (items, head.length) {
            (Ok(items), _) if items.is_empty() => Ok(json!({ "vr": "SQ" })),
            (Ok(items), _) => Ok(json!({ "vr": "SQ", "Value": items })),
            (Err(JsonError::Malformed(_)), Some(length)) => {
                self.elements.go_to(head.value_at + u64::from(length))?;
                let uri = format!("{}/{}", context.at, tag_name(head.tag));
                Ok(json!({ "vr": "UN", "BulkDataURI": uri }))
            }
            (Err(error), _) => Err(error),
        }
    }

    fn items(&mut self, head: &ElementHead, context: &Context) -> Result<Vec<Value>, JsonError> {
        if context.depth >= DEPTH_MAX {
            return Err(Malformed::TooDeep { at: head.value_at }.into());
        }
        let end = head.length.map(|length| head.value_at + u64::from(length));
        let mut items = Vec::new();
        while end.is_none_or(|end| self.elements.at() < end) {
            let item = self.next(head)?;
            match item.tag {
                ITEM => {
                    let at = format!("{}/{}/{}", context.at, tag_name(head.tag), items.len());
                    let inner = Context { at, depth: context.depth + 1, ..context.clone() };
                    items.push(self.item(&item, inner)?);
                }
                SEQUENCE_END if end.is_none() => break,
                _ => return Err(Malformed::NotAnItem { at: item.value_at }.into()),
            }
        }
        Ok(items)
    }

    fn item(&mut self, item: &ElementHead, mut context: Context) -> Result<Value, JsonError> {
        self.spend(ELEMENT_BYTES)?;
        let end = item.length.map(|length| item.value_at + u64::from(length));
        let mut object = Map::new();
        while end.is_none_or(|end| self.elements.at() < end) {
            let head = self.next(item)?;
            if head.tag == ITEM_END && end.is_none() {
                break;
            }
            if head.tag.0 == 0xFFFE {
                return Err(Malformed::NotAnItem { at: head.value_at }.into());
            }
            self.element(&head, &mut context, &mut object)?;
        }
        Ok(Value::Object(object))
    }

    fn next(&mut self, around: &ElementHead) -> Result<ElementHead, Malformed> {
        let next = self.elements.next_head_in(self.encoding)?;
        next.ok_or(Malformed::EndsInside { tag: around.tag, at: around.value_at })
    }
}

/// Keeps what later elements are read by.
fn remember(tag: Tag, value: &[u8], context: &mut Context) {
    match tag {
        (0x0008, 0x0005) => {
            context.set = String::from_utf8_lossy(value).trim_matches(['\0', ' ']).to_owned();
        }
        (0x0028, 0x0103) => context.signed = value.first() == Some(&1),
        _ => {}
    }
}

/// The value of an element that is no sequence; absent where it is empty.
fn primitive(vr: [u8; 2], value: &[u8], set: &str) -> Value {
    let name = vr_text(vr);
    if value.is_empty() {
        return json!({ "vr": name });
    }
    let several = |values: Vec<Value>| {
        if values.iter().all(Value::is_null) {
            json!({ "vr": name })
        } else {
            json!({ "vr": name, "Value": values })
        }
    };
    match &vr {
        b"PN" => several(person_names(&decode_text(set, value))),
        b"LO" | b"SH" | b"UC" => several(texts(&decode_text(set, value))),
        b"ST" | b"LT" | b"UT" | b"UR" => {
            let text = decode_text(set, value);
            several(vec![Value::from(text.trim_end_matches(['\0', ' ']))])
        }
        b"AE" | b"AS" | b"CS" | b"DA" | b"DT" | b"TM" | b"UI" => {
            several(texts(&String::from_utf8_lossy(value)))
        }
        b"DS" | b"IS" => several(numbers_of_text(&String::from_utf8_lossy(value))),
        b"AT" | b"FL" | b"FD" | b"SL" | b"SS" | b"SV" | b"UL" | b"US" | b"UV" => {
            several(binary_values(vr, value))
        }
        _ => {
            let inline = base64::engine::general_purpose::STANDARD.encode(value);
            json!({ "vr": name, "InlineBinary": inline })
        }
    }
}

fn texts(text: &str) -> Vec<Value> {
    let value = |part: &str| {
        let part = part.trim_matches(['\0', ' ']);
        if part.is_empty() { Value::Null } else { Value::from(part) }
    };
    text.split('\\').map(value).collect()
}

fn vr_text(vr: [u8; 2]) -> String {
    vr.map(char::from).iter().collect()
}

/// Eight hexadecimal digits, as keys of the model and paths of bulk data have them.
fn tag_name(tag: Tag) -> String {
    format!("{:04X}{:04X}", tag.0, tag.1)
}

fn is_pixel_data(tag: Tag) -> bool {
    matches!(tag, (0x7FE0, 0x0008..=0x0010))
}
