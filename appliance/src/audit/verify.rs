//! Reads the whole journal and says where it is not what was written.

use std::path::Path;

use super::AuditError;
use super::segment::{Line, NO_LINE_BEFORE, hash, read_head, segments};

/// A journal that was overwritten by something else has a flaw a line; the first ones tell enough.
const FLAWS_MAX: usize = 20;

/// One place where the chain does not hold. Never contains the line itself: it may name a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// File name of the segment.
    pub segment: String,
    /// Line of that file, from 1.
    pub line: usize,
    pub what: String,
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} line {}: {}", self.segment, self.line, self.what)
    }
}

/// What a reading of the journal found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub lines: u64,
    pub segments: usize,
    /// The first ones, at most twenty.
    pub flaws: Vec<Flaw>,
}

/// Checks every line against the one before it, and the last one against the head. The box may be running: what it
/// appends meanwhile is not taken for damage.
pub fn verify(folder: &Path) -> Result<Verdict, AuditError> {
    let head = read_head(folder)?;
    let nothing_yet = (0, NO_LINE_BEFORE.to_owned());
    let mut reading =
        Reading { previous: NO_LINE_BEFORE.into(), head_seen: vec![nothing_yet], ..Reading::default() };
    let segments = segments(folder)?;
    for (position, (number, path)) in segments.iter().enumerate() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if *number as usize != position + 1 {
            reading.flaw(name, 0, format!("segment {} is missing", position + 1));
        }
        let bytes = std::fs::read(path).map_err(AuditError::file("read", path))?;
        reading.segment(name, &bytes, position + 1 == segments.len());
    }
    reading.end(head.map(|head| (head.n, head.sha256)));
    Ok(Verdict { lines: reading.lines, segments: segments.len(), flaws: reading.flaws })
}

#[derive(Default)]
struct Reading {
    previous: String,
    n: u64,
    lines: u64,
    head_seen: Vec<(u64, String)>,
    flaws: Vec<Flaw>,
}

impl Reading {
    fn flaw(&mut self, segment: &str, line: usize, what: impl Into<String>) {
        if self.flaws.len() < FLAWS_MAX {
            self.flaws.push(Flaw { segment: segment.to_owned(), line, what: what.into() });
        }
    }

    fn segment(&mut self, name: &str, bytes: &[u8], is_last: bool) {
        let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let torn = lines.pop().is_some_and(|rest| !rest.is_empty());
        if torn && !is_last {
            self.flaw(name, lines.len() + 1, "a sealed segment ends in half a line");
        }
        for (position, line) in lines.into_iter().enumerate() {
            self.line(name, position + 1, line);
        }
    }

    fn line(&mut self, name: &str, position: usize, bytes: &[u8]) {
        self.lines += 1;
        match serde_json::from_slice::<Line>(bytes) {
            Err(_) => {
                self.flaw(name, position, "this line is not one of the journal's");
                self.n += 1;
            }
            Ok(line) => {
                if line.previous != self.previous {
                    self.flaw(name, position, "the line before it was changed, removed or put elsewhere");
                }
                if line.n != self.n + 1 {
                    self.flaw(name, position, format!("number {} follows number {}", line.n, self.n));
                }
                self.n = line.n;
            }
        }
        self.previous = hash(bytes);
        // The last two suffice: a running box may be one line ahead of the head.
        self.head_seen.push((self.n, self.previous.clone()));
        if self.head_seen.len() > 1024 {
            self.head_seen.drain(..512);
        }
    }

    fn end(&mut self, head: Option<(u64, String)>) {
        let lines = usize::try_from(self.lines).unwrap_or(usize::MAX);
        match head {
            None if self.lines > 1 => self.flaw("head.json", 0, "the head is missing or does not read"),
            Some(head) if !self.head_seen.contains(&head) => {
                let what = format!("the journal had a line {} that is changed or gone", head.0);
                self.flaw("head.json", lines, what);
            }
            _ => {}
        }
    }
}
