//! Takes a `multipart/related` body apart as it arrives (RFC 2046 5.1).
//!
//! Bytes in, events out: no sockets, no files, no memory beyond one part header and the bytes that may still turn
//! out to be a boundary. Part headers, preamble and boundary have bounds; the parts themselves have none, they are
//! passed on as they come.

use memchr::memmem::Finder;

use super::accept::split_outside_quotes;

/// Part headers of real clients have two short lines.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// RFC 2046 5.1.1.
const BOUNDARY_BYTES_MAX: usize = 70;
const PREAMBLE_BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MultipartError {
    #[error("Content-Type: a multipart body needs a boundary of 1 to 70 characters")]
    Boundary,
    #[error("the body does not begin with the boundary that Content-Type names")]
    NoBoundary,
    #[error("a part's headers are longer than {HEADER_BYTES_MAX} bytes")]
    HeaderTooLong,
    #[error("a boundary is followed by something else than a line end")]
    AfterBoundary,
}

/// What was found in the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A part begins; its Content-Type, empty where it has none.
    Part(String),
    Data(Vec<u8>),
    PartEnd,
    /// The closing boundary; what follows is nothing.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    AfterBoundary,
    Header,
    Data,
    Done,
}

#[derive(Debug)]
pub(super) struct MultipartReader {
    finder: Finder<'static>,
    buffer: Vec<u8>,
    state: State,
    passed: usize,
}

/// The boundary of a Content-Type and the media type of the parts.
pub(super) fn boundary_of(content_type: &str) -> Result<(String, String), MultipartError> {
    let (mut boundary, mut media) = (String::new(), String::new());
    for part in split_outside_quotes(content_type, ';').into_iter().skip(1) {
        let Some((name, value)) = part.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "boundary" => boundary = value.to_owned(),
            "type" => media = value.to_ascii_lowercase(),
            _ => {}
        }
    }
    let fits = (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len());
    if fits { Ok((boundary, media)) } else { Err(MultipartError::Boundary) }
}

impl MultipartReader {
    pub(super) fn new(boundary: &str) -> Self {
        let finder = Finder::new(&format!("\r\n--{boundary}")).into_owned();
        // The first boundary needs no line end before it.
        Self { finder, buffer: b"\r\n".to_vec(), state: State::Preamble, passed: 0 }
    }

    /// Whether the closing boundary was seen.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, MultipartError> {
        let mut events = Vec::new();
        if self.state == State::Done {
            return Ok(events);
        }
        self.buffer.extend_from_slice(bytes);
        loop {
            let goes_on = match self.state {
                State::Preamble => self.preamble()?,
                State::AfterBoundary => self.after_boundary(&mut events)?,
                State::Header => self.header(&mut events)?,
                State::Data => self.data(&mut events),
                State::Done => false,
            };
            if !goes_on {
                return Ok(events);
            }
        }
    }

    fn preamble(&mut self) -> Result<bool, MultipartError> {
        if let Some(at) = self.finder.find(&self.buffer) {
            self.cut(at + self.finder.needle().len());
            self.state = State::AfterBoundary;
            return Ok(true);
        }
        let passed = self.uncertain();
        self.passed += passed;
        self.cut(passed);
        if self.passed > PREAMBLE_BYTES_MAX { Err(MultipartError::NoBoundary) } else { Ok(false) }
    }

    fn after_boundary(&mut self, events: &mut Vec<Event>) -> Result<bool, MultipartError> {
        if self.buffer.starts_with(b"--") {
            self.state = State::Done;
            self.buffer = Vec::new();
            events.push(Event::End);
            return Ok(false);
        }
        // Blanks may follow a boundary.
        let blanks = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match self.buffer.get(blanks..blanks + 2) {
            Some(b"\r\n") => {
                // The line end stays: a header section without any header is an empty line.
                self.cut(blanks);
                self.state = State::Header;
                Ok(true)
            }
            Some(_) => Err(MultipartError::AfterBoundary),
            None if blanks > HEADER_BYTES_MAX => Err(MultipartError::AfterBoundary),
            None => Ok(false),
        }
    }

    fn header(&mut self, events: &mut Vec<Event>) -> Result<bool, MultipartError> {
        match memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
            Some(end) if end <= HEADER_BYTES_MAX => {
                let header = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                // The blank line's second half may be the beginning of the next boundary.
                self.cut(end + 2);
                self.cut(2);
                self.state = State::Data;
                events.push(Event::Part(content_type(&header)));
                // An empty part: its boundary follows the blank line at once.
                self.buffer.splice(0..0, *b"\r\n");
                if !self.starts_with_boundary() {
                    self.cut(2);
                }
                Ok(true)
            }
            None if self.buffer.len() <= HEADER_BYTES_MAX => Ok(false),
            _ => Err(MultipartError::HeaderTooLong),
        }
    }

    fn starts_with_boundary(&self) -> bool {
        self.buffer.starts_with(self.finder.needle())
    }

    fn data(&mut self, events: &mut Vec<Event>) -> bool {
        let found = self.finder.find(&self.buffer);
        let whole = found.unwrap_or_else(|| self.uncertain());
        if whole > 0 {
            events.push(Event::Data(self.buffer[..whole].to_vec()));
        }
        if found.is_some() {
            events.push(Event::PartEnd);
            self.cut(whole + self.finder.needle().len());
            self.state = State::AfterBoundary;
            return true;
        }
        self.cut(whole);
        false
    }

    /// Bytes that cannot be the beginning of a boundary any more.
    fn uncertain(&self) -> usize {
        self.buffer.len().saturating_sub(self.finder.needle().len() - 1)
    }

    fn cut(&mut self, count: usize) {
        self.buffer.drain(..count);
    }
}

