use super::*;

fn request(pairs: &[(&str, &str)]) -> Result<Request, ApiError> {
    let parameters = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Request::of(&parameters, &HeaderMap::new())
}

#[test]
fn keys_come_as_tags_or_keywords_and_unknown_ones_are_ignored() {
    let by_tag = request(&[("00100020", "A*"), ("0020000d", "1.2,1.3")]).unwrap();
    let by_word =
        request(&[("PatientID", "A*"), ("StudyInstanceUID", "1.2\\1.3"), ("NoSuchKey", "x")]).unwrap();
    assert_eq!(format!("{:?}", by_tag.query), format!("{:?}", by_word.query));
    assert_eq!(by_tag.query.keys.len(), 2);
    assert!(
        request(&[("PatientName", "")]).unwrap().query.keys.is_empty(),
        "an empty value matches everything"
    );
}

#[test]
fn fields_are_included_as_a_list_or_repeated_by_tag_or_keyword() {
    let list = request(&[("includefield", "00081030,PatientName"), ("includefield", "0008103e")]).unwrap();
    assert_eq!(
        list.include.iter().map(String::as_str).collect::<Vec<_>>(),
        ["00081030", "0008103E", "00100010"]
    );
    assert!(request(&[("includefield", "all")]).unwrap().include_all);
    assert!(request(&[("includefield", "nonsense,,")]).unwrap().include.is_empty());
}

#[test]
fn a_value_that_makes_no_sense_is_refused_by_name() {
    for (name, value) in
        [("limit", "-1"), ("offset", "many"), ("StudyDate", "yesterday"), ("InstanceNumber", "x")]
    {
        let refused = request(&[(name, value)]).unwrap_err();
        assert_eq!(refused.status.as_u16(), 400, "{name}");
    }
}

/// `UPDATE_CONFORMANCE=1 cargo test -p sidelight search_keys` rewrites the table.
#[test]
fn the_conformance_statement_names_the_search_keys() {
    use std::fmt::Write as _;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/CONFORMANCE.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut table = "| tag | key |\n|---|---|\n".to_owned();
    for (tag, keyword, _) in &KEYS {
        writeln!(table, "| {tag} | {keyword} |").unwrap();
    }
    let (begin, end) = ("<!-- begin search keys -->\n", "<!-- end search keys -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let written = format!("{before}{begin}{table}{end}{after}");
    if std::env::var_os("UPDATE_CONFORMANCE").is_some() {
        std::fs::write(path, &written).unwrap();
        return;
    }
    assert!(text == written, "CONFORMANCE.md has other search keys: run this test with UPDATE_CONFORMANCE=1");
}
