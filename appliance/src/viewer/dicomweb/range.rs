//! `Range` of a request for bulk data (RFC 9110 section 14): one range of bytes. Several at once are not cut out: the
//! whole value is sent, as the RFC allows.

use axum::http::header::{CONTENT_RANGE, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::viewer::error::ApiError;

/// A part of a value: from the first byte on, so many, of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::viewer) struct Cut {
    pub first: u64,
    pub count: u64,
    pub whole: u64,
}

/// What a range header asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::viewer) enum Asked {
    Whole,
    Part(Cut),
    /// It begins behind the end.
    Impossible,
}

impl Cut {
    /// Value of Content-Range.
    pub(in crate::viewer) fn words(&self) -> String {
        format!("bytes {}-{}/{}", self.first, self.first + self.count - 1, self.whole)
    }
}

/// A range of a value of `whole` bytes.
pub(in crate::viewer) fn asked(headers: &HeaderMap, whole: u64) -> Asked {
    let text = headers.get(RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Asked::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (first, end) = match (first.trim(), last.trim()) {
        // The last so many bytes.
        ("", last) => match number(last) {
            Some(count) => (whole.saturating_sub(count), whole),
            None => return Asked::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) if last >= first => (first, last.saturating_add(1).min(whole)),
            (Some(first), None) if last.is_empty() => (first, whole),
            _ => return Asked::Whole,
        },
    };
    if first >= end { Asked::Impossible } else { Asked::Part(Cut { first, count: end - first, whole }) }
}

/// 416, with the length that there is.
pub(in crate::viewer) fn impossible(whole: u64) -> Response {
    let sentence = format!("Range: the value has {whole} bytes");
    let mut response = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, sentence).into_response();
    let length = format!("bytes */{whole}").parse().expect("a number is a header value");
    response.headers_mut().insert(CONTENT_RANGE, length);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &'static str, whole: u64) -> Asked {
        asked(&HeaderMap::from_iter([(RANGE, text.parse().unwrap())]), whole)
    }

    fn part(first: u64, count: u64) -> Asked {
        Asked::Part(Cut { first, count, whole: 100 })
    }

    #[test]
    fn one_range_is_cut_out_whichever_way_it_is_said() {
        assert_eq!(of("bytes=0-9", 100), part(0, 10));
        assert_eq!(of("bytes=90-", 100), part(90, 10));
        assert_eq!(of("bytes=-5", 100), part(95, 5));
        assert_eq!(of("bytes=-500", 100), part(0, 100));
        assert_eq!(of("bytes=50-18446744073709551615", 100), part(50, 50));
        let Asked::Part(cut) = of("bytes=10-19", 100) else { panic!("a range") };
        assert_eq!(cut.words(), "bytes 10-19/100");
    }

    #[test]
    fn what_is_no_single_range_gives_the_whole_and_what_lies_behind_the_end_nothing() {
        for text in ["bytes=0-1,5-6", "bytes=9-1", "bytes=a-b", "items=0-1", "bytes=", "bytes=5"] {
            assert_eq!(of(text, 100), Asked::Whole, "{text}");
        }
        assert_eq!(asked(&HeaderMap::new(), 100), Asked::Whole);
        assert_eq!(of("bytes=100-", 100), Asked::Impossible);
        assert_eq!(of("bytes=0-0", 0), Asked::Impossible);
        assert_eq!(of("bytes=-0", 100), Asked::Impossible);
    }
}
