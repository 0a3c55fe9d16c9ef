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

#[test]
fn addresses_are_built_from_a_host_that_is_one() {
    let mut headers = HeaderMap::new();
    assert_eq!(base(&headers), "/dicom-web");
    headers.insert(HOST, "box.local:8443".parse().unwrap());
    assert_eq!(base(&headers), "http://box.local:8443/dicom-web");
    headers.insert(HOST, "evil/<script>".parse().unwrap());
    assert_eq!(base(&headers), "/dicom-web");
}