fn content_type(header: &str) -> String {
    let lines = header.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut types = lines.filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-type"));
    types.next().map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type and bytes of each part.
    type Parts = Vec<(String, Vec<u8>)>;

    /// The parts, whatever way the body is cut into chunks, and whether it came to its end.
    fn parts(body: &[u8], chunk: usize) -> Result<(Parts, bool), MultipartError> {
        let mut reader = MultipartReader::new("b-1");
        let mut parts = Parts::new();
        for bytes in body.chunks(chunk) {
            for event in reader.feed(bytes)? {
                match event {
                    Event::Part(media) => parts.push((media, Vec::new())),
                    Event::Data(data) => parts.last_mut().expect("data has a part").1.extend(data),
                    Event::PartEnd | Event::End => {}
                }
            }
            assert!(
                reader.buffer.len() <= HEADER_BYTES_MAX + 2 * chunk + 100,
                "the reader keeps what it passed on"
            );
        }
        Ok((parts, reader.is_done()))
    }

    #[test]
    fn parts_come_out_whole_however_the_body_is_cut() {
        let body = b"\r\n--b-1\r\nContent-Type: application/dicom\r\n\r\none\r\n-\r\n--b\r\n--b-1 \r\ncontent-type:x\r\n\r\n\r\n--b-1\r\n\r\ntwo\r\n--b-1--\r\nrest";
        let expected = vec![
            ("application/dicom".to_owned(), b"one\r\n-\r\n--b".to_vec()),
            ("x".to_owned(), Vec::new()),
            (String::new(), b"two".to_vec()),
        ];
        for chunk in [1, 2, 3, 7, 1000] {
            assert_eq!(parts(body, chunk), Ok((expected.clone(), true)), "chunks of {chunk}");
        }
        assert_eq!(parts(b"--b-1\r\n\r\nx\r\n--b-1--", 4), Ok((vec![(String::new(), b"x".to_vec())], true)));
    }

    #[test]
    fn a_body_that_ends_early_is_known_to() {
        let (found, done) = parts(b"--b-1\r\n\r\nhalf of it", 5).unwrap();
        assert_eq!((found.len(), done), (1, false));
    }

    #[test]
    fn hostile_bodies_are_refused_and_cost_no_memory() {
        let endless = [b"--b-1\r\nX: ".to_vec(), vec![b'a'; HEADER_BYTES_MAX * 2]].concat();
        assert_eq!(parts(&endless, 1000).unwrap_err(), MultipartError::HeaderTooLong);
        assert_eq!(parts(&vec![b'x'; PREAMBLE_BYTES_MAX * 2], 1000).unwrap_err(), MultipartError::NoBoundary);
        assert_eq!(parts(b"--b-1x\r\n\r\n", 3).unwrap_err(), MultipartError::AfterBoundary);
        assert_eq!(parts(b"--b-2\r\n\r\nx\r\n--b-2--", 3), Ok((Vec::new(), false)), "another boundary");
        let many = [b"--b-1".to_vec(), b"\r\n\r\n\r\n--b-1".repeat(100_000)].concat();
        assert_eq!(parts(&many, 4096).unwrap().0.len(), 100_000);
    }

    #[test]
    fn the_boundary_is_read_quoted_or_not() {
        let quoted = "multipart/related; type=\"application/dicom\"; boundary=\"a b;c\"";
        assert_eq!(boundary_of(quoted), Ok(("a b;c".into(), "application/dicom".into())));
        assert_eq!(boundary_of("multipart/related;boundary=abc").unwrap().0, "abc");
        for text in [
            "multipart/related",
            "multipart/related; boundary=\"\"",
            &format!("x; boundary={}", "b".repeat(71)),
        ] {
            assert_eq!(boundary_of(text), Err(MultipartError::Boundary), "{text}");
        }
    }
}
