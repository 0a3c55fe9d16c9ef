//! Searching and metadata over a store that is there already.

use super::tests::{open, send, study};
use super::*;

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn ten_thousand_studies_are_searched_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    send(&store, "1.2", "1.2.3", "1.2.3.4", "a");
    let record = store.study(&study()).unwrap();
    let (_, series) = store.series(&study()).unwrap().remove(0);
    for number in 0..10_000u32 {
        let mut record = record.clone();
        record.patient_study.patient_id = format!("P{number:05}");
        record.patient_study.patient_name = format!("Name{}^Given{number}", number % 100);
        record.patient_study.study_date = format!("2024{:02}{:02}", number % 12 + 1, number % 28 + 1);
        let uid = format!("1.2.{number}.7");
        store.inner.index.put(Tree::Study, uid.as_bytes(), &record).unwrap();
        store.inner.index.put(Tree::Series, &key(&[&uid, &format!("{uid}.1")]), &series).unwrap();
    }
    let begun = std::time::Instant::now();
    assert_eq!(store.search_studies(&Query::default()).unwrap().rows.len(), RESULTS_MAX);
    let first = begun.elapsed();
    let query = |keys: Vec<(Key, Matcher)>| Query { keys, offset: 0, limit: Some(101) };
    let mut slowest = std::time::Duration::ZERO;
    for (keys, expected) in [
        (vec![(Key::PatientId, Matcher::text("P00042"))], 1),
        (vec![(Key::PatientName, Matcher::folded_text("*AME42^*"))], 100),
        (vec![(Key::PatientName, Matcher::words("given99"))], 101),
        (
            vec![
                (Key::StudyDate, Matcher::range("20240101-20240131")),
                (Key::PatientId, Matcher::text("*7")),
            ],
            0,
        ),
        (vec![(Key::ModalitiesInStudy, Matcher::any_of("MR"))], 0),
    ] {
        let begun = std::time::Instant::now();
        let found = store.search_studies(&query(keys.clone())).unwrap().rows.len();
        slowest = slowest.max(begun.elapsed());
        assert_eq!(found, expected, "{keys:?}");
    }
    println!("10,000 studies: first search {first:?}, slowest of five later ones {slowest:?}");
    store.inner.index.remove(Tree::Study, b"1.2.42.7").unwrap();
    let gone = query(vec![(Key::PatientId, Matcher::text("P00042"))]);
    assert!(store.search_studies(&gone).unwrap().rows.is_empty(), "a study that went is still found");
    send(&store, "1.2.42.7", "1.2.42.7.1", "1.2.3.4.5", "P00042");
    assert_eq!(store.search_studies(&gone).unwrap().rows.len(), 1, "a study that came is not found");
}

#[test]
fn metadata_documents_are_made_once_and_a_torn_line_is_made_again() {
    use std::os::unix::fs::FileExt;
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path());
    let series = SeriesUid::parse("1.2.3").unwrap();
    send(&store, "1.2", "1.2.3", "1.2.3.1", "a");
    let made = std::sync::atomic::AtomicUsize::new(0);
    let read = |store: &Store| -> Vec<String> {
        let instances = store.instances_in_order(&study(), &series).unwrap();
        let make = |record: &InstanceRecord| {
            made.fetch_add(1, Ordering::Relaxed);
            format!("{{\"uid\":\"{}\"}}", record.facts.sop_instance.as_str()).into_bytes()
        };
        let found = store.metadata(&study(), &series, &instances, &make).unwrap();
        let document = |(at, length): &(u64, usize)| {
            let mut bytes = vec![0u8; *length];
            found.file.read_exact_at(&mut bytes, *at).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        found.places.iter().map(document).collect()
    };
    assert_eq!(read(&store), [r#"{"uid":"1.2.3.1"}"#]);
    send(&store, "1.2", "1.2.3", "1.2.3.2", "a");
    let both = [r#"{"uid":"1.2.3.1"}"#, r#"{"uid":"1.2.3.2"}"#];
    assert_eq!(read(&store), both);
    assert_eq!(read(&store), both);
    assert_eq!(made.load(Ordering::Relaxed), 2, "a document was made twice");
    let path = folder.path().join("metadata/1.2/1.2.3.lines");
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 5).unwrap();
    assert_eq!(read(&store), both);
    std::fs::write(&path, "something else\nx\ty\n").unwrap();
    assert_eq!(read(&store), both);
    assert_eq!(made.load(Ordering::Relaxed), 5);
}
