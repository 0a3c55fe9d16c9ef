//! Text in the character sets of PS3.3 C.12.1.1.2, code extensions (ISO 2022, PS3.5 6.1.2.5) included.
//!
//! A byte that no set explains becomes a replacement mark; nothing is refused, because a name that shows wrong is
//! better than a study that does not show. What comes out is Unicode; nothing is ever written back in another set.

use encoding_rs::Encoding;

const ESCAPE: u8 = 0x1B;

/// One designated set. Everything but the four below is one byte a character.
#[derive(Clone, Copy, PartialEq)]
enum Set {
    Ascii,
    /// A single-byte set, or UTF-8, GB18030 and GBK, which need no escapes.
    Whole(&'static Encoding),
    Katakana,
    Jis0208,
    Jis0212,
    Ksx1001,
    Gb2312,
}

/// Decodes a value; `declared` is the whole value of Specific Character Set (0008,0005).
pub fn decode_text(declared: &str, bytes: &[u8]) -> String {
    let first = set_of_term(declared.split('\\').next().unwrap_or_default());
    if !bytes.contains(&ESCAPE) {
        return decode_in(first, bytes);
    }
    let (mut low, mut high) = (Set::Ascii, first);
    let mut text = String::new();
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == ESCAPE) {
        decode_segment(low, high, &rest[..at], &mut text);
        rest = match designation(&rest[at + 1..]) {
            Some((length, set @ (Set::Ascii | Set::Jis0208 | Set::Jis0212))) => {
                low = set;
                &rest[at + 1 + length..]
            }
            Some((length, set)) => {
                high = set;
                &rest[at + 1 + length..]
            }
            None => &rest[at + 1..],
        };
    }
    decode_segment(low, high, rest, &mut text);
    text
}

/// The set a Defined Term names, however the sender spells `ISO_IR`.
fn set_of_term(term: &str) -> Set {
    let term = term.trim().to_ascii_uppercase();
    match term.as_str() {
        "GB18030" => return Set::Whole(encoding_rs::GB18030),
        "GBK" => return Set::Whole(encoding_rs::GBK),
        _ => {}
    }
    match term.rsplit([' ', '_', '-']).next().unwrap_or_default() {
        "13" => Set::Katakana,
        "87" => Set::Jis0208,
        "159" => Set::Jis0212,
        "149" => Set::Ksx1001,
        "58" => Set::Gb2312,
        number => by_registration(number).map_or(Set::Ascii, Set::Whole),
    }
}

/// Encodings by their ISO-IR registration number.
fn by_registration(number: &str) -> Option<&'static Encoding> {
    Some(match number {
        "100" => encoding_rs::WINDOWS_1252,
        "101" => encoding_rs::ISO_8859_2,
        "109" => encoding_rs::ISO_8859_3,
        "110" => encoding_rs::ISO_8859_4,
        "144" => encoding_rs::ISO_8859_5,
        "127" => encoding_rs::ISO_8859_6,
        "126" => encoding_rs::ISO_8859_7,
        "138" => encoding_rs::ISO_8859_8,
        "148" => encoding_rs::WINDOWS_1254,
        "203" => encoding_rs::ISO_8859_15,
        "166" => encoding_rs::WINDOWS_874,
        "192" => encoding_rs::UTF_8,
        _ => return None,
    })
}

/// The set an escape sequence designates and the sequence's length without ESC (PS3.3 tables C.12-3 and C.12-4).
fn designation(after: &[u8]) -> Option<(usize, Set)> {
    let multi = [
        (&b"$B"[..], Set::Jis0208),
        (b"$@", Set::Jis0208),
        (b"$(D", Set::Jis0212),
        (b"$)C", Set::Ksx1001),
        (b"$)A", Set::Gb2312),
        (b"(B", Set::Ascii),
        // Romaji differs from ASCII in two signs, and DICOM reads its yen sign as a backslash.
        (b"(J", Set::Ascii),
        (b")I", Set::Katakana),
    ];
    if let Some((sequence, set)) = multi.iter().find(|(sequence, _)| after.starts_with(sequence)) {
        return Some((sequence.len(), *set));
    }
    let number = match after {
        [b'-', b'A', ..] => "100",
        [b'-', b'B', ..] => "101",
        [b'-', b'C', ..] => "109",
        [b'-', b'D', ..] => "110",
        [b'-', b'L', ..] => "144",
        [b'-', b'G', ..] => "127",
        [b'-', b'F', ..] => "126",
        [b'-', b'H', ..] => "138",
        [b'-', b'M', ..] => "148",
        [b'-', b'b', ..] => "203",
        [b'-', b'T', ..] => "166",
        _ => return None,
    };
    Some((2, Set::Whole(by_registration(number)?)))
}

