//! Widths and codes of Helvetica's letters: the PDF uses the fonts every reader has, so nothing is embedded.

/// Adobe's metrics of Helvetica for the characters from space to tilde, in thousandths of the font size.
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];
/// Letters beyond ASCII are about as wide as an `n`.
const OTHER: u16 = 556;
/// The bold cut is at most this much wider over a line.
const BOLD: f32 = 1.08;

/// Width of a text in points.
pub(super) fn width_pt(words: &str, size_pt: f32, bold: bool) -> f32 {
    let one = |letter: char| {
        let index = (letter as usize).checked_sub(0x20);
        f32::from(index.and_then(|index| HELVETICA.get(index)).copied().unwrap_or(OTHER))
    };
    let plain = words.chars().map(one).sum::<f32>() * size_pt / 1000.0;
    if bold { plain * BOLD } else { plain }
}

/// WinAnsi codes; a letter outside them shows as a question mark.
pub(super) fn win_ansi(words: &str) -> Vec<u8> {
    let code = |letter: char| match letter {
        ' '..='~' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(letter)).unwrap_or(b'?'),
        '–' => 0x96,
        '—' => 0x97,
        '…' => 0x85,
        '≥' => b'>',
        _ => b'?',
    };
    words.chars().map(code).collect()
}

/// Breaks a text into lines of at most this width.
pub(super) fn lines(words: &str, size_pt: f32, width: f32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if line.is_empty() || width_pt(&longer, size_pt, false) <= width {
            *line = longer;
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_asked_and_no_word_is_lost() {
        let words = "Candidate calcium was looked for automatically in the surroundings of the heart.";
        let found = lines(words, 9.0, 120.0);
        assert!(found.len() > 1);
        assert!(found.iter().all(|line| width_pt(line, 9.0, false) <= 120.0), "{found:?}");
        assert_eq!(found.join(" "), words);
    }

    #[test]
    fn letters_the_font_lacks_are_marked_and_western_ones_kept() {
        assert_eq!(win_ansi("Müller–山"), [b'M', 0xFC, b'l', b'l', b'e', b'r', 0x96, b'?']);
    }
}
