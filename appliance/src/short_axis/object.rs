//! One cut slice as a CT object: its source's data set with another geometry, other pixels and another name.

use std::collections::BTreeMap;
use std::io::Write;

use sidelight_kernels::rendering::PlanePlace;

use crate::imaging::FrameSource;
use crate::part10::{Elements, Header, Malformed, PixelReplacement, Tag, padded, rewrite_explicit};
use crate::store::own_objects::derived_uid;
use crate::uid::SeriesUid;

const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
const DESCRIPTION: &str = "Short axis, cut by Sidelight";
/// What series of our own making are numbered from: behind those of a scanner.
const SERIES_NUMBER: &str = "9001";

/// Why a slice became no object. Says nothing about whom.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error("the source image does not read back: {0}")]
    Source(#[from] Malformed),
}

/// Header and data set of a slice of `values` in Hounsfield units, `slice_mm` thick.
pub(super) fn object(
    source: &FrameSource,
    series: &SeriesUid,
    number: usize,
    (place, slice_mm): (&PlanePlace, f64),
    values: &[i16],
) -> Result<(Header, Vec<u8>), ObjectError> {
    let (mut header, mut elements) = Elements::open(&source.path)?;
    let uid = derived_uid(&["short axis slice", series.as_str(), &number.to_string()]);
    header.transfer_syntax = EXPLICIT_LITTLE_ENDIAN.to_owned();
    header.sop_instance.clone_from(&uid);
    let pixels: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut data_set = Vec::with_capacity(pixels.len() + (8 << 10));
    let mut write = |out: &mut dyn Write| out.write_all(&pixels).map_err(Malformed::Io);
    let replacement = PixelReplacement {
        attributes: attributes(&uid, series, number, place, slice_mm),
        vr: *b"OW",
        length: u32::try_from(pixels.len()).expect("a slice of 200 x 200"),
        write: &mut write,
    };
    rewrite_explicit(&mut elements, &mut data_set, Some(replacement))?;
    Ok((header, data_set))
}

fn attributes(
    uid: &str,
    series: &SeriesUid,
    number: usize,
    place: &PlanePlace,
    slice_mm: f64,
) -> BTreeMap<Tag, ([u8; 2], Vec<u8>)> {
    let spacing = |direction: [f64; 3]| direction.iter().map(|part| part * part).sum::<f64>().sqrt();
    let (across, down) = (spacing(place.right_mm), spacing(place.down_mm));
    let cosines =
        place.right_mm.iter().map(|part| part / across).chain(place.down_mm.iter().map(|part| part / down));
    let decimals = |values: &mut dyn Iterator<Item = f64>| values.map(decimal).collect::<Vec<_>>().join("\\");
    let text = |vr: &[u8; 2], value: String| (*vr, padded(&value, if vr == b"UI" { 0 } else { b' ' }));
    let short = |value: u16| (*b"US", value.to_le_bytes().to_vec());
    let side = |side: u32| short(u16::try_from(side).expect("200"));
    BTreeMap::from([
        ((0x0008, 0x0008), text(b"CS", "DERIVED\\SECONDARY\\MPR".into())),
        ((0x0008, 0x0018), text(b"UI", uid.into())),
        ((0x0008, 0x103E), text(b"LO", DESCRIPTION.into())),
        ((0x0008, 0x2111), text(b"ST", "Slab average across the heart's long axis, set by a reader".into())),
        ((0x0018, 0x0050), text(b"DS", decimal(slice_mm))),
        ((0x0018, 0x0088), text(b"DS", decimal(slice_mm))),
        ((0x0020, 0x000E), text(b"UI", series.as_str().into())),
        ((0x0020, 0x0011), text(b"IS", SERIES_NUMBER.into())),
        ((0x0020, 0x0013), text(b"IS", number.to_string())),
        ((0x0020, 0x0032), text(b"DS", decimals(&mut place.origin_mm.into_iter()))),
        ((0x0020, 0x0037), text(b"DS", decimals(&mut cosines.clone()))),
        ((0x0028, 0x0010), side(place.rows)),
        ((0x0028, 0x0011), side(place.columns)),
        ((0x0028, 0x0030), text(b"DS", decimals(&mut [down, across].into_iter()))),
        ((0x0028, 0x0100), short(16)),
        ((0x0028, 0x0101), short(16)),
        ((0x0028, 0x0102), short(15)),
        ((0x0028, 0x0103), short(1)),
        ((0x0028, 0x1052), text(b"DS", "0".into())),
        ((0x0028, 0x1053), text(b"DS", "1".into())),
    ])
}

/// At most 16 characters (PS3.5 6.2, DS).
fn decimal(value: f64) -> String {
    let mut text = format!("{value:.9}");
    text.truncate(16);
    text
}
