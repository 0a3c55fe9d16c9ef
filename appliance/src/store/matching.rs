//! How a query value matches (PS3.4 C.2.2.2): single values, wildcards, ranges, UID lists, names.

/// One value to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matcher {
    /// One of these, exactly.
    AnyOf(Vec<String>),
    /// `*` any text, `?` any character.
    Pattern(String),
    /// The same on folded text: names and descriptions.
    Folded(String),
    /// Each word is the beginning of a word of the name.
    Words(Vec<String>),
    /// From and to, either may be open; dates and times compare as text.
    Range(String, String),
    Number(i64),
}

impl Matcher {
    pub fn text(value: &str) -> Self {
        Self::Pattern(value.to_owned())
    }

    pub fn folded_text(value: &str) -> Self {
        Self::Folded(folded(value.trim_end_matches('^')))
    }

    /// Fuzzy matching of names.
    pub fn words(value: &str) -> Self {
        let folded = folded(value);
        Self::Words(words(&folded).map(str::to_owned).collect())
    }

    /// A UID or code list, separated by commas or backslashes.
    pub fn any_of(value: &str) -> Self {
        Self::AnyOf(value.split([',', '\\']).map(|part| part.trim().to_owned()).collect())
    }

    /// `a-b`, `a-`, `-b` or one value; separators of the retired formats (`2024.02.29`, `12:30`) are dropped.
    pub fn range(value: &str) -> Self {
        let plain: String = value.chars().filter(|c| !matches!(c, '.' | ':' | ' ')).collect();
        match plain.split_once('-') {
            Some((from, to)) => Self::Range(from.to_owned(), to.to_owned()),
            None => Self::Range(plain.clone(), plain),
        }
    }

    /// Whether `value` matches; for [`Matcher::Folded`] and [`Matcher::Words`] it is folded already.
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::AnyOf(list) => list.iter().any(|one| one == value),
            Self::Pattern(pattern) => wildcard(pattern, value),
            Self::Folded(pattern) => {
                let group = |group: &str| wildcard(pattern, group.trim_end_matches('^'));
                wildcard(pattern, value.trim_end_matches('^')) || value.split('=').any(group)
            }
            Self::Words(wanted) => {
                wanted.iter().all(|wanted| words(value).any(|word| word.starts_with(wanted.as_str())))
            }
            Self::Range(from, to) => in_range(from, to, value),
            Self::Number(number) => value.trim().parse() == Ok(*number),
        }
    }
}

/// Values are as precise as they are: 1200 matches 120000 and lies between 11 and 12.
fn in_range(from: &str, to: &str, value: &str) -> bool {
    let value = value.split('.').next().unwrap_or_default();
    let first = |length: usize| value.get(..length.min(value.len())).unwrap_or(value);
    !value.is_empty()
        && (from.is_empty() || first(from.len()) >= from)
        && (to.is_empty() || first(to.len()) <= to)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Lower case without the accents that people leave out when they search.
pub(super) fn folded(text: &str) -> String {
    let plain = |c: char| match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è'..='ë' | 'ē' | 'ę' | 'ě' => 'e',
        'ì'..='ï' | 'ī' | 'ı' => 'i',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => 'o',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => 'u',
        'ý' | 'ÿ' => 'y',
        'ś' | 'š' | 'ş' => 's',
        'ź' | 'ż' | 'ž' => 'z',
        'ł' => 'l',
        'ř' => 'r',
        'ť' => 't',
        'ď' | 'đ' => 'd',
        'ğ' => 'g',
        other => other,
    };
    text.chars().flat_map(char::to_lowercase).map(plain).collect()
}

/// Time grows with pattern times text, never exponentially, whatever a stranger asks.
fn wildcard(pattern: &str, text: &str) -> bool {
    if !pattern.contains(['*', '?']) {
        return pattern == text;
    }
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                None => return false,
                Some((star_p, star_t)) => {
                    star = Some((star_p, star_t + 1));
                    p = star_p + 1;
                    t = star_t + 1;
                }
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_the_standard_says() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbb", false),
            ("?b", "ab", true),
            ("?b", "b", false),
            ("*x*", "axb", true),
            ("a", "A", false),
            ("a*a*a*a*b", &"a".repeat(5000), false),
        ] {
            assert_eq!(Matcher::text(pattern).matches(text), expected, "{pattern}");
        }
    }

    #[test]
    fn names_match_whatever_the_case_and_in_any_group() {
        let name = folded("Yamada^Tarou=山田^太郎=やまだ^たろう");
        assert!(Matcher::folded_text("YAMADA^tarou").matches(&name));
        assert!(Matcher::folded_text("山田*").matches(&name));
        assert!(!Matcher::folded_text("Yamada").matches(&name));
        assert!(Matcher::words("tarou yam").matches(&name));
        assert!(!Matcher::words("tarou x").matches(&name));
        assert!(Matcher::folded_text("buc^jerome^^^").matches(&folded("Buc^Jérôme")));
    }

    #[test]
    fn ranges_are_closed_and_may_be_open_ended() {
        for (range, value, expected) in [
            ("20240101-20241231", "20240229", true),
            ("20240101-20241231", "20250101", false),
            ("20240229", "20240229", true),
            ("-20240229", "20240229", true),
            ("20240301-", "20240229", false),
            ("20240101-", "", false),
            ("1200-1300", "130000.5", true),
            ("1200-1300", "130101", false),
            ("12:30", "123059", true),
        ] {
            assert_eq!(Matcher::range(range).matches(value), expected, "{range} {value}");
        }
    }
}
