//! Which of two versions is the newer one, by Semantic Versioning 2.0.0 section 11; words that are no such version are
//! compared piece by piece the same way.

use std::cmp::Ordering;

/// The order of two versions; build metadata after `+` says nothing.
pub fn compare(a: &str, b: &str) -> Ordering {
    let plain = |version: &'_ str| version.split('+').next().unwrap_or_default().to_owned();
    let (a, b) = (plain(a), plain(b));
    let parts = |version: &str| match version.split_once('-') {
        Some((core, early)) => (core.to_owned(), Some(early.to_owned())),
        None => (version.to_owned(), None),
    };
    let ((core_a, early_a), (core_b, early_b)) = (parts(&a), parts(&b));
    pieces(&core_a, &core_b, true).then_with(|| match (early_a, early_b) {
        (None, None) => Ordering::Equal,
        // A release is newer than what came before it.
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => pieces(&a, &b, false),
    })
}

/// `core`: a missing number is 0, so that 1 and 1.0.0 are one version.
fn pieces(a: &str, b: &str, core: bool) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (Some(a), Some(b)) => piece(a, b),
            (Some(a), None) if core => piece(a, "0"),
            (None, Some(b)) if core => piece("0", b),
            (Some(_), None) => Ordering::Greater,
            (None, Some(_)) => Ordering::Less,
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Numbers by value and before words.
fn piece(a: &str, b: &str) -> Ordering {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_number_and_what_comes_before_a_release_is_older() {
        // The example of section 11, and around it.
        let rising = [
            "0.9",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.2",
            "1.10",
            "2",
            "10",
        ];
        for (place, older) in rising.iter().enumerate() {
            for newer in &rising[place + 1..] {
                assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
                assert_eq!(compare(newer, older), Ordering::Greater, "{older} {newer}");
            }
        }
        for (a, b) in [("1.0.0+x", "1.0.0+y"), ("1", "1.0.0"), ("1.0.0-rc.1+1", "1.0.0-rc.1")] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }
}
