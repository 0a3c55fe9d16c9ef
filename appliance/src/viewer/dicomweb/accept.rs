//! What a client accepts: media ranges of the Accept header or the `accept` query parameter (PS3.18 8.3.3.1, 8.7).
//!
//! Quoted or not, in any order, with stray separators: clients differ, so reading is generous. What is not
//! understood matches nothing.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// Viewers name every codec they have; more ranges than this are not read.
const RANGES_MAX: usize = 64;

/// One thing the client would take.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    /// Inside `multipart/related`, or `None` of its own: `*/*` and `multipart/related` without a type take both.
    pub multipart: Option<bool>,
    /// Media type of the body or of each part; `*/*` for any.
    pub media: String,
    /// Transfer Syntax UID or `*`.
    pub syntax: Option<String>,
    quality: f32,
}

/// Ranges, the most wanted first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Accept(Vec<Wanted>);

impl Accept {
    /// No header means anything.
    pub(super) fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        let lines: Vec<&str> = match query {
            Some(query) => vec![query],
            None => headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect(),
        };
        let text = lines.join(",");
        let text = if text.trim().is_empty() { "*/*" } else { &text };
        let ranges = split_outside_quotes(text, ',').into_iter().take(RANGES_MAX);
        let mut wanted: Vec<Wanted> =
            ranges.filter_map(wanted).filter(|wanted| wanted.quality > 0.0).collect();
        wanted.sort_by(|a, b| b.quality.total_cmp(&a.quality));
        Self(wanted)
    }

    pub(super) fn ranges(&self) -> impl Iterator<Item = &Wanted> {
        self.0.iter()
    }

    /// The first of `offered` that some range takes on its own, by the client's preference.
    pub(super) fn first_of<'a>(&self, offered: &[&'a str]) -> Option<&'a str> {
        self.0.iter().find_map(|wanted| offered.iter().find(|media| wanted.takes(media)).copied())
    }
}

impl Wanted {
    pub(super) fn takes(&self, media: &str) -> bool {
        let family = self.media.strip_suffix("/*");
        self.media == "*/*"
            || self.media == media
            || family.is_some_and(|family| media.split('/').next() == Some(family))
    }
}

fn wanted(range: &str) -> Option<Wanted> {
    let mut parts = split_outside_quotes(range, ';').into_iter().map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let (mut kind, mut syntax, mut quality) = (None, None, 1.0);
    for part in parts {
        let Some((name, value)) = part.split_once('=') else { continue };
        let value = value.trim().trim_matches('"').trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "type" => kind = Some(value.to_ascii_lowercase()),
            "transfer-syntax" => syntax = Some(value.to_owned()),
            "q" => quality = value.parse().unwrap_or(1.0),
            _ => {}
        }
    }
    Some(match media.as_str() {
        "" => return None,
        "multipart/related" | "multipart/*" => {
            Wanted { multipart: Some(true), media: kind.unwrap_or_else(|| "*/*".into()), syntax, quality }
        }
        "*/*" | "*" => Wanted { multipart: None, media: "*/*".into(), syntax, quality },
        _ => Wanted { multipart: Some(false), media, syntax, quality },
    })
}

pub(super) fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(move |c: char| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(text: &str) -> Vec<Wanted> {
        Accept::of(&HeaderMap::new(), Some(text)).0
    }

    #[test]
    fn quoted_and_unquoted_ranges_in_any_order_mean_the_same() {
        let quoted = accept(r#"multipart/related; type="application/octet-stream"; transfer-syntax="*""#);
        assert_eq!(quoted, accept("multipart/related;transfer-syntax=*;type=application/octet-stream"));
        assert_eq!(
            quoted,
            accept("Multipart/Related; type=\"application/octet-stream\";transfer-syntax=*;,")
        );
        assert_eq!((quoted[0].multipart, quoted[0].syntax.as_deref()), (Some(true), Some("*")));
    }

    #[test]
    fn preference_orders_and_zero_excludes() {
        let ranges = accept("image/png;q=0.5, image/jpeg, image/gif;q=0");
        let media: Vec<&str> = ranges.iter().map(|wanted| wanted.media.as_str()).collect();
        assert_eq!(media, ["image/jpeg", "image/png"]);
        let any = Accept::of(&HeaderMap::new(), None);
        assert_eq!(any.first_of(&["image/jpeg", "image/png"]), Some("image/jpeg"));
        let family = Accept::of(&HeaderMap::new(), Some("image/*"));
        assert_eq!(family.first_of(&["text/plain", "image/png"]), Some("image/png"));
    }

    #[test]
    fn nonsense_matches_nothing_and_ends() {
        for text in ["\"", ";;;,,,", "a;b;c=\"", &"x,".repeat(100_000)] {
            assert!(accept(text).iter().all(|wanted| !wanted.takes("application/dicom")), "{text:.20}");
        }
    }
}
