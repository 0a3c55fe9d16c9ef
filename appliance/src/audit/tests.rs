//! The journal against those who would change it, and against a power cut.

use std::path::PathBuf;

use super::segment::SEGMENT_BYTES_MAX;
use super::*;

const AT: Timestamp = Timestamp(1_795_452_201_042);

fn event(text: &str) -> Event {
    Event::new(Kind::SignIn, Outcome::Success, Who::station()).because(text)
}

fn journal(lines: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let audit = Audit::open(folder.path(), AT).unwrap();
    for line in 0..lines {
        audit.record(&event(&format!("event {line}")), AT).unwrap();
    }
    folder
}

fn first_segment(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("segment-000001.jsonl")
}

fn flaws(folder: &tempfile::TempDir) -> Vec<Flaw> {
    verify(folder.path()).unwrap().flaws
}

/// Lets `change` at the lines of the journal and expects the change to show, before and after a restart of the box.
fn shows(what: &str, change: impl FnOnce(&mut Vec<String>)) {
    let folder = journal(6);
    let path = first_segment(&folder);
    let mut lines: Vec<String> = std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    change(&mut lines);
    std::fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    assert!(!flaws(&folder).is_empty(), "{what} does not show");
    let audit = Audit::open(folder.path(), AT).unwrap();
    audit.record(&event("after"), AT).unwrap();
    assert!(!flaws(&folder).is_empty(), "{what} does not show after the box went on");
}

#[test]
fn an_untouched_journal_has_no_flaw() {
    for lines in [0, 1, 2, 6] {
        let folder = journal(lines);
        let verdict = verify(folder.path()).unwrap();
        assert_eq!((verdict.lines, verdict.flaws), (lines as u64, vec![]), "{lines} lines");
    }
}

#[test]
fn a_changed_line_shows_wherever_it_stands() {
    for line in 0..6 {
        shows(&format!("a change of line {line}"), |lines| {
            lines[line] = lines[line].replace("event", "Event");
        });
    }
}

#[test]
fn a_removed_line_shows_wherever_it_stood() {
    for line in 0..6 {
        shows(&format!("a removal of line {line}"), |lines| drop(lines.remove(line)));
    }
    shows("a removal of all lines", Vec::clear);
}

#[test]
fn lines_in_another_order_show() {
    for line in 0..5 {
        shows(&format!("a swap at line {line}"), |lines| lines.swap(line, line + 1));
    }
}

#[test]
fn a_missing_head_and_a_missing_segment_show() {
    let folder = journal(6);
    std::fs::remove_file(folder.path().join("head.json")).unwrap();
    assert!(!flaws(&folder).is_empty(), "a missing head does not show");
    let folder = journal(6);
    std::fs::remove_file(first_segment(&folder)).unwrap();
    assert!(!flaws(&folder).is_empty(), "a missing segment does not show");
}

#[test]
fn the_chain_goes_on_over_restarts_and_segments() {
    let folder = journal(3);
    let mut writer = Writer::open(folder.path()).unwrap().0;
    // Full by its own count, without the minute that writing four megabytes line by line takes.
    writer.bytes = SEGMENT_BYTES_MAX;
    for _ in 0..3 {
        writer.append(&event("in the second segment"), AT).unwrap();
    }
    drop(writer);
    Audit::open(folder.path(), AT).unwrap().record(&event("after"), AT).unwrap();
    let verdict = verify(folder.path()).unwrap();
    assert_eq!((verdict.segments, verdict.lines, verdict.flaws), (2, 7, vec![]));
    let sealed = std::fs::metadata(first_segment(&folder)).unwrap().permissions();
    assert!(sealed.readonly(), "a full segment is sealed");
}

#[test]
fn a_torn_last_line_is_set_aside_and_the_chain_goes_on() {
    let folder = journal(2);
    let path = first_segment(&folder);
    let whole = std::fs::read(&path).unwrap();
    for torn in ["{", r#"{"n":3,"at":"2026"#] {
        std::fs::write(&path, [&whole[..], torn.as_bytes()].concat()).unwrap();
        drop(Audit::open(folder.path(), AT).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), whole, "the torn line is cut");
        assert_eq!(std::fs::read(path.with_extension("torn")).unwrap(), torn.as_bytes());
    }
    Audit::open(folder.path(), AT).unwrap().record(&event("after"), AT).unwrap();
    assert_eq!((verify(folder.path()).unwrap().lines, flaws(&folder)), (3, vec![]));
}

#[test]
fn a_power_cut_between_line_and_head_is_no_damage() {
    let folder = journal(2);
    let head = folder.path().join("head.json");
    let before = std::fs::read(&head).unwrap();
    Audit::open(folder.path(), AT).unwrap().record(&event("third"), AT).unwrap();
    std::fs::write(&head, before).unwrap();
    assert_eq!(flaws(&folder), []);
    Audit::open(folder.path(), AT).unwrap().record(&event("fourth"), AT).unwrap();
    assert_eq!((verify(folder.path()).unwrap().lines, flaws(&folder)), (4, vec![]));
}

#[test]
fn an_event_names_the_patient_in_the_journal_and_nowhere_in_debug() {
    let about = crate::part10::PatientStudy { patient_name: "Test^Patient".into(), ..Default::default() };
    let uid = crate::uid::StudyUid::parse("1.2.3").unwrap();
    let event = Event::new(Kind::StudyReceived, Outcome::Success, Who::peer("CT1", None)).on(&uid, &about);
    assert!(serde_json::to_string(&event).unwrap().contains("Test^Patient"));
    assert!(!format!("{event:?}").contains("Test"), "{event:?}");
}