/// Bytes between two escapes: those below 80H are of one set, the others of the other.
fn decode_segment(low: Set, high: Set, bytes: &[u8], text: &mut String) {
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        let is_high = *first >= 0x80;
        let end = rest.iter().position(|byte| (*byte >= 0x80) != is_high).unwrap_or(rest.len());
        let set = if is_high { high } else { low };
        text.push_str(&decode_in(set, &rest[..end]));
        rest = &rest[end..];
    }
}

fn decode_in(set: Set, bytes: &[u8]) -> String {
    let with = |encoding: &'static Encoding, bytes: &[u8]| {
        encoding.decode_without_bom_handling(bytes).0.into_owned()
    };
    match set {
        // Beyond ASCII without a declaration: most such objects are UTF-8, the others Latin-1.
        Set::Ascii => {
            std::str::from_utf8(bytes).map_or_else(|_| with(encoding_rs::WINDOWS_1252, bytes), str::to_owned)
        }
        Set::Whole(encoding) => with(encoding, bytes),
        Set::Katakana => bytes.iter().map(|byte| katakana(*byte)).collect(),
        // EUC shifts both sets of kanji to the upper half, the second one behind 8FH.
        Set::Jis0208 => with(encoding_rs::EUC_JP, &upper_half(bytes)),
        Set::Jis0212 => {
            let shifted = upper_half(bytes);
            let marked: Vec<u8> = shifted.chunks(2).flat_map(|pair| [&[0x8F], pair].concat()).collect();
            with(encoding_rs::EUC_JP, &marked)
        }
        Set::Ksx1001 => with(encoding_rs::EUC_KR, bytes),
        Set::Gb2312 => with(encoding_rs::GBK, bytes),
    }
}

fn upper_half(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| if (0x21..0x7F).contains(byte) { byte | 0x80 } else { *byte }).collect()
}

/// JIS X 0201: half-width katakana from A1H.
fn katakana(byte: u8) -> char {
    match byte {
        0xA1..=0xDF => char::from_u32(0xFF61 + u32::from(byte) - 0xA1).unwrap_or('\u{FFFD}'),
        0x00..=0x7F => char::from(byte),
        _ => '\u{FFFD}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of PS3.5 annexes H, I, J and K.
    #[test]
    fn the_standards_own_examples_read_as_it_says() {
        let japanese =
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B";
        assert_eq!(decode_text("\\ISO 2022 IR 87", japanese), "Yamada^Tarou=山田^太郎=やまだ^たろう");
        let katakana = b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J";
        assert_eq!(decode_text("ISO 2022 IR 13\\ISO 2022 IR 87", katakana), "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎");
        let korean =
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf";
        assert_eq!(decode_text("\\ISO 2022 IR 149", korean), "Hong^Gildong=洪^吉洞=홍^길동");
        let utf8 = "Wang^XiaoDong=王^小东".as_bytes();
        assert_eq!(decode_text("ISO_IR 192", utf8), "Wang^XiaoDong=王^小东");
        let gb18030 = b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab";
        assert_eq!(decode_text("GB18030", gb18030), "Wang^XiaoDong=王^小东");
    }

    #[test]
    fn single_byte_sets_and_their_misspellings_are_read() {
        for (term, byte, sign) in [
            ("ISO_IR 100", 0xE4, "ä"),
            ("ISO-IR 100", 0xE4, "ä"),
            ("ISO 2022 IR 100", 0xE4, "ä"),
            ("ISO_IR 144", 0xD6, "ж"),
            ("ISO_IR 126", 0xE1, "α"),
            ("ISO_IR 148", 0xFD, "ı"),
            ("ISO_IR 166", 0xA1, "ก"),
            ("", 0xE4, "ä"),
        ] {
            assert_eq!(decode_text(term, &[byte]), sign, "{term}");
        }
        let greek_and_russian = b"\x1b-F\xc4\xe9\xef\xed^\x1b-L\xbb\xee\xda";
        assert_eq!(
            decode_text("ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126", greek_and_russian),
            "Διον^Люк"
        );
    }

    #[test]
    fn nonsense_ends_and_shows_a_mark() {
        assert_eq!(decode_text("ISO 2022 IR 87", b"\x1b"), "");
        assert_eq!(decode_text("\\ISO 2022 IR 87", b"\x1b$Ba"), "\u{FFFD}");
        assert_eq!(decode_text("ISO 9999", b"plain"), "plain");
    }
}
